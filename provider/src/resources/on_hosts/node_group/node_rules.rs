//! What is wrong with the settings of nodes, whether a group has them or one host. Pure.

use crate::resources::attributes;
use render::node::is_given_by_kubelet;
use schema::{Diagnostics, ValueAt};
use std::collections::BTreeSet;

/// Of annotations in all. Source: `TotalAnnotationSizeLimitB` in apimachinery/pkg/api/validation.
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// Annotations that kubelets and controllers of Kubernetes write on nodes.
const WRITTEN_BY_KUBERNETES: [&str; 4] = [
    "alpha.kubernetes.io/provided-node-ip",
    "csi.volume.kubernetes.io/nodeid",
    "node.alpha.kubernetes.io/ttl",
    "volumes.kubernetes.io/controller-managed-attach-detach",
];

/// Flags of the kubelet that are refused, and what to do instead.
const REFUSED_FLAGS: [(&str, &str); 11] = [
    ("bootstrap-kubeconfig", OURS),
    ("cert-dir", OURS),
    ("config", "Set kubelet_config instead."),
    ("config-dir", "Set kubelet_config instead: settings in other files would win over it unseen."),
    ("hostname-override", "A node has the name of its host."),
    ("kubeconfig", OURS),
    ("node-ip", "Set address and secondary_address of the host instead."),
    ("node-labels", "Set labels instead: they follow a change."),
    ("provider-id", "Set provider_id of the host instead."),
    ("register-with-taints", "Set taints instead: they follow a change."),
    ("root-dir", OURS),
];
const OURS: &str = "The provider joins nodes, renews their credentials and removes them by it.";

/// Settings of the kubelet that have no effect, and what to set instead.
const WITHOUT_EFFECT: [(&str, &str); 2] = [
    (
        "registerWithTaints",
        "The kubelet would not see it. Use the attribute taints, with startup = true for those that something in the cluster takes away.",
    ),
    ("providerID", "Each node has its own. Set provider_id of the host."),
];

/// Of a group, or of one host.
pub fn validate(settings: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_labels(&settings.get("labels"), found);
    validate_annotations(&settings.get("annotations"), found);
    validate_taints(&settings.get("taints"), found);
    let kubelet = settings.get("kubelet_config");
    validate_json("kubelet_config", &kubelet, found);
    validate_without_effect(&kubelet, found);
    for (name, flag) in settings.get("kubelet_flags").entries() {
        attributes::validate_flag(name, &flag, found);
        if let Some((_, way_out)) = REFUSED_FLAGS.iter().find(|(refused, _)| *refused == name) {
            found.push(flag.error(format!("the kubelet does not take the flag {name:?}"), *way_out));
        }
    }
}

/// By which a cloud knows a machine: a scheme and something after it (`GetInstanceProviderID` in k8s.io/cloud-provider).
pub fn validate_provider_id(id: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_good = |text: &str| {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        !scheme.is_empty() && !rest.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/%+@".contains(c))
    };
    if id.as_str().is_some_and(|text| !is_good(text)) {
        let detail = "Give the name of the cloud and its id of the machine, such as \"aws:///us-east-1a/i-0123456789abcdef0\".";
        found.push(id.error("this is not a provider id", detail));
    }
}

fn validate_labels(labels: &ValueAt<'_>, found: &mut Diagnostics) {
    for (key, label) in labels.entries() {
        if !is_qualified_name(key) {
            found.push(label.error(
                format!("{key:?} is not the key of a label"),
                "A key is a name of at most 63 characters, with a DNS domain and a slash before it if you like: \"node.example/pool\".",
            ));
        } else if is_restricted_label(key) {
            found.push(label.error(
                format!("label {key:?} is reserved"),
                "Of kubernetes.io and k8s.io a group has those below node.kubernetes.io, kubelet.kubernetes.io, node-role.kubernetes.io and \
                 node-restriction.kubernetes.io, topology.kubernetes.io/region and topology.kubernetes.io/zone. Use a domain of your own, such as \
                 \"node.example/pool\".",
            ));
        }
        if label.as_str().is_some_and(|text| !is_label_value(text)) {
            found.push(label.error(
                format!("the value of label {key:?} is not allowed"),
                "Use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.",
            ));
        }
    }
}

fn validate_annotations(annotations: &ValueAt<'_>, found: &mut Diagnostics) {
    for (key, annotation) in annotations.entries() {
        if !is_qualified_name(key) {
            let detail = "A key is a name of at most 63 characters, with a DNS domain and a slash before it if you like: \"node.example/rack\".";
            found.push(annotation.error(format!("{key:?} is not the key of an annotation"), detail));
        } else if WRITTEN_BY_KUBERNETES.contains(&key) {
            let detail =
                "A kubelet or a controller of Kubernetes writes it. Use a domain of your own, such as \"node.example/rack\".";
            found.push(annotation.error(format!("annotation {key:?} is Kubernetes' own"), detail));
        }
    }
    let size = |(key, annotation): (&str, ValueAt<'_>)| key.len() + annotation.as_str().map_or(0, str::len);
    if annotations.entries().map(size).sum::<usize>() > ANNOTATIONS_LIMIT {
        found.push(annotations.error("the annotations are longer than 256 KiB", "The API server takes no more of one object."));
    }
}

fn validate_taints(taints: &ValueAt<'_>, found: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for taint in taints.items() {
        let (key, value) = (taint.get("key"), taint.get("value"));
        if let (Some(name), Some(effect)) = (key.as_str(), taint.get("effect").as_str())
            && !seen.insert((name, effect))
        {
            let detail = "Kubernetes takes one taint of a key and an effect. Give each key once with this effect.";
            found.push(taint.error(format!("taint {name:?} has the effect {effect} twice"), detail));
        }
        if key.as_str().is_some_and(|key| !is_qualified_name(key)) {
            let detail = "Use a name such as \"dedicated\" or \"node.example/dedicated\".";
            found.push(key.error("the key of a taint is not allowed", detail));
        }
        if value.as_str().is_some_and(|value| !is_label_value(value)) {
            let detail = "Use at most 63 letters, digits, '-', '_' and '.'.";
            found.push(value.error("the value of a taint is not allowed", detail));
        }
    }
}

pub fn validate_json(attribute: &str, config: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_object = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object());
    if config.as_str().is_some_and(|text| !is_object(text)) {
        found.push(
            config.error(format!("{attribute} is not a JSON object"), "Use jsonencode, such as jsonencode({ maxPods = 200 })."),
        );
    }
}

fn validate_without_effect(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(settings) = config.as_str().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()) else { return };
    for (setting, way_out) in WITHOUT_EFFECT {
        if settings.get(setting).is_some() {
            found.push(config.error(format!("{setting} in kubelet_config has no effect"), way_out));
        }
    }
}

/// Labels of Kubernetes that neither a kubelet takes for its node (`IsKubeletLabel` in k8s.io/kubelet/pkg/apis) nor administrators give; and
/// those that a kubelet gives it by itself, which are not a group's to set or to take away.
fn is_restricted_label(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let reserved = ["kubernetes.io", "k8s.io"].iter().any(|domain| prefix == *domain || prefix.ends_with(&format!(".{domain}")));
    let kubelets = ["node.kubernetes.io", "kubelet.kubernetes.io"];
    let is_kubelets = kubelets.iter().any(|domain| prefix == *domain || prefix.ends_with(&format!(".{domain}")));
    let allowed = is_kubelets || !is_given_by_kubelet(key);
    let known: BTreeSet<&str> = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"].into();
    reserved && !allowed && !known.contains(key)
}

fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(attributes::is_dns_name)
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
    use super::super::validate::tests::check;
    use super::*;
    use schema::Value;

    #[test]
    fn labels_that_the_api_server_would_refuse_are_refused_at_plan() {
        for good in [
            "node.example/pool",
            "pool",
            "node.kubernetes.io/pool",
            "topology.kubernetes.io/zone",
            "node-role.kubernetes.io/worker",
        ] {
            assert!(is_qualified_name(good) && !is_restricted_label(good), "{good}");
        }
        for bad in ["role.kubernetes.io/x", "kubernetes.io/x", "sub.k8s.io/x", "kubernetes.io/hostname", "kubernetes.io/os"] {
            assert!(is_restricted_label(bad), "{bad}");
        }
        for bad in ["", "a b", "/x", "-a", "x/y/z"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
    }

    #[test]
    fn labels_and_taints() {
        let label = |key: &str, value: &str| Value::object([(key, value.into())]);
        let role = "kubernetes.io/role";
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
    fn a_taint_is_given_once() {
        let taint = |effect: &str| Value::object([("key", "dedicated".into()), ("effect", effect.into())]);
        check("taints", Value::List(vec![taint("NoSchedule"), taint("NoExecute")]), &[]);
        let twice = [("taints[1]", "taint \"dedicated\" has the effect NoSchedule twice")];
        check("taints", Value::List(vec![taint("NoSchedule"), taint("NoSchedule")]), &twice);
    }

    #[test]
    fn annotations() {
        let annotation = |key: &str, value: &str| Value::object([(key, value.into())]);
        check("annotations", annotation("node.example/rack", "row 1, rack 2"), &[]);
        check("annotations", annotation("cluster-autoscaler.kubernetes.io/scale-down-disabled", "true"), &[]);
        check("annotations", annotation("a b", ""), &[("annotations[\"a b\"]", "\"a b\" is not the key of an annotation")]);
        let ttl = "annotation \"node.alpha.kubernetes.io/ttl\" is Kubernetes' own";
        check(
            "annotations",
            annotation("node.alpha.kubernetes.io/ttl", "0"),
            &[("annotations[\"node.alpha.kubernetes.io/ttl\"]", ttl)],
        );
        let long = "x".repeat(ANNOTATIONS_LIMIT);
        check("annotations", annotation("a", &long), &[("annotations", "the annotations are longer than 256 KiB")]);
        check("annotations", annotation("a", &long[1..]), &[]);
    }

    #[test]
    fn settings_and_flags_of_kubelets() {
        check("kubelet_config", "{\"maxPods\":200}".into(), &[]);
        let taints = "registerWithTaints in kubelet_config has no effect";
        check("kubelet_config", "{\"registerWithTaints\":[]}".into(), &[("kubelet_config", taints)]);
        let id = "providerID in kubelet_config has no effect";
        check("kubelet_config", "{\"providerID\":\"aws:///a\"}".into(), &[("kubelet_config", id)]);
        check("kubelet_config", "maxPods: 200".into(), &[("kubelet_config", "kubelet_config is not a JSON object")]);
        let flag = |name: &str| Value::object([(name, "x".into())]);
        check("kubelet_flags", flag("cloud-provider"), &[]);
        let dashes = "flag \"--v\" is written with its dashes";
        check("kubelet_flags", flag("--v"), &[("kubelet_flags[\"--v\"]", dashes)]);
        let refused = "the kubelet does not take the flag \"node-ip\"";
        check("kubelet_flags", flag("node-ip"), &[("kubelet_flags[\"node-ip\"]", refused)]);
    }

    #[test]
    fn provider_ids() {
        let said = |id: &str| {
            let mut found = Diagnostics::default();
            validate_provider_id(&ValueAt::of(&id.into()), &mut found);
            found.has_errors()
        };
        for good in ["aws:///us-east-1a/i-0123456789abcdef0", "openstack:///5f1c-22", "kind://docker/kind/worker", "hcloud://123"]
        {
            assert!(!said(good), "{good}");
        }
        for bad in ["i-0123456789abcdef0", "aws://", "://x", "aws:///a b", "aws:///a\nNODE_LABELS=x", ""] {
            assert!(said(bad), "{bad:?}");
        }
    }
}
