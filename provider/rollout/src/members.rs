//! Members of etcd that have lost their data. An empty member starts as one of a new cluster: while a peer answers, etcd refuses it;
//! when none does, several of them found a second, empty cluster.

use crate::{HostState, Refusal};
use bundle::{Health, HostName};

/// What etcd says of the member of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Nobody asked, as in a plan that reaches no host; or no member with a quorum behind it answered.
    #[default]
    Unknown,
    /// The cluster has no member of this host.
    Missing,
    Member {
        id: u64,
        role: Role,
    },
}

/// What a member does in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader,
    Follower,
    /// It gets every change and has no vote.
    Learner,
}

impl Membership {
    pub(crate) fn leads(self) -> bool {
        matches!(self, Membership::Member { role: Role::Leader, .. })
    }

    pub(crate) fn is_learner(self) -> bool {
        matches!(self, Membership::Member { role: Role::Learner, .. })
    }

    fn id(self) -> Option<u64> {
        match self {
            Membership::Member { id, .. } => Some(id),
            Membership::Unknown | Membership::Missing => None,
        }
    }
}

/// What is in the data directory of a host's etcd member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EtcdData {
    /// Nobody asked, as in a plan that reaches no host.
    #[default]
    Unknown,
    Absent,
    /// Absent, and the host was prepared to join the members that there are: it cannot found a cluster.
    Joining,
    Present,
}

/// What the record on a host says of the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    #[default]
    Unknown,
    /// There is no record: nothing was pushed to it, or all of it is gone.
    Missing,
    /// Something was pushed; no API server of this host ever came up, so that it stored nothing in etcd.
    Begun,
    /// An older version wrote the record, which knows a start by the stamp only, and stamps are withdrawn: one may have come up.
    Unrecorded,
    /// An API server came up at least once.
    Served,
}

/// Refuses to start an empty member of a cluster that has held data.
pub(crate) fn refuse_empty(hosts: &[HostState]) -> Result<(), Refusal> {
    let names = |matches: &dyn Fn(&&HostState) -> bool| -> Vec<_> {
        hosts.iter().filter(|host| !host.leaves()).filter(matches).map(|host| host.name.clone()).collect()
    };
    let empty = names(&|host| host.answers() && host.etcd_data == EtcdData::Absent);
    if empty.is_empty() || !has_held_data(hosts) {
        return Ok(());
    }
    let first = hosts.iter().find(|host| Some(&host.name) == empty.first());
    Err(Refusal::EmptyMembers {
        member: first.and_then(|host| host.membership.id()),
        empty,
        with_data: names(&|host| host.answers() && host.etcd_data == EtcdData::Present),
        unavailable: names(&|host| !host.answers()),
        hosts: hosts.len(),
    })
}

/// Refuses to start members that were removed from the cluster: etcd ends again at once.
pub(crate) fn refuse_removed(hosts: &[HostState]) -> Result<(), Refusal> {
    let is_removed = |host: &&HostState| {
        let runs = host.units_with(Health::EtcdMember).any(|unit| host.runs(unit));
        host.answers() && !runs && host.membership == Membership::Missing && host.etcd_data == EtcdData::Present
    };
    let removed: Vec<HostName> = hosts.iter().filter(is_removed).map(|host| host.name.clone()).collect();
    let members =
        hosts.iter().filter(|host| host.answers() && host.membership.id().is_some()).map(|host| host.name.clone()).collect();
    if removed.is_empty() { Ok(()) } else { Err(Refusal::RemovedMembers { removed, members }) }
}

/// By the record of any host; or because the state knows hosts of which none has a record any more: they were installed again, since
/// a create that was cut off leaves at least one.
fn has_held_data(hosts: &[HostState]) -> bool {
    let mut known = hosts.iter().filter(|host| host.in_state && host.answers()).peekable();
    let all_lost = known.peek().is_some() && known.all(|host| host.history == History::Missing);
    let has_served = |host: &HostState| match host.history {
        History::Served => true,
        // A create that was killed leaves such a record too, and no state.
        History::Unrecorded => host.in_state,
        History::Unknown | History::Missing | History::Begun => false,
    };
    all_lost || hosts.iter().any(has_served)
}
