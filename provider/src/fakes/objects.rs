//! Objects of any kind in a cluster of a fake world, with the record of who manages which field, as far as an apply depends on it: lists are managed as one.

use super::memory::Cluster;
use crate::kubernetes::{Applied, Conflicting, Deleted, Reason};
use bundle::Digest;
use objects::{ObjectKey, is_built_in, is_namespaced};
use serde_json::{Map, Value, json};

const VERSION: &str = "resourceVersion";
/// Namespaces that every cluster has.
const NAMESPACES: [&str; 2] = ["default", "kube-system"];

pub(super) fn apply(cluster: &mut Cluster, object: &Value, manager: &str, conflicting: Conflicting) -> Applied {
    let Some(key) = ObjectKey::of(object) else { panic!("it has no name: {object}") };
    let mut object = object.clone();
    let version = object["metadata"].as_object_mut().and_then(|metadata| metadata.remove(VERSION));
    let object = &object;
    if cluster.manifests.get(&key).zip(version).is_some_and(|(live, seen)| seen != version_of(live)) {
        return Applied::Changed;
    }
    if key.namespace.is_none() && is_namespaced(&key).unwrap_or(true) {
        return Applied::Invalid { message: "it names no namespace, and belongs to one".into(), reason: Reason::Other };
    }
    if let Some(reason) = not_yet(cluster, &key) {
        return Applied::NotYet(reason);
    }
    let live = cluster.manifests.get(&key).cloned();
    let is_new = live.is_none();
    let is_sealed = key.kind == "Job" && live.as_ref().is_some_and(|live| live["spec"]["template"] != object["spec"]["template"]);
    if is_sealed {
        return Applied::Invalid { message: "spec.template: field is immutable".into(), reason: Reason::Immutable };
    }
    let mut live = live.unwrap_or_else(|| json!({ "metadata": { "uid": format!("uid of {key}") } }));
    let mut entries: Vec<Value> = live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| entry["manager"] != manager) {
        let by = format!("conflict with {}", entry["manager"]);
        contested(&mut entry["fieldsV1"], object, &live, String::new(), &mut |path| conflicts.push((path, by.clone())));
    }
    if !conflicts.is_empty() && conflicting == Conflicting::Kept {
        return Applied::Conflicts(conflicts);
    }
    if cluster.unfit.contains(&key.to_string()) {
        return Applied::Invalid { message: format!("{key} is invalid"), reason: Reason::Other };
    }
    let before = entries.iter().find(|entry| entry["manager"] == manager).map(|entry| entry["fieldsV1"].clone());
    entries.retain(|entry| entry["manager"] != manager);
    let others: Vec<&Value> = entries.iter().map(|entry| &entry["fieldsV1"]).collect();
    before.iter().for_each(|before| forget(&mut live, before, object, &others));
    let mut fields = fields_of(object);
    if fields["f:metadata"] == json!({}) {
        fields.as_object_mut().unwrap().remove("f:metadata");
    }
    if fields != json!({}) {
        entries.push(json!({ "manager": manager, "operation": "Apply", "apiVersion": object["apiVersion"], "fieldsV1": fields }));
    }
    merge(&mut live, object);
    if key.kind == "Deployment" {
        let strategy = &mut live["spec"]["strategy"];
        if strategy["type"] == "Recreate" && !strategy["rollingUpdate"].is_null() {
            let message = "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'";
            return Applied::Invalid { message: message.into(), reason: Reason::Other };
        }
        if strategy["type"] != "Recreate" {
            merge(strategy, &json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%" } }));
        }
    }
    live["metadata"]["managedFields"] = entries.into();
    live["status"] = status(cluster, &key, &live);
    cluster.manifests.insert(key, live);
    Applied::Done { is_new }
}

/// Another one whenever anything of the object is another. It is in what is asked for, not in what is remembered: two ways to one object end alike.
fn version_of(live: &Value) -> String {
    Digest::of(live.to_string().as_bytes()).to_string()
}

pub(super) fn with_version(mut live: Value) -> Value {
    live["metadata"][VERSION] = json!(version_of(&live));
    live
}

fn not_yet(cluster: &Cluster, key: &ObjectKey) -> Option<String> {
    let has =
        |kind: &str, fits: &dyn Fn(&Value) -> bool| cluster.manifests.iter().any(|(of, live)| of.kind == kind && fits(live));
    let is_defined = |live: &Value| live["spec"]["group"] == *key.group && live["spec"]["names"]["kind"] == *key.kind;
    if !is_built_in(key) && !has("CustomResourceDefinition", &is_defined) {
        return Some(format!("the API server serves no {}", key.kind));
    }
    let namespace = key.namespace.as_deref()?;
    let is_there = NAMESPACES.contains(&namespace) || has("Namespace", &|live| live["metadata"]["name"] == *namespace);
    (!is_there).then(|| format!("namespaces {namespace:?} not found"))
}

/// What a controller says of it at once, unless it never comes up; of a pod its kubelet, which has pulled each image.
fn status(cluster: &Cluster, key: &ObjectKey, live: &Value) -> Value {
    let is_ready = !cluster.never_ready.contains(&key.to_string());
    if key.is("", "Pod") {
        let containers = live["spec"]["containers"].as_array().into_iter().flatten().filter(|_| is_ready);
        let pulled = |container: &Value| {
            let image = container["image"].as_str().unwrap_or_default();
            let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
            json!({ "name": container["name"], "imageID": format!("{repository}@{}", digest_of(image)) })
        };
        return json!({ "containerStatuses": containers.map(pulled).collect::<Vec<Value>>() });
    }
    let is = if is_ready { "True" } else { "False" };
    let conditions = ["Established", "Available", "Complete"].map(|name| json!({ "type": name, "status": is }));
    let pods = if is == "True" { live["spec"]["replicas"].as_u64().unwrap_or(1) } else { 0 };
    json!({ "conditions": conditions, "replicas": pods, "updatedReplicas": pods, "availableReplicas": pods })
}

/// What the tag of an image leads to.
pub fn digest_of(image: &str) -> String {
    format!("sha256:{}", Digest::of(image.as_bytes()))
}

pub(super) fn fields_of(object: &Value) -> Value {
    let Value::Object(entries) = object else { return json!({}) };
    let below = |(key, value): (&String, &Value)| (format!("f:{key}"), fields_of(value));
    let is_managed = |(key, _): &(&String, &Value)| {
        !["apiVersion", "kind", "name", "namespace", "uid", "managedFields", "status"].contains(&key.as_str())
    };
    Value::Object(entries.iter().filter(is_managed).map(below).collect())
}

/// Fields of an entry that this object would change; they are taken out of it.
fn contested(fields: &mut Value, object: &Value, live: &Value, path: String, found: &mut impl FnMut(String)) {
    let (Value::Object(fields), Value::Object(object)) = (fields, object) else { return };
    fields.retain(|name, below| {
        let key = name.trim_start_matches("f:");
        let Some(wanted) = object.get(key) else { return true };
        let path = format!("{path}.{key}");
        if below.as_object().is_some_and(|below| !below.is_empty()) {
            contested(below, wanted, &live[key], path, found);
            return below.as_object().is_some_and(|below| !below.is_empty());
        }
        let differs = live[key] != *wanted;
        if differs {
            found(path);
        }
        !differs
    });
}

/// What was applied before and is not any more goes, unless others manage it too.
fn forget(live: &mut Value, before: &Value, object: &Value, others: &[&Value]) {
    for (name, below) in before.as_object().into_iter().flatten() {
        let key = name.trim_start_matches("f:");
        let others: Vec<&Value> = others.iter().filter_map(|fields| fields.get(name)).collect();
        match (object.get(key), live.as_object_mut()) {
            (None, Some(live)) if others.is_empty() => drop(live.remove(key)),
            (Some(object), Some(live)) => live.get_mut(key).into_iter().for_each(|live| forget(live, below, object, &others)),
            _ => {}
        }
    }
}

fn merge(live: &mut Value, object: &Value) {
    match object {
        Value::Object(entries) => {
            if !live.is_object() {
                *live = Value::Object(Map::new());
            }
            entries.iter().for_each(|(key, value)| merge(&mut live[key.as_str()], value));
        }
        value => *live = value.clone(),
    }
}

pub(super) fn delete(cluster: &mut Cluster, key: &ObjectKey, uid: &str, version: Option<&str>) -> Deleted {
    if cluster.manifests.get(key).zip(version).is_some_and(|(live, seen)| seen != version_of(live)) {
        return Deleted::Changed;
    }
    if cluster.manifests.get(key).is_some_and(|live| live["metadata"]["uid"] == uid) {
        cluster.manifests.remove(key);
        let is_within = |inner: &ObjectKey| key.kind == "Namespace" && inner.namespace.as_ref() == Some(&key.name);
        cluster.manifests.retain(|inner, _| !is_within(inner));
    }
    Deleted::Done
}

pub(super) fn within(cluster: &Cluster, key: &ObjectKey, is_emptied: bool) -> Vec<ObjectKey> {
    let of_definition = cluster
        .manifests
        .get(key)
        .map(|live| live["spec"]["names"]["kind"].clone())
        .filter(|_| key.kind == "CustomResourceDefinition");
    let is_within = |inner: &&ObjectKey| match key.kind.as_str() {
        "Namespace" => inner.namespace.as_ref() == Some(&key.name),
        _ => of_definition.as_ref().is_some_and(|kind| *kind == *inner.kind),
    };
    let uids: Vec<&Value> = cluster.manifests.values().map(|live| &live["metadata"]["uid"]).collect();
    let goes = |live: &Value| {
        let owners = live["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        owners.iter().any(|owner| is_emptied || uids.contains(&&owner["uid"]))
    };
    let all = cluster.manifests.iter().filter(|(_, live)| !goes(live)).map(|(key, _)| key);
    all.filter(is_within).cloned().collect()
}

/// Somebody sets a field with another program.
pub fn set_by(cluster: &mut Cluster, key: &str, pointer: &str, value: Value, manager: &str) {
    let live = cluster.manifests.get_mut(&key.parse().unwrap()).unwrap();
    let object = at(pointer, value);
    for entry in live["metadata"]["managedFields"].as_array_mut().unwrap() {
        let before = json!({});
        contested(&mut entry["fieldsV1"], &object, &before, String::new(), &mut |_| {});
    }
    merge(live, &object);
    manage(live, &object, manager);
}

/// Somebody sets a field to what it is already: from then on all of them manage it.
pub fn share(cluster: &mut Cluster, key: &str, pointer: &str, manager: &str) {
    let live = cluster.manifests.get_mut(&key.parse().unwrap()).unwrap();
    let object = at(pointer, live.pointer(pointer).unwrap().clone());
    manage(live, &object, manager);
}

fn at(pointer: &str, value: Value) -> Value {
    let steps: Vec<&str> = pointer.trim_start_matches('/').split('/').collect();
    steps.iter().rev().fold(value, |below, step| json!({ *step: below }))
}

fn manage(live: &mut Value, object: &Value, manager: &str) {
    let entry =
        json!({ "manager": manager, "operation": "Update", "fieldsV1": fields_of(object), "time": "2026-11-21T12:00:00Z" });
    live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
}
