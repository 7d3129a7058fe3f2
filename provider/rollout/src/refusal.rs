//! Why there is no plan. A refusal names the hosts and the way out; it is the user's to resolve, not a failure of a step.

use bundle::HostName;
use std::fmt;

/// Why a change is not planned, with the hosts and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    QuorumAtRisk {
        host: HostName,
        unavailable: Vec<HostName>,
        /// Their members have no vote.
        learners: Vec<HostName>,
        /// Members that have one.
        voters: usize,
    },
    NoQuorum {
        unavailable: Vec<HostName>,
    },
    IncompleteCluster {
        unavailable: Vec<HostName>,
    },
    HostsJoin {
        hosts: Vec<HostName>,
    },
    HostsLeave {
        hosts: Vec<HostName>,
    },
    NoBackup {
        host: HostName,
        unavailable: Vec<HostName>,
    },
    /// The cluster knows no members of these hosts any more; of `members` it does.
    RemovedMembers {
        removed: Vec<HostName>,
        members: Vec<HostName>,
    },
    /// `hosts` is how many the cluster has; `with_data` answer and have their data.
    EmptyMembers {
        /// As which etcd knows the first of `empty`, if it answered.
        member: Option<u64>,
        empty: Vec<HostName>,
        with_data: Vec<HostName>,
        unavailable: Vec<HostName>,
        hosts: usize,
    },
}

impl Refusal {
    /// What cannot be done, and on which hosts.
    pub fn summary(&self) -> String {
        match self {
            Refusal::QuorumAtRisk { host, unavailable, learners, .. } if unavailable.is_empty() => {
                format!("{host} has to restart, but the etcd member of {} has no vote", names(learners))
            }
            Refusal::QuorumAtRisk { host, unavailable, .. } => {
                format!("{host} has to restart, but {} not answer", does(unavailable))
            }
            Refusal::NoQuorum { .. } => "etcd has no quorum and cannot get one".into(),
            Refusal::IncompleteCluster { unavailable } => format!("{} not answer", does(unavailable)),
            Refusal::HostsJoin { hosts } => format!("{} cannot join", names(hosts)),
            Refusal::HostsLeave { hosts } => format!("{} cannot leave", names(hosts)),
            Refusal::NoBackup { host, unavailable } => format!(
                "{host} has to restart what stands behind the virtual addresses, but {} not answer and cannot take them over",
                does(unavailable)
            ),
            Refusal::RemovedMembers { removed, .. } => {
                format!("etcd of {} was removed from its cluster", names(removed))
            }
            Refusal::EmptyMembers { empty, .. } => {
                format!("etcd of {} is empty, but this cluster has stored data", names(empty))
            }
        }
    }

    /// Why, and the way out.
    pub fn detail(&self) -> String {
        match self {
            Refusal::QuorumAtRisk { unavailable, learners, voters, .. } => {
                let way = |hosts: &[HostName], text: String| if hosts.is_empty() { String::new() } else { text };
                let promote = format!(" Promote the learner of {} (`etcdctl member promote`).", names(learners));
                let bring = format!(" Bring {} back.", names(unavailable));
                format!(
                    "Of {voters} members of etcd that vote, {} have to stay up.{}{} Then apply again.",
                    voters / 2 + 1,
                    way(learners, promote),
                    way(unavailable, bring)
                )
            }
            Refusal::NoQuorum { unavailable } => format!(
                "{} not answer. Bring enough of the hosts back, or restore the cluster from a snapshot.",
                does(unavailable)
            ),
            Refusal::IncompleteCluster { .. } => {
                "The first etcd cluster forms from all of its hosts. Make every host reachable over SSH, then apply again.".into()
            }
            Refusal::HostsJoin { .. } => {
                "The control-plane hosts of an existing cluster do not change yet. Declare the hosts that it was created with."
                    .into()
            }
            Refusal::HostsLeave { .. } => {
                "The control-plane hosts of an existing cluster do not change yet. Declare the hosts that \
                                           it was created with, or destroy the cluster."
                    .into()
            }
            Refusal::NoBackup { unavailable, .. } => {
                format!("Bring {} back, or take it out of the hosts of this load balancer.", names(unavailable))
            }
            Refusal::RemovedMembers { .. } => {
                "Somebody ran `etcdctl member remove`, and a member that was removed does not start again with its data. Add it again as a \
                 new member, without its data."
                    .into()
            }
            Refusal::EmptyMembers { .. } => {
                "An empty member must never start as one of a new cluster. Give it up and add it again, restore its data, or destroy the \
                 cluster and create it again."
                    .into()
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl std::error::Error for Refusal {}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

fn does(hosts: &[HostName]) -> String {
    let verb = if hosts.len() == 1 { "does" } else { "do" };
    format!("{} {verb}", names(hosts))
}
