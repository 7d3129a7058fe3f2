//! The API of the cluster whose objects a fake world remembers, as one control-plane host serves it.

use super::memory::{Cluster, HostMemory, Memory, Node};
use super::{FakeWorld, objects, units};
use crate::kubernetes::{
    Applied, BootstrapToken, Conflicting, Deleted, KnownNode, KubernetesError, MovablePod, NodeChange, NodeReport, ObjectRef,
    TOKEN_VALIDITY,
};
use crate::ports::{Clock, Kubernetes};
use ::objects::ObjectKey;
use async_trait::async_trait;
use bundle::HostName;
use machines::MachineError;
use render::component::CLOUD_CONTROLLER;
use rollout::CordonedBy;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// Of an API server of which nothing else is said.
const VERSION: &str = "v1.36.2";

pub(super) struct FakeKubernetes {
    pub host: HostName,
    pub world: FakeWorld,
}

impl FakeKubernetes {
    fn refused(&self, operation: impl Into<String>, reason: &str) -> KubernetesError {
        let (host, operation, reason) = (self.host.to_string(), operation.into(), reason.to_string());
        MachineError::Lost { host, operation, reason }.into()
    }

    fn serves(&self) -> Result<(), KubernetesError> {
        let serves = self.world.change(|memory| memory.host(&self.host).answers && memory.serves_api(&self.host));
        if serves && !self.world.is_dead() { Ok(()) } else { Err(self.refused("a question", "connection refused")) }
    }

    async fn mutate<T>(&self, what: String, effect: impl FnOnce(&mut Cluster) -> T) -> Result<T, KubernetesError> {
        self.serves()?;
        let done = self.world.mutate(format!("cluster: {what}"), |memory, _| effect(&mut memory.cluster)).await;
        done.ok_or_else(|| self.refused(what, "the connection was cut"))
    }
}

#[async_trait]
impl Kubernetes for FakeKubernetes {
    async fn version(&self) -> Result<String, KubernetesError> {
        self.serves()?;
        Ok(self.world.change(|memory| memory.api_server_versions.get(&self.host).cloned()).unwrap_or_else(|| VERSION.into()))
    }

    async fn create_token(&self, token: &BootstrapToken, _now: OffsetDateTime) -> Result<(), KubernetesError> {
        let end = self.world.change(|memory| memory.now()) + TOKEN_VALIDITY.as_secs() as i64;
        self.mutate("create a token".into(), |cluster| {
            cluster.tokens.insert(token.text().reveal().to_string(), end);
            cluster.tokens_made.push(token.text().reveal().to_string());
        })
        .await
    }

    async fn delete_token(&self, token: &BootstrapToken) -> Result<(), KubernetesError> {
        self.mutate("delete a token".into(), |cluster| cluster.tokens.remove(token.text().reveal())).await.map(drop)
    }

    async fn declare_nodes(&self, nodes: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        self.mutate("declare nodes".into(), |cluster| {
            for (name, text) in nodes {
                match text {
                    Some(text) => drop(cluster.declared.insert(name.clone(), text.clone())),
                    None => drop(cluster.declared.remove(name)),
                }
            }
        })
        .await
    }

    async fn nodes(&self) -> Result<BTreeMap<String, KnownNode>, KubernetesError> {
        self.serves()?;
        Ok(self.world.change(|memory| {
            let known = |(name, node): (&String, &Node)| {
                let not_ready = units::report(memory, name).and_then(|report| report.not_ready);
                let (object, kubelet_version) = (node.object.clone(), node.kubelet_version.clone());
                let (cordoned_by, addresses) = (node.cordoned_by, node.addresses.clone());
                (name.clone(), KnownNode { object, not_ready, cordoned_by, kubelet_version, addresses })
            };
            memory.cluster.nodes.iter().map(known).collect()
        }))
    }

    async fn node(&self, name: &str) -> Result<Option<NodeReport>, KubernetesError> {
        self.serves()?;
        Ok(self.world.change(|memory| units::report(memory, name)))
    }

    async fn amend_node(&self, node: &str, change: &NodeChange) -> Result<(), KubernetesError> {
        self.mutate(format!("amend {node}"), |cluster| {
            if let Some(node) = cluster.nodes.get_mut(node) {
                amend(&mut node.object.labels, &change.labels);
                amend(&mut node.object.annotations, &change.annotations);
                amend(&mut node.object.taints, &change.taints);
                node.object.provider_id = change.provider_id.clone().or(node.object.provider_id.take());
            }
        })
        .await
    }

    async fn cordon(&self, node: &str) -> Result<bool, KubernetesError> {
        self.mutate(format!("cordon {node}"), |cluster| {
            cluster.nodes.get_mut(node).map(|node| node.cordoned_by.get_or_insert(CordonedBy::Provider)).is_some()
        })
        .await
    }

    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.mutate(format!("uncordon {node}"), |cluster| {
            let node = cluster.nodes.get_mut(node).filter(|node| node.cordoned_by == Some(CordonedBy::Provider));
            node.into_iter().for_each(|node| node.cordoned_by = None);
        })
        .await
    }

    async fn movable_pods(&self, node: &str) -> Result<Vec<MovablePod>, KubernetesError> {
        self.serves()?;
        let has_pod = self.world.change(|memory| memory.cluster.nodes.get(node).is_some_and(|node| node.has_pod));
        let pod = MovablePod { namespace: "default".into(), name: "web-0".into(), is_terminating: false, tolerations: vec![] };
        Ok(if has_pod { vec![pod] } else { vec![] })
    }

    async fn evict(&self, _pod: &MovablePod) -> Result<Option<String>, KubernetesError> {
        self.serves()?;
        Ok(Some("Cannot evict pod as it would violate the pod's disruption budget.".into()))
    }

    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        self.mutate(format!("delete node {node}"), |cluster| drop(cluster.nodes.remove(node))).await?;
        self.declare_nodes(&BTreeMap::from([(node.to_string(), None)])).await
    }

    async fn find_objects(&self, wanted: &[ObjectRef]) -> Result<BTreeMap<ObjectKey, Value>, KubernetesError> {
        self.serves()?;
        let wanted: BTreeSet<&ObjectKey> = wanted.iter().map(|wanted| &wanted.key).collect();
        let (all, leader) = self.world.change(|memory| (memory.cluster.manifests.clone(), leader(memory)));
        Ok(leader
            .into_iter()
            .chain(all)
            .filter(|(key, _)| wanted.contains(key))
            .map(|(key, mut live)| {
                // Whoever holds such a lease lives.
                if live["spec"]["renews"] == true {
                    live["spec"]["renewTime"] = format!("{:?}", self.world.inside.clock.instant()).into();
                }
                (key, objects::with_version(live))
            })
            .collect())
    }

    async fn apply_object(&self, object: &Value, manager: &str, conflicting: Conflicting) -> Result<Applied, KubernetesError> {
        let key = ObjectKey::of(object).map(|key| key.to_string()).unwrap_or_default();
        self.mutate(format!("apply {key}"), |cluster| objects::apply(cluster, object, manager, conflicting)).await
    }

    async fn delete_object(&self, wanted: &ObjectRef, uid: &str, version: Option<&str>) -> Result<Deleted, KubernetesError> {
        self.mutate(format!("delete {}", wanted.key), |cluster| objects::delete(cluster, &wanted.key, uid, version)).await
    }

    async fn objects_within(
        &self,
        key: &ObjectKey,
        _unasked: &BTreeSet<String>,
        is_emptied: bool,
    ) -> Result<BTreeSet<ObjectKey>, KubernetesError> {
        self.serves()?;
        Ok(self.world.change(|memory| objects::within(&memory.cluster, key, is_emptied)).into_iter().collect())
    }

    async fn pod_troubles(&self, _of: &ObjectRef) -> Result<Vec<String>, KubernetesError> {
        self.serves()?;
        Ok(Vec::new())
    }
}

/// The lease that controllers renew while one of them runs.
fn leader(memory: &Memory) -> Option<(ObjectKey, Value)> {
    let leads = |(_, host): &(&HostName, &HostMemory)| host.answers && host.runs(&CLOUD_CONTROLLER);
    let (host, _) = memory.hosts.iter().find(leads).filter(|_| !memory.cluster.is_leaderless)?;
    let spec = json!({ "holderIdentity": format!("{host}_1"), "renews": true });
    let key = "Lease.coordination.k8s.io/kube-system/cloud-controller-manager".parse().ok()?;
    Some((key, json!({ "metadata": { "name": "cloud-controller-manager", "uid": "l" }, "spec": spec })))
}

fn amend<K: Ord + Clone>(values: &mut BTreeMap<K, String>, change: &BTreeMap<K, Option<String>>) {
    for (key, value) in change {
        match value {
            Some(value) => drop(values.insert(key.clone(), value.clone())),
            None => drop(values.remove(key)),
        }
    }
}
