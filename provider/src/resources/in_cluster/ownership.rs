//! Whose an object is: annotations on the object itself say it, so that a lost state, another configuration and what was there before are told apart.

use crate::kubernetes::ObjectRef;
use bundle::Digest;
use objects::{Declared, ObjectKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Under it these resources apply. It is another than that of the cluster's own objects.
pub const FIELD_MANAGER: &str = "k8s-hardway-manifests";
/// The digest of what was declared when the object was last applied.
pub const DECLARED: &str = "k8s-hardway/declared-sha256";

/// Which resource of this floor: two of the same name are not each other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Manifests,
    Addon,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Manifests, Kind::Addon];

    /// As in HCL.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Manifests => "k8s_manifests",
            Kind::Addon => "k8s_addon",
        }
    }

    /// The annotation of an object that is its: name and holder, with a slash between them.
    fn annotation(self) -> &'static str {
        match self {
            Kind::Manifests => "k8s-hardway/manifests",
            Kind::Addon => "k8s-hardway/addon",
        }
    }

    /// What the names of its records in a cluster begin with.
    pub fn record(self) -> &'static str {
        match self {
            Kind::Manifests => "k8s-hardway-manifests",
            Kind::Addon => "k8s-hardway-addon",
        }
    }

    /// Whether an apply looks up which images its objects name, by a pod.
    pub fn pulls_images(self) -> bool {
        self == Kind::Addon
    }
}

/// A resource of this floor, and which entry of a state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub kind: Kind,
    pub name: String,
    /// Drawn by each create, also by one that goes on with what is there.
    pub holder: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's that this provider knows.
    None,
    Ours,
    /// Of the same name, and another entry of a state has it.
    OfAnotherState,
    /// `k8s_manifests.shop`
    Other(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.resource(), self.name)
    }
}

impl Owner {
    fn text(&self) -> String {
        format!("{}/{}", self.name, self.holder)
    }

    pub fn of(&self, live: &Value) -> Ownership {
        let said = |kind: Kind| {
            let (name, holder) = live["metadata"]["annotations"][kind.annotation()].as_str()?.split_once('/')?;
            Some(Owner { kind, name: name.to_string(), holder: holder.to_string() })
        };
        let Some(owner) = Kind::ALL.into_iter().find_map(said) else { return Ownership::None };
        match (owner.kind == self.kind && owner.name == self.name, owner.holder == self.holder) {
            (true, true) => Ownership::Ours,
            (true, false) => Ownership::OfAnotherState,
            (false, _) => Ownership::Other(owner.to_string()),
        }
    }

    /// What is applied: what is declared, or the part of it that is not left to others, with both annotations. Values of secrets do not count for the
    /// digest, which everybody can read.
    pub fn mark(&self, declared: &Declared, part: &Declared) -> Value {
        let mut object = part.object.clone();
        let annotations = &mut object["metadata"]["annotations"];
        annotations[self.kind.annotation()] = json!(self.text());
        annotations[DECLARED] = json!(digest(declared));
        object
    }

    /// The same as nobody's.
    pub fn unmarked(&self, applied: &Value) -> Value {
        let mut object = applied.clone();
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            [self.kind.annotation(), DECLARED].into_iter().for_each(|ours| drop(annotations.remove(ours)));
        }
        object
    }

    /// Whether it was applied as it is declared, by this entry of a state.
    pub fn has_applied(&self, declared: &Declared, live: &Value) -> bool {
        self.of(live) == Ownership::Ours && live["metadata"]["annotations"][DECLARED] == json!(digest(declared))
    }
}

pub fn digest(declared: &Declared) -> String {
    Digest::of(declared.without_values().object.to_string().as_bytes()).to_string()
}

pub fn is_being_deleted(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_null()
}

pub fn uid(live: &Value) -> &str {
    live["metadata"]["uid"].as_str().unwrap_or_default()
}

/// How to ask for each of these.
pub fn refs<'a>(versions: impl IntoIterator<Item = (&'a ObjectKey, &'a String)>) -> Vec<ObjectRef> {
    versions.into_iter().map(|(key, version)| ObjectRef { key: key.clone(), api_version: version.clone() }).collect()
}

/// `a, b and 3 more`
pub fn listed<'a>(keys: impl IntoIterator<Item = &'a ObjectKey>) -> String {
    const SHOWN: usize = 10;
    let all: Vec<String> = keys.into_iter().map(ToString::to_string).collect();
    match all.len().checked_sub(SHOWN) {
        None | Some(0) => all.join(", "),
        Some(more) => format!("{} and {more} more", all[..SHOWN].join(", ")),
    }
}

/// Objects by key, each with the version of the API by which it is asked for.
pub type Versions = BTreeMap<ObjectKey, String>;
pub type Keys = BTreeSet<ObjectKey>;

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declared {
        let object: Value = serde_json::from_str(text).unwrap();
        Declared { key: ObjectKey::of(&object).unwrap(), api_version: "v1".into(), object }
    }

    #[test]
    fn an_object_says_whose_it_is() {
        let owner = Owner { kind: Kind::Manifests, name: "shop".into(), holder: "a".into() };
        let one = declared(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"}}"#);
        let live = owner.mark(&one, &one);
        assert!(owner.of(&live) == Ownership::Ours && owner.has_applied(&one, &live));
        assert_eq!(owner.of(&one.object), Ownership::None);
        let later = Owner { holder: "b".into(), ..owner.clone() };
        assert!(later.of(&live) == Ownership::OfAnotherState && !later.has_applied(&one, &live));
        let other = Owner { name: "blog".into(), ..owner.clone() };
        assert_eq!(other.of(&live), Ownership::Other("k8s_manifests.shop".into()));
        let addon = Owner { kind: Kind::Addon, ..owner.clone() };
        assert_eq!(addon.of(&live), Ownership::Other("k8s_manifests.shop".into()));
        assert_eq!(owner.of(&addon.mark(&one, &one)), Ownership::Other("k8s_addon.shop".into()));
        let changed = declared(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"2"}}"#);
        assert!(!owner.has_applied(&changed, &live));
        assert_eq!(owner.unmarked(&live)["metadata"], json!({ "name": "x", "annotations": {} }));
    }

    #[test]
    fn a_digest_that_everybody_can_read_says_nothing_of_a_secret() {
        let secret = |value: &str| {
            declared(&format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"x"}},"data":{{"a":"{value}"}}}}"#))
        };
        assert_eq!(digest(&secret("1")), digest(&secret("2")));
    }
}
