//! A plan in which an address, a flag or a label is not known yet: everything that does not depend on it is known.

use super::rows::row;
use super::{Stage, complete, contract, texts};
use schema::{AttributePath, Step, Value};

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

/// Plans with a part of the configuration unknown, and with it known: what the first one knows is in the second one, as an engine asks.
async fn is_kept(stage: &mut Stage, state: &Value, path: AttributePath, value: Value) {
    let name = stage.row.name;
    let schema = stage.engine.schema(name).clone();
    let known = complete(&schema, &put(&stage.config, path.steps(), value));
    let unknown = put(&known, path.steps(), Value::Unknown);
    let first = stage.engine.plan(name, state, &unknown).await;
    let second = stage.engine.plan(name, state, &known).await;
    let broken = contract::broken_promises(&schema, &first.planned, &second.planned);
    assert_eq!(broken, Vec::<String>::new(), "{name}: {path}");
}

/// With the objects on the way to it.
fn put(config: &Value, steps: &[Step], value: Value) -> Value {
    let Some((Step::Attribute(name) | Step::Key(name), rest)) = steps.split_first() else { return value };
    let mut config = if config.is_null() { Value::object([]) } else { config.clone() };
    let part = put(config.get(name), rest, value);
    config.set(name, part);
    config
}

fn flag(component: &'static str, name: &'static str) -> AttributePath {
    AttributePath::attribute(component).then("flags").key(name)
}

fn flags(flags: &[(&str, &str)]) -> Value {
    Value::Map(flags.iter().map(|(name, value)| ((*name).to_string(), (*value).into())).collect())
}

/// On a cluster that is created, and on one that exists.
async fn is_kept_before_and_after(stage: &mut Stage, tried: &[(AttributePath, Value)]) {
    let state = stage.create().await;
    for (path, value) in tried {
        for state in [&Value::Null, &state] {
            is_kept(stage, state, path.clone(), value.clone()).await;
        }
    }
}

#[tokio::test]
async fn what_is_known_with_one_host_is_kept() {
    for (name, path) in [(CLUSTER, flag("api_server", "v")), (NODES, AttributePath::attribute("labels").key("tier"))] {
        let mut stage = Stage::of(row(name)).await;
        let hosts = stage.config.get("hosts").as_map().unwrap().iter().take(1);
        let hosts = Value::Map(hosts.map(|(name, host)| (name.clone(), host.clone())).collect());
        stage.config.set("hosts", hosts);
        is_kept_before_and_after(&mut stage, &[(path, "4".into())]).await;
    }
}

/// Other files than the unit's own are made of them.
#[tokio::test]
async fn what_is_known_without_a_flag_that_is_read_elsewhere_is_kept() {
    let tried = [
        (flag("api_server", "secure-port"), "7443".into()),
        (flag("api_server", "bind-address"), "192.0.2.11".into()),
        (flag("api_server", "tls-cert-file"), "/etc/own/server.crt".into()),
        (flag("api_server", "anonymous-auth"), "false".into()),
        (flag("etcd", "listen-client-urls"), "https://0.0.0.0:2379".into()),
        (flag("etcd", "listen-peer-urls"), "https://0.0.0.0:2380".into()),
        (flag("etcd", "cert-file"), "/etc/own/etcd.crt".into()),
        (flag("controller_manager", "secure-port"), "20257".into()),
        (flag("scheduler", "authorization-always-allow-paths"), "/livez".into()),
    ];
    is_kept_before_and_after(&mut Stage::of(row(CLUSTER)).await, &tried).await;
    let tried = [
        (AttributePath::attribute("kube_proxy_config"), r#"{"hostnameOverride":"other"}"#.into()),
        (AttributePath::attribute("kubelet_config"), r#"{"failSwapOn":false,"healthzPort":20248}"#.into()),
    ];
    is_kept_before_and_after(&mut Stage::of(row(NODES)).await, &tried).await;
}

/// Whatever an object holds that is not known at all.
#[tokio::test]
async fn what_is_known_without_a_whole_object_is_kept() {
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n";
    let api_server = Value::object([("flags", flags(&[("anonymous-auth", "false")])), ("audit_policy", policy.into())]);
    let mut stage = Stage::of(row(CLUSTER)).await;
    let host = stage.config.get("hosts").get("cp-1").clone();
    let mut host_by_another_way = host;
    host_by_another_way.set("ssh", Value::object([("port", 2222.into())]));
    let tried = [
        (AttributePath::attribute("api_server"), api_server),
        (AttributePath::attribute("api_server").then("flags"), flags(&[("anonymous-auth", "false")])),
        (AttributePath::attribute("etcd"), Value::object([("flags", flags(&[("quota-backend-bytes", "8589934592")]))])),
        (AttributePath::attribute("hosts").key("cp-1"), host_by_another_way),
        (AttributePath::attribute("network"), stage.config.get("network").clone()),
    ];
    is_kept_before_and_after(&mut stage, &tried).await;
}

/// Whether there is a step for it follows from what it turns out to be.
#[tokio::test]
async fn a_snapshot_is_no_known_step_while_its_trigger_is_not_known() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let etcd = |kept: Value, trigger: Value| {
        let flags = flags(&[("quota-backend-bytes", "8589934592")]);
        Value::object([("flags", flags), ("snapshots_kept", kept), ("snapshot_trigger", trigger)])
    };
    let etcd_of = |stage: &mut Stage, value: Value| stage.config.set("etcd", value);
    etcd_of(&mut stage, etcd(3.into(), "first".into()));
    let state = stage.create().await;
    stage.config.set("api_server", Value::object([("flags", flags(&[("max-requests-inflight", "800")]))]));
    for (kept, trigger) in [(3, "first"), (0, "first"), (3, "second")] {
        etcd_of(&mut stage, etcd(kept.into(), trigger.into()));
        for name in ["snapshot_trigger", "snapshots_kept"] {
            let path = AttributePath::attribute("etcd").then(name);
            let value = stage.config.at(&path).clone();
            is_kept(&mut stage, &state, path, value).await;
        }
    }
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
