//! A resource on AWS is created that no state knows, and objects with its name are there: another configuration's, or what a run left
//! that was cut off.

use super::Stage;
use super::rows::row;
use schema::Value;

async fn network() -> (Stage, Value) {
    let mut stage = Stage::of(row("k8s_vpc")).await;
    let mut config = stage.config.clone();
    config.set("zones", vec!["us-east-1a", "us-east-1b"].into());
    stage.apply(&Value::Null, &config).await;
    (stage, config)
}

#[tokio::test]
async fn another_configuration_with_the_same_name_is_refused_and_touches_nothing() {
    let (mut stage, config) = network().await;
    let before = stage.world.memory();
    let mut with_other_network = config.clone();
    with_other_network.set("cidr", "10.9.0.0/16".into());
    for other in [stage.config.clone(), with_other_network] {
        let planned = stage.engine.plan("k8s_vpc", &Value::Null, &other).await.planned;
        let applied = stage.engine.apply("k8s_vpc", &Value::Null, &other, &planned).await;
        assert!(applied.errors.len() == 1 && applied.errors[0].contains("exists already"), "{:?}", applied.errors);
        assert!(applied.state.is_null());
        stage.world_is(&before, "after a create that was refused");
    }
}

#[tokio::test]
async fn what_is_as_declared_is_adopted_with_a_warning() {
    let (mut stage, config) = network().await;
    let before = stage.world.memory();
    let planned = stage.engine.plan("k8s_vpc", &Value::Null, &config).await.planned;
    let applied = stage.engine.apply("k8s_vpc", &Value::Null, &config, &planned).await;
    assert_eq!(applied.errors, Vec::<String>::new());
    assert!(applied.warnings.len() == 1 && applied.warnings[0].contains("existed already"), "{:?}", applied.warnings);
    stage.world_is(&before, "after an adoption");
    stage.settled(&applied.state, &config, "after an adoption").await;
}

#[tokio::test]
async fn a_plan_that_may_ask_says_what_is_there() {
    let (mut stage, _) = network().await;
    stage.engine.preflight = true;
    stage.engine.configure().await;
    let config = stage.config.clone();
    let errors = stage.engine.try_plan("k8s_vpc", &Value::Null, &config).await.unwrap_err();
    assert!(errors.len() == 1 && errors[0].contains("k8s_vpc/demo exists already"), "{errors:?}");
}
