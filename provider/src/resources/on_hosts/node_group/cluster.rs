//! The cluster of a node group, reached through the first control-plane host that answers; and what API servers it has.

use super::config::Config;
use crate::configuration::Shared;
use crate::kubernetes::KubernetesError;
use crate::ports::{Host, Kubernetes};
use crate::resources::on_hosts::errors::unknown_at_apply;
use crate::ssh::{self, HostSsh};
use crate::wait::Waiter;
use bundle::HostName;
use futures::future::join_all;
use machines::{MachineError, Target};
use schema::{Diagnostic, Field};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// For the answers of the control-plane hosts other than the first, which are asked at the same time.
const VERSIONS_LIMIT: Duration = Duration::from_secs(15);

pub struct Cluster {
    pub control_plane: Arc<dyn Host>,
    pub api: Arc<dyn Kubernetes>,
    /// Of the API server that was reached.
    pub version: String,
}

/// What the API servers of a cluster say they are (`v1.36.3`). A kubelet works with all of them.
#[derive(Debug, Default)]
pub struct Versions {
    pub of: BTreeMap<HostName, String>,
    /// Why a control-plane host did not say it.
    pub silent: BTreeMap<HostName, String>,
}

/// Why no cluster was reached.
pub struct NoCluster {
    /// Its detail are the reasons, host by host.
    pub error: Diagnostic,
    /// A host let us in, and did not say that it has no API server.
    pub may_be_there: bool,
}

impl From<Diagnostic> for NoCluster {
    fn from(error: Diagnostic) -> Self {
        NoCluster { error, may_be_there: false }
    }
}

impl From<NoCluster> for Diagnostic {
    fn from(none: NoCluster) -> Self {
        none.error
    }
}

impl Cluster {
    pub async fn connect(shared: &Shared, config: &Config) -> Result<Cluster, NoCluster> {
        let (mut reasons, mut may_be_there) = (Vec::new(), false);
        for target in control_plane(shared, config)? {
            let control_plane = match shared.world.connect(&target).await {
                Ok(control_plane) => control_plane,
                Err(error) => {
                    reasons.push(KubernetesError::from(error).to_string());
                    continue;
                }
            };
            match Cluster::of(control_plane).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => {
                    may_be_there |= !has_no_api_server(&error);
                    reasons.push(error.to_string());
                }
            }
        }
        let error = Diagnostic::error("no control-plane host of the cluster answers").detail(reasons.join("\n"));
        Err(NoCluster { error, may_be_there })
    }

    async fn reach(shared: &Shared, target: &Target) -> Result<Cluster, KubernetesError> {
        Cluster::of(shared.world.connect(target).await?).await
    }

    async fn of(control_plane: Arc<dyn Host>) -> Result<Cluster, KubernetesError> {
        let api = control_plane.kubernetes().await?;
        let version = api.version().await?;
        Ok(Cluster { control_plane, api, version })
    }
}

/// Whether a host that let us in said so: it has no credentials for one, or nobody listens. A question that was lost or refused says
/// nothing, and an API server that answers with an error is there.
fn has_no_api_server(error: &KubernetesError) -> bool {
    match error {
        KubernetesError::Machine(MachineError::NoFile { .. } | MachineError::NobodyListens { .. }) => true,
        KubernetesError::Machine(_) | KubernetesError::Kubeconfig { .. } | KubernetesError::Api { .. } => false,
    }
}

/// Of the one that was reached and of every other control-plane host: while a control plane is upgraded, its API servers differ.
pub async fn versions(
    shared: &Shared,
    config: &Config,
    (reached, version): (&HostName, &str),
    waiter: Waiter<'_>,
) -> Result<Versions, Diagnostic> {
    let others = control_plane(shared, config)?.into_iter().filter(|target| target.name != *reached);
    let questions = others.map(|target| async move {
        let answer = waiter.within(VERSIONS_LIMIT, Cluster::reach(shared, &target)).await;
        (target.name, answer.map(|answer| answer.map(|cluster| cluster.version).map_err(|error| error.to_string())))
    });
    let mut versions = Versions { of: [(reached.clone(), version.to_string())].into(), ..Versions::default() };
    for (host, answer) in join_all(questions).await {
        match answer {
            Some(Ok(version)) => drop(versions.of.insert(host, version)),
            Some(Err(reason)) => drop(versions.silent.insert(host, reason)),
            None => drop(versions.silent.insert(host, format!("no answer within {} s", VERSIONS_LIMIT.as_secs()))),
        }
    }
    Ok(versions)
}

/// How SSH reaches the control-plane hosts, in the order of `join`.
fn control_plane(shared: &Shared, config: &Config) -> Result<Vec<Target>, Diagnostic> {
    let join = config.cluster.known().ok_or_else(unknown_at_apply)?;
    let mut targets = Vec::new();
    for host in join.control_plane.known().into_iter().flatten() {
        let host = host.known().ok_or_else(unknown_at_apply)?;
        let (Some(name), Some(address)) = (host.name.known(), host.address.known()) else { return Err(unknown_at_apply()) };
        let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
        let host_ssh =
            Field::Known(HostSsh { address: host.ssh_address.clone(), port: host.ssh_port, user: host.ssh_user.clone() });
        targets.push(ssh::target(&name, address, &host_ssh, &[&config.ssh, &shared.configuration().ssh])?);
    }
    Ok(targets)
}
