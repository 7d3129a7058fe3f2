//! Roles and annotations of nodes, and what one host of a group has of its own.

use super::rows::row;
use super::{Stage, complete, texts};
use crate::fakes::Node;
use bundle::{HostPath, NodeObject};
use schema::Value;

const NODES: &str = "k8s_node_group";
const AMEND: &str = "cluster: amend worker-1";
const ROLE: &str = "node-role.kubernetes.io/control-plane";

/// Attributes of the group, and of hosts of their own.
fn with(stage: &Stage, group: &[(&str, Value)], hosts: &[(&str, &str, Value)]) -> Value {
    let mut config = stage.config.clone();
    group.iter().for_each(|(name, value)| config.set(name, value.clone()));
    let mut all = config.get("hosts").clone();
    for (host, name, value) in hosts {
        let mut changed = all.get(host).clone();
        changed.set(name, value.clone());
        all.set(host, changed);
    }
    config.set("hosts", all);
    complete(stage.engine.schema(NODES), &config)
}

fn map(pairs: &[(&str, &str)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| (key.to_string(), (*value).into())).collect())
}

async fn created(group: &[(&str, Value)], hosts: &[(&str, &str, Value)]) -> (Stage, Value, Value) {
    let mut stage = Stage::of(row(NODES)).await;
    stage.config.set("max_unavailable", 1.into());
    let config = with(&stage, group, hosts);
    let state = stage.apply(&Value::Null, &config).await;
    stage.world.arm(None);
    (stage, state, config)
}

async fn file(stage: &Stage, host: &str, path: &'static str) -> String {
    String::from_utf8(stage.world.host(host).read_file(&HostPath::literal(path)).await.unwrap()).unwrap()
}

#[tokio::test]
async fn roles_and_annotations_are_set_once_a_node_is_registered() {
    let group = [("labels", map(&[("node-role.kubernetes.io/infra", "")])), ("annotations", map(&[("node.example/rack", "r1")]))];
    let mut stage = Stage::of(row(NODES)).await;
    let config = with(&stage, &group, &[]);
    let plan = stage.engine.plan(NODES, &Value::Null, &config).await;
    let rollout = texts(plan.planned.get("rollout"));
    let role = format!(
        "cp-1: set labels and annotations of the node (label {ROLE}: missing, label node-role.kubernetes.io/infra: missing, annotation node.example/rack: missing)"
    );
    let ready = rollout.iter().position(|line| line.contains("the node is Ready")).unwrap();
    let set = rollout.iter().position(|line| line.contains(&role)).unwrap_or_else(|| panic!("{rollout:#?}"));
    assert!(ready < set, "{rollout:#?}");
    let state = stage.apply(&Value::Null, &config).await;
    for (name, is_control_plane) in [("cp-1", true), ("worker-1", false), ("worker-2", false)] {
        let found = stage.node_object(name);
        assert_eq!(found.labels.contains_key(ROLE), is_control_plane, "{name}");
        assert!(found.labels.contains_key("node-role.kubernetes.io/infra") && found.annotations["node.example/rack"] == "r1");
    }
    // A kubelet does not start with what it may not give.
    let registration = file(&stage, "cp-1", "/etc/kubernetes/node/registration.env").await;
    assert_eq!(registration, "NODE_LABELS=\nNODE_TAINTS=\n");
    stage.settled(&state, &config, "after the create").await;
    // Whoever takes them out of the configuration takes them from the nodes, but for the role that the host has by what it is.
    let without = with(&stage, &[("labels", Value::Null), ("annotations", Value::Null)], &[]);
    let applied = stage.attempt(&state, &without).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    assert_eq!(stage.node_object("cp-1").labels.keys().collect::<Vec<_>>(), [ROLE]);
    assert_eq!(stage.node_object("worker-1"), NodeObject::default());
    stage.settled(&applied.state, &without, "without them").await;
}

#[tokio::test]
async fn a_node_that_registered_and_was_not_amended_is_amended_by_the_next_apply() {
    let mut stage = Stage::of(row(NODES)).await;
    let config = with(&stage, &[("annotations", map(&[("node.example/rack", "r1")]))], &[]);
    let (whole, failed) = stage.fail_at(AMEND, &Value::Null, &config).await;
    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    stage.world_is(&whole, "after the second apply");
    stage.settled(&applied.state, &config, "after the second apply").await;
}

#[tokio::test]
async fn a_role_or_an_annotation_that_somebody_took_away_is_drift_and_comes_back() {
    let (mut stage, state, config) = created(&[("annotations", map(&[("node.example/rack", "r1")]))], &[]).await;
    let whole = stage.world.memory();
    type Damage = fn(&mut NodeObject);
    let damages: [(Damage, &str); 3] = [
        (|node| drop(node.labels.remove(ROLE)), "label node-role.kubernetes.io/control-plane: missing"),
        (|node| drop(node.annotations.remove("node.example/rack")), "annotation node.example/rack: missing"),
        (
            |node| drop(node.annotations.insert("node.example/rack".into(), "r2".into())),
            "annotation node.example/rack: not the declared value",
        ),
    ];
    for (damage, expect) in damages {
        stage.change_node("cp-1", |node| damage(&mut node.object));
        let refreshed = stage.engine.refresh(NODES, &state).await;
        assert_eq!(texts(refreshed.state.get("drift").get("cp-1")), [expect]);
        let applied = stage.attempt(&refreshed.state, &config).await;
        assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
        stage.world_is(&whole, expect);
        stage.settled(&applied.state, &config, expect).await;
    }
    // A node that somebody deleted gets them again, once its kubelet has registered it.
    stage.world.change(|memory| memory.cluster.nodes.remove("cp-1"));
    let refreshed = stage.engine.refresh(NODES, &state).await;
    let applied = stage.attempt(&refreshed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    stage.world_is(&whole, "after it registered again");
}

#[tokio::test]
async fn what_a_host_has_of_its_own_wins_key_by_key_and_touches_no_other() {
    let taint = |value: &str| {
        let taint = [("key", "dedicated".into()), ("value", value.into()), ("effect", "NoSchedule".into())];
        Value::List(vec![Value::object(taint)])
    };
    let group = [
        ("labels", map(&[("node.example/pool", "general"), ("node.example/tier", "gold")])),
        ("taints", taint("batch")),
        ("kubelet_config", "{\"maxPods\":200}".into()),
    ];
    let (mut stage, state, config) = created(&group, &[]).await;
    let before = stage.world.memory();
    let own = [
        ("worker-1", "labels", map(&[("node.example/pool", "gpu")])),
        ("worker-1", "annotations", map(&[("node.example/rack", "r1")])),
        ("worker-1", "taints", taint("gpu")),
        ("worker-1", "kubelet_config", "{\"maxPods\":20}".into()),
        ("worker-1", "kubelet_flags", map(&[("v", "4")])),
    ];
    let changed = with(&stage, &group, &own);
    let plan = stage.engine.plan(NODES, &state, &changed).await;
    let rollout = texts(plan.planned.get("rollout"));
    assert!(rollout.iter().all(|line| line.starts_with("worker-1: ")), "{rollout:#?}");
    let applied = stage.attempt(&state, &changed).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(stage.starts(), ["worker-1: Restart kubelet.service"]);
    let found = stage.node_object("worker-1");
    let labels: Vec<(&str, &str)> = found.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("node.example/pool", "gpu"), ("node.example/tier", "gold")]);
    assert_eq!(found.taints.into_values().collect::<Vec<_>>(), ["gpu"]);
    assert_eq!(stage.node_object("worker-2"), before.cluster.nodes["worker-2"].object);
    let path = "/etc/kubernetes/node/kubelet.yaml";
    assert!(file(&stage, "worker-1", path).await.contains("maxPods: 20\n"));
    assert!(file(&stage, "worker-2", path).await.contains("maxPods: 200\n"));
    stage.settled(&applied.state, &changed, "with its own").await;
    let back = stage.attempt(&applied.state, &config).await;
    assert_eq!(back.errors, Vec::<String>::new());
    stage.world_is(&before, "after going back");
    stage.settled(&back.state, &config, "after going back").await;
}

/// Whoever goes back to what was declared before takes away what a failed apply has set on one host.
#[tokio::test]
async fn an_apply_that_failed_remembers_what_it_gave_a_host_of_its_own() {
    let (mut stage, state, config) = created(&[], &[]).await;
    let before = stage.world.memory();
    let own = |host, value| (host, "labels", map(&[("node.example/rack", value)]));
    let changed = with(&stage, &[], &[own("cp-1", "r1"), own("worker-1", "r2")]);
    let (_, failed) = stage.fail_at(AMEND, &state, &changed).await;
    assert!(stage.node_object("cp-1").labels.contains_key("node.example/rack"));
    let back = stage.attempt(&failed.state, &config).await;
    assert_eq!(back.errors, Vec::<String>::new());
    stage.world_is(&before, "after going back");
    stage.settled(&back.state, &config, "after going back").await;
}

#[tokio::test]
async fn a_node_registers_with_its_provider_id_and_keeps_it() {
    let id = |id: &str| ("worker-1", "provider_id", Value::from(id));
    let (mut stage, state, config) = created(&[], &[id("aws:///us-east-1a/i-01")]).await;
    assert_eq!(stage.node_object("worker-1").provider_id.as_deref(), Some("aws:///us-east-1a/i-01"));
    assert_eq!(stage.node_object("worker-2").provider_id, None);
    stage.settled(&state, &config, "with an id").await;

    let other = with(&stage, &[], &[id("aws:///us-east-1a/i-02")]);
    let refused = stage.engine.try_plan(NODES, &state, &other).await.err().unwrap();
    assert!(refused[0].contains("ode worker-1 has another provider id already"), "{refused:?}");

    // One that has none yet gets it; whoever asks nobody at plan finds out at apply, before anything is changed.
    let second = with(&stage, &[], &[id("aws:///us-east-1a/i-01"), ("worker-2", "provider_id", "aws:///us-east-1a/i-02".into())]);
    let whole = stage.world.memory();
    let applied = stage.attempt(&state, &second).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec!["worker-2: Restart kubelet.service".to_string()]));
    assert_eq!(stage.node_object("worker-2").provider_id.as_deref(), Some("aws:///us-east-1a/i-02"));
    stage.world.restore(&whole);
    stage.change_node("worker-2", |node| node.object.provider_id = Some("aws:///us-east-1a/i-03".into()));
    let before = stage.world.memory();
    let refused = stage.attempt(&state, &second).await;
    assert!(
        refused.errors.len() == 1 && refused.errors[0].contains("ode worker-2 has another provider id already"),
        "{:?}",
        refused.errors
    );
    stage.world_is(&before, "after the refusal");
}

/// A cluster of an earlier version: its control-plane hosts are nodes without the role.
#[tokio::test]
async fn a_cluster_of_an_earlier_version_gets_the_role_as_drift() {
    let (mut stage, state, config) = created(&[], &[]).await;
    stage.change_node("cp-1", |node: &mut Node| node.object.labels.remove(ROLE));
    let refreshed = stage.engine.refresh(NODES, &state).await;
    let applied = stage.attempt(&refreshed.state, &config).await;
    assert_eq!((applied.errors, stage.starts()), (vec![], vec![]));
    assert!(stage.node_object("cp-1").labels.contains_key(ROLE));
}

#[tokio::test]
async fn a_provider_id_that_was_not_set_can_be_corrected() {
    let id = |id: &str| [("worker-1", "provider_id", Value::from(id))];
    let (mut stage, state, _) = created(&[], &[]).await;
    let mistyped = with(&stage, &[], &id("aws:///us-east-1a/i-10"));
    let (_, failed) = stage.fail_at(AMEND, &state, &mistyped).await;
    let right = with(&stage, &[], &id("aws:///us-east-1a/i-01"));
    let applied = stage.attempt(&failed.state, &right).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(stage.node_object("worker-1").provider_id.as_deref(), Some("aws:///us-east-1a/i-01"));
    stage.settled(&applied.state, &right, "with the right id").await;

    // A controller has set another one than the state says: it can be declared, or no longer be.
    stage.change_node("worker-1", |node| node.object.provider_id = Some("aws:///us-east-1a/i-77".into()));
    let refreshed = stage.engine.refresh(NODES, &applied.state).await.state;
    assert!(stage.engine.try_plan(NODES, &refreshed, &right).await.is_err());
    let found = with(&stage, &[], &id("aws:///us-east-1a/i-77"));
    let none = with(&stage, &[], &[]);
    let (world, left) = (stage.world.memory(), refreshed.clone());
    for config in [found, none] {
        stage.world.restore(&world);
        let applied = stage.attempt(&left, &config).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        stage.settled(&applied.state, &config, "with the id that it has").await;
    }
}

#[tokio::test]
async fn a_host_that_left_the_control_plane_loses_its_role_also_after_an_apply_that_failed() {
    let (mut stage, state, _) = created(&[], &[]).await;
    assert!(stage.node_object("cp-1").labels.contains_key(ROLE));
    let mut join = stage.config.get("cluster").clone();
    let members = join.get("control_plane").as_list().unwrap().iter();
    let others = members.filter(|host| host.get("name").as_str() != Some("cp-1")).cloned().collect();
    join.set("control_plane", Value::List(others));
    let config = with(&stage, &[("cluster", join)], &[]);
    let (_, failed) = stage.fail_at("cluster: amend cp-1", &state, &config).await;
    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(!stage.node_object("cp-1").labels.contains_key(ROLE));
    stage.settled(&applied.state, &config, "without the role").await;
}

/// What is not known of one annotation hides no drain of an upgrade.
#[tokio::test]
async fn a_plan_with_an_unknown_annotation_says_what_else_it_knows() {
    let (mut stage, state, _) = created(&[], &[]).await;
    stage.change_node("worker-1", |node| node.kubelet_version = Some("v1.35.4".into()));
    let refreshed = stage.engine.refresh(NODES, &state).await.state;
    let config = with(&stage, &[("annotations", Value::object([("node.example/rack", Value::Unknown)]))], &[]);
    let plan = stage.engine.plan(NODES, &refreshed, &config).await;
    assert!(plan.warnings.iter().any(|said| said.contains("worker-1") && said.contains("drain")), "{:?}", plan.warnings);
}
