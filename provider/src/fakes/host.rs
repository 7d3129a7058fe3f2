//! One host in memory behind the port, under the contracts of `machines::Machine`. What pushes and removals do is `push.rs`, what
//! units do `units.rs`, commands `commands.rs`.

use super::etcd::FakeEtcd;
use super::kubernetes::FakeKubernetes;
use super::memory::HostMemory;
use super::{FakeFile, FakeWorld, commands, inventory, push, units};
use crate::kubernetes::KubernetesError;
use crate::ports::{Etcd, Host, Kubernetes};
use async_trait::async_trait;
use bundle::{
    Bundle, Check, Digest, HostName, HostPath, Manifest, Observed, ObservedBinary, ObservedFile, ObservedUnit, UnitName,
};
use machines::{Facts, FoundUnit, Incarnation, Inventory, MachineError, Output, Owner, Progress, Question, Wanted};
use render::component::ETCD;
use render::control_plane::ADMIN_KUBECONFIG;
use std::sync::Arc;

pub(super) struct FakeHost {
    pub name: HostName,
    /// The one that answers, under its own name.
    pub machine: HostName,
    pub address: String,
    pub world: FakeWorld,
}

impl FakeHost {
    fn lost(&self, operation: &str) -> MachineError {
        MachineError::Lost { host: self.name.to_string(), operation: operation.into(), reason: "the connection was cut".into() }
    }

    /// As every script of an owner does: its record may be that of another host, of another life of the owner, or taken over.
    fn refuse_other(&self, owner: &Incarnation) -> Result<(), MachineError> {
        let record = self.world.change(|memory| memory.host(&self.machine).records.get(&owner.name).map(inventory::recorded));
        let Some(record) = record else { return Ok(()) };
        let host = self.name.to_string();
        if let Some(found) = record.host().filter(|found| *found != self.name.as_str()) {
            return Err(MachineError::OtherHost { host, found: found.into() });
        }
        if record.superseded.contains(&owner.holder) {
            return Err(MachineError::TakenOver { host, owner: owner.to_string() });
        }
        match record.uid() {
            found if found == owner.uid => Ok(()),
            found => Err(MachineError::OtherUid { host, owner: owner.to_string(), found }),
        }
    }

    /// A mutating call on this host's memory.
    async fn mutate(
        &self,
        operation: &str,
        effect: impl FnOnce(&mut HostMemory, super::Extent) -> Result<(), MachineError>,
    ) -> Result<(), MachineError> {
        let call = format!("{}: {operation}", self.name);
        let done = self.world.mutate(call, |memory, extent| effect(memory.host(&self.machine), extent)).await;
        done.unwrap_or_else(|| Err(self.lost(operation)))
    }

    /// Something that is asked; nothing is answered by a host that is gone.
    fn ask<T>(&self, question: impl FnOnce(&mut HostMemory) -> T) -> Result<T, MachineError> {
        self.world.change(|memory| {
            let host = memory.host(&self.machine);
            if host.answers && !host.is_cut_off && !self.world.is_dead() {
                Ok(question(host))
            } else {
                Err(self.lost("a question"))
            }
        })
    }

    /// A host on which nothing is wrong, but for the units that it has.
    fn good_facts(&self, host: &HostMemory, wanted: &Wanted) -> Facts {
        let addresses = self.address.parse().into_iter().chain(host.addresses.clone());
        let found = |unit: &UnitName| {
            let is_running = host.is_up(unit.as_str());
            (is_running || host.files.contains_key(&unit.path())).then(|| {
                let is_enabled = host.units.get(unit).is_some_and(|unit| unit.enabled);
                (unit.clone(), FoundUnit { is_running, is_enabled, file: Some(unit.path()) })
            })
        };
        Facts {
            architecture: "amd64".into(),
            kernel: "6.12.0".into(),
            cgroup_version: 2,
            systemd_version: Some(257),
            processors: 4,
            memory_bytes: 8 << 30,
            var_free_bytes: 100 << 30,
            boot_id: Some(self.machine.to_string()),
            machine_id: Some(self.machine.to_string()),
            addresses: addresses.map(|it| (it, "eth0".into())).collect(),
            links: ["0.0.0.0/0", "::/0"].map(|net| net.parse().unwrap()).into(),
            units: wanted.units.iter().filter_map(found).collect(),
            ..Facts::default()
        }
    }

    async fn act(&self, verb: units::Verb, owner: &Incarnation, named: &[UnitName]) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        let call = format!("{}: {verb:?} {}", self.name, units::joined(named));
        let done = self.world.mutate(call, |memory, extent| {
            units::act(memory, &self.machine, verb, &owner.name, &named[..extent.of(named.len())])
        });
        done.await.unwrap_or_else(|| Err(self.lost("an action on units")))?;
        match named.iter().find(|unit| **unit == ETCD.unit()) {
            Some(etcd) if matches!(verb, units::Verb::Start | units::Verb::Restart) => self.quorum(etcd).await,
            _ => Ok(()),
        }
    }

    /// Its unit is of `Type=notify`: systemd takes a member for started when most members run.
    async fn quorum(&self, etcd: &UnitName) -> Result<(), MachineError> {
        for _ in 0..1000 {
            if self.world.is_dead() {
                return Err(self.lost("an action on units"));
            }
            if self.world.change(|memory| memory.most_members_run()) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        let (host, verb, unit) = (self.name.to_string(), "start".to_string(), etcd.to_string());
        Err(MachineError::Unit { host, verb, unit, reason: "it timed out".into(), journal: "(it has none)".into() })
    }
}

#[async_trait]
impl Host for FakeHost {
    fn name(&self) -> &HostName {
        &self.name
    }

    async fn run(&self, script: &str) -> Result<Output, MachineError> {
        if commands::is_mutating(script) {
            let call = format!("{}: {script}", self.name);
            let done = self.world.mutate(call, |memory, _| commands::run(memory, &self.machine, script)).await;
            return done.ok_or_else(|| self.lost("a command"));
        }
        self.ask(|_| ())?;
        Ok(self.world.change(|memory| commands::run(memory, &self.machine, script)))
    }

    async fn facts(&self, wanted: &Wanted) -> Result<Facts, MachineError> {
        if self.world.change(|memory| memory.counts_looks) {
            self.world.mutate(format!("{}: look", self.name), |_, _| ()).await;
        }
        self.ask(|host| {
            let mut facts = self.good_facts(host, wanted);
            (host.trouble)(&mut facts);
            facts
        })
    }

    async fn inventory(&self, question: &Question) -> Result<Inventory, MachineError> {
        let (now, failure) = self.world.change(|memory| (memory.now(), memory.host(&self.machine).no_inventory));
        if let Some(failure) = failure {
            return Err(failure(self.name.to_string()));
        }
        self.ask(|host| inventory::take(host, question, now))
    }

    async fn read(&self, owner: &Incarnation, manifest: &Manifest) -> Result<Observed, MachineError> {
        self.refuse_other(owner)?;
        self.ask(|host| observe(host, &owner.name, manifest))
    }

    async fn push(
        &self,
        owner: &Incarnation,
        bundle: &Bundle,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        progress("writing files");
        self.mutate("push", |host, extent| push::push(host, &self.name, owner, (bundle, observed), extent)).await
    }

    async fn take_over(&self, owner: &Incarnation) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("take over", |host, extent| {
            if extent == super::Extent::Whole {
                push::take_over(host, owner);
            }
            Ok(())
        })
        .await
    }

    async fn check(&self, owner: &Incarnation, checks: &[(UnitName, Check)]) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("check", |host, extent| {
            if extent == super::Extent::Half {
                return Ok(());
            }
            let refused = checks.iter().find(|(unit, _)| units::refuses_in_a_check(host, &owner.name, unit));
            push::end_check(host, &owner.name, refused.is_none());
            let Some((unit, _)) = refused else { return Ok(()) };
            let said = "Error: unknown flag: --no-such-flag".to_string();
            Err(MachineError::Settings { host: self.name.to_string(), unit: unit.to_string(), said })
        })
        .await
    }

    async fn prune(&self, owner: &Incarnation, keep: &Bundle, _progress: &Progress) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("prune", |host, extent| {
            push::prune(host, &owner.name, keep, extent);
            Ok(())
        })
        .await
    }

    /// The store is not remembered.
    async fn prune_downloads(&self, owner: &Incarnation, _bundle: &Bundle) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("prune_downloads", |_, _| Ok(())).await
    }

    async fn remove(&self, owner: &Incarnation, manifest: &Manifest, _progress: &Progress) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        let call = format!("{}: remove", self.name);
        let done = self.world.mutate(call, |memory, extent| {
            push::remove(memory.host(&self.machine), &owner.name, manifest, extent);
            units::forget_cluster_without_etcd(memory);
        });
        done.await.ok_or_else(|| self.lost("removing everything"))
    }

    async fn start(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act(units::Verb::Start, owner, units).await
    }

    async fn restart(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act(units::Verb::Restart, owner, units).await
    }

    async fn reload(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act(units::Verb::Reload, owner, units).await
    }

    async fn stop(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.act(units::Verb::Stop, owner, units).await
    }

    async fn note_stamps(&self, owner: &Incarnation, units: &[(UnitName, Digest)]) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("note stamps", |host, extent| {
            let record = host.records.entry(owner.name.clone()).or_default();
            for (unit, stamp) in &units[..extent.of(units.len())] {
                record.units.insert(unit.clone(), Some(stamp.clone()));
                record.unread.remove(unit);
            }
            Ok(())
        })
        .await
    }

    async fn withdraw_stamps(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        self.refuse_other(owner)?;
        self.mutate("withdraw stamps", |host, _| {
            let record = host.records.entry(owner.name.clone()).or_default();
            units.iter().for_each(|unit| record.withdraw(unit));
            Ok(())
        })
        .await
    }

    async fn read_file(&self, path: &HostPath) -> Result<Vec<u8>, MachineError> {
        let missing = || MachineError::NoFile { host: self.name.to_string(), path: path.to_string() };
        self.ask(|host| host.files.get(path).map(|file| file.content.clone()))?.ok_or_else(missing)
    }

    async fn write_secret(&self, path: &HostPath, content: &[u8]) -> Result<(), MachineError> {
        let file = FakeFile { mode: 0o600, owner: "root:root".into(), content: content.to_vec() };
        self.mutate("write a secret", |host, _| {
            host.files.insert(path.clone(), file);
            Ok(())
        })
        .await
    }

    async fn kubernetes(&self) -> Result<Arc<dyn Kubernetes>, KubernetesError> {
        self.read_file(&HostPath::literal(ADMIN_KUBECONFIG)).await?;
        if let Some(failure) = self.world.change(|memory| memory.host(&self.machine).no_api) {
            return Err(failure(self.name.to_string()));
        }
        Ok(Arc::new(FakeKubernetes { host: self.machine.clone(), world: self.world.clone() }))
    }

    fn etcd(&self, _client_url: &str) -> Arc<dyn Etcd> {
        Arc::new(FakeEtcd { host: self.machine.clone(), world: self.world.clone() })
    }
}

fn observe(host: &HostMemory, owner: &Owner, manifest: &Manifest) -> Observed {
    let nothing = super::memory::Record::default();
    let record = host.records.get(owner).unwrap_or(&nothing);
    let mut observed = Observed { recorded: record.units.keys().cloned().collect(), ..Observed::default() };
    for path in manifest.files.keys() {
        if let Some(file) = host.files.get(path) {
            let found = ObservedFile { mode: file.mode, owner: file.owner.clone(), sha256: Digest::of(&file.content) };
            observed.files.insert(path.clone(), found);
        }
    }
    for path in manifest.binaries.keys() {
        if let Some(there) = host.programs.get(path) {
            let identity = record.installed.get(path).filter(|installed| *installed == there).cloned();
            observed.binaries.insert(path.clone(), ObservedBinary { identity });
        }
    }
    for name in manifest.units.keys() {
        let state = host.units.get(name).cloned().unwrap_or_default();
        if host.files.contains_key(&name.path()) || state.active_state == "active" {
            let active_state = if state.active_state.is_empty() { "inactive".into() } else { state.active_state };
            let (stamp, unread) = (record.units.get(name).cloned().flatten(), record.unread.contains(name));
            let unit = ObservedUnit { active_state, enabled: state.enabled, stamp, unread };
            observed.units.insert(name.clone(), unit);
        }
    }
    observed.modules = manifest.modules.intersection(&host.modules).cloned().collect();
    observed.sysctls = manifest.sysctls.keys().map(|key| (key.clone(), host.sysctl(key))).collect();
    observed
}
