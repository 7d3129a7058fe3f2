//! `k8s_lb_nlb`: a Network Load Balancer with its target groups, listeners and alias records.

mod attributes;
pub(crate) mod config;
mod import;
mod replacement;
mod settle;
mod validate;

use crate::resources::on_cloud::open::Decides;
use crate::resources::on_cloud::{CloudResource, Known};
use crate::wait::Waiter;
use async_trait::async_trait;
use cloud::{Cloud, Graph, Kind, ObjectKey};
use config::Config;
use render::aws::nlb::{self, NlbSpec};
use schema::{AttributePath, Diagnostic, Diagnostics, Schema, Value, ValueAt, decode};
use std::collections::BTreeMap;

pub struct LbNlb;

const NAME: &str = "k8s_lb_nlb";
const BALANCER: (Kind, Option<&str>) = (Kind::LoadBalancer, None);
const DECIDES: &[Decides] = &[
    Decides { path: &["dns"], objects: &[Kind::DnsRecord], settings: &[], outputs: &["endpoint", "endpoint_names"] },
    Decides { path: &["ip_address_type"], objects: &[Kind::DnsRecord], settings: &[BALANCER], outputs: &[] },
    // The first listener with UDP changes the balancer.
    Decides {
        path: &["listeners"],
        objects: &[Kind::Listener, Kind::TargetGroup],
        settings: &[BALANCER],
        outputs: &["target_group_arns"],
    },
];

#[async_trait]
impl CloudResource for LbNlb {
    type Spec = NlbSpec;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        attributes::schema()
    }

    fn validate(&self, config: &ValueAt<'_>, found: &mut Diagnostics) {
        validate::validate(config, found);
    }

    fn owner_name(&self, planned: &Value) -> Option<String> {
        planned.get("name").as_str().map(str::to_owned)
    }

    fn main_object(&self, planned: &Value) -> ObjectKey {
        ObjectKey::new(Kind::LoadBalancer, planned.get("name").as_str().unwrap_or_default())
    }

    fn spec(&self, planned: &Value) -> Result<Option<NlbSpec>, Diagnostic> {
        let config: Config = decode(planned)?;
        Ok(config.spec())
    }

    fn graph(&self, spec: &NlbSpec) -> Graph {
        nlb::graph(spec)
    }

    fn decides(&self) -> &'static [Decides] {
        DECIDES
    }

    fn outputs(&self, _spec: Option<&NlbSpec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)> {
        let balancer = self.main_object(planned);
        let dns_name = known.output(&balancer, "dns_name");
        let names = endpoint_names(planned.get("dns"), &dns_name);
        vec![
            ("arn", known.id(&balancer)),
            ("dns_zone_id", known.output(&balancer, "zone_id")),
            ("target_group_arns", target_group_arns(planned.get("listeners"), known)),
            ("endpoint", names.at(&AttributePath::root().index(0)).clone()),
            ("endpoint_names", names),
            ("dns_name", dns_name),
        ]
    }

    fn replaces(&self, prior: &Value, planned: &Value) -> Vec<AttributePath> {
        replacement::paths(prior, planned)
    }

    fn may_replace(&self, prior: &Value, planned: &Value) -> Vec<AttributePath> {
        replacement::undecided(prior, planned)
    }

    async fn settle(&self, cloud: &dyn Cloud, spec: &NlbSpec, planned: &Value, waiter: Waiter<'_>) -> Result<(), Diagnostic> {
        let config: Config = decode(planned)?;
        match config.wait_for_healthy_targets.known() {
            Some(true) => settle::wait_for_healthy_targets(cloud, spec, waiter).await,
            _ => Ok(()),
        }
    }

    async fn import(&self, cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostics> {
        import::import(cloud, id).await.map_err(Diagnostics::from)
    }
}

/// Unknown while it is unknown which listeners there are.
fn target_group_arns(listeners: &Value, known: &Known<'_>) -> Value {
    if listeners.is_unknown() {
        return Value::Unknown;
    }
    let names = listeners.as_map().into_iter().flatten().map(|(name, _)| name);
    let arn = |name: &String| (name.clone(), known.id(&ObjectKey::new(Kind::TargetGroup, name)));
    Value::Map(names.map(arn).collect::<BTreeMap<_, _>>())
}

/// The name of the records first. Unknown while it is unknown whether there are any.
fn endpoint_names(dns: &Value, dns_name: &Value) -> Value {
    if dns.is_unknown() {
        return Value::Unknown;
    }
    [dns.get("name").clone(), dns_name.clone()].into_iter().filter(|name| !name.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_the_name_of_the_records_first() {
        let dns = Value::object([("name", "api.example.net".into())]);
        let names = |names: Vec<Value>| Value::List(names);
        assert_eq!(endpoint_names(&dns, &"x.elb".into()), names(vec!["api.example.net".into(), "x.elb".into()]));
        assert_eq!(endpoint_names(&dns, &Value::Unknown), names(vec!["api.example.net".into(), Value::Unknown]));
        assert_eq!(endpoint_names(&Value::Null, &"x.elb".into()), names(vec!["x.elb".into()]));
        assert_eq!(endpoint_names(&Value::Unknown, &"x.elb".into()), Value::Unknown);
    }
}
