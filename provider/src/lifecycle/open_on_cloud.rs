//! What exists on AWS keeps its ids while a part of its declaration is unknown, so that nothing that refers to it is replaced.

use super::rows::row;
use super::{Stage, complete, difference, without_steps};
use schema::{AttributePath, Value};

const VPC: &str = "k8s_vpc";

fn unknown_in_list() -> Value {
    Value::List(vec![Value::Unknown])
}

/// The network of the row with one attribute set.
async fn planned(stage: &mut Stage, state: &Value, attribute: &str, value: Value) -> Value {
    let mut config = stage.config.clone();
    config.set(attribute, value);
    let config = complete(stage.engine.schema(VPC), &config);
    let plan = stage.engine.plan(VPC, state, &config).await;
    assert_eq!(plan.replaces, Vec::<String>::new(), "{attribute}");
    plan.planned
}

#[tokio::test]
async fn a_rule_that_is_not_known_yet_opens_the_group_that_gets_it_and_nothing_else() {
    let mut stage = Stage::of(row(VPC)).await;
    let state = stage.create().await;
    let groups = Value::object([("admin_cidrs", unknown_in_list())]);
    let mut planned = planned(&mut stage, &state, "security_groups", groups).await;
    let group = AttributePath::attribute("objects").key("security_group/bastion");
    assert!(planned.at(&group).is_unknown());
    planned.set_at(&group, state.at(&group).clone());
    planned.set("security_groups", state.get("security_groups").clone());
    assert_eq!(difference(&without_steps(&state), &planned), Vec::<String>::new());
}

#[tokio::test]
async fn endpoints_that_are_not_known_yet_leave_every_other_id_known() {
    let mut stage = Stage::of(row(VPC)).await;
    let state = stage.create().await;
    let endpoints = Value::object([("gateway", vec!["s3"].into()), ("interface", unknown_in_list())]);
    let mut planned = planned(&mut stage, &state, "endpoints", endpoints).await;
    for open in ["objects", "ids", "cost", "endpoint_ids", "endpoint_services"] {
        assert!(planned.get(open).is_unknown(), "{open}");
        planned.set(open, state.get(open).clone());
    }
    planned.set("endpoints", state.get("endpoints").clone());
    assert_eq!(difference(&state, &planned), Vec::<String>::new());
}

/// Whatever is unknown of a network, it is the same one, with the same groups.
#[tokio::test]
async fn a_load_balancer_stays_while_anything_of_its_network_is_unknown() {
    let mut stage = Stage::of(row("k8s_lb_nlb")).await;
    let balancer = stage.create().await;
    let network = stage.states[VPC].clone();
    let declared = (row(VPC).config)(&stage.states);
    for attribute in [
        "security_groups",
        "endpoints",
        "nat",
        "dhcp_options",
        "flow_logs",
        "zones",
        "subnets",
        "ipv6",
        "secondary_cidrs",
        "tags",
    ] {
        let mut config = declared.clone();
        config.set(attribute, Value::Unknown);
        let config = complete(stage.engine.schema(VPC), &config);
        let planned = stage.engine.plan(VPC, &network, &config).await.planned;
        let mut refers = stage.config.clone();
        refers.set("vpc_id", planned.get("vpc_id").clone());
        refers.set("security_group_ids", vec![planned.get("security_group_ids").get("load-balancer").clone()].into());
        assert!(refers.is_wholly_known(), "{attribute}");
        refers.set("subnet_ids", planned.get("private_subnet_ids").clone());
        let plan = stage.engine.plan("k8s_lb_nlb", &balancer, &refers).await;
        assert_eq!(plan.replaces, Vec::<String>::new(), "{attribute}");
    }
}

#[tokio::test]
async fn a_load_balancer_keeps_its_arn_while_its_records_or_listeners_are_unknown() {
    let mut stage = Stage::of(row("k8s_lb_nlb")).await;
    let state = stage.create().await;
    for attribute in ["dns", "listeners", "ip_address_type"] {
        let mut config = stage.config.clone();
        config.set(attribute, Value::Unknown);
        let planned = stage.engine.plan("k8s_lb_nlb", &state, &config).await.planned;
        for output in ["id", "arn", "dns_name", "dns_zone_id"] {
            assert_eq!(planned.get(output), state.get(output), "{output} with {attribute} unknown");
        }
    }
}

#[tokio::test]
async fn an_instance_keeps_its_id_while_its_records_or_address_are_unknown() {
    for name in ["k8s_bastion", "k8s_egress_proxy"] {
        let mut stage = Stage::of(row(name)).await;
        let state = stage.create().await;
        for attribute in ["dns", "elastic_ip"] {
            let mut config = stage.config.clone();
            config.set(attribute, Value::Unknown);
            let planned = stage.engine.plan(name, &state, &config).await.planned;
            for output in ["id", "instance_id", "private_ip"] {
                assert_eq!(planned.get(output), state.get(output), "{output} of {name} with {attribute} unknown");
            }
        }
    }
}
