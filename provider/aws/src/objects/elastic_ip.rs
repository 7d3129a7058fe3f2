//! Elastic IP addresses, of an instance or of whoever else takes them by their allocation id.

use super::{Objects, change, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::allocate_address::AllocateAddressError;
use aws_sdk_ec2::types::{Address, DomainType, ResourceType};
use cloud::{Change, CloudError, ErrorClass, Found, Kind, Resolved};
use std::collections::BTreeSet;

pub(crate) struct ElasticIps;

#[async_trait]
impl Objects for ElasticIps {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let answer = clients.ec2.describe_addresses().send().await;
        let answer = answer.map_err(|error| failed("ec2:DescribeAddresses", error))?;
        Ok(answer.addresses().iter().filter_map(read).collect())
    }

    /// Associated by an update: the call that makes it cannot.
    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let tags = tags::specification(ResourceType::ElasticIp, object).map(|tags| vec![tags]);
        let call = clients.ec2.allocate_address().domain(DomainType::Vpc).set_tag_specifications(tags);
        let call = call.customize().config_override(once::<AllocateAddressError>());
        let answer = call.send().await.map_err(|error| failed("ec2:AllocateAddress", error))?;
        let id = answer.allocation_id().ok_or_else(|| incomplete("ec2:AllocateAddress", "allocation id"))?;
        let mut found = Found::new(Kind::ElasticIp, id);
        found.outputs.extend(answer.public_ip().map(|address| ("public_ip".to_owned(), address.to_owned())));
        Ok(made(found, object, &[]))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        if let Some(change) = change(changes, "instance") {
            if change.from.is_some() {
                disassociate(clients, &found.id).await?;
            }
            if let Some(instance) = &change.to {
                let call = clients.ec2.associate_address().allocation_id(&found.id).instance_id(instance);
                call.allow_reassociation(true).send().await.map_err(|error| failed("ec2:AssociateAddress", error))?;
            }
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        disassociate(clients, &found.id).await?;
        let answer = clients.ec2.release_address().allocation_id(&found.id).send().await;
        let released = unless(answer.map(|_| ()).map_err(|error| failed("ec2:ReleaseAddress", error)), is_not_found);
        match released.map_err(held) {
            Err(error) if error.class == ErrorClass::Dependency && describe(clients, &found.id).await?.is_empty() => Ok(()),
            released => released,
        }
    }
}

/// Only from an instance: a NAT gateway releases its address by itself.
async fn disassociate(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let addresses = describe(clients, id).await?;
    for association in addresses.iter().filter(|address| has_instance(address)).filter_map(Address::association_id) {
        let answer = clients.ec2.disassociate_address().association_id(association).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DisassociateAddress", error)), is_not_found).map_err(held)?;
    }
    Ok(())
}

/// None when it is gone.
async fn describe(clients: &Clients, id: &str) -> Result<Vec<Address>, CloudError> {
    let answer = clients.ec2.describe_addresses().allocation_ids(id).send().await;
    match answer.map_err(|error| failed("ec2:DescribeAddresses", error)) {
        Err(error) if is_not_found(&error) => Ok(Vec::new()),
        answer => Ok(answer?.addresses.unwrap_or_default()),
    }
}

/// An address that a NAT gateway had belongs to AWS for a moment after the gateway is gone, and EC2 says so as if the credentials
/// were wrong. They are not: the address was described with them.
fn held(mut error: CloudError) -> CloudError {
    if error.code == "AuthFailure" {
        error.class = ErrorClass::Dependency;
    }
    error
}

fn has_instance(address: &Address) -> bool {
    address.instance_id().is_some_and(|instance| !instance.is_empty())
}

fn read(address: &Address) -> Option<Found> {
    let mut found = Found::new(Kind::ElasticIp, address.allocation_id()?);
    put(&mut found, "instance", address.instance_id().filter(|instance| !instance.is_empty()));
    found.outputs.extend(address.public_ip().map(|address| ("public_ip".to_owned(), address.to_owned())));
    tags::read(Some(address.tags()), &mut found.settings);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_a_nat_gateway_had_is_waited_for() {
        let refused = |code: &str| CloudError {
            operation: "ec2:ReleaseAddress".into(),
            class: ErrorClass::Denied,
            code: code.into(),
            message: "You do not have permission to access the specified resource.".into(),
        };
        assert_eq!(held(refused("AuthFailure")).class, ErrorClass::Dependency);
        assert_eq!(held(refused("UnauthorizedOperation")).class, ErrorClass::Denied);
    }
}
