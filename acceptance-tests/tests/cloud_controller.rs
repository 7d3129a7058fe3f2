//! Nodes of a cloud: the hosts of the lab are instances of the emulator of AWS, and the real cloud controller manager initialises them. `LAB_CLOUD`
//! says that its image is in the lab (`make cloud-controller`).

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::aws::LabCloud;
use acceptance_tests::lab::{CONTROL_PLANE, WORKER, WORKER_ADDRESSES};
use acceptance_tests::suite::{Scenario, Shared, main as run};
use acceptance_tests::{Cluster, Engine, eventually, scenarios, source_folder};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

const ZONE: &str = "us-east-1a";
const ADDRESS: &str = "k8s_ccm_config.aws";
const UNIT: &str = "aws-cloud-controller-manager.service";
const EMULATOR: &str = "http://10.77.0.1:5000";
const SECRET: &str = "secret-key-of-the-lab";
const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";

struct InACloud {
    cluster: Cluster,
    cloud: LabCloud,
    /// Names, addresses of both families, and ids of their instances.
    nodes: Vec<(&'static str, [String; 2], String)>,
}

impl Shared for InACloud {
    fn begin() -> Self {
        let cluster = Cluster::prepare(&Engine::first(), "cloud-controller");
        let cloud = LabCloud::start(&cluster.lab, "demo", ZONE);
        let of_control_plane = CONTROL_PLANE.iter().zip(13..).map(|(name, number)| {
            let addresses = [format!("10.77.0.{number}"), format!("fd77:0:0:1::{number}")];
            let id = cloud.run_instance(&cluster.lab, &addresses);
            (*name, addresses, id)
        });
        let nodes = of_control_plane.collect();
        let shared = InACloud { cluster, cloud, nodes };
        shared.configure();
        shared
    }

    fn heal(&mut self) {
        self.configure();
        self.cluster.heal();
    }
}

fn main() -> ExitCode {
    if std::env::var_os("LAB_CLOUD").is_none() {
        println!("no LAB_CLOUD: see `make cloud-controller`");
        return ExitCode::SUCCESS;
    }
    let first = Scenario { name: "nodes_of_a_cloud_register_before_there_is_a_controller", run: nodes_register };
    let others = scenarios![
        a_controller_initialises_them_and_their_certificates_have_the_names_of_the_cloud,
        a_unit_on_each_control_plane_host_takes_the_place_of_the_pods,
        what_others_change_of_it_is_named_and_repaired_alone,
        another_setting_restarts_it_host_by_host,
        a_new_node_is_waited_for_until_it_is_initialised,
        the_node_of_an_instance_that_is_gone_is_deleted_by_the_controller,
        an_api_server_that_does_not_answer_stops_the_roll_at_the_first_host,
        destroy_leaves_the_hosts_as_they_were,
    ];
    run::<InACloud>(Some(first), &others)
}

impl InACloud {
    /// In files that the engine merges into the example.
    fn configure(&self) {
        let host = |(name, [primary, secondary], id): &(&str, [String; 2], String)| {
            let dns = private_name(primary);
            format!(
                "    {name:?} = {{ address = {primary:?}, secondary_address = {secondary:?}, provider_id = \"aws:///{ZONE}/{id}\", \
                 certificate_names = [{dns:?}] }}\n"
            )
        };
        let hosts: String = self.nodes.iter().map(host).collect();
        let text = format!(
            "resource \"k8s_hardway_cluster\" \"main\" {{\n  cloud_provider = \"external\"\n}}\n\
             resource \"k8s_node_group\" \"nodes\" {{\n  hosts = {{\n{hosts}  }}\n}}\n"
        );
        self.cluster.workspace.write("cloud_override.tf", &text);
    }

    fn declare_controller(&self) {
        let manifest = std::fs::read_to_string(source_folder().join("manifests/cloud-controller.yaml")).unwrap();
        self.cluster.workspace.write("cloud-controller.yaml", &manifest);
        let settings = format!(
            "region = \"us-east-1\", zone = {ZONE:?}, vpc_id = {:?}, subnet_id = {:?}, cluster_id = \"demo\", node_ip_families = [\"ipv4\", \"ipv6\"]",
            self.cloud.vpc, self.cloud.subnet
        );
        let text = format!(
            "resource \"k8s_manifests\" \"cloud_controller\" {{
  name    = \"cloud-controller\"
  cluster = k8s_hardway_cluster.main.join
  yaml    = {{ \"cloud-controller.yaml\" = file(\"cloud-controller.yaml\") }}
  objects = [{{
    apiVersion = \"v1\"
    kind       = \"ConfigMap\"
    metadata   = {{ name = \"cloud-controller-configuration\", namespace = \"kube-system\" }}
    data       = {{ \"cloud.conf\" = provider::k8s::cloud_config(\"1.36.3\", {{ {settings} }}) }}
  }}]
  secrets         = {{ \"kube-system/cloud-controller-credentials\" = {{ AWS_ACCESS_KEY_ID = \"test\", AWS_SECRET_ACCESS_KEY = \"test\" }} }}
  secrets_version = 1
  depends_on      = [k8s_node_group.nodes]
}}
"
        );
        self.cluster.workspace.write("cloud_controller.tf", &text);
    }

    /// In its place. The node group is created after it, by the `join` that it passes on.
    fn declare_unit(&self, settings: &str) {
        self.cluster.workspace.write("cloud-controller.yaml", "");
        let text = format!(
            "resource \"k8s_ccm_config\" \"aws\" {{
  cluster          = k8s_hardway_cluster.main.join
  pki              = k8s_pki.main.bundle
  hosts            = var.control_plane
  version          = \"1.36.2\"
  registry_mirrors = var.registry_mirrors
  cloud_config = {{
    region    = \"us-east-1\"
    zone      = {ZONE:?}
    vpc_id    = {:?}
    subnet_id = {:?}
  }}
  environment        = {{ AWS_ENDPOINT_URL = {EMULATOR:?}, AWS_EC2_METADATA_DISABLED = \"true\" }}
  secret_environment = {{ AWS_ACCESS_KEY_ID = \"test\", AWS_SECRET_ACCESS_KEY = {SECRET:?} }}
  {settings}
}}
",
            self.cloud.vpc, self.cloud.subnet
        );
        self.cluster.workspace.write("cloud_controller.tf", &text);
        let cluster = "resource \"k8s_node_group\" \"nodes\" {\n  cluster = k8s_ccm_config.aws.join\n}\n";
        self.cluster.workspace.write("cloud_controller_override.tf", cluster);
    }

    /// When it was last started, by systemd, on each control-plane host.
    fn starts(&self) -> Vec<String> {
        let since = format!("systemctl show --property=ActiveEnterTimestampMonotonic --value {UNIT}");
        CONTROL_PLANE.iter().map(|host| self.cluster.on(host, &since).trim().to_string()).collect()
    }

    fn node(&self, name: &str) -> Value {
        self.cluster.get(&["node", name])
    }
}

/// As AWS calls an instance in us-east-1.
fn private_name(address: &str) -> String {
    format!("ip-{}.ec2.internal", address.replace('.', "-"))
}

fn is_uninitialised(node: &Value) -> bool {
    node["spec"]["taints"].as_array().is_some_and(|taints| taints.iter().any(|taint| taint["key"] == TAINT))
}

fn addresses(node: &Value, kind: &str) -> Vec<String> {
    let all = node["status"]["addresses"].as_array().unwrap().iter().filter(|address| address["type"] == kind);
    all.map(|address| address["address"].as_str().unwrap().to_string()).collect()
}

fn nodes_register(shared: &mut InACloud) {
    shared.cluster.apply();
    assert!(CONTROL_PLANE.iter().all(|name| is_uninitialised(&shared.node(name))));
    shared.cluster.wait_until_ready(&CONTROL_PLANE);
    shared.cluster.plan().is_empty();
}

fn a_controller_initialises_them_and_their_certificates_have_the_names_of_the_cloud(shared: &mut InACloud) {
    shared.declare_controller();
    shared.cluster.apply();
    for (name, both, id) in &shared.nodes {
        let node = eventually(&format!("{name} is initialised"), Duration::from_secs(20), || {
            Some(shared.node(name)).filter(|node| !is_uninitialised(node))
        });
        assert_eq!(node["spec"]["providerID"], format!("aws:///{ZONE}/{id}"));
        assert_eq!(addresses(&node, "InternalIP"), both[..]);
        assert_eq!(addresses(&node, "InternalDNS"), [private_name(&both[0])]);
        let labels = &node["metadata"]["labels"];
        assert_eq!(
            (&labels["topology.kubernetes.io/zone"], &labels["topology.kubernetes.io/region"]),
            (&ZONE.into(), &"us-east-1".into())
        );
        assert_eq!(labels["node.kubernetes.io/instance-type"], "m5.large");
    }
    shared.cluster.plan().is_empty();
    // By a certificate for which the kubelet asks once it has the names that the cloud gives its node.
    for (name, both, _) in &shared.nodes {
        let names = eventually(&format!("the certificate of {name} has its name in the cloud"), Duration::from_secs(150), || {
            let shown =
                format!("echo | timeout 5 openssl s_client -connect {}:10250 2>/dev/null | openssl x509 -noout -text", both[0]);
            let shown = shared.cluster.on(name, &shown);
            shown.contains(&private_name(&both[0])).then_some(shown)
        });
        // The name of the host is none that the cloud has: it leaves the node's addresses, and the certificate.
        assert!(names.contains(&format!("IP Address:{}", both[0])) && names.contains("IP Address:FD77:0:0:1:"), "{names}");
    }
    let pods = shared.cluster.get(&["pods", "-n", "kube-system", "-l", "k8s-app=cloud-controller-manager"]);
    let pod = pods["items"][0]["metadata"]["name"].as_str().unwrap();
    assert!(shared.cluster.kubectl(&["logs", "-n", "kube-system", pod]).success().stdout.contains("Version: v"));
}

fn a_unit_on_each_control_plane_host_takes_the_place_of_the_pods(shared: &mut InACloud) {
    // Both would listen at one port of the host.
    shared.cluster.workspace.write("cloud_controller.tf", "");
    shared.cluster.apply();
    eventually("the pods are gone", Duration::from_secs(60), || {
        let pods = shared.cluster.get(&["pods", "-n", "kube-system", "-l", "k8s-app=cloud-controller-manager"]);
        pods["items"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    shared.declare_unit("");
    shared.cluster.apply();
    let lease = shared.cluster.get(&["lease", "-n", "kube-system", "cloud-controller-manager"]);
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap();
    assert!(CONTROL_PLANE.iter().any(|host| holder.starts_with(&format!("{host}_"))), "{holder} is none of the hosts");
    shared.cluster.plan().is_empty();
    for host in CONTROL_PLANE {
        let said = shared
            .cluster
            .on(host, &format!("systemctl is-active {UNIT}; journalctl -q -o cat -u {UNIT} | grep -i forbidden || true"));
        assert_eq!(said.trim(), "active", "{host}");
    }
    let state = shared.cluster.workspace.read("terraform.tfstate");
    assert!(state.contains("k8s_ccm_config") && !state.contains(SECRET), "a secret is in the state");
}

fn what_others_change_of_it_is_named_and_repaired_alone(shared: &mut InACloud) {
    let before = shared.starts();
    shared.cluster.on("cp-2", "echo '# mine' >> /etc/kubernetes/cloud-controller-manager/cloud.conf");
    shared.cluster.kubectl(&["delete", "clusterrolebinding", "k8s-hardway:cloud-controller-manager"]).success();
    let plan = shared.cluster.plan();
    let drift = plan.drift(ADDRESS);
    assert!(drift.len() == 1 && drift["cp-2"].join("\n").contains("cloud-controller-manager/cloud.conf"), "{drift:?}");
    let binding = "ClusterRoleBinding.rbac.authorization.k8s.io/k8s-hardway:cloud-controller-manager";
    assert!(plan.refreshed(ADDRESS, "own_objects_drift")[binding].is_object());
    shared.cluster.apply();
    shared.cluster.plan().is_empty();
    // No unit has read what was there in between.
    assert_eq!(shared.starts(), before);
}

fn another_setting_restarts_it_host_by_host(shared: &mut InACloud) {
    let before = shared.starts();
    shared.declare_unit("flags = { no-such-flag = \"1\" }");
    let refused = shared.cluster.workspace.try_apply(&shared.cluster.lab);
    assert!(!refused.is_success() && refused.stderr.contains("no-such-flag") && shared.starts() == before, "{}", refused.stderr);
    shared.declare_unit("flags = { v = \"3\" }");
    let lines = shared.cluster.plan().rollout(ADDRESS);
    assert!(lines.iter().any(|line| line.contains("one at a time") && line.contains(UNIT)), "{lines:?}");
    shared.cluster.apply();
    assert!(before.iter().zip(shared.starts()).all(|(before, now)| *before != now));
    shared.cluster.plan().is_empty();
}

fn an_api_server_that_does_not_answer_stops_the_roll_at_the_first_host(shared: &mut InACloud) {
    // Nobody listens there.
    shared.declare_unit("api_server = \"https://127.0.0.1:6444\"");
    let failed = shared.cluster.workspace.try_apply(&shared.cluster.lab);
    assert!(!failed.is_success() && failed.stderr.contains(UNIT), "{}", failed.stderr);
    let running = CONTROL_PLANE.iter().filter(|host| {
        shared.cluster.on(host, "grep -c 6443 /etc/kubernetes/cloud-controller-manager.kubeconfig || true").trim() == "1"
    });
    assert_eq!(running.count(), 2, "the others still have the one that works");
    shared.declare_unit("");
    shared.cluster.apply();
    shared.cluster.plan().is_empty();
}

fn a_new_node_is_waited_for_until_it_is_initialised(shared: &mut InACloud) {
    let both = WORKER_ADDRESSES.map(str::to_string);
    let id = shared.cloud.run_instance(&shared.cluster.lab, &both);
    shared.nodes.push((WORKER, both, id));
    shared.configure();
    shared.cluster.apply();
    assert!(!is_uninitialised(&shared.node(WORKER)), "the apply did not wait");
    shared.cluster.plan().is_empty();
}

fn the_node_of_an_instance_that_is_gone_is_deleted_by_the_controller(shared: &mut InACloud) {
    let (_, _, id) = shared.nodes.pop().unwrap();
    shared.cluster.on(WORKER, "systemctl stop kubelet");
    shared.cloud.terminate(&shared.cluster.lab, &id);
    eventually("its node is gone", Duration::from_secs(120), || {
        (!shared.cluster.kubectl(&["get", "node", WORKER]).is_success()).then_some(())
    });
    shared.configure();
    shared.cluster.apply();
    shared.cluster.plan().is_empty();
}

fn destroy_leaves_the_hosts_as_they_were(shared: &mut InACloud) {
    shared.cluster.destroy();
    shared.cluster.assert_hosts_are_as_before();
}
