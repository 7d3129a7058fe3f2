//! A controller that runs beside the control plane, once on each host, of which one leads. A lease decides which, so that any may stop: the others take
//! over within its time.

use crate::control_plane::Objects;
use crate::host::{Work, destroy, pushes, removes, staged_with_gate, stop};
use crate::{Gate, HostState, Step};

/// What may be done in the cluster comes before the first start, for a controller ends without it; and after the first write, so that a create that was stopped
/// has hosts by which the next goes on. Hosts on which nothing runs start at the same time; what restarts does so host by host, the one at which the last roll
/// stopped before the others. Last what leaves: those that stay lead by then.
pub fn plan(hosts: &[HostState], objects: Objects) -> Vec<Step> {
    let (leaving, staying): (Vec<&HostState>, Vec<&HostState>) = hosts.iter().partition(|host| host.leaves());
    if staying.is_empty() {
        return destroy(&leaving);
    }
    let works: Vec<Work> = staying.iter().filter_map(|host| host.work()).filter(|work| !work.is_idle()).collect();
    let (mut stale, still): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| work.is_stale());
    stale.sort_by_key(|work| (work.first_down_tier().is_none(), !work.is_doubtful()));
    let mut steps: Vec<Step> = pushes(&still).into_iter().collect();
    let are_due = objects == Objects::Due && staying.iter().any(|host| host.answers());
    steps.extend(are_due.then_some(Step::ApplyObjects { whose: "the controller's" }));
    steps.extend(staged_with_gate(&still));
    for work in &stale {
        steps.extend(work.push());
        steps.extend(staged_with_gate(&[work]));
    }
    let last = still.iter().chain(&stale).rev().find(|work| !work.needs.is_empty());
    steps.extend(last.map(|work| Step::gate(Gate::ControllerLeads { host: work.name() })));
    steps.extend(Step::parallel(leaving.iter().filter_map(|host| stop(host)).collect()));
    steps.extend(removes(&leaving));
    steps
}
