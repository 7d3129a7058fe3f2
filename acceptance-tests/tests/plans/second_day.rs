//! Plans of a second day, from a state that says that all was applied: what does not change is empty, and what would go wrong on hosts
//! is refused or named.

use super::said::change;
use super::site::{CLUSTER, NODES, Plans};
use serde_json::json;

/// A write-only argument that is ignored comes as null and means what was applied.
pub fn a_frozen_cluster_has_an_empty_plan(plans: &mut Plans) {
    plans.on_second_day(&[CLUSTER], |site| {
        let thawed = String::from_utf8(site.read("main.tf")).unwrap();
        for ignored in ["[pki]", "all"] {
            let frozen = format!("checksums          = var.checksums\n  lifecycle {{\n    ignore_changes = {ignored}\n  }}");
            site.write("main.tf", &thawed.replace("checksums          = var.checksums", &frozen));
            site.plan_of_second_day(&[]).planned().is_empty();
        }
        site.write("main.tf", &thawed);
    });
}

pub fn a_renamed_worker_is_refused(plans: &mut Plans) {
    plans.on_second_day(&[CLUSTER, NODES], |site| {
        let address = "k8s_node_group.main";
        let said = site.plan_of_second_day(&[r#"-var=workers={"worker-1"="192.0.2.21","batch-1"="192.0.2.22"}"#]);
        said.refuses(address, r#"hosts["batch-1"].address"#, "worker-2 and batch-1 are the same machine");
        // In two applies, or with a machine of its own, the name is free.
        let said = site.plan_of_second_day(&[r#"-var=workers={"worker-1"="192.0.2.21"}"#]);
        assert_eq!(said.planned().changes(), [format!("update {address}")], "{}", site.name());
        let said = site.plan_of_second_day(&[r#"-var=workers={"worker-1"="192.0.2.21","batch-1"="192.0.2.23"}"#]);
        let hosts = &change(said.planned(), address)["after"]["hosts"];
        assert!(hosts["batch-1"]["address"] == "192.0.2.23", "{}: {hosts}", site.name());
    });
}

pub fn a_worker_that_moves_is_named(plans: &mut Plans) {
    plans.on_second_day(&[CLUSTER, NODES], |site| {
        let said = site.plan_of_second_day(&[r#"-var=workers={"worker-1"="192.0.2.21","worker-2"="192.0.2.99"}"#]);
        said.planned();
        said.warns("k8s_node_group.main", r#"hosts["worker-2"].address"#, "worker-2 moves from 192.0.2.22 to 192.0.2.99");
    });
}

const BALANCER: &str = r#"
variable "name" {
  type    = string
  default = "lb-2"
}

variable "address" {
  type    = string
  default = "192.0.2.3"
}

variable "ways" {
  type    = map(string)
  default = { "lb-1" = "ssh-1.example", "lb-2" = "ssh-2.example" }
}

resource "k8s_lb_vrrp" "main" {
  hosts = {
    for name, address in { "lb-1" = "192.0.2.2", (var.name) = var.address } :
    name => { address = address, ssh = { address = lookup(var.ways, name, null) } }
  }
  virtual_addresses = ["192.0.2.100/24"]
  listeners         = { apiserver = { port = 6443, backends = ["192.0.2.11:6443"] } }
}
"#;

pub fn a_renamed_load_balancer_is_refused(plans: &mut Plans) {
    plans.on_second_day(&[BALANCER], |site| {
        let said = site.plan_of_second_day(&["-var=name=lb-b"]);
        said.refuses("k8s_lb_vrrp.main", r#"hosts["lb-b"].address"#, "lb-2 and lb-b are the same machine");
    });
}

pub fn a_load_balancer_that_moves_is_named(plans: &mut Plans) {
    plans.on_second_day(&[BALANCER], |site| {
        let said = site.plan_of_second_day(&["-var=address=192.0.2.99"]);
        said.planned();
        said.warns("k8s_lb_vrrp.main", r#"hosts["lb-2"].address"#, "lb-2 moves from 192.0.2.3 to 192.0.2.99");
    });
}

pub fn load_balancers_whose_ssh_addresses_are_swapped_are_refused(plans: &mut Plans) {
    plans.on_second_day(&[BALANCER], |site| {
        let said = site.plan_of_second_day(&[r#"-var=ways={"lb-1"="ssh-2.example","lb-2"="ssh-1.example"}"#]);
        let summary = "SSH would reach lb-1 at ssh-2.example, where the last apply reached lb-2";
        said.refuses("k8s_lb_vrrp.main", r#"hosts["lb-1"].ssh.address"#, summary);
        // Under another name and address, the machine is the same as well.
        let renamed = r#"-var=ways={"lb-1"="ssh-1.example","lb-b"="ssh-2.example"}"#;
        let said = site.plan_of_second_day(&[renamed, "-var=name=lb-b", "-var=address=192.0.2.99"]);
        said.refuses("k8s_lb_vrrp.main", r#"hosts["lb-b"].ssh.address"#, "lb-2 and lb-b are the same machine");
    });
}

pub fn another_way_of_ssh_is_named(plans: &mut Plans) {
    plans.on_second_day(&[BALANCER], |site| {
        let said = site.plan_of_second_day(&[r#"-var=ways={"lb-1"="ssh-1.example","lb-2"="ssh-3.example"}"#]);
        said.planned();
        said.warns("k8s_lb_vrrp.main", "hosts", "SSH takes another way to lb-2");
    });
}

pub fn a_member_of_etcd_keeps_its_address(plans: &mut Plans) {
    plans.on_second_day(&[CLUSTER], |site| {
        let moved = r#"-var=control_plane={"cp-1"="192.0.2.11","cp-2"="192.0.2.12","cp-3"="192.0.2.33"}"#;
        let said = site.plan_of_second_day(&[moved]);
        let summary = "cp-3 cannot move from 192.0.2.13 to 192.0.2.33";
        said.refuses("k8s_hardway_cluster.main", r#"hosts["cp-3"].address"#, summary);
    });
}

pub fn members_that_swap_their_addresses_are_refused(plans: &mut Plans) {
    plans.on_second_day(&[CLUSTER], |site| {
        let swapped = r#"-var=control_plane={"cp-1"="192.0.2.11","cp-2"="192.0.2.13","cp-3"="192.0.2.12"}"#;
        let said = site.plan_of_second_day(&[swapped]);
        said.refuses("k8s_hardway_cluster.main", r#"hosts["cp-2"].address"#, "cp-2 cannot move from 192.0.2.12 to 192.0.2.13");
        said.refuses("k8s_hardway_cluster.main", r#"hosts["cp-3"].address"#, "cp-3 cannot move from 192.0.2.13 to 192.0.2.12");
    });
}

pub fn new_authorities_for_a_cluster_that_exists_are_refused(plans: &mut Plans) {
    let pki = plans.issue("ECDSA-P384");
    plans.on_second_day(&[CLUSTER], |site| {
        site.write("other.tfvars.json", &json!({ "pki": pki }).to_string());
        let said = site.plan_of_second_day(&["-var-file=other.tfvars.json"]);
        said.refuses("k8s_hardway_cluster.main", "pki", "cluster plans runs with another pki");
    });
}
