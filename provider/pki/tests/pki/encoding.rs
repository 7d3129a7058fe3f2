//! What RFC 5280 and zlint ask of the encoding. zlint itself judges in the acceptance lab.

use crate::{NOW, issue_all, issue_only, issued, request};
use credentials::Credentials;
use pki::{CertificateSpec, KeyAlgorithm, Request};
use time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::x509::X509Version;

fn for_each(
    issued: &(std::collections::BTreeMap<String, CertificateSpec>, Credentials),
    check: impl Fn(&str, &CertificateSpec, &X509Certificate<'_>),
) {
    for (name, spec) in &issued.0 {
        let (_, block) = x509_parser::pem::parse_x509_pem(issued.1.known_certificates()[name].as_bytes()).unwrap();
        check(name, spec, &block.parse_x509().unwrap());
    }
}

#[test]
fn authorities_may_sign_leaves_and_nothing_else() {
    for_each(issued(), |name, spec, certificate| {
        if spec.authority.is_some() {
            return;
        }
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca && constraints.value.path_len_constraint == Some(0), "{name}");
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.to_string() == "Key Cert Sign, CRL Sign", "{name}: {}", usage.value);
        assert!(certificate.extended_key_usage().unwrap().is_none(), "{name}");
        assert!(key_identifiers(certificate).0.is_some(), "{name}");
    });
}

#[test]
fn leaves_may_sign_nothing_and_name_their_authority() {
    for_each(issued(), |name, spec, certificate| {
        let Some(authority) = &spec.authority else { return };
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(!constraints.value.ca && constraints.value.path_len_constraint.is_none(), "{name}");
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.to_string() == "Digital Signature", "{name}: {}", usage.value);
        assert!(!certificate.extended_key_usage().unwrap().unwrap().critical, "{name}");

        let (_, block) = x509_parser::pem::parse_x509_pem(issued().1.known_certificates()[authority].as_bytes()).unwrap();
        let authority = block.parse_x509().unwrap();
        assert_eq!(key_identifiers(certificate).1, key_identifiers(&authority).0, "{name}");
        assert!(key_identifiers(certificate).0.is_some(), "{name}");
        assert_eq!(certificate.issuer().as_raw(), authority.subject().as_raw(), "{name}");
    });
}

#[test]
fn rsa_leaves_may_also_encipher_keys() {
    let request = Request { key_algorithm: KeyAlgorithm::Rsa2048, ..request() };
    for_each(&issue_only(&request, &["cluster-ca", "admin"]), |name, spec, certificate| {
        let expected = if spec.authority.is_none() { "Key Cert Sign, CRL Sign" } else { "Digital Signature, Key Encipherment" };
        assert_eq!(certificate.key_usage().unwrap().unwrap().value.to_string(), expected, "{name}");
    });
}

#[test]
fn serial_numbers_are_positive_of_128_bits_and_unique() {
    let serials = std::cell::RefCell::new(std::collections::BTreeSet::new());
    for_each(issued(), |name, _, certificate| {
        let raw = certificate.raw_serial();
        assert!(raw[0] < 0x80 && raw.len() <= 17 && raw.len() > 8, "{name}: {raw:?}");
        assert!(serials.borrow_mut().insert(raw.to_vec()), "{name} repeats a serial number");
    });
}

#[test]
fn validity_begins_five_minutes_before_the_issue_and_has_whole_seconds() {
    for_each(issued(), |name, spec, certificate| {
        let validity = certificate.validity();
        assert_eq!(validity.not_before.to_datetime(), NOW - Duration::minutes(5), "{name}");
        assert_eq!(validity.not_after.to_datetime(), NOW + spec.validity, "{name}");
    });
}

/// RFC 5280, 4.1.2.5: the form of a date changes with the year 2050.
#[test]
fn dates_before_and_after_2050_are_written_as_the_rfc_says() {
    let issued = issue_all(&Request { authority_validity_hours: 30 * 8_766, ..request() });
    for_each(&issued, |name, spec, certificate| {
        assert_eq!(certificate.validity().not_after.is_generalizedtime(), spec.authority.is_none(), "{name}");
        assert!(certificate.validity().not_before.is_utctime(), "{name}");
    });
}

#[test]
fn servers_have_a_name_that_stands_among_their_alternative_names() {
    for_each(issued(), |name, spec, certificate| {
        if !spec.usages.contains(&pki::Usage::ServerAuth) {
            return;
        }
        let common_name = certificate.subject().iter_common_name().next().unwrap().as_str().unwrap();
        assert!(spec.dns_names.contains(common_name), "{name}: {common_name}");
        assert!(!certificate.subject_alternative_name().unwrap().unwrap().critical, "{name}");
    });
}

#[test]
fn no_certificate_has_an_extension_twice_or_an_unknown_critical_one() {
    for_each(issued(), |name, _, certificate| {
        let mut seen = std::collections::BTreeSet::new();
        for extension in certificate.extensions() {
            assert!(seen.insert(extension.oid.to_id_string()), "{name}: {}", extension.oid);
            assert!(!matches!(extension.parsed_extension(), ParsedExtension::UnsupportedExtension { .. }), "{name}");
        }
        assert_eq!(certificate.version(), X509Version::V3);
    });
}

/// Identifiers of the subject's key and of the authority's.
fn key_identifiers<'a>(certificate: &'a X509Certificate<'_>) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
    let mut found = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => found.0 = Some(identifier.0),
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                found.1 = identifier.key_identifier.as_ref().map(|identifier| identifier.0);
            }
            _ => {}
        }
    }
    found
}
