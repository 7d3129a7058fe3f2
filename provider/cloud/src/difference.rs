//! How an object differs from what is declared.

use crate::{Found, Object, Resolver, Setting};
use std::fmt;

/// What has to be done to a setting of an object that exists. Keys and values are the cloud's: ids in the place of references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub from: Option<String>,
    /// `None`: it has to go.
    pub to: Option<String>,
}

/// A change, with its words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub change: Change,
    /// The declared key and value, in which references are names.
    pub shown: Change,
    /// Only a new object can have it.
    pub immutable: bool,
}

/// What is declared against what is found. A setting whose reference does not exist yet differs; an unknown one does not.
pub fn differences(object: &Object, found: &Found, resolver: &Resolver<'_>) -> Vec<Difference> {
    let kind = object.key.kind;
    let mut wanted = std::collections::BTreeMap::new();
    let mut differences = Vec::new();
    for (key, setting) in &object.settings {
        let Setting::Known(value) = setting else { continue };
        if kind.is_unread(key) {
            continue;
        }
        let (resolved_key, resolved) = (resolver.resolve(key), resolver.resolve(value));
        let raw_key = resolved_key.clone().unwrap_or_else(|| key.clone());
        let current = found.settings.get(&raw_key);
        wanted.insert(raw_key.clone(), ());
        if resolved_key.is_some() && current.is_some() && current == resolved.as_ref() {
            continue;
        }
        differences.push(Difference {
            shown: Change { key: key.clone(), from: current.map(|text| resolver.name(text)), to: Some(value.clone()) },
            change: Change { key: raw_key, from: current.cloned(), to: Some(resolved.unwrap_or_else(|| value.clone())) },
            immutable: kind.is_immutable(key),
        });
    }
    let unknown = |key: &str| object.settings.get(key).is_some_and(|setting| *setting == Setting::Unknown);
    let additional = found.settings.iter().filter(|(key, _)| {
        let key = key.as_str();
        kind.is_exclusive(key) && !wanted.contains_key(key) && !unknown(key)
    });
    let additional = additional.map(|(key, value)| (key, value, found.kept(key, value)));
    differences.extend(additional.filter(|(_, value, kept)| *kept != Some(value.as_str())).map(|(key, value, kept)| {
        Difference {
            shown: Change { key: resolver.name(key), from: Some(resolver.name(value)), to: kept.map(|text| resolver.name(text)) },
            change: Change { key: key.clone(), from: Some(value.clone()), to: kept.map(str::to_owned) },
            immutable: false,
        }
    }));
    differences
}

impl Difference {
    /// Whether the object that the new value refers to exists: what is left of an `@` does not.
    pub fn is_resolved(&self) -> bool {
        let is_reference = |text: &str| crate::reference::references(text).next().is_some();
        !is_reference(&self.change.key) && !self.change.to.as_deref().is_some_and(is_reference)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.shown.key;
        match (&self.shown.from, &self.shown.to) {
            (None, Some(to)) if to.is_empty() => write!(formatter, "{key} is missing"),
            (None, Some(to)) => write!(formatter, "{key} is missing, should be {to}"),
            (Some(from), Some(to)) => write!(formatter, "{key} is {}, should be {to}", shown_value(from)),
            (Some(from), None) if from.is_empty() => write!(formatter, "{key} is not declared"),
            (Some(from), None) => write!(formatter, "{key} ({from}) is not declared"),
            (None, None) => write!(formatter, "{key}"),
        }
    }
}

fn shown_value(text: &str) -> &str {
    if text.is_empty() { "empty" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, ObjectKey};
    use std::collections::BTreeMap;

    fn table(settings: &[(&str, &str)]) -> Found {
        let mut found = Found::new(Kind::RouteTable, "rtb-1");
        found.settings = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        found
    }

    #[track_caller]
    fn check(found: &[(&str, &str)], expect: &[&str]) {
        let object =
            Object::new(Kind::RouteTable, "private").with("route 0.0.0.0/0", "@nat_gateway/a").with("tag Name", "demo-private");
        let world = BTreeMap::from([(ObjectKey::new(Kind::NatGateway, "a"), Found::new(Kind::NatGateway, "nat-1"))]);
        let said: Vec<String> =
            differences(&object, &table(found), &Resolver::new(&world)).iter().map(ToString::to_string).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn what_differs_is_said_with_names() {
        check(&[("route 0.0.0.0/0", "nat-1"), ("tag Name", "demo-private"), ("tag Other", "x")], &[]);
        check(&[("tag Name", "demo-private")], &["route 0.0.0.0/0 is missing, should be @nat_gateway/a"]);
        check(
            &[("route 0.0.0.0/0", "igw-9"), ("tag Name", "x")],
            &["route 0.0.0.0/0 is igw-9, should be @nat_gateway/a", "tag Name is x, should be demo-private"],
        );
        check(
            &[("route 0.0.0.0/0", "nat-1"), ("tag Name", "demo-private"), ("route 10.9.0.0/16", "pcx-1")],
            &["route 10.9.0.0/16 (pcx-1) is not declared"],
        );
    }

    #[track_caller]
    fn check_targets(target: &str, value: &str, expect: &[&str]) {
        let object =
            Object::new(Kind::TargetGroup, "web").with("port", "80").with("target i-1", "80").with("autoscaling_group nodes", "");
        let mut found = Found::new(Kind::TargetGroup, "arn");
        let settings = [
            ("port", "80"),
            ("target i-1", "80"),
            ("autoscaling_group nodes", ""),
            ("autoscaling_instance i-1", "nodes"),
            ("autoscaling_instance i-2", "nodes"),
            (target, value),
        ];
        found.settings = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let said = differences(&object, &found, &Resolver::new(&BTreeMap::new()));
        assert_eq!(said.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn what_an_attached_group_registers_is_its_own() {
        check_targets("target i-2", "80", &[]);
        check_targets("target i-2", "80,81", &["target i-2 is 80,81, should be 80"]);
        check_targets("target i-2", "81", &["target i-2 (81) is not declared"]);
        check_targets("target i-3", "80", &["target i-3 (80) is not declared"]);
        check_targets("autoscaling_group others", "", &["autoscaling_group others is not declared"]);
    }
}
