//! Nodes: what serving certificates may name, what they report, what their objects are given, removal.

use super::known_node::taints_of;
use super::{KnownNode, KubernetesApi, KubernetesError, NodeChange, NodeReport, patch_params};
use backon::{ExponentialBuilder, Retryable};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use render::objects::NODES_CONFIG_MAP;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const NAMESPACE: &str = "kube-system";
/// Where kubelets renew their leases.
const LEASES: &str = "kube-node-lease";

pub(super) fn on_conflict() -> ExponentialBuilder {
    ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(8)
}

/// Somebody else changed the object since it was read.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

impl KubernetesApi {
    /// Merges into the entries of other nodes, which may be declared at the same time; `None` takes an entry out.
    pub async fn declare_nodes(&self, nodes: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        let refused = || self.refused("declare the addresses of nodes");
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = json!({ "data": nodes });
        match api.patch(NODES_CONFIG_MAP, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            answer => return answer.map(drop).map_err(refused()),
        }
        // Made empty, then patched: of several that make it at once, each adds its own entries and nobody takes away another's.
        let metadata = ObjectMeta { name: Some(NODES_CONFIG_MAP.into()), ..ObjectMeta::default() };
        match api.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            answer => drop(answer.map_err(refused())?),
        }
        api.patch(NODES_CONFIG_MAP, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop).map_err(refused())
    }

    /// Every node of the cluster, by its name.
    pub async fn nodes(&self) -> Result<BTreeMap<String, KnownNode>, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let all = api.list(&ListParams::default()).await.map_err(self.refused("list nodes"))?;
        Ok(all.items.iter().filter_map(|node| Some((node.metadata.name.clone()?, KnownNode::of(node)))).collect())
    }

    /// `None` when no such node has registered.
    pub async fn node(&self, name: &str) -> Result<Option<NodeReport>, KubernetesError> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), LEASES);
        let (node, lease) = tokio::try_join!(nodes.get_opt(name), leases.get_opt(name))
            .map_err(self.refused(format!("read node {name} and its lease")))?;
        Ok(node.map(|node| NodeReport::of(&node, lease.as_ref())))
    }

    /// Changes what is named of labels, annotations, taints and the provider id, and nothing else. Nothing is done to a node that does not exist.
    pub async fn amend_node(&self, node: &str, change: &NodeChange) -> Result<(), KubernetesError> {
        let refused = || self.refused(format!("set labels, annotations and taints of node {node}"));
        (|| async { self.try_to_amend(node, change).await }).retry(on_conflict()).when(is_conflict).await.map_err(refused())
    }

    /// Taints are one list, so that a patch of them must hold what somebody else has added meanwhile: 409 when it does not.
    async fn try_to_amend(&self, name: &str, change: &NodeChange) -> Result<(), kube::Error> {
        let api: Api<Node> = Api::all(self.client.clone());
        let Some(node) = api.get_opt(name).await? else { return Ok(()) };
        let mut patch = json!({ "metadata": { "labels": change.labels, "annotations": change.annotations }, "spec": {} });
        if let Some(provider_id) = &change.provider_id {
            patch["spec"]["providerID"] = json!(provider_id);
        }
        if !change.taints.is_empty() {
            patch["metadata"]["resourceVersion"] = json!(node.metadata.resource_version);
            patch["spec"]["taints"] = json!(change.amended(taints_of(&node)));
        }
        match api.patch(name, &patch_params(), &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            answer => answer.map(drop),
        }
    }

    pub async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        match api.delete(node, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(self.refused(format!("delete node {node}"))(error)),
        }
        self.declare_nodes(&BTreeMap::from([(node.to_string(), None)])).await
    }
}
