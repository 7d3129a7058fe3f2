//! Objects that somebody deletes.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "the egress-only gateway",
            |aws| _ = aws.ec2("DeleteEgressOnlyInternetGateway EgressOnlyInternetGatewayId=@egress_only_internet_gateway/main"),
            "egress_only_internet_gateway/main",
            "is gone",
            &["CreateEgressOnlyInternetGateway", "ReplaceRoute"],
        )
        .also("route_table/private-2", "route ::/0 is eigw-…, should be @egress_only_internet_gateway/main"),
        row(
            "a NAT gateway",
            |aws| _ = aws.ec2("DeleteNatGateway NatGatewayId=@nat_gateway/nat-2"),
            "nat_gateway/nat-2",
            "is gone",
            &["CreateNatGateway", "ReplaceRoute"],
        )
        .also("route_table/private-2", "route 0.0.0.0/0 is nat-…, should be @nat_gateway/nat-2"),
        row(
            "a route table",
            |aws| {
                aws.ec2(&format!("DisassociateRouteTable AssociationId={}", aws.association("subnet/private-1")));
                aws.ec2("DeleteRouteTable RouteTableId=@route_table/private-1");
            },
            "route_table/private-1",
            "is gone",
            &["CreateRouteTable", "CreateRoute", "CreateRoute", "AssociateRouteTable"],
        ),
        row(
            "a security group",
            |aws| _ = aws.ec2("DeleteSecurityGroup GroupId=@security_group/endpoint"),
            "security_group/endpoint",
            "is gone",
            &["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress"],
        ),
        row(
            "the key pair",
            |aws| {
                let name = aws.first("DescribeKeyPairs KeyPairId.1=@key_pair/demo-bastion", "keySet/item/keyName");
                aws.ec2(&format!("DeleteKeyPair KeyName={name}"));
            },
            "key_pair/demo-bastion",
            "is gone",
            &["ImportKeyPair"],
        ),
        row(
            "the bastion's Elastic IP",
            |aws| {
                let call = "DescribeAddresses AllocationId.1=@elastic_ip/demo-bastion";
                let association = aws.first(call, "addressesSet/item/associationId");
                aws.ec2(&format!("DisassociateAddress AssociationId={association}"));
                aws.ec2("ReleaseAddress AllocationId=@elastic_ip/demo-bastion");
            },
            "elastic_ip/demo-bastion",
            "is gone",
            &["AllocateAddress", "AssociateAddress", "ChangeResourceRecordSets"],
        )
        .also("dns_record/demo-bastion/A", "value @elastic_ip/demo-bastion.public_ip is missing")
        .also("dns_record/demo-bastion/A", "value … is not declared"),
        row(
            "the listener",
            |aws| _ = aws.elb("DeleteListener ListenerArn=@listener/apiserver"),
            "listener/apiserver",
            "is gone",
            &["CreateListener"],
        ),
    ]
}

pub fn rows_of_endpoints() -> Vec<Row> {
    vec![
        row(
            "an interface endpoint",
            |aws| _ = aws.ec2("DeleteVpcEndpoints VpcEndpointId.1=@vpc_endpoint/ec2"),
            "vpc_endpoint/ec2",
            "is gone",
            &["CreateVpcEndpoint"],
        ),
        row(
            "a gateway endpoint",
            |aws| _ = aws.ec2("DeleteVpcEndpoints VpcEndpointId.1=@vpc_endpoint/s3-gateway"),
            "vpc_endpoint/s3-gateway",
            "is gone",
            &["CreateVpcEndpoint"],
        ),
        row(
            "the flow log",
            |aws| _ = aws.ec2("DeleteFlowLogs FlowLogId.1=@flow_log/main"),
            "flow_log/main",
            "is gone",
            &["CreateFlowLogs"],
        ),
        row(
            "the target group with its listener",
            |aws| {
                aws.elb("DeleteListener ListenerArn=@listener/apiserver");
                aws.elb("DeleteTargetGroup TargetGroupArn=@target_group/apiserver");
            },
            "target_group/apiserver",
            "is gone",
            &["CreateTargetGroup", "ModifyTargetGroupAttributes", "RegisterTargets", "CreateListener"],
        )
        .also("listener/apiserver", "is gone"),
    ]
}

pub fn load_balancer() -> Vec<Row> {
    vec![
        row(
            "the load balancer",
            |aws| _ = aws.elb("DeleteLoadBalancer LoadBalancerArn=@load_balancer/demo-api"),
            "load_balancer/demo-api",
            "is gone",
            &[
                "CreateLoadBalancer",
                "ModifyLoadBalancerAttributes",
                "CreateListener",
                "ChangeResourceRecordSets",
                "ChangeResourceRecordSets",
            ],
        )
        .also("listener/apiserver", "is gone")
        .also("dns_record/A", "alias is demo-api-…, should be @load_balancer/demo-api.dns_name")
        .also("dns_record/A", "alias_zone is Z26RNL4JYFTOTI, should be @load_balancer/demo-api.zone_id")
        .also("dns_record/AAAA", "alias is demo-api-…, should be @load_balancer/demo-api.dns_name")
        .also("dns_record/AAAA", "alias_zone is Z26RNL4JYFTOTI, should be @load_balancer/demo-api.zone_id"),
    ]
}

pub fn internet_gateway() -> Vec<Row> {
    vec![
        row(
            "the internet gateway",
            |aws| {
                aws.ec2_itself("DetachInternetGateway InternetGatewayId=@internet_gateway/main VpcId=@vpc/main");
                aws.ec2_itself("DeleteInternetGateway InternetGatewayId=@internet_gateway/main");
            },
            "internet_gateway/main",
            "is gone",
            &["CreateInternetGateway", "AttachInternetGateway", "ReplaceRoute"],
        )
        .also("route_table/public", "route 0.0.0.0/0 is igw-…, should be @internet_gateway/main"),
    ]
}
