//! What EC2 shows of an instance, as settings and outputs.

use super::{USER_DATA_TAG, VOLUME_TAG, first_interface};
use crate::objects::tags;
use aws_sdk_ec2::types::{Instance, InstanceNetworkInterface, InstanceStateName, MonitoringState, Volume};
use cloud::{Found, Kind, Origin, Readiness};
use std::collections::BTreeMap;

/// In the order in which the tag of the volume has them.
pub(super) const VOLUME_KEYS: [&str; 3] = ["volume_gib", "volume_type", "volume_encrypted"];

pub(super) fn found(instance: &Instance, volume: Option<&Volume>) -> Found {
    let mut found = Found::new(Kind::Instance, instance.instance_id().unwrap_or_default());
    tags::read(Some(instance.tags()), &mut found.settings);
    let state = instance.state().and_then(|state| state.name());
    found.readiness = readiness(state);
    let mut set = |key: &str, value: Option<String>| found.settings.extend(value.map(|value| (key.to_owned(), value)));
    set("image", instance.image_id().map(str::to_owned));
    set("type", instance.instance_type().map(|kind| kind.as_str().to_owned()));
    set("subnet", instance.subnet_id().map(str::to_owned));
    set("key_name", instance.key_name().filter(|name| !name.is_empty()).map(str::to_owned));
    set("profile", instance.iam_instance_profile().and_then(|profile| profile.arn()).map(last_segment));
    set("source_dest_check", instance.source_dest_check().map(|check| check.to_string()));
    set("monitoring", instance.monitoring().and_then(|one| one.state()).map(|state| is_monitored(state).to_string()));
    set("state", power(state).map(str::to_owned));
    if let Some(options) = instance.metadata_options() {
        set("http_tokens", options.http_tokens().map(|tokens| tokens.as_str().to_owned()));
        set("http_put_response_hop_limit", options.http_put_response_hop_limit().map(|hops| hops.to_string()));
        set("http_protocol_ipv6", options.http_protocol_ipv6().map(|protocol| protocol.as_str().to_owned()));
    }
    found.origin = origin(instance.client_token(), found.tag(VOLUME_TAG));
    read_volume(volume, &mut found.settings);
    read_interface(instance, &mut found);
    found
}

pub(super) fn ipv6_addresses(interface: &InstanceNetworkInterface) -> impl Iterator<Item = &str> {
    interface.ipv6_addresses().iter().filter_map(|address| address.ipv6_address())
}

fn read_interface(instance: &Instance, found: &mut Found) {
    let interface = first_interface(instance);
    let groups = interface.map_or_else(|| instance.security_groups(), |interface| interface.groups());
    for id in groups.iter().filter_map(|group| group.group_id()) {
        found.settings.insert(format!("security_group {id}"), String::new());
    }
    let addresses: Vec<&str> = interface.into_iter().flat_map(ipv6_addresses).collect();
    found.settings.insert("ipv6_addresses".into(), addresses.len().to_string());
    let outputs = [
        ("private_ip", instance.private_ip_address()),
        ("public_ip", instance.public_ip_address()),
        ("ipv6_address", addresses.first().copied()),
    ];
    let outputs =
        outputs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.filter(|text| !text.is_empty())?.to_owned())));
    found.outputs.extend(outputs);
}

/// A volume is attached a while after the instance shows: until then it is what the tag says.
fn read_volume(volume: Option<&Volume>, settings: &mut BTreeMap<String, String>) {
    settings.extend(settings.get(&format!("tag {USER_DATA_TAG}")).cloned().map(|digest| ("user_data_digest".to_owned(), digest)));
    let values: Vec<Option<String>> = match volume {
        Some(volume) => vec![
            volume.size().map(|gib| gib.to_string()),
            volume.volume_type().map(|kind| kind.as_str().to_owned()),
            volume.encrypted().map(|encrypted| encrypted.to_string()),
        ],
        None => {
            let tag = settings.get(&format!("tag {VOLUME_TAG}")).cloned().unwrap_or_default();
            tag.split(' ').map(|word| (!matches!(word, "" | "-")).then(|| word.to_owned())).collect()
        }
    };
    for (key, value) in VOLUME_KEYS.into_iter().zip(values) {
        settings.extend(value.map(|value| (key.to_owned(), value)));
    }
}

/// The tag ends with the token of the call that set it. Earlier versions wrote none.
fn origin(token: Option<&str>, tag: Option<&str>) -> Origin {
    match tag.and_then(|tag| tag.split(' ').nth(VOLUME_KEYS.len())) {
        None => Origin::Untold,
        Some(ours) if token == Some(ours) => Origin::Ours,
        Some(_) => Origin::Copied,
    }
}

/// One that is stopping cannot be started yet.
fn readiness(state: Option<&InstanceStateName>) -> Readiness {
    match state {
        Some(InstanceStateName::Pending | InstanceStateName::Stopping) => Readiness::Pending,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => Readiness::Leaving,
        _ => Readiness::Ready,
    }
}

/// Such as "Client.VolumeLimitExceeded: Volume limit exceeded".
pub(super) fn end(instance: &Instance) -> Option<String> {
    let state = instance.state().and_then(|state| state.name());
    let of_state = instance.state_reason().and_then(|reason| reason.message());
    let reason = of_state.or(instance.state_transition_reason()).filter(|reason| !reason.is_empty());
    (readiness(state) == Readiness::Leaving).then(|| reason.unwrap_or("the instance was terminated").to_owned())
}

fn power(state: Option<&InstanceStateName>) -> Option<&'static str> {
    match state? {
        InstanceStateName::Pending | InstanceStateName::Running => Some("running"),
        InstanceStateName::Stopping | InstanceStateName::Stopped => Some("stopped"),
        _ => None,
    }
}

fn is_monitored(state: &MonitoringState) -> bool {
    matches!(state, MonitoringState::Enabled | MonitoringState::Pending)
}

/// An instance profile's ARN ends with its path and name.
fn last_segment(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{InstanceState, StateReason, Tag};

    #[test]
    fn a_copy_has_the_tag_and_another_token() {
        let origin = |token: Option<&str>, tag: &str| {
            let tag = Tag::builder().key(VOLUME_TAG).value(tag).build();
            found(&Instance::builder().set_client_token(token.map(str::to_owned)).tags(tag).build(), None).origin
        };
        assert_eq!(origin(Some("50dc"), "20 gp3 - 50dc"), Origin::Ours);
        assert_eq!(origin(Some("ffff"), "20 gp3 - 50dc"), Origin::Copied);
        assert_eq!(origin(None, "20 gp3 - 50dc"), Origin::Copied);
        assert_eq!(origin(Some("50dc"), "20 gp3 -"), Origin::Untold);
    }

    #[test]
    fn the_volume_of_a_new_instance_is_what_its_tag_says() {
        let tag = Tag::builder().key(VOLUME_TAG).value("20 gp3 -").build();
        let instance = Instance::builder().instance_id("i-1").tags(tag).build();
        let settings = found(&instance, None).settings;
        assert_eq!(settings.get("volume_gib").map(String::as_str), Some("20"));
        assert_eq!(settings.get("volume_type").map(String::as_str), Some("gp3"));
        assert_eq!(settings.get("volume_encrypted"), None);
        let volume = Volume::builder().size(30).encrypted(true).build();
        let settings = found(&instance, Some(&volume)).settings;
        assert_eq!(settings.get("volume_gib").map(String::as_str), Some("30"));
        assert_eq!(settings.get("volume_encrypted").map(String::as_str), Some("true"));
    }

    #[track_caller]
    fn check(name: InstanceStateName, readiness: Readiness, power: Option<&str>) {
        let state = InstanceState::builder().name(name).build();
        let found = found(&Instance::builder().instance_id("i-1").state(state).build(), None);
        assert_eq!(found.readiness, readiness);
        assert_eq!(found.settings.get("state").map(String::as_str), power);
    }

    #[test]
    fn states() {
        check(InstanceStateName::Pending, Readiness::Pending, Some("running"));
        check(InstanceStateName::Running, Readiness::Ready, Some("running"));
        check(InstanceStateName::Stopping, Readiness::Pending, Some("stopped"));
        check(InstanceStateName::Stopped, Readiness::Ready, Some("stopped"));
        check(InstanceStateName::ShuttingDown, Readiness::Leaving, None);
    }

    #[test]
    fn an_instance_that_ended_says_why() {
        let instance = |name: InstanceStateName| {
            let reason = StateReason::builder().message("Client.InternalError: no access to the key of the volume").build();
            Instance::builder().state(InstanceState::builder().name(name).build()).state_reason(reason).build()
        };
        assert_eq!(end(&instance(InstanceStateName::Pending)), None);
        assert!(end(&instance(InstanceStateName::Terminated)).is_some_and(|reason| reason.contains("the key of the volume")));
        assert!(end(&instance(InstanceStateName::ShuttingDown)).is_some());
    }

    #[test]
    fn profiles_are_known_by_their_name() {
        assert_eq!(last_segment("arn:aws:iam::1:instance-profile/clusters/node"), "node");
    }
}
