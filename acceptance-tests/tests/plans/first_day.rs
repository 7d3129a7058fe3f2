//! First plans: what is null, what is not known yet, and what can be seen to be wrong before any host is reached.

use super::said::unknown;
use super::site::{CLUSTER, NODES, Plans};
use serde_json::json;

const NULLS: &str = r#"
variable "none" {
  type    = string
  default = null
}

resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["api.plans.internal", "192.0.2.100", var.none]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { "cp-1" = { address = "192.0.2.11" }, "cp-2" = var.none == null ? null : { address = "192.0.2.12" } }
}

resource "k8s_lb_vrrp" "main" {
  hosts             = { "lb-1" = { address = "192.0.2.2" }, "lb-2" = { address = "192.0.2.3" } }
  virtual_addresses = ["192.0.2.100/24", var.none]
  listeners         = { apiserver = { port = 6443, backends = [var.none] } }
}
"#;

/// Hosts too: one that became null by mistake would be drained and cleaned.
pub fn a_null_in_a_list_or_among_hosts_is_refused_at_its_place(plans: &mut Plans) {
    plans.with(&[NULLS], |site| {
        let said = site.plan(&[]);
        said.refuses("k8s_pki.main", "endpoints[2]", "`endpoints[2]` is null");
        said.refuses("k8s_pki.main", r#"hosts["cp-2"]"#, r#"`hosts["cp-2"]` is null"#);
        said.refuses("k8s_lb_vrrp.main", "virtual_addresses[1]", "`virtual_addresses[1]` is null");
        let backend = r#"listeners["apiserver"].backends[0]"#;
        said.refuses("k8s_lb_vrrp.main", backend, &format!("`{backend}` is null"));
    });
}

const ABSENT: &str = r#"
variable "with_data" {
  type    = bool
  default = false
}

resource "k8s_vpc" "main" {
  name    = "plans"
  cidr    = "10.0.0.0/16"
  zones   = ["us-east-1a", "us-east-1b"]
  tags    = { team = "infrastructure", ticket = null }
  subnets = { public = { type = "public" }, data = var.with_data ? { type = "isolated", netmask = 26 } : null }
}

resource "k8s_lb_nlb" "main" {
  name               = "plans-api"
  cluster_name       = "plans"
  vpc_id             = "vpc-0a1b2c3d4e5f60718"
  subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
  security_group_ids = ["sg-0a1b2c3d4e5f60718"]
  listeners          = { apiserver = { port = 6443, target = { targets = ["10.0.1.4"] } }, web = var.with_data ? { port = 443, target = { targets = ["10.0.1.4"] } } : null }
}
"#;

/// OpenTofu would crash on a nested object that is null: a refusal keeps it from there.
pub fn a_tag_that_is_null_is_left_out_and_a_tier_or_listener_is_refused(plans: &mut Plans) {
    plans.with(&[ABSENT], |site| {
        let said = site.plan(&[]);
        said.refuses("k8s_vpc.main", r#"subnets["data"]"#, r#"`subnets["data"]` is null"#);
        said.refuses("k8s_lb_nlb.main", r#"listeners["web"]"#, r#"`listeners["web"]` is null"#);
        let said = site.plan(&["-var=with_data=true"]);
        said.is_quiet();
        let objects = said.planned().planned("k8s_vpc.main", "objects");
        let vpc = objects["vpc/main"].as_object().unwrap_or_else(|| panic!("{}: {objects}", site.name()));
        let has = ["tag team", "tag ticket"].map(|tag| vpc.contains_key(tag));
        assert_eq!(has, [true, false], "{}: {:?}", site.name(), vpc.keys());
    });
}

const REQUIRED: &str = r#"
variable "none" {
  type    = string
  default = null
}

resource "k8s_pki" "main" {
  cluster_name  = var.none
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { "cp-1" = { address = "192.0.2.11" } }
}

resource "k8s_lb_vrrp" "main" {
  hosts             = { "lb-1" = { address = var.none }, "lb-2" = { address = "192.0.2.3" } }
  virtual_addresses = ["192.0.2.100/24"]
  listeners         = { apiserver = { port = 6443, backends = ["192.0.2.11:6443"] } }
}

resource "k8s_vpc" "main" {
  name  = "plans"
  cidr  = var.none
  zones = ["us-east-1a"]
}
"#;

pub fn a_required_argument_that_is_null_is_refused(plans: &mut Plans) {
    plans.with(&[REQUIRED], |site| {
        let said = site.plan(&[]);
        said.refuses("k8s_pki.main", "cluster_name", "`cluster_name` is required, but null");
        said.refuses("k8s_lb_vrrp.main", r#"hosts["lb-1"].address"#, r#"`hosts["lb-1"].address` is required, but null"#);
        said.refuses("k8s_vpc.main", "cidr", "`cidr` is required, but null");
    });
}

const MACHINES: &str = r#"
resource "terraform_data" "machine" {
  for_each = toset(["cp-1"])
  input    = { address = "192.0.2.11" }
}

resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { for name, machine in terraform_data.machine : name => machine.output }
}
"#;

pub fn a_host_object_that_is_not_known_yet_is_carried(plans: &mut Plans) {
    plans.with(&[MACHINES], |site| {
        let said = site.plan(&[]);
        let open = unknown(said.planned(), "k8s_pki.main");
        assert!(open.iter().any(|path| path == r#"hosts["cp-1"]"#), "{}: {open:?}", site.name());
        site.apply(&[]);
        site.plan(&[]).planned().is_empty();
    });
}

const PARTS: &str = r#"
resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { for number in range(1, 4) : "cp-${number}" => { address = "192.0.2.1${number}" } }
}
"#;

/// A module gives the parts of a PKI one by one.
pub fn a_pki_that_is_passed_in_parts_is_carried_while_it_is_unknown(plans: &mut Plans) {
    let parts = "pki = { for part in keys(k8s_pki.main.bundle) : part => k8s_pki.main.bundle[part] }";
    let cluster = CLUSTER.replace("pki                = var.pki", parts);
    plans.with_cluster(&[PARTS, &cluster], |site| {
        let said = site.plan(&[]);
        let open = unknown(said.planned(), "k8s_hardway_cluster.main");
        assert!(open.iter().any(|path| path.starts_with("join")), "{}: join is known without a PKI: {open:?}", site.name());
        site.apply(&["-target=k8s_pki.main"]);
        let said = site.plan(&[]);
        let open = unknown(said.planned(), "k8s_hardway_cluster.main");
        assert_eq!(open, Vec::<String>::new(), "{}", site.name());
    });
}

const OWN_BACKEND: &str = r#"
variable "port" {
  type    = number
  default = 6443
}

locals {
  control_plane = { for number in range(1, 4) : "cp-${number}" => { address = "192.0.2.1${number}" } }
}

resource "k8s_lb_vrrp" "main" {
  hosts             = local.control_plane
  virtual_addresses = ["192.0.2.100/24"]
  listeners         = { apiserver = { port = var.port, backends = [for host in local.control_plane : "${host.address}:6443"] } }
}
"#;

pub fn a_load_balancer_whose_listener_is_its_own_backend_is_refused(plans: &mut Plans) {
    plans.with(&[OWN_BACKEND], |site| {
        let said = site.plan(&[]);
        for number in 0..3 {
            let at = format!("listeners[\"apiserver\"].backends[{number}]");
            let summary = format!("backend 192.0.2.1{}:6443 is listener apiserver itself, on host cp-{}", number + 1, number + 1);
            said.refuses("k8s_lb_vrrp.main", &at, &summary);
        }
        site.plan(&["-var=port=8443"]).is_quiet();
    });
}

pub fn digests_are_planned_as_they_are_given(plans: &mut Plans) {
    let given = plans.variables()["checksums"].clone();
    plans.with_cluster(&[CLUSTER], |site| {
        let said = site.plan(&[]);
        said.is_quiet();
        let planned = said.planned().planned("k8s_hardway_cluster.main", "checksums");
        assert_eq!(planned, given, "{}: those of other downloads stay where they are", site.name());
        let (url, digest) = given.as_object().unwrap().iter().find(|(url, _)| url.ends_with("/kube-apiserver")).unwrap();
        let one = serde_json::json!({ url: digest });
        let said = site.plan(&[&format!("-var=checksums={one}")]);
        assert_eq!(
            said.planned().planned("k8s_hardway_cluster.main", "checksums"),
            one,
            "{}: the others are looked up",
            site.name()
        );
    });
}

pub fn a_pool_of_nodes_may_be_empty(plans: &mut Plans) {
    plans.with_cluster(&[CLUSTER, NODES], |site| {
        let said = site.plan(&["-var=workers={}"]);
        let planned = said.planned();
        assert_eq!(planned.planned("k8s_node_group.main", "hosts"), json!({}), "{}", site.name());
        assert_eq!(unknown(planned, "k8s_node_group.main"), Vec::<String>::new(), "{}", site.name());
    });
}

const CAPITALS: &str = r#"
variable "known" {
  type    = bool
  default = true
}

resource "terraform_data" "load_balancer" {
  input = "Plans-API-0123456789.elb.us-east-1.amazonaws.com"
}

resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100", var.known ? "Plans-API-0123456789.elb.us-east-1.amazonaws.com" : terraform_data.load_balancer.output]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { "cp-1" = { address = "192.0.2.11" } }
}
"#;

/// The same name is taken, or refused, at validate, at plan and at apply.
pub fn names_in_capitals_have_one_rule(plans: &mut Plans) {
    plans.with(&[CAPITALS], |site| {
        site.validate().is_quiet();
        site.plan(&[]).planned();
        site.apply(&["-var=known=false"]);
        let said = site.plan(&["-var=known=true"]);
        said.planned().is_empty();
    });
}
