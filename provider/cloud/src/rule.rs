//! A rule of a security group: the key of a setting, `ingress tcp 2379-2380 @security_group/node`. Its value is its description.

use crate::ObjectKey;
use ipnet::IpNet;
use std::fmt;
use std::str::FromStr;

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub direction: Direction,
    pub protocol: Protocol,
    pub ports: Ports,
    pub peer: Peer,
}

/// Whether a rule admits connections to the group or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Ingress,
    Egress,
}

/// As EC2 names them: some by name, all others by their IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    All,
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    Number(u8),
}

/// Of ICMP, the type, or type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    All,
    One(u16),
    /// From the first to the last.
    Range(u16, u16),
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Network(IpNet),
    /// A security group of the same graph.
    Declared(ObjectKey),
    /// The id of a security group, `sg-…`.
    Group(String),
    /// The id of a prefix list, `pl-…`.
    PrefixList(String),
}

/// The text that cannot be read as what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub text: String,
    /// With its article: "a rule".
    pub expected: &'static str,
}

impl Rule {
    /// The key with names in the place of what follows the direction: for a table of several.
    pub fn new(direction: Direction, protocol: Protocol, ports: Ports, peer: impl Into<Peer>) -> Rule {
        Rule { direction, protocol, ports, peer: peer.into() }
    }

    /// `None` for the keys of other settings.
    pub fn of_key(key: &str) -> Option<Result<Rule, Unreadable>> {
        let word = key.split(' ').next().unwrap_or_default();
        word.parse::<Direction>().ok().map(|_| key.parse())
    }
}

impl Protocol {
    /// The number that IANA assigned, by the name that EC2 has for it: a rule in another spelling than EC2's own would be taken for one
    /// too many, and revoked.
    pub fn of_number(number: u8) -> Protocol {
        match number {
            1 => Protocol::Icmp,
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            58 => Protocol::Icmpv6,
            number => Protocol::Number(number),
        }
    }

    /// Whether rules of it are about ports, as those of TCP and UDP are.
    pub fn has_ports(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Udp)
    }
}

impl From<IpNet> for Peer {
    fn from(network: IpNet) -> Peer {
        Peer::Network(network)
    }
}

impl From<ObjectKey> for Peer {
    fn from(key: ObjectKey) -> Peer {
        Peer::Declared(key)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { direction, protocol, ports, peer } = self;
        write!(formatter, "{direction} {protocol} {ports} {peer}")
    }
}

impl FromStr for Rule {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Rule, Unreadable> {
        let unreadable = || Unreadable::new(text, "a rule");
        let words: Vec<&str> = text.split(' ').collect();
        let [direction, protocol, ports, peer] = words[..] else { return Err(unreadable()) };
        let rule = || -> Result<Rule, Unreadable> {
            Ok(Rule { direction: direction.parse()?, protocol: protocol.parse()?, ports: ports.parse()?, peer: peer.parse()? })
        };
        rule().map_err(|_| unreadable())
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        })
    }
}

impl FromStr for Direction {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Direction, Unreadable> {
        match text {
            "ingress" => Ok(Direction::Ingress),
            "egress" => Ok(Direction::Egress),
            _ => Err(Unreadable::new(text, "ingress or egress")),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::All => formatter.write_str("all"),
            Protocol::Tcp => formatter.write_str("tcp"),
            Protocol::Udp => formatter.write_str("udp"),
            Protocol::Icmp => formatter.write_str("icmp"),
            Protocol::Icmpv6 => formatter.write_str("icmpv6"),
            Protocol::Number(number) => write!(formatter, "{number}"),
        }
    }
}

impl FromStr for Protocol {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Protocol, Unreadable> {
        match text {
            "all" => Ok(Protocol::All),
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "icmp" => Ok(Protocol::Icmp),
            "icmpv6" => Ok(Protocol::Icmpv6),
            number => number.parse().map(Protocol::of_number).map_err(|_| Unreadable::new(text, "a protocol")),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ports::All => formatter.write_str("all"),
            Ports::One(port) => write!(formatter, "{port}"),
            Ports::Range(first, last) => write!(formatter, "{first}-{last}"),
        }
    }
}

impl FromStr for Ports {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Ports, Unreadable> {
        let port = |text: &str| -> Option<u16> {
            let is_canonical = !text.starts_with('+') && (text.len() == 1 || !text.starts_with('0'));
            text.parse().ok().filter(|_| is_canonical)
        };
        let ports = match text.split_once('-') {
            None if text == "all" => Some(Ports::All),
            None => port(text).map(Ports::One),
            Some((first, last)) => port(first).zip(port(last)).map(|(first, last)| Ports::Range(first, last)),
        };
        ports.ok_or_else(|| Unreadable::new(text, "ports"))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Network(network) => write!(formatter, "{network}"),
            Peer::Declared(key) => formatter.write_str(&key.reference()),
            Peer::Group(id) | Peer::PrefixList(id) => formatter.write_str(id),
        }
    }
}

impl FromStr for Peer {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Peer, Unreadable> {
        let unreadable = || Unreadable::new(text, "a peer");
        if let Some(key) = text.strip_prefix('@') {
            return key.parse().map(Peer::Declared).map_err(|()| unreadable());
        }
        match text.split_once('-') {
            Some(("sg", _)) => Ok(Peer::Group(text.to_owned())),
            Some(("pl", _)) => Ok(Peer::PrefixList(text.to_owned())),
            _ => text.parse().map(Peer::Network).map_err(|_| unreadable()),
        }
    }
}

impl Unreadable {
    pub(crate) fn new(text: &str, expected: &'static str) -> Unreadable {
        Unreadable { text: text.to_owned(), expected }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not {}", self.text, self.expected)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use proptest::prelude::*;

    fn protocols() -> impl Strategy<Value = Protocol> {
        prop_oneof![Just(Protocol::All), any::<u8>().prop_map(Protocol::of_number)]
    }

    fn ports() -> impl Strategy<Value = Ports> {
        prop_oneof![
            Just(Ports::All),
            any::<u16>().prop_map(Ports::One),
            any::<(u16, u16)>().prop_map(|(first, last)| Ports::Range(first, last))
        ]
    }

    fn peers() -> impl Strategy<Value = Peer> {
        let ipv4 = (any::<[u8; 4]>(), 0..=32_u8).prop_map(|(address, length)| IpNet::new(address.into(), length).unwrap());
        let ipv6 = (any::<[u8; 16]>(), 0..=128_u8).prop_map(|(address, length)| IpNet::new(address.into(), length).unwrap());
        prop_oneof![
            ipv4.prop_map(Peer::Network),
            ipv6.prop_map(Peer::Network),
            "[a-z-]{1,12}".prop_map(|name| Peer::Declared(ObjectKey::new(Kind::SecurityGroup, name))),
            "sg-[0-9a-f]{8,17}".prop_map(Peer::Group),
            "pl-[0-9a-f]{8,17}".prop_map(Peer::PrefixList)
        ]
    }

    proptest! {
        #[test]
        fn rules_read_back(ingress: bool, protocol in protocols(), ports in ports(), peer in peers()) {
            let direction = if ingress { Direction::Ingress } else { Direction::Egress };
            let rule = Rule { direction, protocol, ports, peer };
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        assert_eq!(text.parse::<Rule>().ok().map(|rule| rule.to_string()).as_deref(), expect, "{text}");
    }

    #[test]
    fn rules_are_spelled_as_ec2_spells_them() {
        check("ingress tcp 2379-2380 @security_group/node", Some("ingress tcp 2379-2380 @security_group/node"));
        check("egress 6 443 2001:DB8:0::/32", Some("egress tcp 443 2001:db8::/32"));
        check("ingress 004 all 10.0.0.0/8", Some("ingress 4 all 10.0.0.0/8"));
        check("ingress icmp 3-4 pl-1", Some("ingress icmp 3-4 pl-1"));
        for text in
            ["", "tcp 443 0.0.0.0/0", "ingress tcp 443", "ingress tcp https sg-1", "ingress tcp 1-x sg-1", "ingress tcp 1 @x"]
        {
            check(text, None);
        }
    }

    #[test]
    fn other_settings_are_no_rules() {
        assert_eq!(Rule::of_key("tag Name"), None);
        assert_eq!(Rule::of_key("ingress x").map(|rule| rule.map_err(|error| error.to_string())), {
            Some(Err("\"ingress x\" is not a rule".to_owned()))
        });
    }
}
