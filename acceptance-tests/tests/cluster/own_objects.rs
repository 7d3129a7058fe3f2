//! The objects that a cluster begins with: settings of CoreDNS, and what others change of it.

use super::{QuickStart, besides_records, echo_pods};
use acceptance_tests::lab::HOSTS;
use acceptance_tests::{Cluster, eventually};
use serde_json::Value;
use std::time::Duration;

const OVERRIDE: &str = "own_objects_override.tf";
const RESOURCE: &str = "k8s_hardway_cluster.main";
const COREDNS: &str = "Deployment.apps/kube-system/coredns";
const APPLIED: &str = "apply the cluster's own objects";

/// In a file that the engine merges into the example.
fn configure(cluster: &Cluster, settings: &str) {
    cluster.workspace.write(OVERRIDE, &format!("resource \"k8s_hardway_cluster\" \"main\" {{\n  {settings}\n}}\n"));
}

fn coredns(cluster: &Cluster) -> Value {
    cluster.get(&["deployment", "coredns", "-n", "kube-system"])
}

/// Also the pods of the former settings are gone: until then questions and `kubectl logs` can still come to one of them.
fn rolled_out(cluster: &Cluster, replicas: usize) {
    cluster.kubectl(&["rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=120s"]).success();
    eventually("CoreDNS has no other pods", Duration::from_secs(60), || {
        let pods = cluster.get(&["pods", "-n", "kube-system", "-l", "k8s-app=kube-dns"]);
        (pods["items"].as_array().unwrap().len() == replicas).then_some(())
    });
}

pub fn settings_of_coredns_follow_and_what_others_change_of_it_is_restored(QuickStart(cluster): &mut QuickStart) {
    let before = cluster.activity(&HOSTS);
    configure(
        cluster,
        "coredns = { replicas = 1, cache_seconds = 0, forward = [\"10.77.0.1:5300\"], zones = { \"corp.example\" = [\"[fd77:0:0:1::1]:5300\"] }, resources = { limits = { memory = \"200Mi\" } } }",
    );
    let plan = cluster.plan();
    assert_eq!(plan.rollout(RESOURCE), [APPLIED]);
    cluster.apply();
    cluster.plan().is_empty();
    assert_eq!(coredns(cluster)["spec"]["replicas"], 1);
    rolled_out(cluster, 1);
    // It serves the cluster's names, and says whom it has asked for others: nobody answers there.
    let pod = &echo_pods(cluster)[0];
    let ask = |name: &str| cluster.kubectl(&["exec", pod, "--", "/bin/echo-http", "dig", name]);
    assert!(ask("kubernetes.default.svc.cluster.local").success().stdout.contains("10.96.0.1"));
    for (name, server) in [("intranet.corp.example.", "[fd77:0:0:1::1]:5300"), ("elsewhere.example.", "10.77.0.1:5300")] {
        assert!(!ask(name).is_success(), "{name}");
        let log = cluster.kubectl(&["logs", "-n", "kube-system", "deployment/coredns"]).success().stdout;
        assert!(log.lines().any(|line| line.contains(name) && line.contains(&format!("->{server}"))), "{name}: {log}");
    }

    cluster.kubectl(&["scale", "deployment/coredns", "-n", "kube-system", "--replicas=3"]).success();
    let plan = cluster.plan();
    assert_eq!(plan.refreshed(RESOURCE, "own_objects_drift")[COREDNS][".spec.replicas"], "3, by kubectl");
    assert_eq!(plan.rollout(RESOURCE), [APPLIED]);
    cluster.apply();
    assert_eq!(coredns(cluster)["spec"]["replicas"], 1);
    cluster.plan().is_empty();

    std::fs::remove_file(cluster.workspace.folder.join(OVERRIDE)).unwrap();
    cluster.apply();
    assert_eq!(coredns(cluster)["spec"]["replicas"], 2);
    cluster.plan().is_empty();
    rolled_out(cluster, 2);
    assert_eq!(besides_records(cluster.activity(&HOSTS).since(&before)), Vec::<String>::new());
}
