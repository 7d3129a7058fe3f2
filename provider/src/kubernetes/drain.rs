//! What a drain is made of: cordon, the pods that can move, eviction.

use super::known_node::cordoned_by;
use super::nodes::{is_conflict, on_conflict};
use super::{KubernetesApi, KubernetesError, patch_params};
use backon::Retryable;
use bundle::TaintKey;
use k8s_openapi::api::core::v1::{Node, Pod, Toleration};
use kube::api::{Api, EvictParams, ListParams, Patch};
use kube::core::Status;
use rollout::CordonedBy;
use serde_json::json;
use std::collections::BTreeMap;

/// Taints by which the node controller tells of a condition, which passes.
const CONDITIONS: &str = "node.kubernetes.io/";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod that has to leave its node before that is worked on.
#[derive(Clone, Debug, PartialEq)]
pub struct MovablePod {
    pub namespace: String,
    pub name: String,
    pub is_terminating: bool,
    pub tolerations: Vec<Toleration>,
}

impl MovablePod {
    /// Whether the scheduler may place it on a node with these taints:
    /// <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
    pub fn tolerates(&self, taints: &BTreeMap<TaintKey, String>) -> bool {
        let keeps_out = |taint: &&TaintKey| taint.effect != "PreferNoSchedule" && !taint.key.starts_with(CONDITIONS);
        taints
            .iter()
            .filter(|(taint, _)| keeps_out(taint))
            .all(|(taint, value)| self.tolerations.iter().any(|toleration| tolerates(toleration, taint, value)))
    }
}

fn tolerates(toleration: &Toleration, taint: &TaintKey, value: &str) -> bool {
    let is = |text: &Option<String>, other: &str| text.as_deref().unwrap_or_default() == other;
    let has_no = |text: &Option<String>| is(text, "");
    let exists = is(&toleration.operator, "Exists");
    let of_effect = has_no(&toleration.effect) || is(&toleration.effect, &taint.effect);
    let of_key = is(&toleration.key, &taint.key) || (exists && has_no(&toleration.key));
    of_effect && of_key && (exists || is(&toleration.value, value))
}

impl KubernetesApi {
    /// No new pods come to the node. Whoever cordoned it before stays the one who did. False when there is no such node.
    pub async fn cordon(&self, node: &str) -> Result<bool, KubernetesError> {
        let cordon = |node: &Node| cordoned_by(node).is_none();
        self.set_unschedulable(node, true, cordon).await.map_err(self.refused(format!("cordon node {node}")))
    }

    /// Pods are scheduled on the node again, unless it was somebody else who cordoned it.
    pub async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        let uncordon = |node: &Node| cordoned_by(node) == Some(CordonedBy::Provider);
        self.set_unschedulable(node, false, uncordon).await.map(drop).map_err(self.refused(format!("uncordon node {node}")))
    }

    /// Where it is to be done, to the node as it was read: 409 when it has changed since, and the question is asked again.
    async fn set_unschedulable(
        &self,
        name: &str,
        unschedulable: bool,
        is_due: impl Fn(&Node) -> bool,
    ) -> Result<bool, kube::Error> {
        let api: &Api<Node> = &Api::all(self.client.clone());
        let is_due = &is_due;
        let params = patch_params();
        let params = &params;
        let attempt = || async move {
            let Some(node) = api.get_opt(name).await? else { return Ok(false) };
            if is_due(&node) {
                let metadata = json!({ "resourceVersion": node.metadata.resource_version });
                let patch = json!({ "metadata": metadata, "spec": { "unschedulable": unschedulable.then_some(true) } });
                api.patch(name, params, &Patch::Merge(&patch)).await?;
            }
            Ok(true)
        };
        match attempt.retry(on_conflict()).when(is_conflict).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            answer => answer,
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
        let (metadata, spec) = (pod.metadata, pod.spec.unwrap_or_default());
        MovablePod {
            namespace: metadata.namespace.unwrap_or_else(|| "default".into()),
            name: metadata.name.unwrap_or_default(),
            is_terminating: metadata.deletion_timestamp.is_some(),
            tolerations: spec.tolerations.unwrap_or_default(),
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

    #[track_caller]
    fn check_toleration(toleration: serde_json::Value, taint: &str, expect: bool) {
        let tolerations = vec![serde_json::from_value(toleration).unwrap()];
        let pod = MovablePod { namespace: "default".into(), name: "web-0".into(), is_terminating: false, tolerations };
        let (key, value) = taint.split_once('=').unwrap();
        assert_eq!(pod.tolerates(&[(key.parse().unwrap(), value.to_string())].into()), expect, "{taint}");
    }

    #[test]
    fn a_pod_goes_to_a_node_only_if_it_tolerates_every_taint_that_keeps_pods_out() {
        let control_plane = "node-role.kubernetes.io/control-plane:NoSchedule=";
        check_toleration(json!({}), control_plane, false);
        check_toleration(json!({ "operator": "Exists" }), control_plane, true);
        check_toleration(json!({ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists" }), control_plane, true);
        check_toleration(json!({ "key": "node-role.kubernetes.io/control-plane" }), control_plane, true);
        let gpu = "dedicated:NoExecute=gpu";
        check_toleration(json!({ "key": "dedicated", "operator": "Equal", "value": "gpu" }), gpu, true);
        check_toleration(json!({ "key": "dedicated", "operator": "Equal", "value": "cpu" }), gpu, false);
        check_toleration(json!({ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }), gpu, false);
        check_toleration(json!({}), "dedicated:PreferNoSchedule=gpu", true);
        check_toleration(json!({}), "node.kubernetes.io/not-ready:NoExecute=", true);
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
