//! Attributes that the emulator forgets or answers with status 500, and objects that follow a change, seen through the proxy.

use crate::topology::{Vpc, instance};
use crate::{Aws, refused};
use acceptance_tests::aws::Element;
use serde_json::json;

const INSTANCE: &str = "reservationSet/item/instancesSet/item";

pub fn attributes_of_instances_are_read_back(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, first, second) = (vpc.subnet(1), vpc.security_group("first"), vpc.security_group("second"));
    let options = [("MetadataOptions.HttpTokens", "required"), ("MetadataOptions.HttpProtocolIpv6", "enabled")];
    let rest = [("SubnetId", subnet.as_str()), ("SecurityGroupId.1", &first), ("DisableApiTermination", "true")];
    let id = instance(aws, &[&rest[..], &options].concat());
    let own = ("InstanceId", id.as_str());
    let described = || aws.ec2("DescribeInstances", &[("InstanceId.1", &id)]).at(INSTANCE).unwrap().clone();
    let interface = described().value("networkInterfaceSet/item/networkInterfaceId").to_string();

    aws.ec2("ModifyInstanceMetadataOptions", &[own, ("HttpPutResponseHopLimit", "2")]);
    let options = ["httpTokens", "httpProtocolIpv6", "httpPutResponseHopLimit"];
    let options = options.map(|name| described().value(&format!("metadataOptions/{name}")).to_string());
    assert_eq!(options, ["required", "enabled", "2"]);

    for (action, state) in [("MonitorInstances", "enabled"), ("UnmonitorInstances", "disabled")] {
        assert_eq!(aws.ec2(action, &[("InstanceId.1", &id)]).value("instancesSet/item/instanceId"), id);
        assert_eq!(described().value("monitoring/state"), state);
    }

    let groups = || described().values("networkInterfaceSet/item/groupSet/item/groupId").join(" ");
    aws.ec2("ModifyInstanceAttribute", &[own, ("GroupId.1", &second)]);
    assert_eq!((groups(), described().value("groupSet/item/groupId")), (second.clone(), second.as_str()));
    aws.ec2("ModifyNetworkInterfaceAttribute", &[("NetworkInterfaceId", &interface), ("SecurityGroupId.1", &first)]);
    assert_eq!((groups(), described().value("groupSet/item/groupId")), (first.clone(), first.as_str()));
    aws.ec2("ModifyInstanceAttribute", &[own, ("SourceDestCheck.Value", "false")]);
    let checks = ["sourceDestCheck", "networkInterfaceSet/item/sourceDestCheck"];
    assert_eq!(checks.map(|path| described().value(path).to_string()), ["false", "false"]);

    let terminate = || aws.try_ec2("TerminateInstances", &[("InstanceId.1", &id)]);
    refused(terminate(), "OperationNotPermitted");
    aws.ec2("ModifyInstanceAttribute", &[own, ("DisableApiTermination.Value", "false")]);
    terminate().unwrap();
}

pub fn an_endpoint_follows_its_subnets_and_route_tables(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (first, second) = (vpc.subnet(1), vpc.subnet(2));
    let interface =
        vpc.endpoint("ec2", "Interface", &[("SubnetId.1", &first), ("SubnetId.2", &second), ("PrivateDnsEnabled", "true")]);
    let tables = [vpc.route_table(), vpc.route_table()];
    let gateway = vpc.endpoint("s3", "Gateway", &[("RouteTableId.1", &tables[0])]);
    let modify = |id: &str, change: &[(&str, &str)]| aws.ec2("ModifyVpcEndpoint", &[&[("VpcEndpointId", id)], change].concat());
    let described = |id: &str, path: &str| {
        let answer = aws.ec2("DescribeVpcEndpoints", &[("VpcEndpointId.1", id)]);
        answer.values(&format!("vpcEndpointSet/item/{path}")).join(" ")
    };
    modify(&interface, &[("PrivateDnsEnabled", "false"), ("RemoveSubnetId.1", &first)]);
    assert_eq!((described(&interface, "privateDnsEnabled"), described(&interface, "subnetIdSet/item")), ("false".into(), second));
    aws.ec2("DeleteSubnet", &[("SubnetId", &first)]);
    let policy = described(&interface, "policyDocument");
    modify(&interface, &[("PolicyDocument", "{}")]);
    modify(&interface, &[("ResetPolicy", "true")]);
    assert_eq!(described(&interface, "policyDocument"), policy);

    let routes = |table: &str| {
        let answer = aws.ec2("DescribeRouteTables", &[("RouteTableId.1", table)]);
        answer.values("routeTableSet/item/routeSet/item/gatewayId").contains(&gateway.as_str())
    };
    modify(&gateway, &[("AddRouteTableId.1", &tables[1])]);
    assert_eq!([routes(&tables[0]), routes(&tables[1])], [true, true]);
    modify(&gateway, &[("RemoveRouteTableId.1", &tables[0])]);
    assert_eq!([routes(&tables[0]), routes(&tables[1])], [false, true]);
    aws.ec2("DeleteRouteTable", &[("RouteTableId", &tables[1])]);
    assert_eq!(described(&gateway, "routeTableIdSet/item"), "");
    aws.ec2("DeleteVpcEndpoints", &[("VpcEndpointId.1", &gateway), ("VpcEndpointId.2", &interface)]);
    assert!(!aws.emulator.inventory().iter().any(|line| line.contains("endpoint") || line.contains("interface")));
}

fn attribute(answer: &Element, action: &str, key: &str) -> String {
    let all = answer.all(&format!("{action}Result/Attributes/member"));
    all.into_iter()
        .find(|attribute| attribute.value("Key") == key)
        .map_or("none", |attribute| attribute.value("Value"))
        .to_string()
}

pub fn settings_of_load_balancers_and_targets_are_read_back(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (first, second) = (vpc.subnet(1), vpc.subnet(2));
    let balancer = vpc.load_balancer("api", &first, &[]);
    let own = ("LoadBalancerArn", balancer.as_str());
    let mapping = ("SubnetMappings.member.2.SubnetId", "SubnetMappings.member.2.PrivateIPv4Address");
    aws.elb("SetSubnets", &[own, ("SubnetMappings.member.1.SubnetId", &first), (mapping.0, &second), (mapping.1, "10.0.2.9")]);
    let described = aws.elb("DescribeLoadBalancers", &[]);
    let zones = described.all("DescribeLoadBalancersResult/LoadBalancers/member/AvailabilityZones/member");
    let address = |zone: &&Element| zone.value("LoadBalancerAddresses/member/PrivateIPv4Address").to_string();
    let mut addresses: Vec<String> = zones.iter().map(address).collect();
    addresses.sort();
    assert_eq!(addresses, ["", "10.0.2.9"]);
    let action = "DescribeLoadBalancerAttributes";
    assert_eq!(attribute(&aws.elb(action, &[own]), action, "dns_record.client_routing_policy"), "any_availability_zone");

    let group = [("Name", "api"), ("Protocol", "TCP"), ("Port", "6443"), ("VpcId", vpc.id.as_str()), ("TargetType", "ip")];
    let health = [("HealthCheckProtocol", "HTTPS"), ("HealthCheckPath", "/readyz"), ("Matcher.HttpCode", "200-399")];
    let group = aws.elb("CreateTargetGroup", &[&group[..], &health].concat());
    let group = group.value("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn");
    let own = ("TargetGroupArn", group);
    aws.elb("ModifyTargetGroup", &[own, ("Matcher.HttpCode", "200")]);
    let described = aws.elb("DescribeTargetGroups", &[("TargetGroupArns.member.1", group)]);
    assert_eq!(described.value("DescribeTargetGroupsResult/TargetGroups/member/Matcher/HttpCode"), "200");
    let action = "DescribeTargetGroupAttributes";
    let keys = ["preserve_client_ip.enabled", "proxy_protocol_v2.enabled", "deregistration_delay.connection_termination.enabled"];
    assert_eq!(keys.map(|key| attribute(&aws.elb(action, &[own]), action, key)), ["false", "false", "false"]);
    let set = [("Attributes.member.1.Key", "proxy_protocol_v2.enabled"), ("Attributes.member.1.Value", "true")];
    aws.elb("ModifyTargetGroupAttributes", &[&[own], &set[..]].concat());
    assert_eq!(keys.map(|key| attribute(&aws.elb(action, &[own]), action, key)), ["false", "true", "false"]);
    let target =
        [("Targets.member.1.Id", "192.0.2.1"), ("Targets.member.1.Port", "6443"), ("Targets.member.1.AvailabilityZone", "all")];
    aws.elb("RegisterTargets", &[&[own], &target[..]].concat());
    let health = aws.elb("DescribeTargetHealth", &[own]);
    assert_eq!(health.value("DescribeTargetHealthResult/TargetHealthDescriptions/member/Target/AvailabilityZone"), "all");

    let action = [("DefaultActions.member.1.Type", "forward"), ("DefaultActions.member.1.TargetGroupArn", group)];
    let listener = [("LoadBalancerArn", balancer.as_str()), ("Port", "6443"), ("Protocol", "TCP")];
    let made = aws.elb("CreateListener", &[&listener[..], &action].concat());
    assert_eq!(made.at("CreateListenerResult/Listeners/member/SslPolicy"), None);
    let described = aws.elb("DescribeListeners", &[("LoadBalancerArn", &balancer)]);
    assert_eq!(described.at("DescribeListenersResult/Listeners/member/SslPolicy"), None);
}

/// By AWS' documentation of EnablePrefixForIpv6SourceNat (CreateLoadBalancer, SetSubnets, LoadBalancer) and of listeners for Network
/// Load Balancers.
pub fn a_dual_stack_load_balancer_takes_udp_with_source_nat_and_ipv6_targets(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (first, second) = (vpc.subnet(1), vpc.subnet(2));
    let (dual_stack, on) = (("IpAddressType", "dualstack"), ("EnablePrefixForIpv6SourceNat", "on"));
    let plain = vpc.load_balancer("plain", &first, &[]);
    let balancer = vpc.load_balancer("api", &first, &[dual_stack]);
    let source_nat = |arn: &str| {
        let answer = aws.elb("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", arn)]);
        answer.value("DescribeLoadBalancersResult/LoadBalancers/member/EnablePrefixForIpv6SourceNat").to_string()
    };
    let set = |arn: &str, rest: &[(&str, &str)]| {
        let subnets =
            [("SubnetMappings.member.1.SubnetId", first.as_str()), ("SubnetMappings.member.2.SubnetId", second.as_str())];
        aws.try_elb("SetSubnets", &[&[("LoadBalancerArn", arn)], &subnets[..], rest].concat())
    };
    let group = |name: &str, family: &str| {
        let own = [("Name", name), ("Protocol", "UDP"), ("Port", "53"), ("VpcId", &vpc.id), ("TargetType", "ip")];
        let made = aws.elb("CreateTargetGroup", &[&own[..], &[("IpAddressType", family)]].concat());
        made.value("CreateTargetGroupResult/TargetGroups/member/TargetGroupArn").to_string()
    };
    let (ipv4, ipv6) = (group("ipv4", "ipv4"), group("ipv6", "ipv6"));
    let listener = |arn: &str, group: &str| {
        let action = [("DefaultActions.member.1.Type", "forward"), ("DefaultActions.member.1.TargetGroupArn", group)];
        let own = [("LoadBalancerArn", arn), ("Port", "53"), ("Protocol", "UDP")];
        aws.try_elb("CreateListener", &[&own[..], &action].concat())
    };
    const CODE: &str = "InvalidConfigurationRequest";
    refused(set(&plain, &[on]), CODE);
    listener(&plain, &ipv4).unwrap();
    assert_eq!(source_nat(&balancer), "off");
    refused(listener(&balancer, &ipv6), CODE);
    assert_eq!(set(&balancer, &[on]).unwrap().value("SetSubnetsResult/EnablePrefixForIpv6SourceNat"), "on");
    refused(listener(&balancer, &ipv4), CODE);
    listener(&balancer, &ipv6).unwrap();
    assert_eq!(source_nat(&balancer), "on");
    // What is not said is off.
    set(&balancer, &[]).unwrap();
    assert_eq!(source_nat(&balancer), "off");
    let third = vpc.load_balancer("third", &first, &[dual_stack, on]);
    assert_eq!(source_nat(&third), "on");
}

pub fn protocols_of_rules_are_named_as_at_aws_and_need_no_ports(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let group = vpc.security_group("nodes");
    let rule = |protocol: &'static str| {
        [("GroupId", group.as_str()), ("IpPermissions.1.IpProtocol", protocol), ("IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0")]
    };
    let named = |answer: &Element| answer.value("securityGroupRuleSet/item/ipProtocol").to_string();
    let made = ["112", "58", "icmpv6"].map(|protocol| aws.try_ec2("AuthorizeSecurityGroupIngress", &rule(protocol)));
    let [vrrp, icmp, again] = made;
    assert_eq!((named(&vrrp.unwrap()), named(&icmp.unwrap())), ("112".into(), "icmpv6".into()));
    refused(again, "InvalidPermission.Duplicate");
    ["112", "58"].map(|protocol| named(&aws.ec2("RevokeSecurityGroupIngress", &rule(protocol)))).iter().for_each(drop);
    let rules = aws.ec2("DescribeSecurityGroupRules", &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", &group)]);
    assert!(!rules.values("securityGroupRuleSet/item/isEgress").contains(&"false"));
}

pub fn a_record_is_deleted_once_and_with_its_own_values(aws: &mut Aws) {
    aws.reset();
    let namespace = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";
    let zone = format!(
        "<CreateHostedZoneRequest {namespace}><Name>a.example</Name><CallerReference>1</CallerReference></CreateHostedZoneRequest>"
    );
    let zone = aws.proxy.api.ask_route53("POST", "/2013-04-01/hostedzone", &zone).unwrap();
    let path = format!("/2013-04-01{}/rrset/", zone.value("HostedZone/Id"));
    let change = |action: &str, value: &str| {
        let record = format!(
            "<ResourceRecordSet><Name>api.a.example</Name><Type>A</Type><TTL>60</TTL>\
             <ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
        );
        let changes = format!("<Changes><Change><Action>{action}</Action>{record}</Change></Changes>");
        let body = format!(
            "<ChangeResourceRecordSetsRequest {namespace}><ChangeBatch>{changes}</ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        aws.proxy.api.ask_route53("POST", &path, &body)
    };
    refused(change("DELETE", "192.0.2.1"), "InvalidChangeBatch");
    change("CREATE", "192.0.2.1").unwrap();
    refused(change("CREATE", "192.0.2.1"), "InvalidChangeBatch");
    refused(change("DELETE", "192.0.2.2"), "InvalidChangeBatch");
    change("UPSERT", "192.0.2.2").unwrap();
    assert_eq!(aws.emulator.inventory(), ["hosted zone a.example. public", "record api.a.example. A ttl 60 values 1"]);
    change("DELETE", "192.0.2.2").unwrap();
    refused(change("DELETE", "192.0.2.2"), "InvalidChangeBatch");
}

pub fn what_is_public_at_aws_is_known(aws: &mut Aws) {
    aws.reset();
    let api = aws.proxy.api;
    let ubuntu = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";
    let amazon = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let one = api.ask_json("ssm", "AmazonSSM.GetParameter", &json!({ "Name": ubuntu })).unwrap();
    let image = one["Parameter"]["Value"].as_str().unwrap();
    assert_eq!(aws.ec2("DescribeImages", &[("ImageId.1", image)]).value("imagesSet/item/imageId"), image);
    let all = api.ask_json("ssm", "AmazonSSM.GetParameters", &json!({ "Names": [ubuntu, amazon, "/none"] })).unwrap();
    assert_eq!((all["Parameters"].as_array().unwrap().len(), &all["InvalidParameters"]), (2, &json!(["/none"])));
    let quotas = |service: &str| {
        api.ask_json("servicequotas", "ServiceQuotasV20190624.ListServiceQuotas", &json!({ "ServiceCode": service }))
    };
    assert!(!quotas("vpc").unwrap()["Quotas"].as_array().unwrap().is_empty());
    assert_eq!(quotas("ec2").unwrap_err().status, Some(400));
    let zones = aws.ec2("DescribeAvailabilityZones", &[]);
    assert_eq!(zones.value("availabilityZoneInfo/item/optInStatus"), "opt-in-not-required");
}
