//! Waiting, after an apply, until the targets of a balancer are healthy.

use crate::resources::on_cloud::failed;
use cloud::{Cloud, Found, Graph, Kind, Wanted};
use render::aws::nlb::{self, NlbSpec};
use schema::{AttributePath, Diagnostic};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_secs(5);

pub async fn wait_for_healthy_targets(cloud: &dyn Cloud, spec: &NlbSpec, limit: Duration) -> Result<(), Diagnostic> {
    let names = names_with_targets(&nlb::graph(spec));
    if names.is_empty() {
        return Ok(());
    }
    let wanted = Wanted {
        kinds: BTreeSet::from([Kind::TargetGroup]),
        names: names.iter().map(|name| (Kind::TargetGroup, name.clone())).collect(),
        fresh: true,
    };
    let began = Instant::now();
    loop {
        let found = cloud.find(&wanted).await.map_err(|error| failed("cannot find out whether targets are healthy", &error))?;
        let waiting = unhealthy(&names, &found);
        if waiting.is_empty() {
            return Ok(());
        }
        if began.elapsed() + POLL > limit {
            return Err(too_late(&spec.name, &waiting, limit));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn names_with_targets(graph: &Graph) -> BTreeSet<String> {
    let has_targets = |object: &&cloud::Object| object.settings.keys().any(|key| key.starts_with("target "));
    let groups = graph.of_kind(Kind::TargetGroup).filter(has_targets);
    groups.filter_map(|group| group.get("target_group_name").map(str::to_owned)).collect()
}

/// A line for each group that has targets which are not healthy.
fn unhealthy(names: &BTreeSet<String>, found: &[Found]) -> Vec<String> {
    let line = |name: &String| {
        let group = found.iter().find(|found| found.settings.get("target_group_name") == Some(name));
        let health = group.and_then(|group| group.outputs.get("health")).map_or("0/0", String::as_str);
        match health.split_once('/') {
            Some((healthy, all)) if healthy == all && all != "0" => None,
            _ => Some(format!("{name}: {health} healthy")),
        }
    };
    names.iter().filter_map(line).collect()
}

fn too_late(balancer: &str, waiting: &[String], limit: Duration) -> Diagnostic {
    Diagnostic::error(format!("targets of {balancer} did not become healthy within {} s", limit.as_secs()))
        .detail(format!(
            "{}\n\nDo the targets answer the health check, and do their security groups let the balancer in? Everything is in place, and \
             running apply again is safe. To go on without waiting, set wait_for_healthy_targets to false.",
            waiting.join("\n")
        ))
        .at(AttributePath::attribute("wait_for_healthy_targets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(health: Option<&str>, expect: &[&str]) {
        let mut group = Found::new(Kind::TargetGroup, "arn");
        group.settings.insert("target_group_name".into(), "api-1".into());
        group.outputs.extend(health.map(|health| ("health".to_owned(), health.to_owned())));
        assert_eq!(unhealthy(&BTreeSet::from(["api-1".to_owned()]), &[group]), expect);
    }

    #[test]
    fn all_targets_have_to_be_healthy() {
        check(Some("3/3"), &[]);
        check(Some("2/3"), &["api-1: 2/3 healthy"]);
        check(Some("0/0"), &["api-1: 0/0 healthy"]);
        check(None, &["api-1: 0/0 healthy"]);
        assert_eq!(unhealthy(&BTreeSet::from(["api-1".to_owned()]), &[]), ["api-1: 0/0 healthy"]);
    }
}
