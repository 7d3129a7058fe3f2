//! The table as a whole: every name, who signs it and who it is.

use crate::request;
use pki::certificate_specs;
use pki::table::{AUTHORITIES, CommonName, LEAVES, Names, Scope};

/// Name, authority, common name, organisations, usages. A change here changes what every cluster consists of.
const EXPECTED: &str = "
admin                         cluster-ca             kubernetes-admin                 system:masters                    client_auth
apiserver-ca                  -                      demo apiserver-ca                demo                              -
apiserver-etcd-client         etcd-ca                apiserver-etcd-client            -                                 client_auth
apiserver-kubelet-client      kubelet-client-ca      kube-apiserver-kubelet-client    -                                 client_auth
apiserver/cp-1                apiserver-ca           kubernetes                       -                                 server_auth
apiserver/cp-2                apiserver-ca           kubernetes                       -                                 server_auth
cloud-controller-manager      cluster-ca             system:cloud-controller-manager  -                                 client_auth
cluster-ca                    -                      demo cluster-ca                  demo                              -
controller-manager            cluster-ca             system:kube-controller-manager   system:kube-controller-manager    client_auth
controller-manager-ca         -                      demo controller-manager-ca       demo                              -
controller-manager/cp-1       controller-manager-ca  cp-1                             -                                 server_auth
controller-manager/cp-2       controller-manager-ca  cp-2                             -                                 server_auth
csr-approver                  cluster-ca             k8s-hardway:csr-approver         -                                 client_auth
etcd-ca                       -                      demo etcd-ca                     demo                              -
etcd-client                   etcd-ca                etcd-client                      -                                 client_auth
etcd-peer-ca                  -                      demo etcd-peer-ca                demo                              -
etcd-peer/cp-1                etcd-peer-ca           cp-1                             -                                 server_auth,client_auth
etcd-peer/cp-2                etcd-peer-ca           cp-2                             -                                 server_auth,client_auth
etcd-server/cp-1              etcd-ca                cp-1                             -                                 server_auth,client_auth
etcd-server/cp-2              etcd-ca                cp-2                             -                                 server_auth,client_auth
front-proxy-ca                -                      demo front-proxy-ca              demo                              -
front-proxy-client            front-proxy-ca         front-proxy-client               -                                 client_auth
kube-proxy                    cluster-ca             system:kube-proxy                system:node-proxier               client_auth
kubelet-client-ca             -                      demo kubelet-client-ca           demo                              -
prometheus                    cluster-ca             prometheus                       monitoring,readers                client_auth
scheduler                     cluster-ca             system:kube-scheduler            -                                 client_auth
";

#[test]
fn the_table_is_what_is_written_here() {
    let specs = certificate_specs(&request()).unwrap();
    let rows: Vec<String> = specs
        .iter()
        .map(|(name, spec)| {
            let authority = spec.authority.as_deref().unwrap_or("-");
            let organizations = joined(spec.organizations.iter().cloned());
            let usages = joined(spec.usages.iter().map(ToString::to_string));
            format!("{name:<30}{authority:<23}{:<33}{organizations:<34}{usages}", spec.common_name)
        })
        .collect();
    assert_eq!(rows.join("\n"), EXPECTED.trim());
}

fn joined(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "-".into() } else { words.join(",") }
}

#[test]
fn every_leaf_has_an_authority_and_every_authority_has_leaves() {
    for leaf in LEAVES {
        assert!(AUTHORITIES.iter().any(|authority| authority.name == leaf.authority), "{}", leaf.name);
    }
    for authority in AUTHORITIES {
        assert!(LEAVES.iter().any(|leaf| leaf.authority == authority.name), "{}", authority.name);
    }
}

#[test]
fn a_leaf_names_its_host_exactly_when_it_is_issued_per_host() {
    for leaf in LEAVES {
        let is_per_host = leaf.scope == Scope::PerHost;
        assert_eq!(leaf.names.contains(&Names::Host), is_per_host, "{}", leaf.name);
        assert!(leaf.common_name != CommonName::Host || is_per_host, "{}", leaf.name);
    }
}

#[test]
fn isolated_authorities_never_share_a_common_name() {
    let specs = certificate_specs(&request()).unwrap();
    let names: std::collections::BTreeSet<_> =
        specs.values().filter(|spec| spec.authority.is_none()).map(|spec| &spec.common_name).collect();
    assert_eq!(names.len(), AUTHORITIES.len());
}
