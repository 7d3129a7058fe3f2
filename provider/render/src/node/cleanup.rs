//! What undoes a node: containers, mounts, links, routes, rules, and files that the components wrote themselves. Each command
//! runs after the units have stopped and succeeds on a host where there is nothing to undo.

use super::{BOOTSTRAP_KUBECONFIG, CNI_CONFIGURATION, Context};
use crate::spec::{PodNetwork, ProxyMode};
use bundle::Bundle;

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let mut add = |command: &str| bundle.cleanup.push(command.to_string());
    // Shims stay in containerd's control group, containers are below kubepods.slice; in version 1 and 2 of control groups.
    for group in ["containerd.service", "kubepods*"] {
        add(&format!(
            "find /sys/fs/cgroup -path '*/{group}/*' -name cgroup.procs -exec cat {{}} + 2>/dev/null | sort -u | xargs -r kill -KILL 2>/dev/null; true"
        ));
    }
    add(
        "for n in 1 2 3; do awk '$2 ~ \"^(/var/lib/kubelet|/var/lib/containerd|/run/containerd|/run/netns/cni-)\" {print $2}' /proc/mounts | sort -r | xargs -r -n 1 umount -l 2>/dev/null; done; true",
    );
    add("rm -rf /run/netns/cni-* /run/containerd /run/k8s-kubelet");
    // containerd makes these at its start; whatever somebody put there stays.
    add("rmdir /opt/containerd/bin /opt/containerd/lib /opt/containerd 2>/dev/null; true");
    add("systemctl stop kubepods.slice 2>/dev/null; true");
    // With version 1 of control groups, the kubelet's own groups in hierarchies that systemd does not touch.
    add("find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null; true");
    add("/usr/local/bin/kube-proxy --cleanup >/dev/null 2>&1; true");
    match context.spec.proxy_mode {
        ProxyMode::Nftables => {
            add("nft delete table ip kube-proxy 2>/dev/null; nft delete table ip6 kube-proxy 2>/dev/null; true");
        }
        ProxyMode::Iptables | ProxyMode::Ipvs => {
            add("for family in iptables ip6tables; do $family-save | grep -v -e KUBE- -e CNI- | $family-restore; done; true");
        }
    }
    if context.spec.pod_network == PodNetwork::Routed {
        add("ip -4 route flush proto 77; ip -6 route flush proto 77; ip link delete cni0 2>/dev/null; true");
        add(
            "for table in 'inet k8s-hardway' 'ip cni_hostport' 'ip6 cni_hostport'; do nft delete table $table 2>/dev/null; done; true",
        );
        add(&format!("rm -f {CNI_CONFIGURATION}; rmdir /etc/cni/net.d /etc/cni 2>/dev/null; true"));
    }
    // The kubelet raises logind's delay so that pods may end before the host does.
    add("rm -f /etc/systemd/logind.conf.d/99-kubelet.conf; rmdir /etc/systemd/logind.conf.d 2>/dev/null; true");
    add(&format!("rm -f {BOOTSTRAP_KUBECONFIG}"));
}
