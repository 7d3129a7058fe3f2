//! Pure: the rules that a request keeps, each with the attribute at fault and a value that would do.

use std::net::IpAddr;

use crate::table::{AUTHORITIES, LEAVES, SERVICE_ACCOUNT};
use crate::{LeafSpec, PkiError, Request, Usage};

/// RFC 5280, appendix A.1: `ub-common-name` and `ub-organization-name`.
const MAX_SUBJECT_LENGTH: usize = 64;
/// What remains of a common name beside a blank and the longest authority name, `controller-manager-ca`.
const MAX_CLUSTER_NAME_LENGTH: usize = 42;
/// A hundred years; dates of certificates end with the year 9999.
const MAX_VALIDITY_HOURS: u64 = 100 * 366 * 24;

/// Checks a request before anything is issued; the error names the first rule that it breaks.
pub fn request(request: &Request) -> Result<(), PkiError> {
    cluster_name(&request.cluster_name)?;
    dns_name("cluster_domain", &request.cluster_domain, "cluster.local")?;
    request.endpoints.iter().try_for_each(|text| endpoint(text))?;
    for host in request.hosts.keys() {
        dns_name("hosts", host, "cp-1")?;
        subject("hosts", host)?;
    }
    validity(request)?;
    request.additional.iter().try_for_each(|(name, leaf)| additional(name, leaf))
}

fn cluster_name(name: &str) -> Result<(), PkiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.chars().all(allowed) && name.len() <= MAX_CLUSTER_NAME_LENGTH {
        return Ok(());
    }
    let rule = format!(
        "must be letters, digits, '.', '_' and '-', begin with a letter or digit and have at most {MAX_CLUSTER_NAME_LENGTH} \
         characters; write for example \"demo\""
    );
    Err(PkiError::invalid("cluster_name", name, rule))
}

fn validity(request: &Request) -> Result<(), PkiError> {
    let (authority, certificate) = (request.authority_validity_hours, request.certificate_validity_hours);
    let bounds = [("authority_validity_hours", authority), ("certificate_validity_hours", certificate)];
    for (attribute, hours) in bounds {
        if !(1..=MAX_VALIDITY_HOURS).contains(&hours) {
            let rule = format!("must be between 1 and {MAX_VALIDITY_HOURS}; write for example 8760, a year");
            return Err(PkiError::invalid(attribute, hours.to_string(), rule));
        }
    }
    if certificate > authority {
        let rule =
            format!("exceeds authority_validity_hours, and no certificate outlives its authority; write at most {authority}");
        return Err(PkiError::invalid("certificate_validity_hours", certificate.to_string(), rule));
    }
    Ok(())
}

fn additional(name: &str, leaf: &LeafSpec) -> Result<(), PkiError> {
    let invalid = |value: &str, rule: String| Err(PkiError::invalid("additional", value, rule));
    if !is_label(name) {
        return invalid(name, "must be lower-case letters, digits and '-'; write for example \"prometheus\"".into());
    }
    if is_reserved(name) {
        return invalid(name, format!("is a name that every cluster has; write for example \"my-{name}\""));
    }
    if !AUTHORITIES.iter().any(|authority| authority.name == leaf.authority) {
        let names: Vec<&str> = AUTHORITIES.iter().map(|authority| authority.name).collect();
        return invalid(&leaf.authority, format!("is not an authority for {name}; write one of {}", names.join(", ")));
    }
    if leaf.usages.is_empty() {
        return invalid(name, "has no usages; write server_auth, client_auth or both".into());
    }
    if leaf.usages.contains(&Usage::ServerAuth) && leaf.dns_names.is_empty() && leaf.addresses.is_empty() {
        return invalid(name, "is for a server but has neither DNS names nor addresses; write at least one of them".into());
    }
    for text in std::iter::once(&leaf.common_name).chain(&leaf.organizations) {
        subject("additional", text)?;
    }
    leaf.dns_names.iter().try_for_each(|text| dns_name("additional", without_wildcard(text), "metrics.demo.internal"))
}

fn is_reserved(name: &str) -> bool {
    name == SERVICE_ACCOUNT
        || AUTHORITIES.iter().any(|authority| authority.name == name)
        || LEAVES.iter().any(|leaf| leaf.name == name)
}

fn subject(attribute: &'static str, text: &str) -> Result<(), PkiError> {
    let length = text.chars().count();
    if (1..=MAX_SUBJECT_LENGTH).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!(
        "must have between 1 and {MAX_SUBJECT_LENGTH} characters to stand in the subject of a certificate; write a shorter one"
    );
    Err(PkiError::invalid(attribute, text, rule))
}

/// An address, or a DNS name that may begin with `*.`.
fn endpoint(text: &str) -> Result<(), PkiError> {
    if text.parse::<IpAddr>().is_ok() || is_dns_name(without_wildcard(text)) {
        return Ok(());
    }
    let rule = "must be an address, or a DNS name in lower case, without a port or a dot at the end; write for example \
                \"api.demo.internal\", \"192.0.2.100\" or \"2001:db8::100\"";
    Err(PkiError::invalid("endpoints", text, rule))
}

fn dns_name(attribute: &'static str, text: &str, example: &str) -> Result<(), PkiError> {
    if is_dns_name(text) {
        return Ok(());
    }
    let rule = format!("must be a DNS name in lower case, without a port or a dot at the end; write for example \"{example}\"");
    Err(PkiError::invalid(attribute, text, rule))
}

fn without_wildcard(text: &str) -> &str {
    text.strip_prefix("*.").unwrap_or(text)
}

fn is_dns_name(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    // A name that ends in a number is a mistyped IPv4 address, and resolvers treat it as one.
    let ends_in_number = labels.last().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && labels.iter().all(|label| is_label(label)) && !ends_in_number
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
