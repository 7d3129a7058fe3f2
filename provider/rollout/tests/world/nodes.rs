//! Nodes of the simulated hosts, as the API server sees them.

use super::{Machine, World, node_units, unit};
use bundle::{Difference, HostName, Instead, Item, UnitName, What};
use rollout::{CordonedBy, Gate, NodeFacts, NodeStatus, Step, may_restart};

impl Machine {
    pub(super) fn cordon(&mut self) {
        self.cordoned_by.get_or_insert(CordonedBy::Provider);
    }
}

impl World {
    /// As an apply asks for it; nothing where nobody asks.
    pub(super) fn node_of(&self, name: &HostName, machine: &Machine) -> NodeFacts {
        if !self.asked {
            return NodeFacts::default();
        }
        let status = match self.nodes.contains(name) {
            false => NodeStatus::NotRegistered,
            true if self.is_ready(name) => NodeStatus::Ready,
            true => NodeStatus::NotReady,
        };
        let label = Difference { item: Item::Label("pool".into()), what: What::Missing };
        let is_as_declared = machine.is_labelled && status != NodeStatus::NotRegistered;
        let differences = if is_as_declared { vec![] } else { vec![label] };
        let kubelet = Instead { found: "1.35.8".into(), declared: "1.36.3".into() };
        NodeFacts {
            status: Some(status),
            cordoned_by: machine.cordoned_by,
            other_minor: (machine.older_minor && self.nodes.contains(name)).then_some(kubelet),
            other_network: false,
            has_expired: machine.expired,
            differences,
        }
    }

    /// Of a node whose host may not answer.
    pub(super) fn uncordon(&mut self, host: &HostName) {
        let machine = self.machines.get_mut(host).unwrap();
        assert_eq!(machine.cordoned_by, Some(CordonedBy::Provider), "{host} was cordoned by somebody else, or by nobody");
        (machine.cordoned_by, machine.drained) = (None, false);
    }

    /// Its node is registered, and everything that it needs runs.
    pub fn is_ready(&self, name: &HostName) -> bool {
        let serves =
            |machine: &Machine| !machine.sick && !machine.expired && node_units().iter().all(|(unit, ..)| machine.serves(unit));
        self.nodes.contains(name) && self.machines.get(name).is_some_and(serves)
    }

    /// Of the nodes that stay.
    fn others_are_ready(&mut self, host: &HostName, restarting: usize, max_unavailable: usize) -> bool {
        // What an apply that was cut off has started comes up while the gate waits.
        self.machines.values_mut().filter(|machine| machine.answers).for_each(|machine| machine.settling.clear());
        let others = self.machines.iter().filter(|(name, machine)| *name != host && !machine.leaves);
        let (up, down): (Vec<_>, Vec<_>) =
            others.filter(|(name, _)| self.nodes.contains(*name)).partition(|(name, _)| self.is_ready(name));
        may_restart(restarting, max_unavailable, up.len(), down.len())
    }

    /// A gate that no waiting opens: the apply ends with an error.
    pub(super) fn is_shut(&mut self, step: &Step) -> bool {
        match step {
            Step::Gate { gate: Gate::NodeReady { host }, .. } => self.machines.get(host).is_some_and(|machine| machine.sick),
            Step::Gate { gate: Gate::OthersReady { host, restarting, max_unavailable }, .. } => {
                !self.others_are_ready(host, *restarting, *max_unavailable)
            }
            Step::Gate { gate: Gate::QuorumWithout { host }, .. } => {
                let runs = |machine: &Machine| machine.answers && machine.runs(&unit("etcd.service"));
                let others = self.machines.iter().filter(|(name, machine)| *name != host && runs(machine));
                others.count() <= self.machines.len() / 2
            }
            _ => false,
        }
    }

    /// A kubelet registers its node when it starts, and only then; it needs a certificate for that.
    pub(super) fn start(&mut self, host: &HostName, unit: &UnitName, again: bool) {
        let was_ready = self.is_ready(host);
        let machine = self.at(host);
        let starts = again || !machine.runs(unit);
        machine.start(unit, again);
        if starts && unit.as_str() == "kubelet.service" {
            let runs_pods = was_ready && !machine.drained;
            assert!(!(runs_pods && machine.older_minor), "{host} has pods while its kubelet becomes another minor version");
            machine.older_minor = false;
            machine.expired &= !std::mem::take(&mut machine.has_token);
            let can_register = machine.joined && !machine.expired;
            if can_register && self.nodes.insert(host.clone()) {
                self.at(host).is_labelled = false;
            }
        }
    }
}
