//! `k8s_aws_instance_types`: what instance types have, how many addresses they take and where they are offered.

use crate::configuration::Shared;
use crate::resources::on_cloud::failed;
use async_trait::async_trait;
use cloud::InstanceType;
use protocol::{Call, DataSource};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, decode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

pub struct InstanceTypesSource {
    shared: Shared,
}

#[derive(Deserialize)]
struct Config {
    names: Vec<String>,
}

impl InstanceTypesSource {
    pub fn new(shared: &Shared) -> Self {
        InstanceTypesSource { shared: shared.clone() }
    }
}

#[async_trait]
impl DataSource for InstanceTypesSource {
    fn name(&self) -> &'static str {
        "k8s_aws_instance_types"
    }

    fn schema(&self) -> Schema {
        Schema::new("Properties of instance types in the provider's region: architecture, size, network limits, and the zones that offer them.")
            .attribute(
                Attribute::set("names", Type::String)
                    .required()
                    .describe("Names of instance types, such as `t4g.small`. A type that the region does not offer is an error."),
            )
            .attribute(Attribute::list("zones", Type::String).computed().describe("Names of the zones that offer all of them."))
            .attribute(types_attribute())
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        if config.get("names").as_list().is_some_and(<[Value]>::is_empty) {
            let none = Diagnostic::error("names is empty").detail("Name at least one instance type, such as t4g.small.");
            diagnostics.push(none.at(AttributePath::attribute("names")));
        }
        diagnostics
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let typed: Config = decode(&config)?;
        let names: BTreeSet<String> = typed.names.into_iter().collect();
        let cloud = self.shared.cloud()?;
        let types = cloud.instance_types(&names).await.map_err(|error| failed("cannot look up instance types", &error))?;
        let missing: Vec<&str> =
            names.iter().filter(|name| !types.iter().any(|found| found.name == **name)).map(String::as_str).collect();
        if !missing.is_empty() {
            let error = Diagnostic::error(format!("{} does not have {}", cloud.region(), missing.join(", ")));
            let error = error.detail("Name instance types that the region offers, such as t4g.small or m7i.large.");
            return Err(error.at(AttributePath::attribute("names")).into());
        }
        let mut state = config;
        state.set("zones", shared_zones(&types).into_iter().map(Value::from).collect());
        state.set("types", Value::Map(types.into_iter().map(|one| (one.name.clone(), shown(one))).collect()));
        Ok(state)
    }
}

fn types_attribute() -> Attribute {
    let number = |name, description: &'static str| Attribute::number(name).computed().describe(description);
    let texts = |name, description: &'static str| Attribute::list(name, Type::String).computed().describe(description);
    Attribute::nested(
        "types",
        Nesting::Map,
        vec![
            texts("architectures", "Architectures: `x86_64`, `arm64`."),
            number("vcpus", "Virtual processors."),
            number("memory_mib", "Memory in MiB."),
            number("interfaces", "Maximum number of network interfaces."),
            number("ipv4_addresses_per_interface", "Maximum number of IPv4 addresses on each of them."),
            number("ipv6_addresses_per_interface", "Maximum number of IPv6 addresses on each of them; 0 without IPv6."),
            texts("zones", "Names of the zones that offer it."),
        ],
    )
    .computed()
    .describe("Properties of each type by its name.")
}

fn shared_zones(types: &[InstanceType]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for zone in types.iter().flat_map(|one| &one.zones) {
        *counts.entry(zone).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count == types.len()).map(|(zone, _)| zone.clone()).collect()
}

fn shown(instance_type: InstanceType) -> Value {
    Value::object([
        ("architectures", instance_type.architectures.into()),
        ("vcpus", instance_type.vcpus.into()),
        ("memory_mib", instance_type.memory_mib.into()),
        ("interfaces", instance_type.interfaces.into()),
        ("ipv4_addresses_per_interface", instance_type.ipv4_addresses_per_interface.into()),
        ("ipv6_addresses_per_interface", instance_type.ipv6_addresses_per_interface.into()),
        ("zones", instance_type.zones.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(name: &str, zones: &[&str]) -> InstanceType {
        InstanceType {
            name: name.into(),
            architectures: vec!["arm64".into()],
            vcpus: 2,
            memory_mib: 2048,
            interfaces: 3,
            ipv4_addresses_per_interface: 4,
            ipv6_addresses_per_interface: 4,
            zones: zones.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn zones_are_those_that_offer_all() {
        let types = [offered("t4g.small", &["a", "b", "c"]), offered("m7g.large", &["b", "c"])];
        assert_eq!(shared_zones(&types).into_iter().collect::<Vec<_>>(), ["b", "c"]);
        assert!(shared_zones(&[offered("t4g.small", &[])]).is_empty());
    }
}
