//! What a manifest tells of the credentials that a cluster stands on.

use crate::cases::{Case, Families, control_plane_bundle};
use bundle::{HostName, Manifest};
use render::Credentials;
use render::control_plane::foundation::{authorities, has_other_authority, has_other_encryption_keys, has_other_service_account};

const CASE: Case = Case { families: Families::Ipv4, hosts: 3 };
const OTHER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";

fn manifest(credentials: &Credentials) -> Manifest {
    control_plane_bundle(&CASE.cluster(), credentials, &HostName::literal("cp-2")).manifest()
}

#[test]
fn every_authority_of_a_control_plane_host_is_compared() {
    let credentials = CASE.credentials();
    let host = manifest(&credentials);
    for name in authorities() {
        let pem = credentials.certificates.get(name).unwrap().unwrap();
        assert!(!has_other_authority(&host, name, Some(pem)), "{name}");
        assert!(has_other_authority(&host, name, Some("another")), "{name} is in no file of the host");
        assert!(has_other_authority(&host, name, None), "{name}");
        assert!(!has_other_authority(&Manifest::default(), name, None), "{name} was never recorded");
    }
    let named = |name: &&str| name.ends_with("-ca");
    let elsewhere = ["controller-manager-ca", "kubelet-client-ca"];
    let all = credentials.certificates.all_known().unwrap();
    let all = all.into_keys().filter(named).filter(|name| !elsewhere.contains(name));
    assert_eq!(all.collect::<std::collections::BTreeSet<_>>(), authorities().collect());
}

#[test]
fn the_service_account_key_is_compared() {
    let credentials = CASE.credentials();
    let host = manifest(&credentials);
    let key = credentials.public_keys.get("service-account").unwrap().unwrap();
    assert!(!has_other_service_account(&host, Some(key)));
    assert!(has_other_service_account(&host, Some("another")) && has_other_service_account(&host, None));
}

#[test]
fn encryption_keys_may_follow_those_in_use_and_change_their_order() {
    let key = CASE.credentials().encryption_keys.get("key1").unwrap().unwrap().to_string();
    let recorded = |keys: &[(&str, &str)]| {
        let mut credentials = CASE.credentials();
        let keys = keys.iter().map(|(name, key)| (name.to_string(), key.to_string()));
        credentials.encryption_keys = keys.collect::<std::collections::BTreeMap<_, _>>().into();
        manifest(&credentials)
    };
    let (first, second) = (("key1", key.as_str()), ("key2", OTHER));
    let known = |(name, key): (&'static str, &'static str)| (name, Some(key));
    let (k1, k2) = (("key1", Some(key.as_str())), known(("key2", OTHER)));
    for (host, keys, is_other) in [
        (recorded(&[first]), vec![k1], false),
        (recorded(&[first]), vec![k1, k2], false),
        (recorded(&[first]), vec![k1, ("key2", None)], false),
        (recorded(&[first, second]), vec![k1, k2], false),
        (recorded(&[first, second]), vec![k2, k1], false),
        (recorded(&[first]), vec![k2, k1], true),
        (recorded(&[first]), vec![k2], true),
        (recorded(&[first]), vec![("key1", Some(OTHER))], true),
        (recorded(&[first]), vec![("key1", None)], true),
        (recorded(&[first]), vec![], true),
        (recorded(&[first, second]), vec![k1], true),
        (recorded(&[first, second]), vec![k2, ("key1", None)], true),
    ] {
        let names: Vec<_> = keys.iter().map(|(name, key)| (name, key.is_some())).collect();
        assert_eq!(has_other_encryption_keys(&host, &keys), is_other, "{names:?}");
    }
}
