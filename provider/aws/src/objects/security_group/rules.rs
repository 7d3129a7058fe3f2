//! The text of a rule, `<protocol> <ports> <peer>`, and EC2's permission. Pure.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use cloud::canonical_cidr;

/// Every pair of a permission and a peer is a rule with a description.
pub(super) fn texts(permission: &IpPermission) -> Vec<(String, String)> {
    let protocol = match permission.ip_protocol() {
        None | Some("-1") => "all",
        Some("58") => "icmpv6",
        Some(protocol) => protocol,
    };
    let ports = ports(protocol, permission.from_port(), permission.to_port());
    let v4 = permission.ip_ranges().iter().map(|range| (range.cidr_ip(), range.description()));
    let v6 = permission.ipv6_ranges().iter().map(|range| (range.cidr_ipv6(), range.description()));
    let lists = permission.prefix_list_ids().iter().map(|list| (list.prefix_list_id(), list.description()));
    let groups = permission.user_id_group_pairs().iter().map(|pair| (pair.group_id(), pair.description()));
    let peers = v4.chain(v6).chain(lists).chain(groups);
    let text = |(peer, description): (Option<&str>, Option<&str>)| {
        Some((format!("{protocol} {ports} {}", canonical_cidr(peer?)), description.unwrap_or_default().to_owned()))
    };
    peers.filter_map(text).collect()
}

/// `None` for what is not a rule.
pub(super) fn permission(rule: &str, description: &str) -> Option<IpPermission> {
    let words: Vec<&str> = rule.split(' ').collect();
    let [protocol, ports, peer] = words.as_slice() else { return None };
    let (from, to) = range(protocol, ports)?;
    let builder =
        IpPermission::builder().ip_protocol(if *protocol == "all" { "-1" } else { protocol }).set_from_port(from).set_to_port(to);
    let description = Some(description).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let builder = if peer.starts_with("pl-") {
        builder.prefix_list_ids(PrefixListId::builder().prefix_list_id(*peer).set_description(description).build())
    } else if peer.starts_with("sg-") {
        builder.user_id_group_pairs(UserIdGroupPair::builder().group_id(*peer).set_description(description).build())
    } else if peer.contains(':') {
        builder.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(*peer).set_description(description).build())
    } else {
        builder.ip_ranges(IpRange::builder().cidr_ip(*peer).set_description(description).build())
    };
    Some(builder.build())
}

/// Of ICMP, "ports" are type and code, of which -1 is any.
fn ports(protocol: &str, from: Option<i32>, to: Option<i32>) -> String {
    match (protocol, from, to) {
        ("tcp" | "udp", Some(0), Some(65535)) => "all".to_owned(),
        ("tcp" | "udp", Some(from), Some(to)) if from == to => from.to_string(),
        ("icmp" | "icmpv6", Some(kind), None | Some(-1)) if kind != -1 => kind.to_string(),
        ("tcp" | "udp", Some(from), Some(to)) => format!("{from}-{to}"),
        ("icmp" | "icmpv6", Some(kind), Some(code)) if kind != -1 => format!("{kind}-{code}"),
        _ => "all".to_owned(),
    }
}

fn range(protocol: &str, ports: &str) -> Option<(Option<i32>, Option<i32>)> {
    let is_icmp = matches!(protocol, "icmp" | "icmpv6");
    match ports.split_once('-') {
        Some((from, to)) => Some((Some(from.parse().ok()?), Some(to.parse().ok()?))),
        None if ports == "all" => Some(match protocol {
            "tcp" | "udp" => (Some(0), Some(65535)),
            "all" => (None, None),
            // Of other protocols, EC2 passes over ports, but not all that speaks its API can do without.
            _ => (Some(-1), Some(-1)),
        }),
        None => {
            let port = ports.parse().ok()?;
            Some((Some(port), Some(if is_icmp { -1 } else { port })))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, protocol: &str, from: Option<i32>, to: Option<i32>) {
        let permission = permission(rule, "why").unwrap();
        assert_eq!(
            (permission.ip_protocol(), permission.from_port(), permission.to_port()),
            (Some(protocol), from, to),
            "{rule}"
        );
        assert_eq!(texts(&permission), [(rule.to_owned(), "why".to_owned())]);
    }

    #[test]
    fn rules_go_out_and_come_back() {
        check("tcp 443 0.0.0.0/0", "tcp", Some(443), Some(443));
        check("tcp 2379-2380 sg-1", "tcp", Some(2379), Some(2380));
        check("udp all 10.0.0.0/8", "udp", Some(0), Some(65535));
        check("udp 8472 2001:db8::/56", "udp", Some(8472), Some(8472));
        check("icmp all 10.0.0.0/8", "icmp", Some(-1), Some(-1));
        check("icmp 8 10.0.0.0/8", "icmp", Some(8), Some(-1));
        check("icmp 3-4 0.0.0.0/0", "icmp", Some(3), Some(4));
        check("icmpv6 all ::/0", "icmpv6", Some(-1), Some(-1));
        check("112 all sg-1", "112", Some(-1), Some(-1));
        check("all all pl-1", "-1", None, None);
    }

    #[test]
    fn what_is_no_rule_is_not_sent() {
        for text in ["tcp 443", "tcp https 0.0.0.0/0", "tcp 1-x 0.0.0.0/0", ""] {
            assert_eq!(permission(text, ""), None, "{text}");
        }
    }

    #[test]
    fn each_peer_of_a_permission_is_a_rule() {
        let ranges = ["10.0.0.0/8", "192.168.0.0/16"].map(|cidr| IpRange::builder().cidr_ip(cidr).build());
        let group = UserIdGroupPair::builder().group_id("sg-1").user_id("123456789012").description("peers").build();
        let permission =
            IpPermission::builder().ip_protocol("-1").set_ip_ranges(Some(ranges.to_vec())).user_id_group_pairs(group);
        let expect = [("all all 10.0.0.0/8", ""), ("all all 192.168.0.0/16", ""), ("all all sg-1", "peers")];
        assert_eq!(texts(&permission.build()), expect.map(|(rule, why)| (rule.to_owned(), why.to_owned())));
    }
}
