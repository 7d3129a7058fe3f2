//! Pure: the credentials of a cluster as data, from the crate that issues them (`pki`) over the resource that keeps them to the
//! renderer that writes them into files; and the types for text that must not be printed, or not all of it. Nothing here issues, reads or writes.

mod authority;
mod part;
mod secret;
mod url;

pub use authority::Authority;
pub use part::Part;
pub use secret::Secret;
pub use url::Url;

use std::collections::BTreeMap;

/// Everything issued for one cluster, under the names of the table in crate `pki`. Neither `Debug` nor `Display`: most of it is
/// secret. While a plan is made, parts that will be issued are unknown; what was issued is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `etcd-ca`, `cluster-ca` …
    pub authorities: BTreeMap<String, Part<Authority>>,
    /// Certificates of leaves in PEM: `admin`, `apiserver/cp-1` …
    pub certificates: BTreeMap<String, Part<String>>,
    /// Private keys in PEM (PKCS #8), of authorities and leaves under their certificate's name, and `service-account`.
    pub private_keys: BTreeMap<String, Part<Secret>>,
    /// Public keys in PEM of key pairs that have no certificate: `service-account`.
    pub public_keys: BTreeMap<String, Part<String>>,
    /// Keys that encrypt Secrets at rest. The first one encrypts, all of them decrypt.
    pub encryption_keys: Vec<EncryptionKey>,
    /// Of what there may be more than is listed here.
    pub unlisted: Unlisted,
}

/// Kinds of credentials of which not even the names are known yet. What is looked up there and not listed is unknown, not missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// Those of authorities too.
    pub certificates: bool,
    pub private_keys: bool,
    pub public_keys: bool,
    pub encryption_keys: bool,
}

/// A key that encrypts Secrets at rest.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    /// Stands before everything that it encrypts, so it must not change.
    pub name: String,
    /// Base64 of 32 bytes.
    pub secret: Part<Secret>,
}

impl Credentials {
    /// Credentials of which nothing is known.
    pub fn unknown() -> Self {
        let unlisted = Unlisted { certificates: true, private_keys: true, public_keys: true, encryption_keys: true };
        Credentials { unlisted, ..Credentials::default() }
    }

    /// `None` when there is no authority of this name.
    pub fn authority(&self, name: &str) -> Option<Part<&Authority>> {
        self.authorities.get(name).map(Part::as_ref).or(unlisted(self.unlisted.certificates))
    }

    /// The certificate of a leaf, or all that are trusted under an authority's name, in PEM. `None` when there is none.
    pub fn certificate(&self, name: &str) -> Option<Part<String>> {
        let authority = self.authorities.get(name).map(|authority| authority.as_ref().map(Authority::trusted_text));
        authority.or_else(|| self.certificates.get(name).cloned()).or(unlisted(self.unlisted.certificates))
    }

    /// The private key under a certificate's name, or of a key pair without one. `None` when there is none.
    pub fn private_key(&self, name: &str) -> Option<Part<&Secret>> {
        self.private_keys.get(name).map(Part::as_ref).or(unlisted(self.unlisted.private_keys))
    }

    /// The public key of a key pair that has no certificate, in PEM. `None` when there is none.
    pub fn public_key(&self, name: &str) -> Option<Part<&str>> {
        let key = self.public_keys.get(name).map(|key| key.as_ref().map(String::as_str));
        key.or(unlisted(self.unlisted.public_keys))
    }

    /// Name and secret of every encryption key in order; unknown while one of them, or which there are, is.
    pub fn all_encryption_keys(&self) -> Part<Vec<(&str, &Secret)>> {
        let keys = self.encryption_keys.iter().map(|key| Some((key.name.as_str(), key.secret.as_ref().known()?)));
        let keys: Option<Vec<_>> = keys.collect();
        keys.filter(|_| !self.unlisted.encryption_keys).map_or(Part::Unknown, Part::Known)
    }

    /// Every certificate that is known, by name; under an authority's name the one that signs.
    pub fn known_certificates(&self) -> BTreeMap<String, String> {
        let known = |(name, part): (&String, Part<&String>)| Some((name.clone(), part.known()?.clone()));
        let authorities = self.authorities.iter().map(|(name, part)| (name, part.as_ref().map(|authority| &authority.signing)));
        let leaves = self.certificates.iter().map(|(name, part)| (name, part.as_ref()));
        authorities.chain(leaves).filter_map(known).collect()
    }
}

fn unlisted<T>(may_be_there: bool) -> Option<Part<T>> {
    may_be_there.then_some(Part::Unknown)
}
