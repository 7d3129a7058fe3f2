//! kube-proxy: services on every node, by nftables, iptables or IPVS.

use super::kubelet::without_identity;
use super::{Context, ENVIRONMENT, KUBE_PROXY_KUBECONFIG, NODE_NAME, add_file, health_check};
use crate::component::KUBE_PROXY;
use crate::spec::ProxyMode;
use crate::systemd::Flags;
use crate::yaml::{merged, to_yaml};
use bundle::{Bundle, File, HostPath, Kernel};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const CONFIGURATION: &str = "/etc/kubernetes/node/kube-proxy.yaml";
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10249);

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let configuration = configuration(context);
    let reads = [
        HostPath::literal(KUBE_PROXY.program),
        HostPath::literal(KUBE_PROXY_KUBECONFIG),
        HostPath::literal(ENVIRONMENT),
        add_file(bundle, CONFIGURATION, File::public(to_yaml(&configuration))),
    ];
    add_needs(&configuration, bundle);
    let flags = flags(&configuration);
    let checks = (check_of(&configuration), KUBE_PROXY.check(&flags, &[ENVIRONMENT]));
    KUBE_PROXY.add_with_checks(
        bundle,
        unit_file(context.spec.proxy_mode, &flags.command_line(KUBE_PROXY.program)),
        reads,
        checks,
    );
    let programs: &[(&str, &str)] = match context.spec.proxy_mode {
        ProxyMode::Nftables => &[("nft", "nftables")],
        ProxyMode::Iptables => &[("iptables", "iptables")],
        ProxyMode::Ipvs => &[("iptables", "iptables"), ("ipset", "ipset")],
        ProxyMode::None => &[],
    };
    bundle.packages.extend(programs.iter().map(|(program, package)| (program.to_string(), package.to_string())));
}

fn configuration(context: &Context) -> Value {
    let spec = context.spec;
    let pod_cidrs: Vec<String> = spec.network.pod_cidrs.iter().map(ToString::to_string).collect();
    let mode = match spec.proxy_mode {
        ProxyMode::Nftables => "nftables",
        ProxyMode::Iptables => "iptables",
        ProxyMode::Ipvs => "ipvs",
        ProxyMode::None => "",
    };
    let ours = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": KUBE_PROXY_KUBECONFIG },
        "clusterCIDR": pod_cidrs.join(","),
        // The host's own limits stay as they are.
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        "mode": mode,
    });
    merged(ours, &without_identity(&spec.kube_proxy_config))
}

/// nftables: `NFTablesKubeProxyKernelVersion` in pkg/util/kernel/constants.go, without which it does not start (pkg/proxy/nftables/supported.go;
/// https://kubernetes.io/docs/reference/node/kernel-version-requirements/). Metrics: `ProxyStatusPort` in pkg/cluster/ports/ports.go.
fn add_needs(configuration: &Value, bundle: &mut Bundle) {
    let (health, metrics) = (health_address(configuration), bind_address(configuration, "metricsBindAddress", METRICS));
    bundle.needs.listen(&KUBE_PROXY.unit(), health);
    bundle.needs.listen(&KUBE_PROXY.unit(), metrics);
    if configuration.get("mode").and_then(Value::as_str) == Some("nftables") {
        bundle.needs.kernel = Some(Kernel { major: 5, minor: 13, wanted_by: "kube-proxy in nftables mode".into() });
    }
}

fn health_address(configuration: &Value) -> Option<SocketAddr> {
    bind_address(configuration, "healthzBindAddress", SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), KUBE_PROXY.port))
}

/// Address and port, or an address; the default of health checks listens on every one of the family of `bindAddress`.
/// Source: KubeProxyConfiguration, and its defaults in `pkg/proxy/apis/config/v1alpha1`.
fn bind_address(configuration: &Value, field: &str, default: SocketAddr) -> Option<SocketAddr> {
    match configuration.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()) {
        None => Some(default),
        Some(text) => text.parse().or_else(|_| text.parse().map(|address| SocketAddr::new(address, default.port()))).ok(),
    }
}

fn check_of(configuration: &Value) -> Option<String> {
    health_check(&KUBE_PROXY, health_address(configuration)?)
}

/// The flag wins over the file, so it is left out where the user's configuration has a name.
/// Source: `processHostnameOverrideFlag` in cmd/kube-proxy/app/options.go, which runs after the file is loaded.
fn flags(configuration: &Value) -> Flags {
    let flags = Flags::new().set("config", CONFIGURATION);
    let is_named = configuration.get("hostnameOverride").is_some_and(|name| !name.is_null());
    if is_named { flags } else { flags.set_from("hostname-override", NODE_NAME) }
}

fn unit_file(mode: ProxyMode, command_line: &str) -> String {
    // In this mode kube-proxy leaves what it had in IPVS (`platformCleanup` in cmd/kube-proxy/app/server_linux.go). kube-router has IPVS for itself.
    let before = match mode {
        ProxyMode::Iptables => format!(
            "ExecStartPre=-/bin/sh -c '! ip link show kube-ipvs0 || ip link show kube-dummy-if || exec {} --cleanup'\n",
            KUBE_PROXY.program
        ),
        ProxyMode::Nftables | ProxyMode::Ipvs | ProxyMode::None => String::new(),
    };
    format!(
        "[Unit]
Description=Kubernetes network proxy
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
EnvironmentFile={ENVIRONMENT}
{before}ExecStart={command_line}
Restart=always
RestartSec=2
LimitNOFILE=1048576
LimitCORE=0
OOMScoreAdjust=-999
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"
    )
}
