//! VPCs and subnets: their attributes, their blocks of addresses, and their DHCP options.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "VPC: instances get no names",
            |aws| _ = aws.ec2("ModifyVpcAttribute VpcId=@vpc/main EnableDnsHostnames.Value=false"),
            "vpc/main",
            "dns_hostnames is false, should be true",
            &["ModifyVpcAttribute"],
        ),
        row(
            "VPC: there is no name server",
            |aws| _ = aws.ec2("ModifyVpcAttribute VpcId=@vpc/main EnableDnsSupport.Value=false"),
            "vpc/main",
            "dns_support is false, should be true",
            &["ModifyVpcAttribute"],
        ),
        row(
            "VPC: a block of addresses is added",
            |aws| _ = aws.ec2("AssociateVpcCidrBlock VpcId=@vpc/main CidrBlock=100.64.0.0/16"),
            "vpc/main",
            "secondary_cidr 100.64.0.0/16 is not declared",
            &["DisassociateVpcCidrBlock"],
        ),
        row(
            "subnet: a private one gives public addresses",
            |aws| _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/private-1 MapPublicIpOnLaunch.Value=true"),
            "subnet/private-1",
            "map_public_ip is true, should be false",
            &["ModifySubnetAttribute"],
        ),
        row(
            "subnet: a public one gives no public addresses",
            |aws| _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/public-1 MapPublicIpOnLaunch.Value=false"),
            "subnet/public-1",
            "map_public_ip is false, should be true",
            &["ModifySubnetAttribute"],
        ),
        row(
            "subnet: instances get no IPv6 address",
            |aws| _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/private-1 AssignIpv6AddressOnCreation.Value=false"),
            "subnet/private-1",
            "assign_ipv6 is false, should be true",
            &["ModifySubnetAttribute"],
        ),
        row(
            "subnet: its IPv6 block is taken away",
            |aws| {
                aws.ec2("ModifySubnetAttribute SubnetId=@subnet/private-2 AssignIpv6AddressOnCreation.Value=false");
                let path = "subnetSet/item/ipv6CidrBlockAssociationSet/item/associationId";
                let association = aws.first("DescribeSubnets SubnetId.1=@subnet/private-2", path);
                aws.ec2(&format!("DisassociateSubnetCidrBlock AssociationId={association}"));
            },
            "subnet/private-2",
            "ipv6_cidr is missing, should be @vpc/main.ipv6_cidr[1]",
            &["AssociateSubnetCidrBlock", "ModifySubnetAttribute"],
        )
        .also("subnet/private-2", "assign_ipv6 is false, should be true"),
        row(
            "subnet: DNS64 is on",
            |aws| _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/private-2 EnableDns64.Value=true"),
            "subnet/private-2",
            "dns64 is true, should be false",
            &["ModifySubnetAttribute"],
        ),
        row(
            "subnet: hosts are named by their ids",
            |aws| _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/public-2 PrivateDnsHostnameTypeOnLaunch=resource-name"),
            "subnet/public-2",
            "hostname_type is resource-name, should be ip-name",
            &["ModifySubnetAttribute"],
        ),
        row(
            "subnet: names of hosts have AAAA records",
            |aws| {
                _ = aws.ec2("ModifySubnetAttribute SubnetId=@subnet/public-2 EnableResourceNameDnsAAAARecordOnLaunch.Value=true")
            },
            "subnet/public-2",
            "resource_name_aaaa_record is true, should be false",
            &["ModifySubnetAttribute"],
        ),
    ]
}

/// `default` is no options at all to AWS, and hosts have no name servers then. The region's own set, which the emulator lacks, is made
/// for the while.
pub fn no_dhcp_options() -> Vec<Row> {
    vec![
        row(
            "VPC: its DHCP options are taken away",
            |aws| {
                aws.ec2(
                    "CreateDhcpOptions DhcpConfiguration.1.Key=domain-name DhcpConfiguration.1.Value.1=ec2.internal \
                     DhcpConfiguration.2.Key=domain-name-servers DhcpConfiguration.2.Value.1=AmazonProvidedDNS",
                );
                aws.ec2("AssociateDhcpOptions VpcId=@vpc/main DhcpOptionsId=default");
            },
            "vpc/main",
            "dhcp_options is none, should be default",
            &["AssociateDhcpOptions"],
        )
        .clear(|aws| {
            let options = aws.first("DescribeVpcs VpcId.1=@vpc/main", "vpcSet/item/dhcpOptionsId");
            aws.ec2("AssociateDhcpOptions VpcId=@vpc/main DhcpOptionsId=default");
            aws.ec2(&format!("DeleteDhcpOptions DhcpOptionsId={options}"));
        }),
    ]
}

pub fn foreign_dhcp_options() -> Vec<Row> {
    const NAME_SERVERS: &str =
        "CreateDhcpOptions DhcpConfiguration.1.Key=domain-name-servers DhcpConfiguration.1.Value.1=192.0.2.53";
    vec![
        row(
            "VPC: it has DHCP options of somebody else",
            |aws| {
                let options = aws.first(NAME_SERVERS, "dhcpOptions/dhcpOptionsId");
                aws.ec2(&format!("AssociateDhcpOptions VpcId=@vpc/main DhcpOptionsId={options}"));
            },
            "vpc/main",
            "dhcp_options is dopt-…, should be @dhcp_options/main",
            &["AssociateDhcpOptions"],
        )
        .clear(|aws| {
            let call = "DescribeDhcpOptions Filter.1.Name=value Filter.1.Value.1=192.0.2.53";
            let options = aws.first(call, "dhcpOptionsSet/item/dhcpOptionsId");
            aws.ec2(&format!("DeleteDhcpOptions DhcpOptionsId={options}"));
        }),
    ]
}
