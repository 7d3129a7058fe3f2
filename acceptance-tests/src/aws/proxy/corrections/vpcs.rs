//! VPCs, their DHCP options and route tables.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

/// moto deletes the DHCP options together with the VPC that uses them; AWS keeps them.
pub fn give_back_dhcp_options(call: &Call, _: &mut Request, api: &Api, _: &mut Memory) -> Option<Answer> {
    let id = call.parameter("VpcId");
    if objects::vpcs(api).iter().any(|vpc| vpc.value("vpcId") == id) {
        api.call("ec2", &[("Action", "AssociateDhcpOptions"), ("DhcpOptionsId", "default"), ("VpcId", id)]);
    }
    None
}

/// A VPC has one set: moto goes on taking the one before for assigned, which cannot be deleted then.
pub fn give_back_other_dhcp_options(call: &Call, request: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    let options = api.list("ec2", "DescribeDhcpOptions", "dhcpOptionsSet/item");
    let exists = options.iter().any(|options| options.value("dhcpOptionsId") == call.parameter("DhcpOptionsId"));
    if exists { give_back_dhcp_options(call, request, api, memory) } else { None }
}

/// With a subnet goes its association with a route table.
pub fn after_deleting_a_subnet(_: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    objects::remove_associations(api);
}

/// The subnet may have been deleted past the proxy.
pub fn before_deleting_a_table(_: &Call, _: &mut Request, api: &Api, _: &mut Memory) -> Option<Answer> {
    objects::remove_associations(api);
    None
}

/// moto does not read the tags of `CreateDhcpOptions`.
pub fn tag_dhcp_options(call: &Call, answer: &mut Element, api: &Api, _: &mut Memory) {
    let prefix = "TagSpecification.1.Tag.";
    let tags: Vec<(String, &str)> = call
        .parameters
        .iter()
        .filter_map(|(name, value)| Some((format!("Tag.{}", name.strip_prefix(prefix)?), value.as_str())))
        .collect();
    let id = answer.value("dhcpOptions/dhcpOptionsId").to_string();
    if tags.is_empty() {
        return;
    }
    let mut parameters = vec![("Action", "CreateTags"), ("ResourceId.1", id.as_str())];
    parameters.extend(tags.iter().map(|(name, value)| (name.as_str(), *value)));
    api.call("ec2", &parameters);
    let described = api.list("ec2", "DescribeDhcpOptions", "dhcpOptionsSet/item");
    if let Some(options) = described.into_iter().find(|options| options.value("dhcpOptionsId") == id) {
        answer.replace(Element::new("dhcpOptions", options.children));
    }
}

/// A route to a NAT gateway that is no more leads nowhere, and AWS says so.
pub fn show_black_holes(_: &Call, answer: &mut Element, api: &Api, _: &mut Memory) {
    let has_nat = !answer.all("routeTableSet/item/routeSet/item/natGatewayId").is_empty();
    let gateways = if has_nat { objects::nat_gateways(api) } else { Vec::new() };
    for route in answer.all_mut("routeTableSet/item/routeSet/item") {
        let nat = route.value("natGatewayId");
        if !nat.is_empty() && !gateways.iter().any(|gateway| gateway.value("natGatewayId") == nat) {
            route.set("state", "blackhole");
        }
    }
}

/// Filters of SDKs' callers look at it, and moto leaves it out.
pub fn open_zones(_: &Call, answer: &mut Element, _: &Api, _: &mut Memory) {
    answer.all_mut("availabilityZoneInfo/item").into_iter().for_each(|zone| zone.set("optInStatus", "opt-in-not-required"));
}
