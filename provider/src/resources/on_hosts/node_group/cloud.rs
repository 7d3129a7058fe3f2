//! A node of a cloud once its kubelet is well: whether a cloud controller manager initialises it.

use crate::kubernetes::{NodeChange, UNINITIALIZED};
use crate::ports::Kubernetes;
use crate::resources::on_hosts::cloud_lease::lease;
use crate::resources::on_hosts::execute::StepError;
use crate::wait::{Ended, Pace, Waiter};
use bundle::{NodeObject, TaintKey};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);
const PACE: Pace = Pace::every(Duration::from_millis(250));
/// Who initialises nodes.
enum Controller {
    /// It has initialised this one.
    Leads,
    /// Nobody; with the last one that did.
    None { last: Option<String> },
}

/// What there is to say of it, if anything.
pub async fn settle(
    waiter: Waiter<'_>,
    api: &dyn Kubernetes,
    node: &str,
    declared: &NodeObject,
    is_in_cloud: bool,
) -> Result<Option<String>, StepError> {
    if !is_in_cloud {
        let is_out = leave(api, node).await?;
        return Ok(is_out.then(|| "is not in the cloud: the taint with which it waited for a controller is taken away".into()));
    }
    Ok(match wait_until_initialised(waiter, api, node, declared).await? {
        Controller::Leads => None,
        Controller::None { last } => {
            let last = last.map(|last| format!(" ({last} does not renew its lease)")).unwrap_or_default();
            Some(format!("takes no pods until a cloud controller manager has initialised it: none leads{last}"))
        }
    })
}

/// Gives a node what is declared of it, because the controller may run on nodes with a label that no kubelet may give; then waits for the
/// controller, where one leads.
async fn wait_until_initialised(
    waiter: Waiter<'_>,
    api: &dyn Kubernetes,
    node: &str,
    declared: &NodeObject,
) -> Result<Controller, StepError> {
    let mut wait = waiter.until(format!("node {node} is initialised"), LIMIT, PACE);
    let (mut is_amended, mut first) = (false, None);
    loop {
        let report = wait.ask(api.node(node)).await?;
        let reason = match report {
            Ok(Some(report)) if report.is_uninitialized => {
                if !is_amended {
                    is_amended = amend(api, node, declared).await?;
                }
                match wait.ask(lease(api)).await? {
                    Ok(None) => return Ok(Controller::None { last: None }),
                    Ok(Some(seen)) => {
                        let (renewed, since) = first.get_or_insert((seen.renewed.clone(), waiter.clock.instant()));
                        let waited = waiter.clock.instant().saturating_duration_since(*since);
                        if *renewed == seen.renewed && waited > Duration::from_secs(seen.seconds) {
                            return Ok(Controller::None { last: Some(seen.holder) });
                        }
                        format!("It has the taint {UNINITIALIZED}, and {} leads.", seen.holder)
                    }
                    Err(error) => error,
                }
            }
            Ok(Some(_)) => return Ok(Controller::Leads),
            Ok(None) => "It is not registered any more: the controller deletes nodes that are not Ready and whose machine the cloud does not have.".to_string(),
            Err(error) => error.to_string(),
        };
        match wait.pause().await {
            Err(Ended::TimedOut { limit, .. }) => return Err(late(node, &reason, limit)),
            ended => ended?,
        }
    }
}

/// Of one that was in a cloud when it registered and is none of its machines: no controller takes the taint away.
async fn leave(api: &dyn Kubernetes, node: &str) -> Result<bool, StepError> {
    if !api.node(node).await?.is_some_and(|report| report.is_uninitialized) {
        return Ok(false);
    }
    let taint = TaintKey { key: UNINITIALIZED.into(), effect: "NoSchedule".into() };
    api.amend_node(node, &NodeChange { taints: [(taint, None)].into(), ..NodeChange::default() }).await?;
    Ok(true)
}

/// Whether the node was there.
async fn amend(api: &dyn Kubernetes, node: &str, declared: &NodeObject) -> Result<bool, StepError> {
    let nodes = api.nodes().await?;
    let Some(known) = nodes.get(node) else { return Ok(false) };
    let differences = declared.differences(&NodeObject::default(), &known.object);
    if !differences.is_empty() {
        api.amend_node(node, &NodeChange::of(&differences, declared)).await?;
    }
    Ok(true)
}

fn late(node: &str, reason: &str, limit: Duration) -> StepError {
    StepError::Gate {
        summary: format!("node {node} is not initialised by the cloud controller manager after {} s", limit.as_secs()),
        detail: format!(
            "{reason}\n\nLook at the log of that controller. It finds the machine of a node by `provider_id` of its host, or by a name of the node that the \
             cloud knows; `address` and `secondary_address` have to be addresses that the cloud has of it, in families that the controller is configured \
             for. Running apply again is safe."
        ),
    }
}
