//! The hosts of one resource while a call lasts: each answers or does not. Reading, stopping and removing, all hosts at once; steps
//! are run by `execute`.

use super::errors::machine_error;
use super::execute::StepError;
use crate::ports::{Clock, Host};
use crate::progress::Progress;
use bundle::{Difference, HostName, Manifest, Observed, UnitName};
use machines::{Inventory, MachineError, Owner, Question};
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub struct Fleet {
    pub owner: Owner,
    pub machines: BTreeMap<HostName, Arc<dyn Host>>,
    pub unreachable: BTreeMap<HostName, String>,
    pub progress: Progress,
    pub cancelled: CancellationToken,
    pub clock: Arc<dyn Clock>,
}

impl Fleet {
    /// Hosts that answered, and those that did not with the reason.
    pub fn new(
        owner: Owner,
        answers: impl IntoIterator<Item = (HostName, Result<Arc<dyn Host>, MachineError>)>,
        progress: Progress,
        cancelled: CancellationToken,
        clock: Arc<dyn Clock>,
    ) -> Fleet {
        let mut fleet = Fleet { owner, machines: BTreeMap::new(), unreachable: BTreeMap::new(), progress, cancelled, clock };
        for (name, answer) in answers {
            match answer {
                Ok(machine) => drop(fleet.machines.insert(name, machine)),
                Err(error) => {
                    fleet.progress.line(&format!("{name}: {error}"));
                    fleet.unreachable.insert(name, error.to_string());
                }
            }
        }
        fleet
    }

    pub fn machine(&self, host: &HostName) -> Result<&dyn Host, StepError> {
        self.machines.get(host).map(AsRef::as_ref).ok_or_else(|| StepError::Gate {
            summary: format!("{host} does not answer"),
            detail: format!("{}\n\nRunning apply again is safe.", self.unreachable.get(host).cloned().unwrap_or_default()),
        })
    }

    pub fn unreachable_warnings(&self) -> Diagnostics {
        let warning = |(host, reason): (&HostName, &String)| {
            Diagnostic::warning(format!("{host} does not answer"))
                .detail(format!("{reason}\n\nIts last known state is kept; every other host was read. Once it answers again, the next refresh reads it."))
        };
        self.unreachable.iter().map(warning).collect()
    }

    /// What differs on each host that answers.
    pub async fn read(&mut self, manifests: &BTreeMap<HostName, Manifest>) -> BTreeMap<HostName, Vec<Difference>> {
        let observed = self.observe(manifests).await;
        observed
            .iter()
            .filter_map(|(host, observed)| Some((host.clone(), bundle::differences(manifests.get(host)?, observed))))
            .collect()
    }

    /// What each host that answers has of its manifest.
    pub async fn observe(&mut self, manifests: &BTreeMap<HostName, Manifest>) -> BTreeMap<HostName, Observed> {
        let questions: Vec<(Arc<dyn Host>, Manifest)> =
            manifests.iter().filter_map(|(host, manifest)| Some((self.machines.get(host)?.clone(), manifest.clone()))).collect();
        let reads = questions.into_iter().map(|(machine, manifest)| {
            let owner = self.owner.clone();
            async move { (machine.name().clone(), machine.read(&owner, &manifest).await) }
        });
        let mut all = BTreeMap::new();
        for (host, result) in futures::future::join_all(reads).await {
            match result {
                Ok(observed) => drop(all.insert(host, observed)),
                Err(error) => {
                    self.machines.remove(&host);
                    self.unreachable.insert(host, error.to_string());
                }
            }
        }
        all
    }

    /// Of every host that answers and is to have something: whose it is.
    pub async fn take_inventories(&mut self, questions: BTreeMap<HostName, Question>) -> BTreeMap<HostName, Inventory> {
        let machines =
            questions.into_iter().filter_map(|(host, question)| Some((self.machines.get(&host)?.clone(), host, question)));
        let looks = machines.map(|(machine, host, question)| async move { (host, machine.inventory(&question).await) });
        let mut all = BTreeMap::new();
        for (host, result) in futures::future::join_all(looks).await {
            match result {
                Ok(inventory) => drop(all.insert(host, inventory)),
                Err(error) => {
                    self.machines.remove(&host);
                    self.unreachable.insert(host, error.to_string());
                }
            }
        }
        all
    }

    /// Stops units on all hosts at once, for components that would wait for each other if their hosts were removed one by one.
    /// What does not stop here is stopped again, and reported, by `remove`.
    pub async fn stop_everywhere(&self, units: &[UnitName]) {
        let stops = self.machines.iter().map(|(host, machine)| async move {
            let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
            let phase = self.progress.phase(format!("{host}: stop {}", names.join(", ")));
            phase.finish(machine.stop(&self.owner, units).await)
        });
        futures::future::join_all(stops).await;
    }

    /// Removes everything that the state names from every host that answers; what is left is returned.
    pub async fn remove(&self, manifests: &BTreeMap<HostName, Manifest>) -> (BTreeMap<HostName, Manifest>, Diagnostics) {
        let machines: Vec<(Arc<dyn Host>, Manifest)> =
            manifests.iter().filter_map(|(host, manifest)| Some((self.machines.get(host)?.clone(), manifest.clone()))).collect();
        let removals = machines.into_iter().map(|(machine, manifest)| async move {
            let name = machine.name().clone();
            let phase = self.progress.phase(format!("{name}: remove"));
            let progress = self.progress.clone();
            let report = move |text: &str| progress.line(text);
            let removed = machine.remove(&self.owner, &manifest, &report).await;
            (name, phase.finish(removed))
        });
        let mut left = manifests.clone();
        let mut diagnostics = Diagnostics::default();
        for (host, result) in futures::future::join_all(removals).await {
            match result {
                Ok(()) => drop(left.remove(&host)),
                Err(error) => diagnostics.push(machine_error(&error)),
            }
        }
        for host in left.keys() {
            if let Some(reason) = self.unreachable.get(host) {
                diagnostics.push(
                    Diagnostic::error(format!("{host} does not answer, so what is on it could not be removed"))
                        .detail(format!("{reason}\n\nEvery other host is done. Destroy again once it answers; if it is gone for good, remove this resource from the state.")),
                );
            }
        }
        (left, diagnostics)
    }

    /// Any machine that answers, in the order of names.
    pub fn first(&self) -> Option<&Arc<dyn Host>> {
        self.machines.values().next()
    }
}
