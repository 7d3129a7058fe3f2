//! The styles in which people write configurations: every one plans.

use super::said::{change, unknown};
use super::site::{CLUSTER, HEAD, NODES, Plans};
use serde_json::json;

pub fn an_ephemeral_pki_is_in_no_plan_file(plans: &mut Plans) {
    let keys: Vec<String> = plans.variables()["pki"]["private_keys"]
        .as_object()
        .unwrap()
        .values()
        .map(|key| key.as_str().unwrap().to_string())
        .collect();
    plans.with_cluster(&[CLUSTER], |site| {
        site.validate().is_quiet();
        let first = site.plan(&[]);
        assert!(change(first.planned(), "k8s_hardway_cluster.main")["after"]["pki"].is_null(), "{}", site.name());
        let second = site.plan(&[]);
        assert_eq!(first.planned().json["resource_changes"], second.planned().json["resource_changes"], "{}", site.name());
        site.success("show", &["plan.bin"]);
        let shown = first.planned().json.to_string();
        for key in &keys {
            let line = key.lines().nth(1).unwrap();
            assert!(!shown.contains(line), "{}: a private key is in the plan", site.name());
        }
    });
}

const SHORT: &str = r#"
resource "k8s_pki" "main" {
  cluster_name               = "plans"
  endpoints                  = ["192.0.2.100"]
  service_cidrs              = ["10.96.0.0/16"]
  hosts                      = { "cp-1" = { address = "192.0.2.11" } }
  certificate_validity_hours = 2
  renew_before_hours         = 1
}
"#;

pub fn certificates_of_a_short_life_give_an_empty_second_plan(plans: &mut Plans) {
    plans.with(&[SHORT], |site| {
        site.apply(&[]);
        site.plan(&[]).planned().is_empty();
        // Due from its first day on: what is frozen stays as it is, and the plan keeps to the engine's contract.
        let due = SHORT.replace(
            "renew_before_hours         = 1\n",
            "renew_before_hours = 1\n  lifecycle {\n    ignore_changes = all\n  }\n",
        );
        site.write("main.tf", &format!("{HEAD}{due}"));
        site.plan(&[]).planned().is_empty();
    });
}

const POOLS: &str = r#"
variable "pools" {
  type = map(object({
    labels         = optional(map(string))
    taints         = optional(list(object({ key = string, value = optional(string), effect = optional(string, "NoSchedule") })))
    kubelet_config = optional(map(number))
    max            = optional(number)
    proxy_mode     = optional(string)
    nodes = map(object({
      address           = string
      secondary_address = optional(string)
      architecture      = optional(string)
      ssh               = optional(object({ address = optional(string), port = optional(number), user = optional(string) }))
    }))
  }))
  default = {
    general = { nodes = { "g-1" = { address = "192.0.2.21" } } }
    batch = {
      labels         = { "node.example/pool" = "batch" }
      taints         = [{ key = "dedicated", value = "batch" }]
      kubelet_config = { maxPods = 50 }
      max            = 2
      proxy_mode     = "iptables"
      nodes          = { "b-1" = { address = "192.0.2.31", ssh = { port = 2222 } }, "b-2" = { address = "192.0.2.32", architecture = "amd64" } }
    }
  }
}

resource "k8s_node_group" "pool" {
  for_each        = var.pools
  cluster         = k8s_hardway_cluster.main.join
  name            = each.key
  hosts           = each.value.nodes
  labels          = each.value.labels
  taints          = each.value.taints
  kubelet_config  = each.value.kubelet_config == null ? null : jsonencode(each.value.kubelet_config)
  max_unavailable = each.value.max
  proxy_mode      = each.value.proxy_mode
  checksums       = var.checksums
}
"#;

pub fn optional_attributes_that_are_null_are_not_given(plans: &mut Plans) {
    plans.with_cluster(&[CLUSTER, POOLS], |site| {
        let said = site.plan(&[]);
        said.is_quiet();
        for pool in [r#"k8s_node_group.pool["general"]"#, r#"k8s_node_group.pool["batch"]"#] {
            assert_eq!(unknown(said.planned(), pool), Vec::<String>::new(), "{} {pool}", site.name());
        }
        let default = |attribute| said.planned().planned(r#"k8s_node_group.pool["general"]"#, attribute);
        assert_eq!([default("max_unavailable"), default("proxy_mode")], [json!(1), json!("nftables")], "{}", site.name());
    });
}

const NETWORKS: &str = r#"
locals {
  networks = { for file in fileset("${path.module}/networks", "*.yaml") : trimsuffix(file, ".yaml") => yamldecode(file("${path.module}/networks/${file}")) }
}

resource "k8s_vpc" "network" {
  for_each        = local.networks
  name            = each.key
  cidr            = each.value.cidr
  secondary_cidrs = try(each.value.secondary_cidrs, null)
  zones           = try(each.value.zones, null)
  zone_count      = try(each.value.zone_count, null)
  ipv6            = try(each.value.ipv6, false) ? {} : null
  nat             = can(each.value.nat) ? { mode = each.value.nat, subnets = try(each.value.nat_tier, null) } : null
  flow_logs       = can(each.value.flow_logs) ? { destination = each.value.flow_logs.destination, traffic = try(each.value.flow_logs.traffic, null) } : null
  endpoints       = can(each.value.endpoints) ? { gateway = try(each.value.endpoints.gateway, null), interface = try(each.value.endpoints.interface, null) } : null
  security_groups = try(each.value.security_groups, null)
  tags            = try(each.value.tags, null)
  subnets = {
    for name, tier in each.value.tiers : name => {
      type    = tier.type
      netmask = try(tier.netmask, null)
      cidrs   = try(tier.cidrs, null)
      tags    = try(tier.tags, null)
    } if try(tier.enabled, true)
  }
}
"#;

const LARGE: &str = r#"
cidr: 10.0.0.0/16
zones: [us-east-1a, us-east-1b]
ipv6: true
nat: single
tiers:
  public: { type: public }
  private: { type: private, netmask: 20 }
  data: { type: isolated, enabled: false }
endpoints: { gateway: [s3] }
flow_logs: { destination: "arn:aws:s3:::plans-logs" }
security_groups: { network_addon: cilium, admin_cidrs: ["192.0.2.0/24"] }
tags: { team: infrastructure }
"#;

const SMALL: &str = "cidr: 10.64.0.0/20\nzone_count: 1\ntiers:\n  public: { type: public }\n";

pub fn a_network_out_of_yaml_is_wholly_known(plans: &mut Plans) {
    plans.with(&[NETWORKS], |site| {
        site.write("networks/large.yaml", LARGE);
        site.write("networks/small.yaml", SMALL);
        let said = site.plan(&[]);
        said.is_quiet();
        let large = change(said.planned(), r#"k8s_vpc.network["large"]"#);
        let tiers: Vec<&String> = large["after"]["subnets"].as_object().unwrap().keys().collect();
        assert_eq!(tiers, ["private", "public"], "{}", site.name());
        assert!(large["after"]["objects"].as_object().is_some_and(|objects| objects.len() > 10), "{}", site.name());
    });
}

const ENVIRONMENTS: &str = r#"
locals {
  settings = { staging = { hosts = 3, cidr = "10.1.0.0/16" } }
  setting  = lookup(local.settings, terraform.workspace, { hosts = 1, cidr = "10.0.0.0/16" })
  name     = "k8s-${terraform.workspace}"
}

resource "k8s_pki" "main" {
  cluster_name  = local.name
  endpoints     = ["api.${lower(local.name)}.internal"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { for number in range(local.setting.hosts) : format("cp-%d", number + 1) => { address = cidrhost("192.0.2.0/24", number + 11) } }
}

resource "k8s_vpc" "main" {
  name  = local.name
  cidr  = local.setting.cidr
  zones = ["us-east-1a"]
  tags  = { workspace = terraform.workspace }
}
"#;

pub fn a_workspace_whose_name_is_no_cluster_name_is_refused(plans: &mut Plans) {
    plans.with(&[ENVIRONMENTS], |site| {
        site.success("workspace", &["new", "staging"]);
        let said = site.plan(&[]);
        said.is_quiet();
        assert_eq!(said.planned().planned("k8s_pki.main", "hosts").as_object().unwrap().len(), 3, "{}", site.name());
        site.success("workspace", &["new", "Prod_EU"]);
        site.plan(&[]).refuses("k8s_pki.main", "cluster_name", r#""k8s-Prod_EU" is not a usable name"#);
        site.success("workspace", &["select", "default"]);
    });
}

const TAINTS: &str = r#"
variable "taints" {
  type    = list(string)
  default = ["dedicated=batch:NoSchedule", "spot:PreferNoSchedule"]
}

resource "k8s_node_group" "main" {
  cluster   = k8s_hardway_cluster.main.join
  hosts     = { "worker-1" = { address = "192.0.2.21" } }
  labels    = merge({ "node.example/pool" = "batch" }, { for number in range(2) : "node.example/n${number}" => number })
  taints    = [for taint in var.taints : regex("^(?P<key>[^=:]+)=?(?P<value>[^=:]*?):(?P<effect>.+)$", taint)]
  checksums = var.checksums
}
"#;

pub fn taints_out_of_a_regular_expression_are_taken(plans: &mut Plans) {
    plans.with_cluster(&[CLUSTER, TAINTS], |site| {
        let said = site.plan(&[]);
        said.is_quiet();
        assert_eq!(unknown(said.planned(), "k8s_node_group.main"), Vec::<String>::new(), "{}", site.name());
        let taints = said.planned().planned("k8s_node_group.main", "taints");
        let spot = json!({ "key": "spot", "value": "", "effect": "PreferNoSchedule", "startup": null });
        assert_eq!(taints[1], spot, "{}", site.name());
    });
}

const SSH: &str = r#"
variable "use_agent" {
  type    = bool
  default = false
}

variable "bastion" {
  type    = string
  default = null
}

resource "terraform_data" "bastion" {
  input = "198.51.100.1"
}

locals {
  bastion = var.bastion == "later" ? terraform_data.bastion.output : var.bastion
}

provider "k8s" {
  alias  = "by_switches"
  mirror = "http://127.0.0.1:9"
  ssh = {
    user             = "admin"
    agent            = var.use_agent
    private_key_file = var.use_agent ? null : "~/.ssh/id_ed25519"
    jump_host        = var.bastion == null ? null : { address = local.bastion, user = "jump" }
  }
}
"#;

pub fn ssh_by_switches_plans_even_with_an_unknown_bastion(plans: &mut Plans) {
    let by_switches = "cluster   = k8s_hardway_cluster.main.join\n  provider  = k8s.by_switches\n  ssh       = var.bastion == null ? null : { port = 2222 }";
    let nodes = NODES.replace("cluster   = k8s_hardway_cluster.main.join", by_switches);
    plans.with_cluster(&[CLUSTER, SSH, &nodes], |site| {
        for switches in [&[][..], &["-var=use_agent=true", "-var=bastion=198.51.100.1"], &["-var=bastion=later"]] {
            let said = site.plan(switches);
            said.is_quiet();
            assert_eq!(unknown(said.planned(), "k8s_node_group.main"), Vec::<String>::new(), "{} {switches:?}", site.name());
        }
    });
}
