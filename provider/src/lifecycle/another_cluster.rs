//! Objects in a cluster that is created again: they are replaced with it in the same plan, and a state that is late lets them go.

use super::Stage;
use super::other_life::{create_cluster_again, create_cluster_again_on};
use super::rows::row;
use machines::Uid;
use schema::Value;

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
            let says_how_they_stay = plan.warnings.iter().any(|warning| warning.contains("with -target"));
            assert_eq!(says_how_they_stay, config.get("cluster").get("cluster_uid").is_unknown(), "{:?}", plan.warnings);
        }
        let (mut stage, state, mut config) = objects_and_a_cluster_with(name, Value::Unknown).await;
        config.set("cluster", Value::Unknown);
        let plan = stage.engine.plan(name, &state, &config).await;
        assert_eq!(plan.replaces, [""; 0], "behind what is read during apply");
    }
}

/// One of its hosts left the cluster and carries another one now. The others have what is to go.
#[tokio::test]
async fn a_destroy_finds_its_cluster_on_another_host_and_does_not_let_go_while_one_is_silent() {
    for name in IN_CLUSTERS {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        create_cluster_again_on(&stage, |host| host == "cp-1");
        let others = ["cp-2", "cp-3"];
        others.iter().for_each(|host| stage.world.change_host(host, |host| host.answers = false));
        let before = stage.world.memory();
        let refused = stage.engine.destroy(name, &state).await;
        assert!(refused.errors.len() == 1 && refused.errors[0].contains("cp-1 does not carry"), "{:?}", refused.errors);
        assert_eq!(refused.state, state);
        stage.world_is(&before, "while nobody knows whether the cluster is there");
        others.iter().for_each(|host| stage.world.change_host(host, |host| host.answers = true));
        let destroyed = stage.engine.destroy(name, &state).await;
        assert_eq!((destroyed.errors, destroyed.warnings, destroyed.state), (vec![], vec![], Value::Null));
        let left = stage.world.memory().cluster.manifests;
        assert!(state.get("fields").as_map().unwrap().keys().all(|key| !left.contains_key(&key.parse().unwrap())));
    }
}

#[tokio::test]
async fn a_destroy_leaves_what_is_in_another_cluster_and_lets_go() {
    for name in IN_CLUSTERS {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        let uid = create_cluster_again(&stage);
        let before = stage.world.memory();
        let destroyed = stage.engine.destroy(name, &state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
        let said = destroyed.warnings.join("\n");
        assert!(said.contains("the cluster is gone") && said.contains(&uid), "{said}");
        stage.world_is(&before, "after a destroy in another cluster");
    }
}
