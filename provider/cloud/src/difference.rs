//! How an object differs from what is declared.

use crate::{Found, Graph, Object, ObjectKey, Registrations, Resolver, Setting, TargetKey};
use std::collections::{BTreeMap, BTreeSet};
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

/// What an earlier apply declared of an object: keys and values as AWS has them.
pub type Ours = BTreeMap<String, String>;

/// What `before` declared of settings that others may add to as well, by object. The resolver knows the objects of `before`.
pub fn ours(before: &Graph, resolver: &Resolver<'_>) -> BTreeMap<ObjectKey, Ours> {
    let of = |object: &Object| {
        let shared = object.settings.iter().filter(|(key, _)| object.key.kind.is_shared(key));
        let raw = shared.filter_map(|(key, setting)| Some((resolver.resolve(key)?, resolver.resolve(setting.known()?)?)));
        (object.key.clone(), raw.collect())
    };
    before.iter().map(of).collect()
}

/// What is declared against what is found. A setting whose reference does not exist yet differs; an unknown one does not.
pub fn differences(object: &Object, found: &Found, resolver: &Resolver<'_>) -> Vec<Difference> {
    differences_since(&Ours::new(), object, found, resolver)
}

/// The same after what was declared before: of that, what is not declared any more goes. What others added stays.
pub fn differences_since(ours: &Ours, object: &Object, found: &Found, resolver: &Resolver<'_>) -> Vec<Difference> {
    let kind = object.key.kind;
    let mut wanted = BTreeSet::new();
    let mut differences = Vec::new();
    for (key, setting) in &object.settings {
        let Setting::Known(value) = setting else { continue };
        if kind.is_unread(key) {
            continue;
        }
        let resolved_key = resolver.resolve(key);
        let raw_key = resolved_key.clone().unwrap_or_else(|| key.clone());
        let current = found.settings.get(&raw_key);
        let alone = resolver.resolve(value);
        let resolved = alone.clone().map(|value| beside_others(ours, object, &raw_key, value, current));
        wanted.insert(raw_key.clone());
        if resolved_key.is_some() && current.is_some() && current == resolved.as_ref() {
            continue;
        }
        let shown = resolved.as_ref().filter(|_| resolved != alone).map_or_else(|| value.clone(), |text| resolver.name(text));
        differences.push(Difference {
            shown: Change { key: key.clone(), from: current.map(|text| resolver.name(text)), to: Some(shown) },
            change: Change { key: raw_key, from: current.cloned(), to: Some(resolved.unwrap_or_else(|| value.clone())) },
            immutable: kind.is_immutable(key),
        });
    }
    let is_unknown = |key: &str| object.settings.get(key).is_some_and(|setting| *setting == Setting::Unknown);
    let additional =
        found.settings.iter().filter(|(key, value)| !wanted.contains(*key) && !is_unknown(key) && goes(ours, object, key, value));
    differences.extend(additional.filter_map(|(key, value)| {
        let stays = found.kept(key, value).map(str::to_owned).or_else(|| of_others(ours, object, key, value));
        (stays.as_ref() != Some(value)).then(|| Difference {
            shown: Change {
                key: resolver.name(key),
                from: Some(resolver.name(value)),
                to: stays.as_ref().map(|text| resolver.name(text)),
            },
            change: Change { key: key.clone(), from: Some(value.clone()), to: stays },
            immutable: false,
        })
    }));
    differences
}

/// Whether a setting that nobody declares has to go: not if it may be somebody else's.
fn goes(ours: &Ours, object: &Object, key: &str, value: &str) -> bool {
    let kind = object.key.kind;
    let is_own = || object.is_exclusive(key) || ours.contains_key(key) || kind.is_made_by_aws(key, value);
    kind.is_exclusive(key) || (kind.is_shared(key) && is_own())
}

/// A target that others register with other ports has these as well.
fn beside_others(ours: &Ours, object: &Object, key: &str, declared: String, current: Option<&String>) -> String {
    let (Some(there), Ok(own)) = (registrations(object, key, current), declared.parse::<Registrations>()) else {
        return declared;
    };
    let before = registrations(object, key, ours.get(key)).unwrap_or_default();
    own.beside(&there, &before).to_string()
}

/// What others have registered of a target that is not declared any more.
fn of_others(ours: &Ours, object: &Object, key: &str, value: &String) -> Option<String> {
    let (there, before) = (registrations(object, key, Some(value))?, registrations(object, key, ours.get(key))?);
    let left = Registrations::default().beside(&there, &before);
    (!left.0.is_empty()).then(|| left.to_string())
}

/// `None` where no others are to be heeded.
fn registrations(object: &Object, key: &str, value: Option<&String>) -> Option<Registrations> {
    let is_target = object.key.kind.is_shared(key) && key.parse::<TargetKey>().is_ok();
    value.filter(|_| is_target && !object.is_exclusive(key))?.parse().ok()
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
    use crate::Kind;

    fn table(settings: &[(&str, &str)]) -> Found {
        let mut found = Found::new(Kind::RouteTable, "rtb-1");
        found.settings = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        found
    }

    fn lines(differences: &[Difference]) -> Vec<String> {
        differences.iter().map(ToString::to_string).collect()
    }

    fn declared() -> Object {
        Object::new(Kind::RouteTable, "private").with("route 0.0.0.0/0", "@nat_gateway/a").with("tag Name", "demo-private")
    }

    fn nat_gateway() -> BTreeMap<ObjectKey, Found> {
        BTreeMap::from([(ObjectKey::new(Kind::NatGateway, "a"), Found::new(Kind::NatGateway, "nat-1"))])
    }

    #[track_caller]
    fn check(found: &[(&str, &str)], expect: &[&str]) {
        let world = nat_gateway();
        assert_eq!(lines(&differences(&declared(), &table(found), &Resolver::new(&world))), expect);
    }

    #[test]
    fn what_differs_is_said_with_names() {
        check(&[("route 0.0.0.0/0", "nat-1"), ("tag Name", "demo-private"), ("tag Other", "x")], &[]);
        check(&[("tag Name", "demo-private")], &["route 0.0.0.0/0 is missing, should be @nat_gateway/a"]);
        check(
            &[("route 0.0.0.0/0", "igw-9"), ("tag Name", "x")],
            &["route 0.0.0.0/0 is igw-9, should be @nat_gateway/a", "tag Name is x, should be demo-private"],
        );
    }

    #[test]
    fn what_others_add_is_a_difference_only_where_it_is_declared_so_or_was_ours() {
        let found = table(&[("route 0.0.0.0/0", "nat-1"), ("tag Name", "demo-private"), ("route 10.9.0.0/16", "pcx-1")]);
        let world = nat_gateway();
        let resolver = Resolver::new(&world);
        assert_eq!(differences(&declared(), &found, &resolver), []);
        let too_many = ["route 10.9.0.0/16 (pcx-1) is not declared"];
        assert_eq!(lines(&differences(&declared().exclusive(&["route"]), &found, &resolver)), too_many);
        // Another word is none of its business.
        assert_eq!(differences(&declared().exclusive(&["subnet"]), &found, &resolver), []);
        let before: Graph = [declared().with("route 10.9.0.0/16", "pcx-1")].into_iter().collect();
        let ours = &ours(&before, &resolver)[&declared().key];
        assert_eq!(ours.get("route 0.0.0.0/0").map(String::as_str), Some("nat-1"));
        assert_eq!(lines(&differences_since(ours, &declared(), &found, &resolver)), too_many);
    }

    #[test]
    fn the_rules_that_aws_makes_with_a_group_go() {
        let group = Object::new(Kind::SecurityGroup, "node");
        let mut found = Found::new(Kind::SecurityGroup, "sg-1");
        found.settings.insert("egress all all 0.0.0.0/0".into(), String::new());
        found.settings.insert("egress all all ::/0".into(), "by the network team".into());
        let said = differences(&group, &found, &Resolver::new(&BTreeMap::new()));
        assert_eq!(lines(&said), ["egress all all 0.0.0.0/0 is not declared"]);
        let wide = group.with("egress all all 0.0.0.0/0", "");
        assert_eq!(differences(&wide, &found, &Resolver::new(&BTreeMap::new())), []);
    }

    fn target_group() -> Object {
        Object::new(Kind::TargetGroup, "web").with("port", "80").with("target i-1", "80").with("autoscaling_group nodes", "")
    }

    fn with_targets(more: &[(&str, &str)]) -> Found {
        let mut found = Found::new(Kind::TargetGroup, "arn");
        let settings = [
            ("port", "80"),
            ("target i-1", "80"),
            ("autoscaling_group nodes", ""),
            ("autoscaling_instance i-1", "nodes"),
            ("autoscaling_instance i-2", "nodes"),
        ];
        found.settings = settings.iter().chain(more).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        found
    }

    #[track_caller]
    fn check_targets(target: &str, value: &str, expect: &[&str]) {
        let (found, none) = (with_targets(&[(target, value)]), BTreeMap::new());
        assert_eq!(differences(&target_group(), &found, &Resolver::new(&none)), []);
        let exclusive = target_group().exclusive(&["target", "autoscaling_group"]);
        assert_eq!(lines(&differences(&exclusive, &found, &Resolver::new(&none))), expect);
    }

    #[test]
    fn what_an_attached_group_registers_is_its_own() {
        check_targets("target i-2", "80", &[]);
        check_targets("target i-2", "80,81", &["target i-2 is 80,81, should be 80"]);
        check_targets("target i-2", "81", &["target i-2 (81) is not declared"]);
        check_targets("target i-3", "80", &["target i-3 (80) is not declared"]);
        check_targets("target i-1", "80,81", &["target i-1 is 80,81, should be 80"]);
        check_targets("autoscaling_group others", "", &["autoscaling_group others is not declared"]);
    }

    #[test]
    fn of_a_target_that_others_register_too_only_what_was_ours_goes() {
        let none = BTreeMap::new();
        let resolver = Resolver::new(&none);
        let check = |ours: &[(&str, &str)], object: &Object, found: &Found, expect: &[&str]| {
            let ours = ours.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            assert_eq!(lines(&differences_since(&ours, object, found, &resolver)), expect);
        };
        let both = with_targets(&[("target i-3", "81,80")]);
        check(&[("target i-3", "80")], &target_group(), &both, &["target i-3 is 81,80, should be 81"]);
        check(
            &[("target i-3", "80")],
            &target_group(),
            &with_targets(&[("target i-3", "80")]),
            &["target i-3 (80) is not declared"],
        );
        let declared = target_group().with("target i-3", "80 all");
        check(&[("target i-3", "80")], &declared, &both, &["target i-3 is 81,80, should be 81,80 all"]);
        check(&[], &declared, &with_targets(&[("target i-3", "80 all,81")]), &[]);
    }
}
