//! What the planner's steps and gates mean for nodes: joining, becoming Ready, draining, leaving. The API is reached through the
//! first control-plane host that answers.

use super::config::Config;
use super::drain::drain;
use super::ready::wait_until_ready;
use crate::configuration::Shared;
use crate::kubernetes::{BootstrapToken, KubernetesError};
use crate::ports::{Host, Kubernetes, World};
use crate::progress::Progress;
use crate::resources::on_hosts::errors::{machine_error, unknown_at_apply};
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::hardway_cluster::coverage;
use crate::resources::on_hosts::recorded::Recorded;
use crate::ssh::{self, HostSsh};
use crate::wait::Waiter;
use async_trait::async_trait;
use bundle::{Content, HostName, HostPath};
use protocol::Call;
use render::control_plane::{API_SERVER_CERTIFICATE, KUBE_PROXY_KUBECONFIG};
use render::node::{BOOTSTRAP_KUBECONFIG, KUBELET_KUBECONFIG};
use render::spec::NodeGroupSpec;
use rollout::Gate;
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;

pub struct NodeActions {
    world: Arc<dyn World>,
    pub(super) control_plane: Arc<dyn Host>,
    api: Arc<dyn Kubernetes>,
    /// One token for all joins of this apply, made when the first host needs it.
    token: OnceCell<BootstrapToken>,
    /// Hosts that were given a bootstrap kubeconfig.
    joined: Mutex<Vec<Arc<dyn Host>>>,
    spec: NodeGroupSpec,
    drain_limit: Duration,
    cancelled: CancellationToken,
    progress: Progress,
}

impl NodeActions {
    pub async fn connect(shared: &Shared, config: &Config, call: &Call) -> Result<NodeActions, Diagnostic> {
        let join = config.cluster.known().ok_or_else(unknown_at_apply)?;
        let configuration = shared.configuration();
        // What the API is asked for needs no kubeconfig of kube-proxy.
        let spec = config.spec(Content::new([])).ok_or_else(unknown_at_apply)?;
        let mut reasons = Vec::new();
        for host in join.control_plane.known().into_iter().flatten() {
            let host = host.known().ok_or_else(unknown_at_apply)?;
            let (Some(name), Some(address)) = (host.name.known(), host.address.known()) else { return Err(unknown_at_apply()) };
            let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
            let host_ssh =
                Field::Known(HostSsh { address: host.ssh_address.clone(), port: host.ssh_port, user: host.ssh_user.clone() });
            let target = ssh::target(&name, address, &host_ssh, &[&config.ssh, &configuration.ssh])?;
            let connected = async {
                let machine = shared.world.connect(&target).await?;
                let api = machine.kubernetes().await?;
                api.probe().await?;
                Ok::<_, KubernetesError>((machine, api))
            };
            match connected.await {
                Ok((control_plane, api)) => {
                    return Ok(NodeActions {
                        world: shared.world.clone(),
                        control_plane,
                        api,
                        token: OnceCell::new(),
                        joined: Mutex::default(),
                        spec,
                        drain_limit: config.drain_limit(),
                        cancelled: call.cancelled.clone(),
                        progress: configuration.progress(format!("k8s_node_group.{}", config.id().unwrap_or_default())),
                    });
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(Diagnostic::error("no control-plane host of the cluster answers")
            .detail(format!("{}\n\nRunning apply again is safe.", reasons.join("\n"))))
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
                let addresses: Vec<String> = host.addresses().iter().map(ToString::to_string).collect();
                (name.to_string(), Some(format!("{name} {}", addresses.join(" "))))
            })
            .collect();
        if entries.is_empty() { Ok(()) } else { self.api.declare_nodes(&entries).await }
    }

    /// Before their addresses change on the hosts.
    pub async fn declare_known(&self, prior: Option<&Value>) -> Result<(), Diagnostic> {
        let known = prior.map(|prior| Recorded::of(Some(prior))).transpose()?.unwrap_or_default().manifests()?;
        self.declare(known.keys()).await.map_err(refused)
    }

    /// Labels of running nodes follow the configuration; kubelet itself sets them only at registration.
    /// Those of the prior state that are declared no more are taken away.
    pub async fn set_labels(&self, prior: Option<&Value>) -> Result<(), Diagnostic> {
        let before = prior.and_then(|prior| prior.get("labels").as_map()).into_iter().flatten();
        let mut labels: BTreeMap<String, Option<String>> = before.map(|(key, _)| (key.clone(), None)).collect();
        labels.extend(self.spec.labels.iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
        if labels.is_empty() {
            return Ok(());
        }
        for host in self.spec.hosts.keys() {
            self.api.set_labels(host.as_str(), &labels).await.map_err(refused)?;
        }
        Ok(())
    }

    /// The token is worth nothing after this, nor is its kubeconfig on a host that did not become Ready.
    pub async fn finish(&self) {
        let joined = std::mem::take(&mut *self.joined.lock().await);
        for machine in joined {
            if let Err(error) = machine.run(&format!("rm -f {BOOTSTRAP_KUBECONFIG}")).await {
                self.progress.line(&format!("{}: a worthless bootstrap kubeconfig is left: {error}", machine.name()));
            }
        }
        if let Some(token) = self.token.get()
            && let Err(error) = self.api.delete_token(token).await
        {
            self.progress
                .line(&format!("the bootstrap token could not be deleted and expires by itself within an hour: {error}"));
        }
    }

    /// Deletes every node object; drains first while there is another node that could take the pods.
    pub async fn leave_all(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let clock = self.world.clock();
        let waiter = Waiter { clock: &*clock, cancelled: &self.cancelled };
        let others = self.api.has_other_nodes(&self.spec.hosts.keys().map(ToString::to_string).collect()).await.unwrap_or(false);
        for host in self.spec.hosts.keys() {
            if others {
                let phase = self.progress.phase(format!("{host}: drain"));
                if let Err(error) = phase.finish(drain(waiter, &*self.api, host.as_str(), self.drain_limit).await) {
                    diagnostics.push(
                        Diagnostic::warning(format!("node {host} was not drained"))
                            .detail(format!("{error}\n\nIts host is cleaned all the same.")),
                    );
                }
            }
            if self.cancelled.is_cancelled() {
                return diagnostics;
            }
            if let Err(error) = self.api.delete_node(host.as_str()).await {
                diagnostics.push(
                    Diagnostic::error(format!("node {host} could not be deleted"))
                        .detail(format!("{error}\n\nHosts are cleaned all the same. Destroying again is safe.")),
                );
            }
        }
        diagnostics
    }

    async fn token(&self) -> Result<&BootstrapToken, StepError> {
        self.token
            .get_or_try_init(|| async {
                let token = BootstrapToken::random();
                self.api.create_token(&token, self.world.now()).await?;
                Ok::<_, StepError>(token)
            })
            .await
    }
}

#[async_trait]
impl Actions for NodeActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::NodeReady { host } => {
                wait_until_ready(fleet.waiter(), &*self.api, fleet.machine(host)?).await?;
                if let Some(machine) = fleet.machines.get(host) {
                    machine.run(&format!("rm -f {BOOTSTRAP_KUBECONFIG}")).await?;
                    self.joined.lock().await.retain(|joined| joined.name() != host);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes the bootstrap kubeconfig, unless the kubelet has credentials of its own already.
    async fn join(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
        self.declare(std::iter::once(host)).await?;
        if machine.run(&format!("test -s {KUBELET_KUBECONFIG}")).await?.status == 0 {
            return Ok(());
        }
        let token = self.token().await?;
        let text = render::node::bootstrap_kubeconfig(&self.spec, &token.text());
        let path = HostPath::literal(BOOTSTRAP_KUBECONFIG);
        self.joined.lock().await.push(machine.clone());
        Ok(machine.write_secret(&path, text.reveal().as_bytes()).await?)
    }

    async fn drain(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        drain(fleet.waiter(), &*self.api, host.as_str(), self.drain_limit).await
    }

    async fn uncordon(&self, _fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        Ok(self.api.set_unschedulable(host.as_str(), false).await.map(drop)?)
    }

    async fn delete_node(&self, _fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        Ok(self.api.delete_node(host.as_str()).await?)
    }
}

fn refused(error: KubernetesError) -> Diagnostic {
    Diagnostic::error("the cluster did not do what was asked").detail(format!("{error}\n\nRunning apply again is safe."))
}
