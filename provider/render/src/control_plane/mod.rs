//! What a control-plane host gets: etcd, API server, controller manager, scheduler and the approver of kubelets' serving
//! certificates, as systemd units with their certificates, kubeconfigs and configuration.
//!
//! A host may be a node as well: nothing here shares a path with `node`, so that losing one role leaves the other's files alone.

mod audit;
mod csr_approver;
mod encryption;
mod etcd;
mod files;
mod kube_apiserver;
mod kube_controller_manager;
mod kube_scheduler;
mod pod_routes;

use crate::spec::{ClusterSpec, Credentials, Host, RenderError};
use bundle::{Binary, Bundle, HostName, HostPath};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use files::{admin_kubeconfig, kube_proxy_kubeconfig};

/// The kubeconfigs that others read from a control-plane host.
pub const ADMIN_KUBECONFIG: &str = "/etc/kubernetes/admin.kubeconfig";
pub const KUBE_PROXY_KUBECONFIG: &str = "/etc/kubernetes/kube-proxy.kubeconfig";

/// In the order in which they start. They are stopped in the opposite order, one after the other: an API server that is left
/// without etcd does not end by itself. (`systemctl stop` with several units queues one job after another; `After=` does not
/// order those.)
pub const UNITS: [&str; 6] = [
    "etcd.service",
    "kube-apiserver.service",
    "kube-controller-manager.service",
    "kube-scheduler.service",
    "k8s-csr-approver.service",
    "k8s-pod-routes.service",
];

/// The port of the API server unless the user gives `secure-port`.
const API_SERVER_PORT: &str = "6443";

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
    pod_routes::render(&context, &mut bundle);
    files::add_client_kubeconfigs(&context, &mut bundle)?;
    Ok(bundle)
}

impl Context<'_> {
    /// The loopback address of the host's primary family.
    pub fn loopback(&self) -> IpAddr {
        match self.host.address {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        }
    }

    /// The API server of this host.
    pub fn local_server(&self) -> String {
        let port = self.spec.api_server_flags.get("secure-port").map_or(API_SERVER_PORT, String::as_str);
        url("https", self.loopback(), port)
    }

    pub fn has_ipv6(&self) -> bool {
        self.host.addresses().iter().any(IpAddr::is_ipv6)
    }
}

pub(crate) fn url(scheme: &str, address: IpAddr, port: &str) -> String {
    match address {
        IpAddr::V4(address) => format!("{scheme}://{address}:{port}"),
        IpAddr::V6(address) => format!("{scheme}://[{address}]:{port}"),
    }
}

pub(crate) fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}
