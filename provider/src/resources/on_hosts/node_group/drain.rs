//! A drain: cordon, evict what can move, wait until it is gone. Disruption budgets are honoured until the time is up.

use crate::kubernetes::{KubernetesError, MovablePod};
use crate::ports::Kubernetes;
use crate::resources::on_hosts::execute::StepError;
use crate::wait::{Ended, Pace, Waiter};
use std::time::Duration;

const PACE: Pace = Pace::every(Duration::from_millis(500));

/// Whether there is a node to go to is asked again after so many looks at the pods: a list of all nodes is large.
const LOOKS: usize = 10;

/// What became of the pods of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    Moved,
    /// There is no other node, or all are cordoned: they end with their host, and waiting moves none.
    NowhereToGo,
}

/// Nothing is done to a node that does not exist.
pub async fn drain(waiter: Waiter<'_>, api: &dyn Kubernetes, node: &str, limit: Duration) -> Result<Drained, StepError> {
    if !api.set_unschedulable(node, true).await? {
        return Ok(Drained::Moved);
    }
    let what = format!("the pods of node {node} have moved");
    let mut wait = waiter.until(&what, limit, PACE);
    for look in 0.. {
        let pods = wait.ask(api.movable_pods(node)).await??;
        if pods.is_empty() {
            break;
        }
        if look % LOOKS == 0 && !wait.ask(has_room(api, node)).await?? {
            return Ok(Drained::NowhereToGo);
        }
        let mut reason = String::new();
        for pod in &pods {
            if waiter.cancelled.is_cancelled() {
                return Err(StepError::Cancelled(what));
            }
            reason = evict(api, pod).await?.unwrap_or(reason);
        }
        match wait.pause().await {
            Err(Ended::TimedOut { limit, .. }) => return Err(late(node, &pods, &reason, limit)),
            ended => ended?,
        }
    }
    Ok(Drained::Moved)
}

/// There is another node that is not cordoned; one that is not Ready may be so again before the limit. Nodes that are about to leave are
/// cordoned by then.
async fn has_room(api: &dyn Kubernetes, node: &str) -> Result<bool, KubernetesError> {
    Ok(api.nodes().await?.iter().any(|(name, known)| name != node && !known.is_cordoned))
}

/// `Some` says why it is still there.
async fn evict(api: &dyn Kubernetes, pod: &MovablePod) -> Result<Option<String>, StepError> {
    match pod.is_terminating {
        true => Ok(Some(format!("pod {} is terminating", pod.name))),
        false => Ok(api.evict(pod).await?),
    }
}

fn late(node: &str, pods: &[MovablePod], reason: &str, limit: Duration) -> StepError {
    let names: Vec<String> = pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    StepError::Gate {
        summary: format!("node {node} still has pods after {} s", limit.as_secs()),
        detail: format!(
            "{}: {reason}\n\nThe node stays cordoned, and so do those that were to leave with it: `kubectl uncordon` lets one that is to stay \
             take pods again. Make room for them on other nodes, relax their disruption budgets or raise \
             `drain_timeout_seconds`; running apply again is safe.",
            names.join(", ")
        ),
    }
}
