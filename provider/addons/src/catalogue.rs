//! The catalogue: one folder for each add-on, with what it is and the objects of its versions. It is part of the build; nothing here downloads.

use crate::facts::Fact;
use crate::place::Target;
use crate::settings::Setting;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An add-on by its name: `addon.toml`, and its files of objects.
type Folder = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CATALOGUE: [Folder; 3] = [
    (
        "calico",
        include_str!("../catalogue/calico/addon.toml"),
        &[
            ("definitions.yaml", include_str!("../catalogue/calico/definitions.yaml")),
            ("objects.yaml", include_str!("../catalogue/calico/objects.yaml")),
        ],
    ),
    (
        "flannel",
        include_str!("../catalogue/flannel/addon.toml"),
        &[("objects.yaml", include_str!("../catalogue/flannel/objects.yaml"))],
    ),
    (
        "metrics-server",
        include_str!("../catalogue/metrics-server/addon.toml"),
        &[("objects.yaml", include_str!("../catalogue/metrics-server/objects.yaml"))],
    ),
];

/// Never in a build whose tests passed: the catalogue is part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue of add-ons is wrong: {0}")]
pub struct CatalogueError(pub String);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addon {
    #[serde(skip)]
    pub name: String,
    /// Markdown.
    pub description: String,
    /// URL of the project.
    pub source: String,
    /// With which `network.pod_network` of its cluster it is of use; any, where there is none.
    pub pod_network: Option<String>,
    /// What to know before it is applied beside another one. Sentences.
    pub(crate) beside: Option<String>,
    #[serde(default)]
    pub ready: Ready,
    /// `0.9.0`
    pub versions: BTreeMap<String, Version>,
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    #[serde(default)]
    pub(crate) cluster: Vec<OfCluster>,
    #[serde(default)]
    pub(crate) stamps: Vec<Stamp>,
    #[serde(skip)]
    files: &'static [(&'static str, &'static str)],
}

/// When it does what it is there for, beside its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    #[default]
    Objects,
    /// All nodes are Ready: it connects their pods.
    Nodes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Files of the folder.
    objects: Vec<String>,
    pub kubernetes: Kubernetes,
    /// References by the name that stands in the objects.
    pub images: BTreeMap<String, String>,
}

/// Minor releases that it works with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// `1.34`
    pub from: String,
    /// The last one.
    pub to: Option<String>,
    /// URL of who says so.
    pub source: String,
}

/// Where something that the cluster says goes, and which objects are there only where it is true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfCluster {
    pub fact: Fact,
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub only: Vec<String>,
}

/// The digest of one object in a field of another, so that pods are made again when what they have read once changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    pub of: String,
    pub object: String,
    pub field: String,
}

pub fn names() -> Vec<&'static str> {
    CATALOGUE.iter().map(|(name, ..)| *name).collect()
}

/// `None` where the catalogue has none of that name.
///
/// # Errors
/// Never in a build whose tests passed.
pub fn addon(name: &str) -> Result<Option<Addon>, CatalogueError> {
    let Some((name, text, files)) = CATALOGUE.iter().find(|(other, ..)| *other == name) else { return Ok(None) };
    let mut addon: Addon = toml::from_str(text).map_err(|error| CatalogueError(format!("{name}: {error}")))?;
    addon.name = (*name).to_string();
    addon.files = files;
    Ok(Some(addon))
}

impl Addon {
    /// Oldest first.
    pub fn known_versions(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.versions.keys().map(String::as_str).collect();
        all.sort_by_key(|version| numbers(version));
        all
    }

    /// YAML by file.
    pub(crate) fn objects(&self, version: &Version) -> Result<Vec<&'static str>, CatalogueError> {
        let text = |name: &String| {
            let file = self.files.iter().find(|(file, _)| file == name);
            file.map(|(_, text)| *text).ok_or_else(|| CatalogueError(format!("{} has no file {name}", self.name)))
        };
        version.objects.iter().map(text).collect()
    }
}

impl Kubernetes {
    /// Of a version as a cluster names it, such as `1.36.3`.
    pub fn takes(&self, version: &str) -> bool {
        let found = minor(version);
        found >= minor(&self.from) && self.to.as_deref().is_none_or(|to| found <= minor(to))
    }
}

impl std::fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.to {
            Some(to) => write!(f, "{} to {to}", self.from),
            None => write!(f, "{} or newer", self.from),
        }
    }
}

fn minor(version: &str) -> Vec<u64> {
    let mut numbers = numbers(version);
    numbers.truncate(2);
    numbers
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}
