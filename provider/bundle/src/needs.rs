//! What components need of the host around them. It is looked at before a host gets its first push; no manifest has it, because a plan
//! reaches no host and nothing is installed by it.

use crate::UnitName;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Of one bundle. Two bundles on one host need what both need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Where units listen, by TCP. `0.0.0.0` is every IPv4 address; `::` is every address, IPv4 too.
    pub listens: BTreeMap<SocketAddr, UnitName>,
    /// Virtual addresses move to and from the host by VRRP: another who does so there would fight for the host's interfaces.
    pub speaks_vrrp: bool,
    /// What else others send to the host, as a firewall has to let it through: `VRRP (IP protocol 112)`.
    pub receives: BTreeSet<String>,
    /// The oldest kernel with which the components start.
    pub kernel: Option<Kernel>,
    /// A component does not start while swap is on.
    pub no_swap: bool,
    /// A component does not start on cgroup v1.
    pub cgroup_v2: bool,
    /// Networks of which each host of the resource has a part, with its address as the gateway to it: no router may stand between them.
    pub routed: BTreeSet<IpNet>,
    /// Containers run here, so that whatever else runs containers shares cgroups, network and sockets with them.
    pub runs_containers: bool,
    /// The provider itself connects there, from the host, through SSH.
    pub tunnel: Option<SocketAddr>,
    /// With less, it works worse.
    pub processors: u32,
    /// With less, it works worse.
    pub memory_bytes: u64,
}

/// A version of Linux, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    pub major: u32,
    pub minor: u32,
    /// `kube-proxy in nftables mode`
    pub wanted_by: String,
}

impl Needs {
    /// Units of the bundle listen at this address; `None` where it cannot be told (a port of 0, or none).
    pub fn listen(&mut self, unit: &UnitName, address: Option<SocketAddr>) {
        if let Some(address) = address.filter(|address| address.port() != 0) {
            self.listens.insert(address, unit.clone());
        }
    }

    /// Ports that other hosts connect to, in order.
    pub fn open_ports(&self) -> BTreeSet<u16> {
        self.listens.keys().filter(|address| !address.ip().is_loopback()).map(SocketAddr::port).collect()
    }

    pub(crate) fn merge(&mut self, other: Needs) {
        self.listens.extend(other.listens);
        self.receives.extend(other.receives);
        self.kernel = self.kernel.take().max(other.kernel);
        self.no_swap |= other.no_swap;
        self.cgroup_v2 |= other.cgroup_v2;
        self.routed.extend(other.routed);
        self.speaks_vrrp |= other.speaks_vrrp;
        self.runs_containers |= other.runs_containers;
        self.tunnel = self.tunnel.or(other.tunnel);
        self.processors = self.processors.max(other.processors);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
    }
}

/// Whether two sockets cannot listen at both addresses. Of `::`, one socket may take IPv4 as well.
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let takes = |one: IpAddr, other: IpAddr| match one {
        IpAddr::V4(address) => address.is_unspecified() && other.is_ipv4(),
        IpAddr::V6(address) => address.is_unspecified(),
    };
    one.port() == other.port() && (one.ip() == other.ip() || takes(one.ip(), other.ip()) || takes(other.ip(), one.ip()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sockets_collide_at_one_port_and_a_common_address() {
        for (one, other, expect) in [
            ("0.0.0.0:80", "192.0.2.1:80", true),
            ("[::]:80", "192.0.2.1:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "192.0.2.1:80", false),
            ("0.0.0.0:80", "[2001:db8::1]:80", false),
            ("0.0.0.0:80", "0.0.0.0:81", false),
        ] {
            let (one, other): (SocketAddr, SocketAddr) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!((collide(one, other), collide(other, one)), (expect, expect), "{one} {other}");
        }
    }

    #[test]
    fn two_bundles_need_what_both_need() {
        let kernel = |minor| Some(Kernel { major: 5, minor, wanted_by: "x".into() });
        let mut needs = Needs { kernel: kernel(4), processors: 2, no_swap: true, ..Needs::default() };
        needs.listen(&UnitName::literal("a.service"), "192.0.2.1:1".parse().ok());
        needs.listen(&UnitName::literal("a.service"), "127.0.0.1:2".parse().ok());
        needs.listen(&UnitName::literal("a.service"), "127.0.0.1:0".parse().ok());
        needs.merge(Needs { kernel: kernel(13), memory_bytes: 7, ..Needs::default() });
        assert_eq!((needs.kernel.clone(), needs.processors, needs.memory_bytes, needs.no_swap), (kernel(13), 2, 7, true));
        assert_eq!((needs.listens.len(), needs.open_ports()), (2, [1].into()));
    }
}
