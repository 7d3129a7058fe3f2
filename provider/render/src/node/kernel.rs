//! Kernel modules and settings that pods and their network need, now and after a boot.

use super::{Context, add_file};
use crate::spec::ProxyMode;
use bundle::{Bundle, File, Sysctl};

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let modules = modules(context.spec.proxy_mode);
    let sysctls = sysctls(context);
    let lines: String = modules.iter().map(|module| format!("{module}\n")).collect();
    add_file(bundle, "/etc/modules-load.d/k8s-hardway.conf", File::public(lines));
    let lines: String = sysctls.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    add_file(bundle, "/etc/sysctl.d/90-k8s-hardway.conf", File::public(lines));
    bundle.modules.extend(modules.iter().map(ToString::to_string));
    bundle.sysctls.extend(sysctls.iter().map(|(key, value)| (Sysctl::literal(key), value.to_string())));
}

fn modules(mode: ProxyMode) -> &'static [&'static str] {
    match mode {
        ProxyMode::Nftables | ProxyMode::Iptables | ProxyMode::None => &["br_netfilter", "overlay"],
        ProxyMode::Ipvs => &["br_netfilter", "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr", "nf_conntrack", "overlay"],
    }
}

fn sysctls(context: &Context) -> Vec<(&'static str, &'static str)> {
    let mut sysctls = vec![
        // Services must also work for a client and a server on the same bridge.
        ("net.bridge.bridge-nf-call-ip6tables", "1"),
        ("net.bridge.bridge-nf-call-iptables", "1"),
        ("net.ipv4.ip_forward", "1"),
        // The kubelet sets these itself, and nobody would set them back: declared, they get their old values on removal.
        // https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/kubelet/cm/container_manager_linux.go (setupKernelTunables)
        ("kernel.keys.root_maxbytes", "25000000"),
        ("kernel.keys.root_maxkeys", "1000000"),
        ("kernel.panic", "10"),
        ("kernel.panic_on_oops", "1"),
        ("vm.overcommit_memory", "1"),
        ("vm.panic_on_oom", "0"),
    ];
    if context.spec.network.pod_cidrs.iter().any(|cidr| cidr.addr().is_ipv6()) {
        sysctls.push(("net.ipv6.conf.all.forwarding", "1"));
    }
    sysctls
}
