//! States that earlier versions of the schema wrote, brought to the current one. Pure.

use super::differences::DIFFERENCES;
use super::hardway_cluster::config::{
    DEFAULT_CLUSTER_DOMAIN, DEFAULT_NODE_MASK_IPV4, DEFAULT_NODE_MASK_IPV6, DEFAULT_POD_NETWORK,
};
use super::lives;
use super::recorded::{HOST_CONTENTS, damaged};
use super::steps::STEPS;
use bundle::{HostName, Lines, NameError};
use machines::Uid;
use schema::Diagnostic;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub const CURRENT: i64 = 5;

/// Version 0 had `bundles`, host by host; `host_contents` says once what all hosts have. It had no steps as data: those of a change
/// that is over are left out. Version 1 had no uids: what it has is of the one life that was known then.
/// Version 2 had null for what is the default of a cluster's network. Version 3 had no holders, and drift in words only: what they say is
/// null as data, until a refresh finds it again. Version 4 knew one pod network.
pub fn upgrade(version: i64, mut state: Value) -> Result<Value, Diagnostic> {
    let Some(attributes) = state.as_object_mut() else { return Ok(state) };
    if version == 0 {
        let folded = fold(attributes).map_err(|error| damaged(&error))?;
        attributes.remove("bundles");
        attributes.insert(HOST_CONTENTS.into(), json!(folded));
        attributes.insert(STEPS.into(), json!([]));
    }
    if version <= 1 {
        attributes.entry(lives::UID).or_insert_with(|| json!(Uid::NIL));
        for join in ["join", "cluster"] {
            if let Some(join) = attributes.get_mut(join).and_then(Value::as_object_mut) {
                join.entry("cluster_uid").or_insert_with(|| json!(Uid::NIL));
            }
        }
    }
    if version <= 2
        && let Some(network) = attributes.get_mut("network").and_then(Value::as_object_mut)
    {
        for (name, default) in network_defaults() {
            if network.get(name).is_none_or(Value::is_null) {
                network.insert(name.into(), default);
            }
        }
    }
    if version <= 3 {
        let has_drift = attributes.get("drift").and_then(Value::as_object).is_some_and(|drift| !drift.is_empty());
        attributes.insert(DIFFERENCES.into(), if has_drift { Value::Null } else { json!([]) });
        attributes.entry(lives::HOLDER).or_insert_with(|| json!(Uid::NIL));
    }
    if version <= 4 {
        for of in ["network", "join", "cluster"] {
            if let Some(network) = attributes.get_mut(of).and_then(Value::as_object_mut) {
                network.entry("pod_network").or_insert_with(|| json!(DEFAULT_POD_NETWORK));
            }
        }
    }
    Ok(state)
}

fn network_defaults() -> [(&'static str, Value); 3] {
    [
        ("cluster_domain", json!(DEFAULT_CLUSTER_DOMAIN)),
        ("node_mask_ipv4", json!(DEFAULT_NODE_MASK_IPV4)),
        ("node_mask_ipv6", json!(DEFAULT_NODE_MASK_IPV6)),
    ]
}

fn fold(attributes: &Map<String, Value>) -> Result<Lines, NameError> {
    let objects = |name: &str| attributes.get(name).and_then(Value::as_object).into_iter().flatten();
    let lines = |lines: &Value| -> Lines {
        let lines = lines.as_object().into_iter().flatten();
        lines.map(|(item, line)| (item.clone(), line.as_str().map(str::to_string))).collect()
    };
    let hosts: BTreeMap<HostName, Lines> =
        objects("bundles").map(|(host, all)| Ok((HostName::parse(host.as_str())?, lines(all)))).collect::<Result<_, _>>()?;
    let every = objects("hosts").map(|(host, _)| HostName::parse(host.as_str())).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(bundle::fold(&every, &hosts, &BTreeSet::new()))
}
