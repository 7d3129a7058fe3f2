//! Routes, rules, targets and the like that others add to what a resource has on AWS stay through every refresh and every apply; what was the
//! resource's own and is not declared any more goes. What is declared exclusive has none of others.

use super::Stage;
use super::rows::{ROWS, row};
use crate::fakes::{Fault, Moment};
use schema::Value;
use std::collections::BTreeMap;

/// One of each word that others may add settings of.
pub const OF_OTHERS: [(&str, &str); 8] = [
    ("autoscaling_group by-hand", ""),
    ("egress tcp 25 0.0.0.0/0", "by hand"),
    ("ingress tcp 1 0.0.0.0/0", "by hand"),
    ("route 192.0.2.0/24", "pcx-by-hand"),
    ("route_table rtb-by-hand", ""),
    ("secondary_cidr 100.64.0.0/16", ""),
    ("subnet subnet-by-hand", ""),
    ("target 192.0.2.9", "80"),
];

/// Adds to every object of the resource what others may add to it; these settings by the ids of the objects.
fn add_of_others(stage: &Stage, state: &Value) -> BTreeMap<String, Vec<String>> {
    let ids: Vec<String> = state.get("ids").as_map().unwrap().values().filter_map(|id| id.as_str().map(str::to_owned)).collect();
    stage.world.change(|memory| {
        let mut added = BTreeMap::new();
        for id in ids {
            let Some(found) = memory.cloud.objects.get_mut(&id) else { continue };
            let all = OF_OTHERS.iter().filter(|(key, _)| found.kind.is_shared(key));
            let keys: Vec<String> = all.clone().map(|(key, _)| (*key).to_owned()).collect();
            found.settings.extend(all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            added.insert(id, keys);
        }
        added
    })
}

/// Of those objects that are still there.
#[track_caller]
fn are_there(stage: &Stage, added: &BTreeMap<String, Vec<String>>, when: &str) {
    let objects = stage.world.memory().cloud.objects;
    for (id, keys) in added {
        let Some(found) = objects.get(id) else { continue };
        let gone: Vec<&String> = keys.iter().filter(|key| !found.settings.contains_key(*key)).collect();
        assert!(gone.is_empty(), "{when}: {id} has no {gone:?} any more");
    }
}

/// The exclusive attributes of a resource, set.
pub fn exclusive(name: &str, config: &Value) -> Option<Value> {
    let mut config = config.clone();
    match name {
        "k8s_vpc" => {
            config.set("exclusive", true.into());
            let mut groups = config.get("security_groups").clone();
            if groups.is_null() {
                groups = Value::object([]);
            }
            groups.set("exclusive_rules", true.into());
            config.set("security_groups", groups);
        }
        "k8s_lb_nlb" => {
            let mut listeners = config.get("listeners").as_map().cloned().unwrap_or_default();
            for listener in listeners.values_mut() {
                let mut target = listener.get("target").clone();
                target.set("exclusive_targets", true.into());
                listener.set("target", target);
            }
            config.set("listeners", Value::Map(listeners));
        }
        _ => return None,
    }
    Some(config)
}

#[tokio::test]
async fn what_others_add_stays_through_every_change() {
    let mut count = 0;
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_cloud() {
            continue;
        }
        let mut state = stage.create().await;
        let added = add_of_others(&stage, &state);
        count += added.values().map(Vec::len).sum::<usize>();
        let config = stage.config.clone();
        stage.settled(&state, &config, "after others added theirs").await;
        for update in row.updates {
            let changed = row.changed(&config, update);
            state = stage.apply(&state, &changed).await;
            are_there(&stage, &added, &format!("after {}", update.0));
            stage.settled(&state, &changed, &format!("after {}", update.0)).await;
            state = stage.apply(&state, &config).await;
            are_there(&stage, &added, &format!("after {} was put back", update.0));
        }
    }
    assert!(count > 20, "only {count} settings were added");
}

fn network_with_rule(stage: &Stage, with: bool) -> Value {
    let mut config = stage.config.clone();
    let rule = Value::object([("role", "node".into()), ("ports", "9100".into()), ("peer", "192.0.2.0/24".into())]);
    let rules = if with { Value::object([("metrics", rule)]) } else { Value::object([]) };
    config.set("security_groups", Value::object([("additional_rules", rules)]));
    super::complete(stage.engine.schema("k8s_vpc"), &config)
}

fn rules_of_nodes(stage: &Stage, state: &Value) -> Vec<String> {
    let id = state.get("security_group_ids").get("node").as_str().unwrap().to_owned();
    stage.world.memory().cloud.objects[&id].settings.keys().filter(|key| key.contains("192.0.2.0/24")).cloned().collect()
}

#[tokio::test]
async fn what_was_declared_and_is_not_any_more_goes_though_others_may_add_the_same() {
    let mut stage = Stage::of(row("k8s_vpc")).await;
    let (with, without) = (network_with_rule(&stage, true), network_with_rule(&stage, false));
    let state = stage.apply(&Value::Null, &with).await;
    assert_eq!(rules_of_nodes(&stage, &state), ["ingress tcp 9100 192.0.2.0/24"]);

    // An apply that fails before it has come to the group does not forget whose the rule is.
    let planned = stage.engine.plan("k8s_vpc", &state, &without).await.planned;
    stage.world.arm(Some((Fault::Fail(Moment::Before), 1)));
    let failed = stage.engine.apply("k8s_vpc", &state, &without, &planned).await;
    assert!(!failed.errors.is_empty());
    stage.world.arm(None);
    let refreshed = stage.engine.refresh("k8s_vpc", &failed.state).await.state;
    let state = stage.apply(&refreshed, &without).await;
    assert_eq!(rules_of_nodes(&stage, &state), Vec::<String>::new());
    stage.settled(&state, &without, "after the rule went").await;
}

#[tokio::test]
async fn a_group_lets_out_no_more_than_is_declared() {
    let mut stage = Stage::of(row("k8s_vpc")).await;
    let state = stage.create().await;
    let id = state.get("security_group_ids").get("load-balancer").as_str().unwrap().to_owned();
    assert!(!stage.world.memory().cloud.objects[&id].settings.contains_key("egress all all 0.0.0.0/0"));
}
