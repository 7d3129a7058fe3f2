//! Waits until a node is Ready by the word of the kubelet that runs there now, which is of the declared version.

use super::skew;
use crate::kubernetes::NodeReport;
use crate::ports::{Host, Kubernetes};
use crate::resources::on_hosts::execute::StepError;
use crate::resources::on_hosts::health;
use crate::wait::{Pace, Waiter};
use bundle::HostName;
use render::component::KUBELET;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);
const PACE: Pace = Pace::every(Duration::from_millis(250));

pub async fn wait_until_ready(
    waiter: Waiter<'_>,
    api: &dyn Kubernetes,
    machine: &dyn Host,
    version: &str,
) -> Result<(), StepError> {
    let node = machine.name();
    let wait = waiter.until(format!("node {node} is Ready"), LIMIT, PACE);
    match wait.until_nothing_lacks(|| lacks(api, machine, version)).await? {
        None => Ok(()),
        Some(lacking) => Err(late(node, &lacking)),
    }
}

/// Why it is not Ready; `None` when it is. An API server that does not answer may be one that is about to.
async fn lacks(api: &dyn Kubernetes, machine: &dyn Host, version: &str) -> Result<Option<String>, StepError> {
    let report = match api.node(machine.name().as_str()).await {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(Some("It has not registered.".into())),
        Err(error) => return Ok(Some(error.to_string())),
    };
    if report.not_ready.is_some() {
        return Ok(report.not_ready);
    }
    // Asked after the report was read: a kubelet that ended since then was started later than that, or does not run.
    Ok(match health::running(machine, &KUBELET.unit()).await? {
        Ok(kubelet) => report.lacks_since(kubelet.since, kubelet.seen).or_else(|| is_of_other_minor(&report, version)),
        Err(reason) => Some(reason),
    })
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
