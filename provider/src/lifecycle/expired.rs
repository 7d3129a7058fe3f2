//! Leaf certificates that have expired: an apply renews them, though nothing that runs with the old ones answers.

use super::rows::{ROWS, row};
use super::{Stage, complete};
use bundle::HostName;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";

async fn cluster(hosts: &[&str]) -> (Stage, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let mut declared = stage.config.get("hosts").as_map().unwrap().clone();
    declared.retain(|name, _| hosts.contains(&name.as_str()));
    stage.config.set("hosts", Value::Map(declared));
    let state = stage.create().await;
    (stage, state)
}

/// A year and a day later, with what the pki issues then.
async fn expire(stage: &mut Stage) -> Value {
    stage.world.advance(time::Duration::hours(8_760 + 24));
    let pki = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    stage.with_pki(&pki).await.1
}

#[tokio::test]
async fn expired_certificates_are_renewed_by_one_apply_on_one_host_and_on_three() {
    for hosts in [&["cp-1"][..], &["cp-1", "cp-2", "cp-3"]] {
        let (mut stage, state) = cluster(hosts).await;
        let config = expire(&mut stage).await;
        let first = HostName::literal("cp-1");
        assert!(!stage.world.change(|memory| memory.serves_api(&first)), "the fake does not know that they have expired");
        let refreshed = stage.engine.refresh(CLUSTER, &state).await.state;
        let renewed = stage.apply(&refreshed, &config).await;
        assert!(hosts.iter().all(|host| stage.world.change(|memory| memory.serves_api(&HostName::literal(host)))));
        stage.settled(&renewed, &config, "after a renewal").await;
    }
}

/// Those of one host, as after it was away when the others were renewed.
#[tokio::test]
async fn a_host_whose_certificates_have_expired_is_renewed_while_the_others_serve() {
    let (mut stage, state) = cluster(&["cp-1", "cp-2", "cp-3"]).await;
    stage.world.advance(time::Duration::hours(8_100));
    let pki = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    let config = stage.with_pki(&pki).await.1;
    stage.world.change_host("cp-3", |host| host.answers = false);
    let planned = stage.engine.plan(CLUSTER, &state, &config).await.planned;
    let others = stage.engine.apply(CLUSTER, &state, &config, &planned).await;
    assert!(others.errors.len() == 1 && others.errors[0].starts_with("cp-3 could not be reached"), "{:?}", others.errors);
    stage.world.change_host("cp-3", |host| host.answers = true);
    stage.world.advance(time::Duration::hours(800));
    let serves = |stage: &Stage, host: &str| stage.world.change(|memory| memory.serves_api(&HostName::literal(host)));
    assert_eq!(["cp-1", "cp-2", "cp-3"].map(|host| serves(&stage, host)), [true, true, false]);
    let refreshed = stage.engine.refresh(CLUSTER, &others.state).await.state;
    let renewed = stage.apply(&refreshed, &config).await;
    assert!(serves(&stage, "cp-3"));
    stage.settled(&renewed, &config, "after a renewal").await;
}
