//! What the pods of `manifests/echo.yaml` reach.

use crate::{Cluster, eventually};
use std::collections::BTreeSet;
use std::time::Duration;

/// The pod of each of these nodes reaches the service on both families, and so pods of all of them.
#[track_caller]
pub fn reach_each_other(cluster: &Cluster, nodes: &[&str]) {
    let service = cluster.get(&["service", "echo"]);
    let address = |index: usize| service["spec"]["clusterIPs"][index].as_str().unwrap_or_default();
    let urls = [format!("http://{}", address(0)), format!("http://[{}]", address(1))];
    let all = ["-l", "app=echo", "--field-selector=status.phase=Running"];
    eventually("pods answer each other", Duration::from_secs(120), || {
        let pods = cluster.get(&[["pods"].as_slice(), &all].concat());
        let pods = pods["items"].as_array().into_iter().flatten().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let pods: Vec<&str> = pods.filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        let answers = pods.iter().map(|pod| {
            let get = ["exec", pod, "--", "/bin/echo-http", "get", &urls[0], &urls[1], &urls[0], &urls[1], &urls[0], &urls[1]];
            cluster.kubectl(&get).stdout
        });
        let answers: Vec<String> = answers.collect();
        let hosts: BTreeSet<&str> = answers
            .iter()
            .flat_map(|text| text.split("host=").skip(1))
            .filter_map(|rest| rest.split_whitespace().next())
            .collect();
        let is_whole = |text: &String| text.matches("200 host=echo-").count() == 6;
        (pods.len() == nodes.len() && answers.iter().all(is_whole) && hosts.len() == pods.len()).then_some(())
    });
}
