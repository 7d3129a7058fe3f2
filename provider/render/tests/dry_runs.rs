//! The commands by which programs check their settings, run with the real programs, which stand in the folder `PROGRAMS`: each takes
//! what is rendered, refuses what is wrong, and does nothing else. The files stand where they belong in a mount namespace of their own.
//! `cargo test` leaves this file out: it needs root and the programs of a release (`--test dry_runs`, as the suite `documents` has it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)] // other tests use the rest of it
#[path = "kubernetes/cases.rs"]
mod cases;

use crate::cases::{CASES, Case, control_plane_bundle, node_bundle};
use bundle::{Bundle, HostName, HostPath, UnitName};
use credentials::{Authority, Credentials, Part, Secret};
use render::component::{
    API_SERVER, CONTAINERD, CONTROLLER_MANAGER, ETCD, KUBE_PROXY, KUBELET, PROXY, SCHEDULER, VIRTUAL_ADDRESSES,
};
use render::spec::{Architecture, HealthCheck};
use render::{ClusterSpec, Host, Listener, LoadBalancerSpec, NodeGroupSpec, NodeSpec};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const CASE: Case = CASES[4];

fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A key and a certificate that programs can read take the place of all.
fn real_credentials() -> Credentials {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (key, certificate) = (path("key"), path("crt"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"];
    tool("openssl", &[&new[..], &["-keyout", &key, "-out", &certificate]].concat());
    let public = tool("openssl", &["pkey", "-in", &key, "-pubout"]);
    let (key, certificate) = (fs::read_to_string(key).unwrap(), fs::read_to_string(certificate).unwrap());
    let mut credentials = CASE.credentials();
    credentials.authorities.values_mut().for_each(|part| *part = Part::Known(Authority::parse(&certificate)));
    credentials.certificates.values_mut().for_each(|part| *part = Part::Known(certificate.clone()));
    credentials.private_keys.values_mut().for_each(|part| *part = Part::Known(Secret::new(key.as_str())));
    credentials.public_keys.values_mut().for_each(|part| *part = Part::Known(public.clone()));
    credentials
}

/// keepalived wants a network interface with its address.
const LAN: &str =
    "ip link add lan0 type veth peer name lan1; ip address add 10.77.0.11/24 dev lan0; ip link set lan0 up; ip link set lan1 up";

/// `None` when the program takes its settings, else what it says.
fn ask(bundle: &Bundle, unit: &UnitName) -> Option<String> {
    let programs = std::env::var("PROGRAMS").expect("PROGRAMS names the folder with the programs of a release");
    let root = tempfile::tempdir_in("/var/tmp").unwrap();
    for (path, file) in &bundle.files {
        let there = root.path().join(path.as_str().trim_start_matches('/'));
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::write(&there, file.content.bytes().unwrap()).unwrap();
        fs::set_permissions(there, fs::Permissions::from_mode(file.mode)).unwrap();
    }
    let check = bundle.units[unit].check.as_ref().unwrap();
    fs::write(root.path().join("command"), &check.command).unwrap();
    let script = format!(
        "{LAN}; mount --bind \"$1\" /usr/local/bin && mount -t overlay overlay -o lowerdir=\"$2/etc:/etc\" /etc && exec timeout 20 sh \"$2/command\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-c", &script, "sh", &programs]).arg(root.path());
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() != Some(124), "{unit} gave no answer: {said}");
    let got_past = check.got_past.is_some_and(|text| said.contains(text));
    (!output.status.success() && !got_past).then_some(said)
}

fn control_plane(change: impl FnOnce(&mut ClusterSpec)) -> Bundle {
    let mut spec = CASE.cluster();
    change(&mut spec);
    control_plane_bundle(&spec, &real_credentials(), &HostName::literal("cp-1"))
}

fn node(change: impl FnOnce(&mut NodeGroupSpec)) -> Bundle {
    let mut spec = CASE.node_group();
    change(&mut spec);
    node_bundle(&spec, &HostName::literal("worker-1"))
}

fn load_balancer() -> Bundle {
    let host =
        |address: &str| Host { address: address.parse().unwrap(), secondary_address: None, architecture: Architecture::Amd64 };
    let listener = Listener { port: 6443, backends: vec!["10.77.0.13:6443".into()], health_check: HealthCheck::Tcp };
    let spec = LoadBalancerSpec {
        name: "api".into(),
        hosts: [("lb-1", "10.77.0.11"), ("lb-2", "10.77.0.12")].map(|(name, it)| (HostName::literal(name), host(it))).into(),
        virtual_addresses: vec!["10.77.0.100/24".parse().unwrap()],
        listeners: [("apiserver".to_string(), listener)].into(),
        virtual_router_id: 51,
        advertisement_interval_centiseconds: 20,
        interface: None,
    };
    render::load_balancer::render(&spec, &HostName::literal("lb-1")).unwrap()
}

/// With another text in one file.
fn broken(mut bundle: Bundle, path: &str, from: &str, to: &str) -> Bundle {
    let path = HostPath::literal(path);
    let text = String::from_utf8(bundle.files[&path].content.bytes().unwrap().to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    bundle.files.insert(path, bundle::File::public(text.replace(from, to)));
    bundle
}

fn flag(name: &str, value: &str) -> std::collections::BTreeMap<String, String> {
    [(name.to_string(), value.to_string())].into()
}

#[track_caller]
fn refuses(bundle: &Bundle, unit: UnitName, part: &str) {
    let said = ask(bundle, &unit).unwrap_or_else(|| panic!("{unit} took it: {part}"));
    assert!(said.contains(part), "{part} is not in {said}");
}

#[test]
fn programs_take_what_is_rendered() {
    let (control_plane, node) = (control_plane(|_| ()), node(|_| ()));
    let ours = |bundle: &Bundle| -> Vec<UnitName> {
        bundle.units.iter().filter(|(_, unit)| unit.check.is_some()).map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(ours(&control_plane), [ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER].map(|it| it.unit()));
    assert_eq!(ours(&node), [CONTAINERD, KUBE_PROXY, KUBELET].map(|it| it.unit()));
    for bundle in [&control_plane, &node] {
        for unit in ours(bundle) {
            assert_eq!(ask(bundle, &unit), None, "{unit}");
        }
    }
    let own_address = crate::control_plane(|spec| spec.api_server_flags = flag("bind-address", "10.77.0.11"));
    assert_eq!(ask(&own_address, &API_SERVER.unit()), None);
    let ipv6 = control_plane_bundle(&CASES[2].cluster(), &real_credentials(), &HostName::literal("cp-1"));
    assert_eq!(ask(&ipv6, &API_SERVER.unit()), None);
    assert!(!Path::new("/var/log/kubernetes/audit.log").exists() && !Path::new("/var/lib/kubelet/pki").exists());
}

#[test]
fn programs_of_the_control_plane_refuse_what_is_wrong() {
    let etcd = |name: &str, value: &str| control_plane(|spec| spec.etcd_flags = flag(name, value));
    refuses(&etcd("log-level", "loud"), ETCD.unit(), "loud");
    refuses(&etcd("no-such-flag", "1"), ETCD.unit(), "flag provided but not defined: -no-such-flag");
    refuses(&etcd("auto-compaction-mode", "never"), ETCD.unit(), "unknown auto-compaction-mode");
    let api_server = |name: &str, value: &str| control_plane(|spec| spec.api_server_flags = flag(name, value));
    for (name, value, says) in [
        ("no-such-flag", "1", "unknown flag: --no-such-flag"),
        ("enable-admission-plugins", "NoSuch", "plugin \\\"NoSuch\\\" is unknown"),
        ("authorization-mode", "Foo", "is not a valid mode"),
        ("feature-gates", "NoSuch=true", "unrecognized feature gate: NoSuch"),
        ("tls-min-version", "1.9", "unknown tls version"),
        ("secure-port", "99999", "must be between 1 and 65535"),
        ("authentication-config", "/no/such", "no such file"),
        ("audit-policy-file", "/no/such", "no such file"),
    ] {
        refuses(&api_server(name, value), API_SERVER.unit(), says);
    }
    // With which all flags are logged.
    let loud = |name: &str, value: &str| flag(name, value).into_iter().chain(flag("v", "4")).collect();
    refuses(
        &control_plane(|spec| spec.api_server_flags = loud("tls-min-version", "1.9")),
        API_SERVER.unit(),
        "unknown tls version",
    );
    let manager = control_plane(|spec| spec.controller_manager_flags = loud("controllers", "foo"));
    refuses(&manager, CONTROLLER_MANAGER.unit(), "is not in the list of known controllers");
    refuses(&control_plane(|spec| spec.scheduler_flags = loud("secure-port", "99999")), SCHEDULER.unit(), "must be between");
    let policy = json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{ "level": "Foo" }] });
    refuses(&control_plane(|spec| spec.audit_policy = Some(policy.to_string())), API_SERVER.unit(), "Unsupported value");
    let manager = |name: &str, value: &str| control_plane(|spec| spec.controller_manager_flags = flag(name, value));
    refuses(&manager("controllers", "foo"), CONTROLLER_MANAGER.unit(), "is not in the list of known controllers");
    refuses(&manager("node-monitor-period", "often"), CONTROLLER_MANAGER.unit(), "invalid duration");
    let scheduler = |name: &str, value: &str| control_plane(|spec| spec.scheduler_flags = flag(name, value));
    refuses(&scheduler("no-such-flag", "1"), SCHEDULER.unit(), "unknown flag: --no-such-flag");
    refuses(&scheduler("secure-port", "99999"), SCHEDULER.unit(), "must be between 1 and 65535");
}

#[test]
fn programs_of_a_node_refuse_what_is_wrong() {
    let nodes = |change: &dyn Fn(&mut NodeSpec)| node(|spec| spec.nodes.values_mut().for_each(change));
    let kubelet = |fields: serde_json::Value| nodes(&|node| node.kubelet_config = vec![fields.clone()]);
    refuses(&kubelet(json!({ "maxPods": "many" })), KUBELET.unit(), "cannot unmarshal string");
    refuses(&kubelet(json!({ "maxPods": -1 })), KUBELET.unit(), "must not be a negative number");
    refuses(&kubelet(json!({ "featureGates": { "NoSuch": true } })), KUBELET.unit(), "unrecognized feature gate: NoSuch");
    refuses(&nodes(&|node| node.kubelet_flags = flag("no-such-flag", "1")), KUBELET.unit(), "unknown flag: --no-such-flag");
    let proxy = |fields| node(|spec| spec.kube_proxy_config = fields);
    refuses(&proxy(json!({ "mode": "foo" })), KUBE_PROXY.unit(), "must be iptables, ipvs, nftables");
    refuses(&proxy(json!({ "metricsBindAddress": "nowhere" })), KUBE_PROXY.unit(), "must be IP:port");
    let broken = broken(node(|_| ()), "/etc/containerd/config.toml", "root = '/var/lib/containerd'", "root = ");
    refuses(&broken, CONTAINERD.unit(), "toml");
}

#[test]
fn programs_of_a_load_balancer_take_what_is_rendered_and_refuse_what_is_wrong() {
    let (proxy, addresses) = (PROXY.unit_of("api").unwrap(), VIRTUAL_ADDRESSES.unit_of("api").unwrap());
    for unit in [&proxy, &addresses] {
        assert_eq!(ask(&load_balancer(), unit), None, "{unit}");
    }
    assert!(!Path::new("/run/k8s-lb/api").exists());
    refuses(
        &broken(load_balancer(), "/etc/k8s-lb/api/nginx.conf", "least_conn", "most_conn"),
        proxy,
        "unknown directive \"most_conn\"",
    );
    let keyword = broken(load_balancer(), "/etc/k8s-lb/api/keepalived.conf", "    priority", "    prioritee");
    refuses(&keyword, addresses.clone(), "Unknown keyword 'prioritee'");
    let router = broken(load_balancer(), "/etc/k8s-lb/api/keepalived.conf", "virtual_router_id 51", "virtual_router_id 510");
    refuses(&router, addresses, "not valid - must be between 1 & 255");
}
