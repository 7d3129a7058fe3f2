//! Steps as data. Equal steps on several hosts are one run, whether they are done at the same time or host by host: a roll over 300
//! nodes is as long as one over three.

use crate::{Gate, Step, disruption};
use bundle::{Disruption, HostList, HostName, UnitName};
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Equal steps. `Display` is the line that the user sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The runs of one phase are done in their order on the first `at_a_time` hosts, then on the next; after that begins the next phase.
    pub phase: usize,
    /// In the order of their turns; none of a step that is about the cluster.
    pub hosts: HostList,
    pub at_a_time: usize,
    /// Which moment of its phase this is, and of how many, where they come more than once.
    place: Option<(usize, usize)>,
    /// As it is on the first of the hosts.
    step: Step,
}

/// Longer ones are not looked for: a roll of one host has some twelve moments.
const LONGEST_CYCLE: usize = 32;

/// The runs of a plan, in order.
pub fn runs(steps: &[Step]) -> Vec<Run> {
    let mut shapes = Shapes::default();
    let moments: Vec<Moment> = steps.iter().map(|step| shapes.moment(step)).collect();
    let (mut runs, mut rest, mut phase, mut was_single) = (Vec::new(), moments.as_slice(), 0, false);
    while !rest.is_empty() {
        let (length, repeats) = cycle(rest);
        let (cycle, later) = rest.split_at(length * repeats);
        phase += usize::from(!was_single || repeats > 1);
        was_single = repeats == 1;
        runs.extend(runs_of_cycle(cycle, length, phase, &shapes));
        rest = later;
    }
    runs
}

/// What is done at the same time: which steps, and on which hosts each of them.
struct Moment {
    shapes: Vec<usize>,
    hosts: Vec<Vec<HostName>>,
}

/// Steps that are the same but for their host have the same number.
#[derive(Default)]
struct Shapes {
    numbers: HashMap<Step, usize>,
    steps: Vec<Step>,
}

impl Shapes {
    fn moment(&mut self, step: &Step) -> Moment {
        let mut moment = Moment { shapes: Vec::new(), hosts: Vec::new() };
        for single in step.singles() {
            let shape = self.number(single);
            let hosts = single.names().into_iter().cloned();
            match moment.shapes.iter().position(|known| *known == shape).and_then(|at| moment.hosts.get_mut(at)) {
                Some(known) => known.extend(hosts),
                None => {
                    moment.shapes.push(shape);
                    moment.hosts.push(hosts.collect());
                }
            }
        }
        moment
    }

    fn number(&mut self, step: &Step) -> usize {
        let shape = step.on(&HostName::literal("any"));
        let next = self.steps.len();
        let number = *self.numbers.entry(shape).or_insert(next);
        if number == next {
            self.steps.push(step.clone());
        }
        number
    }
}

/// How many of the first moments are repeated on other hosts, and how often they stand there; the shortest of what covers most.
fn cycle(moments: &[Moment]) -> (usize, usize) {
    let mut best = (1, 1);
    for length in 1..=LONGEST_CYCLE.min(moments.len() / 2) {
        let repeats = repeats(moments, length);
        if repeats > 1 && length * repeats > best.0 * best.1 {
            best = (length, repeats);
        }
    }
    best
}

fn repeats(moments: &[Moment], length: usize) -> usize {
    let mut batches = moments.chunks_exact(length);
    let Some(first) = batches.next() else { return 1 };
    let hosts_of = |batch: &[Moment]| batch.iter().flat_map(|moment| &moment.hosts).flatten().cloned().collect::<BTreeSet<_>>();
    let mut seen = hosts_of(first);
    let is_next = |batch: &&[Moment]| {
        let equal = batch.iter().zip(first).all(|(moment, other)| moment.shapes == other.shapes);
        equal && hosts_of(batch).into_iter().all(|host| seen.insert(host))
    };
    1 + batches.take_while(is_next).count()
}

fn runs_of_cycle(moments: &[Moment], length: usize, phase: usize, shapes: &Shapes) -> Vec<Run> {
    let is_repeated = moments.len() > length && length > 1;
    let mut runs: Vec<Run> = Vec::new();
    for (at, first) in moments.iter().take(length).enumerate() {
        for (which, shape) in first.shapes.iter().enumerate() {
            let turns = moments.iter().skip(at).step_by(length).filter_map(|moment| moment.hosts.get(which));
            let at_a_time = turns.clone().map(Vec::len).max().unwrap_or(0);
            let hosts = turns.flatten().cloned().collect();
            let Some(step) = shapes.steps.get(*shape).cloned() else { continue };
            runs.push(Run { phase, hosts, at_a_time, place: is_repeated.then_some((at + 1, length)), step });
        }
    }
    runs
}

impl Run {
    /// `restart`, `wait_for_etcd_member`; what a policy compares.
    pub fn action(&self) -> &'static str {
        match &self.step {
            Step::Parallel(_) => "parallel",
            Step::Push { .. } => "write",
            Step::Start { .. } => "start",
            Step::Restart { .. } => "restart",
            Step::Reload { .. } => "reload",
            Step::Stop { .. } => "stop",
            Step::HandOver { .. } => "hand_over",
            Step::Cordon { .. } => "cordon",
            Step::Drain { .. } => "drain",
            Step::Uncordon { .. } => "uncordon",
            Step::DeleteNode { .. } => "delete_node",
            Step::AmendNode { .. } => "amend_node",
            Step::Join { .. } => "join",
            Step::ApplyObjects { .. } => "apply_objects",
            Step::SnapshotEtcd => "snapshot_etcd",
            Step::Remove { .. } => "remove",
            Step::Gate { gate, .. } => match gate {
                Gate::UnitsHealthy { .. } => "wait_for_units",
                Gate::CertificatesServed { .. } => "wait_for_certificates",
                Gate::EtcdQuorum => "wait_for_etcd_quorum",
                Gate::EtcdMemberHealthy { .. } => "wait_for_etcd_member",
                Gate::QuorumWithout { .. } => "wait_for_quorum_without_host",
                Gate::ApiServerReady { .. } => "wait_for_api_server",
                Gate::NodeReady { .. } => "wait_for_node",
                Gate::OthersReady { .. } => "wait_for_other_nodes",
                Gate::VirtualAddressServed => "wait_for_virtual_addresses",
                Gate::ControllerLeads { .. } => "wait_for_controller",
            },
        }
    }

    /// The units that it is about; empty where it is about none.
    pub fn units(&self) -> &[UnitName] {
        match &self.step {
            Step::Start { units, .. } | Step::Restart { units, .. } | Step::Reload { units, .. } | Step::Stop { units, .. } => {
                units
            }
            Step::Gate { gate: Gate::UnitsHealthy { units, .. } | Gate::CertificatesServed { units, .. }, .. } => units,
            _ => &[],
        }
    }

    /// Why, one reason each: `/etc/kubernetes/node/kubelet.yaml changed`. Of a step that writes, everything that
    /// differs. Complete, unlike the sentence.
    pub fn causes(&self) -> Vec<String> {
        let text = |cause: &dyn fmt::Display| cause.to_string();
        match &self.step {
            Step::Push { differences, .. } | Step::AmendNode { differences, .. } => {
                differences.iter().map(|difference| text(difference)).collect()
            }
            Step::Start { because, .. } | Step::Restart { because, .. } | Step::Reload { because, .. } => {
                because.iter().map(|cause| text(cause)).collect()
            }
            Step::Drain { because, .. } => because.iter().map(|cause| text(cause)).collect(),
            _ => Vec::new(),
        }
    }

    /// What each of the steps does to those who use the cluster.
    pub fn disruption(&self) -> Disruption {
        disruption(&self.step)
    }

    /// What is not there while one turn lasts, of a resource with so many hosts. `None` where nothing is missed.
    pub fn unavailable(&self, hosts: usize) -> Option<String> {
        let share = format!("{} of {hosts} hosts", self.at_a_time);
        match &self.step {
            Step::Restart { units, .. } | Step::Stop { units, .. } => {
                let units: Vec<&str> = units.iter().map(UnitName::as_str).collect();
                Some(format!("{} on {share}", units.join(", ")))
            }
            Step::HandOver { .. } => Some("connections through the virtual addresses".into()),
            Step::Drain { .. } => Some(format!("room for pods on {share}")),
            Step::DeleteNode { .. } | Step::Remove { .. } => Some(share),
            _ => None,
        }
    }

    /// How many steps they are.
    pub fn count(&self) -> usize {
        self.hosts.0.len().max(1)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hosts.0.is_empty() {
            return f.write_str(&self.step.text());
        }
        write!(f, "{}", self.hosts)?;
        match self.at_a_time {
            all if all >= self.hosts.0.len() => {}
            1 => f.write_str(", one at a time")?,
            some => write!(f, ", {some} at a time")?,
        }
        if let Some((place, count)) = self.place {
            write!(f, " ({place} of {count})")?;
        }
        write!(f, ": {}", self.step.text())
    }
}
