//! What is wrong with a Network Load Balancer, said at plan with the attribute and a value that would do. Pure.

mod health_check;
mod listeners;
mod target;

use crate::resources::attributes;
use schema::{Diagnostics, ValueAt};
use std::net::{Ipv4Addr, Ipv6Addr};

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_name(&config.get("name"), found);
    attributes::validate_cluster_name(&config.get("cluster_name"), found);
    validate_id(&config.get("vpc_id"), "vpc", found);
    validate_subnets(config, found);
    validate_security_groups(&config.get("security_group_ids"), found);
    listeners::validate(config, found);
    validate_dns(&config.get("dns"), found);
    validate_tags(&config.get("tags"), found);
}

/// What a listener's parts are judged by.
struct Listener<'a> {
    declared: ValueAt<'a>,
    /// `None` while it is unknown.
    protocol: Option<&'a str>,
    scheme: Option<&'a str>,
    ip_address_type: Option<&'a str>,
}

/// Ids of AWS are a word, `-` and a number in hexadecimal.
fn validate_id(id: &ValueAt<'_>, prefix: &str, found: &mut Diagnostics) {
    let Some(text) = id.as_str() else { return };
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    if !rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric())) {
        let detail = format!("Give an id such as \"{prefix}-0a1b2c3d4e5f60718\".");
        found.push(id.error(format!("{text:?} is not an id of this kind"), detail));
    }
}

/// Names of load balancers and of target groups.
fn name_mistake(name: &str) -> Option<&'static str> {
    match name {
        _ if name.is_empty() || name.len() > 32 => Some("AWS accepts 1 to 32 characters"),
        _ if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => Some("AWS accepts only letters, digits and '-'"),
        _ if name.starts_with('-') || name.ends_with('-') => Some("AWS accepts no '-' at the beginning or end"),
        _ => None,
    }
}

fn validate_name(name: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(text) = name.as_str() else { return };
    let reserved = text.starts_with("internal-").then_some("AWS keeps names that begin with \"internal-\" to itself");
    if let Some(rule) = name_mistake(text).or(reserved) {
        let detail = format!("{rule}. A name that would do: \"demo-api\".");
        found.push(name.error(format!("{text:?} cannot be the name of a load balancer"), detail));
    }
}

fn validate_subnets(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let (plain, mapped) = (config.get("subnet_ids"), config.get("subnets"));
    match (plain.is_null(), mapped.is_null()) {
        (true, true) => found
            .push(plain.error("no subnets are given", "Set subnet_ids, such as [\"subnet-0a1b2c3d4e5f60718\"], one per zone.")),
        (false, false) if plain.is_set() && mapped.is_set() => found.push(
            mapped
                .error("subnet_ids and subnets are both given", "Give subnets where addresses are fixed, otherwise subnet_ids."),
        ),
        _ => {}
    }
    for list in [&plain, &mapped].into_iter().filter(|list| list.is_empty()) {
        found.push(list.error(
            format!("{} is empty", list.path()),
            "Give at least one subnet; one in each of two zones survives the loss of a zone.",
        ));
    }
    plain.members().for_each(|id| validate_id(&id, "subnet", found));
    let mut seen = Vec::new();
    for subnet in mapped.members() {
        let id = of_member(&subnet, "subnet_id");
        validate_id(&id, "subnet", found);
        validate_addresses(config, &subnet, found);
        let Some(id) = id.as_str() else { continue };
        if seen.contains(&id) {
            found.push(subnet.error(
                format!("{id} is given twice"),
                "A balancer has one address of each family in a subnet: give each subnet once.",
            ));
        }
        seen.push(id);
    }
}

/// Members of sets have no paths, nor have their parts: what is said of one stands at the set, and the summary names the value.
fn of_member<'a>(member: &ValueAt<'a>, name: &str) -> ValueAt<'a> {
    member.get(name).at(member.path().clone())
}

fn validate_addresses(config: &ValueAt<'_>, subnet: &ValueAt<'_>, found: &mut Diagnostics) {
    let scheme = or_default(&config.get("scheme"), "internal");
    let family = or_default(&config.get("ip_address_type"), "ipv4");
    let [allocation, ipv4, ipv6] = ["allocation_id", "private_ipv4_address", "ipv6_address"].map(|name| of_member(subnet, name));
    validate_id(&allocation, "eipalloc", found);
    if allocation.is_set() && scheme == Some("internal") {
        let way_out = "Give private_ipv4_address instead of allocation_id, or set scheme to \"internet-facing\".";
        found.push(allocation.error("an internal load balancer has no Elastic IP addresses", way_out));
    }
    if ipv4.is_set() && scheme == Some("internet-facing") {
        let way_out = "Give allocation_id instead of private_ipv4_address, or set scheme to \"internal\".";
        found.push(ipv4.error("an internet-facing load balancer has no private address of your choice", way_out));
    }
    if let Some(text) = ipv4.as_str().filter(|text| text.parse::<Ipv4Addr>().is_err()) {
        let way_out = "Give an address of the subnet, such as \"10.0.1.10\".";
        found.push(ipv4.error(format!("{text:?} is not an IPv4 address"), way_out));
    }
    if ipv6.is_set() && family == Some("ipv4") {
        let way_out = "Set ip_address_type to \"dualstack\", or leave ipv6_address out.";
        found.push(ipv6.error("a load balancer of ip_address_type ipv4 has no IPv6 address", way_out));
    }
    if let Some(text) = ipv6.as_str().filter(|text| text.parse::<Ipv6Addr>().is_err()) {
        let way_out = "Give an address of the subnet, such as \"2001:db8:0:1::10\".";
        found.push(ipv6.error(format!("{text:?} is not an IPv6 address"), way_out));
    }
}

fn validate_security_groups(groups: &ValueAt<'_>, found: &mut Diagnostics) {
    if groups.is_null() || groups.is_empty() {
        found.push(groups.warning(
            "the load balancer has no security group",
            "Whoever reaches its addresses reaches its listeners, and no security group can be added later to a load balancer that was created without any.",
        ));
    }
    groups.members().for_each(|group| validate_id(&group, "sg", found));
}

fn validate_dns(dns: &ValueAt<'_>, found: &mut Diagnostics) {
    let (zone_id, name) = (dns.get("zone_id"), dns.get("name"));
    if let Some(zone) = zone_id.as_str() {
        let id = zone.trim_start_matches("/hostedzone/");
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            let detail = "Give an id such as \"Z0123456789ABCDEFGHIJ\", not the zone's name.";
            found.push(zone_id.error(format!("{zone:?} is not a hosted zone's id"), detail));
        }
    }
    if let Some(text) = name.as_str().filter(|text| !attributes::is_dns_name(text)) {
        let detail = "Give the whole name without a dot at its end, such as \"api.demo.example.net\".";
        found.push(name.error(format!("{text:?} is not a name for a record"), detail));
    }
}

fn validate_tags(tags: &ValueAt<'_>, found: &mut Diagnostics) {
    for (key, tag) in tags.entries() {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("k8s-hardway/") {
            found.push(tag.error(
                format!("tag {key:?} is not yours to set"),
                "Keys that begin with \"aws:\" are AWS's, those with \"k8s-hardway/\" the provider's. Choose another.",
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || tag.as_str().is_some_and(|text| text.chars().count() > 256) {
            found.push(tag.error("tag is too long", "AWS accepts keys of 1 to 128 characters and values of at most 256."));
        }
    }
}

/// The known value, or the default where there is none; `None` where it is unknown.
fn or_default<'a>(value: &ValueAt<'a>, default: &'a str) -> Option<&'a str> {
    if value.is_null() { Some(default) } else { value.as_str() }
}

/// A usable configuration and what changes in it, for the tables of these files.
#[cfg(test)]
mod sample {
    use super::*;
    use schema::{Diagnostic, Value};

    pub fn config() -> Value {
        let health_check = Value::object([("protocol", "HTTPS".into()), ("path", "/readyz".into())]);
        let target = Value::object([("targets", vec!["10.0.1.4", "10.0.2.4"].into())]);
        let listener = Value::object([("port", 6443.into()), ("target", target), ("health_check", health_check)]);
        Value::object([
            ("name", "demo-api".into()),
            ("cluster_name", "demo".into()),
            ("vpc_id", "vpc-1".into()),
            ("subnet_ids", vec!["subnet-1", "subnet-2"].into()),
            ("security_group_ids", vec!["sg-1"].into()),
            ("listeners", Value::object([("api", listener)])),
        ])
    }

    /// Puts values in at paths written with dots.
    pub fn with(changes: &[(&str, Value)]) -> Value {
        let mut config = config();
        for (path, value) in changes {
            put(&mut config, path, value.clone());
        }
        config
    }

    fn put(into: &mut Value, path: &str, value: Value) {
        match path.split_once('.') {
            None => into.set(path, value),
            Some((first, rest)) => {
                let mut inner = into.get(first).clone();
                put(&mut inner, rest, value);
                into.set(first, inner);
            }
        }
    }

    /// `expect`: path and the beginning of the summary of everything that is said.
    #[track_caller]
    pub fn check(changes: &[(&str, Value)], expect: &[(&str, &str)]) {
        let (config, mut found) = (with(changes), Diagnostics::default());
        validate(&ValueAt::of(&config), &mut found);
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
        let as_expected = said.len() == expect.len()
            && said.iter().zip(expect).all(|((path, summary), (at, begins))| path == at && summary.starts_with(begins));
        assert!(as_expected, "{said:#?}\nis not {expect:#?}");
        assert!(found.iter().all(|diagnostic| diagnostic.detail.ends_with('.')), "{found}");
    }
}

#[cfg(test)]
mod tests {
    use super::sample::check;
    use schema::Value;

    fn list(items: &[&str]) -> Value {
        items.to_vec().into()
    }

    fn subnet<const N: usize>(attributes: [(&str, Value); N]) -> Vec<(&'static str, Value)> {
        let mut subnet = Value::object([("subnet_id", "subnet-1".into())]);
        attributes.into_iter().for_each(|(name, value)| subnet.set(name, value));
        vec![("subnet_ids", Value::Null), ("subnets", Value::List(vec![subnet]))]
    }

    #[test]
    fn a_usable_configuration_is_not_complained_about() {
        check(&[], &[]);
        for unknown in
            ["name", "vpc_id", "subnet_ids", "security_group_ids", "listeners", "dns", "listeners.api", "listeners.api.target"]
        {
            check(&[(unknown, Value::Unknown)], &[]);
        }
        check(&[("subnet_ids", Value::List(vec![Value::Unknown, Value::Unknown]))], &[]);
        check(&[("dns", Value::object([("zone_id", "Z01ABC".into()), ("name", "api.example.net".into())]))], &[]);
    }

    #[test]
    fn names() {
        for bad in ["", "demo_api", "-demo", "demo-", "internal-api", "a-name-that-is-longer-than-32-chars"] {
            check(&[("name", bad.into())], &[("name", &format!("{bad:?} cannot be the name of a load balancer"))]);
        }
        check(&[("cluster_name", "Demo".into())], &[("cluster_name", "\"Demo\" is not a usable name")]);
        check(&[("vpc_id", "10.0.0.0/16".into())], &[("vpc_id", "\"10.0.0.0/16\" is not an id of this kind")]);
    }

    #[test]
    fn subnets() {
        check(&[("subnet_ids", Value::Null)], &[("subnet_ids", "no subnets are given")]);
        check(&[("subnet_ids", list(&[]))], &[("subnet_ids", "subnet_ids is empty")]);
        check(&[("subnet_ids", list(&["private"]))], &[("subnet_ids", "\"private\" is not an id of this kind")]);
        let twice = vec![Value::object([("subnet_id", "subnet-1".into())]); 2];
        check(&[("subnet_ids", Value::Null), ("subnets", Value::List(twice))], &[("subnets", "subnet-1 is given twice")]);
        let mut both = subnet([]);
        both.remove(0);
        check(&both, &[("subnets", "subnet_ids and subnets are both given")]);
    }

    #[test]
    fn fixed_addresses() {
        check(&subnet([("private_ipv4_address", "10.0.1.9".into())]), &[]);
        check(&subnet([("private_ipv4_address", "10.0.1".into())]), &[("subnets", "\"10.0.1\" is not an IPv4 address")]);
        check(
            &subnet([("allocation_id", "eipalloc-1".into())]),
            &[("subnets", "an internal load balancer has no Elastic IP addresses")],
        );
        let public = ("scheme", Value::from("internet-facing"));
        let mut changes = subnet([("allocation_id", "192.0.2.1".into())]);
        changes.push(public.clone());
        check(&changes, &[("subnets", "\"192.0.2.1\" is not an id of this kind")]);
        let mut changes = subnet([("private_ipv4_address", "10.0.1.9".into())]);
        changes.push(public);
        check(&changes, &[("subnets", "an internet-facing load balancer has no private address")]);
        let mut changes = subnet([("ipv6_address", "2001:db8::1".into())]);
        check(&changes, &[("subnets", "a load balancer of ip_address_type ipv4 has no IPv6 address")]);
        changes.push(("ip_address_type", "dualstack".into()));
        check(&changes, &[]);
        let mut changes = subnet([("ipv6_address", "10.0.1.9".into())]);
        changes.push(("ip_address_type", "dualstack".into()));
        check(&changes, &[("subnets", "\"10.0.1.9\" is not an IPv6 address")]);
    }

    #[test]
    fn security_groups() {
        check(&[("security_group_ids", Value::Null)], &[("security_group_ids", "the load balancer has no security group")]);
        check(&[("security_group_ids", list(&["web"]))], &[("security_group_ids", "\"web\" is not an id of this kind")]);
    }

    #[test]
    fn records() {
        let dns = |zone: &str, name: &str| [("dns", Value::object([("zone_id", zone.into()), ("name", name.into())]))];
        check(&dns("example.net", "api.example.net"), &[("dns.zone_id", "\"example.net\" is not a hosted zone's id")]);
        check(&dns("Z1", "api.example.net."), &[("dns.name", "\"api.example.net.\" is not a name for a record")]);
        check(&dns("/hostedzone/Z1", "https://api"), &[("dns.name", "\"https://api\" is not a name for a record")]);
    }

    #[test]
    fn tags() {
        let tag = |key: &str, value: &str| [("tags", Value::object([(key, value.into())]))];
        check(&tag("team", "a"), &[]);
        check(&tag("aws:x", "a"), &[("tags[\"aws:x\"]", "tag \"aws:x\" is not yours to set")]);
        check(
            &tag("k8s-hardway/object", "a"),
            &[("tags[\"k8s-hardway/object\"]", "tag \"k8s-hardway/object\" is not yours to set")],
        );
        check(&tag("team", &"x".repeat(257)), &[("tags[\"team\"]", "tag is too long")]);
    }
}
