//! Endpoints from what exists.

use super::{Observed, Settings, rest};
use cloud::Kind;
use render::aws::endpoints::{EndpointType, default_ip_address_type, service_of, tier_of};
use render::aws::vpc::VpcSpec;
use render::aws::vpc_cidrs::tier_and_number;
use schema::Value;
use std::collections::BTreeMap;

/// Null where there is none. `spec` has no endpoints yet.
pub fn infer(observed: &Observed, spec: &VpcSpec) -> Value {
    let all: Vec<(&str, EndpointType, &Settings)> = observed
        .of_kind(Kind::VpcEndpoint)
        .map(|(name, settings)| {
            let (service, endpoint_type) = service_of(name);
            (service, endpoint_type, settings)
        })
        .collect();
    if all.is_empty() {
        return Value::Null;
    }
    let interfaces: Vec<&Settings> =
        all.iter().filter(|(_, kind, _)| *kind == EndpointType::Interface).map(|(_, _, settings)| *settings).collect();
    let mut spec = spec.clone();
    let tier = interfaces.iter().find_map(|settings| {
        let (subnet, _) = rest(settings, "subnet").next()?;
        Some(tier_and_number(subnet.strip_prefix("@subnet/")?)?.0.to_owned())
    });
    let tier = tier.filter(|tier| Some(tier.as_str()) != tier_of(&spec));
    spec.endpoints.tier.clone_from(&tier);
    let has_dns = |settings: &&Settings| settings.get("private_dns").is_none_or(|value| value == "true");
    let private_dns = interfaces.is_empty() || interfaces.iter().any(has_dns);
    let mut overrides = BTreeMap::new();
    for (service, endpoint_type, settings) in &all {
        let is_interface = *endpoint_type == EndpointType::Interface;
        let address_type =
            settings.get("ip_address_type").filter(|found| is_interface && **found != default_ip_address_type(&spec));
        let dns = (is_interface && has_dns(settings) != private_dns).then(|| has_dns(settings));
        let policy = settings.get("policy").filter(|policy| !is_full_access(policy));
        if address_type.is_some() || dns.is_some() || policy.is_some() {
            let value = Value::object([
                ("ip_address_type", address_type.map(String::as_str).into()),
                ("private_dns", dns.into()),
                ("policy", policy.map(String::as_str).into()),
            ]);
            overrides.insert((*service).to_owned(), value);
        }
    }
    let of_type = |wanted: EndpointType| {
        all.iter().filter(|(_, kind, _)| *kind == wanted).map(|(service, _, _)| *service).collect::<Value>()
    };
    Value::object([
        ("gateway", of_type(EndpointType::Gateway)),
        ("interface", of_type(EndpointType::Interface)),
        ("subnets", tier.into()),
        ("private_dns", private_dns.into()),
        ("overrides", Value::Map(overrides)),
    ])
}

/// What AWS shows where no policy was given.
fn is_full_access(policy: &str) -> bool {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(policy) else { return false };
    let Some([statement]) = json.get("Statement").and_then(|statements| statements.as_array()).map(Vec::as_slice) else {
        return false;
    };
    let is = |key: &str, value: &str| statement.get(key).and_then(|found| found.as_str()) == Some(value);
    is("Effect", "Allow") && is("Principal", "*") && is("Action", "*") && is("Resource", "*")
}
