//! The cluster's own objects: their settings, what others have changed of them, and what is gone.

use super::engine::Outcome;
use super::rows::row;
use super::{Stage, complete, texts};
use crate::fakes::set_by;
use schema::Value;
use serde_json::json;

const CLUSTER: &str = "k8s_hardway_cluster";
const COREDNS: &str = "Deployment.apps/kube-system/coredns";
const COREFILE: &str = "ConfigMap/kube-system/coredns";
const IMAGE: &str = "/spec/template/spec/containers/0/image";
const APPLIED: &str = "apply the cluster's own objects";

fn live(stage: &Stage, key: &str) -> serde_json::Value {
    stage.world.memory().cluster.manifests.get(&key.parse().unwrap()).cloned().unwrap_or_default()
}

/// Somebody has scaled CoreDNS.
async fn scaled() -> (Stage, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    stage.world.change(|memory| set_by(&mut memory.cluster, COREDNS, "/spec/replicas", json!(5), "kubectl"));
    stage.world.arm(None);
    (stage, state)
}

fn with(stage: &Stage, changes: &[(&str, Value)]) -> Value {
    let mut config = stage.config.clone();
    changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
    complete(stage.engine.schema(CLUSTER), &config)
}

fn coredns(name: &str, value: Value) -> (&'static str, Value) {
    ("coredns", Value::object([(name, value)]))
}

async fn change(stage: &mut Stage, state: &Value, config: &Value) -> Outcome {
    let planned = stage.engine.plan(CLUSTER, state, config).await.planned;
    let applied = stage.engine.apply(CLUSTER, state, config, &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    applied
}

#[tokio::test]
async fn a_setting_of_coredns_changes_its_objects_and_no_host() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    assert_eq!(texts(state.get("rollout")).iter().filter(|line| *line == APPLIED).count(), 1);
    let config = with(&stage, &[coredns("forward", vec!["192.0.2.53"].into())]);
    let plan = stage.engine.plan(CLUSTER, &state, &config).await;
    assert_eq!(texts(plan.planned.get("rollout")), [APPLIED]);
    let is_changed = |(key, digest): &(&String, &Value)| state.get("own_objects").get(key) != *digest;
    let changed: Vec<&String> =
        plan.planned.get("own_objects").as_map().unwrap().iter().filter(is_changed).map(|(key, _)| key).collect();
    assert_eq!(changed, [COREFILE]);
    let before = live(&stage, COREDNS);
    let applied = stage.apply(&state, &config).await;
    assert!(live(&stage, COREFILE)["data"]["Corefile"].as_str().unwrap().contains("forward . 192.0.2.53 {"));
    assert_eq!(live(&stage, COREDNS), before);
    let refreshed = stage.engine.refresh(CLUSTER, &applied).await;
    assert_eq!(stage.rollout(&refreshed.state, &config).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_others_have_changed_is_in_the_plan_and_is_restored() {
    let (mut stage, state) = scaled().await;
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    assert_eq!(refreshed.state.get("own_objects_drift").get(COREDNS).get(".spec.replicas").as_str(), Some("5, by kubectl"));
    let config = stage.config.clone();
    assert_eq!(stage.rollout(&refreshed.state, &config).await, [APPLIED]);
    let applied = stage.apply(&refreshed.state, &config).await;
    assert_eq!(live(&stage, COREDNS)["spec"]["replicas"], 2);
    assert_eq!(applied.get("own_objects_drift"), &Value::object([]));
    let refreshed = stage.engine.refresh(CLUSTER, &applied).await;
    assert_eq!(refreshed.state.get("own_objects_drift"), &Value::object([]));
    assert_eq!(refreshed.state.get("own_objects"), applied.get("own_objects"));
}

#[tokio::test]
async fn an_object_that_is_gone_is_in_the_plan_and_comes_back() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    stage.world.change(|memory| drop(memory.cluster.manifests.remove(&COREDNS.parse().unwrap())));
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    assert!(refreshed.state.get("own_objects").get(COREDNS).is_null());
    assert_eq!(refreshed.state.get("own_objects_drift").get(COREDNS).get("").as_str(), Some("it is not there"));
    let config = stage.config.clone();
    stage.apply(&refreshed.state, &config).await;
    assert_eq!(live(&stage, COREDNS)["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_field_that_is_left_to_others_stays_with_them() {
    let (mut stage, state) = scaled().await;
    let ignored = ("ignore_fields", Value::object([(COREDNS, Value::from(vec![".spec.replicas"]))]));
    let config = with(&stage, std::slice::from_ref(&ignored));
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    assert_eq!(stage.rollout(&refreshed.state, &config).await, Vec::<String>::new());
    let state = stage.apply(&refreshed.state, &config).await;
    let config =
        with(&stage, &[ignored, coredns("resources", Value::object([("limits", Value::object([("memory", "1Gi".into())]))]))]);
    let applied = change(&mut stage, &state, &config).await;
    assert_eq!(applied.warnings, Vec::<String>::new());
    let deployment = live(&stage, COREDNS);
    assert_eq!(deployment["spec"]["replicas"], 5);
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"], "1Gi");
    let refreshed = stage.engine.refresh(CLUSTER, &applied.state).await;
    assert_eq!(refreshed.state.get("own_objects_drift"), &Value::object([]));
}

#[tokio::test]
async fn a_change_that_no_plan_has_shown_stays_and_the_next_plan_shows_it() {
    let (mut stage, state) = scaled().await;
    let config = with(&stage, &[coredns("replicas", 3.into())]);
    let applied = change(&mut stage, &state, &config).await;
    let said = format!("{COREDNS}: .spec.replicas, conflict with \"kubectl\"; the declared value is 3");
    assert!(applied.warnings.len() == 1 && applied.warnings[0].contains(&said), "{:?}", applied.warnings);
    assert_eq!(live(&stage, COREDNS)["spec"]["replicas"], 5);
    let refreshed = stage.engine.refresh(CLUSTER, &applied.state).await;
    let applied = change(&mut stage, &refreshed.state, &config).await;
    assert_eq!((applied.warnings, live(&stage, COREDNS)["spec"]["replicas"].clone()), (vec![], json!(3)));
}

/// An older version of this provider declared another image.
#[tokio::test]
async fn what_an_older_version_has_applied_is_in_the_plan() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let mut state = stage.create().await;
    stage.world.change(|memory| {
        let live = memory.cluster.manifests.get_mut(&COREDNS.parse().unwrap()).unwrap();
        *live.pointer_mut(IMAGE).unwrap() = json!("coredns:old");
        let text = live.to_string().replace("k8s-hardway/own-sha256", "k8s-hardway/declared-sha256");
        *live = serde_json::from_str(&text).unwrap();
        live["metadata"]["annotations"]["k8s-hardway/declared-sha256"] = json!("of the older one");
    });
    // Such a state has none of these attributes.
    ["own_objects", "own_objects_drift"].into_iter().for_each(|name| state.set(name, Value::Null));
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    assert_eq!(refreshed.state.get("own_objects").get(COREDNS).as_str(), Some("of the older one"));
    let config = stage.config.clone();
    assert_eq!(stage.rollout(&refreshed.state, &config).await, [APPLIED]);
    stage.apply(&refreshed.state, &config).await;
    assert!(live(&stage, COREDNS).pointer(IMAGE).unwrap().as_str().unwrap().contains("/coredns:v"));
}

#[tokio::test]
async fn a_controller_that_changes_touches_no_object() {
    let (mut stage, state) = scaled().await;
    let before = stage.world.memory().cluster.manifests;
    let config = with(&stage, &[("controller_manager", Value::object([("flags", Value::object([("v", "2".into())]))]))]);
    let applied = change(&mut stage, &state, &config).await;
    assert_eq!(applied.warnings, Vec::<String>::new());
    assert_eq!(stage.world.memory().cluster.manifests, before);
}

#[tokio::test]
async fn settings_that_are_not_known_yet_leave_the_rest_of_the_plan_known() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let config = with(&stage, &[coredns("replicas", Value::Unknown)]);
    let plan = stage.engine.plan(CLUSTER, &state, &config).await;
    assert!(plan.planned.get("own_objects").is_unknown() && plan.planned.get("rollout").is_unknown());
    assert_eq!(plan.planned.get("host_contents"), state.get("host_contents"));
    let strange = ("ignore_fields", Value::object([("ConfigMap/kube-system/other", Value::from(vec![".data"]))]));
    let config = with(&stage, &[strange]);
    let said = stage.engine.ask_plan(CLUSTER, &state, &config).await.unwrap_err();
    assert_eq!(said[0].attribute.as_deref(), Some("ignore_fields"));
    assert!(said[0].text.contains("ConfigMap/kube-system/other is none of the cluster's own objects"), "{said:?}");
}

#[tokio::test]
async fn an_apply_that_reaches_nobody_does_not_say_that_it_applied_anything() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let config = with(&stage, &[coredns("replicas", 3.into())]);
    let planned = stage.engine.plan(CLUSTER, &state, &config).await.planned;
    for host in ["cp-1", "cp-2", "cp-3"] {
        stage.world.change_host(host, |memory| memory.answers = false);
    }
    let applied = stage.engine.apply(CLUSTER, &state, &config, &planned).await;
    assert!(applied.errors.len() == 1 && applied.errors[0].contains("own objects were not applied"), "{:?}", applied.errors);
    assert_eq!(applied.state.get("own_objects"), state.get("own_objects"));
}

/// As the only way to settings of CoreDNS was in earlier versions.
#[tokio::test]
async fn an_object_that_another_resource_has_adopted_is_drift_and_can_be_left_to_it() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    stage.world.change(|memory| {
        set_by(&mut memory.cluster, COREDNS, "/spec/replicas", json!(5), "k8s-hardway-manifests");
        let live = memory.cluster.manifests.get_mut(&COREDNS.parse().unwrap()).unwrap();
        live["metadata"]["annotations"]["k8s-hardway/declared-sha256"] = json!("of theirs");
    });
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    assert_eq!(refreshed.state.get("own_objects"), state.get("own_objects"));
    let drift = refreshed.state.get("own_objects_drift").get(COREDNS).get(".spec.replicas").clone();
    assert_eq!(drift.as_str(), Some("5, by k8s-hardway-manifests"));
    let ignored = ("ignore_fields", Value::object([(COREDNS, Value::from(vec![".spec.replicas"]))]));
    let config = with(&stage, &[ignored]);
    assert_eq!(stage.rollout(&refreshed.state, &config).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_somebody_has_changed_is_not_shown() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    stage.world.change(|memory| set_by(&mut memory.cluster, COREFILE, "/data/Corefile", json!(".:53 {}"), "kubectl-edit"));
    let refreshed = stage.engine.refresh(CLUSTER, &state).await;
    let drift = refreshed.state.get("own_objects_drift").get(COREFILE).get(".data.Corefile").clone();
    assert_eq!(drift.as_str(), Some("(changed or removed, by kubectl-edit)"));
}

/// Such as parameters of an update strategy that it has no more.
#[tokio::test]
async fn an_object_that_does_not_fit_what_others_have_set_is_left_and_named() {
    let (mut stage, state) = scaled().await;
    stage.world.change(|memory| memory.cluster.unfit.insert(COREDNS.into()));
    let config = with(&stage, &[coredns("resources", Value::object([("limits", Value::object([("memory", "1Gi".into())]))]))]);
    let before = live(&stage, COREDNS);
    let applied = change(&mut stage, &state, &config).await;
    let said = format!("{COREDNS} is invalid; nothing of this object was applied");
    assert!(applied.warnings.len() == 1 && applied.warnings[0].contains(&said), "{:?}", applied.warnings);
    assert_eq!(live(&stage, COREDNS), before);
}
