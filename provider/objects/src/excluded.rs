//! What the API server has filled in and does not take beside what is declared later: a Deployment of which no strategy was declared has a
//! `rollingUpdate`, with which `Recreate` is refused. Source: `ValidateDeploymentStrategy` and `ValidateStatefulSetSpec` in `pkg/apis/apps/validation`.

use crate::ObjectKey;
use serde_json::{Value, json};

/// Two parts of the object, the one to be applied after the other by one field manager: what it alone has of the first one goes with the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    pub filled_in: Value,
    pub instead: Value,
}

const ROLLING: &str = "RollingUpdate";

/// `None` where nothing of the object that is there is in the way.
pub fn excluded_by(declared: &Value, live: &Value) -> Option<Excluded> {
    let key = ObjectKey::of(declared)?;
    let field = match (key.group.as_str(), key.kind.as_str()) {
        ("apps", "Deployment") => "strategy",
        ("apps", "StatefulSet" | "DaemonSet") => "updateStrategy",
        _ => return None,
    };
    let (wanted, found) = (&declared["spec"][field], &live["spec"][field]);
    let kind = wanted["type"].as_str().filter(|kind| *kind != ROLLING)?;
    if !wanted["rollingUpdate"].is_null() || found["rollingUpdate"].is_null() {
        return None;
    }
    Some(Excluded {
        filled_in: json!({ "spec": { field: { "rollingUpdate": found["rollingUpdate"] } } }),
        instead: json!({ "spec": { field: { "type": kind } } }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_declared_is_in_the_way() {
        let object = |strategy: Value| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "a" }, "spec": { "strategy": strategy } });
        let live = object(json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%" } }));
        let found = excluded_by(&object(json!({ "type": "Recreate" })), &live).unwrap();
        assert_eq!(found.filled_in, json!({ "spec": { "strategy": { "rollingUpdate": { "maxSurge": "25%" } } } }));
        assert_eq!(found.instead, json!({ "spec": { "strategy": { "type": "Recreate" } } }));
        assert_eq!(excluded_by(&object(Value::Null), &live), None);
        assert_eq!(excluded_by(&object(json!({ "type": "Recreate", "rollingUpdate": {} })), &live), None);
        assert_eq!(excluded_by(&object(json!({ "type": "Recreate" })), &object(json!({ "type": "Recreate" }))), None);
    }
}
