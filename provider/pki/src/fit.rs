//! Pure: whether a certificate fits the private key, the authority and the names that it is used with. Certificates that others
//! have issued are read too, whatever else they say.

use credentials::Secret;
use rcgen::PublicKeyData;
use std::collections::BTreeSet;
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::certificate::address;
use crate::keys::parse_key;
use crate::{PkiError, names};

/// The DNS names, in lower case, and the addresses that a server's certificate covers.
///
/// # Errors
/// When the text does not begin with a certificate in PEM.
pub fn names_covered(pem: &str) -> Result<BTreeSet<String>, PkiError> {
    read(pem, |certificate| {
        let extension = certificate.subject_alternative_name().ok().flatten();
        let name = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
            _ => None,
        };
        extension.iter().flat_map(|extension| &extension.value.general_names).filter_map(name).collect()
    })
}

/// Whether a client that connects to `host`, a DNS name or an address, accepts a certificate that covers `names`. A name that begins
/// with `*.` covers those with any one label in its place (RFC 6125, 6.4.3).
pub fn covers(names: &BTreeSet<String>, host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return names.contains(&address.to_string());
    }
    let Some(name) = names::dns_name(host) else { return false };
    let is_wildcard = name.starts_with("*.");
    let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}")).filter(|_| !is_wildcard);
    names.contains(&name) || wildcard.is_some_and(|wildcard| names.contains(&wildcard))
}

/// The common name of the authority that a certificate says has signed it; empty when it says none.
///
/// # Errors
/// When the text does not begin with a certificate in PEM.
pub fn issuer(pem: &str) -> Result<String, PkiError> {
    read(pem, |certificate| {
        let name = certificate.issuer().iter_common_name().find_map(|name| name.as_str().ok());
        name.unwrap_or_default().to_owned()
    })
}

/// The common name of its subject, by which an API server knows the user; empty when it has none.
///
/// # Errors
/// When the text does not begin with a certificate in PEM.
pub fn user(pem: &str) -> Result<String, PkiError> {
    read(pem, |certificate| {
        let name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
        name.unwrap_or_default().to_owned()
    })
}

/// Until when a certificate is valid, in seconds since 1970.
///
/// # Errors
/// When the text does not begin with a certificate in PEM.
pub fn expires(pem: &str) -> Result<i64, PkiError> {
    read(pem, |certificate| certificate.validity().not_after.timestamp())
}

/// Whether a certificate is for the public key of this private key, in PEM (PKCS #8).
///
/// # Errors
/// When one of the two cannot be read.
pub fn is_for_key(pem: &str, key: &Secret) -> Result<bool, PkiError> {
    let key = parse_key("(given)", key)?.subject_public_key_info();
    read(pem, |certificate| certificate.public_key().raw == key)
}

fn read<T>(pem: &str, facts: impl FnOnce(&X509Certificate<'_>) -> T) -> Result<T, PkiError> {
    let unreadable = || PkiError::UnreadableCertificate { name: "(given)".into() };
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| unreadable())?;
    Ok(facts(&block.parse_x509().map_err(|_| unreadable())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], host: &str, expect: bool) {
        assert_eq!(covers(&names.iter().map(|name| (*name).to_string()).collect(), host), expect, "{host} by {names:?}");
    }

    #[test]
    fn names_are_covered_as_clients_see_it() {
        check(&["api.demo.internal"], "api.demo.internal", true);
        check(&["api.demo.internal"], "API.demo.internal", true);
        check(&["api.demo.internal"], "demo.internal", false);
        check(&["*.demo.internal"], "api.demo.internal", true);
        check(&["*.demo.internal"], "a.api.demo.internal", false);
        check(&["*.demo.internal"], "demo.internal", false);
        check(&["192.0.2.100"], "192.0.2.100", true);
        check(&["192.0.2.100"], "192.0.2.10", false);
        check(&["2001:db8::100"], "2001:db8:0::100", true);
        check(&[], "localhost", false);
    }
}
