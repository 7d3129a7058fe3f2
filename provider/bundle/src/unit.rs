//! A systemd unit of a bundle, with what those who start it, restart it and wait for it must know. What each unit is stands in the
//! table of components (crate `render`); nothing here knows one by its name.

use crate::HostPath;
use std::collections::BTreeMap;

/// A systemd unit that the bundle enables and keeps running. Its unit file is one of the bundle's files,
/// `/etc/systemd/system/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Files and binaries that it reads, each with what its change needs; the unit file always is one of them.
    pub reads: BTreeMap<HostPath, OnChange>,
    pub traits: UnitTraits,
    /// Certificates that it serves, each with a command that prints the one that is served now, in PEM, on the host. Those that it
    /// reads again by itself are taken up when the two are the same.
    pub serves: BTreeMap<HostPath, String>,
    /// A command that succeeds on the host while the program is healthy. `None` where the program has no health endpoint, the user's
    /// flags switched it off, or `Health` names a better witness.
    pub health_check: Option<String>,
    /// How the program checks what it reads, on the host, before the unit is touched. `None` where it cannot without serving.
    pub check: Option<Check>,
}

/// A command by which a program reads its flags and files, says what is wrong with them, and ends before it does anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// For a POSIX shell, as root. It succeeds when the program takes what it read.
    pub command: String,
    /// Where the command cannot succeed: what it says when it got past everything that it reads.
    pub got_past: Option<&'static str>,
}

impl Unit {
    /// What its stamp is made of: all that it reads, but for what it reads again by itself.
    pub fn stamped(&self) -> impl Iterator<Item = &HostPath> {
        self.reads.iter().filter(|(_, on_change)| **on_change != OnChange::ReadAgain).map(|(path, _)| path)
    }
}

/// What a running unit needs when a file that it reads changes, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnChange {
    /// Nothing: the program reads the file again by itself. Such a file is not part of the unit's stamp.
    ReadAgain,
    /// `systemctl reload`.
    Reload,
    Restart,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
