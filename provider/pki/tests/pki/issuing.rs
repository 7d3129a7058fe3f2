//! What `issue` keeps, drops and refuses, and how long it takes.

use crate::{NOW, RENEW_BEFORE_HOURS, issued, plan_at, request};
use base64::prelude::*;
use credentials::{Credentials, Part, Secret};
use pki::{PkiError, Reason, Request, SECRETS_ENCRYPTION, SERVICE_ACCOUNT, certificate_specs, expiry, fingerprint, issue};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use time::Duration;

fn reasons<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Reason> {
    names.into_iter().map(|name| (name.to_owned(), Reason::Missing)).collect()
}

#[track_caller]
fn refused(existing: &Credentials, reasons: &BTreeMap<String, Reason>, now: time::OffsetDateTime) -> String {
    issue(&issued().0, existing, reasons, now).err().unwrap().to_string()
}

#[test]
fn every_certificate_has_its_key_and_nothing_else_is_there() {
    let (specs, credentials) = issued();
    let names: BTreeSet<&str> = specs.keys().map(String::as_str).collect();
    assert_eq!(credentials.known_certificates().keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let keys: BTreeSet<&str> = names.into_iter().chain([SERVICE_ACCOUNT]).collect();
    assert_eq!(credentials.private_keys.keys().map(String::as_str).collect::<BTreeSet<_>>(), keys);
    assert_eq!(credentials.public_keys.keys().collect::<Vec<_>>(), [SERVICE_ACCOUNT]);
    let [key] = credentials.encryption_keys.as_slice() else { panic!("there is not one encryption key") };
    assert_eq!(key.name, SECRETS_ENCRYPTION);
    assert_eq!(BASE64_STANDARD.decode(key.secret.as_ref().known().unwrap().reveal()).unwrap().len(), 32);
}

#[test]
fn only_what_is_named_changes() {
    let (specs, before) = issued();
    let after = issue(specs, before, &reasons(["admin"]), NOW).ok().unwrap();
    for name in specs.keys() {
        let is_kept = name != "admin";
        assert_eq!(after.known_certificates()[name] == before.known_certificates()[name], is_kept, "{name}");
        assert_eq!(after.private_keys[name] == before.private_keys[name], is_kept, "{name}");
    }
    assert!(after.private_keys[SERVICE_ACCOUNT] == before.private_keys[SERVICE_ACCOUNT]);
    assert!(after.public_keys == before.public_keys && after.encryption_keys == before.encryption_keys);
}

#[test]
fn a_certificate_whose_names_or_usages_change_keeps_its_key_and_a_renewed_one_does_not() {
    let (specs, before) = issued();
    let names = || Reason::NamesChanged { added: vec!["a.b".into()], removed: vec![] };
    for (reason, keeps) in [(names(), true), (Reason::UsagesChanged, true), (Reason::Expires(NOW), false)] {
        let after = issue(specs, before, &BTreeMap::from([("apiserver/cp-1".to_owned(), reason)]), NOW).ok().unwrap();
        assert!(after.certificates["apiserver/cp-1"] != before.certificates["apiserver/cp-1"]);
        assert_eq!(after.private_keys["apiserver/cp-1"] == before.private_keys["apiserver/cp-1"], keeps);
        crate::chains::keys_fit(&after);
    }
    let mut without = before.clone();
    without.private_keys.remove("apiserver/cp-1");
    let after = issue(specs, &without, &BTreeMap::from([("apiserver/cp-1".to_owned(), names())]), NOW).ok().unwrap();
    assert!(after.private_keys.contains_key("apiserver/cp-1"), "a key that is lost is made");
}

#[test]
fn what_is_no_longer_specified_is_dropped_with_its_key() {
    let mut request = request();
    request.hosts.remove("cp-2");
    let specs = certificate_specs(&request).unwrap();
    let after = issue(&specs, &issued().1, &BTreeMap::new(), NOW).ok().unwrap();
    assert!(after.known_certificates().keys().chain(after.private_keys.keys()).all(|name| !name.ends_with("/cp-2")));
}

#[test]
fn the_service_account_key_survives_every_reissue() {
    let before = &issued().1;
    let everything = issued().0.keys().map(String::as_str);
    let after = issue(&issued().0, before, &reasons(everything), NOW).ok().unwrap();
    assert!(after.known_certificates()["etcd-ca"] != before.known_certificates()["etcd-ca"]);
    assert!(after.private_keys[SERVICE_ACCOUNT] == before.private_keys[SERVICE_ACCOUNT]);
    assert!(after.encryption_keys == before.encryption_keys);
}

#[test]
fn a_lost_public_key_comes_back_from_the_private_one_and_a_lost_private_key_is_an_error() {
    let mut existing = issued().1.clone();
    existing.public_keys.clear();
    let after = issue(&issued().0, &existing, &BTreeMap::new(), NOW).ok().unwrap();
    assert!(after.public_keys == issued().1.public_keys);

    let mut existing = issued().1.clone();
    existing.private_keys.remove(SERVICE_ACCOUNT);
    assert!(refused(&existing, &BTreeMap::new(), NOW).contains("service-account"));
}

#[test]
fn an_authority_that_cannot_sign_is_an_error_that_names_it() {
    let admin = reasons(["admin"]);
    let with_key = |key: Option<Part<Secret>>| {
        let mut credentials = issued().1.clone();
        credentials.private_keys.remove("cluster-ca");
        credentials.private_keys.extend(key.map(|key| ("cluster-ca".to_owned(), key)));
        credentials
    };
    let missing = refused(&with_key(None), &admin, NOW);
    assert!(missing.contains("cluster-ca: its private key is missing"), "{missing}");

    let foreign = refused(&with_key(Some(issued().1.private_keys["etcd-ca"].clone())), &admin, NOW);
    assert!(foreign.contains("belongs to another certificate"), "{foreign}");

    let unreadable = refused(&with_key(Some(Part::Known(Secret::new("no key")))), &admin, NOW);
    assert!(unreadable.contains("private key of cluster-ca"), "{unreadable}");

    let expired = refused(&issued().1, &admin, NOW + Duration::hours(87_600));
    assert!(expired.contains("cluster-ca: it expired at 2036-02-27T12:00:00Z"), "{expired}");
}

#[test]
fn a_broken_key_reaches_neither_the_error_nor_its_causes() {
    let canaries = ["canary", "-----BEGIN canary-----\nAAAA\n-----END other-----\n", "-----BEGIN PRIVATE KEY-----\ncanary\n"];
    for canary in canaries {
        let mut credentials = issued().1.clone();
        credentials.private_keys.insert("cluster-ca".into(), Part::Known(Secret::new(canary)));
        let error = issue(&issued().0, &credentials, &reasons(["admin"]), NOW).err().unwrap();
        let told = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn what_was_never_planned_is_a_bug_and_not_issued_silently() {
    let (specs, _) = issued();
    let error = issue(specs, &Credentials::default(), &BTreeMap::new(), NOW).err().unwrap();
    assert!(matches!(error, PkiError::NotPlanned { .. }), "{error}");
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let (specs, credentials) = issued();
    let late = NOW + Duration::hours(87_600 - 1);
    let after = issue(specs, credentials, &reasons(["admin"]), late).ok().unwrap();
    assert_eq!(expiry(&after.known_certificates()["admin"]).unwrap(), expiry(&after.known_certificates()["cluster-ca"]).unwrap());
}

#[test]
fn serial_numbers_and_fingerprints_are_all_different() {
    let certificates = &issued().1.known_certificates();
    let fingerprints: BTreeSet<String> = certificates.values().map(|pem| fingerprint(pem).unwrap()).collect();
    assert_eq!(fingerprints.len(), certificates.len());
    assert!(fingerprints.iter().all(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn what_is_no_certificate_has_neither_expiry_nor_fingerprint() {
    assert!(expiry("").is_err() && fingerprint("-----BEGIN CERTIFICATE-----").is_err());
}

/// 78 hosts have about 333 certificates, each with its key. One of five tries must do, because tests share the machine.
#[test]
fn a_large_cluster_is_issued_in_well_under_a_second() {
    let hosts = (0..78).map(|n| (format!("cp-{n}"), vec![IpAddr::from([10, 0, 1, n])])).collect();
    let specs = certificate_specs(&Request { hosts, ..request() }).unwrap();
    let plan = plan_at(&specs, &BTreeMap::new(), NOW, RENEW_BEFORE_HOURS).issue;
    assert!(plan.len() >= 330, "{}", plan.len());
    let took = || {
        let started = std::time::Instant::now();
        assert!(issue(&specs, &Credentials::default(), &plan, NOW).is_ok());
        started.elapsed()
    };
    let tries: Vec<_> = (0..5).map(|_| took()).collect();
    assert!(tries.iter().any(|took| took.as_millis() < 700), "{} certificates took {tries:?}", plan.len());
}
