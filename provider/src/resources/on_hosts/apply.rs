//! One apply of a resource on hosts: observe, look at new hosts, plan from what they really have, run the steps, and make the state
//! of what came of it.

use super::absence::{Absence, Absent};
use super::addresses::Moves;
use super::errors::{machine_error, refused, stopped, tainted};
use super::execute::{Actions, Execution, Outcome};
use super::fleet::Fleet;
use super::ownership::{self, Claim};
use super::plan::Rollout;
use super::preflight::{self, Look, Newcomer};
use super::recorded::{self, Recorded};
use super::{expiry, lives, lost_members, steps};
use bundle::{Bundle, HostName, Manifest, Observed};
use machines::{Inventory, MachineError, Record};
use protocol::{ApplyRequest, ApplyResponse};
use render::component;
use rollout::{HostState, Step};
use schema::{Diagnostic, Diagnostics, Value};
use std::collections::{BTreeMap, BTreeSet};

const GOES_ON: &str = "What was done is kept. Running apply again continues from here.";

/// What an apply starts from.
pub struct Apply<'a> {
    /// Those of the configuration, for the look at new ones.
    pub hosts: &'a render::Hosts,
    pub desired: &'a BTreeMap<HostName, Bundle>,
    /// Of every host that answers.
    pub inventories: &'a BTreeMap<HostName, Inventory>,
    pub rollout: &'a Rollout<'a>,
    pub actions: &'a dyn Actions,
    pub moves: Moves,
}

type Manifests = BTreeMap<HostName, Manifest>;

/// What an apply left on the hosts: the manifests that are there now, and what went wrong.
struct Applied {
    manifests: BTreeMap<HostName, Manifest>,
    diagnostics: Diagnostics,
    /// What was to be done.
    steps: Vec<Step>,
    /// Ctrl-C: what was done is kept and the next apply goes on; not an error of the resource.
    cancelled: bool,
    /// A step changed a host, or tried to.
    touched: bool,
    /// A host had data of this resource before, or ran it, although no state had the host.
    adopts: bool,
}

impl Apply<'_> {
    /// Brings every host from what it has to what it should have.
    pub async fn run(&self, mut fleet: Fleet, request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let recorded = Recorded::of(request.prior.as_ref())?.manifests()?;
        let owner = fleet.owner.clone();
        let mut applied = self.roll(&mut fleet, &recorded, request.prior.as_ref()).await;
        let failed = applied.diagnostics.has_errors();
        let created = request.prior.is_none();
        if failed && created {
            self.forget_untouched(&mut fleet, &mut applied).await;
        }
        if applied.cancelled && created && applied.manifests.is_empty() {
            applied.diagnostics.push(stopped(Diagnostic::error, "Nothing was changed on any host."));
            return Ok(ApplyResponse { state: None, diagnostics: applied.diagnostics });
        }
        if applied.manifests.is_empty() && failed {
            return Ok(ApplyResponse { state: request.prior, diagnostics: applied.diagnostics });
        }
        if created && !(failed && applied.adopts) && !self.take_over(&fleet, &mut applied).await {
            applied.diagnostics.push(nothing_in_the_state());
            return Ok(ApplyResponse { state: None, diagnostics: applied.diagnostics });
        }
        if created && applied.adopts && !failed {
            applied.diagnostics.push(lives::adoption(&owner));
        }
        if failed && created && applied.adopts {
            // Tainted, the next apply would delete what was there before this one began.
            applied.diagnostics.push(nothing_in_the_state());
            return Ok(ApplyResponse { state: None, diagnostics: applied.diagnostics });
        }
        let mut state = request.planned;
        if state.get("rollout").is_unknown() {
            // A plan cannot know them while it does not know what hosts have.
            steps::set(&mut state, &rollout::runs(&applied.steps), self.desired.len());
        }
        if applied.cancelled && created {
            // An engine takes no state but the planned one without an error, and an error would taint: the next refresh finds what
            // is missing.
            applied.diagnostics.push(stopped(Diagnostic::warning, GOES_ON));
        } else if failed || applied.cancelled {
            if let Some(prior) = request.prior.as_ref().filter(|_| !applied.touched) {
                // No host was brought nearer to what was planned: the state does not say so either.
                state = prior.clone();
            }
            state = self.state_left(&mut fleet, state, request.prior.as_ref(), &applied.manifests).await?;
            applied.diagnostics.extend(applied.way_on(created));
        }
        Ok(ApplyResponse { state: Some(state), diagnostics: applied.diagnostics })
    }

    /// Before a state says that it has what was on hosts already. Last, because a create that ends without one has taken nothing from the
    /// state that has it. Whether it is done.
    async fn take_over(&self, fleet: &Fleet, applied: &mut Applied) -> bool {
        let had_one = |found: &Inventory| found.records.contains_key(&fleet.owner.name);
        let found = self.inventories.iter().filter(|(_, found)| had_one(found)).map(|(host, _)| host);
        match fleet.take_over(found).await {
            Ok(()) => true,
            Err(error) => {
                applied.diagnostics.push(machine_error(&error));
                false
            }
        }
    }

    /// Hosts that answer and have nothing, because their first push failed, are as new as before: in a state they would be hosts that
    /// lost all.
    async fn forget_untouched(&self, fleet: &mut Fleet, applied: &mut Applied) {
        let observed = fleet.observe(&applied.manifests).await;
        let has_nothing =
            |host: &HostName| observed.get(host).is_some_and(|found| found.files.is_empty() && found.units.is_empty());
        if applied.manifests.keys().all(has_nothing) {
            applied.manifests.clear();
        }
    }

    /// What the hosts have now, so that the next plan goes on from there even without a refresh.
    async fn state_left(
        &self,
        fleet: &mut Fleet,
        planned: Value,
        prior: Option<&Value>,
        manifests: &BTreeMap<HostName, Manifest>,
    ) -> Result<Value, Diagnostic> {
        let mut state = planned;
        let drift = fleet.read(manifests).await;
        state.set("hosts", recorded::hosts_left(&state, prior, manifests));
        recorded::set_manifests(&mut state, manifests, self.desired)?;
        Ok(recorded::after_read(state, &drift, &fleet.reasons()))
    }

    async fn roll(&self, fleet: &mut Fleet, recorded: &BTreeMap<HostName, Manifest>, prior: Option<&Value>) -> Applied {
        let manifests: BTreeMap<HostName, Manifest> =
            self.desired.iter().map(|(host, bundle)| (host.clone(), bundle.manifest())).collect();
        let mut asked = recorded.clone();
        asked.extend(manifests.clone());
        let observed = fleet.observe(&asked).await;
        let adopts = recorded.is_empty() && self.inventories.values().any(|found| lives::ran(&fleet.owner.name, found));
        let mut applied = Applied {
            manifests: recorded.clone(),
            diagnostics: Diagnostics::default(),
            steps: Vec::new(),
            cancelled: false,
            touched: false,
            adopts,
        };
        let mut found = self.foreign(fleet, recorded);
        let (of_hosts, of_others) = futures::join!(self.preflight(fleet), self.actions.look(fleet, prior, self.inventories));
        found.extend(of_hosts);
        found.extend(of_others);
        if found.has_errors() {
            found.extend(fleet.absent_of(manifests.keys()).unchanged(self.moves));
            applied.diagnostics = found;
            return applied;
        }
        applied.diagnostics = found;
        let mut states = self.host_states(&asked, recorded, &observed);
        for state in &mut states {
            if let Some((bundle, found)) = self.desired.get(&state.name).zip(self.inventories.get(&state.name)) {
                (state.etcd_data, state.history) = ownership::etcd_of(&fleet.owner.name, bundle, found);
                state.expires_in = expiry::of_units(bundle, found);
            }
        }
        let steps = match (self.rollout.plan)(&states) {
            Ok(steps) => steps,
            Err(refusal) => {
                let advice = lost_members::diagnostic(&refusal, self.hosts);
                let absent = fleet.absent_of(asked.keys());
                applied.diagnostics.push(advice.unwrap_or_else(|| absent.explain(refused(&refusal))));
                return applied;
            }
        };
        let outcome = Execution::new(fleet, self.desired, recorded, &observed, self.actions).run(&steps).await;
        let is_done = outcome.error.is_none();
        let touched = outcome.touched.clone();
        applied.take(fleet, (recorded, &manifests), outcome, self.moves);
        applied.steps = steps;
        if is_done && let Err(error) = self.renew_records(fleet, &touched, &observed).await {
            applied.diagnostics.push(machine_error(&error));
        }
        if is_done {
            self.prune_downloads(fleet, recorded).await;
        }
        applied
    }

    /// Once everything runs with other programs than before: what those came from goes, also from hosts that an earlier apply changed.
    async fn prune_downloads(&self, fleet: &Fleet, recorded: &BTreeMap<HostName, Manifest>) {
        let has_other_programs = |(host, bundle): (&HostName, &Bundle)| {
            recorded.get(host).is_some_and(|recorded| recorded.binaries != bundle.manifest().binaries)
        };
        if !self.desired.iter().any(has_other_programs) {
            return;
        }
        let prunes = self.desired.iter().filter_map(|(host, bundle)| {
            let machine = fleet.machines.get(host)?;
            Some(async move { (host, machine.prune_downloads(&fleet.owner, bundle).await) })
        });
        for (host, pruned) in fleet.on_each(prunes).await {
            if let Err(error) = pruned {
                fleet.progress.line(&format!("{host}: old downloads are left: {error}"));
            }
        }
    }

    /// Records that an older version wrote get what they lack, where no step wrote to the host: a push without a difference, which
    /// touches no unit.
    async fn renew_records(
        &self,
        fleet: &Fleet,
        touched: &BTreeSet<HostName>,
        observed: &BTreeMap<HostName, Observed>,
    ) -> Result<(), MachineError> {
        let is_older = |host: &HostName| {
            let record = self.inventories.get(host).and_then(|found| found.records.get(&fleet.owner.name));
            record.is_some_and(Record::is_older) && !touched.contains(host)
        };
        let outdated = self.desired.iter().filter(|(host, _)| is_older(host));
        let pushes = outdated.filter_map(|(host, bundle)| {
            let (machine, observed) = (fleet.machines.get(host)?, observed.get(host)?);
            Some(async move {
                let phase = fleet.progress.phase(format!("{host}: bring its record up to date"));
                phase.finish(machine.push(&fleet.owner, bundle, observed, &|line: &str| fleet.progress.line(line)).await)
            })
        });
        fleet.on_each(pushes).await.into_iter().collect::<Result<Vec<()>, MachineError>>().map(drop)
    }

    fn host_states(
        &self,
        asked: &BTreeMap<HostName, Manifest>,
        recorded: &BTreeMap<HostName, Manifest>,
        observed: &BTreeMap<HostName, Observed>,
    ) -> Vec<HostState> {
        let state = |host: &HostName| {
            let observed = observed.get(host).cloned();
            HostState::new(host.clone(), self.desired.get(host), observed, component::tier_of)
                .in_state(recorded.contains_key(host))
        };
        let mut names: Vec<&HostName> = asked.keys().collect();
        names.sort_by(|one, other| one.by_number(other));
        names.into_iter().map(state).collect()
    }

    fn foreign(&self, fleet: &Fleet, recorded: &BTreeMap<HostName, Manifest>) -> Diagnostics {
        let check = |(host, found): (&HostName, &Inventory)| {
            let (bundle, in_state) = (self.desired.get(host)?, recorded.contains_key(host));
            Some(ownership::check(&Claim { host, owner: &fleet.owner, bundle, in_state }, found))
        };
        self.inventories.iter().filter_map(check).flatten().collect()
    }

    /// Looks at hosts that have no record of this resource.
    async fn preflight(&self, fleet: &Fleet) -> Diagnostics {
        let new = self.inventories.iter().filter(|(_, found)| preflight::is_new(&fleet.owner.name, found));
        let looks = new.filter_map(|(name, found)| {
            let (bundle, host, machine) = (self.desired.get(name)?, self.hosts.get(name)?, fleet.machines.get(name)?);
            Some(async move { (name, bundle, host, found, machine.facts(&preflight::wanted(bundle)).await) })
        });
        let (mut diagnostics, mut seen) = (Diagnostics::default(), Vec::new());
        for (name, bundle, host, found, facts) in fleet.on_each(looks).await {
            match facts {
                Ok(facts) => seen.push((name, bundle, host, found, facts)),
                Err(error) => diagnostics.push(machine_error(&error)),
            }
        }
        let newcomers = seen.iter().map(|(name, bundle, host, found, facts)| Newcomer { name, bundle, host, found, facts });
        diagnostics.extend(preflight::check(&Look { newcomers: newcomers.collect(), hosts: self.hosts }));
        diagnostics
    }
}

impl Applied {
    fn take(&mut self, fleet: &Fleet, (recorded, manifests): (&Manifests, &Manifests), outcome: Outcome, moves: Moves) {
        let is_create = self.manifests.is_empty();
        self.touched = outcome.error.as_ref().is_none_or(|(_, reach)| reach.untouched.len() < reach.hosts);
        // Of a create that was cut off, hosts that answer belong to the state, and what they lack is drift for the next apply.
        let is_kept = |host: &HostName| {
            outcome.touched.contains(host) || (is_create && !outcome.touched.is_empty() && fleet.machines.contains_key(host))
        };
        let kept = manifests.iter().filter(|(host, _)| is_kept(host));
        let left = |(host, manifest): (&HostName, &Manifest)| {
            let before = recorded.get(host).filter(|_| !outcome.pruned.contains(host));
            (host.clone(), with_units_left(manifest, before))
        };
        self.manifests.extend(kept.map(left));
        outcome.removed.iter().for_each(|host| drop(self.manifests.remove(host)));
        match outcome.error {
            None => self.settle(fleet, manifests, moves),
            Some((error, _)) if error.is_cancelled() => self.cancelled = true,
            Some((error, reach)) => {
                let mut diagnostic = error.diagnostic();
                diagnostic.detail = format!("{}\n\n{reach}", diagnostic.detail);
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// Every step ran: hosts that answer have what was planned; the others are named.
    fn settle(&mut self, fleet: &Fleet, manifests: &BTreeMap<HostName, Manifest>, moves: Moves) {
        for host in self.manifests.keys().filter(|host| !manifests.contains_key(*host)) {
            if let Some(Absence { summary, reason, .. }) = fleet.absent.get(host) {
                self.diagnostics.push(
                    Diagnostic::warning(format!("{summary}, so nothing was removed from it")).detail(format!(
                        "{reason}\n\nIt is no longer part of this resource. If it comes back, reinstall it before you use it for something else."
                    )),
                );
            }
        }
        let is_pending = |host: &&HostName| {
            let has = |known: &Manifest| bundle::differences(&manifests[*host], &known.as_observed()).is_empty();
            let retires = |known: &Manifest| known.units.keys().any(|unit| !manifests[*host].units.contains_key(unit));
            !self.manifests.get(*host).is_some_and(|known| has(known) && !retires(known))
        };
        let (absent, done): (Vec<&HostName>, Vec<&HostName>) =
            manifests.keys().partition(|host| fleet.absent.contains_key(*host));
        let pending = fleet.absent_of(absent.into_iter().filter(is_pending));
        self.diagnostics.extend(Absent { others_are_done: !done.is_empty(), ..pending }.unchanged(moves));
        let done = done.into_iter().filter_map(|host| manifests.get_key_value(host));
        self.manifests.extend(done.map(|(host, manifest)| (host.clone(), manifest.clone())));
    }

    fn way_on(&self, created: bool) -> Vec<Diagnostic> {
        let mut ways = Vec::new();
        if self.diagnostics.has_errors() && created {
            ways.push(tainted());
        }
        if self.cancelled {
            ways.push(stopped(Diagnostic::error, GOES_ON));
        }
        ways
    }
}

/// Units that were declared before may run still, and the next plan has to take them away.
fn with_units_left(manifest: &Manifest, before: Option<&Manifest>) -> Manifest {
    let mut left = manifest.clone();
    for (unit, stamp) in before.iter().flat_map(|before| &before.units) {
        left.units.entry(unit.clone()).or_insert_with(|| stamp.clone());
    }
    left
}

fn nothing_in_the_state() -> Diagnostic {
    Diagnostic::warning("nothing of this resource is in the state yet").detail(
        "Its hosts had data of it before this apply, and all of that stays. Run apply again once the error is resolved: it goes on from \
         what is on the hosts.",
    )
}
