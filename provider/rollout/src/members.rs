//! Members of etcd that have lost their data. An empty member starts as one of a new cluster: while a peer answers, etcd refuses it;
//! when none does, several of them found a second, empty cluster.

use crate::{HostState, Refusal};

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
    Err(Refusal::EmptyMembers {
        empty,
        with_data: names(&|host| host.answers() && host.etcd_data == EtcdData::Present),
        unavailable: names(&|host| !host.answers()),
        hosts: hosts.len(),
    })
}

/// By the record of any host; or because the state knows hosts of which none has a record any more: they were installed again, since
/// a create that was cut off leaves at least one.
fn has_held_data(hosts: &[HostState]) -> bool {
    let mut known = hosts.iter().filter(|host| host.in_state && host.answers()).peekable();
    let all_lost = known.peek().is_some() && known.all(|host| host.history == History::Missing);
    all_lost || hosts.iter().any(|host| host.history == History::Served)
}
