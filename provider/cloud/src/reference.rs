//! Names of objects, and references to them in settings.

use crate::{Found, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// `subnet/private-us-east-1a`: unique in its graph, and the same over its life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub kind: Kind,
    pub name: String,
}

impl ObjectKey {
    /// The key `kind/name`.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        ObjectKey { kind, name: name.into() }
    }

    /// A reference to the object's id, as a setting has it.
    pub fn reference(&self) -> String {
        format!("@{self}")
    }

    /// A reference to something that is known once the object exists: `@load_balancer/api.dns_name`.
    pub fn output(&self, output: &str) -> String {
        format!("@{self}.{output}")
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for ObjectKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, name) = text.split_once('/').ok_or(())?;
        Ok(ObjectKey { kind: kind.parse()?, name: name.to_owned() })
    }
}

/// The objects that a text refers to.
pub fn references(text: &str) -> impl Iterator<Item = ObjectKey> {
    text.split(' ').filter_map(Reference::parse).map(|reference| reference.key)
}

struct Reference {
    key: ObjectKey,
    output: Option<String>,
    /// The nth /64 of an IPv6 block.
    index: Option<u32>,
}

impl Reference {
    fn parse(word: &str) -> Option<Reference> {
        let word = word.strip_prefix('@')?;
        let (word, index) = match word.strip_suffix(']').and_then(|word| word.rsplit_once('[')) {
            Some((word, index)) => (word, Some(index.parse().ok()?)),
            None => (word, None),
        };
        // Names may hold dots: what stands after the last one is an output where the kind has it.
        let offered = word.rsplit_once('.').and_then(|(key, output)| {
            let key: ObjectKey = key.parse().ok()?;
            key.kind.has_output(output).then(|| (key, output.to_owned()))
        });
        let (key, output) = match offered {
            Some((key, output)) => (key, Some(output)),
            None => (word.parse().ok()?, None),
        };
        Some(Reference { key, output, index })
    }
}

/// Puts what exists in the place of references.
pub struct Resolver<'a> {
    found: &'a BTreeMap<ObjectKey, Found>,
    by_id: BTreeMap<&'a str, &'a ObjectKey>,
}

impl<'a> Resolver<'a> {
    /// Resolves references by the ids and outputs of these objects.
    pub fn new(found: &'a BTreeMap<ObjectKey, Found>) -> Self {
        let by_id = found.iter().map(|(key, found)| (found.id.as_str(), key)).collect();
        Resolver { found, by_id }
    }

    /// `None` while an object that the text refers to does not exist.
    pub fn resolve(&self, text: &str) -> Option<String> {
        if !text.contains('@') {
            return Some(text.to_owned());
        }
        let words: Option<Vec<String>> = text.split(' ').map(|word| self.resolve_word(word)).collect();
        Some(words?.join(" "))
    }

    /// For people: ids of known objects become their names.
    pub fn name(&self, text: &str) -> String {
        let name = |word: &str| self.by_id.get(word).map_or_else(|| word.to_owned(), |key| key.reference());
        text.split(' ').map(name).collect::<Vec<_>>().join(" ")
    }

    fn resolve_word(&self, word: &str) -> Option<String> {
        let Some(reference) = Reference::parse(word) else { return Some(word.to_owned()) };
        let found = self.found.get(&reference.key)?;
        let value = match &reference.output {
            None => found.id.clone(),
            Some(output) => found.outputs.get(output).filter(|value| !value.is_empty())?.clone(),
        };
        match reference.index {
            None => Some(value),
            Some(index) => nth_64(&value, index),
        }
    }
}

/// The nth /64 of an IPv6 block.
fn nth_64(block: &str, index: u32) -> Option<String> {
    let (address, prefix) = block.split_once('/')?;
    let (address, prefix): (Ipv6Addr, u32) = (address.parse().ok()?, prefix.parse().ok()?);
    let room = 64_u32.checked_sub(prefix)?;
    if room < 32 && index >= 1 << room {
        return None;
    }
    let bits = address.to_bits() + (u128::from(index) << 64);
    Some(format!("{}/64", Ipv6Addr::from_bits(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> BTreeMap<ObjectKey, Found> {
        let mut vpc = Found::new(Kind::Vpc, "vpc-1");
        vpc.outputs.insert("ipv6_cidr".into(), "2001:db8:12:3400::/56".into());
        let group = Found::new(Kind::SecurityGroup, "sg-1");
        [(ObjectKey::new(Kind::Vpc, "main"), vpc), (ObjectKey::new(Kind::SecurityGroup, "node"), group)].into()
    }

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        let world = world();
        assert_eq!(Resolver::new(&world).resolve(text).as_deref(), expect, "{text}");
    }

    #[test]
    fn references_become_ids_and_outputs() {
        check("@vpc/main", Some("vpc-1"));
        check("@vpc/main.ipv6_cidr[3]", Some("2001:db8:12:3403::/64"));
        check("@vpc/main.ipv6_cidr[255]", Some("2001:db8:12:34ff::/64"));
        check("@vpc/main.ipv6_cidr[256]", None);
        check("ingress tcp 10250 @security_group/node", Some("ingress tcp 10250 sg-1"));
        check("@subnet/none", None);
        check("10.0.0.0/16", Some("10.0.0.0/16"));
        check("mail@example.net", Some("mail@example.net"));
    }

    #[test]
    fn ids_become_names_for_people() {
        let world = world();
        assert_eq!(Resolver::new(&world).name("ingress tcp 1 sg-1"), "ingress tcp 1 @security_group/node");
        assert_eq!(Resolver::new(&world).name("sg-2"), "sg-2");
    }

    #[test]
    fn keys_read_back() {
        let key = ObjectKey::new(Kind::DnsRecord, "api.example.net/AAAA");
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(references("egress all @vpc/main").count(), 1);
    }
}
