//! Pure: what must be issued again, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::certificate::{Certificate, key_usage};
use crate::specs::hours;
use crate::{CertificateSpec, KeyAlgorithm};

/// Why a certificate is issued; its `Display` continues the sentence "etcd-server/cp-1 …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    Missing,
    /// What is stored is not a certificate.
    Unreadable,
    SubjectChanged,
    UsagesChanged,
    NamesChanged {
        added: Vec<String>,
        removed: Vec<String>,
    },
    KeyAlgorithmChanged(KeyAlgorithm),
    /// It is due for renewal, or has expired.
    Expires(OffsetDateTime),
    /// Its authority will be replaced, or already has been by an apply that was cut off.
    AuthorityReplaced(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Missing => f.write_str("does not exist yet"),
            Reason::Unreadable => f.write_str("cannot be read back"),
            Reason::SubjectChanged => f.write_str("gets another subject"),
            Reason::UsagesChanged => f.write_str("gets other usages"),
            Reason::NamesChanged { added, removed } if removed.is_empty() => write!(f, "gains {}", added.join(", ")),
            Reason::NamesChanged { added, removed } if added.is_empty() => write!(f, "loses {}", removed.join(", ")),
            Reason::NamesChanged { added, removed } => write!(f, "gains {}, loses {}", added.join(", "), removed.join(", ")),
            Reason::KeyAlgorithmChanged(algorithm) => write!(f, "gets a key of {algorithm}"),
            Reason::Expires(not_after) => write!(f, "expires at {}", rfc3339(*not_after)),
            Reason::AuthorityReplaced(authority) => write!(f, "gets a new authority {authority}"),
        }
    }
}

pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// What must be issued or issued again. Of several reasons the certificate's own comes before its authority's.
///
/// A certificate is due `renew_before_hours` before its end, but never in the first half of its life: otherwise a validity
/// shorter than that would be renewed by every apply.
pub fn plan_issue(
    specs: &BTreeMap<String, CertificateSpec>,
    certificates: &BTreeMap<String, String>,
    now: OffsetDateTime,
    renew_before_hours: u64,
) -> BTreeMap<String, Reason> {
    let renew_before = hours(renew_before_hours);
    let mut observed = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    for (name, spec) in specs {
        match read(name, certificates) {
            Err(reason) => {
                reasons.insert(name.clone(), reason);
            }
            Ok(certificate) => {
                if let Some(reason) = own_reason(spec, &certificate, now, renew_before) {
                    reasons.insert(name.clone(), reason);
                }
                observed.insert(name.as_str(), certificate);
            }
        }
    }
    let leaves = specs.iter().filter_map(|(name, spec)| Some((name, spec.authority.as_deref()?)));
    let of_authorities: Vec<(String, Reason)> = leaves
        .filter(|(name, authority)| !reasons.contains_key(*name) && !stays_valid(name, authority, &observed, &reasons))
        .map(|(name, authority)| (name.clone(), Reason::AuthorityReplaced(authority.to_owned())))
        .collect();
    reasons.extend(of_authorities);
    reasons
}

fn read(name: &str, certificates: &BTreeMap<String, String>) -> Result<Certificate, Reason> {
    let pem = certificates.get(name).ok_or(Reason::Missing)?;
    Certificate::read(name, pem).map_err(|_| Reason::Unreadable)
}

fn stays_valid(leaf: &str, authority: &str, observed: &BTreeMap<&str, Certificate>, reasons: &BTreeMap<String, Reason>) -> bool {
    match (observed.get(leaf), observed.get(authority)) {
        (Some(leaf), Some(certificate)) => !reasons.contains_key(authority) && leaf.is_signed_by(certificate),
        _ => false,
    }
}

fn own_reason(spec: &CertificateSpec, certificate: &Certificate, now: OffsetDateTime, renew_before: Duration) -> Option<Reason> {
    if certificate.common_name != spec.common_name || certificate.organizations != spec.organizations {
        return Some(Reason::SubjectChanged);
    }
    if certificate.key_algorithm != Some(spec.key_algorithm) {
        return Some(Reason::KeyAlgorithmChanged(spec.key_algorithm));
    }
    if !has_usages(spec, certificate) {
        return Some(Reason::UsagesChanged);
    }
    let (wanted, found) = (names(&spec.dns_names, &spec.addresses), names(&certificate.dns_names, &certificate.addresses));
    if wanted != found {
        let only_in = |these: &BTreeSet<String>, those: &BTreeSet<String>| these.difference(those).cloned().collect();
        return Some(Reason::NamesChanged { added: only_in(&wanted, &found), removed: only_in(&found, &wanted) });
    }
    let lifetime = certificate.not_after - certificate.not_before;
    let is_due = certificate.not_after - now <= renew_before.min(lifetime / 2);
    is_due.then_some(Reason::Expires(certificate.not_after))
}

fn names(dns_names: &BTreeSet<String>, addresses: &BTreeSet<std::net::IpAddr>) -> BTreeSet<String> {
    dns_names.iter().cloned().chain(addresses.iter().map(ToString::to_string)).collect()
}

fn has_usages(spec: &CertificateSpec, certificate: &Certificate) -> bool {
    let path_length = spec.authority.is_none().then_some(Some(0));
    certificate.usages.as_ref() == Some(&spec.usages)
        && certificate.key_usage == wanted_key_usage(spec)
        && certificate.authority == path_length
}

fn wanted_key_usage(spec: &CertificateSpec) -> u16 {
    match (&spec.authority, spec.key_algorithm.is_rsa()) {
        (None, _) => key_usage::KEY_CERT_SIGN | key_usage::CRL_SIGN,
        (Some(_), true) => key_usage::DIGITAL_SIGNATURE | key_usage::KEY_ENCIPHERMENT,
        (Some(_), false) => key_usage::DIGITAL_SIGNATURE,
    }
}
