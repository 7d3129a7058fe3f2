//! Patches: what a configuration has of an object beyond the settings.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Objects key by key; lists of objects that have a `name` by name; anything else as a whole. Null takes away.
pub(crate) fn merge(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(entries), Value::Object(patch)) => merge_entries(entries, patch),
        (Value::Array(items), Value::Array(patch)) if are_named(items) && are_named(patch) && !patch.is_empty() => {
            for changed in patch {
                match items.iter_mut().find(|item| item["name"] == changed["name"]) {
                    Some(item) => merge(item, changed),
                    None => items.push(without_nulls(changed)),
                }
            }
        }
        (value, patch) => *value = without_nulls(patch),
    }
}

fn merge_entries(entries: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, changed) in patch {
        match entries.get_mut(key) {
            _ if changed.is_null() => drop(entries.shift_remove(key)),
            Some(value) => merge(value, changed),
            None => drop(entries.insert(key.clone(), without_nulls(changed))),
        }
    }
}

/// Each with another name.
fn are_named(items: &[Value]) -> bool {
    let names: BTreeSet<&str> = items.iter().filter_map(|item| item.get("name")?.as_str()).collect();
    names.len() == items.len()
}

fn without_nulls(value: &Value) -> Value {
    let mut value = value.clone();
    objects::without_nulls(&mut value);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: Value, patch: Value, expect: Value) {
        let mut merged = value;
        merge(&mut merged, &patch);
        assert_eq!(merged, expect);
    }

    #[test]
    fn objects_are_merged_by_key_and_null_takes_away() {
        check(json!({ "a": { "b": 1, "c": 2 } }), json!({ "a": { "b": null, "d": 3 } }), json!({ "a": { "c": 2, "d": 3 } }));
        check(json!({ "a": 1 }), json!({ "b": { "c": null } }), json!({ "a": 1, "b": {} }));
    }

    #[test]
    fn lists_of_named_objects_are_merged_by_name_and_others_are_taken_as_a_whole() {
        let containers = json!([{ "name": "a", "image": "1" }, { "name": "b", "image": "1" }]);
        check(
            json!({ "containers": containers }),
            json!({ "containers": [{ "name": "b", "image": "2" }, { "name": "c" }] }),
            json!({ "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "2" }, { "name": "c" }] }),
        );
        check(json!({ "args": ["-a", "-b"] }), json!({ "args": ["-c"] }), json!({ "args": ["-c"] }));
        check(json!({ "rules": [{ "a": 1 }] }), json!({ "rules": [{ "b": 1 }] }), json!({ "rules": [{ "b": 1 }] }));
        check(json!({ "env": [{ "name": "a" }] }), json!({ "env": [] }), json!({ "env": [] }));
    }
}
