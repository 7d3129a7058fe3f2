//! When a unit that was started counts as up to date: after the last gate of the plan that is about it. Its stamp is written then, so that
//! an apply that ends before, in whatever way, is seen by the next.

use crate::{Gate, Step};
use bundle::{Health, HostName, UnitName};
use std::collections::BTreeMap;

/// The units that a plan starts, restarts or reloads, and the gates that each of them still has to pass.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    owed: BTreeMap<HostName, BTreeMap<UnitName, Owed>>,
}

#[derive(Clone, Debug)]
struct Owed {
    health: Health,
    /// Gates about it that come after its start.
    gates: usize,
    is_started: bool,
}

impl Proof {
    /// `health_of` is how the health of a unit is known.
    pub fn of(steps: &[Step], health_of: impl Fn(&HostName, &UnitName) -> Health) -> Proof {
        let singles: Vec<&Step> = steps.iter().flat_map(Step::singles).collect();
        let mut gates: BTreeMap<&HostName, Vec<(usize, &Gate)>> = BTreeMap::new();
        for (place, step) in singles.iter().enumerate() {
            if let Step::Gate { host: Some(host), gate } = step {
                gates.entry(host).or_default().push((place, gate));
            }
        }
        let mut proof = Proof::default();
        for (place, step) in singles.iter().enumerate() {
            for (host, unit) in started_by(step) {
                let health = health_of(host, unit);
                let later = gates.get(host).into_iter().flatten().filter(|(of_gate, _)| *of_gate > place);
                let owed = later.filter(|(_, gate)| is_about(gate, unit, health)).count();
                let units = proof.owed.entry(host.clone()).or_default();
                units.insert(unit.clone(), Owed { health, gates: owed, is_started: false });
            }
        }
        proof
    }

    /// After a step that started units: those that no gate is about.
    pub fn started(&mut self, step: &Step) -> Vec<UnitName> {
        let mut proven = Vec::new();
        for (host, unit) in started_by(step) {
            if let Some(owed) = self.owed.get_mut(host).and_then(|units| units.get_mut(unit)) {
                owed.is_started = true;
                proven.extend((owed.gates == 0).then(|| unit.clone()));
            }
        }
        proven
    }

    /// After a gate on a host passed: the units there for which it was the last.
    pub fn passed(&mut self, host: &HostName, gate: &Gate) -> Vec<UnitName> {
        let mut proven = Vec::new();
        for (unit, owed) in self.owed.get_mut(host).into_iter().flatten() {
            if owed.is_started && owed.gates > 0 && is_about(gate, unit, owed.health) {
                owed.gates -= 1;
                proven.extend((owed.gates == 0).then(|| unit.clone()));
            }
        }
        proven
    }
}

fn started_by(step: &Step) -> impl Iterator<Item = (&HostName, &UnitName)> {
    let (host, units) = match step {
        Step::Start { host, units, .. } | Step::Restart { host, units, .. } | Step::Reload { host, units, .. } => {
            (Some(host), units.as_slice())
        }
        _ => (None, [].as_slice()),
    };
    host.into_iter().flat_map(move |host| units.iter().map(move |unit| (host, unit)))
}

/// Whether it tells that the unit, on the host of the gate, is healthy. A node is Ready by all that runs on its host; a controller is alone there.
fn is_about(gate: &Gate, unit: &UnitName, health: Health) -> bool {
    match gate {
        Gate::UnitsHealthy { units, .. } => units.contains(unit),
        Gate::EtcdMemberHealthy { .. } => health == Health::EtcdMember,
        Gate::ApiServerReady { .. } => health == Health::ApiServer,
        Gate::NodeReady { .. } | Gate::ControllerLeads { .. } => true,
        Gate::CertificatesServed { .. }
        | Gate::QuorumWithout { .. }
        | Gate::OthersReady { .. }
        | Gate::EtcdQuorum
        | Gate::VirtualAddressServed => false,
    }
}
