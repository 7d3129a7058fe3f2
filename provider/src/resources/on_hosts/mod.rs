//! What every host-based resource does alike: read, delete, the bookkeeping around an apply, and waiting for units.

pub(crate) mod downloads;
pub(crate) mod execute;
pub(crate) mod fleet;
pub mod hardway_cluster;
pub(crate) mod host_state;
pub(crate) mod lb_vrrp;
pub(crate) mod node_group;
mod preflight;

use self::execute::{Actions, StepError};
use self::fleet::Fleet;
use self::host_state::{Recorded, Rollout};
use crate::configuration::Shared;
use crate::hosts::HostConfigs;
use crate::ssh::Ssh;
use bundle::{Bundle, HostName, Manifest, UnitName};
use machines::Owner;
use protocol::{ApplyRequest, ApplyResponse, Call, DeleteResponse, ReadResponse};
use schema::{Diagnostic, Field, Value, decode, encode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A read of any host-based resource: drift and unreachable hosts into the state, a warning for each that does not answer.
pub(crate) async fn read_hosts(
    shared: &Shared,
    call: &Call,
    prior: Value,
    owner_of: fn(&Value) -> Result<Owner, Diagnostic>,
    config: Result<(Field<HostConfigs>, Field<Ssh>), Diagnostic>,
) -> ReadResponse {
    let outcome = async {
        let (_, resource_ssh) = config?;
        let recorded = Recorded::of(Some(&prior))?.manifests()?;
        let hosts = all_hosts(None, Some(&prior))?;
        let mut fleet = Fleet::connect(shared, owner_of(&prior)?, &hosts, &resource_ssh, &call.cancelled).await?;
        let drift = fleet.read(&recorded).await;
        Ok::<_, Diagnostic>((drift, fleet))
    };
    match outcome.await {
        Ok((drift, fleet)) => ReadResponse {
            diagnostics: fleet.unreachable_warnings(),
            state: Some(host_state::after_read(prior, &drift, &fleet.unreachable)),
        },
        Err(diagnostic) => ReadResponse { state: Some(prior), diagnostics: diagnostic.into() },
    }
}

pub(crate) async fn delete_hosts(
    shared: &Shared,
    call: &Call,
    prior: Value,
    owner_of: fn(&Value) -> Result<Owner, Diagnostic>,
    config: Result<(Field<HostConfigs>, Field<Ssh>), Diagnostic>,
    stop_first: &[UnitName],
) -> DeleteResponse {
    let outcome = async {
        let (_, resource_ssh) = config?;
        let recorded = Recorded::of(Some(&prior))?.manifests()?;
        let hosts = all_hosts(None, Some(&prior))?;
        let fleet = Fleet::connect(shared, owner_of(&prior)?, &hosts, &resource_ssh, &call.cancelled).await?;
        if !stop_first.is_empty() {
            fleet.stop_everywhere(stop_first).await;
        }
        Ok::<_, Diagnostic>(fleet.remove(&recorded).await)
    };
    match outcome.await {
        Ok((left, diagnostics)) => DeleteResponse { left_behind: left_behind(prior, &left), diagnostics },
        Err(diagnostic) => DeleteResponse { left_behind: Some(prior), diagnostics: diagnostic.into() },
    }
}

/// The state that still names what could not be removed; `None` when nothing is left.
fn left_behind(mut prior: Value, left: &BTreeMap<HostName, Manifest>) -> Option<Value> {
    if left.is_empty() {
        return None;
    }
    prior.set("bundles", encode(&host_state::to_lines(left)));
    Some(prior)
}

/// The hosts of the plan, and those of the prior state that the plan no longer names but that still have something.
pub(crate) fn all_hosts(planned: Option<&HostConfigs>, prior: Option<&Value>) -> Result<HostConfigs, Diagnostic> {
    #[derive(Deserialize)]
    struct Hosts {
        hosts: Field<HostConfigs>,
    }
    let mut hosts = match prior {
        Some(prior) => decode::<Hosts>(prior)?.hosts.into_known().unwrap_or_default(),
        None => HostConfigs::new(),
    };
    if let Some(prior) = prior {
        let recorded = Recorded::of(Some(prior))?.bundles.unwrap_or_default();
        hosts.retain(|name, _| recorded.contains_key(name));
    }
    hosts.extend(planned.cloned().unwrap_or_default());
    Ok(hosts)
}

/// Runs the rollout and makes the state of what came of it.
pub(crate) async fn finish_apply(
    mut fleet: Fleet,
    request: ApplyRequest,
    desired: &BTreeMap<HostName, Bundle>,
    rollout: &Rollout<'_>,
    actions: &dyn Actions,
) -> Result<ApplyResponse, Diagnostic> {
    let recorded = Recorded::of(request.prior.as_ref())?.manifests()?;
    let mut applied = fleet.apply(&recorded, desired, rollout, actions).await;
    let failed = applied.diagnostics.has_errors();
    let created = request.prior.is_none();
    if applied.manifests.is_empty() && failed {
        return Ok(ApplyResponse { state: request.prior, diagnostics: applied.diagnostics });
    }
    let mut state = request.planned;
    if applied.cancelled && created {
        // An engine takes no state but the planned one without an error, and an error would taint: the next refresh finds what is
        // missing.
        applied.diagnostics.push(
            Diagnostic::warning("stopped on request").detail("What was done is kept. Running apply again goes on from here."),
        );
        return Ok(ApplyResponse { state: Some(state), diagnostics: applied.diagnostics });
    }
    if failed || applied.cancelled {
        // What the hosts have now, so that the next plan goes on from there even without a refresh.
        let drift = fleet.read(&applied.manifests).await;
        state.set("bundles", encode(&host_state::to_lines(&applied.manifests)));
        state.set("hosts", hosts_left(&state, request.prior.as_ref(), &applied.manifests));
        state = host_state::after_read(state, &drift, &fleet.unreachable);
        if failed && created {
            applied.diagnostics.push(Diagnostic::warning("what was done so far is kept, and the resource is marked as tainted").detail(
                "An apply would destroy it and begin anew. To go on from here instead, run `terraform untaint` (or `tofu untaint`) with \
                 the address of this resource, then apply.",
            ));
        }
        if applied.cancelled {
            applied.diagnostics.push(
                Diagnostic::error("stopped on request").detail("What was done is kept. Running apply again goes on from here."),
            );
        }
    }
    Ok(ApplyResponse { state: Some(state), diagnostics: applied.diagnostics })
}

/// The hosts of the plan, and those that were to leave and still have something: the next apply must find them.
fn hosts_left(planned: &Value, prior: Option<&Value>, manifests: &BTreeMap<HostName, Manifest>) -> Value {
    let mut hosts = planned.get("hosts").clone();
    for name in manifests.keys().filter(|name| hosts.get(name.as_str()).is_null()).cloned().collect::<Vec<_>>() {
        if let Some(prior) = prior {
            hosts.set(name.as_str(), prior.get("hosts").get(name.as_str()).clone());
        }
    }
    hosts
}

const UNITS_LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn wait_units_active(fleet: &Fleet, host: &HostName, units: &[UnitName]) -> Result<(), StepError> {
    let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    let command = format!("systemctl is-active {}", names.join(" "));
    let began = Instant::now();
    loop {
        let output = machine.run(&command).await?;
        if output.status == 0 {
            return Ok(());
        }
        if began.elapsed() > UNITS_LIMIT {
            let states = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
            return Err(StepError::Gate {
                summary: format!("{} on {host} did not become active within {} s", names.join(", "), UNITS_LIMIT.as_secs()),
                detail: format!(
                    "systemd says: {states}\n\nLook at `journalctl -u {}` there. Running apply again is safe.",
                    names.first().unwrap_or(&"")
                ),
            });
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

pub(crate) fn render_error(error: render::RenderError) -> Diagnostic {
    Diagnostic::error("the bundle of a host cannot be rendered").detail(error.to_string())
}

pub(crate) fn unknown_at_apply() -> Diagnostic {
    Diagnostic::error("provider bug: apply was called with unknown values")
        .detail("Please report this with the versions of the provider and the engine.")
}

/// `k8s_hardway_cluster.demo`: under this name hosts keep the record of what belongs to the resource.
pub(crate) fn owner(resource: &str, name: &Value) -> Result<Owner, Diagnostic> {
    Owner::parse(format!("{resource}.{}", name.as_str().unwrap_or_default()))
        .map_err(|error| Diagnostic::error(error.to_string()))
}
