//! The objects that a cluster needs before anything can run in it: permissions for joining nodes, DNS, and bootstrap tokens.

mod coredns;
mod rbac;

pub use coredns::Coredns;

use crate::spec::RenderError;
use serde_json::{Value, json};
use std::net::IpAddr;

/// The group of joining nodes; bootstrap tokens carry it.
pub const BOOTSTRAP_GROUP: &str = "system:bootstrappers:k8s-hardway";
/// The ConfigMap of kube-system that says which names and addresses a node's serving certificate may carry: node to
/// space-separated names and addresses.
pub const NODES_CONFIG_MAP: &str = "k8s-hardway-nodes";
/// The ConfigMap of kube-system in which control-plane hosts publish the routes to the pods of every node (`pod-shares.sh`).
pub const ROUTES_CONFIG_MAP: &str = "k8s-hardway-routes";

/// What they depend on.
#[derive(Clone, Debug)]
pub struct ObjectsSpec {
    pub kubernetes_version: String,
    pub cluster_domain: String,
    /// Of the Service `kube-dns`, one per family; the first family is the primary one.
    pub dns_addresses: Vec<IpAddr>,
    pub coredns: Coredns,
}

/// In the order in which they can be applied, server-side.
///
/// # Errors
/// When the catalogue does not know the cluster's version.
pub fn bootstrap_objects(spec: &ObjectsSpec) -> Result<Vec<Value>, RenderError> {
    let mut objects = rbac::objects();
    objects.extend(coredns::objects(spec)?);
    Ok(objects)
}

/// The Secret behind a bootstrap token `<id>.<secret>`. The token controller deletes it at `expiration` (RFC 3339).
pub fn bootstrap_token_secret(id: &str, secret: &str, expiration: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": format!("bootstrap-token-{id}"), "namespace": "kube-system" },
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": id,
            "token-secret": secret,
            "expiration": expiration,
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": BOOTSTRAP_GROUP,
            "description": "Joins nodes of one apply.",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_authenticates_into_the_group_that_may_join() {
        let secret = bootstrap_token_secret("abcdef", "0123456789abcdef", "2030-01-02T03:04:05Z");
        assert_eq!(secret["metadata"]["name"], "bootstrap-token-abcdef");
        assert_eq!(secret["stringData"]["auth-extra-groups"], BOOTSTRAP_GROUP);
        assert_eq!(secret["stringData"]["expiration"], "2030-01-02T03:04:05Z");
    }
}
