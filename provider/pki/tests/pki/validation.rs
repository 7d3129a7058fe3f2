//! What a request may not be: each error names the attribute and a value that would do.

use crate::{prometheus, request};
use pki::{LeafSpec, PkiError, Request, Usage, certificate_specs};

#[track_caller]
fn refused(request: &Request, attribute: &str, says: &str) {
    let error = certificate_specs(request).unwrap_err();
    assert_eq!(error.attribute(), Some(attribute), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn a_wrong_request_is_refused_at_its_attribute() {
    let with = |change: fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        request
    };
    refused(&with(|r| r.cluster_name = String::new()), "cluster_name", "\"demo\"");
    refused(&with(|r| r.cluster_name = "a".repeat(43)), "cluster_name", "42");
    refused(&with(|r| r.cluster_domain = "Cluster.Local".into()), "cluster_domain", "cluster.local");
    refused(&with(|r| r.endpoints.push("https://api:6443".into())), "endpoints", "without a port");
    refused(&with(|r| r.endpoints.push("10.0.0.300".into())), "endpoints", "192.0.2.100");
    refused(&with(|r| r.endpoints.push("a.*.b".into())), "endpoints", "DNS name");
    refused(&with(|r| drop(r.hosts.insert("cp_3".into(), vec![]))), "hosts", "cp-1");
    refused(&with(|r| drop(r.hosts.insert("a".repeat(63) + ".b", vec![]))), "hosts", "64 characters");
    refused(&with(|r| r.service_cidrs.push("10.0.0.1/32".parse().unwrap())), "service_cidrs", "10.96.0.0/16");
    refused(&with(|r| r.authority_validity_hours = 0), "authority_validity_hours", "8760");
    refused(&with(|r| r.authority_validity_hours = u64::MAX), "authority_validity_hours", "8760");
    refused(&with(|r| r.certificate_validity_hours = 87_601), "certificate_validity_hours", "87600");
}

#[test]
fn a_wrong_leaf_of_the_users_own_is_refused() {
    let with = |name: &str, change: fn(&mut LeafSpec)| {
        let mut leaf = prometheus();
        change(&mut leaf);
        Request { additional: [(name.to_owned(), leaf)].into(), ..request() }
    };
    refused(&with("admin", |_| {}), "additional_certificates", "my-admin");
    refused(&with("etcd-ca", |_| {}), "additional_certificates", "my-etcd-ca");
    refused(&with("service-account", |_| {}), "additional_certificates", "my-service-account");
    refused(&with("a/b", |_| {}), "additional_certificates", "prometheus");
    refused(&with("own", |leaf| leaf.authority = "own-ca".into()), "additional_certificates", "front-proxy-ca");
    refused(&with("own", |leaf| leaf.usages.clear()), "additional_certificates", "client_auth");
    refused(&with("own", |leaf| leaf.usages = [Usage::ServerAuth].into()), "additional_certificates", "DNS names nor addresses");
    refused(&with("own", |leaf| leaf.common_name = String::new()), "additional_certificates", "64");
    refused(&with("own", |leaf| leaf.dns_names = ["10.0.0.1".into()].into()), "additional_certificates", "metrics.demo.internal");
}

#[test]
fn the_longest_cluster_name_and_a_wildcard_endpoint_are_accepted() {
    let endpoints = vec!["*.k8s.example.com".into()];
    assert!(certificate_specs(&Request { cluster_name: "a".repeat(42), endpoints, ..request() }).is_ok());
}

#[test]
fn names_with_capitals_are_taken_in_lower_case() {
    let own = LeafSpec { dns_names: ["*.Demo.internal".into()].into(), ..prometheus() };
    let endpoints = vec!["Demo-API-0123456789.elb.us-east-1.amazonaws.com".into()];
    let request = Request { endpoints, additional: [("own".into(), own)].into(), ..request() };
    let specs = certificate_specs(&request).unwrap();
    assert!(specs["apiserver/cp-1"].dns_names.contains("demo-api-0123456789.elb.us-east-1.amazonaws.com"));
    assert!(specs["own"].dns_names.iter().eq(["*.demo.internal"]));
}

#[test]
fn the_users_errors_are_the_only_ones_with_an_attribute() {
    assert_eq!(PkiError::Random.attribute(), None);
}
