//! Fields of the cluster's own objects that somebody else has changed and manages since, as the API server names them when a server-side
//! apply that is not forced conflicts with them. Pure.

use kube::core::Status;
use serde_json::Value;
use std::fmt;

/// `CauseTypeFieldManagerConflict` of k8s.io/apimachinery/pkg/apis/meta/v1.
const CONFLICT: &str = "FieldManagerConflict";
/// The longest declared value that is shown.
const SHOWN: usize = 60;

/// A field that was left as somebody else has set it.
#[derive(Clone, Debug, PartialEq)]
pub struct TheirField {
    /// `Deployment kube-system/coredns`
    pub object: String,
    /// `.spec.template.spec.containers[name="coredns"].image`; empty where it is the object as a whole.
    pub field: String,
    /// Names its manager, in the words of the API server: `conflict with "kubectl" with subresource "scale" using apps/v1`.
    pub conflict: String,
    /// `None` when it could not be told from the rest of the object, and nothing of that was applied.
    pub declared: Option<Value>,
}

impl TheirField {
    /// Of an object that the API server does not take as it would be with what others have set, with its reason.
    pub fn unfit(object: String, reason: String) -> TheirField {
        TheirField { object, field: String::new(), conflict: reason, declared: None }
    }
}

impl fmt::Display for TheirField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TheirField { object, field, conflict, declared } = self;
        match field.as_str() {
            "" => write!(f, "{object}: {conflict}")?,
            field => write!(f, "{object}: {field}, {conflict}")?,
        }
        match declared.as_ref().map(Value::to_string) {
            None => f.write_str("; nothing of this object was applied"),
            Some(text) if text.len() > SHOWN => Ok(()),
            Some(text) => write!(f, "; the declared value is {text}"),
        }
    }
}

/// The field of each conflict, and what is said of it; none when it is another error.
pub fn conflicts(status: &Status) -> Vec<(String, String)> {
    let causes = status.details.iter().flat_map(|details| &details.causes).filter(|cause| cause.reason == CONFLICT);
    causes.map(|cause| (cause.field.clone(), cause.message.clone())).collect()
}

/// Removes the field from what is applied, so that its manager keeps it. Paths are those of sigs.k8s.io/structured-merge-diff
/// (`fieldpath/element.go`): keys are not escaped, and items of lists are named by their keys or by their value.
pub fn take_out(value: &mut Value, field: &str) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let path = field.strip_prefix('.')?;
            let keys: Vec<String> = map.keys().filter(|key| path.starts_with(key.as_str())).cloned().collect();
            keys.into_iter().find_map(|key| match &path[key.len()..] {
                "" => map.remove(&key),
                rest if rest.starts_with(['.', '[']) => take_out(map.get_mut(&key)?, rest),
                _ => None,
            })
        }
        Value::Array(items) => {
            let (keys, rest) = item_keys(field)?;
            let is_named = |item: &Value| {
                keys.iter().all(|(key, value)| if key.is_empty() { item == value } else { item.get(key) == Some(value) })
            };
            let at = items.iter().position(is_named)?;
            if rest.is_empty() { Some(items.remove(at)) } else { take_out(items.get_mut(at)?, rest) }
        }
        _ => None,
    }
}

/// Of `[port=53,protocol="UDP"].targetPort`: the keys, and `.targetPort`. A value by itself, `["x"]` with a `=` before it, has an empty key.
fn item_keys(field: &str) -> Option<(Vec<(String, Value)>, &str)> {
    let (mut keys, mut rest) = (Vec::new(), field.strip_prefix('[')?);
    loop {
        let (key, text) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        keys.push((key.to_string(), values.next()?.ok()?));
        rest = &text[values.byte_offset()..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((keys, rest.strip_prefix(']')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(object: &Value, field: &str, taken: Option<Value>, left: Value) {
        let mut object = object.clone();
        assert_eq!((take_out(&mut object, field), object), (taken, left), "{field}");
    }

    /// Paths as an API server of version 1.36 wrote them.
    #[test]
    fn a_field_is_taken_out_by_its_path_and_nothing_else() {
        let ports = json!({ "spec": { "ports": [{ "port": 53, "protocol": "TCP", "x": 1 }, { "port": 53, "protocol": "UDP", "x": 2 }] } });
        let left = json!({ "spec": { "ports": [{ "port": 53, "protocol": "TCP", "x": 1 }, { "port": 53, "protocol": "UDP" }] } });
        check(&ports, ".spec.ports[port=53,protocol=\"UDP\"].x", Some(json!(2)), left);
        check(&ports, ".spec.ports[port=54,protocol=\"UDP\"].x", None, ports.clone());
        check(&ports, ".spec.ports[0]", None, ports.clone());
        check(&ports, ".spec.p", None, ports.clone());
        let dotted = json!({ "a": { "io": { "port": 1 }, "io/port": 2, "io.x/port": 3 } });
        check(&dotted, ".a.io/port", Some(json!(2)), json!({ "a": { "io": { "port": 1 }, "io.x/port": 3 } }));
        check(&dotted, ".a.io.x/port", Some(json!(3)), json!({ "a": { "io": { "port": 1 }, "io/port": 2 } }));
        check(&dotted, ".a.io.port", Some(json!(1)), json!({ "a": { "io": {}, "io/port": 2, "io.x/port": 3 } }));
        check(&json!({ "f": ["x", "y"] }), ".f[=\"x\"]", Some(json!("x")), json!({ "f": ["y"] }));
    }
}
