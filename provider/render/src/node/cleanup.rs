//! What undoes a node: containers, mounts, links, routes, rules, and files that the components wrote themselves. Each command
//! runs after the units have stopped and succeeds on a host where there is nothing to undo.

use super::{BOOTSTRAP_KUBECONFIG, CNI_CONFIGURATION, Context};
use crate::component::{Component, POD_ROUTES};
use crate::spec::{PodNetwork, ProxyMode};
use bundle::Bundle;

const KILL_CONTAINERS: &str = include_str!("kill-containers.sh");
const UNMOUNT_CONTAINERS: &str = include_str!("unmount-containers.sh");
const NAMED_NAMESPACES: &str = include_str!("namespaces.awk");
const DELETE_CHAINS: &str = include_str!("delete-chains.sh");

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
    match context.spec.proxy_mode {
        ProxyMode::Nftables => {
            bundle.clean_up(
                "nftables",
                "nft delete table ip kube-proxy 2>/dev/null; nft delete table ip6 kube-proxy 2>/dev/null; true",
            );
        }
        ProxyMode::Iptables => bundle.clean_up("iptables", DELETE_CHAINS),
        ProxyMode::Ipvs => {
            // It takes all services of IPVS, also those of others: only where it had IPVS for itself.
            bundle.clean_up("ipvs", "/usr/local/bin/kube-proxy --cleanup >/dev/null 2>&1; true");
            bundle.clean_up("iptables", DELETE_CHAINS);
        }
    }
    if context.spec.pod_network == PodNetwork::Routed {
        bundle.clean_up("pod-network", format!("{}; ip link delete cni0 2>/dev/null; true", flush_routes(&POD_ROUTES)));
        bundle.clean_up(
            "pod-network-rules",
            "for table in 'inet k8s-hardway' 'ip cni_hostport' 'ip6 cni_hostport'; do nft delete table $table 2>/dev/null; done; true",
        );
        bundle
            .clean_up("pod-network-files", format!("rm -f {CNI_CONFIGURATION}; rmdir /etc/cni/net.d /etc/cni 2>/dev/null; true"));
    }
    // The kubelet raises logind's delay so that pods may end before the host does.
    bundle.clean_up(
        "logind",
        "rm -f /etc/systemd/logind.conf.d/99-kubelet.conf; rmdir /etc/systemd/logind.conf.d 2>/dev/null; true",
    );
    bundle.clean_up("bootstrap-kubeconfig", format!("rm -f {BOOTSTRAP_KUBECONFIG}"));
}
