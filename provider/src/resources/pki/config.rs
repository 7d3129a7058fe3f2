//! What the user declares of a pki, and the request that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use ipnet::IpNet;
use pki::{LeafSpec, Request};
use schema::Field;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    pub additional_certificates: Field<BTreeMap<String, AdditionalCertificate>>,
}

#[derive(Deserialize)]
pub struct AdditionalCertificate {
    pub authority: Field<String>,
    pub common_name: Field<String>,
    pub organizations: Field<Vec<String>>,
    pub usages: Field<Vec<String>>,
    pub dns_names: Field<Vec<String>>,
    pub addresses: Field<Vec<String>>,
}

impl Config {
    /// `None` while something that goes into a certificate is unknown.
    pub fn request(&self) -> Option<Request> {
        let strings = |field: &Field<Vec<Field<String>>>| -> Option<Vec<String>> {
            field.known()?.iter().map(|item| item.known().cloned()).collect()
        };
        let service_cidrs: Vec<IpNet> =
            strings(&self.service_cidrs)?.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        let hosts = hosts::resolve(self.hosts.known()?)?;
        let additional = match &self.additional_certificates {
            Field::Unknown => return None,
            Field::Null => BTreeMap::new(),
            Field::Known(map) => map.iter().map(|(name, leaf)| Some((name.clone(), leaf.spec()?))).collect::<Option<_>>()?,
        };
        Some(Request {
            cluster_name: self.cluster_name.known()?.clone(),
            cluster_domain: self.cluster_domain.known()?.clone(),
            endpoints: strings(&self.endpoints)?,
            service_cidrs,
            hosts: hosts.iter().map(|(name, host)| (name.to_string(), host.addresses())).collect(),
            key_algorithm: self.key_algorithm.known()?.parse().ok()?,
            authority_validity_hours: *self.authority_validity_hours.known()?,
            certificate_validity_hours: *self.certificate_validity_hours.known()?,
            additional,
        })
    }

    pub fn renew_before(&self) -> u64 {
        self.renew_before_hours.known().copied().unwrap_or_default()
    }
}

impl AdditionalCertificate {
    fn spec(&self) -> Option<LeafSpec> {
        let list =
            |field: &Field<Vec<String>>| if field.is_unknown() { None } else { Some(field.known().cloned().unwrap_or_default()) };
        Some(LeafSpec {
            authority: self.authority.known()?.clone(),
            common_name: self.common_name.known()?.clone(),
            organizations: list(&self.organizations)?.into_iter().collect(),
            usages: list(&self.usages)?.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
            dns_names: list(&self.dns_names)?.into_iter().collect(),
            addresses: list(&self.addresses)?.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
        })
    }
}
