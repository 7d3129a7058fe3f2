//! Add-ons of the catalogue: one apply makes a cluster without a network of its own, the network and the metrics; then a setting changes, somebody
//! changes something, and all of it goes.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::lab::{CONTROL_PLANE, FAR_WORKER, FAR_WORKER_ADDRESSES};
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, Engine, assert_same, catalogue, eventually, pods, scenarios};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

const FLANNEL: &str = "k8s_addon.flannel";
const METRICS: &str = "k8s_addon.metrics_server";
const SERVER: &str = "Deployment.apps/kube-system/metrics-server";
const CONFIGURATION: &str = "/etc/cni/net.d/10-flannel.conflist";

struct WithAddOns(Cluster);

impl Shared for WithAddOns {
    fn begin() -> Self {
        let cluster = Cluster::prepare(&Engine::first(), "addons");
        configure(&cluster, "replicas = 2, resolution_seconds = 15");
        WithAddOns(cluster)
    }

    fn heal(&mut self) {
        configure(&self.0, "replicas = 2, resolution_seconds = 15");
        self.0.heal();
    }
}

fn main() -> ExitCode {
    let first = Scenario { name: "a_cluster_its_network_and_its_metrics_come_with_one_apply", run: all_come_with_one_apply };
    let others = scenarios![
        pods_of_different_nodes_reach_each_other_in_both_families,
        pods_behind_a_router_are_reached_too,
        what_is_not_run_here_is_taken_by_a_real_api_server,
        metrics_come_through_the_aggregation_path,
        a_setting_changes_in_place,
        what_somebody_has_changed_is_named_and_restored,
        what_does_not_fit_is_said_at_plan,
        destroy_leaves_nothing_in_the_cluster,
    ];
    run::<WithAddOns>(Some(first), &others)
}

/// In files that the engine merges into the example.
fn configure(cluster: &Cluster, settings: &str) {
    let network = "resource \"k8s_hardway_cluster\" \"main\" {
  network = {
    pod_cidrs     = [\"172.18.0.0/16\", \"fd00:18::/56\"]
    service_cidrs = k8s_pki.main.service_cidrs
    pod_network   = \"none\"
  }
}
resource \"k8s_node_group\" \"nodes\" {
  proxy_mode = \"nftables\"
}
";
    cluster.workspace.write("network_override.tf", network);
    let addons = format!(
        "resource \"k8s_addon\" \"flannel\" {{
  name       = \"flannel\"
  version    = \"0.28.10\"
  cluster    = k8s_hardway_cluster.main.join
  depends_on = [k8s_node_group.nodes]
}}
resource \"k8s_addon\" \"metrics_server\" {{
  name       = \"metrics-server\"
  version    = \"0.9.0\"
  cluster    = k8s_hardway_cluster.main.join
  settings   = {{ {settings} }}
  depends_on = [k8s_addon.flannel]
}}
"
    );
    cluster.workspace.write("addons.tf", &addons);
}

fn all_come_with_one_apply(WithAddOns(cluster): &mut WithAddOns) {
    let plan = cluster.plan();
    let rollout = plan.rollout(FLANNEL);
    assert_eq!(rollout[..2], ["pull flannel, flannel-cni-plugin on one node, for the digests", "create Namespace/kube-flannel"]);
    assert_eq!(rollout.last().map(String::as_str), Some("wait until all nodes are Ready"));
    assert!(plan.rollout(METRICS).contains(&format!("create {SERVER}")));
    cluster.apply();
    cluster.plan().is_empty();
    cluster.wait_until_ready(&CONTROL_PLANE);
    let flannel = cluster.get(&["daemonset", "kube-flannel-ds", "-n", "kube-flannel"]);
    assert_eq!(flannel["status"]["numberAvailable"], CONTROL_PLANE.len());
    let image = flannel["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    let digest = image.strip_prefix("ghcr.io/flannel-io/flannel:v0.28.10@sha256:");
    assert!(digest.is_some_and(|digest| digest.len() == 64), "{image}");
    assert!(!cluster.kubectl(&["get", "pod/k8s-hardway-images-flannel", "-n", "kube-system"]).is_success());
    for host in CONTROL_PLANE {
        assert_eq!(cluster.on(host, "ls /etc/cni/net.d"), "10-flannel.conflist", "{host}");
        assert_eq!(cluster.on(host, "ip -4 route show proto 77; ip -6 route show proto 77"), "", "{host}");
    }
}

fn pods_of_different_nodes_reach_each_other_in_both_families(WithAddOns(cluster): &mut WithAddOns) {
    cluster.deploy("echo.yaml", &["daemonset/echo"]);
    pods::reach_each_other(cluster, &CONTROL_PLANE);
    cluster.kubectl(&["delete", "daemonset/echo", "service/echo"]).success();
}

fn pods_behind_a_router_are_reached_too(WithAddOns(cluster): &mut WithAddOns) {
    let [address, secondary] = FAR_WORKER_ADDRESSES;
    let before = cluster.lab.snapshot(FAR_WORKER);
    cluster.workspace.set("workers", json!({ FAR_WORKER: { "address": address, "secondary_address": secondary } }));
    cluster.apply();
    cluster.plan().is_empty();
    let nodes = [CONTROL_PLANE.as_slice(), &[FAR_WORKER]].concat();
    cluster.wait_until_ready(&nodes);
    cluster.deploy("echo.yaml", &["daemonset/echo"]);
    pods::reach_each_other(cluster, &nodes);
    cluster.kubectl(&["delete", "daemonset/echo", "service/echo"]).success();
    cluster.workspace.set("workers", json!({}));
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    remove_leftovers(cluster, FAR_WORKER);
    assert_same(&cluster.lab.snapshot(FAR_WORKER), &before);
}

/// Calico, whose images cannot be built here. Pools are of kinds that have to be there for a dry run too.
fn what_is_not_run_here_is_taken_by_a_real_api_server(WithAddOns(cluster): &mut WithAddOns) {
    let apply = |objects: &[&Value], more: &[&str]| {
        let path = cluster.workspace.folder.join("objects.json");
        std::fs::write(&path, json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()).unwrap();
        let arguments = ["apply", "--server-side", "--validate=strict", "-f", path.to_str().unwrap()];
        cluster.kubectl(&[&arguments, more].concat()).success().stdout.lines().count()
    };
    let is_definition = |object: &&Value| object["kind"] == "CustomResourceDefinition";
    let [one, other] = ["172.18.0.0/16", "fd00:18::/56"];
    let versions = catalogue::objects("calico", &[one, other]);
    for (at, both) in versions.iter().enumerate() {
        let definitions: Vec<&Value> = both.iter().filter(is_definition).collect();
        apply(&definitions, &[]);
        cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).success();
        for objects in [both, &catalogue::objects("calico", &[one])[at], &catalogue::objects("calico", &[other])[at]] {
            assert_eq!(apply(&objects.iter().collect::<Vec<_>>(), &["--dry-run=server"]), objects.len());
        }
        let names: Vec<&str> = definitions.iter().map(|definition| definition["metadata"]["name"].as_str().unwrap()).collect();
        cluster.kubectl(&[&["delete", "crd", "--wait=false"], &names[..]].concat()).success();
        // Asked again and again: kubectl's own wait follows one watch, which a busy API server may end.
        eventually("the definitions are gone", Duration::from_secs(180), || {
            let left = cluster.kubectl(&[&["get", "crd", "--ignore-not-found", "-o", "name"], &names[..]].concat());
            (left.is_success() && left.stdout.is_empty()).then_some(())
        });
    }
}

fn metrics_come_through_the_aggregation_path(WithAddOns(cluster): &mut WithAddOns) {
    let top = || {
        let lines = cluster.kubectl(&["top", "nodes", "--no-headers"]).stdout;
        Some(lines).filter(|text| CONTROL_PLANE.iter().all(|node| text.contains(node)) && !text.contains("<unknown>"))
    };
    eventually("every node has metrics", Duration::from_secs(60), top);
    let server = cluster.get(&["deployment", "metrics-server", "-n", "kube-system"]);
    let arguments = server["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(arguments.contains("--kubelet-certificate-authority") && !arguments.contains("insecure"), "{arguments}");
}

fn a_setting_changes_in_place(WithAddOns(cluster): &mut WithAddOns) {
    let uid = |cluster: &Cluster| cluster.get(&["deployment", "metrics-server", "-n", "kube-system"])["metadata"]["uid"].clone();
    let before = uid(cluster);
    configure(cluster, "replicas = 1, resolution_seconds = 15");
    let plan = cluster.plan();
    assert_eq!(plan.rollout(METRICS), [format!("update {SERVER} (.spec.replicas)"), format!("wait until {SERVER} is ready")]);
    cluster.apply();
    cluster.plan().is_empty();
    assert_eq!(uid(cluster), before);
    assert_eq!(cluster.get(&["deployment", "metrics-server", "-n", "kube-system"])["status"]["replicas"], 1);
    configure(cluster, "replicas = 2, resolution_seconds = 15");
    cluster.apply();
}

fn what_somebody_has_changed_is_named_and_restored(WithAddOns(cluster): &mut WithAddOns) {
    cluster.kubectl(&["scale", "deployment/metrics-server", "-n", "kube-system", "--replicas=1"]).success();
    cluster.kubectl(&["delete", "clusterrole/system:aggregated-metrics-reader"]).success();
    let plan = cluster.plan();
    let found = plan.refreshed(METRICS, "drift");
    assert_eq!(found["ClusterRole.rbac.authorization.k8s.io/system:aggregated-metrics-reader"], json!({ "": "it is not there" }));
    let scaled = found[SERVER][".spec.replicas"].as_str().unwrap_or_default();
    assert!(scaled.starts_with("1, by kubectl"), "{found}");
    assert!(plan.rollout(METRICS).contains(&format!("restore {SERVER} (.spec.replicas)")));
    cluster.apply();
    cluster.plan().is_empty();
    assert_eq!(cluster.get(&["deployment", "metrics-server", "-n", "kube-system"])["spec"]["replicas"], 2);
    cluster.kubectl(&["get", "clusterrole/system:aggregated-metrics-reader"]).success();
}

fn what_does_not_fit_is_said_at_plan(WithAddOns(cluster): &mut WithAddOns) {
    configure(cluster, "replicas = 0");
    let refused = cluster.workspace.try_apply(&cluster.lab);
    let text = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!refused.is_success() && text.contains("0 is out of range"), "{}", refused.stderr);
    configure(cluster, "replicas = 2, resolution_seconds = 15");
    cluster.plan().is_empty();
}

fn destroy_leaves_nothing_in_the_cluster(WithAddOns(cluster): &mut WithAddOns) {
    std::fs::remove_file(cluster.workspace.folder.join("addons.tf")).unwrap();
    cluster.apply();
    for gone in
        ["namespace/kube-flannel", "clusterrole/flannel", "clusterrolebinding/flannel", "apiservice/v1beta1.metrics.k8s.io"]
    {
        assert!(!cluster.kubectl(&["get", gone]).is_success(), "{gone} is left");
    }
    let left = cluster.get(&["configmaps,deployments,services,serviceaccounts", "-n", "kube-system"]);
    let is_of_addon = |name: &str| name.contains("k8s-hardway-addon") || name.contains("metrics-server");
    let names = left["items"].as_array().unwrap().iter().filter_map(|item| item["metadata"]["name"].as_str());
    assert_eq!(names.filter(|name| is_of_addon(name)).collect::<Vec<_>>(), [""; 0]);
    cluster.destroy();
    for host in CONTROL_PLANE {
        remove_leftovers(cluster, host);
    }
    cluster.assert_hosts_are_as_before();
}

/// What flannel leaves on a host is not the provider's.
fn remove_leftovers(cluster: &Cluster, host: &str) {
    assert_eq!(cluster.on(host, &format!("ls {CONFIGURATION}")), CONFIGURATION, "{host}");
    let remove = format!(
        "rm -rf {CONFIGURATION} /opt/cni/bin/flannel /run/flannel /run/xtables.lock /var/lib/cni/flannel /var/lib/cni/networks/cbr0; \
         rmdir /etc/cni/net.d /etc/cni /opt/cni/bin /opt/cni /var/lib/cni/networks /var/lib/cni 2>/dev/null; \
         for link in flannel.1 flannel-v6.1 cni0; do ip link delete $link 2>/dev/null; done; \
         for family in ip ip6; do nft delete table $family flannel-ipv4 2>/dev/null; nft delete table $family flannel-ipv6 2>/dev/null; done; true"
    );
    cluster.on(host, &remove);
}
