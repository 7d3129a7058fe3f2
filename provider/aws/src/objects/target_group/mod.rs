//! Target groups with their targets and the Auto Scaling groups that are attached to them.

mod autoscaling;
mod targets;

use super::load_balancer::{create_tags, once, update_tags, with_tags};
use super::{Objects, names_of, not_taken};
use crate::clients::Clients;
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::operation::create_target_group::CreateTargetGroupError;
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup, TargetGroupAttribute, TargetGroupIpAddressTypeEnum, TargetTypeEnum,
};
use cloud::{Change, CloudError, Found, Kind, Resolved};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct TargetGroups;

/// Settings that are attributes of their own, by AWS' name.
const ATTRIBUTES: [(&str, &str); 4] = [
    ("preserve_client_ip", "preserve_client_ip.enabled"),
    ("proxy_protocol_v2", "proxy_protocol_v2.enabled"),
    ("connection_termination", "deregistration_delay.connection_termination.enabled"),
    ("deregistration_delay_seconds", "deregistration_delay.timeout_seconds"),
];

#[async_trait]
impl Objects for TargetGroups {
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let mut found = Vec::new();
        for group in named(clients, names).await? {
            match complete(clients, group).await {
                Ok(group) => found.push(group),
                // It went in the meantime.
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error),
            }
        }
        // After the targets: what a group registers meanwhile is one of its instances by now.
        if found.iter().any(autoscaling::can_be_attached) {
            let groups = autoscaling::all(clients).await?;
            found.iter_mut().for_each(|found| autoscaling::read(&groups, found));
        }
        Ok(found)
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        not_taken(named(clients, &names_of(object, "target_group_name")).await?, object)?;
        let text = |key: &str| object.get(key).map(str::to_owned);
        let number = |key: &str| object.get(key).and_then(|text| text.parse().ok());
        let call = clients
            .elbv2
            .create_target_group()
            .set_name(text("target_group_name"))
            .set_protocol(object.get("protocol").map(ProtocolEnum::from))
            .set_port(number("port"))
            .set_vpc_id(text("vpc"))
            .set_target_type(object.get("target_type").map(TargetTypeEnum::from))
            .set_ip_address_type(object.get("address_family").map(TargetGroupIpAddressTypeEnum::from))
            .set_health_check_protocol(object.get("health_check_protocol").map(ProtocolEnum::from))
            .set_health_check_port(text("health_check_port"))
            .set_health_check_path(text("health_check_path"))
            .set_health_check_interval_seconds(number("health_check_interval_seconds"))
            .set_health_check_timeout_seconds(number("health_check_timeout_seconds"))
            .set_healthy_threshold_count(number("healthy_threshold"))
            .set_unhealthy_threshold_count(number("unhealthy_threshold"))
            .set_matcher(object.get("health_check_matcher").map(matcher))
            .set_tags(create_tags(object))
            .customize()
            .config_override(once::<CreateTargetGroupError>());
        let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:CreateTargetGroup", error))?;
        let group = answer.target_groups().first();
        let mut found = found(group.ok_or_else(|| incomplete("elasticloadbalancing:CreateTargetGroup", "target group"))?);
        found.settings.extend(object.tags().map(|(key, value)| (format!("tag {key}"), value.to_owned())));
        Ok(found)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        set_health_check(clients, found, changes).await?;
        set_attributes(clients, found, changes).await?;
        // What comes is there before something goes.
        autoscaling::attach(clients, &found.id, changes).await?;
        targets::update(clients, &found.id, changes).await?;
        autoscaling::detach(clients, &found.id, autoscaling::leaving(changes)).await?;
        update_tags(clients, &found.id, changes).await
    }

    /// An Auto Scaling group that stays attached to what is gone launches no more instances.
    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        autoscaling::detach(clients, &found.id, autoscaling::attached(found)).await?;
        let call = clients.elbv2.delete_target_group().target_group_arn(&found.id);
        unless(call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:DeleteTargetGroup", error)), is_not_found)
    }
}

/// All are listed, since asking for names fails when one of them is missing.
pub(crate) async fn all(clients: &Clients) -> Result<Vec<TargetGroup>, CloudError> {
    let pages = clients.elbv2.describe_target_groups().page_size(400).into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("elasticloadbalancing:DescribeTargetGroups", error))
}

/// With their tags, and nothing that is asked of each.
async fn named(clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let is_named = |group: &&TargetGroup| group.target_group_name().is_some_and(|name| names.contains(name));
    with_tags(clients, all(clients).await?.iter().filter(is_named).map(found).collect()).await
}

async fn complete(clients: &Clients, mut found: Found) -> Result<Found, CloudError> {
    found.settings.extend(attributes(clients, &found.id).await?);
    targets::read(clients, &mut found).await?;
    Ok(found)
}

fn found(group: &TargetGroup) -> Found {
    let arn = group.target_group_arn().unwrap_or_default();
    let mut found = Found::new(Kind::TargetGroup, arn);
    let family = group.ip_address_type().map_or("ipv4", TargetGroupIpAddressTypeEnum::as_str);
    let texts = [
        ("target_group_name", group.target_group_name()),
        ("vpc", group.vpc_id()),
        ("protocol", group.protocol().map(ProtocolEnum::as_str)),
        ("target_type", group.target_type().map(TargetTypeEnum::as_str)),
        ("address_family", Some(family)),
        ("health_check_protocol", group.health_check_protocol().map(ProtocolEnum::as_str)),
        ("health_check_port", group.health_check_port()),
        ("health_check_path", group.health_check_path()),
        ("health_check_matcher", group.matcher().and_then(Matcher::http_code)),
    ];
    let numbers = [
        ("port", group.port()),
        ("health_check_interval_seconds", group.health_check_interval_seconds()),
        ("health_check_timeout_seconds", group.health_check_timeout_seconds()),
        ("healthy_threshold", group.healthy_threshold_count()),
        ("unhealthy_threshold", group.unhealthy_threshold_count()),
    ];
    found.settings.extend(texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))));
    found.settings.extend(numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_string()))));
    found
}

fn matcher(codes: &str) -> Matcher {
    Matcher::builder().http_code(codes).build()
}

async fn attributes(clients: &Clients, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let call = clients.elbv2.describe_target_group_attributes().target_group_arn(arn);
    let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:DescribeTargetGroupAttributes", error))?;
    let value = |name: &str| answer.attributes().iter().find(|one| one.key() == Some(name)).and_then(|one| one.value());
    Ok(ATTRIBUTES.iter().filter_map(|(key, name)| Some(((*key).to_owned(), value(name)?.to_owned()))).collect())
}

async fn set_attributes(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let attribute = |change: &Change| {
        let (_, name) = ATTRIBUTES.iter().find(|(key, _)| *key == change.key)?;
        Some(TargetGroupAttribute::builder().key(*name).value(change.to.as_deref()?).build())
    };
    let attributes: Vec<TargetGroupAttribute> = changes.iter().filter_map(attribute).collect();
    if attributes.is_empty() {
        return Ok(());
    }
    let call = clients.elbv2.modify_target_group_attributes().target_group_arn(&found.id).set_attributes(Some(attributes));
    call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:ModifyTargetGroupAttributes", error))
}

/// What has not changed is not sent: some of it must not even be repeated, depending on the protocol.
async fn set_health_check(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let is_of_check = |change: &&Change| change.key.starts_with("health") || change.key == "unhealthy_threshold";
    let to: BTreeMap<&str, &str> =
        changes.iter().filter(is_of_check).filter_map(|change| Some((change.key.as_str(), change.to.as_deref()?))).collect();
    if to.is_empty() {
        return Ok(());
    }
    let text = |key: &str| to.get(key).map(ToString::to_string);
    let number = |key: &str| to.get(key).and_then(|text| text.parse().ok());
    let call = clients
        .elbv2
        .modify_target_group()
        .target_group_arn(&found.id)
        .set_health_check_protocol(to.get("health_check_protocol").map(|protocol| ProtocolEnum::from(*protocol)))
        .set_health_check_port(text("health_check_port"))
        .set_health_check_path(text("health_check_path"))
        .set_health_check_interval_seconds(number("health_check_interval_seconds"))
        .set_health_check_timeout_seconds(number("health_check_timeout_seconds"))
        .set_healthy_threshold_count(number("healthy_threshold"))
        .set_unhealthy_threshold_count(number("unhealthy_threshold"))
        .set_matcher(to.get("health_check_matcher").map(|codes| matcher(codes)));
    call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:ModifyTargetGroup", error))
}
