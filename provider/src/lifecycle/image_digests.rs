//! Images by digest: where a digest comes from, what changes it, and what it is worth when somebody moves or takes it away.

use super::Stage;
use super::addons::{NAME, SERVER, live, with};
use super::rows::row;
use crate::fakes::{digest_of, set_by};
use schema::Value;
use serde_json::json;

const POD: &str = "Pod/kube-system/k8s-hardway-images-metrics-server";
const REFERENCE: &str = "registry.k8s.io/metrics-server/metrics-server:v0.8.1";
const PULL: &str = "pull metrics-server on one node, for the digests";

/// Of the one container.
fn image(stage: &Stage) -> String {
    live(stage, SERVER)["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_string()
}

fn has_pod(stage: &Stage) -> bool {
    stage.world.memory().cluster.manifests.contains_key(&POD.parse().unwrap())
}

fn pinned() -> String {
    format!("{REFERENCE}@{}", digest_of(REFERENCE))
}

#[tokio::test]
async fn objects_name_images_by_the_digest_that_a_node_has_pulled() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    let plan = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    assert!(plan.get("image_digests").get(REFERENCE).is_unknown() && plan.get("fields").is_wholly_known());
    assert_eq!(super::texts(plan.get("rollout"))[0], PULL);
    let state = stage.create().await;
    assert_eq!((image(&stage), has_pod(&stage)), (pinned(), false));
    assert_eq!(state.get("image_digests").get(REFERENCE).as_str(), Some(digest_of(REFERENCE).as_str()));
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    assert_eq!(refreshed.get("drift").as_map().map(|drift| drift.len()), Some(0));
}

#[tokio::test]
async fn another_reference_gets_a_digest_of_its_own_and_anything_else_keeps_it() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let more = with(&stage, &[("settings", Value::object([("replicas", 3.into())]))]);
    assert!(!stage.rollout(&state, &more).await.contains(&PULL.to_string()));
    let moved = with(&stage, &[("version", "0.9.0".into())]);
    assert_eq!(stage.rollout(&state, &moved).await[0], PULL);
    let applied = stage.attempt(&state, &moved).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let reference = REFERENCE.replace("0.8.1", "0.9.0");
    assert_eq!(image(&stage), format!("{reference}@{}", digest_of(&reference)));
    // Named by digest already.
    let own = format!("registry.example.net/metrics-server@sha256:{}", "a".repeat(64));
    let overridden = with(&stage, &[("image_overrides", Value::object([("metrics-server", own.as_str().into())]))]);
    assert!(!stage.rollout(&state, &overridden).await.contains(&PULL.to_string()));
    let applied = stage.attempt(&applied.state, &overridden).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], own));
    assert_eq!(applied.state.get("image_digests").as_map().map(|digests| digests.len()), Some(0));
}

#[tokio::test]
async fn a_digest_that_somebody_takes_away_is_drift() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let mut containers = live(&stage, SERVER)["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = json!(REFERENCE);
    stage.world.change(|memory| set_by(&mut memory.cluster, SERVER, "/spec/template/spec/containers", containers, "kubectl"));
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    let drift = refreshed.get("drift").get(SERVER).clone();
    let said = drift.as_map().into_iter().flatten().filter_map(|(_, text)| text.as_str()).collect::<String>();
    assert!(said.contains(&format!("{REFERENCE} without its digest")) && said.contains("kubectl"), "{drift:?}");
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], pinned()));
}

/// As an apply leaves it that was cut off while images were to be named by tag.
#[tokio::test]
async fn a_digest_that_is_missing_from_what_this_provider_applied_is_put_back() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let mut containers = live(&stage, SERVER)["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = json!(REFERENCE);
    let key = SERVER.parse().unwrap();
    stage
        .world
        .change(|memory| memory.cluster.manifests.get_mut(&key).unwrap()["spec"]["template"]["spec"]["containers"] = containers);
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    let drift = refreshed.get("drift").get(SERVER).get(".spec.template.spec").as_str().map(str::to_string);
    assert_eq!(drift.as_deref(), Some("an image is named without its digest"));
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], pinned()));
}

#[tokio::test]
async fn an_image_that_no_node_has_pulled_in_time_changes_nothing() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    stage.world.change(|memory| memory.cluster.never_ready.insert(POD.into()));
    let before = stage.world.memory();
    let failed = stage.attempt(&Value::Null, &config).await;
    let reason = format!("{REFERENCE} (metrics-server): its kubelet has said nothing yet");
    assert!(failed.errors[0].contains(&reason) && failed.errors[0].contains("pin_images"), "{:?}", failed.errors);
    assert!(failed.state.is_null());
    stage.world_is(&before, "after images that were not pulled");
    let without = with(&stage, &[("pin_images", false.into())]);
    assert_eq!(stage.attempt(&Value::Null, &without).await.errors, Vec::<String>::new());
    assert_eq!(image(&stage), REFERENCE);
}

/// By a version of the provider that looked none up.
#[tokio::test]
async fn what_was_applied_by_tag_gets_its_digest_with_the_next_apply() {
    let mut stage = Stage::of(row(NAME)).await;
    let without = with(&stage, &[("pin_images", false.into())]);
    let mut state = stage.attempt(&Value::Null, &without).await.state;
    assert_eq!(image(&stage), REFERENCE);
    state.set("pin_images", Value::Null);
    state.set("image_digests", Value::Null);
    let config = stage.config.clone();
    let lines = stage.rollout(&state, &config).await;
    assert_eq!(lines, [PULL.to_string(), format!("update {SERVER}"), format!("wait until {SERVER} is ready")]);
    let applied = stage.attempt(&state, &config).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], pinned()));
    // And back.
    assert_eq!(stage.rollout(&applied.state, &without).await[0], format!("update {SERVER}"));
    let applied = stage.attempt(&applied.state, &without).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], REFERENCE.to_string()));
}

#[tokio::test]
async fn an_apply_that_does_not_wait_looks_nothing_up_and_keeps_what_is_known() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let without = with(&stage, &[("wait", false.into())]);
    assert!(stage.attempt(&state, &without).await.errors.is_empty() && image(&stage) == pinned());
    let created = stage.engine.plan(NAME, &Value::Null, &without).await.planned;
    assert_eq!(created.get("image_digests").as_map().map(|digests| digests.len()), Some(0));
}

/// What a state had by then is what still runs, and a user may go back to it.
#[tokio::test]
async fn a_failed_upgrade_keeps_the_digest_of_what_runs() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    let moved = with(&stage, &[("version", "0.9.0".into())]);
    stage.world.change(|memory| memory.cluster.never_ready.insert(SERVER.into()));
    let failed = stage.attempt(&state, &moved).await;
    assert!(!failed.errors.is_empty());
    let known = |reference: &str| failed.state.get("image_digests").get(reference).as_str().map(str::to_string);
    let later = REFERENCE.replace("0.8.1", "0.9.0");
    assert_eq!((known(REFERENCE), known(&later)), (Some(digest_of(REFERENCE)), Some(digest_of(&later))));
    stage.world.change(|memory| memory.cluster.never_ready.clear());
    assert!(!stage.rollout(&failed.state, &config).await.contains(&PULL.to_string()));
    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!((applied.errors, image(&stage)), (vec![], pinned()));
    assert_eq!(applied.state.get("image_digests").as_map().map(|digests| digests.len()), Some(1));
}

/// It may name its image by digest: engines refuse a map that has lost an entry which the plan had.
#[tokio::test]
async fn a_reference_that_is_not_known_yet_leaves_the_digests_open() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    for wait in [true, false] {
        let open =
            with(&stage, &[("image_overrides", Value::object([("metrics-server", Value::Unknown)])), ("wait", wait.into())]);
        for prior in [&Value::Null, &state] {
            assert!(stage.engine.plan(NAME, prior, &open).await.planned.get("image_digests").is_unknown());
        }
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_refused_before_a_pod_is_made() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.world.draw_again();
    let taken = stage.attempt(&Value::Null, &config).await.state;
    assert_ne!(taken.get("holder"), state.get("holder"));
    let refused = stage.attempt(&state, &with(&stage, &[("version", "0.9.0".into())])).await;
    assert!(refused.errors[0].contains("is in another state now"), "{:?}", refused.errors);
    assert_eq!(stage.world.calls(), [""; 0]);
}

/// Also where nothing is looked up any more.
#[tokio::test]
async fn a_pod_that_a_killed_apply_has_left_goes_with_the_next() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, more) = (stage.create().await, with(&stage, &[("settings", Value::object([("replicas", 3.into())]))]));
    stage
        .world
        .change(|memory| drop(memory.cluster.manifests.insert(POD.parse().unwrap(), json!({ "metadata": { "uid": "1" } }))));
    assert_eq!(stage.attempt(&state, &more).await.errors, Vec::<String>::new());
    assert!(!has_pod(&stage));
}
