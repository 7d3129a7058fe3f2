//! Permissions of joining nodes, of the API server towards kubelets, of the approver of serving certificates, and of those who publish and
//! read the routes of the pod network.

use super::{BOOTSTRAP_GROUP, NODES_CONFIG_MAP, ROUTES_CONFIG_MAP};
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";
/// The common name of certificate `csr-approver`, which the publisher of routes has too.
const CSR_APPROVER: &str = "k8s-hardway:csr-approver";
/// The permissions to publish routes, and to read them.
const POD_SHARES: &str = "k8s-hardway:pod-shares";
const POD_ROUTES: &str = "k8s-hardway:pod-routes";

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
        config_map_role(CSR_APPROVER, NODES_CONFIG_MAP, &["get"]),
        role_binding(CSR_APPROVER, CSR_APPROVER),
        // Without data: what is published in it is not this provider's, and an apply does not touch it.
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": ROUTES_CONFIG_MAP, "namespace": "kube-system" } }),
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "ClusterRole",
            "metadata": { "name": POD_SHARES },
            "rules": [{ "apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"] }],
        }),
        cluster_role_binding(POD_SHARES, POD_SHARES, ("User", CSR_APPROVER)),
        config_map_role(POD_SHARES, ROUTES_CONFIG_MAP, &["get", "patch"]),
        role_binding(POD_SHARES, CSR_APPROVER),
        config_map_role(POD_ROUTES, ROUTES_CONFIG_MAP, &["list", "watch"]),
        role_binding(POD_ROUTES, "system:kube-proxy"),
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

/// May do this with one ConfigMap of kube-system.
fn config_map_role(name: &str, config_map: &str, verbs: &[&str]) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "Role",
        "metadata": { "name": name, "namespace": "kube-system" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [config_map], "verbs": verbs }],
    })
}

/// Gives a user the role with this name in kube-system.
fn role_binding(role: &str, user: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "RoleBinding",
        "metadata": { "name": role, "namespace": "kube-system" },
        "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": role },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": user }],
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
