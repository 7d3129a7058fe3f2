//! States of resources on hosts that version 0 of their schema wrote: `bundles`, host by host and with the stamp of each unit.

use super::rows::{ROWS, row};
use super::{Stage, contents, without_steps};
use bundle::Digest;
use schema::Value;
use serde_json::{Value as Json, json};

/// Written by the version of commit 29eb745, for two hosts of a test.
const LOAD_BALANCER_0: &str = include_str!("k8s_lb_vrrp.version-0.json");

#[tokio::test]
async fn a_load_balancer_of_version_0_is_taken_on_with_what_all_hosts_have_written_once() {
    let name = "k8s_lb_vrrp";
    let mut stage = Stage::of(row(name)).await;
    let stored: Json = serde_json::from_str(LOAD_BALANCER_0).unwrap();
    let state = stage.engine.upgrade(name, 0, LOAD_BALANCER_0.into()).await;
    let kept = state.to_json(&stage.engine.schema(name).value_type()).unwrap();
    for (attribute, value) in stored.as_object().unwrap().iter().filter(|(attribute, _)| *attribute != "bundles") {
        assert_eq!(kept[attribute], *value, "{attribute}");
    }
    let lines = |lines: &Json| lines.as_object().unwrap().len();
    assert_eq!((lines(&stored["bundles"]["lb-1"]), lines(&kept["host_contents"])), (14, 17));
    assert_eq!(json!(contents(&state).into_iter().map(text).collect::<serde_json::Map<_, _>>()), stored["bundles"]);
}

fn text((host, lines): (String, std::collections::BTreeMap<String, Value>)) -> (String, Json) {
    (host, lines.into_iter().map(|(item, line)| (item, json!(line.as_str()))).collect())
}

/// As version 0 wrote it: of files no readers, of units the stamps that the hosts have.
pub(super) fn as_version_0(stage: &Stage, state: &Value) -> Json {
    let mut json = state.to_json(&stage.engine.schema(stage.row.name).value_type()).unwrap();
    let mut bundles = serde_json::Map::new();
    for (host, lines) in contents(state) {
        let record = stage.world.change_host(&host, |memory| memory.records.values().cloned().collect::<Vec<_>>());
        let stamps = record.iter().flat_map(|record| &record.units);
        let mut old: serde_json::Map<String, Json> =
            lines.iter().map(|(item, line)| (item.clone(), json!(line.as_str().unwrap().split(" read by ").next()))).collect();
        for (unit, stamp) in stamps.filter(|(unit, _)| lines.contains_key(unit.as_str())) {
            old.insert(unit.to_string(), json!(format!("running sha256:{}", stamp.as_ref().unwrap())));
        }
        bundles.insert(host, Json::Object(old));
    }
    json["bundles"] = Json::Object(bundles);
    if let Some(network) = json.get_mut("network").and_then(Json::as_object_mut) {
        for name in ["cluster_domain", "node_mask_ipv4", "node_mask_ipv6"] {
            network.insert(name.into(), Json::Null);
        }
    }
    for of in ["network", "join", "cluster"] {
        json.get_mut(of).and_then(Json::as_object_mut).map(|network| network.remove("pod_network"));
    }
    json.as_object_mut().unwrap().remove("host_contents");
    json
}

#[tokio::test]
async fn a_state_of_version_0_whose_hosts_have_everything_needs_no_step() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        if !stage.is_on_hosts() {
            continue;
        }
        let (state, config) = (stage.create().await, stage.config.clone());
        let old = as_version_0(&stage, &state);
        assert!(old.to_string().matches("running sha256:").count() >= 3, "{old:#}");
        let taken_on = stage.engine.upgrade(row.name, 0, old.to_string()).await;
        let refreshed = stage.engine.refresh(row.name, &taken_on).await;
        assert_eq!((refreshed.errors, refreshed.warnings), (vec![], vec![]), "{}", row.name);
        let plan = stage.engine.plan(row.name, &refreshed.state, &config).await;
        assert_eq!(plan.replaces, Vec::<String>::new());
        assert_eq!(plan.planned, without_steps(&state), "{}: more than the form of the state changes", row.name);
        let before = stage.world.memory();
        let applied = stage.engine.apply(row.name, &refreshed.state, &config, &plan.planned).await;
        assert_eq!(applied.errors, Vec::<String>::new());
        stage.world_is(&before, "after it was taken on");
        stage.settled(&applied.state, &config, "after it was taken on").await;
    }
}

/// Stamps of version 0 count what units read again by themselves. Whether they are kept is decided when all that units read is known.
#[tokio::test]
async fn what_a_plan_without_keys_knows_of_a_state_of_version_0_is_what_is_applied() {
    let name = "k8s_hardway_cluster";
    let mut stage = Stage::of(row(name)).await;
    let (state, config) = (stage.create().await, stage.config.clone());
    for host in ["cp-1", "cp-2", "cp-3"] {
        stage.world.change_host(host, |memory| {
            let stamps = memory.records.values_mut().flat_map(|record| record.units.values_mut());
            stamps.for_each(|stamp| *stamp = Some(Digest::of(b"over everything")));
        });
    }
    let old = as_version_0(&stage, &state);
    let taken_on = stage.engine.upgrade(name, 0, old.to_string()).await;
    let mut without_keys = config.clone();
    without_keys.set("pki", Value::Unknown);
    let early = stage.engine.plan(name, &taken_on, &without_keys).await.planned;
    let last = stage.engine.plan(name, &taken_on, &config).await.planned;
    let [early, last] = [&early, &last].map(|planned| planned.get("host_contents").as_map().unwrap());
    assert_eq!(early.keys().collect::<Vec<_>>(), last.keys().collect::<Vec<_>>());
    let known = early.iter().filter(|(_, line)| **line != Value::Unknown);
    assert_eq!(known.clone().filter(|(item, line)| last[*item] != **line).collect::<Vec<_>>(), []);
    assert!(known.count() > 9 && last.values().any(|line| line.as_str().is_some_and(|line| line.starts_with("running sha256:"))));
}
