//! The examples on AWS, on an emulator behind a proxy: applied, planned again under every engine, imported, destroyed, with the calls
//! counted. Needs no hosts and no account. Variables: `ENGINE`.

#![allow(clippy::unwrap_used)] // a test may panic

#[path = "aws/destroying.rs"]
mod destroying;

use acceptance_tests::aws::{Account, account::ZONE_NAME, autoscaling};
use acceptance_tests::command::run as run_program;
use acceptance_tests::suite::{Shared, main as run};
use acceptance_tests::{Engine, assert_same, scenarios, source_folder};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::ExitCode;

const EXAMPLES: [&str; 2] = ["aws-dual-stack", "aws-private-proxy"];

struct Examples(Vec<Account>);

impl Shared for Examples {
    fn begin() -> Self {
        let engine = Engine::first();
        Examples(EXAMPLES.iter().map(|example| Account::of_example(&engine, example, example)).collect())
    }
}

fn main() -> ExitCode {
    use destroying::*;
    let scenarios = scenarios![
        a_plan_tells_the_least_policy_before_there_is_anything,
        the_least_policy_covers_every_call,
        one_apply_makes_each_example_and_the_second_plan_is_empty,
        a_plan_without_refresh_makes_no_call,
        every_call_names_the_provider,
        every_engine_plans_nothing_on_what_is_there,
        what_is_imported_has_an_empty_plan,
        a_zone_that_a_load_balancer_uses_goes_with_two_applies,
        what_kubernetes_made_blocks_a_destroy_by_name_or_goes_with_it,
        what_belongs_to_others_stops_a_destroy_while_all_is_there,
        volumes_of_the_cluster_s_name_stay_unless_the_user_says_otherwise,
        destroy_leaves_nothing_and_can_be_done_twice,
        an_empty_plan_makes_as_many_calls_for_two_zones_as_for_four,
        an_auto_scaling_group_is_attached_and_scales_without_a_change,
        a_dual_stack_load_balancer_serves_udp,
    ];
    run::<Examples>(None, &scenarios)
}

fn a_plan_tells_the_least_policy_before_there_is_anything(Examples(accounts): &mut Examples) {
    let account = &accounts[0];
    let example = source_folder().join("../examples/functions/aws_iam_policy/function.tf");
    account.workspace.write("policy.tf", &std::fs::read_to_string(example).unwrap());
    let plan = account.plan();
    std::fs::remove_file(account.workspace.folder.join("policy.tf")).unwrap();
    for action in
        ["ec2:CreateVpc", "ec2:RunInstances", "elasticloadbalancing:CreateListener", "aws:ResourceTag/k8s-hardway/cluster"]
    {
        assert!(plan.text.contains(action), "{action} is not in the plan:\n{}", plan.text);
    }
}

/// The emulator allows everything: what AWS would have refused shows in the log.
fn the_least_policy_covers_every_call(Examples(accounts): &mut Examples) {
    let resources = ["k8s_vpc.main, k8s_bastion.main, k8s_lb_nlb.api", "k8s_vpc.main, k8s_egress_proxy.main, k8s_lb_nlb.api"];
    for (account, resources) in accounts.iter_mut().zip(resources) {
        let output = format!("output \"iam_policy\" {{ value = provider::k8s::aws_iam_policy({resources}) }}\n");
        account.workspace.write("policy.tf", &output);
        let plan = account.plan();
        std::fs::remove_file(account.workspace.folder.join("policy.tf")).unwrap();
        let policy: Value = serde_json::from_str(plan.json["output_changes"]["iam_policy"]["after"].as_str().unwrap()).unwrap();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let allowed: BTreeSet<&str> =
            statements.flat_map(|one| one["Action"].as_array().unwrap()).map(|action| action.as_str().unwrap()).collect();
        account.proxy.clear_log();
        account.apply();
        account.plan().is_empty();
        account.destroy();
        let called: BTreeSet<String> =
            account.proxy.calls().iter().map(|call| format!("{}:{}", call.service, call.action)).collect();
        let refused: Vec<&String> = called.iter().filter(|action| !allowed.contains(action.as_str())).collect();
        assert!(
            called.len() > 40 && refused.is_empty(),
            "{}: {refused:?} of {}",
            account.workspace.folder.display(),
            called.len()
        );
        account.reset();
    }
}

fn one_apply_makes_each_example_and_the_second_plan_is_empty(Examples(accounts): &mut Examples) {
    for account in accounts {
        let plan = account.plan();
        assert!(
            plan.text.contains("route 0.0.0.0/0") && plan.text.contains("ingress tcp"),
            "the plan does not show routes and rules"
        );
        let total = plan.planned("k8s_vpc.main", "cost")["total"].clone();
        assert!(
            total.as_str().is_some_and(|usd| usd.parse::<f64>().is_ok()),
            "the plan does not show what the network costs: {total}"
        );
        account.apply();
        assert!(account.inventory().len() > 40, "{:#?}", account.inventory());
        account.plan().is_empty();
    }
}

fn a_plan_without_refresh_makes_no_call(Examples(accounts): &mut Examples) {
    for account in accounts {
        account.proxy.clear_log();
        run_program(account.workspace.command(None, "plan").args(["-refresh=false", "-detailed-exitcode", "-input=false"]))
            .success();
        assert_eq!(account.calls(), Vec::<String>::new());
    }
}

fn every_call_names_the_provider(Examples(accounts): &mut Examples) {
    let account = &accounts[0];
    account.proxy.clear_log();
    account.plan().is_empty();
    let calls = account.proxy.calls();
    assert!(!calls.is_empty());
    let nameless = calls.iter().find(|call| !call.user_agent.contains("terraform-provider-k8s"));
    assert!(nameless.is_none(), "{:?}", nameless.map(|call| (&call.action, &call.user_agent)));
}

fn every_engine_plans_nothing_on_what_is_there(Examples(accounts): &mut Examples) {
    for account in accounts {
        for engine in Engine::all().iter().filter(|engine| **engine != account.workspace.engine) {
            let mut copy =
                account.workspace.copy_for(engine, &format!("{}-copy", account.workspace.folder.file_name().unwrap().display()));
            copy.environment = account.workspace.environment.clone();
            copy.plan(None).is_empty();
        }
    }
}

fn what_is_imported_has_an_empty_plan(Examples(accounts): &mut Examples) {
    let account = &accounts[0];
    // How many zones were asked for cannot be inferred from what exists; which there are can.
    account.set(json!({ "zones": ["us-east-1a", "us-east-1b"], "api_servers": ["10.0.0.10"] }));
    account.apply();
    let before = account.inventory();
    let vpc = account.workspace.attribute("k8s_vpc.main", "vpc_id");
    let bastion = account.workspace.attribute("k8s_bastion.main", "instance_id");
    let zone = account.workspace.attribute("k8s_lb_nlb.api", "dns")["zone_id"].clone();
    let balancer = format!("demo-api,{},api.demo.{ZONE_NAME}", zone.as_str().unwrap());
    let imports = [
        ("k8s_vpc.main", vpc.as_str().unwrap()),
        ("k8s_vpc.main", "demo"),
        ("k8s_bastion.main", bastion.as_str().unwrap()),
        ("k8s_lb_nlb.api", balancer.as_str()),
    ];
    for (address, id) in imports {
        run_program(account.workspace.command(None, "state").args(["rm", address])).success();
        run_program(account.workspace.command(None, "import").args(["-input=false", "-no-color", address, id])).success();
        let plan = account.plan();
        assert_eq!(plan.changes(), Vec::<String>::new(), "import of {address} by {id}:\n{}", plan.text);
    }
    assert_same(&account.inventory(), &before);
}

/// The network changes first, and its subnets are taken out of use only after that.
fn a_zone_that_a_load_balancer_uses_goes_with_two_applies(Examples(accounts): &mut Examples) {
    let account = &accounts[0];
    account.apply();
    let before = account.inventory();
    account.set(json!({ "zones": ["us-east-1a", "us-east-1b", "us-east-1c"] }));
    account.apply();
    account.set(json!({ "zones": ["us-east-1a", "us-east-1b"] }));
    let applied = account.apply();
    assert!(applied.stdout.contains("subnet/private-3") && applied.stdout.contains("stays for now"), "{}", applied.stdout);
    let plan = account.plan();
    assert!(plan.text.contains("is not declared"), "{}", plan.text);
    account.apply();
    assert_same(&account.inventory(), &before);
    account.plan().is_empty();
}

fn destroy_leaves_nothing_and_can_be_done_twice(Examples(accounts): &mut Examples) {
    for account in accounts {
        account.destroy();
        assert_same(&account.inventory(), &[]);
        account.destroy();
    }
}

fn an_empty_plan_makes_as_many_calls_for_two_zones_as_for_four(Examples(accounts): &mut Examples) {
    let account = &mut accounts[0];
    let mut counts = Vec::new();
    for zones in [2, 4] {
        account.reset();
        account.set(json!({ "zone_count": zones, "zones": null }));
        account.apply();
        account.proxy.clear_log();
        account.plan().is_empty();
        counts.push(account.calls().len());
        account.destroy();
    }
    println!("    calls of an empty plan: {counts:?}");
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 40, "{counts:?}");
}

/// In the place of the example's listeners.
const BEFORE_NODES: &str = r#"
resource "k8s_lb_nlb" "api" {
  wait_for_healthy_targets = true
  listeners = {
    web = {
      port   = 443
      target = { type = "instance", port = 30443, autoscaling_group_names = ["demo-nodes"] }
    }
  }
}
"#;

fn an_auto_scaling_group_is_attached_and_scales_without_a_change(Examples(accounts): &mut Examples) {
    let account = &mut accounts[1];
    account.reset();
    let api = account.proxy.api;
    autoscaling::make(&api, "demo-nodes", 2);
    let alone = account.inventory();
    account.workspace.write("nodes_override.tf", BEFORE_NODES);
    account.apply();
    let attached = account.workspace.attribute("k8s_lb_nlb.api", "target_group_arns")["web"].as_str().unwrap().to_owned();
    assert_eq!(autoscaling::target_groups(&api, "demo-nodes"), [attached.as_str()]);
    for size in [2, 4, 1, 0, 2] {
        autoscaling::scale(&api, "demo-nodes", size);
        account.proxy.clear_log();
        account.plan().is_empty();
        let asked = account.calls().iter().filter(|call| call.starts_with("autoscaling ")).count();
        assert_eq!(asked, 1, "a refresh asks for Auto Scaling groups once");
    }
    let detach = [
        ("Action", "DetachLoadBalancerTargetGroups"),
        ("AutoScalingGroupName", "demo-nodes"),
        ("TargetGroupARNs.member.1", attached.as_str()),
    ];
    account.emulator.call("autoscaling", &detach);
    let plan = account.plan();
    assert_eq!(plan.drift("k8s_lb_nlb.api")["target_group/web"], ["autoscaling_group demo-nodes is missing"]);
    account.apply();
    account.plan().is_empty();
    assert_eq!(autoscaling::target_groups(&api, "demo-nodes"), [attached.as_str()]);

    run_program(account.workspace.command(None, "state").args(["rm", "k8s_lb_nlb.api"])).success();
    let import = ["-input=false", "-no-color", "k8s_lb_nlb.api", "demo-api"];
    run_program(account.workspace.command(None, "import").args(import)).success();
    let plan = account.plan();
    assert!(!plan.text.contains("autoscaling_group"), "{}", plan.text);
    account.apply();
    account.plan().is_empty();

    account.destroy();
    assert_same(&account.inventory(), &alone);
    autoscaling::delete(&api, "demo-nodes");
    std::fs::remove_file(account.workspace.folder.join("nodes_override.tf")).unwrap();
}

/// In the place of the example's listeners.
const OVER_UDP: &str = r#"
resource "k8s_lb_nlb" "api" {
  listeners = {
    dns = {
      port     = 53
      protocol = "TCP_UDP"
      target   = { address_family = "ipv6", targets = ["2001:db8::53"] }
    }
  }
}
"#;

fn a_dual_stack_load_balancer_serves_udp(Examples(accounts): &mut Examples) {
    let account = &mut accounts[0];
    let apply = |account: &Account| {
        account.proxy.clear_log();
        account.apply();
        let calls = account.calls().into_iter().filter(|call| call == "elasticloadbalancing SetSubnets").count();
        account.plan().is_empty();
        calls
    };
    for begins_with_udp in [true, false] {
        account.reset();
        account.set(json!({ "zone_count": 2, "zones": null }));
        if !begins_with_udp {
            assert_eq!(apply(account), 0);
        }
        account.workspace.write("udp_override.tf", OVER_UDP);
        assert_eq!(apply(account), if begins_with_udp { 0 } else { 1 });
        assert!(account.inventory().iter().any(|line| line.starts_with("listener demo-api TCP_UDP 53")));
        // Whoever sets subnets turns it off unless he says otherwise.
        account.set(json!({ "zone_count": 3, "zones": null }));
        assert_eq!(apply(account), 1);
        let state = account.workspace.attribute("k8s_lb_nlb.api", "ids");
        let balancer = state["load_balancer/demo-api"].as_str().unwrap();
        let subnets = account.workspace.attribute("k8s_vpc.main", "private_subnet_ids");
        let names = (1..=3).map(|number| format!("SubnetMappings.member.{number}.SubnetId")).collect::<Vec<_>>();
        let subnets = names.iter().zip(subnets.as_array().unwrap()).map(|(name, id)| (name.as_str(), id.as_str().unwrap()));
        let off = [("Action", "SetSubnets"), ("LoadBalancerArn", balancer), ("EnablePrefixForIpv6SourceNat", "off")];
        account.proxy.api.call("elasticloadbalancing", &off.into_iter().chain(subnets).collect::<Vec<_>>());
        let drift = account.plan().drift("k8s_lb_nlb.api");
        assert_eq!(drift["load_balancer/demo-api"], ["ipv6_source_nat_prefix is off, should be on"]);
        assert_eq!(apply(account), 1);
        std::fs::remove_file(account.workspace.folder.join("udp_override.tf")).unwrap();
        assert_eq!(apply(account), 0);
        account.destroy();
        assert_same(&account.inventory(), &[]);
    }
}
