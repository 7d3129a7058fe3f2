//! What the user declares of a node group, its rules, and the renderer's spec that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::ssh::Ssh;
use bundle::Content;
use render::spec::{NodeGroupSpec, PodNetwork, ProxyMode};
use rollout::nodes::Bounds;
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster: Field<Join>,
    pub hosts: Field<HostConfigs>,
    pub labels: Field<BTreeMap<String, Field<String>>>,
    pub taints: Field<Vec<Taint>>,
    pub proxy_mode: Field<String>,
    pub registry_mirrors: Field<BTreeMap<String, Field<String>>>,
    pub kubelet_config: Field<String>,
    pub kube_proxy_config: Field<String>,
    pub max_unavailable: Field<u64>,
    pub drain_timeout_seconds: Field<u64>,
    pub mirror: Field<String>,
    pub checksums: Field<BTreeMap<String, Field<String>>>,
    pub ssh: Field<Ssh>,
}

#[derive(Deserialize)]
pub struct Taint {
    pub key: Field<String>,
    pub value: Field<String>,
    pub effect: Field<String>,
}

impl Config {
    pub fn id(&self) -> Option<String> {
        Some(format!("{}.{}", self.cluster.known()?.cluster_name, self.name.known()?))
    }

    pub fn bounds(&self) -> Bounds {
        let max_unavailable = self.max_unavailable.known().and_then(|count| usize::try_from(*count).ok());
        Bounds { max_unavailable: max_unavailable.unwrap_or(1), ..Bounds::default() }
    }

    pub fn drain_limit(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_seconds.known().copied().unwrap_or(300))
    }

    pub fn known_labels(&self) -> Option<BTreeMap<String, String>> {
        known_map(&self.labels)
    }

    /// `None` while something is unknown.
    pub fn spec(&self, kube_proxy_kubeconfig: Content) -> Option<NodeGroupSpec> {
        let join = self.cluster.known()?;
        Some(NodeGroupSpec {
            cluster_name: join.cluster_name.clone(),
            kubernetes_version: join.kubernetes_version.clone(),
            endpoint: join.endpoint()?,
            network: join.network()?,
            hosts: hosts::resolve(self.hosts.known()?)?,
            labels: self.known_labels()?,
            taints: self.taint_flags()?,
            apiserver_authority: join.apiserver_authority.known().cloned().into(),
            kubelet_client_authority: join.kubelet_client_authority.known().cloned().into(),
            kube_proxy_kubeconfig,
            proxy_mode: match self.proxy_mode.known()?.as_str() {
                "iptables" => ProxyMode::Iptables,
                "ipvs" => ProxyMode::Ipvs,
                _ => ProxyMode::Nftables,
            },
            registry_mirrors: known_map(&self.registry_mirrors)?,
            kubelet_flags: BTreeMap::new(),
            pod_network: PodNetwork::default(),
            kubelet_config: json(&self.kubelet_config)?,
            kube_proxy_config: json(&self.kube_proxy_config)?,
        })
    }

    fn taint_flags(&self) -> Option<Vec<String>> {
        match &self.taints {
            Field::Unknown => None,
            Field::Null => Some(Vec::new()),
            Field::Known(taints) => taints
                .iter()
                .map(|taint| {
                    let value =
                        if taint.value.is_unknown() { return None } else { taint.value.known().cloned().unwrap_or_default() };
                    Some(format!("{}={value}:{}", taint.key.known()?, taint.effect.known()?))
                })
                .collect(),
        }
    }
}

fn known_map(field: &Field<BTreeMap<String, Field<String>>>) -> Option<BTreeMap<String, String>> {
    match field {
        Field::Unknown => None,
        Field::Null => Some(BTreeMap::new()),
        Field::Known(map) => map.iter().map(|(key, value)| Some((key.clone(), value.known()?.clone()))).collect(),
    }
}

fn json(field: &Field<String>) -> Option<serde_json::Value> {
    match field {
        Field::Unknown => None,
        Field::Null => Some(serde_json::json!({})),
        Field::Known(text) => serde_json::from_str(text).ok(),
    }
}

/// Labels that a node may not give itself: NodeRestriction of the API server refuses them.
fn is_restricted_label(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let reserved = ["kubernetes.io", "k8s.io"].iter().any(|domain| prefix == *domain || prefix.ends_with(&format!(".{domain}")));
    let allowed = ["node.kubernetes.io", "kubelet.kubernetes.io"]
        .iter()
        .any(|domain| prefix == *domain || prefix.ends_with(&format!(".{domain}")));
    let known: BTreeSet<&str> = [
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    ]
    .into();
    reserved && !allowed && !known.contains(key)
}

pub fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    for (key, value) in config.get("labels").as_map().into_iter().flatten() {
        let at = AttributePath::attribute("labels").key(key.as_str());
        if !is_qualified_name(key) {
            diagnostics.push(Diagnostic::error(format!("{key:?} is not the key of a label")).detail("A key is a name of at most 63 characters, with a DNS domain and a slash before it if you like: \"node.example/pool\".").at(at.clone()));
        } else if is_restricted_label(key) {
            diagnostics.push(
                Diagnostic::error(format!("label {key:?} is reserved"))
                    .detail("A node cannot give itself labels of kubernetes.io, except below node.kubernetes.io. Use a domain of your own, such as \"node.example/pool\".")
                    .at(at.clone()),
            );
        }
        if value.as_str().is_some_and(|text| !is_label_value(text)) {
            diagnostics.push(
                Diagnostic::error(format!("the value of label {key:?} is not allowed"))
                    .detail("Use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.")
                    .at(at),
            );
        }
    }
    for (index, taint) in config.get("taints").as_list().unwrap_or_default().iter().enumerate() {
        let at = AttributePath::attribute("taints").index(index);
        if taint.get("key").as_str().is_some_and(|key| !is_qualified_name(key)) {
            diagnostics.push(
                Diagnostic::error("the key of a taint is not allowed")
                    .detail("Use a name such as \"dedicated\" or \"node.example/dedicated\".")
                    .at(at.clone().then("key")),
            );
        }
        if taint.get("value").as_str().is_some_and(|value| !is_label_value(value)) {
            diagnostics.push(
                Diagnostic::error("the value of a taint is not allowed")
                    .detail("Use at most 63 letters, digits, '-', '_' and '.'.")
                    .at(at.then("value")),
            );
        }
    }
    for attribute in ["kubelet_config", "kube_proxy_config"] {
        let Some(text) = config.get(attribute).as_str() else { continue };
        if !serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object()) {
            diagnostics.push(
                Diagnostic::error(format!("{attribute} is not a JSON object"))
                    .detail("Use jsonencode, such as jsonencode({ maxPods = 200 }).")
                    .at(AttributePath::attribute(attribute)),
            );
        }
    }
    for (registry, url) in config.get("registry_mirrors").as_map().into_iter().flatten() {
        let at = AttributePath::attribute("registry_mirrors").key(registry.as_str());
        if registry.contains('/') || registry.is_empty() {
            diagnostics.push(
                Diagnostic::error(format!("{registry:?} is not the host of a registry"))
                    .detail("Give only the host, such as \"registry.k8s.io\".")
                    .at(at.clone()),
            );
        }
        if url.as_str().is_some_and(|url| !(url.starts_with("http://") || url.starts_with("https://"))) {
            diagnostics.push(
                Diagnostic::error("a registry mirror is not an HTTP URL")
                    .detail("Give a URL such as https://mirror.example.net.")
                    .at(at),
            );
        }
    }
}

fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(crate::resources::attributes::is_dns_name)
}

fn is_label_value(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_the_api_server_would_refuse_are_refused_at_plan() {
        for good in ["node.example/pool", "pool", "node.kubernetes.io/pool", "kubernetes.io/hostname"] {
            assert!(is_qualified_name(good) && !is_restricted_label(good), "{good}");
        }
        for bad in ["node-role.kubernetes.io/worker", "kubernetes.io/x", "sub.k8s.io/x"] {
            assert!(is_restricted_label(bad), "{bad}");
        }
        for bad in ["", "a b", "/x", "-a", "x/y/z"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
    }

    #[track_caller]
    fn check(attribute: &str, value: Value, expect: &[(&str, &str)]) {
        let mut found = Diagnostics::default();
        validate(&Value::object([(attribute, value)]), &mut found);
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn labels_and_taints() {
        let label = |key: &str, value: &str| Value::object([(key, value.into())]);
        let role = "node-role.kubernetes.io/worker";
        check("labels", label("node.example/pool", "general"), &[]);
        check("labels", label("a b", "x"), &[("labels[\"a b\"]", "\"a b\" is not the key of a label")]);
        check("labels", label(role, ""), &[(&format!("labels[{role:?}]"), &format!("label {role:?} is reserved"))]);
        check("labels", label("pool", "a b"), &[("labels[\"pool\"]", "the value of label \"pool\" is not allowed")]);
        let taint = |key: &str, value: &str| Value::List(vec![Value::object([("key", key.into()), ("value", value.into())])]);
        check("taints", taint("dedicated", "batch"), &[]);
        check("taints", taint("a=b", "batch"), &[("taints[0].key", "the key of a taint is not allowed")]);
        check("taints", taint("dedicated", "a:b"), &[("taints[0].value", "the value of a taint is not allowed")]);
    }

    #[test]
    fn configurations_and_mirrors() {
        check("kubelet_config", "{\"maxPods\":200}".into(), &[]);
        check("kubelet_config", "maxPods: 200".into(), &[("kubelet_config", "kubelet_config is not a JSON object")]);
        check("kube_proxy_config", "[]".into(), &[("kube_proxy_config", "kube_proxy_config is not a JSON object")]);
        let mirror = |registry: &str, url: &str| Value::object([(registry, url.into())]);
        check("registry_mirrors", mirror("registry.k8s.io", "https://mirror.example.net"), &[]);
        check(
            "registry_mirrors",
            mirror("registry.k8s.io/x", "https://mirror.example.net"),
            &[("registry_mirrors[\"registry.k8s.io/x\"]", "\"registry.k8s.io/x\" is not the host of a registry")],
        );
        check(
            "registry_mirrors",
            mirror("registry.k8s.io", "mirror.example.net"),
            &[("registry_mirrors[\"registry.k8s.io\"]", "a registry mirror is not an HTTP URL")],
        );
    }
}
