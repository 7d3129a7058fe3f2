//! Instances: what can be changed back, and what a new one has to take the place of.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "metadata without a token",
            |aws| _ = aws.ec2("ModifyInstanceMetadataOptions InstanceId=@instance/demo-bastion HttpTokens=optional"),
            "instance/demo-bastion",
            "http_tokens is optional, should be required",
            &["ModifyInstanceMetadataOptions"],
        ),
        row(
            "another security group",
            |aws| {
                aws.ec2("ModifyInstanceAttribute InstanceId=@instance/demo-bastion GroupId.1=@security_group/node");
            },
            "instance/demo-bastion",
            "security_group sg-… is missing",
            &["ModifyInstanceAttribute"],
        )
        .also("instance/demo-bastion", "security_group sg-… is not declared"),
    ]
}

pub fn stopped() -> Vec<Row> {
    vec![
        row(
            "the proxy is stopped",
            |aws| _ = aws.ec2("StopInstances InstanceId.1=@instance/demo-proxy"),
            "instance/demo-proxy",
            "state is stopped, should be running",
            &["StartInstances"],
        ),
        row(
            "the metadata reach further than the host",
            |aws| _ = aws.ec2("ModifyInstanceMetadataOptions InstanceId=@instance/demo-proxy HttpPutResponseHopLimit=3"),
            "instance/demo-proxy",
            "http_put_response_hop_limit is 3, should be 1",
            &["ModifyInstanceMetadataOptions"],
        ),
        row(
            "the proxy is in one group more",
            |aws| {
                aws.ec2(
                    "ModifyInstanceAttribute InstanceId=@instance/demo-proxy GroupId.1=@security_group/proxy \
                     GroupId.2=@security_group/bastion GroupId.3=@security_group/node",
                );
            },
            "instance/demo-proxy",
            "security_group sg-… is not declared",
            &["ModifyInstanceAttribute"],
        ),
    ]
}

pub fn terminated() -> Vec<Row> {
    vec![
        row(
            "the bastion is terminated",
            |aws| _ = aws.ec2("TerminateInstances InstanceId.1=@instance/demo-bastion"),
            "instance/demo-bastion",
            "is gone",
            &["RunInstances", "AssociateAddress", "ChangeResourceRecordSets"],
        )
        .also("elastic_ip/demo-bastion", "instance is missing, should be @instance/demo-bastion")
        .also("dns_record/demo-bastion/AAAA", "value @instance/demo-bastion.ipv6_address is missing")
        .also("dns_record/demo-bastion/AAAA", "value … is not declared"),
    ]
}

/// Which user data an instance was created with is only known by a tag.
pub fn without_digest() -> Vec<Row> {
    vec![
        row(
            "the digest of the proxy's user data is removed",
            |aws| _ = aws.ec2("DeleteTags ResourceId.1=@instance/demo-proxy Tag.1.Key=k8s-hardway/user-data"),
            "instance/demo-proxy",
            "user_data_digest is missing, should be … (a new one takes its place)",
            &["TerminateInstances", "RunInstances", "AssociateAddress"],
        )
        .also("elastic_ip/demo-proxy", "instance is i-…, should be @instance/demo-proxy"),
    ]
}
