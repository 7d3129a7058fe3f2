//! Objects in a cluster that is created again: they are replaced with it in the same plan, and a state that is late lets them go.

use super::Stage;
use super::rows::row;
use machines::Uid;
use schema::Value;

const CLUSTER: &str = "k8s_hardway_cluster";
const IN_CLUSTERS: [&str; 2] = ["k8s_manifests", "k8s_addon"];

async fn objects_and_a_cluster_with(name: &str, uid: Value) -> (Stage, Value, Value) {
    let mut stage = Stage::of(row(name)).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    let mut join = config.get("cluster").clone();
    join.set("cluster_uid", uid);
    config.set("cluster", join);
    (stage, state, config)
}

/// An update would be refused by the engine as an inconsistent final plan, and the destroy after it would find the other cluster.
#[tokio::test]
async fn objects_are_replaced_with_their_cluster_and_the_plan_says_so() {
    for name in IN_CLUSTERS {
        for uid in [Value::Unknown, Uid::of_random([9; 16]).as_str().into()] {
            let (mut stage, state, config) = objects_and_a_cluster_with(name, uid).await;
            let plan = stage.engine.plan(name, &state, &config).await;
            assert!(!plan.is_empty && plan.replaces.len() == 1 && plan.replaces[0].contains("cluster"), "{:?}", plan.replaces);
            assert!(plan.planned.get("holder").is_unknown());
        }
        let (mut stage, state, mut config) = objects_and_a_cluster_with(name, Value::Unknown).await;
        config.set("cluster", Value::Unknown);
        let plan = stage.engine.plan(name, &state, &config).await;
        assert_eq!(plan.replaces, [""; 0], "behind what is read during apply");
    }
}

#[tokio::test]
async fn a_destroy_leaves_what_is_in_another_cluster_and_lets_go() {
    for name in IN_CLUSTERS {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        let uid = Uid::of_random([9; 16]).to_string();
        stage.world.change(|memory| {
            let records = memory.hosts.values_mut().flat_map(|host| &mut host.records);
            let of_cluster = records.filter(|(owner, _)| owner.as_str().starts_with(CLUSTER));
            of_cluster.for_each(|(_, record)| drop(record.identity.insert("uid".into(), uid.clone())));
        });
        let before = stage.world.memory();
        let destroyed = stage.engine.destroy(name, &state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
        let said = destroyed.warnings.join("\n");
        assert!(said.contains("the cluster is gone") && said.contains(&uid), "{said}");
        stage.world_is(&before, "after a destroy in another cluster");
    }
}
