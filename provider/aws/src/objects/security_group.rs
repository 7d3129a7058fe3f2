//! Security groups with their rules. The default group of a VPC is not shown: it comes and goes with the VPC.

mod rules;

use super::{Objects, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, is_there, unless, unusable};
use async_trait::async_trait;
use aws_sdk_ec2::operation::create_security_group::CreateSecurityGroupError;
use aws_sdk_ec2::types::{IpPermission, ResourceType, SecurityGroup};
use cloud::Direction::{self, Egress, Ingress};
use cloud::{Change, CloudError, Found, KUBERNETES_RULE, Kind, OBJECT_TAG, Peer, Ports, Protocol, Readiness, Resolved, Rule};
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;

pub(crate) struct SecurityGroups;

#[async_trait]
impl Objects for SecurityGroups {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        let pages = clients.ec2.describe_security_groups().into_paginator().items().send();
        let groups = pages.try_collect().await.map_err(|error| failed("ec2:DescribeSecurityGroups", error))?;
        let of_kubernetes = of_kubernetes(&groups);
        let ours_or_others = groups.iter().filter(|group| group.group_name() != Some("default"));
        Ok(ours_or_others.filter_map(|group| read(group, &of_kubernetes)).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let text = |key: &str| object.get(key).map(ToOwned::to_owned);
        let call = clients
            .ec2
            .create_security_group()
            .set_vpc_id(text("vpc"))
            .set_group_name(text("group_name"))
            .set_description(text("description"))
            .set_tag_specifications(tags::specification(ResourceType::SecurityGroup, object).map(|tags| vec![tags]));
        let call = call.customize().config_override(once::<CreateSecurityGroupError>());
        let answer = call.send().await.map_err(|error| failed("ec2:CreateSecurityGroup", error))?;
        let id = answer.group_id().ok_or_else(|| incomplete("ec2:CreateSecurityGroup", "group id"))?;
        // AWS puts a rule into it that lets everything out, over IPv6 too where the VPC has it: which, only it can tell.
        let found = match describe(clients, id).await {
            Ok(Some(found)) => found,
            // EC2 may not know for some seconds of a group that it just created: the caller looks again.
            Err(error) if !is_not_found(&error) => with_default_rule(Found::new(Kind::SecurityGroup, id)),
            _ => Found { readiness: Readiness::Pending, ..with_default_rule(Found::new(Kind::SecurityGroup, id)) },
        };
        Ok(made(found, object, &["vpc", "group_name", "description"]))
    }

    /// What is missing comes before what is too much goes, so that no traffic is cut off in between.
    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        for direction in [Ingress, Egress] {
            let (mut missing, mut described, mut excess) = (Vec::new(), Vec::new(), Vec::new());
            for change in changes {
                let rule = match Rule::of_key(&change.key) {
                    None => continue,
                    Some(rule) => rule.map_err(|error| unusable(authorizes(direction), error.to_string()))?,
                };
                if rule.direction != direction {
                    continue;
                }
                // What goes is named in full: with its description, though EC2 itself does not ask for that.
                let description = change.to.as_ref().or(change.from.as_ref()).map(String::as_str).unwrap_or_default();
                let permission = rules::permission(&rule, description);
                let permission =
                    permission.ok_or_else(|| unusable(authorizes(direction), format!("\"{rule}\" names what is not there")))?;
                match (&change.from, &change.to) {
                    (None, _) => missing.push(permission),
                    (Some(_), Some(_)) => described.push(permission),
                    (Some(_), None) => excess.push(permission),
                }
            }
            all_or_each(missing, is_there, |rules| authorize(clients, direction, &found.id, rules)).await?;
            if !described.is_empty() {
                describe_rules(clients, direction, &found.id, described).await?;
            }
            all_or_each(excess, is_revoked, |rules| revoke(clients, direction, &found.id, rules)).await?;
        }
        tags::update(clients, found, changes).await
    }

    /// Groups that name each other in their rules could not go otherwise: each drops its own references first.
    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        for direction in [Ingress, Egress] {
            let rules = found.settings.iter().filter_map(|(key, description)| Some((key.parse::<Rule>().ok()?, description)));
            let names_other = |rule: &Rule| matches!(&rule.peer, Peer::Group(id) if *id != found.id);
            let others = rules.filter(|(rule, _)| rule.direction == direction && names_other(rule));
            let references = others.filter_map(|(rule, description)| rules::permission(&rule, description)).collect();
            let revoked = all_or_each(references, is_revoked, |rules| revoke(clients, direction, &found.id, rules)).await;
            unless(revoked, is_not_found)?;
        }
        let answer = clients.ec2.delete_security_group().group_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteSecurityGroup", error)), is_not_found)
    }
}

fn authorizes(direction: Direction) -> &'static str {
    match direction {
        Ingress => "ec2:AuthorizeSecurityGroupIngress",
        Egress => "ec2:AuthorizeSecurityGroupEgress",
    }
}

fn revokes(direction: Direction) -> &'static str {
    match direction {
        Ingress => "ec2:RevokeSecurityGroupIngress",
        Egress => "ec2:RevokeSecurityGroupEgress",
    }
}

/// In one call; where that is refused because some of it is done already, which refuses the rest too, one by one.
async fn all_or_each<F, R>(rules: Vec<IpPermission>, is_done: fn(&CloudError) -> bool, call: F) -> Result<(), CloudError>
where
    F: Fn(Vec<IpPermission>) -> R,
    R: Future<Output = Result<(), CloudError>>,
{
    if rules.is_empty() {
        return Ok(());
    }
    match call(rules.clone()).await {
        Err(error) if is_done(&error) => {}
        result => return result,
    }
    for rule in rules {
        unless(call(vec![rule]).await, is_done)?;
    }
    Ok(())
}

async fn authorize(clients: &Clients, direction: Direction, id: &str, rules: Vec<IpPermission>) -> Result<(), CloudError> {
    let operation = authorizes(direction);
    match direction {
        Ingress => {
            let call = clients.ec2.authorize_security_group_ingress().group_id(id).set_ip_permissions(Some(rules));
            call.send().await.map(|_| ()).map_err(|error| failed(operation, error))
        }
        Egress => {
            let call = clients.ec2.authorize_security_group_egress().group_id(id).set_ip_permissions(Some(rules));
            call.send().await.map(|_| ()).map_err(|error| failed(operation, error))
        }
    }
}

async fn revoke(clients: &Clients, direction: Direction, id: &str, rules: Vec<IpPermission>) -> Result<(), CloudError> {
    let operation = revokes(direction);
    match direction {
        Ingress => {
            let call = clients.ec2.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(rules));
            call.send().await.map(|_| ()).map_err(|error| failed(operation, error))
        }
        Egress => {
            let call = clients.ec2.revoke_security_group_egress().group_id(id).set_ip_permissions(Some(rules));
            call.send().await.map(|_| ()).map_err(|error| failed(operation, error))
        }
    }
}

/// Only the descriptions of existing rules.
async fn describe_rules(clients: &Clients, direction: Direction, id: &str, rules: Vec<IpPermission>) -> Result<(), CloudError> {
    match direction {
        Ingress => {
            let call = clients.ec2.update_security_group_rule_descriptions_ingress().group_id(id);
            let answer = call.set_ip_permissions(Some(rules)).send().await;
            answer.map(|_| ()).map_err(|error| failed("ec2:UpdateSecurityGroupRuleDescriptionsIngress", error))
        }
        Egress => {
            let call = clients.ec2.update_security_group_rule_descriptions_egress().group_id(id);
            let answer = call.set_ip_permissions(Some(rules)).send().await;
            answer.map(|_| ()).map_err(|error| failed("ec2:UpdateSecurityGroupRuleDescriptionsEgress", error))
        }
    }
}

/// That the group itself is not there does not say so: it may not be seen yet, and still have the rule.
fn is_revoked(error: &CloudError) -> bool {
    error.code == "InvalidPermission.NotFound"
}

async fn describe(clients: &Clients, id: &str) -> Result<Option<Found>, CloudError> {
    let answer = clients.ec2.describe_security_groups().group_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeSecurityGroups", error))?;
    Ok(answer.security_groups().iter().find_map(|group| read(group, &BTreeSet::new())))
}

fn with_default_rule(mut found: Found) -> Found {
    let anywhere = Peer::Network(IpNet::from(Ipv4Net::default()));
    put(&mut found, &Rule::new(Egress, Protocol::All, Ports::All, anywhere).to_string(), Some(""));
    found
}

/// The ids of groups that controllers of Kubernetes made, whose rules in other groups come and go with a Service.
fn of_kubernetes(groups: &[SecurityGroup]) -> BTreeSet<&str> {
    let is_of_kubernetes = |group: &&SecurityGroup| {
        let tags = || group.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        let is_made_for_cluster = |(key, value): (&str, &str)| {
            (key.starts_with("kubernetes.io/cluster/") && value != "shared") || key == "elbv2.k8s.aws/cluster"
        };
        tags().any(is_made_for_cluster) && !tags().any(|(key, _)| key == OBJECT_TAG)
    };
    groups.iter().filter(is_of_kubernetes).filter_map(SecurityGroup::group_id).collect()
}

fn read(group: &SecurityGroup, of_kubernetes: &BTreeSet<&str>) -> Option<Found> {
    let mut found = Found::new(Kind::SecurityGroup, group.group_id()?);
    put(&mut found, "vpc", group.vpc_id());
    put(&mut found, "group_name", group.group_name());
    put(&mut found, "description", group.description());
    for (direction, permissions) in [(Ingress, group.ip_permissions()), (Egress, group.ip_permissions_egress())] {
        for (rule, description) in permissions.iter().flat_map(|permission| rules::rules(direction, permission)) {
            let is_of_kubernetes = matches!(&rule.peer, Peer::Group(id) if of_kubernetes.contains(id.as_str()));
            let description = if description.is_empty() && is_of_kubernetes { KUBERNETES_RULE.into() } else { description };
            put(&mut found, &rule.to_string(), Some(description));
        }
    }
    tags::read(Some(group.tags()), &mut found.settings);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::ErrorClass;

    #[test]
    fn a_group_that_is_not_seen_yet_has_its_rules_still() {
        let refused = |code: &str| CloudError {
            operation: "ec2:RevokeSecurityGroupEgress".into(),
            class: ErrorClass::NotFound,
            code: code.into(),
            message: String::new(),
        };
        assert!(is_revoked(&refused("InvalidPermission.NotFound")));
        assert!(!is_revoked(&refused("InvalidGroup.NotFound")));
    }
}
