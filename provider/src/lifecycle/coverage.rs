//! Certificates that do not cover where clients connect are refused: at plan where they are known, else before anything is written.

use super::Stage;
use super::rows::{Change, row};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";
const ENDPOINT: Change = ("endpoint", || "https://api.other.internal:6443".into());
const SAID: &str = "The certificate of the API server does not cover api.other.internal";

#[tokio::test]
async fn an_endpoint_that_no_certificate_covers_is_refused_at_plan() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let config = stage.row.changed(&stage.config, &ENDPOINT);
    let errors = stage.engine.try_plan(CLUSTER, &Value::Null, &config).await.err().unwrap();
    assert!(errors.len() == 1 && errors[0].starts_with(SAID), "{errors:?}");
    assert!(errors[0].contains("it covers 192.0.2.100, api.demo.internal. Add"), "{errors:?}");
    assert!(!errors[0].contains("10.96.0.1") && !errors[0].contains("localhost"), "{errors:?}");
    let by_flag: Change = ("api_server", || {
        Value::object([("flags", Value::object([("tls-sni-cert-key", "/etc/other.crt,/etc/other.key".into())]))])
    });
    let config = stage.row.changed(&config, &by_flag);
    assert!(stage.engine.try_plan(CLUSTER, &Value::Null, &config).await.is_ok(), "the user serves another certificate");
}

#[tokio::test]
async fn an_endpoint_is_refused_before_anything_is_written_when_certificates_come_with_the_apply() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let config = stage.row.changed(&stage.config, &ENDPOINT);
    let unknown = stage.row.changed(&config, &("pki", || Value::Unknown));
    let planned = stage.engine.plan(CLUSTER, &Value::Null, &unknown).await.planned;
    let before = stage.world.memory();
    let applied = stage.engine.apply(CLUSTER, &Value::Null, &config, &planned).await;
    assert!(applied.errors.len() == 1 && applied.errors[0].starts_with(SAID), "{:?}", applied.errors);
    stage.world_is(&before, "after an apply that was refused");
}

#[tokio::test]
async fn a_host_whose_address_its_certificates_do_not_cover_is_refused() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let mut hosts = stage.config.get("hosts").clone();
    let mut host = hosts.get("cp-2").clone();
    host.set("address", "192.0.2.99".into());
    hosts.set("cp-2", host);
    let mut config = stage.config.clone();
    config.set("hosts", hosts);
    let errors = stage.engine.try_plan(CLUSTER, &Value::Null, &config).await.err().unwrap();
    assert!(errors.len() == 1 && errors[0].starts_with("The certificates of host cp-2 do not cover 192.0.2.99"), "{errors:?}");
    assert!(errors[0].contains("apiserver/cp-2, etcd-server/cp-2, etcd-peer/cp-2"), "{errors:?}");
}

#[tokio::test]
async fn nodes_do_not_join_through_an_endpoint_that_the_certificate_does_not_cover() {
    for (endpoint, is_refused) in [("https://api.other.internal:6443", true), ("https://192.0.2.100:6443", false)] {
        let mut stage = Stage::of(row(NODES)).await;
        let mut join = stage.config.get("cluster").clone();
        join.set("endpoint", endpoint.into());
        let mut config = stage.config.clone();
        config.set("cluster", join);
        let planned = stage.engine.plan(NODES, &Value::Null, &config).await.planned;
        let before = stage.world.memory();
        let applied = stage.engine.apply(NODES, &Value::Null, &config, &planned).await;
        let said = applied.errors.iter().any(|error| error.starts_with(SAID));
        assert_eq!(said, is_refused, "{:?}", applied.errors);
        if is_refused {
            stage.world_is(&before, "after an apply that was refused");
        }
    }
}

/// An attribute, a value of it that the pki was not issued for, and what is said.
type Strange = (&'static str, fn(&mut Value), &'static str);

const STRANGE: [Strange; 3] = [
    ("name", |config| config.set("name", "other".into()), "Pki was issued for cluster demo, not for other"),
    (
        "network",
        |config| network(config, "service_cidrs", vec!["10.97.0.0/16"].into()),
        "The certificate of the API server does not cover 10.97.0.1",
    ),
    (
        "network",
        |config| network(config, "cluster_domain", "other.local".into()),
        "The certificate of the API server does not cover kubernetes.default.svc.other.local",
    ),
];

fn network(config: &mut Value, attribute: &str, value: Value) {
    let mut network = config.get("network").clone();
    network.set(attribute, value);
    config.set("network", network);
}

#[tokio::test]
async fn a_pki_of_another_cluster_is_refused_at_plan() {
    for (attribute, change, said) in STRANGE {
        let mut stage = Stage::of(row(CLUSTER)).await;
        let mut config = stage.config.clone();
        change(&mut config);
        let errors = stage.engine.ask_plan(CLUSTER, &Value::Null, &config).await.err().unwrap();
        assert!(errors.len() == 1 && errors[0].text.starts_with(said), "{errors:?}");
        assert_eq!(errors[0].attribute.as_deref(), Some(attribute));
    }
}

#[tokio::test]
async fn a_pki_of_another_cluster_that_comes_with_the_apply_is_refused_before_anything_is_written() {
    for (_, change, said) in STRANGE {
        let mut stage = Stage::of(row(CLUSTER)).await;
        let mut config = stage.config.clone();
        change(&mut config);
        let unknown = stage.row.changed(&config, &("pki", || Value::Unknown));
        let planned = stage.engine.plan(CLUSTER, &Value::Null, &unknown).await.planned;
        let before = stage.world.memory();
        let applied = stage.engine.apply(CLUSTER, &Value::Null, &config, &planned).await;
        assert!(applied.errors.len() == 1 && applied.errors[0].starts_with(said), "{:?}", applied.errors);
        stage.world_is(&before, "after an apply that was refused");
    }
}

/// The name of a cluster cannot change: one that an earlier version created of a pki with another name goes on.
#[tokio::test]
async fn a_cluster_that_exists_keeps_its_name_whatever_its_pki_is_called() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let (state, mut config) = (stage.create().await, stage.config.clone());
    let mut pki = config.get("pki").clone();
    pki.set("cluster_name", "older".into());
    config.set("pki", pki);
    assert!(stage.engine.plan(CLUSTER, &state, &config).await.is_empty);
}
