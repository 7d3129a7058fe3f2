//! A plan in which an address, a flag or a label is not known yet: everything that does not depend on it is known.

use super::rows::row;
use super::{Stage, complete, texts};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";

/// Of each host.
fn without_addresses(config: &Value) -> Value {
    let mut config = config.clone();
    let mut hosts = config.get("hosts").clone();
    for name in hosts.as_map().unwrap().keys().cloned().collect::<Vec<_>>() {
        let mut host = hosts.get(&name).clone();
        ["address", "secondary_address"].into_iter().for_each(|attribute| host.set(attribute, Value::Unknown));
        hosts.set(&name, host);
    }
    config.set("hosts", hosts);
    config
}

#[tokio::test]
async fn the_first_plan_lists_every_step_though_no_host_has_an_address_yet() {
    for name in [CLUSTER, NODES, "k8s_lb_vrrp"] {
        let mut stage = Stage::of(row(name)).await;
        let fetches = stage.world.fetches().len();
        let known = stage.engine.plan(name, &Value::Null, &stage.config.clone()).await.planned;
        let looked_up = stage.world.fetches().len() - fetches;
        let mut config = without_addresses(&stage.config);
        if name == CLUSTER {
            config.set("pki", Value::Unknown);
        }
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        assert_eq!(stage.world.fetches().len() - fetches, 2 * looked_up, "{name} looks digests up once for each guess");
        assert_eq!(texts(planned.get("rollout")), texts(known.get("rollout")), "{name}");
        assert_eq!(planned.get("id"), known.get("id"));
        let (lines, all) = (planned.get("host_contents").as_map().unwrap(), known.get("host_contents").as_map().unwrap());
        assert_eq!(lines.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>(), "{name}");
        assert!(lines.values().any(|line| !line.is_unknown()), "{name}");
    }
}

/// Another flag of a cluster that exists is no reason to plan its nodes again.
#[tokio::test]
async fn a_flag_that_is_not_known_yet_leaves_the_rest_of_its_cluster_known() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    config.set("api_server", Value::object([("flags", Value::object([("max-requests-inflight", Value::Unknown)]))]));
    let config = complete(stage.engine.schema(CLUSTER), &config);
    let plan = stage.engine.plan(CLUSTER, &state, &config).await;
    assert_eq!(plan.planned.get("join"), state.get("join"));
    let lines = plan.planned.get("host_contents").as_map().unwrap();
    let unknown: Vec<&String> = lines.iter().filter(|(_, line)| line.is_unknown()).map(|(key, _)| key).collect();
    assert!(!unknown.is_empty() && unknown.iter().all(|key| key.contains("kube-apiserver.service")), "{unknown:?}");
    // It may turn out to be what it was: then nothing restarts.
    assert!(plan.planned.get("rollout").is_unknown() && plan.planned.get("steps").is_unknown());
    let warning =
        plan.warnings.iter().find(|warning| warning.contains("teps of this change are known only during apply")).unwrap();
    assert!(warning.contains("restart kube-apiserver.service") && !warning.contains("etcd.service"), "{warning}");
}

/// What a host without an address gets is all new to it.
#[tokio::test]
async fn a_node_whose_address_is_not_known_yet_is_the_only_one_in_the_plan() {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    let mut hosts = config.get("hosts").clone();
    let mut host = hosts.get("worker-1").clone();
    ["address", "secondary_address"].into_iter().for_each(|attribute| host.set(attribute, Value::Unknown));
    hosts.set("worker-9", host);
    config.set("hosts", hosts);
    let config = complete(stage.engine.schema(NODES), &config);
    let plan = stage.engine.plan(NODES, &state, &config).await;
    let steps = texts(plan.planned.get("rollout"));
    assert!(!steps.is_empty() && steps.iter().all(|step| step.contains("worker-9")), "{steps:#?}");
}
