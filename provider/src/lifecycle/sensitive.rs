//! A value that a configuration marks as sensitive is hidden by the engine where it stands, and a provider does not know of the mark. So values
//! of labels, taints, flags and mirrors stand in their own attributes and nowhere else.

use super::rows::{row, taints};
use super::{Stage, complete};
use crate::fakes::{Fault, Moment};
use schema::Value;

const CANARY: &str = "canary-of-a-sensitive-value";
const OWN: [&str; 6] = ["labels", "taints", "registry_mirrors", "api_server", "kubelet_config", "kube_proxy_config"];

/// Everything that an engine prints of a plan or a state beside these attributes, and what is said.
#[track_caller]
fn check(values: &Value, said: &[String], what: &str) {
    let others = values.as_map().unwrap().iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let printed = others.map(|(name, value)| format!("{name} = {value:?}")).chain(said.iter().cloned());
    let leaks: Vec<String> = printed.filter(|text| text.contains(CANARY)).collect();
    assert_eq!(leaks, Vec::<String>::new(), "{what}");
}

fn with(stage: &Stage, changes: &[(&str, Value)]) -> Value {
    let mut config = stage.config.clone();
    changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
    complete(stage.engine.schema(stage.row.name), &config)
}

fn taint(value: &str) -> Value {
    let mut all = taints(&[("dedicated", "NoExecute")]);
    if let Value::List(items) = &mut all {
        items.iter_mut().for_each(|item| item.set("value", value.into()));
    }
    all
}

#[tokio::test]
async fn values_of_labels_and_taints_stand_in_no_step_no_drift_and_no_message() {
    let name = "k8s_node_group";
    let mut stage = Stage::of(row(name)).await;
    let label = |value: &str| Value::object([("node.example/pool", value.into())]);
    let mirrors = Value::object([("registry.example", format!("https://user:{CANARY}@mirror.example").into())]);
    let before = with(&stage, &[("labels", label("general")), ("taints", taint("batch"))]);
    let state = stage.apply(&Value::Null, &before).await;
    let config = with(&stage, &[("labels", label(CANARY)), ("taints", taint(CANARY)), ("registry_mirrors", mirrors)]);
    let plan = stage.engine.plan(name, &state, &config).await;
    assert!(format!("{:?}", plan.planned.get("rollout")).contains("label node.example/pool: not the declared value"));
    check(&plan.planned, &plan.warnings, "the plan");
    stage.world.arm(Some((Fault::Fail(Moment::Before), 1)));
    let failed = stage.engine.apply(name, &state, &config, &plan.planned).await;
    assert!(!failed.errors.is_empty());
    check(&failed.state, &[failed.errors, failed.warnings].concat(), "an apply that fails");
    stage.world.arm(None);
    let state = stage.apply(&state, &config).await;
    check(&state, &[], "the state");
    // Of what is found, somebody may have declared it before: an apply that was cut off left it so.
    for (declared, found) in [(&config, "by-hand"), (&before, CANARY)] {
        let state = stage.apply(&state, declared).await;
        stage.change_node("worker-1", |node| {
            node.object.labels.insert("node.example/pool".into(), found.into());
            node.object.taints.values_mut().for_each(|value| *value = found.into());
        });
        let refreshed = stage.engine.refresh(name, &state).await;
        assert_eq!(refreshed.state.get("differences").as_list().map(<[_]>::len), Some(2));
        check(&refreshed.state, &refreshed.warnings, "drift");
        let plan = stage.engine.plan(name, &refreshed.state, declared).await;
        check(&plan.planned, &plan.warnings, "the plan of a repair");
    }
}

#[tokio::test]
async fn values_of_flags_stand_in_no_step_and_no_message() {
    let name = "k8s_hardway_cluster";
    let mut stage = Stage::of(row(name)).await;
    let state = stage.create().await;
    let flags = Value::object([("flags", Value::object([("event-ttl", CANARY.into())]))]);
    let config = with(&stage, &[("api_server", flags)]);
    let plan = stage.engine.plan(name, &state, &config).await;
    assert!(format!("{:?}", plan.planned.get("rollout")).contains("kube-apiserver.service"));
    check(&plan.planned, &plan.warnings, "the plan");
    stage.world.arm(Some((Fault::Fail(Moment::Before), 2)));
    let failed = stage.engine.apply(name, &state, &config, &plan.planned).await;
    assert!(!failed.errors.is_empty());
    check(&failed.state, &[failed.errors, failed.warnings].concat(), "an apply that fails");
}
