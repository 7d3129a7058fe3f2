//! Clusters whose pods an add-on connects, and nodes without kube-proxy.

use super::rows::row;
use super::{Stage, complete};
use crate::fakes::{FakeFile, Fault, Moment};
use bundle::{HostName, HostPath, UnitName};
use schema::Value;
use std::collections::BTreeSet;

const NODES: &str = "k8s_node_group";

const HOSTS: [&str; 3] = ["cp-1", "worker-1", "worker-2"];

/// What was undone there for units that went.
fn retired(stage: &Stage, host: &str) -> BTreeSet<&'static str> {
    stage.world.memory().hosts[&HostName::literal(host)].retired.clone()
}

fn has_unit(stage: &Stage, host: &str, unit: &str) -> bool {
    stage.world.memory().hosts[&HostName::literal(host)].units.contains_key(&UnitName::literal(unit))
}

fn with(stage: &Stage, name: &str, value: Value) -> Value {
    let mut config = stage.config.clone();
    config.set(name, value);
    complete(stage.engine.schema(stage.row.name), &config)
}

#[tokio::test]
async fn control_plane_hosts_have_no_routes_to_pods_where_an_add_on_connects_them() {
    let name = "k8s_hardway_cluster";
    let mut stage = Stage::of(row(name)).await;
    let mut network = stage.config.get("network").clone();
    network.set("pod_network", "none".into());
    let config = with(&stage, "network", network);
    let state = stage.apply(&Value::Null, &config).await;
    assert!(has_unit(&stage, "cp-1", "kube-apiserver.service"));
    for unit in ["k8s-pod-routes.service", "k8s-pod-shares.service"] {
        assert!(!has_unit(&stage, "cp-1", unit), "{unit}");
    }
    assert_eq!(state.get("join").get("pod_network").as_str(), Some("none"));
    stage.settled(&state, &config, "without a pod network").await;
    // Another network is planned, and warned of.
    let routed = complete(stage.engine.schema(name), &stage.config);
    let plan = stage.engine.plan(name, &state, &routed).await;
    assert!(plan.warnings.iter().any(|warning| warning.contains("ods get another network, node by node")), "{:?}", plan.warnings);
    let applied = stage.attempt(&state, &routed).await;
    assert_eq!((applied.errors, has_unit(&stage, "cp-1", "k8s-pod-routes.service")), (vec![], true));
    let back = stage.attempt(&applied.state, &config).await;
    assert_eq!(back.errors, Vec::<String>::new());
    assert!(!has_unit(&stage, "cp-1", "k8s-pod-routes.service") && retired(&stage, "cp-1").contains("pod-routes"));
    let state = back.state;
    stage.settled(&state, &config, "without a pod network again").await;
    stage.destroy(&state, "without a pod network").await;
}

async fn without_a_network() -> (Stage, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    let mut join = stage.config.get("cluster").clone();
    join.set("pod_network", "none".into());
    stage.config.set("cluster", join);
    stage.world.change(|memory| memory.lacks_pod_network = true);
    let state = stage.create().await;
    (stage, state)
}

#[tokio::test]
async fn nodes_join_before_there_is_an_add_on_and_are_waited_for_once_it_is_there() {
    let (mut stage, state) = without_a_network().await;
    for (unit, is_there) in [("kubelet.service", true), ("kube-proxy.service", true), ("k8s-pod-network.service", false)] {
        assert_eq!(has_unit(&stage, "worker-1", unit), is_there, "{unit}");
    }
    let config = stage.config.clone();
    stage.settled(&state, &config, "before there is an add-on").await;

    // The add-on has a configuration on one host, and does not work.
    let path = HostPath::literal("/etc/cni/net.d/05-cilium.conflist");
    stage.world.change_host("worker-1", |host| drop(host.files.insert(path.clone(), FakeFile::default())));
    let changed = with(&stage, "kubelet_config", "{\"maxPods\":200}".into());
    let failed = stage.attempt(&state, &changed).await;
    assert!(failed.errors.len() == 1 && failed.errors[0].contains("ode worker-1 is not Ready"), "{:?}", failed.errors);
    // It works.
    stage.world.change(|memory| memory.lacks_pod_network = false);
    let applied = stage.attempt(&failed.state, &changed).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    stage.settled(&applied.state, &changed, "with an add-on").await;
}

#[tokio::test]
async fn with_the_routed_network_a_node_without_it_is_waited_for() {
    let mut stage = Stage::of(row(NODES)).await;
    stage.world.change(|memory| memory.lacks_pod_network = true);
    let config = stage.config.clone();
    let failed = stage.attempt(&Value::Null, &config).await;
    assert!(failed.errors.len() == 1 && failed.errors[0].contains("is not Ready"), "{:?}", failed.errors);
}

#[tokio::test]
async fn kube_proxy_goes_from_one_node_after_the_other_with_what_it_left() {
    let mut stage = Stage::of(row(NODES)).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    let before = stage.world.memory();
    let config = with(&stage, "proxy_mode", "none".into());
    let rollout = stage.rollout(&state, &config).await;
    let is_removal =
        |line: &&String| line.contains("one at a time") && line.contains("remove kube-proxy.service (no longer declared)");
    assert_eq!(rollout.iter().filter(is_removal).count(), 1, "{rollout:#?}");
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    for host in HOSTS {
        let memory = &stage.world.memory().hosts[&HostName::literal(host)];
        assert!(memory.units.get(&UnitName::literal("kube-proxy.service")).is_none_or(|unit| unit.active_state != "active"));
        assert_eq!(memory.retired, BTreeSet::from(["iptables", "ipvs", "nftables"]), "{host}");
        assert!(!memory.files.keys().any(|path| path.as_str().contains("kube-proxy.yaml")), "{host}");
    }
    stage.settled(&applied.state, &config, "without kube-proxy").await;
    let config = stage.config.clone();
    let back = stage.attempt(&applied.state, &config).await;
    assert_eq!(back.errors, Vec::<String>::new());
    stage.world_is(&before, "after kube-proxy came back");
    stage.settled(&back.state, &config, "after kube-proxy came back").await;
    stage.destroy(&back.state, "after kube-proxy came back").await;
}

/// On a cluster without a pod network nothing else changes on hosts when kube-proxy goes in iptables mode.
async fn with_iptables() -> (Stage, Value) {
    let (mut stage, _) = without_a_network().await;
    stage.world.restore(&stage.before.clone());
    stage.world.change(|memory| memory.lacks_pod_network = true);
    stage.config = with(&stage, "proxy_mode", "iptables".into());
    let state = stage.create().await;
    (stage, state)
}

#[tokio::test]
async fn kube_proxy_of_a_host_that_does_not_answer_is_not_said_to_be_gone() {
    let (mut stage, state) = with_iptables().await;
    let config = with(&stage, "proxy_mode", "none".into());
    stage.world.change_host("worker-2", |host| host.answers = false);
    let failed = stage.attempt(&state, &config).await;
    assert!(failed.errors.len() == 1 && failed.errors[0].contains("worker-2"), "{:?}", failed.errors);
    stage.world.change_host("worker-2", |host| host.answers = true);
    let refreshed = stage.engine.refresh(NODES, &failed.state).await.state;
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let memory = &stage.world.memory().hosts[&HostName::literal("worker-2")];
    assert!(!memory.is_up("kube-proxy.service"));
    stage.settled(&applied.state, &config, "once it answers").await;
}

/// An apply that fails or is killed while kube-proxy goes, also once it has stopped.
#[tokio::test]
async fn kube_proxy_that_was_left_half_gone_goes_with_the_next_apply() {
    let (mut stage, state) = with_iptables().await;
    let config = with(&stage, "proxy_mode", "none".into());
    let planned = stage.engine.plan(NODES, &state, &config).await.planned;
    let begin = stage.world.memory();
    stage.world.arm(None);
    stage.engine.apply(NODES, &state, &config, &planned).await;
    let whole = stage.world.memory();
    let places: Vec<usize> =
        (1..).zip(stage.world.calls()).filter(|(_, call)| call.ends_with(": prune")).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 3);
    for place in places {
        for moment in [Moment::Before, Moment::Halfway] {
            for fault in [Fault::Fail(moment), Fault::Die(moment)] {
                stage.world.restore(&begin);
                stage.world.arm(Some((fault, place)));
                let failed = stage.engine.apply(NODES, &state, &config, &planned).await;
                stage.world.arm(None);
                // A state is written only by an apply that lives.
                let left = if matches!(fault, Fault::Die(_)) { &state } else { &failed.state };
                let applied = stage.attempt(left, &config).await;
                assert_eq!(applied.errors, Vec::<String>::new());
                stage.world_is(&whole, &format!("after {fault:?}"));
                for host in HOSTS {
                    assert!(retired(&stage, host).contains("iptables"), "{host} after {fault:?}");
                }
                stage.settled(&applied.state, &config, "after the next apply").await;
            }
        }
    }
}

/// Somebody has switched it off before.
#[tokio::test]
async fn kube_proxy_that_runs_no_more_goes_too() {
    let (mut stage, state) = with_iptables().await;
    stage.world.change_host("worker-1", |host| drop(host.units.remove(&UnitName::literal("kube-proxy.service"))));
    let config = with(&stage, "proxy_mode", "none".into());
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(retired(&stage, "worker-1").contains("iptables"));
}

fn with_network(stage: &Stage, pod_network: &str) -> Value {
    let mut join = stage.config.get("cluster").clone();
    join.set("pod_network", pod_network.into());
    with(stage, "cluster", join)
}

const ADD_ON: &str = "/etc/cni/net.d/10-calico.conflist";

#[tokio::test]
async fn pods_get_another_network_node_by_node_once_an_add_on_is_there() {
    let mut stage = Stage::of(row(NODES)).await;
    stage.config.set("max_unavailable", 1.into());
    let state = stage.create().await;
    let config = with_network(&stage, "none");
    let rollout = stage.rollout(&state, &config).await;
    let says = |text: &str| rollout.iter().any(|line| line.contains("one at a time") && line.contains(text));
    assert!(says("drain the node (another pod network)"), "{rollout:#?}");
    assert!(says("remove k8s-pod-network.service (no longer declared)"), "{rollout:#?}");

    let before = stage.world.memory();
    let refused = stage.attempt(&state, &config).await;
    assert!(
        refused.errors.len() == 1 && refused.errors[0].contains("o network add-on is there for the pods of"),
        "{:?}",
        refused.errors
    );
    stage.world_is(&before, "after the refusal");

    HOSTS.iter().for_each(|host| {
        stage.world.change_host(host, |host| drop(host.files.insert(HostPath::literal(ADD_ON), FakeFile::default())));
    });
    let before = stage.world.memory();
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let drains = stage.world.calls().into_iter().filter(|call| call.starts_with("cluster: cordon ")).count();
    assert_eq!(drains, HOSTS.len());
    for host in HOSTS {
        assert!(!has_unit(&stage, host, "k8s-pod-network.service"), "{host}");
        assert_eq!(retired(&stage, host), BTreeSet::from(["pod-network", "pod-network-files", "pod-network-rules"]), "{host}");
        assert!(stage.change_node(host, |node| node.cordoned_by.is_none()), "{host} takes no pods");
    }
    stage.settled(&applied.state, &config, "with an add-on").await;

    let config = complete(stage.engine.schema(NODES), &stage.config);
    let rollout = stage.rollout(&applied.state, &config).await;
    assert!(rollout.iter().any(|line| line.contains("drain the node (another pod network)")), "{rollout:#?}");
    let back = stage.attempt(&applied.state, &config).await;
    assert_eq!(back.errors, Vec::<String>::new());
    stage.world_is(&before, "after the routed network came back");
    stage.settled(&back.state, &config, "with the routed network").await;
}

#[tokio::test]
async fn a_node_that_an_add_on_does_not_reach_in_time_is_said_to_have_no_network() {
    let (mut stage, state) = without_a_network().await;
    // On another node it has come up.
    stage.change_node("cp-1", |node| node.has_network = true);
    let mut hosts = stage.config.get("hosts").clone();
    let mut own = hosts.get("worker-2").clone();
    own.set("kubelet_config", "{\"maxPods\":200}".into());
    hosts.set("worker-2", own);
    let changed = with(&stage, "hosts", hosts);
    let applied = stage.attempt(&state, &changed).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    stage.settled(&applied.state, &changed, "with a network on one node").await;
}

/// Its pods may run and serve, whatever its kubelet says at the moment.
#[tokio::test]
async fn a_node_that_is_not_ready_keeps_its_network_too_where_no_add_on_waits() {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    let config = with_network(&stage, "none");
    for (host, own) in HOSTS.into_iter().zip(["00-k8s-hardway.conflist", "10-k8s-hardway.conflist.cilium_bak", ""]) {
        stage.change_node(host, |node| node.is_sick = true);
        let unit = UnitName::literal("k8s-pod-network.service");
        stage.world.change_host(host, |host| drop(host.units.remove(&unit)));
        if !own.is_empty() {
            let path = HostPath::literal(&format!("/etc/cni/net.d/{own}"));
            stage.world.change_host(host, |host| drop(host.files.insert(path, FakeFile::default())));
        }
    }
    for host in ["cp-1", "worker-1"] {
        let before = stage.world.memory();
        let refused = stage.attempt(&state, &config).await;
        let expect = format!("o network add-on is there for the pods of {host}");
        assert!(refused.errors.len() == 1 && refused.errors[0].contains(&expect), "{:?}", refused.errors);
        stage.world_is(&before, "after the refusal");
        stage.world.change_host(host, |host| drop(host.files.insert(HostPath::literal(ADD_ON), FakeFile::default())));
    }
}

/// Its kubelet calls such a node Ready for some seconds more, and no pod on it can end.
#[tokio::test]
async fn a_node_whose_add_on_is_gone_gets_the_routed_network_without_a_drain() {
    let mut stage = Stage::of(row(NODES)).await;
    let (routed, without) = (stage.config.clone(), with_network(&stage, "none"));
    for host in HOSTS {
        stage.world.change_host(host, |host| drop(host.files.insert(HostPath::literal(ADD_ON), FakeFile::default())));
    }
    let state = stage.attempt(&Value::Null, &without).await.state;
    stage.world.change_host("worker-1", |host| drop(host.files.remove(&HostPath::literal(ADD_ON))));
    let applied = stage.attempt(&state, &routed).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let calls = stage.world.calls();
    let is_drained = |host: &str| calls.iter().any(|call| *call == format!("cluster: cordon {host}"));
    assert_eq!(HOSTS.map(|host| (host, is_drained(host))), [("cp-1", true), ("worker-1", false), ("worker-2", true)]);
    stage.settled(&applied.state, &routed, "with the routed network").await;
}

/// Its state is the one before, and what it says of networks is over.
#[tokio::test]
async fn nodes_that_a_killed_apply_has_changed_are_not_drained_again() {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    HOSTS.iter().for_each(|host| {
        stage.world.change_host(host, |host| drop(host.files.insert(HostPath::literal(ADD_ON), FakeFile::default())));
    });
    let config = with_network(&stage, "none");
    assert_eq!(stage.attempt(&state, &config).await.errors, Vec::<String>::new());
    let mut relabelled = config.clone();
    relabelled.set("labels", Value::object([("node.example/tier", "other".into())]));
    let applied = stage.attempt(&state, &relabelled).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let drains: Vec<String> = stage.world.calls().into_iter().filter(|call| call.contains("cordon ")).collect();
    assert_eq!(drains, Vec::<String>::new());
    stage.settled(&applied.state, &relabelled, "after the killed apply").await;
}
