//! What AWS refuses because of what there is. Each refusal is tried again when the reason is gone.

use crate::topology::{IMAGE, Vpc, address, instance, nat_gateway};
use crate::{Aws, refused};
use acceptance_tests::aws::autoscaling;

const DEPENDENCY: &str = "DependencyViolation";

/// A refusal of a deletion, and what must be done for it.
struct Row<'a> {
    blocked: (&'a str, Vec<(&'a str, &'a str)>),
    code: &'a str,
    way_out: Vec<(&'a str, Vec<(&'a str, &'a str)>)>,
}

#[track_caller]
fn check(aws: &Aws, rows: Vec<Row>) {
    for Row { blocked: (action, parameters), code, way_out } in rows {
        for (step, its_parameters) in way_out {
            refused(aws.try_ec2(action, &parameters), code);
            aws.ec2(step, &its_parameters);
        }
        aws.ec2(action, &parameters);
    }
}

pub fn what_others_depend_on_cannot_be_deleted_until_they_are_gone(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let gateway = vpc.internet_gateway();
    let egress = aws.ec2("CreateEgressOnlyInternetGateway", &[("VpcId", &vpc.id)]);
    let egress = egress.value("egressOnlyInternetGateway/egressOnlyInternetGatewayId");
    let subnets: [String; 4] = [1, 2, 3, 4].map(|number| vpc.subnet(number));
    let group = vpc.security_group("nodes");
    let machine = instance(aws, &[("SubnetId", &subnets[0]), ("SecurityGroupId.1", &group)]);
    let interface = aws.ec2("CreateNetworkInterface", &[("SubnetId", &subnets[1])]);
    let interface = interface.value("networkInterface/networkInterfaceId");
    let public = address(aws);
    let nat = nat_gateway(aws, &subnets[2], &public);
    let endpoint = vpc.endpoint("ec2", "Interface", &[("SubnetId.1", &subnets[3])]);
    let s3 = vpc.endpoint("s3", "Gateway", &[]);
    let table = vpc.route_table();
    aws.ec2("AssociateRouteTable", &[("RouteTableId", &table), ("SubnetId", &subnets[1])]);
    let options =
        aws.ec2("CreateDhcpOptions", &[("DhcpConfiguration.1.Key", "domain-name"), ("DhcpConfiguration.1.Value.1", "a.b")]);
    let options = options.value("dhcpOptions/dhcpOptionsId");
    aws.ec2("AssociateDhcpOptions", &[("DhcpOptionsId", options), ("VpcId", &vpc.id)]);

    let default = vec![("DhcpOptionsId", "default"), ("VpcId", vpc.id.as_str())];
    let row = |blocked, way_out| Row { blocked, code: DEPENDENCY, way_out };
    let delete_subnet = |index: usize| ("DeleteSubnet", vec![("SubnetId", subnets[index].as_str())]);
    let vpc_and = |name: &'static str, id| vec![(name, id), ("VpcId", vpc.id.as_str())];
    refused(aws.try_ec2(delete_subnet(0).0, &delete_subnet(0).1), DEPENDENCY);
    refused(aws.try_ec2("DetachInternetGateway", &vpc_and("InternetGatewayId", &gateway)), DEPENDENCY);
    refused(aws.try_ec2("DeleteRouteTable", &[("RouteTableId", &table)]), DEPENDENCY);
    refused(aws.try_ec2("DeleteVpc", &[("VpcId", &vpc.id)]), DEPENDENCY);
    let terminate = ("TerminateInstances", vec![("InstanceId.1", machine.as_str())]);
    check(
        aws,
        vec![
            row(("DeleteSecurityGroup", vec![("GroupId", &group)]), vec![terminate]),
            row(delete_subnet(0), vec![]),
            row(delete_subnet(1), vec![("DeleteNetworkInterface", vec![("NetworkInterfaceId", interface)])]),
            row(("DeleteRouteTable", vec![("RouteTableId", &table)]), vec![]),
            row(delete_subnet(2), vec![("DeleteNatGateway", vec![("NatGatewayId", &nat)])]),
            row(("DeleteDhcpOptions", vec![("DhcpOptionsId", options)]), vec![("AssociateDhcpOptions", default)]),
            row(delete_subnet(3), vec![("DeleteVpcEndpoints", vec![("VpcEndpointId.1", &endpoint)])]),
            row(
                ("DeleteInternetGateway", vec![("InternetGatewayId", &gateway)]),
                vec![("DetachInternetGateway", vpc_and("InternetGatewayId", &gateway))],
            ),
            row(
                ("DeleteVpc", vec![("VpcId", &vpc.id)]),
                vec![
                    ("DeleteVpcEndpoints", vec![("VpcEndpointId.1", s3.as_str())]),
                    ("DeleteEgressOnlyInternetGateway", vec![("EgressOnlyInternetGatewayId", egress)]),
                ],
            ),
            row(("ReleaseAddress", vec![("AllocationId", &public)]), vec![]),
        ],
    );
    assert_eq!(aws.emulator.inventory(), Vec::<String>::new());
}

pub fn security_groups_that_refer_to_each_other_go_after_their_rules(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (nodes, balancer) = (vpc.security_group("nodes"), vpc.security_group("balancer"));
    let rule = |group: &str, peer: &str| {
        let all = [("GroupId", group), ("IpPermissions.1.IpProtocol", "-1"), ("IpPermissions.1.Groups.1.GroupId", peer)];
        all.map(|(name, value)| (name.to_string(), value.to_string()))
    };
    let call = |action: &str, rule: &[(String, String)]| {
        let parameters: Vec<(&str, &str)> = rule.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        aws.ec2(action, &parameters);
    };
    let (ingress, egress, own) = (rule(&nodes, &balancer), rule(&balancer, &nodes), rule(&nodes, &nodes));
    call("AuthorizeSecurityGroupIngress", &ingress);
    call("AuthorizeSecurityGroupEgress", &egress);
    call("AuthorizeSecurityGroupIngress", &own); // does not hold it
    let delete = |group: &str| aws.try_ec2("DeleteSecurityGroup", &[("GroupId", group)]);
    refused(delete(&nodes), DEPENDENCY);
    refused(delete(&balancer), DEPENDENCY);
    call("RevokeSecurityGroupEgress", &egress);
    refused(delete(&balancer), DEPENDENCY);
    delete(&nodes).unwrap();
    delete(&balancer).unwrap();
    let groups = aws.ec2("DescribeSecurityGroups", &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &vpc.id)]);
    refused(delete(groups.value("securityGroupInfo/item/groupId")), "CannotDelete");
    aws.ec2("DeleteVpc", &[("VpcId", &vpc.id)]);
}

pub fn a_group_of_a_load_balancer_or_an_endpoint_cannot_be_deleted(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, group) = (vpc.subnet(1), vpc.security_group("balancer"));
    let balancer = vpc.load_balancer("api", &subnet, &[("SecurityGroups.member.1", &group)]);
    let endpoint = vpc.endpoint("ec2", "Interface", &[("SecurityGroupId.1", &group)]);
    let delete = || aws.try_ec2("DeleteSecurityGroup", &[("GroupId", &group)]);
    refused(delete(), DEPENDENCY);
    aws.ec2("DeleteVpcEndpoints", &[("VpcEndpointId.1", &endpoint)]);
    refused(delete(), DEPENDENCY);
    refused(aws.try_ec2("DeleteSubnet", &[("SubnetId", &subnet)]), DEPENDENCY);
    let protect = |value| {
        let key = ("Attributes.member.1.Key", "deletion_protection.enabled");
        let parameters = [("LoadBalancerArn", balancer.as_str()), key, ("Attributes.member.1.Value", value)];
        aws.elb("ModifyLoadBalancerAttributes", &parameters);
        aws.try_elb("DeleteLoadBalancer", &[("LoadBalancerArn", &balancer)])
    };
    refused(protect("true"), "OperationNotPermitted");
    protect("false").unwrap();
    delete().unwrap();
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnet)]);
}

pub fn a_gateway_stays_while_public_addresses_are_mapped(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    let public = [("Scheme", "internet-facing"), ("Type", "network"), ("Name", "api"), ("Subnets.member.1", subnet.as_str())];
    refused(aws.try_elb("CreateLoadBalancer", &public), "InvalidSubnet");
    let gateway = vpc.internet_gateway();
    let balancer = aws.elb("CreateLoadBalancer", &public);
    let balancer = balancer.value("CreateLoadBalancerResult/LoadBalancers/member/LoadBalancerArn");
    let machine = instance(aws, &[("SubnetId", &subnet)]);
    let address = address(aws);
    let association = aws.ec2("AssociateAddress", &[("AllocationId", &address), ("InstanceId", &machine)]);
    let detach = || aws.try_ec2("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc.id)]);
    refused(detach(), DEPENDENCY);
    aws.ec2("DisassociateAddress", &[("AssociationId", association.value("associationId"))]);
    refused(detach(), DEPENDENCY);
    aws.elb("DeleteLoadBalancer", &[("LoadBalancerArn", balancer)]);
    detach().unwrap();
}

pub fn an_address_in_use_is_not_released(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, _) = (vpc.subnet(1), vpc.internet_gateway());
    let [of_nat, of_machine, of_balancer] = [0; 3].map(|_| address(aws));
    let nat = nat_gateway(aws, &subnet, &of_nat);
    let machine = instance(aws, &[("SubnetId", &subnet)]);
    aws.ec2("AssociateAddress", &[("AllocationId", &of_machine), ("InstanceId", &machine)]);
    let mapping = [("SubnetMappings.member.1.SubnetId", subnet.as_str()), ("SubnetMappings.member.1.AllocationId", &of_balancer)];
    let balancer = aws.elb("CreateLoadBalancer", &[&[("Name", "api"), ("Type", "network")], &mapping[..]].concat());
    let balancer = balancer.value("CreateLoadBalancerResult/LoadBalancers/member/LoadBalancerArn");
    let release = |address: &str| aws.try_ec2("ReleaseAddress", &[("AllocationId", address)]);
    let all = [&of_nat, &of_machine, &of_balancer];
    all.into_iter().for_each(|address| refused(release(address), "InvalidIPAddress.InUse"));
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &nat)]);
    aws.ec2("TerminateInstances", &[("InstanceId.1", &machine)]);
    aws.elb("DeleteLoadBalancer", &[("LoadBalancerArn", balancer)]);
    all.into_iter().for_each(|address| drop(release(address).unwrap()));
    refused(aws.try_ec2("DeleteNatGateway", &[("NatGatewayId", "nat-00000000000000000")]), "NatGatewayNotFound");
}

pub fn what_is_there_once_cannot_be_made_twice(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, gateway) = (vpc.subnet(1), vpc.internet_gateway());
    let second = aws.ec2("CreateInternetGateway", &[]);
    let second = second.value("internetGateway/internetGatewayId");
    let attach = |gateway| aws.try_ec2("AttachInternetGateway", &[("InternetGatewayId", gateway), ("VpcId", &vpc.id)]);
    refused(attach(second), "InvalidParameterValue");
    refused(attach(&gateway), "Resource.AlreadyAssociated");
    let block = vpc.ipv6(1);
    let parameters = [("VpcId", vpc.id.as_str()), ("CidrBlock", "10.0.99.0/24"), ("Ipv6CidrBlock", &block)];
    refused(aws.try_ec2("CreateSubnet", &parameters), "InvalidSubnet.Conflict");
    let associate = |table: &str| aws.try_ec2("AssociateRouteTable", &[("RouteTableId", table), ("SubnetId", &subnet)]);
    let (first, other) = (vpc.route_table(), vpc.route_table());
    associate(&first).unwrap();
    refused(associate(&other), "Resource.AlreadyAssociated");
    for destination in [("DestinationCidrBlock", "0.0.0.0/0"), ("DestinationIpv6CidrBlock", "::/0")] {
        let route = |target| aws.try_ec2("CreateRoute", &[("RouteTableId", &first), destination, target]);
        refused(route(("NatGatewayId", "nat-00000000000000000")), "InvalidNatGatewayID.NotFound");
        route(("GatewayId", &gateway)).unwrap();
        refused(route(("GatewayId", &gateway)), "RouteAlreadyExists");
    }
}

pub fn two_attributes_are_not_changed_in_one_call(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    let both = [("SubnetId", subnet.as_str()), ("MapPublicIpOnLaunch.Value", "true"), ("EnableDns64.Value", "true")];
    refused(aws.try_ec2("ModifySubnetAttribute", &both), "InvalidParameterCombination");
    let both = [("VpcId", vpc.id.as_str()), ("EnableDnsSupport.Value", "true"), ("EnableDnsHostnames.Value", "true")];
    refused(aws.try_ec2("ModifyVpcAttribute", &both), "InvalidParameterCombination");
    aws.ec2("ModifyVpcAttribute", &both[..2]);
}

/// Messages as AWS gives them: all that Auto Scaling refuses has the code ValidationError.
pub fn a_target_group_is_attached_to_a_group_that_exists_and_detached_once(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let group = [("Name", "web"), ("Protocol", "TCP"), ("Port", "80"), ("VpcId", &vpc.id), ("TargetType", "instance")];
    let group = aws.elb("CreateTargetGroup", &group);
    let group = group.value("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn");
    let ask = |action: &str, name: &str| {
        let parameters = [("Action", action), ("AutoScalingGroupName", name), ("TargetGroupARNs.member.1", group)];
        aws.proxy.api.ask("autoscaling", &parameters)
    };
    autoscaling::make(&aws.proxy.api, "nodes", 2);
    let targets = || {
        let health = aws.elb("DescribeTargetHealth", &[("TargetGroupArn", group)]);
        health.all("DescribeTargetHealthResult/TargetHealthDescriptions/member").len()
    };
    for action in ["AttachLoadBalancerTargetGroups", "DetachLoadBalancerTargetGroups"] {
        assert!(ask(action, "none").unwrap_err().message.starts_with("AutoScalingGroup name not found"));
    }
    refused(ask("DetachLoadBalancerTargetGroups", "nodes"), "ValidationError");
    (0..2).for_each(|_| drop(ask("AttachLoadBalancerTargetGroups", "nodes").unwrap()));
    assert_eq!((targets(), autoscaling::target_groups(&aws.proxy.api, "nodes")), (2, vec![group.to_owned()]));
    autoscaling::scale(&aws.proxy.api, "nodes", 1);
    assert_eq!(targets(), 1);
    ask("DetachLoadBalancerTargetGroups", "nodes").unwrap();
    assert_eq!(targets(), 0);
    refused(ask("DetachLoadBalancerTargetGroups", "nodes"), "ValidationError");
}

pub fn tags_that_metadata_would_show_have_plain_keys(aws: &mut Aws) {
    aws.reset();
    let launch = |more: &[(&str, &str)]| {
        let parameters = [
            ("ImageId", IMAGE),
            ("InstanceType", "t3.micro"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "kubernetes.io/cluster/demo"),
            ("TagSpecification.1.Tag.1.Value", "owned"),
        ];
        aws.try_ec2("RunInstances", &[&parameters, more].concat())
    };
    let said = |word| [("MetadataOptions.InstanceMetadataTags", word)];
    assert!(launch(&[]).is_ok());
    refused(launch(&said("enabled")), "InvalidParameterValue");
    aws.proxy.show_tags_in_metadata();
    refused(launch(&[]), "InvalidParameterValue");
    assert!(launch(&said("disabled")).is_ok());
}
