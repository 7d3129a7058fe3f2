//! What a plan can promise of a cluster that exists while credentials are unknown: which contents are sure to stay and which are sure to
//! change. Of the others it promises nothing (docs/adr/0016). Pure.

use bundle::{Bundle, HostName};
use credentials::{Authority, Credentials, Part, Secret, Unlisted};
use schema::Value;
use std::collections::BTreeMap;

/// The credentials with placeholders for all that is unknown but not sure to change: what of them is unknown still, and what is made of
/// it, is sure to change. `pki` is the argument as the engine sends it. `None` where nothing is sure.
pub fn settled(pki: &Value, credentials: &Credentials) -> Option<Credentials> {
    let changes =
        |map: &str, name: &String| pki.get(map).as_map().and_then(|all| all.get(name)).is_some_and(Value::is_changing_pem);
    let is_sure = |map: &str| pki.get(map).as_map().is_some_and(|all| all.values().any(Value::is_changing_pem));
    if credentials.unlisted != Unlisted::default() || !["certificates", "private_keys"].into_iter().any(is_sure) {
        return None;
    }
    let mut settled = credentials.clone();
    for (name, authority) in &mut settled.authorities {
        settle(authority, changes("certificates", name), || Authority::of(""));
    }
    for (name, certificate) in &mut settled.certificates {
        settle(certificate, changes("certificates", name), String::new);
    }
    for (name, key) in &mut settled.private_keys {
        settle(key, changes("private_keys", name), || Secret::new(""));
    }
    settled.public_keys.values_mut().for_each(|key| settle(key, false, String::new));
    settled.encryption_keys.iter_mut().for_each(|key| settle(&mut key.secret, false, || Secret::new("")));
    Some(settled)
}

fn settle<T>(part: &mut Part<T>, changes: bool, placeholder: impl Fn() -> T) {
    if !part.is_known() && !changes {
        *part = Part::Known(placeholder());
    }
}

/// Marks as sure to change what is unknown in `sure` as well.
pub fn mark(bundles: &mut BTreeMap<HostName, Bundle>, sure: &BTreeMap<HostName, Bundle>) {
    for (host, bundle) in bundles {
        sure.get(host).into_iter().for_each(|sure| bundle.mark_changing(sure.unknown_files()));
    }
}
