//! Worker nodes. New ones join many at a time; what runs on nodes that are there changes a few at a time; nodes that leave are
//! drained first. A node that does not answer holds up no other.

use crate::host::{Work, pushes, stage, stop};
use crate::{Gate, HostState, Refusal, Step};
use bundle::Health;

/// How much of a node group may be unavailable at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// New nodes at a time.
    pub joining: usize,
    /// Nodes at a time whose units restart, or that are drained.
    pub max_unavailable: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { joining: 10, max_unavailable: 1 }
    }
}

/// The steps for one node group: joins in groups of `joining`, restarts in groups of `max_unavailable`; leaving nodes are
/// drained first.
pub fn plan(hosts: &[HostState], bounds: Bounds) -> Result<Vec<Step>, Refusal> {
    let works: Vec<Work> = hosts.iter().filter_map(HostState::work).collect();
    let (joining, known): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| joins(work));
    let (stale, still): (Vec<&Work>, Vec<&Work>) =
        known.into_iter().filter(|work| !work.is_idle()).partition(|work| work.is_stale());
    let leaving: Vec<&HostState> = hosts.iter().filter(|host| host.leaves()).collect();

    let mut steps = update(&still);
    for group in joining.chunks(bounds.joining.max(1)) {
        steps.extend(join(group));
    }
    for group in stale.chunks(bounds.max_unavailable.max(1)) {
        steps.extend(update(group));
    }
    for group in leaving.chunks(bounds.max_unavailable.max(1)) {
        steps.extend(leave(group));
    }
    Ok(steps)
}

/// Not in the state yet, or without a kubelet that was ever started: it needs a token to ask for its certificate.
fn joins(work: &Work) -> bool {
    let never_started = || {
        let observed = |kubelet| work.host.observed.as_ref().and_then(|observed| observed.units.get(kubelet));
        let mut kubelets = work.host.units_with(Health::Node);
        kubelets.any(|kubelet| observed(kubelet).is_none_or(|unit| unit.stamp.is_none() && !unit.is_running()))
    };
    !work.host.in_state || never_started()
}

fn join(works: &[&Work]) -> Vec<Step> {
    let mut steps: Vec<Step> = pushes(works).into_iter().collect();
    steps.extend(Step::parallel(works.iter().map(|work| Step::Join { host: work.name() }).collect()));
    steps.extend(staged(works));
    steps.extend(ready(works.iter()));
    steps
}

fn update(works: &[&Work]) -> Vec<Step> {
    let mut steps: Vec<Step> = pushes(works).into_iter().chain(staged(works)).collect();
    steps.extend(ready(works.iter().filter(|work| !work.needs.is_empty())));
    steps
}

/// The pods are gone when the kubelet stops, and the kubelet has stopped when its node is deleted: it would register it again.
/// Of a node that does not answer only the object is left to delete.
fn leave(hosts: &[&HostState]) -> Vec<Step> {
    let each = |step: &dyn Fn(&HostState) -> Option<Step>| Step::parallel(hosts.iter().filter_map(|host| step(host)).collect());
    let if_it_answers = |host: &HostState, step: Step| host.answers().then_some(step);
    let stages = [
        each(&|host| if_it_answers(host, Step::Drain { host: host.name.clone() })),
        each(&stop),
        each(&|host| Some(Step::DeleteNode { host: host.name.clone() })),
        each(&|host| if_it_answers(host, Step::Remove { host: host.name.clone() })),
    ];
    stages.into_iter().flatten().collect()
}

fn staged(works: &[&Work]) -> Vec<Step> {
    let tiers = works.iter().map(|work| work.host.tiers.len()).max().unwrap_or(0);
    (0..tiers).flat_map(|tier| stage(works, tier)).collect()
}

/// At the same time: the units stay up, also those whose failure no condition of the node tells of, and the node is Ready.
fn ready<'a>(works: impl Iterator<Item = &'a &'a Work<'a>>) -> Option<Step> {
    let units = |work: &Work| work.host.units.keys().cloned().collect();
    let gates = works
        .flat_map(|work| [Gate::UnitsHealthy { host: work.name(), units: units(work) }, Gate::NodeReady { host: work.name() }]);
    Step::parallel(gates.map(Step::gate).collect())
}
