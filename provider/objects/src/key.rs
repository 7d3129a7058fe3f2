//! By what an object is known in plans, states and errors: `Deployment.apps/shop/web`.

use crate::phase::{CUSTOM_RESOURCE_DEFINITION, NAMESPACE};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Kind and group, namespace, and name. The version of the API is no part of it: one object is served in several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `Deployment`
    pub kind: String,
    /// `apps`; empty for the core group.
    pub group: String,
    /// `None` for what belongs to no namespace, or names none.
    pub namespace: Option<String>,
    pub name: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} names no object")]
pub struct NoKey(String);

impl ObjectKey {
    /// `None` where kind, version or name is no text.
    pub fn of(object: &Value) -> Option<ObjectKey> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_string);
        let api_version = text("/apiVersion")?;
        Some(ObjectKey {
            kind: text("/kind")?,
            group: group(&api_version).to_string(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name")?,
        })
    }

    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    pub fn is_namespace(&self) -> bool {
        self.is(NAMESPACE.0, NAMESPACE.1)
    }

    /// Of custom resources.
    pub fn is_definition(&self) -> bool {
        self.is(CUSTOM_RESOURCE_DEFINITION.0, CUSTOM_RESOURCE_DEFINITION.1)
    }
}

/// Of `apps/v1`; empty for the core group, whose version is `v1`.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, "/{namespace}")?;
        }
        write!(f, "/{}", self.name)
    }
}

impl FromStr for ObjectKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<ObjectKey, NoKey> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match *parts.as_slice() {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(NoKey(text.to_string())),
        };
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        if kind.is_empty() || name.is_empty() || namespace.is_some_and(str::is_empty) {
            return Err(NoKey(text.to_string()));
        }
        Ok(ObjectKey { kind: kind.into(), group: group.into(), namespace: namespace.map(str::to_string), name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(object: Value, expect: &str) {
        let key = ObjectKey::of(&object).unwrap();
        assert_eq!(key.to_string(), expect);
        assert_eq!(expect.parse(), Ok(key));
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        let named = |api: &str, kind: &str, metadata: Value| json!({ "apiVersion": api, "kind": kind, "metadata": metadata });
        check(named("v1", "Namespace", json!({ "name": "shop" })), "Namespace/shop");
        check(named("v1", "ConfigMap", json!({ "name": "a.b", "namespace": "shop" })), "ConfigMap/shop/a.b");
        check(named("apps/v1", "Deployment", json!({ "name": "web", "namespace": "shop" })), "Deployment.apps/shop/web");
        let role = json!({ "name": "system:metrics" });
        check(named("rbac.authorization.k8s.io/v1", "ClusterRole", role), "ClusterRole.rbac.authorization.k8s.io/system:metrics");
        for wrong in ["", "web", "/web", "Deployment/", "Deployment//web", "a/b/c/d"] {
            assert_eq!(wrong.parse::<ObjectKey>(), Err(NoKey(wrong.into())));
        }
    }
}
