//! What stands in a VPC when it is about to be destroyed, and is not its resource's own. What Kubernetes or GuardDuty left is deleted where
//! the user asks for it; everything else is named while all is still there, egress of those who still work in the VPC included.

use super::lines;
use crate::resources::on_cloud::retry::PACE;
use crate::resources::on_cloud::{failed, stopped};
use crate::wait::{Ended, Waiter};
use cloud::{Cloud, ErrorClass, Leftover, Occupant, Stay};
use schema::{AttributePath, Diagnostic};
use std::collections::BTreeSet;
use std::time::Duration;

/// What others hang on comes last.
const ORDER: [&str; 6] =
    ["load_balancer", "classic_load_balancer", "target_group", "vpc_endpoint", "network_interface", "security_group"];
/// Interfaces of a load balancer go minutes after it.
const LIMIT: Duration = Duration::from_secs(900);
/// Those of other services of AWS, too: how long they may take until they are said to be in use.
const MANAGED_LIMIT: Duration = Duration::from_secs(120);

/// Where they are, to which cluster they belong, and what the user says of them.
pub struct Network<'a> {
    pub vpc_id: &'a str,
    pub cluster: &'a str,
    /// Ids of the resource's own objects.
    pub own: &'a BTreeSet<&'a str>,
    pub destroys_leftovers: bool,
}

/// What is there besides the resource's own objects.
struct Others {
    leftovers: Vec<Leftover>,
    /// Without leftovers, and without what leaves by itself: a deletion waits for that where it has to.
    occupants: Vec<Occupant>,
}

/// Deletes leftovers where the user asks for it, and waits until they are gone. Nothing is deleted while there is anything else: the error
/// names each.
pub async fn clear(cloud: &dyn Cloud, network: &Network<'_>, waiter: Waiter<'_>) -> Result<(), Diagnostic> {
    let what = format!("what others made in {} is gone", network.vpc_id);
    let mut wait = waiter.until(what.as_str(), LIMIT, PACE);
    let mut wait_for_services = waiter.until(what.as_str(), MANAGED_LIMIT, PACE);
    loop {
        let mut others = wait.ask(look(cloud, network)).await.map_err(|_| stopped(Diagnostic::error))??;
        if others.are_gone() {
            return Ok(());
        }
        let are_in_the_way = !network.destroys_leftovers && !others.leftovers.is_empty();
        if are_in_the_way || others.any(Stay::Remains) {
            return Err(named(network, &others));
        }
        let ended = if others.any(Stay::Managed) {
            wait_for_services.pause().await
        } else {
            others.leftovers.sort_by_key(|leftover| (rank(&leftover.kind), leftover.clone()));
            delete_all(cloud, &others.leftovers, waiter).await?;
            wait.pause().await
        };
        match ended {
            Ok(()) => {}
            Err(Ended::Cancelled { .. }) => return Err(stopped(Diagnostic::error)),
            Err(Ended::TimedOut { .. }) if others.any(Stay::Managed) => return Err(named(network, &others)),
            Err(Ended::TimedOut { .. }) => return Err(still_there(network.vpc_id, &others.leftovers)),
        }
    }
}

async fn look(cloud: &dyn Cloud, network: &Network<'_>) -> Result<Others, Diagnostic> {
    let Network { vpc_id, cluster, own, .. } = network;
    let (leftovers, occupants) = futures::join!(cloud.leftovers(vpc_id, cluster), cloud.occupants(vpc_id));
    let leftovers = leftovers.map_err(|error| failed(format!("cannot list what Kubernetes created in {vpc_id}"), &error))?;
    let mut occupants = occupants.map_err(|error| failed(format!("cannot list what is in {vpc_id}"), &error))?;
    let is_leftover = |occupant: &Occupant| leftovers.iter().any(|leftover| leftover.id == occupant.id);
    let is_of_others = |occupant: &Occupant| !own.contains(occupant.id.as_str()) && !is_leftover(occupant);
    occupants.retain(|occupant| occupant.stay != Stay::Leaving && is_of_others(occupant));
    occupants.sort();
    Ok(Others { leftovers, occupants })
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
                return Err(failed(format!("cannot delete {leftover}, which Kubernetes created"), &error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn rank(kind: &str) -> usize {
    ORDER.iter().position(|other| *other == kind).unwrap_or(ORDER.len())
}

impl Others {
    fn are_gone(&self) -> bool {
        self.leftovers.is_empty() && self.occupants.is_empty()
    }

    fn any(&self, stay: Stay) -> bool {
        self.occupants.iter().any(|occupant| occupant.stay == stay)
    }
}

fn named(network: &Network<'_>, others: &Others) -> Diagnostic {
    let (vpc_id, staying) = (network.vpc_id, others.occupants.len());
    let of_kubernetes = format!(
        "{}\n\nDelete the services that they belong to while the cluster is there, or delete the objects. Or set destroy_leftovers = true \
         and apply, then destroy: that deletes them.",
        lines(&others.leftovers)
    );
    if staying == 0 {
        let many = others.leftovers.len();
        return Diagnostic::error(format!("Kubernetes or GuardDuty created {many} objects in {vpc_id} that still exist"))
            .detail(of_kubernetes)
            .at(AttributePath::attribute("destroy_leftovers"));
    }
    let mut detail = format!(
        "{}\n\nNothing was deleted. AWS deletes no VPC while they are there, and they would lose their way out before. Delete or detach \
         them, then destroy again; a service's network interfaces (those of a Lambda function, a database, a file system) go some minutes \
         after it.",
        lines(&others.occupants)
    );
    if !others.leftovers.is_empty() {
        detail.push_str(&format!("\n\nKubernetes or GuardDuty created these:\n{of_kubernetes}"));
    }
    Diagnostic::error(format!("{vpc_id} is still in use by {staying} objects that belong to others")).detail(detail)
}

fn still_there(vpc_id: &str, leftovers: &[Leftover]) -> Diagnostic {
    Diagnostic::error(format!("what Kubernetes created in {vpc_id} still exists after {} s", LIMIT.as_secs()))
        .detail(format!("{}\n\nRunning destroy again is safe: it continues from here.", lines(leftovers)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FakeClock, FakeWorld};
    use crate::ports::World;
    use cloud::Connection;
    use tokio_util::sync::CancellationToken;

    fn leftover(kind: &str, id: &str, name: &str) -> Leftover {
        Leftover { kind: kind.into(), id: id.into(), name: name.into() }
    }

    fn occupant(kind: &'static str, id: &str, description: &str, stay: Stay) -> Occupant {
        Occupant { kind, id: id.into(), description: description.into(), stay }
    }

    /// What a destroy says of a VPC with these, and what is there afterwards.
    async fn cleared(leftovers: &[Leftover], occupants: &[Occupant], destroys_leftovers: bool) -> (Option<Diagnostic>, usize) {
        let (world, _stops) = FakeWorld::new();
        world.change(|memory| {
            memory.cloud.leftovers.extend(leftovers.iter().cloned());
            memory.cloud.occupants.extend(occupants.iter().cloned());
        });
        let (clock, cancelled, own) = (FakeClock::default(), CancellationToken::new(), ["nat-1"].into());
        let network = Network { vpc_id: "vpc-1", cluster: "demo", own: &own, destroys_leftovers };
        let cloud = world.cloud(&Connection::default());
        let said = clear(&*cloud, &network, Waiter { clock: &clock, cancelled: &cancelled }).await.err();
        (said, world.memory().cloud.leftovers.len())
    }

    #[tokio::test]
    async fn leftovers_are_named_or_deleted() {
        let left = [leftover("load_balancer", "arn:x", "web"), leftover("security_group", "sg-9", "")];
        let (said, there) = cleared(&left, &[], false).await;
        let error = said.unwrap();
        assert_eq!(error.summary, "Kubernetes or GuardDuty created 2 objects in vpc-1 that still exist");
        assert!(error.detail.starts_with("load balancer web (arn:x)\nsecurity group sg-9\n"), "{}", error.detail);
        assert_eq!(there, 2);
        // An interface of the load balancer shows as the load balancer, which is no other thing.
        let balancer = occupant("load balancer", "arn:x", "net/web/1", Stay::Remains);
        assert_eq!(cleared(&left, &[balancer], true).await.1, 0);
    }

    #[tokio::test]
    async fn what_belongs_to_others_stops_a_destroy_before_anything_is_deleted() {
        let left = [leftover("security_group", "sg-9", "k8s-elb")];
        let database = occupant("network interface", "eni-1", "RDSNetworkInterface", Stay::Managed);
        let peering = occupant("VPC peering connection", "pcx-1", "with vpc-2", Stay::Remains);
        let own = occupant("NAT gateway", "nat-1", "", Stay::Remains);
        for destroys_leftovers in [true, false] {
            for others in [&[database.clone(), own.clone()][..], &[peering.clone(), own.clone()]] {
                let (said, there) = cleared(&left, others, destroys_leftovers).await;
                let error = said.unwrap();
                // Without a leave for leftovers there is nothing to wait for.
                assert_eq!(error.summary, "vpc-1 is still in use by 1 objects that belong to others");
                assert!(error.detail.starts_with(&others[0].to_string()) && !error.detail.contains("nat-1"), "{}", error.detail);
                assert!(error.detail.contains("k8s-elb"), "{}", error.detail);
                assert_eq!(there, 1);
            }
        }
        assert_eq!(cleared(&[], &[own], false).await.0, None);
    }

    #[tokio::test]
    async fn what_leaves_by_itself_is_not_in_the_way() {
        let leaving = occupant("network interface", "eni-1", "ELB net/api/1", Stay::Leaving);
        assert_eq!(cleared(&[], &[leaving], false).await.0, None);
    }

    #[test]
    fn load_balancers_go_before_what_they_use() {
        assert!(rank("load_balancer") < rank("target_group") && rank("network_interface") < rank("security_group"));
        assert!(rank("something new") > rank("security_group"));
    }
}
