//! Load balancers, target groups and listeners: making one that exists, and the time until a load balancer is active.

use super::{ELB, Memory};
use crate::aws::api::{Api, REGION};
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::proxy::answers::{refusal, xml};
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

/// How often a new load balancer is described as one that is being provisioned, before it is active.
const PROVISIONING: u32 = 2;
/// Where Route 53 finds network load balancers of the region.
const ZONE: &str = "Z26RNL4JYFTOTI";

/// moto does not know it.
const SOURCE_NAT: &str = "EnablePrefixForIpv6SourceNat";

struct Kind {
    action: &'static str,
    list: &'static str,
    arn: &'static str,
    duplicate: &'static str,
    message: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        action: "CreateLoadBalancer",
        list: "LoadBalancers",
        arn: "LoadBalancerArn",
        duplicate: "DuplicateLoadBalancerName",
        message: "A load balancer with the same name exists, but with different settings",
    },
    Kind {
        action: "CreateTargetGroup",
        list: "TargetGroups",
        arn: "TargetGroupArn",
        duplicate: "DuplicateTargetGroupName",
        message: "A target group with the same name exists, but with different settings",
    },
    Kind {
        action: "CreateListener",
        list: "Listeners",
        arn: "ListenerArn",
        duplicate: "DuplicateListener",
        message: "A listener already exists on this port for this load balancer",
    },
];

fn kind(call: &Call) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| call.is(ELB, kind.action))
}

/// These calls are idempotent: the same settings give what exists, others are refused.
pub fn give_existing(call: &Call, _: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    let kind = kind(call)?;
    let name = call.parameter("Name");
    let existing = match kind.action {
        "CreateLoadBalancer" => objects::load_balancers(api).into_iter().find(|one| one.value("LoadBalancerName") == name),
        "CreateTargetGroup" => objects::target_groups(api).into_iter().find(|one| one.value("TargetGroupName") == name),
        _ => {
            let listeners = objects::listeners(api, call.parameter("LoadBalancerArn"));
            listeners.into_iter().find(|one| one.value("Port") == call.parameter("Port"))
        }
    };
    let mut existing = existing?;
    if memory.made.get(existing.value(kind.arn)) != Some(&call.parameters) {
        return Some(refusal(kind.duplicate, kind.message).answer(call));
    }
    complete_one(&mut existing, memory);
    let list = Element::new(kind.list, vec![existing]);
    let result = Element::new(&format!("{}Result", kind.action), vec![list]);
    Some(xml(&Element::new(&format!("{}Response", kind.action), vec![result])))
}

pub fn remember(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    let Some(kind) = kind(call) else { return };
    for made in answer.all_mut(&format!("{}Result/{}/member", kind.action, kind.list)) {
        let arn = made.value(kind.arn).to_string();
        memory.made.insert(arn.clone(), call.parameters.clone());
        if kind.action == "CreateLoadBalancer" {
            memory.provisioning.insert(arn.clone(), PROVISIONING);
            memory.mappings.insert(arn.clone(), mappings(call));
            memory.source_nat.insert(arn, source_nat(call));
        }
        complete_one(made, memory);
    }
}

/// What is not said is off: so the API reference has it, of both calls that set it.
fn source_nat(call: &Call) -> String {
    call.parameters.get(SOURCE_NAT).map_or("off", String::as_str).to_string()
}

/// The addresses that a call wants in the subnets of a load balancer.
pub fn remember_mappings(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for result in answer.all_mut("SetSubnetsResult") {
        result.set(SOURCE_NAT, &source_nat(call));
    }
    memory.source_nat.insert(call.parameter("LoadBalancerArn").to_string(), source_nat(call));
    memory.mappings.insert(call.parameter("LoadBalancerArn").to_string(), mappings(call));
}

fn mappings(call: &Call) -> Vec<Element> {
    let number = |name: &'_ String| name.strip_prefix("SubnetMappings.member.")?.strip_suffix(".SubnetId").map(str::to_string);
    let mapping = |number: String| {
        let field = |name: &&'static str| Some((*name, call.parameters.get(&format!("SubnetMappings.member.{number}.{name}"))?));
        let fields = ["SubnetId", "AllocationId", "PrivateIPv4Address", "IPv6Address"];
        Element::new("member", fields.iter().filter_map(field).map(|(name, value)| Element::leaf(name, value)).collect())
    };
    call.parameters.keys().filter_map(number).map(mapping).collect()
}

pub fn complete(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for list in ["LoadBalancers", "Listeners"] {
        for one in answer.all_mut(&format!("{}Result/{list}/member", call.action)) {
            complete_one(one, memory);
            if let Some(left) = memory.provisioning.get_mut(one.value("LoadBalancerArn")).filter(|_| list == "LoadBalancers") {
                *left = left.saturating_sub(1);
            }
        }
    }
}

fn complete_one(one: &mut Element, memory: &Memory) {
    if one.at("LoadBalancerName").is_some() {
        complete_load_balancer(one, memory);
    } else if one.at("ListenerArn").is_some() {
        complete_listener(one);
    }
}

/// moto shows a policy where nothing is encrypted.
fn complete_listener(listener: &mut Element) {
    if !["HTTPS", "TLS"].contains(&listener.value("Protocol")) {
        listener.remove("SslPolicy");
    }
}

/// Its state, the addresses that it was given, and its name in DNS: moto gives it the name and zone of a classic one.
fn complete_load_balancer(balancer: &mut Element, memory: &Memory) {
    let arn = balancer.value("LoadBalancerArn").to_string();
    if memory.provisioning.get(&arn).is_some_and(|left| *left > 0) {
        balancer.replace(Element::new("State", vec![Element::leaf("Code", "provisioning")]));
    }
    for zone in balancer.all_mut("AvailabilityZones/member") {
        let is_its = |mapping: &&Element| mapping.value("SubnetId") == zone.value("SubnetId") && mapping.children.len() > 1;
        if let Some(mapping) = memory.mappings.get(&arn).and_then(|mappings| mappings.iter().find(is_its)) {
            let mut address = mapping.clone();
            address.remove("SubnetId");
            zone.replace(Element::new("LoadBalancerAddresses", vec![address]));
        }
    }
    if balancer.value("Type") == "network" {
        let id = arn.rsplit('/').next().unwrap_or_default();
        balancer.set("DNSName", &format!("{}-{id}.elb.{REGION}.amazonaws.com", balancer.value("LoadBalancerName")));
        balancer.set("CanonicalHostedZoneId", ZONE);
        balancer.set(SOURCE_NAT, memory.source_nat.get(&arn).map_or("off", String::as_str));
    }
}

/// What moto shows only when it was set.
pub fn complete_attributes(_: &Call, answer: &mut Element, _: &Api, _: &mut Memory) {
    let defaults = [("dns_record.client_routing_policy", "any_availability_zone")];
    add_attributes(answer.all_mut("DescribeLoadBalancerAttributesResult/Attributes"), &defaults);
}

/// Adds attributes to lists that do not have them.
pub fn add_attributes(lists: Vec<&mut Element>, defaults: &[(&str, &str)]) {
    for list in lists {
        for (key, value) in defaults {
            if !list.values("member/Key").contains(key) {
                list.children.push(Element::new("member", vec![Element::leaf("Key", key), Element::leaf("Value", value)]));
            }
        }
    }
}
