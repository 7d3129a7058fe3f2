//! A cluster whose pods an add-on connects: nodes join before it is there, and kube-proxy comes and goes. The add-on is the least one that there
//! is, a bridge on each host, put there by hand.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::lab::CONTROL_PLANE;
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, Engine, pods, scenarios};
use std::collections::BTreeMap;
use std::process::ExitCode;

const AGENT: &str = "lab-agent";
const CONFIGURATION: &str = "/etc/cni/net.d/05-lab.conflist";

struct WithoutNetwork(Cluster);

impl Shared for WithoutNetwork {
    fn begin() -> Self {
        let cluster = Cluster::prepare(&Engine::first(), "pod-network");
        configure(&cluster, "none", "none");
        WithoutNetwork(cluster)
    }

    fn heal(&mut self) {
        configure(&self.0, "none", "none");
        self.0.heal();
    }
}

fn main() -> ExitCode {
    let first = Scenario { name: "nodes_join_before_there_is_a_network", run: nodes_join_before_there_is_a_network };
    let others = scenarios![
        nodes_are_ready_once_an_add_on_connects_their_pods,
        kube_proxy_comes_and_goes_with_its_rules,
        pods_get_another_network_node_by_node_and_nothing_is_left_of_the_old_one,
        destroy_leaves_what_the_add_on_brought_and_nothing_else,
    ];
    run::<WithoutNetwork>(Some(first), &others)
}

/// In a file that the engine merges into the example.
fn configure(cluster: &Cluster, pod_network: &str, proxy_mode: &str) {
    let text = format!(
        "resource \"k8s_hardway_cluster\" \"main\" {{
  network = {{
    pod_cidrs     = [\"172.18.0.0/16\", \"fd00:18::/56\"]
    service_cidrs = k8s_pki.main.service_cidrs
    pod_network   = {pod_network:?}
  }}
}}
resource \"k8s_node_group\" \"nodes\" {{
  proxy_mode = {proxy_mode:?}
}}
"
    );
    cluster.workspace.write("network_override.tf", &text);
}

fn nodes_join_before_there_is_a_network(WithoutNetwork(cluster): &mut WithoutNetwork) {
    cluster.apply();
    let nodes = cluster.get(&["nodes"]);
    let nodes = nodes["items"].as_array().unwrap();
    assert_eq!(nodes.len(), CONTROL_PLANE.len());
    for node in nodes {
        let conditions = node["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        assert!(ready["status"] == "False" && ready["message"].to_string().contains("network not ready"), "{ready}");
        assert_eq!(node["spec"]["podCIDRs"].as_array().unwrap().len(), 2, "add-ons take the share of a node");
    }
    for host in CONTROL_PLANE {
        assert_eq!(
            cluster.on(host, "ls /etc/cni/net.d 2>/dev/null; ip -4 route show proto 77; ip -6 route show proto 77"),
            "",
            "{host}"
        );
        assert_eq!(cluster.on(host, "ls /etc/systemd/system | grep -E 'k8s-pod|kube-proxy' || true"), "", "{host}");
        assert_eq!(cluster.on(host, "nft list tables | grep -E 'kube-proxy|k8s-hardway' || true"), "", "{host}");
    }
    cluster.plan().is_empty();
}

/// What the least add-on does: a bridge, which containerd makes, and an agent that keeps routes to those of other hosts.
fn connect_by_hand(cluster: &Cluster) {
    let shares: BTreeMap<&str, Vec<String>> = CONTROL_PLANE
        .into_iter()
        .map(|host| {
            let node = cluster.get(&["node", host]);
            let shares = node["spec"]["podCIDRs"].as_array().unwrap().iter().map(|cidr| cidr.as_str().unwrap().to_string());
            (host, shares.collect())
        })
        .collect();
    for host in CONTROL_PLANE {
        let ranges: Vec<String> = shares[host].iter().map(|cidr| format!("[{{\"subnet\": {cidr:?}}}]")).collect();
        let text = format!(
            "{{\"cniVersion\": \"1.0.0\", \"name\": \"lab\", \"plugins\": [{{\"type\": \"bridge\", \"bridge\": \"lab0\", \"isGateway\": true, \
             \"ipam\": {{\"type\": \"host-local\", \"ranges\": [{}], \"routes\": [{{\"dst\": \"0.0.0.0/0\"}}, {{\"dst\": \"::/0\"}}]}}}}]}}",
            ranges.join(", ")
        );
        cluster.on(host, &format!("mkdir -p /etc/cni/net.d && printf '%s' '{text}' >{CONFIGURATION}"));
        let others = CONTROL_PLANE.into_iter().filter(|other| *other != host).flat_map(|other| {
            let number = other.trim_start_matches("cp-").parse::<u32>().unwrap() + 12;
            let gateways = [format!("10.77.0.{number}"), format!("fd77:0:0:1::{number}")];
            let route = |(cidr, gateway): (&String, String)| format!("ip route replace {cidr} via {gateway} proto static; ");
            shares[other].iter().zip(gateways).map(route).collect::<Vec<_>>()
        });
        let routes: String = others.collect();
        cluster.on(host, &format!("systemd-run --quiet --collect --unit={AGENT} sh -c 'while :; do {routes}sleep 1; done'"));
    }
}

/// As its maker says.
fn remove_by_hand(cluster: &Cluster) {
    let remove = format!(
        "systemctl stop {AGENT}; rm -f {CONFIGURATION}; rmdir /etc/cni/net.d /etc/cni 2>/dev/null; ip link delete lab0; ip -4 route flush proto static; \
         ip -6 route flush proto static; rm -rf /var/lib/cni/networks/lab; true"
    );
    CONTROL_PLANE.iter().for_each(|host| drop(cluster.on(host, &remove)));
}

fn nodes_are_ready_once_an_add_on_connects_their_pods(WithoutNetwork(cluster): &mut WithoutNetwork) {
    connect_by_hand(cluster);
    cluster.wait_until_ready(&CONTROL_PLANE);
    cluster.plan().is_empty();
}

fn kube_proxy_comes_and_goes_with_its_rules(WithoutNetwork(cluster): &mut WithoutNetwork) {
    let tables = "for family in ip ip6; do nft list table $family kube-proxy >/dev/null 2>&1 && echo $family; done; true";
    configure(cluster, "none", "nftables");
    cluster.apply();
    cluster.plan().is_empty();
    for host in CONTROL_PLANE {
        assert_eq!(cluster.on(host, tables), "ip\nip6", "{host}");
    }
    configure(cluster, "none", "none");
    let rollout = cluster.plan().rollout("k8s_node_group.nodes");
    assert!(rollout.iter().any(|line| line.contains("remove kube-proxy.service (no longer declared)")), "{rollout:#?}");
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    for host in CONTROL_PLANE {
        assert_eq!(cluster.on(host, tables), "", "{host}");
        let left = "systemctl is-active kube-proxy.service; ls /usr/local/bin/kube-proxy /etc/kubernetes/node/kube-proxy.yaml 2>/dev/null; true";
        assert_eq!(cluster.on(host, left), "inactive", "{host}");
    }
    cluster.plan().is_empty();
}

/// What a bridge connects: each pod with a network of its own, and nothing where it is not there.
fn connected(cluster: &Cluster, host: &str, bridge: &str) -> usize {
    cluster.on(host, &format!("ip -oneline link show master {bridge} 2>/dev/null | wc -l")).parse().unwrap()
}

fn pods_get_another_network_node_by_node_and_nothing_is_left_of_the_old_one(WithoutNetwork(cluster): &mut WithoutNetwork) {
    configure(cluster, "none", "nftables");
    cluster.apply();
    cluster.deploy("echo.yaml", &["daemonset/echo"]);
    pods::reach_each_other(cluster, &CONTROL_PLANE);

    let drain = "drain the node (another pod network)";
    configure(cluster, "routed", "nftables");
    remove_by_hand(cluster);
    cluster.apply();
    cluster.plan().is_empty();
    cluster.wait_until_ready(&CONTROL_PLANE);
    pods::reach_each_other(cluster, &CONTROL_PLANE);
    for host in CONTROL_PLANE {
        assert!(connected(cluster, host, "cni0") > 0, "{host}");
    }

    // An add-on is there, but for one node.
    configure(cluster, "none", "nftables");
    connect_by_hand(cluster);
    cluster.on("cp-2", &format!("rm {CONFIGURATION}"));
    let refused = cluster.workspace.try_apply(&cluster.lab);
    assert!(refused.stderr.contains("No network add-on is there for the pods of cp-2"), "{}", refused.stderr);
    remove_by_hand(cluster);
    connect_by_hand(cluster);
    let rollout = cluster.plan().rollout("k8s_node_group.nodes");
    assert!(rollout.iter().any(|line| line.contains(drain)), "{rollout:#?}");
    cluster.apply();
    cluster.plan().is_empty();
    cluster.wait_until_ready(&CONTROL_PLANE);
    pods::reach_each_other(cluster, &CONTROL_PLANE);
    for host in CONTROL_PLANE {
        assert!(connected(cluster, host, "lab0") > 0, "{host}");
        let left = "ls -d /sys/class/net/cni0 /etc/cni/net.d/*k8s-hardway* /var/lib/cni/networks/k8s-hardway /etc/systemd/system/k8s-pod* 2>/dev/null; \
                    ip -4 route show proto 77; ip -6 route show proto 77; nft list tables | grep -E 'k8s-hardway|cni_hostport'; true";
        assert_eq!(cluster.on(host, left), "", "{host}");
    }
    cluster.kubectl(&["delete", "daemonset/echo", "service/echo"]).success();
}

fn destroy_leaves_what_the_add_on_brought_and_nothing_else(WithoutNetwork(cluster): &mut WithoutNetwork) {
    cluster.destroy();
    for host in CONTROL_PLANE {
        assert_eq!(cluster.on(host, &format!("ls {CONFIGURATION}")), CONFIGURATION, "{host}");
    }
    remove_by_hand(cluster);
    cluster.assert_hosts_are_as_before();
}
