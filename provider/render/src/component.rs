//! The table of components: each program that runs as a systemd unit is described here, and nowhere else. Its renderer takes
//! names, paths and ports from it; planners and gates read the same through the bundle; and of a host that leaves, which has no
//! bundle any more, `Component::of` tells what its units are.

use crate::dry_run::{self, DryRun};
use crate::systemd::Flags;
use bundle::{Bundle, Check, Disruption, Health, HostPath, NameError, OnChange, Unit, UnitName, UnitTraits};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
    /// Certificates that it reads again by itself, with their keys, when the files change. Whatever else it reads needs a restart.
    pub reads_again: &'static [Pair],
    /// How the program checks what it reads before its unit is touched; `None` also where its renderer has a command of its own.
    pub dry_run: Option<DryRun>,
}

/// A certificate and its key, by the flags that name their files.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    pub certificate: &'static str,
    pub key: &'static str,
    pub purpose: Purpose,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is shown to whoever connects: anyone can look whether it has been read again.
    Serving,
    /// It is shown to servers, and read for each connection, so that there is nothing to wait for.
    Client,
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
    reads_again: &[],
    dry_run: None,
};

const fn serving(certificate: &'static str, key: &'static str) -> Pair {
    Pair { certificate, key, purpose: Purpose::Serving }
}

const fn client(certificate: &'static str, key: &'static str) -> Pair {
    Pair { certificate, key, purpose: Purpose::Client }
}

/// Its TLS configuration loads both certificates for each handshake, as server and as client (`GetCertificate` and
/// `GetClientCertificate` in etcd's client/pkg/transport/listener.go); until both files of a new pair are in place, a handshake fails
/// and is tried again. The authorities that it trusts are read once (`ServerConfig` there).
pub const ETCD: Component = Component {
    unit: "etcd.service",
    traits: traits(0, Disruption::RestartsControlPlaneComponent, Health::EtcdMember),
    program: "/usr/local/bin/etcd",
    port: 2379,
    reads_again: &[serving("cert-file", "key-file"), serving("peer-cert-file", "peer-key-file")],
    dry_run: Some(dry_run::ETCD),
    ..PLAIN
};

/// In Kubernetes' staging/src/k8s.io: a serving certificate and the one for aggregated servers are watched, looked at once a minute where
/// that fails, and taken when both files fit (`DynamicCertKeyPairContent` in
/// apiserver/pkg/server/dynamiccertificates/dynamic_serving_content.go, used by apiserver/pkg/server/options/serving.go and
/// kube-aggregator/pkg/apiserver/apiserver.go). The one for kubelets is read for each handshake, at most once a second
/// (`cachingCertificateLoader` in client-go/transport/transport.go); the one for etcd by etcd's own client (`newETCD3Client` in
/// apiserver/pkg/storage/storagebackend/factory/etcd3.go). Service account keys are read once, so is the encryption configuration unless
/// `encryption-provider-config-automatic-reload` is set. Authorities of clients are watched too, but nothing shows from outside whether
/// a new one is trusted, and no plan changes one.
pub const API_SERVER: Component = Component {
    unit: "kube-apiserver.service",
    traits: traits(1, Disruption::RestartsControlPlaneComponent, Health::ApiServer),
    program: "/usr/local/bin/kube-apiserver",
    port: 6443,
    health_path: "/readyz",
    reads_again: &[
        serving("tls-cert-file", "tls-private-key-file"),
        client("etcd-certfile", "etcd-keyfile"),
        client("kubelet-client-certificate", "kubelet-client-key"),
        client("proxy-client-cert-file", "proxy-client-key-file"),
    ],
    dry_run: Some(dry_run::API_SERVER),
    ..PLAIN
};

/// Port: `KubeControllerManagerPort` of kubeadm (cmd/kubeadm/app/constants/constants.go). It serves as the API server does, and reads its
/// kubeconfig once.
pub const CONTROLLER_MANAGER: Component = Component {
    unit: "kube-controller-manager.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    program: "/usr/local/bin/kube-controller-manager",
    kubeconfig_user: "controller-manager",
    port: 10257,
    health_path: "/healthz",
    reads_again: &[serving("tls-cert-file", "tls-private-key-file")],
    dry_run: Some(dry_run::CONTROLLER_MANAGER),
};

/// Port: `KubeSchedulerPort` of kubeadm (cmd/kubeadm/app/constants/constants.go).
pub const SCHEDULER: Component = Component {
    unit: "kube-scheduler.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    program: "/usr/local/bin/kube-scheduler",
    kubeconfig_user: "scheduler",
    port: 10259,
    health_path: "/healthz",
    dry_run: Some(dry_run::SCHEDULER),
    ..PLAIN
};

/// Approves the serving certificates of kubelets, for the names and addresses that their node groups declare.
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

/// Routes stay as they were published while it restarts.
pub const POD_SHARES: Component = Component {
    unit: "k8s-pod-shares.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    ..PLAIN
};

/// Port: `CloudControllerManagerPort` of k8s.io/cloud-provider (ports.go). It reads its kubeconfig, its certificates and its configuration once.
pub const CLOUD_CONTROLLER: Component = Component {
    unit: "aws-cloud-controller-manager.service",
    traits: traits(2, Disruption::RestartsControlPlaneComponent, Health::StaysUp),
    program: "/usr/local/bin/aws-cloud-controller-manager",
    kubeconfig_user: "cloud-controller-manager",
    port: 10258,
    health_path: "/healthz",
    dry_run: Some(dry_run::CLOUD_CONTROLLER),
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
    dry_run: Some(dry_run::KUBELET),
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
    dry_run: Some(dry_run::KUBE_PROXY),
    ..PLAIN
};

/// The routes and rules of the pod network on a node.
pub const POD_NETWORK: Component =
    Component { unit: "k8s-pod-network.service", traits: traits(1, Disruption::RestartsNodeComponent, Health::StaysUp), ..PLAIN };

/// nginx, which passes connections on to the targets of a listener.
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

/// What runs on a control-plane host, in the order of its tiers.
pub static CONTROL_PLANE: [Component; 7] =
    [ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, CSR_APPROVER, POD_ROUTES, POD_SHARES];
/// What runs beside the control plane where there is a cloud.
pub static CLOUD: [Component; 1] = [CLOUD_CONTROLLER];
/// The last is missing with another pod network.
pub static NODE: [Component; 4] = [CONTAINERD, KUBELET, KUBE_PROXY, POD_NETWORK];
/// What runs on a host of a load balancer.
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
        CONTROL_PLANE.iter().chain(&CLOUD).chain(&NODE).chain(&LOAD_BALANCER).find(|component| component.is_named(unit.as_str()))
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

    /// Like `add`, with a command that succeeds while it is healthy, and with how it checks what it reads.
    pub(crate) fn add_with_checks(
        &self,
        bundle: &mut Bundle,
        unit_file: String,
        reads: impl IntoIterator<Item = HostPath>,
        (health_check, check): (Option<String>, Option<Check>),
    ) {
        bundle.add_unit(self.unit(), unit_file, Unit { health_check, check, ..self.describe(reads, OnChange::Restart) });
    }

    /// Adds a unit of this component under its own name.
    pub(crate) fn add_unit(&self, bundle: &mut Bundle, unit_file: String, unit: Unit) {
        bundle.add_unit(self.unit(), unit_file, unit);
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
        let reads = reads.into_iter().map(|path| (path, on_change)).collect();
        Unit { reads, traits: self.traits, serves: BTreeMap::new(), health_check: None, check: None }
    }

    /// A unit that is restarted for a change of what it reads, but for the pairs of `reads_again`. A file that another flag names too
    /// stays a reason for a restart, and so does a certificate that is served where nobody can look at it. `shown` is the command
    /// that prints the served certificate, by the flag that names its file.
    pub(crate) fn describe_with_flags(
        &self,
        reads: impl IntoIterator<Item = HostPath>,
        flags: &Flags,
        shown: &[(&str, Option<String>)],
    ) -> Unit {
        let mut unit = self.describe(reads, OnChange::Restart);
        for pair in self.reads_again {
            let named = |flag: &str| flags.get(flag).and_then(|value| HostPath::parse(value).ok());
            let (Some(certificate), Some(key)) = (named(pair.certificate), named(pair.key)) else { continue };
            let command = shown.iter().find(|(flag, _)| *flag == pair.certificate).and_then(|(_, command)| command.clone());
            let is_alone = |path: &HostPath| flags.naming(path.as_str()).count() == 1 && unit.reads.contains_key(path);
            if !(is_alone(&certificate) && is_alone(&key)) || (pair.purpose == Purpose::Serving && command.is_none()) {
                continue;
            }
            unit.serves.extend(command.map(|command| (certificate.clone(), command)));
            unit.reads.extend([(certificate, OnChange::ReadAgain), (key, OnChange::ReadAgain)]);
        }
        unit
    }
}

/// Prints, on the host, the certificate that is served at the address (`-connect` of openssl's s_client takes it as it stands) in PEM.
/// `client` is a certificate and its key for a server that wants one.
pub(crate) fn shown_at(address: SocketAddr, client: Option<(&str, &str)>) -> String {
    let client = client.map(|(certificate, key)| format!(" -cert {certificate} -key {key}")).unwrap_or_default();
    format!("timeout 5 openssl s_client -connect {address}{client}")
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
        for component in CONTROL_PLANE.iter().chain(&CLOUD).chain(&NODE) {
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
