//! An object as a list of its fields, so that a plan names the one that changes: `.spec.template.spec.containers[name="web"].image`.

use bundle::Digest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Path to text. Texts stand as they are and everything else as JSON; a text that could be read as JSON is quoted.
pub type Fields = BTreeMap<String, String>;

/// Every field that holds a value. Objects and lists without any are one field.
pub fn fields(object: &Value) -> Fields {
    let mut found = Fields::new();
    collect(object, String::new(), &mut found);
    found
}

/// The schema of a custom resource has thousands of fields, and whoever changes it reads the definition.
const SCHEMA: &str = ".openAPIV3Schema";

fn collect(value: &Value, path: String, found: &mut Fields) {
    match value {
        value if path.ends_with(SCHEMA) => drop(found.insert(path, digest(&value.to_string()))),
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                collect(value, format!("{path}{}", step(key)), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (item, at) in items.iter().zip(item_steps(items)) {
                collect(item, format!("{path}{at}"), found);
            }
        }
        value => drop(found.insert(path, text(value))),
    }
}

/// What tells one text from another, in place of it.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", Digest::of(text.as_bytes()))
}

/// By these objects are asked for, known to belong to a definition, and known to be sealed.
const CLEAR: [&str; 4] = [".apiVersion", ".immutable", ".spec.group", ".spec.names.kind"];

/// With digests in place of values.
pub fn hidden(fields: Fields) -> Fields {
    let is_clear = |path: &str| CLEAR.contains(&path) || path.ends_with(SCHEMA);
    let hide = |(path, text): (String, String)| if is_clear(&path) { (path, text) } else { (path, digest(&text)) };
    fields.into_iter().map(hide).collect()
}

/// `.replicas`, or `["example.com/team"]` for a key with a dot or a bracket in it.
pub(crate) fn step(key: &str) -> String {
    if key.contains(['.', '[', ']', '"']) || key.is_empty() { format!("[{key:?}]") } else { format!(".{key}") }
}

/// `[name="web"]` where each item has another name, else `[0]`.
pub(crate) fn item_steps(items: &[Value]) -> Vec<String> {
    match names(items) {
        Some(names) => names.into_iter().map(|name| format!("[name={name:?}]")).collect(),
        None => (0..items.len()).map(|index| format!("[{index}]")).collect(),
    }
}

/// An object or a list without anything in it.
pub(crate) fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Paths of which only one has the field, or both have another value.
pub(crate) fn differing(before: &Fields, now: &Fields) -> Vec<String> {
    let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != now.get(*path)).cloned().collect()
}

/// Of items that each have another name.
pub(crate) fn names(items: &[Value]) -> Option<Vec<&str>> {
    let names = items.iter().map(|item| item.get("name").and_then(Value::as_str)).collect::<Option<Vec<&str>>>()?;
    (names.iter().collect::<BTreeSet<_>>().len() == items.len()).then_some(names)
}

/// Whether a field is this one, or a part of it.
pub fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Takes fields out, all in one walk, for items are known by where they are. What is empty then goes too.
pub fn take_out(object: &mut Value, fields: &BTreeSet<String>) {
    take_out_below(object, String::new(), fields);
}

fn take_out_below(value: &mut Value, path: String, fields: &BTreeSet<String>) {
    let keep = |value: &mut Value, path: String| {
        if fields.contains(&path) {
            return false;
        }
        let was_empty = is_empty(value);
        take_out_below(value, path, fields);
        was_empty || !is_empty(value)
    };
    match value {
        Value::Object(entries) => entries.retain(|key, value| keep(value, format!("{path}{}", step(key)))),
        Value::Array(items) => {
            let mut steps = item_steps(items).into_iter();
            items.retain_mut(|item| steps.next().is_none_or(|at| keep(item, format!("{path}{at}"))));
        }
        _ => {}
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_of_a_definition_is_one_field() {
        let of = |ty: &str| json!({ "spec": { "versions": [{ "name": "v1", "schema": { "openAPIV3Schema": { "type": ty, "properties": { "a": {} } } } }] } });
        let (one, other) = (fields(&of("object")), fields(&of("array")));
        let path = ".spec.versions[name=\"v1\"].schema.openAPIV3Schema";
        assert!(one.len() == 2 && one[path].starts_with("sha256:") && one[path] != other[path], "{one:?}");
    }

    #[test]
    fn fields_are_taken_out_by_their_paths() {
        let object = json!({ "spec": { "replicas": 1, "empty": {}, "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "1" }] } });
        let without = |fields: &[&str]| {
            let mut left = object.clone();
            take_out(&mut left, &fields.iter().map(ToString::to_string).collect());
            left
        };
        let left = without(&[".spec.containers[name=\"b\"].image", ".spec.replicas", ".spec.x"]);
        assert_eq!(left, json!({ "spec": { "empty": {}, "containers": [{ "name": "a", "image": "1" }, { "name": "b" }] } }));
        let left = without(&[".spec.containers[name=\"a\"].name", ".spec.containers[name=\"a\"].image"]);
        assert_eq!(left, json!({ "spec": { "replicas": 1, "empty": {}, "containers": [{ "name": "b", "image": "1" }] } }));
        assert!(is_within(".spec.a.b", ".spec.a") && is_within(".spec.a[0]", ".spec.a") && !is_within(".spec.ab", ".spec.a"));
    }

    #[test]
    fn each_field_has_a_path_of_its_own() {
        let object = json!({
            "metadata": { "labels": { "app": "web", "example.com/team": "shop" }, "annotations": {} },
            "spec": {
                "replicas": 2, "paused": false, "version": "2", "none": null,
                "containers": [{ "name": "web", "args": ["-a", "-b"], "ports": [{ "port": 80 }, { "port": 81 }] }],
            },
        });
        let found: Vec<String> = fields(&object).into_iter().map(|(path, text)| format!("{path} {text}")).collect();
        assert_eq!(
            found,
            [
                ".metadata.annotations {}",
                ".metadata.labels.app web",
                ".metadata.labels[\"example.com/team\"] shop",
                ".spec.containers[name=\"web\"].args [\"-a\",\"-b\"]",
                ".spec.containers[name=\"web\"].name web",
                ".spec.containers[name=\"web\"].ports[0].port 80",
                ".spec.containers[name=\"web\"].ports[1].port 81",
                ".spec.none null",
                ".spec.paused false",
                ".spec.replicas 2",
                ".spec.version \"2\"",
            ]
        );
    }
}
