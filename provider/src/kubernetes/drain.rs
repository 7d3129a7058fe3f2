//! What a drain is made of: cordon, the pods that can move, eviction.

use super::{KubernetesApi, KubernetesError};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, EvictParams, ListParams, Patch, PatchParams};
use kube::core::Status;
use serde_json::json;

const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod that has to leave its node before that is worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovablePod {
    pub namespace: String,
    pub name: String,
    pub is_terminating: bool,
}

impl KubernetesApi {
    /// False when there is no such node.
    pub async fn set_unschedulable(&self, node: &str, unschedulable: bool) -> Result<bool, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let patch = json!({ "spec": { "unschedulable": unschedulable } });
        match api.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(self.refused(format!("cordon node {node}"))(error)),
        }
    }

    /// Those that are left of what a drain has to evict.
    pub async fn movable_pods(&self, node: &str) -> Result<Vec<MovablePod>, KubernetesError> {
        let api: Api<Pod> = Api::all(self.client.clone());
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let pods = api.list(&params).await.map_err(self.refused(format!("list the pods of node {node}")))?;
        Ok(pods.items.into_iter().filter(is_movable).map(MovablePod::from).collect())
    }

    /// `Some` says why the pod cannot be evicted yet, such as a disruption budget.
    pub async fn evict(&self, pod: &MovablePod) -> Result<Option<String>, KubernetesError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        match api.evict(&pod.name, &EvictParams::default()).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if is_not_yet(&status) => Ok(Some(status.message.clone())),
            Err(error) => Err(self.refused(format!("evict pod {}", pod.name))(error)),
        }
    }
}

impl From<Pod> for MovablePod {
    fn from(pod: Pod) -> Self {
        let metadata = pod.metadata;
        MovablePod {
            namespace: metadata.namespace.unwrap_or_else(|| "default".into()),
            name: metadata.name.unwrap_or_default(),
            is_terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// A disruption budget, or more than one for the same pod (500); or its namespace is being deleted, in which nothing may be created, an
/// eviction included: the pod is deleted with the rest of it (`CauseTypeNamespaceTerminating` of k8s.io/api/core/v1).
fn is_not_yet(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    matches!(status.code, 429 | 500) || (status.code == 403 && causes.any(|cause| cause.reason == "NamespaceTerminating"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As an API server of version 1.36 answers.
    #[track_caller]
    fn check(status: serde_json::Value, expect: bool) {
        assert_eq!(is_not_yet(&serde_json::from_value(status).unwrap()), expect);
    }

    #[test]
    fn an_eviction_that_is_refused_for_now_is_tried_again() {
        check(json!({ "code": 429, "reason": "TooManyRequests", "message": "Cannot evict pod" }), true);
        let cause = json!({ "reason": "NamespaceTerminating", "message": "namespace web is being terminated", "field": "metadata.namespace" });
        let details = json!({ "name": "web-0", "kind": "pods", "causes": [cause] });
        check(json!({ "code": 403, "reason": "Forbidden", "message": "unable to create new content", "details": details }), true);
        check(json!({ "code": 403, "reason": "Forbidden", "message": "pods \"web-0\" is forbidden" }), false);
        check(json!({ "code": 404, "reason": "NotFound", "message": "no such pod" }), false);
    }
}
