//! Tags of load balancers, target groups and listeners, which are asked for and changed by ARN.

use crate::clients::Clients;
use crate::error::failed;
use aws_sdk_elasticloadbalancingv2::error::ProvideErrorMetadata;
use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use cloud::{Change, CloudError, Found, Resolved};
use std::collections::BTreeMap;

/// How many objects one call returns the tags of.
const ARNS: usize = 20;

/// What a call that makes an object takes along.
pub(crate) fn create_tags(object: &Resolved) -> Option<Vec<Tag>> {
    let tags: Vec<Tag> = object.tags().map(|(key, value)| tag(key, value)).collect();
    (!tags.is_empty()).then_some(tags)
}

/// Tags of load balancers, target groups or listeners, keyed by ARN.
pub(crate) async fn tags_of(
    clients: &Clients,
    arns: impl Iterator<Item = &str> + Send,
) -> Result<BTreeMap<String, Vec<Tag>>, CloudError> {
    let arns: Vec<String> = arns.map(str::to_owned).collect();
    let mut tags = BTreeMap::new();
    for arns in arns.chunks(ARNS) {
        for description in describe(clients, arns).await? {
            tags.extend(description.resource_arn.map(|arn| (arn, description.tags.unwrap_or_default())));
        }
    }
    Ok(tags)
}

/// Puts the tags of objects, whose ids are ARNs, among their settings, as `tag <key>`.
pub(crate) async fn with_tags(clients: &Clients, mut all: Vec<Found>) -> Result<Vec<Found>, CloudError> {
    let tags = tags_of(clients, all.iter().map(|found| found.id.as_str())).await?;
    for found in &mut all {
        for tag in tags.get(&found.id).into_iter().flatten() {
            let key = format!("tag {}", tag.key().unwrap_or_default());
            found.settings.insert(key, tag.value().unwrap_or_default().to_owned());
        }
    }
    Ok(all)
}

/// Brings about the changes that are about tags: all that are set in one call, all that go in another.
pub(crate) async fn update_tags(clients: &Clients, arn: &str, changes: &[Change]) -> Result<(), CloudError> {
    let of_tags = || changes.iter().filter_map(|change| Some((change.key.strip_prefix("tag ")?, change.to.as_deref())));
    let set: Vec<Tag> = of_tags().filter_map(|(key, to)| Some(tag(key, to?))).collect();
    let gone: Vec<String> = of_tags().filter(|(_, to)| to.is_none()).map(|(key, _)| key.to_owned()).collect();
    if !set.is_empty() {
        let call = clients.elbv2.add_tags().resource_arns(arn).set_tags(Some(set));
        call.send().await.map_err(|error| failed("elasticloadbalancing:AddTags", error))?;
    }
    if !gone.is_empty() {
        let call = clients.elbv2.remove_tags().resource_arns(arn).set_tag_keys(Some(gone));
        call.send().await.map_err(|error| failed("elasticloadbalancing:RemoveTags", error))?;
    }
    Ok(())
}

/// One that went since it was listed fails the call for all: then they are asked one by one.
async fn describe(clients: &Clients, arns: &[String]) -> Result<Vec<TagDescription>, CloudError> {
    let mut described = Vec::new();
    let answer = clients.elbv2.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
    match answer {
        Ok(answer) => described.extend(answer.tag_descriptions.unwrap_or_default()),
        Err(error) if is_gone(error.code()) => {
            for arn in arns {
                match clients.elbv2.describe_tags().resource_arns(arn).send().await {
                    Ok(answer) => described.extend(answer.tag_descriptions.unwrap_or_default()),
                    Err(error) if is_gone(error.code()) => {}
                    Err(error) => return Err(failed("elasticloadbalancing:DescribeTags", error)),
                }
            }
        }
        Err(error) => return Err(failed("elasticloadbalancing:DescribeTags", error)),
    }
    Ok(described)
}

fn is_gone(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.ends_with("NotFound"))
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}
