//! VPCs with their blocks of addresses, their DNS attributes and the DHCP options that they use.

mod blocks;

use super::dhcp_options::defaults_of_region;
use super::{Objects, becomes, change, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, unless, unusable};
use async_trait::async_trait;
use aws_sdk_ec2::operation::create_vpc::CreateVpcError;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Tenancy, Vpc, VpcAttributeName};
use blocks::Ipv6;
use cloud::{Change, CloudError, Found, Kind, OBJECT_TAG, Readiness, Resolved};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;

pub(crate) struct Vpcs;

/// In an order in which they can be switched on: names for hosts need DNS. They are switched off in the opposite one.
const ATTRIBUTES: [(&str, VpcAttributeName); 3] = [
    ("dns_support", VpcAttributeName::EnableDnsSupport),
    ("dns_hostnames", VpcAttributeName::EnableDnsHostnames),
    ("network_address_usage_metrics", VpcAttributeName::EnableNetworkAddressUsageMetrics),
];
/// Which IPAM pool a block came from is recorded only here.
pub(super) const IPV6_TAG: &str = "k8s-hardway/ipv6";
const AT_ONCE: usize = 8;

#[async_trait]
impl Objects for Vpcs {
    /// Attributes cost a call each: they are read of VPCs that we made, and of those whose ids are given.
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_vpcs().into_paginator().items().send();
        let vpcs = pages.try_collect().await.map_err(|error| failed("ec2:DescribeVpcs", error))?;
        let is_wanted = |found: &Found| found.tag(OBJECT_TAG).is_some() || names.contains(&found.id);
        let (wanted, others): (Vec<Found>, Vec<Found>) = vpcs.iter().filter_map(read).partition(is_wanted);
        if wanted.is_empty() {
            return Ok(others);
        }
        let default_options = defaults_of_region(clients).await?;
        let wanted = stream::iter(wanted).map(|found| with_attributes(clients, found)).buffered(AT_ONCE);
        let mut all: Vec<Found> = wanted.try_filter_map(|found| async { Ok(found) }).try_collect().await?;
        for options in all.iter_mut().filter_map(|found| found.settings.get_mut("dhcp_options")) {
            *options = shown_options(options, &default_options).to_owned();
        }
        all.extend(others);
        Ok(all)
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let ipv6 = object.get("ipv6").map(|text| Ipv6::parse(text, "ec2:CreateVpc")).transpose()?;
        let mut specification = tags::specification(ResourceType::Vpc, object);
        if let (Some(Ipv6::Ipam { .. }), Some(text)) = (&ipv6, object.get("ipv6")) {
            specification = Some(tags::with(specification, ResourceType::Vpc, IPV6_TAG, text));
        }
        let call = clients
            .ec2
            .create_vpc()
            .set_cidr_block(object.get("cidr").map(Into::into))
            .set_instance_tenancy(object.get("tenancy").map(Tenancy::from))
            .set_tag_specifications(specification.map(|tags| vec![tags]));
        let call = match ipv6 {
            None => call,
            Some(Ipv6::Amazon) => call.amazon_provided_ipv6_cidr_block(true),
            Some(Ipv6::Ipam { pool, length }) => call.ipv6_ipam_pool_id(pool).ipv6_netmask_length(length),
            Some(Ipv6::Pool { pool, cidr }) => call.ipv6_pool(pool).ipv6_cidr_block(cidr),
        };
        let call = call.customize().config_override(once::<CreateVpcError>());
        let answer = call.send().await.map_err(|error| failed("ec2:CreateVpc", error))?;
        let found = answer.vpc().and_then(read).ok_or_else(|| incomplete("ec2:CreateVpc", "VPC"))?;
        let mut found = made(found, object, &["cidr", "tenancy", "ipv6"]);
        // A new VPC has these (documentation of ModifyVpcAttribute), and the region's own DHCP options.
        for (setting, value) in [("dns_support", true), ("dns_hostnames", false), ("network_address_usage_metrics", false)] {
            put(&mut found, setting, Some(value));
        }
        put(&mut found, "dhcp_options", Some("default"));
        if object.get("ipv6").is_some() && !found.outputs.contains_key("ipv6_cidr") {
            found.readiness = Readiness::Pending;
        }
        Ok(found)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        if let Some(change) = change(changes, "ipv6") {
            blocks::set_ipv6(clients, &found.id, change.to.as_deref()).await?;
        }
        blocks::set_secondary(clients, &found.id, changes).await?;
        let off = ATTRIBUTES.iter().rev().filter(|(setting, _)| becomes(changes, setting) == Some("false"));
        for (attribute, on) in off.map(|(_, name)| (name, false)).chain(
            ATTRIBUTES.iter().filter(|(setting, _)| becomes(changes, setting) == Some("true")).map(|(_, name)| (name, true)),
        ) {
            modify(clients, &found.id, attribute, on).await?;
        }
        if let Some(options) = becomes(changes, "dhcp_options") {
            let of_region = if options == "default" { defaults_of_region(clients).await? } else { Vec::new() };
            let options = options_to_send(options, &of_region)?;
            let call = clients.ec2.associate_dhcp_options().vpc_id(&found.id).dhcp_options_id(options);
            call.send().await.map_err(|error| failed("ec2:AssociateDhcpOptions", error))?;
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_vpc().vpc_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteVpc", error)), is_not_found)
    }
}

async fn modify(clients: &Clients, id: &str, attribute: &VpcAttributeName, on: bool) -> Result<(), CloudError> {
    let (call, value) = (clients.ec2.modify_vpc_attribute().vpc_id(id), AttributeBooleanValue::builder().value(on).build());
    let call = match attribute {
        VpcAttributeName::EnableDnsSupport => call.enable_dns_support(value),
        VpcAttributeName::EnableDnsHostnames => call.enable_dns_hostnames(value),
        _ => call.enable_network_address_usage_metrics(value),
    };
    call.send().await.map(|_| ()).map_err(|error| failed("ec2:ModifyVpcAttribute", error))
}

/// The region's own set is what we call "default". To AWS that is none at all, which is another thing where the region has a set.
fn shown_options<'a>(options: &'a str, of_region: &[String]) -> &'a str {
    match options {
        "default" if !of_region.is_empty() => "none",
        _ if of_region.iter().any(|id| id == options) => "default",
        _ => options,
    }
}

/// "default" is never sent: to AWS it means none at all, which leaves hosts without name servers.
fn options_to_send<'a>(options: &'a str, of_region: &'a [String]) -> Result<&'a str, CloudError> {
    match (options, of_region.first()) {
        ("default", Some(id)) => Ok(id),
        ("default", None) => Err(unusable(
            "ec2:AssociateDhcpOptions",
            "the region's own set of DHCP options (AmazonProvidedDNS and the region's domain) is gone: create one with that \
             content, or declare dhcp_options",
        )),
        _ => Ok(options),
    }
}

/// `None` when it went meanwhile.
async fn with_attributes(clients: &Clients, mut found: Found) -> Result<Option<Found>, CloudError> {
    let id = found.id.clone();
    let attributes = ATTRIBUTES.iter().map(|(setting, attribute)| {
        let call = clients.ec2.describe_vpc_attribute().vpc_id(&id).attribute(attribute.clone());
        async move {
            let answer = call.send().await.map_err(|error| failed("ec2:DescribeVpcAttribute", error))?;
            let values = [answer.enable_dns_support, answer.enable_dns_hostnames, answer.enable_network_address_usage_metrics];
            Ok((*setting, values.into_iter().flatten().find_map(|value| value.value).unwrap_or_default()))
        }
    });
    match futures::future::try_join_all(attributes).await {
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(attributes) => {
            attributes.into_iter().for_each(|(setting, value)| put(&mut found, setting, Some(value)));
            Ok(Some(found))
        }
    }
}

fn read(vpc: &Vpc) -> Option<Found> {
    let mut found = Found::new(Kind::Vpc, vpc.vpc_id()?);
    if vpc.state().is_some_and(|state| state.as_str() == "pending") {
        found.readiness = Readiness::Pending;
    }
    put(&mut found, "cidr", vpc.cidr_block());
    put(&mut found, "tenancy", vpc.instance_tenancy().map(|tenancy| tenancy.as_str()));
    put(&mut found, "dhcp_options", vpc.dhcp_options_id());
    tags::read(Some(vpc.tags()), &mut found.settings);
    blocks::read(vpc, &mut found);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dhcp_options_are_not_the_regions_own() {
        let of_region = ["dopt-1".to_owned(), "dopt-3".to_owned()];
        assert_eq!(shown_options("dopt-1", &of_region), "default");
        assert_eq!(shown_options("dopt-3", &of_region), "default");
        assert_eq!(shown_options("dopt-2", &of_region), "dopt-2");
        assert_eq!(shown_options("default", &of_region), "none");
        // Where there is no set of the region's own, none can be associated.
        assert_eq!(shown_options("default", &[]), "default");
    }

    #[test]
    fn a_vpc_is_not_left_without_name_servers() {
        let of_region = ["dopt-1".to_owned()];
        assert_eq!(options_to_send("default", &of_region), Ok("dopt-1"));
        assert_eq!(options_to_send("dopt-2", &of_region), Ok("dopt-2"));
        assert!(options_to_send("default", &[]).is_err_and(|error| error.message.contains("DHCP options")));
    }
}
