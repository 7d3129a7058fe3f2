//! A rule and EC2's permission. Pure.

use super::Direction;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use cloud::{Peer, Ports, Protocol, Rule};
use ipnet::IpNet;

/// Every pair of a permission and a peer is a rule with a description.
pub(super) fn rules(direction: Direction, permission: &IpPermission) -> Vec<(Rule, String)> {
    let protocol = match permission.ip_protocol() {
        None | Some("-1") => Protocol::All,
        Some(protocol) => protocol.parse().unwrap_or(Protocol::All),
    };
    let ports = ports(protocol, permission.from_port(), permission.to_port());
    let v4 = permission.ip_ranges().iter().map(|range| (range.cidr_ip(), range.description()));
    let v6 = permission.ipv6_ranges().iter().map(|range| (range.cidr_ipv6(), range.description()));
    let lists = permission.prefix_list_ids().iter().map(|list| (list.prefix_list_id(), list.description()));
    let groups = permission.user_id_group_pairs().iter().map(|pair| (pair.group_id(), pair.description()));
    let rule = |(peer, description): (Option<&str>, Option<&str>)| {
        let peer: Peer = peer?.parse().ok()?;
        Some((Rule { direction, protocol, ports, peer }, description.unwrap_or_default().to_owned()))
    };
    v4.chain(v6).chain(lists).chain(groups).filter_map(rule).collect()
}

/// `None` for one whose peer does not exist yet.
pub(super) fn permission(rule: &Rule, description: &str) -> Option<IpPermission> {
    let (from, to) = range(rule.protocol, rule.ports);
    let protocol = match rule.protocol {
        Protocol::All => "-1".to_owned(),
        protocol => protocol.to_string(),
    };
    let builder = IpPermission::builder().ip_protocol(protocol).set_from_port(from).set_to_port(to);
    let description = Some(description).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let builder = match &rule.peer {
        Peer::Declared(_) => return None,
        Peer::PrefixList(id) => {
            builder.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(description).build())
        }
        Peer::Group(id) => {
            builder.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).set_description(description).build())
        }
        Peer::Network(network @ IpNet::V6(_)) => {
            builder.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(network.to_string()).set_description(description).build())
        }
        Peer::Network(network @ IpNet::V4(_)) => {
            builder.ip_ranges(IpRange::builder().cidr_ip(network.to_string()).set_description(description).build())
        }
    };
    Some(builder.build())
}

/// Of ICMP, "ports" are type and code, of which -1 is any. Of protocols without ports, EC2 shows what nobody gave.
fn ports(protocol: Protocol, from: Option<i32>, to: Option<i32>) -> Ports {
    let number = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok());
    match (protocol, number(from), number(to)) {
        (Protocol::Tcp | Protocol::Udp, Some(0), Some(65535)) => Ports::All,
        (Protocol::Tcp | Protocol::Udp, Some(from), Some(to)) if from == to => Ports::One(from),
        (Protocol::Icmp | Protocol::Icmpv6, Some(kind), None) => Ports::One(kind),
        (Protocol::Tcp | Protocol::Udp | Protocol::Icmp | Protocol::Icmpv6, Some(from), Some(to)) => Ports::Range(from, to),
        _ => Ports::All,
    }
}

fn range(protocol: Protocol, ports: Ports) -> (Option<i32>, Option<i32>) {
    let is_icmp = matches!(protocol, Protocol::Icmp | Protocol::Icmpv6);
    match (ports, protocol) {
        (Ports::Range(from, to), _) => (Some(from.into()), Some(to.into())),
        (Ports::One(kind), _) if is_icmp => (Some(kind.into()), Some(-1)),
        (Ports::One(port), _) => (Some(port.into()), Some(port.into())),
        (Ports::All, Protocol::Tcp | Protocol::Udp) => (Some(0), Some(65535)),
        (Ports::All, Protocol::All) => (None, None),
        // Of other protocols, EC2 passes over ports, but not all that speaks its API can do without.
        (Ports::All, _) => (Some(-1), Some(-1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, protocol: &str, from: Option<i32>, to: Option<i32>) {
        let rule: Rule = format!("ingress {rule}").parse().unwrap();
        let permission = permission(&rule, "why").unwrap();
        assert_eq!(
            (permission.ip_protocol(), permission.from_port(), permission.to_port()),
            (Some(protocol), from, to),
            "{rule}"
        );
        assert_eq!(rules(Direction::Ingress, &permission), [(rule, "why".to_owned())]);
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
    fn what_names_a_group_that_is_not_there_is_not_sent() {
        assert_eq!(permission(&"ingress tcp 443 @security_group/node".parse().unwrap(), ""), None);
    }

    #[test]
    fn each_peer_of_a_permission_is_a_rule() {
        let ranges = ["10.0.0.0/8", "192.168.0.0/16"].map(|cidr| IpRange::builder().cidr_ip(cidr).build());
        let group = UserIdGroupPair::builder().group_id("sg-1").user_id("123456789012").description("peers").build();
        let permission =
            IpPermission::builder().ip_protocol("-1").set_ip_ranges(Some(ranges.to_vec())).user_id_group_pairs(group);
        let expect = [("egress all all 10.0.0.0/8", ""), ("egress all all 192.168.0.0/16", ""), ("egress all all sg-1", "peers")];
        let expect = expect.map(|(rule, why)| (rule.parse().unwrap(), why.to_owned()));
        assert_eq!(rules(Direction::Egress, &permission.build()), expect);
    }
}
