//! Refuses a cluster whose pki was issued for another one, or whose certificates do not cover the endpoint, the API server's service
//! in the cluster, or the address of a control-plane host: whoever connects there would refuse them. At plan where both are known, else at apply, before any host is reached. Pure.

use crate::network::address_at;
use crate::resources::pki::Given;
use credentials::Credentials;
use ipnet::IpNet;
use pki::fit;
use render::spec::{ClusterSpec, Endpoint};
use schema::{AttributePath, Diagnostic, Field};
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
        let served = served(spec, credentials);
        check_endpoint(spec, &served)?;
        check_services(spec, &served)?;
    }
    check_hosts(spec, credentials)
}

/// Names and addresses that the certificate of an API server covers, by host.
type Served<'a> = BTreeMap<&'a str, BTreeSet<String>>;

fn served<'a>(spec: &'a ClusterSpec, credentials: &Credentials) -> Served<'a> {
    let hosts = spec.hosts.keys().map(|host| host.as_str());
    hosts.filter_map(|host| Some((host, names_of(credentials, "apiserver", host)?))).collect()
}

/// Hosts whose API server shows a certificate that does not cover this.
fn uncovered<'a>(served: &Served<'a>, name: &str) -> Option<String> {
    let hosts: Vec<&str> = served.iter().filter(|(_, names)| !fit::covers(names, name)).map(|(host, _)| *host).collect();
    (!hosts.is_empty()).then(|| hosts.join(", "))
}

fn check_endpoint(spec: &ClusterSpec, served: &Served<'_>) -> Result<(), Diagnostic> {
    let Some(hosts) = uncovered(served, &spec.endpoint.host) else { return Ok(()) };
    let everywhere = served.values().cloned().reduce(|all, names| &all & &names).unwrap_or_default();
    Err(not_covered(&spec.endpoint, &hosts, &everywhere, &spec.network.service_cidrs).at(AttributePath::attribute("endpoint")))
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

/// Where pods reach the API server: its service's addresses, and its name in the cluster's domain.
fn check_services(spec: &ClusterSpec, served: &Served<'_>) -> Result<(), Diagnostic> {
    let network = AttributePath::attribute("network");
    for (index, cidr) in spec.network.service_cidrs.iter().enumerate() {
        let Some(address) = address_at(cidr, 1) else { continue };
        if let Some(hosts) = uncovered(served, &address.to_string()) {
            return Err(Diagnostic::error(format!("the certificate of the API server does not cover {address}"))
                .detail(format!(
                    "This first address of {cidr} is that of the API server in the cluster: pods that connect to it would refuse the \
                     certificate on {hosts}. Give service_cidrs of the k8s_pki the same networks as the cluster."
                ))
                .at(network.clone().then("service_cidrs").index(index)));
        }
    }
    let domain = &spec.network.cluster_domain;
    let name = format!("kubernetes.default.svc.{domain}");
    let Some(hosts) = uncovered(served, &name) else { return Ok(()) };
    Err(Diagnostic::error(format!("the certificate of the API server does not cover {name}"))
        .detail(format!(
            "Pods that connect to the API server by this name would refuse the certificate on {hosts}. Give cluster_domain of the k8s_pki \
             the same value as the cluster: {domain:?}."
        ))
        .at(network.then("cluster_domain")))
}

/// Of a cluster that does not exist yet.
pub fn check_name(name: &Field<String>, pki: &Field<Given>) -> Result<(), Diagnostic> {
    let (Some(name), Some(issued_for)) = (name.known(), pki.known().and_then(|given| given.cluster_name.known())) else {
        return Ok(());
    };
    if name == issued_for {
        return Ok(());
    }
    Err(Diagnostic::error(format!("pki was issued for cluster {issued_for}, not for {name}"))
        .detail(format!(
            "Its authorities bear that name, by which the authorities of two clusters are told apart. Give name and the cluster_name of the \
             k8s_pki the same value, or give each cluster a k8s_pki of its own. If this cluster is to be called as its pki: {issued_for:?}."
        ))
        .at(AttributePath::attribute("name")))
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
