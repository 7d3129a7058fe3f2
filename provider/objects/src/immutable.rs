//! Fields of built-in kinds that the API server changes in no object that exists. Source: `pkg/apis/*/validation` of Kubernetes 1.36, the functions
//! `Validate…Update`. What is not here, such as a rule of a custom resource, is learned from the API server when it refuses a change.

use crate::ObjectKey;
use crate::fields::{Fields, differing, digest};

struct Rule {
    group: &'static str,
    kind: &'static str,
    /// With everything below.
    immutable: &'static [&'static str],
    but: &'static [&'static str],
}

const fn rule(group: &'static str, kind: &'static str, immutable: &'static [&'static str], but: &'static [&'static str]) -> Rule {
    Rule { group, kind, immutable, but }
}

const RBAC: &str = "rbac.authorization.k8s.io";

const RULES: [Rule; 17] = [
    rule("", "PersistentVolumeClaim", &[".spec"], &[".spec.resources", ".spec.volumeAttributesClassName"]),
    rule("", "Pod", &[".spec"], &[".spec.activeDeadlineSeconds", ".spec.tolerations", ".spec.terminationGracePeriodSeconds"]),
    rule("", "Secret", &[".type"], &[]),
    rule("", "Service", &[".spec.clusterIP", ".spec.clusterIPs"], &[]),
    rule(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &[".spec.group", ".spec.scope", ".spec.names.kind", ".spec.names.plural"],
        &[],
    ),
    rule("apps", "DaemonSet", &[".spec.selector"], &[]),
    rule("apps", "Deployment", &[".spec.selector"], &[]),
    rule("apps", "ReplicaSet", &[".spec.selector"], &[]),
    rule(
        "apps",
        "StatefulSet",
        &[".spec"],
        &[
            ".spec.minReadySeconds",
            ".spec.ordinals",
            ".spec.persistentVolumeClaimRetentionPolicy",
            ".spec.replicas",
            ".spec.revisionHistoryLimit",
            ".spec.template",
            ".spec.updateStrategy",
        ],
    ),
    rule("batch", "Job", &[".spec.completionMode", ".spec.podFailurePolicy", ".spec.selector", ".spec.template"], &[]),
    rule("networking.k8s.io", "IngressClass", &[".spec.controller"], &[]),
    rule("node.k8s.io", "RuntimeClass", &[".handler"], &[]),
    rule(RBAC, "ClusterRoleBinding", &[".roleRef"], &[]),
    rule(RBAC, "RoleBinding", &[".roleRef"], &[]),
    rule("scheduling.k8s.io", "PriorityClass", &[".value", ".preemptionPolicy"], &[]),
    rule("storage.k8s.io", "StorageClass", &[".parameters", ".provisioner", ".reclaimPolicy", ".volumeBindingMode"], &[]),
    rule("storage.k8s.io", "VolumeAttributesClass", &[".driverName", ".parameters"], &[]),
];

/// What the API server fills in where nothing is declared (`pkg/apis/*/v1/defaults.go`): to write it out changes nothing.
const DEFAULTS: [(&str, &str); 22] = [
    (".completionMode", "NonIndexed"),
    (".defaultMode", "420"),
    (".dnsPolicy", "ClusterFirst"),
    (".enableServiceLinks", "true"),
    (".failureThreshold", "3"),
    (".httpGet.scheme", "HTTP"),
    (".periodSeconds", "10"),
    (".podManagementPolicy", "OrderedReady"),
    (".preemptionPolicy", "PreemptLowerPriority"),
    (".protocol", "TCP"),
    (".reclaimPolicy", "Delete"),
    (".readOnly", "false"),
    (".schedulerName", "default-scheduler"),
    (".serviceAccountName", "default"),
    (".successThreshold", "1"),
    (".terminationGracePeriodSeconds", "30"),
    (".terminationMessagePath", "/dev/termination-log"),
    (".terminationMessagePolicy", "File"),
    (".timeoutSeconds", "1"),
    (".type", "Opaque"),
    (".volumeBindingMode", "Immediate"),
    (".volumeMode", "Filesystem"),
];

/// A field that is not as it was and cannot be changed.
pub(crate) fn immutable_change(key: &ObjectKey, before: &Fields, now: &Fields) -> Option<String> {
    let is_sealed = ["ConfigMap", "Secret"].iter().any(|kind| key.is("", kind))
        && before.get(".immutable").is_some_and(|text| text == "true");
    let rule = RULES.iter().find(|rule| key.is(rule.group, rule.kind));
    let is_written_out = |path: &str| match (before.get(path), now.get(path)) {
        (Some(text), None) | (None, Some(text)) => {
            DEFAULTS.iter().any(|(end, default)| path.ends_with(end) && (text == default || *text == digest(default)))
        }
        _ => false,
    };
    // Whether it differs from what the API server has filled in is known there: a claim gets a class and a volume, a Service its addresses, and a pull
    // policy follows the tag.
    let is_filled_in = |path: &str| {
        let may_be_filled_in = ["PersistentVolumeClaim", "Service"].iter().any(|kind| key.is("", kind));
        (may_be_filled_in && before.get(path).is_none())
            || (path.ends_with(".imagePullPolicy") && before.get(path).is_some() != now.get(path).is_some())
    };
    // A Service gets an address of a second family, and loses it; the first one stays.
    let is_second =
        |path: &str| key.is("", "Service") && path == ".spec.clusterIPs" && has_same_first(before.get(path), now.get(path));
    let is_immutable = |path: &str| {
        let of_rule = rule.is_some_and(|rule| is_below(path, rule.immutable) && !is_below(path, rule.but));
        // The image of a container is the one thing of it that changes.
        let is_image = key.is("", "Pod") && path.ends_with(".image");
        (of_rule && !is_image && !is_written_out(path) && !is_filled_in(path) && !is_second(path))
            || (is_sealed && is_below(path, &[".data", ".binaryData", ".immutable"]))
    };
    differing(before, now).into_iter().find(|path| is_immutable(path))
}

/// Of two lists, as far as they can be read.
fn has_same_first(before: Option<&String>, now: Option<&String>) -> bool {
    let first = |text: &String| serde_json::from_str::<Vec<serde_json::Value>>(text).ok()?.into_iter().next();
    before.zip(now).is_some_and(|(before, now)| first(before).zip(first(now)).is_none_or(|(before, now)| before == now))
}

fn is_below(path: &str, prefixes: &[&str]) -> bool {
    let rest = |prefix: &&str| path.strip_prefix(*prefix);
    prefixes.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, before: &[(&str, &str)], now: &[(&str, &str)], expect: Option<&str>) {
        let fields =
            |all: &[(&str, &str)]| all.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect::<Fields>();
        assert_eq!(immutable_change(&key.parse().unwrap(), &fields(before), &fields(now)).as_deref(), expect, "{key}");
    }

    #[test]
    fn what_the_api_server_never_changes_is_found() {
        let selector = ".spec.selector.matchLabels.app";
        check("Deployment.apps/a/b", &[(selector, "a")], &[(selector, "b")], Some(selector));
        check(
            "Deployment.apps/a/b",
            &[(selector, "a"), (".spec.replicas", "1")],
            &[(selector, "a"), (".spec.replicas", "2")],
            None,
        );
        check("StatefulSet.apps/a/b", &[(".spec.serviceName", "a")], &[(".spec.serviceName", "b")], Some(".spec.serviceName"));
        check("StatefulSet.apps/a/b", &[], &[(".spec.template.spec.hostname", "b")], None);
        check(
            "Job.batch/a/b",
            &[(".spec.template.spec.containers[name=\"a\"].image", "1")],
            &[],
            Some(".spec.template.spec.containers[name=\"a\"].image"),
        );
        check("Pod/a/b", &[(".spec.containers[name=\"a\"].image", "1")], &[(".spec.containers[name=\"a\"].image", "2")], None);
        check("ConfigMap/a/b", &[(".data.x", "1")], &[(".data.x", "2")], None);
        check(
            "ConfigMap/a/b",
            &[(".data.x", "1"), (".immutable", "true")],
            &[(".data.x", "2"), (".immutable", "true")],
            Some(".data.x"),
        );
        check("Secret/a/b", &[], &[(".type", "Opaque")], None);
        check("Secret/a/b", &[], &[(".type", "kubernetes.io/tls")], Some(".type"));
        // What the API server has filled in may be the same.
        check("PersistentVolumeClaim/a/b", &[], &[(".spec.storageClassName", "fast")], None);
        check("PersistentVolumeClaim/a/b", &[(".spec.storageClassName", "fast")], &[], Some(".spec.storageClassName"));
        let policy = ".spec.template.spec.containers[name=\"a\"].imagePullPolicy";
        check("Job.batch/a/b", &[], &[(policy, "Always")], None);
        check("Job.batch/a/b", &[(policy, "Always")], &[(policy, "Never")], Some(policy));
        let addresses = |text| [(".spec.clusterIPs", text)];
        let (one, both, other) = ("[\"10.96.0.9\"]", "[\"10.96.0.9\",\"fd00:96::9\"]", "[\"10.96.0.8\"]");
        check("Service/a/b", &addresses(one), &addresses(both), None);
        check("Service/a/b", &addresses(both), &addresses(one), None);
        check("Service/a/b", &addresses(one), &addresses(other), Some(".spec.clusterIPs"));
        // A longer name that begins alike.
        check("RuntimeClass.node.k8s.io/b", &[(".handlers", "1")], &[(".handlers", "2")], None);
    }
}
