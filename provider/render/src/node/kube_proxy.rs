//! kube-proxy: services on every node, by nftables, iptables or IPVS.

use super::kubelet::without_identity;
use super::{Context, KUBE_PROXY_KUBECONFIG, add_file};
use crate::spec::ProxyMode;
use crate::yaml::{merged, to_yaml};
use bundle::{Bundle, File, HostPath, OnChange, UnitName};
use serde_json::json;

const CONFIGURATION: &str = "/etc/kubernetes/node/kube-proxy.yaml";

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let reads = [
        HostPath::literal("/usr/local/bin/kube-proxy"),
        HostPath::literal(KUBE_PROXY_KUBECONFIG),
        add_file(bundle, CONFIGURATION, File::public(configuration(context))),
    ];
    bundle.add_unit(UnitName::literal("kube-proxy.service"), unit_file(), reads, OnChange::Restart);
    let programs: &[(&str, &str)] = match context.spec.proxy_mode {
        ProxyMode::Nftables => &[("nft", "nftables")],
        ProxyMode::Iptables => &[("iptables", "iptables")],
        ProxyMode::Ipvs => &[("iptables", "iptables"), ("ipset", "ipset")],
    };
    bundle.packages.extend(programs.iter().map(|(program, package)| (program.to_string(), package.to_string())));
}

fn configuration(context: &Context) -> String {
    let spec = context.spec;
    let pod_cidrs: Vec<String> = spec.network.pod_cidrs.iter().map(ToString::to_string).collect();
    let mode = match spec.proxy_mode {
        ProxyMode::Nftables => "nftables",
        ProxyMode::Iptables => "iptables",
        ProxyMode::Ipvs => "ipvs",
    };
    let ours = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": KUBE_PROXY_KUBECONFIG },
        "clusterCIDR": pod_cidrs.join(","),
        // The host's own limits stay as they are.
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        "hostnameOverride": context.name.as_str(),
        "mode": mode,
    });
    to_yaml(&merged(ours, &without_identity(&spec.kube_proxy_config)))
}

fn unit_file() -> String {
    format!(
        "[Unit]
Description=Kubernetes network proxy
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/kube-proxy --config={CONFIGURATION}
Restart=always
RestartSec=2
LimitNOFILE=1048576
OOMScoreAdjust=-999
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"
    )
}
