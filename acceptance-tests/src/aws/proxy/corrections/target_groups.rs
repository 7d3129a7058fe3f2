//! Target groups: attributes that moto shows only when they were set, health checks, and targets outside the VPC.

use super::load_balancers::add_attributes;
use super::{ELB, Memory};
use crate::aws::api::Api;
use crate::aws::objects;
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

/// Of a network load balancer's target groups.
pub fn complete_attributes(call: &Call, answer: &mut Element, api: &Api, _: &mut Memory) {
    let arn = call.parameter("TargetGroupArn");
    let group = objects::target_groups(api).into_iter().find(|group| group.value("TargetGroupArn") == arn).unwrap_or_default();
    let is_by_address = group.value("TargetType") == "ip" && ["TCP", "TLS"].contains(&group.value("Protocol"));
    let defaults = [
        ("deregistration_delay.connection_termination.enabled", "false"),
        ("preserve_client_ip.enabled", if is_by_address { "false" } else { "true" }),
        ("proxy_protocol_v2.enabled", "false"),
        ("target_health_state.unhealthy.connection_termination.enabled", "true"),
    ];
    add_attributes(answer.all_mut("DescribeTargetGroupAttributesResult/Attributes"), &defaults);
}

/// moto does not change the HTTP codes of a target group of a network load balancer.
pub fn remember_matcher(call: &Call, answer: &mut Element, api: &Api, memory: &mut Memory) {
    if let Some(codes) = call.parameters.get("Matcher.HttpCode") {
        memory.matchers.insert(call.parameter("TargetGroupArn").to_string(), codes.clone());
    }
    complete(call, answer, api, memory);
}

pub fn complete(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for group in answer.all_mut(&format!("{}Result/TargetGroups/member", call.action)) {
        if let Some(codes) =
            memory.matchers.get(group.value("TargetGroupArn")).filter(|_| group.value("HealthCheckProtocol") != "TCP")
        {
            group.replace(Element::new("Matcher", vec![Element::leaf("HttpCode", codes)]));
        }
    }
}

/// Auto Scaling deregisters an instance before it ends it; moto leaves it registered.
pub fn deregister_ended(api: &Api) {
    let running = objects::instances(api);
    for group in objects::target_groups(api).iter().filter(|group| group.value("TargetType") == "instance") {
        let arn = ("TargetGroupArn", group.value("TargetGroupArn"));
        let Ok(health) = api.ask(ELB, &[("Action", "DescribeTargetHealth"), arn]) else { continue };
        let ids = health.values("DescribeTargetHealthResult/TargetHealthDescriptions/member/Target/Id");
        for id in ids.into_iter().filter(|id| !running.iter().any(|instance| instance.value("instanceId") == *id)) {
            api.call(ELB, &[("Action", "DeregisterTargets"), arn, ("Targets.member.1.Id", id)]);
        }
    }
}

/// The zone `all` says that an address lies outside the VPC.
pub fn remember_zones(call: &Call, _: &mut Element, _: &Api, memory: &mut Memory) {
    let number = |name: &'_ String| name.strip_prefix("Targets.member.")?.strip_suffix(".Id").map(str::to_string);
    for number in call.parameters.keys().filter_map(number) {
        let field = |name: &str| call.parameter(&format!("Targets.member.{number}.{name}")).to_string();
        memory
            .zones
            .insert((call.parameter("TargetGroupArn").to_string(), field("Id"), field("Port")), field("AvailabilityZone"));
    }
}

pub fn show_zones(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for target in answer.all_mut("DescribeTargetHealthResult/TargetHealthDescriptions/member/Target") {
        let key =
            (call.parameter("TargetGroupArn").to_string(), target.value("Id").to_string(), target.value("Port").to_string());
        if let Some(zone) = memory.zones.get(&key).filter(|zone| !zone.is_empty()) {
            target.set("AvailabilityZone", zone);
        }
    }
}
