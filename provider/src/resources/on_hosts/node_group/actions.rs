//! What the planner's steps and gates mean for nodes: joining, becoming Ready, draining, leaving. The API is reached through the
//! first control-plane host that answers.

use super::config::Config;
use super::drain::{Drained, drain};
use super::facts::{self, Declared, Facts};
use super::node::{self, StartupTaints};
use super::others::{Disturbance, Nodes};
use super::ready::{Expected, Readiness, wait_until_ready};
use super::tokens::Tokens;
use super::{certificate, cloud, network, skew, whose};
use crate::configuration::Shared;
use crate::kubernetes::{KnownNode, KubernetesError, NodeChange};
use crate::ports::{Clock, Host, Instant, Kubernetes, World};
use crate::progress::Progress;
use crate::resources::control_plane::{self, ControlPlane, NoControlPlane, Versions};
use crate::resources::on_hosts::absence::Why;
use crate::resources::on_hosts::differences::Drift;
use crate::resources::on_hosts::errors::{machine_error, unknown_at_apply};
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::hardway_cluster::{Join, coverage};
use crate::resources::on_hosts::recorded::Recorded;
use crate::turns::Turn;
use crate::wait::Waiter;
use async_trait::async_trait;
use bundle::{Content, Difference, HostName, HostPath};
use protocol::Call;
use render::control_plane::{API_SERVER_CERTIFICATE, KUBE_PROXY_KUBECONFIG};
use render::node::{BOOTSTRAP_KUBECONFIG, KUBELET_KUBECONFIG};
use render::spec::{NodeGroupSpec, PodNetwork};
use rollout::{CordonedBy, Gate, NodeStatus};
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// So long an answer about all nodes is good for others that ask.
const FRESH: Duration = Duration::from_secs(1);

/// For a question that an apply can do without.
const LEFT_LIMIT: Duration = Duration::from_secs(10);

pub struct NodeActions {
    world: Arc<dyn World>,
    clock: Arc<dyn Clock>,
    control_plane: Arc<dyn Host>,
    api: Arc<dyn Kubernetes>,
    /// Of the API server that was reached.
    version: String,
    /// Of all that were asked.
    versions: Versions,
    tokens: Tokens,
    /// Among the node groups of the cluster.
    turn: Turn,
    /// Hosts that were given a bootstrap kubeconfig.
    joined: Mutex<Vec<Arc<dyn Host>>>,
    /// The last answer about all nodes.
    seen: Mutex<Option<(Instant, Nodes)>>,
    spec: NodeGroupSpec,
    declared: Declared,
    startup_taints: StartupTaints,
    /// What serving certificates may name beside host name and addresses.
    certificate_names: BTreeMap<HostName, Vec<String>>,
    drain_limit: Duration,
    /// Nodes whose pods another network than the declared one connected when the apply looked.
    connected_otherwise: OnceLock<BTreeSet<HostName>>,
    cancelled: CancellationToken,
    progress: Progress,
}

impl NodeActions {
    /// Whether a node has no network because its add-on is gone and the routed one has not come to it yet.
    async fn awaits_its_network(&self, fleet: &Fleet, host: HostName) -> bool {
        let Some(machine) = fleet.machines.get(&host).filter(|_| self.spec.pod_network == PodNetwork::Routed) else {
            return false;
        };
        network::ends_pods(&**machine).await.is_ok_and(|ends_pods| !ends_pods)
    }

    pub async fn connect(shared: &Shared, config: &Config, call: &Call) -> Result<NodeActions, NoControlPlane> {
        let reached = ControlPlane::connect(shared, config.way()).await?;
        Ok(NodeActions::at(reached, shared, config, call)?)
    }

    pub fn at(reached: ControlPlane, shared: &Shared, config: &Config, call: &Call) -> Result<NodeActions, Diagnostic> {
        // What the API is asked for needs no kubeconfig of kube-proxy.
        let spec = config.spec(Content::new([])).ok_or_else(unknown_at_apply)?;
        let declared = Declared::by(config).ok_or_else(unknown_at_apply)?;
        let ControlPlane { host, api, version } = reached;
        Ok(NodeActions {
            world: shared.world.clone(),
            clock: shared.world.clock(),
            control_plane: host,
            api,
            version,
            versions: Versions::default(),
            tokens: Tokens::default(),
            turn: shared.turns.in_cluster(&config.cluster.known().map(whose::uid_and_name).unwrap_or_default()),
            joined: Mutex::default(),
            seen: Mutex::default(),
            spec,
            declared,
            startup_taints: node::startup_taints(config),
            certificate_names: node::certificate_names(config).ok_or_else(unknown_at_apply)?,
            drain_limit: config.drain_limit(),
            connected_otherwise: OnceLock::new(),
            cancelled: call.cancelled.clone(),
            progress: shared.configuration().progress(format!("k8s_node_group.{}", config.id().unwrap_or_default())),
        })
    }

    pub async fn refuse_another_cluster(&self, join: &Field<Join>) -> Result<(), Diagnostic> {
        whose::refuse_another_cluster(&*self.control_plane, join).await
    }

    /// Before any host of the group is reached.
    pub async fn check_version(&mut self, shared: &Shared, config: &Config) -> Result<(), Diagnostic> {
        let waiter = Waiter { clock: &*self.clock, cancelled: &self.cancelled };
        self.versions = control_plane::versions(shared, config.way(), (self.control_plane.name(), &self.version), waiter).await?;
        skew::check(&self.spec.kubernetes_version, &self.versions)
    }

    /// Control-plane hosts that did not say which version their API server is.
    pub fn unasked(&self) -> Diagnostics {
        skew::unasked(&self.spec.kubernetes_version, &self.versions)
    }

    pub async fn kube_proxy_kubeconfig(&self) -> Result<Vec<u8>, Diagnostic> {
        self.control_plane.read_file(&HostPath::literal(KUBE_PROXY_KUBECONFIG)).await.map_err(|error| machine_error(&error))
    }

    /// An endpoint that the cluster itself does not have, as in a join that was changed: kubelets would refuse a certificate that
    /// does not cover it. Of its own one the cluster has seen to it, and `kubeconfig` names that.
    pub async fn check_endpoint(&self, kubeconfig: &[u8]) -> Result<(), Diagnostic> {
        let endpoint = &self.spec.endpoint;
        let server = format!("server: {:?}", endpoint.url());
        if String::from_utf8_lossy(kubeconfig).lines().any(|line| line.trim() == server) {
            return Ok(());
        }
        let host = &self.control_plane;
        let pem = host.read_file(&HostPath::literal(API_SERVER_CERTIFICATE)).await.map_err(|error| machine_error(&error))?;
        let Ok(covered) = pki::fit::names_covered(&String::from_utf8_lossy(&pem)) else { return Ok(()) };
        if pki::fit::covers(&covered, &endpoint.host) {
            return Ok(());
        }
        let services = &self.spec.network.service_cidrs;
        let path = AttributePath::attribute("cluster").then("endpoint");
        Err(coverage::not_covered(endpoint, host.name().as_str(), &covered, services).at(path))
    }

    /// Tells the approver which names and addresses the serving certificates of these nodes may carry. A new node is declared when
    /// it joins, so that nothing stays declared of a host that an apply did not come to.
    pub async fn declare(&self, hosts: impl Iterator<Item = &HostName>) -> Result<(), KubernetesError> {
        let entries: BTreeMap<String, Option<String>> = hosts
            .filter_map(|name| Some((name, self.spec.hosts.get(name)?)))
            .map(|(name, host)| {
                let addresses = host.addresses().into_iter().map(|address| address.to_string());
                let more = self.certificate_names.get(name).into_iter().flatten().cloned();
                let all: Vec<String> = std::iter::once(name.to_string()).chain(addresses).chain(more).collect();
                (name.to_string(), Some(all.join(" ")))
            })
            .collect();
        if entries.is_empty() { Ok(()) } else { self.api.declare_nodes(&entries).await }
    }

    /// What the API server says of the nodes, and whether kubelets can still identify themselves. Nodes that are registered are declared
    /// to the approver before their addresses change on the hosts.
    pub async fn observe(&self, fleet: &Fleet, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
        let nodes = self.api.nodes().await.map_err(refused)?;
        let known = Recorded::of(prior)?.manifests()?;
        self.turn.leave(known.keys().filter(|host| !self.spec.hosts.contains_key(*host)));
        let new = self.spec.hosts.iter().filter(|(name, _)| !known.contains_key(*name));
        whose::refuse_nodes_of_other_machines(new, &nodes)?;
        let is_known = |host: &&HostName| known.contains_key(*host) || nodes.contains_key(host.as_str());
        self.declare(self.spec.hosts.keys().filter(is_known)).await.map_err(refused)?;
        let before = Declared::before(prior, &self.startup_taints)?;
        let mut facts = facts::found(self.spec.hosts.keys(), &nodes, (&self.declared, &before));
        facts::refuse_other_provider_ids(facts.iter())?;
        let connected = facts::connected_otherwise(&known, Some(self.spec.pod_network));
        let is_ready = |host: &HostName| facts.get(host).is_some_and(|facts| facts.status == Some(NodeStatus::Ready));
        let serving: BTreeSet<HostName> = connected.iter().filter(|host| is_ready(host)).cloned().collect();
        network::refuse_none(fleet, self.spec.pod_network, (&connected, &serving)).await.map_err(network::untouched)?;
        for (host, facts) in &mut facts {
            facts.other_network = connected.contains(host);
        }
        let _ = self.connected_otherwise.set(connected);
        let machines = fleet.machines.values().filter(|machine| facts.contains_key(machine.name()));
        let asked = machines.map(|machine| async move { (machine.name().clone(), certificate::has_expired(&**machine).await) });
        for (host, has_expired) in fleet.on_each(asked).await {
            // A host that is lost here is missed when it is observed.
            facts.entry(host).or_default().has_expired = has_expired.unwrap_or(false);
        }
        Ok(facts)
    }

    /// Whether another network connects its pods than the declared one, or did when this apply began.
    fn changes_network(&self, host: &HostName) -> bool {
        self.connected_otherwise.get().is_some_and(|hosts| hosts.contains(host))
    }

    /// What the API server says of the nodes after an apply that failed: what their hosts do not show, and a next plan has to know.
    pub async fn left(&self, state: &Value) -> Option<Drift> {
        let waiter = Waiter { clock: &*self.clock, cancelled: &self.cancelled };
        let nodes = waiter.within(LEFT_LIMIT, self.api.nodes()).await?.ok()?;
        facts::left(state, &nodes).ok()
    }

    /// Gates that ask at the same time share one answer.
    async fn recent_nodes(&self) -> Result<Nodes, KubernetesError> {
        let mut seen = self.seen.lock().await;
        let now = self.clock.instant();
        if let Some((_, nodes)) = seen.as_ref().filter(|(at, _)| now - *at < FRESH) {
            return Ok(nodes.clone());
        }
        let nodes = Arc::new(self.api.nodes().await?);
        *seen = Some((now, nodes.clone()));
        Ok(nodes)
    }

    async fn is_cordoned_by_somebody_else(&self, host: &HostName) -> Result<bool, KubernetesError> {
        let nodes = self.recent_nodes().await?;
        Ok(nodes.get(host.as_str()).is_some_and(|known| known.cordoned_by == Some(CordonedBy::SomebodyElse)))
    }

    /// The token is worth nothing after this, nor is its kubeconfig on a host that did not become Ready.
    pub async fn finish(&self) {
        let joined = std::mem::take(&mut *self.joined.lock().await);
        for machine in joined {
            if let Err(error) = machine.run(&format!("rm -f {BOOTSTRAP_KUBECONFIG}")).await {
                self.progress.line(&format!("{}: a worthless bootstrap kubeconfig is left: {error}", machine.name()));
            }
        }
        for error in self.tokens.delete(&*self.api).await {
            self.progress.line(&format!("a bootstrap token could not be deleted and expires by itself within an hour: {error}"));
        }
    }

    /// Deletes every node object. All nodes are cordoned before the first is drained, so that its pods do not move to the next; they are
    /// only waited for while another node takes pods.
    pub async fn leave_all(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        self.turn.leave(self.spec.hosts.keys());
        for host in self.spec.hosts.keys() {
            if let Err(error) = self.api.cordon(host.as_str()).await {
                self.progress.line(&format!("{host}: not cordoned: {error}"));
            }
        }
        for host in self.spec.hosts.keys() {
            if self.cancelled.is_cancelled() {
                return diagnostics;
            }
            let phase = self.progress.phase(format!("{host}: drain"));
            if let Err(error) = phase.finish(self.drain_node(host, true).await) {
                diagnostics.push(
                    Diagnostic::warning(format!("node {host} was not drained"))
                        .detail(format!("{error}\n\nIts host is cleaned all the same.")),
                );
            }
            if self.cancelled.is_cancelled() {
                return diagnostics;
            }
            let deleted = self.api.delete_node(host.as_str()).await;
            self.turn.end(host).await;
            if let Err(error) = deleted {
                diagnostics.push(
                    Diagnostic::error(format!("node {host} could not be deleted"))
                        .detail(format!("{error}\n\nHosts are cleaned all the same. Destroying again is safe.")),
                );
            }
        }
        diagnostics
    }

    /// In the turn of this node group, which lasts until the node takes pods again or is gone. Nodes that leave take nothing, of whatever
    /// group. One that another group has cordoned for its turn takes pods again after it.
    async fn drain_node(&self, host: &HostName, leaves: bool) -> Result<(), StepError> {
        let waits = || self.progress.line(&format!("{host}: waiting, because another node group of the cluster drains nodes"));
        if self.turn.begin(host, &self.cancelled, waits).await.is_err() {
            return Err(StepError::Cancelled(format!("draining node {host}")));
        }
        let waiter = Waiter { clock: &*self.clock, cancelled: &self.cancelled };
        let takes_pods = |name: &str, known: &KnownNode| match known.cordoned_by {
            _ if self.turn.is_leaving(name) => false,
            None => true,
            Some(CordonedBy::Provider) => !leaves && !self.spec.hosts.keys().any(|host| host.as_str() == name),
            Some(CordonedBy::SomebodyElse) => false,
        };
        if drain(waiter, &*self.api, host.as_str(), self.drain_limit, takes_pods).await? == Drained::NowhereToGo {
            self.progress.line(&format!("{host}: no other node takes its pods, so they stay on it"));
        }
        Ok(())
    }
}

#[async_trait]
impl Actions for NodeActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::NodeReady { host } => {
                *self.seen.lock().await = None;
                let expected = Expected { version: &self.spec.kubernetes_version, pod_network: self.spec.pod_network };
                let machine = fleet.machine(host)?;
                let changes_network = self.changes_network(host);
                match wait_until_ready(fleet.waiter(), &*self.api, machine, expected).await? {
                    Readiness::WithoutNetwork if changes_network => return Err(network::none(host)),
                    Readiness::WithoutNetwork => {
                        self.progress
                            .line(&format!("{host}: nothing connects its pods: no add-on has written a CNI configuration there"));
                    }
                    Readiness::Ready if self.spec.pod_network == PodNetwork::Routed => {
                        network::reconnect_pods(fleet.waiter(), machine).await?;
                    }
                    Readiness::Ready => {}
                }
                let (declared, is_in_cloud) = (self.declared.of(host), node::is_in_cloud(&self.spec, host));
                if let Some(line) = cloud::settle(fleet.waiter(), &*self.api, host.as_str(), declared, is_in_cloud).await? {
                    self.progress.line(&format!("{host}: {line}"));
                }
                if let Some(machine) = fleet.machines.get(host) {
                    machine.run(&format!("rm -f {BOOTSTRAP_KUBECONFIG}")).await?;
                    self.joined.lock().await.retain(|joined| joined.name() != host);
                }
                // What somebody else cordoned stays so, and is not waited for. A lost answer is no reason to fail: the turn ends with the apply.
                if self.turn.has(host).await && self.is_cordoned_by_somebody_else(host).await.unwrap_or(false) {
                    self.turn.end(host).await;
                }
                Ok(())
            }
            Gate::OthersReady { host, restarting, max_unavailable } => {
                let group = self.spec.hosts.keys().collect();
                let disturbance = Disturbance { host, group, restarting: *restarting, max_unavailable: *max_unavailable };
                disturbance.wait(fleet.waiter(), || self.recent_nodes(), |host| self.awaits_its_network(fleet, host)).await
            }
            _ => Ok(()),
        }
    }

    /// Writes the bootstrap kubeconfig, unless the kubelet has credentials of its own already that are still valid.
    async fn join(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
        self.declare(std::iter::once(host)).await?;
        let has_credentials = machine.run(&format!("test -s {KUBELET_KUBECONFIG}")).await?.status == 0;
        if has_credentials && !certificate::has_expired(&**machine).await? {
            return Ok(());
        }
        let token = self.tokens.young(&*self.api, &*self.world).await?;
        let text = render::node::bootstrap_kubeconfig(&self.spec, &token);
        let path = HostPath::literal(BOOTSTRAP_KUBECONFIG);
        self.joined.lock().await.push(machine.clone());
        Ok(machine.write_secret(&path, text.reveal().as_bytes()).await?)
    }

    async fn cordon(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        if is_of_another_life(fleet, host) { Ok(()) } else { Ok(self.api.cordon(host.as_str()).await.map(drop)?) }
    }

    async fn drain(&self, fleet: &Fleet, host: &HostName, leaves: bool) -> Result<(), StepError> {
        if leaves {
            return self.drain_node(host, leaves).await;
        }
        if self.changes_network(host) {
            // The turn of this node may come an hour after the first look.
            let this = BTreeSet::from([host.clone()]);
            network::refuse_none(fleet, self.spec.pod_network, (&this, &this)).await?;
        }
        if !network::ends_pods(fleet.machine(host)?).await? {
            self.progress.line(&format!("{host}: not drained: no pod can end there while nothing connects pods"));
            return Ok(());
        }
        self.drain_node(host, leaves).await
    }

    async fn amend_node(&self, _fleet: &Fleet, host: &HostName, differences: &[Difference]) -> Result<(), StepError> {
        Ok(self.api.amend_node(host.as_str(), &NodeChange::of(differences, self.declared.of(host))).await?)
    }

    async fn uncordon(&self, _fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let uncordoned = self.api.uncordon(host.as_str()).await;
        self.turn.end(host).await;
        Ok(uncordoned?)
    }

    async fn delete_node(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let deleted = if is_of_another_life(fleet, host) { Ok(()) } else { self.api.delete_node(host.as_str()).await };
        self.turn.end(host).await;
        Ok(deleted?)
    }
}

/// The node of such a host is of that life too, or of the state that has it.
fn is_of_another_life(fleet: &Fleet, host: &HostName) -> bool {
    fleet.absent.get(host).is_some_and(|absence| matches!(absence.why, Why::OtherLife(_) | Why::TakenOver))
}

fn refused(error: KubernetesError) -> Diagnostic {
    Diagnostic::error("the cluster did not do what was asked").detail(format!("{error}\n\nRunning apply again is safe."))
}
