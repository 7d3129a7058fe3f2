//! What forces replacement and is not known yet: nothing is replaced for a value that may turn out to be what it was.

use super::rows::{ROWS, row};
use super::{Stage, complete};
use schema::{Attribute, AttributePath, Kind, Nesting, Value};

/// The attributes that force replacement, as far as no element of a collection is on the way.
fn forcing(attributes: &[Attribute], at: &AttributePath, found: &mut Vec<(AttributePath, bool)>) {
    for attribute in attributes {
        let path = at.clone().then(attribute.name);
        match &attribute.kind {
            _ if attribute.requires_replace => found.push((path, attribute.unknown_is_another)),
            Kind::Nested(Nesting::Single, below) => forcing(below, &path, found),
            _ => {}
        }
    }
}

/// The configuration with the attribute unknown, and with an element of it unknown.
fn unknown(config: &Value, path: &AttributePath) -> Vec<Value> {
    let with = |path: &AttributePath| {
        let mut config = config.clone();
        config.set_at(path, Value::Unknown);
        config
    };
    let has_elements = config.at(path).as_list().is_some_and(|items| !items.is_empty());
    let element = has_elements.then(|| with(&path.clone().index(0)));
    std::iter::once(with(path)).chain(element).collect()
}

#[tokio::test]
async fn a_value_that_may_be_what_it_was_replaces_nothing_and_says_what_another_one_would_do() {
    let mut tried = 0;
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let (state, base) = (super::without_steps(&stage.create().await), stage.config.clone());
        let schema = stage.engine.schema(row.name).clone();
        let mut paths = Vec::new();
        forcing(&schema.attributes, &AttributePath::root(), &mut paths);
        for (path, is_another) in paths {
            for config in unknown(&base, &path) {
                tried += 1;
                let what = format!("{}: {path}", row.name);
                let plan = stage.engine.plan(row.name, &state, &config).await;
                assert_eq!(plan.replaces.is_empty(), !is_another, "{what}");
                if is_another {
                    continue;
                }
                assert!(plan.warnings.iter().any(|warning| warning.contains("not known yet")), "{what}: {:?}", plan.warnings);
                assert_eq!(plan.planned.at(&path), config.at(&path), "{what}");
                let mut planned = plan.planned;
                planned.set_at(&path, state.at(&path).clone());
                assert_eq!(super::difference(&state, &planned), Vec::<String>::new(), "{what}: something else changes");
            }
        }
        // At apply it is known: what it was is no change, another value is a replacement.
        let same = stage.engine.plan(row.name, &state, &base).await;
        assert!(same.is_empty, "{}", row.name);
        let other = complete(&schema, &row.replaced(&base));
        let other = stage.engine.plan(row.name, &state, &other).await;
        assert!(!other.replaces.is_empty(), "{}", row.name);
    }
    assert!(tried > 12, "{tried}");
}

/// Where no schema can say what forces replacement.
#[tokio::test]
async fn what_an_object_belongs_to_or_cannot_change_is_named_while_it_is_not_known() {
    for (name, attribute) in [("k8s_node_group", "cluster"), ("k8s_lb_nlb", "security_group_ids")] {
        let mut stage = Stage::of(row(name)).await;
        let (state, mut config) = (stage.create().await, stage.config.clone());
        config.set(attribute, Value::Unknown);
        let plan = stage.engine.plan(name, &state, &config).await;
        let expect = format!("{attribute} of {name} is not known yet, and another value would need a replacement");
        let says = |warning: &String| warning.to_lowercase().contains(&expect);
        assert!(
            plan.replaces.is_empty() && plan.warnings.iter().filter(|warning| says(warning)).count() == 1,
            "{:?}",
            plan.warnings
        );
    }
}

#[tokio::test]
async fn what_is_known_beside_an_unknown_value_still_replaces() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    let mut config = stage.row.replaced(&stage.config);
    config.set_at(&AttributePath::attribute("network").then("service_cidrs"), Value::Unknown);
    let config = complete(stage.engine.schema("k8s_hardway_cluster"), &config);
    let plan = stage.engine.plan("k8s_hardway_cluster", &state, &config).await;
    assert_eq!(plan.replaces.len(), 1, "{:?}", plan.replaces);
}

/// A cluster that goes takes its nodes along in the same plan, whatever else is not known of the one that comes.
#[tokio::test]
async fn nodes_of_a_cluster_that_is_replaced_are_replaced_whatever_is_unknown() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let state = stage.create().await;
    let cluster = stage.states["k8s_hardway_cluster"].clone();
    let schema = stage.engine.schema("k8s_hardway_cluster").clone();
    let declared = (row("k8s_hardway_cluster").config)(&stage.states);
    let services = AttributePath::attribute("network").then("service_cidrs");
    let others = ["kubernetes_version", "endpoint", "hosts", "pki"].map(AttributePath::attribute);
    for unknown in others.into_iter().chain([services]) {
        let mut config = row("k8s_hardway_cluster").replaced(&declared);
        config.set_at(&unknown, Value::Unknown);
        let config = complete(&schema, &config);
        let replaced = stage.engine.plan("k8s_hardway_cluster", &cluster, &config).await;
        assert!(!replaced.replaces.is_empty(), "{unknown}");
        let join = stage.engine.plan("k8s_hardway_cluster", &Value::Null, &config).await.planned.get("join").clone();
        assert!(join.is_set() && join.get("cluster_uid").is_unknown(), "{unknown}: {join:?}");
        let mut nodes = stage.config.clone();
        nodes.set("cluster", join);
        let plan = stage.engine.plan("k8s_node_group", &state, &nodes).await;
        assert!(!plan.replaces.is_empty(), "nodes stay while {unknown} of their new cluster is unknown");
    }
}

/// What is unknown of a cluster that stays is unknown of `join`, and nothing else.
#[tokio::test]
async fn a_cluster_that_stays_says_which_one_it_is() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    config.set("endpoint", Value::Unknown);
    let mut join = stage.engine.plan("k8s_hardway_cluster", &state, &config).await.planned.get("join").clone();
    let before = state.get("join");
    for part in ["endpoint", "apiserver_authority", "kubelet_client_authority", "kube_proxy_kubeconfig_sha256"] {
        assert!(join.get(part).is_unknown(), "{part}");
        join.set(part, before.get(part).clone());
    }
    assert_eq!(join, *before);
}
