//! The hosts of a load balancer. Backups first, then the host that holds the virtual addresses, after it handed them over.

use crate::host::{Work, destroy, pushes, removes, staged_with_gate, stop};
use crate::{Gate, HostState, Refusal, Step};
use bundle::{Disruption, HostName, UnitTraits};

/// `holder` is the host that has the virtual addresses now; where that is not known, every host is treated as if it had them.
pub fn plan(hosts: &[HostState], holder: Option<&HostName>) -> Result<Vec<Step>, Refusal> {
    let (leaving, staying): (Vec<&HostState>, Vec<&HostState>) = hosts.iter().partition(|host| host.leaves());
    if staying.is_empty() {
        return Ok(destroy(&leaving));
    }
    let works: Vec<Work> = staying.iter().filter_map(|host| host.work()).filter(|work| !work.is_idle()).collect();
    let group = Group { staying: &staying, holder };
    let mut steps = group.leave(&leaving);
    // A host that joins starts after the others know it as a peer: before that it hears nobody and takes the addresses as well.
    let (known, new): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| is_member(work.host));
    let (mut stale, still): (Vec<&Work>, Vec<&Work>) = known.into_iter().partition(|work| work.is_stale());
    stale.sort_by_key(|work| (holder == Some(&work.host.name), work.first_down_tier().is_none()));
    steps.extend(start(&still));
    for work in stale {
        steps.extend(group.update(work)?);
    }
    steps.extend(start(&new));
    if steps.iter().any(|step| !matches!(step, Step::Push { .. } | Step::Remove { .. }) && !is_push_only(step)) {
        steps.push(Step::gate(Gate::VirtualAddressServed));
    }
    steps.extend(removes(&leaving));
    Ok(steps)
}

struct Group<'a> {
    staying: &'a [&'a HostState],
    holder: Option<&'a HostName>,
}

impl Group<'_> {
    fn may_hold(&self, host: &HostName) -> bool {
        self.holder.is_none_or(|holder| holder == host)
    }

    /// Before the others forget it: a peer whose advertisements nobody heeds any more would keep the addresses.
    fn leave(&self, leaving: &[&HostState]) -> Vec<Step> {
        let mut steps = Vec::new();
        for (host, stop) in leaving.iter().filter_map(|host| Some((host, stop(host)?))) {
            if self.may_hold(&host.name) && self.staying.iter().any(|host| can_take_over(host)) {
                steps.push(Step::HandOver { host: host.name.clone() });
            }
            steps.push(stop);
        }
        steps
    }

    fn update(&self, work: &Work) -> Result<Vec<Step>, Refusal> {
        let mut steps: Vec<Step> = work.push().into_iter().collect();
        let others: Vec<&&HostState> =
            self.staying.iter().filter(|host| is_member(host) && host.name != work.host.name).collect();
        if self.may_hold(&work.host.name) && work.interrupts(carries_traffic) && !others.is_empty() {
            if others.iter().all(|host| !host.answers()) {
                let unavailable = others.iter().map(|host| host.name.clone()).collect();
                return Err(Refusal::NoBackup { host: work.name(), unavailable });
            }
            steps.push(Step::HandOver { host: work.name() });
        }
        steps.extend(staged_with_gate(&[work]));
        Ok(steps)
    }
}

/// The others know it, or it may hold the addresses all the same because an apply was cut off.
fn is_member(host: &HostState) -> bool {
    host.in_state || host.tiers.iter().flatten().any(|unit| host.runs(unit))
}

fn can_take_over(host: &HostState) -> bool {
    host.units.iter().filter(|(_, unit)| carries_traffic(&unit.traits)).all(|(name, _)| host.runs(name))
}

/// The virtual addresses leave a host on which it restarts.
fn carries_traffic(traits: &UnitTraits) -> bool {
    traits.restart == Disruption::MovesVirtualAddress
}

fn start(works: &[&Work]) -> Vec<Step> {
    pushes(works).into_iter().chain(staged_with_gate(works)).collect()
}

fn is_push_only(step: &Step) -> bool {
    match step {
        Step::Parallel(steps) => steps.iter().all(is_push_only),
        step => matches!(step, Step::Push { .. }),
    }
}
