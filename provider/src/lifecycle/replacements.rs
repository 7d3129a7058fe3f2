//! A plan of a replacement says what is destroyed, and plans what comes after as new.

use super::rows::{ROWS, row};
use super::{Stage, complete};
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const NODES: &str = "k8s_node_group";

#[tokio::test]
async fn what_is_destroyed_is_said_in_place_of_a_roll() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let state = stage.create().await;
        let config = complete(stage.engine.schema(row.name), &row.replaced(&stage.config));
        let plan = stage.engine.plan(row.name, &state, &config).await;
        let says = |part: &str| plan.warnings.iter().any(|warning| warning.to_lowercase().contains(part));
        assert!(says("destroying") && !says("disrupts"), "{}: {:?}", row.name, plan.warnings);
        let new = stage.engine.plan(row.name, &Value::Null, &config).await.planned;
        assert_eq!(plan.planned.get("rollout"), new.get("rollout"), "{}", row.name);
    }
}

/// They are for a cluster that stays.
#[tokio::test]
async fn a_cluster_that_is_replaced_may_go_back_in_its_version_and_have_other_hosts() {
    let mut stage = Stage::of(row(CLUSTER)).await;
    let state = stage.create().await;
    let mut config = stage.row.replaced(&stage.config);
    let mut hosts = config.get("hosts").as_map().unwrap().clone();
    hosts.retain(|name, _| name == "cp-1");
    config.set("hosts", Value::Map(hosts));
    config.set("kubernetes_version", "1.35.0".into());
    let config = complete(stage.engine.schema(CLUSTER), &config);
    let plan = stage.engine.try_plan(CLUSTER, &state, &config).await;
    assert!(plan.as_ref().is_ok_and(|plan| !plan.replaces.is_empty()), "{:?}", plan.err());
}

#[tokio::test]
async fn nodes_of_another_cluster_are_other_nodes() {
    let mut stage = Stage::of(row(NODES)).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    let mut join = config.get("cluster").clone();
    join.set("cluster_name", "prod".into());
    config.set("cluster", join);
    let config = complete(stage.engine.schema(NODES), &config);
    let plan = stage.engine.plan(NODES, &state, &config).await;
    assert_eq!(plan.replaces.len(), 1, "{:?}", plan.replaces);
    assert!(plan.replaces[0].contains("\"id\""), "{:?}", plan.replaces);
}
