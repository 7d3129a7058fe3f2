//! Ports that network add-ons need between hosts with pods. Sources: Calico "System requirements" (docs.tigera.io), Cilium "System
//! Requirements", firewall rules (docs.cilium.io), flannel `Documentation/backends.md` (github.com/flannel-io/flannel).

use cloud::{Ports, Protocol};

/// A network add-on, for the ports that it needs between hosts with pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkAddon {
    None,
    /// BGP and IP-in-IP.
    Calico,
    CalicoVxlan,
    /// VXLAN.
    Cilium,
    CiliumGeneve,
    /// VXLAN.
    Flannel,
}

pub(super) const WIREGUARD_IPV6: Ports = Ports::One(51821);

/// Protocol, ports and purpose, between all hosts that have pods.
pub(super) type AddonRule = (Protocol, Ports, &'static str);
const TYPHA: AddonRule = (Protocol::Tcp, Ports::One(5473), "Calico Typha, for Calico on all hosts");
const CILIUM_HEALTH: [AddonRule; 3] = [
    (Protocol::Tcp, Ports::One(4240), "Cilium health checks, for Cilium on all hosts"),
    (Protocol::Icmp, Ports::All, "Cilium health checks by ping, for Cilium on all hosts"),
    (Protocol::Icmpv6, Ports::All, "Cilium health checks by ping, for Cilium on all hosts"),
];

impl NetworkAddon {
    /// Every network add-on, in the order of the registry page.
    pub const ALL: [NetworkAddon; 6] = [
        NetworkAddon::None,
        NetworkAddon::Calico,
        NetworkAddon::CalicoVxlan,
        NetworkAddon::Cilium,
        NetworkAddon::CiliumGeneve,
        NetworkAddon::Flannel,
    ];

    /// The name in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            NetworkAddon::None => "none",
            NetworkAddon::Calico => "calico",
            NetworkAddon::CalicoVxlan => "calico-vxlan",
            NetworkAddon::Cilium => "cilium",
            NetworkAddon::CiliumGeneve => "cilium-geneve",
            NetworkAddon::Flannel => "flannel",
        }
    }

    /// Reads the name in HCL; `None` for any other text.
    pub fn parse(text: &str) -> Option<NetworkAddon> {
        NetworkAddon::ALL.into_iter().find(|addon| addon.as_str() == text)
    }

    /// WireGuard takes the place of flannel's VXLAN; with the others it is added.
    pub(super) fn rules(self, wireguard: bool) -> Vec<AddonRule> {
        let both = [
            (Protocol::Udp, Ports::One(51820), "WireGuard over IPv4, for pods on other hosts"),
            (Protocol::Udp, WIREGUARD_IPV6, "WireGuard over IPv6, for pods on other hosts"),
        ];
        let mut rules: Vec<AddonRule> = match self {
            NetworkAddon::None => Vec::new(),
            NetworkAddon::Calico => {
                vec![
                    (Protocol::Tcp, Ports::One(179), "BGP, for Calico on all hosts"),
                    (Protocol::Number(4), Ports::All, "IP-in-IP, for pods on other hosts"),
                    TYPHA,
                ]
            }
            NetworkAddon::CalicoVxlan => vec![(Protocol::Udp, Ports::One(4789), "VXLAN, for pods on other hosts"), TYPHA],
            NetworkAddon::Cilium => vec![(Protocol::Udp, Ports::One(8472), "VXLAN, for pods on other hosts")],
            NetworkAddon::CiliumGeneve => vec![(Protocol::Udp, Ports::One(6081), "Geneve, for pods on other hosts")],
            NetworkAddon::Flannel if wireguard => Vec::new(),
            NetworkAddon::Flannel => vec![(Protocol::Udp, Ports::One(8472), "VXLAN, for pods on other hosts")],
        };
        match self {
            NetworkAddon::Cilium | NetworkAddon::CiliumGeneve => {
                rules.extend(CILIUM_HEALTH);
                rules.extend(wireguard.then_some((Protocol::Udp, Ports::One(51871), "WireGuard, for pods on other hosts")));
            }
            NetworkAddon::None => {}
            _ if wireguard => rules.extend(both),
            _ => {}
        }
        rules
    }
}
