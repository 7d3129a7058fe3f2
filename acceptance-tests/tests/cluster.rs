//! The promises of the quick start's cluster, on one cluster in their order. Variables: `LAB_LOSSES` (how often each load balancer
//! is lost, 3), `ENGINE` (which engine builds the cluster), `LAB_KEEP` (leave it up, and use it again).

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "cluster/own_objects.rs"]
mod own_objects;
#[path = "cluster/own_settings.rs"]
mod own_settings;
#[path = "cluster/secrets.rs"]
mod secrets;
#[path = "cluster/settings.rs"]
mod settings;

use acceptance_tests::lab::{CONTROL_PLANE, HOSTS, VIRTUAL_ADDRESSES, WORKER, WORKER_ADDRESSES};
use acceptance_tests::probe::{Answers, median};
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, Engine, assert_same, eventually, scenarios};
use own_objects::settings_of_coredns_follow_and_what_others_change_of_it_is_restored;
use own_settings::nodes_have_roles_and_annotations_and_one_has_settings_of_its_own;
use secrets::{no_secret_is_seen_in_logs_plans_progress_or_errors, no_secret_is_seen_on_hosts_by_others_than_root};
use serde_json::json;
use settings::a_setting_that_a_program_refuses_touches_no_unit_and_no_file;
use std::process::ExitCode;
use std::time::Duration;

/// How long a service may take to answer once its pods run.
const SERVICE_LIMIT: Duration = Duration::from_secs(30);

struct QuickStart(Cluster);

impl Shared for QuickStart {
    fn begin() -> Self {
        QuickStart(Cluster::prepare(&Engine::first(), "cluster"))
    }

    fn heal(&mut self) {
        self.0.heal();
    }
}

fn main() -> ExitCode {
    let first = Scenario { name: "one_apply_makes_a_cluster_from_nothing", run: one_apply_makes_a_cluster_from_nothing };
    let others = scenarios![
        every_node_is_ready,
        the_second_plan_is_empty_under_every_engine,
        pods_answer_over_the_virtual_address_on_both_families,
        a_service_answers_by_cluster_address_and_node_port_on_both_families,
        pods_look_up_names_in_the_cluster_dns,
        settings_of_coredns_follow_and_what_others_change_of_it_is_restored,
        kubectl_reads_logs_and_runs_commands_on_every_node,
        metrics_come_through_the_aggregation_layer,
        drift_is_named_by_host_and_path_and_repaired_alone,
        a_node_that_an_apply_left_cordoned_takes_pods_again_and_another_stays_cordoned,
        a_worker_that_comes_and_goes_touches_no_other_host,
        nodes_have_roles_and_annotations_and_one_has_settings_of_its_own,
        a_setting_that_a_program_refuses_touches_no_unit_and_no_file,
        a_changed_flag_restarts_api_servers_one_after_the_other_and_no_client_notices,
        the_loss_of_nginx_is_a_gap_of_less_than_two_seconds,
        the_loss_of_a_load_balancer_is_a_gap_of_less_than_two_seconds,
        the_api_survives_the_loss_of_a_control_plane_host_and_plan_says_which,
        certificates_that_expired_everywhere_are_renewed_by_one_apply,
        a_snapshot_is_taken_before_etcd_restarts_and_brings_back_a_cluster_that_lost_two_of_three,
        no_secret_is_seen_in_logs_plans_progress_or_errors,
        no_secret_is_seen_on_hosts_by_others_than_root,
        destroy_leaves_the_hosts_as_they_were_and_a_second_destroy_is_fine,
    ];
    run::<QuickStart>(Some(first), &others)
}

fn one_apply_makes_a_cluster_from_nothing(QuickStart(cluster): &mut QuickStart) {
    let output = cluster.apply();
    assert!(output.stdout.contains("Apply complete!"), "{}", output.stdout);
    assert_eq!(cluster.workspace.output("endpoint"), "https://10.77.0.100:6443");
}

fn every_node_is_ready(QuickStart(cluster): &mut QuickStart) {
    cluster.wait_until_ready(&CONTROL_PLANE);
    let nodes = cluster.get(&["nodes"]);
    for node in nodes["items"].as_array().unwrap() {
        let addresses = node["status"]["addresses"].to_string();
        assert!(addresses.contains("10.77.0.") && addresses.contains("fd77:0:0:1::"), "not both families: {addresses}");
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.36.3");
        assert_eq!(node["metadata"]["labels"]["node.example/pool"], "general");
    }
}

fn the_second_plan_is_empty_under_every_engine(QuickStart(cluster): &mut QuickStart) {
    cluster.plan().is_empty();
    for engine in Engine::all().iter().filter(|engine| **engine != cluster.workspace.engine) {
        let copy = cluster.workspace.copy_for(engine, "cluster-under-the-other-engine");
        copy.plan(Some(&cluster.lab)).is_empty();
        copy.remove();
    }
}

fn pods_answer_over_the_virtual_address_on_both_families(QuickStart(cluster): &mut QuickStart) {
    cluster.deploy("echo.yaml", &["daemonset/echo"]);
    for address in VIRTUAL_ADDRESSES {
        let answer =
            eventually("a pod answers", Duration::from_secs(30), || cluster.lab.fetch(&format!("http://{address}/")).ok());
        assert!(answer.contains("host=echo-"), "{address}: {answer}");
    }
}

fn a_service_answers_by_cluster_address_and_node_port_on_both_families(QuickStart(cluster): &mut QuickStart) {
    let service = cluster.get(&["service", "echo"]);
    let cluster_addresses: Vec<&str> =
        service["spec"]["clusterIPs"].as_array().unwrap().iter().map(|ip| ip.as_str().unwrap()).collect();
    let [ipv4, ipv6] = cluster_addresses[..] else { panic!("not one address of each family: {cluster_addresses:?}") };
    for pod in echo_pods(cluster) {
        // kube-proxy gets the endpoints of each family by themselves: one can be there a moment before the other.
        eventually("a pod reaches the service on both families", SERVICE_LIMIT, || {
            let urls = [format!("http://{ipv4}"), format!("http://[{ipv6}]")];
            let answer = cluster.kubectl(&["exec", &pod, "--", "/bin/echo-http", "get", &urls[0], &urls[1]]);
            (answer.stdout.matches("200 host=echo-").count() == 2).then_some(())
        });
    }
    for host in ["10.77.0.13", "10.77.0.14", "10.77.0.15", "[fd77:0:0:1::13]", "[fd77:0:0:1::14]", "[fd77:0:0:1::15]"] {
        let url = format!("http://{host}:30080/");
        eventually(&format!("{url} answers"), SERVICE_LIMIT, || cluster.lab.fetch(&url).ok());
    }
}

fn pods_look_up_names_in_the_cluster_dns(QuickStart(cluster): &mut QuickStart) {
    for pod in echo_pods(cluster) {
        let names = ["kubernetes.default.svc.cluster.local", "echo"]; // the first has one family in every cluster
        let answer = cluster.kubectl(&["exec", &pod, "--", "/bin/echo-http", "dig", names[0], names[1]]).success().stdout;
        let lines: Vec<&str> = answer.lines().collect();
        assert!(lines[0].contains("10.96.0.1"), "{answer}");
        assert!(lines[1].contains("10.96.") && lines[1].contains("fd00:96::"), "{answer}");
    }
}

fn kubectl_reads_logs_and_runs_commands_on_every_node(QuickStart(cluster): &mut QuickStart) {
    let pods = echo_pods(cluster);
    assert_eq!(pods.len(), CONTROL_PLANE.len());
    for pod in pods {
        let log = cluster.kubectl(&["logs", &pod]).success().stdout;
        assert!(log.contains(&format!("echo is up on {pod}")), "{log}");
        let hostname = cluster.kubectl(&["exec", &pod, "--", "/bin/busybox", "hostname"]).success().stdout;
        assert_eq!(hostname.trim(), pod);
    }
}

fn metrics_come_through_the_aggregation_layer(QuickStart(cluster): &mut QuickStart) {
    let authority = cluster.workspace.attribute("k8s_pki.main", "certificates")["cluster-ca"].as_str().unwrap().to_string();
    let in_system = ["-n", "kube-system"];
    let from = format!("--from-literal=ca.crt={authority}");
    cluster.kubectl(&[["delete", "configmap/kubelet-authority", "--ignore-not-found"].as_slice(), &in_system].concat()).success();
    cluster.kubectl(&[["create", "configmap", "kubelet-authority", &from].as_slice(), &in_system].concat()).success();
    cluster.deploy("metrics-server.yaml", &[["deployment/metrics-server"].as_slice(), &in_system].concat());
    let nodes = CONTROL_PLANE.len();
    let top = || Some(cluster.kubectl(&["top", "nodes", "--no-headers"]).stdout).filter(|text| text.lines().count() == nodes);
    let lines = eventually("every node has metrics", Duration::from_secs(60), top);
    assert!(CONTROL_PLANE.iter().all(|node| lines.contains(node)), "{lines}");
    cluster.kubectl(&[["delete", "deployment/metrics-server"].as_slice(), &in_system].concat()).success();
    cluster.kubectl(&["delete", "apiservice/v1beta1.metrics.k8s.io"]).success();
}

fn drift_is_named_by_host_and_path_and_repaired_alone(QuickStart(cluster): &mut QuickStart) {
    let before = cluster.activity(&HOSTS);
    cluster.on("cp-1", "echo '# edited' >> /etc/containerd/config.toml");
    cluster.on("cp-2", "systemctl stop kube-scheduler.service");
    cluster.on("cp-3", "sysctl -qw net.ipv4.ip_forward=0");
    let plan = cluster.plan();
    let nodes = plan.drift("k8s_node_group.nodes");
    assert_eq!(nodes["cp-1"], ["/etc/containerd/config.toml: content differs"]);
    assert_eq!(nodes["cp-3"], ["sysctl net.ipv4.ip_forward: 0 instead of 1"]);
    assert_eq!(plan.drift("k8s_hardway_cluster.main")["cp-2"], ["kube-scheduler.service: inactive, not running"]);
    let resources: Vec<String> = plan.changes().into_iter().filter(|change| !change.contains("output.")).collect();
    assert_eq!(resources, ["update k8s_hardway_cluster.main", "update k8s_node_group.nodes"]);
    cluster.apply();
    cluster.plan().is_empty();
    assert_eq!(cluster.on("cp-3", "sysctl -n net.ipv4.ip_forward"), "1");
    assert_eq!(
        besides_records(cluster.activity(&HOSTS).since(&before)),
        ["cp-1: /etc/containerd/config.toml", "cp-2: kube-scheduler.service"]
    );
}

/// The first patch is the one that an apply makes before a drain.
fn a_node_that_an_apply_left_cordoned_takes_pods_again_and_another_stays_cordoned(QuickStart(cluster): &mut QuickStart) {
    let before = cluster.activity(&HOSTS);
    let cordon = r#"{"spec":{"unschedulable":true}}"#;
    cluster.kubectl(&["patch", "node/cp-1", "--type=merge", "--field-manager=k8s-hardway", "--patch", cordon]).success();
    cluster.kubectl(&["cordon", "cp-2"]).success();
    let plan = cluster.plan();
    let drift = plan.drift("k8s_node_group.nodes");
    assert_eq!(
        drift.into_iter().collect::<Vec<_>>(),
        [("cp-1".into(), vec!["node: left cordoned by an apply that ended early".into()])]
    );
    assert_eq!(plan.rollout("k8s_node_group.nodes"), ["cp-1: let pods be scheduled on the node again"]);
    cluster.apply();
    cluster.plan().is_empty();
    let is_cordoned = |node: &str| cluster.get(&["node", node])["spec"]["unschedulable"] == true;
    assert_eq!([is_cordoned("cp-1"), is_cordoned("cp-2")], [false, true]);
    cluster.kubectl(&["uncordon", "cp-2"]).success();
    assert_eq!(cluster.activity(&HOSTS).since(&before), Vec::<String>::new());
}

fn a_worker_that_comes_and_goes_touches_no_other_host(QuickStart(cluster): &mut QuickStart) {
    let (before, on_worker) = (cluster.activity(&HOSTS), cluster.lab.snapshot(WORKER));
    cluster
        .workspace
        .set("workers", json!({ WORKER: { "address": WORKER_ADDRESSES[0], "secondary_address": WORKER_ADDRESSES[1] } }));
    cluster.apply();
    cluster.wait_until_ready(&[CONTROL_PLANE.as_slice(), &[WORKER]].concat());
    assert_eq!(cluster.activity(&HOSTS).since(&before), Vec::<String>::new());
    cluster.workspace.set("workers", json!({}));
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    assert_eq!(cluster.activity(&HOSTS).since(&before), Vec::<String>::new());
    assert_same(&cluster.lab.snapshot(WORKER), &on_worker);
}

fn a_changed_flag_restarts_api_servers_one_after_the_other_and_no_client_notices(QuickStart(cluster): &mut QuickStart) {
    let before = cluster.activity(&HOSTS);
    cluster.workspace.set("api_server_flags", json!({ "max-requests-inflight": rand::random_range(401..800).to_string() }));
    let answers = cluster.while_asking_the_api(|| drop(cluster.workspace.apply(&cluster.lab)));
    let touched = cluster.activity(&HOSTS).since(&before);
    let expected = CONTROL_PLANE.iter().flat_map(|host| {
        ["/etc/systemd/system/kube-apiserver.service", "kube-apiserver.service"].map(|item| format!("{host}: {item}"))
    });
    assert_eq!(besides_records(touched), expected.collect::<Vec<_>>());
    let mut outages = CONTROL_PLANE.map(|host| outage(cluster, host));
    outages.sort();
    assert!(outages.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two API servers were down at once: {outages:?}");
    answers.iter().for_each(Answers::all_good);
}

fn the_loss_of_nginx_is_a_gap_of_less_than_two_seconds(QuickStart(cluster): &mut QuickStart) {
    check_gaps(cluster, |cluster, holder| {
        cluster.on(holder, "systemctl kill --signal=KILL k8s-lb-api-nginx.service; systemctl stop k8s-lb-api-nginx.service");
        wait_until_moved(cluster, holder);
        cluster.on(holder, "systemctl start k8s-lb-api-nginx.service");
    });
}

fn the_loss_of_a_load_balancer_is_a_gap_of_less_than_two_seconds(QuickStart(cluster): &mut QuickStart) {
    check_gaps(cluster, |cluster, holder| {
        cluster.lab.kill(holder);
        wait_until_moved(cluster, holder);
        cluster.lab.boot(holder);
    });
    cluster.plan().is_empty();
}

fn the_api_survives_the_loss_of_a_control_plane_host_and_plan_says_which(QuickStart(cluster): &mut QuickStart) {
    let answers = cluster.while_asking_the_api(|| {
        cluster.lab.kill("cp-2");
        let plan = cluster.plan();
        assert!(plan.text.contains("cp-2 does not answer"), "{}", plan.text);
        for resource in ["k8s_hardway_cluster.main", "k8s_node_group.nodes"] {
            let unreachable = plan.refreshed(resource, "unreachable");
            assert_eq!(unreachable.as_object().unwrap().keys().collect::<Vec<_>>(), ["cp-2"]);
        }
        cluster.kubectl(&["get", "nodes"]).success();
    });
    // Only what was under way on that host is lost.
    answers.iter().for_each(|answers| {
        assert!(answers.longest_gap() < Duration::from_secs(2), "{}: {:?}", answers.url, answers.longest_gap())
    });
    cluster.lab.boot("cp-2");
    cluster.wait_until_ready(&CONTROL_PLANE);
    cluster.plan().is_empty();
}

/// etcd has no quorum then: no member takes another's certificate.
fn certificates_that_expired_everywhere_are_renewed_by_one_apply(QuickStart(cluster): &mut QuickStart) {
    const SCRIPT: &str = include_str!("../lab/hosts/expire.sh");
    let ready = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig --request-timeout=3s get --raw=/readyz";
    CONTROL_PLANE.iter().for_each(|host| drop(cluster.on(host, ready)));
    let keys = cluster.workspace.attribute("k8s_pki.main", "bundle")["private_keys"].clone();
    for host in CONTROL_PLANE {
        for (folder, name, ca, authority) in [
            ("/etc/etcd/pki", "server", "ca", "etcd-ca"),
            ("/etc/etcd/pki", "peer", "peer-ca", "etcd-peer-ca"),
            ("/etc/kubernetes/pki", "apiserver", "apiserver-ca", "apiserver-ca"),
        ] {
            let paths = format!("{folder}/{name}.crt {folder}/{name}.key {folder}/{ca}.crt");
            let key = keys[authority].as_str().unwrap();
            cluster.on(host, &format!("printf '%s' '{key}' | sh -c '{}' expire {paths}", SCRIPT.replace('\'', "'\\''")));
        }
    }
    for host in CONTROL_PLANE {
        cluster.on(host, "systemctl restart --no-block etcd kube-apiserver");
    }
    assert!(
        CONTROL_PLANE.iter().all(|host| !cluster.lab.ssh(host, ready).is_success()),
        "the cluster goes on with expired certificates"
    );
    cluster.apply();
    cluster.wait_until_ready(&CONTROL_PLANE);
    // Controllers that had no API server end, and systemd starts them again after a pause.
    let controllers = "systemctl is-active kube-controller-manager kube-scheduler k8s-csr-approver k8s-pod-routes k8s-pod-shares";
    for host in CONTROL_PLANE {
        eventually(&format!("the controllers of {host} run"), Duration::from_secs(60), || {
            cluster.lab.ssh(host, controllers).is_success().then_some(())
        });
    }
    cluster.plan().is_empty();
}

/// By the commands of the guide.
fn a_snapshot_is_taken_before_etcd_restarts_and_brings_back_a_cluster_that_lost_two_of_three(
    QuickStart(cluster): &mut QuickStart,
) {
    cluster.kubectl(&["create", "configmap", "before", "--from-literal=is=kept"]).success();
    let main = cluster.workspace.folder.join("main.tf");
    let text = std::fs::read_to_string(&main).unwrap();
    let endpoint = "  endpoint           = local.endpoint\n";
    assert!(text.contains(endpoint), "{text}");
    let etcd = "  etcd = { flags = { max-txn-ops = \"10000\" } }\n";
    std::fs::write(&main, text.replace(endpoint, &format!("{endpoint}{etcd}"))).unwrap();
    let plan = cluster.plan();
    assert_eq!(plan.rollout("k8s_hardway_cluster.main")[0], "take a snapshot of etcd");
    cluster.apply();
    let snapshots = cluster.on("cp-1", "ls /var/lib/etcd-snapshots/*.db");
    assert_eq!(snapshots.lines().count(), 1, "{snapshots}");

    cluster.kubectl(&["create", "configmap", "after", "--from-literal=is=lost"]).success();
    let [stop, restore, start] = commands_of("restore-etcd-from-a-snapshot.md");
    CONTROL_PLANE.iter().for_each(|host| drop(cluster.on(host, &stop)));
    ["cp-1", "cp-2"].iter().for_each(|host| drop(cluster.on(host, "rm -rf /var/lib/etcd/*")));
    let snapshot = cluster.on("cp-1", &format!("gzip -c {snapshots} | base64 -w0"));
    for host in CONTROL_PLANE {
        for (place, part) in snapshot.as_bytes().chunks(60_000).enumerate() {
            let begin = if place == 0 { ">" } else { ">>" };
            cluster.on(host, &format!("echo {} {begin}/root/snapshot.b64", String::from_utf8_lossy(part)));
        }
        cluster.on(host, &format!("tr -d '\\n' </root/snapshot.b64 | base64 -d | gunzip >/root/snapshot.db && {{ {restore} }}"));
    }
    CONTROL_PLANE.iter().for_each(|host| drop(cluster.on(host, &start)));
    cluster.apply();
    cluster.plan().is_empty();
    assert_eq!(cluster.get(&["configmap", "before"])["data"]["is"], "kept");
    assert!(!cluster.kubectl(&["get", "configmap", "after"]).is_success(), "written after the snapshot");
    cluster.wait_until_ready(&CONTROL_PLANE);
    CONTROL_PLANE.iter().for_each(|host| drop(cluster.on(host, "rm -rf /root/snapshot.* /var/lib/etcd/member-before-*")));
    cluster.kubectl(&["delete", "configmap", "before"]).success();
}

/// The blocks of shell commands in a guide.
fn commands_of<const COUNT: usize>(guide: &str) -> [String; COUNT] {
    let guide = std::fs::read_to_string(acceptance_tests::source_folder().join("../docs/guides").join(guide)).unwrap();
    let blocks = guide.split("```sh\n").skip(1).map(|part| part.split("```").next().unwrap().to_string());
    blocks.collect::<Vec<_>>().try_into().unwrap()
}

fn destroy_leaves_the_hosts_as_they_were_and_a_second_destroy_is_fine(QuickStart(cluster): &mut QuickStart) {
    cluster.workspace.set("api_server_flags", json!({}));
    // As a connection does that nobody answers any more: namespaces of pods outlive their names.
    let hold = "for namespace in /run/netns/cni-*; do [ ! -e $namespace ] || { echo $namespace; nsenter --net=$namespace sleep 300 >/dev/null 2>&1 & }; done";
    let held: Vec<String> = CONTROL_PLANE.iter().map(|host| cluster.on(host, hold)).collect();
    assert!(held.concat().contains("cni-"), "no pod has a network");
    cluster.destroy();
    cluster.assert_hosts_are_as_before();
    cluster.destroy();
}

// --- questions of more than one scenario

/// What was touched but the provider's own records of it.
fn besides_records(touched: Vec<String>) -> Vec<String> {
    touched.into_iter().filter(|item| !item.contains("/var/lib/k8s-hardway/")).collect()
}

fn echo_pods(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.get(&["pods", "-l", "app=echo"]);
    pods["items"].as_array().unwrap().iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_string()).collect()
}

/// When the API server of a host was last down, by the one clock of all hosts, in microseconds.
fn outage(cluster: &Cluster, host: &str) -> (u64, u64) {
    let moment = |property: &str| {
        cluster.on(host, &format!("systemctl show --value --property={property} kube-apiserver.service")).parse().unwrap()
    };
    (moment("ActiveExitTimestampMonotonic"), moment("ActiveEnterTimestampMonotonic"))
}

/// Takes the virtual addresses from their holder a few times in the same way; the median of what clients notice counts.
fn check_gaps(cluster: &Cluster, lose: impl Fn(&Cluster, &str)) {
    let times: usize = std::env::var("LAB_LOSSES").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut gaps = vec![Vec::new(); VIRTUAL_ADDRESSES.len()];
    for _ in 0..times {
        cluster.wait_for_both_load_balancers();
        let answers = cluster.while_asking_pods(|| lose(cluster, cluster.holder()));
        gaps.iter_mut().zip(&answers).for_each(|(gaps, answers)| gaps.push(answers.longest_gap()));
    }
    println!("    gaps on IPv4 {:?}, on IPv6 {:?}", gaps[0], gaps[1]);
    assert!(gaps.into_iter().all(|gaps| median(gaps) < Duration::from_secs(2)));
    cluster.wait_for_both_load_balancers();
}

fn wait_until_moved(cluster: &Cluster, from: &str) {
    eventually("the addresses move", Duration::from_secs(15), || (cluster.holder() != from).then_some(()));
}
