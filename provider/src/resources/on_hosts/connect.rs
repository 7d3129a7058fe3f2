//! Reaches the hosts of one resource over SSH, many at once.

use super::errors::unknown_at_apply;
use super::fleet::Fleet;
use crate::configuration::Shared;
use crate::hosts::HostConfigs;
use crate::ssh::{self, Ssh};
use bundle::HostName;
use futures::StreamExt;
use machines::{Incarnation, Target};
use protocol::Call;
use schema::{Diagnostic, Field};

/// A host that does not answer is remembered with its reason.
pub async fn connect(
    shared: &Shared,
    owner: Incarnation,
    hosts: &HostConfigs,
    resource_ssh: &Field<Ssh>,
    call: &Call,
) -> Result<Fleet, Diagnostic> {
    let configuration = shared.configuration();
    let targets = targets(hosts, &[resource_ssh, &configuration.ssh])?;
    let progress = configuration.progress(owner.to_string());
    let connections = targets.into_iter().map(|target| async move { (target.name.clone(), shared.world.connect(&target).await) });
    let answers: Vec<_> = futures::stream::iter(connections).buffer_unordered(configuration.parallel_hosts()).collect().await;
    Ok(Fleet::new(owner, answers, progress, call.cancelled.clone(), shared.world.clock()))
}

fn targets(hosts: &HostConfigs, layers: &[&Field<Ssh>]) -> Result<Vec<Target>, Diagnostic> {
    hosts
        .iter()
        .map(|(name, host)| {
            let name = HostName::parse(name.as_str()).map_err(|error| Diagnostic::error(error.to_string()))?;
            let host = host.known().ok_or_else(unknown_at_apply)?;
            let address = host.address.known().ok_or_else(unknown_at_apply)?;
            ssh::target(&name, address, &host.ssh, layers)
        })
        .collect()
}
