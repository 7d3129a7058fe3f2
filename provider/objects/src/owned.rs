//! What others have changed of an object: the API server's own record of who manages which field says it, whatever form it keeps values in. A
//! field that was applied and that its field manager has no more was changed or removed by somebody else.
//! Shape of the record: sigs.k8s.io/structured-merge-diff, `fieldpath/serialize.go` (`f:` field, `k:` keys of a list item, `v:` value, `i:` index).

use crate::declared::UNKNOWN;
use crate::fields::{is_empty, item_steps, names, step, text};
use crate::managers::managed_fields;
use serde_json::Value;

/// A field that is not as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As in [`crate::fields`].
    pub path: String,
    /// `None` where it is not there.
    pub live: Option<String>,
    /// Its field manager now, such as `kubectl-edit`.
    pub by: Option<String>,
}

/// `applied` is what `manager` has applied of the object that is there now as `live`. A value that is [`UNKNOWN`] only has to be managed still.
pub fn taken(applied: &Value, live: &Value, manager: &str) -> Vec<Taken> {
    let entries: Vec<Entry> = managed_fields(live).filter_map(Entry::of).collect();
    let is_ours = |entry: &&Entry| entry.manager == manager && entry.operation == "Apply" && entry.subresource.is_empty();
    let ours = entries
        .iter()
        .filter(is_ours)
        .max_by_key(|entry| entry.api_version == applied["apiVersion"].as_str().unwrap_or_default())
        .map(|entry| entry.fields);
    let mut walk = Walk { entries: &entries, at: Vec::new(), found: Vec::new() };
    let (Value::Object(applied), live) = (applied, Some(live)) else { return Vec::new() };
    for (key, value) in applied {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (key, value) in
                    value.as_object().into_iter().flatten().filter(|(key, _)| !["name", "namespace"].contains(&key.as_str()))
                {
                    let place = Place {
                        live: live.and_then(|live| live.get("metadata")),
                        ours: ours.and_then(|ours| ours.get("f:metadata")),
                    };
                    walk.at = vec!["f:metadata".into()];
                    walk.field(key, value, &place, ".metadata");
                    walk.at.clear();
                }
            }
            key => walk.field(key, value, &Place { live, ours }, ""),
        }
    }
    walk.found
}

/// One field manager's part.
struct Entry<'a> {
    manager: &'a str,
    operation: &'a str,
    subresource: &'a str,
    api_version: &'a str,
    time: &'a str,
    fields: &'a Value,
}

impl<'a> Entry<'a> {
    fn of(value: &'a Value) -> Option<Entry<'a>> {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        Some(Entry {
            manager: value["manager"].as_str()?,
            operation: text("operation"),
            subresource: text("subresource"),
            api_version: text("apiVersion"),
            time: text("time"),
            fields: value.get("fieldsV1")?,
        })
    }

    /// Also as a part of what is managed as one.
    fn has(&self, at: &[String]) -> bool {
        let mut fields = self.fields;
        for step in at {
            match fields.get(step) {
                Some(below) => fields = below,
                None => return is_empty(fields),
            }
        }
        true
    }
}

/// What is there, and what is ours of it.
struct Place<'a> {
    live: Option<&'a Value>,
    ours: Option<&'a Value>,
}

struct Walk<'a> {
    entries: &'a [Entry<'a>],
    /// Where it is, as the record spells it.
    at: Vec<String>,
    found: Vec<Taken>,
}

impl Walk<'_> {
    fn field(&mut self, key: &str, applied: &Value, place: &Place, path: &str) {
        let name = format!("f:{key}");
        let below = Place { live: place.live.and_then(|live| live.get(key)), ours: place.ours.and_then(|ours| ours.get(&name)) };
        self.step(name, applied, &below, format!("{path}{}", step(key)));
    }

    fn step(&mut self, name: String, applied: &Value, place: &Place, path: String) {
        self.at.push(name);
        self.value(applied, place, path);
        self.at.pop();
    }

    fn value(&mut self, applied: &Value, place: &Place, path: String) {
        // Nothing below it in the record: it is managed as one, or all that was below is somebody else's.
        if place.ours.is_some_and(is_empty) && !self.others_have_parts() {
            return;
        }
        let before = self.found.len();
        match applied {
            Value::Object(entries) if !entries.is_empty() => {
                entries.iter().for_each(|(key, value)| self.field(key, value, place, &path));
            }
            Value::Array(items) if !items.is_empty() && place.ours.is_some() => self.items(items, place, &path),
            applied => self.leaf(applied, place, path.clone()),
        }
        // A selector with one key more is another one.
        let has_more = || place.live.is_some_and(|live| !is_all(applied, live));
        if self.found.len() == before && place.ours.is_none() && self.is_whole_of_another() && has_more() {
            self.note(place, path);
        }
    }

    /// Somebody else manages it as one.
    fn is_whole_of_another(&self) -> bool {
        let found = |entry: &Entry| self.at.iter().try_fold(entry.fields, |fields, step| fields.get(step)).is_some_and(is_empty);
        self.entries.iter().any(found)
    }

    fn others_have_parts(&self) -> bool {
        let parts = |entry: &Entry| {
            self.at.iter().try_fold(entry.fields, |fields, step| fields.get(step)).is_some_and(|fields| !is_empty(fields))
        };
        self.entries.iter().any(parts)
    }

    /// Of a list whose items are managed one by one.
    fn items(&mut self, items: &[Value], place: &Place, path: &str) {
        let record = place.ours.and_then(Value::as_object).into_iter().flatten().filter(|(name, _)| *name != ".");
        let record: Vec<(&String, &Value)> = record.collect();
        let live: Vec<&Value> = place.live.and_then(Value::as_array).into_iter().flatten().collect();
        let names = names(items);
        for (index, (item, at)) in items.iter().zip(item_steps(items)).enumerate() {
            let path = format!("{path}{at}");
            match record.iter().find(|(name, _)| is_named(item, name)) {
                Some((name, ours)) => {
                    let live = live.iter().copied().find(|live| is_named(live, name));
                    self.step((*name).clone(), item, &Place { live, ours: Some(ours) }, path);
                }
                None => {
                    let name = names.as_ref().map(|names| names[index]);
                    let is_it = |live: &&Value| if name.is_some() { live["name"].as_str() == name } else { fits(item, live) };
                    let found = live.iter().copied().find(is_it);
                    self.step("k:".into(), item, &Place { live: found, ours: None }, path);
                }
            }
        }
    }

    /// Somebody may have set it to what was applied.
    fn leaf(&mut self, applied: &Value, place: &Place, path: String) {
        if place.ours.is_some() || (applied != UNKNOWN && place.live.map_or(is_empty(applied), |live| fits(applied, live))) {
            return;
        }
        self.note(&Place { live: place.live.filter(|_| applied != UNKNOWN), ..*place }, path);
    }

    fn note(&mut self, place: &Place, path: String) {
        let by = self.entries.iter().filter(|entry| entry.has(&self.at)).max_by_key(|entry| entry.time);
        self.found.push(Taken { path, live: place.live.map(text), by: by.map(|entry| entry.manager.to_string()) });
    }
}

/// Whether an item is the one of `k:{"port":53,"protocol":"UDP"}` or `v:"x"`. A key that the item does not have was defaulted.
fn is_named(item: &Value, name: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(value) = name.strip_prefix("v:") {
        return parsed(value).as_ref() == Some(item);
    }
    let keys = name.strip_prefix("k:").and_then(parsed);
    let Some(Value::Object(keys)) = keys else { return false };
    keys.iter().all(|(key, value)| item.get(key).is_none_or(|of_item| of_item == value))
        && keys.keys().any(|key| item.get(key).is_some())
}

/// Whether all that was applied is there.
fn fits(applied: &Value, live: &Value) -> bool {
    match (applied, live) {
        (Value::Object(applied), Value::Object(live)) => {
            applied.iter().all(|(key, value)| live.get(key).map_or(is_empty(value), |live| fits(value, live)))
        }
        (Value::Array(applied), Value::Array(live)) => {
            applied.len() == live.len() && applied.iter().zip(live).all(|(applied, live)| fits(applied, live))
        }
        (applied, live) => applied == live,
    }
}

/// Whether nothing is there but what was applied, of which each part is there.
fn is_all(applied: &Value, live: &Value) -> bool {
    match (applied, live) {
        (Value::Object(applied), Value::Object(live)) => {
            live.iter().all(|(key, value)| applied.get(key).map_or(is_empty(value), |applied| is_all(applied, value)))
        }
        (Value::Array(applied), Value::Array(live)) => {
            applied.len() == live.len() && applied.iter().zip(live).all(|(applied, live)| is_all(applied, live))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OURS: &str = "ours";

    fn applied() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "app": "web", "example.com/team": "shop" } },
            "spec": {
                "replicas": 2,
                "template": { "spec": {
                    "containers": [
                        { "name": "web", "image": "web:1", "args": ["-a"], "ports": [{ "containerPort": 80 }], "resources": { "limits": { "cpu": "1000m" } } }
                    ],
                    "volumes": [{ "name": "tmp", "emptyDir": {} }]
                } }
            }
        })
    }

    /// As an API server of version 1.36 records it.
    fn record() -> Value {
        json!({
            "f:metadata": { "f:labels": { "f:app": {}, "f:example.com/team": {} } },
            "f:spec": {
                "f:replicas": {},
                "f:template": { "f:spec": {
                    "f:containers": { "k:{\"name\":\"web\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                        "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {} } },
                        "f:resources": { "f:limits": { "f:cpu": {} } }
                    } },
                    "f:volumes": { "k:{\"name\":\"tmp\"}": { ".": {}, "f:name": {}, "f:emptyDir": {} } }
                } }
            }
        })
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({ "manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "time": "2026-01-01T00:00:00Z" })
    }

    /// As the API server keeps it: with defaults, and quantities in their one form.
    fn live() -> Value {
        let mut live = applied();
        let container = &mut live["spec"]["template"]["spec"]["containers"][0];
        container["resources"]["limits"]["cpu"] = json!("1");
        container["ports"][0]["protocol"] = json!("TCP");
        container["imagePullPolicy"] = json!("IfNotPresent");
        live["metadata"]["managedFields"] = json!([entry(OURS, "Apply", record())]);
        live
    }

    #[track_caller]
    fn check(live: &Value, expect: &[(&str, Option<&str>, Option<&str>)]) {
        let found = taken(&applied(), live, OURS);
        let found: Vec<_> = found.iter().map(|taken| (taken.path.as_str(), taken.live.as_deref(), taken.by.as_deref())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn what_is_managed_still_is_not_taken_whatever_form_it_has() {
        check(&live(), &[]);
    }

    /// Takes fields out of our record, and gives them to somebody else.
    fn take(live: &mut Value, pointer: &str, field: &str, by: Option<(&str, Value)>) {
        let fields = live.pointer_mut(&format!("/metadata/managedFields/0/fieldsV1{pointer}")).unwrap();
        fields.as_object_mut().unwrap().remove(field).unwrap();
        if let Some((manager, fields)) = by {
            live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry(manager, "Update", fields));
        }
    }

    #[test]
    fn a_field_that_somebody_else_has_changed_is_named_with_its_manager() {
        let mut scaled = live();
        scaled["spec"]["replicas"] = json!(5);
        take(&mut scaled, "/f:spec", "f:replicas", Some(("kubectl", json!({ "f:spec": { "f:replicas": {} } }))));
        check(&scaled, &[(".spec.replicas", Some("5"), Some("kubectl"))]);

        let mut image = live();
        image["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
        let container = json!({ "f:spec": { "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"web\"}": { "f:image": {} } } } } } });
        take(
            &mut image,
            "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}",
            "f:image",
            Some(("kubectl-set", container)),
        );
        check(&image, &[(".spec.template.spec.containers[name=\"web\"].image", Some("web:2"), Some("kubectl-set"))]);
    }

    #[test]
    fn what_somebody_has_removed_is_named() {
        let mut unlabelled = live();
        unlabelled["metadata"]["labels"].as_object_mut().unwrap().remove("example.com/team");
        take(&mut unlabelled, "/f:metadata/f:labels", "f:example.com/team", None);
        check(&unlabelled, &[(".metadata.labels[\"example.com/team\"]", None, None)]);

        let mut without = live();
        without["spec"]["template"]["spec"]["volumes"] = json!([]);
        take(&mut without, "/f:spec/f:template/f:spec", "f:volumes", None);
        check(&without, &[(".spec.template.spec.volumes", Some("[]"), None)]);
    }

    /// A selector of a Service is such a one.
    #[test]
    fn who_manages_a_whole_of_which_one_part_was_applied_is_named() {
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" } } });
        let theirs = entry("kubectl-patch", "Update", json!({ "f:spec": { "f:selector": {} } }));
        let live =
            json!({ "metadata": { "name": "web", "managedFields": [theirs] }, "spec": { "selector": { "app": "other" } } });
        let expect = Taken { path: ".spec.selector.app".into(), live: Some("other".into()), by: Some("kubectl-patch".into()) };
        assert_eq!(taken(&service, &live, OURS), [expect]);
    }

    /// A Service that selects nothing, because somebody has added a key.
    #[test]
    fn what_somebody_adds_to_a_whole_is_named_with_it() {
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" } } });
        let theirs = entry("kubectl-patch", "Update", json!({ "f:spec": { "f:selector": {} } }));
        let of = |selector: Value| {
            let live = json!({ "metadata": { "name": "web", "managedFields": [theirs] }, "spec": { "selector": selector } });
            taken(&service, &live, OURS)
        };
        let shown = of(json!({ "app": "web", "track": "x" }));
        assert!(
            shown.len() == 1 && shown[0].path == ".spec.selector" && shown[0].by.as_deref() == Some("kubectl-patch"),
            "{shown:?}"
        );
        assert_eq!(of(json!({ "app": "web" })), []);
        let policy = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "a" }, "rules": [{ "verbs": ["get"] }] });
        let theirs = entry("kubectl-edit", "Update", json!({ "f:rules": {} }));
        let live =
            json!({ "metadata": { "managedFields": [theirs] }, "rules": [{ "verbs": ["get"], "resources": ["secrets"] }] });
        assert_eq!(taken(&policy, &live, OURS)[0].path, ".rules");
    }

    #[test]
    fn what_somebody_else_has_set_to_the_same_is_not_taken() {
        let mut same = live();
        take(&mut same, "/f:spec", "f:replicas", Some(("kubectl", json!({ "f:spec": { "f:replicas": {} } }))));
        check(&same, &[]);
    }

    /// An item of a map of objects is in the record itself: `f:a` of it goes, and `{}` stays.
    #[test]
    fn the_last_part_of_an_item_that_somebody_has_taken_is_named() {
        let team = json!({ "apiVersion": "example.com/v1", "kind": "Team", "metadata": { "name": "a" }, "spec": { "limits": { "red": { "size": 1 } } } });
        let ours = entry(OURS, "Apply", json!({ "f:spec": { "f:limits": { "f:red": {} } } }));
        let theirs = entry("kubectl-edit", "Update", json!({ "f:spec": { "f:limits": { "f:red": { "f:size": {} } } } }));
        let live = json!({ "metadata": { "managedFields": [ours, theirs] }, "spec": { "limits": { "red": { "size": 2 } } } });
        let expect = Taken { path: ".spec.limits.red.size".into(), live: Some("2".into()), by: Some("kubectl-edit".into()) };
        assert_eq!(taken(&team, &live, OURS), [expect]);
    }

    #[test]
    fn a_value_that_is_not_known_has_to_be_managed_still() {
        let secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db" }, "data": { "password": UNKNOWN } });
        let mut live = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "managedFields": [entry(OURS, "Apply", json!({ "f:data": { "f:password": {} } }))] }, "data": { "password": "eA==" } });
        assert_eq!(taken(&secret, &live, OURS), []);
        take(&mut live, "", "f:data", Some(("kubectl-edit", json!({ "f:data": { "f:password": {} } }))));
        let expect = Taken { path: ".data.password".into(), live: None, by: Some("kubectl-edit".into()) };
        assert_eq!(taken(&secret, &live, OURS), [expect]);
    }
}
