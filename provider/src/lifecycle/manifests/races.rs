//! Others go on while an apply or a destroy runs: between its look at an object and its change of it.

use super::super::Stage;
use super::super::rows::{SHOP, config_map, row};
use super::{NAME, WEB, live, text, with, yaml};
use crate::fakes::{Memory, set_by};
use schema::Value;
use serde_json::json;

const ENDPOINT: &str = "ConfigMap/shop/endpoint";

/// Another set has applied the object, after it has adopted it where it was there.
fn take(memory: &mut Memory) {
    let live = memory.cluster.manifests.entry(ENDPOINT.parse().unwrap()).or_insert_with(
        || json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "endpoint", "namespace": "shop", "uid": "b", "managedFields": [] } }),
    );
    live["metadata"]["annotations"]["k8s-hardway/manifests"] = json!("b/holder");
    live["data"] = json!({ "text": "theirs" });
}

#[track_caller]
fn is_theirs(stage: &Stage) {
    assert_eq!(live(stage, ENDPOINT)["data"], json!({ "text": "theirs" }));
}

/// A ReplicaSet goes with its Deployment a moment later.
#[tokio::test]
async fn what_the_garbage_collector_has_not_come_to_yet_stops_no_deletion() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let owner = live(&stage, WEB)["metadata"]["uid"].clone();
    stage.world.change(|memory| {
        let key = "ReplicaSet.apps/shop/web-1".parse().unwrap();
        let metadata = json!({ "name": "web-1", "namespace": "shop", "uid": "r", "ownerReferences": [{ "uid": owner }] });
        memory.cluster.manifests.insert(key, json!({ "metadata": metadata }));
    });
    stage.destroy(&state, "before the garbage collector").await;
}

/// As in one apply of both, where an object moves from one set to another that adopts it.
#[tokio::test]
async fn a_deletion_leaves_what_another_set_has_taken_since() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    stage.world.meanwhile("cluster: delete ConfigMap/shop/endpoint", take);
    let without = with(&stage, &[("objects", Value::List(vec![]))]);
    let applied = stage.attempt(&state, &without).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(text(&applied.warnings).contains(ENDPOINT), "{:?}", applied.warnings);
    is_theirs(&stage);
    // Their object keeps the namespace from going.
    let destroyed = stage.engine.destroy(NAME, &applied.state).await;
    assert!(text(&destroyed.errors).contains("Namespace/shop is not deleted"), "{:?}", destroyed.errors);
    is_theirs(&stage);
}

#[tokio::test]
async fn a_destroy_leaves_what_another_set_has_taken_since_and_what_that_is_in() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    stage.world.meanwhile("cluster: delete ConfigMap/shop/endpoint", take);
    let destroyed = stage.engine.destroy(NAME, &state).await;
    assert!(text(&destroyed.errors).contains("Namespace/shop is not deleted"), "{:?}", destroyed.errors);
    assert_eq!(destroyed.state, state);
    is_theirs(&stage);
}

#[tokio::test]
async fn what_others_put_into_a_namespace_while_its_objects_go_stops_its_deletion() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    stage.world.meanwhile("cluster: delete Deployment.apps/shop/web", |memory| {
        let key = "ConfigMap/shop/precious".parse().unwrap();
        memory.cluster.manifests.insert(key, json!({ "metadata": { "name": "precious", "namespace": "shop", "uid": "1" } }));
    });
    let destroyed = stage.engine.destroy(NAME, &state).await;
    assert!(text(&destroyed.errors).contains("ConfigMap/shop/precious"), "{:?}", destroyed.errors);
    assert!(live(&stage, "ConfigMap/shop/precious").is_object() && live(&stage, "Namespace/shop").is_object());
}

#[tokio::test]
async fn what_another_set_creates_after_the_first_look_is_refused() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    stage.world.meanwhile("cluster: apply Namespace/shop", take);
    let refused = stage.attempt(&Value::Null, &config).await;
    assert!(text(&refused.errors).contains("was not applied: k8s_manifests.b has it by now"), "{:?}", refused.errors);
    is_theirs(&stage);
}

#[tokio::test]
async fn what_another_set_creates_at_the_same_moment_is_said() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    stage.world.meanwhile("cluster: apply ConfigMap/shop/endpoint", take);
    let refused = stage.attempt(&Value::Null, &config).await;
    assert!(text(&refused.errors).contains("omebody else has created ConfigMap/shop/endpoint"), "{:?}", refused.errors);
    // The set was created, and failed: the next apply destroys it first. The object is nobody's until the other set restores it.
    let annotations = live(&stage, ENDPOINT)["metadata"]["annotations"].clone();
    assert!(annotations.get("k8s-hardway/manifests").is_none(), "{annotations}");
    let destroyed = stage.engine.destroy(NAME, &refused.state).await;
    assert!(live(&stage, ENDPOINT).is_object(), "{:?} {:?}", destroyed.errors, destroyed.warnings);
}

/// Objects that wait for others hold back the rest, which others may have created by then.
#[tokio::test]
async fn what_was_not_there_a_while_ago_is_looked_at_again() {
    let mut stage = Stage::of(row(NAME)).await;
    let waiting = (0..16).map(|number| config_map(&format!("a-{number:02}"), "x"));
    let objects = waiting.chain([config_map("endpoint", "ours")]).collect();
    let config = with(&stage, &[yaml(String::new()), ("objects", Value::List(objects)), ("secrets", Value::Null)]);
    stage.world.meanwhile("cluster: apply ConfigMap/shop/a-00", |memory| {
        memory.cluster.manifests.insert("Namespace/shop".parse().unwrap(), json!({ "metadata": { "name": "shop", "uid": "n" } }));
        memory.ticks += 2;
        take(memory);
    });
    let refused = stage.attempt(&Value::Null, &config).await;
    assert!(text(&refused.errors).contains("was not applied: k8s_manifests.b has it by now"), "{:?}", refused.errors);
    is_theirs(&stage);
}

#[tokio::test]
async fn a_change_of_what_another_set_has_taken_since_is_refused() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    stage.world.meanwhile("cluster: apply ConfigMap/shop/endpoint", take);
    let changed = with(&stage, &[("objects", Value::List(vec![config_map("endpoint", "ours")]))]);
    let refused = stage.attempt(&state, &changed).await;
    assert!(text(&refused.errors).contains("k8s_manifests.b has it by now"), "{:?}", refused.errors);
    is_theirs(&stage);
}

/// As a controller does that counts pods.
#[tokio::test]
async fn what_others_change_of_an_object_of_ours_holds_nothing_up() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    stage.world.meanwhile("cluster: apply Deployment.apps/shop/web", |memory| {
        set_by(&mut memory.cluster, WEB, "/metadata/annotations/count", json!("3"), "controller");
    });
    let config = with(&stage, &[yaml(SHOP.replace("replicas: 2", "replicas: 3"))]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, live(&stage, WEB)["spec"]["replicas"].clone()), (vec![], json!(3)));
    assert_eq!(live(&stage, WEB)["metadata"]["annotations"]["count"], "3");
    stage.world.meanwhile("cluster: delete Deployment.apps/shop/web", |memory| {
        set_by(&mut memory.cluster, WEB, "/metadata/annotations/count", json!("4"), "controller");
    });
    stage.destroy(&applied.state, "while a controller changes an object").await;
}
