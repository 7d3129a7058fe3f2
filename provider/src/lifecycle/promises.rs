//! Values that are unknown at plan and turn out to be what they were, or not: nothing that a plan knew of a cluster that exists is
//! otherwise at apply. That it is not is held by `Engine::apply`; what is known, and what is said of the rest, is here.

use super::engine::Plan;
use super::rows::{ROWS, row};
use super::{Stage, complete, texts};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";

/// A cluster, its state, and the configuration of its pki.
async fn cluster() -> (Stage, Value, Value) {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let state = stage.engine.refresh(CLUSTER, &state).await.state;
    let pki = complete(stage.engine.schema("k8s_pki"), &(ROWS[0].config)(&stage.states));
    (stage, state, pki)
}

impl Stage {
    /// The plan of the cluster while its pki is planned with `first`, and the state after both are applied with `last`.
    async fn through_plan_and_apply(&mut self, state: &Value, first: &Value, last: &Value) -> (Plan, Value) {
        let prior = self.states["k8s_pki"].clone();
        let of_pki = self.engine.plan("k8s_pki", &prior, first).await;
        let planned = self.row.changed(&self.config, &("pki", || Value::Null));
        let with = |bundle: &Value| {
            let mut config = planned.clone();
            config.set("pki", bundle.clone());
            config
        };
        let plan = self.engine.plan(CLUSTER, state, &with(of_pki.planned.get("bundle"))).await;
        let applied = self.engine.apply("k8s_pki", &prior, last, &of_pki.planned).await;
        assert_eq!(applied.errors, [""; 0]);
        let config = with(applied.state.get("bundle"));
        let done = self.engine.apply(CLUSTER, state, &config, &plan.planned).await;
        assert_eq!(done.errors, [""; 0]);
        self.settled(&done.state, &config, "after what was unknown is known").await;
        (plan, done.state)
    }
}

fn endpoints(pki: &Value, names: Value) -> Value {
    let mut pki = pki.clone();
    pki.set("endpoints", names);
    pki
}

fn unknown_lines(planned: &Value) -> Vec<String> {
    let lines = planned.get("host_contents").as_map().unwrap().iter();
    lines.filter(|(_, line)| line.is_unknown()).map(|(key, _)| key.clone()).collect()
}

const API_SERVERS: [&str; 3] = [
    "cp-1: /etc/kubernetes/pki/apiserver.crt",
    "cp-2: /etc/kubernetes/pki/apiserver.crt",
    "cp-3: /etc/kubernetes/pki/apiserver.crt",
];

#[tokio::test]
async fn a_name_that_is_not_known_yet_may_turn_out_to_be_new_or_what_it_was() {
    let unknown = || Value::List(vec!["api.demo.internal".into(), Value::Unknown]);
    for (first, last) in [
        (unknown(), vec!["api.demo.internal", "192.0.2.100"]),
        (unknown(), vec!["api.demo.internal", "api.example.net"]),
        (Value::Unknown, vec!["api.demo.internal", "192.0.2.100"]),
        (Value::Unknown, vec!["api.demo.internal", "192.0.2.100", "api.example.net"]),
    ] {
        let (mut stage, state, pki) = cluster().await;
        let (first, last) = (endpoints(&pki, first), endpoints(&pki, last.into()));
        let (plan, done) = stage.through_plan_and_apply(&state, &first, &last).await;
        assert_eq!(unknown_lines(&plan.planned), API_SERVERS);
        assert!(plan.planned.get("rollout").is_unknown() && plan.planned.get("steps").is_unknown());
        let warnings = plan.warnings.join("\n");
        assert!(warnings.starts_with("The steps of this change are known only during apply"), "{warnings}");
        assert!(warnings.contains("write /etc/kubernetes/pki/apiserver.crt (content differs)\n"), "{warnings}");
        assert!(!warnings.contains("restart") && !warnings.contains("apiserver.key"), "{warnings}");
        assert_eq!(plan.planned.get("join"), state.get("join"));
        assert_eq!(done.get("join"), state.get("join"));
    }
}

/// A name that comes beside one that is not known yet is no promise: that one may be all that changes.
#[tokio::test]
async fn a_certificate_that_is_due_is_renewed_whatever_its_names_become() {
    for last in [vec!["api.demo.internal", "192.0.2.100"], vec!["api.demo.internal", "api.example.net"]] {
        let (mut stage, state, pki) = cluster().await;
        stage.world.advance(time::Duration::hours(8_760 - 600));
        let prior = stage.states["k8s_pki"].clone();
        let refreshed = stage.engine.refresh("k8s_pki", &prior).await.state;
        stage.states.insert("k8s_pki", refreshed);
        let first = endpoints(&pki, Value::Unknown);
        let (plan, _) = stage.through_plan_and_apply(&state, &first, &endpoints(&pki, last.into())).await;
        let steps = texts(plan.planned.get("rollout"));
        assert!(steps.iter().any(|step| step.contains("restart") && step.contains("kube-scheduler.service")), "{steps:#?}");
        assert!(plan.planned.get("join").get("kube_proxy_kubeconfig_sha256").is_changing());
    }
}

/// As behind a condition that is not known yet, and as while the hosts of the pki are not.
#[tokio::test]
async fn a_pki_of_which_nothing_is_known_changes_no_authority_in_the_plan() {
    let (mut stage, state, mut pki) = cluster().await;
    let config = stage.row.changed(&stage.config, &("pki", || Value::Unknown));
    pki.set("hosts", Value::Unknown);
    let prior = stage.states["k8s_pki"].clone();
    let without_hosts = stage.engine.plan("k8s_pki", &prior, &pki).await.planned;
    let mut of_hosts = config.clone();
    of_hosts.set("pki", without_hosts.get("bundle").clone());
    for config in [config, of_hosts] {
        let plan = stage.engine.plan(CLUSTER, &state, &config).await;
        let unknown = unknown_lines(&plan.planned);
        let kept = ["ca.crt", "service-account.key", "service-account.pub"];
        assert!(unknown.len() > 10 && !unknown.iter().any(|line| kept.iter().any(|kept| line.ends_with(kept))), "{unknown:#?}");
        assert!(plan.planned.get("rollout").is_unknown());
        let warnings = plan.warnings.join("\n");
        assert!(!warnings.contains("etcd.service (") && !warnings.contains("ca.crt"), "{warnings}");
        for name in ["apiserver_authority", "kubelet_client_authority"] {
            assert_eq!(plan.planned.get("join").get(name), state.get("join").get(name));
        }
        let known = stage.config.clone();
        let done = stage.engine.apply(CLUSTER, &state, &known, &plan.planned).await;
        assert_eq!(done.errors, [""; 0]);
        assert_eq!(done.state.get("host_contents"), state.get("host_contents"));
    }
}

#[tokio::test]
async fn a_node_group_knows_its_steps_where_the_kubeconfig_of_kube_proxy_is_sure_to_change() {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    let with = |stage: &Stage, digest: Value| {
        let (mut config, mut join) = (stage.config.clone(), stage.config.get("cluster").clone());
        for name in ["apiserver_authority", "kubelet_client_authority"] {
            join.set(name, Value::Unknown);
        }
        join.set("kube_proxy_kubeconfig_sha256", digest);
        config.set("cluster", join);
        config
    };
    let undecided = with(&stage, Value::Unknown);
    let plan = stage.engine.plan(NODES, &state, &undecided).await;
    assert_eq!(unknown_lines(&plan.planned), ["/etc/kubernetes/node/kube-proxy.kubeconfig"]);
    assert!(plan.planned.get("rollout").is_unknown());
    assert!(plan.warnings.join("\n").contains("restart k8s-pod-network.service, kube-proxy.service"), "{:?}", plan.warnings);
    let sure = with(&stage, Value::Changing(""));
    let plan = stage.engine.plan(NODES, &state, &sure).await;
    let steps = texts(plan.planned.get("rollout"));
    assert!(steps.iter().any(|step| step.contains("restart k8s-pod-network.service, kube-proxy.service")), "{steps:#?}");
}
