//! Addresses of an instance's first interface: how many of IPv6, and an Elastic IP that somebody else allocated.

use super::{first_interface, in_transit, read};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, unusable};
use aws_sdk_ec2::operation::assign_ipv6_addresses::AssignIpv6AddressesError;
use aws_sdk_ec2::types::{Address, Filter};
use cloud::CloudError;
use std::collections::BTreeMap;

/// Counted again: an earlier attempt may have assigned some.
pub(super) async fn set_ipv6(clients: &Clients, id: &str, count: &str) -> Result<(), CloudError> {
    let wanted: usize = count.parse().map_err(|_| unusable("ec2:AssignIpv6Addresses", format!("{count} is not a number")))?;
    let answer = clients.ec2.describe_instances().instance_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeInstances", error))?;
    let instance = answer.reservations().iter().flat_map(|one| one.instances()).next();
    let interface = instance.and_then(first_interface);
    let Some((interface, interface_id)) = interface.and_then(|one| Some((one, one.network_interface_id()?))) else {
        return Err(incomplete("ec2:DescribeInstances", "network interface"));
    };
    let addresses: Vec<String> = read::ipv6_addresses(interface).map(str::to_owned).collect();
    if let Some(missing) = wanted.checked_sub(addresses.len()).filter(|missing| *missing > 0) {
        let missing = i32::try_from(missing).unwrap_or(i32::MAX);
        let call = clients.ec2.assign_ipv6_addresses().network_interface_id(interface_id).ipv6_address_count(missing);
        let call = call.customize().config_override(once::<AssignIpv6AddressesError>());
        call.send().await.map_err(|error| failed("ec2:AssignIpv6Addresses", error))?;
    } else if addresses.len() > wanted {
        let surplus = addresses[wanted..].to_vec();
        let call = clients.ec2.unassign_ipv6_addresses().network_interface_id(interface_id).set_ipv6_addresses(Some(surplus));
        call.send().await.map_err(|error| failed("ec2:UnassignIpv6Addresses", error))?;
    }
    Ok(())
}

/// Allocation ids by instance: an instance itself has only the address.
pub(super) async fn elastic_ips(clients: &Clients) -> Result<BTreeMap<String, String>, CloudError> {
    let answer = clients.ec2.describe_addresses().send().await.map_err(|error| failed("ec2:DescribeAddresses", error))?;
    let pair = |address: &Address| Some((address.instance_id()?.to_owned(), address.allocation_id()?.to_owned()));
    Ok(answer.addresses().iter().filter_map(pair).collect())
}

/// Another one that it has makes room. One that belongs to somebody else is not taken away.
pub(super) async fn set_elastic_ip(clients: &Clients, id: &str, allocation: &str) -> Result<(), CloudError> {
    let of_instance = Filter::builder().name("instance-id").values(id).build();
    let answer = clients.ec2.describe_addresses().filters(of_instance).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeAddresses", error))?;
    if answer.addresses().iter().any(|address| address.allocation_id() == Some(allocation)) {
        return Ok(());
    }
    for association in answer.addresses().iter().filter_map(Address::association_id) {
        let call = clients.ec2.disassociate_address().association_id(association);
        call.send().await.map_err(|error| failed("ec2:DisassociateAddress", error))?;
    }
    let call = clients.ec2.associate_address().allocation_id(allocation).instance_id(id).allow_reassociation(false);
    call.send().await.map(drop).map_err(|error| in_transit(failed("ec2:AssociateAddress", error)))
}
