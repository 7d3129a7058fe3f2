//! Configuration files of Kubernetes components: JSON values merged with what the user gave, written as YAML.

use serde_json::Value;

/// Maps are merged key by key; anything else of the user takes the place of ours. `null` leaves ours out, so that the
/// component's own default holds.
pub fn merged(ours: Value, user: &Value) -> Value {
    match (ours, user) {
        (Value::Object(mut ours), Value::Object(user)) => {
            for (key, value) in user {
                if value.is_null() {
                    ours.shift_remove(key);
                    continue;
                }
                let before = ours.get(key).cloned().unwrap_or(Value::Null);
                ours.insert(key.clone(), merged(before, value));
            }
            Value::Object(ours)
        }
        (ours, Value::Null) => ours,
        (_, user) => user.clone(),
    }
}

/// Block style YAML. Strings are written as JSON strings, which are strings of YAML whatever they look like.
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value, 0);
    text
}

fn write_value(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&"  ".repeat(depth));
                text.push_str(&written_key(key));
                text.push(':');
                write_nested(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut nested = String::new();
                write_value(&mut nested, item, depth + 1);
                text.push_str(&"  ".repeat(depth));
                text.push_str("- ");
                text.push_str(nested.trim_start());
            }
        }
        other => {
            text.push_str(&"  ".repeat(depth));
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

fn write_nested(text: &mut String, value: &Value, depth: usize) {
    let is_block =
        value.as_object().is_some_and(|map| !map.is_empty()) || value.as_array().is_some_and(|items| !items.is_empty());
    if is_block {
        text.push('\n');
        write_value(text, value, depth);
    } else {
        text.push_str(&format!(" {value}\n"));
    }
}

fn written_key(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key.to_ascii_lowercase().as_str());
    if plain && !reserved { key.to_string() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: Value) {
        let text = to_yaml(&value);
        let parsed: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(parsed, value, "{text}");
    }

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        check(json!({}));
        check(json!({"a": {"b": [1, "2", true, "true", null, "0s", "1e3", "a: b", "# c", "é\n\"", "::"], "c": {}}, "d": []}));
        check(json!([{"name": "x", "nested": [{"y": 1, "z": [[1, 2], []]}]}, "plain"]));
        check(json!({"yes": 1, "1": 2, "memory.available": "100Mi", "a b": 3, "a/b": 4}));
    }

    #[test]
    fn values_of_the_user_win_key_by_key() {
        let ours = json!({"a": {"b": 1, "c": 2}, "d": [1], "e": 5});
        let user = json!({"a": {"b": 9}, "d": [2, 3], "e": null, "f": {"g": 1}});
        assert_eq!(merged(ours.clone(), &user), json!({"a": {"b": 9, "c": 2}, "d": [2, 3], "f": {"g": 1}}));
        assert_eq!(merged(ours.clone(), &Value::Null), ours);
    }
}
