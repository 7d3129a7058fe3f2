//! The deletion of leftovers, kind by kind.

use super::filter;
use crate::clients::Clients;
use crate::error::{failed, is_not_found, unless, unsuccessful};
use aws_sdk_ec2::types::{IpPermission, SecurityGroup};
use cloud::CloudError;

pub(super) async fn load_balancer(clients: &Clients, arn: &str) -> Result<(), CloudError> {
    let call = clients.elbv2.delete_load_balancer().load_balancer_arn(arn);
    unless(call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:DeleteLoadBalancer", error)), is_not_found)
}

pub(super) async fn target_group(clients: &Clients, arn: &str) -> Result<(), CloudError> {
    let call = clients.elbv2.delete_target_group().target_group_arn(arn);
    unless(call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:DeleteTargetGroup", error)), is_not_found)
}

pub(super) async fn vpc_endpoint(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let answer = clients.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DeleteVpcEndpoints", error));
    unless(answer.and_then(|answer| unsuccessful("ec2:DeleteVpcEndpoints", answer.unsuccessful())), is_not_found)
}

pub(super) async fn network_interface(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let call = clients.ec2.delete_network_interface().network_interface_id(id);
    unless(call.send().await.map(drop).map_err(|error| failed("ec2:DeleteNetworkInterface", error)), is_not_found)
}

pub(super) async fn volume(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let call = clients.ec2.delete_volume().volume_id(id);
    unless(call.send().await.map(drop).map_err(|error| failed("ec2:DeleteVolume", error)), is_not_found)
}

/// A group that rules of others name cannot be deleted: the cloud controller manager adds such rules to the nodes' group.
pub(super) async fn security_group(clients: &Clients, id: &str) -> Result<(), CloudError> {
    for group in naming(clients, "ip-permission.group-id", id).await? {
        let rules = rules_naming(group.ip_permissions(), id);
        if let Some(other) = group.group_id().filter(|other| *other != id && !rules.is_empty()) {
            let call = clients.ec2.revoke_security_group_ingress().group_id(other).set_ip_permissions(Some(rules));
            let revoked = call.send().await.map(drop).map_err(|error| failed("ec2:RevokeSecurityGroupIngress", error));
            unless(revoked, is_not_found)?;
        }
    }
    for group in naming(clients, "egress.ip-permission.group-id", id).await? {
        let rules = rules_naming(group.ip_permissions_egress(), id);
        if let Some(other) = group.group_id().filter(|other| *other != id && !rules.is_empty()) {
            let call = clients.ec2.revoke_security_group_egress().group_id(other).set_ip_permissions(Some(rules));
            let revoked = call.send().await.map(drop).map_err(|error| failed("ec2:RevokeSecurityGroupEgress", error));
            unless(revoked, is_not_found)?;
        }
    }
    let call = clients.ec2.delete_security_group().group_id(id);
    unless(call.send().await.map(drop).map_err(|error| failed("ec2:DeleteSecurityGroup", error)), is_not_found)
}

async fn naming(clients: &Clients, name: &str, id: &str) -> Result<Vec<SecurityGroup>, CloudError> {
    let pages = clients.ec2.describe_security_groups().filters(filter(name, id)).into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("ec2:DescribeSecurityGroups", error))
}

/// The rules reduced to the one peer.
fn rules_naming(rules: &[IpPermission], id: &str) -> Vec<IpPermission> {
    let reduced = |rule: &IpPermission| {
        let pairs = rule.user_id_group_pairs().iter().filter(|pair| pair.group_id() == Some(id));
        let pairs: Vec<_> = pairs.cloned().collect();
        (!pairs.is_empty()).then(|| {
            IpPermission::builder()
                .set_ip_protocol(rule.ip_protocol().map(str::to_owned))
                .set_from_port(rule.from_port())
                .set_to_port(rule.to_port())
                .set_user_id_group_pairs(Some(pairs))
                .build()
        })
    };
    rules.iter().filter_map(reduced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{IpRange, UserIdGroupPair};

    #[test]
    fn only_the_rules_for_one_peer_are_revoked() {
        let pair = |id: &str| UserIdGroupPair::builder().group_id(id).build();
        let tcp = |port: i32| IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
        let rules = [
            tcp(22).ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").build()).build(),
            tcp(443).user_id_group_pairs(pair("sg-1")).user_id_group_pairs(pair("sg-2")).build(),
            tcp(80).user_id_group_pairs(pair("sg-2")).build(),
        ];
        assert_eq!(rules_naming(&rules, "sg-1"), [tcp(443).user_id_group_pairs(pair("sg-1")).build()]);
    }
}
