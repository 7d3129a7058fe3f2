//! Fixed addresses of a load balancer, subnet by subnet: `allocation=eipalloc-1`, `ipv4=10.0.0.10`, `ipv6=2001:db8::10`.

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerAddress, SubnetMapping};
use cloud::{Change, Found};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What was chosen for a subnet, by the subnet's id. AWS shows addresses that it has chosen itself as well, and does not tell
/// which is which.
const TAG: &str = "k8s-hardway/addresses/";

pub(super) fn mappings(subnets: &BTreeMap<String, String>) -> Vec<SubnetMapping> {
    let mapping = |(subnet, value): (&String, &String)| {
        let parts = parse(value);
        let part = |sort: &str| parts.get(sort).cloned();
        SubnetMapping::builder()
            .subnet_id(subnet)
            .set_allocation_id(part("allocation"))
            .set_private_ipv4_address(part("ipv4"))
            .set_ipv6_address(part("ipv6"))
            .build()
    };
    subnets.iter().map(mapping).collect()
}

/// The addresses of subnets as settings `tag <key>`.
pub(super) fn tags(subnets: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    // A comma is not among the characters that a tag of this service may have.
    let tag = |(subnet, value): (&String, &String)| (format!("tag {TAG}{subnet}"), value.replace(',', " "));
    subnets.iter().filter(|(_, value)| !value.is_empty()).map(tag).collect()
}

pub(super) fn tag_changes(found: &Found, subnets: &BTreeMap<String, String>) -> Vec<Change> {
    let wanted = tags(subnets);
    let is_other = |(key, value): &(&String, &String)| found.settings.get(*key) != Some(value);
    let set = wanted.iter().filter(is_other);
    let set =
        set.map(|(key, value)| Change { key: key.clone(), from: found.settings.get(key).cloned(), to: Some(value.clone()) });
    let prefix = format!("tag {TAG}");
    let gone = found.settings.iter().filter(|(key, _)| key.starts_with(&prefix) && !wanted.contains_key(*key));
    let gone = gone.map(|(key, value)| Change { key: key.clone(), from: Some(value.clone()), to: None });
    set.chain(gone).collect()
}

/// `settings` have the tags already.
pub(super) fn read(balancer: &LoadBalancer, settings: &mut BTreeMap<String, String>) {
    for zone in balancer.availability_zones() {
        let Some(subnet) = zone.subnet_id() else { continue };
        let chosen = settings.get(&format!("tag {TAG}{subnet}")).map(|tag| parse(&tag.replace(' ', ","))).unwrap_or_default();
        settings.insert(format!("subnet {subnet}"), show(&chosen, zone.load_balancer_addresses()));
    }
}

/// Of what AWS shows, an allocation is always somebody's choice, anything else is if it was chosen by us. Where AWS shows none of
/// the chosen sort, it counts as being as chosen.
fn show(chosen: &BTreeMap<String, String>, addresses: &[LoadBalancerAddress]) -> String {
    let allocation = addresses.iter().find_map(LoadBalancerAddress::allocation_id);
    let ipv4 = addresses.iter().find_map(LoadBalancerAddress::private_ipv4_address).filter(|_| chosen.contains_key("ipv4"));
    let ipv6 = addresses.iter().find_map(LoadBalancerAddress::ipv6_address).filter(|_| chosen.contains_key("ipv6"));
    let parts = [("allocation", allocation), ("ipv4", ipv4), ("ipv6", ipv6)].into_iter().filter_map(|(sort, shown)| {
        let value = shown.map(normal).or_else(|| chosen.get(sort).cloned())?;
        Some(format!("{sort}={value}"))
    });
    parts.collect::<Vec<_>>().join(",")
}

fn parse(value: &str) -> BTreeMap<String, String> {
    value.split(',').filter_map(|part| part.split_once('=')).map(|(sort, value)| (sort.to_owned(), normal(value))).collect()
}

/// IPv6 addresses have many spellings.
fn normal(value: &str) -> String {
    value.parse::<IpAddr>().map_or_else(|_| value.to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_parsed() {
        let subnets =
            [("subnet-1", "allocation=eipalloc-1,ipv6=2001:DB8:0::1"), ("subnet-2", "ipv4=10.0.0.10"), ("subnet-3", "")];
        let subnets = subnets.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let expect = vec![
            SubnetMapping::builder().subnet_id("subnet-1").allocation_id("eipalloc-1").ipv6_address("2001:db8::1").build(),
            SubnetMapping::builder().subnet_id("subnet-2").private_ipv4_address("10.0.0.10").build(),
            SubnetMapping::builder().subnet_id("subnet-3").build(),
        ];
        assert_eq!(mappings(&subnets), expect);
    }

    #[track_caller]
    fn check(tag: &str, address: Option<LoadBalancerAddress>, expect: &str) {
        let addresses: Vec<LoadBalancerAddress> = address.into_iter().collect();
        assert_eq!(show(&parse(&tag.replace(' ', ",")), &addresses), expect, "{tag}");
    }

    #[test]
    fn addresses_that_aws_has_chosen_are_not_shown() {
        let address = LoadBalancerAddress::builder;
        check("", None, "");
        check("", Some(address().ip_address("203.0.113.1").ipv6_address("2001:db8::7").build()), "");
        check("", Some(address().allocation_id("eipalloc-9").build()), "allocation=eipalloc-9");
        check("ipv4=10.0.0.10", Some(address().private_ipv4_address("10.0.0.11").build()), "ipv4=10.0.0.11");
        check("allocation=eipalloc-1 ipv6=2001:db8::1", None, "allocation=eipalloc-1,ipv6=2001:db8::1");
    }

    #[test]
    fn tags_say_what_was_chosen() {
        let mut found = Found::new(cloud::Kind::LoadBalancer, "arn");
        found.settings.insert(format!("tag {TAG}subnet-1"), "ipv4=10.0.0.10".into());
        found.settings.insert(format!("tag {TAG}subnet-2"), "ipv4=10.0.1.10".into());
        let subnets = [("subnet-1", "ipv4=10.0.0.10"), ("subnet-3", "allocation=eipalloc-1,ipv6=2001:db8::1"), ("subnet-4", "")];
        let subnets = subnets.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let changes: Vec<(String, Option<String>)> =
            tag_changes(&found, &subnets).into_iter().map(|change| (change.key, change.to)).collect();
        let expect = [
            (format!("tag {TAG}subnet-3"), Some("allocation=eipalloc-1 ipv6=2001:db8::1".to_owned())),
            (format!("tag {TAG}subnet-2"), None),
        ];
        assert_eq!(changes, expect);
    }
}
