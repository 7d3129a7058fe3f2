//! Nodes: what serving certificates may name, what they report, labels, removal.

use super::{KubernetesApi, KubernetesError, NodeReport};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use render::objects::NODES_CONFIG_MAP;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const NAMESPACE: &str = "kube-system";
/// Where kubelets renew their leases.
const LEASES: &str = "kube-node-lease";

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

    /// Whether a node exists that is not one of these.
    pub async fn has_other_nodes(&self, nodes: &BTreeSet<String>) -> Result<bool, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let all = api.list(&ListParams::default()).await.map_err(self.refused("list nodes"))?;
        Ok(all.items.iter().filter_map(|node| node.metadata.name.as_ref()).any(|name| !nodes.contains(name)))
    }

    /// `None` when no such node has registered.
    pub async fn node(&self, name: &str) -> Result<Option<NodeReport>, KubernetesError> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), LEASES);
        let (node, lease) = tokio::try_join!(nodes.get_opt(name), leases.get_opt(name))
            .map_err(self.refused(format!("read node {name} and its lease")))?;
        Ok(node.map(|node| NodeReport::of(&node, lease.as_ref())))
    }

    /// Labels can change while a node runs: kubelet sets them only when it registers.
    pub async fn set_labels(&self, node: &str, labels: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let patch = json!({ "metadata": { "labels": labels } });
        api.patch(node, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map_err(self.refused(format!("label node {node}")))?;
        Ok(())
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
