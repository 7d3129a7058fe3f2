//! Runs the steps of a rollout on real hosts. Ordering and safety are the planner's (crate `rollout`); here each step is done
//! once, timed, and stopped at the next safe point when the engine asks for it.

use super::fleet::Fleet;
use super::{health, served, settings};
use crate::kubernetes::KubernetesError;
use crate::wait::Ended;
use async_trait::async_trait;
use bundle::{Bundle, Difference, Digest, Health, HostName, Manifest, Observed, UnitName};
use futures::future::join_all;
use machines::{Inventory, MachineError};
use rollout::{Gate, Proof, Step};
use schema::{Diagnostic, Diagnostics, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

/// The steps that mean something else for each resource. A step that a resource's planner never makes does nothing there.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Returns when the condition holds; an error says which did not, and what was seen last.
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError>;

    /// Beside the first look at new hosts, before anything is written: what else stands in the way.
    async fn look(&self, _fleet: &Fleet, _prior: Option<&Value>, _inventories: &BTreeMap<HostName, Inventory>) -> Diagnostics {
        Diagnostics::default()
    }

    async fn join(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
    async fn cordon(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
    /// `leaves`: for good.
    async fn drain(&self, _fleet: &Fleet, _host: &HostName, _leaves: bool) -> Result<(), StepError> {
        Ok(())
    }
    async fn amend_node(&self, _fleet: &Fleet, _host: &HostName, _differences: &[Difference]) -> Result<(), StepError> {
        Ok(())
    }
    async fn uncordon(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
    async fn delete_node(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
    async fn apply_objects(&self, _fleet: &Fleet) -> Result<(), StepError> {
        Ok(())
    }
    async fn snapshot_etcd(&self, _fleet: &Fleet) -> Result<(), StepError> {
        Ok(())
    }
    /// Moves the virtual addresses away from a host that is about to be worked on.
    async fn hand_over(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    #[error("{summary}: {detail}")]
    Gate { summary: String, detail: String },
    #[error("stopped before: {0}")]
    Cancelled(String),
}

impl From<Ended> for StepError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Cancelled { what } => StepError::Cancelled(what),
            Ended::TimedOut { .. } => {
                StepError::Gate { summary: ended.to_string(), detail: "Running apply again is safe.".into() }
            }
        }
    }
}

impl StepError {
    pub fn is_cancelled(&self) -> bool {
        matches!(self, StepError::Cancelled(_))
    }

    /// What was not done, and on which host.
    pub fn summary(&self) -> String {
        match self {
            StepError::Machine(error) => error.summary(),
            StepError::Kubernetes(_) => "the cluster did not do what was asked".into(),
            StepError::Gate { summary, .. } => summary.clone(),
            StepError::Cancelled(step) => format!("stopped before: {step}"),
        }
    }

    /// Why, and the way out.
    pub fn detail(&self) -> String {
        match self {
            StepError::Machine(error) => error.detail(),
            StepError::Kubernetes(error) => format!("{error}\n\nRunning apply again is safe."),
            StepError::Gate { detail, .. } => detail.clone(),
            StepError::Cancelled(_) => "Running apply again continues from here.".into(),
        }
    }

    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = match self {
            StepError::Cancelled(_) => Diagnostic::warning(self.summary()),
            _ => Diagnostic::error(self.summary()),
        };
        diagnostic.detail(self.detail())
    }
}

pub struct Execution<'a> {
    fleet: &'a Fleet,
    desired: &'a BTreeMap<HostName, Bundle>,
    recorded: &'a BTreeMap<HostName, Manifest>,
    observed: &'a BTreeMap<HostName, Observed>,
    actions: &'a dyn Actions,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    touched: BTreeSet<HostName>,
    removed: BTreeSet<HostName>,
    /// Hosts from which what is declared no more was taken away.
    pruned: BTreeSet<HostName>,
    /// Hosts on which programs were asked whether they take their settings.
    checked: BTreeSet<HostName>,
    proof: Proof,
}

/// How far a rollout came that a failure ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// All their steps ran.
    pub done: BTreeSet<HostName>,
    /// Nothing was done to them.
    pub untouched: BTreeSet<HostName>,
    /// Of all hosts that the plan changes.
    pub hosts: usize,
}

pub struct Outcome {
    /// Hosts on which something was begun.
    pub touched: BTreeSet<HostName>,
    /// Hosts from which everything was taken away.
    pub removed: BTreeSet<HostName>,
    /// Hosts from which what is declared no more was taken away.
    pub pruned: BTreeSet<HostName>,
    pub error: Option<(StepError, Reach)>,
}

impl Reach {
    /// `failed` is the place of the step that failed.
    fn of(steps: &[Step], failed: usize) -> Reach {
        let changed = |steps: &[Step]| -> BTreeSet<HostName> { steps.iter().flat_map(Step::changes).cloned().collect() };
        let (until, later) = steps.split_at((failed + 1).min(steps.len()));
        let (touched, to_come, all) = (changed(until), changed(later), changed(steps));
        let here: BTreeSet<HostName> = until.last().into_iter().flat_map(Step::names).cloned().collect();
        Reach {
            done: touched.iter().filter(|host| !to_come.contains(*host) && !here.contains(*host)).cloned().collect(),
            untouched: to_come.difference(&touched).cloned().collect(),
            hosts: all.len(),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = |count: usize| if count == 1 { "is" } else { "are" };
        write!(f, "{} of {} hosts {} done", self.done.len(), self.hosts, is(self.done.len()))?;
        match self.untouched.iter().map(HostName::as_str).collect::<Vec<_>>().as_slice() {
            [] => f.write_str("."),
            [one] => write!(f, "; {one} was not touched."),
            many @ [.., _, _] if many.len() > 6 => write!(f, "; the other {} were not touched.", many.len()),
            many => write!(f, "; {} were not touched.", many.join(", ")),
        }
    }
}

impl<'a> Execution<'a> {
    pub fn new(
        fleet: &'a Fleet,
        desired: &'a BTreeMap<HostName, Bundle>,
        recorded: &'a BTreeMap<HostName, Manifest>,
        observed: &'a BTreeMap<HostName, Observed>,
        actions: &'a dyn Actions,
    ) -> Self {
        Execution { fleet, desired, recorded, observed, actions, log: Mutex::default() }
    }

    pub async fn run(self, steps: &[Step]) -> Outcome {
        self.note(|log| log.proof = Proof::of(steps, |host, unit| self.health_of(host, unit)));
        let mut error = None;
        for (place, step) in steps.iter().enumerate() {
            if let Err(failure) = self.run_step(step).await {
                error = Some((failure, Reach::of(steps, place)));
                break;
            }
        }
        let log = self.log.into_inner().unwrap_or_default();
        Outcome { touched: log.touched, removed: log.removed, pruned: log.pruned, error }
    }

    async fn run_step(&self, step: &Step) -> Result<(), StepError> {
        if self.fleet.cancelled.is_cancelled() {
            return Err(StepError::Cancelled(step.to_string()));
        }
        if let Step::Parallel(inner) = step {
            // Every branch is finished even when one fails, so that no host is left in the middle of a step.
            let runs = inner.iter().map(|step| Box::pin(self.run_step(step)));
            // A member of etcd is started when most of them are: none waits for its turn.
            let starts = inner.iter().any(|step| matches!(step, Step::Start { .. } | Step::Restart { .. }));
            let results = if starts { join_all(runs).await } else { self.fleet.on_each(runs).await };
            return results.into_iter().collect();
        }
        let phase = self.fleet.progress.phase_of(step.to_string(), step.headline());
        phase.finish(self.run_single(step).await)
    }

    async fn run_single(&self, step: &Step) -> Result<(), StepError> {
        let (fleet, actions) = (self.fleet, self.actions);
        match step {
            Step::Parallel(_) => Ok(()),
            Step::Push { host, .. } => self.push(host).await,
            Step::Start { host, units, .. } => {
                self.check(host).await?;
                fleet.machine(host)?.start(&fleet.owner, units).await?;
                self.started(host, step).await
            }
            Step::Restart { host, units, .. } => {
                self.check(host).await?;
                fleet.machine(host)?.restart(&fleet.owner, units).await?;
                self.started(host, step).await
            }
            Step::Reload { host, units, .. } => {
                self.check(host).await?;
                fleet.machine(host)?.reload(&fleet.owner, units).await?;
                self.started(host, step).await
            }
            Step::Stop { host, units } => Ok(fleet.machine(host)?.stop(&fleet.owner, units).await?),
            Step::Remove { host } => self.remove(host).await,
            Step::Gate { host, gate } => self.gate(host.as_ref(), gate).await,
            Step::Join { host } => actions.join(fleet, host).await,
            Step::Cordon { host } => actions.cordon(fleet, host).await,
            Step::Drain { host, because } => actions.drain(fleet, host, because.is_none()).await,
            Step::AmendNode { host, differences } => actions.amend_node(fleet, host, differences).await,
            Step::Uncordon { host } => actions.uncordon(fleet, host).await,
            Step::DeleteNode { host } => actions.delete_node(fleet, host).await,
            Step::ApplyObjects { .. } => actions.apply_objects(fleet).await,
            Step::SnapshotEtcd => actions.snapshot_etcd(fleet).await,
            Step::HandOver { host } => actions.hand_over(fleet, host).await,
        }
    }

    /// Units for which it was the last gate are up to date now, and their stamps say so.
    async fn gate(&self, host: Option<&HostName>, gate: &Gate) -> Result<(), StepError> {
        let nothing = Bundle::default();
        match gate {
            Gate::UnitsHealthy { host, units } => {
                let bundle = self.desired.get(host).unwrap_or(&nothing);
                health::wait_until_healthy(self.fleet, bundle, host, units).await
            }
            Gate::CertificatesServed { host, units } => self.see_served(host, units).await,
            gate => self.actions.gate(self.fleet, gate).await,
        }?;
        let Some(host) = host else { return Ok(()) };
        let proven = self.note(|log| log.proof.passed(host, gate)).unwrap_or_default();
        self.note_stamps(host, &proven).await
    }

    async fn started(&self, host: &HostName, step: &Step) -> Result<(), StepError> {
        let proven = self.note(|log| log.proof.started(step)).unwrap_or_default();
        self.note_stamps(host, &proven).await
    }

    async fn note_stamps(&self, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
        match units {
            [] => Ok(()),
            units => Ok(self.fleet.machine(host)?.note_stamps(&self.fleet.owner, &self.stamps(host, units)).await?),
        }
    }

    fn health_of(&self, host: &HostName, unit: &UnitName) -> Health {
        let described = self.desired.get(host).and_then(|bundle| bundle.units.get(unit));
        described.map_or(Health::StaysUp, |unit| unit.traits.health)
    }

    /// Units that serve what was written are up to date. One that does not read it within the time is not, and the next plan restarts it.
    async fn see_served(&self, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
        let bundle = self.desired.get(host).cloned().unwrap_or_default();
        match served::wait_until_served(self.fleet, &bundle, host, units).await {
            Ok(()) => self.note_stamps(host, units).await,
            Err(served::NotServed::Late { unit, error }) => {
                self.withdraw_stamp(host, unit).await;
                Err(error)
            }
            Err(served::NotServed::Other(error)) => Err(error),
        }
    }

    /// A unit that is not up to date: the next plan must see it, and must not go on to the next host for it.
    async fn withdraw_stamp(&self, host: &HostName, doubtful: UnitName) {
        if let Ok(machine) = self.fleet.machine(host)
            && let Err(error) = machine.withdraw_stamps(&self.fleet.owner, &[doubtful]).await
        {
            self.fleet.progress.line(&format!("{host}: {error}"));
        }
    }

    async fn push(&self, host: &HostName) -> Result<(), StepError> {
        let machine = self.fleet.machine(host)?;
        let Some(bundle) = self.desired.get(host) else { return Ok(()) };
        self.note(|log| log.touched.extend([host.clone()]));
        let nothing = Observed::default();
        let observed = self.observed.get(host).unwrap_or(&nothing);
        let progress = self.fleet.progress.clone();
        let report = move |text: &str| progress.line(text);
        machine.push(&self.fleet.owner, bundle, observed, &report).await?;
        self.check(host).await?;
        // What an older version of the bundle brought and this one does not name any more.
        machine.prune(&self.fleet.owner, bundle, &report).await?;
        self.note(|log| log.pruned.insert(host.clone()));
        Ok(())
    }

    /// Once for each host: when its files are there, and before anything goes or a unit is touched. Those of an apply that was cut off in
    /// between are there already.
    async fn check(&self, host: &HostName) -> Result<(), StepError> {
        let is_first = self.note(|log| log.checked.insert(host.clone())).unwrap_or(true);
        let Some(bundle) = self.desired.get(host).filter(|_| is_first) else { return Ok(()) };
        let due = settings::due(bundle, self.observed.get(host));
        // Of a push that nobody has to check, what it kept is forgotten: put back by a later refusal, it would be what somebody else had written.
        let was_pushed = self.note(|log| log.touched.contains(host)).unwrap_or(false);
        if due.is_empty() && !was_pushed {
            return Ok(());
        }
        Ok(self.fleet.machine(host)?.check(&self.fleet.owner, &due).await?)
    }

    async fn remove(&self, host: &HostName) -> Result<(), StepError> {
        let manifest = self.recorded.get(host).cloned().unwrap_or_default();
        let progress = self.fleet.progress.clone();
        let report = move |text: &str| progress.line(text);
        self.fleet.machine(host)?.remove(&self.fleet.owner, &manifest, &report).await?;
        self.note(|log| log.removed.extend([host.clone()]));
        Ok(())
    }

    fn stamps(&self, host: &HostName, units: &[UnitName]) -> Vec<(UnitName, Digest)> {
        let Some(bundle) = self.desired.get(host) else { return Vec::new() };
        units.iter().filter_map(|name| Some((name.clone(), bundle.unit_stamp(name)?))).collect()
    }

    fn note<T>(&self, change: impl FnOnce(&mut Log) -> T) -> Option<T> {
        self.log.lock().ok().map(|mut log| change(&mut log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_done_under_way_or_untouched() {
        let host = |name: &str| HostName::literal(name);
        let stop = |name: &str| Step::Stop { host: host(name), units: vec![] };
        let gate = |name: &str| Step::Gate { host: Some(host(name)), gate: Gate::ApiServerReady { host: host(name) } };
        let steps = [stop("a"), gate("a"), stop("b"), gate("b"), stop("c"), gate("c"), stop("d")];
        assert_eq!(Reach::of(&steps, 1).to_string(), "0 of 4 hosts are done; b, c, d were not touched.");
        assert_eq!(Reach::of(&steps, 3).to_string(), "1 of 4 hosts is done; c, d were not touched.");
        assert_eq!(Reach::of(&steps, 5).to_string(), "2 of 4 hosts are done; d was not touched.");
        assert_eq!(Reach::of(&steps, 6).to_string(), "3 of 4 hosts are done.");
    }
}
