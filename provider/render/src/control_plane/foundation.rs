//! What a cluster stands on: the credentials that no cluster can take anew while it runs, the file in which every control-plane
//! host has each of them, and how a manifest tells whether it still is the same.

use super::encryption;
use super::files::{ETCD_PKI, KUBERNETES_PKI};
use bundle::{Digest, HostPath, Manifest};

/// Authorities by their name in the table of crate `pki`. Not among them: the authority of the controller manager's own server,
/// which no file of a host has, and that of the API server as a client of kubelets, which nodes have.
const AUTHORITIES: [(&str, &str, &str); 5] = [
    ("etcd-ca", ETCD_PKI, "ca.crt"),
    ("etcd-peer-ca", ETCD_PKI, "peer-ca.crt"),
    ("apiserver-ca", KUBERNETES_PKI, "apiserver-ca.crt"),
    ("cluster-ca", KUBERNETES_PKI, "cluster-ca.crt"),
    ("front-proxy-ca", KUBERNETES_PKI, "front-proxy-ca.crt"),
];
/// `n` keys have `n!` orders; nobody rotates more at once.
const MOST_KEYS: usize = 5;

/// Names of the authorities that every control-plane host has in a file.
pub fn authorities() -> impl Iterator<Item = &'static str> {
    AUTHORITIES.into_iter().map(|(name, _, _)| name)
}

/// Whether the host trusts other certificates under this authority's name than `pem`. `None` of `pem`: not known yet.
pub fn has_other_authority(host: &Manifest, authority: &str, pem: Option<&str>) -> bool {
    let path = AUTHORITIES.into_iter().find(|(name, _, _)| *name == authority);
    path.is_some_and(|(_, folder, file)| is_other(host, &format!("{folder}/{file}"), pem))
}

/// The same for the public key that verifies service account tokens.
pub fn has_other_service_account(host: &Manifest, public_key: Option<&str>) -> bool {
    is_other(host, &format!("{KUBERNETES_PKI}/service-account.pub"), public_key)
}

/// Whether the API server of this host has keys that encrypt Secrets which `keys`, in their order, does not give to every host
/// before one of them encrypts. The same keys may change their order, and further ones may follow those that the host has.
pub fn has_other_encryption_keys(host: &Manifest, keys: &[(&str, Option<&str>)]) -> bool {
    let Some(recorded) = host.files.get(&HostPath::literal(encryption::PATH)) else { return false };
    let known: Vec<(&str, &str)> = keys.iter().map_while(|(name, secret)| Some((*name, (*secret)?))).collect();
    let is_recorded =
        |keys: &[(&str, &str)]| Some(Digest::of(encryption::configuration(keys.iter().copied()).as_bytes())) == recorded.sha256;
    if (1..=known.len()).any(|count| is_recorded(&known[..count])) {
        return false;
    }
    known.len() < keys.len() || known.len() > MOST_KEYS || !orders(&known).iter().any(|order| is_recorded(order))
}

fn is_other(host: &Manifest, path: &str, text: Option<&str>) -> bool {
    let recorded = host.files.get(&HostPath::literal(path));
    recorded.is_some_and(|recorded| text.is_none_or(|text| recorded.sha256 != Some(Digest::of(text.as_bytes()))))
}

fn orders<'a>(keys: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
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
