//! Volumes that were made for claims of the cluster. A volume is in no VPC, and only its tag says whose it is: another cluster of the same
//! name in the region has the same one. So they stop no destroy, and go only where the user says so.

use super::lines;
use crate::resources::on_cloud::retry::PACE;
use crate::resources::on_cloud::{failed, stopped};
use crate::wait::{Ended, Waiter};
use cloud::{Cloud, Volume};
use schema::{AttributePath, Diagnostic};
use std::time::Duration;

/// A volume is in use for some seconds after its instance has gone.
const DETACHED_LIMIT: Duration = Duration::from_secs(60);

/// Once no instance is left in the VPC: a warning that names detached volumes, or their deletion. An error where volumes with the tag are in
/// use, and so by another cluster: then none of them can be told to be this one's.
pub async fn clear(
    cloud: &dyn Cloud,
    cluster: &str,
    destroys_volumes: bool,
    waiter: Waiter<'_>,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let mut wait = waiter.until("volumes are detached", DETACHED_LIMIT, PACE);
    let mut volumes = list(cloud, cluster).await?;
    if !destroys_volumes {
        volumes.retain(|volume| !volume.is_in_use);
        return Ok((!volumes.is_empty()).then(|| stay(cluster, &volumes)));
    }
    while volumes.iter().any(|volume| volume.is_in_use) {
        match wait.pause().await {
            Ok(()) => volumes = list(cloud, cluster).await?,
            Err(Ended::Cancelled { .. }) => return Err(stopped(Diagnostic::error)),
            Err(Ended::TimedOut { .. }) => return Err(of_another(cluster, &volumes)),
        }
    }
    for volume in &volumes {
        if waiter.cancelled.is_cancelled() {
            return Err(stopped(Diagnostic::error));
        }
        let deleted = cloud.delete_volume(&volume.id).await;
        deleted.map_err(|error| failed(format!("cannot delete volume {volume}"), &error))?;
    }
    Ok(None)
}

async fn list(cloud: &dyn Cloud, cluster: &str) -> Result<Vec<Volume>, Diagnostic> {
    let volumes = cloud.volumes(cluster).await;
    let mut volumes = volumes.map_err(|error| failed(format!("cannot list the volumes of cluster {cluster}"), &error))?;
    volumes.sort();
    Ok(volumes)
}

fn stay(cluster: &str, volumes: &[Volume]) -> Diagnostic {
    Diagnostic::warning(format!("{} volumes with the tag of cluster {cluster} stay", volumes.len())).detail(format!(
        "{}\n\nThe tag kubernetes.io/cluster/{cluster} is all that says whose they are: another cluster of this name in the region has the \
         same one. If they are this one's and their data is not needed, delete them. With destroy_volumes = true, a destroy deletes them.",
        lines(volumes)
    ))
}

fn of_another(cluster: &str, volumes: &[Volume]) -> Diagnostic {
    Diagnostic::error(format!("another cluster {cluster} in the region uses volumes: none is deleted")).detail(format!(
        "{}\n\nNo instance is left in this VPC, so these are attached to instances elsewhere, and all volumes with the tag \
         kubernetes.io/cluster/{cluster} may be theirs. Set destroy_volumes = false and apply, then destroy again, and delete by hand what \
         is this cluster's.",
        lines(volumes.iter().filter(|volume| volume.is_in_use))
    ))
    .at(AttributePath::attribute("destroy_volumes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FakeClock, FakeWorld};
    use crate::ports::World;
    use cloud::Connection;
    use tokio_util::sync::CancellationToken;

    /// What is said, and how many volumes are left of the two.
    async fn cleared(is_in_use: bool, destroys_volumes: bool) -> (Result<Option<Diagnostic>, Diagnostic>, usize) {
        let (world, _stops) = FakeWorld::new();
        let volumes = [("vol-1", false), ("vol-2", is_in_use)];
        world.change(|memory| {
            let volume = |(id, is_in_use): (&str, bool)| Volume { id: id.into(), name: "pvc-1".into(), is_in_use };
            memory.cloud.volumes.extend(volumes.into_iter().map(volume));
        });
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let cloud = world.cloud(&Connection::default());
        let said = clear(&*cloud, "demo", destroys_volumes, Waiter { clock: &clock, cancelled: &cancelled }).await;
        (said, world.memory().cloud.volumes.len())
    }

    #[tokio::test]
    async fn detached_volumes_are_named_and_stay() {
        let (said, left) = cleared(true, false).await;
        let warning = said.unwrap().unwrap();
        assert_eq!(warning.summary, "1 volumes with the tag of cluster demo stay");
        assert!(warning.detail.starts_with("pvc-1 (vol-1)\n"), "{}", warning.detail);
        assert_eq!(left, 2);
    }

    #[tokio::test]
    async fn they_go_where_the_user_says_so() {
        assert_eq!(cleared(false, true).await, (Ok(None), 0));
    }

    #[tokio::test]
    async fn nothing_goes_while_another_cluster_of_the_name_has_volumes() {
        let (said, left) = cleared(true, true).await;
        let error = said.unwrap_err();
        assert_eq!(error.summary, "another cluster demo in the region uses volumes: none is deleted");
        assert!(error.detail.starts_with("pvc-1 (vol-2)\n"), "{}", error.detail);
        assert_eq!(left, 2);
    }
}
