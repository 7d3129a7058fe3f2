//! SSH that leads to the machine of another host of the same resource, though no plan can see it: another name server, another
//! forwarding, another provider block. Nothing is read from it, written to it or removed from it, for every resource on hosts.

use super::rows::ROWS;
use super::{Stage, difference, without_steps};
use bundle::HostName;
use schema::Value;

/// Each resource on hosts, created; then SSH to its last host leads to the machine of its first one.
async fn mistaken() -> Vec<(Stage, Value, [String; 2])> {
    let mut all = Vec::new();
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if stage.is_on_hosts() {
            let state = stage.create().await;
            let names: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
            let (first, last) = (names[0].clone(), names[names.len() - 1].clone());
            lead(&stage, &last, Some(&first));
            all.push((stage, state, [first, last]));
        }
    }
    assert!(all.len() >= 3);
    all
}

fn lead(stage: &Stage, host: &str, to: Option<&str>) {
    let address = stage.config.get("hosts").get(host).get("address").as_str().unwrap().to_string();
    stage.world.change(|memory| match to {
        Some(machine) => drop(memory.routes.insert(address, HostName::literal(machine))),
        None => drop(memory.routes.remove(&address)),
    });
}

#[track_caller]
fn says(texts: &[String], part: &str) {
    assert!(texts.iter().any(|text| text.contains(part)), "nobody says {part:?}: {texts:#?}");
}

#[tokio::test]
async fn a_refresh_takes_nothing_from_it() {
    for (mut stage, state, [first, last]) in mistaken().await {
        let refreshed = stage.engine.refresh(stage.row.name, &state).await;
        assert_eq!(refreshed.errors, [""; 0]);
        says(&refreshed.warnings, &format!("SSH to {last} reaches the machine of {first}"));
        assert_eq!(refreshed.state.get("drift").as_map().map(|drift| drift.len()), Some(0), "{}", stage.row.name);
        let mut expect = without_steps(&state);
        expect.set("unreachable", refreshed.state.get("unreachable").clone());
        assert_eq!(difference(&expect, &refreshed.state), [""; 0]);
        says(&[refreshed.state.get("unreachable").get(&last).as_str().unwrap().to_string()], &format!("the machine of {first}"));
        lead(&stage, &last, None);
        let config = stage.config.clone();
        stage.settled(&state, &config, "once SSH leads to its own machine").await;
    }
}

#[tokio::test]
async fn an_apply_writes_to_no_host_and_the_next_one_goes_on() {
    for (mut stage, state, [first, last]) in mistaken().await {
        let (name, mut config) = (stage.row.name, stage.config.clone());
        let (attribute, value) = stage.row.updates[0];
        config.set(attribute, value());
        let config = super::complete(stage.engine.schema(name), &config);
        let planned = stage.engine.plan(name, &state, &config).await.planned;
        let before = stage.world.memory();
        stage.world.arm(None);
        let refused = stage.engine.apply(name, &state, &config, &planned).await;
        says(&refused.errors, &format!("SSH to {last} reaches the machine of {first}"));
        says(&refused.errors, "Nothing was changed on any host");
        assert_eq!(stage.world.calls(), [""; 0], "{name}");
        assert_eq!(refused.state, state);
        stage.world_is(&before, "after the refusal");
        lead(&stage, &last, None);
        let state = stage.apply(&state, &config).await;
        stage.settled(&state, &config, "after a refusal").await;
    }
}

#[tokio::test]
async fn a_destroy_removes_from_no_host_and_the_next_one_goes_on() {
    for (mut stage, state, [first, last]) in mistaken().await {
        let before = stage.world.memory();
        stage.world.arm(None);
        let refused = stage.engine.destroy(stage.row.name, &state).await;
        says(&refused.errors, &format!("SSH to {last} reaches the machine of {first}"));
        assert_eq!((stage.world.calls(), refused.state), (vec![], state.clone()), "{}", stage.row.name);
        stage.world_is(&before, "after the refusal");
        lead(&stage, &last, None);
        stage.destroy(&state, "after a refusal").await;
    }
}

/// The way out where a machine is gone and another host has its address.
#[tokio::test]
async fn a_host_that_leaves_is_forgotten_and_nothing_is_removed() {
    for (mut stage, state, [first, last]) in mistaken().await {
        if stage.row.name == "k8s_hardway_cluster" {
            continue;
        }
        let mut config = stage.config.clone();
        let mut hosts = config.get("hosts").as_map().unwrap().clone();
        hosts.remove(&last);
        config.set("hosts", Value::Map(hosts));
        let planned = stage.engine.plan(stage.row.name, &state, &config).await.planned;
        stage.world.arm(None);
        let applied = stage.engine.apply(stage.row.name, &state, &config, &planned).await;
        assert_eq!(applied.errors, [""; 0]);
        says(&applied.warnings, &format!("SSH to {last} reaches the machine of {first}, so nothing was removed from it"));
        assert!(!stage.world.calls().iter().any(|call| call.contains("remove")), "{:?}", stage.world.calls());
        stage.settled(&applied.state, &config, "without it").await;
    }
}

/// Two hosts that SSH reaches at one machine, at their first apply: seen before anything is written; or, of a machine that does not tell
/// its boot, by the second that finds the name of the first.
#[tokio::test]
async fn a_machine_is_not_written_as_two_hosts() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let names: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
        let (first, last) = (names[0].clone(), names[names.len() - 1].clone());
        lead(&stage, &last, Some(&first));
        let (name, config) = (stage.row.name, stage.config.clone());
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        stage.world.arm(None);
        let applied = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        says(&applied.errors, &format!("The same machine answers on {first}, {last}"));
        assert!(!stage.world.calls().iter().any(|call| call.ends_with(": push")), "{:?}", stage.world.calls());
        stage.world.change_host(&first, |memory| memory.trouble = |facts| facts.boot_id = None);
        let applied = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        says(&applied.errors, " reaches the machine of ");
    }
}

/// As commit 29eb745 left them.
#[tokio::test]
async fn records_without_a_name_are_taken_on_and_named_by_the_next_push() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let state = stage.create().await;
        let named = stage.world.memory();
        let names: Vec<String> = stage.config.get("hosts").as_map().unwrap().keys().cloned().collect();
        for host in &names {
            stage.world.change_host(host, |memory| {
                memory
                    .records
                    .iter_mut()
                    .filter(|(owner, _)| owner.as_str().starts_with(row.name))
                    .for_each(|(_, record)| record.identity.retain(|key, _| key == "uid"))
            });
        }
        let config = stage.config.clone();
        stage.settled(&state, &config, "of an older version").await;
        stage.apply(&state, &config).await;
        let (attribute, value) = row.updates[0];
        let mut changed = config.clone();
        changed.set(attribute, value());
        let changed = super::complete(stage.engine.schema(row.name), &changed);
        let state = stage.apply(&state, &changed).await;
        let state = stage.apply(&state, &config).await;
        for host in names.iter().map(|host| HostName::literal(host)) {
            let records = |memory: &crate::fakes::Memory| {
                memory.hosts[&host]
                    .records
                    .iter()
                    .map(|(owner, record)| (owner.clone(), record.identity.clone()))
                    .collect::<Vec<_>>()
            };
            let owner = |(owner, _): &(machines::Owner, _)| owner.as_str().starts_with(row.name);
            let (expect, found) =
                (records(&named).into_iter().find(owner), records(&stage.world.memory()).into_iter().find(owner));
            assert_eq!((&expect, expect.is_some()), (&found, true));
        }
        stage.destroy(&state, "of an older version").await;
    }
}
