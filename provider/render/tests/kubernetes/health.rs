//! Where gates ask a host for its health: as the components' own flags and configuration have it.

use crate::cases::{CASES, Case, Families, control_plane_bundle, node_bundle};
use bundle::{Bundle, HostName};
use render::component::{self, Component};
use render::control_plane::endpoints;
use serde_json::json;
use std::collections::BTreeMap;

const IPV4: Case = CASES[0];
const IPV6: Case = CASES[2];

fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The server and the path that are asked for; empty where nothing is.
fn asked(bundle: &Bundle, component: &Component) -> String {
    let check = bundle.units[&component.unit()].health_check.clone().unwrap_or_default();
    let words = check.split(' ').filter_map(|word| word.strip_prefix("--server=").or(word.strip_prefix("--raw=")));
    words.collect::<String>()
}

#[track_caller]
fn check_control_plane(case: Case, etcd: &[(&str, &str)], api_server: &[(&str, &str)], expect: (&str, &str)) {
    let mut spec = case.cluster();
    (spec.etcd_flags, spec.api_server_flags) = (flags(etcd), flags(api_server));
    let found = endpoints(&spec, &HostName::literal("cp-1")).unwrap();
    assert_eq!((found.etcd.as_str(), found.api_server.as_str()), expect);
}

#[test]
fn etcd_and_the_api_server_are_asked_where_they_listen() {
    assert_eq!((IPV4.families, IPV6.families), (Families::Ipv4, Families::Ipv6));
    check_control_plane(IPV4, &[], &[], ("https://10.77.0.11:2379", "https://127.0.0.1:6443"));
    check_control_plane(IPV6, &[], &[], ("https://[fd77:0:0:1::11]:2379", "https://[::1]:6443"));
    let moved = [("secure-port", "7443")];
    check_control_plane(IPV4, &[], &moved, ("https://10.77.0.11:2379", "https://127.0.0.1:7443"));
    let bound = [("bind-address", "10.77.0.11")];
    check_control_plane(IPV4, &[], &bound, ("https://10.77.0.11:2379", "https://10.77.0.11:6443"));
    for (listens, expect) in [
        ("https://10.77.0.11:2379,https://127.0.0.1:2379", "https://10.77.0.11:2379"),
        ("https://127.0.0.1:23790", "https://127.0.0.1:23790"),
        ("https://0.0.0.0:23790", "https://10.77.0.11:23790"),
        ("https://[::]:23790", "https://10.77.0.11:23790"),
    ] {
        check_control_plane(IPV4, &[("listen-client-urls", listens)], &[], (expect, "https://127.0.0.1:6443"));
    }
}

#[test]
fn a_component_is_asked_at_its_own_port_and_not_where_that_is_switched_off() {
    let asked_of = |case: Case, pairs: &[(&str, &str)]| {
        let mut spec = case.cluster();
        spec.controller_manager_flags = flags(pairs);
        let bundle = control_plane_bundle(&spec, &case.credentials(), &HostName::literal("cp-1"));
        asked(&bundle, &component::CONTROLLER_MANAGER)
    };
    assert_eq!(asked_of(IPV4, &[]), "https://127.0.0.1:10257/healthz");
    assert_eq!(asked_of(IPV6, &[]), "https://[::1]:10257/healthz");
    assert_eq!(asked_of(IPV4, &[("secure-port", "12000"), ("bind-address", "0.0.0.0")]), "https://127.0.0.1:12000/healthz");
    assert_eq!(asked_of(IPV4, &[("secure-port", "0")]), "");
    assert_eq!(asked_of(IPV4, &[("authorization-always-allow-paths", "/livez")]), "");
}

#[test]
fn a_component_of_a_node_is_asked_where_its_configuration_has_it() {
    let asked_of = |kubelet: serde_json::Value, kube_proxy: serde_json::Value| {
        let mut spec = IPV4.nodes_with(|node| node.kubelet_config = vec![kubelet.clone()]);
        spec.kube_proxy_config = kube_proxy;
        let bundle = node_bundle(&spec, &HostName::literal("worker-1"));
        (asked(&bundle, &component::KUBELET), asked(&bundle, &component::KUBE_PROXY))
    };
    let default = asked_of(json!({}), json!({}));
    assert_eq!(default, ("http://127.0.0.1:10248/healthz".into(), "http://127.0.0.1:10256/livez".into()));
    let moved = asked_of(
        json!({ "healthzPort": 12000, "healthzBindAddress": "::" }),
        json!({ "healthzBindAddress": "10.77.0.21:12001" }),
    );
    assert_eq!(moved, ("http://[::1]:12000/healthz".into(), "http://10.77.0.21:12001/livez".into()));
    let switched_off = asked_of(json!({ "healthzPort": 0 }), json!({ "healthzBindAddress": "127.0.0.1:0" }));
    assert_eq!(switched_off, (String::new(), String::new()));
}
