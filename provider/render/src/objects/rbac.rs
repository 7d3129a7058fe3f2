//! Permissions of joining nodes, of the API server towards kubelets, and of the approver of serving certificates.

use super::{BOOTSTRAP_GROUP, NODES_CONFIG_MAP};
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";
/// The common name of certificate `csr-approver`.
const CSR_APPROVER: &str = "k8s-hardway:csr-approver";

pub(super) fn objects() -> Vec<Value> {
    let bootstrapper = ("Group", BOOTSTRAP_GROUP);
    vec![
        cluster_role_binding("k8s-hardway:node-bootstrapper", "system:node-bootstrapper", bootstrapper),
        cluster_role_binding(
            "k8s-hardway:approve-node-client",
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            bootstrapper,
        ),
        cluster_role_binding(
            "k8s-hardway:approve-node-client-renewal",
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            ("Group", "system:nodes"),
        ),
        cluster_role_binding(
            "k8s-hardway:kubelet-api-admin",
            "system:kubelet-api-admin",
            ("User", "kube-apiserver-kubelet-client"),
        ),
        approver_role(),
        cluster_role_binding(CSR_APPROVER, CSR_APPROVER, ("User", CSR_APPROVER)),
        approver_config_map_role(),
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "RoleBinding",
            "metadata": { "name": CSR_APPROVER, "namespace": "kube-system" },
            "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": CSR_APPROVER },
            "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": CSR_APPROVER }],
        }),
    ]
}

/// Approval needs `approve` on the signer besides `update` on the subresource: it can approve nothing but serving certificates.
fn approver_role() -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRole",
        "metadata": { "name": CSR_APPROVER },
        "rules": [
            {
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["certificatesigningrequests"],
                "verbs": ["get", "list", "watch"],
            },
            {
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["certificatesigningrequests/approval"],
                "verbs": ["update"],
            },
            {
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["signers"],
                "resourceNames": ["kubernetes.io/kubelet-serving"],
                "verbs": ["approve"],
            },
        ],
    })
}

fn approver_config_map_role() -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "Role",
        "metadata": { "name": CSR_APPROVER, "namespace": "kube-system" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NODES_CONFIG_MAP], "verbs": ["get"] }],
    })
}

fn cluster_role_binding(name: &str, role: &str, (kind, subject): (&str, &str)) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": RBAC, "kind": kind, "name": subject }],
    })
}
