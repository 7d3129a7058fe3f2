//! The hosts of one resource while a call lasts: connections, what was observed, and one `read`, `apply` and `delete` that
//! every host-based resource is made of.

use crate::configuration::Shared;
use crate::hosts::{self, HostConfigs};
use crate::ports::Host;
use crate::progress::Progress;
use crate::resources::on_hosts::execute::{Actions, Execution};
use crate::resources::on_hosts::host_state::{Rollout, refused};
use crate::resources::on_hosts::preflight;
use crate::ssh::{self, Ssh};
use bundle::{Bundle, Difference, HostName, Manifest, Observed, UnitName};
use futures::StreamExt;
use machines::{MachineError, Owner, Target};
use rollout::HostState;
use schema::{Diagnostic, Diagnostics, Field};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub struct Fleet {
    pub owner: Owner,
    hosts: render::Hosts,
    pub machines: BTreeMap<HostName, Arc<dyn Host>>,
    pub unreachable: BTreeMap<HostName, String>,
    pub progress: Progress,
    pub cancelled: CancellationToken,
}

/// What an apply left on the hosts: the manifests that are there now, and what went wrong.
pub struct Applied {
    pub manifests: BTreeMap<HostName, Manifest>,
    pub diagnostics: Diagnostics,
    /// Ctrl-C: what was done is kept and the next apply goes on; not an error of the resource.
    pub cancelled: bool,
}

impl Fleet {
    /// Connects to every host, many at once. A host that does not answer is remembered with its reason.
    pub async fn connect(
        shared: &Shared,
        owner: Owner,
        configs: &HostConfigs,
        resource_ssh: &Field<Ssh>,
        cancelled: &CancellationToken,
    ) -> Result<Fleet, Diagnostic> {
        let configuration = shared.configuration();
        let targets = targets(configs, &[resource_ssh, &configuration.ssh])?;
        let progress = configuration.progress(owner.to_string());
        let parallel_hosts = configuration.parallel_hosts();
        let connections =
            targets.into_iter().map(|target| async move { (target.name.clone(), shared.world.connect(&target).await) });
        let results: Vec<_> = futures::stream::iter(connections).buffer_unordered(parallel_hosts).collect().await;
        let mut fleet = Fleet {
            owner,
            hosts: hosts::resolve(configs).unwrap_or_default(),
            machines: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            progress,
            cancelled: cancelled.clone(),
        };
        for (name, result) in results {
            match result {
                Ok(machine) => drop(fleet.machines.insert(name, machine)),
                Err(error) => {
                    fleet.progress.line(&format!("{name}: {error}"));
                    fleet.unreachable.insert(name, error.to_string());
                }
            }
        }
        Ok(fleet)
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

    async fn observe(&mut self, manifests: &BTreeMap<HostName, Manifest>) -> BTreeMap<HostName, Observed> {
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

    /// Brings every host from what it has to what it should have. `recorded` is what the state said before.
    pub async fn apply(
        &mut self,
        recorded: &BTreeMap<HostName, Manifest>,
        desired: &BTreeMap<HostName, Bundle>,
        rollout: &Rollout<'_>,
        actions: &dyn Actions,
    ) -> Applied {
        let manifests: BTreeMap<HostName, Manifest> =
            desired.iter().map(|(host, bundle)| (host.clone(), bundle.manifest())).collect();
        let mut asked = recorded.clone();
        asked.extend(manifests.clone());
        let observed = self.observe(&asked).await;
        let states: Vec<HostState> = asked
            .keys()
            .map(|host| {
                let observed = observed.get(host).cloned();
                HostState::new(host.clone(), desired.get(host), observed, rollout.tiers.clone())
                    .in_state(recorded.contains_key(host))
            })
            .collect();
        let mut applied = Applied { manifests: recorded.clone(), diagnostics: Diagnostics::default(), cancelled: false };
        let faults = self.preflight(recorded, desired).await;
        if faults.has_errors() {
            applied.diagnostics = faults;
            return applied;
        }
        let steps = match (rollout.plan)(&states) {
            Ok(steps) => steps,
            Err(refusal) => {
                applied.diagnostics.push(refused(&refusal));
                return applied;
            }
        };
        let execution = Execution::new(self, desired, recorded, &observed, actions);
        let outcome = execution.run(&steps).await;
        for host in &outcome.touched {
            if let Some(manifest) = manifests.get(host) {
                applied.manifests.insert(host.clone(), manifest.clone());
            }
        }
        if recorded.is_empty() && !outcome.touched.is_empty() {
            // A create that was cut off: hosts that answer belong to the state, and what they lack is drift for the next apply.
            applied.manifests.extend(
                manifests
                    .iter()
                    .filter(|(host, _)| self.machines.contains_key(*host))
                    .map(|(host, manifest)| (host.clone(), manifest.clone())),
            );
        }
        outcome.removed.iter().for_each(|host| drop(applied.manifests.remove(host)));
        match outcome.error {
            None => self.settle(&manifests, &mut applied),
            Some(error) if error.is_cancelled() => applied.cancelled = true,
            Some(error) => applied.diagnostics.push(error.diagnostic()),
        }
        applied
    }

    /// Looks at hosts that get something for the first time.
    async fn preflight(&self, recorded: &BTreeMap<HostName, Manifest>, desired: &BTreeMap<HostName, Bundle>) -> Diagnostics {
        let new = desired.keys().filter(|host| !recorded.contains_key(*host));
        let looks = new.filter_map(|host| Some((host, self.hosts.get(host)?, self.machines.get(host)?))).map(
            |(name, host, machine)| async move {
                match machine.facts().await {
                    Ok(facts) => preflight::check(name.as_str(), host, &facts),
                    Err(error) => machine_error(&error).into(),
                }
            },
        );
        futures::future::join_all(looks).await.into_iter().flatten().collect()
    }

    /// Every step ran: hosts that answer have what was planned; the others are named.
    fn settle(&self, manifests: &BTreeMap<HostName, Manifest>, applied: &mut Applied) {
        for host in applied.manifests.keys().filter(|host| !manifests.contains_key(*host)) {
            if let Some(reason) = self.unreachable.get(host) {
                applied.diagnostics.push(
                    Diagnostic::warning(format!("{host} does not answer, so nothing was removed from it")).detail(format!(
                        "{reason}\n\nIt is not part of this resource any more. Should it come back, install it anew before it is used for something else."
                    )),
                );
            }
        }
        for (host, manifest) in manifests {
            let pending = applied.manifests.get(host) != Some(manifest);
            match self.unreachable.get(host) {
                Some(reason) if pending => applied.diagnostics.push(
                    Diagnostic::error(format!("{host} does not answer and still has to be changed"))
                        .detail(format!("{reason}\n\nEvery other host is done. Running apply again once it answers is safe, or take it out of hosts.")),
                ),
                Some(_) => {}
                None => drop(applied.manifests.insert(host.clone(), manifest.clone())),
            }
        }
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

    pub fn names(&self) -> BTreeSet<HostName> {
        self.machines.keys().chain(self.unreachable.keys()).cloned().collect()
    }
}

/// The operation, the object and the host come first in every error of a machine; what follows the colon is the detail.
pub fn machine_error(error: &MachineError) -> Diagnostic {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((summary, detail)) => Diagnostic::error(summary).detail(detail),
        None => Diagnostic::error(text),
    }
}

pub fn targets(hosts: &HostConfigs, layers: &[&Field<Ssh>]) -> Result<Vec<Target>, Diagnostic> {
    hosts
        .iter()
        .map(|(name, host)| {
            let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
            let address = host.address.known().map(String::as_str).unwrap_or_default();
            ssh::target(&name, address, &host.ssh, layers)
        })
        .collect()
}
