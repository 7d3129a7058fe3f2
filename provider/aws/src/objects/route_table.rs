//! Route tables with their routes and the subnets that use them. The main table of a VPC is not shown: it is AWS' own.

use super::{Objects, below, made, put, tags};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, is_there, unless, unusable};
use async_trait::async_trait;
use aws_sdk_ec2::types::{self, Filter, ResourceType, RouteOrigin, RouteTable, RouteTableAssociation};
use cloud::{Change, CloudError, Found, Kind, Resolved, Route, RouteTarget, Unreadable};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct RouteTables;

#[async_trait]
impl Objects for RouteTables {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_route_tables().into_paginator().items().send();
        let tables = pages.try_collect().await.map_err(|error| failed("ec2:DescribeRouteTables", error))?;
        Ok(tables.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let tags = tags::specification(ResourceType::RouteTable, object).map(|tags| vec![tags]);
        let call = clients.ec2.create_route_table().client_token(&object.token).set_tag_specifications(tags);
        let answer = call.set_vpc_id(object.get("vpc").map(Into::into)).send().await;
        let answer = answer.map_err(|error| failed("ec2:CreateRouteTable", error))?;
        let found = answer.route_table().and_then(read).ok_or_else(|| incomplete("ec2:CreateRouteTable", "route table"))?;
        Ok(made(found, object, &["vpc"]))
    }

    /// Routes before subnets: a subnet that comes finds its way out, and the old one while it waits.
    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        for change in changes {
            if let Ok(route) = change.key.parse::<Route>() {
                set_route(clients, &found.id, route, change).await?;
            }
        }
        let subnets: BTreeMap<&str, bool> =
            below(changes, "subnet").map(|(subnet, change)| (subnet, change.to.is_some())).collect();
        if !subnets.is_empty() {
            let current = associations(clients, "association.subnet-id", subnets.keys().copied()).await?;
            for (subnet, wanted) in subnets {
                let current = current.iter().find(|association| association.subnet_id() == Some(subnet));
                set_subnet(clients, &found.id, subnet, current, wanted).await?;
            }
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        for association in associations(clients, "route-table-id", [found.id.as_str()]).await? {
            disassociate(clients, &association).await?;
        }
        let answer = clients.ec2.delete_route_table().route_table_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteRouteTable", error)), is_not_found)
    }
}

async fn set_route(clients: &Clients, table: &str, route: Route, change: &Change) -> Result<(), CloudError> {
    let Some(target) = change.to.as_deref() else {
        let (v4, v6) = by_family(route);
        let call = clients.ec2.delete_route().route_table_id(table);
        let answer = call.set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6).send().await;
        return unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteRoute", error)), is_not_found);
    };
    let target: RouteTarget = target.parse().map_err(|error: Unreadable| unusable("ec2:CreateRoute", error.to_string()))?;
    let result = match change.from {
        Some(_) => replace_route(clients, table, route, &target).await,
        None => create_route(clients, table, route, &target).await,
    };
    match result {
        Err(error) if is_there(&error) => replace_route(clients, table, route, &target).await,
        Err(error) if change.from.is_some() && lacks_route(&error) => create_route(clients, table, route, &target).await,
        result => result,
    }
}

/// Said of a route that is not there to be replaced, which has no code of its own.
fn lacks_route(error: &CloudError) -> bool {
    error.code == "InvalidRoute.NotFound" || error.message.contains("no route defined")
}

/// CreateRoute and ReplaceRoute take the same parameters, in types of their own.
macro_rules! to_target {
    ($call:expr, $target:expr) => {
        match $target {
            RouteTarget::Gateway(id) => $call.gateway_id(id),
            RouteTarget::NatGateway(id) => $call.nat_gateway_id(id),
            RouteTarget::EgressOnlyGateway(id) => $call.egress_only_internet_gateway_id(id),
            RouteTarget::Interface(id) => $call.network_interface_id(id),
            RouteTarget::Instance(id) => $call.instance_id(id),
            RouteTarget::TransitGateway(id) => $call.transit_gateway_id(id),
            RouteTarget::Peering(id) => $call.vpc_peering_connection_id(id),
            RouteTarget::Declared(key) => return Err(unusable("ec2:CreateRoute", format!("{key} is not there"))),
        }
    };
}

async fn create_route(clients: &Clients, table: &str, route: Route, target: &RouteTarget) -> Result<(), CloudError> {
    let (v4, v6) = by_family(route);
    let call =
        clients.ec2.create_route().route_table_id(table).set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6);
    to_target!(call, target).send().await.map(|_| ()).map_err(|error| failed("ec2:CreateRoute", error))
}

async fn replace_route(clients: &Clients, table: &str, route: Route, target: &RouteTarget) -> Result<(), CloudError> {
    let (v4, v6) = by_family(route);
    let call =
        clients.ec2.replace_route().route_table_id(table).set_destination_cidr_block(v4).set_destination_ipv6_cidr_block(v6);
    to_target!(call, target).send().await.map(|_| ()).map_err(|error| failed("ec2:ReplaceRoute", error))
}

fn by_family(route: Route) -> (Option<String>, Option<String>) {
    match route.destination {
        IpNet::V6(network) => (None, Some(network.to_string())),
        IpNet::V4(network) => (Some(network.to_string()), None),
    }
}

async fn set_subnet(
    clients: &Clients,
    table: &str,
    subnet: &str,
    current: Option<&RouteTableAssociation>,
    wanted: bool,
) -> Result<(), CloudError> {
    let is_ours = |association: &RouteTableAssociation| association.route_table_id() == Some(table);
    match (current, wanted) {
        (Some(association), true) if is_ours(association) => Ok(()),
        (Some(association), true) => {
            let call = clients.ec2.replace_route_table_association().route_table_id(table);
            let answer = call.set_association_id(association.route_table_association_id().map(Into::into)).send().await;
            answer.map(|_| ()).map_err(|error| failed("ec2:ReplaceRouteTableAssociation", error))
        }
        (None, true) => {
            let answer = clients.ec2.associate_route_table().route_table_id(table).subnet_id(subnet).send().await;
            answer.map(|_| ()).map_err(|error| failed("ec2:AssociateRouteTable", error))
        }
        (Some(association), false) if is_ours(association) => disassociate(clients, association).await,
        // It has gone to another table meanwhile, or to none.
        (_, false) => Ok(()),
    }
}

async fn disassociate(clients: &Clients, association: &RouteTableAssociation) -> Result<(), CloudError> {
    let call = clients.ec2.disassociate_route_table();
    let answer = call.set_association_id(association.route_table_association_id().map(Into::into)).send().await;
    unless(answer.map(|_| ()).map_err(|error| failed("ec2:DisassociateRouteTable", error)), is_not_found)
}

async fn associations<'a>(
    clients: &Clients,
    filter: &str,
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<RouteTableAssociation>, CloudError> {
    let values = values.into_iter().map(ToOwned::to_owned).collect();
    let filter = Filter::builder().name(filter).set_values(Some(values)).build();
    let pages = clients.ec2.describe_route_tables().filters(filter).into_paginator().items().send();
    let tables = pages.try_collect().await.map_err(|error| failed("ec2:DescribeRouteTables", error))?;
    let associations = tables.into_iter().flat_map(|table| table.associations.unwrap_or_default());
    Ok(associations.filter(|association| association.subnet_id().is_some() && is_associated(association)).collect())
}

fn is_associated(association: &RouteTableAssociation) -> bool {
    let state = association.association_state().and_then(|state| state.state()).map(|state| state.as_str());
    !matches!(state, Some("disassociating" | "disassociated" | "failed"))
}

fn read(table: &RouteTable) -> Option<Found> {
    if table.associations().iter().any(|association| association.main() == Some(true)) {
        return None;
    }
    let mut found = Found::new(Kind::RouteTable, table.route_table_id()?);
    put(&mut found, "vpc", table.vpc_id());
    for (route, target) in table.routes().iter().filter_map(read_route) {
        put(&mut found, &route.to_string(), Some(target));
    }
    for subnet in table.associations().iter().filter(|one| is_associated(one)).filter_map(|one| one.subnet_id()) {
        put(&mut found, &format!("subnet {subnet}"), Some(""));
    }
    tags::read(Some(table.tags()), &mut found.settings);
    Some(found)
}

/// A route, and the id of its target, that somebody made: not those that AWS has put there for the VPC itself, for a gateway
/// endpoint, or propagated by a virtual gateway or route server.
fn read_route(route: &types::Route) -> Option<(Route, &str)> {
    if matches!(route.origin(), Some(RouteOrigin::EnableVgwRoutePropagation | RouteOrigin::Advertisement)) {
        return None;
    }
    let destination = route.destination_cidr_block().or(route.destination_ipv6_cidr_block())?;
    let targets = [
        route.nat_gateway_id(),
        route.egress_only_internet_gateway_id(),
        route.gateway_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.transit_gateway_id(),
        route.vpc_peering_connection_id(),
        route.local_gateway_id(),
        route.carrier_gateway_id(),
        route.core_network_arn(),
    ];
    let target = targets.into_iter().flatten().find(|target| !target.is_empty())?;
    let destination = destination.parse().ok()?;
    (target != "local" && !target.starts_with("vpce-")).then_some((Route { destination }, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{RouteState, builders::RouteBuilder};

    #[track_caller]
    fn check(route: RouteBuilder, expect: Option<(&str, &str)>) {
        let route = route.build();
        let found = read_route(&route).map(|(route, target)| (route.destination.to_string(), target));
        assert_eq!(found.as_ref().map(|(destination, target)| (destination.as_str(), *target)), expect);
    }

    #[test]
    fn routes_of_aws_itself_are_not_shown() {
        let to = |cidr: &str| types::Route::builder().destination_cidr_block(cidr);
        check(to("10.0.0.0/16").gateway_id("local"), None);
        check(types::Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1"), None);
        check(to("10.9.0.0/16").gateway_id("vgw-1").origin(RouteOrigin::EnableVgwRoutePropagation), None);
        check(to("0.0.0.0/0").gateway_id("igw-1"), Some(("0.0.0.0/0", "igw-1")));
        check(to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole), Some(("0.0.0.0/0", "nat-1")));
        check(to("10.1.0.0/16").instance_id("i-1").network_interface_id("eni-1"), Some(("10.1.0.0/16", "eni-1")));
        let v6 = types::Route::builder().destination_ipv6_cidr_block("::/0").egress_only_internet_gateway_id("eigw-1");
        check(v6, Some(("::/0", "eigw-1")));
    }

    #[test]
    fn the_main_table_is_not_shown() {
        let main = RouteTableAssociation::builder().main(true).build();
        assert!(read(&RouteTable::builder().route_table_id("rtb-1").associations(main).build()).is_none());
    }
}
