//! Signs certificates, also those whose subject has several organisations.
//!
//! Several organisations are several Kubernetes groups, but a subject of rcgen 0.14 holds one value per attribute
//! (`DistinguishedName` is a map). For these leaves rcgen's certificate is taken apart, the subject put in, and the result
//! signed again with the same key.

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, SigningKey};
use std::collections::BTreeSet;

use crate::PkiError;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
/// OIDs 2.5.4.10 and 2.5.4.3 with tag and length.
const ORGANIZATION: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x0a];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// The subject as rcgen can hold it: with the first organisation only.
pub(crate) fn distinguished_name(common_name: &str, organizations: &BTreeSet<String>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organizations.first() {
        name.push(DnType::OrganizationName, organization.as_str());
    }
    name.push(DnType::CommonName, common_name);
    name
}

/// Signs a leaf and returns its DER. `params` has its subject from `distinguished_name`.
pub(crate) fn sign_leaf(
    params: &CertificateParams,
    (common_name, organizations): (&str, &BTreeSet<String>),
    key: &KeyPair,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<Vec<u8>, PkiError> {
    let failed = |source| PkiError::Issue { name: common_name.to_owned(), source };
    let certificate = params.signed_by(key, issuer).map_err(failed)?;
    if organizations.len() < 2 {
        return Ok(certificate.der().to_vec());
    }
    let subject = render_subject(common_name, organizations);
    with_subject(certificate.der(), &subject, issuer.key()).map_err(failed)
}

fn render_subject(common_name: &str, organizations: &BTreeSet<String>) -> Vec<u8> {
    let attribute = |oid: &[u8], text: &str| {
        let value = tlv(UTF8_STRING, &[text.as_bytes()]);
        tlv(SET, &[&tlv(SEQUENCE, &[oid, &value])])
    };
    let mut names: Vec<u8> = organizations.iter().flat_map(|organization| attribute(ORGANIZATION, organization)).collect();
    names.extend(attribute(COMMON_NAME, common_name));
    tlv(SEQUENCE, &[&names])
}

fn with_subject(der: &[u8], subject: &[u8], key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    let signed_part = certificate.tbs_certificate.as_ref();
    let old_subject = certificate.tbs_certificate.subject.as_raw();
    // Both are slices of `der`, so the distance between them is where the subject stands.
    let subject_start = old_subject.as_ptr() as usize - signed_part.as_ptr() as usize;
    let before = &signed_part[header_length(signed_part)..subject_start];
    let after = &signed_part[subject_start + old_subject.len()..];

    let signed_part_start = signed_part.as_ptr() as usize - der.as_ptr() as usize;
    let algorithm_and_signature = &der[signed_part_start + signed_part.len()..];
    let algorithm = &algorithm_and_signature[..2 + usize::from(algorithm_and_signature[1])];

    let new_part = tlv(SEQUENCE, &[before, subject, after]);
    let signature = tlv(BIT_STRING, &[&[0], &key.sign(&new_part)?]);
    Ok(tlv(SEQUENCE, &[&new_part, algorithm, &signature]))
}

/// Length of the tag and length octets of a value in DER.
fn header_length(der: &[u8]) -> usize {
    match der[1] {
        short if short < 0x80 => 2,
        long => 2 + usize::from(long & 0x7f),
    }
}

/// One value in DER: tag, length, content.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    if length < 0x80 {
        der.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let significant: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
        der.push(0x80 | significant.len() as u8);
        der.extend(significant);
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}
