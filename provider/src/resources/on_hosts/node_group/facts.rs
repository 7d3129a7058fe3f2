//! What is known of the nodes of a group beside what is on their hosts: from the state alone at plan, from the API server at refresh and
//! at apply. Pure.

use super::config::Config;
use super::skew;
use crate::kubernetes::KnownNode;
use crate::resources::on_hosts::differences::Drift;
use crate::resources::on_hosts::recorded::Recorded;
use bundle::{Difference, HostName, Instead, Item, NodeObject, TaintKey, What};
use rollout::{CordonedBy, NodeFacts, NodeStatus};
use schema::{Diagnostic, Value, decode};
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub type Facts = BTreeMap<HostName, NodeFacts>;

/// What follows from a changed declaration and from the drift that the last refresh found. Of hosts that are new nothing does: their
/// nodes register with what is declared.
pub fn assumed(config: &Config, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
    let (Some(prior), Some(declared)) = (prior, Declared::by(config)) else { return Ok(Facts::new()) };
    let recorded = Recorded::of(Some(prior))?;
    let before = Declared::before(Some(prior), &config.startup_taints())?;
    let changed = declared.object.differences(&before.object, &before.object);
    let known: HashSet<&Item> = changed.iter().map(|difference| &difference.item).collect();
    let mut drift = of_nodes(recorded.differences()?);
    let assume = |host: HostName| {
        let found = drift.remove(&host).unwrap_or_default();
        let has = |what: &What| found.iter().any(|difference| difference.what == *what);
        if has(&What::NotRegistered) {
            return (host, NodeFacts { status: Some(NodeStatus::NotRegistered), ..NodeFacts::default() });
        }
        let kubelet = found.iter().find_map(kubelet_found).or(before.kubelet_version.as_deref());
        let other_minor = skew::other_minor(kubelet, declared.kubelet_version.as_deref());
        let cordoned_by = has(&What::LeftCordoned).then_some(CordonedBy::Provider);
        let is_set = |found: &Difference| matches!(found.item, Item::Label(_) | Item::Taint(_));
        let also = found.iter().filter(|found| is_set(found) && !known.contains(&found.item)).cloned();
        let differences = changed.iter().cloned().chain(also).collect();
        (host, NodeFacts { differences, cordoned_by, other_minor, ..NodeFacts::default() })
    };
    let facts = recorded.manifests()?.into_keys().map(assume);
    Ok(facts.filter(|(_, facts)| *facts != NodeFacts::default()).collect())
}

/// What the API server says at apply. `before` was declared by the state.
pub fn found<'a>(
    hosts: impl Iterator<Item = &'a HostName>,
    nodes: &BTreeMap<String, KnownNode>,
    (declared, before): (&Declared, &Declared),
) -> Facts {
    let fact = |host: &HostName| {
        let Some(node) = nodes.get(host.as_str()) else {
            return NodeFacts { status: Some(NodeStatus::NotRegistered), ..NodeFacts::default() };
        };
        NodeFacts {
            status: Some(if node.not_ready.is_none() { NodeStatus::Ready } else { NodeStatus::NotReady }),
            cordoned_by: node.cordoned_by,
            other_minor: declared.other_minor(node),
            has_expired: false,
            differences: declared.object.differences(&before.object, &node.object),
        }
    };
    hosts.map(|host| (host.clone(), fact(host))).collect()
}

/// What a refresh says of the nodes that there should be.
pub fn drift(prior: &Value, nodes: &BTreeMap<String, KnownNode>) -> Result<Drift, Diagnostic> {
    let (declared, hosts) = (Declared::in_state(prior)?, Recorded::of(Some(prior))?.manifests()?);
    let differences = |host: &HostName| match nodes.get(host.as_str()) {
        None => vec![Difference { item: Item::Node, what: What::NotRegistered }],
        Some(node) => declared.differences(node),
    };
    let all = hosts.into_keys().map(|host| (host.clone(), differences(&host)));
    Ok(all.filter(|(_, differences)| !differences.is_empty()).collect())
}

/// The part of it that an apply which failed leaves: cordons, and kubelets of another minor version.
pub fn left(state: &Value, nodes: &BTreeMap<String, KnownNode>) -> Result<Drift, Diagnostic> {
    let mut drift = drift(state, nodes)?;
    let is_left = |difference: &Difference| difference.item == Item::Kubelet || difference.what == What::LeftCordoned;
    drift.values_mut().for_each(|all| all.retain(is_left));
    Ok(drift)
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

/// What is declared of each node of a group.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub object: NodeObject,
    /// `1.36.3`
    pub kubelet_version: Option<String>,
}

impl Declared {
    /// `None` while something about the nodes is unknown.
    pub fn by(config: &Config) -> Option<Declared> {
        Some(Declared { object: config.node_object()?, kubelet_version: config.kubernetes_version() })
    }

    /// By a state, without what is a startup taint now: that is the agent's to take away, where it still is.
    pub fn before(state: Option<&Value>, startup_taints: &BTreeSet<TaintKey>) -> Result<Declared, Diagnostic> {
        let mut before = state.map(Declared::in_state).transpose()?.unwrap_or_default();
        before.object.taints.retain(|key, _| !startup_taints.contains(key));
        Ok(before)
    }

    fn in_state(state: &Value) -> Result<Declared, Diagnostic> {
        Ok(Declared::by(&decode::<Config>(state)?).unwrap_or_default())
    }

    fn other_minor(&self, node: &KnownNode) -> Option<Instead> {
        skew::other_minor(node.kubelet_version.as_deref(), self.kubelet_version.as_deref())
    }

    fn differences(&self, node: &KnownNode) -> Vec<Difference> {
        let of_kubelet = |instead| Difference { item: Item::Kubelet, what: What::Value(instead) };
        let is_left_cordoned = node.cordoned_by == Some(CordonedBy::Provider);
        let cordon = is_left_cordoned.then_some(Difference { item: Item::Node, what: What::LeftCordoned });
        let of_object = self.object.differences(&NodeObject::default(), &node.object);
        cordon.into_iter().chain(self.other_minor(node).map(of_kubelet)).chain(of_object).collect()
    }
}

fn kubelet_found(difference: &Difference) -> Option<&str> {
    match (&difference.item, &difference.what) {
        (Item::Kubelet, What::Value(version)) => Some(&version.found),
        _ => None,
    }
}

fn of_nodes(mut drift: Drift) -> Drift {
    drift.values_mut().for_each(|all| all.retain(|difference| difference.item.is_of_node()));
    drift.retain(|_, all| !all.is_empty());
    drift
}
