//! A cluster that an earlier version of the provider made, which `PROVIDER_BEFORE` names (`make upgrade FROM=commit`): this one takes it over while
//! its pods go on serving. Without that there is nothing to try.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::lab::CONTROL_PLANE;
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, Engine, engine, eventually, pods, scenarios};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Of an add-on that somebody has added beside the cluster's own network, and that connects pods: it comes before the provider's in the folder.
const ADD_ON: &str = "/etc/cni/net.d/05-lab.conflist";

struct Upgraded {
    cluster: Cluster,
    pods: Vec<String>,
    /// An add-on connects new pods of cp-3: with a version whose own configuration comes after it.
    has_add_on: bool,
}

impl Shared for Upgraded {
    fn begin() -> Self {
        let cluster = Cluster::prepare(&Engine::first(), "upgraded");
        cluster.workspace.use_provider(&before().unwrap());
        Upgraded { cluster, pods: Vec::new(), has_add_on: false }
    }
}

fn main() -> ExitCode {
    if before().is_none() {
        println!("no PROVIDER_BEFORE: see `make upgrade`");
        return ExitCode::SUCCESS;
    }
    let first = Scenario { name: "the_version_before_makes_a_cluster", run: the_version_before_makes_a_cluster };
    let others = scenarios![
        pods_go_on_serving_while_this_version_takes_over,
        nothing_of_the_former_network_is_left,
        destroy_removes_what_the_version_before_made,
    ];
    run::<Upgraded>(Some(first), &others)
}

fn before() -> Option<PathBuf> {
    std::env::var_os("PROVIDER_BEFORE").map(PathBuf::from)
}

fn the_version_before_makes_a_cluster(Upgraded { cluster, pods, has_add_on }: &mut Upgraded) {
    cluster.apply();
    cluster.deploy("echo.yaml", &["daemonset/echo"]);
    pods::reach_each_other(cluster, &CONTROL_PLANE);
    *pods = identities(cluster);
    *has_add_on = cluster.on("cp-3", "ls /etc/cni/net.d").contains("10-k8s-hardway.conflist");
    if !*has_add_on {
        return;
    }
    // cp-3: a second network, which takes the pods that are made from now on.
    let text = cluster.on("cp-3", "cat /etc/cni/net.d/10-k8s-hardway.conflist");
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["name"] = "lab".into();
    cluster.on("cp-3", &format!("printf '%s' '{other}' >{ADD_ON}"));
}

/// Each pod with its addresses and how often it was started.
fn identities(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.get(&["pods", "-l", "app=echo"]);
    let of = |pod: &Value| {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        format!("{} {} {restarts}", pod["metadata"]["uid"], pod["status"]["podIPs"])
    };
    pods["items"].as_array().unwrap().iter().map(of).collect()
}

fn pods_go_on_serving_while_this_version_takes_over(Upgraded { cluster, pods, .. }: &mut Upgraded) {
    cluster.workspace.use_provider(&engine::provider());
    let replaced: Vec<String> = cluster.plan().changes().into_iter().filter(|change| change.contains("delete")).collect();
    assert!(replaced.is_empty(), "{replaced:#?}");
    let answers = cluster.while_asking_pods(|| drop(cluster.workspace.apply(&cluster.lab)));
    for answers in &answers {
        println!("    {}: {} answers, longest gap {:?}", answers.url, answers.all.len(), answers.longest_gap());
        assert!(answers.longest_gap() < Duration::from_secs(2), "{}", answers.url);
    }
    cluster.plan().is_empty();
    cluster.wait_until_ready(&CONTROL_PLANE);
    assert_eq!(&identities(cluster), pods);
    pods::reach_each_other(cluster, &CONTROL_PLANE);
}

fn nothing_of_the_former_network_is_left(Upgraded { cluster, has_add_on, .. }: &mut Upgraded) {
    let routes = "for family in -4 -6; do ip $family route show proto 77; done";
    for host in CONTROL_PLANE {
        let routes = eventually("each route is there once", Duration::from_secs(30), || {
            let routes = cluster.on(host, routes);
            (routes.lines().count() == 4).then_some(routes)
        });
        assert!(routes.lines().all(|route| route.contains("metric 7700")), "{host}: {routes}");
        let configurations = cluster.on(host, "ls -A /etc/cni/net.d");
        let wanted =
            if host == "cp-3" && *has_add_on { "05-lab.conflist\n10-k8s-hardway.conflist" } else { "00-k8s-hardway.conflist" };
        assert_eq!(configurations, wanted, "{host}");
    }
    cluster.on("cp-3", &format!("rm -f {ADD_ON}"));
}

fn destroy_removes_what_the_version_before_made(Upgraded { cluster, .. }: &mut Upgraded) {
    cluster.destroy();
    cluster.assert_hosts_are_as_before();
}
