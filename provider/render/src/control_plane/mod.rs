//! What a control-plane host gets: etcd, API server, controller manager, scheduler and the approver of kubelets' serving
//! certificates, as systemd units with their certificates, kubeconfigs and configuration.
//!
//! A host may be a node as well: nothing here shares a path with `node`, so that losing one role does not touch the other's files.

mod audit;
mod csr_approver;
mod encryption;
mod etcd;
mod files;
pub mod foundation;
mod kube_apiserver;
mod kube_controller_manager;
mod kube_scheduler;
mod pod_routes;
mod pod_shares;
mod script_unit;

use crate::component::{API_SERVER, Component, reached_locally};
use crate::spec::{ClusterSpec, Host, PodNetwork, RenderError};
use crate::systemd::Flags;
use bundle::{Binary, Bundle, HostName, HostPath};
use credentials::Credentials;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use etcd::{JOIN_ENVIRONMENT, WAL};
pub use files::{admin_kubeconfig, kube_proxy_kubeconfig};
pub(crate) use files::{client_kubeconfig, kubeconfig_file};

/// The certificates of authorities on a control-plane host, by their name in `k8s_pki`: they tell which cluster it is.
pub const AUTHORITIES: [(&str, &str); 5] = [
    ("cluster-ca", "/etc/kubernetes/pki/cluster-ca.crt"),
    ("apiserver-ca", "/etc/kubernetes/pki/apiserver-ca.crt"),
    ("front-proxy-ca", "/etc/kubernetes/pki/front-proxy-ca.crt"),
    ("etcd-ca", "/etc/etcd/pki/ca.crt"),
    ("etcd-peer-ca", "/etc/etcd/pki/peer-ca.crt"),
];

/// The kubeconfigs that others read from a control-plane host.
pub const ADMIN_KUBECONFIG: &str = "/etc/kubernetes/admin.kubeconfig";
/// Path on control-plane hosts, from which joining nodes get it.
pub const KUBE_PROXY_KUBECONFIG: &str = "/etc/kubernetes/kube-proxy.kubeconfig";
/// What an API server presents to its clients, unless its flags say otherwise.
pub const API_SERVER_CERTIFICATE: &str = "/etc/kubernetes/pki/apiserver.crt";

/// Programs that whoever asks a control-plane host about its health runs there, by their paths: `sudo` may leave `/usr/local/bin` out
/// of its own.
pub const KUBECTL: &str = "/usr/local/bin/kubectl";
/// The client of etcd, which the gates ask.
pub const ETCDCTL: &str = "/usr/local/bin/etcdctl";
/// Reads snapshots back and restores them.
pub const ETCDUTL: &str = "/usr/local/bin/etcdutl";
/// Where snapshots of etcd stand on control-plane hosts. They hold all that the cluster does: Secrets are encrypted in them.
pub const SNAPSHOTS: &str = "/var/lib/etcd-snapshots";
/// Flags of etcdctl for the credentials that every control-plane host has for it.
pub const ETCD_CREDENTIALS: &str = "--cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt --key=/etc/etcd/pki/client.key";

/// What a control plane wants at least. Source: `ControlPlaneNumCPU` and `ControlPlaneMem` (in MiB) of kubeadm
/// (https://github.com/kubernetes/kubernetes/blob/v1.36.3/cmd/kubeadm/app/constants/constants.go).
const PROCESSORS: u32 = 2;
const MEMORY_BYTES: u64 = 1700 << 20;

/// Where a control-plane host reaches what runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// `https://192.0.2.11:2379`
    pub etcd: String,
    /// `https://192.0.2.11:2380`, as which a new cluster knows the member.
    pub etcd_peer: String,
    /// `https://127.0.0.1:6443`
    pub api_server: String,
}

/// `None` when the host is not one of the cluster's.
pub fn endpoints(spec: &ClusterSpec, host: &HostName) -> Option<Endpoints> {
    let address = spec.hosts.get(host)?;
    Some(Endpoints {
        etcd: etcd::client_url(spec, address),
        etcd_peer: etcd::peer_url(address),
        api_server: local_server(spec, address),
    })
}

/// Everything that one component's renderer may look at.
pub(crate) struct Context<'a> {
    pub spec: &'a ClusterSpec,
    pub credentials: &'a Credentials,
    pub name: &'a HostName,
    pub host: &'a Host,
}

/// # Errors
/// When the host is not one of the cluster's, a certificate or key is missing, or a name cannot be used.
pub fn render(
    spec: &ClusterSpec,
    credentials: &Credentials,
    binaries: &BTreeMap<HostPath, Binary>,
    host: &HostName,
) -> Result<Bundle, RenderError> {
    let address = spec.hosts.get(host).ok_or_else(|| RenderError::UnknownHost(host.clone()))?;
    let context = Context { spec, credentials, name: host, host: address };
    let mut bundle = Bundle { binaries: binaries.clone(), ..Bundle::default() };
    etcd::render(&context, &mut bundle)?;
    kube_apiserver::render(&context, &mut bundle)?;
    kube_controller_manager::render(&context, &mut bundle)?;
    kube_scheduler::render(&context, &mut bundle)?;
    csr_approver::render(&context, &mut bundle)?;
    match spec.pod_network {
        PodNetwork::Routed => {
            pod_routes::render(&context, &mut bundle);
            pod_shares::render(&context, &mut bundle)?;
        }
        PodNetwork::None => pod_routes::retire(&mut bundle),
    }
    files::add_client_kubeconfigs(&context, &mut bundle)?;
    bundle.needs.tunnel = tls_address(&context.local_server());
    (bundle.needs.processors, bundle.needs.memory_bytes) = (PROCESSORS, MEMORY_BYTES);
    Ok(bundle)
}

impl Context<'_> {
    /// The loopback address of the host's primary family.
    pub fn loopback(&self) -> IpAddr {
        loopback(self.host)
    }

    /// The API server of this host, as the host itself reaches it.
    pub fn local_server(&self) -> String {
        local_server(self.spec, self.host)
    }

    /// Not where some hosts have an IPv4 and others an IPv6 primary address.
    pub fn is_local_server_of_all(&self) -> bool {
        let server = self.local_server();
        self.spec.hosts.values().all(|host| local_server(self.spec, host) == server)
    }

    /// Whether the host has an IPv6 address.
    pub fn has_ipv6(&self) -> bool {
        self.host.addresses().iter().any(IpAddr::is_ipv6)
    }
}

pub(crate) fn loopback(host: &Host) -> IpAddr {
    match host.address {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

fn local_server(spec: &ClusterSpec, host: &Host) -> String {
    let flag = |name: &str| spec.api_server_flags.get(name).map(String::as_str);
    let bound = flag("bind-address").and_then(|text| text.parse().ok()).filter(|address: &IpAddr| !address.is_unspecified());
    let port = flag("secure-port").and_then(|text| text.parse().ok());
    url("https", bound.unwrap_or(loopback(host)), port.unwrap_or(API_SERVER.port))
}

pub(crate) fn url(scheme: &str, address: IpAddr, port: u16) -> String {
    format!("{scheme}://{}", SocketAddr::new(address, port))
}

/// Where a component that takes `bind-address` and `secure-port` listens. `None` when the user's flags switched the port off.
pub(crate) fn binds(component: &Component, flags: &Flags) -> Option<SocketAddr> {
    let address: IpAddr = flags.get("bind-address")?.parse().ok()?;
    let port = flags.get("secure-port").map_or(Some(component.port), |text| text.parse().ok()).filter(|port| *port != 0)?;
    Some(SocketAddr::new(address, port))
}

/// Where it is reached on its own host.
fn listens_at(component: &Component, flags: &Flags) -> Option<SocketAddr> {
    binds(component, flags).map(|bound| SocketAddr::new(reached_locally(bound.ip()), bound.port()))
}

/// Of an URL with TLS and an address, where the host itself reaches it.
fn tls_address(url: &str) -> Option<SocketAddr> {
    let address: SocketAddr = url.strip_prefix("https://")?.parse().ok()?;
    Some(SocketAddr::new(reached_locally(address.ip()), address.port()))
}

/// Asks a component that takes `bind-address` and `secure-port`. `None` when the user's flags switched the port off, or keep the
/// component from answering everybody.
pub(crate) fn health_check(component: &Component, flags: &Flags) -> Option<String> {
    let address = listens_at(component, flags)?;
    let path = component.health_path;
    let is_open = |paths: &str| paths.split(',').any(|open| open == path || open == "/*");
    if flags.get("authorization-always-allow-paths").is_some_and(|paths| !is_open(paths)) {
        return None;
    }
    Some(component.health_check(KUBECTL, &component.kubeconfig(), &format!("https://{address}")))
}

pub(crate) fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}
