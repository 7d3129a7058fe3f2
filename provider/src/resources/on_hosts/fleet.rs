//! The hosts of one resource while a call lasts: each answers or does not. Reading, stopping and removing, all hosts at once; steps
//! are run by `execute`.

use super::absence::{Absence, Absent, Why};
use super::differences::Drift;
use super::errors::machine_error;
use super::execute::StepError;
use super::ownership;
use crate::configuration::DEFAULT_PARALLEL_HOSTS;
use crate::ports::{Clock, Host};
use crate::progress::Progress;
use crate::wait::Waiter;
use bundle::{HostName, Manifest, Observed, UnitName};
use futures::StreamExt;
use futures::stream::{Buffered, Collect, Iter};
use machines::{Incarnation, Inventory, MachineError, Question, Record};
use schema::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub struct Fleet {
    pub owner: Incarnation,
    pub machines: BTreeMap<HostName, Arc<dyn Host>>,
    pub absent: BTreeMap<HostName, Absence>,
    pub progress: Progress,
    pub cancelled: CancellationToken,
    pub clock: Arc<dyn Clock>,
    at_once: usize,
}

/// Without the iterator that made the futures: a closure in it would stand in the type of whoever waits.
type OnEach<F> = Collect<Buffered<Iter<std::vec::IntoIter<F>>>, Vec<<F as Future>::Output>>;

impl Fleet {
    /// Hosts that answered, and those that did not with the reason.
    pub fn new(
        owner: Incarnation,
        answers: impl IntoIterator<Item = (HostName, Result<Arc<dyn Host>, MachineError>)>,
        progress: Progress,
        cancelled: CancellationToken,
        clock: Arc<dyn Clock>,
    ) -> Fleet {
        let mut fleet = Fleet {
            owner,
            machines: BTreeMap::new(),
            absent: BTreeMap::new(),
            progress,
            cancelled,
            clock,
            at_once: DEFAULT_PARALLEL_HOSTS,
        };
        for (name, answer) in answers {
            match answer {
                Ok(machine) => drop(fleet.machines.insert(name, machine)),
                Err(error) => {
                    fleet.progress.line(&format!("{name}: {error}"));
                    fleet.miss(name, &error);
                }
            }
        }
        fleet
    }

    pub fn at_once(self, at_once: usize) -> Fleet {
        Fleet { at_once, ..self }
    }

    /// The same on many hosts, on no more at once than the provider block says. Answers come in the order of the questions.
    pub fn on_each<F: Future>(&self, work: impl IntoIterator<Item = F>) -> OnEach<F> {
        futures::stream::iter(work.into_iter().collect::<Vec<F>>()).buffered(self.at_once).collect()
    }

    pub fn waiter(&self) -> Waiter<'_> {
        Waiter { clock: self.clock.as_ref(), cancelled: &self.cancelled }
    }

    pub fn machine(&self, host: &HostName) -> Result<&dyn Host, StepError> {
        self.machines.get(host).map(AsRef::as_ref).ok_or_else(|| {
            let absence = self.absent.get(host);
            StepError::Gate {
                summary: absence.map_or_else(|| format!("{host} does not answer"), |absence| absence.summary.clone()),
                detail: format!("{}\n\nRunning apply again is safe.", absence.map_or("", |absence| &absence.reason)),
            }
        })
    }

    /// Goes on without a host.
    fn miss(&mut self, host: HostName, error: &MachineError) {
        self.machines.remove(&host);
        self.absent.insert(host.clone(), Absence::of(&host, error));
    }

    /// Goes on without a host that is not to be touched.
    pub fn leave_alone(&mut self, host: &HostName, why: &Diagnostic) {
        self.machines.remove(host);
        let absence = Absence { summary: why.summary.clone(), reason: why.detail.clone(), why: Why::OtherCluster };
        self.absent.insert(host.clone(), absence);
    }

    /// What the state says of hosts that were not read.
    pub fn reasons(&self) -> BTreeMap<HostName, String> {
        self.absent.iter().map(|(host, absence)| (host.clone(), absence.reason.clone())).collect()
    }

    /// Those of a call's hosts that take no part in it.
    pub fn absent_of<'a>(&'a self, hosts: impl Iterator<Item = &'a HostName>) -> Absent<'a> {
        let absent = hosts.filter_map(|host| Some((host, self.absent.get(host)?)));
        Absent { nobody_answers: self.machines.is_empty(), ..absent.collect() }
    }

    /// What differs on each host that answers.
    pub async fn read(&mut self, manifests: &BTreeMap<HostName, Manifest>) -> Drift {
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
        for (host, result) in self.on_each(reads).await {
            match result {
                Ok(observed) => drop(all.insert(host, observed)),
                Err(error) => self.miss(host, &error),
            }
        }
        all
    }

    /// Of every host that answers: whose it is. One whose machine was set up as another host is absent from then on.
    pub async fn take_inventories(&mut self, questions: BTreeMap<HostName, Question>) -> BTreeMap<HostName, Inventory> {
        let machines =
            questions.into_iter().filter_map(|(host, question)| Some((self.machines.get(&host)?.clone(), host, question)));
        let looks = machines.map(|(machine, host, question)| async move { (host, machine.inventory(&question).await) });
        let mut all = BTreeMap::new();
        for (host, result) in self.on_each(looks).await {
            match result {
                Ok(inventory) => match ownership::other_host(&self.owner.name, &host, &inventory) {
                    None => drop(all.insert(host, inventory)),
                    Some(found) => {
                        let error = MachineError::OtherHost { host: host.to_string(), found: found.into() };
                        self.miss(host, &error);
                    }
                },
                Err(error) => self.miss(host, &error),
            }
        }
        all
    }

    /// Hosts that carry another life of the owner, or what another entry of a state took over, are absent from then on.
    pub fn leave_other_lives(&mut self, inventories: &mut BTreeMap<HostName, Inventory>) {
        let record = |inventory: &Inventory| inventory.records.get(&self.owner.name).cloned();
        let ours = inventories.iter().filter_map(|(host, inventory)| Some((host.clone(), record(inventory)?)));
        let others: Vec<(HostName, MachineError)> =
            ours.filter_map(|(host, record)| Some((host.clone(), self.is_others(&host, &record)?))).collect();
        for (host, error) in others {
            inventories.remove(&host);
            self.miss(host, &error);
        }
    }

    fn is_others(&self, host: &HostName, record: &Record) -> Option<MachineError> {
        let (host, owner, found) = (host.to_string(), self.owner.to_string(), record.uid());
        if found != self.owner.uid {
            return Some(MachineError::OtherUid { host, owner, found });
        }
        record.superseded.contains(&self.owner.holder).then_some(MachineError::TakenOver { host, owner })
    }

    /// A create has what it found: no state that had it before works on it any more.
    pub async fn take_over<'a>(&self, hosts: impl Iterator<Item = &'a HostName>) -> Result<(), MachineError> {
        let machines = hosts.filter_map(|host| self.machines.get(host));
        let takes = machines.map(|machine| machine.take_over(&self.owner));
        self.on_each(takes).await.into_iter().collect::<Result<Vec<()>, MachineError>>().map(drop)
    }

    /// Stops units on all hosts before any is removed, for components that would wait for each other if their hosts were removed one by one.
    /// What does not stop here is stopped again, and reported, by `remove`.
    pub async fn stop_everywhere(&self, units: &[UnitName]) {
        let stops = self.machines.iter().map(|(host, machine)| async move {
            let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
            let phase = self.progress.phase(format!("{host}: stop {}", names.join(", ")));
            phase.finish(machine.stop(&self.owner, units).await)
        });
        self.on_each(stops).await;
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
        for (host, result) in self.on_each(removals).await {
            match result {
                Ok(()) => drop(left.remove(&host)),
                Err(error) => diagnostics.push(machine_error(&error)),
            }
        }
        let others_are_done = left.len() < manifests.len() && !left.keys().any(|host| self.machines.contains_key(host));
        diagnostics.extend(Absent { others_are_done, ..self.absent_of(left.keys()) }.unremoved());
        (left, diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeClock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn no_more_hosts_are_worked_on_at_once_than_the_provider_block_says() {
        let owner = Incarnation {
            name: machines::Owner::parse("k8s_lb_vrrp.api").unwrap(),
            uid: machines::Uid::default(),
            holder: machines::Uid::default(),
        };
        let fleet =
            Fleet::new(owner, [], Progress::new(None), CancellationToken::new(), Arc::new(FakeClock::default())).at_once(3);
        let (active, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = (0..50).map(|number| {
            let (active, most) = (&active, &most);
            async move {
                most.fetch_max(active.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                active.fetch_sub(1, Ordering::Relaxed);
                number
            }
        });
        assert_eq!(fleet.on_each(work).await, (0..50).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 3);
    }
}
