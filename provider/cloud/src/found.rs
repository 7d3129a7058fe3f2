//! An object as the cloud shows it.

use crate::{Kind, OBJECT_TAG, ObjectKey};
use std::collections::BTreeMap;
use std::fmt;

/// The first word of settings of a target group: an Auto Scaling group that is attached to it.
pub const AUTOSCALING_GROUP: &str = "autoscaling_group";
/// An instance of an attached group, found and never declared.
pub const AUTOSCALING_INSTANCE: &str = "autoscaling_instance";

/// An object as it exists on AWS: its id, settings, outputs and tags.
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
    pub origin: Origin,
    /// Of a target group.
    pub health: Option<Health>,
}

/// How many of the targets are healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub healthy: usize,
    pub targets: usize,
}

/// What AWS itself shows of who made an object: tags are copied with it, this is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A call of this provider.
    Ours,
    /// Another call: it has its tags from the object that it was copied from.
    Copied,
    /// Nothing shows it.
    Untold,
}

/// Whether others can use the object yet.
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

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.healthy, self.targets)
    }
}

impl Found {
    /// An object without settings or tags, ready.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Found {
            kind,
            id: id.into(),
            settings: BTreeMap::new(),
            outputs: BTreeMap::new(),
            readiness: Readiness::Ready,
            origin: Origin::Untold,
            health: None,
        }
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.settings.get(&format!("tag {key}")).map(String::as_str)
    }

    /// What stays of a setting that nobody declared, since it is neither ours nor a stranger's: a rule that Kubernetes made, the
    /// port under which an attached Auto Scaling group registers an instance of its own.
    pub fn kept<'a>(&'a self, key: &str, value: &'a str) -> Option<&'a str> {
        if self.kind.is_kubernetes(key, value) {
            return Some(value);
        }
        let instance = key.strip_prefix("target ")?;
        self.settings.get(&format!("{AUTOSCALING_INSTANCE} {instance}"))?;
        let port = self.settings.get("port")?;
        value.split(',').any(|other| other == port).then_some(port)
    }

    /// The resource that it belongs to (`k8s_vpc/demo`) and what it is there, by its tag.
    pub fn owned(&self) -> Option<(&str, ObjectKey)> {
        let (owner, key) = self.tag(OBJECT_TAG)?.split_once(' ')?;
        let key: ObjectKey = key.parse().ok()?;
        (key.kind == self.kind).then_some((owner, key))
    }
}
