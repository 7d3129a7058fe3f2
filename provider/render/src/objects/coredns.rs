//! CoreDNS, the cluster's DNS: replicas on different nodes behind the Service `kube-dns`.

use super::ObjectsSpec;
use crate::catalogue;
use crate::spec::RenderError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

const NAMESPACE: &str = "kube-system";
/// More queries than these at a time are refused, which ends a loop of queries before the memory does.
const QUERIES_AT_A_TIME: u32 = 1000;

/// How CoreDNS serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Coredns {
    pub replicas: u32,
    /// Who is asked for names outside of the cluster: addresses of name servers, perhaps with a port, or a file like resolv.conf.
    pub forward: Vec<String>,
    /// For how long answers are kept at most; 0 keeps none.
    pub cache_seconds: u32,
    /// Zones that others than these are asked for.
    pub zones: BTreeMap<String, Vec<String>>,
    /// By resource, such as `cpu`.
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
}

impl Default for Coredns {
    /// `forward` stops CoreDNS from starting when the file names no server, so kubelet's resolv.conf always names one
    /// (`node/resolv-conf.sh`), and queries for foreign names fail quickly where there is none.
    fn default() -> Coredns {
        let quantities = |all: &[(&str, &str)]| all.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        Coredns {
            replicas: 2,
            forward: vec!["/etc/resolv.conf".into()],
            cache_seconds: 30,
            zones: BTreeMap::new(),
            requests: quantities(&[("cpu", "100m"), ("memory", "70Mi")]),
            limits: quantities(&[("memory", "170Mi")]),
        }
    }
}

pub(super) fn objects(spec: &ObjectsSpec) -> Result<Vec<Value>, RenderError> {
    let image = catalogue::release(&spec.kubernetes_version)?.coredns_image;
    Ok(vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "coredns", "namespace": NAMESPACE } }),
        cluster_role(),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "system:coredns" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns" },
            "subjects": [{ "kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE }],
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "coredns", "namespace": NAMESPACE },
            "data": { "Corefile": corefile(&spec.cluster_domain, &spec.coredns) },
        }),
        deployment(&image, &spec.coredns),
        service(spec),
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": { "name": "coredns", "namespace": NAMESPACE },
            // One that is not ready serves nobody, and holds up no drain.
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": { "matchLabels": { "k8s-app": "kube-dns" } },
            },
        }),
    ])
}

fn cluster_role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "system:coredns" },
        "rules": [
            { "apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"] },
            { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"] },
        ],
    })
}

fn corefile(cluster_domain: &str, coredns: &Coredns) -> String {
    let mut text = format!(
        ".:53 {{
    errors
    health {{
        lameduck 5s
    }}
    ready
    kubernetes {cluster_domain} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus :9153
{}    loop
    reload
    loadbalance
}}
",
        asked(&coredns.forward, coredns.cache_seconds)
    );
    for (zone, servers) in &coredns.zones {
        let asked = asked(servers, coredns.cache_seconds);
        // A text takes it all.
        let _ = write!(text, "{zone}:53 {{\n    errors\n    prometheus :9153\n{asked}}}\n");
    }
    text
}

fn asked(servers: &[String], cache_seconds: u32) -> String {
    let cache = if cache_seconds == 0 { String::new() } else { format!("    cache {cache_seconds}\n") };
    format!("    forward . {} {{\n        max_concurrent {QUERIES_AT_A_TIME}\n    }}\n{cache}", servers.join(" "))
}

fn deployment(image: &str, coredns: &Coredns) -> Value {
    let labels = json!({ "k8s-app": "kube-dns" });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "coredns", "namespace": NAMESPACE, "labels": labels },
        "spec": {
            "replicas": coredns.replicas,
            "selector": { "matchLabels": labels },
            // Of a single replica none: another one is there before it goes.
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "50%" } },
            "template": { "metadata": { "labels": labels }, "spec": pod(image, coredns) },
        },
    })
}

/// Where nothing is asked for, the field is left out: the API server keeps none that is empty.
fn resources(coredns: &Coredns) -> Value {
    let parts = [("requests", &coredns.requests), ("limits", &coredns.limits)].into_iter().filter(|(_, all)| !all.is_empty());
    Value::Object(parts.map(|(name, all)| (name.to_string(), json!(all))).collect::<Map<String, Value>>())
}

fn pod(image: &str, coredns: &Coredns) -> Value {
    json!({
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "tolerations": [
            { "key": "CriticalAddonsOnly", "operator": "Exists" },
            { "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" },
        ],
        // On different nodes where there are several that take pods; a rollout does not count the replicas that it replaces.
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "nodeTaintsPolicy": "Honor",
            "labelSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
            "matchLabelKeys": ["pod-template-hash"],
        }],
        "containers": [{
            "name": "coredns",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["-conf", "/etc/coredns/Corefile"],
            "ports": [
                { "name": "dns", "containerPort": 53, "protocol": "UDP" },
                { "name": "dns-tcp", "containerPort": 53, "protocol": "TCP" },
                { "name": "metrics", "containerPort": 9153, "protocol": "TCP" },
            ],
            "resources": resources(coredns),
            "livenessProbe": {
                "httpGet": { "path": "/health", "port": 8080, "scheme": "HTTP" },
                "initialDelaySeconds": 60,
                "timeoutSeconds": 5,
                "failureThreshold": 5,
            },
            "readinessProbe": { "httpGet": { "path": "/ready", "port": 8181, "scheme": "HTTP" }, "periodSeconds": 2 },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] },
                "readOnlyRootFilesystem": true,
            },
            "volumeMounts": [{ "name": "config-volume", "mountPath": "/etc/coredns", "readOnly": true }],
        }],
        "volumes": [{
            "name": "config-volume",
            "configMap": { "name": "coredns", "items": [{ "key": "Corefile", "path": "Corefile" }] },
        }],
    })
}

fn service(spec: &ObjectsSpec) -> Value {
    let addresses: Vec<String> = spec.dns_addresses.iter().map(ToString::to_string).collect();
    let families: Vec<&str> = spec.dns_addresses.iter().map(|address| if address.is_ipv6() { "IPv6" } else { "IPv4" }).collect();
    let policy = if addresses.len() > 1 { "RequireDualStack" } else { "SingleStack" };
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": NAMESPACE,
            "labels": { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" },
            "annotations": { "prometheus.io/port": "9153", "prometheus.io/scrape": "true" },
        },
        "spec": {
            "selector": { "k8s-app": "kube-dns" },
            "clusterIP": addresses.first(),
            "clusterIPs": addresses,
            "ipFamilies": families,
            "ipFamilyPolicy": policy,
            "ports": [
                { "name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP" },
                { "name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP" },
                { "name": "metrics", "port": 9153, "targetPort": 9153, "protocol": "TCP" },
            ],
        },
    })
}
