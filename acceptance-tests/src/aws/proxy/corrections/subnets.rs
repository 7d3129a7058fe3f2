//! Subnets: attributes that moto takes and does not store, and a state that it writes in Python.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

const OPTIONS: &str = "privateDnsNameOptionsOnLaunch";
const DNS64: &str = "EnableDns64.Value";
/// Parameter of `ModifySubnetAttribute`, and where it is read back below `privateDnsNameOptionsOnLaunch`.
const READ_BACK: [(&str, &str); 2] = [
    ("PrivateDnsHostnameTypeOnLaunch", "hostnameType"),
    ("EnableResourceNameDnsAAAARecordOnLaunch.Value", "enableResourceNameDnsAAAARecord"),
];

pub fn remember(call: &Call, _: &mut Element, _: &Api, memory: &mut Memory) {
    let attributes = memory.subnets.entry(call.parameter("SubnetId").to_string()).or_default();
    for name in READ_BACK.iter().map(|(name, _)| *name).chain([DNS64]) {
        if let Some(value) = call.parameters.get(name) {
            attributes.insert(name.into(), value.clone());
        }
    }
}

/// moto associates a block at once; AWS says that it will, and then describes it so.
pub fn begin_association(_: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for subnet in answer.all_mut("subnet") {
        complete_one(subnet, memory);
        if memory.is_instant {
            continue;
        }
        for state in subnet.all_mut("ipv6CidrBlockAssociationSet/item/ipv6CidrBlockState/state") {
            state.text = "associating".into();
        }
        if subnet.at("ipv6CidrBlockAssociationSet/item").is_some() {
            memory.associating.insert(subnet.value("subnetId").to_string());
        }
    }
}

pub fn complete(_: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    for subnet in answer.all_mut("subnetSet/item").into_iter() {
        complete_one(subnet, memory);
        memory.associating.remove(subnet.value("subnetId"));
    }
}

fn complete_one(subnet: &mut Element, memory: &Memory) {
    let attributes = memory.subnets.get(subnet.value("subnetId"));
    let value = |name: &str| attributes.and_then(|attributes| attributes.get(name)).cloned();
    subnet.set("enableDns64", &value(DNS64).unwrap_or_else(|| "false".into()));
    for (parameter, name) in READ_BACK {
        if let Some(value) = value(parameter) {
            subnet.all_mut(OPTIONS).into_iter().for_each(|options| options.set(name, &value));
        }
    }
    for state in subnet.all_mut("ipv6CidrBlockAssociationSet/item/ipv6CidrBlockState/state") {
        if let Some(inner) = state.text.strip_prefix("{'State': '").and_then(|rest| rest.strip_suffix("'}")) {
            state.text = inner.to_string();
        }
    }
}
