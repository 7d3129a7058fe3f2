//! What a manifest tells of the credentials that a cluster stands on.

use crate::cases::{Case, Families, control_plane_bundle};
use bundle::{HostName, Manifest};
use credentials::{Authority, Credentials, EncryptionKey, Part, Secret};
use render::control_plane::foundation::{AUTHORITIES, Foundation, changed};
use std::collections::BTreeSet;

const CASE: Case = Case { families: Families::Ipv4, hosts: 3 };
const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";

fn manifest(credentials: &Credentials) -> Manifest {
    control_plane_bundle(&CASE.cluster(), credentials, &HostName::literal("cp-2")).manifest()
}

#[track_caller]
fn check(change: impl Fn(&mut Credentials), expect: &[(Foundation, bool)]) {
    let mut credentials = CASE.credentials();
    let host = manifest(&credentials);
    change(&mut credentials);
    assert_eq!(changed(&host, &credentials), expect.iter().copied().collect());
    assert_eq!(changed(&Manifest::default(), &credentials), BTreeSet::new(), "nothing is recorded");
}

#[test]
fn every_authority_of_a_control_plane_host_is_compared() {
    check(|_| {}, &[]);
    for (name, ..) in AUTHORITIES {
        let set = |part: Part<Authority>| move |all: &mut Credentials| drop(all.authorities.insert(name.into(), part.clone()));
        check(set(Part::Known(Authority::of("another"))), &[(Foundation::Authority(name), true)]);
        check(set(Part::Unknown), &[(Foundation::Authority(name), false)]);
        check(|all| drop(all.authorities.remove(name)), &[]);
    }
    let elsewhere = ["controller-manager-ca", "kubelet-client-ca"];
    let all = CASE.credentials().authorities;
    let compared: BTreeSet<&str> = AUTHORITIES.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(all.keys().map(String::as_str).filter(|name| !elsewhere.contains(name)).collect::<BTreeSet<_>>(), compared);
}

#[test]
fn the_service_account_key_is_compared() {
    let set =
        |part: Part<String>| move |all: &mut Credentials| drop(all.public_keys.insert("service-account".into(), part.clone()));
    check(set(Part::Known("another".into())), &[(Foundation::ServiceAccountKey, true)]);
    check(set(Part::Unknown), &[(Foundation::ServiceAccountKey, false)]);
}

#[test]
fn encryption_keys_may_follow_those_in_use_and_change_their_order() {
    type Keys<'a> = &'a [(&'a str, Option<&'a str>)];
    let with = |keys: Keys| {
        let mut credentials = CASE.credentials();
        let key = |(name, secret): &(&str, Option<&str>)| EncryptionKey {
            name: name.to_string(),
            secret: secret.map_or(Part::Unknown, |text| Part::Known(Secret::new(text))),
        };
        credentials.encryption_keys = keys.iter().map(key).collect();
        credentials
    };
    let (one, two) = (("key1", Some(ONE)), ("key2", Some(TWO)));
    let (one_unknown, two_unknown) = (("key1", None), ("key2", None));
    let cases: [(Keys, Keys, bool); 12] = [
        (&[one], &[one], false),
        (&[one], &[one, two], false),
        (&[one], &[one, two_unknown], false),
        (&[one, two], &[one, two], false),
        (&[one, two], &[two, one], false),
        (&[one], &[], false),
        (&[one], &[two, one], true),
        (&[one], &[two], true),
        (&[one], &[("key1", Some(TWO))], true),
        (&[one], &[one_unknown], true),
        (&[one, two], &[one], true),
        (&[one, two], &[two, one_unknown], true),
    ];
    for (recorded, keys, is_other) in cases {
        let found = changed(&manifest(&with(recorded)), &with(keys));
        assert_eq!(!found.is_empty(), is_other, "{recorded:?} -> {keys:?}");
    }
}
