//! Members of etcd that lost their data in a cluster that has stored some, or were removed from it: none is started.

use super::Stage;
use super::rows::row;
use crate::fakes::FakeFile;
use bundle::{HostPath, UnitName};
use schema::Value;

fn wipe(stage: &Stage, host: &str) {
    stage.world.change_host(host, |memory| {
        memory.files.retain(|path, _| !path.as_str().starts_with("/var/lib/etcd/"));
        if let Some(etcd) = memory.units.get_mut(&UnitName::literal("etcd.service")) {
            etcd.active_state = "failed".into();
        }
    });
}

/// All of the host, as when it was installed again.
fn reinstall(stage: &Stage, host: &str) {
    stage.world.change_host(host, |memory| *memory = Default::default());
}

/// Refreshes, plans and applies as an engine does. The apply must change nothing.
async fn refused(stage: &mut Stage, state: &Value) -> String {
    let (name, config) = (stage.row.name, stage.config.clone());
    let before = stage.world.memory();
    stage.world.arm(None);
    let refreshed = stage.engine.refresh(name, state).await.state;
    let plan = stage.engine.plan(name, &refreshed, &config).await;
    assert!(!plan.is_empty, "nothing is planned");
    let applied = stage.engine.apply(name, &refreshed, &config, &plan.planned).await;
    assert!(!applied.errors.is_empty(), "it was not refused");
    assert_eq!(stage.world.calls(), [""; 0], "something was changed");
    stage.world_is(&before, "after an apply that was refused");
    applied.errors.join("\n")
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

async fn cluster() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    (stage, state)
}

#[tokio::test]
async fn one_emptied_member_is_refused_until_it_was_prepared_to_join_the_others() {
    let (mut stage, state) = cluster().await;
    let healthy = stage.world.memory();
    wipe(&stage, "cp-1");
    let errors = refused(&mut stage, &state).await;
    says(
        &errors,
        &[
            "Etcd of cp-1 has no data",
            "As root on cp-2",
            "etcdctl member remove 1\n",
            "member add cp-1 --peer-urls=https://192.0.2.11:2380",
        ],
    );
    says(&errors, &["ETCDCTL_ENDPOINTS=https://192.0.2.12:2379", "/run/k8s-hardway/etcd-join.env"]);
    let environment = HostPath::literal("/run/k8s-hardway/etcd-join.env");
    let prepared = FakeFile { mode: 0o644, owner: "root:root".into(), content: b"ETCD_INITIAL_CLUSTER_STATE=existing".to_vec() };
    stage.world.change_host("cp-1", |memory| memory.files.insert(environment.clone(), prepared));
    let config = stage.config.clone();
    let refreshed = stage.engine.refresh(stage.row.name, &state).await.state;
    let joined = stage.apply(&refreshed, &config).await;
    stage.world.change_host("cp-1", |memory| memory.files.remove(&environment));
    stage.world_is(&healthy, "after the member joined again");
    stage.settled(&joined, &config, "after the member joined again").await;
}

#[tokio::test]
async fn a_member_that_somebody_removed_is_refused_with_the_way_to_add_it_again() {
    let (mut stage, state) = cluster().await;
    stage.world.change_host("cp-3", |memory| {
        memory.is_no_member = true;
        memory.units.get_mut(&UnitName::literal("etcd.service")).unwrap().active_state = "failed".into();
    });
    let errors = refused(&mut stage, &state).await;
    says(
        &errors,
        &["Etcd of cp-3 was removed from its cluster", "As root on cp-1", "member add cp-3 --peer-urls=https://192.0.2.13:2380"],
    );
    assert!(!errors.contains("etcdctl member remove "), "{errors}");
}

/// As after a roll whose new setting no API server took: the record still knows that there was one.
#[tokio::test]
async fn an_emptied_member_is_refused_also_where_the_stamps_were_withdrawn() {
    let (mut stage, state) = cluster().await;
    for host in ["cp-1", "cp-2", "cp-3"] {
        stage.world.change_host(host, |memory| {
            memory.records.values_mut().flat_map(|record| record.units.values_mut()).for_each(|stamp| *stamp = None);
        });
    }
    wipe(&stage, "cp-1");
    says(&refused(&mut stage, &state).await, &["Etcd of cp-1 has no data", "As root on cp-2"]);
}

#[tokio::test]
async fn two_emptied_members_are_refused_while_the_third_is_away_and_when_it_is_back() {
    for empty in [wipe, reinstall] {
        let (mut stage, state) = cluster().await;
        empty(&stage, "cp-1");
        empty(&stage, "cp-2");
        stage.world.change_host("cp-3", |memory| memory.answers = false);
        says(
            &refused(&mut stage, &state).await,
            &["Etcd of cp-1, cp-2 has no data", "Bring cp-3 back", "etcdutl snapshot restore"],
        );
        stage.world.change_host("cp-3", |memory| memory.answers = true);
        says(&refused(&mut stage, &state).await, &["Too few members have data for a quorum", "snapshot"]);
    }
}

#[tokio::test]
async fn a_cluster_that_was_installed_again_as_a_whole_is_not_begun_anew() {
    let (mut stage, state) = cluster().await;
    for host in ["cp-1", "cp-2", "cp-3"] {
        reinstall(&stage, host);
    }
    says(&refused(&mut stage, &state).await, &["Etcd of cp-1, cp-2, cp-3 has no data", "create it again"]);
    stage.destroy(&state, "after a refusal").await;
    stage.create().await;
}

#[tokio::test]
async fn an_emptied_member_is_refused_also_without_a_state() {
    let (mut stage, _) = cluster().await;
    wipe(&stage, "cp-2");
    let (name, config) = (stage.row.name, stage.config.clone());
    stage.world.arm(None);
    let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
    let applied = stage.engine.apply(name, &Value::Null, &config, &planned).await;
    says(&applied.errors.join("\n"), &["Etcd of cp-2 has no data"]);
    assert!(applied.state.is_null() && stage.world.calls().is_empty());
}

/// A single host whose record is of a version that knew a start by its stamp only, after a roll that withdrew all stamps: nobody else
/// could say that the cluster has stored data.
#[tokio::test]
async fn an_emptied_single_member_with_an_older_record_is_refused() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let hosts = Value::object([("cp-1", stage.config.get("hosts").get("cp-1").clone())]);
    stage.config.set("hosts", hosts);
    let mut state = stage.create().await;
    for text in [None, Some("1")] {
        stage.world.change_host("cp-1", |memory| {
            for record in memory.records.values_mut() {
                record.identity = text.map(|text: &str| ("version".to_string(), text.to_string())).into_iter().collect();
                record.started.clear();
                record.units.values_mut().for_each(|stamp| *stamp = None);
            }
        });
        state.set("uid", machines::Uid::NIL.into());
        wipe(&stage, "cp-1");
        says(&refused(&mut stage, &state).await, &["Etcd of cp-1 has no data", "snapshot restore"]);
    }
}
