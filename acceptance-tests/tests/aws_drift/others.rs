//! What others add to route tables, security groups and target groups of a network whose ids they were given.

use crate::outside::Outside;
use acceptance_tests::aws::Account;

/// A route, a rule in each direction, a target, and a second registration of a target that is declared.
pub fn add(account: &Account) {
    let aws = Outside::of(account);
    aws.ec2(
        "CreateRoute RouteTableId=@route_table/private-1 DestinationCidrBlock=203.0.113.0/24 NatGatewayId=@nat_gateway/nat-2",
    );
    aws.ec2("AuthorizeSecurityGroupIngress GroupId=@security_group/node IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=9100 IpPermissions.1.ToPort=9100 IpPermissions.1.IpRanges.1.CidrIp=198.18.0.0/16");
    aws.ec2("AuthorizeSecurityGroupEgress GroupId=@security_group/load-balancer IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=25 IpPermissions.1.ToPort=25 IpPermissions.1.IpRanges.1.CidrIp=198.18.0.0/16");
    aws.ec2("AssociateVpcCidrBlock VpcId=@vpc/main CidrBlock=100.64.0.0/16");
    aws.elb("RegisterTargets TargetGroupArn=@target_group/apiserver Targets.member.1.Id=10.0.0.99 Targets.member.1.Port=6443");
    are_there(account);
}

#[track_caller]
pub fn are_there(account: &Account) {
    let aws = Outside::of(account);
    let routes = aws.ec2("DescribeRouteTables RouteTableId.1=@route_table/private-1");
    assert!(routes.values("routeTableSet/item/routeSet/item/destinationCidrBlock").contains(&"203.0.113.0/24"));
    for (group, from) in [("node", "9100"), ("load-balancer", "25")] {
        let rules =
            aws.ec2(&format!("DescribeSecurityGroupRules Filter.1.Name=group-id Filter.1.Value.1=@security_group/{group}"));
        let all = rules.all("securityGroupRuleSet/item");
        assert!(all.iter().any(|rule| rule.value("cidrIpv4") == "198.18.0.0/16" && rule.value("fromPort") == from), "{group}");
    }
    let vpcs = aws.ec2("DescribeVpcs VpcId.1=@vpc/main");
    assert!(vpcs.values("vpcSet/item/cidrBlockAssociationSet/item/cidrBlock").contains(&"100.64.0.0/16"));
    let health = aws.elb("DescribeTargetHealth TargetGroupArn=@target_group/apiserver");
    let targets = health.values("DescribeTargetHealthResult/TargetHealthDescriptions/member/Target/Id");
    assert!(targets.contains(&"10.0.0.99"), "{targets:?}");
}

/// An instance with its tags and what it was launched with; its id.
pub fn copy_of_instance(account: &Account, object: &str) -> String {
    let aws = Outside::of(account);
    let described = aws.ec2(&format!("DescribeInstances InstanceId.1=@{object}"));
    let instance = described.at("reservationSet/item/instancesSet/item").unwrap();
    let mut parameters = vec![
        ("Action".to_owned(), "RunInstances".to_owned()),
        ("ImageId".to_owned(), instance.value("imageId").to_owned()),
        ("InstanceType".to_owned(), instance.value("instanceType").to_owned()),
        // It goes with the instance, as the first one of every instance does that AWS launches without a word about it.
        ("NetworkInterface.1.DeviceIndex".to_owned(), "0".to_owned()),
        ("NetworkInterface.1.SubnetId".to_owned(), instance.value("subnetId").to_owned()),
        ("NetworkInterface.1.DeleteOnTermination".to_owned(), "true".to_owned()),
        ("MinCount".to_owned(), "1".to_owned()),
        ("MaxCount".to_owned(), "1".to_owned()),
        ("TagSpecification.1.ResourceType".to_owned(), "instance".to_owned()),
    ];
    for (number, tag) in (1..).zip(instance.all("tagSet/item")) {
        let name = |field: &str| format!("TagSpecification.1.Tag.{number}.{field}");
        parameters.extend([(name("Key"), tag.value("key").to_owned()), (name("Value"), tag.value("value").to_owned())]);
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = account.emulator.api.ask("ec2", &parameters).unwrap_or_else(|failure| panic!("{failure:?}"));
    answer.value("instancesSet/item/instanceId").to_owned()
}

pub fn terminate(account: &Account, id: &str) {
    Outside::of(account).ec2(&format!("TerminateInstances InstanceId.1={id}"));
}
