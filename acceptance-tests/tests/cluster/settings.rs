//! Settings that a program refuses, on the hosts of a cluster that serves.

use super::{QuickStart, besides_records};
use acceptance_tests::lab::HOSTS;
use serde_json::{Value, json};

pub fn a_setting_that_a_program_refuses_touches_no_unit_and_no_file(QuickStart(cluster): &mut QuickStart) {
    let before = cluster.activity(&HOSTS);
    let variables: Value = serde_json::from_str(&cluster.workspace.read("lab.auto.tfvars.json")).unwrap();
    let mut kubelet_config: Value = serde_json::from_str(variables["kubelet_config"].as_str().unwrap()).unwrap();
    kubelet_config["maxPods"] = json!(-1);
    for (variable, wrong, right, says) in [
        (
            "api_server_flags",
            json!({ "enable-admission-plugins": "NoSuch" }),
            json!({}),
            ["kube-apiserver.service on cp-", "plugin \"NoSuch\" is unknown"],
        ),
        (
            "kubelet_config",
            kubelet_config.to_string().into(),
            variables["kubelet_config"].clone(),
            ["kubelet.service on cp-", "must not be a negative number"],
        ),
    ] {
        cluster.workspace.set(variable, wrong);
        let output = cluster.workspace.try_apply(&cluster.lab);
        let said = words(&format!("{}{}", output.stdout, output.stderr));
        let touched = besides_records(cluster.activity(&HOSTS).since(&before));
        // First of all, so that other scenarios find what they expect.
        restore(cluster, variable, right);
        assert!(!output.is_success(), "{said}");
        for part in says.into_iter().chain(["would not start with its new settings", "The unit was not touched"]) {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert_eq!(touched, Vec::<String>::new(), "{variable}");
    }
    assert_eq!(besides_records(cluster.activity(&HOSTS).since(&before)), Vec::<String>::new());
}

/// An engine breaks lines where they are long.
fn words(text: &str) -> String {
    text.replace(['│', '╷', '╵'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn restore(cluster: &mut acceptance_tests::Cluster, variable: &str, right: Value) {
    cluster.workspace.set(variable, right);
    cluster.apply();
    cluster.plan().is_empty();
}
