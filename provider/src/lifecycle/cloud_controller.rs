//! The AWS cloud controller manager on its hosts: where its program comes from, what restarts it, what it may do, and when it counts as running.

use super::rows::row;
use super::{Stage, complete, texts};
use crate::fakes::set_by;
use render::component::CLOUD_CONTROLLER;
use schema::Value;
use serde_json::json;
use std::collections::BTreeSet;

const NAME: &str = "k8s_ccm_config";
const ROLE: &str = "ClusterRole.rbac.authorization.k8s.io/k8s-hardway:cloud-controller-manager";
const OBJECTS: &str = "apply the controller's objects";

fn with(stage: &Stage, changes: &[(&str, Value)]) -> Value {
    let mut config = stage.config.clone();
    changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
    complete(stage.engine.schema(NAME), &config)
}

fn has_role(stage: &Stage) -> bool {
    stage.world.memory().cluster.manifests.contains_key(&ROLE.parse().unwrap())
}

fn runs_on(stage: &Stage) -> Vec<String> {
    let hosts = stage.world.memory().hosts;
    hosts.iter().filter(|(_, host)| host.runs(&CLOUD_CONTROLLER)).map(|(name, _)| name.to_string()).collect()
}

#[tokio::test]
async fn a_plan_shows_its_configuration_and_an_apply_ends_when_one_leads() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    let planned = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    assert_eq!(
        planned.get("cloud_conf").as_str(),
        Some("[Global]\nRegion = us-east-1\nKubernetesClusterID = demo\nNodeIPFamilies = ipv4\n")
    );
    let lines = texts(planned.get("rollout"));
    assert_eq!(
        (lines[1].as_str(), lines.last().map(String::as_str)),
        (OBJECTS, Some("cp-3: wait until a controller leads")),
        "{lines:?}"
    );
    let state = stage.create().await;
    assert_eq!((runs_on(&stage), has_role(&stage)), (["cp-1", "cp-2", "cp-3"].map(str::to_string).to_vec(), true));
    assert_eq!(state.get("join"), config.get("cluster"));
    stage.settled(&state, &config, "once it leads").await;
    stage.destroy(&state, "with what it may do").await;
    assert!(!has_role(&stage));
}

#[tokio::test]
async fn a_change_restarts_one_host_after_the_other_and_a_host_that_leaves_loses_it() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let config = with(&stage, &[("cloud_config", Value::object([("region", "us-east-2".into())]))]);
    let lines = stage.rollout(&state, &config).await;
    assert!(lines.iter().any(|line| line.contains("one at a time") && line.contains("restart")), "{lines:?}");
    let two = row(NAME).changed(&stage.config, &row(NAME).updates[4]);
    let two = complete(stage.engine.schema(NAME), &two);
    stage.apply(&state, &two).await;
    assert_eq!(runs_on(&stage), ["cp-1", "cp-2"]);
}

#[tokio::test]
async fn digests_are_looked_up_once_for_a_version_and_pinned() {
    let mut stage = Stage::of(row(NAME)).await;
    let looked_up =
        |stage: &Stage, changes: &[(&str, Value)]| with(stage, &[&[("program_sha256", Value::Null)], changes].concat());
    let fetched =
        |stage: &Stage| -> Vec<String> { stage.world.fetches().into_iter().filter(|url| url.contains("/v2/")).collect() };
    let config = looked_up(&stage, &[]);
    let state = stage.apply(&Value::Null, &config).await;
    let urls: BTreeSet<String> = fetched(&stage).into_iter().collect();
    // The index, and the manifest of the only architecture.
    assert!(urls.len() == 2 && urls.iter().all(|url| url.starts_with("https://registry.k8s.io/v2/provider-aws/")), "{urls:?}");
    let count = fetched(&stage).len();
    stage.world.publish(false);
    stage.settled(&state, &config, "without a registry").await;
    let flags = looked_up(&stage, &[("flags", Value::object([("v", "4".into())]))]);
    let state = stage.apply(&state, &flags).await;
    assert_eq!(fetched(&stage).len(), count);
    let other = looked_up(&stage, &[("version", "1.35.9".into())]);
    let refused = stage.engine.try_plan(NAME, &state, &other).await.err().unwrap_or_default();
    assert!(refused.iter().any(|error| error.contains("he digest of the controller's program is not known")), "{refused:?}");
    stage.world.publish(true);
    let state = stage.apply(&state, &other).await;
    assert!(fetched(&stage).len() > count && state.get("program_sha256").get("amd64").is_set());
}

#[tokio::test]
async fn a_registry_that_is_not_reached_at_plan_is_asked_again_at_apply() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = with(&stage, &[("program_sha256", Value::Null)]);
    stage.world.publish(false);
    let plan = stage.engine.plan(NAME, &Value::Null, &config).await;
    assert!(plan.warnings.iter().any(|warning| warning.contains("is not known yet")), "{:?}", plan.warnings);
    let failed = stage.engine.apply(NAME, &Value::Null, &config, &plan.planned).await;
    assert!(failed.errors.len() == 1 && runs_on(&stage).is_empty(), "{:?}", failed.errors);
    stage.world.publish(true);
    let applied = stage.engine.apply(NAME, &Value::Null, &config, &plan.planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
}

/// What the registry answers under the digest of a version that is known is held to it.
#[tokio::test]
async fn an_image_with_another_digest_than_was_published_is_refused() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = with(&stage, &[("version", "1.35.2".into()), ("program_sha256", Value::Null)]);
    let plan = stage.engine.plan(NAME, &Value::Null, &config).await;
    let url = "/v2/provider-aws/cloud-controller-manager/manifests/sha256:5a5d4e59";
    assert!(plan.warnings.iter().any(|warning| warning.contains(url)), "{:?}", plan.warnings);
}

#[tokio::test]
async fn what_others_change_of_what_it_may_do_is_drift_and_restored_alone() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.world.change(|memory| set_by(&mut memory.cluster, ROLE, "/rules", json!([]), "kubectl"));
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    assert!(refreshed.get("own_objects_drift").get(ROLE).is_set());
    assert_eq!(stage.rollout(&refreshed, &config).await, [OBJECTS]);
    let restored = stage.attempt(&refreshed, &config).await;
    assert_eq!(restored.errors, Vec::<String>::new());
    stage.settled(&restored.state, &config, "once it may do everything again").await;
}

#[tokio::test]
async fn a_controller_that_does_not_lead_is_an_error_that_says_so() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = stage.config.clone();
    let planned = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    stage.world.change(|memory| memory.cluster.is_leaderless = true);
    let failed = stage.engine.apply(NAME, &Value::Null, &config, &planned).await;
    assert!(
        failed.errors.iter().any(|error| error.contains("o cloud controller manager leads after 60 s")),
        "{:?}",
        failed.errors
    );
    stage.world.change(|memory| memory.cluster.is_leaderless = false);
    let applied = stage.attempt(&failed.state, &config).await;
    assert_eq!(applied.errors, Vec::<String>::new());
}

/// Their kubelets name both addresses of their hosts.
#[tokio::test]
async fn families_are_those_of_pods_and_of_hosts() {
    let mut stage = Stage::of(row(NAME)).await;
    let host =
        |address: &str, secondary: &str| Value::object([("address", address.into()), ("secondary_address", secondary.into())]);
    let config = with(&stage, &[("hosts", Value::object([("cp-1", host("192.0.2.11", "2001:db8::11"))]))]);
    let planned = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
    let text = planned.get("cloud_conf").as_str().map(str::to_string).unwrap_or_default();
    assert!(text.ends_with("NodeIPFamilies = ipv4\nNodeIPFamilies = ipv6\n"), "{text}");
}

#[tokio::test]
async fn without_pki_what_is_made_of_it_stays() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let without = with(&stage, &[("pki", Value::Null)]);
    stage.settled(&state, &without, "as under ignore_changes").await;
    let flags = with(&stage, &[("pki", Value::Null), ("flags", Value::object([("v", "4".into())]))]);
    stage.apply(&state, &flags).await;
    let refused = stage
        .engine
        .try_plan(NAME, &state, &with(&stage, &[("pki", Value::Null), ("api_server", "https://127.0.0.1:7443".into())]))
        .await;
    assert!(refused.err().unwrap_or_default().iter().any(|error| error.contains("his change needs pki")));
}

#[tokio::test]
async fn a_pki_of_another_cluster_is_refused() {
    let mut stage = Stage::of(row(NAME)).await;
    let mut join = stage.config.get("cluster").clone();
    join.set("apiserver_authority", crate::fakes::CLIENT_CERTIFICATE_PEM.into());
    let refused = stage.engine.try_plan(NAME, &Value::Null, &with(&stage, &[("cluster", join)])).await.err().unwrap_or_default();
    assert!(refused.iter().any(|error| error.contains("ki is not that of the cluster")), "{refused:?}");
}

/// Its files and what it may do have one name each.
#[tokio::test]
async fn a_cluster_has_one_controller() {
    let mut stage = Stage::of(row(NAME)).await;
    stage.create().await;
    let failed = stage.attempt(&Value::Null, &with(&stage, &[("name", "other".into())])).await;
    assert!(failed.errors.iter().any(|error| error.contains("k8s_ccm_config.demo.aws")), "{:?}", failed.errors);
    assert!(has_role(&stage) && runs_on(&stage).len() == 3);
}

#[tokio::test]
async fn hosts_of_another_cluster_are_refused_before_anything_is_written() {
    let mut stage = Stage::of(row(NAME)).await;
    let mut join = stage.config.get("cluster").clone();
    join.set("cluster_uid", "00000000-0000-4000-8000-000000000001".into());
    let config = with(&stage, &[("cluster", join)]);
    let failed = stage.attempt(&Value::Null, &config).await;
    assert!(failed.errors.iter().any(|error| error.contains("does not carry the cluster demo")), "{:?}", failed.errors);
    assert!(!has_role(&stage) && stage.world.calls().is_empty(), "{:?}", stage.world.calls());
}
