//! The cluster of a node group, reached through the first control-plane host that answers.

use super::config::Config;
use crate::configuration::Shared;
use crate::kubernetes::KubernetesError;
use crate::ports::{Host, Kubernetes};
use crate::resources::on_hosts::errors::unknown_at_apply;
use crate::ssh::{self, HostSsh};
use bundle::HostName;
use schema::{Diagnostic, Field};
use std::sync::Arc;

pub struct Cluster {
    pub control_plane: Arc<dyn Host>,
    pub api: Arc<dyn Kubernetes>,
    /// Of the API server that was reached.
    pub version: String,
}

impl Cluster {
    /// The detail of the error are the reasons, host by host.
    pub async fn connect(shared: &Shared, config: &Config) -> Result<Cluster, Diagnostic> {
        let join = config.cluster.known().ok_or_else(unknown_at_apply)?;
        let mut reasons = Vec::new();
        for host in join.control_plane.known().into_iter().flatten() {
            let host = host.known().ok_or_else(unknown_at_apply)?;
            let (Some(name), Some(address)) = (host.name.known(), host.address.known()) else { return Err(unknown_at_apply()) };
            let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
            let host_ssh =
                Field::Known(HostSsh { address: host.ssh_address.clone(), port: host.ssh_port, user: host.ssh_user.clone() });
            let target = ssh::target(&name, address, &host_ssh, &[&config.ssh, &shared.configuration().ssh])?;
            let connected = async {
                let control_plane = shared.world.connect(&target).await?;
                let api = control_plane.kubernetes().await?;
                let version = api.version().await?;
                Ok::<_, KubernetesError>(Cluster { control_plane, api, version })
            };
            match connected.await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(Diagnostic::error("no control-plane host of the cluster answers").detail(reasons.join("\n")))
    }
}
