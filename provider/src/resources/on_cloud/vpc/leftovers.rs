//! What Kubernetes or GuardDuty created in a VPC and would block its destroy.

use crate::resources::on_cloud::retry::PACE;
use crate::resources::on_cloud::{failed, stopped};
use crate::wait::{Ended, Waiter};
use cloud::{Cloud, ErrorClass, Leftover};
use schema::{AttributePath, Diagnostic};
use std::time::Duration;

/// What others hang on comes last.
const ORDER: [&str; 7] =
    ["load_balancer", "classic_load_balancer", "target_group", "volume", "vpc_endpoint", "network_interface", "security_group"];
/// Interfaces of a load balancer go minutes after it.
const LIMIT: Duration = Duration::from_secs(900);

/// Where they are, and to which cluster they belong.
pub struct Network<'a> {
    pub vpc_id: &'a str,
    pub cluster: &'a str,
}

/// Deletes them where the user asks for it, and waits until they are gone; else the error names each.
pub async fn clear(cloud: &dyn Cloud, network: &Network<'_>, destroy: bool, waiter: Waiter<'_>) -> Result<(), Diagnostic> {
    let vpc_id = network.vpc_id;
    let mut wait = waiter.until(format!("what Kubernetes made in {vpc_id} is gone"), LIMIT, PACE);
    loop {
        let mut leftovers = wait.ask(list(cloud, network)).await.map_err(|_| stopped(Diagnostic::error))??;
        if leftovers.is_empty() {
            return Ok(());
        }
        if !destroy {
            return Err(named(vpc_id, &leftovers));
        }
        leftovers.sort_by_key(|leftover| (rank(&leftover.kind), leftover.clone()));
        delete_all(cloud, &leftovers, waiter).await?;
        match wait.pause().await {
            Ok(()) => {}
            Err(Ended::Cancelled { .. }) => return Err(stopped(Diagnostic::error)),
            Err(Ended::TimedOut { .. }) => return Err(still_there(vpc_id, &leftovers)),
        }
    }
}

/// What still hangs on something else is tried again by the next round.
async fn delete_all(cloud: &dyn Cloud, leftovers: &[Leftover], waiter: Waiter<'_>) -> Result<(), Diagnostic> {
    use ErrorClass::{Ambiguous, Dependency, NotFound, Throttled};
    for leftover in leftovers {
        if waiter.cancelled.is_cancelled() {
            break;
        }
        match cloud.delete_leftover(leftover).await {
            Err(error) if !matches!(error.class, NotFound | Dependency | Throttled | Ambiguous) => {
                return Err(failed(format!("cannot delete {}, which Kubernetes created", text(leftover)), &error));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn list(cloud: &dyn Cloud, network: &Network<'_>) -> Result<Vec<Leftover>, Diagnostic> {
    let Network { vpc_id, cluster } = network;
    let leftovers = cloud.leftovers(vpc_id, cluster).await;
    leftovers.map_err(|error| failed(format!("cannot list what Kubernetes created in {vpc_id}"), &error))
}

fn rank(kind: &str) -> usize {
    ORDER.iter().position(|other| *other == kind).unwrap_or(ORDER.len())
}

fn named(vpc_id: &str, leftovers: &[Leftover]) -> Diagnostic {
    Diagnostic::error(format!("Kubernetes or GuardDuty created {} objects in {vpc_id} that still exist", leftovers.len()))
        .detail(format!(
            "{}\n\nDelete the services and volume claims that they belong to while the cluster is there, or delete the objects. Or set \
             destroy_leftovers = true and apply, then destroy: that deletes them, volumes with their data.",
            lines(leftovers)
        ))
        .at(AttributePath::attribute("destroy_leftovers"))
}

fn still_there(vpc_id: &str, leftovers: &[Leftover]) -> Diagnostic {
    Diagnostic::error(format!("what Kubernetes created in {vpc_id} still exists after {} s", LIMIT.as_secs()))
        .detail(format!("{}\n\nRunning destroy again is safe: it continues from here.", lines(leftovers)))
}

fn lines(leftovers: &[Leftover]) -> String {
    leftovers.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// `load balancer k8s-web (arn:…)`.
fn text(leftover: &Leftover) -> String {
    let kind = leftover.kind.replace('_', " ");
    match leftover.name.as_str() {
        "" => format!("{kind} {}", leftover.id),
        name if name == leftover.id => format!("{kind} {name}"),
        name => format!("{kind} {name} ({})", leftover.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leftover(kind: &str, id: &str, name: &str) -> Leftover {
        Leftover { kind: kind.into(), id: id.into(), name: name.into() }
    }

    #[test]
    fn each_is_named() {
        let error = named("vpc-1", &[leftover("load_balancer", "arn:x", "web"), leftover("volume", "vol-1", "")]);
        assert_eq!(error.summary, "Kubernetes or GuardDuty created 2 objects in vpc-1 that still exist");
        assert!(error.detail.starts_with("load balancer web (arn:x)\nvolume vol-1\n"), "{}", error.detail);
    }

    #[test]
    fn load_balancers_go_before_what_they_use() {
        assert!(rank("load_balancer") < rank("target_group") && rank("network_interface") < rank("security_group"));
        assert!(rank("something new") > rank("security_group"));
    }
}
