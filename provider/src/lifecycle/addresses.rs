//! Hosts that are declared under other addresses or names than the last apply knew, for every resource on hosts.

use super::rows::{ROWS, Row, row};
use super::{Stage, complete};
use crate::fakes::HostMemory;
use bundle::HostName;
use schema::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

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

/// The configuration with other SSH addresses for some of its hosts.
fn reached_at(stage: &Stage, ways: &[(&str, &str)]) -> Value {
    let mut hosts = stage.config.get("hosts").clone();
    for (host, address) in ways {
        let mut attributes = hosts.get(host).clone();
        attributes.set("ssh", Value::object([("address", (*address).into())]));
        hosts.set(host, attributes);
    }
    let mut config = stage.config.clone();
    config.set("hosts", hosts);
    complete(stage.engine.schema(stage.row.name), &config)
}

fn addresses_of(config: &Value, host: &str) -> BTreeSet<IpAddr> {
    config.get("hosts").get(host).get("address").as_str().unwrap().parse().into_iter().collect()
}

fn leads(stage: &Stage, address: &str, host: &str) {
    stage.world.change(|memory| memory.routes.insert(address.into(), HostName::literal(host)));
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

#[tokio::test]
async fn swapped_ssh_addresses_are_refused_at_plan() {
    for mut stage in on_hosts().await {
        let names: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
        let (one, other) = (names[0].as_str(), names[1].as_str());
        let swapped = reached_at(&stage, &[(one, "ssh-2.example"), (other, "ssh-1.example")]);
        stage.config = reached_at(&stage, &[(one, "ssh-1.example"), (other, "ssh-2.example")]);
        for host in &names {
            let addresses = addresses_of(&stage.config, host);
            stage.world.change_host(host, |memory| memory.addresses = addresses);
        }
        let (name, state) = (stage.row.name, stage.create().await);
        let errors = stage.engine.try_plan(name, &state, &swapped).await.unwrap_err();
        let expect = [(one, "ssh-2.example", other), (other, "ssh-1.example", one)];
        for (errors, (now, at, before)) in errors.iter().zip(expect) {
            assert!(
                errors.contains(&format!("SSH would reach {now} at {at}, where the last apply reached {before}")),
                "{errors}"
            );
        }
        // One that is known only at apply meets the same refusal.
        let same = stage.config.clone();
        let mut planned = stage.engine.plan(name, &state, &same).await.planned;
        planned.set("hosts", swapped.get("hosts").clone());
        let before = stage.world.memory();
        let refused = stage.engine.apply(name, &state, &swapped, &planned).await;
        assert!(!refused.errors.is_empty(), "{name}");
        assert!(refused.errors.iter().all(|error| error.contains("SSH would reach")), "{:?}", refused.errors);
        stage.world_is(&before, "after the refusal");
    }
}

#[tokio::test]
async fn two_hosts_that_ssh_reaches_at_one_place_are_refused_before_the_first_apply() {
    for mut stage in on_hosts().await {
        let names: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
        let config = reached_at(&stage, &[(&names[0], "ssh.example"), (&names[1], "SSH.example.")]);
        let errors = stage.engine.try_plan(stage.row.name, &Value::Null, &config).await.unwrap_err();
        let expect = format!("SSH reaches {} and {} at the same place, ssh.example", names[0], names[1]);
        assert!(errors.len() == 1 && errors[0].contains(&expect), "{errors:?}");
    }
}

#[tokio::test]
async fn another_way_of_ssh_is_taken_to_the_same_machine_only() {
    for mut stage in on_hosts().await {
        let (name, state) = (stage.row.name, stage.create().await);
        let moved = last_host(&stage.config);
        let config = reached_at(&stage, &[(&moved, "ssh.example")]);
        let plan = stage.engine.plan(name, &state, &config).await;
        let expect = format!("SSH takes another way to {moved}");
        assert!(plan.warnings.iter().any(|warning| warning.contains(&expect)), "{name}: {:?}", plan.warnings);
        leads(&stage, "ssh.example", "a-new-machine");
        let before = stage.world.memory();
        let refused = stage.engine.apply(name, &state, &config, &plan.planned).await;
        let expect = format!("SSH reaches another machine than {moved} at ssh.example");
        assert!(refused.errors.len() == 1 && refused.errors[0].contains(&expect), "{name}: {:?}", refused.errors);
        assert_eq!(refused.state, state, "{name}");
        stage.world_is(&before, "after the refusal");
        leads(&stage, "ssh.example", &moved);
        let state = stage.apply(&state, &config).await;
        stage.settled(&state, &config, "after another way").await;
        stage.destroy(&state, "reached in another way").await;
    }
}

/// A machine that was set up again has no record, but its address.
#[tokio::test]
async fn a_machine_that_was_set_up_again_is_known_by_its_address() {
    let mut stage = Stage::of(row("k8s_node_group")).await;
    let state = stage.create().await;
    let end = stage.world.memory();
    let config = reached_at(&stage, &[("worker-2", "ssh.example")]);
    let addresses = addresses_of(&config, "worker-2");
    stage.world.change_host("worker-2", |host| *host = HostMemory { addresses, ..HostMemory::default() });
    let refreshed = stage.engine.refresh(stage.row.name, &state).await;
    let state = stage.apply(&refreshed.state, &config).await;
    stage.settled(&state, &config, "after it was set up again").await;
    assert_eq!(stage.world.memory().hosts.len(), end.hosts.len());
}
