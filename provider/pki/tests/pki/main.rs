//! What the crate promises, seen from outside, and judged by openssl and rustls-webpki where certificates are concerned.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chains;
mod encoding;
mod issuing;
mod names;
mod reissue;
mod table;
mod validation;

use credentials::Credentials;
use ipnet::IpNet;
use pki::{CertificateSpec, KeyAlgorithm, LeafSpec, Plan, Request, Usage, certificate_specs, due, issue, plan_issue};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::OnceLock;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00:00 UTC);
/// Thirty days.
const RENEW_BEFORE_HOURS: u64 = 720;

/// Two dual-stack control-plane hosts, one leaf of the user's own.
fn request() -> Request {
    Request {
        cluster_name: "demo".into(),
        cluster_domain: "cluster.local".into(),
        endpoints: ["api.demo.internal", "192.0.2.100", "2001:db8::100"].map(String::from).to_vec(),
        service_cidrs: ["10.96.0.0/16", "fd00:96::/112"].map(|cidr| cidr.parse::<IpNet>().unwrap()).to_vec(),
        hosts: BTreeMap::from([
            ("cp-1".into(), addresses(&["10.0.1.4", "2001:db8:1::4"])),
            ("cp-2".into(), addresses(&["10.0.2.4", "2001:db8:2::4"])),
        ]),
        key_algorithm: KeyAlgorithm::EcdsaP256,
        authority_validity_hours: 87_600,
        certificate_validity_hours: 8_760,
        additional: BTreeMap::from([("prometheus".into(), prometheus())]),
    }
}

/// In two groups, which the API server must both see.
fn prometheus() -> LeafSpec {
    LeafSpec {
        authority: "cluster-ca".into(),
        common_name: "prometheus".into(),
        organizations: ["monitoring", "readers"].map(String::from).into(),
        usages: BTreeSet::from([Usage::ClientAuth]),
        dns_names: BTreeSet::new(),
        addresses: BTreeSet::new(),
    }
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What a plan issues after a refresh at this time.
fn plan_at(
    specs: &BTreeMap<String, CertificateSpec>,
    certificates: &BTreeMap<String, String>,
    now: OffsetDateTime,
    renew_before_hours: u64,
) -> Plan {
    let due = due(specs, certificates, now, renew_before_hours).into_keys().collect();
    plan_issue(specs, certificates, now, &due, &BTreeSet::new())
}

/// Everything issued for a request that nothing has been issued for.
fn issue_all(request: &Request) -> (BTreeMap<String, CertificateSpec>, Credentials) {
    let specs = certificate_specs(request).unwrap();
    let reasons = plan_at(&specs, &BTreeMap::new(), NOW, RENEW_BEFORE_HOURS).issue;
    let credentials = issue(&specs, &Credentials::default(), &reasons, NOW).map_err(|error| error.to_string()).ok().unwrap();
    (specs, credentials)
}

/// Like `issue_all`, but of a few names, because RSA keys take their time.
fn issue_only(request: &Request, names: &[&str]) -> (BTreeMap<String, CertificateSpec>, Credentials) {
    let mut specs = certificate_specs(request).unwrap();
    specs.retain(|name, _| names.contains(&name.as_str()));
    let plan = plan_at(&specs, &BTreeMap::new(), NOW, RENEW_BEFORE_HOURS).issue;
    let credentials = issue(&specs, &Credentials::default(), &plan, NOW).ok().unwrap();
    (specs, credentials)
}

/// `issue_all(request())`, once for all tests that only look at it.
fn issued() -> &'static (BTreeMap<String, CertificateSpec>, Credentials) {
    static ISSUED: OnceLock<(BTreeMap<String, CertificateSpec>, Credentials)> = OnceLock::new();
    ISSUED.get_or_init(|| issue_all(&request()))
}
