//! What is wrong with a configuration is said before anything is reached: by which sentence, and at which attribute. All rows stand in
//! one configuration, each in a block of its own, so that an engine runs once for all of them. Needs no hosts.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::{Engine, Workspace, lab, scenarios};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// A block with one attribute that is wrong, where the error must point, and what it must say.
struct Row {
    block: &'static str,
    wrong: &'static str,
    path: &'static str,
    summary: &'static str,
}

const fn bad(block: &'static str, wrong: &'static str, path: &'static str, summary: &'static str) -> Row {
    Row { block, wrong, path, summary }
}

const PROVIDER: &str = "provider \"k8s\"";
const PKI: &str = "resource \"k8s_pki\"";
const LB: &str = "resource \"k8s_lb_vrrp\"";
const CLUSTER: &str = "resource \"k8s_hardway_cluster\"";
const NODES: &str = "resource \"k8s_node_group\"";
const KUBECONFIG: &str = "data \"k8s_kubeconfig\"";
const LOCALS: &str = "locals";

const ROWS: &[Row] = &[
    bad(PROVIDER, r#"mirror = "ftp://mirror.example""#, "mirror", "Mirror is not an HTTP URL"),
    bad(PROVIDER, "max_parallel_hosts = 0", "max_parallel_hosts", "out of range"),
    bad(PKI, r#"cluster_name = "Demo""#, "cluster_name", r#""Demo" is not a usable name"#),
    bad(PKI, r#"key_algorithm = "DSA""#, "key_algorithm", r#""DSA" is no choice here"#),
    bad(PKI, r#"endpoints = ["https://api.example:6443"]"#, "endpoints[0]", "is neither a DNS name nor an IP address"),
    bad(PKI, r#"service_cidrs = ["10.96.0.0"]"#, "service_cidrs[0]", r#""10.96.0.0" is not a CIDR"#),
    bad(PKI, r#"service_cidrs = ["10.96.0.1/16"]"#, "service_cidrs[0]", "10.96.0.1/16 has host bits set"),
    bad(
        PKI,
        r#"service_cidrs = ["10.96.0.0/16", "10.97.0.0/16"]"#,
        "service_cidrs[1]",
        "service_cidrs has two CIDRs of one family",
    ),
    bad(PKI, r#"service_cidrs = []"#, "service_cidrs", "service_cidrs is empty"),
    bad(PKI, r#"service_cidrs = ["fd00:96::/64"]"#, "service_cidrs[0]", "service CIDR fd00:96::/64 is too large"),
    bad(PKI, r#"service_cidrs = ["10.96.0.0/30"]"#, "service_cidrs[0]", "service CIDR 10.96.0.0/30 is too small"),
    bad(PKI, "certificate_validity_hours = 0", "certificate_validity_hours", "certificate_validity_hours is out of range"),
    bad(
        PKI,
        "renew_before_hours = 9000",
        "renew_before_hours",
        "renew_before_hours is not shorter than certificate_validity_hours",
    ),
    bad(PKI, "hosts = {}", "hosts", "hosts is empty"),
    bad(PKI, r#"hosts = { CP_1 = { address = "192.0.2.1" } }"#, r#"hosts["CP_1"]"#, r#""CP_1" cannot be the name of a node"#),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1/24" } }"#,
        r#"hosts["a"].address"#,
        r#""192.0.2.1/24" is not an IP address"#,
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "127.0.0.1" } }"#,
        r#"hosts["a"].address"#,
        "127.0.0.1 cannot be the address of a host",
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1" }, b = { address = "192.0.2.1" } }"#,
        r#"hosts["b"].address"#,
        "hosts a and b have the same address 192.0.2.1",
    ),
    bad(
        PKI,
        r#"hosts = { a = { address = "192.0.2.1", secondary_address = "192.0.2.2" } }"#,
        r#"hosts["a"].secondary_address"#,
        "both addresses of host a are of one family",
    ),
    bad(
        PKI,
        r#"additional_certificates = { admin = { authority = "cluster-ca", common_name = "x", usages = ["client_auth"] } }"#,
        r#"additional_certificates["admin"]"#,
        r#""admin" is a certificate of the cluster itself"#,
    ),
    bad(
        PKI,
        r#"additional_certificates = { x = { authority = "my-ca", common_name = "x", usages = ["client_auth"] } }"#,
        r#"additional_certificates["x"].authority"#,
        r#""my-ca" is no choice here"#,
    ),
    bad(
        LB,
        r#"virtual_addresses = ["192.0.2.100"]"#,
        "virtual_addresses[0]",
        r#""192.0.2.100" is not an address with a prefix length"#,
    ),
    bad(LB, r#"virtual_addresses = []"#, "virtual_addresses", "virtual_addresses is empty"),
    bad(
        LB,
        r#"virtual_addresses = ["192.0.2.11/24"]"#,
        "virtual_addresses[0]",
        "virtual address 192.0.2.11 is the address of host lb-1",
    ),
    bad(
        LB,
        r#"virtual_addresses = ["198.51.100.1/24"]"#,
        "virtual_addresses[0]",
        "is outside the network of host lb-1 (192.0.2.11)",
    ),
    bad(
        LB,
        r#"virtual_addresses = ["2001:db8::100/64"]"#,
        "virtual_addresses[0]",
        "no host has an address of the family of 2001:db8::100",
    ),
    bad(
        LB,
        r#"listeners = { a = { port = 443, backends = ["192.0.2.1:443"] }, b = { port = 443, backends = ["192.0.2.1:80"] } }"#,
        r#"listeners["b"].port"#,
        "listeners a and b both take port 443",
    ),
    bad(LB, r#"listeners = { a = { port = 70000, backends = ["192.0.2.1:443"] } }"#, r#"listeners["a"].port"#, "out of range"),
    bad(
        LB,
        r#"listeners = { a = { port = 443, backends = ["192.0.2.1"] } }"#,
        r#"listeners["a"].backends[0]"#,
        r#""192.0.2.1" is not a backend"#,
    ),
    bad(LB, r#"listeners = { a = { port = 443, backends = [] } }"#, r#"listeners["a"].backends"#, "listener a has no backends"),
    bad(LB, "virtual_router_id = 255", "virtual_router_id", "out of range"),
    bad(CLUSTER, r#"kubernetes_version = "1.99.0""#, "kubernetes_version", r#"unknown Kubernetes version "1.99.0""#),
    bad(CLUSTER, r#"kubernetes_version = "v1.36.3""#, "kubernetes_version", "kubernetes_version is written without a leading v"),
    bad(CLUSTER, r#"endpoint = "api.example:6443""#, "endpoint", r#""api.example:6443" is not the URL of an API endpoint"#),
    bad(
        CLUSTER,
        r#"hosts = { a = { address = "192.0.2.1" }, b = { address = "192.0.2.2" } }"#,
        "hosts",
        "2 control-plane hosts make an even number of etcd members",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.96.0.0/12"], service_cidrs = ["10.96.0.0/16"] }"#,
        "network.service_cidrs[0]",
        "network.service_cidrs[0] 10.96.0.0/16 overlaps network.pod_cidrs[0] 10.96.0.0/12",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/16"], service_cidrs = ["fd00:96::/112"] }"#,
        "network.service_cidrs",
        "pod_cidrs and service_cidrs are not of the same families in the same order",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["192.0.2.0/24"], service_cidrs = ["10.96.0.0/16"] }"#,
        r#"hosts["cp-1"].address"#,
        "host cp-1 192.0.2.21 lies inside network.pod_cidrs[0] 192.0.2.0/24",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/26"], service_cidrs = ["10.96.0.0/16"] }"#,
        "network.node_mask_ipv4",
        "a node's /24 is larger than the whole of 10.200.0.0/26",
    ),
    bad(
        CLUSTER,
        r#"network = { pod_cidrs = ["10.200.0.0/16", "fd00:18::/56"], service_cidrs = ["10.96.0.0/16", "fd00:96::/112"] }"#,
        r#"hosts["cp-1"].secondary_address"#,
        "host cp-1 has no IPv6 address, but pods have fd00:18::/56",
    ),
    bad(
        CLUSTER,
        r#"api_server = { flags = { "--v" = "4" } }"#,
        r#"api_server.flags["--v"]"#,
        r#"flag "--v" is written with its dashes"#,
    ),
    bad(
        CLUSTER,
        r#"api_server = { audit_policy = "rules: all" }"#,
        "api_server.audit_policy",
        "audit_policy is not an audit policy in YAML",
    ),
    bad(CLUSTER, r#"checksums = { "https://x" = "abc" }"#, r#"checksums["https://x"]"#, "the digest of https://x is not SHA-256"),
    bad(
        NODES,
        r#"labels = { "node-role.kubernetes.io/worker" = "" }"#,
        r#"labels["node-role.kubernetes.io/worker"]"#,
        "is reserved",
    ),
    bad(NODES, r#"labels = { "a b" = "c" }"#, r#"labels["a b"]"#, r#""a b" is not the key of a label"#),
    bad(NODES, r#"taints = [{ key = "a", effect = "Never" }]"#, "taints[0].effect", r#""Never" is no choice here"#),
    bad(NODES, r#"kubelet_config = "maxPods: 200""#, "kubelet_config", "kubelet_config is not a JSON object"),
    bad(
        NODES,
        r#"registry_mirrors = { "registry.k8s.io/x" = "http://m" }"#,
        r#"registry_mirrors["registry.k8s.io/x"]"#,
        "is not the host of a registry",
    ),
    bad(NODES, r#"proxy_mode = "userspace""#, "proxy_mode", r#""userspace" is no choice here"#),
    bad(KUBECONFIG, r#"client_certificate = "admin.pem""#, "client_certificate", "client_certificate is not in PEM"),
    bad(LOCALS, r#"dns = provider::k8s::service_address("10.96.0.0", 10)"#, "dns", "Invalid function argument"),
    bad(LOCALS, r#"api = provider::k8s::service_address("10.96.0.0/30", 4)"#, "api", "Invalid function argument"),
];

/// What makes each kind of block complete; the wrong attribute takes the place of its own.
const COMPLETE: &[(&str, &[&str])] = &[
    (PROVIDER, &[]),
    (
        PKI,
        &[
            r#"cluster_name = "demo""#,
            r#"endpoints = ["192.0.2.100"]"#,
            r#"service_cidrs = ["10.96.0.0/16"]"#,
            r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#,
        ],
    ),
    (
        LB,
        &[
            r#"hosts = { lb-1 = { address = "192.0.2.11" }, lb-2 = { address = "192.0.2.12" } }"#,
            r#"virtual_addresses = ["192.0.2.100/24"]"#,
            r#"listeners = { apiserver = { port = 6443, backends = ["192.0.2.21:6443"] } }"#,
        ],
    ),
    (
        CLUSTER,
        &[
            r#"name = "demo""#,
            r#"kubernetes_version = "1.36.3""#,
            r#"pki = k8s_pki.base.bundle"#,
            r#"endpoint = "https://192.0.2.100:6443""#,
            r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#,
            r#"network = { pod_cidrs = ["10.200.0.0/16"], service_cidrs = ["10.96.0.0/16"] }"#,
        ],
    ),
    (NODES, &[r#"cluster = k8s_hardway_cluster.base.join"#, r#"hosts = { cp-1 = { address = "192.0.2.21" } }"#]),
    (
        KUBECONFIG,
        &[
            r#"cluster = k8s_hardway_cluster.base.join"#,
            r#"client_certificate = k8s_pki.base.certificates["admin"]"#,
            r#"client_key = k8s_pki.base.private_keys["admin"]"#,
        ],
    ),
    (LOCALS, &[]),
];

const HEAD: &str = "terraform {\n  required_providers {\n    k8s = { source = \"k8s-hardway/k8s\" }\n  }\n}\n";

fn main() -> ExitCode {
    run::<BadInputs>(
        None,
        &scenarios![the_table_without_its_faults_is_valid, every_fault_is_named_at_its_attribute_by_every_engine],
    )
}

struct BadInputs;

impl Shared for BadInputs {
    fn begin() -> Self {
        BadInputs
    }
}

fn the_table_without_its_faults_is_valid(_: &mut BadInputs) {
    let configuration = Configuration::of(&[]);
    assert_eq!(configuration.validate(&Engine::first()), Vec::<Value>::new());
}

fn every_fault_is_named_at_its_attribute_by_every_engine(_: &mut BadInputs) {
    let configuration = Configuration::of(ROWS);
    for engine in Engine::all() {
        let diagnostics = configuration.validate(&engine);
        let faults: Vec<String> =
            ROWS.iter().zip(&configuration.rows).filter_map(|(row, place)| place.judge(row, &diagnostics).err()).collect();
        assert!(faults.is_empty(), "{}: {} of {} rows:\n{}", engine.name, faults.len(), ROWS.len(), faults.join("\n"));
    }
}

struct Configuration {
    text: String,
    rows: Vec<Place>,
}

/// The lines of a block, and which of its attributes begins on each.
struct Place {
    lines: RangeInclusive<usize>,
    attributes: Vec<(String, usize)>,
}

impl Configuration {
    /// One good block of each kind, called `base`, then one block for each row.
    fn of(rows: &[Row]) -> Configuration {
        let mut configuration = Configuration { text: HEAD.into(), rows: Vec::new() };
        for (block, _) in COMPLETE {
            configuration.add("base", &bad(block, "", "", ""));
        }
        configuration.rows =
            rows.iter().enumerate().map(|(number, row)| configuration.add(&format!("row_{number}"), row)).collect();
        configuration
    }

    fn add(&mut self, name: &str, row: &Row) -> Place {
        let (_, complete) = COMPLETE.iter().find(|(block, _)| *block == row.block).unwrap();
        let wrong = attribute_of(row.wrong);
        let kept = complete.iter().copied().filter(|line| attribute_of(line) != wrong);
        let mut body: Vec<String> = kept.chain([row.wrong]).filter(|line| !line.is_empty()).map(str::to_string).collect();
        let header = match row.block {
            LOCALS => LOCALS.to_string(),
            PROVIDER if name == "base" => PROVIDER.to_string(),
            PROVIDER => {
                body.push(format!("alias = \"{name}\""));
                self.add(&format!("of_{name}"), &bad(PKI, "provider = k8s.NAME", "", "")); // an engine passes over one that nobody uses
                self.text = self.text.replace("k8s.NAME", &format!("k8s.{name}"));
                PROVIDER.to_string()
            }
            block => format!("{block} \"{name}\""),
        };
        let first = self.text.lines().count() + 1;
        let attributes =
            body.iter().enumerate().map(|(index, line)| (attribute_of(line).to_string(), first + 1 + index)).collect();
        self.text += &format!("{header} {{\n{}\n}}\n", body.join("\n"));
        Place { lines: first..=self.text.lines().count(), attributes }
    }

    fn validate(&self, engine: &Engine) -> Vec<Value> {
        let source = lab::folder().join("bad-inputs-source");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("main.tf"), &self.text).unwrap();
        let workspace = Workspace::new(engine, &source, "bad-inputs");
        let answer = acceptance_tests::command::run(workspace.command(None, "validate").arg("-json"));
        let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
        workspace.remove();
        answer["diagnostics"].as_array().unwrap().clone()
    }
}

impl Place {
    /// Some diagnostic of the block says it, at the attribute. Engines can point at an attribute and at an element of it, not below:
    /// there the detail names the whole path.
    fn judge(&self, row: &Row, diagnostics: &[Value]) -> Result<(), String> {
        let fault = |what: &str, seen: &dyn std::fmt::Debug| Err(format!("{}: {}: {what}: {seen:?}", row.block, row.wrong));
        let line = |diagnostic: &Value| usize::try_from(diagnostic["range"]["start"]["line"].as_u64().unwrap_or(0)).unwrap_or(0);
        let here: Vec<&Value> = diagnostics.iter().filter(|diagnostic| self.lines.contains(&line(diagnostic))).collect();
        let text = |diagnostic: &Value, key: &str| diagnostic[key].as_str().unwrap_or_default().to_string();
        let says_it = |diagnostic: &&&Value| text(diagnostic, "summary").to_lowercase().contains(&row.summary.to_lowercase());
        let Some(found) = here.iter().find(says_it) else {
            return fault("nobody says it, but", &here.iter().map(|diagnostic| text(diagnostic, "summary")).collect::<Vec<_>>());
        };
        let attribute: String = row.path.chars().take_while(|c| !".[".contains(*c)).collect();
        let expected = self.attributes.iter().find(|(name, _)| *name == attribute).map(|(_, line)| *line);
        if expected.is_some_and(|expected| expected != line(found)) {
            return fault("the engine points elsewhere", &text(&found["snippet"], "code"));
        }
        let is_deep = steps(row.path) > 2 || steps(row.path) == 2 && !row.path.contains('[');
        if is_deep && !text(found, "detail").contains(row.path) {
            return fault("the detail does not name the path", &text(found, "detail"));
        }
        if text(found, "detail").is_empty() {
            return fault("no way out is shown", &found);
        }
        Ok(())
    }
}

/// `hosts["cp-1"].address` has three. What stands in brackets is one, whatever is in it.
fn steps(path: &str) -> usize {
    path.split('"').step_by(2).map(|outside| outside.matches(['.', '[']).count()).sum::<usize>() + 1
}

fn attribute_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}
