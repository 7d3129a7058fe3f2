//! Tags, the same for all kinds of EC2: set by the call that makes an object, changed by a call of their own.

use crate::clients::Clients;
use crate::error::failed;
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use cloud::{Change, CloudError, Found, Resolved};
use std::collections::BTreeMap;

/// What a call that makes an object takes along.
pub(crate) fn specification(resource: ResourceType, object: &Resolved) -> Option<TagSpecification> {
    specification_of(resource, object.tags())
}

pub(crate) fn specification_of<'a>(
    resource: ResourceType,
    tags: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<TagSpecification> {
    let tags: Vec<Tag> = tags.map(|(key, value)| tag(key, value)).collect();
    (!tags.is_empty()).then(|| TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build())
}

/// One more tag, of the provider's own.
pub(crate) fn with(specification: Option<TagSpecification>, resource: ResourceType, key: &str, value: &str) -> TagSpecification {
    let mut tags = specification.and_then(|specification| specification.tags).unwrap_or_default();
    tags.push(tag(key, value));
    TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build()
}

/// Puts tags among settings, as `tag <key>`.
pub(crate) fn read(tags: Option<&[Tag]>, settings: &mut BTreeMap<String, String>) {
    for tag in tags.unwrap_or_default() {
        settings.insert(format!("tag {}", tag.key().unwrap_or_default()), tag.value().unwrap_or_default().to_owned());
    }
}

/// Brings about the changes that are about tags, all that are set in one call and all that go in one call.
pub(crate) async fn update(clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
    let of_tags = || changes.iter().filter_map(|change| Some((change.key.strip_prefix("tag ")?, change.to.as_deref())));
    let set: Vec<Tag> = of_tags().filter_map(|(key, to)| Some(tag(key, to?))).collect();
    let gone: Vec<Tag> = of_tags().filter(|(_, to)| to.is_none()).map(|(key, _)| Tag::builder().key(key).build()).collect();
    if !set.is_empty() {
        let call = clients.ec2.create_tags().resources(&found.id).set_tags(Some(set));
        call.send().await.map_err(|error| failed("ec2:CreateTags", error))?;
    }
    if !gone.is_empty() {
        let call = clients.ec2.delete_tags().resources(&found.id).set_tags(Some(gone));
        call.send().await.map_err(|error| failed("ec2:DeleteTags", error))?;
    }
    Ok(())
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::{Kind, ObjectKey};

    #[test]
    fn tags_go_out_and_come_back() {
        let settings = BTreeMap::from([("tag Name".into(), "demo".into()), ("cidr".into(), "10.0.0.0/16".into())]);
        let object = Resolved { key: ObjectKey::new(Kind::Vpc, "main"), settings, token: String::new() };
        let specification = specification(ResourceType::Vpc, &object).unwrap();
        assert_eq!(specification.resource_type(), Some(&ResourceType::Vpc));
        let mut settings = BTreeMap::new();
        read(Some(specification.tags()), &mut settings);
        assert_eq!(settings, BTreeMap::from([("tag Name".to_owned(), "demo".to_owned())]));
    }
}
