//! What is wrong with the settings of nodes, whether a group has them or one host. Pure.

use crate::kubernetes::UNINITIALIZED;
use crate::resources::attributes;
use schema::{Diagnostics, ValueAt};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Of annotations in all. Source: `TotalAnnotationSizeLimitB` in apimachinery/pkg/api/validation.
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// Annotations that kubelets and controllers of Kubernetes write on nodes.
const WRITTEN_BY_KUBERNETES: [&str; 4] = [
    "alpha.kubernetes.io/provided-node-ip",
    "csi.volume.kubernetes.io/nodeid",
    "node.alpha.kubernetes.io/ttl",
    "volumes.kubernetes.io/controller-managed-attach-detach",
];

/// Taints that controllers of Kubernetes and of clouds give and take away by themselves (pkg/controller/nodelifecycle, cloud-provider/api).
/// `node.kubernetes.io/out-of-service` is given by people.
const GIVEN_BY_CONTROLLERS: [&str; 9] = [
    "node.cloudprovider.kubernetes.io/shutdown",
    UNINITIALIZED,
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
];

/// Labels that a kubelet gives its node by itself.
const GIVEN_BY_KUBELETS: [&str; 5] =
    ["beta.kubernetes.io/arch", "beta.kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/os"];

/// Flags of the kubelet that are refused, and what to do instead.
const REFUSED_FLAGS: [(&str, &str); 13] = [
    ("bootstrap-kubeconfig", OURS),
    ("cert-dir", OURS),
    ("config", "Set kubelet_config instead."),
    ("config-dir", "Set kubelet_config instead: settings in other files would win over it unseen."),
    ("hostname-override", "A node has the name of its host."),
    ("kubeconfig", OURS),
    ("node-ip", "Set address and secondary_address of the host instead."),
    ("node-labels", "Set labels instead: they follow a change."),
    ("pod-infra-container-image", "containerd chooses that image, and kubelets from 1.35 on have no such flag."),
    ("provider-id", "Set provider_id of the host instead."),
    ("register-node", "A host of a node group is a node."),
    ("register-with-taints", "Set taints instead: they follow a change."),
    ("root-dir", OURS),
];
const OURS: &str = "The provider joins nodes, renews their credentials and removes them by it.";

/// Settings of the kubelet that are refused, and what to do instead.
const REFUSED_SETTINGS: [(&str, &str); 3] = [
    ("providerID", "Each node has its own. Set provider_id of the host."),
    ("registerNode", "A host of a node group is a node."),
    (
        "registerWithTaints",
        "The kubelet would not see it. Use the attribute taints, with startup = true for those that something in the cluster takes away.",
    ),
];

/// Of a group, or of one host.
pub fn validate(settings: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_labels(&settings.get("labels"), found);
    validate_annotations(&settings.get("annotations"), found);
    validate_taints(&settings.get("taints"), found);
    let kubelet = settings.get("kubelet_config");
    validate_json("kubelet_config", &kubelet, found);
    validate_settings(&kubelet, found);
    for (name, flag) in settings.get("kubelet_flags").entries() {
        attributes::validate_flag(name, &flag, found);
        if let Some((_, way_out)) = REFUSED_FLAGS.iter().find(|(refused, _)| *refused == name) {
            found.push(flag.error(format!("the kubelet does not take the flag {name:?}"), *way_out));
        }
    }
}

/// By which a cloud knows a machine. Kubernetes takes any text; most clouds have their name before it, and some, such as Oracle's, do not.
pub fn validate_provider_id(id: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(text) = id.as_str() else { return };
    let detail =
        "Most clouds have their name and then their id of the machine, such as \"aws:///us-east-1a/i-0123456789abcdef0\".";
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/%+@()".contains(c)) {
        found.push(id.error("this is not a provider id", detail));
    } else if text.split_once("://").is_none_or(|(cloud, id)| cloud.is_empty() || id.is_empty()) {
        found.push(id.warning(format!("provider id {text:?} does not name its cloud"), detail));
    }
}

/// The approver compares words with what a request asks for.
pub fn validate_certificate_names(names: &ValueAt<'_>, found: &mut Diagnostics) {
    for part in names.items() {
        let is_good =
            |text: &str| text.parse::<IpAddr>().is_ok() || (attributes::is_dns_name(text) && text == text.to_lowercase());
        if let Some(text) = part.as_str().filter(|text| !is_good(text)) {
            let detail =
                "Give DNS names in lower case, without a port, and addresses: [\"ip-10-0-1-5.ec2.internal\", \"2001:db8::5\"].";
            found.push(part.error(format!("{text:?} is neither a DNS name nor an address"), detail));
        }
    }
}

fn validate_labels(labels: &ValueAt<'_>, found: &mut Diagnostics) {
    for (key, label) in labels.entries() {
        if !is_qualified_name(key) {
            found.push(label.error(
                format!("{key:?} is not the key of a label"),
                "A key is a name of at most 63 characters, with a DNS domain and a slash before it if you like: \"node.example/pool\".",
            ));
        } else if GIVEN_BY_KUBELETS.contains(&key) {
            found.push(label.error(
                format!("label {key:?} is reserved"),
                "A kubelet gives it to its node by itself. Use a domain of your own, such as \"node.example/pool\".",
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
        // `ValidateAnnotations` in apimachinery/pkg/api/validation takes keys in any case.
        if !is_qualified_name(&key.to_lowercase()) {
            let detail = "A key is a name of at most 63 characters, with a DNS domain and a slash before it if you like: \"node.example/rack\".";
            found.push(annotation.error(format!("{key:?} is not the key of an annotation"), detail));
        } else if WRITTEN_BY_KUBERNETES.contains(&key) {
            let detail =
                "A kubelet or a controller of Kubernetes writes it. Use a domain of your own, such as \"node.example/rack\".";
            found.push(annotation.error(format!("annotation {key:?} is Kubernetes' own"), detail));
        }
    }
}

/// Of a node of the group: what its host has of its own takes the place of the group's.
pub fn validate_size(group: &ValueAt<'_>, own: &ValueAt<'_>, found: &mut Diagnostics) {
    let texts = |part: &ValueAt<'_>| -> BTreeMap<String, usize> {
        part.entries().map(|(key, text)| (key.to_string(), key.len() + text.as_str().map_or(0, str::len))).collect()
    };
    let mut sizes = texts(group);
    sizes.extend(texts(own));
    if sizes.values().sum::<usize>() > ANNOTATIONS_LIMIT {
        let detail = "The API server takes no more of one object.";
        found.push(own.error("the annotations of this node are longer than 256 KiB", detail));
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
        } else if let Some(name) = key.as_str().filter(|name| GIVEN_BY_CONTROLLERS.contains(name)) {
            let detail = "A controller gives it to nodes and takes it away again. Use a domain of your own, such as \"node.example/dedicated\".";
            found.push(key.error(format!("taint {name:?} is a controller's own"), detail));
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

fn validate_settings(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(settings) = config.as_str().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()) else { return };
    for (setting, way_out) in REFUSED_SETTINGS {
        if settings.get(setting).is_some() {
            found.push(config.error(format!("kubelet_config does not take {setting}"), way_out));
        }
    }
}

fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// `IsDNS1123Subdomain` in apimachinery/pkg/util/validation.
fn is_subdomain(domain: &str) -> bool {
    domain.len() <= 253 && domain.split('.').all(pki::names::is_label)
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
    fn keys_are_those_that_the_api_server_takes() {
        for good in ["node.example/pool", "pool", "Pool_1", "10.example/pool", "node-role.kubernetes.io/worker"] {
            assert!(is_qualified_name(good), "{good}");
        }
        for bad in ["", "a b", "/x", "-a", "x/y/z", "*.example/pool", "Node.example/pool", "a..b/pool"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
    }

    #[test]
    fn labels_and_taints() {
        let label = |key: &str, value: &str| Value::object([(key, value.into())]);
        let role = "kubernetes.io/hostname";
        check("labels", label("node.example/pool", "general"), &[]);
        check("labels", label("a b", "x"), &[("labels[\"a b\"]", "\"a b\" is not the key of a label")]);
        check("labels", label(role, ""), &[(&format!("labels[{role:?}]"), &format!("label {role:?} is reserved"))]);
        check("labels", label("pool", "a b"), &[("labels[\"pool\"]", "the value of label \"pool\" is not allowed")]);
        let taint = |key: &str, value: &str| Value::List(vec![Value::object([("key", key.into()), ("value", value.into())])]);
        check("taints", taint("dedicated", "batch"), &[]);
        check("taints", taint("a=b", "batch"), &[("taints[0].key", "the key of a taint is not allowed")]);
        let shutdown = "taint \"node.cloudprovider.kubernetes.io/shutdown\" is a controller's own";
        check("taints", taint("node.cloudprovider.kubernetes.io/shutdown", ""), &[("taints[0].key", shutdown)]);
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
        check("annotations", annotation("Node.Example/Rack", "1"), &[]);
        check("annotations", annotation("a b", ""), &[("annotations[\"a b\"]", "\"a b\" is not the key of an annotation")]);
        let ttl = "annotation \"node.alpha.kubernetes.io/ttl\" is Kubernetes' own";
        check(
            "annotations",
            annotation("node.alpha.kubernetes.io/ttl", "0"),
            &[("annotations[\"node.alpha.kubernetes.io/ttl\"]", ttl)],
        );
        let half = "x".repeat(ANNOTATIONS_LIMIT / 2);
        let said = |group: &Value, own: &Value| {
            let mut found = Diagnostics::default();
            validate_size(&ValueAt::of(group), &ValueAt::of(own), &mut found);
            found.has_errors()
        };
        assert!(said(&annotation("a", &half), &annotation("b", &half)));
        assert!(!said(&annotation("a", &half), &annotation("a", &half)));
        assert!(!said(&annotation("a", &half), &annotation("b", &half[2..])));
    }

    #[test]
    fn settings_and_flags_of_kubelets() {
        check("kubelet_config", "{\"maxPods\":200}".into(), &[]);
        let taints = "kubelet_config does not take registerWithTaints";
        check("kubelet_config", "{\"registerWithTaints\":[]}".into(), &[("kubelet_config", taints)]);
        let id = "kubelet_config does not take providerID";
        check("kubelet_config", "{\"providerID\":\"aws:///a\"}".into(), &[("kubelet_config", id)]);
        check("kubelet_config", "maxPods: 200".into(), &[("kubelet_config", "kubelet_config is not a JSON object")]);
        let flag = |name: &str| Value::object([(name, "x".into())]);
        check("kubelet_flags", flag("cloud-provider"), &[]);
        let names = |name: &str| Value::List(vec!["ip-10-0-1-5.ec2.internal".into(), "2001:db8::5".into(), name.into()]);
        let mut found = Diagnostics::default();
        for name in ["ec2-192-0-2-1.compute-1.amazonaws.com", "192.0.2.300", "a.example:443", "A.example", "*.example", ""] {
            validate_certificate_names(&ValueAt::of(&names(name)), &mut found);
        }
        assert_eq!(found.iter().count(), 4, "{found:?}");
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
            (found.has_errors(), !found.has_errors() && found.iter().next().is_some())
        };
        for good in
            ["aws:///us-east-1a/i-0123456789abcdef0", "openstack:///5f1c-22", "azure:///subscriptions/a/resourceGroups/b(c)/d"]
        {
            assert_eq!(said(good), (false, false), "{good}");
        }
        for doubtful in ["i-0123456789abcdef0", "aws://", "://x"] {
            assert_eq!(said(doubtful), (false, true), "{doubtful}");
        }
        for bad in ["aws:///a b", "aws:///a\nNODE_LABELS=x", "aws:///$(id)", ""] {
            assert!(said(bad).0, "{bad:?}");
        }
    }
}
