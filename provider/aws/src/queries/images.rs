//! Images, newest first.

use crate::clients::Clients;
use crate::error::{failed, incomplete};
use aws_sdk_ec2::types::{ArchitectureValues, Filter};
use cloud::{CloudError, Image, ImageQuery};
use std::collections::BTreeSet;

/// Those that can be launched now. Deprecated ones are shown only when they are asked for by id.
pub(crate) async fn images(clients: &Clients, query: &ImageQuery) -> Result<Vec<Image>, CloudError> {
    let ids = match &query.parameter {
        Some(parameter) => BTreeSet::from([parameter_value(clients, parameter).await?]),
        None => query.ids.clone(),
    };
    let by_id = !ids.is_empty();
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let mut filters = vec![filter("state", "available")];
    if query.parameter.is_none() {
        filters.extend(query.name.as_deref().map(|pattern| filter("name", pattern)));
        filters.extend(query.architecture.as_deref().map(|architecture| filter("architecture", architecture)));
    }
    let owners = query.owners.iter().filter(|_| query.parameter.is_none()).cloned().collect::<Vec<String>>();
    let call = clients
        .ec2
        .describe_images()
        .set_image_ids(by_id.then(|| ids.into_iter().collect()))
        .set_owners((!owners.is_empty()).then_some(owners))
        .set_filters(Some(filters))
        .include_deprecated(by_id);
    let images = call.into_paginator().items().send().try_collect().await;
    let images = images.map_err(|error| failed("ec2:DescribeImages", error))?;
    let mut images: Vec<Image> = images.iter().filter_map(image).collect();
    images.sort_by(|one, other| (&other.created_at, &other.id).cmp(&(&one.created_at, &one.id)));
    Ok(images)
}

async fn parameter_value(clients: &Clients, name: &str) -> Result<String, CloudError> {
    const OPERATION: &str = "ssm:GetParameter";
    let answer = clients.ssm.get_parameter().name(name).send().await.map_err(|error| failed(OPERATION, error))?;
    let value = answer.parameter().and_then(|parameter| parameter.value());
    value.map(str::to_owned).ok_or_else(|| incomplete(OPERATION, "value of the parameter"))
}

fn image(image: &aws_sdk_ec2::types::Image) -> Option<Image> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some(Image {
        id: image.image_id()?.to_owned(),
        name: text(image.name()),
        architecture: text(image.architecture().map(ArchitectureValues::as_str)),
        created_at: text(image.creation_date()),
        owner: text(image.owner_id()),
        root_device: text(image.root_device_name()),
    })
}
