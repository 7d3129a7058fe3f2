//! The call that makes an instance.

use super::{USER_DATA_TAG, VOLUME_TAG, read};
use crate::clients::{Clients, unless_out_of_capacity};
use crate::error::{failed, incomplete};
use crate::objects::tags;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceMetadataProtocolState, InstanceMetadataTagsState, InstanceType, ResourceType,
    RunInstancesMonitoringEnabled, TagSpecification, VolumeType,
};
use aws_smithy_types::base64;
use cloud::{CloudError, Found, Resolved};

pub(super) async fn run(clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
    let object = with_own_tags(object);
    let text = |key: &str| object.get(key).map(str::to_owned);
    let groups: Vec<String> = object.all("security_group").map(|(id, _)| id.to_owned()).collect();
    let profile = text("profile").map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    let monitoring = RunInstancesMonitoringEnabled::builder().enabled(object.is("monitoring")).build();
    let call = clients
        .ec2
        .run_instances()
        .min_count(1)
        .max_count(1)
        .client_token(&object.token)
        .set_image_id(text("image"))
        .set_instance_type(object.get("type").map(InstanceType::from))
        .set_subnet_id(text("subnet"))
        .set_key_name(text("key_name"))
        .set_security_group_ids((!groups.is_empty()).then_some(groups))
        .set_iam_instance_profile(profile)
        .set_ipv6_address_count(object.get("ipv6_addresses").and_then(|count| count.parse().ok()).filter(|count| *count > 0))
        .set_user_data(object.get("user_data").map(base64::encode))
        .metadata_options(metadata_options(&object))
        .monitoring(monitoring)
        .set_tag_specifications(Some(specifications(&object)));
    let call = with_root_volume(clients, call, &object).await?.customize();
    let answer = call.config_override(unless_out_of_capacity::<RunInstancesError>()).send().await;
    let answer = answer.map_err(|error| failed("ec2:RunInstances", error))?;
    let instance = answer.instances().first().ok_or_else(|| incomplete("ec2:RunInstances", "instance"))?;
    Ok(read::found(instance, None))
}

fn with_own_tags(object: &Resolved) -> Resolved {
    let mut object = object.clone();
    if let Some(digest) = object.get("user_data_digest").map(str::to_owned) {
        object.settings.insert(format!("tag {USER_DATA_TAG}"), digest);
    }
    let words: Vec<&str> = read::VOLUME_KEYS.iter().map(|key| object.get(key).unwrap_or("-")).collect();
    let made_with = format!("{} {}", words.join(" "), object.token);
    object.settings.insert(format!("tag {VOLUME_TAG}"), made_with);
    object
}

/// The volume and the interface carry the tags too.
fn specifications(object: &Resolved) -> Vec<TagSpecification> {
    let kinds = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
    kinds.into_iter().filter_map(|kind| tags::specification(kind, object)).collect()
}

/// Whether the metadata shows tags is said in any case: left out, the account's default decides, and where that is `enabled`, EC2 refuses
/// tags whose keys contain `/`, as ours and those of Kubernetes do.
fn metadata_options(object: &Resolved) -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .set_http_tokens(object.get("http_tokens").map(HttpTokensState::from))
        .set_http_put_response_hop_limit(object.get("http_put_response_hop_limit").and_then(|hops| hops.parse().ok()))
        .set_http_protocol_ipv6(object.get("http_protocol_ipv6").map(InstanceMetadataProtocolState::from))
        .instance_metadata_tags(InstanceMetadataTagsState::Disabled)
        .build()
}

/// The image names the device on which its root volume is: a mapping of that device sets the volume's size and type.
async fn with_root_volume(
    clients: &Clients,
    call: RunInstancesFluentBuilder,
    object: &Resolved,
) -> Result<RunInstancesFluentBuilder, CloudError> {
    let (Some(image), true) = (object.get("image"), read::VOLUME_KEYS.iter().any(|key| object.get(key).is_some())) else {
        return Ok(call);
    };
    let answer = clients.ec2.describe_images().image_ids(image).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeImages", error))?;
    let device = answer.images().first().and_then(|image| image.root_device_name());
    let device = device.ok_or_else(|| incomplete("ec2:DescribeImages", "root device of the image"))?;
    let volume = EbsBlockDevice::builder()
        .delete_on_termination(true)
        .set_volume_size(object.get("volume_gib").and_then(|gib| gib.parse().ok()))
        .set_volume_type(object.get("volume_type").map(VolumeType::from))
        .set_encrypted(object.get("volume_encrypted").map(|encrypted| encrypted == "true"))
        .build();
    Ok(call.block_device_mappings(BlockDeviceMapping::builder().device_name(device).ebs(volume).build()))
}
