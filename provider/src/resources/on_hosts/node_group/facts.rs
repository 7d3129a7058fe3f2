//! What is known of the nodes of a group beside what is on their hosts: from the state alone at plan, from the API server at refresh and
//! at apply. Pure.

use super::config::Config;
use super::node::{self, StartupTaints};
use super::skew;
use crate::kubernetes::KnownNode;
use crate::resources::on_hosts::differences::Drift;
use crate::resources::on_hosts::hardway_cluster::config::pod_network;
use crate::resources::on_hosts::recorded::Recorded;
use bundle::{Difference, HostName, Instead, Item, Manifest, NodeObject, What};
use render::component::POD_NETWORK;
use render::node::is_given_by_kubelet;
use render::spec::PodNetwork;
use rollout::{CordonedBy, NodeFacts, NodeStatus};
use schema::{AttributePath, Diagnostic, Value, decode};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

pub type Facts = BTreeMap<HostName, NodeFacts>;

/// What follows from a changed declaration and from the drift that the last refresh found. A node that is new registers with what is
/// declared, but for what its kubelet may not give it. While something of node objects is unknown, nothing is said of these.
pub fn assumed(config: &Config, prior: Option<&Value>) -> Result<Facts, Diagnostic> {
    let declared = Declared::by(config);
    let objects = declared.as_ref().map(|declared| &declared.objects);
    let recorded = Recorded::of(prior)?;
    let before = Declared::before(prior, &node::startup_taints(config))?;
    let mut drift = of_nodes(recorded.differences()?);
    let version = config.kubernetes_version();
    let assume = |host: HostName| {
        let found = drift.remove(&host).unwrap_or_default();
        let has = |what: &What| found.iter().any(|difference| difference.what == *what);
        if has(&What::NotRegistered) {
            let differences = declared.as_ref().map(|declared| declared.lacking(&host)).unwrap_or_default();
            return (host, NodeFacts { status: Some(NodeStatus::NotRegistered), differences, ..NodeFacts::default() });
        }
        let kubelet = found.iter().find_map(kubelet_found).or(before.kubelet_version.as_deref());
        let other_minor = skew::other_minor(kubelet, version.as_deref());
        let cordoned_by = has(&What::LeftCordoned).then_some(CordonedBy::Provider);
        let objects = declared.as_ref().map(|declared| (declared.of(&host), before.of(&host)));
        let differences = objects.map(|(now, before)| of_object(now, before, &found)).unwrap_or_default();
        (host, NodeFacts { differences, cordoned_by, other_minor, ..NodeFacts::default() })
    };
    let recorded = recorded.manifests()?;
    let pod_network = config.cluster.known().and_then(|join| pod_network(&join.pod_network));
    let new: Vec<HostName> =
        objects.into_iter().flat_map(BTreeMap::keys).filter(|host| !recorded.contains_key(*host)).cloned().collect();
    let connected = connected_otherwise(&recorded, pod_network);
    let mut facts: Facts = recorded.into_keys().map(assume).collect();
    connected.into_iter().for_each(|host| facts.entry(host).or_default().other_network = true);
    facts.extend(declared.iter().flat_map(|declared| {
        let lacks = |host: &HostName| NodeFacts { differences: declared.lacking(host), ..NodeFacts::default() };
        new.iter().map(move |host| (host.clone(), lacks(host)))
    }));
    facts.retain(|_, facts| *facts != NodeFacts::default());
    let stays = |host: &HostName| objects.is_some_and(|objects| objects.contains_key(host));
    refuse_other_provider_ids(facts.iter().filter(|(host, _)| stays(host)))?;
    Ok(facts)
}

/// Nodes whose pods another network than the declared one connects, as far as the state knows.
pub fn connected_otherwise(recorded: &BTreeMap<HostName, Manifest>, declared: Option<PodNetwork>) -> BTreeSet<HostName> {
    let (unit, Some(declared)) = (POD_NETWORK.unit(), declared) else { return BTreeSet::new() };
    let is_other = |manifest: &Manifest| manifest.units.contains_key(&unit) != (declared == PodNetwork::Routed);
    recorded.iter().filter(|(_, manifest)| is_other(manifest)).map(|(host, _)| host.clone()).collect()
}

/// What a changed declaration changes, and the rest of what the last refresh found. Another provider id than the state has is refused, unless
/// the refresh has found that the state is wrong about it: then the API server is asked, at apply.
fn of_object(declared: &NodeObject, before: &NodeObject, found: &[Difference]) -> Vec<Difference> {
    let mut changed = declared.differences(before, before);
    let known: HashSet<Item> = changed.iter().map(|difference| difference.item.clone()).collect();
    let is_new = |found: &&Difference| found.item.is_of_node_object() && !known.contains(&found.item);
    changed.extend(found.iter().filter(is_new).cloned());
    let found = found.iter().find(|found| found.item == Item::ProviderId);
    if declared.provider_id.is_none() || (found.is_some() && declared.provider_id != before.provider_id) {
        changed.retain(|difference| difference.item != Item::ProviderId);
        changed.extend(found.filter(|found| found.what == What::Missing && declared.provider_id.is_some()).cloned());
    }
    changed
}

/// A node keeps the id that it has (`ValidateNodeUpdate` in pkg/apis/core/validation of Kubernetes).
pub fn refuse_other_provider_ids<'a>(mut facts: impl Iterator<Item = (&'a HostName, &'a NodeFacts)>) -> Result<(), Diagnostic> {
    let is_other = |difference: &Difference| difference.item == Item::ProviderId && difference.what == What::OtherValue;
    let Some((host, _)) = facts.find(|(_, facts)| facts.differences.iter().any(is_other)) else { return Ok(()) };
    let detail = format!(
        "Kubernetes takes one for the life of a node. Declare the one that it has (kubectl get node {host} -o jsonpath={{.spec.providerID}}); or, \
         where another machine is {host} now, delete the node (kubectl delete node {host}) and apply again: it registers anew. Nothing was changed \
         on any host."
    );
    let path = AttributePath::attribute("hosts").key(host.as_str()).then("provider_id");
    Err(Diagnostic::error(format!("node {host} has another provider id already")).detail(detail).at(path))
}

/// What the API server says at apply. `before` was declared by the state.
pub fn found<'a>(
    hosts: impl Iterator<Item = &'a HostName>,
    nodes: &BTreeMap<String, KnownNode>,
    (declared, before): (&Declared, &Declared),
) -> Facts {
    let fact = |host: &HostName| {
        let Some(node) = nodes.get(host.as_str()) else {
            let differences = declared.lacking(host);
            return NodeFacts { status: Some(NodeStatus::NotRegistered), differences, ..NodeFacts::default() };
        };
        NodeFacts {
            status: Some(if node.not_ready.is_none() { NodeStatus::Ready } else { NodeStatus::NotReady }),
            cordoned_by: node.cordoned_by,
            other_minor: declared.other_minor(node),
            differences: declared.of(host).differences(before.of(host), &node.object),
            ..NodeFacts::default()
        }
    };
    hosts.map(|host| (host.clone(), fact(host))).collect()
}

/// What a refresh says of the nodes that there should be.
pub fn drift(prior: &Value, nodes: &BTreeMap<String, KnownNode>) -> Result<Drift, Diagnostic> {
    let (declared, hosts) = (Declared::in_state(prior)?, Recorded::of(Some(prior))?.manifests()?);
    let differences = |host: &HostName| match nodes.get(host.as_str()) {
        None => vec![Difference { item: Item::Node, what: What::NotRegistered }],
        Some(node) => declared.differences(host, node),
    };
    let all = hosts.into_keys().map(|host| (host.clone(), differences(&host)));
    Ok(all.filter(|(_, differences)| !differences.is_empty()).collect())
}

/// The part of it that an apply which failed leaves: cordons, kubelets of another minor version, and what was not set.
pub fn left(state: &Value, nodes: &BTreeMap<String, KnownNode>) -> Result<Drift, Diagnostic> {
    let mut drift = drift(state, nodes)?;
    let is_left = |difference: &Difference| difference.what != What::NotRegistered;
    drift.values_mut().for_each(|all| all.retain(is_left));
    Ok(drift)
}

/// In a state: what nodes may have after an apply that failed, which is what was declared before and what it was about to set. Of a key in both
/// the value is the one of before.
pub fn keep_both(prior: &Value, state: &mut Value) {
    keep_both_of(prior, state);
    let mut hosts = state.get("hosts").clone();
    if let Value::Map(hosts) = &mut hosts {
        for (name, host) in hosts.iter_mut() {
            let before = prior.get("hosts").get(name);
            keep_both_of(before, host);
            if !before.is_null() {
                // Whether a node has got another one is the API server's to say, at the next apply.
                host.set("provider_id", before.get("provider_id").clone());
            }
        }
    }
    // A role goes by what the cluster says of its hosts, which is the planned one now.
    let (before, now) = (members(prior), members(state));
    if let Value::Map(hosts) = &mut hosts {
        let left = |name: &&String| before.contains(name.as_str()) && !now.contains(name.as_str());
        let names: Vec<String> = hosts.keys().filter(left).cloned().collect();
        for name in names {
            let mut labels = hosts[&name].get("labels").as_map().cloned().unwrap_or_default();
            labels.entry(node::CONTROL_PLANE_ROLE.into()).or_insert_with(|| "".into());
            hosts.entry(name).and_modify(|host| host.set("labels", Value::Map(labels)));
        }
    }
    state.set("hosts", hosts);
}

/// The names of control-plane hosts.
fn members(state: &Value) -> BTreeSet<String> {
    let hosts = state.get("cluster").get("control_plane").as_list().unwrap_or_default();
    hosts.iter().filter_map(|host| Some(host.get("name").as_str()?.to_string())).collect()
}

/// Of the group, or of one of its hosts.
fn keep_both_of(prior: &Value, state: &mut Value) {
    for name in ["labels", "annotations"] {
        state.set(name, both_maps(prior.get(name), state.get(name)));
    }
    state.set("taints", both_taints(prior.get("taints"), state.get("taints")));
}

fn both_maps(before: &Value, now: &Value) -> Value {
    match (before.as_map(), now.as_map()) {
        (Some(before), Some(now)) => {
            Value::Map(now.iter().chain(before).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        (None, Some(_)) => now.clone(),
        _ => before.clone(),
    }
}

fn both_taints(before: &Value, now: &Value) -> Value {
    match (before.as_list(), now.as_list()) {
        (Some(before), Some(now)) => {
            let is_new = |taint: &&Value| {
                let is_same = |other: &Value| ["key", "effect"].iter().all(|name| other.get(name) == taint.get(name));
                !before.iter().any(is_same)
            };
            Value::List(before.iter().chain(now.iter().filter(is_new)).cloned().collect())
        }
        (None, Some(_)) => now.clone(),
        _ => before.clone(),
    }
}

/// What the last refresh said of nodes, for one that cannot ask.
pub fn known_drift(prior: &Value) -> Result<Drift, Diagnostic> {
    Ok(of_nodes(Recorded::of(Some(prior))?.differences()?))
}

/// What is declared of the nodes of a group.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    objects: BTreeMap<HostName, NodeObject>,
    /// `1.36.3`
    pub kubelet_version: Option<String>,
}

impl Declared {
    /// `None` while something about the nodes is unknown.
    pub fn by(config: &Config) -> Option<Declared> {
        Some(Declared { objects: node::objects(config)?, kubelet_version: config.kubernetes_version() })
    }

    /// By a state, without what is a startup taint now: that is the agent's to take away, where it still is.
    pub fn before(state: Option<&Value>, startup_taints: &StartupTaints) -> Result<Declared, Diagnostic> {
        let mut before = state.map(Declared::in_state).transpose()?.unwrap_or_default();
        for (host, object) in &mut before.objects {
            let startup = startup_taints.get(host);
            object.taints.retain(|key, _| startup.is_none_or(|startup| !startup.contains(key)));
        }
        Ok(before)
    }

    fn in_state(state: &Value) -> Result<Declared, Diagnostic> {
        Ok(Declared::by(&decode::<Config>(state)?).unwrap_or_default())
    }

    /// Nothing of a host that is not among them.
    pub fn of(&self, host: &HostName) -> &NodeObject {
        static NOTHING: LazyLock<NodeObject> = LazyLock::new(NodeObject::default);
        self.objects.get(host).unwrap_or(&NOTHING)
    }

    /// What a node does not have once its kubelet has registered it.
    fn lacking(&self, host: &HostName) -> Vec<Difference> {
        let declared = self.of(host);
        let mut registered = declared.clone();
        registered.labels.retain(|key, _| is_given_by_kubelet(key));
        registered.annotations.clear();
        declared.differences(&NodeObject::default(), &registered)
    }

    fn other_minor(&self, node: &KnownNode) -> Option<Instead> {
        skew::other_minor(node.kubelet_version.as_deref(), self.kubelet_version.as_deref())
    }

    fn differences(&self, host: &HostName, node: &KnownNode) -> Vec<Difference> {
        let of_kubelet = |instead| Difference { item: Item::Kubelet, what: What::Value(instead) };
        let is_left_cordoned = node.cordoned_by == Some(CordonedBy::Provider);
        let cordon = is_left_cordoned.then_some(Difference { item: Item::Node, what: What::LeftCordoned });
        let of_object = self.of(host).differences(&NodeObject::default(), &node.object);
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
