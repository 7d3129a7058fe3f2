//! Issues what a plan names. Draws randomness from the system's generator; the time comes in.

use credentials::{Authority, Credentials, Part, Secret};
use rcgen::KeyPair;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use time::OffsetDateTime;

use crate::keys::{add_keys_without_certificate, generate_key, parse_key};
use crate::signer::{Signer, self_sign};
use crate::{CertificateSpec, KeyAlgorithm, PkiError, Reason, SERVICE_ACCOUNT};

/// Issues what `reasons` names, keeps the rest and drops what is no longer specified. A certificate gets a new private key, unless
/// `Reason::keeps_key` says otherwise of its reason. The service account key pair and the first encryption key are made when they
/// are missing and never replaced.
///
/// An authority may be issued without its leaves, as the first step of a rotation: the next plan then names these leaves.
///
/// # Errors
/// When a needed authority cannot sign. Nothing is issued then; running it again is safe.
pub fn issue(
    specs: &BTreeMap<String, CertificateSpec>,
    existing: &Credentials,
    reasons: &BTreeMap<String, Reason>,
    now: OffsetDateTime,
) -> Result<Credentials, PkiError> {
    let mut credentials = kept(specs, existing, reasons)?;
    let wanted: Vec<_> = specs.iter().filter(|(name, _)| reasons.contains_key(*name)).collect();
    let orders = in_parallel(&wanted, |(name, spec)| Order::of(name, spec, kept_key(name, reasons, existing)))?;
    for order in &orders {
        credentials.private_keys.insert(order.name.to_owned(), Part::Known(order.pem.clone()));
    }
    let (authorities, leaves): (Vec<_>, Vec<_>) = orders.into_iter().partition(|order| order.spec.authority.is_none());
    for Order { name, spec, key, .. } in &authorities {
        credentials.authorities.insert((*name).to_owned(), Part::Known(Authority::of(self_sign(name, spec, key, now)?)));
    }
    let signers = load_signers(&leaves, &credentials)?;
    let signed = in_parallel(&leaves, |leaf| signer_of(leaf, &signers)?.sign(leaf.spec, &leaf.key, now))?;
    credentials.certificates.extend(leaves.iter().map(|leaf| leaf.name.to_owned()).zip(signed.into_iter().map(Part::Known)));
    let algorithm = specs.values().next().map_or(KeyAlgorithm::EcdsaP256, |spec| spec.key_algorithm);
    add_keys_without_certificate(algorithm, &mut credentials)?;
    Ok(credentials)
}

/// A certificate to issue, with its key.
struct Order<'a> {
    name: &'a str,
    spec: &'a CertificateSpec,
    key: KeyPair,
    pem: Secret,
}

impl<'a> Order<'a> {
    /// With the key that is kept, to the letter, or with a new one.
    fn of(name: &'a str, spec: &'a CertificateSpec, kept: Option<&Secret>) -> Result<Self, PkiError> {
        let (key, pem) = match kept {
            Some(pem) => (parse_key(name, pem)?, pem.clone()),
            None => {
                let key = generate_key(name, spec.key_algorithm)?;
                let pem = Secret::new(key.serialize_pem());
                (key, pem)
            }
        };
        Ok(Order { name, spec, key, pem })
    }
}

fn kept_key<'a>(name: &str, reasons: &BTreeMap<String, Reason>, existing: &'a Credentials) -> Option<&'a Secret> {
    let keeps_key = reasons.get(name).is_some_and(Reason::keeps_key);
    existing.private_keys.get(name).filter(|_| keeps_key)?.as_ref().known()
}

fn kept(
    specs: &BTreeMap<String, CertificateSpec>,
    existing: &Credentials,
    reasons: &BTreeMap<String, Reason>,
) -> Result<Credentials, PkiError> {
    let mut credentials = Credentials {
        public_keys: existing.public_keys.clone(),
        encryption_keys: existing.encryption_keys.clone(),
        ..Credentials::default()
    };
    for (name, spec) in specs.iter().filter(|(name, _)| !reasons.contains_key(*name)) {
        let missing = || PkiError::NotPlanned { name: name.clone() };
        if spec.authority.is_none() {
            let authority = existing.authorities.get(name).ok_or_else(missing)?;
            credentials.authorities.insert(name.clone(), authority.clone());
        } else {
            let certificate = existing.certificates.get(name).ok_or_else(missing)?;
            credentials.certificates.insert(name.clone(), certificate.clone());
        }
    }
    for (name, key) in &existing.private_keys {
        if credentials.certificate(name).is_some() || credentials.public_keys.contains_key(name) || name == SERVICE_ACCOUNT {
            credentials.private_keys.insert(name.clone(), key.clone());
        }
    }
    Ok(credentials)
}

/// The authorities of these leaves, by name.
fn load_signers<'a>(leaves: &[Order<'a>], credentials: &Credentials) -> Result<BTreeMap<&'a str, Signer>, PkiError> {
    let mut signers = BTreeMap::new();
    for authority in leaves.iter().filter_map(|leaf| leaf.spec.authority.as_deref()) {
        let Some(Part::Known(certificates)) = credentials.authorities.get(authority) else {
            continue; // `signer_of` reports it, with the leaf's name.
        };
        if !signers.contains_key(authority) {
            let missing = || PkiError::MissingPrivateKey { name: authority.to_owned() };
            let key = credentials.private_keys.get(authority).and_then(|key| key.as_ref().known()).ok_or_else(missing)?;
            signers.insert(authority, Signer::load(authority, &certificates.signing, key)?);
        }
    }
    Ok(signers)
}

fn signer_of<'a>(leaf: &Order<'_>, signers: &'a BTreeMap<&str, Signer>) -> Result<&'a Signer, PkiError> {
    let authority = leaf.spec.authority.as_deref().unwrap_or_default();
    let unknown = || PkiError::UnknownAuthority { name: leaf.name.to_owned(), authority: authority.to_owned() };
    signers.get(authority).ok_or_else(unknown)
}

/// Does the work for every item on all processors and returns the results in the items' order. RSA keys take up to seconds
/// each, and a cluster has hundreds.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R, PkiError> + Sync) -> Result<Vec<R>, PkiError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let run = || -> Result<Vec<(usize, R)>, PkiError> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            done.push((index, work(item)?));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        let mut results = Vec::with_capacity(items.len());
        for thread in threads {
            results.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, PkiError>(results)
    })?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
