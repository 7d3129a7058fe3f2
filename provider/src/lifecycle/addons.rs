//! Add-ons: what settings, versions and patches change, what the cluster has to be, and what is nobody else's.

use super::rows::row;
use super::{Stage, complete, texts};
use crate::fakes::set_by;
use schema::Value;
use serde_json::json;

pub(super) const NAME: &str = "k8s_addon";
pub(super) const SERVER: &str = "Deployment.apps/kube-system/metrics-server";
const FLANNELD: &str = "DaemonSet.apps/kube-flannel/kube-flannel-ds";

pub(super) fn with(stage: &Stage, changes: &[(&str, Value)]) -> Value {
    let mut config = stage.config.clone();
    changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
    complete(stage.engine.schema(NAME), &config)
}

fn settings<const N: usize>(settings: [(&str, Value); N]) -> (&'static str, Value) {
    ("settings", Value::object(settings))
}

/// Beside the patch that is there.
fn patch(stage: &Stage, key: &str, text: impl Into<Value>) -> (&'static str, Value) {
    let mut patches = stage.config.get("patches").clone();
    patches.set(key, text.into());
    ("patches", patches)
}

/// Of a cluster that is as the row's, but for these parts of its `join`.
fn of_cluster(stage: &Stage, parts: &[(&str, Value)]) -> (&'static str, Value) {
    let mut cluster = stage.config.get("cluster").clone();
    parts.iter().for_each(|(name, value)| cluster.set(name, value.clone()));
    ("cluster", cluster)
}

fn flannel(stage: &Stage, more: &[(&str, Value)]) -> Value {
    let cluster = of_cluster(stage, &[("pod_network", "none".into())]);
    let own =
        [("name", "flannel".into()), ("version", "0.28.10".into()), cluster, ("settings", Value::Null), ("patches", Value::Null)];
    with(stage, &[own.as_slice(), more].concat())
}

pub(super) fn live(stage: &Stage, key: &str) -> serde_json::Value {
    stage.world.memory().cluster.manifests.get(&key.parse().unwrap()).cloned().unwrap_or_default()
}

/// The text of a field that a plan or a state has.
fn field(values: &Value, key: &str, path: &str) -> String {
    values.get("fields").get(key).get(path).as_str().unwrap_or_default().to_string()
}

#[tokio::test]
async fn a_setting_a_version_and_a_patch_change_just_their_fields() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    assert_eq!(state.get("images").get("metrics-server").as_str(), Some("registry.k8s.io/metrics-server/metrics-server:v0.8.1"));
    let image = ".spec.template.spec.containers[name=\"metrics-server\"].image";
    let arguments = ".spec.template.spec.containers[name=\"metrics-server\"].args";
    let pool = "spec: {template: {spec: {nodeSelector: {pool: infra}}}}";
    let cases = [
        (settings([("replicas", 3.into()), ("resolution_seconds", 30.into())]), format!("{arguments}, .spec.replicas")),
        (("version", "0.9.0".into()), image.to_string()),
        (patch(&stage, SERVER, pool), ".spec.template.spec.nodeSelector.pool".to_string()),
        (("image_overrides", Value::object([("metrics-server", "registry.example.net/a:1".into())])), image.to_string()),
    ];
    for (change, fields) in cases {
        let config = with(&stage, &[change]);
        let mut lines = stage.rollout(&state, &config).await;
        lines.retain(|line| !line.starts_with("pull "));
        let mut named: Vec<&str> = fields.split(", ").collect();
        named.sort_unstable();
        let update = format!("update {SERVER} ({})", named.join(", "));
        assert_eq!(lines, [update, format!("wait until {SERVER} is ready")]);
        let applied = stage.attempt(&state, &config).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        stage.settled(&applied.state, &config, "after the change").await;
        stage.attempt(&applied.state, &stage.config.clone()).await;
    }
}

#[tokio::test]
async fn what_others_have_changed_is_named_and_restored() {
    let mut stage = Stage::of(row(NAME)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.world.change(|memory| set_by(&mut memory.cluster, SERVER, "/spec/replicas", json!(5), "kubectl"));
    let refreshed = stage.engine.refresh(NAME, &state).await.state;
    assert_eq!(refreshed.get("drift").get(SERVER).get(".spec.replicas").as_str(), Some("5, by kubectl"));
    assert_eq!(stage.rollout(&refreshed, &config).await[0], format!("restore {SERVER} (.spec.replicas)"));
    let applied = stage.attempt(&refreshed, &config).await;
    assert_eq!((applied.errors, live(&stage, SERVER)["spec"]["replicas"].clone()), (vec![], json!(2)));
}

#[tokio::test]
async fn an_add_on_and_manifests_of_the_same_name_are_not_each_others() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    let name = "k8s_manifests";
    let object = Value::object([
        ("apiVersion", "apps/v1".into()),
        ("kind", "Deployment".into()),
        ("metadata", Value::object([("name", "metrics-server".into()), ("namespace", "kube-system".into())])),
    ]);
    let config = Value::object([
        ("name", "metrics-server".into()),
        ("cluster", stage.config.get("cluster").clone()),
        ("objects", Value::List(vec![object])),
    ]);
    let config = complete(stage.engine.schema(name), &config);
    let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
    let refused = stage.engine.apply(name, &Value::Null, &config, &planned).await;
    assert!(refused.errors[0].contains(&format!("{SERVER} belongs to k8s_addon.metrics-server")), "{:?}", refused.errors);
    stage.destroy(&state, "beside manifests of the same name").await;
}

#[tokio::test]
async fn a_network_is_ready_once_all_nodes_are() {
    let mut stage = Stage::of(row(NAME)).await;
    let config = flannel(&stage, &[]);
    stage.world.change(|memory| memory.lacks_pod_network = true);
    let failed = stage.attempt(&Value::Null, &config).await;
    assert!(failed.errors[0].contains("Node/worker-1: "), "{:?}", failed.errors);
    let refreshed = stage.engine.refresh(NAME, &failed.state).await.state;
    assert_eq!(stage.rollout(&refreshed, &config).await, ["wait until all nodes are Ready"]);
    stage.world.change(|memory| memory.lacks_pod_network = false);
    let refreshed = stage.engine.refresh(NAME, &failed.state).await.state;
    stage.settled(&refreshed, &config, "once all nodes are Ready").await;
    let lines = stage.rollout(&Value::Null, &config).await;
    assert_eq!(lines.last().map(String::as_str), Some("wait until all nodes are Ready"));
    let without = with(&stage, &[("wait", false.into())]);
    assert!(!stage.rollout(&Value::Null, &without).await.iter().any(|line| line.starts_with("wait ")));
}

#[tokio::test]
async fn what_the_cluster_has_goes_into_the_objects() {
    let mut stage = Stage::of(row(NAME)).await;
    let (key, path) = ("ConfigMap/kube-flannel/kube-flannel-cfg", ".data[\"net-conf.json\"]");
    let one = flannel(&stage, &[]);
    let planned = stage.engine.plan(NAME, &Value::Null, &one).await.planned;
    let text = field(&planned, key, path);
    assert!(text.contains("172.18.0.0/16") && text.contains("\\\"EnableIPv6\\\":false"), "{text}");
    let both = Value::from(vec!["172.18.0.0/16", "fd00:18::/56"]);
    let cluster = of_cluster(&stage, &[("pod_network", "none".into()), ("pod_cidrs", both)]);
    let planned = stage.engine.plan(NAME, &Value::Null, &flannel(&stage, &[cluster])).await.planned;
    let text = field(&planned, key, path);
    assert!(text.contains("fd00:18::/56") && text.contains("\\\"EnableIPv6\\\":true"), "{text}");
    // Before the cluster is there.
    let cluster = of_cluster(&stage, &[("pod_network", "none".into()), ("pod_cidrs", Value::Unknown)]);
    let planned = stage.engine.plan(NAME, &Value::Null, &flannel(&stage, &[cluster])).await.planned;
    let fields = planned.get("fields");
    assert!(fields.get(key).is_unknown() && fields.get(FLANNELD).is_unknown());
    assert!(fields.get("Namespace/kube-flannel").is_wholly_known());
    assert!(texts(planned.get("rollout")).contains(&format!("create {key}")));
}

#[tokio::test]
async fn what_does_not_fit_the_cluster_is_an_error_of_the_plan() {
    let mut stage = Stage::of(row(NAME)).await;
    let old = with(&stage, &[of_cluster(&stage, &[("kubernetes_version", "1.30.1".into())])]);
    let said = stage.engine.ask_plan(NAME, &Value::Null, &old).await.unwrap_err();
    assert_eq!((said.len(), said[0].attribute.as_deref()), (1, Some("cluster")), "{said:?}");
    assert!(said[0].text.contains("does not work with Kubernetes 1.30.1"), "{said:?}");
    assert_eq!(stage.engine.try_validate(NAME, &old).await, said);
}

/// Before a cluster that runs changes over to it, it has to be there.
#[tokio::test]
async fn a_network_before_its_time_is_planned_with_a_warning() {
    let mut stage = Stage::of(row(NAME)).await;
    let routed = flannel(&stage, &[of_cluster(&stage, &[("pod_network", "routed".into())])]);
    let plan = stage.engine.plan(NAME, &Value::Null, &routed).await;
    assert!(plan.warnings.len() == 1 && plan.warnings[0].contains("and the cluster has \"routed\""), "{:?}", plan.warnings);
    assert!(texts(plan.planned.get("rollout")).contains(&format!("create {FLANNELD}")));
}

#[tokio::test]
async fn what_is_not_known_yet_leaves_the_rest_of_the_plan_known() {
    let mut stage = Stage::of(row(NAME)).await;
    let state = stage.create().await;
    for change in [settings([("replicas", Value::Unknown)]), patch(&stage, SERVER, Value::Unknown)] {
        let config = with(&stage, &[change]);
        let created = stage.engine.plan(NAME, &Value::Null, &config).await.planned;
        let fields = created.get("fields");
        assert!(fields.get(SERVER).is_unknown() && fields.get("Service/kube-system/metrics-server").is_wholly_known());
        assert!(created.get("rollout").is_wholly_known() && created.get("images").is_wholly_known());
        let updated = stage.engine.plan(NAME, &state, &config).await.planned;
        assert!(updated.get("rollout").is_unknown());
    }
    let open = with(&stage, &[settings([("disruption_budget", Value::Unknown)])]);
    assert!(stage.engine.plan(NAME, &state, &open).await.planned.get("fields").is_unknown());
    let open = with(&stage, &[("version", Value::Unknown)]);
    let planned = stage.engine.plan(NAME, &state, &open).await.planned;
    assert!(planned.get("fields").is_unknown() && planned.get("images").is_unknown());
}
