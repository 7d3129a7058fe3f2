//! Draws keys from the system's generator.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use credentials::{Credentials, EncryptionKey, Part, Secret};
use rand::TryRngCore;
use rcgen::{KeyPair, RsaKeySize};

use crate::{KeyAlgorithm, PkiError, SECRETS_ENCRYPTION, SERVICE_ACCOUNT};

/// Makes the service account key pair and the first encryption key when they are missing. They are never replaced: tokens in
/// use would be refused, and secrets at rest could not be read.
pub(crate) fn add_keys_without_certificate(algorithm: KeyAlgorithm, credentials: &mut Credentials) -> Result<(), PkiError> {
    let public_key = service_account_key(algorithm, credentials)?.public_key_pem();
    credentials.public_keys.insert(SERVICE_ACCOUNT.into(), Part::Known(public_key));
    if credentials.encryption_keys.is_empty() {
        let secret = Part::Known(Secret::new(BASE64_STANDARD.encode(random_bytes::<32>()?)));
        credentials.encryption_keys.push(EncryptionKey { name: SECRETS_ENCRYPTION.into(), secret });
    }
    Ok(())
}

fn service_account_key(algorithm: KeyAlgorithm, credentials: &mut Credentials) -> Result<KeyPair, PkiError> {
    if let Some(Part::Known(key)) = credentials.private_keys.get(SERVICE_ACCOUNT) {
        return parse_key(SERVICE_ACCOUNT, key);
    }
    if credentials.public_keys.contains_key(SERVICE_ACCOUNT) {
        return Err(PkiError::MissingPrivateKey { name: SERVICE_ACCOUNT.into() });
    }
    let key = generate_key(SERVICE_ACCOUNT, algorithm)?;
    credentials.private_keys.insert(SERVICE_ACCOUNT.into(), Part::Known(Secret::new(key.serialize_pem())));
    Ok(key)
}

/// The source of an error is left out: it is about secret text.
pub(crate) fn parse_key(name: &str, pem: &Secret) -> Result<KeyPair, PkiError> {
    KeyPair::from_pem(pem.reveal()).map_err(|_| PkiError::UnreadablePrivateKey { name: name.into() })
}

pub(crate) fn generate_key(name: &str, algorithm: KeyAlgorithm) -> Result<KeyPair, PkiError> {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
    let key = match algorithm {
        KeyAlgorithm::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyAlgorithm::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyAlgorithm::Rsa2048 => rsa(RsaKeySize::_2048),
        KeyAlgorithm::Rsa3072 => rsa(RsaKeySize::_3072),
        KeyAlgorithm::Rsa4096 => rsa(RsaKeySize::_4096),
    };
    key.map_err(|source| PkiError::Issue { name: name.into(), source })
}

pub(crate) fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], PkiError> {
    let mut bytes = [0; LENGTH];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| PkiError::Random)?;
    Ok(bytes)
}
