//! Under which keys `checksums` takes the digest of a download, and what is said of a key that nothing is downloaded from. Pure.

use credentials::Url;
use render::catalogue::{self, Download, Release, Role};
use render::spec::{Architecture, RenderError};
use schema::{AttributePath, Diagnostic, Diagnostics, Field};
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
) -> Result<Diagnostics, Diagnostic> {
    downloads.iter().try_for_each(|download| agree(given, download))?;
    let own: BTreeSet<String> = keys_of(release, mirror).map_err(super::refused)?;
    let unused: Vec<&String> = given.keys().filter(|key| !own.contains(*key)).collect();
    let mut warnings: Diagnostics = of_no_host(given, release, mirror, downloads)?.into_iter().collect();
    if unused.is_empty() {
        return Ok(warnings);
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
    warnings.push(
        Diagnostic::warning(format!("checksums has digests of another version than {}", release.kubernetes))
            .detail(format!("They verify nothing here:\n{}\n\nThe downloads of this resource are:\n{wanted}", listed(unused)))
            .at(AttributePath::attribute("checksums")),
    );
    Ok(warnings)
}

/// A download has one digest, under whichever of its keys.
fn agree(given: &BTreeMap<String, Field<String>>, download: &Download) -> Result<(), Diagnostic> {
    let digest = |key: &str| bundle::Digest::parse(given.get(key)?.known()?.as_str()).ok();
    let keys = of(download);
    let digests: Vec<_> = keys.iter().filter_map(|key| Some((key, digest(key)?))).collect();
    let Some((first, expected)) = digests.first() else { return Ok(()) };
    let Some((other, _)) = digests.iter().find(|(_, digest)| digest != expected) else { return Ok(()) };
    let (name, path) = (&download.origin_url, AttributePath::attribute("checksums"));
    let shown = Url::new(other.as_str());
    Err(Diagnostic::error(format!("checksums has two digests for {name}"))
        .detail(format!("One is under {}, another one under {shown}. Leave one of the two out.", Url::new(first.as_str())))
        .at(if shown.has_secrets() { path } else { path.key(other.as_str()) }))
}

/// Keys for a processor architecture that no host of the resource has.
fn of_no_host(
    given: &BTreeMap<String, Field<String>>,
    release: &Release,
    mirror: Option<&str>,
    downloads: &[Download],
) -> Result<Option<Diagnostic>, Diagnostic> {
    let keys = |architecture| keys_of_architecture(release, architecture, mirror).map_err(super::refused);
    let all = [(Architecture::Amd64, keys(Architecture::Amd64)?), (Architecture::Arm64, keys(Architecture::Arm64)?)];
    let is_used = |keys: &BTreeSet<String>| downloads.iter().any(|download| keys.contains(&download.origin_url));
    let (used, idle): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, keys)| is_used(keys));
    let is_idle =
        |key: &&String| idle.iter().any(|(_, keys)| keys.contains(*key)) && !used.iter().any(|(_, keys)| keys.contains(*key));
    let unused: Vec<&String> = given.keys().filter(is_idle).collect();
    if unused.is_empty() || used.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        Diagnostic::warning("checksums has digests for an architecture that no host here has")
            .detail(format!(
                "They verify nothing here:\n{}\n\nIf a host should have this architecture, set its architecture; else leave them out.",
                listed(unused)
            ))
            .at(AttributePath::attribute("checksums")),
    ))
}

fn listed(keys: Vec<&String>) -> String {
    keys.into_iter().map(|key| Url::new(key.as_str()).to_string()).collect::<Vec<_>>().join("\n")
}

fn keys_of(release: &Release, mirror: Option<&str>) -> Result<BTreeSet<String>, RenderError> {
    let mut keys = keys_of_architecture(release, Architecture::Amd64, mirror)?;
    keys.extend(keys_of_architecture(release, Architecture::Arm64, mirror)?);
    Ok(keys)
}

fn keys_of_architecture(
    release: &Release,
    architecture: Architecture,
    mirror: Option<&str>,
) -> Result<BTreeSet<String>, RenderError> {
    let mut keys = BTreeSet::new();
    for role in [Role::ControlPlane, Role::Node] {
        keys.extend(release.downloads(role, architecture, mirror)?.iter().flat_map(of));
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
        let warnings = said_of(&[(key, "0")])?;
        assert!(warnings.len() <= 1, "{warnings:?}");
        Ok(warnings.iter().next().cloned())
    }

    fn said_of(given: &[(&str, &str)]) -> Result<Diagnostics, Diagnostic> {
        let given = given.iter().map(|(key, digit)| (key.to_string(), Field::Known(digit.repeat(64)))).collect();
        let release = catalogue::release("1.36.3").unwrap();
        check(&given, &release, Some(MIRROR), &downloads("1.36.3", Role::ControlPlane, Architecture::Amd64))
    }

    #[test]
    fn one_map_serves_the_whole_release() {
        for role in [Role::ControlPlane, Role::Node] {
            for architecture in [Architecture::Amd64, Architecture::Arm64] {
                for key in downloads("1.36.3", role, architecture).iter().flat_map(of) {
                    let summary = said(&key).unwrap().map(|warning| warning.summary);
                    let of_no_host = (architecture == Architecture::Arm64)
                        .then(|| "checksums has digests for an architecture that no host here has".to_string());
                    assert_eq!(summary, of_no_host, "{key}");
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
    fn two_digests_of_one_download_are_refused_with_both_keys() {
        let download = &downloads("1.36.3", Role::ControlPlane, Architecture::Amd64)[0];
        let [url, shown, origin] = of(download);
        assert!(said_of(&[(&shown, "0"), (&origin, "0")]).unwrap().is_empty());
        for mirrored in [&url, &shown] {
            let error = said_of(&[(mirrored, "0"), (&origin, "1")]).unwrap_err();
            assert_eq!(error.summary, format!("checksums has two digests for {origin}"));
            assert!(error.detail.contains(&format!("One is under {shown}, another one under {origin}.")), "{}", error.detail);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
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
