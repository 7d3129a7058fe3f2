//! What stands in a VPC or is attached to it, whoever made it: AWS deletes no VPC while something does.

mod attached;
mod interfaces;

use crate::clients::Clients;
use crate::error::failed;
use aws_sdk_ec2::types::{NatGateway, NatGatewayState, Tag, VpcEndpoint};
use cloud::{CloudError, Occupant, Stay};

use super::leftovers::filter;

pub(crate) async fn occupants(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let (nat_gateways, endpoints) = futures::try_join!(nat_gateways(clients, vpc_id), endpoints(clients, vpc_id))?;
    let (interfaces, attached, parts) = futures::try_join!(
        interfaces::occupants(clients, vpc_id, &nat_gateways, &endpoints),
        attached::occupants(clients, vpc_id),
        parts(clients, vpc_id),
    )?;
    let nat_gateways = nat_gateways.iter().map(of_nat_gateway).collect();
    let endpoints = endpoints.iter().map(of_endpoint).collect();
    Ok([interfaces, nat_gateways, endpoints, attached, parts].concat())
}

async fn nat_gateways(clients: &Clients, vpc_id: &str) -> Result<Vec<NatGateway>, CloudError> {
    let pages = clients.ec2.describe_nat_gateways().filter(filter("vpc-id", vpc_id)).into_paginator().items().send();
    let all = pages.try_collect().await.map_err(|error| failed("ec2:DescribeNatGateways", error))?;
    let is_there = |gateway: &NatGateway| !matches!(gateway.state(), Some(NatGatewayState::Deleted | NatGatewayState::Failed));
    Ok(all.into_iter().filter(is_there).collect())
}

fn of_nat_gateway(gateway: &NatGateway) -> Occupant {
    let stay = if gateway.state() == Some(&NatGatewayState::Deleting) { Stay::Leaving } else { Stay::Remains };
    occupant("NAT gateway", gateway.nat_gateway_id(), name(gateway.tags()), stay)
}

async fn endpoints(clients: &Clients, vpc_id: &str) -> Result<Vec<VpcEndpoint>, CloudError> {
    let pages = clients.ec2.describe_vpc_endpoints().filters(filter("vpc-id", vpc_id)).into_paginator().items().send();
    let all = pages.try_collect().await.map_err(|error| failed("ec2:DescribeVpcEndpoints", error))?;
    Ok(all.into_iter().filter(|endpoint| state_of(endpoint) != "deleted").collect())
}

/// AWS writes it with and without a capital.
fn state_of(endpoint: &VpcEndpoint) -> String {
    endpoint.state().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default()
}

fn of_endpoint(endpoint: &VpcEndpoint) -> Occupant {
    let stay = if state_of(endpoint) == "deleting" { Stay::Leaving } else { Stay::Remains };
    occupant("VPC endpoint", endpoint.vpc_endpoint_id(), endpoint.service_name(), stay)
}

/// What a VPC is made of. What AWS makes with it goes with it: the main route table, the group and the list named `default`.
async fn parts(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let of_vpc = || filter("vpc-id", vpc_id);
    let subnets = async {
        let pages = clients.ec2.describe_subnets().filters(of_vpc()).into_paginator().items().send();
        pages.try_collect().await.map_err(|error| failed("ec2:DescribeSubnets", error))
    };
    let groups = async {
        let pages = clients.ec2.describe_security_groups().filters(of_vpc()).into_paginator().items().send();
        pages.try_collect().await.map_err(|error| failed("ec2:DescribeSecurityGroups", error))
    };
    let tables = async {
        let pages = clients.ec2.describe_route_tables().filters(of_vpc()).into_paginator().items().send();
        pages.try_collect().await.map_err(|error| failed("ec2:DescribeRouteTables", error))
    };
    let lists = async {
        let pages = clients.ec2.describe_network_acls().filters(of_vpc()).into_paginator().items().send();
        pages.try_collect().await.map_err(|error| failed("ec2:DescribeNetworkAcls", error))
    };
    let (subnets, groups, tables, lists) = futures::try_join!(subnets, groups, tables, lists)?;
    let remains = |kind, id, name| occupant(kind, id, name, Stay::Remains);
    let subnets = subnets.iter().map(|one| remains("subnet", one.subnet_id(), name(one.tags())));
    let groups = groups.iter().filter(|one| one.group_name() != Some("default"));
    let groups = groups.map(|one| remains("security group", one.group_id(), one.group_name()));
    let tables = tables.iter().filter(|one| !one.associations().iter().any(|to| to.main() == Some(true)));
    let tables = tables.map(|one| remains("route table", one.route_table_id(), name(one.tags())));
    let lists = lists.iter().filter(|one| one.is_default() != Some(true));
    let lists = lists.map(|one| remains("network ACL", one.network_acl_id(), name(one.tags())));
    Ok(subnets.chain(groups).chain(tables).chain(lists).collect())
}

fn occupant(kind: &'static str, id: Option<&str>, description: Option<&str>, stay: Stay) -> Occupant {
    Occupant { kind, id: id.unwrap_or_default().to_owned(), description: description.unwrap_or_default().to_owned(), stay }
}

fn name(tags: &[Tag]) -> Option<&str> {
    tags.iter().find(|tag| tag.key() == Some("Name")).and_then(Tag::value)
}
