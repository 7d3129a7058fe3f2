//! A kubeconfig out of a cluster's `join` and a client certificate: what the data source and the function of that name share.

use crate::resources::on_hosts::hardway_cluster::Join;
use credentials::Secret;
use render::kubeconfig::{Identity, Kubeconfig, Trust, render_kubeconfig};

pub const CERTIFICATE: &str = "CERTIFICATE";
pub const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Whose `user` is a client certificate and its key, in PEM. `None` while a part of the cluster that it names is unknown.
pub fn kubeconfig(cluster: &Join, user: &str, certificate: &str, private_key: &Secret) -> Option<Secret> {
    Some(render_kubeconfig(&Kubeconfig {
        cluster_name: cluster.cluster_name.known()?,
        server: cluster.endpoint.known()?,
        trust: Trust::Embedded { pem: cluster.apiserver_authority.known()? },
        user,
        identity: Identity::ClientCertificate { certificate, private_key },
    }))
}

/// What is wrong with a text that has to be PEM of this label.
pub fn pem_mistake(name: &str, label: &str, text: &str) -> Option<(String, String)> {
    let is_pem = text.contains(&format!("-----BEGIN {label}-----"));
    let detail = format!("It begins with -----BEGIN {label}-----; k8s_pki gives it in certificates and in bundle.private_keys.");
    (!is_pem).then(|| (format!("{name} is not in PEM"), detail))
}
