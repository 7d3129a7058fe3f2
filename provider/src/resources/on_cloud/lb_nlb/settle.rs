//! Waiting, after an apply, until the targets of a balancer are healthy.

use crate::resources::on_cloud::failed;
use crate::wait::{Ended, Pace, Waiter};
use cloud::{AUTOSCALING_GROUP, Cloud, Found, Graph, Kind, Wanted};
use render::aws::nlb::{self, NlbSpec};
use schema::{AttributePath, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);
const PACE: Pace = Pace::every(Duration::from_secs(5));

/// Ends without an error when the user wants to stop.
pub async fn wait_for_healthy_targets(cloud: &dyn Cloud, spec: &NlbSpec, waiter: Waiter<'_>) -> Result<(), Diagnostic> {
    let groups = groups_with_targets(&nlb::graph(spec));
    if groups.is_empty() {
        return Ok(());
    }
    let wanted = Wanted {
        kinds: BTreeSet::from([Kind::TargetGroup]),
        names: groups.keys().map(|name| (Kind::TargetGroup, name.clone())).collect(),
        fresh: true,
    };
    let mut wait = waiter.until(format!("targets of {} are healthy", spec.name), LIMIT, PACE);
    loop {
        let Ok(found) = wait.ask(cloud.find(&wanted)).await else { return Ok(()) };
        let found = found.map_err(|error| failed("cannot find out whether targets are healthy", &error))?;
        let waiting = unhealthy(&groups, &found);
        if waiting.is_empty() {
            return Ok(());
        }
        match wait.pause().await {
            Ok(()) => {}
            Err(Ended::Cancelled { .. }) => return Ok(()),
            Err(Ended::TimedOut { .. }) => return Err(too_late(&spec.name, &waiting)),
        }
    }
}

/// By name: how many targets it has at least. An Auto Scaling group may have a size of zero.
fn groups_with_targets(graph: &Graph) -> BTreeMap<String, usize> {
    let count =
        |object: &cloud::Object, word: &str| object.settings.keys().filter(|key| key.split(' ').next() == Some(word)).count();
    let has_targets = |object: &&cloud::Object| count(object, "target") + count(object, AUTOSCALING_GROUP) > 0;
    let groups = graph.of_kind(Kind::TargetGroup).filter(has_targets);
    groups.filter_map(|group| Some((group.get("target_group_name")?.to_owned(), count(group, "target")))).collect()
}

/// A line for each group that has targets which are not healthy.
fn unhealthy(groups: &BTreeMap<String, usize>, found: &[Found]) -> Vec<String> {
    let line = |(name, least): (&String, &usize)| {
        let group = found.iter().find(|found| found.settings.get("target_group_name") == Some(name));
        match group.and_then(|group| group.health) {
            Some(health) if health.healthy == health.targets && health.healthy >= *least => None,
            Some(health) => Some(format!("{name}: {health} healthy")),
            None => Some(format!("{name}: none is healthy")),
        }
    };
    groups.iter().filter_map(line).collect()
}

fn too_late(balancer: &str, waiting: &[String]) -> Diagnostic {
    Diagnostic::error(format!("targets of {balancer} did not become healthy within {} s", LIMIT.as_secs()))
        .detail(format!(
            "{}\n\nDo the targets answer the health check, and do their security groups let the balancer in? Everything is in place, and \
             running apply again is safe. To continue without waiting, set wait_for_healthy_targets to false.",
            waiting.join("\n")
        ))
        .at(AttributePath::attribute("wait_for_healthy_targets"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::Health;

    #[track_caller]
    fn check(health: Option<(usize, usize)>, least: usize, expect: &[&str]) {
        let mut group = Found::new(Kind::TargetGroup, "arn");
        group.settings.insert("target_group_name".into(), "api-1".into());
        group.health = health.map(|(healthy, targets)| Health { healthy, targets });
        assert_eq!(unhealthy(&BTreeMap::from([("api-1".to_owned(), least)]), &[group]), expect);
    }

    #[test]
    fn all_targets_have_to_be_healthy() {
        check(Some((3, 3)), 3, &[]);
        check(Some((2, 3)), 3, &["api-1: 2/3 healthy"]);
        check(Some((2, 2)), 3, &["api-1: 2/2 healthy"]);
        check(Some((0, 0)), 1, &["api-1: 0/0 healthy"]);
        check(None, 1, &["api-1: none is healthy"]);
        assert_eq!(unhealthy(&BTreeMap::from([("api-1".to_owned(), 1)]), &[]), ["api-1: none is healthy"]);
    }

    #[test]
    fn a_group_of_groups_may_have_none() {
        check(Some((0, 0)), 0, &[]);
        check(Some((0, 2)), 0, &["api-1: 0/2 healthy"]);
        check(Some((2, 2)), 0, &[]);
        check(None, 0, &["api-1: none is healthy"]);
    }
}
