//! NAT gateways: nothing of them can change but their tags, and both their start and their end take minutes.

use super::{Objects, made, put, tags};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::types::{ConnectivityType, NatGateway, ResourceType};
use cloud::{Change, CloudError, Found, Kind, Readiness, Resolved};
use std::collections::BTreeSet;

pub(crate) struct NatGateways;

#[async_trait]
impl Objects for NatGateways {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_nat_gateways().into_paginator().items().send();
        let gateways = pages.try_collect().await.map_err(|error| failed("ec2:DescribeNatGateways", error))?;
        Ok(gateways.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let call = clients
            .ec2
            .create_nat_gateway()
            .client_token(&object.token)
            .set_subnet_id(object.get("subnet").map(Into::into))
            .set_allocation_id(object.get("allocation").map(Into::into))
            .set_connectivity_type(object.get("connectivity").map(ConnectivityType::from))
            .set_tag_specifications(tags::specification(ResourceType::Natgateway, object).map(|tags| vec![tags]));
        let answer = call.send().await.map_err(|error| failed("ec2:CreateNatGateway", error))?;
        let found = answer.nat_gateway().and_then(read).ok_or_else(|| incomplete("ec2:CreateNatGateway", "NAT gateway"))?;
        Ok(made(found, object, &["subnet", "allocation", "connectivity"]))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_nat_gateway().nat_gateway_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteNatGateway", error)), is_not_found)
    }
}

/// `None` for one that is gone: AWS shows it for an hour more.
fn read(gateway: &NatGateway) -> Option<Found> {
    let mut found = Found::new(Kind::NatGateway, gateway.nat_gateway_id()?);
    found.readiness = match gateway.state().map(|state| state.as_str()) {
        Some("deleted") => return None,
        Some("deleting") => Readiness::Leaving,
        Some("pending") => Readiness::Pending,
        Some("failed") => Readiness::Failed(gateway.failure_message().or(gateway.failure_code()).unwrap_or("failed").to_owned()),
        _ => Readiness::Ready,
    };
    let addresses = gateway.nat_gateway_addresses();
    let address = addresses.iter().find(|address| address.is_primary() == Some(true)).or(addresses.first());
    put(&mut found, "subnet", gateway.subnet_id());
    put(&mut found, "allocation", address.and_then(|address| address.allocation_id()));
    put(&mut found, "connectivity", gateway.connectivity_type().map(|kind| kind.as_str()));
    let public_ip = address.and_then(|address| address.public_ip());
    found.outputs.extend(public_ip.map(|address| ("public_ip".to_owned(), address.to_owned())));
    tags::read(Some(gateway.tags()), &mut found.settings);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{NatGatewayAddress, NatGatewayState};

    #[track_caller]
    fn check(state: &str, expect: Option<Readiness>) {
        let gateway = NatGateway::builder().nat_gateway_id("nat-1").state(NatGatewayState::from(state));
        let gateway = gateway.failure_message("Elastic IP address eipalloc-1 is already associated").build();
        assert_eq!(read(&gateway).map(|found| found.readiness), expect, "{state}");
    }

    #[test]
    fn one_that_is_gone_is_not_shown_and_one_that_failed_says_why() {
        check("pending", Some(Readiness::Pending));
        check("available", Some(Readiness::Ready));
        check("deleting", Some(Readiness::Leaving));
        check("deleted", None);
        check("failed", Some(Readiness::Failed("Elastic IP address eipalloc-1 is already associated".into())));
    }

    #[test]
    fn the_primary_address_is_what_it_was_made_with() {
        let address = |id: &str, primary| NatGatewayAddress::builder().allocation_id(id).is_primary(primary).build();
        let gateway = NatGateway::builder().nat_gateway_id("nat-1");
        let gateway =
            gateway.nat_gateway_addresses(address("eipalloc-2", false)).nat_gateway_addresses(address("eipalloc-1", true));
        assert_eq!(read(&gateway.build()).unwrap().settings["allocation"], "eipalloc-1");
    }
}
