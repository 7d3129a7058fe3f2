//! Why the pods of a workload do not come up, as their containers and the scheduler say it.

use super::{KubernetesApi, KubernetesError, ObjectRef};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{Api, ListParams};
use std::collections::BTreeSet;

/// More say the same.
const SHOWN: usize = 3;

impl KubernetesApi {
    /// Of what selects pods by `spec.selector`; empty for everything else.
    pub async fn pod_troubles(&self, of: &ObjectRef) -> Result<Vec<String>, KubernetesError> {
        let key = &of.key;
        let found = self.find_objects(std::slice::from_ref(of)).await?;
        let labels = found.get(key).and_then(|live| live.pointer("/spec/selector/matchLabels")?.as_object().cloned());
        let (Some(labels), Some(namespace)) = (labels, &key.namespace) else { return Ok(Vec::new()) };
        let selector: Vec<String> = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = api
            .list(&ListParams::default().labels(&selector.join(",")))
            .await
            .map_err(self.refused(format!("list pods of {key}")))?;
        let said: BTreeSet<String> =
            pods.items.into_iter().filter_map(|pod| pod.status).flat_map(|status| troubles(&status)).collect();
        Ok(said.into_iter().take(SHOWN).collect())
    }
}

fn troubles(status: &PodStatus) -> Vec<String> {
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    let waiting = containers.filter_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| !["ContainerCreating", "PodInitializing"].contains(reason))?;
        let message = waiting.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        Some(format!("container {}: {reason}{message}", container.name))
    });
    let unscheduled =
        status.conditions.iter().flatten().filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    waiting.chain(unscheduled.filter_map(|condition| condition.message.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_containers_and_the_scheduler_say_is_told() {
        let status = serde_json::json!({
            "containerStatuses": [
                { "name": "web", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": { "waiting": { "reason": "ImagePullBackOff", "message": "Back-off" } } },
                { "name": "log", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": { "waiting": { "reason": "ContainerCreating" } } }
            ],
            "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available" }]
        });
        let status: PodStatus = serde_json::from_value(status).unwrap();
        assert_eq!(troubles(&status), ["container web: ImagePullBackOff: Back-off", "0/3 nodes are available"]);
    }
}
