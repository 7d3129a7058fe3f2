//! Worker nodes. New ones join many at a time; what runs on nodes that are there changes a few at a time, fewer where others are down
//! already; nodes that leave are drained first, and so are those whose kubelet becomes another minor version or whose pods get another network.

use crate::host::{Work, pushes, stage, stop};
use crate::{Cause, CordonedBy, Gate, HostState, NodeStatus, Refusal, Step};
use bundle::{Health, HostName};
use std::collections::BTreeSet;

/// How much of a node group may be unavailable at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// New nodes at a time.
    pub joining: usize,
    /// Nodes at a time whose units restart, or that are drained. Those that are not Ready for another reason count.
    pub max_unavailable: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { joining: 10, max_unavailable: 1 }
    }
}

/// The steps for one node group: labels, annotations and taints; then what disturbs nobody; joins in groups of `joining`, restarts in groups of
/// `max_unavailable` at most; leaving nodes are drained first.
pub fn plan(hosts: &[HostState], bounds: Bounds) -> Result<Vec<Step>, Refusal> {
    let works: Vec<Work> = hosts.iter().filter_map(HostState::work).collect();
    let (joining, known): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| joins(work));
    let (stale, still): (Vec<&Work>, Vec<&Work>) =
        known.into_iter().filter(|work| !work.is_idle()).partition(|work| work.is_stale());
    let leaving: Vec<&HostState> = hosts.iter().filter(|host| host.leaves()).collect();

    let mut steps = amended(hosts.iter().filter(|host| !registers(host)), bounds.joining);
    let has_turn = |host: &HostState| still.iter().chain(&stale).any(|work| work.host.name == host.name);
    steps.extend(uncordoned(hosts.iter().filter(|host| is_left_cordoned(host) && !has_turn(host))));
    steps.extend(turn(&still, None));
    for group in joining.chunks(bounds.joining.max(1)) {
        steps.extend(join(group));
    }
    let is_drained = |work: &&Work| why_drained(work).is_some();
    steps.extend(cordon(&leaving).filter(|_| leaving.len() > 1 || stale.iter().any(is_drained)));
    steps.extend(roll(stale, &Turns::of(hosts, &works, bounds.max_unavailable.max(1))));
    for group in leaving.chunks(bounds.max_unavailable.max(1)) {
        steps.extend(leave(group));
    }
    Ok(steps)
}

/// Also of hosts that do not answer: it is the API server that does it.
fn amended<'a>(hosts: impl Iterator<Item = &'a HostState>, at_a_time: usize) -> Vec<Step> {
    let differing: Vec<&HostState> = hosts.filter(|host| !host.leaves() && !host.node.differences.is_empty()).collect();
    let step = |host: &&HostState| Step::AmendNode { host: host.name.clone(), differences: host.node.differences.clone() };
    differing.chunks(at_a_time.max(1)).filter_map(|group| Step::parallel(group.iter().map(step).collect())).collect()
}

/// Its node is there only once its kubelet has started.
fn registers(host: &HostState) -> bool {
    match host.node.status {
        Some(status) => status == NodeStatus::NotRegistered,
        None => !host.in_state,
    }
}

/// What a kubelet that registered its node did not give it.
fn amended_once_registered(works: &[&Work]) -> Vec<Step> {
    amended(works.iter().map(|work| work.host).filter(|host| registers(host)), works.len())
}

/// How many nodes have their turn together.
struct Turns {
    /// Of nodes that serve.
    at_a_time: usize,
    max_unavailable: usize,
    /// Of the nodes that stay.
    count: usize,
}

impl Turns {
    /// Nodes that are not Ready although nothing is to be done to them count: the API server may say so of a host that does not answer, or
    /// of one on which everything runs. While there are any, one node goes on serving. A node that somebody deleted is missed by nobody.
    fn of(hosts: &[HostState], works: &[Work], max_unavailable: usize) -> Turns {
        let busy: BTreeSet<&HostName> = works.iter().filter(|work| !work.is_idle()).map(|work| &work.host.name).collect();
        let staying: Vec<&HostState> = hosts.iter().filter(|host| !host.leaves()).collect();
        let is_waited_for = |host: &&&HostState| host.node.status == Some(NodeStatus::NotReady) && !busy.contains(&host.name);
        let serving = staying.iter().filter(|host| !host.has_node_down()).count();
        let at_a_time = match staying.iter().filter(is_waited_for).count() {
            0 => max_unavailable,
            waited_for => max_unavailable.saturating_sub(waited_for).min(serving.saturating_sub(1)).max(1),
        };
        Turns { at_a_time, max_unavailable, count: staying.len() }
    }

    fn gate(&self, work: &Work) -> Option<Step> {
        let (restarting, max_unavailable) = (self.at_a_time, self.max_unavailable);
        (self.count > 1).then(|| Step::gate(Gate::OthersReady { host: work.name(), restarting, max_unavailable }))
    }
}

/// First nodes on which something is down, which their turn starts: the gate of another one may wait for it. Then the host at which the
/// last roll stopped: it must not go on to another. Then nodes that are not Ready; then those that get no new pods. A node that serves has
/// its turn only while few enough others are down.
fn roll(mut works: Vec<&Work>, turns: &Turns) -> Vec<Step> {
    let is_partly_down = |work: &Work| work.is_partly_down();
    let serves = |work: &Work| !work.host.has_node_down() && !is_partly_down(work);
    works.sort_by_key(|work| (!is_partly_down(work), !is_left_behind(work), serves(work), work.host.node.cordoned_by.is_none()));
    let mut steps = Vec::new();
    for alike in works.chunk_by(|one, other| serves(one) == serves(other)) {
        let serve = alike.iter().all(|work| serves(work));
        for group in alike.chunks(if serve { turns.at_a_time } else { turns.max_unavailable }) {
            let gates = group.iter().filter(|_| serve).filter_map(|work| turns.gate(work));
            steps.extend(turn(group, Step::parallel(gates.collect())));
        }
    }
    steps
}

/// Pods leave the node, where they have to, before another program is there: systemd would start that after a crash. They are scheduled on
/// the node again when it is Ready. `gate` is passed before anything is done to them, and again before they restart, for writing may take a
/// quarter of an hour, in which others may go down; nodes that are drained by then are missed already, and come back by going on.
fn turn(works: &[&Work], gate: Option<Step>) -> Vec<Step> {
    let drain = |work: &&Work| Some(Step::Drain { host: work.name(), because: Some(why_drained(work)?) });
    let drains = Step::parallel(works.iter().filter_map(drain).collect());
    let writes = pushes(works);
    let is_asked_again = writes.is_some() && works.iter().any(|work| why_drained(work).is_none());
    let mut steps: Vec<Step> = gate.iter().cloned().chain(drains).chain(writes).collect();
    steps.extend(gate.filter(|_| is_asked_again));
    steps.extend(staged(works));
    steps.extend(ready(works.iter().filter(|work| !work.needs.is_empty() || work.retires())));
    steps.extend(amended_once_registered(works));
    let is_cordoned = |work: &&&Work| is_left_cordoned(work.host) || is_cordoned_by_its_drain(work);
    steps.extend(uncordoned(works.iter().filter(is_cordoned).map(|work| work.host)));
    steps
}

/// A node on which nothing restarts keeps its pods: an apply that was cut off has done what its drain was for.
fn why_drained(work: &Work) -> Option<Cause> {
    work.host.why_drained().filter(|_| work.is_stale())
}

fn uncordoned<'a>(hosts: impl Iterator<Item = &'a HostState>) -> Option<Step> {
    Step::parallel(hosts.map(|host| Step::Uncordon { host: host.name.clone() }).collect())
}

/// By an apply that ended early. What somebody else cordoned stays so.
fn is_left_cordoned(host: &HostState) -> bool {
    !host.leaves() && host.node.cordoned_by == Some(CordonedBy::Provider)
}

fn is_cordoned_by_its_drain(work: &Work) -> bool {
    why_drained(work).is_some() && work.host.node.cordoned_by.is_none()
}

/// Something that was started here was not seen healthy, whether it still runs or not.
fn is_left_behind(work: &Work) -> bool {
    work.unproven().any(|unit| unit.enabled)
}

/// All of them before the first drain of any node, so that no pod moves to one that leaves next; also those that SSH does not reach.
fn cordon(leaving: &[&HostState]) -> Option<Step> {
    Step::parallel(leaving.iter().map(|host| Step::Cordon { host: host.name.clone() }).collect())
}

/// Not in the state yet and no node that serves, or without a kubelet that was ever started, or with one that can no longer identify
/// itself: it needs a token to ask for its certificate.
fn joins(work: &Work) -> bool {
    let never_started = || {
        let observed = |kubelet| work.host.observed.as_ref().and_then(|observed| observed.units.get(kubelet));
        let mut kubelets = work.host.units_with(Health::Node);
        kubelets.any(|kubelet| observed(kubelet).is_none_or(|unit| unit.stamp.is_none() && !unit.is_running()))
    };
    let is_new = !work.host.in_state && work.host.node.status != Some(NodeStatus::Ready);
    is_new || work.host.node.has_expired || never_started()
}

fn join(works: &[&Work]) -> Vec<Step> {
    let mut steps: Vec<Step> = pushes(works).into_iter().collect();
    steps.extend(Step::parallel(works.iter().map(|work| Step::Join { host: work.name() }).collect()));
    steps.extend(staged(works));
    steps.extend(ready(works.iter()));
    steps.extend(amended_once_registered(works));
    steps
}

/// The pods are gone when the kubelet stops, and the kubelet has stopped when its node is deleted: it would register it again.
/// Of a node that does not answer only the object is left to delete.
fn leave(hosts: &[&HostState]) -> Vec<Step> {
    let each = |step: &dyn Fn(&HostState) -> Option<Step>| Step::parallel(hosts.iter().filter_map(|host| step(host)).collect());
    let if_it_answers = |host: &HostState, step: Step| host.answers().then_some(step);
    let stages = [
        each(&|host| if_it_answers(host, Step::Drain { host: host.name.clone(), because: None })),
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
