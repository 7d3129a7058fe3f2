//! A target of a target group: the setting `target i-2` = `6443`, `target 192.0.2.1` = `6443 all`.

use crate::Unreadable;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The key of the setting: an address or the id of an instance, as Elastic Load Balancing shows it. Its value is [`Registrations`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetKey {
    pub id: String,
}

/// How a target is registered. What is declared is one; by hand it can be registered with several ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registrations(pub Vec<Registration>);

/// One registration of a target: its port, and where it is reached from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `None`: with the port of the target group.
    pub port: Option<u16>,
    /// An address outside the VPC is in no zone, which has to be said.
    pub all_zones: bool,
}

/// The zone of what is in none.
pub const ALL_ZONES: &str = "all";

impl Registrations {
    /// What is there, without what was declared `before`, and with these.
    pub fn beside(&self, there: &Registrations, before: &Registrations) -> Registrations {
        let stays = |one: &&Registration| self.0.contains(one) || !before.0.contains(one);
        let is_new = |one: &&Registration| !there.0.contains(one);
        Registrations(there.0.iter().filter(stays).chain(self.0.iter().filter(is_new)).copied().collect())
    }
}

impl TargetKey {
    /// Addresses in one spelling.
    pub fn new(id: &str) -> TargetKey {
        TargetKey { id: id.parse::<IpAddr>().map_or_else(|_| id.to_owned(), |address| address.to_string()) }
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "target {}", self.id)
    }
}

impl FromStr for TargetKey {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<TargetKey, Unreadable> {
        let id = text.strip_prefix("target ").filter(|id| !id.is_empty() && !id.contains(' '));
        id.map(TargetKey::new).ok_or_else(|| Unreadable::new(text, "a target"))
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(port) = self.port {
            write!(formatter, "{port}")?;
        }
        if self.all_zones { write!(formatter, " {ALL_ZONES}") } else { Ok(()) }
    }
}

impl FromStr for Registration {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Registration, Unreadable> {
        let unreadable = || Unreadable::new(text, "a port");
        let (port, all_zones) = match text.split_once(' ') {
            Some((port, ALL_ZONES)) => (port, true),
            Some(_) => return Err(unreadable()),
            None => (text, false),
        };
        let port = match port {
            "" => None,
            port => Some(port.parse().map_err(|_| unreadable())?),
        };
        Ok(Registration { port, all_zones })
    }
}

impl fmt::Display for Registrations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&texts.join(","))
    }
}

impl FromStr for Registrations {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Registrations, Unreadable> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Registrations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn targets_read_back(address: [u8; 16], instance in "i-[0-9a-f]{8,17}", short: bool) {
            let address = if short { IpAddr::from([address[0], address[1], address[2], address[3]]) } else { address.into() };
            for target in [TargetKey::new(&address.to_string()), TargetKey::new(&instance)] {
                prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }

        #[test]
        fn registrations_read_back(all in prop::collection::vec((any::<Option<u16>>(), any::<bool>()), 1..4)) {
            let registrations = Registrations(all.into_iter().map(|(port, all_zones)| Registration { port, all_zones }).collect());
            prop_assert_eq!(registrations.to_string().parse(), Ok(registrations));
        }
    }

    #[test]
    fn a_port_is_a_number() {
        for text in ["https", "6443 one", "70000", "6443,x"] {
            assert!(text.parse::<Registrations>().is_err(), "{text}");
        }
        assert_eq!(TargetKey::new("2001:DB8:0::1").to_string(), "target 2001:db8::1");
    }
}
