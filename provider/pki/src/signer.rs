//! One authority signs one certificate: where a spec becomes X.509.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use credentials::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::certificate::Certificate;
use crate::keys::{parse_key, random_bytes};
use crate::plan::rfc3339;
use crate::{CertificateSpec, KeyAlgorithm, PkiError, Usage, subject};

/// A certificate begins a little in the past, because the clocks of hosts differ.
pub(crate) const BACKDATED: Duration = Duration::minutes(5);

/// An authority that is ready to sign.
pub(crate) struct Signer {
    name: String,
    issuer: Issuer<'static, KeyPair>,
    not_after: OffsetDateTime,
}

impl Signer {
    pub(crate) fn load(name: &str, pem: &str, key: &Secret) -> Result<Self, PkiError> {
        let certificate = Certificate::read(name, pem)?;
        let key = parse_key(name, key)?;
        if !certificate.is_for_key(&key.subject_public_key_info()) {
            return Err(PkiError::ForeignPrivateKey { name: name.into() });
        }
        let issuer = Issuer::from_ca_cert_pem(pem, key).map_err(|source| PkiError::Issue { name: name.into(), source })?;
        Ok(Signer { name: name.into(), issuer, not_after: certificate.not_after })
    }

    pub(crate) fn sign(&self, spec: &CertificateSpec, key: &KeyPair, now: OffsetDateTime) -> Result<String, PkiError> {
        if self.not_after <= now {
            return Err(PkiError::ExpiredAuthority { name: self.name.clone(), not_after: rfc3339(self.not_after) });
        }
        let mut params = certificate_params(spec, now)?;
        params.not_after = params.not_after.min(self.not_after);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = leaf_key_usages(spec.key_algorithm);
        params.extended_key_usages = spec.usages.iter().map(|usage| extended_key_usage(*usage)).collect();
        params.subject_alt_names = subject_alt_names(spec)?;
        let der = subject::sign_leaf(&params, (&spec.common_name, &spec.organizations), key, &self.issuer)?;
        Ok(encode_certificate(&der))
    }
}

/// An authority's own certificate.
pub(crate) fn self_sign(name: &str, spec: &CertificateSpec, key: &KeyPair, now: OffsetDateTime) -> Result<String, PkiError> {
    let mut params = certificate_params(spec, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(key).map_err(|source| PkiError::Issue { name: name.into(), source })?;
    Ok(certificate.pem())
}

fn certificate_params(spec: &CertificateSpec, now: OffsetDateTime) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial_number()?);
    params.distinguished_name = subject::distinguished_name(&spec.common_name, &spec.organizations);
    params.not_before = now - BACKDATED;
    params.not_after = now + spec.validity;
    Ok(params)
}

/// 128 random bits, positive as RFC 5280 demands.
fn serial_number() -> Result<SerialNumber, PkiError> {
    let bits = u128::from_be_bytes(random_bytes()?).max(1);
    Ok(SerialNumber::from(bits.to_be_bytes().to_vec()))
}

/// RSA keys may also encipher a session key, in TLS 1.2 without forward secrecy; elliptic curve keys cannot.
fn leaf_key_usages(algorithm: KeyAlgorithm) -> Vec<KeyUsagePurpose> {
    match algorithm.is_rsa() {
        true => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment],
        false => vec![KeyUsagePurpose::DigitalSignature],
    }
}

fn extended_key_usage(usage: Usage) -> ExtendedKeyUsagePurpose {
    match usage {
        Usage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
    }
}

fn subject_alt_names(spec: &CertificateSpec) -> Result<Vec<SanType>, PkiError> {
    let mut names = Vec::new();
    for name in &spec.dns_names {
        let name = name.as_str().try_into().map_err(|source| PkiError::Issue { name: spec.common_name.clone(), source })?;
        names.push(SanType::DnsName(name));
    }
    names.extend(spec.addresses.iter().copied().map(SanType::IpAddress));
    Ok(names)
}

/// RFC 7468: lines of 64 characters.
fn encode_certificate(der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
