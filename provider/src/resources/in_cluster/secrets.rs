//! Values of secrets: given in the configuration alone, and put into the Secrets that are declared without them. Pure.

use super::Declaration;
use super::ownership::FIELD_MANAGER;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::{Declared, UNKNOWN, annotation_by};
use serde_json::Value;
use std::collections::BTreeMap;

/// By `<namespace>/<name>` and key.
pub type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// As the API server wants them.
pub fn add_secrets(declared: &mut Declaration, secrets: &Secrets) {
    objects::with_secrets(declared, secrets, |text| STANDARD.encode(text));
}

/// An annotation of a Secret: with which version of `secrets`, and with which keys, its values were applied last.
pub const GIVEN: &str = "k8s-hardway/secrets";

/// Its text, where values are given. It says nothing of them.
pub fn given(declared: &Declared, version: &str) -> Option<String> {
    let data = declared.object["data"].as_object().filter(|_| declared.key.is("", "Secret"))?;
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    Some(format!("{version}/{}", keys.join(",")))
}

/// Whether what is there was applied last with other values than are given now, as an apply that was cut off leaves them. A Secret of an earlier version does
/// not say it, nor does one that others have copied.
pub fn has_others(declared: &Declared, version: &str, live: &Value) -> bool {
    annotation_by(live, FIELD_MANAGER, GIVEN).is_some_and(|before| given(declared, version).as_deref() != Some(before))
}

/// Values that are only known to have been applied: a refresh looks at who manages them.
pub fn add_secret_keys(declared: &mut Declaration, keys: &BTreeMap<String, Vec<String>>) {
    let unknown = |keys: &Vec<String>| keys.iter().map(|key| (key.clone(), String::new())).collect();
    let secrets = keys.iter().map(|(id, keys)| (id.clone(), unknown(keys))).collect();
    objects::with_secrets(declared, &secrets, |_| UNKNOWN.to_string());
}
