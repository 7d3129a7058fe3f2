//! A systemd unit of a bundle, with what those who start it, restart it and wait for it must know. What each unit is stands in the
//! table of components (crate `render`); nothing here knows one by its name.

use crate::HostPath;
use std::collections::BTreeSet;

/// A systemd unit that the bundle enables and keeps running. Its unit file is one of the bundle's files,
/// `/etc/systemd/system/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Files and binaries whose change makes a restart (or reload) necessary; the unit file always is one of them.
    pub reads: BTreeSet<HostPath>,
    pub on_change: OnChange,
    pub traits: UnitTraits,
    /// A command that succeeds on the host while the program is healthy. `None` where the program has no health endpoint, the user's
    /// flags switched it off, or `Health` names a better witness.
    pub health_check: Option<String>,
}

/// How a running unit takes up what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    Restart,
    /// `systemctl reload`; a change of the unit file itself still restarts.
    Reload,
}

/// What a planner must know of a unit. There is no default: a unit that nobody describes does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitTraits {
    /// Units of a lower tier run, and are healthy, before those of a higher one start. Units stop in the opposite order.
    pub tier: u8,
    /// What a restart does to those who use the cluster.
    pub restart: Disruption,
    pub health: Health,
}

/// How one knows that a unit serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It stays up, and its health URL answers where it has one.
    StaysUp,
    /// The member answers, and knows a leader.
    EtcdMember,
    /// The API server of this host is ready.
    ApiServer,
    /// The host's node is Ready, by a heartbeat of this kubelet.
    Node,
}

/// What a step does to those who use the cluster, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disruption {
    None,
    /// Connections stay; new ones go by the new configuration.
    ReloadsProxy,
    /// Pods go on running.
    RestartsNodeComponent,
    RestartsControlPlaneComponent,
    /// Connections through the virtual address break and have to be opened again.
    MovesVirtualAddress,
    DrainsNode,
    StopsHost,
}
