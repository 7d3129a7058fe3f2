//! Egress-only internet gateways: the way out for IPv6, made for one VPC.

use super::{Objects, made, put, tags};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::types::{EgressOnlyInternetGateway, ResourceType};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct EgressOnlyInternetGateways;

#[async_trait]
impl Objects for EgressOnlyInternetGateways {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_egress_only_internet_gateways().into_paginator().items().send();
        let gateways = pages.try_collect().await.map_err(|error| failed("ec2:DescribeEgressOnlyInternetGateways", error))?;
        Ok(gateways.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        const OPERATION: &str = "ec2:CreateEgressOnlyInternetGateway";
        let tags = tags::specification(ResourceType::EgressOnlyInternetGateway, object).map(|tags| vec![tags]);
        let call = clients.ec2.create_egress_only_internet_gateway().client_token(&object.token).set_tag_specifications(tags);
        let answer = call.set_vpc_id(object.get("vpc").map(Into::into)).send().await;
        let answer = answer.map_err(|error| failed(OPERATION, error))?;
        let found = answer.egress_only_internet_gateway().and_then(read).ok_or_else(|| incomplete(OPERATION, "gateway"))?;
        Ok(made(found, object, &["vpc"]))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let call = clients.ec2.delete_egress_only_internet_gateway().egress_only_internet_gateway_id(&found.id);
        let answer = call.send().await.map(|_| ()).map_err(|error| failed("ec2:DeleteEgressOnlyInternetGateway", error));
        unless(answer, is_not_found)
    }
}

fn read(gateway: &EgressOnlyInternetGateway) -> Option<Found> {
    let mut found = Found::new(Kind::EgressOnlyInternetGateway, gateway.egress_only_internet_gateway_id()?);
    put(&mut found, "vpc", gateway.attachments().first().and_then(|attachment| attachment.vpc_id()));
    tags::read(Some(gateway.tags()), &mut found.settings);
    Some(found)
}
