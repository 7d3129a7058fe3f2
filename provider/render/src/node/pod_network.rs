//! The routed pod network: a bridge on each node, a route to each other node, and masquerading for what leaves the network.
//! Routes and the CNI configuration follow at run time what control-plane hosts publish (`pod-network.sh`, and `pod-shares.sh` there); they
//! are data, not files of the bundle.

use super::cleanup::disconnect_pods;
use super::{Context, ENVIRONMENT, KUBE_PROXY_KUBECONFIG, LIBRARY, NODE_NAME, add_file};
use crate::component::POD_NETWORK;
use crate::spec::{Network, NodeGroupSpec, ProxyMode};
use bundle::{Bundle, File, HostPath};
use ipnet::IpNet;

pub(crate) const SCRIPT: &str = include_str!("pod-network.sh");
/// What both that script and the publisher of routes know of a node's share.
pub(crate) const FUNCTIONS: &str = include_str!("shares.awk");
/// A node's own copy: a control-plane host may have another version in /usr/local/bin.
pub const KUBECTL: &str = "/usr/local/lib/k8s-hardway/kubectl";
/// Where containerd looks for them: files that end with `.conf`, `.conflist` or `.json`.
pub const CNI_CONFIGURATIONS: &str = "/etc/cni/net.d";
/// Where `pod-network.sh` writes the pod network of the node: before those of add-ons, so that an add-on that is there already takes over when
/// this one goes.
pub const CNI_CONFIGURATION: &str = "/etc/cni/net.d/00-k8s-hardway.conflist";
/// Where earlier versions wrote it.
pub(crate) const FORMER_CNI_CONFIGURATION: &str = "/etc/cni/net.d/10-k8s-hardway.conflist";
/// Both: what an add-on writes there has another name.
pub const OWN_CNI_CONFIGURATIONS: [&str; 2] = [CNI_CONFIGURATION, FORMER_CNI_CONFIGURATION];
/// The first line of `reconnect_pods`.
pub const RECONNECT_PODS: &str = "# reconnect pods";
const NFT_FILE: &str = "/etc/kubernetes/node/pod-network.nft";

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let script = format!("{LIBRARY}/pod-network");
    // portmap otherwise takes iptables where that is installed.
    let portmap_backend = match context.spec.proxy_mode {
        ProxyMode::Nftables | ProxyMode::None => "nftables",
        ProxyMode::Iptables | ProxyMode::Ipvs => "iptables",
    };
    let functions = format!("{LIBRARY}/pod-network.awk");
    let command_line = format!(
        "{script} ${{{NODE_NAME}}} {KUBECTL} {KUBE_PROXY_KUBECONFIG} {} {functions} {NFT_FILE} {portmap_backend}",
        shares(&context.spec.network)
    );
    let reads = [
        HostPath::literal(KUBECTL),
        HostPath::literal(KUBE_PROXY_KUBECONFIG),
        HostPath::literal(ENVIRONMENT),
        add_file(bundle, &script, File::executable(SCRIPT)),
        add_file(bundle, &functions, File::public(FUNCTIONS)),
        add_file(bundle, NFT_FILE, File::public(masquerade_rules(context.spec))),
    ];
    POD_NETWORK.add(bundle, unit_file(&command_line), reads);
    bundle.needs.routed.extend(&context.spec.network.pod_cidrs);
    bundle.packages.insert("ip".into(), "iproute2".into());
}

/// For a node on which the pod network was started and has not been seen healthy yet: pods that another network connects are made again. Fails where
/// our CNI configuration is not there yet: they would get that network once more. Where the former one is, an add-on goes on connecting pods.
pub fn reconnect_pods() -> String {
    format!(
        "{RECONNECT_PODS}
for stamp in /var/lib/k8s-hardway/*/units/{}; do [ ! -s \"$stamp\" ] || exit 0; done
if [ ! -e {CNI_CONFIGURATION} ]; then
  for file in {FORMER_CNI_CONFIGURATION}*; do [ ! -e \"$file\" ] || exit 0; done
  exit 1
fi
{}
true
",
        POD_NETWORK.unit(),
        disconnect_pods("")
    )
}

/// Each pod CIDR with the prefix length of a node's share: `172.18.0.0/16=24,fd00:18::/56=64`.
pub(crate) fn shares(network: &Network) -> String {
    let mask = |cidr: &IpNet| if cidr.addr().is_ipv4() { network.node_mask_ipv4 } else { network.node_mask_ipv6 };
    let shares: Vec<String> = network.pod_cidrs.iter().map(|cidr| format!("{cidr}={}", mask(cidr))).collect();
    shares.join(",")
}

fn masquerade_rules(spec: &NodeGroupSpec) -> String {
    let rules = [("ip", false), ("ip6", true)].map(|(family, is_ipv6)| {
        let of_family = |cidrs: &[IpNet]| -> Vec<String> {
            cidrs.iter().filter(|cidr| cidr.addr().is_ipv6() == is_ipv6).map(ToString::to_string).collect()
        };
        let pods = of_family(&spec.network.pod_cidrs);
        let inside = [pods.clone(), of_family(&spec.network.service_cidrs)].concat();
        if pods.is_empty() {
            return String::new();
        }
        format!("    {family} saddr {{ {} }} {family} daddr != {{ {} }} masquerade\n", pods.join(", "), inside.join(", "))
    });
    format!(
        "# What leaves the pod network takes the node's address.
table inet k8s-hardway
delete table inet k8s-hardway
table inet k8s-hardway {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    iifname != \"cni0\" return
    oifname \"cni0\" return
{}  }}
}}
",
        rules.concat()
    )
}

fn unit_file(command_line: &str) -> String {
    format!(
        "[Unit]
Description=Pod network: bridge, routes to other nodes, masquerading
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
EnvironmentFile={ENVIRONMENT}
ExecStart={command_line}
Restart=always
RestartSec=2
RuntimeDirectory=k8s-pod-network
RuntimeDirectoryMode=0700
MemoryMax=256M
TasksMax=64
NoNewPrivileges=yes
ProtectSystem=yes
ProtectHome=yes
PrivateTmp=yes
CapabilityBoundingSet=CAP_NET_ADMIN

[Install]
WantedBy=multi-user.target
"
    )
}
