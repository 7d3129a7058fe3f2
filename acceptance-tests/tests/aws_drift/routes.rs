//! Route tables: their routes, and the subnets that use them.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "the route to the internet is deleted",
            |aws| _ = aws.ec2("DeleteRoute RouteTableId=@route_table/public DestinationCidrBlock=0.0.0.0/0"),
            "route_table/public",
            "route 0.0.0.0/0 is missing, should be @internet_gateway/main",
            &["CreateRoute"],
        ),
        row(
            "the route over IPv6 is deleted",
            |aws| _ = aws.ec2("DeleteRoute RouteTableId=@route_table/private-1 DestinationIpv6CidrBlock=::/0"),
            "route_table/private-1",
            "route ::/0 is missing, should be @egress_only_internet_gateway/main",
            &["CreateRoute"],
        ),
        row(
            "a route is added",
            |aws| {
                aws.ec2("CreateRoute RouteTableId=@route_table/private-1 DestinationCidrBlock=203.0.113.0/24 NatGatewayId=@nat_gateway/nat-2");
            },
            "route_table/private-1",
            "route 203.0.113.0/24 (@nat_gateway/nat-2) is not declared",
            &["DeleteRoute"],
        ),
        row(
            "a route over IPv6 is added",
            |aws| {
                aws.ec2("CreateRoute RouteTableId=@route_table/public DestinationIpv6CidrBlock=2001:db8:9::/48 GatewayId=@internet_gateway/main");
            },
            "route_table/public",
            "route 2001:db8:9::/48 (@internet_gateway/main) is not declared",
            &["DeleteRoute"],
        ),
        row(
            "a private subnet's route leads to the internet gateway",
            |aws| {
                aws.ec2("ReplaceRoute RouteTableId=@route_table/private-2 DestinationCidrBlock=0.0.0.0/0 GatewayId=@internet_gateway/main");
            },
            "route_table/private-2",
            "route 0.0.0.0/0 is @internet_gateway/main, should be @nat_gateway/nat-2",
            &["ReplaceRoute"],
        ),
        row(
            "a route leads to the NAT gateway of another zone",
            |aws| {
                aws.ec2("ReplaceRoute RouteTableId=@route_table/private-1 DestinationCidrBlock=0.0.0.0/0 NatGatewayId=@nat_gateway/nat-2");
            },
            "route_table/private-1",
            "route 0.0.0.0/0 is @nat_gateway/nat-2, should be @nat_gateway/nat-1",
            &["ReplaceRoute"],
        ),
        row(
            "a subnet is taken from its route table",
            |aws| _ = aws.ec2(&format!("DisassociateRouteTable AssociationId={}", aws.association("subnet/public-2"))),
            "route_table/public",
            "subnet @subnet/public-2 is missing",
            &["AssociateRouteTable"],
        ),
    ]
}

/// The tables are changed at the same time, so that either may be the first.
pub fn moved_subnet() -> Vec<Row> {
    vec![
        row(
            "a private subnet is given the public route table",
            |aws| {
                let association = aws.association("subnet/private-2");
                aws.ec2(&format!("ReplaceRouteTableAssociation AssociationId={association} RouteTableId=@route_table/public"));
            },
            "route_table/private-2",
            "subnet @subnet/private-2 is missing",
            &[],
        )
        .also("route_table/public", "subnet @subnet/private-2 is not declared")
        .or(&["ReplaceRouteTableAssociation", "DisassociateRouteTable", "AssociateRouteTable"]),
    ]
}
