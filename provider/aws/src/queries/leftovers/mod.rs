//! What Kubernetes made in a VPC and has left behind, found by the cluster's tags, and what GuardDuty made in it. And volumes with such a
//! tag, which are in no VPC.

use crate::clients::Clients;
use crate::error::{failed, unusable};
use crate::objects::{load_balancer, target_group};
use aws_sdk_ec2::types::{self, Filter, Tag, VolumeState, VpcEndpoint};
use cloud::{CloudError, Leftover, OBJECT_TAG, Volume};
use std::collections::BTreeMap;

pub(super) mod classic;
mod removal;

/// Tags of an object, whichever service returned them.
type Tags = BTreeMap<String, String>;

/// Kinds of leftovers, and the order in which they are listed and go: what holds others comes first.
const LOAD_BALANCER: &str = "load_balancer";
const CLASSIC_LOAD_BALANCER: &str = "classic_load_balancer";
const TARGET_GROUP: &str = "target_group";
const VPC_ENDPOINT: &str = "vpc_endpoint";
const NETWORK_INTERFACE: &str = "network_interface";
const SECURITY_GROUP: &str = "security_group";

/// Descriptions of interfaces that the VPC network add-on and load balancers leave behind.
const INTERFACE_DESCRIPTIONS: [&str; 2] = ["aws-K8S-", "ELB "];
/// Tags that a volume has which was made for a claim.
const CLAIM_TAGS: [&str; 2] = ["kubernetes.io/created-for/pvc/name", "CSIVolumeName"];
/// Runtime monitoring of GuardDuty makes an endpoint of this service in a VPC with instances, and a group with this tag for it. Neither
/// goes with the instances.
const GUARD_DUTY_SERVICE: &str = ".guardduty-data";
const GUARD_DUTY_TAG: &str = "GuardDutyManaged";
/// The cluster's name, as the load balancer controller and the VPC network add-on write it.
const CLUSTER_NAME_TAGS: [&str; 2] = ["elbv2.k8s.aws/cluster", "cluster.k8s.amazonaws.com/name"];

pub(crate) async fn leftovers(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let (balancers, classic, groups, endpoints, interfaces, security_groups) = futures::try_join!(
        of_load_balancing(clients, vpc_id, cluster),
        classic::leftovers(clients, vpc_id, cluster),
        of_target_groups(clients, vpc_id, cluster),
        of_endpoints(clients, vpc_id),
        of_interfaces(clients, vpc_id, cluster),
        of_security_groups(clients, vpc_id, cluster),
    )?;
    Ok([balancers, classic, groups, endpoints, interfaces, security_groups].concat())
}

/// What is gone already is no error.
pub(crate) async fn delete_leftover(clients: &Clients, leftover: &Leftover) -> Result<(), CloudError> {
    let id = leftover.id.as_str();
    match leftover.kind.as_str() {
        LOAD_BALANCER => removal::load_balancer(clients, id).await,
        CLASSIC_LOAD_BALANCER => classic::delete(clients, id).await,
        TARGET_GROUP => removal::target_group(clients, id).await,
        VPC_ENDPOINT => removal::vpc_endpoint(clients, id).await,
        NETWORK_INTERFACE => removal::network_interface(clients, id).await,
        SECURITY_GROUP => removal::security_group(clients, id).await,
        kind => Err(unusable("", format!("{kind} {id} is not something that Kubernetes leaves behind"))),
    }
}

async fn of_load_balancing(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let all = load_balancer::all(clients).await?;
    let here = all.iter().filter(|balancer| balancer.vpc_id() == Some(vpc_id));
    let here: Vec<(&str, &str)> = here.filter_map(|one| Some((one.load_balancer_arn()?, one.load_balancer_name()?))).collect();
    of_arns(clients, LOAD_BALANCER, &here, cluster).await
}

async fn of_target_groups(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let all = target_group::all(clients).await?;
    let here = all.iter().filter(|group| group.vpc_id() == Some(vpc_id));
    let here: Vec<(&str, &str)> = here.filter_map(|one| Some((one.target_group_arn()?, one.target_group_name()?))).collect();
    of_arns(clients, TARGET_GROUP, &here, cluster).await
}

async fn of_arns(clients: &Clients, kind: &str, here: &[(&str, &str)], cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let tags = load_balancer::tags_of(clients, here.iter().map(|(arn, _)| *arn)).await?;
    let tags_of = |arn: &str| -> Tags {
        let of_arn = tags.get(arn).into_iter().flatten();
        of_arn.map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect()
    };
    let left = here.iter().filter(|(arn, _)| is_of_cluster(&tags_of(arn), cluster));
    Ok(left.map(|(arn, name)| leftover(kind, arn, name)).collect())
}

async fn of_endpoints(clients: &Clients, vpc_id: &str) -> Result<Vec<Leftover>, CloudError> {
    let pages = clients.ec2.describe_vpc_endpoints().filters(filter("vpc-id", vpc_id)).into_paginator().items().send();
    let endpoints = pages.try_collect().await.map_err(|error| failed("ec2:DescribeVpcEndpoints", error))?;
    Ok(endpoints.iter().filter_map(of_guard_duty).collect())
}

fn of_guard_duty(endpoint: &VpcEndpoint) -> Option<Leftover> {
    let state = endpoint.state().map(|state| state.as_str().to_ascii_lowercase());
    let is_going = state.is_some_and(|state| state.starts_with("delet"));
    let service = endpoint.service_name().filter(|service| service.ends_with(GUARD_DUTY_SERVICE) && !is_going)?;
    let is_ours = tags(endpoint.tags()).contains_key(OBJECT_TAG);
    (!is_ours).then(|| leftover(VPC_ENDPOINT, endpoint.vpc_endpoint_id().unwrap_or_default(), service))
}

/// Those that nothing uses: the others go with what they are attached to.
async fn of_interfaces(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let call = clients.ec2.describe_network_interfaces().filters(filter("vpc-id", vpc_id)).filters(filter("status", "available"));
    let interfaces = call.into_paginator().items().send().try_collect().await;
    let interfaces = interfaces.map_err(|error| failed("ec2:DescribeNetworkInterfaces", error))?;
    let left = interfaces.iter().filter_map(|interface| {
        let description = interface.description().unwrap_or_default();
        let is_left = is_left_interface(description, &tags(interface.tag_set()), cluster);
        is_left.then(|| leftover(NETWORK_INTERFACE, interface.network_interface_id().unwrap_or_default(), description))
    });
    Ok(left.collect())
}

async fn of_security_groups(clients: &Clients, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
    let pages = clients.ec2.describe_security_groups().filters(filter("vpc-id", vpc_id)).into_paginator().items().send();
    let groups = pages.try_collect().await.map_err(|error| failed("ec2:DescribeSecurityGroups", error))?;
    let is_left = |tags: &Tags| is_of_cluster(tags, cluster) || is_of_guard_duty(tags);
    let left = groups.iter().filter(|group| is_left(&tags(group.tags())));
    let shown = |group: &aws_sdk_ec2::types::SecurityGroup| {
        leftover(SECURITY_GROUP, group.group_id().unwrap_or_default(), group.group_name().unwrap_or_default())
    };
    Ok(left.map(shown).collect())
}

/// Those of the whole region: a volume is in no VPC.
pub(crate) async fn volumes(clients: &Clients, cluster: &str) -> Result<Vec<Volume>, CloudError> {
    let key = cluster_tag(cluster);
    let call = clients.ec2.describe_volumes().filters(filter("tag-key", &key)).max_results(1000);
    let volumes = call.into_paginator().items().send().try_collect().await;
    let volumes = volumes.map_err(|error| failed("ec2:DescribeVolumes", error))?;
    Ok(volumes.iter().filter_map(|volume| of_volume(volume, cluster)).collect())
}

fn of_volume(volume: &types::Volume, cluster: &str) -> Option<Volume> {
    let tags = tags(volume.tags());
    let is_going = matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
    let claim = CLAIM_TAGS.iter().find_map(|key| tags.get(*key)).or_else(|| tags.get("Name")).cloned().unwrap_or_default();
    let id = volume.volume_id().unwrap_or_default().to_owned();
    let is_in_use = volume.state() == Some(&VolumeState::InUse);
    (is_of_cluster(&tags, cluster) && !is_going).then_some(Volume { id, name: claim, is_in_use })
}

pub(crate) async fn delete_volume(clients: &Clients, id: &str) -> Result<(), CloudError> {
    removal::volume(clients, id).await
}

fn leftover(kind: &str, id: &str, name: &str) -> Leftover {
    Leftover { kind: kind.to_owned(), id: id.to_owned(), name: name.to_owned() }
}

pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tags(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect()
}

fn cluster_tag(cluster: &str) -> String {
    format!("kubernetes.io/cluster/{cluster}")
}

/// Ours carry a tag of their own; `shared` is what Kubernetes uses and somebody else made.
fn is_of_cluster(tags: &Tags, cluster: &str) -> bool {
    let is_owned = tags.get(&cluster_tag(cluster)).is_some_and(|value| value != "shared");
    let is_named = CLUSTER_NAME_TAGS.iter().any(|key| tags.get(*key).is_some_and(|name| name == cluster));
    (is_owned || is_named) && !tags.contains_key(OBJECT_TAG)
}

fn is_of_guard_duty(tags: &Tags) -> bool {
    tags.get(GUARD_DUTY_TAG).is_some_and(|value| value == "true") && !tags.contains_key(OBJECT_TAG)
}

/// By its tag, or by its description where no tag says that it is another cluster's.
fn is_left_interface(description: &str, tags: &Tags, cluster: &str) -> bool {
    let is_described = INTERFACE_DESCRIPTIONS.iter().any(|prefix| description.starts_with(prefix));
    let is_of_another = tags.keys().any(|key| key.starts_with(&cluster_tag("")))
        || CLUSTER_NAME_TAGS.iter().any(|key| tags.contains_key(*key))
        || tags.contains_key(OBJECT_TAG);
    is_of_cluster(tags, cluster) || (is_described && !is_of_another)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(description: &str, tags: &[(&str, &str)], is_of_cluster_: bool, is_left: bool) {
        let tags: Tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        assert_eq!(is_of_cluster(&tags, "demo"), is_of_cluster_, "{tags:?}");
        assert_eq!(is_left_interface(description, &tags, "demo"), is_left, "{description} {tags:?}");
    }

    #[test]
    fn what_is_left_is_known_by_tags() {
        check("", &[], false, false);
        check("", &[("kubernetes.io/cluster/demo", "owned")], true, true);
        check("", &[("kubernetes.io/cluster/demo", "")], true, true);
        check("", &[("kubernetes.io/cluster/demo", "shared")], false, false);
        check("", &[("kubernetes.io/cluster/other", "owned")], false, false);
        check("", &[("elbv2.k8s.aws/cluster", "demo")], true, true);
        check("", &[("kubernetes.io/cluster/demo", "owned"), (OBJECT_TAG, "k8s_vpc/demo security_group/node")], false, false);
    }

    #[test]
    fn volumes_are_known_by_their_tag_and_those_of_an_instance_are_in_use() {
        let volume = |state, key: &str| {
            let tags =
                [(key, "owned"), ("CSIVolumeName", "pvc-1")].map(|(key, value)| Tag::builder().key(key).value(value).build());
            of_volume(&types::Volume::builder().volume_id("vol-1").state(state).set_tags(Some(tags.to_vec())).build(), "demo")
        };
        let of_claim = |is_in_use| Some(Volume { id: "vol-1".into(), name: "pvc-1".into(), is_in_use });
        assert_eq!(volume(VolumeState::Available, "kubernetes.io/cluster/demo"), of_claim(false));
        assert_eq!(volume(VolumeState::InUse, "kubernetes.io/cluster/demo"), of_claim(true));
        assert_eq!(volume(VolumeState::Deleting, "kubernetes.io/cluster/demo"), None);
        assert_eq!(volume(VolumeState::Available, "kubernetes.io/cluster/other"), None);
    }

    #[test]
    fn what_guard_duty_made_is_known() {
        let endpoint = |service: &str, state: &str| {
            let endpoint = VpcEndpoint::builder().vpc_endpoint_id("vpce-1").service_name(service).state(state.into()).build();
            of_guard_duty(&endpoint).map(|leftover| leftover.id)
        };
        assert_eq!(endpoint("com.amazonaws.eu-central-1.guardduty-data", "Available").as_deref(), Some("vpce-1"));
        assert_eq!(endpoint("com.amazonaws.eu-central-1.guardduty-data", "deleting"), None);
        assert_eq!(endpoint("com.amazonaws.eu-central-1.ec2", "available"), None);
        let mut tags = Tags::from([("GuardDutyManaged".to_owned(), "true".to_owned())]);
        assert!(is_of_guard_duty(&tags));
        tags.insert(OBJECT_TAG.to_owned(), "k8s_vpc/demo security_group/node".to_owned());
        assert!(!is_of_guard_duty(&tags));
    }

    #[test]
    fn interfaces_are_known_by_their_description_too() {
        check("aws-K8S-i-0123", &[], false, true);
        check("ELB net/k8s-demo/1", &[], false, true);
        check("aws-K8S-i-0123", &[("cluster.k8s.amazonaws.com/name", "other")], false, false);
        check("aws-K8S-i-0123", &[("kubernetes.io/cluster/other", "owned")], false, false);
        check("Interface for NAT Gateway nat-1", &[], false, false);
    }
}
