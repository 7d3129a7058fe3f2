//! Drain: cordon, evict what can move, wait until it is gone. Disruption budgets are honoured until the time-out.

use super::{KubernetesApi, KubernetesError};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, EvictParams, ListParams, Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const POLL: Duration = Duration::from_millis(500);
const MIRROR: &str = "kubernetes.io/config.mirror";

impl KubernetesApi {
    pub async fn drain(&self, node: &str, limit: Duration, cancelled: &CancellationToken) -> Result<(), KubernetesError> {
        if !self.set_unschedulable(node, true).await? {
            return Ok(()); // no such node: nothing runs there
        }
        let began = Instant::now();
        loop {
            let pods = self.movable_pods(node).await?;
            if pods.is_empty() {
                return Ok(());
            }
            let mut last = String::new();
            for pod in &pods {
                if let Some(reason) = self.evict(pod).await? {
                    last = reason;
                }
            }
            if began.elapsed() > limit {
                let names: Vec<String> = pods.iter().filter_map(|pod| pod.metadata.name.clone()).collect();
                let what = format!("node {node} still has pods ({})", names.join(", "));
                return Err(KubernetesError::TimedOut { what, seconds: limit.as_secs(), last });
            }
            tokio::select! {
                _ = tokio::time::sleep(POLL) => {}
                _ = cancelled.cancelled() => return Err(KubernetesError::Cancelled(format!("the drain of {node}"))),
            }
        }
    }

    pub async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.set_unschedulable(node, false).await.map(drop)
    }

    /// False when there is no such node.
    async fn set_unschedulable(&self, node: &str, unschedulable: bool) -> Result<bool, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let patch = json!({ "spec": { "unschedulable": unschedulable } });
        match api.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(self.refused(format!("cordon node {node}"))(error)),
        }
    }

    async fn movable_pods(&self, node: &str) -> Result<Vec<Pod>, KubernetesError> {
        let api: Api<Pod> = Api::all(self.client.clone());
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let pods = api.list(&params).await.map_err(self.refused(format!("list the pods of node {node}")))?;
        Ok(pods.items.into_iter().filter(is_movable).collect())
    }

    /// `Some` says why the pod could not be evicted yet.
    async fn evict(&self, pod: &Pod) -> Result<Option<String>, KubernetesError> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        if pod.metadata.deletion_timestamp.is_some() {
            return Ok(Some(format!("pod {name} is terminating")));
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), pod.metadata.namespace.as_deref().unwrap_or("default"));
        match api.evict(&name, &EvictParams::default()).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if matches!(status.code, 429 | 500) => Ok(Some(status.message.clone())),
            Err(error) => Err(self.refused(format!("evict pod {name}"))(error)),
        }
    }
}

/// Static pods and pods of a DaemonSet stay: nobody else can run them. Finished pods hold nothing up.
fn is_movable(pod: &Pod) -> bool {
    let metadata = &pod.metadata;
    let mirror = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR));
    let daemon =
        metadata.owner_references.iter().flatten().any(|owner| owner.kind == "DaemonSet" && owner.controller == Some(true));
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let finished = matches!(phase, Some("Succeeded" | "Failed"));
    !(mirror || daemon || finished)
}
