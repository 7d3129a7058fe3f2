//! Records of the hosted zone.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    const ELSEWHERE: &str = "<ResourceRecords><ResourceRecord><Value>192.0.2.66</Value></ResourceRecord></ResourceRecords>";
    let change = ["ChangeResourceRecordSets"];
    vec![
        row(
            "the bastion's name leads elsewhere",
            |aws| aws.record("UPSERT", "bastion", "A", &format!("<TTL>60</TTL>{ELSEWHERE}")),
            "dns_record/demo-bastion/A",
            "value @elastic_ip/demo-bastion.public_ip is missing",
            &change,
        )
        .also("dns_record/demo-bastion/A", "value 192.0.2.66 is not declared"),
        row(
            "the bastion's address is cached for a day",
            |aws| {
                let address = aws.id("instance/demo-bastion.ipv6_address");
                let value =
                    format!("<ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords>");
                aws.record("UPSERT", "bastion", "AAAA", &format!("<TTL>86400</TTL>{value}"));
            },
            "dns_record/demo-bastion/AAAA",
            "ttl is 86400, should be 60",
            &change,
        ),
        row(
            "the API's name is an address of somebody else in place of an alias",
            |aws| aws.record("UPSERT", "api", "A", &format!("<TTL>60</TTL>{ELSEWHERE}")),
            "dns_record/A",
            "alias is missing, should be @load_balancer/demo-api.dns_name",
            &change,
        )
        .also("dns_record/A", "alias_zone is missing, should be @load_balancer/demo-api.zone_id")
        .also("dns_record/A", "evaluate_target_health is missing, should be true")
        .also("dns_record/A", "value 192.0.2.66 is not declared"),
        row(
            "the API's alias leads to another load balancer",
            |aws| {
                aws.record(
                    "UPSERT",
                    "api",
                    "AAAA",
                    "<AliasTarget><HostedZoneId>Z26RNL4JYFTOTI</HostedZoneId><DNSName>foreign.elb.us-east-1.amazonaws.com</DNSName>\
                     <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>",
                );
            },
            "dns_record/AAAA",
            "alias is foreign.elb.us-east-1.amazonaws.com, should be @load_balancer/demo-api.dns_name",
            &change,
        ),
    ]
}

pub fn deleted() -> Vec<Row> {
    let change = ["ChangeResourceRecordSets"];
    vec![
        row(
            "the bastion's name is deleted",
            |aws| aws.delete_record("bastion", "A"),
            "dns_record/demo-bastion/A",
            "is gone",
            &change,
        ),
        row("the API's name over IPv6 is deleted", |aws| aws.delete_record("api", "AAAA"), "dns_record/AAAA", "is gone", &change),
    ]
}
