//! What holds for every rendered bundle, and what the user's own settings do.

use crate::cases::{CASES, Case, Families, PRIVATE_KEY, control_plane_bundle, node_bundle, text};
use bundle::{Bundle, HostName, HostPath, NodeObject, UnitName};
use credentials::{Authority, Credentials, Part, Secret};
use proptest::prelude::*;
use render::component::{self, Component};
use render::spec::{CloudProvider, PodNetwork, ProxyMode, RenderError};
use render::{control_plane, node, objects};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const DUAL: Case = Case { families: Families::Dual, hosts: 3 };

/// Written by the provider at join.
const NOT_IN_A_BUNDLE: [&str; 1] = [node::BOOTSTRAP_KUBECONFIG];
/// Read by etcd only while its data directory is empty, and by a kubelet only when it registers its node.
const READ_ONCE: [&str; 2] = ["/etc/etcd/bootstrap.env", "/etc/kubernetes/node/registration.env"];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "=,'\"(){}[]".contains(c)).filter(|word| word.starts_with('/'))
}

fn unit_path(name: &str) -> HostPath {
    HostPath::literal(&format!("/etc/systemd/system/{name}"))
}

/// The paths that a unit names, and that its files name in turn, as far as they belong to the bundle.
fn named_paths(bundle: &Bundle, start: &HostPath) -> BTreeSet<HostPath> {
    let mut named = BTreeSet::new();
    let mut open = vec![start.clone()];
    while let Some(path) = open.pop() {
        if !named.insert(path.clone()) || !bundle.files.contains_key(&path) {
            continue;
        }
        let text = text(bundle, &path);
        let known = words(&text).filter_map(|word| HostPath::parse(word).ok());
        open.extend(known.filter(|path| bundle.files.contains_key(path) || bundle.binaries.contains_key(path)));
    }
    named
}

#[test]
fn a_unit_reads_exactly_the_files_that_it_and_they_name() {
    for case in CASES {
        for (host, bundle) in case.bundles().into_iter().chain([case.controller()]) {
            for (name, unit) in &bundle.units {
                let mut named = named_paths(&bundle, &name.path());
                named.retain(|path| !READ_ONCE.contains(&path.as_str()));
                let reads: BTreeSet<HostPath> = unit.reads.keys().cloned().collect();
                let unnamed: Vec<_> = reads.difference(&named).map(HostPath::as_str).collect();
                // containerd starts its shim by name.
                let expected: &[&str] =
                    if name.as_str() == "containerd.service" { &["/usr/local/bin/containerd-shim-runc-v2"] } else { &[] };
                let unnamed: Vec<_> = unnamed
                    .into_iter()
                    // Named by kubeconfigs that are written on the host.
                    .filter(|path| *path != "/etc/kubernetes/node/apiserver-ca.crt")
                    .collect();
                assert_eq!(unnamed, expected, "{} {host} {name} reads what nothing names", case.name());
                let unread: Vec<_> = named.difference(&reads).collect();
                assert!(unread.is_empty(), "{} {host} {name} does not read {unread:?}", case.name());
            }
        }
    }
}

#[test]
fn what_a_bundle_names_it_has() {
    let ours = ["/etc/kubernetes/", "/etc/etcd/", "/usr/local/"];
    for (host, bundle) in CASES.into_iter().flat_map(Case::bundles) {
        for path in bundle.files.keys().filter(|path| !path.as_str().starts_with("/usr/local/lib")) {
            for word in words(&text(&bundle, path)).filter(|word| ours.iter().any(|prefix| word.starts_with(prefix))) {
                let named = HostPath::parse(word).unwrap();
                let folder = format!("{word}/");
                let has = bundle.files.contains_key(&named)
                    || bundle.binaries.keys().any(|path| *path == named || path.as_str().starts_with(&folder));
                assert!(has || NOT_IN_A_BUNDLE.contains(&word), "{host}: {path} names {word}");
            }
        }
    }
}

#[test]
fn every_unit_has_its_place_in_the_order_of_starting() {
    let names = |bundle: &Bundle| -> BTreeSet<String> { bundle.units.keys().map(ToString::to_string).collect() };
    let [(_, of_control_plane), (_, of_node)] = &DUAL.bundles()[..] else { panic!("two hosts") };
    let of_table =
        |components: &[Component]| -> BTreeSet<String> { components.iter().map(|row| row.unit().to_string()).collect() };
    assert_eq!(names(of_control_plane), of_table(&component::CONTROL_PLANE));
    assert_eq!(names(of_node), of_table(&component::NODE));
}

#[test]
fn rendering_is_deterministic() {
    for case in CASES {
        assert!(case.bundles() == case.bundles(), "{}", case.name());
    }
}

#[test]
fn nodes_of_one_architecture_differ_in_one_file() {
    let spec = DUAL.node_group();
    let bundles: Vec<Bundle> = spec.hosts.keys().map(|host| node_bundle(&spec, host)).collect();
    let lines = |bundle: &Bundle| bundle.manifest().to_lines();
    for (item, line) in lines(&bundles[0]) {
        let is_own = bundles.iter().any(|bundle| lines(bundle)[&item] != line);
        assert_eq!(is_own, item == "/etc/kubernetes/node/host.env", "{item}");
    }
    let mut named = spec.clone();
    named.kube_proxy_config = json!({ "hostnameOverride": "other" });
    let unit = |spec| text(&node_bundle(spec, &HostName::literal("worker-1")), &unit_path("kube-proxy.service"));
    assert!(unit(&spec).contains("--hostname-override=${NODE_NAME}") && !unit(&named).contains("hostname-override"));
}

/// A plan without keys has to know whether a file will be the same on all hosts.
#[test]
fn what_is_made_of_credentials_is_a_hosts_own_exactly_if_it_differs_from_host_to_host() {
    let mut mixed = DUAL.cluster();
    let first = mixed.hosts.values_mut().next().unwrap();
    first.address = first.secondary_address.replace(first.address).unwrap();
    for spec in [DUAL.cluster(), mixed] {
        let bundles = |credentials: &Credentials| -> Vec<Bundle> {
            spec.hosts.keys().map(|host| control_plane_bundle(&spec, credentials, host)).collect()
        };
        let (known, unknown) = (bundles(&DUAL.credentials()), bundles(&Credentials::unknown()));
        let contents = |path: &HostPath| known.iter().map(|bundle| text(bundle, path)).collect::<BTreeSet<_>>();
        let is_key = |path: &HostPath| path.as_str().ends_with(".key"); // all the same in these tests
        for path in unknown[0].unknown_files().filter(|path| !is_key(path)) {
            let own: BTreeSet<bool> = unknown.iter().map(|bundle| bundle.own.contains(path)).collect();
            assert_eq!(own, [contents(path).len() > 1].into(), "{path}");
        }
        assert!(unknown.iter().all(|bundle| bundle.own.len() >= 8), "{:?}", unknown[0].own);
    }
}

#[test]
fn private_keys_are_readable_for_root_only() {
    use base64::Engine;
    let encoded = base64::prelude::BASE64_STANDARD.encode(PRIVATE_KEY);
    for (host, bundle) in CASES.into_iter().flat_map(Case::bundles) {
        for (path, file) in &bundle.files {
            let text = text(&bundle, path);
            let is_secret = text.contains(PRIVATE_KEY) || text.contains(&encoded) || text.contains("AAAAAAAAAA");
            assert_eq!(file.mode & 0o077 == 0, is_secret, "{host} {path} {:04o}", file.mode);
        }
    }
}

#[test]
fn a_host_that_is_both_shares_no_path_between_its_roles() {
    let paths = |bundle: &Bundle| -> BTreeSet<HostPath> { bundle.files.keys().chain(bundle.binaries.keys()).cloned().collect() };
    for case in CASES {
        let [(_, control_plane), (_, node)] = &case.bundles()[..] else { panic!("two hosts") };
        let shared: Vec<HostPath> = paths(control_plane).intersection(&paths(node)).cloned().collect();
        assert!(shared.is_empty(), "{shared:?}");
        assert!(control_plane.units.keys().all(|name| !node.units.contains_key(name)));
    }
}

#[test]
fn another_control_plane_host_does_not_restart_etcd() {
    let etcd = |case: Case| {
        let bundle = control_plane_bundle(&case.cluster(), &case.credentials(), &HostName::literal("cp-1"));
        bundle.manifest().units[&bundle::UnitName::literal("etcd.service")].clone()
    };
    assert_eq!(etcd(Case { hosts: 1, ..DUAL }), etcd(DUAL));
}

#[test]
fn anonymous_requests_are_configured_once() {
    let host = HostName::literal("cp-1");
    for flag in ["anonymous-auth", "oidc-issuer-url", "authentication-config"] {
        let mut spec = DUAL.cluster();
        spec.api_server_flags.insert(flag.into(), "x".into());
        let bundle = control_plane_bundle(&spec, &DUAL.credentials(), &host);
        assert!(!bundle.files.contains_key(&HostPath::literal("/etc/kubernetes/authentication.yaml")), "{flag}");
        assert!(!text(&bundle, &unit_path("kube-apiserver.service")).contains("/etc/kubernetes/authentication.yaml"), "{flag}");
    }
}

#[test]
fn only_the_first_certificate_of_a_rotated_authority_signs() {
    let mut credentials = DUAL.credentials();
    let text = |name| DUAL.credentials().certificate(name).unwrap().known().unwrap();
    let both = text("cluster-ca") + &text("front-proxy-ca");
    credentials.authorities.insert("cluster-ca".into(), Part::Known(Authority::parse(&both)));
    let bundle = control_plane_bundle(&DUAL.cluster(), &credentials, &HostName::literal("cp-1"));
    let file = |name| crate::cases::text(&bundle, &HostPath::literal(&format!("/etc/kubernetes/pki/{name}.crt")));
    assert_eq!((file("cluster-ca"), file("cluster-ca-signing")), (both, text("cluster-ca")));
}

/// Files of a control-plane host whose content is not known.
fn unknown_files(change: impl Fn(&mut Credentials)) -> Vec<String> {
    let mut credentials = DUAL.credentials();
    change(&mut credentials);
    let bundle = control_plane_bundle(&DUAL.cluster(), &credentials, &HostName::literal("cp-1"));
    let unknown = bundle.files.iter().filter(|(_, file)| file.content.digest().is_none());
    unknown.map(|(path, _)| path.to_string()).collect()
}

#[test]
fn exactly_what_is_made_of_an_unknown_credential_is_unknown() {
    assert_eq!(unknown_files(|_| ()), Vec::<String>::new());
    let forget = |all: &mut Credentials, name: &str| drop(all.certificates.insert(name.into(), Part::Unknown));
    assert_eq!(unknown_files(|all| forget(all, "apiserver/cp-1")), ["/etc/kubernetes/pki/apiserver.crt"]);
    assert_eq!(unknown_files(|all| forget(all, "apiserver/cp-2")), Vec::<String>::new());
    let scheduler = unknown_files(|all| drop(all.private_keys.insert("scheduler".into(), Part::Unknown)));
    assert_eq!(scheduler, ["/etc/kubernetes/scheduler.kubeconfig"]);
    assert_eq!(unknown_files(|all| all.unlisted.encryption_keys = true), ["/etc/kubernetes/encryption.yaml"]);
    let authority = unknown_files(|all| drop(all.authorities.insert("etcd-peer-ca".into(), Part::Unknown)));
    assert_eq!(authority, ["/etc/etcd/pki/peer-ca.crt"]);
    let none = unknown_files(|all| *all = Credentials::unknown());
    let is_of_pki = |path: &String| path.contains("/pki/") || path.ends_with(".kubeconfig") || path.ends_with("encryption.yaml");
    assert!(none.len() > 20 && none.iter().all(is_of_pki), "{none:#?}");
}

#[test]
fn what_the_pki_lacks_is_named() {
    let render = |remove: fn(&mut Credentials)| {
        let mut credentials = DUAL.credentials();
        remove(&mut credentials);
        let binaries = BTreeMap::new();
        control_plane::render(&DUAL.cluster(), &credentials, &binaries, &HostName::literal("cp-2")).err().unwrap()
    };
    let missing = render(|credentials| drop(credentials.certificates.remove("etcd-peer/cp-2")));
    assert_eq!(missing, RenderError::MissingCertificate("etcd-peer/cp-2".into()));
    let missing = render(|credentials| drop(credentials.private_keys.remove("scheduler")));
    assert_eq!(missing, RenderError::MissingPrivateKey("scheduler".into()));
    assert_eq!(render(|credentials| credentials.encryption_keys.clear()), RenderError::MissingEncryptionKey);
    let unknown = HostName::literal("cp-9");
    let error = control_plane::render(&DUAL.cluster(), &DUAL.credentials(), &BTreeMap::new(), &unknown).err().unwrap();
    assert_eq!(error, RenderError::UnknownHost(unknown));
}

#[test]
fn settings_of_the_user_reach_the_files() {
    let mut spec = DUAL.nodes_with(|node| {
        node.kubelet_config = vec![
            json!({ "kind": "Other", "maxPods": 110, "evictionHard": { "nodefs.available": "1Gi" }, "podPidsLimit": 9 }),
            json!({ "maxPods": 42, "podPidsLimit": null }),
        ];
        node.kubelet_flags.insert("image-credential-provider-bin-dir".into(), "/opt/bin".into());
    });
    spec.kube_proxy_config = json!({ "conntrack": { "min": 1000 } });
    let bundle = node_bundle(&spec, &HostName::literal("worker-1"));
    let yaml = |path: &str| -> serde_json::Value { serde_saphyr::from_str(&text(&bundle, &HostPath::literal(path))).unwrap() };
    let kubelet = yaml("/etc/kubernetes/node/kubelet.yaml");
    assert_eq!(kubelet["kind"], "KubeletConfiguration");
    assert_eq!((&kubelet["maxPods"], kubelet.get("podPidsLimit")), (&json!(42), None));
    assert_eq!(kubelet["evictionHard"]["nodefs.available"], "1Gi");
    let kube_proxy = yaml("/etc/kubernetes/node/kube-proxy.yaml");
    assert_eq!((&kube_proxy["conntrack"]["min"], &kube_proxy["conntrack"]["maxPerCore"]), (&json!(1000), &json!(0)));
    let unit = text(&bundle, &unit_path("kubelet.service"));
    assert!(unit.contains("--image-credential-provider-bin-dir=/opt/bin") && !unit.contains("cloud-provider"), "{unit}");
}

#[test]
fn a_cloud_is_known_to_kubelets_and_controller_managers_but_not_to_api_servers() {
    let cloud_provider = CloudProvider::External;
    let (worker, cp) = (HostName::literal("worker-1"), HostName::literal("cp-1"));
    let flag = "--cloud-provider=external";
    let nodes = render::NodeGroupSpec { cloud_provider, ..DUAL.node_group() };
    assert!(text(&node_bundle(&nodes, &worker), &unit_path("kubelet.service")).contains(flag));
    let mut outside = nodes;
    let node = outside.nodes.get_mut(&worker).unwrap();
    node.kubelet_flags.insert("cloud-provider".into(), String::new());
    assert!(!text(&node_bundle(&outside, &worker), &unit_path("kubelet.service")).contains(flag));
    let cluster = render::ClusterSpec { cloud_provider, ..DUAL.cluster() };
    let bundle = control_plane::render(&cluster, &DUAL.credentials(), &BTreeMap::new(), &cp).unwrap();
    for (unit, has) in [("kube-controller-manager.service", true), ("kube-apiserver.service", false)] {
        assert_eq!(text(&bundle, &unit_path(unit)).contains(flag), has, "{unit}");
    }
}

#[test]
fn labels_and_taints_are_in_a_file_for_which_nothing_restarts() {
    let path = HostPath::literal("/etc/kubernetes/node/registration.env");
    let name = HostName::literal("worker-1");
    let with = |labels: &[(&str, &str)], taints: &[&str]| {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let taints = taints.iter().map(|key| (key.parse().unwrap(), "infra".to_string())).collect();
        let registration = NodeObject { labels, taints, ..NodeObject::default() };
        node_bundle(&DUAL.nodes_with(|node| node.registration = registration.clone()), &name)
    };
    let without = with(&[], &[]);
    assert_eq!(text(&without, &path), "NODE_LABELS=\nNODE_TAINTS=\n");
    // No kubelet may give its node a role.
    let labels =
        [("pool", "infra"), ("tier", ""), ("node-role.kubernetes.io/infra", ""), ("x.node-restriction.kubernetes.io/y", "")];
    let with = with(&labels, &["dedicated:NoSchedule", "dedicated:NoExecute"]);
    assert_eq!(
        text(&with, &path),
        "NODE_LABELS=pool=infra,tier=\nNODE_TAINTS=dedicated=infra:NoExecute,dedicated=infra:NoSchedule\n"
    );
    assert!(with.units.keys().all(|unit| with.unit_stamp(unit) == without.unit_stamp(unit)), "a label restarts something");
}

#[test]
fn kubelets_are_told_only_labels_that_they_may_give() {
    for label in ["pool", "node.example/pool", "x.node.kubernetes.io/y", "topology.kubernetes.io/zone", "notkubernetes.io/x"] {
        assert!(node::is_given_by_kubelet(label), "{label}");
    }
    for label in
        ["node-role.kubernetes.io/x", "a.node-restriction.kubernetes.io/b", "kubernetes.io/role", "alpha.jobset.sigs.k8s.io/x"]
    {
        assert!(!node::is_given_by_kubelet(label), "{label}");
    }
}

#[test]
fn a_provider_id_is_told_at_registration_and_units_with_one_are_alike() {
    let mut spec = DUAL.node_group();
    let [one, other, without] = [1, 2, 3].map(|number| HostName::literal(&format!("worker-{number}")));
    spec.nodes.get_mut(&one).unwrap().registration.provider_id = Some("aws:///us-east-1a/i-0123".into());
    spec.nodes.get_mut(&other).unwrap().registration.provider_id = Some("aws:///us-east-1a/i-0456".into());
    let registration = |host| text(&node_bundle(&spec, host), &HostPath::literal("/etc/kubernetes/node/registration.env"));
    assert!(registration(&one).ends_with("\nNODE_PROVIDER_ID=aws:///us-east-1a/i-0123\n"));
    assert!(!registration(&without).contains("PROVIDER_ID"));
    let unit = |host| text(&node_bundle(&spec, host), &unit_path("kubelet.service"));
    assert!(unit(&one) == unit(&other) && unit(&one).contains("--provider-id=${NODE_PROVIDER_ID}"), "{}", unit(&one));
    assert!(!unit(&without).contains("provider-id"));
}

#[test]
fn proxy_modes_bring_their_modules_and_programs() {
    let bundle =
        |mode| node_bundle(&render::NodeGroupSpec { proxy_mode: mode, ..DUAL.node_group() }, &HostName::literal("worker-1"));
    assert!(bundle(ProxyMode::Nftables).packages.contains_key("nft"));
    assert!(bundle(ProxyMode::Iptables).packages.contains_key("iptables"));
    // Host ports of an add-on are rules of nftables in every mode.
    let other = render::NodeGroupSpec { proxy_mode: ProxyMode::Iptables, pod_network: PodNetwork::None, ..DUAL.node_group() };
    assert!(node_bundle(&other, &HostName::literal("worker-1")).packages.contains_key("nft"));
    let ipvs = bundle(ProxyMode::Ipvs);
    assert!(ipvs.modules.contains("ip_vs_rr") && ipvs.packages.contains_key("ipset"));
    assert!(text(&ipvs, &HostPath::literal("/etc/kubernetes/node/kube-proxy.yaml")).contains("mode: \"ipvs\""));
}

/// Which it leaves in no other mode, where the one before was IPVS.
#[test]
fn kube_proxy_takes_ipvs_away_before_it_starts_with_iptables() {
    for mode in [ProxyMode::Nftables, ProxyMode::Iptables, ProxyMode::Ipvs] {
        let bundle =
            node_bundle(&render::NodeGroupSpec { proxy_mode: mode, ..DUAL.node_group() }, &HostName::literal("worker-1"));
        let unit = text(&bundle, &unit_path("kube-proxy.service"));
        assert_eq!(unit.contains("kube-proxy --cleanup"), mode == ProxyMode::Iptables, "{unit}");
    }
}

#[test]
fn without_kube_proxy_nothing_of_it_is_there_and_what_one_left_goes() {
    let spec = render::NodeGroupSpec { proxy_mode: ProxyMode::None, ..DUAL.node_group() };
    let bundle = node_bundle(&spec, &HostName::literal("worker-1"));
    let (units, files) = (bundle.units.keys().map(|unit| unit.as_str()), bundle.files.keys().map(HostPath::as_str));
    let named: Vec<&str> = units.chain(files).chain(bundle.binaries.keys().map(HostPath::as_str)).collect();
    // The routed pod network reads the API with its kubeconfig.
    let left: Vec<&&str> = named.iter().filter(|name| name.contains("kube-proxy") && !name.ends_with(".kubeconfig")).collect();
    assert_eq!(left, Vec::<&&str>::new());
    let retired = ["iptables", "ipvs", "nftables"].map(|of| (of, UnitName::literal("kube-proxy.service")));
    assert_eq!(bundle.retired, BTreeMap::from(retired));
    let alone = render::NodeGroupSpec { pod_network: PodNetwork::None, ..spec };
    let alone = node_bundle(&alone, &HostName::literal("worker-1"));
    assert!(!alone.files.keys().any(|path| path.as_str().contains("kube-proxy")));
}

#[test]
fn another_pod_network_leaves_ours_out_also_on_control_plane_hosts() {
    let cluster = render::ClusterSpec { pod_network: PodNetwork::None, ..DUAL.cluster() };
    let control_plane = control_plane_bundle(&cluster, &DUAL.credentials(), &HostName::literal("cp-1"));
    assert!(!control_plane.units.keys().any(|name| name.as_str().contains("k8s-pod-")));
    assert_eq!(control_plane.retired, BTreeMap::from([("pod-routes", UnitName::literal("k8s-pod-routes.service"))]));
    let spec = render::NodeGroupSpec { pod_network: PodNetwork::None, ..DUAL.node_group() };
    let bundle = node_bundle(&spec, &HostName::literal("worker-1"));
    assert!(!bundle.units.keys().any(|name| name.as_str() == "k8s-pod-network.service"));
    let retired = bundle.retired.iter().filter(|(_, unit)| unit.as_str() == "k8s-pod-network.service").map(|(of, _)| *of);
    assert_eq!(retired.collect::<Vec<_>>(), ["pod-network", "pod-network-files", "pod-network-rules"]);
}

#[test]
fn a_mirror_with_a_path_is_the_whole_api() {
    let mut spec = DUAL.node_group();
    spec.registry_mirrors.insert("docker.io".into(), "https://harbor.example/v2/hub/".into());
    let bundle = node_bundle(&spec, &HostName::literal("worker-1"));
    let hosts = text(&bundle, &HostPath::literal("/etc/containerd/certs.d/docker.io/hosts.toml"));
    let expect = "server = 'https://registry-1.docker.io'

[host.'https://harbor.example/v2/hub']
  capabilities = ['pull', 'resolve']
  override_path = true
";
    assert_eq!(hosts, expect);
}

#[test]
fn a_joining_kubelet_trusts_the_authority_by_file() {
    let kubeconfig: serde_json::Value =
        serde_saphyr::from_str(node::bootstrap_kubeconfig(&DUAL.node_group(), &Secret::new("abcdef.0123456789abcdef")).reveal())
            .unwrap();
    assert_eq!(kubeconfig["clusters"][0]["cluster"]["certificate-authority"], "/etc/kubernetes/node/apiserver-ca.crt");
    assert_eq!(kubeconfig["users"][0]["user"]["token"], "abcdef.0123456789abcdef");
}

#[test]
fn every_object_has_a_kind_and_a_name_of_its_own() {
    for case in CASES {
        let objects = objects::bootstrap_objects(&case.objects()).unwrap();
        let names: BTreeSet<String> = objects.iter().map(|o| format!("{} {}", o["kind"], o["metadata"]["name"])).collect();
        assert_eq!(names.len(), objects.len());
        let service = objects.iter().find(|object| object["metadata"]["name"] == "kube-dns").unwrap();
        let dual = case.families == Families::Dual;
        assert_eq!(service["spec"]["ipFamilyPolicy"], if dual { "RequireDualStack" } else { "SingleStack" });
    }
}

proptest! {
    #[test]
    fn a_flag_of_the_user_stands_once_and_wins(
        name in "(v|etcd-servers|bind-address|feature-gates|secure-port)",
        value in "[a-z0-9:,/%$ ]{1,12}",
    ) {
        let mut spec = DUAL.cluster();
        spec.api_server_flags.insert(name.clone(), value.clone());
        let bundle = control_plane_bundle(&spec, &DUAL.credentials(), &HostName::literal("cp-1"));
        let unit = text(&bundle, &unit_path("kube-apiserver.service"));
        let escaped = value.replace('%', "%%").replace('$', "$$");
        let lines: Vec<&str> =
            unit.lines().map(|line| line.trim().trim_end_matches(" \\").trim_matches('"')).filter(|line| line.starts_with(&format!("--{name}="))).collect();
        prop_assert_eq!(lines, vec![format!("--{name}={escaped}")]);
    }
}
