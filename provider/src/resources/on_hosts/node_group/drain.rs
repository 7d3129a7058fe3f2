//! A drain: cordon, evict what can move, wait until it is gone. Disruption budgets are honoured until the time is up.

use crate::kubernetes::{KnownNode, MovablePod};
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
    /// No other node takes one of them: waiting moves none.
    NowhereToGo,
}

/// Nothing is done to a node that does not exist.
///
/// `takes_pods` says of another node whether it takes pods, now or before the limit.
pub async fn drain(
    waiter: Waiter<'_>,
    api: &dyn Kubernetes,
    node: &str,
    limit: Duration,
    takes_pods: impl Fn(&str, &KnownNode) -> bool,
) -> Result<Drained, StepError> {
    if !api.cordon(node).await? {
        return Ok(Drained::Moved);
    }
    let what = format!("the pods of node {node} have moved");
    let mut wait = waiter.until(&what, limit, PACE);
    for look in 0.. {
        let pods = wait.ask(api.movable_pods(node)).await??;
        if pods.is_empty() {
            break;
        }
        // Those that end already have left: where to is not asked of them.
        if look % LOOKS == 0 && !pods.iter().any(|pod| pod.is_terminating) {
            let others = wait.ask(api.nodes()).await??;
            if !others.iter().any(|(name, known)| name != node && takes_pods(name, known) && takes_one(known, &pods)) {
                return Ok(Drained::NowhereToGo);
            }
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

/// One of the pods tolerates its taints. A node that is not Ready may be so again before the limit.
fn takes_one(known: &KnownNode, pods: &[MovablePod]) -> bool {
    pods.iter().any(|pod| pod.tolerates(&known.object.taints))
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
            "{}: {reason}\n\nThe node stays cordoned, and so do those that were to leave with it, until the next apply: it goes on with the \
             drain, or lets those that stay take pods again. Make room for them on other nodes, relax their disruption budgets or raise \
             `drain_timeout_seconds`; running apply again is safe.",
            names.join(", ")
        ),
    }
}
