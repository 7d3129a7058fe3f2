//! The `join` object: what a node group needs to know of its cluster. No secret is in it; what a node must hold of secrets is
//! fetched from a control-plane host when it joins.

use super::config::Config;
use crate::network;
use crate::resources::on_hosts::errors::render_error;
use bundle::Digest;
use credentials::{Credentials, Part};
use ipnet::IpNet;
use render::spec::{ClusterSpec, Endpoint, Network};
use schema::{Diagnostic, Field, Type};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    pub cluster_name: String,
    pub kubernetes_version: String,
    pub endpoint: String,
    pub control_plane: Vec<ControlPlaneHost>,
    pub pod_cidrs: Vec<String>,
    pub service_cidrs: Vec<String>,
    pub node_mask_ipv4: u8,
    pub node_mask_ipv6: u8,
    pub cluster_domain: String,
    /// Of the three only what is reissued or changes is unknown in a plan.
    pub apiserver_authority: Field<String>,
    pub kubelet_client_authority: Field<String>,
    pub kube_proxy_kubeconfig_sha256: Field<String>,
}

/// A host through which a node group reaches the API of its cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlPlaneHost {
    pub name: String,
    pub address: String,
    pub ssh_address: Option<String>,
    pub ssh_port: Option<u16>,
    pub ssh_user: Option<String>,
}

impl Join {
    pub fn value_type() -> Type {
        let strings = || Type::list(Type::String);
        let host = Type::object([
            ("name", Type::String),
            ("address", Type::String),
            ("ssh_address", Type::String),
            ("ssh_port", Type::Number),
            ("ssh_user", Type::String),
        ]);
        Type::object([
            ("cluster_name", Type::String),
            ("kubernetes_version", Type::String),
            ("endpoint", Type::String),
            ("control_plane", Type::list(host)),
            ("pod_cidrs", strings()),
            ("service_cidrs", strings()),
            ("node_mask_ipv4", Type::Number),
            ("node_mask_ipv6", Type::Number),
            ("cluster_domain", Type::String),
            ("apiserver_authority", Type::String),
            ("kubelet_client_authority", Type::String),
            ("kube_proxy_kubeconfig_sha256", Type::String),
        ])
    }

    pub(super) fn of(spec: &ClusterSpec, credentials: &Credentials, config: &Config) -> Result<Join, Diagnostic> {
        let certificate = |name: &str| credentials.certificate(name).map_or(Field::Null, field);
        let kube_proxy = render::control_plane::kube_proxy_kubeconfig(spec, credentials).map_err(render_error)?;
        let texts = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect();
        let hosts = config.hosts.known().into_iter().flatten().map(|(name, host)| {
            let ssh = host.ssh.known();
            ControlPlaneHost {
                name: name.clone(),
                address: host.address.known().cloned().unwrap_or_default(),
                ssh_address: ssh.and_then(|ssh| ssh.address.known().cloned()),
                ssh_port: ssh.and_then(|ssh| ssh.port.known().copied()),
                ssh_user: ssh.and_then(|ssh| ssh.user.known().cloned()),
            }
        });
        Ok(Join {
            cluster_name: spec.name.clone(),
            kubernetes_version: spec.kubernetes_version.clone(),
            endpoint: spec.endpoint.url(),
            control_plane: hosts.collect(),
            pod_cidrs: texts(&spec.network.pod_cidrs),
            service_cidrs: texts(&spec.network.service_cidrs),
            node_mask_ipv4: spec.network.node_mask_ipv4,
            node_mask_ipv6: spec.network.node_mask_ipv6,
            cluster_domain: spec.network.cluster_domain.clone(),
            apiserver_authority: certificate("apiserver-ca"),
            kubelet_client_authority: certificate("kubelet-client-ca"),
            kube_proxy_kubeconfig_sha256: field(kube_proxy.map(|text| Digest::of(text.reveal().as_bytes()).to_string())),
        })
    }

    /// What is unknown here, as the join of an earlier state has it.
    pub(super) fn recalling(self, recorded: Join) -> Join {
        let recall = |field: Field<String>, recorded| if field.is_unknown() { recorded } else { field };
        Join {
            apiserver_authority: recall(self.apiserver_authority, recorded.apiserver_authority),
            kubelet_client_authority: recall(self.kubelet_client_authority, recorded.kubelet_client_authority),
            kube_proxy_kubeconfig_sha256: recall(self.kube_proxy_kubeconfig_sha256, recorded.kube_proxy_kubeconfig_sha256),
            ..self
        }
    }

    pub fn network(&self) -> Option<Network> {
        let parse = |texts: &[String]| -> Option<Vec<IpNet>> { texts.iter().map(|text| text.parse().ok()).collect() };
        let service_cidrs = parse(&self.service_cidrs)?;
        Some(Network {
            pod_cidrs: parse(&self.pod_cidrs)?,
            dns_addresses: network::dns_addresses(&service_cidrs),
            service_cidrs,
            node_mask_ipv4: self.node_mask_ipv4,
            node_mask_ipv6: self.node_mask_ipv6,
            cluster_domain: self.cluster_domain.clone(),
        })
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        super::config::parse_endpoint(&self.endpoint)
    }
}

fn field<T>(part: Part<T>) -> Field<T> {
    part.known().map_or(Field::Unknown, Field::Known)
}
