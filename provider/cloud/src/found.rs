//! An object as the cloud shows it.

use crate::{Kind, OBJECT_TAG, ObjectKey};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// What the cloud calls it; for a record `zone/name/type`.
    pub id: String,
    /// The same keys as in a declared object, with ids in the place of references. All tags, as `tag <key>`.
    pub settings: BTreeMap<String, String>,
    /// What others refer to: `ipv6_cidr`, `public_ip`, `dns_name`…
    pub outputs: BTreeMap<String, String>,
    pub readiness: Readiness,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Being made: what depends on it has to wait.
    Pending,
    /// Being deleted: it does not count as there, but what it hangs on cannot go yet.
    Leaving,
    /// It will not become ready; the reason is the cloud's.
    Failed(String),
}

impl Found {
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Found { kind, id: id.into(), settings: BTreeMap::new(), outputs: BTreeMap::new(), readiness: Readiness::Ready }
    }

    pub fn tag(&self, key: &str) -> Option<&str> {
        self.settings.get(&format!("tag {key}")).map(String::as_str)
    }

    /// The resource that it belongs to (`k8s_vpc/demo`) and what it is there, by its tag.
    pub fn owned(&self) -> Option<(&str, ObjectKey)> {
        let (owner, key) = self.tag(OBJECT_TAG)?.split_once(' ')?;
        let key: ObjectKey = key.parse().ok()?;
        (key.kind == self.kind).then_some((owner, key))
    }
}
