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
        let mut silent = Silent::default();
        for target in targets(shared, way)? {
            if let Some(reached) = silent.ask(shared, &target, way.join).await {
                return Ok(reached);
            }
        }
        Err(silent.into())
    }

    /// The first host that carries the cluster which `join` names. One that carries another one says nothing of the others.
    pub async fn connect_to_leave(shared: &Shared, way: Way<'_>) -> Result<ToLeave, NoControlPlane> {
        let (mut silent, mut another) = (Silent::default(), None);
        for target in targets(shared, way)? {
            let Some(reached) = silent.ask(shared, &target, way.join).await else { continue };
            match whose::another_cluster_to_leave(&*reached.host, way.join).await {
                Ok(None) => return Ok(ToLeave::Reached(reached)),
                Ok(found) => another = found,
                Err(error) => silent.note_unread(error),
            }
        }
        match another {
            Some(another) if !silent.is_any_in_doubt => Ok(ToLeave::Another(another)),
            Some(another) => {
                silent.reasons.push(format!("{}: {}", another.summary, another.detail));
                Err(silent.into())
            }
            None => Err(silent.into()),
        }
    }

    async fn reach(shared: &Shared, target: &Target) -> Result<ControlPlane, KubernetesError> {
        ControlPlane::of(shared.world.connect(target).await?).await
    }

    async fn of(host: Arc<dyn Host>) -> Result<ControlPlane, KubernetesError> {
        let api = host.kubernetes().await?;
        let version = api.version().await?;
        Ok(ControlPlane { host, api, version })
    }

    /// Than the one that `join` names.
    pub async fn refuse_another_cluster(&self, join: &Field<Join>) -> Result<(), Diagnostic> {
        whose::refuse_another_cluster(&*self.host, join).await
    }
}

/// Where what belongs to a cluster is to go.
pub enum ToLeave {
    Reached(ControlPlane),
    /// Every control-plane host says that it does not carry the cluster; what one of them said.
    Another(Diagnostic),
}

/// The hosts that were asked for an API server and had none.
#[derive(Default)]
struct Silent {
    reasons: Vec<String>,
    may_be_there: bool,
    /// One of them did not let us in, or has credentials for one.
    is_any_in_doubt: bool,
    /// Why it was not read which cluster the first such host carries.
    unread: Option<Diagnostic>,
}

impl Silent {
    async fn ask(&mut self, shared: &Shared, target: &Target, join: &Field<Join>) -> Option<ControlPlane> {
        let host = match shared.world.connect(target).await {
            Ok(host) => host,
            Err(error) => {
                self.is_any_in_doubt = true;
                self.reasons.push(KubernetesError::from(error).to_string());
                return None;
            }
        };
        match ControlPlane::of(host.clone()).await {
            Ok(reached) => Some(reached),
            Err(error @ KubernetesError::Machine(MachineError::NoFile { .. })) => {
                // Somebody may have taken the credentials away, and nothing else.
                match whose::carries(&*host, join).await {
                    Ok(false) => {}
                    Ok(true) => (self.may_be_there, self.is_any_in_doubt) = (true, true),
                    Err(unread) => self.note_unread(unread),
                }
                self.reasons.push(error.to_string());
                None
            }
            Err(error) => {
                self.may_be_there |= !is_nobody_listening(&error);
                self.is_any_in_doubt = true;
                self.reasons.push(error.to_string());
                None
            }
        }
    }

    /// It may well carry the cluster.
    fn note_unread(&mut self, error: Diagnostic) {
        (self.may_be_there, self.is_any_in_doubt) = (true, true);
        self.unread.get_or_insert(error);
    }
}

impl From<Silent> for NoControlPlane {
    fn from(Silent { reasons, may_be_there, is_any_in_doubt, unread }: Silent) -> Self {
        let is_gone = !is_any_in_doubt && !reasons.is_empty();
        let none = || Diagnostic::error("no control-plane host of the cluster answers").detail(reasons.join("\n"));
        let error = unread.unwrap_or_else(none);
        NoControlPlane { error, may_be_there, is_gone }
    }
}

/// Whether a host that let us in said so. A question that was lost or refused says nothing, and an API server that answers with an error is there.
fn is_nobody_listening(error: &KubernetesError) -> bool {
    matches!(error, KubernetesError::Machine(MachineError::NobodyListens { .. }))
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
