//! Which names a certificate carries, for IPv4, IPv6 and both.

use crate::{addresses, request};
use pki::{Request, certificate_specs};

#[track_caller]
fn check(request: &Request, certificate: &str, expected: &[&str]) {
    let specs = certificate_specs(request).unwrap();
    let spec = &specs[certificate];
    let names = spec.dns_names.iter().cloned();
    let names: Vec<String> = names.chain(spec.addresses.iter().map(ToString::to_string)).collect();
    assert_eq!(names, expected);
}

#[test]
fn host_certificates_carry_the_host_and_loopback_in_both_families() {
    for leaf in ["etcd-server/cp-1", "etcd-peer/cp-1", "controller-manager/cp-1"] {
        check(&request(), leaf, &["cp-1", "localhost", "10.0.1.4", "127.0.0.1", "::1", "2001:db8:1::4"]);
    }
}

#[test]
fn the_api_server_also_carries_endpoints_and_service_in_both_families() {
    let expected = [
        "api.demo.internal",
        "cp-1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "10.0.1.4",
        "10.96.0.1",
        "127.0.0.1",
        "192.0.2.100",
        "::1",
        "2001:db8::100",
        "2001:db8:1::4",
        "fd00:96::1",
    ];
    check(&request(), "apiserver/cp-1", &expected);
}

#[test]
fn an_ipv6_only_cluster_has_no_ipv4_name_but_loopback() {
    let request = Request {
        endpoints: vec!["2001:db8::100".into()],
        service_cidrs: vec!["fd00:96::/112".parse().unwrap()],
        hosts: [("cp-1".to_owned(), addresses(&["2001:db8:1::4"]))].into(),
        ..request()
    };
    let specs = certificate_specs(&request).unwrap();
    let ipv4: Vec<_> = specs["apiserver/cp-1"].addresses.iter().filter(|address| address.is_ipv4()).collect();
    assert_eq!(ipv4, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()].iter().collect::<Vec<_>>());
}

#[test]
fn a_service_cidr_is_read_as_its_network() {
    let request = Request { service_cidrs: vec!["10.96.77.3/16".parse().unwrap()], ..request() };
    let specs = certificate_specs(&request).unwrap();
    assert!(specs["apiserver/cp-1"].addresses.contains(&"10.96.0.1".parse().unwrap()));
}

#[test]
fn clients_carry_no_names() {
    for leaf in ["admin", "etcd-client", "front-proxy-client", "apiserver-kubelet-client", "etcd-ca"] {
        check(&request(), leaf, &[]);
    }
}
