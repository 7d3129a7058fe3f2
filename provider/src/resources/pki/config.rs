//! What the user declares of a pki, and the request that it makes of what is known.

use crate::hosts::{HostConfig, HostConfigs};
use ipnet::IpNet;
use pki::{KeyAlgorithm, LeafSpec, Request, Undecided};
use schema::Field;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

#[derive(Deserialize)]
pub struct Config {
    pub cluster_name: Field<String>,
    pub cluster_domain: Field<String>,
    pub endpoints: Field<Vec<Field<String>>>,
    pub service_cidrs: Field<Vec<Field<String>>>,
    pub hosts: Field<HostConfigs>,
    pub key_algorithm: Field<String>,
    pub authority_validity_hours: Field<u64>,
    pub certificate_validity_hours: Field<u64>,
    pub renew_before_hours: Field<u64>,
    pub additional_certificates: Field<BTreeMap<String, Field<AdditionalCertificate>>>,
}

#[derive(Deserialize)]
pub struct AdditionalCertificate {
    pub authority: Field<String>,
    pub common_name: Field<String>,
    pub organizations: Field<Vec<Field<String>>>,
    pub usages: Field<Vec<Field<String>>>,
    pub dns_names: Field<Vec<Field<String>>>,
    pub addresses: Field<Vec<Field<String>>>,
}

/// What is known of a request, and what is not: a placeholder stands in `request` for each part that `undecided` names.
pub struct Wanted {
    pub request: Request,
    pub undecided: Undecided,
}

impl Config {
    /// `None` while it is not known which certificates there are. `running` is the algorithm of the keys that exist, for as long
    /// as the wanted one is not known: another one is refused. A validity counts for what is issued from now on, and the time of renewal from the
    /// next refresh on: they leave nothing undecided.
    pub fn wanted(&self, running: Option<KeyAlgorithm>) -> Option<Wanted> {
        let mut undecided = Undecided::default();
        let cluster_name = self.cluster_name.known()?.clone();
        let hosts = self.hosts.known()?.iter().map(|(name, host)| (name.clone(), host.known().and_then(addresses)));
        let hosts: BTreeMap<String, Option<Vec<IpAddr>>> = hosts.collect();
        undecided.hosts = hosts.iter().filter(|(_, all)| all.is_none()).map(|(name, _)| name.clone()).collect();
        let additional = self.additional()?;
        undecided.additional = additional.iter().filter(|(_, spec)| spec.is_none()).map(|(name, _)| name.clone()).collect();
        let endpoints = texts(&self.endpoints);
        undecided.endpoints = endpoints.is_none();
        let service_cidrs: Option<Vec<IpNet>> =
            texts(&self.service_cidrs).and_then(|all| all.iter().map(|text| text.parse().ok()).collect());
        undecided.services = service_cidrs.is_none() || self.cluster_domain.is_unknown();
        let certificate_validity_hours = self.certificate_validity_hours.known().copied().unwrap_or(1);
        let request = Request {
            cluster_name,
            cluster_domain: self.cluster_domain.known().cloned().unwrap_or_else(|| "cluster.local".into()),
            endpoints: endpoints.unwrap_or_default(),
            service_cidrs: service_cidrs.unwrap_or_default(),
            hosts: hosts.into_iter().map(|(name, addresses)| (name, addresses.unwrap_or_default())).collect(),
            key_algorithm: match self.key_algorithm.known() {
                Some(text) => text.parse().ok()?,
                None => running.unwrap_or(KeyAlgorithm::EcdsaP256),
            },
            authority_validity_hours: self.authority_validity_hours.known().copied().unwrap_or(certificate_validity_hours),
            certificate_validity_hours,
            additional: additional.into_iter().filter_map(|(name, spec)| Some((name, spec?))).collect(),
        };
        Some(Wanted { request, undecided })
    }

    /// By name; a leaf of which something is not known yet is `None`.
    fn additional(&self) -> Option<BTreeMap<String, Option<LeafSpec>>> {
        match &self.additional_certificates {
            Field::Unknown => None,
            Field::Null => Some(BTreeMap::new()),
            Field::Known(map) => {
                Some(map.iter().map(|(name, leaf)| (name.clone(), leaf.known().and_then(AdditionalCertificate::spec))).collect())
            }
        }
    }

    pub fn renew_before(&self) -> u64 {
        self.renew_before_hours.known().copied().unwrap_or_default()
    }

    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        self.key_algorithm.known()?.parse().ok()
    }
}

impl AdditionalCertificate {
    fn spec(&self) -> Option<LeafSpec> {
        let parsed = |field| texts(field)?.iter().map(|text| text.parse().ok()).collect::<Option<BTreeSet<_>>>();
        Some(LeafSpec {
            authority: self.authority.known()?.clone(),
            common_name: self.common_name.known()?.clone(),
            organizations: texts(&self.organizations)?.into_iter().collect(),
            usages: texts(&self.usages)?.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
            dns_names: texts(&self.dns_names)?.into_iter().collect(),
            addresses: parsed(&self.addresses)?,
        })
    }
}

/// `None` while one of them is unknown; none when the list is null.
fn texts(field: &Field<Vec<Field<String>>>) -> Option<Vec<String>> {
    field.settle_each(|text| Some(text.clone()))
}

fn addresses(host: &HostConfig) -> Option<Vec<IpAddr>> {
    let primary = host.address.known()?.parse().ok()?;
    let secondary = host.secondary_address.settle(|text| text.parse().ok())?;
    Some(std::iter::once(primary).chain(secondary).collect())
}
