//! Auto Scaling groups as somebody else makes them. Their instances stand in the default VPC.

use super::api::Api;
use super::objects;

/// A public image that the emulator knows after a reset.
const IMAGE: &str = "ami-03cf127a";

/// With a launch template of the same name.
#[track_caller]
pub fn make(api: &Api, name: &str, size: u32) {
    let template = [
        ("Action", "CreateLaunchTemplate"),
        ("LaunchTemplateName", name),
        ("LaunchTemplateData.ImageId", IMAGE),
        ("LaunchTemplateData.InstanceType", "t3.micro"),
    ];
    api.call("ec2", &template);
    let (zone, size) = ("us-east-1a", size.to_string());
    let of_template = [("LaunchTemplate.LaunchTemplateName", name), ("LaunchTemplate.Version", "$Latest")];
    let sizes = [("MinSize", "0"), ("MaxSize", "9"), ("DesiredCapacity", size.as_str()), ("AvailabilityZones.member.1", zone)];
    call(api, "CreateAutoScalingGroup", name, &[&of_template[..], &sizes].concat());
}

#[track_caller]
pub fn scale(api: &Api, name: &str, size: u32) {
    call(api, "SetDesiredCapacity", name, &[("DesiredCapacity", &size.to_string())]);
}

#[track_caller]
pub fn delete(api: &Api, name: &str) {
    call(api, "DeleteAutoScalingGroup", name, &[("ForceDelete", "true")]);
    api.call("ec2", &[("Action", "DeleteLaunchTemplate"), ("LaunchTemplateName", name)]);
}

/// ARNs of the target groups that it is attached to.
#[track_caller]
pub fn target_groups(api: &Api, name: &str) -> Vec<String> {
    let groups = objects::auto_scaling_groups(api);
    let group = groups.iter().find(|group| group.value("AutoScalingGroupName") == name);
    let group = group.unwrap_or_else(|| panic!("there is no Auto Scaling group {name}"));
    group.values("TargetGroupARNs/member").into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn call(api: &Api, action: &str, name: &str, parameters: &[(&str, &str)]) {
    api.call("autoscaling", &[&[("Action", action), ("AutoScalingGroupName", name)], parameters].concat());
}
