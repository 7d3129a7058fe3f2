//! The `join` object: what a node group needs to know of its cluster. No secret is in it; what a node must hold of secrets is
//! fetched from a control-plane host when it joins.

use super::config::{
    Config, DEFAULT_CLUSTER_DOMAIN, DEFAULT_NODE_MASK_IPV4, DEFAULT_NODE_MASK_IPV6, DEFAULT_POD_NETWORK, parse_endpoint,
};
use crate::hosts::HostConfig;
use crate::network;
use crate::resources::on_hosts::errors::render_error;
use crate::ssh::HostSsh;
use bundle::Digest;
use credentials::{Credentials, Part};
use ipnet::IpNet;
use render::spec::{ClusterSpec, Endpoint, Network};
use schema::{Diagnostic, Diagnostics, Field, Type, ValueAt};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    pub cluster_name: Field<String>,
    /// Which of the clusters that had this name. Unknown until it is created.
    pub cluster_uid: Field<String>,
    pub kubernetes_version: Field<String>,
    pub endpoint: Field<String>,
    pub control_plane: Field<Vec<Field<ControlPlaneHost>>>,
    pub pod_cidrs: Field<Vec<Field<String>>>,
    pub service_cidrs: Field<Vec<Field<String>>>,
    pub node_mask_ipv4: Field<u8>,
    pub node_mask_ipv6: Field<u8>,
    /// Null in the state of an earlier version.
    pub pod_network: Field<String>,
    /// Null where there is none.
    pub cloud_provider: Field<String>,
    pub cluster_domain: Field<String>,
    /// Of the three only what is reissued or changes is unknown in a plan.
    pub apiserver_authority: Field<String>,
    pub kubelet_client_authority: Field<String>,
    pub kube_proxy_kubeconfig_sha256: Field<String>,
}

/// A host through which a node group reaches the API of its cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlPlaneHost {
    pub name: Field<String>,
    pub address: Field<String>,
    pub ssh_address: Field<String>,
    pub ssh_port: Field<u16>,
    pub ssh_user: Field<String>,
}

impl ControlPlaneHost {
    /// How SSH reaches it may become known later than what is on it.
    fn of(name: &str, host: &HostConfig) -> ControlPlaneHost {
        let ssh = match &host.ssh {
            Field::Unknown => HostSsh { address: Field::Unknown, port: Field::Unknown, user: Field::Unknown },
            ssh => ssh.known().cloned().unwrap_or_default(),
        };
        ControlPlaneHost {
            name: Field::Known(name.to_owned()),
            address: host.address.clone(),
            ssh_address: ssh.address,
            ssh_port: ssh.port,
            ssh_user: ssh.user,
        }
    }
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
            ("cluster_uid", Type::String),
            ("kubernetes_version", Type::String),
            ("endpoint", Type::String),
            ("control_plane", Type::list(host)),
            ("pod_cidrs", strings()),
            ("service_cidrs", strings()),
            ("node_mask_ipv4", Type::Number),
            ("node_mask_ipv6", Type::Number),
            ("pod_network", Type::String),
            ("cloud_provider", Type::String),
            ("cluster_domain", Type::String),
            ("apiserver_authority", Type::String),
            ("kubelet_client_authority", Type::String),
            ("kube_proxy_kubeconfig_sha256", Type::String),
        ])
    }

    /// What follows from the declaration, part by part: a node group learns from `cluster_uid` that its cluster is another one, whatever
    /// else is unknown. What is made of credentials is unknown.
    pub(super) fn declared(config: &Config, uid: Field<String>) -> Join {
        let host = |(name, host): (&String, &Field<HostConfig>)| host.as_ref().map(|host| ControlPlaneHost::of(name, host));
        let url = |text: String| parse_endpoint(&text).map_or(Field::Unknown, |endpoint| Field::Known(endpoint.url()));
        let network = config.network.as_ref();
        Join {
            cluster_name: config.name.clone(),
            cluster_uid: uid,
            kubernetes_version: config.kubernetes_version.clone(),
            endpoint: config.endpoint.clone().and_then(url),
            control_plane: config.hosts.as_ref().map(|hosts| hosts.iter().map(host).collect()),
            pod_cidrs: network.and_then(|network| canonical(&network.pod_cidrs)),
            service_cidrs: network.and_then(|network| canonical(&network.service_cidrs)),
            node_mask_ipv4: network.and_then(|network| network.node_mask_ipv4.known_or(DEFAULT_NODE_MASK_IPV4)),
            node_mask_ipv6: network.and_then(|network| network.node_mask_ipv6.known_or(DEFAULT_NODE_MASK_IPV6)),
            pod_network: network.and_then(|network| network.pod_network.clone().known_or(DEFAULT_POD_NETWORK.into())),
            cloud_provider: config.cloud_provider.clone(),
            cluster_domain: network.and_then(|network| network.cluster_domain.clone().known_or(DEFAULT_CLUSTER_DOMAIN.into())),
            apiserver_authority: Field::Unknown,
            kubelet_client_authority: Field::Unknown,
            kube_proxy_kubeconfig_sha256: Field::Unknown,
        }
    }

    /// The same with what is made of credentials, of which each is known or not.
    pub(super) fn trusting(self, spec: &ClusterSpec, credentials: &Credentials) -> Result<Join, Diagnostic> {
        let certificate = |name: &str| credentials.certificate(name).map_or(Field::Null, field);
        let kube_proxy = render::control_plane::kube_proxy_kubeconfig(spec, credentials).map_err(render_error)?;
        Ok(Join {
            apiserver_authority: certificate("apiserver-ca"),
            kubelet_client_authority: certificate("kubelet-client-ca"),
            kube_proxy_kubeconfig_sha256: field(kube_proxy.map(|text| Digest::of(text.reveal().as_bytes()).to_string())),
            ..self
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

    /// Authorities that are unknown, as the join of an earlier state has them: a cluster that stays takes no others.
    pub(super) fn recalling_authorities(self, recorded: Join) -> Join {
        let kube_proxy_kubeconfig_sha256 = self.kube_proxy_kubeconfig_sha256.clone();
        Join { kube_proxy_kubeconfig_sha256, ..self.recalling(recorded) }
    }

    /// `None` while a part of it is unknown.
    pub fn network(&self) -> Option<Network> {
        let parse = |texts: &Field<Vec<Field<String>>>| -> Option<Vec<IpNet>> { texts.settle_each(|text| text.parse().ok()) };
        let service_cidrs = parse(&self.service_cidrs)?;
        Some(Network {
            pod_cidrs: parse(&self.pod_cidrs)?,
            dns_addresses: network::dns_addresses(&service_cidrs),
            service_cidrs,
            node_mask_ipv4: *self.node_mask_ipv4.known()?,
            node_mask_ipv6: *self.node_mask_ipv6.known()?,
            cluster_domain: self.cluster_domain.known()?.clone(),
        })
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        parse_endpoint(self.endpoint.known()?)
    }
}

/// What a cluster has not, or one of an earlier version.
const MAY_BE_NULL: [&str; 2] = ["cloud_provider", "pod_network"];

/// A `join` that is passed to another resource: everything but how SSH reaches a host is in it.
pub fn validate(join: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(parts) = join.value().as_map() else { return };
    let hosts = join.get("control_plane");
    let of_hosts = hosts.items().flat_map(|host| [host.get("name"), host.get("address")]);
    let parts = parts.keys().filter(|name| !MAY_BE_NULL.contains(&name.as_str())).map(|name| join.get(name));
    for part in parts.chain(of_hosts) {
        if part.value().is_null() {
            let detail = "Pass the attribute join of a k8s_hardway_cluster as it is.";
            found.push(part.error(format!("{} is null, so this is not the join of a cluster", part.path()), detail));
        }
    }
}

fn canonical(networks: &Field<Vec<Field<String>>>) -> Field<Vec<Field<String>>> {
    let canonical = |text: &String| text.parse::<IpNet>().map_or(text.clone(), |network| network.to_string());
    networks.as_ref().map(|networks| networks.iter().map(|network| network.as_ref().map(canonical)).collect())
}

fn field<T>(part: Part<T>) -> Field<T> {
    part.known().map_or(Field::Unknown, Field::Known)
}
