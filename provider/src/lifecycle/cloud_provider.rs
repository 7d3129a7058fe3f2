//! Nodes that a cloud controller manager initialises: whether an apply waits for it, and what their certificates may name.

use super::rows::row;
use super::{Stage, complete};
use crate::fakes::FakeClock;
use crate::kubernetes::UNINITIALIZED;
use crate::resources::on_hosts::node_group::cloud;
use crate::wait::Waiter;
use bundle::{NodeObject, TaintKey};
use schema::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const NODES: &str = "k8s_node_group";
const LEASE: &str = "Lease.coordination.k8s.io/kube-system/cloud-controller-manager";

async fn in_a_cloud() -> Stage {
    let mut stage = Stage::of(row(NODES)).await;
    let mut join = stage.config.get("cluster").clone();
    join.set("cloud_provider", "external".into());
    stage.config.set("cluster", join);
    stage
}

fn lead(stage: &Stage, holder: &str, renews: bool) {
    let spec = json!({ "holderIdentity": holder, "renewTime": "2026-11-21T12:00:00.000000Z", "renews": renews });
    let lease = json!({ "metadata": { "name": "cloud-controller-manager", "uid": "l" }, "spec": spec });
    stage.world.change(|memory| drop(memory.cluster.manifests.insert(LEASE.parse().unwrap(), lease)));
}

fn initialise(stage: &Stage, host: &str) -> bool {
    let taint = TaintKey { key: UNINITIALIZED.into(), effect: "NoSchedule".into() };
    stage.change_node(host, |node| node.object.taints.remove(&taint).is_some())
}

#[tokio::test]
async fn nodes_register_before_there_is_a_cloud_controller_and_the_plan_stays_empty_when_it_comes() {
    let mut stage = in_a_cloud().await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.settled(&state, &config, "before there is a controller").await;
    lead(&stage, "cp-1_1", true);
    assert!(["cp-1", "worker-1", "worker-2"].iter().all(|host| initialise(&stage, host)));
    stage.change_node("worker-1", |node| node.object.provider_id = Some("aws:///us-east-1a/i-1".into()));
    stage.settled(&state, &config, "once nodes are initialised").await;
}

#[tokio::test]
async fn a_node_is_waited_for_until_the_cloud_controller_that_is_there_has_initialised_it() {
    let mut stage = in_a_cloud().await;
    // One that has let go of its lease leads nothing.
    lead(&stage, "", true);
    let hosts = stage.config.get("hosts").clone();
    let mut fewer = hosts.as_map().unwrap().clone();
    fewer.remove("worker-2");
    let fewer = complete(stage.engine.schema(NODES), &with_hosts(&stage, Value::Map(fewer)));
    let state = stage.attempt(&Value::Null, &fewer).await;
    assert_eq!(state.errors, Vec::<String>::new());
    lead(&stage, "cp-1_1", true);
    let all = complete(stage.engine.schema(NODES), &with_hosts(&stage, hosts));
    let failed = stage.attempt(&state.state, &all).await;
    let said = failed.errors.join("\n");
    assert!(
        said.contains("ode worker-2 is not initialised by the cloud controller manager") && said.contains("cp-1_1 leads"),
        "{said}"
    );
    assert!(initialise(&stage, "worker-2"));
    let applied = stage.attempt(&failed.state, &all).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    // Others are registered, and whoever initialises them is not part of this change.
    stage.settled(&applied.state, &all, "once the new node is initialised").await;
}

#[tokio::test]
async fn a_host_outside_of_the_cloud_is_not_waited_for() {
    let mut stage = in_a_cloud().await;
    lead(&stage, "cp-1_1", true);
    stage.config.set("kubelet_flags", Value::object([("cloud-provider", "".into())]));
    stage.create().await;
    assert!(!initialise(&stage, "worker-1"));
}

/// As the controller leaves it where the cloud does not have its machine: a node that is not Ready.
#[tokio::test]
async fn a_node_that_the_cloud_controller_has_deleted_is_not_initialised() {
    let stage = in_a_cloud().await;
    lead(&stage, "cp-1_1", true);
    let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
    let waiter = Waiter { clock: &clock, cancelled: &cancelled };
    let api = stage.world.host("cp-1").kubernetes().await.unwrap();
    let error = cloud::settle(waiter, &*api, "worker-1", &NodeObject::default(), true).await.unwrap_err();
    assert!(error.detail().contains("It is not registered any more"), "{error}");
}

/// What is left of one that was deleted with its nodes, or that died: the nodes come first, and would wait for it for ever.
#[tokio::test]
async fn a_lease_that_nobody_renews_is_no_controller() {
    let mut stage = in_a_cloud().await;
    lead(&stage, "cp-1_1", false);
    let state = stage.create().await;
    let config = stage.config.clone();
    stage.settled(&state, &config, "with the lease of one that is gone").await;
}

/// As on the nodes of a control plane, where a DaemonSet selects them by their role.
#[tokio::test]
async fn a_node_has_its_labels_before_its_controller_is_waited_for() {
    let mut stage = in_a_cloud().await;
    lead(&stage, "cp-1_1", true);
    let config = complete(stage.engine.schema(NODES), &stage.config);
    let failed = stage.attempt(&Value::Null, &config).await;
    assert!(failed.errors.join("\n").contains("is not initialised"), "{:?}", failed.errors);
    assert!(stage.change_node("cp-1", |node| node.object.labels.contains_key("node-role.kubernetes.io/control-plane")));
}

#[tokio::test]
async fn a_node_that_is_taken_out_of_the_cloud_takes_pods() {
    let mut stage = in_a_cloud().await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    config.set("kubelet_flags", Value::object([("cloud-provider", "".into())]));
    let config = complete(stage.engine.schema(NODES), &config);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(["cp-1", "worker-1", "worker-2"].iter().all(|host| !initialise(&stage, host)), "a taint is left");
    stage.settled(&applied.state, &config, "outside of the cloud").await;
}

#[tokio::test]
async fn the_approver_knows_what_a_cloud_calls_a_node() {
    let mut stage = in_a_cloud().await;
    let mut hosts = stage.config.get("hosts").clone();
    let mut own = hosts.get("worker-1").clone();
    own.set("certificate_names", vec!["ip-192-0-2-21.ec2.internal", "198.51.100.7"].into());
    hosts.set("worker-1", own);
    let config = complete(stage.engine.schema(NODES), &with_hosts(&stage, hosts));
    let state = stage.attempt(&Value::Null, &config).await;
    assert_eq!(state.errors, Vec::<String>::new());
    let declared = stage.world.memory().cluster.declared["worker-1"].clone();
    assert!(declared.starts_with("worker-1 ") && declared.ends_with(" ip-192-0-2-21.ec2.internal 198.51.100.7"), "{declared}");
}

fn with_hosts(stage: &Stage, hosts: Value) -> Value {
    let mut config = stage.config.clone();
    config.set("hosts", hosts);
    config
}
