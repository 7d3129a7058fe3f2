//! What the controller may do. Source: the controllers that `--controllers=*` starts (node, node lifecycle and service controllers of
//! k8s.io/cloud-provider 0.36.3), leader election and the authentication of those who ask it for metrics. Services are changed by their status alone, finalizers
//! included (`PatchService` in service/helpers).

use super::USER;
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";
/// Of both roles and bindings: a chart of the controller has others.
const NAME: &str = "k8s-hardway:cloud-controller-manager";

/// In the order in which they can be applied.
pub fn objects() -> Vec<Value> {
    let rule =
        |group: &str, resource: &str, verbs: &[&str]| json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs });
    let api_version = format!("{RBAC}/v1");
    let bound = |kind: &str, role: &str, namespace: Option<&str>| {
        let mut binding = json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": { "name": NAME },
            "roleRef": { "apiGroup": RBAC, "kind": role, "name": NAME },
            "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": USER }],
        });
        namespace.into_iter().for_each(|namespace| binding["metadata"]["namespace"] = namespace.into());
        binding
    };
    vec![
        json!({
            "apiVersion": api_version,
            "kind": "ClusterRole",
            "metadata": { "name": NAME },
            "rules": [
                rule("", "nodes", &["get", "list", "watch", "patch", "update", "delete"]),
                rule("", "nodes/status", &["patch"]),
                rule("", "services", &["list", "watch"]),
                rule("", "services/status", &["patch"]),
                rule("", "events", &["create", "patch"]),
                rule("authentication.k8s.io", "tokenreviews", &["create"]),
                rule("authorization.k8s.io", "subjectaccessreviews", &["create"]),
            ],
        }),
        bound("ClusterRoleBinding", "ClusterRole", None),
        json!({
            "apiVersion": api_version,
            "kind": "Role",
            "metadata": { "name": NAME, "namespace": "kube-system" },
            "rules": [rule("coordination.k8s.io", "leases", &["create", "get", "update"])],
        }),
        bound("RoleBinding", "Role", Some("kube-system")),
    ]
}
