//! A roll whose first host does not come up with the new setting goes no further, and neither does the next apply.

use super::engine::Outcome;
use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{Fault, Moment};
use bundle::HostName;
use schema::Value;

/// Applies a change of one attribute to what was created.
async fn change(stage: &mut Stage, state: &Value, attribute: &str, value: Value) -> Outcome {
    let mut config = stage.config.clone();
    config.set(attribute, value);
    let config = complete(stage.engine.schema(stage.row.name), &config);
    let planned = stage.engine.plan(stage.row.name, state, &config).await.planned;
    stage.engine.apply(stage.row.name, state, &config, &planned).await
}

fn flags(name: &str) -> Value {
    Value::object([("flags", Value::object([(name, "1".into())]))])
}

/// Calls that changed something, but for those about the state of the attempt itself.
fn touched(stage: &Stage, host: &str) -> Vec<String> {
    stage.world.calls().into_iter().filter(|call| call.starts_with(&format!("{host}: "))).collect()
}

async fn three_hosts() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    stage.world.arm(None);
    (stage, state)
}

#[tokio::test]
async fn a_controller_manager_that_refuses_its_flags_stops_the_roll_at_the_first_host() {
    let (mut stage, state) = three_hosts().await;
    let applied = change(&mut stage, &state, "controller_manager", flags("deadly-flag")).await;
    assert_eq!(applied.errors.len(), 1, "{:?}", applied.errors);
    let error = &applied.errors[0];
    for part in [
        "kube-controller-manager.service on cp-1 is not healthy",
        "systemd has started it 12 times",
        "Error: it cannot bear --deadly-flag",
        "0 of 3 hosts are done; cp-2, cp-3 were not touched.",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert!(!error.contains("apply again is safe"), "{error}");
    assert!(!touched(&stage, "cp-1").is_empty());
    assert_eq!((touched(&stage, "cp-2"), touched(&stage, "cp-3")), (vec![], vec![]));

    stage.world.arm(None);
    let again = change(&mut stage, &applied.state, "controller_manager", flags("deadly-flag")).await;
    assert!(again.errors.len() == 1 && again.errors[0].contains("on cp-1 is not healthy"), "{:?}", again.errors);
    assert_eq!((touched(&stage, "cp-2"), touched(&stage, "cp-3")), (vec![], vec![]));

    let mended = change(&mut stage, &again.state, "controller_manager", flags("v")).await;
    assert_eq!(mended.errors, Vec::<String>::new());
}

/// Hosts with a restart, in the order of these.
fn restarts(stage: &Stage) -> Vec<String> {
    stage.world.calls().iter().filter_map(|call| Some(call.split_once(": Restart ")?.0.to_string())).collect()
}

#[tokio::test]
async fn the_leader_of_etcd_restarts_last() {
    let (mut stage, state) = three_hosts().await;
    stage.world.change(|memory| memory.leader = Some(HostName::literal("cp-1")));
    let applied = change(&mut stage, &state, "controller_manager", flags("v")).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(restarts(&stage), ["cp-2", "cp-3", "cp-1"]);
}

#[tokio::test]
async fn a_roll_that_stopped_goes_no_further_when_etcd_has_another_leader() {
    let (mut stage, state) = three_hosts().await;
    let stopped = change(&mut stage, &state, "controller_manager", flags("deadly-flag")).await;
    assert_eq!((stopped.errors.len(), restarts(&stage)), (1, vec!["cp-1".to_string()]));
    stage.world.arm(None);
    stage.world.change(|memory| memory.leader = Some(HostName::literal("cp-1")));
    let again = change(&mut stage, &stopped.state, "controller_manager", flags("deadly-flag")).await;
    assert!(again.errors.len() == 1 && again.errors[0].contains("on cp-1 is not healthy"), "{:?}", again.errors);
    assert_eq!((touched(&stage, "cp-2"), touched(&stage, "cp-3")), (vec![], vec![]));
}

#[tokio::test]
async fn a_kubelet_that_crash_loops_stops_the_roll_at_the_first_nodes() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    stage.world.arm(None);
    let applied = change(&mut stage, &state, "kubelet_config", "{\"deadlyField\":1}".into()).await;
    assert!(
        applied.errors.len() == 1 && applied.errors[0].contains("kubelet.service on cp-1 is not healthy"),
        "{:?}",
        applied.errors
    );
    assert_eq!((touched(&stage, "worker-1"), touched(&stage, "worker-2")), (vec![], vec![]));
}

#[tokio::test]
async fn a_node_whose_kubelet_sends_no_heartbeat_since_its_restart_is_not_ready() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    stage.world.arm(None);
    stage.world.change_host("cp-1", |host| host.is_mute = true);
    let applied = change(&mut stage, &state, "kubelet_config", "{\"maxPods\":200}".into()).await;
    assert!(applied.errors.len() == 1 && applied.errors[0].contains("cp-1 is not Ready after 180 s"), "{:?}", applied.errors);
    assert_eq!((touched(&stage, "worker-1"), touched(&stage, "worker-2")), (vec![], vec![]));
    stage.world.change_host("cp-1", |host| host.is_mute = false);
    let mended = change(&mut stage, &applied.state, "kubelet_config", "{\"maxPods\":200}".into()).await;
    assert_eq!(mended.errors, Vec::<String>::new());
}

/// By Ctrl-C while the units of the first host restart, by an error there, or by a kill, after which the state is the old one.
#[tokio::test]
async fn a_gate_that_never_came_has_not_passed() {
    let setting = || "{\"maxPods\":200}".into();
    let mut stage = Stage::of(row("k8s_node_group")).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    let begin = stage.world.memory();
    stage.world.arm(None);
    change(&mut stage, &state, "kubelet_config", setting()).await;
    let place = stage.world.calls().iter().position(|call| call.starts_with("cp-1: Restart ")).unwrap();
    for fault in [Fault::Cancel, Fault::Fail(Moment::After), Fault::Die(Moment::After)] {
        stage.world.restore(&begin);
        stage.engine.configure().await;
        stage.world.arm(Some((fault, place)));
        let stopped = change(&mut stage, &state, "kubelet_config", setting()).await;
        assert!(!stopped.errors.is_empty(), "{fault:?}");
        stage.world.arm(None);
        stage.engine.configure().await;
        stage.world.change_host("cp-1", |host| host.is_mute = true);
        let left = if matches!(fault, Fault::Die(_)) { &state } else { &stopped.state };
        let again = change(&mut stage, left, "kubelet_config", setting()).await;
        let expect = "cp-1 is not Ready after 180 s";
        assert!(again.errors.len() == 1 && again.errors[0].contains(expect), "{fault:?}: {:?}", again.errors);
        assert_eq!((touched(&stage, "worker-1"), touched(&stage, "worker-2")), (vec![], vec![]), "{fault:?}");
    }
}
