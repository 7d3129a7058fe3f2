//! The table of components: each program that runs as a systemd unit is described here, and nowhere else. Its renderer takes
//! names, paths and ports from it; planners and gates read the same through the bundle; and of a host that leaves, which has no
//! bundle any more, `Component::of` tells what its units are.

use bundle::{Bundle, Disruption, Health, HostPath, NameError, OnChange, Unit, UnitName, UnitTraits};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    /// `etcd.service`. A `*` stands for the name of the load balancer, of which several may share a host.
    unit: &'static str,
    pub traits: UnitTraits,
    /// The program that the unit runs; empty where that is a script of the bundle, or comes from the distribution.
    pub program: &'static str,
    /// The name of its certificate, which is the user of its kubeconfig `/etc/kubernetes/<name>.kubeconfig`; empty where it has none.
    pub kubeconfig_user: &'static str,
    /// Where it answers to health checks unless the user's flags say otherwise; 0 where it does not.
    pub port: u16,
    /// What is asked for there.
    pub health_path: &'static str,
}

const fn traits(tier: u8, restart: Disruption, health: Health) -> UnitTraits {
    UnitTraits { tier, restart, health }
}

/// A unit of which nothing but `unit` and `traits` is known.
const PLAIN: Component = Component {
    unit: "",
    traits: traits(0, Disruption::None, Health::StaysUp),
    program: "",
    kubeconfig_user: "",
    port: 0,
    health_path: "",
};

pub const ETCD: Component = Component {
    unit: "etcd.service",
    traits: traits(0, Disruption::RestartsControlPlaneComponent, Health::EtcdMember),
    program: "/usr/local/bin/etcd",
    port: 2379,
    ..PLAIN
};

pub const API_SERVER: Component = Component {
    unit: "kube-apiserver.service",
    traits: traits(1, Disruption::RestartsControlPlaneComponent, Health::ApiServer),
    program: "/usr/local/bin/kube-apiserver",
    port: 6443,
    health_path: "/readyz",
    ..PLAIN
};

/// Port: `KubeControllerManagerPort` of kubeadm (cmd/kubeadm/app/constants/constants.go).
pub const CONTROLLER_MANAGER: Component = Component {
    unit: "kube-controller-manager.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    program: "/usr/local/bin/kube-controller-manager",
    kubeconfig_user: "controller-manager",
    port: 10257,
    health_path: "/healthz",
};

/// Port: `KubeSchedulerPort` of kubeadm (cmd/kubeadm/app/constants/constants.go).
pub const SCHEDULER: Component = Component {
    unit: "kube-scheduler.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    program: "/usr/local/bin/kube-scheduler",
    kubeconfig_user: "scheduler",
    port: 10259,
    health_path: "/healthz",
};

pub const CSR_APPROVER: Component = Component {
    unit: "k8s-csr-approver.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    kubeconfig_user: "csr-approver",
    ..PLAIN
};

/// Routes stay in the kernel while it restarts.
pub const POD_ROUTES: Component = Component {
    unit: "k8s-pod-routes.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    ..PLAIN
};

/// It tells systemd that it is up only when its socket answers (`Type=notify`).
pub const CONTAINERD: Component = Component {
    unit: "containerd.service",
    traits: traits(0, Disruption::RestartsNodeComponent, Health::StaysUp),
    program: "/usr/local/bin/containerd",
    ..PLAIN
};

/// Needs the socket of containerd. Port: `KubeletHealthzPort` of Kubernetes (pkg/cluster/ports/ports.go).
pub const KUBELET: Component = Component {
    unit: "kubelet.service",
    traits: traits(1, Disruption::RestartsNodeComponent, Health::Node),
    program: "/usr/local/bin/kubelet",
    port: 10248,
    health_path: "/healthz",
    ..PLAIN
};

/// Port: `healthzBindAddress` of KubeProxyConfiguration. Unlike `/healthz`, `/livez` does not fail on a node that is about to be
/// deleted (pkg/proxy/healthcheck/proxy_health.go).
pub const KUBE_PROXY: Component = Component {
    unit: "kube-proxy.service",
    traits: traits(1, Disruption::RestartsNodeComponent, Health::StaysUp),
    program: "/usr/local/bin/kube-proxy",
    port: 10256,
    health_path: "/livez",
    ..PLAIN
};

pub const POD_NETWORK: Component =
    Component { unit: "k8s-pod-network.service", traits: traits(1, Disruption::RestartsNodeComponent, Health::StaysUp), ..PLAIN };

pub const PROXY: Component =
    Component { unit: "k8s-lb-*-nginx.service", traits: traits(0, Disruption::MovesVirtualAddress, Health::StaysUp), ..PLAIN };

/// Backends stay as they were last seen while it restarts.
pub const BACKEND_HEALTH: Component =
    Component { unit: "k8s-lb-*-health.service", traits: traits(1, Disruption::None, Health::StaysUp), ..PLAIN };

/// Last, so that no address comes to a host that cannot serve it.
pub const VIRTUAL_ADDRESSES: Component = Component {
    unit: "k8s-lb-*-keepalived.service",
    traits: traits(2, Disruption::MovesVirtualAddress, Health::StaysUp),
    ..PLAIN
};

pub static CONTROL_PLANE: [Component; 6] = [ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, CSR_APPROVER, POD_ROUTES];
/// The last is missing with another pod network.
pub static NODE: [Component; 4] = [CONTAINERD, KUBELET, KUBE_PROXY, POD_NETWORK];
pub static LOAD_BALANCER: [Component; 3] = [PROXY, BACKEND_HEALTH, VIRTUAL_ADDRESSES];

impl Component {
    /// # Panics
    /// For a component of a load balancer, which has no unit without the name of that: see `unit_of`.
    pub fn unit(&self) -> UnitName {
        UnitName::literal(self.unit)
    }

    /// The unit of the load balancer with this name.
    ///
    /// # Errors
    /// When the name holds what a unit name may not.
    pub fn unit_of(&self, instance: &str) -> Result<UnitName, NameError> {
        UnitName::parse(self.unit.replace('*', instance))
    }

    /// What the unit with this name is; `None` when it is none of this provider's.
    pub fn of(unit: &UnitName) -> Option<&'static Component> {
        CONTROL_PLANE.iter().chain(&NODE).chain(&LOAD_BALANCER).find(|component| component.is_named(unit.as_str()))
    }

    fn is_named(&self, unit: &str) -> bool {
        match self.unit.split_once('*') {
            None => self.unit == unit,
            Some((before, after)) => unit.len() > before.len() + after.len() && unit.starts_with(before) && unit.ends_with(after),
        }
    }

    /// `/etc/kubernetes/scheduler.kubeconfig`
    pub fn kubeconfig(&self) -> String {
        format!("/etc/kubernetes/{}.kubeconfig", self.kubeconfig_user)
    }

    /// Adds the unit under its own name.
    pub(crate) fn add(&self, bundle: &mut Bundle, unit_file: String, reads: impl IntoIterator<Item = HostPath>) {
        bundle.add_unit(self.unit(), unit_file, self.describe(reads, OnChange::Restart));
    }

    /// Like `add`, with a command that succeeds while it is healthy.
    pub(crate) fn add_with_health_check(
        &self,
        bundle: &mut Bundle,
        unit_file: String,
        reads: impl IntoIterator<Item = HostPath>,
        health_check: Option<String>,
    ) {
        bundle.add_unit(self.unit(), unit_file, Unit { health_check, ..self.describe(reads, OnChange::Restart) });
    }

    /// Asks the component at `server` (`https://127.0.0.1:10257`) for its health, on its own host. Its certificate may be one that it
    /// made itself, so it is not verified; nothing secret is sent.
    pub(crate) fn health_check(&self, kubectl: &str, kubeconfig: &str, server: &str) -> String {
        let path = self.health_path;
        format!(
            "{kubectl} --kubeconfig={kubeconfig} --server={server} --insecure-skip-tls-verify --request-timeout=3s get --raw={path}"
        )
    }

    /// A unit of this component, with the traits of its row.
    pub fn describe(&self, reads: impl IntoIterator<Item = HostPath>, on_change: OnChange) -> Unit {
        let reads: BTreeSet<HostPath> = reads.into_iter().collect();
        Unit { reads, on_change, traits: self.traits, health_check: None }
    }
}

/// The tier of a unit by its name, for hosts that leave.
pub fn tier_of(unit: &UnitName) -> Option<u8> {
    Component::of(unit).map(|component| component.traits.tier)
}

/// Who listens on every address is reached on the loopback address of the family.
pub(crate) fn reached_locally(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_by_its_name() {
        for component in CONTROL_PLANE.iter().chain(&NODE) {
            assert_eq!(Component::of(&component.unit()), Some(component));
        }
        for component in &LOAD_BALANCER {
            for name in ["api", "ingress-nginx.service", "a-health"] {
                assert_eq!(Component::of(&component.unit_of(name).unwrap()), Some(component), "{name}");
            }
        }
        for other in ["nginx.service", "k8s-lb--nginx.service", "k8s-lb-api-squid.service"] {
            assert_eq!(Component::of(&UnitName::literal(other)), None);
        }
    }
}
