//! What a host has, as one read of it reports.

use crate::{Binary, Digest, HostPath, Sysctl, UnitName};
use std::collections::{BTreeMap, BTreeSet};

/// The answer to one question: "of these files, units, modules, sysctls and binaries, what do you have?"
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Files that exist; a path that was asked for and is not here is missing.
    pub files: BTreeMap<HostPath, ObservedFile>,
    pub units: BTreeMap<UnitName, ObservedUnit>,
    /// Loaded or built-in modules, of those asked for.
    pub modules: BTreeSet<String>,
    pub sysctls: BTreeMap<Sysctl, String>,
    pub binaries: BTreeMap<HostPath, ObservedBinary>,
    /// Units that pushes of this owner brought and no removal has taken away since, whether systemd knows them or not.
    pub recorded: BTreeSet<UnitName>,
}

impl Observed {
    /// Whether this program is what was installed at the path, and is there still.
    pub fn has_program(&self, path: &HostPath, binary: &Binary) -> bool {
        self.binaries.get(path).is_some_and(|found| binary.is(found))
    }
}

/// A file as found on a host: mode, owner and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedFile {
    pub mode: u32,
    pub owner: String,
    pub sha256: Digest,
}

/// A systemd unit as found on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedUnit {
    /// systemd's ActiveState: `active`, `activating`, `inactive`, `failed` …
    pub active_state: String,
    pub enabled: bool,
    /// What the unit read when the provider last (re)started it; `None` when it never did.
    pub stamp: Option<Digest>,
    /// Something was written that it reads again by itself, and nobody has seen yet that it did.
    pub unread: bool,
}

impl ObservedUnit {
    /// Whether systemd reports it as active or reloading.
    pub fn is_running(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "reloading")
    }
}

/// An installed program as found on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBinary {
    /// `Binary::identity` of what was installed, while the file on the host is still the one that was installed.
    pub identity: Option<Digest>,
}
