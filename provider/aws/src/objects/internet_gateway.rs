//! Internet gateways, each attached to at most one VPC.

use super::{Objects, change, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, is_there, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::create_internet_gateway::CreateInternetGatewayError;
use aws_sdk_ec2::types::{InternetGateway, ResourceType};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct InternetGateways;

#[async_trait]
impl Objects for InternetGateways {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_internet_gateways().into_paginator().items().send();
        let gateways = pages.try_collect().await.map_err(|error| failed("ec2:DescribeInternetGateways", error))?;
        Ok(gateways.iter().filter_map(read).collect())
    }

    /// Attached by an update: the call that makes it cannot.
    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let tags = tags::specification(ResourceType::InternetGateway, object).map(|tags| vec![tags]);
        let call = clients.ec2.create_internet_gateway().set_tag_specifications(tags);
        let call = call.customize().config_override(once::<CreateInternetGatewayError>());
        let answer = call.send().await.map_err(|error| failed("ec2:CreateInternetGateway", error))?;
        let found = answer.internet_gateway().and_then(read);
        Ok(made(found.ok_or_else(|| incomplete("ec2:CreateInternetGateway", "gateway"))?, object, &[]))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        if let Some(change) = change(changes, "vpc") {
            if let Some(vpc) = &change.from {
                detach(clients, &found.id, vpc).await?;
            }
            if let Some(vpc) = &change.to {
                let answer = clients.ec2.attach_internet_gateway().internet_gateway_id(&found.id).vpc_id(vpc).send().await;
                unless(answer.map(|_| ()).map_err(|error| failed("ec2:AttachInternetGateway", error)), is_there)?;
            }
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        if let Some(vpc) = found.settings.get("vpc") {
            detach(clients, &found.id, vpc).await?;
        }
        let answer = clients.ec2.delete_internet_gateway().internet_gateway_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteInternetGateway", error)), is_not_found)
    }
}

async fn detach(clients: &Clients, id: &str, vpc: &str) -> Result<(), CloudError> {
    let answer = clients.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send().await;
    let answer = answer.map(|_| ()).map_err(|error| failed("ec2:DetachInternetGateway", error));
    unless(answer, |error| is_not_found(error) || error.code == "Gateway.NotAttached")
}

fn read(gateway: &InternetGateway) -> Option<Found> {
    let mut found = Found::new(Kind::InternetGateway, gateway.internet_gateway_id()?);
    let is_attached = |state: &str| state != "detached" && state != "detaching";
    let attachment = gateway.attachments().iter().find(|one| one.state().is_none_or(|state| is_attached(state.as_str())));
    put(&mut found, "vpc", attachment.and_then(|attachment| attachment.vpc_id()));
    tags::read(Some(gateway.tags()), &mut found.settings);
    Some(found)
}
