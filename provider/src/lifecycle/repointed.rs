//! DNS records that somebody has pointed elsewhere after they were created: a destroy, and an apply that declares them no more, leave them.

use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{Fault, Moment};
use ::cloud::{Found, Kind};
use schema::Value;

const ELSEWHERE: &str = "other.elb.us-east-1.amazonaws.com";

/// Those of the resource: what it was built upon may have records of its own.
fn records(stage: &Stage) -> Vec<Found> {
    let is_one = |found: &Found| found.kind == Kind::DnsRecord && found.id.contains(name_of(stage));
    stage.world.memory().cloud.objects.into_values().filter(is_one).collect()
}

fn name_of(stage: &Stage) -> &str {
    stage.config.get("dns").get("name").as_str().unwrap()
}

/// Changes a setting of all records, as somebody else would.
fn change_records(stage: &Stage, change: impl Fn(&mut Found)) {
    let ids: Vec<String> = records(stage).into_iter().map(|found| found.id).collect();
    stage.world.change(|memory| ids.iter().for_each(|id| change(memory.cloud.objects.get_mut(id).unwrap())));
}

fn point_elsewhere(found: &mut Found) {
    if found.settings.contains_key("alias") {
        found.settings.insert("alias".into(), ELSEWHERE.into());
    } else {
        found.settings.insert("value 198.51.100.9".into(), String::new());
    }
}

/// What the destroy of a resource says, and how many of its records are there after it.
async fn destroyed(name: &str, state: &Value, mut stage: Stage) -> (Vec<String>, usize) {
    let destroyed = stage.engine.destroy(name, state).await;
    assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
    (destroyed.warnings, records(&stage).len())
}

#[tokio::test]
async fn a_record_that_points_elsewhere_by_now_stays() {
    for name in ["k8s_lb_nlb", "k8s_bastion"] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        let created = records(&stage);
        assert!(!created.is_empty());
        change_records(&stage, point_elsewhere);
        let (warnings, left) = destroyed(name, &state, stage).await;
        assert_eq!(left, created.len(), "{name}");
        let target = if name == "k8s_lb_nlb" { ELSEWHERE } else { "198.51.100.9" };
        assert!(warnings.len() == 1 && warnings[0].contains(target), "{warnings:?}");
    }
}

#[tokio::test]
async fn a_record_that_points_where_it_did_goes_whatever_else_of_it_was_changed() {
    for name in ["k8s_lb_nlb", "k8s_bastion"] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        change_records(&stage, |found| {
            for key in ["ttl", "evaluate_target_health"] {
                found.settings.entry(key.into()).and_modify(|value| *value = "by-hand".into());
            }
        });
        assert_eq!(destroyed(name, &state, stage).await, (vec![], 0), "{name}");
    }
}

/// The load balancer was deleted by hand: only the state knows what its records pointed to.
#[tokio::test]
async fn a_record_goes_with_what_it_pointed_to() {
    let mut stage = Stage::of(row("k8s_lb_nlb")).await;
    let state = stage.create().await;
    stage.world.change(|memory| memory.cloud.objects.retain(|_, found| found.kind != Kind::LoadBalancer));
    assert_eq!(destroyed("k8s_lb_nlb", &state, stage).await, (vec![], 0));
}

#[tokio::test]
async fn a_record_that_is_no_longer_declared_goes_only_where_it_points_to_ours() {
    for is_elsewhere in [false, true] {
        let mut stage = Stage::of(row("k8s_lb_nlb")).await;
        let state = stage.create().await;
        if is_elsewhere {
            change_records(&stage, point_elsewhere);
        }
        let mut config = stage.config.clone();
        config.set("dns", Value::Null);
        let config = complete(stage.engine.schema("k8s_lb_nlb"), &config);
        let refreshed = stage.engine.refresh("k8s_lb_nlb", &state).await.state;
        let planned = stage.engine.plan("k8s_lb_nlb", &refreshed, &config).await.planned;
        let applied = stage.engine.apply("k8s_lb_nlb", &refreshed, &config, &planned).await;
        assert_eq!((applied.errors, applied.warnings.len()), (vec![], usize::from(is_elsewhere)));
        assert_eq!(records(&stage).is_empty(), !is_elsewhere);
        stage.settled(&applied.state, &config, "after its records were dropped").await;
    }
}

/// An apply that was cut off before it came to the record leaves it to the next one.
#[tokio::test]
async fn a_record_that_is_no_longer_declared_goes_with_the_next_apply_after_one_that_failed() {
    let mut stage = Stage::of(row("k8s_lb_nlb")).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    config.set("dns", Value::Null);
    let config = complete(stage.engine.schema("k8s_lb_nlb"), &config);
    let planned = stage.engine.plan("k8s_lb_nlb", &state, &config).await.planned;
    stage.world.arm(Some((Fault::Fail(Moment::Before), 1)));
    let failed = stage.engine.apply("k8s_lb_nlb", &state, &config, &planned).await;
    assert!(!failed.errors.is_empty() && !records(&stage).is_empty());
    stage.world.arm(None);
    let refreshed = stage.engine.refresh("k8s_lb_nlb", &failed.state).await.state;
    stage.apply(&refreshed, &config).await;
    assert!(records(&stage).is_empty());
}

/// After a refresh nobody knows any more what a record pointed to whose load balancer is gone.
#[tokio::test]
async fn a_record_stays_and_is_named_when_a_refresh_found_its_target_gone() {
    let mut stage = Stage::of(row("k8s_lb_nlb")).await;
    let state = stage.create().await;
    let created = records(&stage).len();
    stage.world.change(|memory| memory.cloud.objects.retain(|_, found| found.kind != Kind::LoadBalancer));
    let refreshed = stage.engine.refresh("k8s_lb_nlb", &state).await.state;
    let (warnings, left) = destroyed("k8s_lb_nlb", &refreshed, stage).await;
    assert!(left == created && warnings[0].contains("or what they pointed to is gone"), "{left} {warnings:?}");
}
