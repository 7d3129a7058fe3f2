//! Two verifiers judge the chains: each certificate is accepted below its own authority and for its usages, and refused
//! below every other authority and for every other usage.

use crate::{NOW, issue_all, issue_only, issued, plan_at, request};
use credentials::Credentials;
use pki::{KeyAlgorithm, Request, Usage};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Runs `openssl verify` at the time of the tests and returns what it said when it refused.
fn openssl_verify(authority: &str, certificate: &str, purpose: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let (authority, certificate) = (write("authority.pem", authority), write("certificate.pem", certificate));
    run_openssl(&[
        "verify".as_ref(),
        "-x509_strict".as_ref(),
        "-no-CApath".as_ref(),
        "-attime".as_ref(),
        NOW.unix_timestamp().to_string().as_ref(),
        "-purpose".as_ref(),
        purpose.as_ref(),
        "-CAfile".as_ref(),
        &authority,
        &certificate,
    ])
    .map(|_| ())
}

pub fn run_openssl(arguments: &[&Path]) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments).output().expect("openssl must be installed: it is the first verifier");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
}

#[track_caller]
pub fn accepted_by_openssl(authority: &str, certificate: &str, purpose: &str) {
    if let Err(said) = openssl_verify(authority, certificate, purpose) {
        panic!("openssl refused it for {purpose}: {said}");
    }
}

fn webpki_verify(authority: &str, certificate: &str, usage: Usage) -> Result<(), webpki::Error> {
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unix_timestamp() as u64));
    let usage = match usage {
        Usage::ServerAuth => KeyUsage::server_auth(),
        Usage::ClientAuth => KeyUsage::client_auth(),
    };
    let anchors = [anchor_from_trusted_cert(&authority)?];
    let end_entity = EndEntityCert::try_from(&certificate)?;
    end_entity.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], now, usage, None, None).map(|_| ())
}

fn openssl_purpose(usage: Usage) -> &'static str {
    match usage {
        Usage::ServerAuth => "sslserver",
        Usage::ClientAuth => "sslclient",
    }
}

#[test]
fn each_leaf_is_accepted_exactly_below_its_authority_and_for_its_usages() {
    let (specs, credentials) = issued();
    let authorities = || specs.iter().filter(|(_, spec)| spec.authority.is_none()).map(|(name, _)| name);
    for (leaf, spec) in specs.iter().filter(|(_, spec)| spec.authority.is_some()) {
        for authority in authorities() {
            for usage in Usage::ALL {
                let is_right = spec.authority.as_ref() == Some(authority) && spec.usages.contains(&usage);
                let (authority_pem, pem) =
                    (&credentials.known_certificates()[authority], &credentials.known_certificates()[leaf]);
                let verdict = webpki_verify(authority_pem, pem, usage);
                assert_eq!(verdict.is_ok(), is_right, "webpki: {leaf} below {authority} for {usage}: {verdict:?}");
                let verdict = openssl_verify(authority_pem, pem, openssl_purpose(usage));
                assert_eq!(verdict.is_ok(), is_right, "openssl: {leaf} below {authority} for {usage}: {verdict:?}");
            }
        }
    }
}

#[test]
fn the_name_matters_in_both_families() {
    let pem = &issued().1.known_certificates()["apiserver/cp-1"];
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let certificate = EndEntityCert::try_from(&certificate).unwrap();
    let is_for = |name: &str| certificate.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()).is_ok();
    for name in ["api.demo.internal", "localhost", "kubernetes.default.svc", "10.96.0.1", "fd00:96::1", "2001:db8::100", "::1"] {
        assert!(is_for(name), "{name}");
    }
    for name in ["cp-2", "10.0.2.4", "2001:db8:2::4", "kubernetes.default.svc.other"] {
        assert!(!is_for(name), "{name}");
    }
}

/// The isolation that the authorities exist for, in the words of the components.
#[test]
fn an_etcd_peer_is_no_etcd_client_and_an_etcd_client_is_no_kubernetes_user() {
    let certificates = &issued().1.known_certificates();
    for (leaf, authority) in [("etcd-peer/cp-1", "etcd-ca"), ("etcd-client", "cluster-ca"), ("admin", "front-proxy-ca")] {
        assert!(webpki_verify(&certificates[authority], &certificates[leaf], Usage::ClientAuth).is_err());
        assert!(openssl_verify(&certificates[authority], &certificates[leaf], "sslclient").is_err());
    }
}

#[test]
fn two_clusters_do_not_trust_each_other() {
    let (_, other) = issue_all(&Request { cluster_name: "other".into(), ..request() });
    let authority = &other.known_certificates()["cluster-ca"];
    assert!(webpki_verify(authority, &issued().1.known_certificates()["admin"], Usage::ClientAuth).is_err());
}

#[test]
fn a_certificate_with_several_organisations_is_signed_as_any_other() {
    let (specs, credentials) = issued();
    let (authority, pem) = (&credentials.known_certificates()["cluster-ca"], &credentials.known_certificates()["prometheus"]);
    assert_eq!(specs["prometheus"].organizations.len(), 2);
    accepted_by_openssl(authority, pem, "sslclient");
    webpki_verify(authority, pem, Usage::ClientAuth).unwrap();
    assert_eq!(subject_of(pem), "subject=O = monitoring, O = readers, CN = prometheus");
}

fn subject_of(pem: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let arguments = ["x509", "-noout", "-subject", "-in"].map(Path::new);
    run_openssl(&[&arguments[..], &[file.path()]].concat()).unwrap().trim().to_owned()
}

/// The leaf is the one with several organisations, which is signed in a way of its own.
#[test]
fn every_key_algorithm_makes_chains_and_keys_that_both_verifiers_read() {
    for key_algorithm in KeyAlgorithm::ALL {
        let (specs, credentials) = issue_only(&Request { key_algorithm, ..request() }, &["cluster-ca", "prometheus"]);
        let (authority, leaf) =
            (&credentials.known_certificates()["cluster-ca"], &credentials.known_certificates()["prometheus"]);
        accepted_by_openssl(authority, leaf, "sslclient");
        webpki_verify(authority, leaf, Usage::ClientAuth).unwrap();
        assert!(plan_at(&specs, &credentials.known_certificates(), NOW, 0) == pki::Plan::default(), "{key_algorithm}");
        keys_fit(&credentials);
    }
}

/// PKCS#8 throughout, and each key is that of its certificate, or of its public key.
#[track_caller]
pub fn keys_fit(credentials: &Credentials) {
    for (name, key) in &credentials.private_keys {
        let key = key.as_ref().known().unwrap();
        assert!(key.reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"), "{name} is not PKCS#8");
        let directory = tempfile::tempdir().unwrap();
        let (key_file, file) = (directory.path().join("key"), directory.path().join("certificate"));
        std::fs::write(&key_file, key.reveal()).unwrap();
        let of_key = run_openssl(&["pkey".as_ref(), "-pubout".as_ref(), "-in".as_ref(), &key_file]).unwrap();
        let public = match credentials.known_certificates().get(name) {
            Some(pem) => {
                std::fs::write(&file, pem).unwrap();
                run_openssl(&["x509".as_ref(), "-noout".as_ref(), "-pubkey".as_ref(), "-in".as_ref(), &file]).unwrap()
            }
            None => credentials.public_keys[name].clone().known().unwrap(),
        };
        assert_eq!(of_key, public, "{name}");
    }
}

#[test]
fn every_key_is_that_of_its_certificate() {
    keys_fit(&issued().1);
}
