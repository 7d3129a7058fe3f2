//! The catalogue of machine images, and how it is asked: which query finds the newest image, and which entry an image is of.

use crate::RenderError;
use crate::spec::Architecture;
use cloud::{Image, ImageQuery};
use serde::Deserialize;
use std::collections::BTreeMap;

const CATALOGUE: &str = include_str!("images.toml");

/// One entry: `debian-12`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueImage {
    /// Accounts that publish it, by partition.
    owners: BTreeMap<String, String>,
    name: String,
    parameter: Option<String>,
    /// Who SSH logs in as.
    pub user: String,
    /// The device name of the root volume.
    pub root_device: String,
    pub packages: Packages,
}

/// The package manager of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packages {
    Apt,
    Dnf,
}

/// # Errors
/// Never in a build whose tests passed: the catalogue is part of it.
pub fn names() -> Result<Vec<String>, RenderError> {
    Ok(read()?.into_keys().collect())
}

/// # Errors
/// Never in a build whose tests passed: the catalogue is part of it.
pub fn find(name: &str) -> Result<Option<CatalogueImage>, RenderError> {
    Ok(read()?.remove(name))
}

/// The catalogue's name of an image that was found, as far as it is one of the catalogue.
///
/// # Errors
/// Never in a build whose tests passed: the catalogue is part of it.
pub fn recognise(image: &Image) -> Result<Option<String>, RenderError> {
    let Some(architecture) = parse_architecture(&image.architecture) else { return Ok(None) };
    let is_it = |entry: &CatalogueImage| {
        entry.owners.values().any(|owner| *owner == image.owner) && matches(&filled(&entry.name, architecture), &image.name)
    };
    Ok(read()?.into_iter().find(|(_, entry)| is_it(entry)).map(|(name, _)| name))
}

/// Of two that are equally old, the one with the smaller id: always the same one.
pub fn newest(images: &[Image]) -> Option<&Image> {
    images.iter().max_by(|a, b| a.created_at.cmp(&b.created_at).then_with(|| b.id.cmp(&a.id)))
}

impl CatalogueImage {
    /// `None` where the publisher has no images in the region's partition.
    pub fn query(&self, architecture: Architecture, region: &str) -> Option<ImageQuery> {
        if let Some(parameter) = &self.parameter {
            return Some(ImageQuery { parameter: Some(filled(parameter, architecture)), ..ImageQuery::default() });
        }
        let owner = self.owners.get(partition(region))?;
        Some(ImageQuery {
            owners: [owner.clone()].into(),
            name: Some(filled(&self.name, architecture)),
            architecture: Some(aws_architecture(architecture).to_owned()),
            ..ImageQuery::default()
        })
    }
}

/// By the family's name: a `g` after the generation is Graviton (`t4g`, `m7gd`, `c7gn`, `im4gn`), `a1` its first generation.
/// `None` for what is not an instance type.
pub fn architecture_of(instance_type: &str) -> Option<Architecture> {
    let (family, size) = instance_type.split_once('.')?;
    let written = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let generation = family.find(|c: char| c.is_ascii_digit())?;
    if generation == 0 || !written(family) || !written(size) {
        return None;
    }
    let attributes = family[generation..].trim_start_matches(|c: char| c.is_ascii_digit());
    let is_arm = family == "a1" || attributes.contains('g');
    Some(if is_arm { Architecture::Arm64 } else { Architecture::Amd64 })
}

/// The architecture in AWS's spelling, such as `x86_64`.
pub fn aws_architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

/// As AWS or Debian writes it.
pub fn parse_architecture(text: &str) -> Option<Architecture> {
    match text {
        "x86_64" | "amd64" => Some(Architecture::Amd64),
        "arm64" => Some(Architecture::Arm64),
        _ => None,
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

fn filled(text: &str, architecture: Architecture) -> String {
    text.replace("{arch}", aws_architecture(architecture)).replace("{deb_arch}", architecture.as_str())
}

/// A pattern with `*`, as EC2's filters have it.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text
            .strip_prefix(before)
            .is_some_and(|text| (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))),
    }
}

fn read() -> Result<BTreeMap<String, CatalogueImage>, RenderError> {
    toml::from_str(CATALOGUE).map_err(|error| RenderError::Catalogue(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn image(id: &str, name: &str, owner: &str, created_at: &str) -> Image {
        Image {
            id: id.into(),
            name: name.into(),
            architecture: "arm64".into(),
            created_at: created_at.into(),
            owner: owner.into(),
            root_device: "/dev/xvda".into(),
        }
    }

    #[test]
    fn every_entry_can_be_asked_for_both_architectures() {
        assert_eq!(names().unwrap(), ["amazon-linux-2023", "debian-12", "ubuntu-24.04"]);
        for name in names().unwrap() {
            let entry = find(&name).unwrap().unwrap();
            for architecture in [Architecture::Amd64, Architecture::Arm64] {
                let query = entry.query(architecture, "eu-central-1").unwrap();
                let text = query.name.or(query.parameter).unwrap();
                assert!(!text.contains('{'), "{text}");
            }
        }
    }

    #[track_caller]
    fn check_query(name: &str, region: &str, expect: Option<(&str, &str)>) {
        let query = find(name).unwrap().unwrap().query(Architecture::Arm64, region);
        let said = query.map(|query| {
            (query.owners.into_iter().next().unwrap_or_default(), query.name.or(query.parameter).unwrap_or_default())
        });
        assert_eq!(said, expect.map(|(owner, text)| (owner.to_owned(), text.to_owned())));
    }

    #[test]
    fn owners_are_asked_in_their_own_partition() {
        check_query("debian-12", "us-east-1", Some(("136693071363", "debian-12-arm64-*")));
        check_query("debian-12", "cn-northwest-1", None);
        let ubuntu = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-*";
        check_query("ubuntu-24.04", "cn-northwest-1", Some(("837727238323", ubuntu)));
        check_query("ubuntu-24.04", "us-gov-west-1", Some(("513442679011", ubuntu)));
        let parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
        check_query("amazon-linux-2023", "cn-north-1", Some(("", parameter)));
    }

    #[track_caller]
    fn check_recognised(name: &str, owner: &str, expect: Option<&str>) {
        assert_eq!(recognise(&image("ami-1", name, owner, "")).unwrap().as_deref(), expect, "{name}");
    }

    #[test]
    fn images_are_recognised_by_owner_and_name() {
        check_recognised("debian-12-arm64-20240717-1811", "136693071363", Some("debian-12"));
        check_recognised("debian-12-arm64-20240717-1811", "111111111111", None);
        check_recognised("debian-12-amd64-20240717-1811", "136693071363", None);
        check_recognised("debian-13-arm64-20260717-1811", "136693071363", None);
        check_recognised("al2023-ami-2023.12.20260930.0-kernel-6.1-arm64", "137112412989", Some("amazon-linux-2023"));
        check_recognised("al2023-ami-minimal-2023.12.20260930.0-kernel-6.1-arm64", "137112412989", None);
    }

    #[test]
    fn the_newest_image_is_always_the_same_one() {
        let images = [
            image("ami-2", "a", "1", "2026-01-01T00:00:00Z"),
            image("ami-3", "b", "1", "2026-03-01T00:00:00Z"),
            image("ami-1", "c", "1", "2026-03-01T00:00:00Z"),
        ];
        assert_eq!(newest(&images).unwrap().id, "ami-1");
        assert_eq!(newest(&[]), None);
    }

    #[track_caller]
    fn check_type(instance_type: &str, expect: Option<Architecture>) {
        assert_eq!(architecture_of(instance_type), expect, "{instance_type}");
    }

    #[test]
    fn the_architecture_is_told_by_the_instance_type() {
        for arm in [
            "t4g.nano",
            "m7gd.large",
            "c7gn.16xlarge",
            "im4gn.large",
            "is4gen.large",
            "a1.medium",
            "hpc7g.4xlarge",
            "c8g.metal-24xl",
        ] {
            check_type(arm, Some(Architecture::Arm64));
        }
        for x86 in
            ["t3.nano", "t3a.small", "g4dn.xlarge", "g6.xlarge", "m7i-flex.large", "u-6tb1.metal", "c5.metal", "hpc6a.48xlarge"]
        {
            check_type(x86, Some(Architecture::Amd64));
        }
        for bad in ["t4g", "nano", "", ".nano", "t4g.", "T4g.nano", "4.nano", "t4g nano", "m.large"] {
            check_type(bad, None);
        }
    }
}
