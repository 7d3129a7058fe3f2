//! Lives without accidents: create, second plan, drift and its repair, update or replacement, destroy; and hosts that are away.

use super::rows::{ROWS, Row};
use super::{Stage, complete, contents};
use bundle::{Digest, HostPath, Sysctl, UnitName};
use schema::Value;
use std::collections::BTreeMap;

#[tokio::test]
async fn what_was_created_is_as_planned_and_the_second_plan_is_empty() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let fetches = stage.world.fetches().len();
        let state = stage.create().await;
        let after_create = stage.world.fetches().len();
        let config = stage.config.clone();
        stage.settled(&state, &config, "after create").await;
        assert_eq!(stage.world.fetches().len(), after_create, "{} looks digests up again", row.name);
        assert!(after_create - fetches <= 40, "{} looks digests up more than once", row.name);
        assert!(stage.world.memory().cluster.tokens.is_empty(), "a bootstrap token outlives the apply");
    }
}

/// Some digests are given, and the others are looked up once.
#[tokio::test]
async fn digests_that_are_not_given_are_looked_up_once_and_pinned() {
    for name in ["k8s_hardway_cluster", "k8s_node_group"] {
        let mut stage = Stage::of(super::rows::row(name)).await;
        let state = stage.create().await;
        assert!(state.get("looked_up_checksums").is_null(), "{name} shows them twice");
        let all = state.get("checksums").as_map().unwrap().clone();
        stage.destroy(&state, "with all digests looked up").await;
        let (given, digest) = all.first_key_value().unwrap();
        let mut config = stage.config.clone();
        config.set("checksums", Value::Map([(given.clone(), digest.clone())].into()));
        let config = complete(stage.engine.schema(name), &config);
        let planned = stage.engine.plan(name, &Value::Null, &config).await.planned;
        let mut others = all.clone();
        others.remove(given);
        assert_eq!(planned.get("looked_up_checksums").as_map(), Some(&others), "{name}");
        let created = stage.engine.apply(name, &Value::Null, &config, &planned).await;
        assert_eq!(created.errors, [""; 0]);
        // Both plans of a create look them up: there is no state yet.
        let fetches = stage.world.fetches().len();
        stage.settled(&created.state, &config, "with some digests given").await;
        let changed = stage.row.changed(&config, &stage.row.updates[0]);
        let changed = complete(stage.engine.schema(name), &changed);
        let changed = stage.apply(&created.state, &changed).await;
        assert_eq!(stage.world.fetches().len(), fetches, "{name} looks digests up again");
        assert_eq!(changed.get("looked_up_checksums").as_map(), Some(&others), "{name}");
        // One that is given from now on is looked up no more, and one that is given no longer keeps its pin.
        let (other, digest) = others.first_key_value().unwrap();
        let mut exchanged = config.clone();
        exchanged.set("checksums", Value::Map([(other.clone(), digest.clone())].into()));
        let exchanged = complete(stage.engine.schema(name), &exchanged);
        let state = stage.apply(&changed, &exchanged).await;
        assert_eq!(stage.world.fetches().len(), fetches, "{name} looks a digest up that the state has");
        assert!(
            state.get("looked_up_checksums").get(given).as_str().is_some()
                && state.get("looked_up_checksums").get(other).is_null()
        );
    }
}

#[tokio::test]
async fn what_is_destroyed_leaves_nothing_and_can_be_destroyed_again() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let state = stage.create().await;
        stage.destroy(&state, "after create").await;
        stage.destroy(&state, "a second time").await;
    }
}

#[tokio::test]
async fn a_change_is_made_in_place() {
    for row in ROWS {
        for change in row.updates {
            let mut stage = Stage::of(row).await;
            let state = stage.create().await;
            let config = complete(stage.engine.schema(row.name), &row.changed(&stage.config, change));
            let plan = stage.engine.plan(row.name, &state, &config).await;
            assert!(!plan.is_empty && plan.replaces.is_empty(), "{} {}: {:?}", row.name, change.0, plan.replaces);
            let state = stage.apply(&state, &config).await;
            stage.settled(&state, &config, &format!("after a change of {}", change.0)).await;
            stage.destroy(&state, &format!("after a change of {}", change.0)).await;
        }
    }
}

#[tokio::test]
async fn an_update_leaves_the_same_as_a_create_of_what_it_leads_to() {
    for row in ROWS.iter().filter(|row| row.name != "k8s_pki") {
        for change in row.updates {
            let mut stage = Stage::of(row).await;
            let config = complete(stage.engine.schema(row.name), &row.changed(&stage.config, change));
            stage.apply(&Value::Null, &config).await;
            let expect = stage.world.memory();
            stage.world.restore(&stage.before);
            let state = stage.create().await;
            stage.apply(&state, &config).await;
            stage.world_is(&expect, &format!("after a change of {}", change.0));
        }
    }
}

#[tokio::test]
async fn a_change_that_needs_a_new_object_says_so_at_plan() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let state = stage.create().await;
        let config = complete(stage.engine.schema(row.name), &row.replaced(&stage.config));
        let plan = stage.engine.plan(row.name, &state, &config).await;
        let expect = format!(
            "{:?}",
            Some(protocol::wire::tfplugin6::attribute_path::step::Selector::AttributeName(row.replacement.0.into()))
        );
        assert_eq!(plan.replaces, [expect], "{}", row.name);
        stage.destroy(&state, "before its replacement").await;
        let state = stage.apply(&Value::Null, &config).await;
        stage.settled(&state, &config, "after its replacement").await;
        stage.destroy(&state, "after its replacement").await;
    }
}

/// Of each kind of item one, by its line in `host_contents`.
fn one_of_each_kind(lines: &BTreeMap<String, Value>) -> Vec<String> {
    let kind = |key: &str, value: &str| match key.split_once(' ') {
        Some((kind, _)) => kind.to_string(),
        None => value.split(' ').next().unwrap_or_default().trim_start_matches(char::is_numeric).to_string(),
    };
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in lines {
        first.entry(kind(key, value.as_str().unwrap())).or_insert_with(|| key.clone());
    }
    first.into_values().collect()
}

fn damage(stage: &Stage, host: &str, item: &str, way: Way) {
    stage.world.change_host(host, |memory| {
        if let Some(module) = item.strip_prefix("module ") {
            memory.modules.remove(module);
        } else if let Some(key) = item.strip_prefix("sysctl ") {
            memory.set_sysctl(&Sysctl::literal(key), "7");
        } else if let Ok(unit) = UnitName::parse(item) {
            let unit = memory.units.get_mut(&unit).unwrap();
            match way {
                Way::Gone => unit.active_state = "failed".into(),
                Way::Changed => unit.enabled = false,
            }
        } else {
            let path = HostPath::literal(item);
            match (way, memory.files.get_mut(&path)) {
                (Way::Changed, Some(file)) => file.content = b"by hand".to_vec(),
                (Way::Changed, None) => drop(memory.programs.insert(path, Digest::of(b"another"))),
                (Way::Gone, _) => drop((memory.files.remove(&path), memory.programs.remove(&path))),
            }
        }
    });
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Gone,
    Changed,
}

async fn drift_is_named_and_repaired(stage: &mut Stage, state: &Value, host: &str, item: &str, way: Way) {
    let (name, config) = (stage.row.name, stage.config.clone());
    let what = format!("{name}, {host}: {item} {way:?}");
    let healthy = stage.world.memory();
    damage(stage, host, item, way);
    let refreshed = stage.engine.refresh(name, state).await;
    assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "{what}");
    let drift = refreshed.state.get("drift").as_map().unwrap();
    let sentences: Vec<&str> = drift.get(host).and_then(Value::as_list).unwrap().iter().filter_map(Value::as_str).collect();
    assert!(drift.len() == 1 && sentences.len() == 1 && sentences[0].starts_with(item), "{what}: {drift:?}");
    let [row] = refreshed.state.get("differences").as_list().unwrap() else { panic!("{what}: not one difference") };
    let named = row.get("name").as_str().unwrap();
    assert!(row.get("hosts").as_str() == Some(host) && item.ends_with(named), "{what}: {row:?}");
    let plan = stage.engine.plan(name, &refreshed.state, &config).await;
    assert_eq!(plan.planned.get("drift").as_map().map(BTreeMap::len), Some(0), "{what}");
    assert_eq!(plan.planned.get("differences"), &Value::List(vec![]), "{what}");
    assert!(!plan.planned.get("rollout").as_list().unwrap().is_empty(), "{what}: the plan shows no step");
    stage.world.arm(None);
    let repaired = stage.engine.apply(name, &refreshed.state, &config, &plan.planned).await;
    assert_eq!(repaired.errors, Vec::<String>::new(), "{what}");
    let elsewhere: Vec<String> =
        stage.world.calls().into_iter().filter(|call| !call.starts_with(host) && !call.starts_with("cluster: ")).collect();
    assert_eq!(elsewhere, Vec::<String>::new(), "{what}: other hosts are touched");
    stage.world_is(&healthy, &format!("after the repair of {what}"));
    stage.settled(&repaired.state, &config, &format!("after the repair of {what}")).await;
}

#[tokio::test]
async fn drift_is_named_by_host_and_item_and_just_that_is_repaired() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let state = stage.create().await;
        for (host, lines) in contents(&state) {
            for item in one_of_each_kind(&lines) {
                for way in [Way::Gone, Way::Changed] {
                    drift_is_named_and_repaired(&mut stage, &state, &host, &item, way).await;
                }
            }
        }
    }
}

fn last_host(state: &Value) -> String {
    contents(state).into_keys().next_back().unwrap()
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_a_warning_and_no_change() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let state = stage.create().await;
        let (config, away) = (stage.config.clone(), last_host(&state));
        stage.world.change_host(&away, |host| host.answers = false);
        let refreshed = stage.engine.refresh(row.name, &state).await;
        assert_eq!(refreshed.errors, Vec::<String>::new());
        assert!(refreshed.warnings.len() == 1 && refreshed.warnings[0].contains(&away), "{}: {:?}", row.name, refreshed.warnings);
        assert!(refreshed.state.get("unreachable").get(&away).as_str().is_some());
        let plan = stage.engine.plan(row.name, &refreshed.state, &config).await;
        assert!(plan.is_empty, "{}: a host that is away changes the plan", row.name);
        stage.world.change_host(&away, |host| host.answers = true);
        let back = stage.engine.refresh(row.name, &refreshed.state).await;
        assert!(back.warnings.is_empty() && back.state.get("unreachable").as_map().is_some_and(BTreeMap::is_empty));
        stage.settled_from(&back.state, &config).await;
    }
}

#[tokio::test]
async fn a_destroy_cleans_every_host_that_answers_and_keeps_the_rest_in_the_state() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let state = stage.create().await;
        let away = last_host(&state);
        stage.world.change_host(&away, |host| host.answers = false);
        let destroyed = stage.engine.destroy(row.name, &state).await;
        assert!(destroyed.errors.iter().any(|error| error.contains(&away)), "{}: {:?}", row.name, destroyed.errors);
        let left: Vec<String> = contents(&destroyed.state).into_keys().collect();
        assert_eq!(left, std::slice::from_ref(&away), "{}", row.name);
        stage.world.change_host(&away, |host| host.answers = true);
        stage.destroy(&destroyed.state, "once the host answers again").await;
    }
}

impl Stage {
    async fn settled_from(&mut self, state: &Value, config: &Value) {
        let plan = self.engine.plan(self.row.name, state, config).await;
        assert!(plan.is_empty, "the plan of {} changes {:?}", self.row.name, super::difference(state, &plan.planned));
    }
}

#[tokio::test]
async fn certificates_are_renewed_when_their_time_comes_and_not_before() {
    let row: &'static Row = &ROWS[0];
    let mut stage = Stage::of(row).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    stage.world.advance(time::Duration::hours(8_760 - 720 - 2));
    stage.settled(&state, &config, "before certificates are due").await;
    let saved = complete(stage.engine.schema(row.name), &row.changed(&config, &row.updates[0]));
    let of_before = stage.engine.plan(row.name, &state, &saved).await.planned;
    stage.world.advance(time::Duration::hours(4));
    // What was planned before is applied after: no plan reads a clock.
    assert!(stage.engine.plan(row.name, &state, &config).await.is_empty);
    let late = stage.engine.apply(row.name, &state, &saved, &of_before).await;
    assert_eq!((late.errors, late.state.get("certificates").get("admin")), (vec![], state.get("certificates").get("admin")));
    let state = stage.engine.refresh(row.name, &state).await.state;
    let due = state.get("due_for_renewal").as_map().unwrap();
    assert!(due.len() > 20 && due["admin"] == *state.get("expires_at").get("admin"), "{due:?}");
    let plan = stage.engine.plan(row.name, &state, &config).await;
    assert_eq!(plan.planned.get("due_for_renewal"), &Value::object([]));
    assert!(plan.planned.get("certificates").get("admin").is_unknown());
    assert_eq!(plan.planned.get("certificates").get("cluster-ca"), state.get("certificates").get("cluster-ca"));
    let renewed = stage.apply(&state, &config).await;
    stage.settled(&renewed, &config, "after a renewal").await;
}

/// A member of etcd is started when most of them are: their starts do not wait for one another.
#[tokio::test]
async fn a_cluster_is_created_one_host_at_a_time() {
    let mut stage = Stage::of(super::rows::row("k8s_hardway_cluster")).await;
    stage.engine.parallel_hosts = Some(1);
    stage.engine.configure().await;
    let state = stage.create().await;
    let config = stage.config.clone();
    stage.settled(&state, &config, "one host at a time").await;
}
