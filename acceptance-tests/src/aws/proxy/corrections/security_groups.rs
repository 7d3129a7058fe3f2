//! Rules of security groups.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request, send};
use crate::aws::objects;
use crate::aws::proxy::answers;
use crate::aws::proxy::call::{Call, Parameters, render_form};
use crate::aws::xml::Element;
use std::collections::BTreeSet;

const RULES: &str = "securityGroupRuleSet";

/// moto answers only with the rules of the last permission: so each permission is a call, and the answer is that of all. If one is
/// refused, none stays.
pub fn authorize_each(call: &Call, request: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    let all = named_protocols(call);
    request.body = render_form(&all);
    let numbers: BTreeSet<&str> = all.keys().filter_map(|name| permission(name)).map(|(number, _)| number).collect();
    if numbers.len() < 2 {
        return None;
    }
    let mut whole: Option<Element> = None;
    for number in numbers {
        let request = Request { body: render_form(&part(&all, number)), ..request.clone() };
        let answer = send(api.address, &request).unwrap_or_else(|error| panic!("the emulator does not answer: {error}"));
        let Ok(root) = Element::parse(&String::from_utf8_lossy(&answer.body)) else { return Some(answer) };
        if answer.status >= 300 {
            whole.iter().for_each(|whole| revoke(call, whole, api));
            return Some(answer);
        }
        whole = Some(whole.map_or_else(|| root.clone(), |whole| merge(whole, &root)));
    }
    let mut whole = whole?;
    describe_references(call, &mut whole, api, memory);
    Some(answers::xml(&whole))
}

/// Number and field of `IpPermissions.<number>.<field>`.
fn permission(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("IpPermissions.")?.split_once('.')
}

/// The call with one of its permissions, as its first.
fn part(all: &Parameters, wanted: &str) -> Parameters {
    let keep = |(name, value): (&String, &String)| match permission(name) {
        None => Some((name.clone(), value.clone())),
        Some((number, field)) => (number == wanted).then(|| (format!("IpPermissions.1.{field}"), value.clone())),
    };
    all.iter().filter_map(keep).collect()
}

pub fn name_protocols(call: &Call, request: &mut Request, _: &Api, _: &mut Memory) -> Option<Answer> {
    request.body = render_form(&named_protocols(call));
    None
}

/// AWS reads 58 as `icmpv6`, and a protocol without ports needs none; moto keeps the one and fails at the other.
fn named_protocols(call: &Call) -> Parameters {
    let mut all = call.parameters.clone();
    for (name, value) in call.parameters.iter().filter(|(name, _)| name.ends_with("IpProtocol")) {
        let field = |field: &str| name.replace("IpProtocol", field);
        if value == "58" {
            all.insert(name.clone(), "icmpv6".into());
        }
        if !["tcp", "udp", "icmp", "-1"].contains(&value.as_str()) {
            all.entry(field("FromPort")).or_insert_with(|| "-1".into());
            all.entry(field("ToPort")).or_insert_with(|| "-1".into());
        }
    }
    all
}

fn revoke(call: &Call, made: &Element, api: &Api) {
    for rule in made.values(&format!("{RULES}/item/securityGroupRuleId")) {
        let action = call.action.replace("Authorize", "Revoke");
        let parameters = [("Action", action.as_str()), ("GroupId", call.parameter("GroupId")), ("SecurityGroupRuleId.1", rule)];
        api.call("ec2", &parameters);
    }
}

fn merge(mut whole: Element, part: &Element) -> Element {
    for rules in whole.all_mut(RULES) {
        rules.children.extend(part.all(&format!("{RULES}/item")).into_iter().cloned());
    }
    whole
}

/// moto leaves out the description of a rule whose peer is a group. It has it where it describes the group.
pub fn describe_references(_: &Call, answer: &mut Element, api: &Api, _: &mut Memory) {
    let rules = answer.all_mut(&format!("{RULES}/item"));
    let mut rules: Vec<&mut Element> = rules.into_iter().filter(|rule| rule.at("referencedGroupInfo").is_some()).collect();
    let groups = if rules.is_empty() { Vec::new() } else { objects::security_groups(api) };
    for rule in &mut rules {
        let description =
            groups.iter().find(|group| group.value("groupId") == rule.value("groupId")).and_then(|group| find(rule, group));
        if let Some(description) = description {
            rule.set("description", &description);
        }
    }
}

fn find(rule: &Element, group: &Element) -> Option<String> {
    let path = if rule.value("isEgress") == "true" { "ipPermissionsEgress/item" } else { "ipPermissions/item" };
    let port =
        |element: &Element, name: &str| Some(element.value(name).to_string()).filter(|port| !port.is_empty() && port != "-1");
    let is_same = |permission: &&Element| {
        permission.value("ipProtocol") == rule.value("ipProtocol")
            && port(permission, "fromPort") == port(rule, "fromPort")
            && port(permission, "toPort") == port(rule, "toPort")
    };
    let peer = rule.value("referencedGroupInfo/groupId");
    let peers = group.all(path).into_iter().filter(is_same).flat_map(|permission| permission.all("groups/item"));
    peers.into_iter().find(|other| other.value("groupId") == peer)?.at("description").map(|description| description.text.clone())
}
