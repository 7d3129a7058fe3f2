//! Runs the steps of a rollout on real hosts. Ordering and safety are the planner's (crate `rollout`); here each step is done
//! once, timed, and stopped at the next safe point when the engine asks for it.

use super::errors::machine_error;
use super::fleet::Fleet;
use crate::kubernetes::KubernetesError;
use crate::ports::Host;
use async_trait::async_trait;
use bundle::{Bundle, Digest, HostName, Manifest, Observed, UnitName};
use machines::MachineError;
use rollout::{Gate, Step};
use schema::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// The steps that mean something else for each resource. A step that a resource's planner never makes does nothing there.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Returns when the condition holds; an error says which did not, and what was seen last.
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError>;

    async fn join(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
        Ok(())
    }
    async fn drain(&self, _fleet: &Fleet, _host: &HostName) -> Result<(), StepError> {
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

impl StepError {
    pub fn is_cancelled(&self) -> bool {
        matches!(self, StepError::Cancelled(_) | StepError::Kubernetes(KubernetesError::Cancelled(_)))
    }

    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            StepError::Machine(error) => machine_error(error),
            StepError::Gate { summary, detail } => Diagnostic::error(summary.clone()).detail(detail.clone()),
            StepError::Kubernetes(error) => Diagnostic::error("the cluster did not do what was asked")
                .detail(format!("{error}\n\nRunning apply again is safe.")),
            StepError::Cancelled(text) => {
                Diagnostic::warning(format!("stopped before: {text}")).detail("Running apply again continues from here.")
            }
        }
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
}

pub struct Outcome {
    /// Hosts on which something was begun.
    pub touched: BTreeSet<HostName>,
    /// Hosts from which everything was taken away.
    pub removed: BTreeSet<HostName>,
    pub error: Option<StepError>,
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
        let mut error = None;
        for step in steps {
            if let Err(failure) = self.run_step(step).await {
                error = Some(failure);
                break;
            }
        }
        let log = self.log.into_inner().unwrap_or_default();
        Outcome { touched: log.touched, removed: log.removed, error }
    }

    async fn run_step(&self, step: &Step) -> Result<(), StepError> {
        if self.fleet.cancelled.is_cancelled() {
            return Err(StepError::Cancelled(step.to_string()));
        }
        if let Step::Parallel(inner) = step {
            // Every branch is finished even when one fails, so that no host is left in the middle of a step.
            let results = futures::future::join_all(inner.iter().map(|step| Box::pin(self.run_step(step)))).await;
            return results.into_iter().collect();
        }
        let phase = self.fleet.progress.phase(step.to_string());
        phase.finish(self.run_single(step).await)
    }

    async fn run_single(&self, step: &Step) -> Result<(), StepError> {
        let (fleet, actions) = (self.fleet, self.actions);
        match step {
            Step::Parallel(_) => Ok(()),
            Step::Push { host, .. } => self.push(host).await,
            Step::Start { host, units, .. } => Ok(self.machine(host)?.start(&fleet.owner, &self.stamps(host, units)).await?),
            Step::Restart { host, units, .. } => Ok(self.machine(host)?.restart(&fleet.owner, &self.stamps(host, units)).await?),
            Step::Reload { host, units, .. } => Ok(self.machine(host)?.reload(&fleet.owner, &self.stamps(host, units)).await?),
            Step::Stop { host, units } => Ok(self.machine(host)?.stop(&fleet.owner, units).await?),
            Step::Remove { host } => self.remove(host).await,
            Step::Gate { gate, .. } => actions.gate(fleet, gate).await,
            Step::Join { host } => actions.join(fleet, host).await,
            Step::Drain { host } => actions.drain(fleet, host).await,
            Step::Uncordon { host } => actions.uncordon(fleet, host).await,
            Step::DeleteNode { host } => actions.delete_node(fleet, host).await,
            Step::ApplyObjects => actions.apply_objects(fleet).await,
            Step::HandOver { host } => actions.hand_over(fleet, host).await,
        }
    }

    async fn push(&self, host: &HostName) -> Result<(), StepError> {
        let machine = self.machine(host)?;
        let Some(bundle) = self.desired.get(host) else { return Ok(()) };
        self.note(|log| log.touched.extend([host.clone()]));
        let nothing = Observed::default();
        let observed = self.observed.get(host).unwrap_or(&nothing);
        let progress = self.fleet.progress.clone();
        let report = move |text: &str| progress.line(text);
        machine.push(&self.fleet.owner, bundle, observed, &report).await?;
        // What an older version of the bundle brought and this one does not name any more.
        Ok(machine.prune(&self.fleet.owner, &bundle.manifest(), &report).await?)
    }

    async fn remove(&self, host: &HostName) -> Result<(), StepError> {
        let manifest = self.recorded.get(host).cloned().unwrap_or_default();
        let progress = self.fleet.progress.clone();
        let report = move |text: &str| progress.line(text);
        self.machine(host)?.remove(&self.fleet.owner, &manifest, &report).await?;
        self.note(|log| log.removed.extend([host.clone()]));
        Ok(())
    }

    fn machine(&self, host: &HostName) -> Result<&dyn Host, StepError> {
        self.fleet.machines.get(host).map(AsRef::as_ref).ok_or_else(|| StepError::Gate {
            summary: format!("{host} does not answer"),
            detail: format!("{}\n\nRunning apply again is safe.", self.fleet.unreachable.get(host).cloned().unwrap_or_default()),
        })
    }

    fn stamps(&self, host: &HostName, units: &[UnitName]) -> Vec<(UnitName, Digest)> {
        let Some(bundle) = self.desired.get(host) else { return Vec::new() };
        units.iter().filter_map(|name| Some((name.clone(), bundle.unit_stamp(bundle.units.get(name)?)))).collect()
    }

    fn note(&self, change: impl FnOnce(&mut Log)) {
        if let Ok(mut log) = self.log.lock() {
            change(&mut log);
        }
    }
}
