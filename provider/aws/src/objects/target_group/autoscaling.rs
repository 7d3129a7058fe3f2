//! Auto Scaling groups that are attached to a target group, as settings `autoscaling_group <name>`, and whose of its targets are
//! theirs, as `autoscaling_instance <id>` = name of the group.

use super::super::below;
use crate::clients::Clients;
use crate::error::{failed, unless};
use aws_sdk_autoscaling::types::AutoScalingGroup;
use cloud::{AUTOSCALING_GROUP, AUTOSCALING_INSTANCE, Change, CloudError, Found};

/// Whether groups can be attached to it: they register only instances.
pub(super) fn can_be_attached(found: &Found) -> bool {
    found.settings.get("target_type").is_some_and(|target_type| target_type == "instance")
}

/// All of the region in pages of 100: each has its target groups and its instances, and there is no filter for target groups.
pub(super) async fn all(clients: &Clients) -> Result<Vec<AutoScalingGroup>, CloudError> {
    let pages = clients.autoscaling.describe_auto_scaling_groups().max_records(100).into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("autoscaling:DescribeAutoScalingGroups", error))
}

/// The targets have been read already. What a group has yet to register counts as not healthy in the output `health`.
pub(super) fn read(groups: &[AutoScalingGroup], found: &mut Found) {
    let is_attached = |group: &&AutoScalingGroup| group.target_group_arns().contains(&found.id);
    let mut settings = Vec::new();
    let mut missing = 0;
    for group in groups.iter().filter(is_attached) {
        let name = group.auto_scaling_group_name().unwrap_or_default();
        let ids = || group.instances().iter().filter_map(|instance| instance.instance_id());
        let registered = ids().filter(|id| found.settings.contains_key(&format!("target {id}"))).count();
        let desired = group.desired_capacity().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
        missing += desired.saturating_sub(registered);
        settings.push((format!("{AUTOSCALING_GROUP} {name}"), String::new()));
        settings.extend(ids().map(|id| (format!("{AUTOSCALING_INSTANCE} {id}"), name.to_owned())));
    }
    found.settings.extend(settings);
    if let Some(health) = &mut found.health {
        health.targets += missing;
    }
}

/// What is attached already stays attached.
pub(super) async fn attach(clients: &Clients, arn: &str, changes: &[Change]) -> Result<(), CloudError> {
    for (name, _) in below(changes, AUTOSCALING_GROUP).filter(|(_, change)| change.to.is_some()) {
        let call = clients.autoscaling.attach_load_balancer_target_groups().auto_scaling_group_name(name).target_group_arns(arn);
        call.send().await.map_err(|error| failed("autoscaling:AttachLoadBalancerTargetGroups", error))?;
    }
    Ok(())
}

/// The group's instances leave with it: Auto Scaling deregisters them.
pub(super) async fn detach(clients: &Clients, arn: &str, names: impl Iterator<Item = &str> + Send) -> Result<(), CloudError> {
    for name in names {
        let call = clients.autoscaling.detach_load_balancer_target_groups().auto_scaling_group_name(name).target_group_arns(arn);
        let answer = call.send().await.map(drop);
        unless(answer.map_err(|error| failed("autoscaling:DetachLoadBalancerTargetGroups", error)), is_detached)?;
    }
    Ok(())
}

/// Those that changes take away.
pub(super) fn leaving(changes: &[Change]) -> impl Iterator<Item = &str> {
    below(changes, AUTOSCALING_GROUP).filter(|(_, change)| change.to.is_none()).map(|(name, _)| name)
}

pub(super) fn attached(found: &Found) -> impl Iterator<Item = &str> {
    found.settings.keys().filter_map(|key| key.strip_prefix(AUTOSCALING_GROUP)?.strip_prefix(' '))
}

/// Auto Scaling has one code for all that it refuses: the words tell. The group is gone, or not attached any more.
fn is_detached(error: &CloudError) -> bool {
    error.code == "ValidationError"
        && ["name not found", "not part of the group"].iter().any(|words| error.message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_autoscaling::types::Instance;
    use cloud::Health;
    use cloud::{ErrorClass, Kind};

    fn group(name: &str, target_group: &str, desired: i32, instances: &[&str]) -> AutoScalingGroup {
        let instances = instances.iter().map(|id| Instance::builder().instance_id(*id).build()).collect();
        let group = AutoScalingGroup::builder().auto_scaling_group_name(name).target_group_arns(target_group);
        group.desired_capacity(desired).set_instances(Some(instances)).build()
    }

    #[test]
    fn a_group_is_shown_where_it_is_attached_and_its_instances_are_its_own() {
        let mut found = Found::new(Kind::TargetGroup, "arn:1");
        found.settings.insert("target i-1".into(), "30443".into());
        found.settings.insert("target i-9".into(), "30443".into());
        found.health = Some(Health { healthy: 1, targets: 2 });
        read(&[group("nodes", "arn:1", 3, &["i-1", "i-2"]), group("others", "arn:2", 1, &["i-3"])], &mut found);
        assert_eq!(attached(&found).collect::<Vec<_>>(), ["nodes"]);
        let own: Vec<(&str, &str)> = found
            .settings
            .iter()
            .filter_map(|(key, name)| Some((key.strip_prefix("autoscaling_instance ")?, name.as_str())))
            .collect();
        assert_eq!(own, [("i-1", "nodes"), ("i-2", "nodes")]);
        // One registered by hand, one of the group, and two that the group has yet to register.
        assert_eq!(found.health, Some(Health { healthy: 1, targets: 4 }));
    }

    #[track_caller]
    fn check(code: &str, message: &str, expect: bool) {
        let operation = "autoscaling:DetachLoadBalancerTargetGroups".to_owned();
        let error = CloudError { operation, class: ErrorClass::Refused, code: code.into(), message: message.into() };
        assert_eq!(is_detached(&error), expect, "{message}");
    }

    #[test]
    fn what_is_not_attached_is_detached() {
        check("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'nodes' not found", true);
        check("ValidationError", "Trying to remove Target Groups that are not part of the group: arn:1", true);
        check("ValidationError", "1 validation error detected", false);
        check("ResourceContention", "name not found", false);
    }
}
