//! The cluster's own objects once others have changed something of them, as with kubectl.

use super::engine::Outcome;
use super::rows::row;
use super::{Stage, complete};
use schema::Value;
use serde_json::json;

const CLUSTER: &str = "k8s_hardway_cluster";
const COREDNS: &str = "Deployment kube-system/coredns";
const IMAGE: &str = "/spec/template/spec/containers/0/image";

/// Somebody has scaled CoreDNS.
async fn scaled() -> (Stage, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    stage.world.change(|memory| {
        memory.cluster.objects.get_mut(COREDNS).unwrap()["spec"]["replicas"] = json!(5);
        memory.cluster.theirs.insert(COREDNS.into(), vec![(".spec.replicas".into(), "conflict with \"kubectl\"".into())]);
    });
    stage.world.arm(None);
    (stage, state)
}

async fn change_a_controller(stage: &mut Stage, state: &Value) -> Outcome {
    let mut config = stage.config.clone();
    config.set("controller_manager", Value::object([("flags", Value::object([("v", "2".into())]))]));
    let config = complete(stage.engine.schema(CLUSTER), &config);
    let planned = stage.engine.plan(CLUSTER, state, &config).await.planned;
    let applied = stage.engine.apply(CLUSTER, state, &config, &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(stage.world.calls().iter().any(|call| call == "cluster: apply objects"), "{:?}", stage.world.calls());
    applied
}

#[tokio::test]
async fn objects_that_are_declared_as_before_are_not_touched_when_a_controller_changes() {
    let (mut stage, state) = scaled().await;
    let before = stage.world.memory().cluster.objects;
    let applied = change_a_controller(&mut stage, &state).await;
    assert_eq!(applied.warnings, Vec::<String>::new());
    assert_eq!(stage.world.memory().cluster.objects, before);
}

/// An older version of this provider declared another image.
#[tokio::test]
async fn a_field_that_others_changed_stays_and_is_named_when_its_object_changes() {
    let (mut stage, state) = scaled().await;
    let declared = stage.world.memory().cluster.applied[COREDNS].pointer(IMAGE).cloned();
    stage.world.change(|memory| {
        for objects in [&mut memory.cluster.applied, &mut memory.cluster.objects] {
            *objects.get_mut(COREDNS).unwrap().pointer_mut(IMAGE).unwrap() = json!("coredns:old");
        }
    });
    let applied = change_a_controller(&mut stage, &state).await;
    let said = "Deployment kube-system/coredns: .spec.replicas, conflict with \"kubectl\"; the declared value is 2";
    assert!(applied.warnings.len() == 1 && applied.warnings[0].contains(said), "{:?}", applied.warnings);
    let coredns = &stage.world.memory().cluster.objects[COREDNS];
    assert_eq!((coredns.pointer(IMAGE).cloned(), coredns.pointer("/spec/replicas")), (declared, None), "replicas were sent");
}
