//! Encryption of secrets at rest. The first key encrypts, every key decrypts, and what was stored in the clear stays readable
//! until it is written again.

use crate::spec::RenderError;
use crate::yaml::to_yaml;
use bundle::File;
use credentials::{Credentials, Secret};
use serde_json::{Value, json};

pub(super) const PATH: &str = "/etc/kubernetes/encryption.yaml";

pub(super) fn file(credentials: &Credentials) -> Result<File, RenderError> {
    let keys = credentials.all_encryption_keys().known();
    if keys.as_ref().is_some_and(Vec::is_empty) {
        return Err(RenderError::MissingEncryptionKey);
    }
    let text = |keys: Vec<(&str, &Secret)>| configuration(keys.into_iter().map(|(name, secret)| (name, secret.reveal())));
    Ok(File::private(keys.map(text)))
}

/// Name and secret of each key; the first one encrypts.
pub(super) fn configuration<'a>(keys: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let keys: Vec<Value> = keys.map(|(name, secret)| json!({ "name": name, "secret": secret })).collect();
    to_yaml(&json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{
            "resources": ["secrets"],
            "providers": [{ "secretbox": { "keys": keys } }, { "identity": {} }],
        }],
    }))
}
