//! The `bundle` object: the credentials of a cluster in the form that passes between resources and that the state keeps. Only
//! here are they values of a configuration; everywhere else they are `Credentials`.

use credentials::{Authority, Credentials, EncryptionKey, Part, Secret, Unlisted};
use schema::{Diagnostic, Field, Type, Value, decode};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The type of `k8s_pki.bundle` and of `k8s_hardway_cluster.pki`.
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

/// A `bundle` as a configuration, a plan or a state has it.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Parts")]
pub struct Given {
    /// The cluster that they were issued for.
    pub cluster_name: Field<String>,
    pub credentials: Credentials,
}

#[derive(Deserialize)]
struct Parts {
    cluster_name: Field<String>,
    certificates: Texts<String>,
    private_keys: Texts<Secret>,
    public_keys: Texts<String>,
    encryption_keys: Texts<Secret>,
}

type Texts<T> = Field<BTreeMap<String, Field<T>>>;

impl From<Parts> for Given {
    fn from(parts: Parts) -> Given {
        let mut credentials = Credentials {
            unlisted: Unlisted {
                certificates: parts.certificates.is_unknown(),
                private_keys: parts.private_keys.is_unknown(),
                public_keys: parts.public_keys.is_unknown(),
                encryption_keys: parts.encryption_keys.is_unknown(),
            },
            private_keys: known(parts.private_keys).collect(),
            public_keys: known(parts.public_keys).collect(),
            // A map has no order but that of its names: the first of them encrypts.
            encryption_keys: known(parts.encryption_keys).map(|(name, secret)| EncryptionKey { name, secret }).collect(),
            ..Credentials::default()
        };
        for (name, pem) in known(parts.certificates) {
            if pki::table::AUTHORITIES.iter().any(|authority| authority.name == name) {
                credentials.authorities.insert(name, pem.map(|text| Authority::parse(&text)));
            } else {
                credentials.certificates.insert(name, pem);
            }
        }
        Given { cluster_name: parts.cluster_name, credentials }
    }
}

fn known<T>(texts: Texts<T>) -> impl Iterator<Item = (String, Part<T>)> {
    let part = |(name, text)| match text {
        Field::Known(text) => Some((name, Part::Known(text))),
        Field::Unknown => Some((name, Part::Unknown)),
        Field::Null => None,
    };
    texts.into_known().into_iter().flatten().filter_map(part)
}

/// What the state has; nothing before the first apply.
pub fn issued(prior: Option<&Value>) -> Result<Credentials, Diagnostic> {
    match prior {
        Some(prior) if !prior.get("bundle").is_null() => Ok(decode::<Given>(prior.get("bundle"))?.credentials),
        _ => Ok(Credentials::default()),
    }
}

/// The object of these credentials.
pub fn to_value(cluster_name: &Value, credentials: &Credentials) -> Value {
    let keys = credentials.encryption_keys.iter().map(|key| (&key.name, key.secret.as_ref()));
    Value::object([
        ("cluster_name", cluster_name.clone()),
        ("certificates", certificates(credentials)),
        ("private_keys", private_keys(credentials)),
        ("public_keys", texts(credentials.public_keys.iter().map(|(name, pem)| (name, pem.as_ref().map(String::as_str))))),
        ("encryption_keys", texts(keys.map(|(name, secret)| (name, secret.map(Secret::reveal))))),
    ])
}

pub fn certificates(credentials: &Credentials) -> Value {
    let names = credentials.authorities.keys().chain(credentials.certificates.keys());
    let pem = |name: &String| credentials.certificate(name).unwrap_or(Part::Unknown);
    Value::Map(names.map(|name| (name.clone(), value(pem(name)))).collect())
}

pub fn private_keys(credentials: &Credentials) -> Value {
    texts(credentials.private_keys.iter().map(|(name, key)| (name, key.as_ref().map(Secret::reveal))))
}

fn texts<'a>(texts: impl Iterator<Item = (&'a String, Part<&'a str>)>) -> Value {
    Value::Map(texts.map(|(name, text)| (name.clone(), value(text))).collect())
}

fn value(part: Part<impl Into<Value>>) -> Value {
    part.known().map_or(Value::Unknown, Into::into)
}
