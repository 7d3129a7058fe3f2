//! What AWS refuses and the emulator does not: to delete what others depend on, to make what is there already, to change two
//! attributes in one call. Each is checked against what the emulator has at that moment.

use super::answers::{Refusal, refusal};
use super::call::Call;
use super::corrections::Memory;
use crate::aws::api::Api;
use crate::aws::objects;
use crate::aws::xml::Element;

type Check = fn(&Call, &Api, &Memory) -> Option<Refusal>;

const CHECKS: [(&str, &str, Check); 21] = [
    ("autoscaling", "AttachLoadBalancerTargetGroups", attach_target_groups),
    ("autoscaling", "DetachLoadBalancerTargetGroups", detach_target_groups),
    ("ec2", "AssociateRouteTable", associate_route_table),
    ("ec2", "AttachInternetGateway", attach_internet_gateway),
    ("ec2", "CreateRoute", create_route),
    ("ec2", "CreateSubnet", create_subnet),
    ("ec2", "DeleteNatGateway", delete_nat_gateway),
    ("ec2", "DeleteNetworkInterface", delete_network_interface),
    ("ec2", "DeleteSecurityGroup", delete_security_group),
    ("ec2", "DeleteSubnet", delete_subnet),
    ("ec2", "DeleteVpc", delete_vpc),
    ("ec2", "DetachInternetGateway", detach_internet_gateway),
    ("ec2", "ModifySubnetAttribute", modify_subnet),
    ("ec2", "ModifyVpcAttribute", one_attribute),
    ("ec2", "ReleaseAddress", release_address),
    ("ec2", "RunInstances", run_instances),
    ("elasticloadbalancing", "CreateListener", create_listener),
    ("elasticloadbalancing", "CreateLoadBalancer", create_load_balancer),
    ("elasticloadbalancing", "DeleteLoadBalancer", delete_load_balancer),
    ("elasticloadbalancing", "SetSubnets", set_subnets),
    ("route53", "ChangeResourceRecordSets", delete_records),
];

pub fn refuse(call: &Call, api: &Api, memory: &Memory) -> Option<Refusal> {
    let (_, _, check) = CHECKS.iter().find(|(service, action, _)| call.is(service, action))?;
    check(call, api, memory)
}

fn dependency(message: String) -> Option<Refusal> {
    Some(refusal("DependencyViolation", message))
}

/// Whether some element has this value at this path.
fn any(elements: &[Element], path: &str, value: &str) -> bool {
    elements.iter().any(|element| element.values(path).contains(&value))
}

fn delete_subnet(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("SubnetId");
    objects::remove_leftovers(api);
    let is_used = any(&objects::interfaces(api), "subnetId", id)
        || any(&objects::instances(api), "subnetId", id)
        || any(&objects::nat_gateways(api), "subnetId", id)
        || any(&objects::endpoints(api), "subnetIdSet/item", id)
        || any(&objects::load_balancers(api), "AvailabilityZones/member/SubnetId", id);
    is_used.then(|| dependency(format!("The subnet '{id}' has dependencies and cannot be deleted."))).flatten()
}

fn delete_security_group(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("GroupId");
    let (itself, others): (Vec<Element>, Vec<Element>) =
        objects::security_groups(api).into_iter().partition(|group| group.value("groupId") == id);
    if any(&itself, "groupName", "default") {
        return Some(refusal(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    objects::remove_leftovers(api);
    let is_used = any(&others, "ipPermissions/item/groups/item/groupId", id)
        || any(&others, "ipPermissionsEgress/item/groups/item/groupId", id)
        || any(&objects::interfaces(api), "groupSet/item/groupId", id)
        || any(&objects::endpoints(api), "groupSet/item/groupId", id)
        || any(&objects::load_balancers(api), "SecurityGroups/member", id);
    is_used.then(|| dependency(format!("resource {id} has a dependent object"))).flatten()
}

fn delete_vpc(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("VpcId");
    let groups = objects::security_groups(api).into_iter().filter(|group| group.value("groupName") != "default");
    let tables =
        objects::route_tables(api).into_iter().filter(|table| !table.values("associationSet/item/main").contains(&"true"));
    let is_used = any(&objects::subnets(api), "vpcId", id)
        || any(&objects::internet_gateways(api), "attachmentSet/item/vpcId", id)
        || any(&objects::egress_only_gateways(api), "attachmentSet/item/vpcId", id)
        || any(&groups.collect::<Vec<_>>(), "vpcId", id)
        || any(&tables.collect::<Vec<_>>(), "vpcId", id)
        || any(&objects::endpoints(api), "vpcId", id)
        || any(&objects::nat_gateways(api), "vpcId", id);
    is_used.then(|| dependency(format!("The vpc '{id}' has dependencies and cannot be deleted."))).flatten()
}

fn detach_internet_gateway(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("VpcId");
    objects::remove_leftovers(api);
    let interfaces = objects::interfaces(api).into_iter().filter(|interface| !interface.value("association/publicIp").is_empty());
    let balancers = objects::load_balancers(api).into_iter().filter(|balancer| balancer.value("Scheme") == "internet-facing");
    let is_used = any(&interfaces.collect::<Vec<_>>(), "vpcId", id) || any(&balancers.collect::<Vec<_>>(), "VpcId", id);
    let message = format!(
        "Network {id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
    );
    is_used.then(|| dependency(message)).flatten()
}

/// Keys of tags that metadata shows are parts of a path there ("View tags for your EC2 instances using instance metadata").
fn run_instances(call: &Call, _: &Api, memory: &Memory) -> Option<Refusal> {
    let shows = match call.parameter("MetadataOptions.InstanceMetadataTags") {
        "" => memory.shows_tags_in_metadata,
        said => said == "enabled",
    };
    let of_instance = |name: &&String| {
        let specification = name.split(".Tag.").next().unwrap_or_default();
        name.ends_with(".Key") && call.parameter(&format!("{specification}.ResourceType")) == "instance"
    };
    let mut keys = call.parameters.keys().filter(of_instance).map(|name| call.parameter(name));
    let refused = keys.find(|key| shows && !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_+=,.@:".contains(c)))?;
    let message = format!(
        "'{refused}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved \
         name ('.', '..', '_index')"
    );
    Some(refusal("InvalidParameterValue", message))
}

fn release_address(call: &Call, api: &Api, memory: &Memory) -> Option<Refusal> {
    let id = call.parameter("AllocationId");
    objects::remove_leftovers(api);
    let address = objects::addresses(api).into_iter().find(|address| address.value("allocationId") == id)?;
    let balancers = objects::load_balancers(api);
    let mappings = balancers.iter().filter_map(|balancer| memory.mappings.get(balancer.value("LoadBalancerArn"))).flatten();
    let is_mapped = mappings.into_iter().any(|mapping| mapping.value("AllocationId") == id);
    let is_used = is_mapped || !address.value("associationId").is_empty();
    is_used.then(|| refusal("InvalidIPAddress.InUse", format!("Address {} is in use.", address.value("publicIp"))))
}

fn delete_network_interface(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("NetworkInterfaceId");
    let interface = objects::interfaces(api).into_iter().find(|interface| interface.value("networkInterfaceId") == id)?;
    let owner = interface.value("attachment/instanceId");
    let is_used = (!owner.is_empty() && any(&objects::instances(api), "instanceId", owner))
        || any(&objects::nat_gateways(api), "natGatewayAddressSet/item/networkInterfaceId", id)
        || any(&objects::endpoints(api), "networkInterfaceIdSet/item", id);
    is_used.then(|| refusal("InvalidParameterValue", format!("Network interface '{id}' is currently in use.")))
}

/// moto ends with status 500 here.
fn delete_nat_gateway(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let id = call.parameter("NatGatewayId");
    let exists = any(&objects::all_nat_gateways(api), "natGatewayId", id);
    (!exists).then(|| refusal("NatGatewayNotFound", format!("The Nat Gateway {id} was not found")))
}

fn attach_internet_gateway(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let (id, gateway) = (call.parameter("VpcId"), call.parameter("InternetGatewayId"));
    let mut others = objects::internet_gateways(api);
    others.retain(|other| other.value("internetGatewayId") != gateway);
    let message = format!("Network {id} already has an internet gateway attached");
    any(&others, "attachmentSet/item/vpcId", id).then(|| refusal("InvalidParameterValue", message))
}

fn associate_route_table(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let (id, subnet) = (call.parameter("RouteTableId"), call.parameter("SubnetId"));
    let mut others = objects::route_tables(api);
    others.retain(|table| table.value("routeTableId") != id);
    let message = format!("the specified association for route table {id} conflicts with an existing association");
    let is_taken = !subnet.is_empty() && any(&others, "associationSet/item/subnetId", subnet);
    is_taken.then(|| refusal("Resource.AlreadyAssociated", message))
}

/// moto looks only at IPv4 destinations, and accepts any NAT gateway.
fn create_route(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let (table, block, nat) =
        (call.parameter("RouteTableId"), call.parameter("DestinationIpv6CidrBlock"), call.parameter("NatGatewayId"));
    let mut tables = objects::route_tables(api);
    tables.retain(|other| other.value("routeTableId") == table);
    if !block.is_empty() && any(&tables, "routeSet/item/destinationIpv6CidrBlock", block) {
        return Some(refusal("RouteAlreadyExists", format!("The route identified by {block} already exists")));
    }
    let exists = nat.is_empty() || any(&objects::nat_gateways(api), "natGatewayId", nat);
    (!exists).then(|| refusal("InvalidNatGatewayID.NotFound", format!("The natGateway ID '{nat}' does not exist")))
}

/// moto compares only IPv4 blocks.
fn create_subnet(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let (block, vpc) = (call.parameter("Ipv6CidrBlock"), call.parameter("VpcId"));
    let mut subnets = objects::subnets(api);
    subnets.retain(|subnet| subnet.value("vpcId") == vpc);
    let is_taken = !block.is_empty() && any(&subnets, "ipv6CidrBlockAssociationSet/item/ipv6CidrBlock", block);
    is_taken.then(|| refusal("InvalidSubnet.Conflict", format!("The CIDR '{block}' conflicts with another subnet")))
}

/// What needs the subnet's IPv6 block is refused until that is associated.
fn modify_subnet(call: &Call, api: &Api, memory: &Memory) -> Option<Refusal> {
    let (id, parameter) = (call.parameter("SubnetId"), "AssignIpv6AddressOnCreation.Value");
    let mut subnets = objects::subnets(api);
    subnets.retain(|subnet| subnet.value("subnetId") == id && subnet.at("ipv6CidrBlockAssociationSet/item").is_some());
    let has_block = !subnets.is_empty() && !memory.associating.contains(id);
    let message = format!("Invalid value 'true' for {parameter}. The subnet {id} has no IPv6 CIDR block associated");
    let refused = call.parameter(parameter) == "true" && !has_block;
    refused.then(|| refusal("InvalidParameterValue", message)).or_else(|| one_attribute(call, api, memory))
}

fn one_attribute(call: &Call, _: &Api, _: &Memory) -> Option<Refusal> {
    let others = ["Action", "DryRun", "SubnetId", "Version", "VpcId"];
    let attributes: Vec<&str> = call.parameters.keys().map(String::as_str).filter(|name| !others.contains(name)).collect();
    let message = format!("Fields for multiple attribute types specified: {}", attributes.join(", "));
    (attributes.len() > 1).then(|| refusal("InvalidParameterCombination", message))
}

/// "You can't use an IPv4 target group with a UDP listener for a dualstack load balancer" (Create a listener for your Network Load
/// Balancer), and it must have prefixes for source NAT (LoadBalancer: EnablePrefixForIpv6SourceNat).
fn create_listener(call: &Call, api: &Api, memory: &Memory) -> Option<Refusal> {
    let (arn, protocol) = (call.parameter("LoadBalancerArn"), call.parameter("Protocol"));
    let mut balancers = objects::load_balancers(api);
    balancers.retain(|balancer| balancer.value("LoadBalancerArn") == arn);
    if !["UDP", "TCP_UDP"].contains(&protocol) || !any(&balancers, "IpAddressType", "dualstack") {
        return None;
    }
    let mut groups = objects::target_groups(api);
    groups.retain(|group| group.value("TargetGroupArn") == call.parameter("DefaultActions.member.1.TargetGroupArn"));
    let refused = |message: &str| Some(refusal("InvalidConfigurationRequest", format!("A {protocol} listener {message}")));
    if memory.source_nat.get(arn).is_none_or(|value| value != "on") {
        return refused("of a dualstack load balancer needs EnablePrefixForIpv6SourceNat");
    }
    if any(&groups, "IpAddressType", "ipv6") { None } else { refused("of a dualstack load balancer needs an IPv6 target group") }
}

/// "The IP address type must be dualstack" (SetSubnets, CreateLoadBalancer: EnablePrefixForIpv6SourceNat).
fn source_nat(call: &Call, family: &str) -> Option<Refusal> {
    let is_on = call.parameter("EnablePrefixForIpv6SourceNat") == "on";
    let message = "EnablePrefixForIpv6SourceNat needs the IP address type dualstack";
    (is_on && family != "dualstack").then(|| refusal("InvalidConfigurationRequest", message))
}

fn set_subnets(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let arn = call.parameter("LoadBalancerArn");
    let balancer = objects::load_balancers(api).into_iter().find(|balancer| balancer.value("LoadBalancerArn") == arn)?;
    let becomes = call.parameters.get("IpAddressType").map(String::as_str);
    source_nat(call, becomes.unwrap_or_else(|| balancer.value("IpAddressType")))
}

/// What faces the internet needs a gateway to it.
fn create_load_balancer(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    if let Some(refusal) = source_nat(call, call.parameter("IpAddressType")) {
        return Some(refusal);
    }
    let is_public = call.parameter("Scheme") != "internal";
    let is_wanted = |subnet: &Element| call.parameters.values().any(|value| value == subnet.value("subnetId"));
    let subnet = objects::subnets(api).into_iter().find(is_wanted)?;
    let vpc = subnet.value("vpcId");
    let has_gateway = any(&objects::internet_gateways(api), "attachmentSet/item/vpcId", vpc);
    (is_public && !has_gateway).then(|| refusal("InvalidSubnet", format!("VPC {vpc} has no internet gateway")))
}

/// moto knows the attribute and deletes all the same.
fn delete_load_balancer(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let arn = call.parameter("LoadBalancerArn");
    let parameters = [("Action", "DescribeLoadBalancerAttributes"), ("LoadBalancerArn", arn)];
    let attributes = api.ask("elasticloadbalancing", &parameters).ok()?;
    let attributes = attributes.all("DescribeLoadBalancerAttributesResult/Attributes/member");
    let is_protection = |attribute: &&&Element| attribute.value("Key") == "deletion_protection.enabled";
    let is_protected = attributes.iter().find(is_protection).is_some_and(|attribute| attribute.value("Value") == "true");
    let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
    is_protected.then(|| refusal("OperationNotPermitted", message))
}

/// moto ends with status 500 here.
fn no_auto_scaling_group(name: &str) -> Refusal {
    refusal("ValidationError", format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"))
}

fn attach_target_groups(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let name = call.parameter("AutoScalingGroupName");
    (!any(&objects::auto_scaling_groups(api), "AutoScalingGroupName", name)).then(|| no_auto_scaling_group(name))
}

/// moto takes out what is not attached.
fn detach_target_groups(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let name = call.parameter("AutoScalingGroupName");
    let mut groups = objects::auto_scaling_groups(api);
    groups.retain(|group| group.value("AutoScalingGroupName") == name);
    if groups.is_empty() {
        return Some(no_auto_scaling_group(name));
    }
    let foreign: Vec<&str> =
        call.list("TargetGroupARNs.member").into_iter().filter(|arn| !any(&groups, "TargetGroupARNs/member", arn)).collect();
    let message = format!("Trying to remove Target Groups that are not part of the group: {}", foreign.join(", "));
    (!foreign.is_empty()).then(|| refusal("ValidationError", message))
}

/// A record that is to be deleted must be there, with just these values.
fn delete_records(call: &Call, api: &Api, _: &Memory) -> Option<Refusal> {
    let path = call.parameter("Path").split('?').next()?.trim_end_matches('/');
    let records = api.ask_route53("GET", path, "").ok()?;
    let records = records.all("ResourceRecordSets/ResourceRecordSet");
    let body = Element::parse(call.parameter("Body")).ok()?;
    let changes = body.all("ChangeBatch/Changes/Change").into_iter().filter(|change| change.value("Action") == "DELETE");
    changes.filter_map(|change| change.at("ResourceRecordSet")).find_map(|wanted| {
        let (name, kind) = (absolute(wanted.value("Name")), wanted.value("Type"));
        let found = records.iter().find(|record| absolute(record.value("Name")) == name && record.value("Type") == kind);
        let about = format!("Tried to delete resource record set [name='{name}', type='{kind}'] but");
        match found {
            None => Some(refusal("InvalidChangeBatch", format!("[{about} it was not found]"))),
            Some(record) if content(record) == content(wanted) => None,
            Some(_) => {
                Some(refusal("InvalidChangeBatch", format!("[{about} the values provided do not match the current values]")))
            }
        }
    })
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_lowercase())
}

fn content(record: &Element) -> (&str, Vec<&str>, String, &str) {
    let mut values = record.values("ResourceRecords/ResourceRecord/Value");
    values.sort_unstable();
    let alias = record.at("AliasTarget/DNSName").map_or(String::new(), |name| absolute(&name.text));
    (record.value("TTL"), values, alias, record.value("AliasTarget/HostedZoneId"))
}
