//! A cluster as its `join` names it, reached through the first control-plane host that answers; and what API servers it has.

use crate::configuration::Shared;
use crate::kubernetes::KubernetesError;
use crate::ports::{Host, Kubernetes};
use crate::resources::on_hosts::errors::unknown_at_apply;
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::node_group::whose;
use crate::ssh::{self, HostSsh, Ssh};
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

pub struct ControlPlane {
    /// The one that answered.
    pub host: Arc<dyn Host>,
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

/// How a resource reaches its cluster.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    pub join: &'a Field<Join>,
    pub ssh: &'a Field<Ssh>,
}

/// Why no cluster was reached.
pub struct NoControlPlane {
    /// Its detail are the reasons, host by host.
    pub error: Diagnostic,
    /// A host let us in, and did not say that it has no API server.
    pub may_be_there: bool,
    /// Every host let us in and has no credentials for an API server: there is no cluster any more.
    pub is_gone: bool,
}

impl From<Diagnostic> for NoControlPlane {
    fn from(error: Diagnostic) -> Self {
        NoControlPlane { error, may_be_there: false, is_gone: false }
    }
}

impl From<NoControlPlane> for Diagnostic {
    fn from(none: NoControlPlane) -> Self {
        none.error
    }
}

impl ControlPlane {
    pub async fn connect(shared: &Shared, way: Way<'_>) -> Result<ControlPlane, NoControlPlane> {
        let (mut reasons, mut may_be_there, mut is_gone) = (Vec::new(), false, true);
        for target in targets(shared, way)? {
            let host = match shared.world.connect(&target).await {
                Ok(host) => host,
                Err(error) => {
                    is_gone = false;
                    reasons.push(KubernetesError::from(error).to_string());
                    continue;
                }
            };
            match ControlPlane::of(host).await {
                Ok(reached) => return Ok(reached),
                Err(error) => {
                    may_be_there |= !has_no_api_server(&error);
                    is_gone &= matches!(error, KubernetesError::Machine(MachineError::NoFile { .. }));
                    reasons.push(error.to_string());
                }
            }
        }
        let has_asked = !reasons.is_empty();
        let error = Diagnostic::error("no control-plane host of the cluster answers").detail(reasons.join("\n"));
        Err(NoControlPlane { is_gone: is_gone && has_asked, error, may_be_there })
    }

    async fn reach(shared: &Shared, target: &Target) -> Result<ControlPlane, KubernetesError> {
        ControlPlane::of(shared.world.connect(target).await?).await
    }

    async fn of(host: Arc<dyn Host>) -> Result<ControlPlane, KubernetesError> {
        let api = host.kubernetes().await?;
        let version = api.version().await?;
        Ok(ControlPlane { host, api, version })
    }

    /// What speaks against this being the cluster that `join` names, where what belongs to that one is to go.
    pub async fn another_cluster(&self, join: &Field<Join>) -> Result<Option<Diagnostic>, Diagnostic> {
        whose::another_cluster_to_leave(&*self.host, join).await
    }

    /// Than the one that `join` names.
    pub async fn refuse_another_cluster(&self, join: &Field<Join>) -> Result<(), Diagnostic> {
        whose::refuse_another_cluster(&*self.host, join).await
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
    way: Way<'_>,
    (reached, version): (&HostName, &str),
    waiter: Waiter<'_>,
) -> Result<Versions, Diagnostic> {
    let others = targets(shared, way)?.into_iter().filter(|target| target.name != *reached);
    let questions = others.map(|target| async move {
        let answer = waiter.within(VERSIONS_LIMIT, ControlPlane::reach(shared, &target)).await;
        (target.name, answer.map(|answer| answer.map(|reached| reached.version).map_err(|error| error.to_string())))
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
fn targets(shared: &Shared, Way { join, ssh }: Way<'_>) -> Result<Vec<Target>, Diagnostic> {
    let join = join.known().ok_or_else(unknown_at_apply)?;
    let mut targets = Vec::new();
    for host in join.control_plane.known().into_iter().flatten() {
        let host = host.known().ok_or_else(unknown_at_apply)?;
        let (Some(name), Some(address)) = (host.name.known(), host.address.known()) else { return Err(unknown_at_apply()) };
        let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
        let host_ssh =
            Field::Known(HostSsh { address: host.ssh_address.clone(), port: host.ssh_port, user: host.ssh_user.clone() });
        targets.push(ssh::target(&name, address, &host_ssh, &[ssh, &shared.configuration().ssh])?);
    }
    Ok(targets)
}
