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
}

/// An attribute, and its new value.
pub type Change = (&'static str, fn() -> Value);

pub type States = BTreeMap<&'static str, Value>;

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
            ("kubernetes_version", || "1.36.3".into()),
        ],
        replacement: ("network", || network("172.20.0.0/16")),
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
            ("hosts", || hosts(&[("cp-1", "192.0.2.11"), ("worker-1", "192.0.2.21"), ("worker-3", "192.0.2.23")])),
        ],
        replacement: ("name", || "others".into()),
    },
];

const CONTROL_PLANE: [(&str, &str); 3] = [("cp-1", "192.0.2.11"), ("cp-2", "192.0.2.12"), ("cp-3", "192.0.2.13")];

fn hosts(all: &[(&str, &str)]) -> Value {
    Value::Map(all.iter().map(|(name, address)| (name.to_string(), Value::object([("address", (*address).into())]))).collect())
}

fn listener(backend: &str) -> Value {
    Value::object([("port", 6443.into()), ("backends", vec![backend].into())])
}

fn network(pods: &str) -> Value {
    Value::object([("pod_cidrs", vec![pods].into()), ("service_cidrs", vec!["10.96.0.0/16"].into())])
}

impl Row {
    pub fn changed(&self, config: &Value, (attribute, value): &Change) -> Value {
        let mut config = config.clone();
        config.set(attribute, value());
        config
    }
}
