//! What a state keeps beside its configuration: each applied field, what others have changed, and what was not ready. Pure.

use super::Declaration;
use super::ownership::{Kind, Owner, Versions};
use super::secrets::Secrets;
use objects::{Declared, Fields, ObjectKey};
use schema::{Attribute, Type, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const HOLDER: &str = "holder";
pub const FIELDS: &str = "fields";
pub const SECRET_KEYS: &str = "secret_keys";
pub const DRIFT: &str = "drift";
pub const NOT_READY: &str = "not_ready";
pub const ROLLOUT: &str = "rollout";
const API_VERSION: &str = ".apiVersion";

fn by_object(name: &'static str, of: Type) -> Attribute {
    Attribute::map(name, of).computed().never_null()
}

pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::string(HOLDER).computed().never_null().describe("A random id that each create draws and keeps in the cluster. A state with an older one can no longer change or delete the objects."),
        by_object(FIELDS, Type::map(Type::String)).describe("Every declared field of every object as it was applied, by object and path, such as `.spec.replicas`. A plan names by it what changes. Values of secrets are not in it."),
        by_object(DRIFT, Type::map(Type::String)).describe("What the last refresh found to differ from `fields`, by object and path, with what is there and the field manager that set it. An empty path stands for the whole object. A plan sets it to empty, and the apply restores what was declared."),
        by_object(NOT_READY, Type::String).describe("Objects that did not become ready in time, each with the reason. The next apply waits for them again."),
        Attribute::list(ROLLOUT, Type::String).computed().never_null().describe("What a change does, in its order. A refresh empties it, so that a plan shows its own change only."),
    ]
}

/// Where there are secrets.
pub fn secret_keys_attribute() -> Attribute {
    by_object(SECRET_KEYS, Type::list(Type::String))
        .describe("Keys of the values that were given in `secrets`, by `<namespace>/<name>`.")
}

/// Of an object of which something is not known yet, nothing but that it is there: what comes may be several fields.
pub fn fields_of(declared: &Declaration, values: &Value) -> BTreeMap<ObjectKey, Option<Fields>> {
    let is_sensitive = is_sensitive(values);
    declared.iter().map(|(key, declared)| (key.clone(), fields_of_one(declared, is_sensitive))).collect()
}

pub fn fields_of_one(declared: &Declared, is_sensitive: bool) -> Option<Fields> {
    let shown = |fields: Fields| if is_sensitive { objects::hidden(fields) } else { fields };
    declared.is_known().then(|| shown(declared.fields()))
}

/// Whose the objects of a state are.
pub fn owner(kind: Kind, state: &Value) -> Owner {
    let text = |attribute: &str| state.get(attribute).as_str().unwrap_or_default().to_string();
    Owner { kind, name: text("name"), holder: text(HOLDER) }
}

pub fn is_sensitive(values: &Value) -> bool {
    values.get("sensitive").as_bool() == Some(true)
}

pub fn show_fields(fields: &BTreeMap<ObjectKey, Option<Fields>>) -> Value {
    let shown = |fields: &Option<Fields>| fields.as_ref().map_or(Value::Unknown, texts);
    Value::Map(fields.iter().map(|(key, fields)| (key.to_string(), shown(fields))).collect())
}

pub fn texts(texts: &BTreeMap<String, String>) -> Value {
    Value::Map(texts.iter().map(|(key, text)| (key.clone(), text.as_str().into())).collect())
}

/// Of a state. One that is not known has none.
pub fn fields(state: &Value) -> BTreeMap<ObjectKey, Fields> {
    by_key(state.get(FIELDS), |fields| {
        let fields = fields.as_map().into_iter().flatten();
        fields.filter_map(|(path, text)| Some((path.clone(), text.as_str()?.to_string()))).collect()
    })
}

/// How each object of a state is asked for.
pub fn versions(fields: &BTreeMap<ObjectKey, Fields>) -> Versions {
    fields.iter().filter_map(|(key, fields)| Some((key.clone(), fields.get(API_VERSION)?.clone()))).collect()
}

pub fn drift(state: &Value) -> BTreeMap<ObjectKey, BTreeSet<String>> {
    paths(state.get(DRIFT))
}

/// Of what a refresh has found, by object.
pub fn paths(found: &Value) -> BTreeMap<ObjectKey, BTreeSet<String>> {
    by_key(found, |paths| paths.as_map().into_iter().flatten().map(|(path, _)| path.clone()).collect())
}

pub fn not_ready(state: &Value) -> BTreeMap<ObjectKey, String> {
    by_key(state.get(NOT_READY), |reason| reason.as_str().unwrap_or_default().to_string())
}

pub fn show_not_ready(reasons: &BTreeMap<ObjectKey, String>) -> Value {
    Value::Map(reasons.iter().map(|(key, reason)| (key.to_string(), reason.as_str().into())).collect())
}

pub fn secret_keys(state: &Value) -> BTreeMap<String, Vec<String>> {
    let texts =
        |value: &Value| value.as_list().unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_string).collect();
    state.get(SECRET_KEYS).as_map().into_iter().flatten().map(|(id, keys)| (id.clone(), texts(keys))).collect()
}

/// As a text, also where there is none.
pub fn secrets_version(values: &Value) -> String {
    values.get("secrets_version").as_i64().map(|version| version.to_string()).unwrap_or_default()
}

pub fn show_secret_keys(secrets: &Secrets) -> Value {
    let keys = |values: &BTreeMap<String, String>| Value::List(values.keys().map(|key| key.as_str().into()).collect());
    Value::Map(secrets.iter().map(|(id, values)| (id.clone(), keys(values))).collect())
}

/// Where the schema has it.
pub fn set_of_secrets(values: &mut Value, attribute: &str, value: Value) {
    if values.as_map().is_some_and(|attributes| attributes.contains_key(attribute)) {
        values.set(attribute, value);
    }
}

fn by_key<T>(values: &Value, part: impl Fn(&Value) -> T) -> BTreeMap<ObjectKey, T> {
    let entries = values.as_map().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.parse().ok()?, part(value)))).collect()
}
