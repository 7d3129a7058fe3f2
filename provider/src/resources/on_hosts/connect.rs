//! Reaches the hosts of one resource over SSH, many at once.

use super::booting;
use super::errors::{stopped, unknown_at_apply};
use super::fleet::Fleet;
use crate::configuration::Shared;
use crate::hosts::HostConfigs;
use crate::ssh::{self, Ssh};
use crate::wait::Waiter;
use bundle::HostName;
use futures::StreamExt;
use machines::{Incarnation, MachineError, Target};
use protocol::Call;
use schema::{Diagnostic, Field};
use std::collections::BTreeSet;

/// The hosts of a resource, and how they are reached.
pub struct Way<'a> {
    pub hosts: &'a HostConfigs,
    pub ssh: &'a Field<Ssh>,
    /// Those that are not in the state yet: they may still be booting, and are waited for.
    pub new: BTreeSet<HostName>,
}

/// A host that does not answer is remembered with its reason.
pub async fn connect(shared: &Shared, owner: Incarnation, way: &Way<'_>, call: &Call) -> Result<Fleet, Diagnostic> {
    let configuration = shared.configuration();
    let targets = targets(way.hosts, &[way.ssh, &configuration.ssh])?;
    let progress = configuration.progress(owner.to_string());
    let clock = shared.world.clock();
    let waiter = Waiter { clock: clock.as_ref(), cancelled: &call.cancelled };
    let (world, lines) = (shared.world.as_ref(), &progress);
    let connections = targets.into_iter().map(|target| async move {
        let answer = match way.new.contains(&target.name) {
            true => booting::connect(world, &target, waiter, lines).await,
            false => world.connect(&target).await,
        };
        (target.name, answer)
    });
    let answers: Vec<_> = futures::stream::iter(connections).buffer_unordered(configuration.parallel_hosts()).collect().await;
    if answers.iter().any(|(_, answer)| matches!(answer, Err(MachineError::Stopped { .. }))) {
        return Err(stopped(Diagnostic::error, "Nothing was changed on any host. Run apply again to go on."));
    }
    Ok(Fleet::new(owner, answers, progress, call.cancelled.clone(), shared.world.clock()).at_once(configuration.parallel_hosts()))
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
