//! One row for each resource of the registry: a valid configuration, a change of it, and what the schema says becomes of that.

use schema::Value;
use std::collections::BTreeMap;

pub struct Row {
    pub name: &'static str,
    /// From the states of the rows before it.
    pub config: fn(&States) -> Value,
    pub updates: &'static [Change],
    /// A change that only a new object can have.
    pub replacement: Change,
    /// What goes with it.
    pub beside: &'static [Change],
}

/// An attribute, and its new value.
pub type Change = (&'static str, fn() -> Value);

pub type States = BTreeMap<&'static str, Value>;

pub fn row(name: &str) -> &'static Row {
    ROWS.iter().find(|row| row.name == name).unwrap()
}

/// In the order in which a user declares them: each may use the states of those before.
pub const ROWS: &[Row] = &[
    Row {
        name: "k8s_pki",
        config: |_| {
            Value::object([
                ("cluster_name", "demo".into()),
                ("endpoints", vec!["api.demo.internal", "192.0.2.100"].into()),
                ("service_cidrs", vec!["10.96.0.0/16"].into()),
                ("hosts", hosts(&CONTROL_PLANE)),
            ])
        },
        updates: &[("endpoints", || vec!["api.demo.internal", "192.0.2.101"].into())],
        replacement: ("cluster_name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_lb_vrrp",
        config: |_| {
            Value::object([
                ("hosts", hosts(&[("lb-1", "192.0.2.2"), ("lb-2", "192.0.2.3")])),
                ("virtual_addresses", vec!["192.0.2.100/24"].into()),
                ("listeners", Value::object([("apiserver", listener("192.0.2.11:6443"))])),
            ])
        },
        updates: &[
            ("listeners", || Value::object([("apiserver", listener("192.0.2.12:6443"))])),
            ("virtual_addresses", || vec!["192.0.2.101/24"].into()),
            ("hosts", || hosts(&[("lb-1", "192.0.2.2"), ("lb-3", "192.0.2.4")])),
        ],
        replacement: ("name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_hardway_cluster",
        config: |states| {
            Value::object([
                ("name", "demo".into()),
                ("kubernetes_version", "1.36.2".into()),
                ("pki", states["k8s_pki"].get("bundle").clone()),
                ("endpoint", "https://api.demo.internal:6443".into()),
                ("hosts", hosts(&CONTROL_PLANE)),
                ("network", network("172.18.0.0/16")),
            ])
        },
        updates: &[
            ("api_server", || Value::object([("flags", Value::object([("v", "4".into())]))])),
            ("coredns", || Value::object([("replicas", 3.into())])),
            ("kubernetes_version", || "1.36.3".into()),
        ],
        replacement: ("network", || network("172.20.0.0/16")),
        beside: &[],
    },
    Row {
        name: "k8s_node_group",
        config: |states| {
            Value::object([
                ("cluster", states["k8s_hardway_cluster"].get("join").clone()),
                ("hosts", hosts(&[("cp-1", "192.0.2.11"), ("worker-1", "192.0.2.21"), ("worker-2", "192.0.2.22")])),
                ("labels", Value::object([("node.example/pool", "general".into())])),
                ("max_unavailable", 2.into()),
            ])
        },
        updates: &[
            ("kubelet_config", || "{\"maxPods\":200}".into()),
            ("labels", || Value::object([("node.example/tier", "other".into())])),
            ("taints", || taints(&[("dedicated", "NoSchedule")])),
            ("hosts", || hosts(&[("cp-1", "192.0.2.11"), ("worker-1", "192.0.2.21"), ("worker-3", "192.0.2.23")])),
            ("hosts", || hosts(&[])),
        ],
        replacement: ("name", || "others".into()),
        beside: &[],
    },
    Row {
        name: "k8s_ccm_config",
        config: |states| {
            let mut cluster = states["k8s_hardway_cluster"].get("join").clone();
            cluster.set("cloud_provider", "external".into());
            Value::object([
                ("cluster", cluster),
                ("pki", states["k8s_pki"].get("bundle").clone()),
                ("hosts", hosts(&CONTROL_PLANE)),
                ("version", "1.36.2".into()),
                ("cloud_config", Value::object([("region", "us-east-1".into())])),
                ("secret_environment", Value::object([("AWS_SECRET_ACCESS_KEY", "secret-key-of-aws".into())])),
                ("program_sha256", Value::object([("amd64", "1".repeat(64).into())])),
            ])
        },
        updates: &[
            ("cloud_config", || Value::object([("region", "us-east-2".into())])),
            ("flags", || Value::object([("v", "4".into())])),
            ("environment", || Value::object([("AWS_ENDPOINT_URL", "http://192.0.2.9:5000".into())])),
            ("program_sha256", || Value::object([("amd64", "2".repeat(64).into())])),
            ("hosts", || hosts(&CONTROL_PLANE[..2])),
        ],
        replacement: ("name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_vpc",
        config: |_| {
            Value::object([
                ("name", "demo".into()),
                ("cidr", "10.0.0.0/16".into()),
                ("ipv6", Value::object([("source", "amazon".into())])),
                ("zones", vec!["us-east-1a"].into()),
            ])
        },
        updates: &[
            ("zones", || vec!["us-east-1b", "us-east-1a"].into()),
            ("nat", || Value::object([("mode", "none".into())])),
            ("endpoints", || Value::object([("gateway", vec!["s3"].into()), ("interface", vec!["ec2"].into())])),
        ],
        replacement: ("cidr", || "10.1.0.0/16".into()),
        beside: &[],
    },
    Row {
        name: "k8s_lb_nlb",
        config: |states| {
            let vpc = &states["k8s_vpc"];
            Value::object([
                ("name", "demo-api".into()),
                ("cluster_name", "demo".into()),
                ("vpc_id", vpc.get("vpc_id").clone()),
                ("ip_address_type", "dualstack".into()),
                ("subnet_ids", vpc.get("private_subnet_ids").clone()),
                ("security_group_ids", vec![vpc.get("security_group_ids").get("load-balancer").clone()].into()),
                ("listeners", Value::object([("apiserver", nlb_listener(6443, "10.0.1.4")), ("web", nlb_web(&["nodes"]))])),
                ("dns", Value::object([("zone_id", "Z0123456789".into()), ("name", "api.example.net".into())])),
            ])
        },
        updates: &[
            ("listeners", || Value::object([("apiserver", nlb_listener(6444, "10.0.1.5"))])),
            ("listeners", || {
                Value::object([("apiserver", nlb_listener(6443, "10.0.1.4")), ("web", nlb_web(&["nodes-2", "nodes-3"]))])
            }),
            ("listeners", || Value::object([("dns", nlb_dns())])),
            ("ip_address_type", || "ipv4".into()),
        ],
        replacement: ("scheme", || "internet-facing".into()),
        beside: &[],
    },
    Row {
        name: "k8s_bastion",
        config: |states| {
            let mut config = instance(states, "demo-bastion", "bastion");
            config.set("dns", Value::object([("zone_id", "Z0123456789".into()), ("name", "bastion.example.net".into())]));
            config
        },
        updates: &[("elastic_ip", || false.into()), ("instance_type", || "t4g.micro".into())],
        replacement: ("name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_egress_proxy",
        config: |states| {
            let mut config = instance(states, "demo-proxy", "proxy");
            config.set("client_cidrs", vec!["10.0.0.0/16"].into());
            config.set("allowed_domains", vec![".amazonaws.com"].into());
            config
        },
        updates: &[("allowed_domains", || vec!["registry.k8s.io"].into())],
        replacement: ("name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_manifests",
        config: |states| {
            Value::object([
                ("name", "shop".into()),
                ("cluster", states["k8s_hardway_cluster"].get("join").clone()),
                ("yaml", Value::object([("shop.yaml", SHOP.into())])),
                ("objects", Value::List(vec![config_map("endpoint", "https://api.demo.internal:6443")])),
                ("secrets", Value::object([("shop/db", Value::object([("password", "hunter2-of-the-shop".into())]))])),
                ("secrets_version", 1.into()),
            ])
        },
        updates: &[
            ("yaml", || {
                Value::object([(
                    "shop.yaml",
                    SHOP.replace("replicas: 2", "replicas: 3").replace("name: red", "name: blue").as_str().into(),
                )])
            }),
            ("objects", || Value::List(vec![config_map("endpoint", "other"), config_map("more", "x")])),
            ("objects", || Value::Null),
            ("secrets_version", || 2.into()),
        ],
        replacement: ("name", || "other".into()),
        beside: &[],
    },
    Row {
        name: "k8s_addon",
        config: |states| {
            let mut cluster = states["k8s_hardway_cluster"].get("join").clone();
            cluster.set("pod_network", "none".into());
            Value::object([
                ("name", "metrics-server".into()),
                ("version", "0.8.1".into()),
                ("cluster", cluster),
                ("settings", Value::object([("replicas", 2.into())])),
                ("patches", Value::object([("Service/kube-system/metrics-server", "metadata: {labels: {tier: system}}".into())])),
            ])
        },
        updates: &[
            ("settings", || Value::object([("replicas", 3.into()), ("disruption_budget", false.into())])),
            ("version", || "0.9.0".into()),
            ("patches", || Value::Null),
        ],
        replacement: ("name", || "flannel".into()),
        beside: &[("version", || "0.28.10".into()), ("settings", || Value::Null), ("patches", || Value::Null)],
    },
];

/// A namespace with what may be in one, and a kind of its own.
pub const SHOP: &str = "
{apiVersion: example.com/v1, kind: Team, metadata: {name: red, namespace: shop}, spec: {size: 3}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: teams.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Team, plural: teams}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: shop}, type: Opaque}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {spec: {containers: [{name: web, image: 'web:1'}]}}}
";

pub fn config_map(name: &str, text: &str) -> Value {
    Value::object([
        ("apiVersion", "v1".into()),
        ("kind", "ConfigMap".into()),
        ("metadata", Value::object([("name", name.into()), ("namespace", "shop".into())])),
        ("data", Value::object([("text", text.into())])),
    ])
}

const CONTROL_PLANE: [(&str, &str); 3] = [("cp-1", "192.0.2.11"), ("cp-2", "192.0.2.12"), ("cp-3", "192.0.2.13")];

fn hosts(all: &[(&str, &str)]) -> Value {
    Value::Map(all.iter().map(|(name, address)| (name.to_string(), Value::object([("address", (*address).into())]))).collect())
}

pub fn taints(all: &[(&str, &str)]) -> Value {
    let taint = |(key, effect): &(&str, &str)| Value::object([("key", (*key).into()), ("effect", (*effect).into())]);
    Value::List(all.iter().map(taint).collect())
}

fn listener(backend: &str) -> Value {
    Value::object([("port", 6443.into()), ("backends", vec![backend].into())])
}

fn nlb_listener(port: i64, target: &str) -> Value {
    Value::object([("port", port.into()), ("target", Value::object([("targets", vec![target].into())]))])
}

fn nlb_web(autoscaling_groups: &[&str]) -> Value {
    let target = [("type", "instance".into()), ("autoscaling_group_names", autoscaling_groups.to_vec().into())];
    Value::object([("port", 443.into()), ("target", Value::object(target))])
}

fn nlb_dns() -> Value {
    let target = Value::object([("address_family", "ipv6".into()), ("targets", vec!["2001:db8::53"].into())]);
    Value::object([("port", 53.into()), ("protocol", "UDP".into()), ("target", target)])
}

fn instance(states: &States, name: &str, role: &str) -> Value {
    let vpc = &states["k8s_vpc"];
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbnfDV8zpRaHE5J6uFr4NyM6aFFsaEqkHM3Zm6VDk7B test";
    Value::object([
        ("name", name.into()),
        ("cluster_name", "demo".into()),
        ("subnet_id", vpc.get("public_subnet_ids").as_list().unwrap()[0].clone()),
        ("security_group_ids", vec![vpc.get("security_group_ids").get(role).clone()].into()),
        ("instance_type", "t4g.nano".into()),
        ("image", "debian-12".into()),
        ("public_key", key.into()),
        ("elastic_ip", true.into()),
    ])
}

fn network(pods: &str) -> Value {
    Value::object([("pod_cidrs", vec![pods].into()), ("service_cidrs", vec!["10.96.0.0/16"].into())])
}

impl Row {
    /// With a change that only a new object can have.
    pub fn replaced(&self, config: &Value) -> Value {
        self.beside.iter().fold(self.changed(config, &self.replacement), |config, change| self.changed(&config, change))
    }

    pub fn changed(&self, config: &Value, (attribute, value): &Change) -> Value {
        let mut config = config.clone();
        config.set(attribute, value());
        config
    }
}
