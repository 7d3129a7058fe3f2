//! The network interfaces of a VPC, each as what it is a part of: an instance, a load balancer, or something else that AWS runs there.

use super::occupant;
use crate::clients::Clients;
use crate::error::failed;
use crate::objects::load_balancer;
use crate::queries::leftovers::{classic, filter};
use aws_sdk_ec2::types::{NatGateway, NetworkInterface, NetworkInterfaceType, VpcEndpoint};
use cloud::{CloudError, Occupant, Stay};
use std::collections::BTreeSet;

/// How Elastic Load Balancing describes its interfaces: `ELB net/<name>/<number>`, of classic load balancers `ELB <name>`.
const ELB: &str = "ELB ";

/// `nat_gateways` and `endpoints` are those of the VPC: their interfaces go with them.
pub(super) async fn occupants(
    clients: &Clients,
    vpc_id: &str,
    nat_gateways: &[NatGateway],
    endpoints: &[VpcEndpoint],
) -> Result<Vec<Occupant>, CloudError> {
    let interfaces = async {
        let call = clients.ec2.describe_network_interfaces().filters(filter("vpc-id", vpc_id)).max_results(1000);
        let all = call.into_paginator().items().send().try_collect().await;
        all.map_err(|error| failed("ec2:DescribeNetworkInterfaces", error))
    };
    let (interfaces, balancers, classic) =
        futures::try_join!(interfaces, load_balancer::all(clients), classic::names(clients, vpc_id))?;
    let known = Known {
        parts: parts(nat_gateways, endpoints),
        balancers: balancers.iter().filter_map(|one| one.load_balancer_arn()).collect(),
        classic: classic.iter().map(String::as_str).collect(),
    };
    // An instance or a load balancer has several.
    let occupants: BTreeSet<Occupant> = interfaces.iter().filter_map(|interface| known.occupant(interface)).collect();
    Ok(occupants.into_iter().collect())
}

fn parts<'a>(nat_gateways: &'a [NatGateway], endpoints: &'a [VpcEndpoint]) -> BTreeSet<&'a str> {
    let addresses = nat_gateways.iter().flat_map(|gateway| gateway.nat_gateway_addresses());
    let of_gateways = addresses.filter_map(|address| address.network_interface_id());
    let of_endpoints = endpoints.iter().flat_map(|endpoint| endpoint.network_interface_ids()).map(String::as_str);
    of_gateways.chain(of_endpoints).collect()
}

/// What interfaces can be a part of.
struct Known<'a> {
    /// Interfaces of what is listed by itself.
    parts: BTreeSet<&'a str>,
    balancers: Vec<&'a str>,
    classic: BTreeSet<&'a str>,
}

impl Known<'_> {
    /// `None` for a part of what is listed by itself.
    fn occupant(&self, interface: &NetworkInterface) -> Option<Occupant> {
        let id = interface.network_interface_id().unwrap_or_default();
        // A transit gateway's go with its attachment.
        let is_listed = interface.interface_type() == Some(&NetworkInterfaceType::TransitGateway);
        if is_listed || self.parts.contains(id) {
            return None;
        }
        if let Some(instance) = interface.attachment().and_then(|attachment| attachment.instance_id()) {
            return Some(occupant("instance", Some(instance), None, Stay::Remains));
        }
        let description = interface.description();
        if let Some(name) = description.and_then(|description| description.strip_prefix(ELB)) {
            return Some(match self.load_balancer(name) {
                Some(id) => occupant("load balancer", Some(id), Some(name), Stay::Remains),
                None => occupant("network interface", Some(id), description, Stay::Leaving),
            });
        }
        let stay = if interface.requester_managed() == Some(true) { Stay::Managed } else { Stay::Remains };
        Some(occupant("network interface", Some(id), description, stay))
    }

    fn load_balancer(&self, name: &str) -> Option<&str> {
        let suffix = format!(":loadbalancer/{name}");
        let arn = self.balancers.iter().copied().find(|arn| arn.ends_with(&suffix));
        arn.or_else(|| self.classic.get(name).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::NetworkInterfaceAttachment;
    use aws_sdk_ec2::types::builders::NetworkInterfaceBuilder;

    #[track_caller]
    fn check(change: impl Fn(NetworkInterfaceBuilder) -> NetworkInterfaceBuilder, expect: Option<(&str, &str, Stay)>) {
        let known = Known {
            parts: ["eni-of-nat"].into(),
            balancers: vec!["arn:aws:elasticloadbalancing:x:1:loadbalancer/net/api/50dc"],
            classic: ["web"].into(),
        };
        let interface = change(NetworkInterface::builder().network_interface_id("eni-1")).build();
        let found = known.occupant(&interface);
        assert_eq!(found.as_ref().map(|one| (one.kind, one.id.as_str(), one.stay)), expect);
    }

    #[test]
    fn interfaces_are_parts_of_something() {
        check(|eni| eni, Some(("network interface", "eni-1", Stay::Remains)));
        check(|eni| eni.network_interface_id("eni-of-nat"), None);
        check(|eni| eni.interface_type(NetworkInterfaceType::TransitGateway), None);
        let attachment = NetworkInterfaceAttachment::builder().instance_id("i-1").build();
        check(|eni| eni.attachment(attachment.clone()), Some(("instance", "i-1", Stay::Remains)));
        let lambda = "AWS Lambda VPC ENI-fn-50dc";
        check(|eni| eni.description(lambda).requester_managed(true), Some(("network interface", "eni-1", Stay::Managed)));
    }

    #[test]
    fn interfaces_of_a_load_balancer_that_is_gone_are_leaving() {
        let arn = "arn:aws:elasticloadbalancing:x:1:loadbalancer/net/api/50dc";
        check(|eni| eni.description("ELB net/api/50dc"), Some(("load balancer", arn, Stay::Remains)));
        check(|eni| eni.description("ELB web"), Some(("load balancer", "web", Stay::Remains)));
        check(|eni| eni.description("ELB net/api/ffff"), Some(("network interface", "eni-1", Stay::Leaving)));
    }
}
