//! Network load balancers, and what all kinds of that service share: their listing by name and their tags.

mod addresses;
mod tags;

pub(crate) use tags::{create_tags, tags_of, update_tags, with_tags};

use super::{Objects, becomes, names_of, not_taken};
use crate::clients::{Clients, OnlyWhenThrottled};
use crate::error::{failed, incomplete, is_not_found, unless, unusable};
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::config;
use aws_sdk_elasticloadbalancingv2::error::ProvideErrorMetadata;
use aws_sdk_elasticloadbalancingv2::operation::create_load_balancer::CreateLoadBalancerError;
use aws_sdk_elasticloadbalancingv2::types::{
    EnablePrefixForIpv6SourceNatEnum, IpAddressType, LoadBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerStateEnum, LoadBalancerTypeEnum,
};
use cloud::{Change, CloudError, Found, Kind, Readiness, Resolved};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct LoadBalancers;

/// Whether it has a prefix of each subnet for source NAT, which only the calls that set subnets set: `on`, `off`.
const SOURCE_NAT: &str = "ipv6_source_nat_prefix";

/// Settings that are attributes of their own, by AWS' name.
const ATTRIBUTES: [(&str, &str); 3] = [
    ("cross_zone", "load_balancing.cross_zone.enabled"),
    ("deletion_protection", "deletion_protection.enabled"),
    ("dns_record_client_routing_policy", "dns_record.client_routing_policy"),
];

#[async_trait]
impl Objects for LoadBalancers {
    async fn list(&self, clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let named = named(clients, names).await?;
        let tagged = with_tags(clients, named.iter().map(found).collect()).await?;
        let mut all = Vec::new();
        for (balancer, mut found) in named.iter().zip(tagged) {
            addresses::read(balancer, &mut found.settings);
            // One that went in the meantime has none.
            match attributes(clients, &found.id).await {
                Ok(attributes) => found.settings.extend(attributes),
                Err(error) if is_not_found(&error) => continue,
                Err(error) => return Err(error),
            }
            all.push(found);
        }
        Ok(all)
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let named = named(clients, &names_of(object, "load_balancer_name")).await?;
        not_taken(with_tags(clients, named.iter().map(found).collect()).await?, object)?;
        let groups: Vec<String> = object.all("security_group").map(|(id, _)| id.to_owned()).collect();
        let subnets: BTreeMap<String, String> =
            object.all("subnet").map(|(id, value)| (id.to_owned(), value.to_owned())).collect();
        let mut object = object.clone();
        object.settings.extend(addresses::tags(&subnets));
        let call = clients
            .elbv2
            .create_load_balancer()
            .set_name(object.get("load_balancer_name").map(str::to_owned))
            .set_scheme(object.get("scheme").map(LoadBalancerSchemeEnum::from))
            .set_type(object.get("type").map(LoadBalancerTypeEnum::from))
            .set_ip_address_type(object.get("ip_address_type").map(IpAddressType::from))
            .set_subnet_mappings(Some(addresses::mappings(&subnets)))
            .set_enable_prefix_for_ipv6_source_nat(object.get(SOURCE_NAT).map(EnablePrefixForIpv6SourceNatEnum::from))
            .set_security_groups((!groups.is_empty()).then_some(groups))
            .set_tags(create_tags(&object))
            .customize()
            .config_override(once::<CreateLoadBalancerError>());
        let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:CreateLoadBalancer", error))?;
        let balancer = answer.load_balancers().first();
        let mut found = found(balancer.ok_or_else(|| incomplete("elasticloadbalancing:CreateLoadBalancer", "load balancer"))?);
        found.settings.extend(
            object.settings.iter().filter(|(key, _)| is_set_at_once(key)).map(|(key, value)| (key.clone(), value.clone())),
        );
        Ok(found)
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let changed = |word: &str| changes.iter().any(|change| change.key.split(' ').next() == Some(word));
        let family = changes.iter().find(|change| change.key == "ip_address_type").and_then(|change| change.to.as_deref());
        let family = family.map(IpAddressType::from);
        let loses_ipv6 = family == Some(IpAddressType::Ipv4) && has_source_nat(found);
        if changed("subnet") || changed(SOURCE_NAT) || loses_ipv6 {
            set_subnets(clients, found, changes, family.clone()).await?;
        }
        if let Some(family) = family {
            let call = clients.elbv2.set_ip_address_type().load_balancer_arn(&found.id).ip_address_type(family);
            call.send().await.map_err(|error| failed("elasticloadbalancing:SetIpAddressType", error))?;
        }
        if changed("security_group") {
            let groups = after(found, changes, "security_group").into_keys().collect();
            let call = clients.elbv2.set_security_groups().load_balancer_arn(&found.id).set_security_groups(Some(groups));
            call.send().await.map_err(|error| failed("elasticloadbalancing:SetSecurityGroups", error))?;
        }
        set_attributes(clients, found, changes).await?;
        update_tags(clients, &found.id, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        const OPERATION: &str = "elasticloadbalancing:DeleteLoadBalancer";
        if found.settings.get("deletion_protection").is_some_and(|value| value == "true") {
            let name = found.settings.get("load_balancer_name").map_or(found.id.as_str(), String::as_str);
            return Err(unusable(
                OPERATION,
                format!("{name} is protected against deletion; apply with deletion_protection = false first"),
            ));
        }
        let call = clients.elbv2.delete_load_balancer().load_balancer_arn(&found.id);
        unless(call.send().await.map(drop).map_err(|error| failed(OPERATION, error)), is_not_found)
    }
}

/// All are listed, since asking for names fails when one of them is missing.
pub(crate) async fn named(clients: &Clients, names: &BTreeSet<String>) -> Result<Vec<LoadBalancer>, CloudError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let is_named = |balancer: &LoadBalancer| balancer.load_balancer_name().is_some_and(|name| names.contains(name));
    Ok(all(clients).await?.into_iter().filter(is_named).collect())
}

pub(crate) async fn all(clients: &Clients) -> Result<Vec<LoadBalancer>, CloudError> {
    let pages = clients.elbv2.describe_load_balancers().page_size(400).into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("elasticloadbalancing:DescribeLoadBalancers", error))
}

/// For calls of this service that make something: after an answer that leaves open whether it happened they must not be repeated.
pub(crate) fn once<E>() -> config::Builder
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    config::Config::builder().retry_classifier(OnlyWhenThrottled::<E>::default())
}

/// The whole set of what follows a first word, with its values, after the changes: what a call takes that sets all at once.
pub(crate) fn after(found: &Found, changes: &[Change], word: &str) -> BTreeMap<String, String> {
    let rest = |key: &str| Some(key.strip_prefix(word)?.strip_prefix(' ')?.to_owned());
    let mut set: BTreeMap<String, String> =
        found.settings.iter().filter_map(|(key, value)| Some((rest(key)?, value.clone()))).collect();
    for change in changes {
        let Some(name) = rest(&change.key) else { continue };
        match &change.to {
            Some(to) => set.insert(name, to.clone()),
            None => set.remove(&name),
        };
    }
    set
}

/// Names are returned in lower case and without the final dot, so that they compare with those of records.
fn found(balancer: &LoadBalancer) -> Found {
    let arn = balancer.load_balancer_arn().unwrap_or_default();
    let mut found = Found::new(Kind::LoadBalancer, arn);
    let settings = [
        ("load_balancer_name", balancer.load_balancer_name()),
        ("scheme", balancer.scheme().map(LoadBalancerSchemeEnum::as_str)),
        ("type", balancer.r#type().map(LoadBalancerTypeEnum::as_str)),
        ("ip_address_type", balancer.ip_address_type().map(IpAddressType::as_str)),
        (SOURCE_NAT, balancer.enable_prefix_for_ipv6_source_nat().map(EnablePrefixForIpv6SourceNatEnum::as_str)),
    ];
    let settings = settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
    found.settings.extend(settings);
    for id in balancer.security_groups() {
        found.settings.insert(format!("security_group {id}"), String::new());
    }
    found.outputs.extend(balancer.dns_name().map(|name| ("dns_name".to_owned(), super::dns_record::normal_alias(name))));
    found.outputs.extend(balancer.canonical_hosted_zone_id().map(|zone| ("zone_id".to_owned(), zone.to_owned())));
    found.readiness = readiness(balancer);
    found
}

fn readiness(balancer: &LoadBalancer) -> Readiness {
    let state = balancer.state();
    match state.and_then(|state| state.code()) {
        Some(LoadBalancerStateEnum::Provisioning) => Readiness::Pending,
        Some(LoadBalancerStateEnum::Failed) => {
            let reason = state.and_then(|state| state.reason()).unwrap_or("AWS gives no reason");
            Readiness::Failed(reason.to_owned())
        }
        _ => Readiness::Ready,
    }
}

fn is_set_at_once(key: &str) -> bool {
    key.starts_with("tag ") || key.starts_with("subnet ") || key == SOURCE_NAT
}

async fn attributes(clients: &Clients, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let call = clients.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.map_err(|error| failed("elasticloadbalancing:DescribeLoadBalancerAttributes", error))?;
    let value = |name: &str| answer.attributes().iter().find(|one| one.key() == Some(name)).and_then(|one| one.value());
    Ok(ATTRIBUTES.iter().filter_map(|(key, name)| Some(((*key).to_owned(), value(name)?.to_owned()))).collect())
}

async fn set_attributes(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let attribute = |change: &Change| {
        let (_, name) = ATTRIBUTES.iter().find(|(key, _)| *key == change.key)?;
        Some(LoadBalancerAttribute::builder().key(*name).value(change.to.as_deref()?).build())
    };
    let attributes: Vec<LoadBalancerAttribute> = changes.iter().filter_map(attribute).collect();
    if attributes.is_empty() {
        return Ok(());
    }
    let call = clients.elbv2.modify_load_balancer_attributes().load_balancer_arn(&found.id).set_attributes(Some(attributes));
    call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:ModifyLoadBalancerAttributes", error))
}

fn has_source_nat(found: &Found) -> bool {
    found.settings.get(SOURCE_NAT).is_some_and(|value| value == "on")
}

/// What a call leaves out counts as `off`. Only a dual-stack balancer can have it.
fn source_nat(found: &Found, changes: &[Change]) -> Option<EnablePrefixForIpv6SourceNatEnum> {
    let is_on = becomes(changes, SOURCE_NAT).map_or_else(|| has_source_nat(found), |value| value == "on");
    let becomes_ipv4 = becomes(changes, "ip_address_type") == Some("ipv4");
    is_on.then_some(if becomes_ipv4 { EnablePrefixForIpv6SourceNatEnum::Off } else { EnablePrefixForIpv6SourceNatEnum::On })
}

/// The tags go first: what was chosen has to be known when the subnets are.
async fn set_subnets(
    clients: &Clients,
    found: &Found,
    changes: &[Change],
    family: Option<IpAddressType>,
) -> Result<(), CloudError> {
    let subnets = after(found, changes, "subnet");
    update_tags(clients, &found.id, &addresses::tag_changes(found, &subnets)).await?;
    let call = clients
        .elbv2
        .set_subnets()
        .load_balancer_arn(&found.id)
        .set_enable_prefix_for_ipv6_source_nat(source_nat(found, changes))
        .set_ip_address_type(family)
        .set_subnet_mappings(Some(addresses::mappings(&subnets)));
    call.send().await.map(drop).map_err(|error| failed("elasticloadbalancing:SetSubnets", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_source_nat(found: Option<&str>, changes: &[(&str, &str)], expect: Option<&str>) {
        let mut balancer = Found::new(Kind::LoadBalancer, "arn");
        balancer.settings.extend(found.map(|value| (SOURCE_NAT.to_owned(), value.to_owned())));
        let change = |(key, to): &(&str, &str)| Change { key: (*key).into(), from: None, to: Some((*to).into()) };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        let set = source_nat(&balancer, &changes);
        assert_eq!(set.as_ref().map(EnablePrefixForIpv6SourceNatEnum::as_str), expect, "{found:?} {changes:?}");
    }

    #[test]
    fn source_nat_stays_on_until_there_is_no_ipv6() {
        let family = |to| [("ip_address_type", to)];
        check_source_nat(None, &[], None);
        check_source_nat(Some("off"), &[], None);
        check_source_nat(Some("off"), &[(SOURCE_NAT, "on")], Some("on"));
        check_source_nat(None, &[("ip_address_type", "dualstack"), (SOURCE_NAT, "on")], Some("on"));
        check_source_nat(Some("on"), &[("subnet subnet-1", "")], Some("on"));
        check_source_nat(Some("on"), &family("ipv4"), Some("off"));
        check_source_nat(Some("off"), &family("ipv4"), None);
    }

    #[test]
    fn sets_are_merged_with_changes() {
        let mut found = Found::new(Kind::LoadBalancer, "arn");
        for (key, value) in [("subnet subnet-1", ""), ("subnet subnet-2", "allocation=eipalloc-1"), ("subnets", "x")] {
            found.settings.insert(key.into(), value.into());
        }
        let change = |key: &str, to: Option<&str>| Change { key: key.into(), from: None, to: to.map(str::to_owned) };
        let changes = [
            change("subnet subnet-1", None),
            change("subnet subnet-3", Some("")),
            change("subnet subnet-2", Some("allocation=eipalloc-2")),
            change("tag Name", Some("x")),
        ];
        let expect = [("subnet-2", "allocation=eipalloc-2"), ("subnet-3", "")];
        let expect: BTreeMap<String, String> = expect.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        assert_eq!(after(&found, &changes, "subnet"), expect);
    }
}
