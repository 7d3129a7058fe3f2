//! Where the emulator differs from what AWS documents, seen through the proxy.

use crate::topology::{IMAGE, Vpc, address, instance, nat_gateway};
use crate::{Aws, refused};
use acceptance_tests::aws::Element;

pub fn attributes_of_subnets_are_read_back(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, other) = (vpc.subnet(1), vpc.subnet(2));
    let described = |id: &str| aws.ec2("DescribeSubnets", &[("SubnetId.1", id)]).at("subnetSet/item").unwrap().clone();
    let assign = [("SubnetId", subnet.as_str()), ("AssignIpv6AddressOnCreation.Value", "true")];
    refused(aws.try_ec2("ModifySubnetAttribute", &assign), "InvalidParameterValue");
    let state = "ipv6CidrBlockAssociationSet/item/ipv6CidrBlockState/state";
    assert_eq!((described(&subnet).value("enableDns64"), described(&subnet).value(state)), ("false", "associated"));
    let options = "privateDnsNameOptionsOnLaunch";
    let rows = [
        ("EnableDns64.Value", "true", "enableDns64".to_string()),
        ("AssignIpv6AddressOnCreation.Value", "true", "assignIpv6AddressOnCreation".into()),
        ("MapPublicIpOnLaunch.Value", "true", "mapPublicIpOnLaunch".into()),
        ("PrivateDnsHostnameTypeOnLaunch", "resource-name", format!("{options}/hostnameType")),
        ("EnableResourceNameDnsARecordOnLaunch.Value", "true", format!("{options}/enableResourceNameDnsARecord")),
        ("EnableResourceNameDnsAAAARecordOnLaunch.Value", "true", format!("{options}/enableResourceNameDnsAAAARecord")),
        ("EnableDns64.Value", "false", "enableDns64".into()),
    ];
    for (parameter, value, path) in rows {
        aws.ec2("ModifySubnetAttribute", &[("SubnetId", &subnet), (parameter, value)]);
        assert_eq!(described(&subnet).value(&path), value, "{parameter}");
        assert_ne!(described(&other).value(&path), "true", "{parameter}");
    }
}

pub fn address_families_of_endpoints_are_read_back(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    let interface = vpc.endpoint("ec2", "Interface", &[("SubnetId.1", &subnet), ("IpAddressType", "dualstack")]);
    let gateway = vpc.endpoint("s3", "Gateway", &[]);
    let described = |id: &str| {
        let answer = aws.ec2("DescribeVpcEndpoints", &[("VpcEndpointId.1", id)]);
        let paths = ["ipAddressType", "dnsOptions/dnsRecordIpType", "privateDnsEnabled"];
        paths.map(|path| answer.value(&format!("vpcEndpointSet/item/{path}")).to_string())
    };
    assert_eq!(described(&interface)[..2], ["dualstack", "dualstack"]);
    assert_eq!(described(&gateway), ["ipv4", "service-defined", "false"]);
    let change = [("VpcEndpointId", interface.as_str()), ("IpAddressType", "ipv4"), ("DnsOptions.DnsRecordIpType", "ipv4")];
    aws.ec2("ModifyVpcEndpoint", &change);
    assert_eq!(described(&interface)[..2], ["ipv4", "ipv4"]);
}

const BALANCER: &str = "LoadBalancers/member";

pub fn a_load_balancer_becomes_active_after_two_descriptions(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    vpc.load_balancer("api", &subnet, &[]);
    let states = [0; 4].map(|_| {
        let answer = aws.elb("DescribeLoadBalancers", &[("Names.member.1", "api")]);
        answer.value(&format!("DescribeLoadBalancersResult/{BALANCER}/State/Code")).to_string()
    });
    assert_eq!(states, ["provisioning", "provisioning", "active", "active"]);
    let answer = aws.elb("DescribeLoadBalancers", &[]);
    let balancer = answer.at(&format!("DescribeLoadBalancersResult/{BALANCER}")).unwrap();
    let name = balancer.value("DNSName");
    assert!(name.starts_with("api-") && name.ends_with(".elb.us-east-1.amazonaws.com"), "{name}");
}

pub fn making_a_load_balancer_target_group_or_listener_again_gives_the_same_one(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    let balancer = vpc.load_balancer("api", &subnet, &[]);
    assert_eq!(vpc.load_balancer("api", &subnet, &[]), balancer);
    let other = [
        ("Name", "api"),
        ("Type", "network"),
        ("Scheme", "internal"),
        ("Subnets.member.1", &subnet),
        ("IpAddressType", "dualstack"),
    ];
    refused(aws.try_elb("CreateLoadBalancer", &other), "DuplicateLoadBalancerName");

    let group = |port| {
        let parameters = [("Name", "api"), ("Protocol", "TCP"), ("Port", port), ("VpcId", vpc.id.as_str()), ("TargetType", "ip")];
        let arn = |answer: Element| answer.value("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn").to_string();
        aws.try_elb("CreateTargetGroup", &parameters).map(arn)
    };
    let target = group("6443").unwrap();
    assert_eq!(group("6443").unwrap(), target);
    refused(group("443").map(|_| Element::default()), "DuplicateTargetGroupName");

    let listener = |protocol| {
        let action = [("DefaultActions.member.1.Type", "forward"), ("DefaultActions.member.1.TargetGroupArn", target.as_str())];
        let parameters = [("LoadBalancerArn", balancer.as_str()), ("Port", "6443"), ("Protocol", protocol)];
        let arn = |answer: Element| answer.value("CreateListenerResult/Listeners/member/ListenerArn").to_string();
        aws.try_elb("CreateListener", &[&parameters, &action[..]].concat()).map(arn)
    };
    let first = listener("TCP").unwrap();
    assert_eq!(listener("TCP").unwrap(), first);
    refused(listener("TLS").map(|_| Element::default()), "DuplicateListener");
    refused(aws.try_elb("DeleteTargetGroup", &[("TargetGroupArn", &target)]), "ResourceInUse");
    aws.elb("DeleteListener", &[("ListenerArn", &first)]);
    aws.elb("DeleteTargetGroup", &[("TargetGroupArn", &target)]);
    aws.elb("DeleteLoadBalancer", &[("LoadBalancerArn", &balancer)]);
    assert_ne!(vpc.load_balancer("api", &subnet, &[]), balancer);
}

pub fn lists_come_in_pages(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    (0..12).for_each(|number| drop(vpc.security_group(&format!("group-{number}"))));
    let all = aws.ec2("DescribeSecurityGroups", &[]).all("securityGroupInfo/item/groupId").len();
    let mut pages: Vec<usize> = Vec::new();
    let mut token = String::new();
    loop {
        let page = aws.ec2("DescribeSecurityGroups", &[("MaxResults", "5"), ("NextToken", &token)]);
        pages.push(page.all("securityGroupInfo/item").len());
        token = page.value("nextToken").to_string();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, all), (vec![5, 5, 4], 14));
}

fn ipv6_addresses(aws: &Aws, instance: &str) -> (Vec<String>, String) {
    let answer = aws.ec2("DescribeInstances", &[("InstanceId.1", instance)]);
    let instance = answer.at("reservationSet/item/instancesSet/item").unwrap();
    let path = "networkInterfaceSet/item/ipv6AddressesSet/item/ipv6Address";
    (instance.values(path).into_iter().map(str::to_string).collect(), instance.value("ipv6Address").to_string())
}

pub fn instances_get_the_ipv6_addresses_they_are_launched_with(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, automatic, group) = (vpc.subnet(1), vpc.subnet(2), vpc.security_group("nodes"));
    let chosen = vpc.ipv6(1).replace("::/64", "::55");
    aws.ec2("DescribeSubnets", &[("SubnetId.1", &automatic)]);
    aws.ec2("ModifySubnetAttribute", &[("SubnetId", &automatic), ("AssignIpv6AddressOnCreation.Value", "true")]);
    let interface = |field: &'static str, value| {
        let of = [("NetworkInterface.1.DeviceIndex", "0"), ("NetworkInterface.1.SubnetId", subnet.as_str())];
        let group = ("NetworkInterface.1.SecurityGroupId.1", group.as_str());
        instance(aws, &[of[0], of[1], group, (field, value)])
    };
    let counted = interface("NetworkInterface.1.Ipv6AddressCount", "2");
    let named = interface("NetworkInterface.1.Ipv6Addresses.1.Ipv6Address", &chosen);
    let plain = instance(aws, &[("SubnetId", &subnet)]);
    let by_subnet = instance(aws, &[("SubnetId", &automatic)]);
    let none = instance(aws, &[("SubnetId", &automatic), ("Ipv6AddressCount", "0")]);

    let (addresses, first) = ipv6_addresses(aws, &counted);
    assert_eq!((addresses.len(), &first), (2, &addresses[0]));
    assert_eq!(ipv6_addresses(aws, &named).0, [chosen]);
    assert_eq!(ipv6_addresses(aws, &by_subnet).0.len(), 1);
    assert_eq!([plain, none].map(|id| ipv6_addresses(aws, &id).0.len()), [0, 0]);
    let answer = aws.ec2("DescribeInstances", &[("InstanceId.1", &counted)]);
    assert_eq!(answer.value("reservationSet/item/instancesSet/item/groupSet/item/groupId"), group);
}

fn auto_scaling(aws: &Aws, action: &str, parameters: &[(&str, &str)]) {
    aws.proxy.api.ask("autoscaling", &[&[("Action", action), ("AutoScalingGroupName", "nodes")], parameters].concat()).unwrap();
}

pub fn instances_of_auto_scaling_groups_get_ipv6_addresses(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    let interface = "LaunchTemplateData.NetworkInterface.1";
    let (device, count) = (format!("{interface}.DeviceIndex"), format!("{interface}.Ipv6AddressCount"));
    let data =
        [("LaunchTemplateData.ImageId", IMAGE), ("LaunchTemplateData.InstanceType", "t3.micro"), (&device, "0"), (&count, "1")];
    aws.ec2("CreateLaunchTemplate", &[&[("LaunchTemplateName", "nodes")], &data[..]].concat());
    let template = [("LaunchTemplate.LaunchTemplateName", "nodes"), ("LaunchTemplate.Version", "$Latest")];
    let sizes = [("MinSize", "0"), ("MaxSize", "3"), ("DesiredCapacity", "1"), ("VPCZoneIdentifier", subnet.as_str())];
    auto_scaling(aws, "CreateAutoScalingGroup", &[&template[..], &sizes].concat());
    auto_scaling(aws, "SetDesiredCapacity", &[("DesiredCapacity", "2")]);
    let answer = aws.ec2("DescribeInstances", &[]);
    let instances = answer.values("reservationSet/item/instancesSet/item/instanceId");
    assert_eq!(instances.iter().map(|id| ipv6_addresses(aws, id).0.len()).collect::<Vec<_>>(), [1, 1]);
    auto_scaling(aws, "DeleteAutoScalingGroup", &[("ForceDelete", "true")]);
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnet)]);
}

pub fn terminated_instances_and_deleted_nat_gateways_leave_nothing(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, public) = (vpc.subnet(1), address(aws));
    let before = aws.emulator.inventory();
    let nat = nat_gateway(aws, &subnet, &public);
    let spec = [("NetworkInterface.1.DeviceIndex", "0"), ("NetworkInterface.1.SubnetId", subnet.as_str())];
    let machines = [instance(aws, &spec), instance(aws, &[("SubnetId", &subnet)])];
    let own = aws.ec2("CreateNetworkInterface", &[("SubnetId", &subnet)]);
    let own = own.value("networkInterface/networkInterfaceId");
    let attach = [("NetworkInterfaceId", own), ("InstanceId", machines[0].as_str()), ("DeviceIndex", "1")];
    aws.ec2("AttachNetworkInterface", &attach);
    refused(aws.try_ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", own)]), "InvalidParameterValue");
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &nat)]);
    aws.ec2("TerminateInstances", &[("InstanceId.1", &machines[0]), ("InstanceId.2", &machines[1])]);
    let gone = aws.ec2("DescribeInstances", &[("InstanceId.1", &machines[0])]);
    let gone = gone.at("reservationSet/item/instancesSet/item").unwrap();
    assert_eq!(
        (gone.value("instanceState/name"), gone.at("networkInterfaceSet"), gone.at("subnetId")),
        ("terminated", None, None)
    );
    let described = aws.ec2("DescribeNatGateways", &[("NatGatewayId.1", &nat)]);
    assert_eq!(described.value("natGatewaySet/item/state"), "deleted");
    assert_eq!(aws.ec2("DescribeAddresses", &[]).value("addressesSet/item/associationId"), "");
    // What was made on its own stays.
    aws.ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", own)]);
    assert_eq!(aws.emulator.inventory(), before);
}

pub fn dhcp_options_have_their_tags_and_outlive_their_vpc(aws: &mut Aws) {
    aws.reset();
    let configuration = [("DhcpConfiguration.1.Key", "domain-name"), ("DhcpConfiguration.1.Value.1", "demo.internal")];
    let tag = [("TagSpecification.1.Tag.1.Key", "Name"), ("TagSpecification.1.Tag.1.Value", "demo")];
    let kind = [("TagSpecification.1.ResourceType", "dhcp-options")];
    let made = aws.ec2("CreateDhcpOptions", &[&configuration[..], &tag, &kind].concat());
    assert_eq!(made.at("dhcpOptions").unwrap().tag("Name"), "demo");
    let id = made.value("dhcpOptions/dhcpOptionsId");
    let vpc = Vpc::new(aws);
    aws.ec2("AssociateDhcpOptions", &[("DhcpOptionsId", id), ("VpcId", &vpc.id)]);
    aws.ec2("DeleteVpc", &[("VpcId", &vpc.id)]);
    assert_eq!(aws.emulator.inventory(), ["dhcp options demo demo.internal"]);
    aws.ec2("DeleteDhcpOptions", &[("DhcpOptionsId", id)]);
}

pub fn rules_with_groups_are_described_and_each_is_in_the_answer(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (nodes, balancer) = (vpc.security_group("nodes"), vpc.security_group("balancer"));
    let from_group = [
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "6443"),
        ("IpPermissions.1.ToPort", "6443"),
        ("IpPermissions.1.Groups.1.GroupId", balancer.as_str()),
        ("IpPermissions.1.Groups.1.Description", "API"),
    ];
    let from_all = [
        ("IpPermissions.2.IpProtocol", "tcp"),
        ("IpPermissions.2.FromPort", "22"),
        ("IpPermissions.2.ToPort", "22"),
        ("IpPermissions.2.Ipv6Ranges.1.CidrIpv6", "::/0"),
        ("IpPermissions.2.Ipv6Ranges.1.Description", "SSH"),
    ];
    let made = aws.ec2("AuthorizeSecurityGroupIngress", &[&[("GroupId", nodes.as_str())], &from_group[..], &from_all].concat());
    assert_eq!(made.values("securityGroupRuleSet/item/description"), ["API", "SSH"]);
    let filter = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", nodes.as_str())];
    let described = aws.ec2("DescribeSecurityGroupRules", &filter);
    let ingress = described.all("securityGroupRuleSet/item").into_iter().filter(|rule| rule.value("isEgress") == "false");
    assert_eq!(ingress.map(|rule| rule.value("description")).collect::<Vec<_>>(), ["API", "SSH"]);
    // All or none: the first of these is new.
    let new = from_all.map(|(name, value)| (name.replace(".2.", ".1."), value.replace("22", "23")));
    let new = new.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
    let again = aws.try_ec2("AuthorizeSecurityGroupIngress", &[&[("GroupId", nodes.as_str())], &new[..], &from_all].concat());
    refused(again, "InvalidPermission.Duplicate");
    assert_eq!(aws.ec2("DescribeSecurityGroupRules", &filter), described);
}

pub fn a_private_address_moves_from_one_interface_to_another(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let subnet = vpc.subnet(1);
    // Addresses of their own: one that the emulator draws may be the one that moves.
    let interfaces = ["10.0.1.10", "10.0.1.11"].map(|own| {
        let made = aws.ec2("CreateNetworkInterface", &[("SubnetId", &subnet), ("PrivateIpAddress", own)]);
        made.value("networkInterface/networkInterfaceId").to_string()
    });
    let holders = || {
        let answer = aws.ec2("DescribeNetworkInterfaces", &[]);
        let holds =
            |interface: &&Element| interface.values("privateIpAddressesSet/item/privateIpAddress").contains(&"10.0.1.100");
        let all = answer.all("networkInterfaceSet/item").into_iter().filter(holds);
        all.map(|interface| interface.value("networkInterfaceId").to_string()).collect::<Vec<_>>()
    };
    for interface in &interfaces {
        let address = [("PrivateIpAddress.1", "10.0.1.100"), ("AllowReassignment", "true")];
        aws.ec2("AssignPrivateIpAddresses", &[("NetworkInterfaceId", interface), address[0], address[1]]);
        assert_eq!(holders(), std::slice::from_ref(interface));
    }
}

pub fn a_route_to_a_deleted_nat_gateway_is_a_black_hole(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, table) = (vpc.subnet(1), vpc.route_table());
    let nat = nat_gateway(aws, &subnet, &address(aws));
    aws.ec2("CreateRoute", &[("RouteTableId", &table), ("DestinationCidrBlock", "0.0.0.0/0"), ("NatGatewayId", &nat)]);
    let state = || {
        let answer = aws.ec2("DescribeRouteTables", &[("RouteTableId.1", &table)]);
        let routes = answer.all("routeTableSet/item/routeSet/item");
        routes.into_iter().find(|route| route.value("natGatewayId") == nat).unwrap().value("state").to_string()
    };
    assert_eq!(state(), "active");
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &nat)]);
    assert_eq!(state(), "blackhole");
}

pub fn a_zone_with_a_vpc_is_private_and_its_reference_is_used_once(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>demo.internal</Name>\
         <VPC><VPCRegion>us-east-1</VPCRegion><VPCId>{}</VPCId></VPC><CallerReference>one</CallerReference></CreateHostedZoneRequest>",
        vpc.id
    );
    let create = || aws.proxy.api.ask_route53("POST", "/2013-04-01/hostedzone", &body);
    assert_eq!(create().unwrap().value("HostedZone/Config/PrivateZone"), "true");
    let failure = create().unwrap_err();
    assert_eq!((failure.status, failure.code.as_str()), (Some(409), "HostedZoneAlreadyExists"));
}

pub fn equal_topologies_have_equal_inventories_and_nothing_is_left_of_them(aws: &mut Aws) {
    let run = || {
        aws.reset();
        let vpc = Vpc::new(aws);
        let (subnet, gateway, table) = (vpc.subnet(1), vpc.internet_gateway(), vpc.route_table());
        let named = [("Tag.1.Key", "Name"), ("Tag.1.Value", "demo")];
        aws.ec2(
            "CreateTags",
            &[&[("ResourceId.1", subnet.as_str()), ("ResourceId.2", &table), ("ResourceId.3", &vpc.id)], &named[..]].concat(),
        );
        aws.ec2("CreateRoute", &[("RouteTableId", &table), ("DestinationCidrBlock", "0.0.0.0/0"), ("GatewayId", &gateway)]);
        aws.ec2("AssociateRouteTable", &[("RouteTableId", &table), ("SubnetId", &subnet)]);
        nat_gateway(aws, &subnet, &address(aws));
        vpc.security_group("nodes");
        vpc.endpoint("s3", "Gateway", &[("RouteTableId.1", &table)]);
        vpc.load_balancer("api", &subnet, &[]);
        instance(aws, &[("SubnetId", &subnet)]);
        aws.emulator.inventory()
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    let expected = [
        "subnet demo 10.0.1.0/24 us-east-1b ipv6 number 01",
        "route table demo route 0.0.0.0/0 to igw -",
        "vpc demo 10.0.0.0/16 ipv6",
    ];
    assert!(expected.iter().all(|line| first.iter().any(|seen| seen == line)), "{first:#?}");
    aws.reset();
    assert_eq!(aws.emulator.inventory(), Vec::<String>::new());
}
