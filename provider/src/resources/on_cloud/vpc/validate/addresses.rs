//! CIDRs of the VPC, its IPv6 block and its zones.

use super::{Report, is_id, set_texts, texts};
use crate::network::parse_cidr;
use crate::resources::on_cloud::vpc::zones::region_of;
use ipnet::{IpNet, Ipv4Net};
use schema::{AttributePath, Value};
use std::collections::BTreeSet;

/// AWS takes a VPC's own CIDR and four more.
const MOST_SECONDARY: usize = 4;
const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/// "CIDR block association restrictions" in AWS's guide to VPC CIDR blocks; link-local, loopback and multicast addresses besides.
const NEVER: [&str; 5] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];
/// For services of AWS itself.
const RESERVED: &str = "198.19.0.0/16";
/// Docker's bridge: "some AWS services use the 172.17.0.0/16 CIDR range", says the same guide.
const DOCKER: &str = "172.17.0.0/16";

pub fn validate(config: &Value, report: &mut Report<'_>) {
    let primary = validate_primary(config, report);
    validate_secondary(config, primary, report);
    validate_ipv6(config.get("ipv6"), report);
    validate_zones(config, report);
}

/// The VPC's CIDRs, as far as they are right.
pub fn networks(config: &Value) -> Vec<Ipv4Net> {
    let secondary = config.get("secondary_cidrs").as_list().unwrap_or_default();
    let all = std::iter::once(config.get("cidr")).chain(secondary);
    all.filter_map(|cidr| cidr.as_str()?.parse::<Ipv4Net>().ok()).map(|network| network.trunc()).collect()
}

/// An IPv4 network that AWS takes for a VPC or a subnet.
pub fn parse_ipv4(text: &str, at: &AttributePath, report: &mut Report<'_>) -> Option<Ipv4Net> {
    match parse_cidr(text, at) {
        Err(diagnostic) => report.diagnostics.push(diagnostic),
        Ok(IpNet::V6(network)) => {
            report.error(
                at.clone(),
                format!("{network} is IPv6"),
                "Give an IPv4 CIDR, such as \"10.0.0.0/16\"; IPv6 is the attribute ipv6.",
            );
        }
        Ok(IpNet::V4(network)) if !(16..=28).contains(&network.prefix_len()) => report.error(
            at.clone(),
            format!("{network} has a prefix length that AWS does not accept"),
            format!("It accepts /16 to /28: for example {}/{}.", network.addr(), network.prefix_len().clamp(16, 28)),
        ),
        Ok(IpNet::V4(network)) => return Some(network),
    }
    None
}

fn validate_primary(config: &Value, report: &mut Report<'_>) -> Option<Ipv4Net> {
    let at = AttributePath::attribute("cidr");
    let network = parse_ipv4(config.get("cidr").as_str()?, &at, report)?;
    validate_range(network, &at, report);
    if overlaps(network, DOCKER) {
        report.warning(
            at,
            format!("{network} overlaps 172.17.0.0/16"),
            "Docker and some AWS services use that range inside of hosts. Choose another, such as \"10.0.0.0/16\".",
        );
    }
    Some(network)
}

fn validate_range(network: Ipv4Net, at: &AttributePath, report: &mut Report<'_>) {
    if let Some(range) = NEVER.into_iter().find(|range| overlaps(network, range)) {
        report.error(
            at.clone(),
            format!("{network} lies in {range}, which no VPC can have"),
            "Choose a private network, such as \"10.0.0.0/16\".",
        );
    }
}

fn validate_secondary(config: &Value, primary: Option<Ipv4Net>, report: &mut Report<'_>) {
    let at = AttributePath::attribute("secondary_cidrs");
    let mut seen: Vec<Ipv4Net> = primary.into_iter().collect();
    let all = set_texts(config.get("secondary_cidrs"), &at);
    if all.len() > MOST_SECONDARY {
        report.error(
            at.clone(),
            "secondary_cidrs has too many CIDRs",
            "AWS accepts four besides cidr. Give larger ones instead, up to /16.",
        );
    }
    for (text, at) in all {
        let Some(network) = parse_ipv4(text, &at, report) else { continue };
        validate_range(network, &at, report);
        if let Some(other) = seen.iter().find(|other| other.contains(&network) || network.contains(*other)) {
            report.error(
                at.clone(),
                format!("{network} overlaps {other}"),
                "The CIDRs of a VPC share no addresses. Choose another, such as \"100.64.0.0/16\".",
            );
        } else if let Some(reason) = primary.and_then(|primary| forbidden_beside(primary, network)) {
            report.error(
                at.clone(),
                format!("{network} cannot be added to a VPC of {}", primary.map(|p| p.to_string()).unwrap_or_default()),
                format!("{reason} Addresses of 100.64.0.0/10 can be added to every VPC, such as \"100.64.0.0/16\"."),
            );
        }
        seen.push(network);
    }
}

/// Why AWS does not take the second beside the first.
fn forbidden_beside(primary: Ipv4Net, network: Ipv4Net) -> Option<&'static str> {
    if overlaps(network, RESERVED) {
        return Some("198.19.0.0/16 is AWS's own.");
    }
    let range_of = |network: Ipv4Net| PRIVATE.iter().position(|range| overlaps(network, range));
    match (range_of(primary), range_of(network)) {
        (None, Some(_)) => Some("A VPC of public or shared addresses accepts no private ones."),
        (Some(own), Some(other)) if own != other => {
            Some("AWS does not mix networks of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16.")
        }
        (Some(1), Some(1)) if overlaps(network, "172.31.0.0/16") => Some("172.31.0.0/16 is for default VPCs."),
        _ => None,
    }
}

fn overlaps(network: Ipv4Net, range: &str) -> bool {
    range.parse::<Ipv4Net>().is_ok_and(|range| range.contains(&network) || network.contains(&range))
}

fn validate_ipv6(ipv6: &Value, report: &mut Report<'_>) {
    let path = |name: &str| AttributePath::attribute("ipv6").then(name);
    if ipv6.is_null() || ipv6.get("source").is_unknown() {
        return;
    }
    let source = ipv6.get("source").as_str().unwrap_or("amazon");
    let needed: &[&str] = match source {
        "ipam" => &["pool_id"],
        "pool" => &["pool_id", "cidr"],
        _ => &[],
    };
    for name in needed.iter().filter(|name| ipv6.get(name).is_null()) {
        let example = match (source, *name) {
            ("ipam", _) => "pool_id = \"ipam-pool-0123456789abcdef0\"",
            (_, "cidr") => "cidr = \"2001:db8:1234:1a00::/56\"",
            _ => "pool_id = \"ipv6pool-ec2-0123456789abcdef0\"",
        };
        report.error(path(name), format!("source {source:?} needs {name}"), format!("Add {example}."));
    }
    let taken: &[&str] = match source {
        "ipam" => &["pool_id", "netmask_length"],
        "pool" => &["pool_id", "cidr"],
        _ => &[],
    };
    for name in ["pool_id", "netmask_length", "cidr"].into_iter().filter(|name| !taken.contains(name) && ipv6.get(name).is_set())
    {
        report.error(
            path(name),
            format!("{name} does not belong to source {source:?}"),
            format!("Leave {name} out, or choose another source."),
        );
    }
    let prefix = if source == "ipam" { "ipam-pool-" } else { "ipv6pool-ec2-" };
    if let Some(id) = ipv6.get("pool_id").as_str().filter(|id| source != "amazon" && !is_id(id, prefix)) {
        report.error(
            path("pool_id"),
            format!("{id:?} is not the id of such a pool"),
            format!("Give one such as \"{prefix}0123456789abcdef0\"."),
        );
    }
    if let Some(length) = ipv6.get("netmask_length").as_i64().filter(|length| !(44..=60).contains(length) || length % 4 != 0) {
        report.error(
            path("netmask_length"),
            format!("{length} is not a prefix length that AWS accepts"),
            "It accepts 44, 48, 52, 56 and 60.",
        );
    }
    if let Some(text) = ipv6.get("cidr").as_str() {
        validate_ipv6_cidr(text, path("cidr"), report);
    }
}

fn validate_ipv6_cidr(text: &str, at: AttributePath, report: &mut Report<'_>) {
    match parse_cidr(text, &at) {
        Err(diagnostic) => report.diagnostics.push(diagnostic),
        Ok(IpNet::V4(network)) => {
            report.error(at, format!("{network} is IPv4"), "Give an IPv6 block, such as \"2001:db8:1234:1a00::/56\".")
        }
        Ok(IpNet::V6(network)) if !(44..=60).contains(&network.prefix_len()) || network.prefix_len() % 4 != 0 => {
            report.error(
                at,
                format!("{network} has a prefix length that AWS does not accept"),
                "It accepts /44, /48, /52, /56 and /60.",
            );
        }
        Ok(IpNet::V6(_)) => {}
    }
}

fn validate_zones(config: &Value, report: &mut Report<'_>) {
    let (zones, count) = (config.get("zones"), config.get("zone_count"));
    let at = AttributePath::attribute("zones");
    if zones.is_null() && count.is_null() {
        report.error(at.clone(), "neither zones nor zone_count is given", "Give one of them, such as zone_count = 3.");
    }
    if zones.is_set() && count.is_set() {
        report.error(
            AttributePath::attribute("zone_count"),
            "both zones and zone_count are given",
            "Give one of them: zones names them; with zone_count, the first ones by name are used.",
        );
    }
    let Some(list) = zones.as_list() else { return };
    if list.is_empty() {
        report.error(
            at.clone(),
            "zones is empty",
            "Name at least one, such as [\"us-east-1a\"]; three survive the loss of one with etcd's quorum.",
        );
    }
    if list.len() > 8 {
        report.error(at.clone(), "zones has too many zones", "No region has more than eight.");
    }
    let mut regions = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (zone, at) in texts(zones, &at).into_iter().map(|(zone, _)| (zone, at.clone())) {
        if !seen.insert(zone) {
            report.error(at.clone(), format!("zone {zone} is given twice"), "Name each zone once.");
        }
        match region_of(zone) {
            Some(region) => drop(regions.insert(region)),
            None => report.error(
                at,
                format!("{zone:?} is not the name of an availability zone"),
                "Give the name, not the id, of a zone of the region itself, such as \"us-east-1a\".",
            ),
        }
    }
    if regions.len() > 1 {
        let regions: Vec<&str> = regions.into_iter().collect();
        report.error(
            at,
            format!("zones are of several regions: {}", regions.join(", ")),
            "A VPC lies in one region. Declare another k8s_vpc for the other one.",
        );
    }
}
