//! Refuses a cluster whose certificates do not cover the endpoint, or the address of a control-plane host: whoever connects there
//! would refuse them. At plan where both are known, else at apply, before any host is reached. Pure.

use credentials::Credentials;
use ipnet::IpNet;
use pki::fit;
use render::spec::{ClusterSpec, Endpoint};
use schema::{AttributePath, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The leaves by which a control-plane host is known under its address.
const OF_HOSTS: [&str; 3] = ["apiserver", "etcd-server", "etcd-peer"];
/// Flags of kube-apiserver by which it serves certificates that the provider does not know.
const OTHER_CERTIFICATES: [&str; 2] = ["tls-cert-file", "tls-sni-cert-key"];

/// Certificates that are not known yet, or that cannot be read, are passed over.
pub fn check(spec: &ClusterSpec, credentials: &Credentials) -> Result<(), Diagnostic> {
    let serves_others = |flag: &String| OTHER_CERTIFICATES.contains(&flag.replace('_', "-").as_str());
    if !spec.api_server_flags.keys().any(serves_others) {
        check_endpoint(spec, credentials)?;
    }
    check_hosts(spec, credentials)
}

fn check_endpoint(spec: &ClusterSpec, credentials: &Credentials) -> Result<(), Diagnostic> {
    let served = spec.hosts.keys().filter_map(|host| Some((host.as_str(), names_of(credentials, "apiserver", host.as_str())?)));
    let served: BTreeMap<&str, BTreeSet<String>> = served.collect();
    let uncovered = served.iter().filter(|(_, names)| !fit::covers(names, &spec.endpoint.host));
    let hosts: Vec<&str> = uncovered.map(|(host, _)| *host).collect();
    if hosts.is_empty() {
        return Ok(());
    }
    let everywhere = served.values().cloned().reduce(|all, names| &all & &names).unwrap_or_default();
    let (hosts, covered) = (hosts.join(", "), &everywhere);
    Err(not_covered(&spec.endpoint, &hosts, covered, &spec.network.service_cidrs).at(AttributePath::attribute("endpoint")))
}

/// An endpoint that is not among the names of the certificate that API servers present there.
pub fn not_covered(endpoint: &Endpoint, hosts: &str, covered: &BTreeSet<String>, services: &[IpNet]) -> Diagnostic {
    let host = &endpoint.host;
    let usable = covered.iter().filter(|name| is_for_endpoints(name, services)).cloned().collect::<Vec<_>>().join(", ");
    Diagnostic::error(format!("the certificate of the API server does not cover {host}")).detail(format!(
        "Clients and nodes that connect to {} would refuse it. On {hosts} it covers {usable}. Add {host:?} to endpoints of the k8s_pki, \
         or take one of these names.",
        endpoint.url()
    ))
}

/// Not what every certificate of an API server covers for itself and for pods.
fn is_for_endpoints(name: &str, services: &[IpNet]) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => !address.is_loopback() && !services.iter().any(|cidr| cidr.contains(&address)),
        Err(_) => name != "localhost" && name != "kubernetes" && !name.starts_with("kubernetes.default"),
    }
}

fn check_hosts(spec: &ClusterSpec, credentials: &Credentials) -> Result<(), Diagnostic> {
    for (host, declared) in &spec.hosts {
        let address = declared.address.to_string();
        let lacks = |leaf: &&str| names_of(credentials, leaf, host.as_str()).is_some_and(|names| !fit::covers(&names, &address));
        let lacking: Vec<String> = OF_HOSTS.into_iter().filter(lacks).map(|leaf| pki::host_leaf(leaf, host.as_str())).collect();
        if !lacking.is_empty() {
            let path = AttributePath::attribute("hosts").key(host.as_str()).then("address");
            return Err(Diagnostic::error(format!("the certificates of host {host} do not cover {address}"))
                .detail(format!(
                    "Whoever connects to it would refuse {}. Give hosts of the k8s_pki the same address for {host}: {address:?}.",
                    lacking.join(", ")
                ))
                .at(path));
        }
    }
    Ok(())
}

fn names_of(credentials: &Credentials, leaf: &str, host: &str) -> Option<BTreeSet<String>> {
    let pem = credentials.certificate(&pki::host_leaf(leaf, host))?.known()?;
    fit::names_covered(&pem).ok()
}
