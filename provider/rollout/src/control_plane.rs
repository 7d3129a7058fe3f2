//! etcd and the control plane. No second host goes down before the first is healthy, and etcd keeps its quorum; a cluster that has
//! none, because it is new or because it was down, comes up on all hosts together.

use crate::host::{Need, Work, destroy, pushes, stage};
use crate::{Cause, Gate, HostState, Membership, Refusal, Step, members};
use bundle::{Health, HostName, UnitName, UnitTraits};

/// When snapshots of etcd are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshots {
    /// Before the first of the members that run is restarted.
    pub before_restarts: bool,
    /// The user asked for one.
    pub is_requested: bool,
}

/// Whether the cluster's own objects are as they are declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objects {
    #[default]
    AsDeclared,
    Due,
}

/// Empty when every host that answers has and runs what it should, objects are as they are declared, and no snapshot is asked for. Hosts that
/// do not answer get no step. A snapshot is taken before anything else is done; of a cluster that has lost its quorum, only one that was asked
/// for, once it serves again.
pub fn plan(hosts: &[HostState], snapshots: Snapshots, objects: Objects) -> Result<Vec<Step>, Refusal> {
    if hosts.iter().all(HostState::leaves) {
        return Ok(destroy(&hosts.iter().collect::<Vec<_>>()));
    }
    refuse_change_of_members(hosts)?;
    members::refuse_empty(hosts)?;
    members::refuse_removed(hosts)?;
    let works: Vec<Work> = hosts.iter().filter_map(HostState::work).filter(|work| !work.is_idle()).collect();
    let cluster = Cluster { hosts, works: &works };
    if cluster.has_lost_quorum() {
        let mut steps = if works.is_empty() { vec![] } else { cluster.with_objects(cluster.bring_up()?, objects) };
        steps.extend((snapshots.is_requested && !works.is_empty()).then_some(Step::SnapshotEtcd));
        return Ok(steps);
    }
    let restarts = works.iter().any(|work| work.interrupts(|traits| traits.health == Health::EtcdMember));
    let is_taken = snapshots.is_requested || (snapshots.before_restarts && restarts);
    let mut steps: Vec<Step> = is_taken.then_some(Step::SnapshotEtcd).into_iter().collect();
    // A call in which nobody answers says so itself.
    let objects = if hosts.iter().any(HostState::answers) { objects } else { Objects::AsDeclared };
    steps.extend(cluster.with_objects(cluster.repair_and_roll()?, objects));
    Ok(steps)
}

fn refuse_change_of_members(hosts: &[HostState]) -> Result<(), Refusal> {
    let names = |matches: &dyn Fn(&&HostState) -> bool| -> Vec<HostName> {
        hosts.iter().filter(matches).map(|host| host.name.clone()).collect()
    };
    let leaving = names(&|host| host.leaves());
    if !leaving.is_empty() {
        return Err(Refusal::HostsLeave { hosts: leaving });
    }
    let joining = names(&|host| !host.in_state);
    match joining.is_empty() || joining.len() == hosts.len() {
        true => Ok(()),
        false => Err(Refusal::HostsJoin { hosts: joining }),
    }
}

struct Cluster<'a> {
    hosts: &'a [HostState],
    /// Of hosts that answer and need something.
    works: &'a [Work<'a>],
}

impl Cluster<'_> {
    /// Hosts whose members have a vote, as far as that is known. Where etcd knows none of the hosts, as under other names, all count.
    fn voters(&self) -> impl Iterator<Item = &HostState> {
        let are_known = self.hosts.iter().any(|host| matches!(host.membership, Membership::Member { .. }));
        let has_none = move |host: &HostState| are_known && host.membership == Membership::Missing;
        self.hosts.iter().filter(move |host| !host.membership.is_learner() && !has_none(host))
    }

    fn quorum(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    fn unavailable(&self) -> Vec<HostName> {
        self.hosts.iter().filter(|host| !host.answers()).map(|host| host.name.clone()).collect()
    }

    /// Even if every host that does not answer runs its member.
    fn has_lost_quorum(&self) -> bool {
        self.voters().filter(|host| !host.answers() || serves(host, Health::EtcdMember)).count() < self.quorum()
    }

    /// Nobody is served, so that nobody is disturbed: each tier on all hosts at the same time.
    fn bring_up(&self) -> Result<Vec<Step>, Refusal> {
        let unavailable = self.unavailable();
        if self.voters().filter(|host| host.answers()).count() < self.quorum() {
            return Err(Refusal::NoQuorum { unavailable });
        }
        if !unavailable.is_empty() && self.hosts.iter().any(|host| !host.in_state) {
            return Err(Refusal::IncompleteCluster { unavailable });
        }
        let works: Vec<&Work> = self.works.iter().collect();
        let mut steps: Vec<Step> = pushes(&works).into_iter().collect();
        for tier in 0..tier_count(&works) {
            steps.extend(stage(&works, tier));
            if works.iter().any(|work| work.acts_in_tier(tier) && tier_has(work.host, tier, Health::EtcdMember)) {
                steps.push(Step::gate(Gate::EtcdQuorum));
            }
            steps.extend(gates_of_tier(&works, tier));
            steps.extend(gates_of_unread(&works, tier));
        }
        Ok(steps)
    }

    /// First what disturbs nobody: on all hosts at the same time, but for hosts on which units read files again by themselves, whatever
    /// else these need: they take turns. Then what restarts, host by host. Those that are partly down come first, before the one at which
    /// the last roll stopped, which must not go on to another; the leader of etcd comes last, so that it changes once. A unit with an expired certificate counts as down.
    fn repair_and_roll(&self) -> Result<Vec<Step>, Refusal> {
        let (mut rolling, others): (Vec<&Work>, Vec<&Work>) = self.works.iter().partition(|work| work.is_stale());
        let (mut reading, still): (Vec<&Work>, Vec<&Work>) = others.into_iter().partition(|work| work.is_read_again());
        let partly_down_first = |work: &&Work| work.first_down_tier().unwrap_or(usize::MAX);
        reading.sort_by_key(partly_down_first);
        rolling.sort_by_key(|work| (partly_down_first(work), !work.is_doubtful(), work.host.membership.leads()));
        self.refuse_loss_of_quorum(&rolling)?;
        let mut steps: Vec<Step> = pushes(&still).into_iter().collect();
        for tier in 0..tier_count(&still) {
            steps.extend(staged_with_gate(&still, tier));
        }
        for work in reading {
            steps.extend(self.roll(work));
        }
        if let Some(first) = rolling.first() {
            steps.extend(self.others_serve(first));
        }
        for work in rolling {
            steps.extend(self.roll(work));
        }
        Ok(steps)
    }

    /// Before the last change to a controller, so that the controllers of a new cluster find what they need; else once all serve. A create that
    /// was stopped is in the state as if it had come to its end: no controller has run then.
    fn with_objects(&self, mut steps: Vec<Step>, objects: Objects) -> Vec<Step> {
        let last = steps.iter().rposition(|step| changes_controllers(step, self.works));
        if objects == Objects::Due || (last.is_some() && !self.hosts.iter().any(has_run_controllers)) {
            steps.insert(last.unwrap_or(steps.len()), Step::ApplyObjects { whose: "the cluster's own" });
        }
        steps
    }

    fn refuse_loss_of_quorum(&self, rolling: &[&Work]) -> Result<(), Refusal> {
        let unavailable: Vec<HostName> = self.voters().filter(|host| !host.answers()).map(|host| host.name.clone()).collect();
        let learners: Vec<HostName> =
            self.hosts.iter().filter(|host| host.membership.is_learner()).map(|host| host.name.clone()).collect();
        // With one or two members that all vote, every member is needed, and a restart interrupts the cluster.
        if unavailable.is_empty() && learners.is_empty() {
            return Ok(());
        }
        // An API server is no member: it comes up again while etcd has its quorum, of which another host serves meanwhile.
        let up = self.voters().filter(|host| host.answers()).count();
        let left = |work: &Work| self.voters().filter(|host| host.answers() && host.name != work.host.name).count();
        let is_a_risk = |work: &Work| {
            let restarts = |health: Health| work.interrupts(|traits: &UnitTraits| traits.health == health);
            (restarts(Health::EtcdMember) && left(work) < self.quorum()) || (restarts(Health::ApiServer) && up < self.quorum())
        };
        match rolling.iter().find(|work| is_a_risk(work)) {
            Some(work) => {
                let voters = self.voters().count();
                Err(Refusal::QuorumAtRisk { host: work.name(), unavailable, learners, voters })
            }
            None => Ok(()),
        }
    }

    /// An apply may have been cut off between a restart and its gate: the host that it left behind must serve first.
    fn others_serve(&self, first: &Work) -> Option<Step> {
        let gates_of = |health: Health, gate: fn(HostName) -> Gate| {
            let others = self.hosts.iter().filter(move |host| host.name != first.host.name && serves(host, health));
            others.map(move |host| Step::gate(gate(host.name.clone())))
        };
        let members = gates_of(Health::EtcdMember, |host| Gate::EtcdMemberHealthy { host });
        let servers = gates_of(Health::ApiServer, |host| Gate::ApiServerReady { host });
        let others =
            self.hosts.iter().filter(|host| host.name != first.host.name).filter_map(|host| self.controllers_stay_up(host));
        Step::parallel(members.chain(servers).chain(others.map(Step::gate)).collect())
    }

    /// Of the controllers that run and are as they should be. One that needs something is about to change anyway.
    fn controllers_stay_up(&self, host: &HostState) -> Option<Gate> {
        let needs = |unit: &UnitName| self.works.iter().any(|work| work.host.name == host.name && work.needs.contains_key(unit));
        let units: Vec<UnitName> =
            host.units_with(Health::StaysUp).filter(|unit| host.runs(unit) && !needs(unit)).cloned().collect();
        (!units.is_empty()).then(|| Gate::UnitsHealthy { host: host.name.clone(), units })
    }

    /// The quorum is looked at before anything is written, for certificates that a member reads again take effect at once; and again before
    /// the member restarts, for writing may take a quarter of an hour, in which others may go down.
    fn roll(&self, work: &Work) -> Vec<Step> {
        let quorum = self.quorum_without(work);
        let mut steps = Vec::new();
        if let Some(push) = work.push() {
            // New certificates repair a member whose own have expired.
            steps.extend(quorum.clone().filter(|_| serves(work.host, Health::EtcdMember)));
            steps.push(push);
        }
        for tier in 0..work.host.tiers.len() {
            steps.extend(quorum.clone().filter(|_| tier_has(work.host, tier, Health::EtcdMember)));
            steps.extend(staged_with_gate(&[work], tier));
        }
        steps
    }

    /// With one or two members every member is needed: a gate on the rest could never pass.
    fn quorum_without(&self, work: &Work) -> Option<Step> {
        let restarts_member = work.interrupts(|traits| traits.health == Health::EtcdMember);
        (restarts_member && self.voters().count() > 2).then(|| Step::gate(Gate::QuorumWithout { host: work.name() }))
    }
}

fn serves(host: &HostState, health: Health) -> bool {
    host.units_with(health).any(|unit| host.runs(unit) && !host.has_expired(unit))
}

fn tier_count(works: &[&Work]) -> usize {
    works.iter().map(|work| work.host.tiers.len()).max().unwrap_or(0)
}

fn staged_with_gate(works: &[&Work], tier: usize) -> Vec<Step> {
    stage(works, tier).into_iter().chain(gates_of_tier(works, tier)).chain(gates_of_unread(works, tier)).collect()
}

fn gates_of_unread(works: &[&Work], tier: usize) -> Option<Step> {
    Step::parallel(works.iter().filter_map(|work| work.gate_of_unread(tier)).map(Step::gate).collect())
}

/// Also of a tier that needs nothing while a later one does: an apply may have been cut off before it saw that tier healthy.
fn gates_of_tier(works: &[&Work], tier: usize) -> Option<Step> {
    let acts_now_or_later = |work: &&&Work| (tier..work.host.tiers.len()).any(|tier| work.acts_in_tier(tier));
    let gates = works.iter().filter(acts_now_or_later).filter_map(|work| gate_of_tier(work.host, tier));
    Step::parallel(gates.map(Step::gate).collect())
}

/// `None` when the host has no such tier.
fn gate_of_tier(host: &HostState, tier: usize) -> Option<Gate> {
    let (name, units) = (host.name.clone(), host.tiers.get(tier)?.clone());
    Some(match () {
        () if tier_has(host, tier, Health::EtcdMember) => Gate::EtcdMemberHealthy { host: name },
        () if tier_has(host, tier, Health::ApiServer) => Gate::ApiServerReady { host: name },
        () => Gate::UnitsHealthy { host: name, units },
    })
}

fn tier_has(host: &HostState, tier: usize, health: Health) -> bool {
    host.tiers.get(tier).is_some_and(|tier| host.units_with(health).any(|unit| tier.contains(unit)))
}

fn has_run_controllers(host: &HostState) -> bool {
    let has_stamp = |unit: &UnitName| {
        host.observed.as_ref().and_then(|found| found.units.get(unit)).is_some_and(|found| found.stamp.is_some())
    };
    host.units_with(Health::StaysUp).any(|unit| host.runs(unit) || has_stamp(unit))
}

fn changes_controllers(step: &Step, works: &[Work]) -> bool {
    let (host, units) = match step {
        Step::Parallel(steps) => return steps.iter().any(|step| changes_controllers(step, works)),
        Step::Start { host, units, .. } | Step::Restart { host, units, .. } => (host, units),
        _ => return false,
    };
    // One that runs and was not seen healthy was started after the objects were applied.
    let is_changed = |need: &Need| !need.is_current && need.because != [Cause::Unproven];
    let needs = works.iter().filter(|work| work.host.name == *host).flat_map(|work| &work.needs);
    let controllers = works.iter().filter(|work| work.host.name == *host).flat_map(|work| work.host.units_with(Health::StaysUp));
    let controllers: Vec<_> = controllers.collect();
    let mut changed = needs.filter(|(unit, need)| units.contains(unit) && is_changed(need));
    changed.any(|(unit, _)| controllers.contains(&unit))
}
