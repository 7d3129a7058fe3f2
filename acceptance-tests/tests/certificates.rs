//! The certificates of the quick start, as its state holds them, judged by others: openssl for chains and usages, zlint for form.
//! (Crate `pki` asks a second verifier of chains, webpki, the same questions for every key algorithm.) Needs no hosts.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::command::run;
use acceptance_tests::suite::{Shared, main as run_all};
use acceptance_tests::{Engine, Workspace, scenarios, source_folder};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

struct Certificates {
    workspace: Workspace,
    /// Path of each certificate by its name.
    files: BTreeMap<String, PathBuf>,
}

const AUTHORITIES: [&str; 7] =
    ["apiserver-ca", "cluster-ca", "controller-manager-ca", "etcd-ca", "etcd-peer-ca", "front-proxy-ca", "kubelet-client-ca"];
const SERVER: &str = "sslserver";
const CLIENT: &str = "sslclient";

/// What each leaf certificate is for: its authority, and the usages for which it must be accepted.
const PURPOSES: &[(&str, &str, &[&str])] = &[
    ("apiserver/", "apiserver-ca", &[SERVER]),
    ("controller-manager/", "controller-manager-ca", &[SERVER]),
    ("etcd-server/", "etcd-ca", &[SERVER, CLIENT]), // etcd's gateway is a client of etcd with the server's certificate
    ("etcd-peer/", "etcd-peer-ca", &[SERVER, CLIENT]),
    ("apiserver-etcd-client", "etcd-ca", &[CLIENT]),
    ("etcd-client", "etcd-ca", &[CLIENT]),
    ("apiserver-kubelet-client", "kubelet-client-ca", &[CLIENT]),
    ("front-proxy-client", "front-proxy-ca", &[CLIENT]),
    ("", "cluster-ca", &[CLIENT]), // every user of the API server
];

/// What zlint calls an error and why it is none here: all but one are rules of the CA/Browser Forum, for authorities that browsers trust.
const EXPLAINED: &[(&str, &str)] = &[
    ("e_ca_country_name_missing", "authorities of one cluster belong to no country"),
    ("e_dnsname_not_valid_tld", "cluster.local and host names are not in the public DNS, and need not be"),
    ("e_ext_san_contains_reserved_ip", "hosts and services have private addresses"),
    (
        "e_missing_crl_distrib_point",
        "components of Kubernetes read no revocation lists; a lost key is answered by a new authority",
    ),
    ("e_server_cert_valid_time_longer_than_200_days", "a year, as the certificates of kubeadm: renewal is an apply, not a robot"),
    ("e_sub_cert_aia_missing", "every client has the authority's certificate in its configuration"),
    ("e_sub_cert_cert_policy_empty", "there is no policy but that of the cluster"),
    ("e_sub_cert_certificate_policies_missing", "there is no policy but that of the cluster"),
];

impl Shared for Certificates {
    fn begin() -> Self {
        let workspace = Workspace::of_example(&Engine::first(), "quickstart", "certificates");
        run(workspace.command(None, "apply").args(["-auto-approve", "-input=false", "-no-color", "-target=k8s_pki.main"]))
            .success();
        let certificates = workspace.attribute("k8s_pki.main", "certificates");
        let save = |(name, pem): (&String, &serde_json::Value)| {
            let file = format!("{}.pem", name.replace('/', "."));
            workspace.write(&file, pem.as_str().unwrap());
            (name.clone(), workspace.folder.join(file))
        };
        let files = certificates.as_object().unwrap().iter().map(save).collect();
        Certificates { workspace, files }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        self.workspace.remove();
    }
}

fn main() -> ExitCode {
    run_all::<Certificates>(
        None,
        &scenarios![
            every_authority_is_there_and_is_its_own_root,
            every_leaf_is_accepted_for_its_purpose_and_refused_for_any_other,
            zlint_finds_no_error
        ],
    )
}

fn every_authority_is_there_and_is_its_own_root(certificates: &mut Certificates) {
    let authorities: Vec<&String> = certificates.files.keys().filter(|name| name.ends_with("-ca")).collect();
    assert_eq!(authorities, AUTHORITIES);
    for authority in AUTHORITIES {
        for other in AUTHORITIES {
            assert_eq!(certificates.is_accepted(authority, other, "any"), authority == other, "{authority} below {other}");
        }
    }
}

fn every_leaf_is_accepted_for_its_purpose_and_refused_for_any_other(certificates: &mut Certificates) {
    for leaf in certificates.files.keys().filter(|name| !name.ends_with("-ca")) {
        let (_, authority, usages) = PURPOSES.iter().find(|(name, ..)| leaf.starts_with(name)).unwrap();
        for candidate in AUTHORITIES {
            for usage in [SERVER, CLIENT] {
                let expected = candidate == *authority && usages.contains(&usage);
                assert_eq!(certificates.is_accepted(leaf, candidate, usage), expected, "{leaf} below {candidate} as {usage}");
            }
        }
    }
}

fn zlint_finds_no_error(certificates: &mut Certificates) {
    let zlint = run(Command::new(source_folder().join("lab/engines/build.sh")).arg("zlint")).success().stdout;
    let mut errors = Vec::new();
    for (name, file) in &certificates.files {
        let results = run(Command::new(zlint.trim()).arg(file)).json();
        let is_error = |result: &serde_json::Value| ["error", "fatal"].contains(&result["result"].as_str().unwrap_or_default());
        let found = results.as_object().unwrap().iter().filter(|(_, result)| is_error(result)).map(|(lint, _)| lint.clone());
        errors
            .extend(found.filter(|lint| !EXPLAINED.iter().any(|(known, _)| known == lint)).map(|lint| format!("{name}: {lint}")));
    }
    assert_eq!(errors, Vec::<String>::new());
}

impl Certificates {
    fn is_accepted(&self, name: &str, authority: &str, purpose: &str) -> bool {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-purpose", purpose, "-CAfile"]);
        run(openssl.arg(&self.files[authority]).arg(&self.files[name])).is_success()
    }
}
