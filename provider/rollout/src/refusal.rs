//! Why there is no plan. A refusal names the hosts and the way out; it is the user's to resolve, not a failure of a step.

use bundle::HostName;

/// Why a change is not planned, with the hosts and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "{host} has to restart, but {} not answer: of {hosts} control-plane hosts {} have to stay up; bring {} back, then apply again",
        does(.unavailable),
        .hosts / 2 + 1,
        names(.unavailable)
    )]
    QuorumAtRisk { host: HostName, unavailable: Vec<HostName>, hosts: usize },
    #[error(
        "etcd has no quorum and cannot get one: {} not answer; bring enough of the hosts back, or restore the cluster from a snapshot",
        does(.unavailable)
    )]
    NoQuorum { unavailable: Vec<HostName> },
    #[error(
        "{} not answer: the first etcd cluster forms from all of its hosts; make every host reachable over SSH, then apply again",
        does(.unavailable)
    )]
    IncompleteCluster { unavailable: Vec<HostName> },
    #[error(
        "{} cannot join: the control-plane hosts of an existing cluster do not change yet; declare the hosts that it was created with",
        names(.hosts)
    )]
    HostsJoin { hosts: Vec<HostName> },
    #[error(
        "{} cannot leave: the control-plane hosts of an existing cluster do not change yet; declare the hosts that it was created with, or destroy the cluster",
        names(.hosts)
    )]
    HostsLeave { hosts: Vec<HostName> },
    #[error(
        "{host} has to restart what stands behind the virtual addresses, but {} not answer and cannot take them over; bring {} back, or take it out of the hosts of this load balancer",
        does(.unavailable),
        names(.unavailable)
    )]
    NoBackup { host: HostName, unavailable: Vec<HostName> },
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

fn does(hosts: &[HostName]) -> String {
    let verb = if hosts.len() == 1 { "does" } else { "do" };
    format!("{} {verb}", names(hosts))
}
