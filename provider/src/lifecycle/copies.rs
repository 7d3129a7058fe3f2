//! Others launch copies of an instance, with all of its tags: a restored backup, a service that migrates machines. They are named and left
//! alone, whatever becomes of the original and of its state.

use super::Stage;
use super::rows::row;
use ::cloud::{Found, Kind, Origin};
use schema::Value;

/// A bastion and a copy of its instance whose id sorts before its own.
async fn with_copy(origin: Origin) -> (Stage, Value, String) {
    let mut stage = Stage::of(row("k8s_bastion")).await;
    let state = stage.create().await;
    let own = state.get("instance_id").as_str().unwrap().to_owned();
    stage.world.change(|memory| {
        let mut copy: Found = memory.cloud.objects[&own].clone();
        copy.id = COPY.to_owned();
        copy.origin = origin;
        memory.cloud.objects.insert(copy.id.clone(), copy);
    });
    (stage, state, own)
}

const COPY: &str = "i-00000000000000000";

fn is_there(stage: &Stage) -> bool {
    stage.world.memory().cloud.objects.contains_key(COPY)
}

#[tokio::test]
async fn a_copy_is_named_by_a_refresh_and_survives_every_apply_and_the_destroy() {
    // A copy of an instance of an earlier version shows nothing.
    for origin in [Origin::Copied, Origin::Untold] {
        let (mut stage, state, own) = with_copy(origin).await;
        let refreshed = stage.engine.refresh("k8s_bastion", &state).await;
        assert!(refreshed.warnings.len() == 1 && refreshed.warnings[0].contains(COPY), "{:?}", refreshed.warnings);
        assert_eq!(super::difference(&state, &refreshed.state), Vec::<String>::new());
        let config = stage.config.clone();
        assert!(stage.engine.plan("k8s_bastion", &refreshed.state, &config).await.is_empty);

        // The instance is replaced, the copy is not.
        let larger = stage.row.changed(&config, &("instance_type", || "t4g.micro".into()));
        let state = stage.apply(&refreshed.state, &larger).await;
        assert!(is_there(&stage) && state.get("instance_id").as_str() != Some(&own));

        let destroyed = stage.engine.destroy("k8s_bastion", &state).await;
        assert_eq!((destroyed.errors, destroyed.state), (vec![], Value::Null));
        assert!(destroyed.warnings.iter().any(|warning| warning.contains(COPY)), "{:?}", destroyed.warnings);
        let instances = stage.world.memory().cloud.objects.into_values().filter(|found| found.kind == Kind::Instance);
        assert_eq!(instances.map(|found| found.id).collect::<Vec<_>>(), [COPY]);
    }
}

#[tokio::test]
async fn with_a_lost_state_the_original_is_found_and_the_copy_left() {
    let (mut stage, _, own) = with_copy(Origin::Copied).await;
    let config = stage.config.clone();
    let planned = stage.engine.plan("k8s_bastion", &Value::Null, &config).await.planned;
    let applied = stage.engine.apply("k8s_bastion", &Value::Null, &config, &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert_eq!(applied.state.get("instance_id").as_str(), Some(own.as_str()));
    assert!(is_there(&stage) && applied.warnings.iter().any(|warning| warning.contains(COPY)), "{:?}", applied.warnings);
}

#[tokio::test]
async fn with_a_lost_state_nothing_is_chosen_among_several() {
    let (mut stage, ..) = with_copy(Origin::Ours).await;
    let before = stage.world.memory();
    let config = stage.config.clone();
    let planned = stage.engine.plan("k8s_bastion", &Value::Null, &config).await.planned;
    let applied = stage.engine.apply("k8s_bastion", &Value::Null, &config, &planned).await;
    assert!(
        applied.errors.len() == 1 && applied.errors[0].contains("everal objects could be instance/demo-bastion"),
        "{:?}",
        applied.errors
    );
    stage.world_is(&before, "after a create that could not choose");
}
