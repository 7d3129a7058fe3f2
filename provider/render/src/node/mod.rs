//! What a node gets: container runtime, kubelet, kube-proxy and, unless something in the cluster does it, the pod network.
//!
//! A node may be a control-plane host as well: nothing here shares a path with `control_plane`, so that losing one role does
//! not touch the other's files.

mod cleanup;
mod containerd;
mod kernel;
mod kube_proxy;
mod kubelet;
mod pod_network;

use crate::component::{Component, KUBE_PROXY, reached_locally};
use crate::spec::{Host, NodeGroupSpec, NodeSpec, PodNetwork, ProxyMode, RenderError};
use bundle::{Binary, Bundle, File, HostName, HostPath, TaintKey};
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub(crate) use cleanup::flush_routes;
pub use kubelet::{BOOTSTRAP_KUBECONFIG, CLIENT_CERTIFICATE, CLOUD_PROVIDER_FLAG, KUBELET_KUBECONFIG, bootstrap_kubeconfig};
pub use pod_network::{CNI_CONFIGURATION, CNI_CONFIGURATIONS, KUBECTL, OWN_CNI_CONFIGURATIONS, RECONNECT_PODS, reconnect_pods};
pub(crate) use pod_network::{FORMER_CNI_CONFIGURATION, FUNCTIONS as SHARES_FUNCTIONS, SCRIPT as POD_NETWORK_SCRIPT, shares};

/// The authority of API server certificates: kubelet's kubeconfigs name this file, so that a rotation reaches them.
const API_SERVER_AUTHORITY: &str = "/etc/kubernetes/node/apiserver-ca.crt";
/// The certificates of authorities on a node, by their name in `k8s_pki`: they tell to which cluster its kubelet belongs.
pub const AUTHORITIES: [(&str, &str); 2] =
    [("apiserver-ca", API_SERVER_AUTHORITY), ("kubelet-client-ca", kubelet::CLIENT_AUTHORITY)];
const KUBE_PROXY_KUBECONFIG: &str = "/etc/kubernetes/node/kube-proxy.kubeconfig";
/// What only this host has. Everything else is the same on all hosts of a group that have the same architecture, so that a plan for
/// hundreds of them stays short.
const ENVIRONMENT: &str = "/etc/kubernetes/node/host.env";
/// Variables in it: the node's name, its primary address, and all of its addresses.
const NODE_NAME: &str = "NODE_NAME";
const NODE_ADDRESS: &str = "NODE_ADDRESS";
const NODE_ADDRESSES: &str = "NODE_ADDRESSES";
/// With what a kubelet registers its node. No unit reads it for its stamp: labels and taints of a node that is registered are the API
/// server's to change, and a kubelet looks at no other of these again than region, zone and instance type
/// (`updateDefaultLabels` in pkg/kubelet/kubelet_node_status.go).
const REGISTRATION: &str = "/etc/kubernetes/node/registration.env";
const NODE_LABELS: &str = "NODE_LABELS";
const NODE_TAINTS: &str = "NODE_TAINTS";
/// Only of a host that has one.
const NODE_PROVIDER_ID: &str = "NODE_PROVIDER_ID";
/// Labels of Kubernetes that a kubelet may give its node: those below these domains, and these.
const KUBELETS_DOMAINS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const KUBELETS_LABELS: [&str; 5] = [
    "beta.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];
const LIBRARY: &str = "/usr/local/lib/k8s-hardway";

/// Everything that one component's renderer may look at.
struct Context<'a> {
    spec: &'a NodeGroupSpec,
    name: &'a HostName,
    host: &'a Host,
    node: &'a NodeSpec,
}

/// The kubeconfig that joins a node is not among the files: it holds a token of minutes, is written at join and deleted after.
///
/// # Errors
/// When the host is not one of the group's, the version is unknown, or a registry's name cannot be a path.
pub fn render(spec: &NodeGroupSpec, binaries: &BTreeMap<HostPath, Binary>, host: &HostName) -> Result<Bundle, RenderError> {
    let unknown = || RenderError::UnknownHost(host.clone());
    let (address, node) = spec.hosts.get(host).zip(spec.nodes.get(host)).ok_or_else(unknown)?;
    let context = Context { spec, name: host, host: address, node };
    let mut bundle = Bundle { binaries: containerd::place(binaries, spec.pod_network), ..Bundle::default() };
    add_environment(&context, &mut bundle);
    add_registration(&context, &mut bundle);
    kernel::render(&context, &mut bundle);
    containerd::render(&context, &mut bundle)?;
    kubelet::render(&context, &mut bundle);
    let is_routed = spec.pod_network == PodNetwork::Routed;
    if spec.proxy_mode != ProxyMode::None || is_routed {
        add_kube_proxy_kubeconfig(&context, &mut bundle);
    }
    match spec.proxy_mode {
        ProxyMode::None => drop(bundle.binaries.remove(&HostPath::literal(KUBE_PROXY.program))),
        _ => kube_proxy::render(&context, &mut bundle),
    }
    if is_routed {
        pod_network::render(&context, &mut bundle);
    }
    // Ours needs it, and so does the plugin for host ports that flannel and Calico bring, whatever mode kube-proxy has.
    bundle.packages.insert("nft".into(), "nftables".into());
    cleanup::render(&context, &mut bundle);
    Ok(bundle)
}

/// In the form of systemd.exec(5), "EnvironmentFile=": names and addresses hold nothing that would have to be quoted.
fn add_environment(context: &Context, bundle: &mut Bundle) {
    let addresses: Vec<String> = context.host.addresses().iter().map(ToString::to_string).collect();
    let (name, address, addresses) = (context.name, context.host.address, addresses.join(","));
    let text = format!("{NODE_NAME}={name}\n{NODE_ADDRESS}={address}\n{NODE_ADDRESSES}={addresses}\n");
    let path = add_file(bundle, ENVIRONMENT, File::public(text));
    bundle.own.insert(path);
}

/// Empty variables where nothing is declared: the unit file is the same with the first label as without one.
fn add_registration(context: &Context, bundle: &mut Bundle) {
    let object = &context.node.registration;
    let labels = object.labels.iter().filter(|(key, _)| is_given_by_kubelet(key)).map(|(key, value)| format!("{key}={value}"));
    let taints = object.taints.iter().map(|(TaintKey { key, effect }, value)| format!("{key}={value}:{effect}"));
    let (labels, taints) = (labels.collect::<Vec<_>>().join(","), taints.collect::<Vec<_>>().join(","));
    let mut text = format!("{NODE_LABELS}={labels}\n{NODE_TAINTS}={taints}\n");
    if let Some(id) = &object.provider_id {
        text += &format!("{NODE_PROVIDER_ID}={id}\n");
    }
    add_file(bundle, REGISTRATION, File::public(text));
}

/// Whether a kubelet takes this label for its own node, and may give it: of those of Kubernetes it takes few, and no role
/// (`IsKubeletLabel` in k8s.io/kubelet/pkg/apis, `getForbiddenLabels` in plugin/pkg/admission/noderestriction).
pub fn is_given_by_kubelet(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let is_below = |of: &str| domain == of || domain.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
    let is_of_kubernetes = ["kubernetes.io", "k8s.io"].into_iter().any(is_below);
    !is_of_kubernetes || KUBELETS_DOMAINS.into_iter().any(is_below) || KUBELETS_LABELS.contains(&label)
}

/// Also the pod network's, which may read the published routes besides (`objects/rbac.rs`).
fn add_kube_proxy_kubeconfig(context: &Context, bundle: &mut Bundle) {
    let file = File { content: context.spec.kube_proxy_kubeconfig.clone(), ..File::private("") };
    bundle.files.insert(HostPath::literal(KUBE_PROXY_KUBECONFIG), file);
}

/// Adds a file and returns its path, as something that a unit reads.
fn add_file(bundle: &mut Bundle, path: &str, file: File) -> HostPath {
    let path = HostPath::literal(path);
    bundle.files.insert(path.clone(), file);
    path
}

/// Asks a component of a node where it listens; `None` where it listens on no port.
fn health_check(component: &Component, listens: SocketAddr) -> Option<String> {
    let at = SocketAddr::new(reached_locally(listens.ip()), listens.port());
    (at.port() != 0).then(|| component.health_check(KUBECTL, "/dev/null", &format!("http://{at}")))
}
