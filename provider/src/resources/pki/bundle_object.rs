//! The `bundle` object: everything that was issued, in the form that passes between resources and that the state keeps.

use pki::{Credentials, PrivatePem, Secret};
use render::spec::Texts;
use schema::{Diagnostic, Field, Type, Value, decode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was issued, as the state keeps it.
#[derive(Serialize, Deserialize)]
pub struct Issued {
    pub bundle: BundleObject,
}

/// The object that `k8s_hardway_cluster.pki` takes. One shape for both sides.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct BundleObject {
    pub cluster_name: String,
    pub certificates: BTreeMap<String, String>,
    pub private_keys: BTreeMap<String, String>,
    pub public_keys: BTreeMap<String, String>,
    pub encryption_keys: BTreeMap<String, String>,
}

/// `BundleObject` as a configuration gives it: each part known, or not yet.
#[derive(Deserialize)]
pub struct Given {
    pub certificates: Parts,
    pub private_keys: Parts,
    pub public_keys: Parts,
    pub encryption_keys: Parts,
}

/// PEM, or the text of a key, by name.
pub type Parts = Field<BTreeMap<String, Field<String>>>;

impl Given {
    /// A part that is unknown is known after apply.
    pub fn credentials(&self) -> render::Credentials {
        let texts = |parts: &Parts| match parts {
            Field::Unknown => Texts::Unknown,
            Field::Null => Texts::default(),
            Field::Known(parts) => {
                let given = parts.iter().filter(|(_, part)| !part.is_null());
                Texts::Named(given.map(|(name, part)| (name.clone(), part.known().cloned())).collect())
            }
        };
        render::Credentials {
            certificates: texts(&self.certificates),
            private_keys: texts(&self.private_keys),
            public_keys: texts(&self.public_keys),
            encryption_keys: texts(&self.encryption_keys),
        }
    }
}

impl BundleObject {
    pub fn value_type() -> Type {
        let map = || Type::map(Type::String);
        Type::object([
            ("cluster_name", Type::String),
            ("certificates", map()),
            ("private_keys", map()),
            ("public_keys", map()),
            ("encryption_keys", map()),
        ])
    }
}

impl BundleObject {
    pub fn new(cluster_name: &str, credentials: Credentials) -> Self {
        BundleObject {
            cluster_name: cluster_name.to_string(),
            certificates: credentials.certificates,
            private_keys: credentials.private_keys.into_iter().map(|(name, key)| (name, key.expose().to_string())).collect(),
            public_keys: credentials.public_keys,
            encryption_keys: credentials
                .encryption_keys
                .into_iter()
                .map(|(name, key)| (name, key.expose().to_string()))
                .collect(),
        }
    }
}

impl From<BundleObject> for Credentials {
    fn from(object: BundleObject) -> Credentials {
        Credentials {
            certificates: object.certificates,
            private_keys: object.private_keys.into_iter().map(|(name, key)| (name, PrivatePem::new(key))).collect(),
            public_keys: object.public_keys,
            encryption_keys: object.encryption_keys.into_iter().map(|(name, key)| (name, Secret::new(key))).collect(),
        }
    }
}

/// What the state has; nothing before the first apply.
pub fn issued(prior: Option<&Value>) -> Result<Issued, Diagnostic> {
    match prior {
        Some(prior) if !prior.get("bundle").is_null() => decode(prior),
        _ => Ok(Issued { bundle: BundleObject::default() }),
    }
}
