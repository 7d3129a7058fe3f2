//! Elastic and private addresses.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::objects;
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

/// moto says that a free address belongs to an instance without a name; AWS says nothing.
pub fn leave_out_empty(_: &Call, answer: &mut Element, _: &Api, _: &mut Memory) {
    for address in answer.all_mut("addressesSet/item") {
        address.children.retain(|child| child.name == "tagSet" || !child.text.is_empty());
    }
}

/// With `AllowReassignment` a private address moves: moto gives it to the one interface and leaves it on the other.
pub fn reassign(call: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    let (moved, target) = (call.list("PrivateIpAddress"), call.parameter("NetworkInterfaceId"));
    if call.parameter("AllowReassignment") != "true" {
        return;
    }
    let interfaces = objects::interfaces(api);
    let id = |interface: &Element| interface.value("networkInterfaceId").to_string();
    let subnet = interfaces.iter().find(|interface| id(interface) == target).map(|interface| interface.value("subnetId"));
    let others = interfaces.iter().filter(|interface| id(interface) != target && Some(interface.value("subnetId")) == subnet);
    for other in others {
        for address in other.all("privateIpAddressesSet/item").into_iter().filter(|address| address.value("primary") != "true") {
            let text = address.value("privateIpAddress");
            if moved.contains(&text) {
                let from = id(other);
                let parameters = [
                    ("Action", "UnassignPrivateIpAddresses"),
                    ("NetworkInterfaceId", from.as_str()),
                    ("PrivateIpAddress.1", text),
                ];
                api.call("ec2", &parameters);
            }
        }
    }
}
