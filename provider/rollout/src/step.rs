//! One step of a plan, and the sentence by which a user knows it.

use crate::Cause;
use crate::wording::{condition, node_text, push_text, unit_text};
use bundle::{Difference, Disruption, HostName, Item, UnitName, What};
use std::fmt;

/// One thing that an apply does on a host or in the cluster. `Display` is the line that the user sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Writes what differs; no unit is touched. Whoever runs it writes unit files last and reloads systemd's own configuration.
    Push {
        host: HostName,
        differences: Vec<Difference>,
    },
    /// Steps that may run at the same time.
    Parallel(Vec<Step>),
    /// Enables units and starts them.
    Start {
        host: HostName,
        units: Vec<UnitName>,
        because: Vec<Cause>,
    },
    Restart {
        host: HostName,
        units: Vec<UnitName>,
        because: Vec<Cause>,
        /// By the worst of the units.
        disrupts: Disruption,
    },
    Reload {
        host: HostName,
        units: Vec<UnitName>,
        because: Vec<Cause>,
    },
    /// Stops units in the given order.
    Stop {
        host: HostName,
        units: Vec<UnitName>,
    },
    /// Waits until it holds, up to a bound; `host` is the one it is about.
    Gate {
        host: Option<HostName>,
        gate: Gate,
    },
    /// The virtual addresses leave this host for another. Nothing happens when it does not hold them.
    HandOver {
        host: HostName,
    },
    /// No new pod is scheduled to the node.
    Cordon {
        host: HostName,
    },
    /// Its pods move to other nodes, and it gets no new ones.
    Drain {
        host: HostName,
        /// `None`: it leaves.
        because: Option<Cause>,
    },
    /// Pods are scheduled on the node again.
    Uncordon {
        host: HostName,
    },
    DeleteNode {
        host: HostName,
    },
    /// Changes these labels, annotations and taints of the node, and no other. It needs no connection to the host.
    AmendNode {
        host: HostName,
        differences: Vec<Difference>,
    },
    /// A bootstrap token, and the kubeconfig with it, so that the kubelet may ask for its certificate.
    Join {
        host: HostName,
    },
    /// Objects in the cluster, by server-side apply.
    ApplyObjects {
        /// `the cluster's own`
        whose: &'static str,
    },
    /// By the first member that answers, on its host; one that has just been started is waited for.
    SnapshotEtcd,
    /// Deletes what was pushed and what the components made.
    Remove {
        host: HostName,
    },
}

/// What must hold before the next step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Each of them stays up, and answers to health checks where it has an endpoint for them.
    UnitsHealthy {
        host: HostName,
        units: Vec<UnitName>,
    },
    /// Units that read certificates again by themselves serve those that their files hold.
    CertificatesServed {
        host: HostName,
        units: Vec<UnitName>,
    },
    EtcdQuorum,
    EtcdMemberHealthy {
        host: HostName,
    },
    /// The healthy members on other hosts are a quorum by themselves.
    QuorumWithout {
        host: HostName,
    },
    ApiServerReady {
        host: HostName,
    },
    NodeReady {
        host: HostName,
    },
    /// So many of the other nodes are not Ready that `restarting` more are `max_unavailable` at most; and where one is not, another stays.
    OthersReady {
        host: HostName,
        restarting: usize,
        max_unavailable: usize,
    },
    VirtualAddressServed,
    /// One of the hosts holds the controller's lease, and renews it. This one was changed last: until then it is not seen healthy.
    ControllerLeads {
        host: HostName,
    },
}

/// Whether that many nodes may go down, of which so many others are Ready and are not.
pub fn may_restart(restarting: usize, max_unavailable: usize, others_up: usize, others_down: usize) -> bool {
    others_down + restarting <= max_unavailable && (others_down == 0 || others_up >= restarting)
}

impl Gate {
    /// The same about another host.
    fn on(&self, host: &HostName) -> Gate {
        let host = host.clone();
        match self {
            Gate::UnitsHealthy { units, .. } => Gate::UnitsHealthy { host, units: units.clone() },
            Gate::CertificatesServed { units, .. } => Gate::CertificatesServed { host, units: units.clone() },
            Gate::EtcdMemberHealthy { .. } => Gate::EtcdMemberHealthy { host },
            Gate::QuorumWithout { .. } => Gate::QuorumWithout { host },
            Gate::ApiServerReady { .. } => Gate::ApiServerReady { host },
            Gate::NodeReady { .. } => Gate::NodeReady { host },
            Gate::OthersReady { restarting, max_unavailable, .. } => {
                Gate::OthersReady { host, restarting: *restarting, max_unavailable: *max_unavailable }
            }
            Gate::ControllerLeads { .. } => Gate::ControllerLeads { host },
            Gate::EtcdQuorum | Gate::VirtualAddressServed => self.clone(),
        }
    }
}

/// What a step does to those who use the cluster; of parallel steps, the worst.
pub fn disruption(step: &Step) -> Disruption {
    match step {
        Step::Parallel(steps) => steps.iter().map(disruption).max().unwrap_or(Disruption::None),
        Step::Restart { disrupts, .. } => *disrupts,
        Step::Reload { .. } => Disruption::ReloadsProxy,
        Step::HandOver { .. } => Disruption::MovesVirtualAddress,
        Step::Drain { .. } => Disruption::DrainsNode,
        Step::AmendNode { differences, .. } if differences.iter().any(evicts) => Disruption::DrainsNode,
        Step::Stop { .. } | Step::Remove { .. } | Step::DeleteNode { .. } => Disruption::StopsHost,
        Step::Push { differences, .. } if differences.iter().any(Difference::retires_a_unit) => Disruption::RestartsNodeComponent,
        Step::Push { .. }
        | Step::Start { .. }
        | Step::Gate { .. }
        | Step::Cordon { .. }
        | Step::Uncordon { .. }
        | Step::AmendNode { .. }
        | Step::Join { .. }
        | Step::ApplyObjects { .. }
        | Step::SnapshotEtcd => Disruption::None,
    }
}

/// A taint that comes, or comes with another value, ends the pods that do not tolerate it.
fn evicts(difference: &Difference) -> bool {
    matches!(&difference.item, Item::Taint(taint) if taint.effect == "NoExecute") && difference.what != What::NoLongerDeclared
}

impl Step {
    /// The only one of them as it is; nothing for none.
    pub(crate) fn parallel(mut steps: Vec<Step>) -> Option<Step> {
        match steps.len() {
            0 | 1 => steps.pop(),
            _ => Some(Step::Parallel(steps)),
        }
    }

    /// The hosts that it is about.
    pub fn names(&self) -> Vec<&HostName> {
        match self {
            Step::Parallel(steps) => steps.iter().flat_map(Step::names).collect(),
            Step::Gate { host, .. } => host.iter().collect(),
            step => step.changes(),
        }
    }

    /// What it waits for.
    pub fn gates(&self) -> Vec<&Gate> {
        let gates = self.singles().into_iter().filter_map(|step| match step {
            Step::Gate { gate, .. } => Some(gate),
            _ => None,
        });
        gates.collect()
    }

    /// The hosts that are not the same after it.
    pub fn changes(&self) -> Vec<&HostName> {
        match self {
            Step::Parallel(steps) => steps.iter().flat_map(Step::changes).collect(),
            Step::Push { host, .. }
            | Step::Start { host, .. }
            | Step::Restart { host, .. }
            | Step::Reload { host, .. }
            | Step::Stop { host, .. }
            | Step::HandOver { host }
            | Step::Cordon { host }
            | Step::Drain { host, .. }
            | Step::Uncordon { host }
            | Step::DeleteNode { host }
            | Step::AmendNode { host, .. }
            | Step::Join { host }
            | Step::Remove { host } => vec![host],
            Step::Gate { .. } | Step::ApplyObjects { .. } | Step::SnapshotEtcd => vec![],
        }
    }

    pub(crate) fn gate(gate: Gate) -> Step {
        let host = match &gate {
            Gate::UnitsHealthy { host, .. }
            | Gate::CertificatesServed { host, .. }
            | Gate::EtcdMemberHealthy { host }
            | Gate::QuorumWithout { host }
            | Gate::ApiServerReady { host }
            | Gate::NodeReady { host }
            | Gate::ControllerLeads { host }
            | Gate::OthersReady { host, .. } => Some(host.clone()),
            Gate::EtcdQuorum | Gate::VirtualAddressServed => None,
        };
        Step::Gate { host, gate }
    }

    /// The sentence without its particulars: enough to tell one step from another.
    pub fn headline(&self) -> String {
        let short = match self.clone() {
            Step::Start { host, units, .. } => Step::Start { host, units, because: vec![] },
            Step::Restart { host, units, disrupts, .. } => Step::Restart { host, units, because: vec![], disrupts },
            Step::Reload { host, units, .. } => Step::Reload { host, units, because: vec![] },
            Step::Push { host, .. } => return format!("{host}: write files"),
            Step::Drain { host, .. } => Step::Drain { host, because: None },
            Step::AmendNode { host, .. } => Step::AmendNode { host, differences: vec![] },
            step => step,
        };
        short.to_string()
    }

    /// The same on another host.
    pub(crate) fn on(&self, host: &HostName) -> Step {
        let mut step = self.clone();
        match &mut step {
            Step::Parallel(steps) => steps.iter_mut().for_each(|step| *step = step.on(host)),
            Step::Push { host: on, .. }
            | Step::Start { host: on, .. }
            | Step::Restart { host: on, .. }
            | Step::Reload { host: on, .. }
            | Step::Stop { host: on, .. }
            | Step::HandOver { host: on }
            | Step::Cordon { host: on }
            | Step::AmendNode { host: on, .. }
            | Step::Drain { host: on, .. }
            | Step::Uncordon { host: on }
            | Step::DeleteNode { host: on }
            | Step::Join { host: on }
            | Step::Remove { host: on } => on.clone_from(host),
            Step::Gate { gate, .. } => step = Step::gate(gate.on(host)),
            Step::ApplyObjects { .. } | Step::SnapshotEtcd => {}
        }
        step
    }

    /// The steps themselves, of those at the same time one after the other.
    pub(crate) fn singles(&self) -> Vec<&Step> {
        match self {
            Step::Parallel(steps) => steps.iter().flat_map(Step::singles).collect(),
            single => vec![single],
        }
    }

    /// What is done, whatever the host.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines().into_iter().map(|(_, text)| text);
        lines.collect::<Vec<_>>().join("; ")
    }

    /// Who, and what: `("cp-1", "restart etcd.service")`. Of steps at the same time, those that do the same are one line.
    fn lines(&self) -> Vec<(Vec<&HostName>, String)> {
        let (host, text) = match self {
            Step::Parallel(steps) => return merged(steps.iter().flat_map(Step::lines)),
            Step::Push { host, differences } => (Some(host), push_text(differences)),
            Step::Start { host, units, because } => (Some(host), unit_text("start", units, because)),
            Step::Restart { host, units, because, .. } => (Some(host), unit_text("restart", units, because)),
            Step::Reload { host, units, because } => (Some(host), unit_text("reload", units, because)),
            Step::Stop { host, units } => (Some(host), unit_text("stop", units, &[])),
            Step::Gate { host, gate } => (host.as_ref(), format!("wait until {}", condition(gate))),
            Step::HandOver { host } => (Some(host), "hand the virtual addresses over to another host".into()),
            Step::Cordon { host } => (Some(host), "let no more pods be scheduled on the node".into()),
            Step::Drain { host, because: None } => (Some(host), "drain the node".into()),
            Step::Drain { host, because: Some(cause) } => (Some(host), format!("drain the node ({cause})")),
            Step::Uncordon { host } => (Some(host), "let pods be scheduled on the node again".into()),
            Step::DeleteNode { host } => (Some(host), "delete the node from the cluster".into()),
            Step::AmendNode { host, differences } => (Some(host), node_text(differences)),
            Step::Join { host } => (Some(host), "give the kubelet a bootstrap token".into()),
            Step::ApplyObjects { whose } => (None, format!("apply {whose} objects")),
            Step::SnapshotEtcd => (None, "take a snapshot of etcd".into()),
            Step::Remove { host } => (Some(host), "remove everything that was installed".into()),
        };
        vec![(host.into_iter().collect(), text)]
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines().into_iter().map(|(hosts, text)| match hosts.is_empty() {
            true => text,
            false => format!("{}: {text}", hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")),
        });
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

fn merged<'a>(lines: impl Iterator<Item = (Vec<&'a HostName>, String)>) -> Vec<(Vec<&'a HostName>, String)> {
    let mut all: Vec<(Vec<&HostName>, String)> = Vec::new();
    for (hosts, text) in lines {
        match all.iter_mut().find(|(_, other)| *other == text) {
            Some((known, _)) => known.extend(hosts),
            None => all.push((hosts, text)),
        }
    }
    all
}
