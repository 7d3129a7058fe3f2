//! Who connects the pods of a node: whether an add-on is there to do it, and what a node that comes back to the routed network needs.

use crate::ports::Host;
use crate::resources::on_hosts::errors::machine_error;
use crate::resources::on_hosts::execute::StepError;
use crate::resources::on_hosts::fleet::Fleet;
use crate::wait::{Pace, Waiter};
use bundle::HostName;
use machines::MachineError;
use render::component::POD_NETWORK;
use render::node::{CNI_CONFIGURATIONS, OWN_CNI_CONFIGURATIONS};
use render::spec::PodNetwork;
use schema::Diagnostic;
use std::collections::BTreeSet;
use std::time::Duration;

const RECONNECT_LIMIT: Duration = Duration::from_secs(60);
/// What their files in that folder are named after: they connect containers that are no pods.
const NETWORKS_OF_OTHER_PROGRAMS: [&str; 5] = ["podman", "nerdctl", "crio", "containerd-net", "loopback"];
const PACE: Pace = Pace::every(Duration::from_millis(250));

/// Nodes that are to leave the routed network need another one at once, or their pods have none. One that does not serve and has left it
/// already, by an apply that was cut off, is past that.
pub async fn refuse_none(
    fleet: &Fleet,
    declared: PodNetwork,
    (connected_otherwise, serving): (&BTreeSet<HostName>, &BTreeSet<HostName>),
) -> Result<(), StepError> {
    if declared == PodNetwork::Routed {
        return Ok(());
    }
    for machine in fleet.machines.values().filter(|machine| connected_otherwise.contains(machine.name())) {
        let networks = Networks::of(&**machine).await?;
        if !networks.has_add_on && (networks.has_own || serving.contains(machine.name())) {
            return Err(none(machine.name()));
        }
    }
    Ok(())
}

pub fn none(host: &HostName) -> StepError {
    StepError::Gate {
        summary: format!("no network add-on is there for the pods of {host}"),
        detail: format!(
            "Another pod network than the routed one is declared, and no add-on has written its configuration to {} on that host: pods there would have no \
             network. Install the add-on in the cluster first, with pod_network = \"routed\"; its configuration waits until that of the routed network \
             goes. Then set pod_network = \"none\".",
            CNI_CONFIGURATIONS
        ),
    }
}

/// Of the first look, before anything is written.
pub fn untouched(error: StepError) -> Diagnostic {
    match error {
        StepError::Machine(error) => machine_error(&error),
        StepError::Gate { summary, detail } => {
            Diagnostic::error(summary).detail(format!(
                "{detail} Nothing was changed on any host of this node group. What the same apply has changed on control-plane hosts comes back with \
                 pod_network = \"routed\" and another apply."
            ))
        }
        error => Diagnostic::error("the pod network was not looked at").detail(error.to_string()),
    }
}

/// Who has told containerd on a host how to connect pods.
struct Networks {
    /// One that containerd reads, whoever wrote it.
    has_any: bool,
    has_add_on: bool,
    /// Also where an add-on has renamed it.
    has_own: bool,
}

impl Networks {
    async fn of(machine: &dyn Host) -> Result<Networks, MachineError> {
        let found = machine.run(&format!("ls {CNI_CONFIGURATIONS}")).await?;
        let names = String::from_utf8_lossy(&found.stdout);
        let is_one = |name: &str| [".conf", ".conflist", ".json"].iter().any(|suffix| name.ends_with(suffix));
        let path = |name: &str| format!("{CNI_CONFIGURATIONS}/{name}");
        let is_of_others = |name: &str| !OWN_CNI_CONFIGURATIONS.contains(&path(name).as_str());
        let is_of_pods = |name: &str| !NETWORKS_OF_OTHER_PROGRAMS.iter().any(|program| name.contains(program));
        Ok(Networks {
            has_any: names.lines().any(is_one),
            has_add_on: names.lines().any(|name| is_one(name) && is_of_others(name) && is_of_pods(name)),
            has_own: names.lines().any(|name| OWN_CNI_CONFIGURATIONS.iter().any(|own| path(name).starts_with(own))),
        })
    }
}

/// Whether an add-on connects pods on this host: it is for the add-on to do, which may be installed after its first nodes.
pub async fn has_network(machine: &dyn Host) -> Result<bool, MachineError> {
    Ok(Networks::of(machine).await?.has_add_on)
}

/// Whether pods on this host can end: containerd takes a pod from its network by the configuration that is there. Its kubelet calls the node Ready
/// for some seconds after that is gone.
pub async fn ends_pods(machine: &dyn Host) -> Result<bool, MachineError> {
    Ok(Networks::of(machine).await?.has_any)
}

/// On a node that has come to the routed network, pods that another one connects are made again.
pub async fn reconnect_pods(waiter: Waiter<'_>, machine: &dyn Host) -> Result<(), StepError> {
    let (node, script) = (machine.name(), render::node::reconnect_pods());
    let wait = waiter.until(format!("the routed network connects the pods of node {node}"), RECONNECT_LIMIT, PACE);
    let lacks = || async { Ok::<_, StepError>((machine.run(&script).await?.status != 0).then_some(())) };
    match wait.until_nothing_lacks(lacks).await? {
        None => Ok(()),
        Some(()) => Err(StepError::Gate {
            summary: format!("the routed network does not connect the pods of node {node} after {} s", RECONNECT_LIMIT.as_secs()),
            detail: format!("Look at `journalctl -u {}` there.", POD_NETWORK.unit()),
        }),
    }
}
