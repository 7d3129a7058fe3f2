//! Attributes of instances that can be changed: what moto forgets of them, and what an instance has in common with its interface.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::proxy::answers::xml;
use crate::aws::proxy::call::{Call, render_form};
use crate::aws::xml::Element;

/// Parameters of `ModifyInstanceMetadataOptions` and how they are described.
const OPTIONS: [(&str, &str); 5] = [
    ("HttpEndpoint", "httpEndpoint"),
    ("HttpProtocolIpv6", "httpProtocolIpv6"),
    ("HttpPutResponseHopLimit", "httpPutResponseHopLimit"),
    ("HttpTokens", "httpTokens"),
    ("InstanceMetadataTags", "instanceMetadataTags"),
];

/// Options that a call does not name stay as they are; moto forgets them.
pub fn keep_other_options(call: &Call, request: &mut Request, api: &Api, _: &mut Memory) -> Option<Answer> {
    let id = call.parameter("InstanceId");
    let instance = objects::instances(api).into_iter().find(|instance| instance.value("instanceId") == id)?;
    let mut parameters = call.parameters.clone();
    for (parameter, name) in OPTIONS {
        let value = instance.value(&format!("metadataOptions/{name}"));
        if !value.is_empty() {
            parameters.entry(parameter.into()).or_insert_with(|| value.to_string());
        }
    }
    request.body = render_form(&parameters);
    None
}

/// moto ends with status 500 at both calls.
pub fn monitor(call: &Call, _: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    let (state, next) = if call.action == "MonitorInstances" { ("enabled", "pending") } else { ("disabled", "disabling") };
    let instances = objects::instances(api);
    let ids = call.list("InstanceId");
    let mut items = Vec::new();
    for instance in instances.iter().filter(|instance| ids.contains(&instance.value("instanceId"))) {
        let id = instance.value("instanceId");
        memory.monitoring.insert(id.to_string(), state);
        let monitoring = Element::new("monitoring", vec![Element::leaf("state", next)]);
        items.push(Element::new("item", vec![Element::leaf("instanceId", id), monitoring]));
    }
    Some(xml(&Element::new(&format!("{}Response", call.action), vec![Element::new("instancesSet", items)])))
}

/// Groups and the check of addresses belong to the first interface; moto keeps them twice.
pub fn change_interface_as_well(call: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    let id = call.parameter("InstanceId");
    let instances = objects::instances(api);
    let interfaces = instances.iter().filter(|instance| instance.value("instanceId") == id);
    let interfaces = interfaces.flat_map(|instance| instance.all("networkInterfaceSet/item"));
    for first in interfaces.filter(|interface| interface.value("attachment/deviceIndex") == "0") {
        let own = [("Action", "ModifyNetworkInterfaceAttribute"), ("NetworkInterfaceId", first.value("networkInterfaceId"))];
        repeat(call, "GroupId", "SecurityGroupId", &own, api);
    }
}

pub fn change_instance_as_well(call: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    let id = call.parameter("NetworkInterfaceId");
    let interfaces = objects::interfaces(api);
    let its = interfaces.iter().find(|interface| interface.value("networkInterfaceId") == id);
    if let Some(its) = its.filter(|interface| interface.value("attachment/deviceIndex") == "0") {
        let own = [("Action", "ModifyInstanceAttribute"), ("InstanceId", its.value("attachment/instanceId"))];
        repeat(call, "SecurityGroupId", "GroupId", &own, api);
    }
}

/// The same change by another call, whose list of groups has another name.
fn repeat(call: &Call, groups: &str, their_name: &str, own: &[(&str, &str)], api: &Api) {
    let check = "SourceDestCheck.Value";
    if !call.parameter(check).is_empty() {
        api.call("ec2", &[own, &[(check, call.parameter(check))]].concat());
    }
    let names: Vec<String> = (1..=call.list(groups).len()).map(|number| format!("{their_name}.{number}")).collect();
    let list: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(call.list(groups)).collect();
    if !list.is_empty() {
        api.call("ec2", &[own, &list].concat());
    }
}
