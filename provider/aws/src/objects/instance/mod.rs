//! Instances with their root volume and their first interface.

mod addresses;
mod launch;
mod read;

use super::{Objects, tags};
use crate::clients::{Clients, unless_out_of_capacity};
use crate::error::{failed, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::start_instances::StartInstancesError;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, HttpTokensState, Instance, InstanceMetadataProtocolState, InstanceNetworkInterface, Volume,
};
use cloud::{Change, CloudError, ErrorClass, Found, Readiness, Resolved};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Instances;

/// The digest of the user data that an instance was made with: EC2 returns user data only instance by instance.
const USER_DATA_TAG: &str = "k8s-hardway/user-data";
/// With what an instance was made: its root volume, for as long as the volume does not show, and the token of the call. EC2 shows the
/// token of the call by which an instance really was made: in a copy, which has this tag too, the two differ.
const VOLUME_TAG: &str = "k8s-hardway/volume";
/// How many values a filter takes.
const FILTER_VALUES: usize = 200;

#[async_trait]
impl Objects for Instances {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let states = ["pending", "running", "stopping", "stopped", "shutting-down"];
        let existing = Filter::builder().name("instance-state-name").set_values(Some(states.map(String::from).to_vec())).build();
        let pages = clients.ec2.describe_instances().filters(existing).max_results(1000).into_paginator().items().send();
        let reservations = pages.try_collect().await.map_err(|error| failed("ec2:DescribeInstances", error))?;
        let instances: Vec<Instance> = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default()).collect();
        let ours: Vec<&Instance> = instances.iter().filter(|instance| is_ours(instance)).collect();
        let volumes = root_volumes(clients, &ours).await?;
        let elastic_ips = if ours.is_empty() { BTreeMap::new() } else { addresses::elastic_ips(clients).await? };
        let complete = |instance: &Instance| {
            let id = instance.instance_id().unwrap_or_default();
            let mut found = read::found(instance, volumes.get(id));
            found.settings.extend(elastic_ips.get(id).map(|allocation| ("elastic_ip".to_owned(), allocation.clone())));
            found
        };
        Ok(instances.iter().map(complete).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        launch::run(clients, object).await
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        set_security_groups(clients, found, changes).await?;
        set_metadata_options(clients, found, changes).await?;
        for change in changes {
            let Some(to) = change.to.as_deref() else { continue };
            match change.key.as_str() {
                "ipv6_addresses" => addresses::set_ipv6(clients, &found.id, to).await?,
                "elastic_ip" => addresses::set_elastic_ip(clients, &found.id, to).await?,
                "source_dest_check" => set_source_dest_check(clients, &found.id, to).await?,
                "monitoring" => set_monitoring(clients, &found.id, to).await?,
                "state" => set_state(clients, &found.id, to).await?,
                _ => {}
            }
        }
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        if found.readiness == Readiness::Leaving {
            return Ok(());
        }
        let call = clients.ec2.terminate_instances().instance_ids(&found.id);
        unless(call.send().await.map(drop).map_err(|error| failed("ec2:TerminateInstances", error)), is_not_found)
    }

    /// EC2 reports it for an hour for an instance that `list` no longer shows.
    async fn end_of(&self, clients: &Clients, id: &str) -> Result<Option<String>, CloudError> {
        let answer = clients.ec2.describe_instances().instance_ids(id).send().await;
        match answer.map_err(|error| failed("ec2:DescribeInstances", error)) {
            Err(error) if is_not_found(&error) => Ok(None),
            answer => Ok(answer?.reservations().iter().flat_map(|one| one.instances()).find_map(read::end)),
        }
    }
}

fn is_ours(instance: &Instance) -> bool {
    instance.tags().iter().any(|tag| tag.key().is_some_and(|key| key.starts_with("k8s-hardway/")))
}

/// By instance, of those that are ours: nothing else in the region is asked for.
async fn root_volumes(clients: &Clients, ours: &[&Instance]) -> Result<BTreeMap<String, Volume>, CloudError> {
    let roots: BTreeMap<&str, &str> = ours.iter().filter_map(|one| Some((one.instance_id()?, one.root_device_name()?))).collect();
    let ids: Vec<String> = roots.keys().map(ToString::to_string).collect();
    let mut volumes = BTreeMap::new();
    for ids in ids.chunks(FILTER_VALUES) {
        let attached = Filter::builder().name("attachment.instance-id").set_values(Some(ids.to_vec())).build();
        let pages = clients.ec2.describe_volumes().filters(attached).into_paginator().items().send();
        for volume in pages.try_collect().await.map_err(|error| failed("ec2:DescribeVolumes", error))? {
            let is_root = |id: &str, device: Option<&str>| roots.get(id).is_some_and(|root| Some(*root) == device);
            let owner = volume.attachments().iter().find_map(|attachment| {
                let id = attachment.instance_id()?;
                is_root(id, attachment.device()).then(|| id.to_owned())
            });
            volumes.extend(owner.map(|id| (id, volume)));
        }
    }
    Ok(volumes)
}

/// All groups of the first interface are set in one call.
async fn set_security_groups(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let groups = super::load_balancer::after(found, changes, "security_group");
    if !changes.iter().any(|change| change.key.starts_with("security_group ")) || groups.is_empty() {
        return Ok(());
    }
    let call = clients.ec2.modify_instance_attribute().instance_id(&found.id).set_groups(Some(groups.into_keys().collect()));
    call.send().await.map(drop).map_err(|error| failed("ec2:ModifyInstanceAttribute", error))
}

async fn set_metadata_options(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let to = |key: &str| changes.iter().find(|change| change.key == key).and_then(|change| change.to.as_deref());
    let (tokens, hops, protocol) = (to("http_tokens"), to("http_put_response_hop_limit"), to("http_protocol_ipv6"));
    if tokens.is_none() && hops.is_none() && protocol.is_none() {
        return Ok(());
    }
    let call = clients
        .ec2
        .modify_instance_metadata_options()
        .instance_id(&found.id)
        .set_http_tokens(tokens.map(HttpTokensState::from))
        .set_http_put_response_hop_limit(hops.and_then(|hops| hops.parse().ok()))
        .set_http_protocol_ipv6(protocol.map(InstanceMetadataProtocolState::from));
    call.send().await.map(drop).map_err(|error| failed("ec2:ModifyInstanceMetadataOptions", error))
}

async fn set_source_dest_check(clients: &Clients, id: &str, to: &str) -> Result<(), CloudError> {
    let value = AttributeBooleanValue::builder().value(to == "true").build();
    let call = clients.ec2.modify_instance_attribute().instance_id(id).source_dest_check(value);
    call.send().await.map(drop).map_err(|error| failed("ec2:ModifyInstanceAttribute", error))
}

async fn set_monitoring(clients: &Clients, id: &str, to: &str) -> Result<(), CloudError> {
    if to == "true" {
        let call = clients.ec2.monitor_instances().instance_ids(id);
        return call.send().await.map(drop).map_err(|error| failed("ec2:MonitorInstances", error));
    }
    let call = clients.ec2.unmonitor_instances().instance_ids(id);
    call.send().await.map(drop).map_err(|error| failed("ec2:UnmonitorInstances", error))
}

async fn set_state(clients: &Clients, id: &str, to: &str) -> Result<(), CloudError> {
    if to == "running" {
        let call = clients.ec2.start_instances().instance_ids(id).customize();
        let call = call.config_override(unless_out_of_capacity::<StartInstancesError>());
        return call.send().await.map(drop).map_err(|error| in_transit(failed("ec2:StartInstances", error)));
    }
    let call = clients.ec2.stop_instances().instance_ids(id);
    call.send().await.map(drop).map_err(|error| in_transit(failed("ec2:StopInstances", error)))
}

/// While an instance starts or stops, some of what is asked of it is refused: that passes.
fn in_transit(mut error: CloudError) -> CloudError {
    if error.code == "IncorrectInstanceState" || error.message.contains("not in a valid state") {
        error.class = ErrorClass::Dependency;
    }
    error
}

fn first_interface(instance: &Instance) -> Option<&InstanceNetworkInterface> {
    let index = |interface: &&InstanceNetworkInterface| interface.attachment().and_then(|one| one.device_index()).unwrap_or(0);
    instance.network_interfaces().iter().min_by_key(index)
}
