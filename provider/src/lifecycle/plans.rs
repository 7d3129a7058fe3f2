//! A plan tells the truth: it names every step though keys do not exist yet, nothing that stays as it is, and no step of a change
//! that is over.

use super::rows::{Change, ROWS, row};
use super::{Stage, complete};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";

fn steps(value: &Value) -> Vec<String> {
    let steps = value.get("rollout").as_list().unwrap();
    steps.iter().map(|step| step.as_str().unwrap().to_string()).collect()
}

/// The lines of `host_contents` that are known only after apply.
fn unknown_lines(planned: &Value) -> Vec<String> {
    let lines = planned.get("host_contents").as_map().unwrap().iter();
    lines.filter(|(_, line)| line.is_unknown()).map(|(key, _)| key.clone()).collect()
}

/// As when the checksum file of a mirror changes in between.
#[tokio::test]
async fn what_is_no_longer_as_planned_is_refused_before_anything_is_changed() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let (name, config) = (row.name, stage.config.clone());
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        let before = stage.world.memory();
        let known = planned.get("host_contents").as_map().unwrap().iter().filter(|(_, line)| !line.is_unknown());
        let keys: Vec<String> = known.map(|(key, _)| key.clone()).collect();
        assert!(keys.len() > 5, "{name}");
        for key in [&keys[0], &keys[keys.len() - 1]] {
            let (mut older, mut lines) = (planned.clone(), planned.get("host_contents").clone());
            lines.set(key, "what it was when it was planned".into());
            older.set("host_contents", lines);
            stage.world.arm(None);
            let refused = stage.engine.apply_planned(name, &Value::Null, &config, &older).await;
            let says = |part: &str| refused.errors.iter().any(|error| error.contains(part));
            assert!(refused.errors.len() == 1 && says("out of date") && says(key) && says("Plan again"), "{:?}", refused.errors);
            assert!(refused.state.is_null());
            stage.world_is(&before, "after the refusal");
        }
        let applied = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        assert_eq!(applied.errors, [""; 0]);
    }
}

#[tokio::test]
async fn the_first_plan_lists_every_step_though_no_key_exists_yet() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let known = stage.engine.plan(CLUSTER, &Value::Null, &stage.config.clone()).await.planned;
    let config = stage.row.changed(&stage.config, &("pki", || Value::Unknown));
    let planned = stage.engine.plan(CLUSTER, &Value::Null, &config).await.planned;
    assert_eq!(steps(&planned), steps(&known));
    assert!(steps(&planned).iter().any(|step| step == "cp-1, cp-2, cp-3: start etcd.service"), "{:#?}", steps(&planned));
    let unknown = unknown_lines(&planned);
    let is_of_pki =
        |line: &String| [".crt", ".key", ".pub", ".kubeconfig", "/encryption.yaml"].iter().any(|end| line.ends_with(end));
    assert!(unknown.len() > 30 && unknown.iter().all(is_of_pki), "{unknown:#?}");
    assert!(unknown.iter().any(|line| line == "cp-2: /etc/etcd/pki/peer.crt"), "{unknown:#?}");
    assert!(unknown.iter().any(|line| line == "/etc/etcd/pki/ca.crt"), "{unknown:#?}");
    assert_eq!(planned.get("join").get("endpoint"), known.get("join").get("endpoint"));
    assert!(planned.get("join").get("apiserver_authority").is_unknown());
    // What was planned without keys is applied with them.
    let applied = stage.engine.apply(CLUSTER, &Value::Null, &stage.config.clone(), &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    let config = stage.config.clone();
    stage.settled(&applied.state, &config, "after a plan without keys").await;
}

#[tokio::test]
async fn the_first_plan_of_nodes_lists_every_step_though_their_cluster_does_not_exist_yet() {
    let mut stage = Stage::of(row(NODES)).await;
    let known = stage.engine.plan(NODES, &Value::Null, &stage.config.clone()).await.planned;
    let mut config = stage.config.clone();
    let mut join = config.get("cluster").clone();
    for name in ["apiserver_authority", "kubelet_client_authority", "kube_proxy_kubeconfig_sha256"] {
        join.set(name, Value::Unknown);
    }
    config.set("cluster", join);
    let planned = stage.engine.plan(NODES, &Value::Null, &config).await.planned;
    assert_eq!(steps(&planned), steps(&known));
    let expect = [
        "/etc/kubernetes/node/apiserver-ca.crt",
        "/etc/kubernetes/node/kube-proxy.kubeconfig",
        "/etc/kubernetes/node/kubelet-client-ca.crt",
    ];
    assert_eq!(unknown_lines(&planned), expect);
}

#[tokio::test]
async fn a_frozen_cluster_is_not_in_the_plan_and_other_changes_reach_it() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let frozen = stage.row.changed(&stage.config, &("pki", || Value::Null));
    let plan = stage.engine.plan(CLUSTER, &state, &frozen).await;
    assert!(plan.is_empty, "{:#?}", super::difference(&state, &plan.planned));
    let flags: Change = ("api_server", || Value::object([("flags", Value::object([("v", "4".into())]))]));
    let changed = complete(stage.engine.schema(CLUSTER), &stage.row.changed(&frozen, &flags));
    let state = stage.apply(&state, &changed).await;
    let thawed = complete(stage.engine.schema(CLUSTER), &stage.row.changed(&stage.config, &flags));
    stage.settled(&state, &thawed, "after a change of a frozen cluster").await;
}

#[tokio::test]
async fn a_frozen_cluster_refuses_what_only_credentials_can_bring() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let frozen = stage.row.changed(&stage.config, &("pki", || Value::Null));
    let errors = stage.engine.try_plan(CLUSTER, &Value::Null, &frozen).await.unwrap_err();
    assert!(errors[0].contains("new cluster needs pki"), "{errors:?}");
    let state = stage.create().await;
    let moved = stage.row.changed(&frozen, &("endpoint", || "https://other.demo.internal:6443".into()));
    let errors = stage.engine.try_plan(CLUSTER, &state, &moved).await.unwrap_err();
    assert!(errors[0].contains("change needs pki, which is left out"), "{errors:?}");
}

#[tokio::test]
async fn a_plan_shows_no_step_of_the_change_before() {
    for name in ["k8s_lb_vrrp", CLUSTER, NODES] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        assert!(!steps(&state).is_empty());
        let refreshed = stage.engine.refresh(name, &state).await.state;
        assert_eq!(steps(&refreshed), Vec::<String>::new(), "{name}");
        let config = complete(stage.engine.schema(name), &stage.row.changed(&stage.config, &stage.row.updates[0]));
        let planned = stage.engine.plan(name, &refreshed, &config).await.planned;
        assert!(!steps(&planned).is_empty() && steps(&planned) != steps(&state), "{name}");
    }
}

/// The object of the step with this action, as JSON: what a policy sees.
fn data(stage: &Stage, planned: &Value, action: &str) -> serde_json::Value {
    let json = super::as_applied(planned).to_json(&stage.engine.schema(stage.row.name).value_type()).unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert_eq!(steps.len(), json["rollout"].as_array().unwrap().len());
    steps.iter().find(|step| step["action"] == action).unwrap_or_else(|| panic!("no {action} in {steps:#?}")).clone()
}

#[tokio::test]
async fn a_policy_reads_what_restarts_where_and_what_is_missed_meanwhile() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let config = complete(stage.engine.schema(CLUSTER), &stage.row.changed(&stage.config, &stage.row.updates[0]));
    let plan = stage.engine.plan(CLUSTER, &state, &config).await;
    let expect = serde_json::json!({
        "phase": 2,
        "action": "restart",
        "hosts": "cp-1, cp-2, cp-3",
        "host_count": 3,
        "at_a_time": 1,
        "units": ["kube-apiserver.service"],
        "causes": ["/etc/systemd/system/kube-apiserver.service changed"],
        "disruption": "restarts_control_plane_component",
        "unavailable": "kube-apiserver.service on 1 of 3 hosts",
    });
    assert_eq!(data(&stage, &plan.planned, "restart"), expect);
    let write = data(&stage, &plan.planned, "write");
    assert_eq!((&write["units"], &write["disruption"], &write["unavailable"]), (&().into(), &().into(), &().into()));
    let created = stage.engine.plan(CLUSTER, &Value::Null, &config).await.planned;
    let causes = data(&stage, &created, "write")["causes"].as_array().unwrap().len();
    assert!(causes > 20, "a policy sees only {causes} of the files that are written");
    assert_eq!(plan.warnings.len(), 1);
    let line = "cp-1, cp-2, cp-3, one at a time (3 of 4): restart kube-apiserver.service";
    assert!(
        plan.warnings[0].starts_with("This change disrupts cp-1, cp-2, cp-3") && plan.warnings[0].contains(line),
        "{:?}",
        plan.warnings
    );
}
