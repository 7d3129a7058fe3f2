//! Waits until a node is Ready by the word of the kubelet that runs there now, which is of the declared version.

use super::network::has_network;
use super::skew;
use crate::kubernetes::NodeReport;
use crate::ports::{Host, Kubernetes};
use crate::resources::on_hosts::execute::StepError;
use crate::resources::on_hosts::health;
use crate::wait::{Pace, Waiter};
use bundle::HostName;
use render::component::KUBELET;
use render::spec::PodNetwork;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);
const PACE: Pace = Pace::every(Duration::from_millis(250));

/// Of a node that is waited for.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// `1.36.3`
    pub version: &'a str,
    pub pod_network: PodNetwork,
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// But for that nothing connects its pods, which is for an add-on to do.
    WithoutNetwork,
}

pub async fn wait_until_ready(
    waiter: Waiter<'_>,
    api: &dyn Kubernetes,
    machine: &dyn Host,
    expected: Expected<'_>,
) -> Result<Readiness, StepError> {
    let node = machine.name();
    let wait = waiter.until(format!("node {node} is Ready"), LIMIT, PACE);
    // Where an add-on connects pods of the cluster already, it is on its way to this node too, and is given as long as anything else.
    let may_lack_network = expected.pod_network == PodNetwork::None;
    let waits_for_network = !may_lack_network || is_any_ready(api).await;
    let question = || async {
        Ok::<_, StepError>(match lacks(api, machine, expected).await? {
            None => Ok(Readiness::Ready),
            Some(lack) if lack.is_of_network && !waits_for_network && !has_network(machine).await? => {
                Ok(Readiness::WithoutNetwork)
            }
            Some(lack) => Err(lack),
        })
    };
    match wait.until_answered(question).await? {
        Ok(readiness) => Ok(readiness),
        Err(lack) if lack.is_of_network && may_lack_network && !has_network(machine).await? => Ok(Readiness::WithoutNetwork),
        Err(lack) => Err(late(node, &lack.reason)),
    }
}

/// Why a node is not Ready.
struct Lack {
    reason: String,
    /// Nothing but that nothing connects its pods.
    is_of_network: bool,
}

impl Lack {
    fn other(reason: impl Into<String>) -> Lack {
        Lack { reason: reason.into(), is_of_network: false }
    }
}

/// `None` when it is Ready. An API server that does not answer may be one that is about to.
async fn lacks(api: &dyn Kubernetes, machine: &dyn Host, expected: Expected<'_>) -> Result<Option<Lack>, StepError> {
    let mut report = match api.node(machine.name().as_str()).await {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(Some(Lack::other("It has not registered."))),
        Err(error) => return Ok(Some(Lack::other(error.to_string()))),
    };
    let lack = report.not_ready.take().map(|reason| Lack { reason, is_of_network: report.lacks_network });
    if lack.as_ref().is_some_and(|lack| !lack.is_of_network) {
        return Ok(lack);
    }
    // Asked after the report was read: a kubelet that ended since then was started later than that, or does not run.
    let of_kubelet = match health::running(machine, &KUBELET.unit()).await? {
        Ok(kubelet) => report.lacks_since(kubelet.since, kubelet.seen).or_else(|| is_of_other_minor(&report, expected.version)),
        Err(reason) => Some(reason),
    };
    Ok(of_kubelet.map(Lack::other).or(lack))
}

/// Whether a network connects pods of the cluster.
async fn is_any_ready(api: &dyn Kubernetes) -> bool {
    api.nodes().await.is_ok_and(|nodes| nodes.values().any(|node| node.not_ready.is_none()))
}

fn is_of_other_minor(report: &NodeReport, version: &str) -> Option<String> {
    let other_minor = skew::other_minor(report.kubelet_version.as_deref(), Some(version))?;
    Some(format!("Its kubelet says that it is version {other_minor}: the program that was installed is another one."))
}

fn late(node: &HostName, lacking: &str) -> StepError {
    StepError::Gate {
        summary: format!("node {node} is not Ready after {} s", LIMIT.as_secs()),
        detail: format!("The last answer was:\n{lacking}\n\nLook at `journalctl -u {}` there.", KUBELET.unit()),
    }
}
