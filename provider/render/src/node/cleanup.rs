//! What undoes a node: containers, mounts, links, routes, rules, and files that the components wrote themselves. Each command
//! runs after the units have stopped and succeeds on a host where there is nothing to undo.

use super::{BOOTSTRAP_KUBECONFIG, CNI_CONFIGURATION, Context, FORMER_CNI_CONFIGURATION};
use crate::component::{Component, KUBE_PROXY, POD_NETWORK, POD_ROUTES};
use crate::spec::{PodNetwork, ProxyMode};
use bundle::Bundle;

const KILL_CONTAINERS: &str = include_str!("kill-containers.sh");
const UNMOUNT_CONTAINERS: &str = include_str!("unmount-containers.sh");
const NAMED_NAMESPACES: &str = include_str!("namespaces.awk");
const DELETE_CHAINS: &str = include_str!("delete-chains.sh");
const DISCONNECT_PODS: &str = include_str!("disconnect-pods.sh");
const LEAVE_POD_NETWORK: &str = include_str!("leave-pod-network.sh");
const DELETE_NFTABLES: &str = "nft delete table ip kube-proxy 2>/dev/null; nft delete table ip6 kube-proxy 2>/dev/null; true";
/// The name of ours while its pods are made again, and the mark of that.
const LEAVING_BRIDGE: &str = "cni0-leaves";
const LEAVING: &str = "/etc/cni/net.d/.k8s-hardway.leaving";
/// It takes all services of IPVS: only where kube-proxy's link says that it had IPVS for itself, and none says that kube-router has.
const CLEAN_IPVS: &str = "has() { ip link show \"$1\" >/dev/null 2>&1; }
! has kube-ipvs0 || has kube-dummy-if || /usr/local/bin/kube-proxy --cleanup >/dev/null 2>&1; true";

/// A control-plane host that is a node too keeps the same routes twice: they go with the last unit that keeps them.
pub(crate) fn flush_routes(other: &Component) -> String {
    format!(
        "ls /var/lib/k8s-hardway/*/units/{} >/dev/null 2>&1 || {{ ip -4 route flush proto 77; ip -6 route flush proto 77; }}",
        other.unit()
    )
}

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    bundle.clean_up("containers", KILL_CONTAINERS);
    bundle.clean_up("mounts", format!("named_namespaces='{NAMED_NAMESPACES}'\n{UNMOUNT_CONTAINERS}"));
    // containerd makes these at its start; whatever somebody put there stays.
    bundle.clean_up("empty-folders", "rmdir /opt/containerd/bin /opt/containerd/lib /opt/containerd 2>/dev/null; true");
    undo_proxy(context.spec.proxy_mode, bundle);
    undo_pod_network(context.spec.pod_network, bundle);
    // The kubelet raises logind's delay so that pods may end before the host does.
    bundle.clean_up(
        "logind",
        "rm -f /etc/systemd/logind.conf.d/99-kubelet.conf; rmdir /etc/systemd/logind.conf.d 2>/dev/null; true",
    );
    bundle.clean_up("bootstrap-kubeconfig", format!("rm -f {BOOTSTRAP_KUBECONFIG}"));
}

/// Of one that is declared no more the same is known: what it left goes with its unit, and by the newest commands.
fn undo_proxy(mode: ProxyMode, bundle: &mut Bundle) {
    let modes = match mode {
        ProxyMode::Nftables => ["nftables"].as_slice(),
        ProxyMode::Iptables => &["iptables"],
        ProxyMode::Ipvs => &["ipvs", "iptables"],
        ProxyMode::None => &["nftables", "ipvs", "iptables"],
    };
    for of in modes {
        let command = match *of {
            "nftables" => DELETE_NFTABLES.to_string(),
            "iptables" => format!("chains=${{K8S_HARDWAY_RETIRING:+proxy}}\n{DELETE_CHAINS}"),
            _ => CLEAN_IPVS.to_string(),
        };
        bundle.clean_up(of, command);
        if mode == ProxyMode::None {
            bundle.retired.insert(of, KUBE_PROXY.unit());
        }
    }
}

fn undo_pod_network(network: PodNetwork, bundle: &mut Bundle) {
    let flush_routes = flush_routes(&POD_ROUTES);
    let rules = |tables: &str| format!("for table in {tables}; do nft delete table $table 2>/dev/null; done; true");
    if network == PodNetwork::Routed {
        bundle.clean_up(
            "pod-network",
            format!("{flush_routes}; ip link delete cni0 2>/dev/null; ip link delete {LEAVING_BRIDGE} 2>/dev/null; true"),
        );
        bundle.clean_up("pod-network-rules", rules("'inet k8s-hardway' 'ip cni_hostport' 'ip6 cni_hostport'"));
        let files = format!(
            "rm -f {CNI_CONFIGURATION}* {FORMER_CNI_CONFIGURATION}* {LEAVING}; rmdir /etc/cni/net.d /etc/cni 2>/dev/null; true"
        );
        bundle.clean_up("pod-network-files", files);
        return;
    }
    let ports = rules("'ip cni_hostport' 'ip6 cni_hostport'");
    let left = format!(
        "configuration={CNI_CONFIGURATION} former={FORMER_CNI_CONFIGURATION} leaving={LEAVING} bridge={LEAVING_BRIDGE}
has_link() {{ ip link show \"$1\" >/dev/null 2>&1; }}
flush_routes() {{ {flush_routes}; }}
disconnect_pods() {{
{}
}}
delete_ports() {{
{ports}
chains=ports
{DELETE_CHAINS}
}}
{LEAVE_POD_NETWORK}",
        disconnect_pods(LEAVING_BRIDGE)
    );
    bundle.clean_up("pod-network", left);
    bundle.clean_up("pod-network-rules", rules("'inet k8s-hardway'"));
    bundle.clean_up("pod-network-files", "rmdir /etc/cni/net.d /etc/cni 2>/dev/null; true");
    for of in ["pod-network", "pod-network-rules", "pod-network-files"] {
        bundle.retired.insert(of, POD_NETWORK.unit());
    }
}

/// A script that ends the pods on a bridge; without one, those that are not ours.
pub(super) fn disconnect_pods(bridge: &str) -> String {
    format!("BRIDGE={bridge}\nnamed_namespaces='{NAMED_NAMESPACES}'\n{DISCONNECT_PODS}")
}
