//! VPC endpoints: address families and private DNS, which moto takes and does not store, and what follows their subnets and tables.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::objects;
use crate::aws::proxy::call::{Call, Parameters, render_form};
use crate::aws::xml::Element;

const ADDRESS_TYPE: &str = "IpAddressType";
const DNS_TYPE: &str = "DnsOptions.DnsRecordIpType";
const PRIVATE_DNS: &str = "PrivateDnsEnabled";

const FULL_ACCESS: &str =
    r#"{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#;

/// moto does not know how to give back the first policy.
pub fn before_modifying(call: &Call, request: &mut Request, _: &Api, _: &mut Memory) -> Option<Answer> {
    if call.parameter("ResetPolicy") == "true" {
        let mut parameters = call.parameters.clone();
        parameters.insert("PolicyDocument".into(), FULL_ACCESS.into());
        request.body = render_form(&parameters);
    }
    None
}

/// Interfaces follow subnets, and routes follow route tables.
pub fn after_modifying(call: &Call, _: &mut Element, api: &Api, memory: &mut Memory) {
    let id = call.parameter("VpcEndpointId");
    keep(call, id, memory);
    let Some(endpoint) = objects::endpoints(api).into_iter().find(|endpoint| endpoint.value("vpcEndpointId") == id) else {
        return;
    };
    let mut own: Vec<String> = endpoint.values("networkInterfaceIdSet/item").into_iter().map(str::to_string).collect();
    let later = memory.endpoint_interfaces.entry(id.to_string()).or_default();
    later.extend(call.list("AddSubnetId").into_iter().filter_map(|subnet| make_interface(subnet, &endpoint, api)));
    own.extend(later.iter().cloned());
    let left = call.list("RemoveSubnetId");
    let interfaces = objects::interfaces(api);
    let of_left = interfaces.iter().filter(|interface| left.contains(&interface.value("subnetId")));
    let of_left = of_left.map(|interface| interface.value("networkInterfaceId"));
    for interface in of_left.filter(|interface| own.iter().any(|other| other == interface)) {
        api.call("ec2", &[("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", interface)]);
    }
    for (action, tables) in [("CreateRoute", call.list("AddRouteTableId")), ("DeleteRoute", call.list("RemoveRouteTableId"))] {
        tables.into_iter().for_each(|table| change_route(action, table, &endpoint, api));
    }
}

/// moto creates interfaces only together with the endpoint.
fn make_interface(subnet: &str, endpoint: &Element, api: &Api) -> Option<String> {
    let mut parameters = vec![("Action".to_string(), "CreateNetworkInterface"), ("SubnetId".to_string(), subnet)];
    let groups = endpoint.values("groupSet/item/groupId").into_iter().enumerate();
    parameters.extend(groups.map(|(index, group)| (format!("SecurityGroupId.{}", index + 1), group)));
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let answer = api.ask("ec2", &parameters).ok()?;
    Some(answer.value("networkInterface/networkInterfaceId").to_string())
}

fn change_route(action: &str, table: &str, endpoint: &Element, api: &Api) {
    let lists = api.list("ec2", "DescribeManagedPrefixLists", "prefixListSet/item");
    let Some(list) = lists.iter().find(|list| list.value("prefixListName") == endpoint.value("serviceName")) else { return };
    let parameters = [("Action", action), ("RouteTableId", table), ("DestinationPrefixListId", list.value("prefixListId"))];
    // The table may be gone, and the route may be there.
    let _ = api.ask("ec2", &[&parameters[..], &[("GatewayId", endpoint.value("vpcEndpointId"))]].concat());
}

/// moto cannot delete an endpoint of which a route table is gone.
pub fn before_deleting(call: &Call, _: &mut Request, api: &Api, memory: &mut Memory) -> Option<Answer> {
    forget_tables(api);
    for endpoint in call.list("VpcEndpointId") {
        for interface in memory.endpoint_interfaces.remove(endpoint).unwrap_or_default() {
            // It may have gone with its subnet.
            let _ = api.ask("ec2", &[("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", &interface)]);
        }
    }
    None
}

pub fn after_deleting_a_table(_: &Call, _: &mut Element, api: &Api, _: &mut Memory) {
    forget_tables(api);
}

fn forget_tables(api: &Api) {
    let tables = objects::route_tables(api);
    for endpoint in objects::endpoints(api) {
        let exists = |id: &&str| tables.iter().any(|table| table.value("routeTableId") == *id);
        for gone in endpoint.values("routeTableIdSet/item").into_iter().filter(|id| !exists(id)) {
            let id = endpoint.value("vpcEndpointId");
            api.call("ec2", &[("Action", "ModifyVpcEndpoint"), ("VpcEndpointId", id), ("RemoveRouteTableId.1", gone)]);
        }
    }
}

/// Of what was just made, and of what is described. The interfaces in subnets that were added later belong to it as well.
pub fn complete(call: &Call, answer: &mut Element, _: &Api, memory: &mut Memory) {
    if let Some(endpoint) = answer.at("vpcEndpoint") {
        let id = endpoint.value("vpcEndpointId").to_string();
        keep(call, &id, memory);
    }
    for path in ["vpcEndpoint", "vpcEndpointSet/item"] {
        for endpoint in answer.all_mut(path) {
            let id = endpoint.value("vpcEndpointId").to_string();
            complete_one(endpoint, memory.endpoints.get(&id).unwrap_or(&Parameters::new()));
            let own = endpoint.values("networkInterfaceIdSet/item").into_iter().map(str::to_string);
            let interfaces = own.chain(memory.endpoint_interfaces.get(&id).into_iter().flatten().cloned());
            let items = interfaces.map(|interface| Element::leaf("item", &interface)).collect();
            endpoint.replace(Element::new("networkInterfaceIdSet", items));
        }
    }
}

fn keep(call: &Call, id: &str, memory: &mut Memory) {
    let types = memory.endpoints.entry(id.to_string()).or_default();
    for name in [ADDRESS_TYPE, DNS_TYPE, PRIVATE_DNS] {
        if let Some(value) = call.parameters.get(name) {
            types.insert(name.into(), value.clone());
        }
    }
}

fn complete_one(endpoint: &mut Element, types: &Parameters) {
    let is_gateway = endpoint.value("vpcEndpointType") == "Gateway";
    let address_type = types.get(ADDRESS_TYPE).map_or("ipv4", String::as_str);
    let dns_type = types.get(DNS_TYPE).map_or(if is_gateway { "service-defined" } else { address_type }, String::as_str);
    endpoint.set("ipAddressType", address_type);
    endpoint.replace(Element::new("dnsOptions", vec![Element::leaf("dnsRecordIpType", dns_type)]));
    let private_dns = types.get(PRIVATE_DNS).filter(|_| !is_gateway).map(String::as_str);
    if let Some(private_dns) = private_dns.or(is_gateway.then_some("false")) {
        endpoint.set("privateDnsEnabled", private_dns);
    }
}
