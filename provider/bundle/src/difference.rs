//! Compares a manifest with what a host has. A difference is a fact; its `Display` is what a user reads as drift, and nothing reads that
//! back: a state keeps [`Finding`]s.

use crate::manifest::ManifestFile;
use crate::{HostPath, Manifest, Observed, ObservedFile, Sysctl, TaintKey, UnitName};
use std::fmt;

mod finding;

pub use finding::Finding;

/// One item that is not as declared: `item` names it, `what` says how it differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    pub item: Item,
    pub what: What,
}

/// What on a host a difference is about, as a user would name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    File(HostPath),
    Binary(HostPath),
    Unit(UnitName),
    Module(String),
    Sysctl(Sysctl),
    /// The host's node in its cluster.
    Node,
    /// The kubelet that runs there, by its version.
    Kubelet,
    /// A label of the node, by its key.
    Label(String),
    /// An annotation of the node, by its key.
    Annotation(String),
    /// A taint of the node.
    Taint(TaintKey),
    /// The id by which a cloud knows the node's machine.
    ProviderId,
}

/// How an item differs from what is declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A file, a sysctl, a label, an annotation, a taint or a provider id that is not there.
    Missing,
    /// A file: at least one of the three.
    File {
        content: bool,
        mode: Option<Instead>,
        owner: Option<Instead>,
    },
    /// A binary that is not there.
    NotInstalled,
    /// A binary that is not the one that was installed.
    Replaced,
    /// systemd does not know the unit.
    UnknownToSystemd,
    /// The unit's `ActiveState`, which is none of a running unit.
    NotRunning(String),
    NotEnabled,
    /// The unit's stamp is not that of what it should read.
    OlderConfiguration,
    /// The unit has no stamp: it was started, and nobody saw it healthy, or read again what it should.
    Unproven,
    /// Something was written that the unit reads again by itself; whether it has is not known.
    Unread,
    /// A kernel module.
    NotLoaded,
    /// A sysctl, or the version of a kubelet.
    Value(Instead),
    /// A label, an annotation, a taint or a provider id with another value. Neither value is kept, for a configuration may mark them as sensitive.
    OtherValue,
    /// A label, an annotation, a taint or a unit that was declared once and is there still.
    NoLongerDeclared,
    /// The API server knows no such node.
    NotRegistered,
    /// The node takes no new pods, because an apply that ended early left it so.
    LeftCordoned,
}

/// A value that was found, and the one that is declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instead {
    pub found: String,
    pub declared: String,
}

impl Item {
    /// The path of a file or a binary.
    pub fn path(&self) -> Option<&HostPath> {
        match self {
            Item::File(path) | Item::Binary(path) => Some(path),
            _ => None,
        }
    }

    /// Whether the API server says it, not the host.
    pub fn is_of_node(&self) -> bool {
        matches!(self, Item::Node | Item::Kubelet) || self.is_of_node_object()
    }

    /// Whether it is a part of the node's object that is declared.
    pub fn is_of_node_object(&self) -> bool {
        matches!(self, Item::Label(_) | Item::Annotation(_) | Item::Taint(_) | Item::ProviderId)
    }
}

impl Difference {
    /// Whether a unit has to go.
    pub fn retires_a_unit(&self) -> bool {
        matches!(self.item, Item::Unit(_)) && self.what == What::NoLongerDeclared
    }

    /// Whether it can be repaired without the host.
    pub fn is_set_by_api(&self) -> bool {
        self.item.is_of_node_object() || self.what == What::LeftCordoned
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::File(path) | Item::Binary(path) => write!(f, "{path}"),
            Item::Unit(name) => write!(f, "{name}"),
            Item::Module(name) => write!(f, "module {name}"),
            Item::Sysctl(key) => write!(f, "sysctl {key}"),
            Item::Node => f.write_str("node"),
            Item::Kubelet => f.write_str("kubelet"),
            Item::Label(key) => write!(f, "label {key}"),
            Item::Annotation(key) => write!(f, "annotation {key}"),
            Item::Taint(key) => write!(f, "taint {key}"),
            Item::ProviderId => f.write_str("provider id"),
        }
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {}", self.found, self.declared)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Missing => f.write_str("missing"),
            What::File { content, mode, owner } => {
                let parts = [
                    content.then(|| "content differs".to_string()),
                    mode.as_ref().map(|mode| format!("mode {mode}")),
                    owner.as_ref().map(|owner| format!("owner {owner}")),
                ];
                f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            What::NotInstalled => f.write_str("not installed"),
            What::Replaced => f.write_str("not the program that was installed"),
            What::UnknownToSystemd => f.write_str("unknown to systemd"),
            What::NotRunning(state) => write!(f, "{state}, not running"),
            What::NotEnabled => f.write_str("not enabled at boot"),
            What::OlderConfiguration => f.write_str("runs with an older configuration"),
            What::Unproven => f.write_str("not seen healthy with its configuration"),
            What::Unread => f.write_str("not yet seen to read its new files"),
            What::NotLoaded => f.write_str("not loaded"),
            What::Value(instead) => write!(f, "{instead}"),
            What::OtherValue => f.write_str("not the declared value"),
            What::NoLongerDeclared => f.write_str("no longer declared"),
            What::NotRegistered => f.write_str("not registered"),
            What::LeftCordoned => f.write_str("left cordoned by an apply that ended early"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item, self.what)
    }
}

/// What differs, in the order of the items' names. Empty exactly when the host has everything that the manifest names.
pub fn differences(manifest: &Manifest, observed: &Observed) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut add = |item: Item, what: What| all.push(Difference { item, what });
    for (path, file) in &manifest.files {
        if let Some(what) = file_difference(file, observed.files.get(path)) {
            add(Item::File(path.clone()), what);
        }
    }
    for (path, identity) in &manifest.binaries {
        match observed.binaries.get(path) {
            None => add(Item::Binary(path.clone()), What::NotInstalled),
            Some(binary) if identity.is_none() || binary.identity != *identity => add(Item::Binary(path.clone()), What::Replaced),
            Some(_) => {}
        }
    }
    for (name, stamp) in &manifest.units {
        let what = match observed.units.get(name) {
            None => What::UnknownToSystemd,
            Some(unit) if !unit.is_running() => What::NotRunning(unit.active_state.clone()),
            Some(unit) if !unit.enabled => What::NotEnabled,
            Some(unit) if stamp.is_some() && unit.stamp.is_none() => What::Unproven,
            Some(unit) if stamp.is_none() || unit.stamp != *stamp => What::OlderConfiguration,
            Some(unit) if unit.unread => What::Unread,
            Some(_) => continue,
        };
        add(Item::Unit(name.clone()), what);
    }
    for module in manifest.modules.difference(&observed.modules) {
        add(Item::Module(module.clone()), What::NotLoaded);
    }
    for (key, value) in &manifest.sysctls {
        match observed.sysctls.get(key) {
            None => add(Item::Sysctl(key.clone()), What::Missing),
            Some(actual) if actual != value => {
                let instead = Instead { found: actual.clone(), declared: value.clone() };
                add(Item::Sysctl(key.clone()), What::Value(instead));
            }
            Some(_) => {}
        }
    }
    all.sort_by_cached_key(|difference| difference.item.to_string());
    all
}

fn file_difference(file: &ManifestFile, observed: Option<&ObservedFile>) -> Option<What> {
    let Some(observed) = observed else { return Some(What::Missing) };
    let instead = |found: String, declared: String| (found != declared).then_some(Instead { found, declared });
    let content = file.sha256.as_ref() != Some(&observed.sha256);
    let mode = instead(format!("{:04o}", observed.mode), format!("{:04o}", file.mode));
    let owner = instead(observed.owner.clone(), file.owner.clone());
    (content || mode.is_some() || owner.is_some()).then_some(What::File { content, mode, owner })
}

#[cfg(test)]
mod tests;
