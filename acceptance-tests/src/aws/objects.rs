//! What exists at AWS, as lists of XML elements, without what is only remembered: deleted NAT gateways and endpoints, terminated
//! instances.

use super::api::Api;
use super::xml::Element;

pub fn vpcs(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeVpcs", "vpcSet/item")
}

pub fn subnets(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeSubnets", "subnetSet/item")
}

pub fn internet_gateways(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeInternetGateways", "internetGatewaySet/item")
}

pub fn egress_only_gateways(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeEgressOnlyInternetGateways", "egressOnlyInternetGatewaySet/item")
}

pub fn all_nat_gateways(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeNatGateways", "natGatewaySet/item")
}

pub fn nat_gateways(api: &Api) -> Vec<Element> {
    all_nat_gateways(api).into_iter().filter(|gateway| gateway.value("state") != "deleted").collect()
}

pub fn route_tables(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeRouteTables", "routeTableSet/item")
}

pub fn addresses(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeAddresses", "addressesSet/item")
}

pub fn endpoints(api: &Api) -> Vec<Element> {
    let all = api.list("ec2", "DescribeVpcEndpoints", "vpcEndpointSet/item");
    all.into_iter().filter(|endpoint| endpoint.value("state") != "deleted").collect()
}

pub fn security_groups(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeSecurityGroups", "securityGroupInfo/item")
}

pub fn all_instances(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeInstances", "reservationSet/item/instancesSet/item")
}

pub fn instances(api: &Api) -> Vec<Element> {
    all_instances(api).into_iter().filter(|instance| instance.value("instanceState/name") != "terminated").collect()
}

pub fn interfaces(api: &Api) -> Vec<Element> {
    api.list("ec2", "DescribeNetworkInterfaces", "networkInterfaceSet/item")
}

pub fn load_balancers(api: &Api) -> Vec<Element> {
    let path = "DescribeLoadBalancersResult/LoadBalancers/member";
    api.list("elasticloadbalancing", "DescribeLoadBalancers", path)
}

pub fn auto_scaling_groups(api: &Api) -> Vec<Element> {
    api.list("autoscaling", "DescribeAutoScalingGroups", "DescribeAutoScalingGroupsResult/AutoScalingGroups/member")
}

pub fn target_groups(api: &Api) -> Vec<Element> {
    api.list("elasticloadbalancing", "DescribeTargetGroups", "DescribeTargetGroupsResult/TargetGroups/member")
}

pub fn listeners(api: &Api, load_balancer: &str) -> Vec<Element> {
    let parameters = [("Action", "DescribeListeners"), ("LoadBalancerArn", load_balancer)];
    let answer = api.ask("elasticloadbalancing", &parameters);
    let all = |answer: Element| answer.all("DescribeListenersResult/Listeners/member").into_iter().cloned().collect();
    answer.map(all).unwrap_or_default()
}

/// What AWS removes by itself and moto leaves: the interface and the address association of a deleted NAT gateway, and those of a
/// terminated instance.
pub fn remove_leftovers(api: &Api) {
    let gateways = all_nat_gateways(api).into_iter().filter(|gateway| gateway.value("state") == "deleted");
    let of_gateways = |gateway: Element| -> Vec<String> {
        gateway.values("natGatewayAddressSet/item/networkInterfaceId").into_iter().map(str::to_string).collect()
    };
    let mut over: Vec<String> = gateways.flat_map(of_gateways).collect();
    let terminated = all_instances(api).into_iter().filter(|instance| instance.value("instanceState/name") == "terminated");
    over.extend(terminated.map(|instance| instance.value("instanceId").to_string()));

    let (gone, kept): (Vec<Element>, Vec<Element>) =
        interfaces(api).into_iter().partition(|interface| ends_with_its_owner(interface, &over));
    let exists = |id: &str| kept.iter().any(|interface| interface.value("networkInterfaceId") == id);
    for address in addresses(api).iter().filter(|address| !address.value("associationId").is_empty()) {
        if !exists(address.value("networkInterfaceId")) || over.iter().any(|id| id == address.value("instanceId")) {
            api.call("ec2", &[("Action", "DisassociateAddress"), ("AssociationId", address.value("associationId"))]);
        }
    }
    for interface in gone {
        let id = interface.value("networkInterfaceId");
        api.call("ec2", &[("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", id)]);
    }
}

/// Associations of route tables with subnets that are no more; AWS removes them with the subnet.
pub fn remove_associations(api: &Api) {
    let subnets = subnets(api);
    for association in route_tables(api).iter().flat_map(|table| table.all("associationSet/item")) {
        let subnet = association.value("subnetId");
        if !subnet.is_empty() && !subnets.iter().any(|other| other.value("subnetId") == subnet) {
            let id = association.value("routeTableAssociationId");
            api.call("ec2", &[("Action", "DisassociateRouteTable"), ("AssociationId", id)]);
        }
    }
}

/// An interface that was made on its own outlives its instance. moto shows which is which only by the description.
fn ends_with_its_owner(interface: &Element, over: &[String]) -> bool {
    let is_over = |id: &str| over.iter().any(|other| other == id);
    let made_with_it = interface.value("attachment/deleteOnTermination") == "true"
        || interface.value("description") == "Primary network interface";
    is_over(interface.value("networkInterfaceId")) || made_with_it && is_over(interface.value("attachment/instanceId"))
}
