//! When an object is what it was declared for, as far as its kind says so: definitions are served, workloads are rolled out, jobs are done. The
//! rules are those of `kubectl rollout status` (`polymorphichelpers/rollout_status.go`) and `kubectl wait`.

use crate::ObjectKey;
use crate::phase::CUSTOM_RESOURCE_DEFINITION;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// What is missing.
    NotYet(String),
    /// It will not become ready by itself.
    Failed(String),
}

use Readiness::{Failed, NotYet, Ready};

/// Of which kinds it is asked.
pub fn is_waited_for(key: &ObjectKey) -> bool {
    rule(key).is_some()
}

/// An object of any other kind is ready as soon as it is there.
pub fn readiness(key: &ObjectKey, live: &Value) -> Readiness {
    rule(key).map_or(Ready, |rule| rule(live))
}

fn rule(key: &ObjectKey) -> Option<fn(&Value) -> Readiness> {
    match (key.group.as_str(), key.kind.as_str()) {
        CUSTOM_RESOURCE_DEFINITION => Some(|live| condition(live, "Established")),
        ("apiregistration.k8s.io", "APIService") => Some(|live| condition(live, "Available")),
        ("apps", "Deployment") => Some(deployment),
        ("apps", "DaemonSet") => Some(daemon_set),
        ("apps", "StatefulSet") => Some(stateful_set),
        ("batch", "Job") => Some(job),
        ("", "Pod") => Some(pod),
        _ => None,
    }
}

fn condition(live: &Value, name: &str) -> Readiness {
    match find(live, name) {
        Some(found) if found["status"] == "True" => Ready,
        Some(found) => NotYet(format!("{name} is {}: {}", text(&found["status"]), said(found))),
        None => NotYet(format!("it has no condition {name} yet")),
    }
}

fn find<'a>(live: &'a Value, name: &str) -> Option<&'a Value> {
    live["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

fn said(condition: &Value) -> &str {
    let message = text(&condition["message"]);
    if message.is_empty() { text(&condition["reason"]) } else { message }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(live: &Value, pointer: &str) -> u64 {
    live.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Whether its controller has seen the object as it is.
fn is_observed(live: &Value) -> bool {
    number(live, "/status/observedGeneration") >= number(live, "/metadata/generation")
}

const UNSEEN: &str = "its controller has not looked at it yet";

fn stalled(live: &Value) -> Option<&Value> {
    find(live, "Progressing").filter(|found| found["reason"] == "ProgressDeadlineExceeded")
}

/// Since when a Deployment makes no progress, as its controller said. It may go on by itself once what it lacks is there, and its controller says so later: what
/// was said before a change is no answer to it.
pub fn stalled_since(key: &ObjectKey, live: &Value) -> Option<String> {
    let progressing = stalled(live).filter(|_| key.is("apps", "Deployment"))?;
    Some(format!("{} {}", progressing["lastTransitionTime"], progressing["lastUpdateTime"]))
}

fn deployment(live: &Value) -> Readiness {
    if !is_observed(live) {
        return NotYet(UNSEEN.into());
    }
    if let Some(progressing) = stalled(live) {
        return Failed(said(progressing).to_string());
    }
    let wanted = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let (all, updated, available) =
        (number(live, "/status/replicas"), number(live, "/status/updatedReplicas"), number(live, "/status/availableReplicas"));
    if updated < wanted {
        NotYet(format!("{updated} of {wanted} pods are of this version"))
    } else if all > updated {
        NotYet(format!("{} pods of the version before are left", all - updated))
    } else if available < updated {
        NotYet(format!("{available} of {wanted} pods are available"))
    } else {
        Ready
    }
}

fn daemon_set(live: &Value) -> Readiness {
    if !is_observed(live) {
        return NotYet(UNSEEN.into());
    }
    let wanted = number(live, "/status/desiredNumberScheduled");
    let available = number(live, "/status/numberAvailable");
    let updated = number(live, "/status/updatedNumberScheduled");
    if live.pointer("/spec/updateStrategy/type").is_none_or(|found| found != "OnDelete") && updated < wanted {
        NotYet(format!("{updated} of {wanted} pods are of this version"))
    } else if available < wanted {
        NotYet(format!("{available} of {wanted} pods are available"))
    } else {
        Ready
    }
}

fn stateful_set(live: &Value) -> Readiness {
    if !is_observed(live) {
        return NotYet(UNSEEN.into());
    }
    let wanted = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let ready = number(live, "/status/readyReplicas");
    if ready < wanted {
        return NotYet(format!("{ready} of {wanted} pods are ready"));
    }
    if live.pointer("/spec/updateStrategy/type").is_some_and(|found| found == "OnDelete") {
        return Ready;
    }
    let kept = number(live, "/spec/updateStrategy/rollingUpdate/partition");
    let updated = number(live, "/status/updatedReplicas");
    let is_whole = kept > 0 || live["status"]["updateRevision"] == live["status"]["currentRevision"];
    if updated + kept < wanted || !is_whole { NotYet(format!("{updated} of {wanted} pods are of this version")) } else { Ready }
}

/// A Job that goes away by itself once it is done: that it is not there says nothing.
pub fn vanishes(key: &ObjectKey, declared: &Value) -> bool {
    key.is("batch", "Job") && declared.pointer("/spec/ttlSecondsAfterFinished").is_some()
}

fn job(live: &Value) -> Readiness {
    let is = |name: &str| find(live, name).filter(|found| found["status"] == "True");
    if let Some(failed) = is("Failed") {
        return Failed(said(failed).to_string());
    }
    if is("Complete").is_some() || live["spec"]["suspend"] == true {
        return Ready;
    }
    let wanted = live.pointer("/spec/completions").and_then(Value::as_u64).unwrap_or(1);
    NotYet(format!(
        "{} of {wanted} pods have succeeded, {} have failed",
        number(live, "/status/succeeded"),
        number(live, "/status/failed")
    ))
}

fn pod(live: &Value) -> Readiness {
    match text(&live["status"]["phase"]) {
        "Succeeded" => Ready,
        "Failed" => Failed(why_it_failed(live)),
        _ => condition(live, "Ready"),
    }
}

/// The kubelet gives a pod a message where it ended it itself; otherwise a container has.
fn why_it_failed(live: &Value) -> String {
    let containers = live["status"]["containerStatuses"].as_array().into_iter().flatten();
    let ended = containers.filter(|container| container["state"]["terminated"]["exitCode"] != 0).filter_map(|container| {
        let code = container["state"]["terminated"]["exitCode"].as_i64()?;
        Some(format!("container {} has ended with {code}", text(&container["name"])))
    });
    let (message, reason) = (text(&live["status"]["message"]), text(&live["status"]["reason"]));
    let said = [reason, message].into_iter().filter(|text| !text.is_empty()).map(str::to_string);
    said.chain(ended).collect::<Vec<String>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(key: &str, live: Value, expect: Readiness) {
        assert_eq!(readiness(&key.parse().unwrap(), &live), expect, "{key}: {live}");
    }

    fn not_yet(text: &str) -> Readiness {
        NotYet(text.into())
    }

    #[test]
    fn a_pod_that_failed_says_why() {
        let ended = json!([{ "name": "wget", "state": { "terminated": { "exitCode": 1 } } }, { "name": "b", "state": { "terminated": { "exitCode": 0 } } }]);
        check(
            "Pod/a/b",
            json!({ "status": { "phase": "Failed", "containerStatuses": ended } }),
            Failed("container wget has ended with 1".into()),
        );
        let evicted = json!({ "status": { "phase": "Failed", "reason": "Evicted", "message": "low on memory" } });
        check("Pod/a/b", evicted, Failed("Evicted: low on memory".into()));
    }

    #[test]
    fn a_deployment_says_since_when_it_stalls() {
        let stalled = json!({ "status": { "conditions": [{ "type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": "t1", "lastUpdateTime": "t2" }] } });
        assert_eq!(stalled_since(&"Deployment.apps/a/b".parse().unwrap(), &stalled).as_deref(), Some("\"t1\" \"t2\""));
        assert_eq!(stalled_since(&"Deployment.apps/a/b".parse().unwrap(), &json!({})), None);
        assert_eq!(stalled_since(&"DaemonSet.apps/a/b".parse().unwrap(), &stalled), None);
    }

    #[test]
    fn a_definition_is_ready_once_it_is_served() {
        let key = "CustomResourceDefinition.apiextensions.k8s.io/teams.example.com";
        check(key, json!({}), not_yet("it has no condition Established yet"));
        let with = |status: &str| json!({ "status": { "conditions": [{ "type": "Established", "status": status, "message": "installing" }] } });
        check(key, with("False"), not_yet("Established is False: installing"));
        check(key, with("True"), Ready);
    }

    #[test]
    fn a_deployment_is_ready_once_it_is_rolled_out() {
        let key = "Deployment.apps/shop/web";
        let with = |status: Value| json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 2 }, "status": status });
        check(
            key,
            with(json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 })),
            not_yet(UNSEEN),
        );
        check(
            key,
            with(json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1 })),
            not_yet("1 of 2 pods are of this version"),
        );
        check(
            key,
            with(json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2 })),
            not_yet("1 pods of the version before are left"),
        );
        check(
            key,
            with(json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1 })),
            not_yet("1 of 2 pods are available"),
        );
        check(key, with(json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 })), Ready);
        let stuck = json!([{ "type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out" }]);
        check(key, with(json!({ "observedGeneration": 2, "conditions": stuck })), Failed("timed out".into()));
    }

    #[test]
    fn a_job_is_ready_once_it_is_done_and_one_that_failed_never_is() {
        let with = |name: &str| json!({ "status": { "conditions": [{ "type": name, "status": "True", "message": "why" }] } });
        check("Job.batch/shop/migrate", with("Complete"), Ready);
        check("Job.batch/shop/migrate", with("Failed"), Failed("why".into()));
        check(
            "Job.batch/shop/migrate",
            json!({ "status": { "failed": 1 } }),
            not_yet("0 of 1 pods have succeeded, 1 have failed"),
        );
    }

    #[test]
    fn sets_are_ready_once_all_their_pods_are_of_this_version() {
        let set = |status: Value| json!({ "metadata": { "generation": 1 }, "spec": { "replicas": 2 }, "status": status });
        check(
            "DaemonSet.apps/a/b",
            set(
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2 }),
            ),
            Ready,
        );
        check(
            "DaemonSet.apps/a/b",
            set(json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2 })),
            not_yet("0 of 2 pods are available"),
        );
        let whole = json!({ "observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "a" });
        check("StatefulSet.apps/a/b", set(whole.clone()), Ready);
        let mut half = whole;
        half["currentRevision"] = json!("b");
        check("StatefulSet.apps/a/b", set(half), not_yet("2 of 2 pods are of this version"));
        check("ConfigMap/a/b", json!({}), Ready);
    }
}
