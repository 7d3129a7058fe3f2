//! Addresses: Elastic IPs, gateways' attachments, and IPv6 addresses.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "Elastic IP: it is taken from the bastion",
            |aws| {
                let call = "DescribeAddresses AllocationId.1=@elastic_ip/demo-bastion";
                let association = aws.first(call, "addressesSet/item/associationId");
                aws.ec2(&format!("DisassociateAddress AssociationId={association}"));
            },
            "elastic_ip/demo-bastion",
            "instance is missing, should be @instance/demo-bastion",
            &["AssociateAddress"],
        ),
        row(
            "internet gateway: it is detached",
            |aws| _ = aws.ec2_itself("DetachInternetGateway InternetGatewayId=@internet_gateway/main VpcId=@vpc/main"),
            "internet_gateway/main",
            "vpc is missing, should be @vpc/main",
            &["AttachInternetGateway"],
        ),
        row(
            "bastion: its IPv6 address is taken away",
            |aws| {
                let interfaces = aws.ec2("DescribeInstances InstanceId.1=@instance/demo-bastion");
                let interface =
                    interfaces.value("reservationSet/item/instancesSet/item/networkInterfaceSet/item/networkInterfaceId");
                aws.ec2(&format!(
                    "UnassignIpv6Addresses NetworkInterfaceId={interface} Ipv6Addresses.1=@instance/demo-bastion.ipv6_address"
                ));
            },
            "instance/demo-bastion",
            "ipv6_addresses is 0, should be 1",
            &["AssignIpv6Addresses", "ChangeResourceRecordSets"],
        )
        .also("dns_record/demo-bastion/AAAA", "value @instance/demo-bastion.ipv6_address is missing")
        .also("dns_record/demo-bastion/AAAA", "value … is not declared"),
    ]
}
