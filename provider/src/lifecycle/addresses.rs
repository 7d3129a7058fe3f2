//! Hosts that are declared under other addresses or names than the last apply knew, for every resource on hosts.

use super::rows::{ROWS, Row};
use super::{Stage, complete};
use crate::fakes::HostMemory;
use schema::Value;

const ELSEWHERE: &str = "192.0.2.77";

/// The configuration with other attributes, or another name, for one of its hosts.
fn with_host(stage: &Stage, host: &str, name: &str, attributes: Value) -> Value {
    let mut hosts = stage.config.get("hosts").as_map().unwrap().clone();
    hosts.remove(host);
    hosts.insert(name.into(), attributes);
    let mut config = stage.config.clone();
    config.set("hosts", Value::Map(hosts));
    complete(stage.engine.schema(stage.row.name), &config)
}

fn last_host(config: &Value) -> String {
    config.get("hosts").as_map().unwrap().keys().last().unwrap().clone()
}

fn at(address: impl Into<Value>) -> Value {
    Value::object([("address", address.into())])
}

async fn on_hosts() -> Vec<Stage> {
    let mut stages = Vec::new();
    for row in ROWS {
        stages.push(Stage::of(row).await);
    }
    stages.retain(Stage::is_on_hosts);
    stages
}

fn has_fixed_members(row: &Row) -> bool {
    row.name == "k8s_hardway_cluster"
}

#[tokio::test]
async fn a_machine_under_another_name_is_refused_at_plan() {
    for mut stage in on_hosts().await {
        let (name, state) = (stage.row.name, stage.create().await);
        let renamed = last_host(&stage.config);
        let address = stage.config.get("hosts").get(&renamed).get("address").as_str().unwrap().to_string();
        let config = with_host(&stage, &renamed, "renamed", at(address.as_str()));
        let errors = stage.engine.try_plan(name, &state, &config).await.unwrap_err();
        assert!(errors.iter().any(|error| error.contains(&format!("{renamed} and renamed are the same machine"))), "{errors:?}");
    }
}

#[tokio::test]
async fn the_same_machine_moves_and_another_one_is_left_as_it_is() {
    for mut stage in on_hosts().await {
        if has_fixed_members(stage.row) {
            continue;
        }
        let (name, state) = (stage.row.name, stage.create().await);
        let moved = last_host(&stage.config);
        let config = with_host(&stage, &moved, &moved, at(ELSEWHERE));
        let planned = stage.engine.plan(name, &state, &config).await.planned;
        let before = stage.world.memory();
        stage.world.change_host(&moved, |host| *host = HostMemory::default());
        let empty = stage.world.memory();
        let refused = stage.engine.apply(name, &state, &config, &planned).await;
        let expect = format!("{ELSEWHERE} is not the machine that was set up as {moved}");
        assert!(refused.errors.len() == 1 && refused.errors[0].contains(&expect), "{name}: {:?}", refused.errors);
        assert_eq!(refused.state, state, "{name}: the state forgets the machine at its old address");
        stage.world_is(&empty, "after the refusal");
        stage.world.restore(&before);
        let state = stage.apply(&state, &config).await;
        stage.settled(&state, &config, "after the move").await;
    }
}

#[tokio::test]
async fn a_member_of_etcd_does_not_move() {
    for mut stage in on_hosts().await {
        if !has_fixed_members(stage.row) {
            continue;
        }
        let (name, state) = (stage.row.name, stage.create().await);
        let moved = last_host(&stage.config);
        let config = with_host(&stage, &moved, &moved, at(ELSEWHERE));
        let errors = stage.engine.try_plan(name, &state, &config).await.unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains(&format!("{moved} cannot move from")), "{errors:?}");
        // An address that is known only at apply meets the same refusal.
        let config_at_plan = with_host(&stage, &moved, &moved, at(Value::Unknown));
        let mut planned = stage.engine.plan(name, &state, &config_at_plan).await.planned;
        planned.set("hosts", config.get("hosts").clone());
        let before = stage.world.memory();
        let refused = stage.engine.apply(name, &state, &config, &planned).await;
        assert!(refused.errors.len() == 1 && refused.errors[0].contains("cannot move from"), "{:?}", refused.errors);
        stage.world_is(&before, "after the refusal");
    }
}
