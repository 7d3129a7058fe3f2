//! The doors to the world: hosts, etcd, the Kubernetes API, the cloud, the clock and published checksums. Resources reach out through these only,
//! so that every resource can be held to the engine's contract on fakes. The real ones stand at the end.

use crate::etcd::{Cluster, EtcdClient, EtcdError, Snapshot, SnapshotPlace, Status};
use crate::kubernetes::{
    Applied, BootstrapToken, Conflicting, Deleted, KnownNode, KubernetesApi, KubernetesError, MovablePod, NodeChange, NodeReport,
    ObjectRef,
};
use ::objects::ObjectKey;
use async_trait::async_trait;
use bundle::{Bundle, Check, Digest, HostName, HostPath, Manifest, Observed, UnitName};
use cloud::{Cloud, Connection, Connector};
use machines::{
    Facts, Incarnation, Inventory, JumpHosts, Machine, MachineError, Output, Progress, Question, Target, Wanted, with_causes,
};
use render::cloud_controller::image;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
pub use tokio::time::Instant;

#[async_trait]
pub trait World: Send + Sync {
    fn now(&self) -> OffsetDateTime;
    /// Bytes that nobody can guess.
    fn random(&self) -> [u8; 16];
    /// By which calls wait.
    fn clock(&self) -> Arc<dyn Clock>;
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, MachineError>;
    /// The text of a checksum file; the error is a reason for the user.
    async fn fetch_text(&self, url: &str) -> Result<String, String>;
    /// What a registry of images answers to a question for a manifest; the error is a reason for the user.
    async fn fetch_manifest(&self, url: &str) -> Result<String, String>;
    /// A client with these settings; it reaches nothing until the first call.
    fn cloud(&self, connection: &Connection) -> Arc<dyn Cloud>;
}

/// The time that passes, apart from what the calendar says; and the chance that spreads pauses.
#[async_trait]
pub trait Clock: Send + Sync {
    fn instant(&self) -> Instant;
    async fn sleep(&self, pause: Duration);
    /// Another number each time, from 0 up to 1.
    fn jitter(&self) -> f64;
}

/// The runtime's clock.
pub struct SystemClock;

/// One host that answered. Contracts are those of `machines::Machine`.
#[async_trait]
pub trait Host: Send + Sync {
    fn name(&self) -> &HostName;
    async fn run(&self, script: &str) -> Result<Output, MachineError>;
    async fn facts(&self, wanted: &Wanted) -> Result<Facts, MachineError>;
    async fn inventory(&self, question: &Question) -> Result<Inventory, MachineError>;
    async fn read(&self, owner: &Incarnation, manifest: &Manifest) -> Result<Observed, MachineError>;
    async fn push(
        &self,
        owner: &Incarnation,
        bundle: &Bundle,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<(), MachineError>;
    async fn take_over(&self, owner: &Incarnation) -> Result<(), MachineError>;
    async fn check(&self, owner: &Incarnation, checks: &[(UnitName, Check)]) -> Result<(), MachineError>;
    async fn prune(&self, owner: &Incarnation, keep: &Bundle, progress: &Progress) -> Result<(), MachineError>;
    async fn prune_downloads(&self, owner: &Incarnation, bundle: &Bundle) -> Result<(), MachineError>;
    async fn remove(&self, owner: &Incarnation, manifest: &Manifest, progress: &Progress) -> Result<(), MachineError>;
    async fn start(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError>;
    async fn restart(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError>;
    async fn reload(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError>;
    async fn stop(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError>;
    async fn note_stamps(&self, owner: &Incarnation, units: &[(UnitName, Digest)]) -> Result<(), MachineError>;
    async fn withdraw_stamps(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError>;
    async fn read_file(&self, path: &HostPath) -> Result<Vec<u8>, MachineError>;
    async fn write_secret(&self, path: &HostPath, content: &[u8]) -> Result<(), MachineError>;
    /// The API server of this control-plane host.
    async fn kubernetes(&self) -> Result<Arc<dyn Kubernetes>, KubernetesError>;
    /// The etcd member of this control-plane host, at its client URL. Reaches nothing yet.
    fn etcd(&self, client_url: &str) -> Arc<dyn Etcd>;
}

/// etcd through the member of one host. Contracts are those of `etcd::EtcdClient`.
#[async_trait]
pub trait Etcd: Send + Sync {
    async fn cluster(&self) -> Result<Cluster, EtcdError>;
    async fn members(&self) -> Result<Cluster, EtcdError>;
    async fn status(&self) -> Result<Status, EtcdError>;
    async fn snapshot(&self, place: &SnapshotPlace) -> Result<Snapshot, EtcdError>;
}

/// The API of one cluster. Contracts are those of `kubernetes::KubernetesApi`.
#[async_trait]
pub trait Kubernetes: Send + Sync {
    async fn version(&self) -> Result<String, KubernetesError>;
    async fn create_token(&self, token: &BootstrapToken, now: OffsetDateTime) -> Result<(), KubernetesError>;
    async fn delete_token(&self, token: &BootstrapToken) -> Result<(), KubernetesError>;
    async fn declare_nodes(&self, nodes: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError>;
    async fn nodes(&self) -> Result<BTreeMap<String, KnownNode>, KubernetesError>;
    async fn node(&self, name: &str) -> Result<Option<NodeReport>, KubernetesError>;
    async fn amend_node(&self, node: &str, change: &NodeChange) -> Result<(), KubernetesError>;
    async fn cordon(&self, node: &str) -> Result<bool, KubernetesError>;
    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError>;
    async fn movable_pods(&self, node: &str) -> Result<Vec<MovablePod>, KubernetesError>;
    async fn evict(&self, pod: &MovablePod) -> Result<Option<String>, KubernetesError>;
    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError>;
    async fn find_objects(&self, wanted: &[ObjectRef]) -> Result<BTreeMap<ObjectKey, serde_json::Value>, KubernetesError>;
    async fn apply_object(
        &self,
        object: &serde_json::Value,
        manager: &str,
        conflicting: Conflicting,
    ) -> Result<Applied, KubernetesError>;
    async fn delete_object(&self, wanted: &ObjectRef, uid: &str, version: Option<&str>) -> Result<Deleted, KubernetesError>;
    async fn objects_within(
        &self,
        key: &ObjectKey,
        unasked: &BTreeSet<String>,
        is_emptied: bool,
    ) -> Result<BTreeSet<ObjectKey>, KubernetesError>;
    async fn pod_troubles(&self, of: &ObjectRef) -> Result<Vec<String>, KubernetesError>;
}

/// SSH, HTTPS, the system's clock, and the cloud that the plugin was built with.
pub struct RealWorld {
    pub connector: Arc<dyn Connector>,
    pub jump_hosts: JumpHosts,
}

const FETCH_LIMIT: Duration = Duration::from_secs(20);
const FETCH_CONNECT_LIMIT: Duration = Duration::from_secs(5);

async fn fetch(url: &str, accept: &str) -> Result<String, String> {
    let fetched = async {
        let client = reqwest::Client::builder().timeout(FETCH_LIMIT).connect_timeout(FETCH_CONNECT_LIMIT).build()?;
        client.get(url).header("Accept", accept).send().await?.error_for_status()?.text().await
    };
    fetched.await.map_err(|error: reqwest::Error| with_causes(&error.without_url()))
}

#[async_trait]
impl World for RealWorld {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn random(&self) -> [u8; 16] {
        rand::random()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, MachineError> {
        Ok(Arc::new(self.jump_hosts.connect(target).await?))
    }

    async fn fetch_text(&self, url: &str) -> Result<String, String> {
        fetch(url, "*/*").await
    }

    async fn fetch_manifest(&self, url: &str) -> Result<String, String> {
        fetch(url, image::ACCEPT).await
    }

    fn cloud(&self, connection: &Connection) -> Arc<dyn Cloud> {
        self.connector.connect(connection)
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }

    fn jitter(&self) -> f64 {
        rand::random()
    }
}

#[async_trait]
impl Host for Machine {
    fn name(&self) -> &HostName {
        &self.target().name
    }
    async fn run(&self, script: &str) -> Result<Output, MachineError> {
        Machine::run(self, script, None).await
    }
    async fn facts(&self, wanted: &Wanted) -> Result<Facts, MachineError> {
        Machine::facts(self, wanted).await
    }
    async fn inventory(&self, question: &Question) -> Result<Inventory, MachineError> {
        Machine::inventory(self, question).await
    }
    async fn read(&self, owner: &Incarnation, manifest: &Manifest) -> Result<Observed, MachineError> {
        Machine::read(self, owner, manifest).await
    }
    async fn push(
        &self,
        owner: &Incarnation,
        bundle: &Bundle,
        observed: &Observed,
        progress: &Progress,
    ) -> Result<(), MachineError> {
        Machine::push(self, owner, bundle, observed, progress).await
    }
    async fn take_over(&self, owner: &Incarnation) -> Result<(), MachineError> {
        Machine::take_over(self, owner).await
    }
    async fn check(&self, owner: &Incarnation, checks: &[(UnitName, Check)]) -> Result<(), MachineError> {
        Machine::check(self, owner, checks).await
    }
    async fn prune(&self, owner: &Incarnation, keep: &Bundle, progress: &Progress) -> Result<(), MachineError> {
        Machine::prune(self, owner, keep, progress).await
    }
    async fn prune_downloads(&self, owner: &Incarnation, bundle: &Bundle) -> Result<(), MachineError> {
        Machine::prune_downloads(self, owner, bundle).await
    }
    async fn remove(&self, owner: &Incarnation, manifest: &Manifest, progress: &Progress) -> Result<(), MachineError> {
        Machine::remove(self, owner, manifest, progress).await
    }
    async fn start(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        Machine::start(self, owner, units).await
    }
    async fn restart(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        Machine::restart(self, owner, units).await
    }
    async fn reload(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        Machine::reload(self, owner, units).await
    }
    async fn stop(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        Machine::stop(self, owner, units).await
    }
    async fn note_stamps(&self, owner: &Incarnation, units: &[(UnitName, Digest)]) -> Result<(), MachineError> {
        Machine::note_stamps(self, owner, units).await
    }
    async fn withdraw_stamps(&self, owner: &Incarnation, units: &[UnitName]) -> Result<(), MachineError> {
        Machine::withdraw_stamps(self, owner, units).await
    }
    async fn read_file(&self, path: &HostPath) -> Result<Vec<u8>, MachineError> {
        Machine::read_file(self, path).await
    }
    async fn write_secret(&self, path: &HostPath, content: &[u8]) -> Result<(), MachineError> {
        Machine::write_file(self, path, 0o600, "root:root", content).await
    }
    async fn kubernetes(&self) -> Result<Arc<dyn Kubernetes>, KubernetesError> {
        Ok(Arc::new(KubernetesApi::connect(self).await?))
    }
    fn etcd(&self, client_url: &str) -> Arc<dyn Etcd> {
        Arc::new(EtcdClient::new(self, client_url))
    }
}

#[async_trait]
impl Etcd for EtcdClient {
    async fn cluster(&self) -> Result<Cluster, EtcdError> {
        EtcdClient::cluster(self).await
    }
    async fn members(&self) -> Result<Cluster, EtcdError> {
        EtcdClient::members(self).await
    }
    async fn status(&self) -> Result<Status, EtcdError> {
        EtcdClient::status(self).await
    }
    async fn snapshot(&self, place: &SnapshotPlace) -> Result<Snapshot, EtcdError> {
        EtcdClient::snapshot(self, place).await
    }
}

#[async_trait]
impl Kubernetes for KubernetesApi {
    async fn version(&self) -> Result<String, KubernetesError> {
        KubernetesApi::version(self).await
    }
    async fn create_token(&self, token: &BootstrapToken, now: OffsetDateTime) -> Result<(), KubernetesError> {
        KubernetesApi::create_token(self, token, now).await
    }
    async fn delete_token(&self, token: &BootstrapToken) -> Result<(), KubernetesError> {
        KubernetesApi::delete_token(self, token).await
    }
    async fn declare_nodes(&self, nodes: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        KubernetesApi::declare_nodes(self, nodes).await
    }
    async fn nodes(&self) -> Result<BTreeMap<String, KnownNode>, KubernetesError> {
        KubernetesApi::nodes(self).await
    }
    async fn node(&self, name: &str) -> Result<Option<NodeReport>, KubernetesError> {
        KubernetesApi::node(self, name).await
    }
    async fn amend_node(&self, node: &str, change: &NodeChange) -> Result<(), KubernetesError> {
        KubernetesApi::amend_node(self, node, change).await
    }
    async fn cordon(&self, node: &str) -> Result<bool, KubernetesError> {
        KubernetesApi::cordon(self, node).await
    }
    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        KubernetesApi::uncordon(self, node).await
    }
    async fn movable_pods(&self, node: &str) -> Result<Vec<MovablePod>, KubernetesError> {
        KubernetesApi::movable_pods(self, node).await
    }
    async fn evict(&self, pod: &MovablePod) -> Result<Option<String>, KubernetesError> {
        KubernetesApi::evict(self, pod).await
    }
    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        KubernetesApi::delete_node(self, node).await
    }
    async fn find_objects(&self, wanted: &[ObjectRef]) -> Result<BTreeMap<ObjectKey, serde_json::Value>, KubernetesError> {
        KubernetesApi::find_objects(self, wanted).await
    }
    async fn apply_object(
        &self,
        object: &serde_json::Value,
        manager: &str,
        conflicting: Conflicting,
    ) -> Result<Applied, KubernetesError> {
        KubernetesApi::apply_object(self, object, manager, conflicting).await
    }
    async fn delete_object(&self, wanted: &ObjectRef, uid: &str, version: Option<&str>) -> Result<Deleted, KubernetesError> {
        KubernetesApi::delete_object(self, wanted, uid, version).await
    }
    async fn objects_within(
        &self,
        key: &ObjectKey,
        unasked: &BTreeSet<String>,
        is_emptied: bool,
    ) -> Result<BTreeSet<ObjectKey>, KubernetesError> {
        KubernetesApi::objects_within(self, key, unasked, is_emptied).await
    }
    async fn pod_troubles(&self, of: &ObjectRef) -> Result<Vec<String>, KubernetesError> {
        KubernetesApi::pod_troubles(self, of).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fetch_that_fails_says_why() {
        let bound = tokio::net::TcpSocket::new_v4().unwrap();
        bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let closed = bound.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = client.get(format!("http://{closed}/user:canary@x")).send().await.unwrap_err().without_url();
        let text = with_causes(&error);
        assert!(text.contains("Connection refused") && text.len() > error.to_string().len(), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
