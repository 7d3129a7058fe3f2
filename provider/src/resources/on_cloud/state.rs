//! The computed attributes of a resource on AWS: what is declared (`objects`), what AWS calls it (`ids`), what it costs.
//! Pure: from graphs to values and back.

use super::{drift, holder};
use cloud::{Found, Graph, Object, ObjectKey, Setting, UNKNOWN_KEYS};
use schema::{Attribute, Type, Value};
use std::collections::BTreeMap;

pub fn attributes() -> Vec<Attribute> {
    let own = [
        Attribute::string("id").computed().never_null().describe("Id of the main object, as assigned by AWS."),
        Attribute::of("objects", Type::map(Type::map(Type::String))).computed().never_null().describe(
            "What should exist on AWS, object by object: `<kind>/<name>` with its settings. A word that begins with `@` refers to another of \
             these objects. The diff of a plan names every object and setting that changes.",
        ),
        Attribute::map("ids", Type::String).computed().never_null().describe(
            "Ids of these objects, and what AWS assigned to them: `vpc/main` is an id, `vpc/main.ipv6_cidr` an address block.",
        ),
        Attribute::map("cost", Type::String).computed().describe(
            "Estimated cost in US dollars a month, object by object, with `total`: only fixed prices, without data transfer. `unknown` where \
             the table of prices has none.",
        ),
    ];
    own.into_iter().chain(drift::attributes()).chain([holder::attribute()]).collect()
}

pub fn to_value(graph: &Graph) -> Value {
    let settings = |object: &Object| {
        if object.is_open() {
            return Value::Unknown;
        }
        let value = |setting: &Setting| setting.known().map_or(Value::Unknown, Value::from);
        Value::Map(object.settings.iter().map(|(key, setting)| (key.clone(), value(setting))).collect())
    };
    Value::Map(graph.iter().map(|object| (object.key.to_string(), settings(object))).collect())
}

/// The graph that a state holds. What cannot be read is left out: a state of a later version may hold more.
pub fn to_graph(objects: &Value) -> Graph {
    let object = |(key, settings): (&String, &Value)| {
        let key: ObjectKey = key.parse().ok()?;
        let mut object = Object { key, settings: BTreeMap::new() };
        if settings.is_unknown() {
            object.settings.insert(UNKNOWN_KEYS.to_owned(), Setting::Unknown);
        }
        for (name, value) in settings.as_map().into_iter().flatten() {
            object.settings.insert(name.clone(), value.as_str().map_or(Setting::Unknown, Setting::from));
        }
        Some(object)
    };
    objects.as_map().into_iter().flatten().filter_map(object).collect()
}

/// Only ids, without outputs and without those of missing objects.
pub fn to_ids(ids: &Value) -> BTreeMap<ObjectKey, String> {
    let outputs = |key: &ObjectKey| key.kind.outputs().any(|output| key.name.ends_with(&format!(".{output}")));
    ids.as_map()
        .into_iter()
        .flatten()
        .filter_map(|(key, id)| Some((key.parse::<ObjectKey>().ok()?, id.as_str()?.to_owned())))
        .filter(|(key, id)| !outputs(key) && !id.is_empty())
        .collect()
}

/// What a state knows of objects: ids and outputs.
pub fn to_found(ids: &Value) -> BTreeMap<ObjectKey, Found> {
    let found = |(key, id): (ObjectKey, String)| {
        let mut found = Found::new(key.kind, id);
        for output in key.kind.outputs() {
            let value = ids.get(&format!("{key}.{output}")).as_str().filter(|value| !value.is_empty());
            found.outputs.extend(value.map(|value| (output.to_owned(), value.to_owned())));
        }
        (key, found)
    };
    to_ids(ids).into_iter().map(found).collect()
}

/// The keys of `ids` that an object has.
pub fn id_keys(key: &ObjectKey) -> impl Iterator<Item = String> {
    let outputs = key.kind.outputs().map(|output| format!("{key}.{output}")).collect::<Vec<_>>();
    std::iter::once(key.to_string()).chain(outputs)
}

/// `ids` of what is found; empty text where something is not there.
pub fn ids_of<'a>(keys: impl Iterator<Item = &'a ObjectKey>, found: &BTreeMap<ObjectKey, Found>) -> Value {
    let mut ids = BTreeMap::new();
    for key in keys {
        let found = found.get(key);
        ids.insert(key.to_string(), Value::from(found.map(|found| found.id.clone()).unwrap_or_default()));
        for output in key.kind.outputs() {
            let value = found.and_then(|found| found.outputs.get(output).cloned()).unwrap_or_default();
            ids.insert(format!("{key}.{output}"), value.into());
        }
    }
    Value::Map(ids)
}

/// What is known of a resource's objects, for its outputs: at plan what the state has, at apply everything.
pub struct Known<'a> {
    pub(super) ids: &'a Value,
}

impl Known<'_> {
    pub fn id(&self, key: &ObjectKey) -> Value {
        self.lookup(&key.to_string())
    }

    pub fn output(&self, key: &ObjectKey, output: &str) -> Value {
        self.lookup(&format!("{key}.{output}"))
    }

    /// Null for what is not there.
    fn lookup(&self, key: &str) -> Value {
        match self.ids.get(key) {
            Value::String(text) if text.is_empty() => Value::Null,
            value => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::Kind;

    #[test]
    fn a_graph_survives_the_state() {
        let graph: Graph = [Object::new(Kind::Vpc, "main").with("cidr", "10.0.0.0/16")].into_iter().collect();
        assert_eq!(to_graph(&to_value(&graph)), graph);
        let unknown: Graph = [Object::new(Kind::TargetGroup, "a").with(UNKNOWN_KEYS, Setting::Unknown)].into_iter().collect();
        assert!(to_value(&unknown).get("target_group/a").is_unknown());
        assert_eq!(to_graph(&to_value(&unknown)), unknown);
    }

    #[test]
    fn ids_are_told_from_outputs() {
        let mut found = Found::new(Kind::Vpc, "vpc-1");
        found.outputs.insert("ipv6_cidr".into(), "2001:db8::/56".into());
        let key = ObjectKey::new(Kind::Vpc, "main");
        let gone = ObjectKey::new(Kind::Subnet, "a");
        let world = BTreeMap::from([(key.clone(), found)]);
        let ids = ids_of([&key, &gone].into_iter(), &world);
        assert_eq!(ids.get("vpc/main.ipv6_cidr").as_str(), Some("2001:db8::/56"));
        assert_eq!(to_ids(&ids), BTreeMap::from([(key.clone(), "vpc-1".to_string())]));
        assert_eq!(to_found(&ids), world);
        let known = Known { ids: &ids };
        assert_eq!(known.id(&gone), Value::Null);
        assert_eq!(known.output(&key, "ipv6_cidr").as_str(), Some("2001:db8::/56"));
    }
}
