//! The catalogue of releases: which versions belong together, what is downloaded for which role, and how a checksum file is
//! read. The data stands in `catalogue.toml`; nothing here downloads.

use crate::spec::{Architecture, Checksums, RenderError};
use bundle::{Binary, Digest, HostPath};
use credentials::Url;
use serde::Deserialize;
use std::collections::BTreeMap;

const CATALOGUE: &str = include_str!("catalogue.toml");

/// Which hosts need a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    ControlPlane,
    Node,
}

/// Versions that run together: those of one patch release of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `1.36.3`
    pub kubernetes: String,
    pub etcd: String,
    pub containerd: String,
    pub runc: String,
    pub cni_plugins: String,
    pub pause_image: String,
    pub coredns_image: String,
    templates: Vec<Template>,
    digests: BTreeMap<String, String>,
}

/// One file that is fetched, and what of it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Where it is fetched: the origin, or the mirror.
    pub url: Url,
    /// Where its publisher serves it, whatever mirror is used: by this URL its digest is known.
    pub origin_url: String,
    pub checksum_url: Url,
    /// How the checksum file names it: the file name at the origin, the path below the mirror.
    pub checksum_name: String,
    pub members: Vec<Member>,
}

/// A program inside a downloaded archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Path inside the archive; `None` when the download is the program itself.
    pub member: Option<String>,
    pub path: HostPath,
}

#[derive(Deserialize)]
struct Catalogue {
    kubernetes: BTreeMap<String, Minor>,
    components: BTreeMap<String, Components>,
    download: Vec<Template>,
    digests: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Minor {
    patches: Vec<u32>,
    components: String,
}

#[derive(Clone, Deserialize)]
struct Components {
    etcd: String,
    containerd: String,
    runc: String,
    cni_plugins: String,
    pause_image: String,
    coredns_image: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Template {
    component: Component,
    roles: Vec<Role>,
    url: String,
    checksum_url: String,
    install: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Component {
    Kubernetes,
    Etcd,
    Containerd,
    Runc,
    CniPlugins,
}

/// The patch releases of Kubernetes that the catalogue knows, oldest first.
///
/// # Errors
/// Never in a build whose tests passed: the catalogue is part of it.
pub fn versions() -> Result<Vec<String>, RenderError> {
    Ok(known_versions(&read_catalogue()?))
}

/// What the catalogue knows, for people: each minor release with its newest patch release.
///
/// # Errors
/// Never in a build whose tests passed: the catalogue is part of it.
pub fn known() -> Result<String, RenderError> {
    Ok(ranges(&read_catalogue()?))
}

/// # Errors
/// When the catalogue does not know the version; the error says which ones it knows.
pub fn release(version: &str) -> Result<Release, RenderError> {
    let catalogue = read_catalogue()?;
    let unknown = |catalogue: &Catalogue| RenderError::UnknownVersion {
        what: "Kubernetes",
        version: version.to_string(),
        known: ranges(catalogue),
    };
    let known = version.rsplit_once('.').and_then(|(minor, patch)| {
        let minor = catalogue.kubernetes.get(minor)?;
        minor.patches.iter().any(|known| known.to_string() == patch).then_some(minor)
    });
    let minor = known.ok_or_else(|| unknown(&catalogue))?;
    let components = catalogue
        .components
        .get(&minor.components)
        .ok_or_else(|| RenderError::Catalogue(format!("no components {:?}", minor.components)))?
        .clone();
    Ok(Release {
        kubernetes: version.to_string(),
        etcd: components.etcd,
        containerd: components.containerd,
        runc: components.runc,
        cni_plugins: components.cni_plugins,
        pause_image: components.pause_image,
        coredns_image: components.coredns_image,
        templates: catalogue.download,
        digests: catalogue.digests,
    })
}

/// What the hosts of a role install, by path. A download whose digest is neither in `checksums` (by its origin's URL) nor in the catalogue
/// has none.
///
/// # Errors
/// `Digest` for one of the catalogue that is no SHA-256, and those of [`Release::downloads`].
pub fn binaries(
    release: &Release,
    role: Role,
    architecture: Architecture,
    mirror: Option<&str>,
    checksums: &Checksums,
) -> Result<BTreeMap<HostPath, Binary>, RenderError> {
    let mut binaries = BTreeMap::new();
    for download in release.downloads(role, architecture, mirror)? {
        let sha256 = release.digest(&download, checksums)?;
        for Member { member, path } in download.members {
            binaries.insert(path, Binary { url: download.url.clone(), sha256: sha256.clone(), member });
        }
    }
    Ok(binaries)
}

/// Reads a checksum file: lines of digest and name (`sha256sum`'s text and binary form), or a single digest, as dl.k8s.io has
/// it. `name` is the file's name, or its path relative to the checksum file.
pub fn parse_checksum_file(text: &str, name: &str) -> Option<Digest> {
    let mut words = text.split_whitespace();
    if let (Some(only), None) = (words.next(), words.next()) {
        return Digest::parse(only).ok();
    }
    text.lines().find_map(|line| {
        let (digest, listed) = line.trim().split_once(char::is_whitespace)?;
        let listed = listed.trim_start().trim_start_matches('*').trim_start_matches("./");
        if listed == name { Digest::parse(digest).ok() } else { None }
    })
}

impl Release {
    /// `mirror` takes the place of `https://`: it serves each file at `<mirror>/<origin host>/<path>`, and all checksums in
    /// `<mirror>/SHA256SUMS`.
    ///
    /// # Errors
    /// Never in a build whose tests passed: the paths are the catalogue's.
    pub fn downloads(&self, role: Role, architecture: Architecture, mirror: Option<&str>) -> Result<Vec<Download>, RenderError> {
        let of_role = self.templates.iter().filter(|template| template.roles.contains(&role));
        of_role.map(|template| self.download(template, architecture, mirror)).collect()
    }

    fn download(&self, template: &Template, architecture: Architecture, mirror: Option<&str>) -> Result<Download, RenderError> {
        let filled =
            |text: &str| text.replace("{version}", self.version(template.component)).replace("{arch}", architecture.as_str());
        let origin_url = filled(&template.url);
        let below_scheme = origin_url.trim_start_matches("https://").to_string();
        let (url, checksum_url, checksum_name) = match mirror.map(|mirror| mirror.trim_end_matches('/')) {
            Some(mirror) => (format!("{mirror}/{below_scheme}"), format!("{mirror}/SHA256SUMS"), below_scheme),
            None => {
                let file_name = below_scheme.rsplit('/').next().unwrap_or_default().to_string();
                (origin_url.clone(), filled(&template.checksum_url), file_name)
            }
        };
        let members = template
            .install
            .iter()
            .map(|(member, path)| {
                let member = (!member.is_empty()).then(|| filled(member));
                Ok(Member { member, path: HostPath::parse(path.as_str())? })
            })
            .collect::<Result<_, RenderError>>()?;
        let (url, checksum_url) = (Url::new(url), Url::new(checksum_url));
        Ok(Download { url, origin_url, checksum_url, checksum_name, members })
    }

    fn version(&self, component: Component) -> &str {
        match component {
            Component::Kubernetes => &self.kubernetes,
            Component::Etcd => &self.etcd,
            Component::Containerd => &self.containerd,
            Component::Runc => &self.runc,
            Component::CniPlugins => &self.cni_plugins,
        }
    }

    fn digest(&self, download: &Download, checksums: &Checksums) -> Result<Option<Digest>, RenderError> {
        if let Some(digest) = checksums.get(&download.origin_url) {
            return Ok(Some(digest.clone()));
        }
        let Some(listed) = self.digests.get(&download.origin_url) else { return Ok(None) };
        let digest = Digest::parse(listed.as_str());
        digest.map(Some).map_err(|_| RenderError::Digest { url: download.origin_url.clone(), digest: listed.clone() })
    }
}

fn read_catalogue() -> Result<Catalogue, RenderError> {
    toml::from_str(CATALOGUE).map_err(|error| RenderError::Catalogue(error.to_string()))
}

fn known_versions(catalogue: &Catalogue) -> Vec<String> {
    let patches =
        |(name, minor): (&String, &Minor)| minor.patches.iter().map(|patch| format!("{name}.{patch}")).collect::<Vec<_>>();
    minors(catalogue).into_iter().flat_map(patches).collect()
}

/// `1.35 up to 1.35.9, 1.36 up to 1.36.4`
fn ranges(catalogue: &Catalogue) -> String {
    let range = |(name, minor): (&String, &Minor)| Some(format!("{name} up to {name}.{}", minor.patches.iter().max()?));
    minors(catalogue).into_iter().filter_map(range).collect::<Vec<_>>().join(", ")
}

fn minors(catalogue: &Catalogue) -> Vec<(&String, &Minor)> {
    let numbered = |minor: &str| minor.split('.').map(|part| part.parse::<u32>().unwrap_or_default()).collect::<Vec<_>>();
    let mut minors: Vec<(&String, &Minor)> = catalogue.kubernetes.iter().collect();
    minors.sort_by_key(|(name, _)| numbered(name));
    minors
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_version_that_is_listed_can_be_had() {
        let versions = versions().unwrap();
        for wanted in ["1.34.4", "1.35.4", "1.36.3"] {
            assert!(versions.iter().any(|version| version == wanted), "{wanted}");
        }
        for version in &versions {
            let release = release(version).unwrap();
            for (role, architecture) in [(Role::ControlPlane, Architecture::Amd64), (Role::Node, Architecture::Arm64)] {
                let downloads = release.downloads(role, architecture, None).unwrap();
                for download in &downloads {
                    assert!(
                        !download.url.reveal().contains('{') && !download.checksum_url.reveal().contains('{'),
                        "{download:?}"
                    );
                    assert!(download.members.iter().all(|m| m.member.as_ref().is_none_or(|m| !m.contains('{'))), "{download:?}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_known_ones() {
        for version in ["1.36.99", "1.20.0", "1.36", "latest", ""] {
            let error = release(version).unwrap_err().to_string();
            let expect = format!(
                "the catalogue has no Kubernetes {version}; it knows 1.34 up to 1.34.9, 1.35 up to 1.35.9, 1.36 up to 1.36.4"
            );
            assert_eq!(error, expect);
        }
    }

    #[test]
    fn roles_share_no_path() {
        let release = release("1.36.3").unwrap();
        let paths = |role| -> Vec<HostPath> {
            let downloads = release.downloads(role, Architecture::Amd64, None).unwrap();
            downloads.into_iter().flat_map(|download| download.members).map(|member| member.path).collect()
        };
        let node = paths(Role::Node);
        assert!(paths(Role::ControlPlane).iter().all(|path| !node.contains(path)));
    }

    #[test]
    fn a_mirror_serves_the_path_of_the_origin() {
        let release = release("1.36.3").unwrap();
        let find = |mirror| {
            let downloads = release.downloads(Role::ControlPlane, Architecture::Amd64, mirror).unwrap();
            downloads.into_iter().find(|download| download.origin_url.contains("etcd")).unwrap()
        };
        let path = "github.com/etcd-io/etcd/releases/download/v3.6.16/etcd-v3.6.16-linux-amd64.tar.gz";
        let origin = find(None);
        assert_eq!(origin.url.reveal(), format!("https://{path}"));
        assert_eq!(origin.checksum_url.reveal(), "https://github.com/etcd-io/etcd/releases/download/v3.6.16/SHA256SUMS");
        assert_eq!(origin.checksum_name, "etcd-v3.6.16-linux-amd64.tar.gz");
        let mirrored = find(Some("http://mirror:8080/"));
        assert_eq!(mirrored.url.reveal(), format!("http://mirror:8080/{path}"));
        assert_eq!(mirrored.checksum_url.reveal(), "http://mirror:8080/SHA256SUMS");
        assert_eq!(mirrored.checksum_name, path);
        assert_eq!(mirrored.members[0].member.as_deref(), Some("etcd-v3.6.16-linux-amd64/etcd"));
    }

    #[test]
    fn checksum_files_of_every_publisher_are_read() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let check = |text: String, name: &str, expect: Option<&Digest>| {
            assert_eq!(parse_checksum_file(&text, name).as_ref(), expect, "{name} in {text:?}");
        };
        check(a.to_string(), "kubelet", Some(&a));
        check(format!("{a}\n"), "kubelet", Some(&a));
        check(format!("{b}  other\n{a}  etcd.tar.gz\n"), "etcd.tar.gz", Some(&a));
        check(format!("{a} *runc.amd64\n{b} *runc.arm64\n"), "runc.arm64", Some(&b));
        check(format!("{a}  dl.k8s.io/release/v1/kubelet\n"), "dl.k8s.io/release/v1/kubelet", Some(&a));
        check(format!("{a}  ./x.tgz\n"), "x.tgz", Some(&a));
        check(format!("{a}  other-x.tgz\n"), "x.tgz", None);
        check("<html>not found</html>".into(), "x", None);
        check(String::new(), "x", None);
    }

    #[test]
    fn a_digest_that_nobody_gave_is_none() {
        let release = release("1.36.3").unwrap();
        let all = release.downloads(Role::Node, Architecture::Amd64, None).unwrap();
        let mut checksums: Checksums = all.iter().map(|download| (download.origin_url.clone(), Digest::of(b"x"))).collect();
        let binaries_of =
            |checksums: &Checksums| binaries(&release, Role::Node, Architecture::Amd64, Some("http://m"), checksums);
        assert!(binaries_of(&checksums).unwrap().contains_key(&HostPath::literal("/opt/cni/bin/bridge")));
        checksums.remove(&all[1].origin_url);
        let without: BTreeSet<HostPath> = binaries_of(&checksums)
            .unwrap()
            .into_iter()
            .filter(|(_, binary)| binary.sha256.is_none())
            .map(|(path, _)| path)
            .collect();
        assert_eq!(without, all[1].members.iter().map(|member| member.path.clone()).collect());
    }
}
