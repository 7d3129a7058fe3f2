//! Changes that somebody makes to what the examples on AWS have made: each is named by the plan, in words, and put back by apply with
//! the calls that it takes and no other. Needs no hosts and no account. Variables: `ENGINE`.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "aws_drift/addresses.rs"]
mod addresses;
#[path = "aws_drift/balancing.rs"]
mod balancing;
#[path = "aws_drift/endpoints.rs"]
mod endpoints;
#[path = "aws_drift/gone.rs"]
mod gone;
#[path = "aws_drift/instances.rs"]
mod instances;
#[path = "aws_drift/network.rs"]
mod network;
#[path = "aws_drift/others.rs"]
mod others;
#[path = "aws_drift/outside.rs"]
mod outside;
#[path = "aws_drift/records.rs"]
mod records;
#[path = "aws_drift/routes.rs"]
mod routes;
#[path = "aws_drift/row.rs"]
mod row;
#[path = "aws_drift/rules.rs"]
mod rules;
#[path = "aws_drift/tags.rs"]
mod tags;

use acceptance_tests::aws::{Account, autoscaling};
use acceptance_tests::command::run as run_program;
use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::{Engine, scenarios};
use row::check;
use serde_json::json;
use std::process::ExitCode;

/// Whatever is not declared is drift.
const EXCLUSIVE: &str = r#"
resource "k8s_vpc" "main" {
  exclusive = true
  security_groups = {
    admin_cidrs     = var.admin_cidrs
    network_addon   = "calico-vxlan"
    exclusive_rules = true
  }
}

resource "k8s_lb_nlb" "api" {
  listeners = {
    apiserver = {
      port         = 6443
      target       = { targets = var.api_servers, exclusive_targets = true }
      health_check = { protocol = "HTTPS", path = "/readyz", matcher = "200" }
    }
  }
}
"#;

/// What the example does not have: a policy of an endpoint, flow logs, and a listener in front of an Auto Scaling group.
const MORE: &str = r#"
resource "k8s_vpc" "main" {
  exclusive       = true
  security_groups = { admin_cidrs = var.admin_cidrs, exclusive_rules = true }
  endpoints = {
    interface = ["ec2", "sts", "ecr.api", "ecr.dkr"]
    gateway   = ["s3"]
    overrides = {
      s3 = { policy = jsonencode({ Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" }] }) }
    }
  }
  flow_logs = {
    destination_type = "cloud-watch-logs"
    destination      = "arn:aws:logs:us-east-1:123456789012:log-group:demo"
    role_arn         = "arn:aws:iam::123456789012:role/flow-logs"
  }
}

resource "k8s_lb_nlb" "api" {
  listeners = {
    apiserver = {
      port         = 6443
      target       = { targets = var.api_servers, exclusive_targets = true }
      health_check = { protocol = "HTTPS", path = "/readyz", matcher = "200" }
    }
    web = {
      port   = 443
      target = { type = "instance", port = 30443, autoscaling_group_names = ["demo-nodes"], exclusive_targets = true }
    }
  }
}
"#;

/// The second is nowhere declared.
const GROUPS: [&str; 2] = ["demo-nodes", "foreign"];

struct Examples {
    dual_stack: Account,
    private_proxy: Account,
}

impl Shared for Examples {
    fn begin() -> Self {
        let engine = Engine::first();
        let account = |example: &str| Account::of_example(&engine, example, &format!("{example}-drift"));
        let mut examples = Examples { dual_stack: account("aws-dual-stack"), private_proxy: account("aws-private-proxy") };
        examples.dual_stack.workspace.write("exclusive_override.tf", EXCLUSIVE);
        examples.private_proxy.workspace.write("more_override.tf", MORE);
        examples.heal();
        examples
    }

    fn heal(&mut self) {
        for (account, servers) in
            [(&mut self.dual_stack, ["10.0.0.11", "10.0.16.11"]), (&mut self.private_proxy, ["192.168.0.11", "192.168.16.11"])]
        {
            account.reset();
            GROUPS.iter().for_each(|name| autoscaling::make(&account.proxy.api, name, 2));
            account.set(json!({ "api_servers": servers }));
            account.apply();
        }
    }
}

fn main() -> ExitCode {
    let scenarios = scenarios![
        routes_that_others_change_are_put_back,
        a_subnet_that_is_moved_to_another_route_table_is_moved_back,
        rules_that_others_change_are_put_back,
        tags_that_others_change_are_put_back,
        tags_that_objects_are_known_by_are_put_back,
        attributes_of_the_network_are_put_back,
        dhcp_options_are_put_back,
        addresses_are_associated_again,
        instances_are_changed_back,
        instances_that_cannot_be_changed_back_are_replaced,
        load_balancers_are_changed_back,
        records_are_changed_back,
        endpoints_are_changed_back,
        what_is_deleted_is_made_again,
        what_others_hang_on_is_made_again,
        what_nobody_manages_is_left_alone,
        what_others_add_is_left_alone_unless_it_is_declared_exclusive,
        a_copy_of_an_instance_is_named_and_left_alone,
        after_all_of_it_the_plan_is_empty,
    ];
    run::<Examples>(None, &scenarios)
}

fn routes_that_others_change_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &routes::rows());
}

fn a_subnet_that_is_moved_to_another_route_table_is_moved_back(examples: &mut Examples) {
    check(&examples.dual_stack, &routes::moved_subnet());
}

fn rules_that_others_change_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &rules::rows());
    check(&examples.private_proxy, &rules::further_rows());
}

fn tags_that_others_change_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &tags::rows());
    check(&examples.private_proxy, &tags::rows_of_endpoints());
}

fn tags_that_objects_are_known_by_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &tags::rows_of_object_tags());
}

fn attributes_of_the_network_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &network::rows());
}

fn dhcp_options_are_put_back(examples: &mut Examples) {
    check(&examples.dual_stack, &network::no_dhcp_options());
    check(&examples.private_proxy, &network::foreign_dhcp_options());
}

fn addresses_are_associated_again(examples: &mut Examples) {
    check(&examples.dual_stack, &addresses::rows());
}

fn instances_are_changed_back(examples: &mut Examples) {
    check(&examples.dual_stack, &instances::rows());
    check(&examples.private_proxy, &instances::stopped());
}

fn instances_that_cannot_be_changed_back_are_replaced(examples: &mut Examples) {
    check(&examples.dual_stack, &instances::terminated());
    check(&examples.private_proxy, &instances::without_digest());
}

fn load_balancers_are_changed_back(examples: &mut Examples) {
    check(&examples.dual_stack, &balancing::rows());
    check(&examples.private_proxy, &balancing::further_rows());
    check(&examples.private_proxy, &balancing::rows_of_groups());
}

fn records_are_changed_back(examples: &mut Examples) {
    check(&examples.dual_stack, &records::rows());
    check(&examples.dual_stack, &records::deleted());
}

fn endpoints_are_changed_back(examples: &mut Examples) {
    check(&examples.private_proxy, &endpoints::rows());
    check(&examples.private_proxy, &endpoints::policies());
}

fn what_is_deleted_is_made_again(examples: &mut Examples) {
    check(&examples.dual_stack, &gone::rows());
    check(&examples.private_proxy, &gone::rows_of_endpoints());
}

fn what_others_hang_on_is_made_again(examples: &mut Examples) {
    check(&examples.dual_stack, &gone::load_balancer());
    check(&examples.private_proxy, &gone::internet_gateway());
}

/// Rules that Kubernetes' cloud controller makes, and tags of somebody else.
fn what_nobody_manages_is_left_alone(examples: &mut Examples) {
    rules::kubernetes_rules_are_left_alone(&examples.dual_stack);
    tags::foreign_tags_are_left_alone(&examples.private_proxy);
}

/// Without the override, which is exclusive: the change to it and back is one in place.
fn what_others_add_is_left_alone_unless_it_is_declared_exclusive(examples: &mut Examples) {
    let account = &examples.dual_stack;
    let file = account.workspace.folder.join("exclusive_override.tf");
    std::fs::remove_file(&file).unwrap();
    account.apply();
    let before = account.inventory();
    others::add(account);
    let with_others = account.inventory();
    assert!(with_others.len() > before.len() || with_others != before, "others added nothing that shows");
    account.plan().is_empty();
    // A change of the same objects does not touch what others have in them.
    account.set(json!({ "admin_cidrs": ["203.0.113.0/24"], "api_servers": ["10.0.0.12"] }));
    account.apply();
    others::are_there(account);
    account.set(json!({ "admin_cidrs": ["198.51.100.0/24", "2001:db8:77::/48"], "api_servers": ["10.0.0.11", "10.0.16.11"] }));
    account.apply();
    assert_eq!(account.inventory(), with_others);

    account.workspace.write("exclusive_override.tf", EXCLUSIVE);
    account.apply();
    assert_eq!(account.plan().changes(), Vec::<String>::new());
}

/// With all of its tags, as a service of AWS or "Launch more like this" makes it; also where the state is lost.
fn a_copy_of_an_instance_is_named_and_left_alone(examples: &mut Examples) {
    let account = &examples.private_proxy;
    let copy = others::copy_of_instance(account, "instance/demo-proxy");
    let plan = account.plan();
    plan.is_empty();
    assert!(plan.text.contains(&copy), "the plan does not name {copy}:\n{}", plan.text);
    account.proxy.clear_log();
    let proxy = account.workspace.attribute("k8s_egress_proxy.main", "instance_id");
    run_program(account.workspace.command(None, "state").args(["rm", "k8s_egress_proxy.main"])).success();
    account.apply();
    assert_eq!(account.workspace.attribute("k8s_egress_proxy.main", "instance_id"), proxy, "the copy was taken for it");
    let called: Vec<String> = account.proxy.mutating_calls().into_iter().map(|call| call.action).collect();
    assert!(!called.iter().any(|action| ["RunInstances", "TerminateInstances"].contains(&action.as_str())), "{called:?}");
    others::terminate(account, &copy);
    account.plan().is_empty();
}

fn after_all_of_it_the_plan_is_empty(examples: &mut Examples) {
    for account in [&examples.dual_stack, &examples.private_proxy] {
        account.plan().is_empty();
        account.destroy();
        GROUPS.iter().for_each(|name| autoscaling::delete(&account.proxy.api, name));
        assert_eq!(account.inventory(), Vec::<String>::new());
    }
}
