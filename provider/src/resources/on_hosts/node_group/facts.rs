//! What is known of the nodes of a group beside what is on their hosts: from the state alone at plan, from the API server at refresh and
//! at apply. Pure.

use super::config::Config;
use crate::kubernetes::KnownNode;
use crate::resources::on_hosts::recorded::Recorded;
use bundle::{Difference, HostName, Item, NodeObject, TaintKey, What};
use rollout::{NodeFacts, NodeStatus};
use schema::{Diagnostic, Value, decode};
use std::collections::{BTreeMap, BTreeSet};

pub type Facts = BTreeMap<HostName, NodeFacts>;

type Drift = BTreeMap<HostName, Vec<Difference>>;

/// What follows from a changed declaration and from the drift that the last refresh found. Of hosts that are new nothing does: their
/// nodes register with what is declared.
pub fn assumed(config: &Config, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
    let (Some(prior), Some(declared)) = (prior, config.node_object()) else { return Ok(Facts::new()) };
    let recorded = Recorded::of(Some(prior))?;
    let before = before(Some(prior), &config.startup_taints())?;
    let (changed, mut drift) = (declared.differences(&before, &before), of_nodes(recorded.differences()?));
    if changed.is_empty() && drift.is_empty() {
        return Ok(Facts::new());
    }
    let assume = |host: HostName| {
        let found = drift.remove(&host).unwrap_or_default();
        let is_registered = !found.iter().any(|difference| difference.what == What::NotRegistered);
        let status = (!is_registered).then_some(NodeStatus::NotRegistered);
        let mut differences = if is_registered { changed.clone() } else { Vec::new() };
        let known: BTreeSet<String> = changed.iter().map(|difference| difference.item.to_string()).collect();
        differences
            .extend(found.into_iter().filter(|found| found.item != Item::Node && !known.contains(&found.item.to_string())));
        (host, NodeFacts { status, differences, ..NodeFacts::default() })
    };
    let facts = recorded.manifests()?.into_keys().map(assume);
    Ok(facts.filter(|(_, facts)| *facts != NodeFacts::default()).collect())
}

/// What the API server says at apply. `before` was declared by the state.
pub fn found<'a>(
    hosts: impl Iterator<Item = &'a HostName>,
    nodes: &BTreeMap<String, KnownNode>,
    (declared, before): (&NodeObject, &NodeObject),
) -> Facts {
    let fact = |host: &HostName| {
        let Some(node) = nodes.get(host.as_str()) else {
            return NodeFacts { status: Some(NodeStatus::NotRegistered), ..NodeFacts::default() };
        };
        NodeFacts {
            status: Some(if node.not_ready.is_none() { NodeStatus::Ready } else { NodeStatus::NotReady }),
            is_cordoned: node.is_cordoned,
            has_expired: false,
            differences: declared.differences(before, &node.object),
        }
    };
    hosts.map(|host| (host.clone(), fact(host))).collect()
}

/// What a refresh says of the nodes that there should be.
pub fn drift(prior: &Value, nodes: &BTreeMap<String, KnownNode>) -> Result<Drift, Diagnostic> {
    let (declared, hosts) = (declared_in(Some(prior))?, Recorded::of(Some(prior))?.manifests()?);
    let differences = |host: &HostName| match nodes.get(host.as_str()) {
        None => vec![Difference { item: Item::Node, what: What::NotRegistered }],
        Some(node) => declared.differences(&NodeObject::default(), &node.object),
    };
    let all = hosts.into_keys().map(|host| (host.clone(), differences(&host)));
    Ok(all.filter(|(_, differences)| !differences.is_empty()).collect())
}

/// Labels and taints that nodes may have after an apply that failed: those of before, and those that it was about to set. Of a key in both
/// the value is the one of before.
pub fn of_both(prior: &Value, planned: &Value) -> (Value, Value) {
    let merged = |before: &Value, now: &Value| match (before.as_map(), now.as_map()) {
        (Some(before), Some(now)) => {
            Value::Map(now.iter().chain(before).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        (None, Some(_)) => now.clone(),
        _ => before.clone(),
    };
    let joined = |before: &Value, now: &Value| match (before.as_list(), now.as_list()) {
        (Some(before), Some(now)) => {
            let is_new = |taint: &&Value| {
                let is_same = |other: &Value| ["key", "effect"].iter().all(|name| other.get(name) == taint.get(name));
                !before.iter().any(is_same)
            };
            Value::List(before.iter().chain(now.iter().filter(is_new)).cloned().collect())
        }
        (None, Some(_)) => now.clone(),
        _ => before.clone(),
    };
    (merged(prior.get("labels"), planned.get("labels")), joined(prior.get("taints"), planned.get("taints")))
}

/// What the last refresh said of nodes, for one that cannot ask.
pub fn known_drift(prior: &Value) -> Result<Drift, Diagnostic> {
    Ok(of_nodes(Recorded::of(Some(prior))?.differences()?))
}

/// What a state declares of its nodes, without what is a startup taint now: that is the agent's to take away, where it still is.
pub fn before(state: Option<&Value>, startup_taints: &BTreeSet<TaintKey>) -> Result<NodeObject, Diagnostic> {
    let mut before = declared_in(state)?;
    before.taints.retain(|key, _| !startup_taints.contains(key));
    Ok(before)
}

fn declared_in(state: Option<&Value>) -> Result<NodeObject, Diagnostic> {
    let Some(state) = state else { return Ok(NodeObject::default()) };
    Ok(decode::<Config>(state)?.node_object().unwrap_or_default())
}

fn of_nodes(mut drift: Drift) -> Drift {
    drift.values_mut().for_each(|all| all.retain(|difference| difference.item.is_of_node()));
    drift.retain(|_, all| !all.is_empty());
    drift
}
