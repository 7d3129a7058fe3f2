//! What one node has of its own, on a cluster that serves.

use super::{QuickStart, besides_records};
use acceptance_tests::Cluster;
use acceptance_tests::lab::{CONTROL_PLANE, HOSTS, WORKER, WORKER_ADDRESSES};
use serde_json::{Value, json};

const OVERRIDE: &str = "own_override.tf";
const ROLE: &str = "node-role.kubernetes.io/control-plane";

fn metadata(cluster: &Cluster, node: &str) -> Value {
    cluster.get(&["node", node])["metadata"].clone()
}

/// In a file that the engine merges into the example.
fn configure(cluster: &Cluster, group: &str, own: &str) {
    let hosts = format!(
        "hosts = {{ for name, host in merge(var.control_plane, var.workers) : name => merge(host, lookup({{ {own} }}, name, {{}})) }}"
    );
    cluster.workspace.write(OVERRIDE, &format!("resource \"k8s_node_group\" \"nodes\" {{\n  {group}\n  {hosts}\n}}\n"));
}

pub fn nodes_have_roles_and_annotations_and_one_has_settings_of_its_own(QuickStart(cluster): &mut QuickStart) {
    for host in CONTROL_PLANE {
        assert_eq!(metadata(cluster, host)["labels"][ROLE], "", "{host}");
    }
    let (before, on_worker) = (cluster.activity(&HOSTS), cluster.lab.snapshot(WORKER));
    let own = r#"worker-1 = {
      labels        = { "node-role.kubernetes.io/gpu" = "", "node.example/pool" = "gpu" }
      annotations   = { "node.example/rack" = "row 1, rack 2" }
      taints        = [{ key = "dedicated", value = "gpu", effect = "PreferNoSchedule" }]
      kubelet_flags = { "max-pods" = "42" }
      provider_id   = "lab:///worker-1"
    }"#;
    let group = r#"annotations = { "node.example/site" = "lab" }"#;
    configure(cluster, group, own);
    cluster
        .workspace
        .set("workers", json!({ WORKER: { "address": WORKER_ADDRESSES[0], "secondary_address": WORKER_ADDRESSES[1] } }));
    cluster.apply();
    cluster.wait_until_ready(&[CONTROL_PLANE.as_slice(), &[WORKER]].concat());
    let node = cluster.get(&["node", WORKER]);
    let (labels, annotations) = (&node["metadata"]["labels"], &node["metadata"]["annotations"]);
    assert_eq!((&labels["node.example/pool"], &labels["node-role.kubernetes.io/gpu"]), (&json!("gpu"), &json!("")));
    assert_eq!(labels[ROLE], Value::Null);
    assert_eq!((&annotations["node.example/rack"], &annotations["node.example/site"]), (&json!("row 1, rack 2"), &json!("lab")));
    assert_eq!((&node["spec"]["providerID"], &node["status"]["capacity"]["pods"]), (&json!("lab:///worker-1"), &json!("42")));
    let taints = node["spec"]["taints"].as_array().unwrap();
    assert!(taints.contains(&json!({ "key": "dedicated", "value": "gpu", "effect": "PreferNoSchedule" })), "{taints:?}");
    assert_eq!(metadata(cluster, "cp-1")["annotations"]["node.example/site"], "lab");
    cluster.plan().is_empty();

    cluster.kubectl(&["label", "node", WORKER, "node-role.kubernetes.io/gpu-"]).success();
    cluster.kubectl(&["annotate", "--overwrite", "node", WORKER, "node.example/rack=elsewhere", "of/others=stays"]).success();
    let plan = cluster.plan();
    let [label, annotation] =
        ["label node-role.kubernetes.io/gpu: missing", "annotation node.example/rack: not the declared value"];
    assert_eq!(plan.drift("k8s_node_group.nodes")[WORKER], [label, annotation]);
    let step = format!("{WORKER}: set labels and annotations of the node ({annotation}, {label})");
    assert_eq!(plan.rollout("k8s_node_group.nodes"), [step]);
    cluster.apply();
    cluster.plan().is_empty();
    let found = metadata(cluster, WORKER);
    assert_eq!(found["annotations"]["of/others"], "stays");
    assert_eq!(
        (&found["annotations"]["node.example/rack"], &found["labels"]["node-role.kubernetes.io/gpu"]),
        (&json!("row 1, rack 2"), &json!(""))
    );

    configure(cluster, "", &own.replace("lab:///worker-1", "lab:///another"));
    let refused = cluster.workspace.try_apply(&cluster.lab);
    assert!(!refused.is_success() && refused.stderr.contains("has another provider id already"), "{}", refused.stderr);

    std::fs::remove_file(cluster.workspace.folder.join(OVERRIDE)).unwrap();
    cluster.workspace.set("workers", json!({}));
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    assert_eq!(metadata(cluster, "cp-1")["annotations"]["node.example/site"], Value::Null);
    cluster.plan().is_empty();
    assert_eq!(besides_records(cluster.activity(&HOSTS).since(&before)), Vec::<String>::new());
    acceptance_tests::assert_same(&cluster.lab.snapshot(WORKER), &on_worker);
}
