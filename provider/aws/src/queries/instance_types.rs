//! Instance types: what they have, and in which zones they are offered.

use crate::clients::Clients;
use crate::error::failed;
use aws_sdk_ec2::types::{Filter, InstanceTypeInfo, LocationType};
use cloud::{CloudError, InstanceType};
use std::collections::{BTreeMap, BTreeSet};

/// How many values a filter takes.
const FILTER_VALUES: usize = 200;

/// Asked for by a filter, since asking by name fails for all when one is unknown.
pub(crate) async fn instance_types(clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<InstanceType>, CloudError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let mut types = Vec::new();
    for names in names.chunks(FILTER_VALUES) {
        let by_name = Filter::builder().name("instance-type").set_values(Some(names.to_vec())).build();
        let pages = clients.ec2.describe_instance_types().filters(by_name.clone()).into_paginator().items().send();
        let found = pages.try_collect().await.map_err(|error| failed("ec2:DescribeInstanceTypes", error))?;
        if !found.is_empty() {
            let zones = zones(clients, by_name).await?;
            types.extend(found.iter().filter_map(|info| instance_type(info, &zones)));
        }
    }
    types.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(types)
}

/// The zones that offer each instance type, keyed by type.
async fn zones(clients: &Clients, by_name: Filter) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
    let call = clients.ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone).filters(by_name);
    let offerings = call.into_paginator().items().send().try_collect().await;
    let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for offering in offerings.map_err(|error| failed("ec2:DescribeInstanceTypeOfferings", error))? {
        let (Some(kind), Some(zone)) = (offering.instance_type, offering.location) else { continue };
        zones.entry(kind.as_str().to_owned()).or_default().insert(zone);
    }
    Ok(zones)
}

fn instance_type(info: &InstanceTypeInfo, zones: &BTreeMap<String, BTreeSet<String>>) -> Option<InstanceType> {
    let number = |number: Option<i32>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    let name = info.instance_type()?.as_str();
    let network = info.network_info();
    let architectures = info.processor_info().map(|processor| processor.supported_architectures()).unwrap_or_default();
    Some(InstanceType {
        name: name.to_owned(),
        architectures: architectures.iter().map(|architecture| architecture.as_str().to_owned()).collect(),
        vcpus: number(info.v_cpu_info().and_then(|cpu| cpu.default_v_cpus())),
        memory_mib: info
            .memory_info()
            .and_then(|memory| memory.size_in_mib())
            .and_then(|mib| u64::try_from(mib).ok())
            .unwrap_or_default(),
        interfaces: number(network.and_then(|network| network.maximum_network_interfaces())),
        ipv4_addresses_per_interface: number(network.and_then(|network| network.ipv4_addresses_per_interface())),
        ipv6_addresses_per_interface: number(network.and_then(|network| network.ipv6_addresses_per_interface())),
        zones: zones.get(name).into_iter().flatten().cloned().collect(),
    })
}
