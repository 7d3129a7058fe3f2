//! etcd as a control-plane host reaches it: who its members are, and how each is. Read as JSON from `etcdctl` on the host, so that
//! neither a route to the hosts' network nor a certificate in the state is needed.

mod client;
mod snapshot;

pub use client::EtcdClient;
pub use snapshot::{Snapshot, SnapshotPlace};

use bundle::HostName;
use machines::MachineError;
use rollout::{Membership, Role};
use std::collections::BTreeMap;

/// A member as the cluster knows it, whether it runs or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: u64,
    /// The name of its host; empty of a member that was added and never started.
    pub name: String,
    /// Where the others reach it, as the cluster remembers it, whatever its own flags say now.
    pub peer_urls: Vec<String>,
    /// It gets every change and has no vote.
    pub is_learner: bool,
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub member: u64,
    /// The member that it takes for the leader; `None` when it knows none.
    pub leader: Option<u64>,
    /// Of the newest entry that it has.
    pub raft_index: u64,
    /// Of the newest entry that it has worked off.
    pub applied_index: u64,
    /// Bytes of its database.
    pub size: u64,
}

/// All members, and the status of those that answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub members: Vec<Member>,
    /// By the id of the member.
    pub statuses: BTreeMap<u64, Status>,
}

#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The text is what the programs said.
    #[error("no snapshot of the etcd member of {host}: {reason}")]
    Snapshot { host: String, reason: String },
    /// The text is what etcdctl said.
    #[error("the etcd member of {host} did not answer: {reason}")]
    NoAnswer { host: String, reason: String },
    #[error("etcdctl of {host} answered with something else than its JSON: {reason}")]
    Unreadable { host: String, reason: String },
}

/// How far a member may be behind and still count. A restarted member of a busy cluster is a few entries behind at any moment; one
/// that has to fetch a snapshot is behind by more than this (`SnapshotCatchUpEntries` of etcd is 5000).
const MOST_ENTRIES_BEHIND: u64 = 5000;

impl Cluster {
    /// Of how many votes the cluster needs to take a write.
    pub fn quorum(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// Those with a vote that know the leader and are not behind.
    pub fn healthy_voters(&self) -> impl Iterator<Item = &Member> {
        self.voters().filter(|member| self.is_healthy(member.id))
    }

    /// Why there is no majority of healthy members, without the one of the host that is named; `None` when there is one.
    pub fn lacks_quorum_without(&self, host: Option<&str>) -> Option<String> {
        let (healthy, others): (Vec<&Member>, Vec<&Member>) =
            self.voters().filter(|member| Some(member.name.as_str()) != host).partition(|member| self.is_healthy(member.id));
        if healthy.len() >= self.quorum() {
            return None;
        }
        let names: Vec<&str> =
            others.iter().map(|member| if member.name.is_empty() { "a new member" } else { &member.name }).collect();
        Some(format!(
            "{} of {} members are healthy{} and {} are needed; not healthy: {}",
            healthy.len(),
            self.voters().count(),
            host.map(|host| format!(" without {host}")).unwrap_or_default(),
            self.quorum(),
            if names.is_empty() { "none".to_string() } else { names.join(", ") }
        ))
    }

    /// It answers, follows the leader that most follow, and has worked off what that one has.
    fn is_healthy(&self, member: u64) -> bool {
        let Some(status) = self.statuses.get(&member) else { return false };
        let newest = self.statuses.values().map(|status| status.raft_index).max().unwrap_or(0);
        status.leader.is_some() && status.leader == self.leader() && status.applied_index + MOST_ENTRIES_BEHIND >= newest
    }

    /// What it says of the member of a host. One that was added and never started has no name yet; others know it by its peer URL.
    pub fn membership(&self, host: &HostName, peer_url: &str) -> Membership {
        let is_own = |member: &&Member| member.name == host.as_str() || member.peer_urls.iter().any(|url| url == peer_url);
        let Some(Member { id, is_learner, .. }) = self.members.iter().find(is_own) else { return Membership::Missing };
        let role = match () {
            () if *is_learner => Role::Learner,
            () if self.leader() == Some(*id) => Role::Leader,
            () => Role::Follower,
        };
        Membership::Member { id: *id, role }
    }

    fn leader(&self) -> Option<u64> {
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        self.statuses.values().filter_map(|status| status.leader).for_each(|leader| *votes.entry(leader).or_default() += 1);
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(leader, _)| leader)
    }

    fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.is_learner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(names: &[&str], healthy: &[u64]) -> Cluster {
        let member = |(id, name): (u64, &&str)| Member { id, name: name.to_string(), peer_urls: vec![], is_learner: false };
        let status = |id: &u64| (*id, Status { member: *id, leader: Some(1), raft_index: 9, applied_index: 9, size: 20480 });
        Cluster { members: (1..).zip(names).map(member).collect(), statuses: healthy.iter().map(status).collect() }
    }

    #[track_caller]
    fn check(cluster: &Cluster, without: Option<&str>, expect: Option<&str>) {
        assert_eq!(cluster.lacks_quorum_without(without).as_deref(), expect);
    }

    #[test]
    fn a_quorum_is_a_majority_of_members_that_are_healthy_now() {
        let names = ["cp-1", "cp-2", "cp-3"];
        check(&cluster(&names, &[1, 2, 3]), None, None);
        check(&cluster(&names, &[1, 2]), None, None);
        check(&cluster(&names, &[2]), None, Some("1 of 3 members are healthy and 2 are needed; not healthy: cp-1, cp-3"));
        check(&cluster(&names, &[1, 2, 3]), Some("cp-2"), None);
        let two_of_three = "1 of 3 members are healthy without cp-2 and 2 are needed; not healthy: cp-3";
        check(&cluster(&names, &[1, 2]), Some("cp-2"), Some(two_of_three));
    }

    #[test]
    fn who_follows_another_leader_is_behind_or_only_learns_does_not_count() {
        let names = ["cp-1", "cp-2", "cp-3"];
        let lacks = "1 of 3 members are healthy without cp-1 and 2 are needed; not healthy: cp-3";
        let mut stray = cluster(&names, &[1, 2, 3]);
        stray.statuses.get_mut(&3).unwrap().leader = Some(3);
        check(&stray, Some("cp-1"), Some(lacks));
        let mut leaderless = cluster(&names, &[1, 2, 3]);
        leaderless.statuses.get_mut(&3).unwrap().leader = None;
        check(&leaderless, Some("cp-1"), Some(lacks));
        let mut behind = cluster(&names, &[1, 2, 3]);
        behind
            .statuses
            .values_mut()
            .filter(|status| status.member != 3)
            .for_each(|status| (status.raft_index, status.applied_index) = (9000, 9000));
        check(&behind, Some("cp-1"), Some(lacks));
        let mut learning = cluster(&["cp-1", "cp-2", "cp-3", "cp-4"], &[1, 2, 3, 4]);
        learning.members[3].is_learner = true;
        assert_eq!(learning.quorum(), 2);
        learning.statuses.remove(&3);
        check(&learning, Some("cp-1"), Some("1 of 3 members are healthy without cp-1 and 2 are needed; not healthy: cp-3"));
    }
}
