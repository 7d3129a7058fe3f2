//! Modules: machines, switches, waits, moves and mocks.

use super::said::unknown;
use super::site::{CLUSTER, HEAD, Plans, Site};
use serde_json::json;

/// A module of its own that issues a PKI.
const PKI: &str = r#"
resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { "cp-1" = { address = "192.0.2.11" } }
}

output "certificates" {
  value = k8s_pki.main.certificates
}

output "private_keys" {
  value     = k8s_pki.main.bundle.private_keys
  sensitive = true
}
"#;

fn add_module(site: &Site, name: &str, text: &str) {
    site.write(&format!("{name}/main.tf"), &format!("{HEAD}{text}"));
}

const MACHINE: &str = r#"
variable "machine" {
  type = object({ ip = string, public = string, role = string })
}

output "host" {
  value = {
    address           = var.machine.ip
    secondary_address = null
    role              = var.machine.role
    labels            = { "node.example/role" = var.machine.role }
    ssh               = { address = var.machine.public, user = "root" }
  }
}
"#;

const OF_MODULES: &str = r#"
variable "machines" {
  type = map(object({ ip = string, public = optional(string), role = string }))
  default = {
    "cp-1" = { ip = "192.0.2.11", public = "198.51.100.11", role = "control-plane" }
    "cp-2" = { ip = "192.0.2.12", role = "control-plane" }
    "cp-3" = { ip = "192.0.2.13", role = "control-plane" }
    "w-1"  = { ip = "192.0.2.21", role = "worker" }
  }
}

module "machine" {
  source   = "./machine"
  for_each = var.machines
  machine  = each.value
}
"#;

pub fn hosts_out_of_modules_give_a_wholly_known_plan(plans: &mut Plans) {
    let hosts = r#"{ for name, machine in module.machine : name => machine.host if machine.host.role == "control-plane" }"#;
    let declared = "{ for name, address in var.control_plane : name => { address = address } }";
    let cluster = CLUSTER.replace(declared, hosts);
    plans.with_cluster(&[OF_MODULES, &cluster], |site| {
        add_module(site, "machine", MACHINE);
        site.init();
        let said = site.plan(&[]);
        said.is_quiet();
        assert_eq!(unknown(said.planned(), "k8s_hardway_cluster.main"), Vec::<String>::new(), "{}", site.name());
        let hosts = said.planned().planned("k8s_hardway_cluster.main", "hosts");
        let ssh = ["cp-1", "cp-2"].map(|name| hosts[name]["ssh"]["address"].clone());
        assert_eq!(ssh, [json!("198.51.100.11"), json!(null)], "{}: {hosts}", site.name());
    });
}

const SWITCHED: &str = r#"
variable "enabled" {
  type    = bool
  default = true
}

module "pki" {
  source = "./pki"
  count  = var.enabled ? 1 : 0
}

resource "k8s_vpc" "main" {
  count = var.enabled ? 1 : 0
  name  = "plans"
  cidr  = "10.0.0.0/16"
  zones = ["us-east-1a"]
}

resource "k8s_bastion" "main" {
  count              = var.enabled ? 1 : 0
  name               = "bastion"
  cluster_name       = "plans"
  subnet_id          = one(k8s_vpc.main[*].public_subnet_ids[0])
  security_group_ids = [one(k8s_vpc.main[*].security_group_ids["bastion"])]
  image              = "debian-12"
  key_name           = "mine"
}

output "certificates" {
  value = try(keys(one(module.pki[*].certificates)), [])
}
"#;

pub fn a_switched_off_module_plans_nothing(plans: &mut Plans) {
    plans.with(&[SWITCHED], |site| {
        add_module(site, "pki", PKI);
        site.init();
        assert_eq!(site.plan(&[]).planned().changes().len(), 4, "{}: three resources and an output", site.name());
        let off = site.plan(&["-var=enabled=false"]);
        let resources = off.planned().changes().into_iter().filter(|change| !change.contains("output.")).count();
        assert_eq!(resources, 0, "{}", site.name());
    });
}

const WAITING: &str = r#"
module "pki" {
  source = "./pki"
}

resource "terraform_data" "wait" {
  input = "stands for a wait until the hosts answer"
}

module "access" {
  source       = "./access"
  depends_on   = [terraform_data.wait, module.pki]
  join         = k8s_hardway_cluster.main.join
  certificate  = module.pki.certificates["admin"]
  key          = module.pki.private_keys["admin"]
}

output "kubeconfig" {
  value     = module.access.kubeconfig
  sensitive = true
}
"#;

const ACCESS: &str = r#"
variable "join" {
  type = any
}

variable "certificate" {
  type = string
}

variable "key" {
  type      = string
  sensitive = true
}

data "k8s_kubeconfig" "admin" {
  cluster            = var.join
  client_certificate = var.certificate
  client_key         = var.key
}

output "kubeconfig" {
  value     = data.k8s_kubeconfig.admin.kubeconfig
  sensitive = true
}
"#;

pub fn a_module_that_waits_defers_its_kubeconfig(plans: &mut Plans) {
    plans.with_cluster(&[CLUSTER, WAITING], |site| {
        add_module(site, "pki", PKI);
        add_module(site, "access", ACCESS);
        site.init();
        site.apply(&["-target=module.pki"]);
        let said = site.plan(&[]);
        assert_eq!(said.planned().json["output_changes"]["kubeconfig"]["after_unknown"], json!(true), "{}", site.name());
        site.apply(&["-target=terraform_data.wait"]);
        let said = site.plan(&[]);
        assert_eq!(said.planned().json["output_changes"]["kubeconfig"]["after_sensitive"], json!(true), "{}", site.name());
    });
}

const MOVED: &str = r#"
module "pki" {
  source   = "./pki"
  for_each = toset(["main"])
}

moved {
  from = k8s_pki.main
  to   = module.pki["main"].k8s_pki.main
}
"#;

pub fn a_pki_that_moves_into_a_module_is_not_reissued(plans: &mut Plans) {
    let root = PKI.split("output").next().unwrap();
    plans.with(&[root], |site| {
        site.apply(&[]);
        site.write("main.tf", &format!("{HEAD}{MOVED}"));
        add_module(site, "pki", PKI);
        site.init();
        let said = site.plan(&[]);
        said.planned().is_empty();
        let moved = &said.planned().json["resource_changes"][0];
        assert_eq!(moved["previous_address"], "k8s_pki.main", "{}: {moved}", site.name());
    });
}

const MOCKED: &str = r#"
resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { "cp-1" = { address = "192.0.2.11" } }
}

resource "k8s_hardway_cluster" "main" {
  name               = "plans"
  kubernetes_version = "1.36.3"
  pki                = k8s_pki.main.bundle
  endpoint           = "https://192.0.2.100:6443"
  hosts              = k8s_pki.main.hosts
  network            = { pod_cidrs = ["172.18.0.0/16"], service_cidrs = ["10.96.0.0/16"] }
}

resource "k8s_node_group" "main" {
  cluster = k8s_hardway_cluster.main.join
  hosts   = { "worker-1" = { address = "192.0.2.21" } }
}

resource "k8s_lb_nlb" "main" {
  name         = "plans-api"
  cluster_name = "plans"
  vpc_id       = "vpc-0a1b2c3d4e5f60718"
  subnet_ids   = ["subnet-0a1b2c3d4e5f60718"]
  listeners    = { apiserver = { port = 6443, target = { targets = ["10.0.1.4"] } } }
}
"#;

const MOCKED_RUNS: &str = r#"
mock_provider "k8s" {}

run "plan" {
  command = plan
  assert {
    condition     = k8s_hardway_cluster.main.name == "plans"
    error_message = "the name is not planned"
  }
}

run "apply" {
  command = apply
  assert {
    condition     = k8s_hardway_cluster.main.pki == null
    error_message = "a write-only attribute has a value"
  }
}
"#;

pub fn a_mocked_provider_runs_the_tests_of_a_module(plans: &mut Plans) {
    plans.with(&[MOCKED], |site| {
        site.write("plans.tftest.hcl", MOCKED_RUNS);
        let output = site.success("test", &[]);
        assert!(output.contains("2 passed, 0 failed"), "{}: {output}", site.name());
    });
}
