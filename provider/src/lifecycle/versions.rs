//! States that earlier versions of a schema wrote, as they stood in state files (keys in them were made for this), and what a state says
//! of the version of Kubernetes while hosts differ.

use super::{Stage, complete, rows::row};
use crate::fakes::{Fault, Moment};
use schema::Value;

/// Written by the version of commit 29eb745 for the configuration of the row, with one of its hosts.
const PKI_0: &str = include_str!("k8s_pki.version-0.json");

#[tokio::test]
async fn a_pki_of_version_0_is_taken_on_unchanged_with_each_private_key_once() {
    let mut stage = Stage::of(row("k8s_pki")).await;
    let stored: serde_json::Value = serde_json::from_str(PKI_0).unwrap();
    let state = stage.engine.upgrade("k8s_pki", 0, PKI_0.into()).await;
    let kept = state.to_json(&stage.engine.schema("k8s_pki").value_type()).unwrap();
    assert_eq!(kept["bundle"], stored["bundle"]);
    let keys = stored["private_keys"].as_object().unwrap();
    assert!(keys.len() > 20, "the stored state has no keys");
    for (name, key) in keys {
        let escaped = key.to_string();
        let count = |state: &serde_json::Value| state.to_string().matches(&escaped).count();
        assert_eq!((count(&stored), count(&kept)), (2, 1), "{name}");
    }

    let mut config = stage.config.clone();
    config.set("hosts", Value::object([("cp-1", config.get("hosts").get("cp-1").clone())]));
    let config = complete(stage.engine.schema("k8s_pki"), &config);
    stage.settled(&state, &config, "of version 0").await;
}

const CLUSTER: &str = "k8s_hardway_cluster";

fn of_version(stage: &Stage, version: &str) -> Value {
    let mut config = stage.config.clone();
    config.set("kubernetes_version", version.into());
    complete(stage.engine.schema(CLUSTER), &config)
}

#[tokio::test]
async fn no_minor_version_is_left_out_while_hosts_differ() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let before = of_version(&stage, "1.34.4");
    let state = stage.apply(&Value::Null, &before).await;
    let after = of_version(&stage, "1.35.4");
    let planned = stage.engine.plan(CLUSTER, &state, &after).await.planned;
    stage.world.arm(Some((Fault::Fail(Moment::Before), 12)));
    let applied = stage.engine.apply(CLUSTER, &state, &after, &planned).await;
    assert!(!applied.errors.is_empty(), "{:#?}", stage.world.calls());
    stage.world.arm(None);
    let state = applied.state;
    assert_eq!(state.get("kubernetes_version").as_str(), Some("1.35.4"));
    let next = of_version(&stage, "1.36.2");
    let refused = stage.engine.try_plan(CLUSTER, &state, &next).await.unwrap_err();
    assert!(refused[0].contains("ot all hosts have Kubernetes 1.35.4 yet"), "{refused:?}");
    let under_way = of_version(&stage, "1.35.4");
    let state = stage.apply(&state, &under_way).await;
    assert!(stage.engine.try_plan(CLUSTER, &state, &next).await.is_ok());
}
/// Two of three hosts went away after the plan: the apply is refused.
#[tokio::test]
async fn an_upgrade_that_changed_nothing_can_be_taken_back() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let before = of_version(&stage, "1.34.4");
    let state = stage.apply(&Value::Null, &before).await;
    let after = of_version(&stage, "1.35.4");
    let planned = stage.engine.plan(CLUSTER, &state, &after).await.planned;
    let away = |stage: &Stage, away: bool| {
        ["cp-2", "cp-3"].iter().for_each(|host| stage.world.change_host(host, |host| host.answers = !away));
    };
    away(&stage, true);
    let refused = stage.engine.apply(CLUSTER, &state, &after, &planned).await;
    assert!(!refused.errors.is_empty());
    assert_eq!(refused.state.get("kubernetes_version").as_str(), Some("1.34.4"));
    away(&stage, false);
    let state = stage.engine.refresh(CLUSTER, &refused.state).await.state;
    assert!(stage.engine.plan(CLUSTER, &state, &before).await.is_empty);
}
