//! What a cluster stands on: the credentials that no cluster can take anew while it runs, the file in which every control-plane
//! host has each of them, and how the manifest of a host tells whether they are still the same.

use super::encryption;
use super::files::{ETCD_PKI, KUBERNETES_PKI};
use bundle::{Digest, HostPath, Manifest};
use credentials::{Authority, Credentials, Part};
use std::collections::BTreeSet;

/// Authorities by their name in the table of crate `pki`. Not among them: the authority of the controller manager's own server,
/// which no file of a host has, and that of the API server as a client of kubelets, which nodes have.
pub const AUTHORITIES: [(&str, &str, &str); 5] = [
    ("etcd-ca", ETCD_PKI, "ca.crt"),
    ("etcd-peer-ca", ETCD_PKI, "peer-ca.crt"),
    ("apiserver-ca", KUBERNETES_PKI, "apiserver-ca.crt"),
    ("cluster-ca", KUBERNETES_PKI, "cluster-ca.crt"),
    ("front-proxy-ca", KUBERNETES_PKI, "front-proxy-ca.crt"),
];
const SERVICE_ACCOUNT: &str = "service-account";
/// `n` keys have `n!` orders; nobody rotates more at once.
const MOST_KEYS: usize = 5;

/// What a cluster that exists cannot take another one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foundation {
    /// By its name in the table of crate `pki`.
    Authority(&'static str),
    ServiceAccountKey,
    EncryptionKeys,
}

/// A foundation that the credentials would change, and whether it is known to what.
pub type Changed = (Foundation, bool);

/// What of the credentials is not what the host has. Credentials that are not there are not compared.
///
/// Encryption keys may change their order, and further ones may follow those that the host has: then every host decrypts what
/// any other one encrypts, at each moment of a rollout.
pub fn changed(host: &Manifest, credentials: &Credentials) -> BTreeSet<Changed> {
    let mut changed = BTreeSet::new();
    for (name, folder, file) in AUTHORITIES {
        let Some(authority) = credentials.authorities.get(name) else { continue };
        let text = authority.as_ref().map(Authority::trusted_text);
        if is_other(host, &format!("{folder}/{file}"), &text) {
            changed.insert((Foundation::Authority(name), text.is_known()));
        }
    }
    if let Some(key) = credentials.public_keys.get(SERVICE_ACCOUNT)
        && is_other(host, &format!("{KUBERNETES_PKI}/{SERVICE_ACCOUNT}.pub"), key)
    {
        changed.insert((Foundation::ServiceAccountKey, key.is_known()));
    }
    if has_other_encryption_keys(host, credentials) {
        let is_known = credentials.encryption_keys.iter().all(|key| key.secret.is_known());
        changed.insert((Foundation::EncryptionKeys, is_known));
    }
    changed
}

/// Whether this file holds an authority or the service account key, of which a cluster that stays takes no others. The configuration of
/// encryption is not among them: keys may follow those in use.
pub fn is_kept(path: &HostPath) -> bool {
    let is = |folder: &str, file: &str| path.as_str().strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) == Some(file);
    let of_service_accounts = ["pub", "key"].map(|end| format!("{SERVICE_ACCOUNT}.{end}"));
    AUTHORITIES.iter().any(|(_, folder, file)| is(folder, file))
        || of_service_accounts.iter().any(|file| is(KUBERNETES_PKI, file))
}

fn is_other(host: &Manifest, path: &str, text: &Part<String>) -> bool {
    let recorded = host.files.get(&HostPath::literal(path));
    recorded.is_some_and(|recorded| match text {
        Part::Known(text) => Some(Digest::of(text.as_bytes())) != recorded.sha256,
        Part::Unknown => true,
    })
}

type Key<'a> = (&'a str, &'a str);

/// The state has a digest of them only: it is compared with that of each beginning and of each order of these.
fn has_other_encryption_keys(host: &Manifest, credentials: &Credentials) -> bool {
    let keys = &credentials.encryption_keys;
    let Some(recorded) = host.files.get(&HostPath::literal(encryption::PATH)).filter(|_| !keys.is_empty()) else { return false };
    let known: Vec<Key> = keys.iter().map_while(|key| Some((key.name.as_str(), key.secret.as_ref().known()?.reveal()))).collect();
    let is_recorded =
        |keys: &[Key]| Some(Digest::of(encryption::configuration(keys.iter().copied()).as_bytes())) == recorded.sha256;
    if (1..=known.len()).any(|count| is_recorded(&known[..count])) {
        return false;
    }
    known.len() < keys.len() || known.len() > MOST_KEYS || !orders(&known).iter().any(|order| is_recorded(order))
}

fn orders<'a>(keys: &[Key<'a>]) -> Vec<Vec<Key<'a>>> {
    if keys.len() < 2 {
        return vec![keys.to_vec()];
    }
    let mut orders = Vec::new();
    for at in 0..keys.len() {
        let mut others = keys.to_vec();
        let first = others.remove(at);
        orders.extend(self::orders(&others).into_iter().map(|rest| std::iter::once(first).chain(rest).collect()));
    }
    orders
}
