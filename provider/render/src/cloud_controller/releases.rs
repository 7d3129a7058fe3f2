//! Which releases of the AWS cloud controller manager there are as images. Pure.
//!
//! A tag of its repository is no image: of many releases none was published. Sources: registry.k8s.io/images/k8s-staging-provider-aws/images.yaml in
//! kubernetes/k8s.io at 0137eda, which lists those of registry.k8s.io with the digest of each; and <https://github.com/kubernetes/k8s.io/pull/9796>, by which
//! 1.36.1 came later, and of which the digest is not known here: it is looked up by its tag.

use super::Unfit;
use bundle::Digest;

/// The image on registry.k8s.io, without a tag.
pub const REPOSITORY: &str = "provider-aws/cloud-controller-manager";
/// Where it is published.
pub const REGISTRY: &str = "registry.k8s.io";

/// Oldest first, with the digests of their image indexes.
const PUBLISHED: [(&str, Option<&str>); 6] = [
    ("1.34.0", Some("389f84eb8be523c1f3dc97b8e6cf48013a20f19e6c23dad7259ac26297b11940")),
    ("1.34.2", Some("9970e5fa1b1deddc1284900100678a6a3dd989ad921b28753e266d506b78e002")),
    ("1.34.3", Some("ab45cec4a1ee68a556d09a362746db8fd66b258101aefcf0542f51e960248810")),
    ("1.35.0", Some("bf5a41be5f0dd5049cc1f69e1a23ff2691f2f46483546204676cea78796e75cd")),
    ("1.35.2", Some("5a5d4e5942ad078a184c12bf5435f8226ccb157ee15e9e1f87c183a4bf4b8f1a")),
    ("1.36.1", None),
];

/// The version that a cluster of this version of Kubernetes gets: the newest that was published of its minor version, or else of the one before.
///
/// # Errors
/// When there is none.
pub fn default_for(kubernetes: &str) -> Result<&'static str, Unfit> {
    let minor = minor_of(kubernetes)?;
    let newest = |minor: u32| PUBLISHED.iter().rev().find(|(version, _)| minor_of(version) == Ok(minor));
    let found = newest(minor).or_else(|| newest(minor.checked_sub(1)?));
    found.map(|(version, _)| *version).ok_or_else(|| {
        Unfit(format!(
            "no image of the controller is known for Kubernetes {kubernetes}: give version, and a registry that has its image"
        ))
    })
}

/// The digest of the image index of a version, where it is known.
pub fn digest_of(version: &str) -> Option<Digest> {
    let (_, digest) = PUBLISHED.iter().find(|(published, _)| *published == version)?;
    Digest::parse((*digest)?).ok()
}

/// Refuses a version that does not work with the API servers: it is not newer than they are, and at most one minor version older.
///
/// # Errors
/// When one of the two is no version, or they do not fit.
pub fn check_skew(version: &str, kubernetes: &str) -> Result<(), Unfit> {
    let (own, theirs) = (minor_of(version)?, minor_of(kubernetes)?);
    if own > theirs || own + 1 < theirs {
        return Err(Unfit(format!(
            "controller {version} does not fit Kubernetes {kubernetes}: it is of the same minor version as the API servers or of the one before"
        )));
    }
    Ok(())
}

/// Of `1.36.2`.
fn minor_of(version: &str) -> Result<u32, Unfit> {
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([1, minor, _]) => Ok(*minor),
        _ => Err(Unfit(format!("{version:?} is no version such as 1.35.2"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cluster_gets_the_newest_that_was_published() {
        for (kubernetes, version) in [("1.34.9", "1.34.3"), ("1.35.0", "1.35.2"), ("1.36.4", "1.36.1")] {
            assert_eq!(default_for(kubernetes), Ok(version));
            check_skew(version, kubernetes).unwrap();
        }
        for kubernetes in ["1.38.0", "1.33.0", "latest"] {
            assert!(default_for(kubernetes).is_err(), "{kubernetes}");
        }
    }

    #[test]
    fn every_digest_is_one_and_a_version_beside_them_has_none() {
        let has_one = |(version, digest): &(&str, Option<&str>)| digest.is_some() == digest_of(version).is_some();
        assert!(PUBLISHED.iter().all(has_one) && digest_of("1.35.2").is_some());
        assert_eq!(digest_of("1.36.2"), None);
    }

    #[test]
    fn a_controller_is_not_newer_than_its_api_servers_nor_two_minor_versions_older() {
        for (version, kubernetes, fits) in
            [("1.36.2", "1.36.0", true), ("1.35.2", "1.36.0", true), ("1.37.1", "1.36.0", false), ("1.34.3", "1.36.0", false)]
        {
            assert_eq!(check_skew(version, kubernetes).is_ok(), fits, "{version} {kubernetes}");
        }
    }
}
