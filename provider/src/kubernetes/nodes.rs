//! Nodes: what serving certificates may name, readiness, labels, removal.

use super::{KubernetesApi, KubernetesError};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use render::objects::NODES_CONFIG_MAP;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "kube-system";
const POLL: Duration = Duration::from_millis(250);

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

    pub async fn wait_until_ready(
        &self,
        node: &str,
        limit: Duration,
        cancelled: &CancellationToken,
    ) -> Result<(), KubernetesError> {
        let began = Instant::now();
        loop {
            let last = match self.readiness(node).await {
                Ok(None) => return Ok(()),
                Ok(Some(reason)) => reason,
                Err(error) => error.to_string(),
            };
            if began.elapsed() > limit {
                return Err(KubernetesError::TimedOut {
                    what: format!("node {node} is not Ready"),
                    seconds: limit.as_secs(),
                    last,
                });
            }
            tokio::select! {
                _ = tokio::time::sleep(POLL) => {}
                _ = cancelled.cancelled() => return Err(KubernetesError::Cancelled(format!("node {node}"))),
            }
        }
    }

    /// `None` when the node is Ready, otherwise why not.
    async fn readiness(&self, node: &str) -> Result<Option<String>, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let Some(node) = api.get_opt(node).await.map_err(self.refused(format!("read node {node}")))? else {
            return Ok(Some("it has not registered".into()));
        };
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        Ok(match conditions.into_iter().find(|condition| condition.type_ == "Ready") {
            Some(ready) if ready.status == "True" => None,
            Some(ready) => Some(ready.message.unwrap_or_else(|| "NotReady".into())),
            None => Some("it has not reported its condition".into()),
        })
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
