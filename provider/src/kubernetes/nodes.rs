//! Nodes: what serving certificates may name, readiness, labels, removal.

use super::{KubernetesApi, KubernetesError};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use render::objects::NODES_CONFIG_MAP;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "kube-system";
/// Where kubelets renew their leases, every ten seconds.
const LEASES: &str = "kube-node-lease";
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

    /// Ready by the word of a kubelet that was started at `since` (seconds since 1970 by the clock of its host, which also is the one
    /// that it stamps its heartbeats with); of any kubelet when `since` is `None`.
    pub async fn wait_until_ready(
        &self,
        node: &str,
        since: Option<i64>,
        limit: Duration,
        cancelled: &CancellationToken,
    ) -> Result<(), KubernetesError> {
        let began = Instant::now();
        loop {
            let last = match self.readiness(node, since).await {
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
    async fn readiness(&self, name: &str, since: Option<i64>) -> Result<Option<String>, KubernetesError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let Some(node) = api.get_opt(name).await.map_err(self.refused(format!("read node {name}")))? else {
            return Ok(Some("it has not registered".into()));
        };
        let Some(since) = since else { return Ok(not_ready(&node, i64::MIN)) };
        if let Some(reason) = not_ready(&node, since) {
            return Ok(Some(reason));
        }
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), LEASES);
        let lease = leases.get_opt(name).await.map_err(self.refused(format!("read the lease of node {name}")))?;
        Ok(no_heartbeat(lease.as_ref(), since))
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

/// Why the condition is not one that a kubelet started at `since` reported. A condition is stamped with whole seconds.
fn not_ready(node: &Node, since: i64) -> Option<String> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let Some(ready) = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready") else {
        return Some("it has not reported its condition".into());
    };
    if ready.status != "True" {
        return Some(ready.message.clone().unwrap_or_else(|| "NotReady".into()));
    }
    let reported = ready.last_heartbeat_time.as_ref().map_or(i64::MIN, |at| at.0.as_second());
    (reported < since).then(|| "its kubelet has not reported since it was started".into())
}

/// The lease may be the one that the kubelet before renewed. A kubelet takes more than a second from its start to its first renewal,
/// and starts are known to the second.
fn no_heartbeat(lease: Option<&Lease>, since: i64) -> Option<String> {
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref()).map(|at| at.0.as_second());
    match renewed {
        Some(renewed) if renewed > since => None,
        _ => Some("its kubelet has not renewed its lease since it was started".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: i64 = 1_795_000_000;

    fn node(status: &str, reported: i64) -> Node {
        let at = time::OffsetDateTime::from_unix_timestamp(reported).unwrap();
        let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
        let condition = json!({ "type": "Ready", "status": status, "message": "no CNI", "lastHeartbeatTime": at });
        serde_json::from_value(json!({ "metadata": {}, "status": { "conditions": [condition] } })).unwrap()
    }

    fn lease(renewed: i64) -> Lease {
        let at = time::OffsetDateTime::from_unix_timestamp(renewed).unwrap();
        let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
        serde_json::from_value(json!({ "metadata": {}, "spec": { "renewTime": at } })).unwrap()
    }

    #[test]
    fn a_condition_from_before_the_start_of_the_kubelet_is_not_taken() {
        assert_eq!(not_ready(&node("True", STARTED), STARTED), None);
        assert_eq!(not_ready(&node("False", STARTED + 5), STARTED).as_deref(), Some("no CNI"));
        assert!(not_ready(&node("True", STARTED - 1), STARTED).unwrap().contains("has not reported"));
        assert_eq!(not_ready(&node("True", STARTED - 1), i64::MIN), None);
    }

    #[test]
    fn a_lease_that_the_kubelet_before_renewed_is_no_heartbeat() {
        assert_eq!(no_heartbeat(Some(&lease(STARTED + 1)), STARTED), None);
        for old in [None, Some(lease(STARTED)), Some(lease(STARTED - 9))] {
            assert!(no_heartbeat(old.as_ref(), STARTED).unwrap().contains("has not renewed"));
        }
    }
}
