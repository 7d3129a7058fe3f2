//! Pure: applies the table to a request. The result says what every certificate must be.

use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use time::Duration;

use crate::table::{AUTHORITIES, Authority, CommonName, LEAVES, Leaf, Names, Scope};
use crate::{KeyAlgorithm, LeafSpec, PkiError, Request, Usage, names, validate};

/// What one certificate must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSpec {
    /// The signing authority; `None` for an authority itself, which signs itself.
    pub authority: Option<String>,
    pub common_name: String,
    pub organizations: BTreeSet<String>,
    pub usages: BTreeSet<Usage>,
    pub dns_names: BTreeSet<String>,
    pub addresses: BTreeSet<IpAddr>,
    pub key_algorithm: KeyAlgorithm,
    /// Counts for the next issue: a change of it alone reissues nothing.
    pub validity: Duration,
}

/// Authorities and leaves by name.
///
/// # Errors
/// Only the user's, each with its attribute.
pub fn certificate_specs(request: &Request) -> Result<BTreeMap<String, CertificateSpec>, PkiError> {
    validate::request(request)?;
    let mut specs = BTreeMap::new();
    for authority in AUTHORITIES {
        specs.insert(authority.name.to_owned(), authority_spec(request, authority));
    }
    for leaf in LEAVES {
        match leaf.scope {
            Scope::Once => {
                specs.insert(leaf.name.to_owned(), leaf_spec(request, leaf, None)?);
            }
            Scope::PerHost => {
                for (host, addresses) in &request.hosts {
                    specs.insert(host_leaf(leaf.name, host), leaf_spec(request, leaf, Some((host, addresses)))?);
                }
            }
        }
    }
    for (name, leaf) in &request.additional {
        specs.insert(name.clone(), additional_spec(request, leaf));
    }
    Ok(specs)
}

/// Parts of a request that are not known yet. Leaves that say something of them cannot be compared with their spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    pub endpoints: bool,
    /// Cluster domain or service CIDRs.
    pub services: bool,
    /// Hosts of whose addresses one is not known.
    pub hosts: BTreeSet<String>,
    /// Names of leaves that the user declares.
    pub additional: BTreeSet<String>,
}

impl Undecided {
    /// The names of the leaves that depend on a part that is not known.
    pub fn names(&self, request: &Request) -> BTreeSet<String> {
        let mut names = self.additional.clone();
        for leaf in LEAVES {
            let everywhere =
                leaf.names.contains(&Names::Endpoints) && self.endpoints || leaf.names.contains(&Names::Service) && self.services;
            match leaf.scope {
                Scope::Once if everywhere => drop(names.insert(leaf.name.to_owned())),
                Scope::Once => {}
                Scope::PerHost => {
                    let hosts = request.hosts.keys().filter(|host| everywhere || self.hosts.contains(*host));
                    names.extend(hosts.map(|host| host_leaf(leaf.name, host)));
                }
            }
        }
        names
    }
}

/// Name of a leaf that is issued per control-plane host: `etcd-server/cp-1`.
pub fn host_leaf(leaf: &str, host: &str) -> String {
    format!("{leaf}/{host}")
}

fn authority_spec(request: &Request, authority: &Authority) -> CertificateSpec {
    CertificateSpec {
        authority: None,
        common_name: format!("{} {}", request.cluster_name, authority.name),
        organizations: BTreeSet::from([request.cluster_name.clone()]),
        usages: BTreeSet::new(),
        dns_names: BTreeSet::new(),
        addresses: BTreeSet::new(),
        key_algorithm: request.key_algorithm,
        validity: hours(request.authority_validity_hours),
    }
}

type Host<'a> = (&'a String, &'a Vec<IpAddr>);

fn leaf_spec(request: &Request, leaf: &Leaf, host: Option<Host<'_>>) -> Result<CertificateSpec, PkiError> {
    let common_name = match (leaf.common_name, host) {
        (CommonName::Fixed(name), _) => name.to_owned(),
        (CommonName::Host, host) => host.map(|(name, _)| name.clone()).unwrap_or_default(),
    };
    let mut spec = CertificateSpec {
        authority: Some(leaf.authority.to_owned()),
        common_name,
        organizations: leaf.organizations.iter().map(|organization| (*organization).to_owned()).collect(),
        usages: leaf.usages.iter().copied().collect(),
        dns_names: BTreeSet::new(),
        addresses: BTreeSet::new(),
        key_algorithm: request.key_algorithm,
        validity: hours(request.certificate_validity_hours),
    };
    for names in leaf.names {
        match names {
            Names::Host => add_host_names(&mut spec, host),
            Names::Endpoints => add_endpoints(&mut spec, &request.endpoints),
            Names::Service => add_service_names(&mut spec, request)?,
        }
    }
    Ok(spec)
}

fn add_host_names(spec: &mut CertificateSpec, host: Option<Host<'_>>) {
    if let Some((name, addresses)) = host {
        spec.dns_names.insert(name.clone());
        spec.addresses.extend(addresses);
    }
    spec.dns_names.insert("localhost".into());
    spec.addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
}

fn add_endpoints(spec: &mut CertificateSpec, endpoints: &[String]) {
    for endpoint in endpoints {
        match endpoint.parse::<IpAddr>() {
            Ok(address) => spec.addresses.extend([address]),
            Err(_) => spec.dns_names.extend(names::dns_name(endpoint)),
        };
    }
}

fn add_service_names(spec: &mut CertificateSpec, request: &Request) -> Result<(), PkiError> {
    let domain = &request.cluster_domain;
    spec.dns_names.extend(["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(String::from));
    spec.dns_names.insert(format!("kubernetes.default.svc.{domain}"));
    for cidr in &request.service_cidrs {
        spec.addresses.insert(first_service_address(cidr)?);
    }
    Ok(())
}

/// The address that the API server gives to the `kubernetes` service: the one after the network's own.
fn first_service_address(cidr: &IpNet) -> Result<IpAddr, PkiError> {
    let first = match cidr.network() {
        IpAddr::V4(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        IpAddr::V6(network) => network.to_bits().checked_add(1).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    };
    first.filter(|address| cidr.contains(address)).ok_or_else(|| {
        PkiError::invalid("service_cidrs", cidr.to_string(), "has no room for a service", "Give for example \"10.96.0.0/16\"")
    })
}

fn additional_spec(request: &Request, leaf: &LeafSpec) -> CertificateSpec {
    CertificateSpec {
        authority: Some(leaf.authority.clone()),
        common_name: leaf.common_name.clone(),
        organizations: leaf.organizations.clone(),
        usages: leaf.usages.clone(),
        dns_names: leaf.dns_names.iter().filter_map(|name| names::dns_name(name)).collect(),
        addresses: leaf.addresses.clone(),
        key_algorithm: request.key_algorithm,
        validity: hours(request.certificate_validity_hours),
    }
}

/// More hours than a duration can hold are as many as it can.
pub(crate) fn hours(hours: u64) -> Duration {
    Duration::hours(i64::try_from(hours).unwrap_or(i64::MAX).min(i64::MAX / 3600))
}
