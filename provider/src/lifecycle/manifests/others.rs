//! Objects in a cluster that others share: what they change, what is theirs, one name in two states, and what goes with a namespace.

use super::super::rows::{SHOP, config_map, row};
use super::super::{Stage, texts};
use super::{NAME, WEB, live, set, shown, text, with, yaml};
use crate::fakes::share;
use bundle::HostPath;
use objects::ObjectKey;
use render::control_plane::ADMIN_KUBECONFIG;
use schema::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// An object of which nobody manages anything yet.
fn create_by_others(stage: &Stage, key: &str) {
    let key: ObjectKey = key.parse().unwrap();
    let mut object =
        json!({ "apiVersion": "v1", "kind": key.kind, "metadata": { "name": key.name, "uid": "1", "managedFields": [] } });
    if let Some(namespace) = &key.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    stage.world.change(|memory| memory.cluster.manifests.insert(key, object));
}

#[tokio::test]
async fn what_others_have_changed_is_drift_and_just_that_is_restored() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let healthy = live(&stage, WEB)["spec"].clone();
    set(&stage, WEB, "/spec/replicas", json!(5), "kubectl");
    set(&stage, WEB, "/metadata/labels/theirs", json!("x"), "kubectl");
    let gone = "ConfigMap/shop/endpoint";
    stage.world.change(|memory| memory.cluster.manifests.remove(&gone.parse().unwrap()));
    let refreshed = stage.engine.refresh(NAME, &state).await;
    assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]));
    let drift = shown(&refreshed.state, "drift");
    assert_eq!(drift[WEB], BTreeMap::from([(".spec.replicas".into(), "5, by kubectl".into())]));
    assert_eq!(drift[gone], BTreeMap::from([(String::new(), "it is not there".into())]));
    let plan = stage.engine.plan(NAME, &refreshed.state, &config).await;
    let lines = [
        "create ConfigMap/shop/endpoint",
        "restore Deployment.apps/shop/web (.spec.replicas)",
        "wait until Deployment.apps/shop/web is ready",
    ];
    assert_eq!(texts(plan.planned.get("rollout")), lines);
    stage.world.arm(None);
    let applied = stage.engine.apply(NAME, &refreshed.state, &config, &plan.planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let touched: Vec<String> = stage.world.calls().into_iter().filter(|call| call.starts_with("cluster: apply ")).collect();
    assert!(
        touched.iter().all(|call| call.contains("manifests.shop")
            || call.contains("endpoint")
            || call.contains("web")
            || call.contains("Secret")),
        "{touched:?}"
    );
    assert_eq!(live(&stage, WEB)["spec"], healthy);
    assert_eq!(live(&stage, WEB)["metadata"]["labels"]["theirs"], "x");
    stage.settled(&applied.state, &config, "after the repair").await;
}

#[tokio::test]
async fn a_field_of_somebody_else_is_an_error_unless_it_is_to_be_taken() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    set(&stage, WEB, "/spec/paused", json!(true), "team-a");
    let paused = yaml(SHOP.replace("replicas: 2,", "replicas: 2, paused: false,"));
    let config = with(&stage, std::slice::from_ref(&paused));
    let refused = stage.attempt(&state, &config).await;
    assert!(text(&refused.errors).contains(".spec.paused: conflict with \"team-a\""), "{:?}", refused.errors);
    assert_eq!(live(&stage, WEB)["spec"]["paused"], true);
    let config = with(&stage, &[paused, ("force_conflicts", true.into())]);
    let applied = stage.attempt(&refused.state, &config).await;
    assert_eq!((applied.errors, live(&stage, WEB)["spec"]["paused"].clone()), (vec![], json!(false)));
    stage.settled(&applied.state, &config, "after the conflict").await;
}

#[tokio::test]
async fn an_object_that_is_there_already_is_taken_over_only_where_that_was_said() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let key = "ConfigMap/shop/theirs";
    create_by_others(&stage, key);
    set(&stage, key, "/data/text", json!("theirs"), "kubectl-create");
    let before = stage.world.memory();
    let objects =
        ("objects", Value::List(vec![config_map("endpoint", "https://api.demo.internal:6443"), config_map("theirs", "ours")]));
    let refused = stage.attempt(&state, &with(&stage, std::slice::from_ref(&objects))).await;
    assert!(text(&refused.errors).contains("adopt = [\"ConfigMap/shop/theirs\"]"), "{:?}", refused.errors);
    stage.world_is(&before, "after the refusal");
    let config = with(&stage, &[objects, ("adopt", vec![key].into())]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, live(&stage, key)["data"]["text"].clone()), (vec![], json!("ours")));
    stage.settled(&applied.state, &config, "with the adopted object").await;
}

/// As `kubectl replace` takes annotations away.
#[tokio::test]
async fn an_object_that_is_nobodys_any_more_is_left_and_named() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let key = "ConfigMap/shop/endpoint";
    stage.world.change(|memory| {
        memory.cluster.manifests.get_mut(&key.parse().unwrap()).unwrap()["metadata"]["annotations"] = json!({});
    });
    let applied = stage.attempt(&state, &with(&stage, &[("objects", Value::List(vec![]))])).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(text(&applied.warnings).contains(key) && live(&stage, key).is_object(), "{:?}", applied.warnings);
}

#[tokio::test]
async fn two_states_of_one_name_delete_nothing_of_each_other() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let before = stage.world.memory();
    stage.world.draw_again();
    // Another configuration, which declares other objects.
    let other = with(
        &stage,
        &[
            ("yaml", Value::Null),
            ("objects", Value::List(vec![config_map("other", "x")])),
            ("secrets", Value::Null),
            ("namespace", "default".into()),
        ],
    );
    let refused = stage.attempt(&Value::Null, &other).await;
    assert!(
        text(&refused.errors).contains("in the cluster already, with objects that are not declared here"),
        "{:?}",
        refused.errors
    );
    stage.world_is(&before, "after the refusal");
    // The same one after its state was lost goes on, and the lost state comes back.
    let again = stage.attempt(&Value::Null, &config).await;
    assert_eq!(again.errors, Vec::<String>::new());
    assert!(text(&again.warnings).contains("was in the cluster already"), "{:?}", again.warnings);
    stage.settled(&again.state, &config, "after the state was lost").await;
    let now = stage.world.memory();
    let changed = with(&stage, &[yaml(SHOP.replace("replicas: 2", "replicas: 3"))]);
    let old = stage.attempt(&state, &changed).await;
    assert!(text(&old.errors).contains("is in another state now"), "{:?}", old.errors);
    let destroyed = stage.engine.destroy(NAME, &state).await;
    assert!(destroyed.errors.is_empty() && text(&destroyed.warnings).contains("somebody else's by now"), "{destroyed:?}");
    stage.world_is(&now, "after the old state was applied and destroyed");
}

#[tokio::test]
async fn what_others_have_in_a_namespace_stops_its_deletion() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let key = "ConfigMap/shop/precious";
    create_by_others(&stage, key);
    let before = stage.world.memory();
    let refused = stage.engine.destroy(NAME, &state).await;
    assert!(text(&refused.errors).contains("ConfigMap/shop/precious"), "{:?}", refused.errors);
    stage.world_is(&before, "after the refusal");
    let config = with(&stage, &[("destroy_contents", true.into())]);
    let state = stage.attempt(&state, &config).await.state;
    stage.destroy(&state, "with all that is in it").await;
}

#[tokio::test]
async fn a_create_that_goes_on_and_fails_taints_nothing() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.world.draw_again();
    let (_, failed) = stage.fail_at("cluster: apply Secret/shop/db", &Value::Null, &config).await;
    assert_eq!(failed.state, Value::Null);
    let again = stage.attempt(&Value::Null, &config).await;
    assert_eq!(again.errors, Vec::<String>::new());
    assert_eq!(shown(&again.state, "fields"), shown(&state, "fields"));
    stage.destroy(&again.state, "after a create that went on").await;
}

#[tokio::test]
async fn a_create_that_adopts_and_fails_taints_nothing() {
    let mut stage = Stage::of(row(NAME)).await;
    create_by_others(&stage, "Namespace/shop");
    let config = with(&stage, &[("adopt", vec!["Namespace/shop"].into())]);
    let (_, failed) = stage.fail_at("cluster: apply Secret/shop/db", &Value::Null, &config).await;
    assert_eq!(failed.state, Value::Null);
    assert_eq!(stage.attempt(&Value::Null, &config).await.errors, Vec::<String>::new());
}

#[tokio::test]
async fn a_destroy_that_reaches_nobody_forgets_nothing() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let hosts: Vec<_> = stage.world.memory().hosts.into_keys().collect();
    hosts.iter().for_each(|host| stage.world.change_host(host.as_str(), |host| host.answers = false));
    let failed = stage.engine.destroy(NAME, &state).await;
    assert!(failed.errors.len() == 1 && failed.state == state, "{:?}", failed.errors);
    hosts.iter().for_each(|host| stage.world.change_host(host.as_str(), |host| host.answers = true));
    stage.destroy(&failed.state, "once a host answers").await;
}

/// As guides to hardening have it. The record of each host says that the cluster is there.
#[tokio::test]
async fn a_destroy_forgets_nothing_where_credentials_alone_were_taken_away() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let path = HostPath::literal(ADMIN_KUBECONFIG);
    let hosts: Vec<_> = stage.world.memory().hosts.into_keys().collect();
    let taken: Vec<_> =
        hosts.iter().map(|host| stage.world.change_host(host.as_str(), |host| host.files.remove(&path))).collect();
    let failed = stage.engine.destroy(NAME, &state).await;
    assert!(failed.errors.len() == 1 && failed.state == state, "{:?}", failed.errors);
    for (host, file) in hosts.iter().zip(taken) {
        stage.world.change_host(host.as_str(), |host| host.files.extend(file.map(|file| (path.clone(), file))));
    }
    stage.destroy(&failed.state, "once they are back").await;
}

#[tokio::test]
async fn a_field_that_a_controller_may_take_over_is_left_to_it_from_then_on() {
    let mut stage = Stage::of(row(NAME)).await;
    let ignored = Value::object([(WEB, vec![".spec.replicas"].into())]);
    let config = with(&stage, &[("ignore_fields", ignored.clone())]);
    let state = stage.attempt(&Value::Null, &config).await.state;
    assert_eq!(live(&stage, WEB)["spec"]["replicas"], 2);
    set(&stage, WEB, "/spec/replicas", json!(5), "horizontal-pod-autoscaler");
    stage.settled(&state, &config, "after the autoscaler").await;
    let paused = yaml(SHOP.replace("replicas: 2,", "replicas: 2, paused: false,"));
    let more = with(&stage, &[paused, ("ignore_fields", ignored)]);
    let applied = stage.attempt(&state, &more).await;
    let spec = live(&stage, WEB)["spec"].clone();
    assert_eq!((applied.errors, spec["replicas"].clone(), spec["paused"].clone()), (vec![], json!(5), json!(false)));
    stage.settled(&applied.state, &more, "after another change").await;
}

/// What is ours of it alone stays.
#[tokio::test]
async fn a_part_of_an_ignored_field_that_is_in_conflict_leaves_the_rest_ours() {
    let mut stage = Stage::of(row(NAME)).await;
    let key = "ConfigMap/shop/endpoint";
    let mut both = config_map("endpoint", "1");
    both.set("data", Value::object([("a", "1".into()), ("b", "1".into())]));
    let mut later = both.clone();
    later.set("data", Value::object([("a", "2".into()), ("b", "1".into())]));
    let ignored = ("ignore_fields", Value::object([(key, vec![".data"].into())]));
    let config = with(&stage, &[("objects", Value::List(vec![both])), ignored.clone()]);
    let state = stage.attempt(&Value::Null, &config).await.state;
    // Of the same value: both manage it.
    stage.world.change(|memory| share(&mut memory.cluster, key, "/data/a", "team-a"));
    let config = with(&stage, &[("objects", Value::List(vec![later])), ignored]);
    let applied = stage.attempt(&state, &config).await;
    let data = live(&stage, key)["data"].clone();
    assert_eq!((applied.errors, data), (vec![], json!({ "a": "1", "b": "1" })));
}

/// Where the API server says what is theirs: nothing of a field that is managed as one was seen to change.
#[tokio::test]
async fn an_ignored_field_in_conflict_is_left_to_whoever_manages_it() {
    let mut stage = Stage::of(row(NAME)).await;
    let ignored = ("ignore_fields", Value::object([(WEB, vec![".spec.paused"].into())]));
    let state = stage.create().await;
    set(&stage, WEB, "/spec/paused", json!(true), "team-a");
    let config = with(&stage, &[ignored, yaml(SHOP.replace("replicas: 2,", "replicas: 3, paused: false,"))]);
    let applied = stage.attempt(&state, &config).await;
    let spec = live(&stage, WEB)["spec"].clone();
    assert_eq!((applied.errors, spec["paused"].clone(), spec["replicas"].clone()), (vec![], json!(true), json!(3)));
    stage.settled(&applied.state, &config, "with what is theirs").await;
}
