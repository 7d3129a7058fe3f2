//! A node as the API server lists it, and a change of its labels, annotations, taints and provider id.

use super::FIELD_MANAGER;
use super::NodeReport;
use super::node_report::kubelet_version;
use bundle::{Difference, Item, NodeObject, TaintKey};
use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use rollout::CordonedBy;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What matters of a node in a list of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownNode {
    pub object: NodeObject,
    /// Why it is not Ready; `None` when it is.
    pub not_ready: Option<String>,
    pub cordoned_by: Option<CordonedBy>,
    /// As its kubelet says: `v1.36.3`.
    pub kubelet_version: Option<String>,
    /// Those of type `InternalIP`.
    pub addresses: BTreeSet<IpAddr>,
}

/// Labels, annotations and taints with the values that they get; those without one are taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    pub labels: BTreeMap<String, Option<String>>,
    pub annotations: BTreeMap<String, Option<String>>,
    pub taints: BTreeMap<TaintKey, Option<String>>,
    /// `None` where it stays.
    pub provider_id: Option<String>,
}

impl KnownNode {
    pub(super) fn of(node: &Node) -> KnownNode {
        let taints = taints_of(node).iter().map(|taint| (key_of(taint), taint.value.clone().unwrap_or_default()));
        KnownNode {
            object: NodeObject {
                labels: node.metadata.labels.clone().unwrap_or_default(),
                annotations: node.metadata.annotations.clone().unwrap_or_default(),
                taints: taints.collect(),
                provider_id: node.spec.as_ref().and_then(|spec| spec.provider_id.clone()).filter(|id| !id.is_empty()),
            },
            not_ready: NodeReport::of(node, None).not_ready,
            cordoned_by: cordoned_by(node),
            kubelet_version: kubelet_version(node),
            addresses: addresses(node),
        }
    }
}

fn addresses(node: &Node) -> BTreeSet<IpAddr> {
    let all = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    all.filter(|address| address.type_ == "InternalIP").filter_map(|address| address.address.parse().ok()).collect()
}

impl NodeChange {
    /// What makes an end of these differences.
    pub fn of(differences: &[Difference], declared: &NodeObject) -> NodeChange {
        let mut change = NodeChange::default();
        for difference in differences {
            match &difference.item {
                Item::Label(key) => drop(change.labels.insert(key.clone(), declared.labels.get(key).cloned())),
                Item::Annotation(key) => drop(change.annotations.insert(key.clone(), declared.annotations.get(key).cloned())),
                Item::ProviderId => change.provider_id.clone_from(&declared.provider_id),
                Item::Taint(key) => drop(change.taints.insert(key.clone(), declared.taints.get(key).cloned())),
                _ => {}
            }
        }
        change
    }

    /// The taints of a node after it. Those of others stay as they are.
    pub(super) fn amended(&self, taints: &[Taint]) -> Vec<Taint> {
        let mut amended: Vec<Taint> = taints.iter().filter(|taint| !self.taints.contains_key(&key_of(taint))).cloned().collect();
        amended.extend(self.taints.iter().filter_map(|(key, value)| {
            let value = Some(value.clone()?).filter(|value| !value.is_empty());
            Some(Taint { key: key.key.clone(), effect: key.effect.clone(), value, time_added: None })
        }));
        amended
    }
}

/// Who set the field last that takes the node out of scheduling, as the API server keeps it in `managedFields`: `kubectl` is a manager of
/// its own.
pub(super) fn cordoned_by(node: &Node) -> Option<CordonedBy> {
    node.spec.as_ref()?.unschedulable.filter(|is_unschedulable| *is_unschedulable)?;
    let holds = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields.pointer("/f:spec/f:unschedulable").is_some())
    };
    let managers = node.metadata.managed_fields.iter().flatten().filter(holds).map(|entry| entry.manager.as_deref());
    let is_ours = managers.eq([Some(FIELD_MANAGER)]);
    Some(if is_ours { CordonedBy::Provider } else { CordonedBy::SomebodyElse })
}

pub(super) fn taints_of(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

fn key_of(taint: &Taint) -> TaintKey {
    TaintKey { key: taint.key.clone(), effect: taint.effect.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node() -> Node {
        let unreachable = json!({
            "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-11-28T16:00:00Z"
        });
        let node_info = json!({
            "kubeletVersion": "v1.36.3", "kubeProxyVersion": "", "osImage": "", "kernelVersion": "", "architecture": "amd64",
            "operatingSystem": "linux", "containerRuntimeVersion": "", "bootID": "", "machineID": "", "systemUUID": "",
        });
        let condition = json!({ "type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status." });
        serde_json::from_value(json!({
            "metadata": { "name": "worker-1", "labels": { "pool": "general", "kubernetes.io/os": "linux" } },
            "spec": { "unschedulable": true, "taints": [unreachable, { "key": "dedicated", "effect": "NoSchedule", "value": "gpu" }] },
            "status": {
                "conditions": [condition], "nodeInfo": node_info,
                "addresses": [{ "type": "InternalIP", "address": "192.0.2.21" }, { "type": "Hostname", "address": "worker-1" }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_node_is_read_with_its_labels_taints_and_condition() {
        let known = KnownNode::of(&node());
        assert_eq!(known.object.labels["pool"], "general");
        let taints: Vec<String> = known.object.taints.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(taints, ["dedicated:NoSchedule gpu", "node.kubernetes.io/unreachable:NoExecute "]);
        assert_eq!(known.not_ready.as_deref(), Some("Kubelet stopped posting node status."));
        assert_eq!((known.cordoned_by, known.kubelet_version.as_deref()), (Some(CordonedBy::SomebodyElse), Some("v1.36.3")));
    }

    /// As an API server of version 1.36 keeps them.
    #[track_caller]
    fn check_cordon(unschedulable: Option<bool>, managers: &[&str], expect: Option<CordonedBy>) {
        let fields = json!({ "f:spec": { "f:unschedulable": {} } });
        let of_others = json!({ "f:spec": { "f:taints": {} }, "f:metadata": { "f:labels": {} } });
        let entry = |manager: &str, fields: &Value| json!({ "manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields });
        let others = [entry("kube-controller-manager", &of_others), entry(FIELD_MANAGER, &of_others)];
        let entries: Vec<Value> = managers.iter().map(|manager| entry(manager, &fields)).chain(others).collect();
        let node = json!({ "metadata": { "managedFields": entries }, "spec": { "unschedulable": unschedulable } });
        assert_eq!(cordoned_by(&serde_json::from_value(node).unwrap()), expect, "{unschedulable:?} {managers:?}");
    }

    #[test]
    fn a_cordon_is_of_whoever_set_the_field() {
        check_cordon(Some(true), &[FIELD_MANAGER], Some(CordonedBy::Provider));
        check_cordon(Some(true), &["kubectl-cordon"], Some(CordonedBy::SomebodyElse));
        check_cordon(Some(true), &[FIELD_MANAGER, "kubectl-cordon"], Some(CordonedBy::SomebodyElse));
        check_cordon(Some(true), &[], Some(CordonedBy::SomebodyElse));
        check_cordon(Some(false), &[FIELD_MANAGER], None);
        check_cordon(None, &[], None);
    }

    #[test]
    fn a_change_leaves_the_taints_of_others_as_they_are() {
        let (node, declared) = (
            node(),
            NodeObject {
                annotations: [("node.example/rack".to_string(), "r1".to_string())].into(),
                taints: [
                    ("dedicated:NoSchedule".parse().unwrap(), String::new()),
                    ("extra:NoExecute".parse().unwrap(), "x".into()),
                ]
                .into(),
                ..NodeObject::default()
            },
        );
        let before = NodeObject { labels: [("pool".to_string(), String::new())].into(), ..NodeObject::default() };
        let differences = declared.differences(&before, &KnownNode::of(&node).object);
        let change = NodeChange::of(&differences, &declared);
        assert_eq!(change.labels, [("pool".to_string(), None)].into());
        assert_eq!(change.annotations, [("node.example/rack".to_string(), Some("r1".to_string()))].into());
        let taints = json!(change.amended(taints_of(&node)));
        let expect = json!([
            { "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-11-28T16:00:00Z" },
            { "key": "dedicated", "effect": "NoSchedule" },
            { "key": "extra", "effect": "NoExecute", "value": "x" },
        ]);
        assert_eq!(taints, expect);
    }
}
