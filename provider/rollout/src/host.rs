//! What one host needs: which of its differences are written, and which units start, restart or reload.

use crate::{Cause, EtcdData, Gate, History, Membership, NodeFacts, Step};
use bundle::{
    Bundle, Difference, Digest, Disruption, Health, HostName, HostPath, Item, Manifest, Observed, ObservedUnit, OnChange, Unit,
    UnitName, UnitTraits, What, differences,
};
use std::collections::{BTreeMap, BTreeSet};

/// The facts about one host from which a plan is made.
#[derive(Clone, Debug)]
pub struct HostState {
    pub name: HostName,
    /// `None`: the host leaves.
    pub desired: Option<Manifest>,
    /// `None`: the host does not answer. It gets no step, and counts as down. A plan that reaches no host passes the manifest of
    /// the last apply as observed.
    pub observed: Option<Observed>,
    /// What each unit is and reads, as its bundle says. Empty for a host that leaves.
    pub units: BTreeMap<UnitName, Unit>,
    /// Units in the order in which they start, those of one tier together. They stop in reverse.
    pub tiers: Vec<Vec<UnitName>>,
    /// An apply that had this host was done with it: it is not one that joins. After a create of a control plane that failed halfway
    /// all of its hosts count as in the state, or none.
    pub in_state: bool,
    /// Of a control-plane host.
    pub etcd_data: EtcdData,
    pub history: History,
    /// Of a control-plane host.
    pub membership: Membership,
    /// Seconds, by the clock of the host, until the first certificate expires that a unit reads; negative when it has expired. Units
    /// that read none are missing, and all of them where nobody asked, as in a plan that reaches no host.
    pub expires_in: BTreeMap<UnitName, i64>,
    /// Of a worker host.
    pub node: NodeFacts,
}

impl HostState {
    /// `bundle` is what the host should have; `None` when it leaves. A host that leaves has no bundle that describes its units:
    /// `tier_of` tells their tiers by name, and one that it does not know stops first.
    pub fn new(
        name: HostName,
        bundle: Option<&Bundle>,
        observed: Option<Observed>,
        tier_of: impl Fn(&UnitName) -> Option<u8>,
    ) -> Self {
        let units = bundle.map(|bundle| bundle.units.clone()).unwrap_or_default();
        let mut tiers: BTreeMap<u8, Vec<UnitName>> = BTreeMap::new();
        for (unit, described) in &units {
            tiers.entry(described.traits.tier).or_default().push(unit.clone());
        }
        let left = observed.iter().filter(|_| bundle.is_none()).flat_map(|observed| observed.units.keys());
        left.for_each(|unit| tiers.entry(tier_of(unit).unwrap_or(u8::MAX)).or_default().push(unit.clone()));
        let tiers = tiers.into_values().collect();
        HostState {
            name,
            desired: bundle.map(Bundle::manifest),
            observed,
            units,
            tiers,
            in_state: false,
            etcd_data: EtcdData::Unknown,
            history: History::Unknown,
            membership: Membership::Unknown,
            expires_in: BTreeMap::new(),
            node: NodeFacts::default(),
        }
    }

    /// Sets whether the last apply recorded this host.
    pub fn in_state(self, in_state: bool) -> Self {
        HostState { in_state, ..self }
    }

    /// The same with what the host and the records of all hosts say of etcd.
    pub fn with_etcd(self, etcd_data: EtcdData, history: History) -> Self {
        HostState { etcd_data, history, ..self }
    }

    /// Sets what etcd says of the member of this host.
    pub fn with_membership(self, membership: Membership) -> Self {
        HostState { membership, ..self }
    }

    pub(crate) fn answers(&self) -> bool {
        self.observed.is_some()
    }

    pub(crate) fn leaves(&self) -> bool {
        self.desired.is_none()
    }

    pub(crate) fn runs(&self, unit: &UnitName) -> bool {
        self.observed.as_ref().and_then(|observed| observed.units.get(unit)).is_some_and(|unit| unit.is_running())
    }

    /// A unit that runs with a certificate that has expired serves nobody: new connections fail.
    pub(crate) fn has_expired(&self, unit: &UnitName) -> bool {
        self.expires_in.get(unit).is_some_and(|seconds| *seconds < 0)
    }

    /// The units whose health is known in this way; none of a host that leaves.
    pub(crate) fn units_with(&self, health: Health) -> impl Iterator<Item = &UnitName> {
        self.units.iter().filter(move |(_, unit)| unit.traits.health == health).map(|(name, _)| name)
    }

    /// `None` unless the host stays and answers.
    pub(crate) fn work(&self) -> Option<Work<'_>> {
        let (manifest, observed) = (self.desired.as_ref()?, self.observed.as_ref()?);
        let is_unit = |difference: &Difference| matches!(difference.item, Item::Unit(_));
        let mut pushes: Vec<Difference> = differences(manifest, observed).into_iter().filter(|d| !is_unit(d)).collect();
        pushes.extend(
            self.retired(manifest).map(|unit| Difference { item: Item::Unit(unit.clone()), what: What::NoLongerDeclared }),
        );
        let changed: BTreeSet<&HostPath> = pushes.iter().filter_map(|d| d.item.path()).collect();
        let mut needs: BTreeMap<UnitName, Need> = manifest
            .units
            .iter()
            .filter_map(|(name, stamp)| {
                let unit = observed.units.get(name);
                Some((name.clone(), need(unit, stamp.as_ref(), || self.change_of(name, &changed))?))
            })
            .collect();
        for (kubelet, cause) in self.units_with(Health::Node).filter_map(|unit| Some((unit, self.why_kubelet_restarts(unit)?))) {
            needs.entry(kubelet.clone()).or_insert_with(|| Need::of_a_node(&cause)).restart_for(cause);
        }
        let reads_by_itself = |name: &&UnitName| {
            let is_unread = observed.units.get(*name).is_some_and(|unit| unit.unread);
            let starts_with_it = needs.get(*name).is_some_and(|need| need.is_down || need.action != Action::Start);
            (is_unread || self.changed_of(name, &changed).any(|(_, on_change)| on_change == OnChange::ReadAgain))
                && !starts_with_it
        };
        let unread = self.units.keys().filter(reads_by_itself).cloned().collect();
        Some(Work { host: self, pushes, needs, unread })
    }

    /// Units that are declared no more, until nothing of them is left. What is written takes their place.
    fn retired<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = &'a UnitName> {
        let recorded = self.observed.iter().flat_map(|observed| &observed.recorded);
        recorded.filter(|unit| !manifest.units.contains_key(*unit))
    }

    /// What of the files that the unit reads changes, and what each change needs.
    fn changed_of<'a>(
        &'a self,
        name: &UnitName,
        changed: &'a BTreeSet<&HostPath>,
    ) -> impl Iterator<Item = (&'a HostPath, OnChange)> {
        let reads = self.units.get(name).into_iter().flat_map(|unit| &unit.reads);
        reads.filter(|(path, _)| changed.contains(path)).map(|(path, on_change)| (path, *on_change))
    }

    /// How a running unit picks up a change in what its stamp is made of, and what that is. When nothing of it differs any more, an apply
    /// was cut off after it wrote the files: which of them changed is not known then, and a restart is right for all.
    fn change_of(&self, name: &UnitName, changed: &BTreeSet<&HostPath>) -> (Action, Vec<Cause>) {
        let changed: Vec<_> = self.changed_of(name, changed).filter(|(_, on_change)| *on_change > OnChange::ReadAgain).collect();
        let because: Vec<Cause> = changed.iter().map(|(path, _)| Cause::Changed((*path).clone())).collect();
        match changed.iter().map(|(_, on_change)| *on_change).max() {
            None => (Action::Restart, vec![Cause::OlderConfiguration]),
            Some(OnChange::Reload) => (Action::Reload, because),
            Some(_) => (Action::Restart, because),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    Restart,
    Reload,
}

#[derive(Debug)]
pub(crate) struct Need {
    pub action: Action,
    pub is_down: bool,
    /// It was seen healthy with what it should read, at some time.
    pub is_current: bool,
    pub because: Vec<Cause>,
}

impl Need {
    /// Of a kubelet that runs with what it should read. One of another minor version serves.
    fn of_a_node(cause: &Cause) -> Need {
        let is_down = !matches!(cause, Cause::OtherMinor(_));
        Need { action: Action::Restart, is_down, is_current: true, because: vec![] }
    }

    /// That a program changed says enough of its version.
    fn restart_for(&mut self, cause: Cause) {
        self.action = Action::Restart;
        if self.because.is_empty() || !matches!(cause, Cause::OtherMinor(_)) {
            self.because.push(cause);
        }
    }
}

fn need(unit: Option<&ObservedUnit>, stamp: Option<&Digest>, change: impl Fn() -> (Action, Vec<Cause>)) -> Option<Need> {
    let need = |action, is_down, is_current, because| Some(Need { action, is_down, is_current, because });
    let Some(unit) = unit else { return need(Action::Start, true, false, vec![]) };
    let is_current = stamp.is_some() && unit.stamp.as_ref() == stamp;
    if unit.is_running() {
        if !is_current {
            let (action, because) = match change() {
                (action, because) if because == [Cause::OlderConfiguration] && unit.stamp.is_none() => {
                    (action, vec![Cause::Unproven])
                }
                change => change,
            };
            return need(action, false, false, because);
        }
        return if unit.enabled { None } else { need(Action::Start, false, true, vec![Cause::NotEnabled]) };
    }
    // The start with an older configuration is still under way, and a second one would only wait for it.
    if unit.active_state == "activating" && !is_current {
        return need(Action::Restart, true, false, vec![Cause::DoesNotComeUp]);
    }
    let because = if unit.stamp.is_some() { vec![Cause::Down(unit.active_state.clone())] } else { vec![] };
    need(Action::Start, true, is_current, because)
}

/// What a host that stays and answers needs.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub host: &'a HostState,
    pub pushes: Vec<Difference>,
    pub needs: BTreeMap<UnitName, Need>,
    /// Units that go on running and read something again by themselves: it must be seen that they did.
    pub unread: BTreeSet<UnitName>,
}

impl Work<'_> {
    /// The host that this work is on.
    pub fn name(&self) -> HostName {
        self.host.name.clone()
    }

    /// Whether the host needs no step.
    pub fn is_idle(&self) -> bool {
        self.pushes.is_empty() && self.needs.is_empty() && self.unread.is_empty()
    }

    /// Whether running units read something again by themselves.
    pub fn is_read_again(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Waits until those of this tier were seen to read again what they read by themselves.
    pub fn gate_of_unread(&self, tier: usize) -> Option<Gate> {
        let units = self.host.tiers.get(tier).into_iter().flatten().filter(|unit| self.unread.contains(unit));
        let units: Vec<UnitName> = units.cloned().collect();
        (!units.is_empty()).then(|| Gate::CertificatesServed { host: self.name(), units })
    }

    /// A running unit stops for a moment.
    pub fn interrupts(&self, matters: impl Fn(&UnitTraits) -> bool) -> bool {
        let matters = |name: &UnitName| self.host.units.get(name).is_some_and(|unit| matters(&unit.traits));
        self.needs.iter().any(|(unit, need)| need.action == Action::Restart && !need.is_down && matters(unit))
    }

    /// Something that runs is not what it should be, or should not run.
    pub fn is_stale(&self) -> bool {
        self.retires() || self.needs.values().any(|need| need.action != Action::Start && !need.is_down)
    }

    /// A unit goes.
    pub fn retires(&self) -> bool {
        self.pushes.iter().any(Difference::retires_a_unit)
    }

    /// Something that was started here was not seen healthy: it has no stamp.
    pub fn is_doubtful(&self) -> bool {
        self.unproven().any(ObservedUnit::is_running)
    }

    /// Units with something to do that have no stamp.
    pub fn unproven(&self) -> impl Iterator<Item = &ObservedUnit> {
        let observed = self.host.observed.iter().flat_map(|observed| &observed.units);
        observed.filter(|(name, unit)| self.needs.contains_key(*name) && unit.stamp.is_none()).map(|(_, unit)| unit)
    }

    /// The place of the first tier with a unit that is down, or serves nobody because a certificate has expired.
    pub fn first_down_tier(&self) -> Option<usize> {
        let is_down = |unit: &UnitName| self.needs.get(unit).is_some_and(|need| need.is_down) || self.host.has_expired(unit);
        self.host.tiers.iter().position(|tier| tier.iter().any(is_down))
    }

    /// Something that was there is down. What is new there has taken nothing away yet.
    pub fn is_partly_down(&self) -> bool {
        let was_there = |unit: &UnitName| self.host.observed.as_ref().is_some_and(|observed| observed.recorded.contains(unit));
        let is_down = |unit: &UnitName| self.needs.get(unit).is_some_and(|need| need.is_down) && was_there(unit);
        self.host.units.keys().any(|unit| is_down(unit) || self.host.has_expired(unit))
    }

    /// The step that writes what differs, if anything does.
    pub fn push(&self) -> Option<Step> {
        (!self.pushes.is_empty()).then(|| Step::Push { host: self.name(), differences: self.pushes.clone() })
    }

    /// At most one start, one restart and one reload.
    pub fn steps_of_tier(&self, tier: usize) -> [Option<Step>; 3] {
        [Action::Start, Action::Restart, Action::Reload].map(|action| {
            let units: Vec<UnitName> = self.units_of_tier(tier, action).cloned().collect();
            let mut because: Vec<Cause> = Vec::new();
            for reason in units.iter().filter_map(|unit| self.needs.get(unit)).flat_map(|need| &need.because) {
                if !because.contains(reason) {
                    because.push(reason.clone());
                }
            }
            let host = self.name();
            (!units.is_empty()).then_some(match action {
                Action::Start => Step::Start { host, units, because },
                Action::Restart => Step::Restart { disrupts: self.disruption(&units), host, units, because },
                Action::Reload => Step::Reload { host, units, because },
            })
        })
    }

    fn disruption(&self, restarted: &[UnitName]) -> Disruption {
        let described = restarted.iter().filter_map(|name| self.host.units.get(name));
        described.map(|unit| unit.traits.restart).max().unwrap_or(Disruption::None)
    }

    /// Whether a unit of this tier starts, restarts or reloads.
    pub fn acts_in_tier(&self, tier: usize) -> bool {
        self.host.tiers.get(tier).is_some_and(|tier| tier.iter().any(|unit| self.needs.contains_key(unit)))
    }

    fn units_of_tier(&self, tier: usize, action: Action) -> impl Iterator<Item = &UnitName> {
        let units = self.host.tiers.get(tier).into_iter().flatten();
        units.filter(move |unit| self.needs.get(unit).is_some_and(|need| need.action == action))
    }
}

/// The same stage of several hosts: all their starts at the same time, then all restarts, then all reloads.
pub(crate) fn stage(works: &[&Work], tier: usize) -> Vec<Step> {
    let steps: Vec<[Option<Step>; 3]> = works.iter().map(|work| work.steps_of_tier(tier)).collect();
    (0..3).filter_map(|action| Step::parallel(steps.iter().filter_map(|step| step[action].clone()).collect())).collect()
}

/// Tier by tier on all of these hosts at the same time, then a wait until the units that acted are healthy.
pub(crate) fn staged_with_gate(works: &[&Work]) -> Vec<Step> {
    let tiers = works.iter().map(|work| work.host.tiers.len()).max().unwrap_or(0);
    let mut steps: Vec<Step> = (0..tiers).flat_map(|tier| stage(works, tier)).collect();
    let acting = works.iter().filter(|work| !work.needs.is_empty());
    let gates =
        acting.map(|work| Step::gate(Gate::UnitsHealthy { host: work.name(), units: work.needs.keys().cloned().collect() }));
    steps.extend(Step::parallel(gates.collect()));
    steps
}

pub(crate) fn pushes(works: &[&Work]) -> Option<Step> {
    Step::parallel(works.iter().filter_map(|work| work.push()).collect())
}

/// Units that the host still runs, last tier first.
pub(crate) fn stop(host: &HostState) -> Option<Step> {
    let running = host.tiers.iter().rev().flatten().filter(|unit| is_up_or_coming_up(host, unit));
    let units: Vec<UnitName> = running.cloned().collect();
    (!units.is_empty()).then(|| Step::Stop { host: host.name.clone(), units })
}

fn is_up_or_coming_up(host: &HostState, unit: &UnitName) -> bool {
    let observed = host.observed.as_ref().and_then(|observed| observed.units.get(unit));
    observed.is_some_and(|unit| unit.enabled || !matches!(unit.active_state.as_str(), "inactive" | "failed" | ""))
}

/// Everything goes: stop on all hosts that answer, then remove.
pub(crate) fn destroy(hosts: &[&HostState]) -> Vec<Step> {
    let answering = hosts.iter().filter(|host| host.answers());
    let stops = Step::parallel(answering.filter_map(|host| stop(host)).collect());
    stops.into_iter().chain(removes(hosts)).collect()
}

/// What is left of hosts that answer goes.
pub(crate) fn removes(hosts: &[&HostState]) -> Option<Step> {
    let answering = hosts.iter().filter(|host| host.answers());
    Step::parallel(answering.map(|host| Step::Remove { host: host.name.clone() }).collect())
}
