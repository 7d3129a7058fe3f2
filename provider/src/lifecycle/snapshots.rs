//! A snapshot of etcd before its members restart, and one that is asked for.

use super::rows::row;
use super::{Stage, complete};
use bundle::HostName;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";

async fn created() -> (Stage, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    (stage, state)
}

fn with_etcd(stage: &Stage, settings: &[(&str, Value)]) -> Value {
    let (mut config, mut etcd) = (stage.config.clone(), Value::object([]));
    settings.iter().for_each(|(name, value)| etcd.set(name, value.clone()));
    config.set("etcd", etcd);
    complete(stage.engine.schema(CLUSTER), &config)
}

fn flags() -> (&'static str, Value) {
    ("flags", Value::object([("max-txn-ops", "10000".into())]))
}

fn fill_disks(stage: &Stage, is_full: bool) {
    for name in ["cp-1", "cp-2", "cp-3"] {
        stage.world.change(|memory| memory.host(&HostName::literal(name)).has_no_room = is_full);
    }
}

#[tokio::test]
async fn etcd_gives_a_snapshot_before_its_first_member_restarts() {
    let (mut stage, state) = created().await;
    assert!(!stage.world.calls().iter().any(|call| call.contains("snapshot")), "a create takes one");
    let config = with_etcd(&stage, &[flags()]);
    assert_eq!(stage.rollout(&state, &config).await[0], "take a snapshot of etcd");
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(stage.world.calls()[0], "cp-1: snapshot of etcd");
    let state = stage.engine.refresh(CLUSTER, &applied.state).await.state;
    let without = with_etcd(&stage, &[flags(), ("snapshots_kept", 0.into())]);
    assert_eq!(stage.rollout(&state, &without).await, Vec::<String>::new());
    let other = with_etcd(&stage, &[("snapshots_kept", 0.into())]);
    assert!(!stage.rollout(&state, &other).await.contains(&"take a snapshot of etcd".to_string()));
}

#[tokio::test]
async fn the_next_member_gives_it_when_the_first_cannot_and_without_one_nothing_changes() {
    let (mut stage, state) = created().await;
    let config = with_etcd(&stage, &[flags()]);
    fill_disks(&stage, true);
    let applied = stage.attempt(&state, &config).await;
    let error = &applied.errors[0];
    for part in [
        "o snapshot of etcd was taken",
        "cp-1, cp-2, cp-3 were not touched",
        "cp-3: 0 KiB left",
        "/var/lib/etcd-snapshots",
        "snapshots_kept = 0",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(stage.world.calls().iter().filter(|call| !call.contains("snapshot")).collect::<Vec<_>>(), Vec::<&String>::new());
    stage.world.change(|memory| memory.host(&HostName::literal("cp-2")).has_no_room = false);
    let applied = stage.attempt(&applied.state, &config).await;
    assert_eq!((applied.errors, stage.world.calls()[1].as_str()), (vec![], "cp-2: snapshot of etcd"));
}

#[tokio::test]
async fn another_trigger_asks_for_one_until_it_was_taken() {
    let (mut stage, state) = created().await;
    let config = with_etcd(&stage, &[("snapshot_trigger", "before the move".into())]);
    assert_eq!(stage.rollout(&state, &config).await, ["take a snapshot of etcd"]);
    fill_disks(&stage, true);
    let failed = stage.attempt(&state, &config).await;
    assert_eq!(failed.errors.len(), 1, "{:?}", failed.errors);
    assert_eq!(stage.rollout(&failed.state, &config).await, ["take a snapshot of etcd"]);
    fill_disks(&stage, false);
    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    stage.settled(&applied.state, &config, "with a trigger").await;
    let unknown = with_etcd(&stage, &[("snapshot_trigger", Value::Unknown)]);
    let plan = stage.engine.plan("k8s_hardway_cluster", &applied.state, &unknown).await;
    assert!(plan.planned.get("rollout").is_unknown(), "it may turn out to be what it was");
}
