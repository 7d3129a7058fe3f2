//! Subnets: blocks of a VPC in one zone, with what instances in them are given at their start.

use super::{Objects, becomes, change, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::create_subnet::CreateSubnetError;
use aws_sdk_ec2::types::{AttributeBooleanValue, HostnameType, ResourceType, Subnet, SubnetIpv6CidrBlockAssociation};
use cloud::{Change, CloudError, ErrorClass, Found, Kind, Readiness, Resolved, canonical_cidr};
use std::collections::BTreeSet;

pub(crate) struct Subnets;

/// What `ModifySubnetAttribute` switches, one in a call.
const SWITCHES: [&str; 5] = ["map_public_ip", "assign_ipv6", "dns64", "resource_name_a_record", "resource_name_aaaa_record"];

#[async_trait]
impl Objects for Subnets {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_subnets().into_paginator().items().send();
        let subnets = pages.try_collect().await.map_err(|error| failed("ec2:DescribeSubnets", error))?;
        Ok(subnets.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let text = |key: &str| object.get(key).map(ToOwned::to_owned);
        let call = clients
            .ec2
            .create_subnet()
            .set_vpc_id(text("vpc"))
            .set_availability_zone(text("zone"))
            .set_cidr_block(text("cidr"))
            .set_ipv6_cidr_block(text("ipv6_cidr"))
            .set_ipv6_native(object.is("ipv6_native").then_some(true))
            .set_tag_specifications(tags::specification(ResourceType::Subnet, object).map(|tags| vec![tags]));
        let call = call.customize().config_override(once::<CreateSubnetError>());
        let answer = call.send().await.map_err(|error| failed("ec2:CreateSubnet", error))?;
        let found = answer.subnet().and_then(read).ok_or_else(|| incomplete("ec2:CreateSubnet", "subnet"))?;
        let mut found = made(found, object, &["vpc", "zone", "cidr", "ipv6_cidr", "ipv6_native"]);
        if object.get("ipv6_cidr").is_some() && !found.outputs.contains_key("ipv6_cidr") {
            found.readiness = Readiness::Pending;
        }
        Ok(found)
    }

    /// What needs an IPv6 block is switched off before the block goes, and on after it came.
    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let to = |value: &'static str| SWITCHES.into_iter().filter(move |switch| becomes(changes, switch) == Some(value));
        for switch in to("false") {
            modify(clients, &found.id, switch, false).await?;
        }
        if let Some(change) = change(changes, "ipv6_cidr") {
            set_ipv6_cidr(clients, &found.id, change.to.as_deref()).await?;
        }
        if let Some(kind) = becomes(changes, "hostname_type") {
            let call = clients.ec2.modify_subnet_attribute().subnet_id(&found.id);
            let call = call.private_dns_hostname_type_on_launch(HostnameType::from(kind));
            call.send().await.map_err(|error| failed("ec2:ModifySubnetAttribute", error))?;
        }
        for switch in to("true") {
            modify(clients, &found.id, switch, true).await?;
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_subnet().subnet_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteSubnet", error)), is_not_found)
    }
}

async fn modify(clients: &Clients, id: &str, switch: &str, on: bool) -> Result<(), CloudError> {
    let (call, value) = (clients.ec2.modify_subnet_attribute().subnet_id(id), AttributeBooleanValue::builder().value(on).build());
    let call = match switch {
        "map_public_ip" => call.map_public_ip_on_launch(value),
        "assign_ipv6" => call.assign_ipv6_address_on_creation(value),
        "dns64" => call.enable_dns64(value),
        "resource_name_a_record" => call.enable_resource_name_dns_a_record_on_launch(value),
        _ => call.enable_resource_name_dns_aaaa_record_on_launch(value),
    };
    call.send().await.map(|_| ()).map_err(|error| failed("ec2:ModifySubnetAttribute", error))
}

/// Another block goes first: a subnet has one at most.
async fn set_ipv6_cidr(clients: &Clients, id: &str, wanted: Option<&str>) -> Result<(), CloudError> {
    let current = describe(clients, id).await?;
    let others = current.iter().filter(|association| block(association).as_deref() != wanted);
    for association in others.filter_map(|association| association.association_id()) {
        let answer = clients.ec2.disassociate_subnet_cidr_block().association_id(association).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DisassociateSubnetCidrBlock", error)), is_not_found)?;
    }
    let Some(wanted) = wanted else { return Ok(()) };
    if !current.iter().any(|association| block(association).as_deref() == Some(wanted)) {
        let call = clients.ec2.associate_subnet_cidr_block().subnet_id(id).ipv6_cidr_block(wanted);
        call.send().await.map_err(|error| failed("ec2:AssociateSubnetCidrBlock", error))?;
    }
    // Attributes that need the block are refused until it is associated: the caller tries again.
    if describe(clients, id).await?.iter().any(|one| block(one).as_deref() == Some(wanted) && is_associated(one)) {
        return Ok(());
    }
    let message = format!("{wanted} is still not associated with {id}");
    let operation = "ec2:AssociateSubnetCidrBlock".to_owned();
    Err(CloudError { operation, class: ErrorClass::Dependency, code: String::new(), message })
}

async fn describe(clients: &Clients, id: &str) -> Result<Vec<SubnetIpv6CidrBlockAssociation>, CloudError> {
    let answer = clients.ec2.describe_subnets().subnet_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeSubnets", error))?;
    let associations = answer.subnets().iter().flat_map(Subnet::ipv6_cidr_block_association_set);
    Ok(associations.filter(|association| is_there(association)).cloned().collect())
}

fn block(association: &SubnetIpv6CidrBlockAssociation) -> Option<String> {
    association.ipv6_cidr_block().map(canonical_cidr)
}

fn state(association: &SubnetIpv6CidrBlockAssociation) -> Option<&str> {
    Some(association.ipv6_cidr_block_state()?.state()?.as_str())
}

/// States that nobody knows yet count as being there.
fn is_associated(association: &SubnetIpv6CidrBlockAssociation) -> bool {
    is_there(association) && state(association) != Some("associating")
}

fn is_there(association: &SubnetIpv6CidrBlockAssociation) -> bool {
    !matches!(state(association), Some("disassociating" | "disassociated" | "failing" | "failed"))
}

fn read(subnet: &Subnet) -> Option<Found> {
    let mut found = Found::new(Kind::Subnet, subnet.subnet_id()?);
    let associated = subnet.ipv6_cidr_block_association_set().iter().find(|association| is_there(association));
    if subnet.state().is_some_and(|state| state.as_str() == "pending") || associated.is_some_and(|one| !is_associated(one)) {
        found.readiness = Readiness::Pending;
    }
    let native = subnet.ipv6_native().unwrap_or_default();
    put(&mut found, "vpc", subnet.vpc_id());
    put(&mut found, "zone", subnet.availability_zone());
    put(&mut found, "cidr", subnet.cidr_block().filter(|cidr| !cidr.is_empty() && !native));
    put(&mut found, "ipv6_native", Some(native));
    put(&mut found, "map_public_ip", Some(subnet.map_public_ip_on_launch().unwrap_or_default()));
    put(&mut found, "assign_ipv6", Some(subnet.assign_ipv6_address_on_creation().unwrap_or_default()));
    put(&mut found, "dns64", Some(subnet.enable_dns64().unwrap_or_default()));
    let names = subnet.private_dns_name_options_on_launch();
    put(&mut found, "hostname_type", names.and_then(|names| names.hostname_type()).map(|kind| kind.as_str()));
    let (a, aaaa) = (
        names.and_then(|names| names.enable_resource_name_dns_a_record()),
        names.and_then(|names| names.enable_resource_name_dns_aaaa_record()),
    );
    put(&mut found, "resource_name_a_record", Some(a.unwrap_or_default()));
    put(&mut found, "resource_name_aaaa_record", Some(aaaa.unwrap_or_default()));
    let cidr = associated.and_then(block);
    put(&mut found, "ipv6_cidr", cidr.as_deref());
    found.outputs.extend(cidr.map(|cidr| ("ipv6_cidr".to_owned(), cidr)));
    tags::read(Some(subnet.tags()), &mut found.settings);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{SubnetCidrBlockState, SubnetCidrBlockStateCode as Code};

    #[track_caller]
    fn check(states: &[(Code, &str)], cidr: Option<&str>, readiness: &Readiness) {
        let mut subnet = Subnet::builder().subnet_id("subnet-1");
        for (state, cidr) in states {
            let state = SubnetCidrBlockState::builder().state(state.clone()).build();
            let block = SubnetIpv6CidrBlockAssociation::builder().ipv6_cidr_block(*cidr).ipv6_cidr_block_state(state);
            subnet = subnet.ipv6_cidr_block_association_set(block.build());
        }
        let found = read(&subnet.build()).unwrap();
        assert_eq!(found.settings.get("ipv6_cidr").map(String::as_str), cidr);
        assert_eq!(&found.readiness, readiness);
    }

    #[test]
    fn the_block_that_is_there_or_coming_is_shown() {
        check(&[], None, &Readiness::Ready);
        check(
            &[(Code::Disassociated, "2001:db8::/64"), (Code::Associated, "2001:db8:0:1::/64")],
            Some("2001:db8:0:1::/64"),
            &Readiness::Ready,
        );
        check(&[(Code::Associating, "2001:db8::/64")], Some("2001:db8::/64"), &Readiness::Pending);
        check(&[(Code::Associated, "2001:0DB8:0::/64")], Some("2001:db8::/64"), &Readiness::Ready);
        check(&[(Code::Disassociating, "2001:db8::/64")], None, &Readiness::Ready);
    }
}
