//! Endpoints of AWS' services, and flow logs.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    let modify = ["ModifyVpcEndpoint"];
    vec![
        row(
            "it is in another security group",
            |aws| {
                aws.ec2(
                    "ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/ec2 RemoveSecurityGroupId.1=@security_group/endpoint \
                     AddSecurityGroupId.1=@security_group/node",
                );
            },
            "vpc_endpoint/ec2",
            "security_group @security_group/endpoint is missing",
            &modify,
        )
        .also("vpc_endpoint/ec2", "security_group @security_group/node is not declared"),
        row(
            "it leaves a subnet",
            |aws| _ = aws.ec2("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/sts RemoveSubnetId.1=@subnet/private-2"),
            "vpc_endpoint/sts",
            "subnet @subnet/private-2 is missing",
            &modify,
        ),
        row(
            "the service's public name does not lead to it any more",
            |aws| _ = aws.ec2("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/ecr.api PrivateDnsEnabled=false"),
            "vpc_endpoint/ecr.api",
            "private_dns is false, should be true",
            &modify,
        ),
        row(
            "it speaks IPv6 as well",
            |aws| _ = aws.ec2("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/ecr.dkr IpAddressType=dualstack"),
            "vpc_endpoint/ecr.dkr",
            "ip_address_type is dualstack, should be ipv4",
            &modify,
        ),
        row(
            "a gateway leaves a route table",
            |aws| {
                aws.ec2("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/s3-gateway RemoveRouteTableId.1=@route_table/private-1");
            },
            "vpc_endpoint/s3-gateway",
            "route_table @route_table/private-1 is missing",
            &modify,
        ),
    ]
}

/// AWS' own policy is full access.
pub fn policies() -> Vec<Row> {
    const DENY: &str = r#"{"Statement":[{"Action":"*","Effect":"Deny","Principal":"*","Resource":"*"}]}"#;
    let modify = ["ModifyVpcEndpoint"];
    vec![
        row(
            "a gateway lets everything through",
            |aws| _ = aws.ec2("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/s3-gateway ResetPolicy=true"),
            "vpc_endpoint/s3-gateway",
            r#"policy is missing, should be {"Statement":[{"Action":"s3:GetObject","Effect":"Allow","Principal":"*","Resource":"*"}]}"#,
            &modify,
        ),
        row(
            "an endpoint without a policy lets nothing through",
            |aws| _ = aws.ec2(&format!("ModifyVpcEndpoint VpcEndpointId=@vpc_endpoint/sts PolicyDocument={DENY}")),
            "vpc_endpoint/sts",
            r#"policy ({"Statement":[{"Action":"*","Effect":"Deny","Principal":"*","Resource":"*"}]}) is not declared"#,
            &modify,
        ),
    ]
}
