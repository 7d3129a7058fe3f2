//! Instances: IPv6 addresses, what their interfaces show of them, and interfaces that end with them.

use super::{Memory, target_groups};
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::proxy::call::{Call, render_form};
use crate::aws::xml::Element;

const INSTANCES: &str = "instancesSet/item";

/// An interface that is made with an instance ends with it unless the call says otherwise; moto keeps it unless the call says so.
pub fn let_interfaces_end_with_them(call: &Call, request: &mut Request, _: &Api, _: &mut Memory) -> Option<Answer> {
    let mut parameters = call.parameters.clone();
    for number in interface_numbers(call) {
        let name = |field: &str| format!("NetworkInterface.{number}.{field}");
        if !parameters.contains_key(&name("NetworkInterfaceId")) {
            parameters.entry(name("DeleteOnTermination")).or_insert_with(|| "true".into());
        }
    }
    request.body = render_form(&parameters);
    None
}

fn interface_numbers(call: &Call) -> Vec<&str> {
    call.parameters.keys().filter_map(|name| name.strip_prefix("NetworkInterface.")?.strip_suffix(".DeviceIndex")).collect()
}

/// Of what an instance is launched with, moto passes over the IPv6 addresses of its interfaces and over its protection.
pub fn after_launch(call: &Call, answer: &mut Element, api: &Api, memory: &mut Memory) {
    for instance in answer.all(INSTANCES) {
        for interface in instance.all("networkInterfaceSet/item") {
            let wish = Wish::of_call(call, interface.value("attachment/deviceIndex"));
            assign(api, interface, wish.unwrap_or_else(|| Wish::of_others(api, instance, interface)));
        }
        protect(call, instance.value("instanceId"), api);
        memory.launches.insert(instance.value("instanceId").to_owned(), call.parameter("ClientToken").to_owned());
    }
    let described = objects::instances(api);
    for instance in answer.all_mut(INSTANCES) {
        let id = instance.value("instanceId");
        let now = described.iter().find(|other| other.value("instanceId") == id).and_then(|now| now.at("networkInterfaceSet"));
        if let Some(interfaces) = now {
            instance.replace(interfaces.clone());
        }
    }
    complete(call, answer, api, memory);
}

fn protect(call: &Call, id: &str, api: &Api) {
    for name in ["DisableApiTermination", "DisableApiStop"].into_iter().filter(|name| call.parameter(name) == "true") {
        api.call("ec2", &[("Action", "ModifyInstanceAttribute"), ("InstanceId", id), (&format!("{name}.Value"), "true")]);
    }
}

/// Groups that grow or shrink: new instances get their IPv6 addresses, ended ones leave nothing and are no targets.
pub fn follow_auto_scaling(_: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    objects::remove_leftovers(api);
    target_groups::deregister_ended(api);
    for instance in objects::instances(api).iter().filter(|instance| !instance.tag("aws:autoscaling:groupName").is_empty()) {
        for interface in instance.all("networkInterfaceSet/item") {
            assign(api, interface, Wish::of_others(api, instance, interface));
        }
    }
}

/// Which IPv6 addresses an interface should have.
#[derive(Default)]
struct Wish {
    addresses: Vec<String>,
    count: usize,
}

impl Wish {
    /// What the call says on an interface; `None`: nothing.
    fn of_call(call: &Call, device: &str) -> Option<Wish> {
        let index = |number: &&str| call.parameter(&format!("NetworkInterface.{number}.DeviceIndex")) == device;
        let (list, count) = match interface_numbers(call).into_iter().find(index) {
            Some(number) => {
                let of = |field: &str| format!("NetworkInterface.{number}.{field}");
                (of("Ipv6Addresses"), of("Ipv6AddressCount"))
            }
            None => ("Ipv6Address".to_string(), "Ipv6AddressCount".to_string()),
        };
        let is_address = |name: &str| name.starts_with(&format!("{list}.")) && name.ends_with(".Ipv6Address");
        let addresses: Vec<String> =
            call.parameters.iter().filter(|(name, _)| is_address(name)).map(|(_, address)| address.clone()).collect();
        let count: Option<usize> = call.parameter(&count).parse().ok();
        (count.is_some() || !addresses.is_empty()).then(|| Wish { count: count.unwrap_or(addresses.len()), addresses })
    }

    /// What the launch template says, or else the subnet.
    fn of_others(api: &Api, instance: &Element, interface: &Element) -> Wish {
        let count = of_launch_template(api, instance, interface.value("attachment/deviceIndex"));
        let is_automatic = |subnet: &Element| {
            subnet.value("subnetId") == interface.value("subnetId") && subnet.value("assignIpv6AddressOnCreation") == "true"
        };
        let count = count.unwrap_or_else(|| usize::from(objects::subnets(api).iter().any(is_automatic)));
        Wish { count, addresses: Vec::new() }
    }
}

fn of_launch_template(api: &Api, instance: &Element, device: &str) -> Option<usize> {
    let (template, version) = (instance.tag("aws:ec2launchtemplate:id"), instance.tag("aws:ec2launchtemplate:version"));
    if template.is_empty() {
        return None;
    }
    let parameters =
        [("Action", "DescribeLaunchTemplateVersions"), ("LaunchTemplateId", template), ("LaunchTemplateVersion.1", version)];
    let answer = api.ask("ec2", &parameters).ok()?;
    let interfaces = answer.all("launchTemplateVersionSet/item/launchTemplateData/networkInterfaceSet/item");
    interfaces.into_iter().find(|interface| interface.value("deviceIndex") == device)?.value("ipv6AddressCount").parse().ok()
}

fn assign(api: &Api, interface: &Element, wish: Wish) {
    let id = interface.value("networkInterfaceId");
    let has = interface.values("ipv6AddressesSet/item/ipv6Address");
    let missing: Vec<&String> = wish.addresses.iter().filter(|address| !has.contains(&address.as_str())).collect();
    for address in &missing {
        let parameters = [("Action", "AssignIpv6Addresses"), ("NetworkInterfaceId", id), ("Ipv6Addresses.1", address.as_str())];
        api.call("ec2", &parameters);
    }
    let count = wish.count.saturating_sub(has.len() + missing.len());
    if count > 0 {
        let count = count.to_string();
        let parameters = [("Action", "AssignIpv6Addresses"), ("NetworkInterfaceId", id), ("Ipv6AddressCount", count.as_str())];
        api.call("ec2", &parameters);
    }
}

pub fn complete(_: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for path in [INSTANCES, "reservationSet/item/instancesSet/item"] {
        for instance in answer.all_mut(path) {
            complete_one(instance);
            let token = memory.launches.get(instance.value("instanceId")).cloned().unwrap_or_default();
            instance.set("clientToken", &token);
            if let Some(monitoring) = memory.monitoring.get(instance.value("instanceId")) {
                instance.replace(Element::new("monitoring", vec![Element::leaf("state", monitoring)]));
            }
        }
    }
}

/// An instance shows the groups and the address of its first interface; one that is terminated has no interface.
fn complete_one(instance: &mut Element) {
    if instance.value("instanceState/name") == "terminated" {
        for name in ["networkInterfaceSet", "privateIpAddress", "subnetId", "vpcId", "groupSet"] {
            instance.remove(name);
        }
        return;
    }
    let is_first = |interface: &&Element| interface.value("attachment/deviceIndex") == "0";
    let Some(first) = instance.all("networkInterfaceSet/item").into_iter().find(is_first).cloned() else { return };
    if let Some(groups) = first.at("groupSet") {
        instance.replace(groups.clone());
    }
    if let Some(address) = first.at("ipv6AddressesSet/item/ipv6Address") {
        instance.set("ipv6Address", &address.text);
    }
}
