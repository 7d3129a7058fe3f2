//! What the renderer takes: the user's declaration after validation, every value known.

use bundle::{Digest, HostName, NodeObject};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Hosts by name, which is also the name of the node.
pub type Hosts = BTreeMap<HostName, Host>;

/// One Linux host, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The node's primary address; its family comes first in every dual-stack pair.
    pub address: IpAddr,
    /// The address of the other family.
    pub secondary_address: Option<IpAddr>,
    pub architecture: Architecture,
}

impl Host {
    /// All addresses, the primary one first.
    pub fn addresses(&self) -> Vec<IpAddr> {
        std::iter::once(self.address).chain(self.secondary_address).collect()
    }
}

/// Whether the URL of a mirror has a path. That path is the whole one of the API then, without a `/v2` that nobody wrote, as Harbor's proxy projects have it.
pub fn is_below_a_path(mirror: &str) -> bool {
    mirror.trim_end_matches('/').split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
}

/// The processor architecture of downloads, in Go's spelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    #[default]
    Amd64,
    Arm64,
}

impl Architecture {
    /// As Go, Kubernetes and the catalogue write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        }
    }
}

/// `https://api.demo.internal:6443`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl Endpoint {
    /// The URL of the API servers.
    pub fn url(&self) -> String {
        if self.host.contains(':') {
            format!("https://[{}]:{}", self.host, self.port)
        } else {
            format!("https://{}:{}", self.host, self.port)
        }
    }
}

/// The networks of pods and services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// One per family, primary family first.
    pub pod_cidrs: Vec<IpNet>,
    pub service_cidrs: Vec<IpNet>,
    /// Prefix length of one node's share of the pod CIDR, by family.
    pub node_mask_ipv4: u8,
    pub node_mask_ipv6: u8,
    pub cluster_domain: String,
    /// One per service CIDR: the tenth address of each.
    pub dns_addresses: Vec<IpAddr>,
}

/// A control plane: what its hosts run and how they find each other.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    pub name: String,
    /// `1.36.3`
    pub kubernetes_version: String,
    pub endpoint: Endpoint,
    pub hosts: Hosts,
    pub network: Network,
    pub pod_network: PodNetwork,
    pub cloud_provider: CloudProvider,
    /// Flags without the leading dashes; they win over the renderer's own.
    pub etcd_flags: BTreeMap<String, String>,
    pub api_server_flags: BTreeMap<String, String>,
    pub controller_manager_flags: BTreeMap<String, String>,
    pub scheduler_flags: BTreeMap<String, String>,
    /// The user's audit policy (YAML), or the built-in one.
    pub audit_policy: Option<String>,
}

/// Nodes that are configured alike, but for what one of them has of its own.
#[derive(Clone)]
pub struct NodeGroupSpec {
    pub cluster_name: String,
    pub kubernetes_version: String,
    pub endpoint: Endpoint,
    pub network: Network,
    pub hosts: Hosts,
    /// Of each of the hosts.
    pub nodes: BTreeMap<HostName, NodeSpec>,
    /// PEM of the authority that signs API server certificates.
    pub apiserver_authority: bundle::Content,
    /// PEM of the authority that signs the API server's client certificate towards kubelets.
    pub kubelet_client_authority: bundle::Content,
    /// Digest, and at apply the content, of the kubeconfig of kube-proxy, which control-plane hosts hold.
    pub kube_proxy_kubeconfig: bundle::Content,
    pub proxy_mode: ProxyMode,
    /// Registry host to mirror URL.
    pub registry_mirrors: BTreeMap<String, String>,
    /// Merged into the KubeProxyConfiguration.
    pub kube_proxy_config: serde_json::Value,
    pub pod_network: PodNetwork,
    pub cloud_provider: CloudProvider,
}

/// What a node is given, whether the group says so or the host.
#[derive(Clone, Debug, Default)]
pub struct NodeSpec {
    /// With what its kubelet registers it, startup taints among it; without annotations, which it cannot be told.
    pub registration: NodeObject,
    /// Merged into the KubeletConfiguration, one after the other.
    pub kubelet_config: Vec<serde_json::Value>,
    /// Flags of kubelet that have no field in its configuration, such as `image-credential-provider-config`; without the leading dashes.
    pub kubelet_flags: BTreeMap<String, String>,
}

/// Who connects pods of different nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodNetwork {
    /// A bridge per node and a route per other node: nodes must reach each other without a router between them.
    #[default]
    Routed,
    /// An add-on that is installed into the cluster, such as Calico: nothing of ours does it.
    None,
}

/// Who knows which machine of a cloud a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudProvider {
    /// Nobody.
    #[default]
    None,
    /// A cloud controller manager, which initialises each node that registers.
    External,
}

impl CloudProvider {
    /// What the flag `--cloud-provider` is set to, where it is.
    pub(crate) fn flag(self) -> Option<&'static str> {
        (self == CloudProvider::External).then_some("external")
    }
}

/// The mode of kube-proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyMode {
    #[default]
    Nftables,
    Iptables,
    Ipvs,
    /// No kube-proxy: something else serves services, such as Cilium.
    None,
}

/// keepalived and nginx on a group of hosts.
#[derive(Clone, Debug)]
pub struct LoadBalancerSpec {
    /// `api`: distinguishes two load balancers on the same hosts in paths and unit names.
    pub name: String,
    pub hosts: Hosts,
    /// With prefix length: `192.0.2.100/24`.
    pub virtual_addresses: Vec<IpNet>,
    pub listeners: BTreeMap<String, Listener>,
    pub virtual_router_id: u8,
    /// Seconds between advertisements, to the hundredth: VRRP version 3 counts centiseconds.
    pub advertisement_interval_centiseconds: u16,
    /// The interface that carries the virtual addresses; the one of the host's primary address when not given.
    pub interface: Option<String>,
}

/// A TCP port that nginx forwards to backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub port: u16,
    /// `address:port`, IPv6 in brackets, or a DNS name.
    pub backends: Vec<String>,
    pub health_check: HealthCheck,
}

/// How a backend is found to be healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthCheck {
    /// The port takes a connection.
    Tcp,
    /// An HTTPS GET answers 200; the certificate is not verified, as load balancers do.
    Https { path: String },
}

/// Why a spec cannot be rendered.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RenderError {
    #[error("no certificate {0:?} in the pki bundle: pass k8s_pki.<name>.bundle whose hosts include every host of this cluster")]
    MissingCertificate(String),
    #[error("no private key {0:?} in the pki bundle")]
    MissingPrivateKey(String),
    #[error("the catalogue has no {what} {version}; it knows {known}")]
    UnknownVersion { what: &'static str, version: String, known: String },
    #[error("{0} is not a name that systemd, a path or a node can carry")]
    Name(#[from] bundle::NameError),
    #[error("{0} is not among the hosts of this cluster or node group")]
    UnknownHost(HostName),
    #[error("no public key {0:?} in the pki bundle")]
    MissingPublicKey(String),
    #[error("no encryption key in the pki bundle")]
    MissingEncryptionKey,
    #[error("provider bug: the catalogue of releases cannot be read: {0}; please report")]
    Catalogue(String),
    #[error("the digest of {url} is not SHA-256: {digest}")]
    Digest { url: String, digest: String },
    #[error(
        "no virtual address of load balancer {name} has a family in which every host has an address: give each of {hosts} an address of {family} too"
    )]
    NoCommonFamily { name: String, hosts: String, family: &'static str },
}

/// SHA-256 by the URL at the origin, pinned in the state.
pub type Checksums = BTreeMap<String, Digest>;
