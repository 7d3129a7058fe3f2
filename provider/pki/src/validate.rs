//! Pure: the rules that a request keeps. Each is a function of one value, so that a configuration of which not everything is
//! known yet is judged by the same rules; each error has the attribute at fault and a value that would do.

use std::net::IpAddr;

use crate::names::{self, MAX_CLUSTER_NAME_LENGTH, MAX_SUBJECT_LENGTH, is_label, is_subject};
use crate::table::{AUTHORITIES, LEAVES, SECRETS_ENCRYPTION, SERVICE_ACCOUNT};
use crate::{LeafSpec, PkiError, Request, Usage};

/// A hundred years; dates of certificates end with the year 9999.
pub const MAX_VALIDITY_HOURS: u64 = 876_000;

/// Checks a request before anything is issued; the error names the first rule that it breaks.
pub(crate) fn request(request: &Request) -> Result<(), PkiError> {
    cluster_name(&request.cluster_name)?;
    cluster_domain(&request.cluster_domain)?;
    request.endpoints.iter().try_for_each(|text| endpoint(text))?;
    request.hosts.keys().try_for_each(|name| host(name))?;
    validity("authority_validity_hours", request.authority_validity_hours)?;
    validity("certificate_validity_hours", request.certificate_validity_hours)?;
    outlived(request.certificate_validity_hours, request.authority_validity_hours)?;
    request.additional.iter().try_for_each(|(name, leaf)| additional(name, leaf))
}

/// # Errors
/// When it cannot stand in the subject of every authority.
pub fn cluster_name(name: &str) -> Result<(), PkiError> {
    if is_label(name) && name.len() <= MAX_CLUSTER_NAME_LENGTH {
        return Ok(());
    }
    let way_out = format!(
        "Use lower-case letters, digits and '-', at most {MAX_CLUSTER_NAME_LENGTH}, beginning and ending with a letter or digit, \
         such as \"demo\""
    );
    Err(PkiError::invalid("cluster_name", name, "is not a usable name", way_out))
}

/// # Errors
/// When it is not a DNS name in lower case.
pub fn cluster_domain(text: &str) -> Result<(), PkiError> {
    if names::dns_name(text).as_deref() == Some(text) && !text.starts_with('*') {
        return Ok(());
    }
    Err(PkiError::invalid("cluster_domain", text, "is not a DNS name in lower case", "Give a domain such as \"cluster.local\""))
}

/// # Errors
/// When it is neither an address nor a DNS name, which may begin with `*.`.
pub fn endpoint(text: &str) -> Result<(), PkiError> {
    if text.parse::<IpAddr>().is_ok() || names::dns_name(text).is_some() {
        return Ok(());
    }
    let way_out = "Give what goes into the certificate, without a scheme, without a port or prefix length, and without a dot at the \
                   end: \"api.demo.internal\", \"192.0.2.100\" or \"2001:db8::100\"";
    Err(PkiError::invalid("endpoints", text, "is neither a DNS name nor an IP address", way_out))
}

/// # Errors
/// When a host of this name cannot have certificates.
pub fn host(name: &str) -> Result<(), PkiError> {
    if names::dns_name(name).as_deref() == Some(name) && !name.starts_with('*') && is_subject(name) {
        return Ok(());
    }
    let rule = format!("is not a DNS name in lower case of at most {MAX_SUBJECT_LENGTH} characters");
    Err(PkiError::invalid("hosts", name, rule, "A name such as \"cp-1\" would do"))
}

/// `attribute` is the one that has the hours.
///
/// # Errors
/// When they are none, or more than dates can hold.
pub fn validity(attribute: &'static str, hours: u64) -> Result<(), PkiError> {
    if (1..=MAX_VALIDITY_HOURS).contains(&hours) {
        return Ok(());
    }
    let way_out = format!("Give a whole number from 1 to {MAX_VALIDITY_HOURS} (a hundred years), such as 8760");
    Err(PkiError::invalid(attribute, hours.to_string(), "is out of range", way_out))
}

/// # Errors
/// When leaves are to live longer than their authorities.
pub fn outlived(certificate_hours: u64, authority_hours: u64) -> Result<(), PkiError> {
    if certificate_hours <= authority_hours {
        return Ok(());
    }
    let rule = "exceeds authority_validity_hours, and no certificate outlives its authority";
    let way_out = format!("Give at most {authority_hours}");
    Err(PkiError::invalid("certificate_validity_hours", certificate_hours.to_string(), rule, way_out))
}

const ADDITIONAL: &str = "additional_certificates";

fn additional(name: &str, leaf: &LeafSpec) -> Result<(), PkiError> {
    additional_name(name)?;
    if !AUTHORITIES.iter().any(|authority| authority.name == leaf.authority) {
        let names: Vec<&str> = AUTHORITIES.iter().map(|authority| authority.name).collect();
        let way_out = format!("Give one of {}", names.join(", "));
        return Err(PkiError::invalid(ADDITIONAL, &leaf.authority, format!("is not an authority for {name}"), way_out));
    }
    let has_names = !leaf.dns_names.is_empty() || !leaf.addresses.is_empty();
    purpose(name, !leaf.usages.is_empty(), leaf.usages.contains(&Usage::ServerAuth), has_names)?;
    std::iter::once(&leaf.common_name).chain(&leaf.organizations).try_for_each(|text| subject(text))?;
    leaf.dns_names.iter().try_for_each(|text| additional_dns_name(text))
}

/// # Errors
/// When a certificate of the user's own cannot have this name.
pub fn additional_name(name: &str) -> Result<(), PkiError> {
    let stem = name.split('/').next().unwrap_or(name);
    let is_taken = [SERVICE_ACCOUNT, SECRETS_ENCRYPTION].contains(&stem)
        || AUTHORITIES.iter().any(|authority| authority.name == stem)
        || LEAVES.iter().any(|leaf| leaf.name == stem);
    if is_taken {
        let way_out = format!("Choose a name of your own, such as \"my-{stem}\"");
        return Err(PkiError::invalid(ADDITIONAL, name, "is a certificate of the cluster itself", way_out));
    }
    if is_label(name) {
        return Ok(());
    }
    let way_out = "Use lower-case letters, digits and '-', such as \"prometheus\"";
    Err(PkiError::invalid(ADDITIONAL, name, "is not a usable name", way_out))
}

/// # Errors
/// When a certificate is for nothing, or for a server that has no name.
pub fn purpose(name: &str, has_usages: bool, is_for_server: bool, has_names: bool) -> Result<(), PkiError> {
    if !has_usages {
        return Err(PkiError::invalid(ADDITIONAL, name, "has no usages", "Give \"client_auth\", \"server_auth\" or both"));
    }
    if is_for_server && !has_names {
        let rule = "is for a server but has neither DNS names nor addresses";
        return Err(PkiError::invalid(ADDITIONAL, name, rule, "Give at least one of them"));
    }
    Ok(())
}

/// # Errors
/// When it cannot stand in the subject of a certificate.
pub fn subject(text: &str) -> Result<(), PkiError> {
    if is_subject(text) {
        return Ok(());
    }
    let rule = "cannot stand in the subject of a certificate";
    Err(PkiError::invalid(ADDITIONAL, text, rule, format!("Give between 1 and {MAX_SUBJECT_LENGTH} characters")))
}

/// # Errors
/// When it is not a DNS name, which may begin with `*.`.
pub fn additional_dns_name(text: &str) -> Result<(), PkiError> {
    if names::dns_name(text).is_some() {
        return Ok(());
    }
    Err(PkiError::invalid(ADDITIONAL, text, "is not a DNS name", "Give a name such as \"metrics.demo.internal\""))
}
