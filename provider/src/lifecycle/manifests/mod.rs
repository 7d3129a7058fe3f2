//! Objects in a cluster: what others change and what belongs to others, one name in two states, and what an apply that failed leaves.

mod others;
mod races;

use super::rows::{SHOP, config_map, row};
use super::{Stage, complete, texts};
use crate::fakes::{Memory, set_by};
use schema::Value;
use serde_json::json;
use std::collections::BTreeMap;

const NAME: &str = "k8s_manifests";
const WEB: &str = "Deployment.apps/shop/web";

fn with(stage: &Stage, changes: &[(&str, Value)]) -> Value {
    let mut config = stage.config.clone();
    changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
    complete(stage.engine.schema(NAME), &config)
}

fn yaml(text: String) -> (&'static str, Value) {
    ("yaml", Value::object([("shop.yaml", text.as_str().into())]))
}

fn shown(values: &Value, attribute: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let texts = |values: &Value| {
        let entries = values.as_map().into_iter().flatten();
        entries.map(|(path, text)| (path.clone(), text.as_str().unwrap_or("?").to_string())).collect()
    };
    values.get(attribute).as_map().into_iter().flatten().map(|(key, values)| (key.clone(), texts(values))).collect()
}

fn live(stage: &Stage, key: &str) -> serde_json::Value {
    stage.world.memory().cluster.manifests.get(&key.parse().unwrap()).cloned().unwrap_or_default()
}

fn set(stage: &Stage, key: &str, pointer: &str, value: serde_json::Value, manager: &str) {
    stage.world.change(|memory| set_by(&mut memory.cluster, key, pointer, value, manager));
}

fn text(diagnostics: &[String]) -> String {
    diagnostics.join("\n")
}

#[tokio::test]
async fn a_plan_names_each_object_and_each_field_in_its_order() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    let plan = stage.engine.plan(NAME, &Value::Null, &config).await;
    let lines = [
        "create CustomResourceDefinition.apiextensions.k8s.io/teams.example.com",
        "create Namespace/shop",
        "create ConfigMap/shop/endpoint",
        "create Secret/shop/db",
        "create Deployment.apps/shop/web",
        "create Team.example.com/shop/red",
        "wait until CustomResourceDefinition.apiextensions.k8s.io/teams.example.com is ready",
        "wait until Deployment.apps/shop/web is ready",
    ];
    assert_eq!(texts(plan.planned.get("rollout")), lines);
    assert_eq!(shown(&plan.planned, "fields")[WEB][".spec.replicas"], "2");
    let state = stage.create().await;
    let more = yaml(SHOP.replace("replicas: 2", "replicas: 3").replace("name: red", "name: blue"));
    let config = with(&stage, &[more, ("secrets_version", 2.into())]);
    let lines = [
        "update Secret/shop/db",
        "update Deployment.apps/shop/web (.spec.replicas)",
        "create Team.example.com/shop/blue",
        "wait until Deployment.apps/shop/web is ready",
        "delete Team.example.com/shop/red",
    ];
    assert_eq!(stage.rollout(&state, &config).await, lines);
}

#[tokio::test]
async fn what_is_not_known_yet_leaves_the_rest_of_the_plan_known() {
    let mut stage = Stage::of(row(NAME)).await;
    let mut open = config_map("endpoint", "");
    open.set("data", Value::object([("text", Value::Unknown)]));
    let config = with(&stage, &[("objects", Value::List(vec![open]))]);
    let planned = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    assert!(
        planned.get("fields").get("ConfigMap/shop/endpoint").is_unknown() && planned.get("fields").get(WEB).is_wholly_known()
    );
    assert!(texts(planned.get("rollout")).contains(&"create ConfigMap/shop/endpoint".to_string()));
    let mut open = config_map("endpoint", "");
    open.set("kind", Value::Unknown);
    let config = with(&stage, &[("objects", Value::List(vec![open]))]);
    let planned = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    assert!(planned.get("fields").is_unknown() && planned.get("rollout").is_unknown());
}

#[tokio::test]
async fn what_does_not_become_ready_is_waited_for_again_by_the_next_apply() {
    let mut stage = Stage::of(row(NAME)).await;
    stage.world.change(|memory| memory.cluster.never_ready.insert(WEB.into()));
    let config = stage.config.clone();
    let failed = stage.attempt(&Value::Null, &config).await;
    assert!(text(&failed.errors).contains("Deployment.apps/shop/web: 0 of 2 pods"), "{:?}", failed.errors);
    let refreshed = stage.engine.refresh(NAME, &failed.state).await.state;
    let lines = stage.rollout(&refreshed, &config).await;
    assert!(lines.contains(&"wait until Deployment.apps/shop/web is ready".to_string()), "{lines:?}");
    stage.world.change(|memory| memory.cluster.never_ready.clear());
    set(&stage, WEB, "/status", json!({ "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2 }), "controller");
    let state = stage.attempt(&refreshed, &config).await;
    assert_eq!(state.errors, Vec::<String>::new());
    stage.settled(&state.state, &config, "once it is ready").await;
}

#[tokio::test]
async fn what_a_stopped_create_has_not_waited_for_is_waited_for_by_the_next_apply() {
    let mut stage = Stage::of(row(NAME)).await;
    stage.world.change(|memory| memory.cluster.never_ready.insert(WEB.into()));
    let config = stage.config.clone();
    // The last object that is applied.
    stage.world.stop_at_pause(|memory| memory.cluster.manifests.contains_key(&"Team.example.com/shop/red".parse().unwrap()));
    let stopped = stage.attempt(&Value::Null, &config).await;
    assert_eq!(stopped.errors, Vec::<String>::new(), "an error would taint it");
    let refreshed = stage.engine.refresh(NAME, &stopped.state).await.state;
    let lines = stage.rollout(&refreshed, &config).await;
    assert!(lines.contains(&"wait until Deployment.apps/shop/web is ready".to_string()), "{lines:?}");
    stage.engine.configure().await;
    let failed = stage.attempt(&refreshed, &config).await;
    assert!(text(&failed.errors).contains("Deployment.apps/shop/web: 0 of 2 pods"), "{:?}", failed.errors);
}

#[tokio::test]
async fn a_field_that_cannot_be_changed_is_an_error_of_the_plan_unless_a_replacement_was_allowed() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let selector = yaml(SHOP.replace("matchLabels: {app: web}", "matchLabels: {app: other}"));
    let refused = stage.engine.try_plan(NAME, &state, &with(&stage, std::slice::from_ref(&selector))).await.unwrap_err();
    assert!(text(&refused).contains("may_replace = [\"Deployment.apps/shop/web\"]"), "{refused:?}");
    let lines = stage.rollout(&state, &with(&stage, &[selector, ("may_replace", vec![WEB].into())])).await;
    assert!(lines[0].starts_with("delete Deployment.apps/shop/web and create it again"), "{lines:?}");
}

/// Which the API server has filled in where nothing was declared, and keeps.
#[tokio::test]
async fn a_strategy_takes_the_place_of_the_one_that_was_filled_in() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, before) = (stage.create().await, stage.config.clone());
    assert_eq!(live(&stage, WEB)["spec"]["strategy"]["type"], "RollingUpdate");
    let config = with(&stage, &[yaml(SHOP.replace("replicas: 2,", "replicas: 2, strategy: {type: Recreate},"))]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, live(&stage, WEB)["spec"]["strategy"].clone()), (vec![], json!({ "type": "Recreate" })));
    let managers = live(&stage, WEB)["metadata"]["managedFields"].clone();
    let of_others = managers.as_array().unwrap().iter().filter(|entry| entry["manager"] != "k8s-hardway-manifests");
    assert!(of_others.clone().all(|entry| entry["fieldsV1"].get("f:spec").is_none()), "{managers}");
    stage.settled(&applied.state, &config, "with another strategy").await;
    let back = stage.attempt(&applied.state, &before).await;
    assert_eq!((back.errors, live(&stage, WEB)["spec"]["strategy"]["type"].clone()), (vec![], json!("RollingUpdate")));
}

/// The engine has the state of before, and the configuration is that of before again.
#[tokio::test]
async fn what_a_killed_update_has_applied_is_drift_where_the_configuration_went_back() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let before = live(&stage, WEB)["spec"].clone();
    let more = with(&stage, &[yaml(SHOP.replace("web:1", "web:2"))]);
    assert_eq!(stage.attempt(&state, &more).await.errors, Vec::<String>::new());
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    let drift = shown(&refreshed, "drift");
    assert!(drift[WEB].len() == 1 && drift[WEB].values().all(|text| text.contains("cut off")), "{drift:?}");
    let lines = stage.rollout(&refreshed, &config).await;
    assert_eq!(lines[0], "restore Deployment.apps/shop/web (.metadata.annotations[\"k8s-hardway/declared-sha256\"])");
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, live(&stage, WEB)["spec"].clone()), (vec![], before));
    stage.settled(&applied.state, &config, "after the killed update").await;
}

#[tokio::test]
async fn what_is_lost_with_objects_is_a_warning_of_the_plan() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let names = "k8s_manifests.shop deletes CustomResourceDefinition.apiextensions.k8s.io/teams.example.com, Namespace/shop";
    let destroyed = stage.engine.plan_destroy(NAME, &state).await;
    assert!(text(&destroyed).contains(names), "{destroyed:?}");
    let renamed = stage.engine.plan(NAME, &state, &with(&stage, &[("name", "store".into())])).await;
    assert!(text(&renamed.warnings).contains(names), "{:?}", renamed.warnings);
    let emptied = with(&stage, &[("yaml", Value::object([])), ("objects", Value::List(vec![])), ("secrets", Value::Null)]);
    let emptied = stage.engine.plan(NAME, &state, &emptied).await;
    assert!(text(&emptied.warnings).contains(names), "{:?}", emptied.warnings);
    assert_eq!(stage.engine.plan(NAME, &state, &config).await.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_goes_only_with_all_that_is_declared_in_it() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let without = SHOP.replace("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", "");
    let refused = stage.engine.try_plan(NAME, &state, &with(&stage, &[yaml(without)])).await.unwrap_err();
    assert!(text(&refused).contains("Namespace/shop is declared no more, and ConfigMap/shop/endpoint is"), "{refused:?}");
}

#[tokio::test]
async fn values_that_are_given_no_more_leave_the_cluster() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    assert!(live(&stage, "Secret/shop/db")["data"]["password"].is_string());
    let config = with(&stage, &[("secrets", Value::Null)]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, live(&stage, "Secret/shop/db")["data"]["password"].clone()), (vec![], serde_json::Value::Null));
    stage.settled(&applied.state, &config, "without values").await;
}

/// A rotation that was killed, and taken back: the values in the cluster are those of the rotation.
#[tokio::test]
async fn values_of_a_killed_update_are_drift_where_the_configuration_went_back() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let secret = "Secret/shop/db";
    let before = live(&stage, secret)["data"].clone();
    let values = |keys: &[&str]| {
        Value::object([("shop/db", Value::Map(keys.iter().map(|key| (key.to_string(), "other".into())).collect()))])
    };
    for (keys, version) in [(&["password"][..], 2), (&["password", "user"], 1)] {
        let rotated = with(&stage, &[("secrets", values(keys)), ("secrets_version", version.into())]);
        assert_eq!(stage.attempt(&state, &rotated).await.errors, Vec::<String>::new());
        assert_ne!(live(&stage, secret)["data"], before);
        let refreshed = stage.engine.refresh(NAME, &state).await.state;
        assert!(shown(&refreshed, "drift")[secret][".data"].contains("cut off"), "{:?}", shown(&refreshed, "drift"));
        let applied = stage.attempt(&refreshed, &config).await;
        assert_eq!((applied.errors, live(&stage, secret)["data"].clone()), (vec![], before.clone()));
        stage.settled(&applied.state, &config, "after the rotation was taken back").await;
    }
}

#[tokio::test]
async fn values_that_a_killed_update_gave_for_the_first_time_leave_where_the_configuration_went_back() {
    let mut stage = Stage::of(row(NAME)).await;
    let (given, without) = (stage.config.clone(), with(&stage, &[("secrets", Value::Null), ("secrets_version", Value::Null)]));
    let state = stage.attempt(&Value::Null, &without).await.state;
    assert_eq!(stage.attempt(&state, &given).await.errors, Vec::<String>::new());
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    assert!(shown(&refreshed, "drift")["Secret/shop/db"][".data"].contains("cut off"), "{:?}", shown(&refreshed, "drift"));
    let applied = stage.attempt(&refreshed, &without).await;
    assert_eq!((applied.errors, live(&stage, "Secret/shop/db")["data"]["password"].clone()), (vec![], serde_json::Value::Null));
    stage.settled(&applied.state, &without, "after the values were taken back").await;
}

#[tokio::test]
async fn a_job_that_goes_away_by_itself_is_not_run_again() {
    let mut stage = Stage::of(row(NAME)).await;
    let job = "\n---\n{apiVersion: batch/v1, kind: Job, metadata: {name: once, namespace: shop}, spec: {ttlSecondsAfterFinished: 0, template: {}}}";
    let config = with(&stage, &[yaml(format!("{SHOP}{job}"))]);
    let state = stage.attempt(&Value::Null, &config).await.state;
    stage.world.change(|memory| memory.cluster.manifests.remove(&"Job.batch/shop/once".parse().unwrap()));
    stage.settled(&state, &config, "after the job is gone").await;
    let more = with(&stage, &[yaml(format!("{}{job}", SHOP.replace("replicas: 2", "replicas: 3")))]);
    let applied = stage.attempt(&state, &more).await;
    assert_eq!((applied.errors, live(&stage, "Job.batch/shop/once")), (vec![], serde_json::Value::Null));
}

/// It may have failed as well.
#[tokio::test]
async fn a_job_that_is_gone_before_its_end_was_seen_is_named() {
    let mut stage = Stage::of(row(NAME)).await;
    let job = "\n---\n{apiVersion: batch/v1, kind: Job, metadata: {name: once, namespace: shop}, spec: {ttlSecondsAfterFinished: 0, template: {}}}";
    let config = with(&stage, &[yaml(format!("{SHOP}{job}"))]);
    let remove = |memory: &mut Memory| drop(memory.cluster.manifests.remove(&"Job.batch/shop/once".parse().unwrap()));
    stage.world.meanwhile("cluster: apply Team.example.com/shop/red", remove);
    let applied = stage.attempt(&Value::Null, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(text(&applied.warnings).contains("t was not seen how these ended: Job.batch/shop/once"), "{:?}", applied.warnings);
}

#[tokio::test]
async fn what_a_killed_update_has_created_is_found_though_it_is_declared_no_more() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let more = with(&stage, &[yaml(SHOP.replace("name: red", "name: blue"))]);
    // The engine has the state of before.
    assert_eq!(stage.attempt(&state, &more).await.errors, Vec::<String>::new());
    let object = live(&stage, "Team.example.com/shop/blue");
    assert!(object.is_object());
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    let lines = stage.rollout(&refreshed, &config).await;
    assert!(lines.contains(&"delete Team.example.com/shop/blue".to_string()), "{lines:?}");
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, live(&stage, "Team.example.com/shop/blue")), (vec![], serde_json::Value::Null));
    stage.settled(&applied.state, &config, "after the killed update").await;
}

#[tokio::test]
async fn values_that_are_sensitive_are_in_no_computed_attribute() {
    let mut stage = Stage::of(row(NAME)).await;
    let config =
        with(&stage, &[("sensitive", true.into()), ("objects", Value::List(vec![config_map("endpoint", "canary-value")]))]);
    let state = stage.attempt(&Value::Null, &config).await.state;
    set(&stage, "ConfigMap/shop/endpoint", "/data/text", json!("canary-other"), "kubectl");
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    assert_eq!(shown(&refreshed, "drift")["ConfigMap/shop/endpoint"][".data.text"], "(sensitive)");
    assert!(!format!("{:?}", shown(&refreshed, "fields")).contains("canary"));
    let repaired = stage.attempt(&refreshed, &config).await.state;
    stage.settled(&repaired, &config, "after the repair").await;
}

/// Engines ask again once all is known, and what was known before must not have changed.
#[tokio::test]
async fn what_is_not_known_yet_of_an_object_that_is_there_keeps_no_promise() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let mut open = config_map("endpoint", "");
    open.set("data", Value::object([("text", Value::List(vec![Value::Unknown]))]));
    let config = with(&stage, &[("objects", Value::List(vec![open]))]);
    let planned = stage.engine.plan(NAME, &state, &config).await.planned;
    assert!(planned.get("rollout").is_unknown() && planned.get("fields").get("ConfigMap/shop/endpoint").is_unknown());
}

#[tokio::test]
async fn values_can_be_hidden_and_shown_again_without_a_change_of_the_cluster() {
    let mut stage = Stage::of(row(NAME)).await;
    let (mut state, config) = (stage.create().await, stage.config.clone());
    let before = stage.world.memory();
    let hidden = with(&stage, &[("sensitive", true.into())]);
    for config in [&hidden, &config] {
        let refreshed = stage.engine.refresh(NAME, &state).await.state;
        assert_eq!(stage.rollout(&refreshed, config).await, Vec::<String>::new());
        let applied = stage.attempt(&state, config).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        state = applied.state;
        stage.settled(&state, config, "with other digests").await;
    }
    let written =
        |memory: &crate::fakes::Memory| memory.cluster.manifests.values().map(|live| live["spec"].clone()).collect::<Vec<_>>();
    assert_eq!(written(&stage.world.memory()), written(&before));
}

#[tokio::test]
async fn hiding_values_in_an_apply_that_fails_leaves_a_state_that_can_be_planned_from() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let hidden = with(&stage, &[("sensitive", true.into()), yaml(SHOP.replace("replicas: 2", "replicas: 3"))]);
    let (_, failed) = stage.fail_at("cluster: apply Secret/shop/db", &state, &hidden).await;
    for config in [hidden, stage.config.clone()] {
        let refreshed = stage.engine.refresh(NAME, &failed.state).await;
        let applied = stage.attempt(&refreshed.state, &config).await;
        assert_eq!((refreshed.errors, applied.errors), (vec![], vec![]));
        stage.settled(&applied.state, &config, "after the apply that failed").await;
    }
}
