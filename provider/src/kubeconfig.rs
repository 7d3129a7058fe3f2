//! A kubeconfig out of a cluster's `join` and a client certificate: what the data source and the function of that name share.

use crate::resources::on_hosts::hardway_cluster::Join;
use credentials::Secret;
use pki::fit;
use pki::table::AUTHORITIES;
use render::kubeconfig::{Identity, Kubeconfig, Trust, render_kubeconfig};

/// The arguments of this name.
pub const CERTIFICATE: &str = "client_certificate";
pub const KEY: &str = "client_key";

/// Whose `user` is a client certificate and its key, in PEM. `None` while a part of the cluster that it names is unknown.
pub fn kubeconfig(cluster: &Join, user: &str, certificate: &str, private_key: &Secret) -> Option<Secret> {
    Some(render_kubeconfig(&Kubeconfig {
        cluster_name: cluster.cluster_name.known()?,
        server: cluster.endpoint.known()?,
        trust: Trust::Embedded { pem: cluster.apiserver_authority.known()? },
        user,
        identity: Identity::ClientCertificate { certificate, private_key },
    }))
}

/// An argument that does not fit the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    pub argument: &'static str,
    pub summary: String,
    pub detail: String,
}

/// What is wrong with the arguments that are known: the certificate and its private key in PEM, and the name of the cluster.
pub fn misfit(cluster_name: Option<&str>, certificate: Option<&str>, key: Option<&str>) -> Option<Misfit> {
    let given = [(CERTIFICATE, "CERTIFICATE", certificate), (KEY, "PRIVATE KEY", key)];
    let no_pem = given.into_iter().find_map(|(argument, label, text)| no_pem(argument, label, text?));
    no_pem.or_else(|| foreign_authority(cluster_name, certificate?)).or_else(|| foreign_key(certificate?, key?))
}

fn no_pem(argument: &'static str, label: &str, text: &str) -> Option<Misfit> {
    let is_pem = text.contains(&format!("-----BEGIN {label}-----"));
    let detail = format!("It begins with -----BEGIN {label}-----; k8s_pki gives it in certificates and in bundle.private_keys.");
    (!is_pem).then(|| Misfit { argument, summary: format!("{argument} is not in PEM"), detail })
}

/// Authorities that are not of a `k8s_pki` are taken: an API server can be told to trust others.
fn foreign_authority(cluster_name: Option<&str>, certificate: &str) -> Option<Misfit> {
    let Ok(issuer) = fit::issuer(certificate) else {
        let detail = "k8s_pki gives certificates, such as certificates[\"admin\"].".into();
        return Some(Misfit { argument: CERTIFICATE, summary: format!("{CERTIFICATE} cannot be read"), detail });
    };
    let expected = format!("{} cluster-ca", cluster_name?);
    let is_of_some_pki = AUTHORITIES.iter().any(|authority| issuer.ends_with(&format!(" {}", authority.name)));
    (is_of_some_pki && issuer != expected).then(|| Misfit {
        argument: CERTIFICATE,
        summary: format!("{CERTIFICATE} is signed by {issuer:?}, not by {expected:?}"),
        detail:
            "The API servers of this cluster would refuse it. Take certificate and key from the k8s_pki of the cluster, such as \
                 certificates[\"admin\"] and bundle.private_keys[\"admin\"]."
                .into(),
    })
}

fn foreign_key(certificate: &str, key: &str) -> Option<Misfit> {
    let summary = match fit::is_for_key(certificate, &Secret::new(key)) {
        Ok(true) => return None,
        Ok(false) => format!("{KEY} is not the private key of {CERTIFICATE}"),
        Err(_) => format!("{KEY} cannot be read"),
    };
    let detail = "Take both under one name: certificates[\"admin\"] and bundle.private_keys[\"admin\"] of the k8s_pki.".into();
    Some(Misfit { argument: KEY, summary, detail })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A certificate of cluster `demo` and its key, by name.
    pub(crate) fn pair(name: &str) -> [String; 2] {
        let state: serde_json::Value = serde_json::from_str(include_str!("lifecycle/k8s_pki.version-0.json")).unwrap();
        ["certificates", "private_keys"].map(|kind| state["bundle"][kind][name].as_str().unwrap().to_string())
    }

    #[track_caller]
    fn check(cluster_name: &str, certificate: &str, key: &str, expect: Option<(&str, &str)>) {
        let found = misfit(Some(cluster_name), Some(certificate), Some(key));
        assert_eq!(found.as_ref().map(|found| (found.argument, found.summary.as_str())), expect);
        assert!(found.is_none_or(|found| !found.detail.contains(key)), "the key is printed");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let [admin, key] = pair("admin");
        let [etcd, etcd_key] = pair("etcd-client");
        check("demo", &admin, &key, None);
        check("demo", &admin, &etcd_key, Some((KEY, "client_key is not the private key of client_certificate")));
        let by_etcd = "client_certificate is signed by \"demo etcd-ca\", not by \"demo cluster-ca\"";
        check("demo", &etcd, &etcd_key, Some((CERTIFICATE, by_etcd)));
        let by_demo = "client_certificate is signed by \"demo cluster-ca\", not by \"other cluster-ca\"";
        check("other", &admin, &key, Some((CERTIFICATE, by_demo)));
        check("demo", &key, &key, Some((CERTIFICATE, "client_certificate is not in PEM")));
        check("demo", &admin, &admin, Some((KEY, "client_key is not in PEM")));
        let cut = &admin[..200];
        check("demo", cut, &key, Some((CERTIFICATE, "client_certificate cannot be read")));
        check("demo", &admin, &key[..60], Some((KEY, "client_key cannot be read")));
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        let [admin, _] = pair("admin");
        assert_eq!(misfit(None, Some(&admin), None), None);
        assert_eq!(misfit(None, None, None), None);
    }
}
