//! A pod on one node pulls each image that an add-on names by its tag, and its kubelet says what that was. So no way from here to a registry is
//! needed, the mirrors and credentials of nodes count, and an image that this node has not and cannot pull is found before anything changes.

use crate::kubernetes::{Applied, Conflicting, ObjectRef, UNINITIALIZED};
use crate::progress::Progress;
use crate::resources::in_cluster::errors::{failed, unanswered};
use crate::resources::in_cluster::ownership::{FIELD_MANAGER, uid};
use crate::resources::in_cluster::waits::{CHANGED, Reach, WaitError};
use crate::wait::{Ended, Pace};
use addons::Ready;
use objects::ObjectKey;
use schema::Diagnostic;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;

const PACE: Pace = Pace::doubling(Duration::from_millis(100), Duration::from_secs(1));
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);
const NAMESPACE: &str = "kube-system";
/// No image has it: the container is made of the image, and none of its programs is run.
const NO_PROGRAM: &str = "/k8s-hardway/the-image-was-pulled";
const TAINTS: [&str; 3] = ["node-role.kubernetes.io/control-plane", UNINITIALIZED, "CriticalAddonsOnly"];
/// Of nodes that wait for a network. Others that are not Ready may be broken, and would attract the pod because nothing runs there.
const TAINTS_WITHOUT_NETWORK: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/network-unavailable"];

/// Images by name whose digests are wanted, for one add-on.
pub struct Pull<'a> {
    pub addon: &'a str,
    pub images: &'a BTreeMap<String, String>,
    /// When the add-on is: a network comes to nodes that are not Ready.
    pub ready: Ready,
    pub limit: Duration,
    pub progress: &'a Progress,
}

/// Digests by reference; empty for an image that came to the node from elsewhere than its reference says. Whatever happens, the pod is gone afterwards.
pub async fn look_up(reach: Reach<'_>, pull: &Pull<'_>) -> Result<BTreeMap<String, String>, Diagnostic> {
    let Pull { addon, images, limit, .. } = *pull;
    // Of an apply that was killed, with other images.
    remove(reach, addon).await?;
    pull.progress.line("images: one node pulls them");
    let found = match create(reach, &pod(pull), limit).await {
        Ok(()) => pulled(reach, pull).await,
        Err(error) => Err(error),
    };
    remove(reach, addon).await?;
    let lacking = match found? {
        Ok(digests) => {
            pull.progress.line("images: pulled");
            return Ok(digests);
        }
        Err(lacking) => lacking,
    };
    let reasons: Vec<String> = lacking.iter().map(|(name, reason)| format!("{} ({name}): {reason}", images[name])).collect();
    Err(Diagnostic::error(format!("images of {addon} were not pulled within {} s", limit.as_secs()))
        .detail(format!("{}\n\n{NOTHING}", reasons.join("\n"))))
}

const NOTHING: &str = "A pod on one node was to pull them, so that objects name them by digest. Nothing else was changed. Set pin_images = false where \
                       such a pod cannot run, or where images need credentials that only the add-on's own pods have.";

async fn create(Reach { api, waiter }: Reach<'_>, pod: &Json, limit: Duration) -> Result<(), Diagnostic> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let refused = |reason: String| {
        Diagnostic::error(format!("cannot create Pod/{NAMESPACE}/{name}")).detail(format!("{reason}\n\n{NOTHING}"))
    };
    let mut wait = waiter.until("images are pulled", limit, PACE);
    loop {
        let reason = match api.apply_object(pod, FIELD_MANAGER, Conflicting::Taken).await {
            Ok(Applied::Done { .. }) => return Ok(()),
            Ok(Applied::Changed) => CHANGED.to_string(),
            Ok(Applied::Invalid { message, .. }) => return Err(refused(message)),
            Ok(Applied::NotYet(reason)) => reason,
            Ok(Applied::Conflicts(_)) => "somebody else changes it".into(),
            Err(error) if error.is_passing() => error.to_string(),
            Err(error) => return Err(unanswered(error)),
        };
        match wait.pause().await {
            Ok(()) => {}
            Err(Ended::TimedOut { .. }) => return Err(refused(reason)),
            Err(ended) => return Err(failed(ended.into())),
        }
    }
}

type Reasons = BTreeMap<String, String>;

/// All digests, or of each image that is not there when the time is up, or when the pod has ended, why not.
async fn pulled(
    Reach { api, waiter }: Reach<'_>,
    &Pull { addon, images, limit, .. }: &Pull<'_>,
) -> Result<Result<BTreeMap<String, String>, Reasons>, Diagnostic> {
    let question = [reference(addon)];
    let ask = || async {
        let live = match api.find_objects(&question).await {
            Err(error) if error.is_passing() => {
                return Ok(Err(images.keys().map(|name| (name.clone(), error.to_string())).collect()));
            }
            found => found?.remove(&question[0].key).unwrap_or_default(),
        };
        let (mut digests, mut lacking) = (BTreeMap::new(), Reasons::new());
        for (name, reference) in images {
            match digest(&live, name, reference) {
                Ok(digest) => drop(digests.insert(reference.clone(), digest)),
                Err(reason) => drop(lacking.insert(name.clone(), reason)),
            }
        }
        Ok::<_, WaitError>(match lacking.is_empty() {
            true => Ok(Ok(digests)),
            false if has_ended(&live) => Ok(Err(lacking)),
            false => Err(lacking),
        })
    };
    let answered = waiter.until("images are pulled", limit, PACE).until_answered(ask).await.map_err(failed)?;
    Ok(answered.unwrap_or_else(Err))
}

/// Its kubelet has refused or evicted it, or it is gone: nothing will come of it.
fn has_ended(pod: &Json) -> bool {
    pod.is_null() || pod["status"]["phase"] == "Failed"
}

/// What the kubelet says of the container's image: `registry.k8s.io/pause@sha256:…`, or only `sha256:…` of what came from no registry. Of an image that
/// the node has under several names it says one of them (`docker.Sort` of containerd), and another registry may have it by another digest.
fn digest(pod: &Json, name: &str, reference: &str) -> Result<String, String> {
    if pod.is_null() {
        return Err("somebody has deleted the pod".into());
    }
    let items = |path: &str| pod.pointer(path).and_then(Json::as_array).into_iter().flatten();
    let is_it = |container: &&Json| container["name"] == *name;
    if items("/spec/containers").find(is_it).is_some_and(|container| container["image"] != *reference) {
        return Err("another apply has changed the pod".into());
    }
    let container = items("/status/containerStatuses").find(is_it);
    let id = container.and_then(|container| container["imageID"].as_str()).unwrap_or_default();
    if !id.is_empty() {
        let of_reference = id.split_once('@').filter(|(found, _)| *found == repository(reference));
        return Ok(of_reference.map(|(_, digest)| digest.to_string()).unwrap_or_default());
    }
    let waiting = container.map(|container| &container["state"]["waiting"]).filter(|waiting| !waiting.is_null());
    let unscheduled = || items("/status/conditions").find(|found| found["type"] == "PodScheduled" && found["status"] == "False");
    let ended = || Some(&pod["status"]).filter(|status| status["phase"] == "Failed" && status["reason"].is_string());
    let said = waiting.or_else(unscheduled).or_else(ended).map(|said| [&said["reason"], &said["message"]]);
    let words: Vec<&str> = said.into_iter().flatten().filter_map(Json::as_str).collect();
    Err(if words.is_empty() { "its kubelet has said nothing yet".into() } else { words.join(": ") })
}

/// Without its tag.
fn repository(reference: &str) -> &str {
    let name = reference.rfind('/').map_or(0, |slash| slash + 1);
    reference[name..].find(':').map_or(reference, |tag| &reference[..name + tag])
}

fn reference(addon: &str) -> ObjectRef {
    let name = format!("k8s-hardway-images-{addon}");
    let key = ObjectKey { kind: "Pod".into(), group: String::new(), namespace: Some(NAMESPACE.into()), name };
    ObjectRef { key, api_version: "v1".into() }
}

fn pod(&Pull { addon, images, ready, limit, .. }: &Pull<'_>) -> Json {
    let without_network = TAINTS_WITHOUT_NETWORK.into_iter().filter(|_| ready == Ready::Nodes);
    let tolerations = TAINTS.into_iter().chain(without_network).map(|key| json!({ "key": key, "operator": "Exists" }));
    let containers = images.iter().map(|(name, reference)| {
        json!({
            "name": name,
            "image": reference,
            "imagePullPolicy": "IfNotPresent",
            "command": [NO_PROGRAM],
            "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "cpu": "100m", "memory": "32Mi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        })
    });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": reference(addon).key.name,
            "namespace": NAMESPACE,
            "labels": { "app.kubernetes.io/managed-by": "k8s-hardway" },
        },
        "spec": {
            "containers": containers.collect::<Vec<Json>>(),
            "restartPolicy": "Never",
            "activeDeadlineSeconds": limit.as_secs(), // of an apply that is killed
            "terminationGracePeriodSeconds": 0,
            "hostNetwork": true, // none may be there yet
            "automountServiceAccountToken": false,
            "nodeSelector": { "kubernetes.io/os": "linux" },
            "tolerations": tolerations.collect::<Vec<Json>>(),
            "securityContext": { "runAsUser": 65_534, "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        },
    })
}

/// Also what an apply that was killed has left.
pub async fn remove(Reach { api, waiter }: Reach<'_>, addon: &str) -> Result<(), Diagnostic> {
    let pod = reference(addon);
    let delete = || async {
        match api.find_objects(std::slice::from_ref(&pod)).await?.get(&pod.key) {
            Some(live) => api.delete_object(&pod, uid(live), None).await.map(drop),
            None => Ok(()),
        }
    };
    let mut wait = waiter.until("the pod that pulls images is deleted", REMOVAL_LIMIT, PACE);
    loop {
        match delete().await {
            Err(error) if error.is_passing() => wait.pause().await.map_err(|_| unanswered(error))?,
            deleted => return deleted.map_err(unanswered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: Json, expect: Result<&str, &str>) {
        let pod = json!({ "status": status });
        assert_eq!(digest(&pod, "web", "r.example:5000/web:1"), expect.map(Into::into).map_err(Into::into));
    }

    #[test]
    fn a_kubelet_says_which_image_it_has_pulled_and_why_not() {
        let of = |container: Json| json!({ "containerStatuses": [{ "name": "other", "imageID": "r.example/other@sha256:00" }, container] });
        check(of(json!({ "name": "web", "imageID": "r.example:5000/web@sha256:aa" })), Ok("sha256:aa"));
        check(of(json!({ "name": "web", "imageID": "elsewhere.example/web@sha256:cc" })), Ok(""));
        check(of(json!({ "name": "web", "imageID": "sha256:bb" })), Ok(""));
        let waiting =
            json!({ "name": "web", "imageID": "", "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } });
        check(of(waiting), Err("ErrImagePull: not found"));
        let unscheduled =
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available" });
        check(json!({ "conditions": [unscheduled] }), Err("Unschedulable: 0/3 nodes are available"));
        check(json!({}), Err("its kubelet has said nothing yet"));
        let evicted = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
        check(evicted, Err("Evicted: The node was low on resource: memory."));
    }

    #[test]
    fn a_pod_that_is_gone_or_another_is_no_answer() {
        assert_eq!(digest(&Json::Null, "web", "r.example/web:1"), Err("somebody has deleted the pod".into()));
        let status = json!({ "containerStatuses": [{ "name": "web", "imageID": "r.example/web@sha256:aa" }] });
        let other = json!({ "spec": { "containers": [{ "name": "web", "image": "r.example/web:2" }] }, "status": status });
        assert_eq!(digest(&other, "web", "r.example/web:1"), Err("another apply has changed the pod".into()));
    }
}
