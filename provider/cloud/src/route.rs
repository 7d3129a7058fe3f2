//! A route of a route table: the setting `route 0.0.0.0/0` = `@nat_gateway/1`.

use crate::{ObjectKey, Unreadable};
use ipnet::IpNet;
use std::fmt;
use std::str::FromStr;

/// The key of the setting: where packets go. Its value is a [`RouteTarget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub destination: IpNet,
}

/// What they go through: an object of the same graph, or one that exists, by the prefix of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    Declared(ObjectKey),
    /// An Internet gateway or a virtual private gateway.
    Gateway(String),
    NatGateway(String),
    EgressOnlyGateway(String),
    Interface(String),
    Instance(String),
    TransitGateway(String),
    Peering(String),
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "route {}", self.destination)
    }
}

impl FromStr for Route {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Route, Unreadable> {
        let destination = text.strip_prefix("route ").and_then(|network| network.parse().ok());
        destination.map(|destination| Route { destination }).ok_or_else(|| Unreadable::new(text, "a route"))
    }
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteTarget::Declared(key) => formatter.write_str(&key.reference()),
            RouteTarget::Gateway(id)
            | RouteTarget::NatGateway(id)
            | RouteTarget::EgressOnlyGateway(id)
            | RouteTarget::Interface(id)
            | RouteTarget::Instance(id)
            | RouteTarget::TransitGateway(id)
            | RouteTarget::Peering(id) => formatter.write_str(id),
        }
    }
}

impl FromStr for RouteTarget {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<RouteTarget, Unreadable> {
        let unreadable = || Unreadable::new(text, "a target of a route");
        if let Some(key) = text.strip_prefix('@') {
            return key.parse().map(RouteTarget::Declared).map_err(|()| unreadable());
        }
        let of_prefix = match text.split_once('-').ok_or_else(unreadable)?.0 {
            "igw" | "vgw" => RouteTarget::Gateway,
            "nat" => RouteTarget::NatGateway,
            "eigw" => RouteTarget::EgressOnlyGateway,
            "eni" => RouteTarget::Interface,
            "i" => RouteTarget::Instance,
            "tgw" => RouteTarget::TransitGateway,
            "pcx" => RouteTarget::Peering,
            _ => return Err(unreadable()),
        };
        Ok(of_prefix(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn routes_read_back(address: [u8; 16], length in 0..=128_u8, short: bool) {
            let ipv6 = IpNet::new(address.into(), length).unwrap();
            let ipv4 = IpNet::new([address[0], address[1], address[2], address[3]].into(), length % 33).unwrap();
            let route = Route { destination: if short { ipv4 } else { ipv6 } };
            prop_assert_eq!(route.to_string().parse(), Ok(route));
        }

        #[test]
        fn targets_read_back(prefix in "igw|vgw|nat|eigw|eni|i|tgw|pcx", number in "[0-9a-f]{8,17}", name in "[a-z-]{1,9}") {
            let id = format!("{prefix}-{number}");
            let target: RouteTarget = id.parse().unwrap();
            prop_assert_eq!(target.to_string(), id);
            let declared = RouteTarget::Declared(ObjectKey::new(Kind::NatGateway, name));
            prop_assert_eq!(declared.to_string().parse(), Ok(declared));
        }
    }

    #[test]
    fn targets_are_told_apart_by_their_prefix() {
        assert_eq!("eigw-1".parse(), Ok(RouteTarget::EgressOnlyGateway("eigw-1".into())));
        assert_eq!("i-1".parse(), Ok(RouteTarget::Instance("i-1".into())));
        for text in ["", "local", "vpce-1", "@nothing/a"] {
            assert!(text.parse::<RouteTarget>().is_err(), "{text}");
        }
        assert!("route everywhere".parse::<Route>().is_err() && "subnet 10.0.0.0/8".parse::<Route>().is_err());
    }
}
