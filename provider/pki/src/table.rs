//! The one table of what a cluster's public key infrastructure consists of. Data only: `specs.rs` applies it to a request.
//!
//! Each authority is trusted for one thing, so a certificate of one is worth nothing to the others. Two constraints shape the
//! cut: etcd's gRPC gateway presents etcd's own server certificate as a client, so servers and clients of etcd share an
//! authority; and the controller manager signs client and serving certificates of kubelets with one authority, so that one
//! also stands behind the API server's other clients.

use crate::request::Usage;

/// Name of the key pair that signs service account tokens.
pub const SERVICE_ACCOUNT: &str = "service-account";
/// Name of the first key that encrypts secrets at rest.
pub const SECRETS_ENCRYPTION: &str = "secrets-encryption";

/// One row of the table of authorities.
pub struct Authority {
    pub name: &'static str,
    /// What trusts it, for documentation.
    pub trusted_by: &'static str,
}

/// One row of the table of leaf certificates.
pub struct Leaf {
    pub name: &'static str,
    pub authority: &'static str,
    pub common_name: CommonName,
    /// Groups, where the API server reads the certificate.
    pub organizations: &'static [&'static str],
    pub usages: &'static [Usage],
    pub names: &'static [Names],
    pub scope: Scope,
}

/// How the common name of a leaf is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommonName {
    /// The name of the control-plane host.
    Host,
    Fixed(&'static str),
}

/// A group of subject alternative names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// Host name, every address of the host, localhost and both loopback addresses.
    Host,
    /// Every endpoint of the request.
    Endpoints,
    /// The `kubernetes` service: its DNS names and the first address of each service CIDR.
    Service,
}

/// Whether there is one such certificate for the cluster or one for each host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One per control-plane host, named `<leaf>/<host>`.
    PerHost,
    Once,
}

const SERVER: &[Usage] = &[Usage::ServerAuth];
const CLIENT: &[Usage] = &[Usage::ClientAuth];
const PEER: &[Usage] = &[Usage::ServerAuth, Usage::ClientAuth];

/// The authorities of a cluster: none signs for the purpose of another.
pub const AUTHORITIES: &[Authority] = &[
    Authority { name: "etcd-ca", trusted_by: "etcd for its clients, and clients of etcd for its servers" },
    Authority { name: "etcd-peer-ca", trusted_by: "etcd members for each other" },
    Authority { name: "apiserver-ca", trusted_by: "every client of the API server" },
    Authority { name: "cluster-ca", trusted_by: "the API server for its clients and for kubelets; signs CSRs" },
    Authority { name: "controller-manager-ca", trusted_by: "clients of the controller manager, such as metrics scrapers" },
    Authority { name: "kubelet-client-ca", trusted_by: "kubelets for the API server" },
    Authority { name: "front-proxy-ca", trusted_by: "aggregated API servers for the API server" },
];

/// Every leaf certificate that the components need.
pub const LEAVES: &[Leaf] = &[
    Leaf {
        name: "etcd-server",
        authority: "etcd-ca",
        common_name: CommonName::Host,
        organizations: &[],
        usages: PEER,
        names: &[Names::Host],
        scope: Scope::PerHost,
    },
    Leaf {
        name: "etcd-peer",
        authority: "etcd-peer-ca",
        common_name: CommonName::Host,
        organizations: &[],
        usages: PEER,
        names: &[Names::Host],
        scope: Scope::PerHost,
    },
    Leaf {
        name: "apiserver",
        authority: "apiserver-ca",
        // One of the names it carries, because verifiers that still look at the common name expect that.
        common_name: CommonName::Fixed("kubernetes"),
        organizations: &[],
        usages: SERVER,
        names: &[Names::Host, Names::Endpoints, Names::Service],
        scope: Scope::PerHost,
    },
    Leaf {
        name: "controller-manager",
        authority: "controller-manager-ca",
        common_name: CommonName::Host,
        organizations: &[],
        usages: SERVER,
        names: &[Names::Host],
        scope: Scope::PerHost,
    },
    client("etcd-client", "etcd-ca", "etcd-client", &[]),
    client("apiserver-etcd-client", "etcd-ca", "apiserver-etcd-client", &[]),
    client("apiserver-kubelet-client", "kubelet-client-ca", "kube-apiserver-kubelet-client", &[]),
    client("front-proxy-client", "front-proxy-ca", "front-proxy-client", &[]),
    client("admin", "cluster-ca", "kubernetes-admin", &["system:masters"]),
    client("controller-manager", "cluster-ca", "system:kube-controller-manager", &["system:kube-controller-manager"]),
    client("scheduler", "cluster-ca", "system:kube-scheduler", &[]),
    client("kube-proxy", "cluster-ca", "system:kube-proxy", &["system:node-proxier"]),
    client("cloud-controller-manager", "cluster-ca", "system:cloud-controller-manager", &[]),
    client("csr-approver", "cluster-ca", "k8s-hardway:csr-approver", &[]),
];

const fn client(
    name: &'static str,
    authority: &'static str,
    common_name: &'static str,
    organizations: &'static [&'static str],
) -> Leaf {
    Leaf {
        name,
        authority,
        common_name: CommonName::Fixed(common_name),
        organizations,
        usages: CLIENT,
        names: &[],
        scope: Scope::Once,
    }
}
