//! Pure: what must be issued, and why; and what must not be issued again, because a cluster that runs cannot take it.

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
    /// An authority that is not there, although certificates that it has signed are.
    Lost,
    /// Its authority will be replaced, or already has been by an apply that was cut off.
    AuthorityReplaced(String),
}

impl Reason {
    /// Whether the certificate is issued again for the private key that it has: what it says changes, not whose it is. A renewal
    /// brings a new key.
    pub fn keeps_key(&self) -> bool {
        matches!(self, Reason::NamesChanged { .. } | Reason::UsagesChanged)
    }
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
            Reason::Lost => f.write_str("is lost, although certificates that it signed are there"),
            Reason::Expires(not_after) => write!(f, "expires at {}", rfc3339(*not_after)),
            Reason::AuthorityReplaced(authority) => write!(f, "gets a new authority {authority}"),
        }
    }
}

pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// An authority that ends within this time is reported: whoever uses it needs time to move to another one.
pub const AUTHORITY_NOTICE: Duration = Duration::days(180);

/// What follows for each certificate of a specification.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is issued or issued again. Of several reasons the certificate's own comes before its authority's.
    pub issue: BTreeMap<String, Reason>,
    /// Authorities that exist and would have to be issued again. A cluster cannot take that while it runs: whoever finds one
    /// here must issue nothing.
    pub refused: BTreeMap<String, Reason>,
    /// Authorities that end within `AUTHORITY_NOTICE`, or have ended. They are kept.
    pub ending: BTreeMap<String, OffsetDateTime>,
}

/// What must be issued, for what reason. Names and addresses of leaves that are `undecided` are not compared with their spec, which does
/// not have all of them yet.
///
/// One that is among `due` is renewed, whatever it says in addition. `now` decides only what is said of authorities that end, and that nothing
/// is signed by one that has ended: the same state makes the same plan.
/// An authority is issued once.
pub fn plan_issue(
    specs: &BTreeMap<String, CertificateSpec>,
    certificates: &BTreeMap<String, String>,
    now: OffsetDateTime,
    due: &BTreeSet<String>,
    undecided: &BTreeSet<String>,
) -> Plan {
    let observed = readable(certificates);
    let mut plan = Plan::default();
    for (name, spec) in specs.iter().filter(|(_, spec)| spec.authority.is_none()) {
        plan.add_authority(name, spec, certificates, &observed, now);
    }
    let renewal = Renewal { due, undecided };
    for (name, spec) in specs {
        let Some(authority) = spec.authority.as_deref() else { continue };
        let signer = observed.get(authority).filter(|_| !plan.is_issued(authority));
        let Some(reason) = renewal.reason(name, spec, certificates, observed.get(name.as_str()), signer) else { continue };
        plan.issue.insert(name.clone(), reason);
        if let Some(signer) = signer.filter(|signer| signer.not_after <= now) {
            plan.refused.entry(authority.to_owned()).or_insert(Reason::Expires(signer.not_after));
        }
    }
    plan
}

/// The leaves that are due for renewal, and when they end: `renew_before_hours` before that, but never in the first half of their life: otherwise
/// a validity shorter than that would be renewed by every apply. One that ends with its authority is not due: another one would end then too.
pub fn due(
    specs: &BTreeMap<String, CertificateSpec>,
    certificates: &BTreeMap<String, String>,
    now: OffsetDateTime,
    renew_before_hours: u64,
) -> BTreeMap<String, OffsetDateTime> {
    let observed = readable(certificates);
    let end = |(name, spec): (&String, &CertificateSpec)| {
        let (found, signer) = (observed.get(name.as_str())?, observed.get(spec.authority.as_deref()?)?);
        let is_due = found.not_after - now <= hours(renew_before_hours).min(found.lifetime() / 2);
        (is_due && found.not_after < signer.not_after).then(|| (name.clone(), found.not_after))
    };
    specs.iter().filter_map(end).collect()
}

fn readable(certificates: &BTreeMap<String, String>) -> BTreeMap<&str, Certificate> {
    certificates.iter().filter_map(|(name, pem)| Some((name.as_str(), Certificate::read(name, pem).ok()?))).collect()
}

impl Plan {
    fn is_issued(&self, authority: &str) -> bool {
        self.issue.contains_key(authority) || self.refused.contains_key(authority)
    }

    fn add_authority(
        &mut self,
        name: &str,
        spec: &CertificateSpec,
        certificates: &BTreeMap<String, String>,
        observed: &BTreeMap<&str, Certificate>,
        now: OffsetDateTime,
    ) {
        let Some(found) = observed.get(name) else {
            let has_signed = observed.values().any(|certificate| certificate.issuer == spec.common_name);
            match (certificates.contains_key(name), has_signed) {
                (true, _) => drop(self.refused.insert(name.to_owned(), Reason::Unreadable)),
                (false, true) => drop(self.refused.insert(name.to_owned(), Reason::Lost)),
                (false, false) => drop(self.issue.insert(name.to_owned(), Reason::Missing)),
            }
            return;
        };
        if let Some(reason) = difference(spec, found, true) {
            self.refused.insert(name.to_owned(), reason);
        }
        if found.not_after - now <= AUTHORITY_NOTICE.min(found.lifetime() / 2) {
            self.ending.insert(name.to_owned(), found.not_after);
        }
    }
}

struct Renewal<'a> {
    due: &'a BTreeSet<String>,
    undecided: &'a BTreeSet<String>,
}

impl Renewal<'_> {
    /// Why a leaf is issued. `signer` is its authority, unless that is issued as well.
    fn reason(
        &self,
        name: &str,
        spec: &CertificateSpec,
        certificates: &BTreeMap<String, String>,
        found: Option<&Certificate>,
        signer: Option<&Certificate>,
    ) -> Option<Reason> {
        let Some(found) = found else {
            return Some(if certificates.contains_key(name) { Reason::Unreadable } else { Reason::Missing });
        };
        let difference = difference(spec, found, !self.undecided.contains(name));
        if let Some(reason) = difference.as_ref().filter(|reason| !reason.keeps_key()) {
            return Some(reason.clone());
        }
        let signer = signer.filter(|signer| found.is_signed_by(signer));
        if signer.is_some() && self.due.contains(name) {
            return Some(Reason::Expires(found.not_after));
        }
        let replaced = || Reason::AuthorityReplaced(spec.authority.clone().unwrap_or_default());
        difference.or_else(|| signer.is_none().then(replaced))
    }
}

/// What a certificate says otherwise than its spec.
fn difference(spec: &CertificateSpec, certificate: &Certificate, compares_names: bool) -> Option<Reason> {
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
    if compares_names && wanted != found {
        let only_in = |these: &BTreeSet<String>, those: &BTreeSet<String>| these.difference(those).cloned().collect();
        return Some(Reason::NamesChanged { added: only_in(&wanted, &found), removed: only_in(&found, &wanted) });
    }
    None
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
