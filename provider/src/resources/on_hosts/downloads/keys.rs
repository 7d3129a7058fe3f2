//! Under which keys `checksums` takes the digest of a download, and what is said of a key that nothing is downloaded from. Pure.

use credentials::Url;
use render::catalogue::{self, Download, Release, Role};
use render::spec::{Architecture, RenderError};
use schema::{AttributePath, Diagnostic, Field};
use std::collections::{BTreeMap, BTreeSet};

/// The URL that is downloaded, as it is and as it is printed, and that of the origin.
pub fn of(download: &Download) -> [String; 3] {
    [download.url.reveal().to_string(), download.url.to_string(), download.origin_url.clone()]
}

/// An error at the first key under which nothing is ever downloaded. One map may serve clusters and node groups, also of several
/// versions: keys of the same release are taken as they are, those of another one make a warning.
pub fn check(
    given: &BTreeMap<String, Field<String>>,
    release: &Release,
    mirror: Option<&str>,
    downloads: &[Download],
) -> Result<Option<Diagnostic>, Diagnostic> {
    let own: BTreeSet<String> = keys_of(release, mirror).map_err(super::refused)?;
    let unused: Vec<&String> = given.keys().filter(|key| !own.contains(*key)).collect();
    if unused.is_empty() {
        return Ok(None);
    }
    let others = keys_of_all(mirror).map_err(super::refused)?;
    let wanted = downloads.iter().map(|download| download.origin_url.as_str()).collect::<Vec<_>>().join("\n");
    if let Some(stranger) = unused.iter().find(|key| !others.contains(**key)) {
        let shown = Url::new(stranger.as_str());
        let path = AttributePath::attribute("checksums");
        let (with, why) = match shown.has_secrets() {
            true => {
                (" with a user, a password or a query", " Keys are URLs without any of these, which are not shown here either.")
            }
            false => ("", ""),
        };
        return Err(Diagnostic::error(format!("nothing is downloaded from {shown}{with}"))
            .detail(format!(
                "So the digest under this key verifies nothing.{why} The downloads of this resource are:\n{wanted}\n\nGive each digest \
                 under one of these URLs, or leave it out."
            ))
            .at(if shown.has_secrets() { path } else { path.key(stranger.as_str()) }));
    }
    let listed = unused.into_iter().map(|key| Url::new(key.as_str()).to_string()).collect::<Vec<_>>().join("\n");
    Ok(Some(
        Diagnostic::warning(format!("checksums has digests of another version than {}", release.kubernetes))
            .detail(format!("They verify nothing here:\n{listed}\n\nThe downloads of this resource are:\n{wanted}"))
            .at(AttributePath::attribute("checksums")),
    ))
}

fn keys_of(release: &Release, mirror: Option<&str>) -> Result<BTreeSet<String>, RenderError> {
    let mut keys = BTreeSet::new();
    for role in [Role::ControlPlane, Role::Node] {
        for architecture in [Architecture::Amd64, Architecture::Arm64] {
            keys.extend(release.downloads(role, architecture, mirror)?.iter().flat_map(of));
        }
    }
    Ok(keys)
}

fn keys_of_all(mirror: Option<&str>) -> Result<BTreeSet<String>, RenderError> {
    let mut keys = BTreeSet::new();
    for version in catalogue::versions()? {
        keys.append(&mut keys_of(&catalogue::release(&version)?, mirror)?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIRROR: &str = "https://user:canary@mirror.example.net";

    fn downloads(version: &str, role: Role, architecture: Architecture) -> Vec<Download> {
        catalogue::release(version).unwrap().downloads(role, architecture, Some(MIRROR)).unwrap()
    }

    /// What is said of a key by a control plane of 1.36.3 on amd64.
    fn said(key: &str) -> Result<Option<Diagnostic>, Diagnostic> {
        let given = BTreeMap::from([(key.to_string(), Field::Known("0".repeat(64)))]);
        let release = catalogue::release("1.36.3").unwrap();
        check(&given, &release, Some(MIRROR), &downloads("1.36.3", Role::ControlPlane, Architecture::Amd64))
    }

    #[test]
    fn one_map_serves_the_whole_release() {
        for role in [Role::ControlPlane, Role::Node] {
            for architecture in [Architecture::Amd64, Architecture::Arm64] {
                for key in downloads("1.36.3", role, architecture).iter().flat_map(of) {
                    assert_eq!(said(&key), Ok(None), "{key}");
                }
            }
        }
    }

    #[test]
    fn a_key_of_another_version_makes_a_warning() {
        let other = downloads("1.35.4", Role::ControlPlane, Architecture::Amd64);
        let kubernetes = other.iter().find(|download| download.origin_url.contains("kube-apiserver")).unwrap();
        for key in of(kubernetes) {
            let warning = said(&key).unwrap().unwrap();
            assert_eq!(warning.summary, "checksums has digests of another version than 1.36.3");
            assert!(warning.detail.contains("v1.35.4") && !format!("{warning:?}").contains("canary"), "{warning:?}");
        }
    }

    #[test]
    fn a_key_of_no_download_is_refused_at_its_path() {
        let at = |key: &str| said(key).unwrap_err().path.unwrap().to_string();
        assert_eq!(at("https://dl.example/x"), "checksums[\"https://dl.example/x\"]");
        assert_eq!(at("https://other.example.net/dl.k8s.io/x"), "checksums[\"https://other.example.net/dl.k8s.io/x\"]");
        let error = said("https://user:canary@dl.example/x").unwrap_err();
        assert_eq!(error.summary, "nothing is downloaded from https://dl.example/x with a user, a password or a query");
        assert!(error.detail.contains("https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kube-apiserver"), "{}", error.detail);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
