//! Pure: reads back what stands in a certificate.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::IpAddr;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::signer::BACKDATED;
use crate::{KeyAlgorithm, PkiError, Usage};

/// Bits of the key usage extension, as x509-parser numbers them.
pub(crate) mod key_usage {
    /// Key usage bit 0 (RFC 5280, 4.2.1.3).
    pub const DIGITAL_SIGNATURE: u16 = 1;
    /// Key usage bit 2.
    pub const KEY_ENCIPHERMENT: u16 = 1 << 2;
    /// Key usage bit 5.
    pub const KEY_CERT_SIGN: u16 = 1 << 5;
    /// Key usage bit 6.
    pub const CRL_SIGN: u16 = 1 << 6;
}

/// End of a certificate's validity.
///
/// # Errors
/// When the text is not one certificate in PEM.
pub fn expiry(pem: &str) -> Result<OffsetDateTime, PkiError> {
    Ok(Certificate::read("(given)", pem)?.not_after)
}

/// How long a certificate is valid from the moment of its issue on.
///
/// # Errors
/// When the text is not one certificate in PEM.
pub fn validity(pem: &str) -> Result<Duration, PkiError> {
    Ok(Certificate::read("(given)", pem)?.lifetime() - BACKDATED)
}

/// SHA-256 of the certificate's DER, in lower-case hex: what `openssl x509 -fingerprint -sha256` shows, without colons.
///
/// # Errors
/// When the text is not one certificate in PEM.
pub fn fingerprint(pem: &str) -> Result<String, PkiError> {
    let certificate = Certificate::read("(given)", pem)?;
    Ok(Sha256::digest(&certificate.der).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The facts of a certificate that the plan compares with its spec.
pub(crate) struct Certificate {
    pub der: Vec<u8>,
    pub common_name: String,
    /// Common name of the authority that it says has signed it.
    pub issuer: String,
    pub organizations: BTreeSet<String>,
    /// `None` when there is a usage that no spec can ask for.
    pub usages: Option<BTreeSet<Usage>>,
    pub key_usage: u16,
    /// Path length, for an authority.
    pub authority: Option<Option<u32>>,
    pub dns_names: BTreeSet<String>,
    pub addresses: BTreeSet<IpAddr>,
    /// `None` when it is one that no spec can ask for.
    pub key_algorithm: Option<KeyAlgorithm>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl Certificate {
    pub(crate) fn read(name: &str, pem: &str) -> Result<Self, PkiError> {
        let unreadable = || PkiError::UnreadableCertificate { name: name.into() };
        let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| unreadable())?;
        let certificate = block.parse_x509().map_err(|_| unreadable())?;
        let facts = Self::facts(&certificate).ok_or_else(unreadable)?;
        Ok(Certificate { der: block.contents, ..facts })
    }

    /// `None` when an extension that it needs stands there twice or cannot be read.
    fn facts(certificate: &X509Certificate<'_>) -> Option<Self> {
        let subject = certificate.subject();
        let constraints = certificate.basic_constraints().ok()?;
        let validity = certificate.validity();
        let mut facts = Certificate {
            der: Vec::new(),
            common_name: subject.iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
            issuer: certificate.issuer().iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
            organizations: subject.iter_organization().filter_map(|name| name.as_str().ok()).map(str::to_owned).collect(),
            usages: usages(certificate.extended_key_usage().ok()?.map(|extension| extension.value)),
            key_usage: certificate.key_usage().ok()?.map_or(0, |extension| extension.value.flags),
            authority: constraints.filter(|found| found.value.ca).map(|found| found.value.path_len_constraint),
            dns_names: BTreeSet::new(),
            addresses: BTreeSet::new(),
            key_algorithm: key_algorithm(certificate.public_key()),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
        };
        let names = certificate.subject_alternative_name().ok()?;
        for name in names.iter().flat_map(|extension| &extension.value.general_names) {
            facts.add_name(name)?;
        }
        Some(facts)
    }

    /// `None` for a kind of name that this crate never writes.
    fn add_name(&mut self, name: &GeneralName<'_>) -> Option<()> {
        match name {
            GeneralName::DNSName(name) => self.dns_names.insert((*name).to_owned()),
            GeneralName::IPAddress(octets) => self.addresses.insert(address(octets)?),
            _ => return None,
        };
        Some(())
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.not_after - self.not_before
    }

    /// Whether the authority's key has signed this certificate.
    pub(crate) fn is_signed_by(&self, authority: &Certificate) -> bool {
        let (Ok((_, leaf)), Ok((_, authority))) =
            (x509_parser::parse_x509_certificate(&self.der), x509_parser::parse_x509_certificate(&authority.der))
        else {
            return false;
        };
        leaf.issuer().as_raw() == authority.subject().as_raw() && leaf.verify_signature(Some(authority.public_key())).is_ok()
    }

    /// Whether the certificate is for this public key, given as `SubjectPublicKeyInfo` in DER.
    pub(crate) fn is_for_key(&self, public_key_der: &[u8]) -> bool {
        x509_parser::parse_x509_certificate(&self.der)
            .is_ok_and(|(_, certificate)| certificate.public_key().raw == public_key_der)
    }
}

fn usages(extension: Option<&ExtendedKeyUsage<'_>>) -> Option<BTreeSet<Usage>> {
    let Some(found) = extension else {
        return Some(BTreeSet::new());
    };
    let foreign = found.any
        || found.code_signing
        || found.email_protection
        || found.time_stamping
        || found.ocsp_signing
        || !found.other.is_empty();
    if foreign {
        return None;
    }
    let present = [(found.server_auth, Usage::ServerAuth), (found.client_auth, Usage::ClientAuth)];
    Some(present.into_iter().filter_map(|(is_present, usage)| is_present.then_some(usage)).collect())
}

pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

fn key_algorithm(key: &SubjectPublicKeyInfo<'_>) -> Option<KeyAlgorithm> {
    match key.parsed().ok()? {
        PublicKey::RSA(rsa) => match rsa.key_size() {
            2048 => Some(KeyAlgorithm::Rsa2048),
            3072 => Some(KeyAlgorithm::Rsa3072),
            4096 => Some(KeyAlgorithm::Rsa4096),
            _ => None,
        },
        PublicKey::EC(_) => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
            match curve {
                curve if curve == OID_EC_P256 => Some(KeyAlgorithm::EcdsaP256),
                curve if curve == OID_NIST_EC_P384 => Some(KeyAlgorithm::EcdsaP384),
                _ => None,
            }
        }
        _ => None,
    }
}
