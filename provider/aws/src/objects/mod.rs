//! What is done to objects of each kind: one file per kind, each with its settings as `docs/aws-objects.md` has them.

use crate::clients::Clients;
use async_trait::async_trait;
use cloud::{Change, CloudError, ErrorClass, Found, Kind, OBJECT_TAG, Resolved};
use std::collections::BTreeSet;
use std::fmt::Display;

mod dhcp_options;
mod dns_record;
mod egress_only_internet_gateway;
mod elastic_ip;
mod flow_log;
mod instance;
mod internet_gateway;
mod key_pair;
mod listener;
pub(crate) mod load_balancer;
mod nat_gateway;
mod route_table;
mod security_group;
mod subnet;
pub(crate) mod tags;
pub(crate) mod target_group;
mod vpc;
mod vpc_endpoint;

/// Each call is one thing that happened or did not; what, when and whether again is the caller's.
#[async_trait]
pub(crate) trait Objects: Send + Sync {
    /// All of the region; where a kind is listed by name, only those of `names`.
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError>;
    /// With all tags, and what the same call can set. What it returns has the settings that the call set.
    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError>;
    /// Safe to repeat: what is as wanted already is no error.
    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError>;
    /// What is gone already is no error.
    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError>;
    /// Why an object of a kind that [`Kind::ends`] did so; `None` while it has not.
    async fn end_of(&self, _clients: &Clients, _id: &str) -> Result<Option<String>, CloudError> {
        Ok(None)
    }
}

pub(crate) fn of(kind: Kind) -> &'static dyn Objects {
    match kind {
        Kind::DhcpOptions => &dhcp_options::DhcpOptions,
        Kind::Vpc => &vpc::Vpcs,
        Kind::KeyPair => &key_pair::KeyPairs,
        Kind::InternetGateway => &internet_gateway::InternetGateways,
        Kind::EgressOnlyInternetGateway => &egress_only_internet_gateway::EgressOnlyInternetGateways,
        Kind::SecurityGroup => &security_group::SecurityGroups,
        Kind::Subnet => &subnet::Subnets,
        Kind::ElasticIp => &elastic_ip::ElasticIps,
        Kind::NatGateway => &nat_gateway::NatGateways,
        Kind::RouteTable => &route_table::RouteTables,
        Kind::VpcEndpoint => &vpc_endpoint::VpcEndpoints,
        Kind::FlowLog => &flow_log::FlowLogs,
        Kind::Instance => &instance::Instances,
        Kind::LoadBalancer => &load_balancer::LoadBalancers,
        Kind::TargetGroup => &target_group::TargetGroups,
        Kind::Listener => &listener::Listeners,
        Kind::DnsRecord => &dns_record::DnsRecords,
    }
}

/// Nothing is shown where there is no value.
pub(crate) fn put(found: &mut Found, key: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        found.settings.insert(key.to_owned(), value.to_string());
    }
}

/// Completes what the answer to a call that made an object shows: the tags, and the settings that the call has set.
pub(crate) fn made(mut found: Found, object: &Resolved, set: &[&str]) -> Found {
    let was_set = |key: &String| key.starts_with("tag ") || set.contains(&key.split(' ').next().unwrap_or_default());
    for (key, value) in object.settings.iter().filter(|(key, _)| was_set(key)) {
        found.settings.entry(key.clone()).or_insert_with(|| value.clone());
    }
    found
}

/// The name of an object that is listed by it.
pub(crate) fn names_of(object: &Resolved, key: &str) -> BTreeSet<String> {
    object.get(key).map(ToOwned::to_owned).into_iter().collect()
}

/// Elastic Load Balancing answers a create with what is there already under the name, if its settings are the same: somebody else's
/// would become ours, and go with us.
pub(crate) fn not_taken(found: Vec<Found>, object: &Resolved) -> Result<(), CloudError> {
    let ours = object.get(&format!("tag {OBJECT_TAG}"));
    match found.into_iter().find(|found| found.tag(OBJECT_TAG) != ours) {
        None => Ok(()),
        Some(found) => Err(CloudError {
            operation: format!("create {}", object.key.kind),
            class: ErrorClass::Exists,
            code: String::new(),
            message: format!("{} has the name already", found.id),
        }),
    }
}

/// The change of one setting.
pub(crate) fn change<'a>(changes: &'a [Change], key: &str) -> Option<&'a Change> {
    changes.iter().find(|change| change.key == key)
}

/// What a setting becomes that cannot be taken away.
pub(crate) fn becomes<'a>(changes: &'a [Change], key: &str) -> Option<&'a str> {
    change(changes, key)?.to.as_deref()
}

/// Changes of settings whose key has a word before it: `below(changes, "route")` has `("10.0.0.0/8", change)`.
pub(crate) fn below<'a>(changes: &'a [Change], word: &'a str) -> impl Iterator<Item = (&'a str, &'a Change)> {
    changes.iter().filter_map(move |change| Some((change.key.strip_prefix(word)?.strip_prefix(' ')?, change)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::ObjectKey;
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(tag: Option<&str>, expect: bool) {
        let key = format!("tag {OBJECT_TAG}");
        let settings = BTreeMap::from([(key.clone(), "k8s_lb_nlb/api load_balancer/api".to_owned())]);
        let object = Resolved { key: ObjectKey::new(Kind::LoadBalancer, "api"), settings, token: String::new() };
        let mut found = Found::new(Kind::LoadBalancer, "arn:loadbalancer/net/api/1");
        found.settings.extend(tag.map(|tag| (key, tag.to_owned())));
        assert_eq!(not_taken(vec![found], &object).is_ok(), expect, "{tag:?}");
    }

    #[test]
    fn a_name_that_somebody_else_has_is_taken() {
        check(None, false);
        check(Some("k8s_lb_nlb/other load_balancer/api"), false);
        check(Some("k8s_lb_nlb/api load_balancer/api"), true);
    }
}
