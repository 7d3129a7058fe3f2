//! The program of the controller, which is published inside its image only: the last layer of that is what hosts download, and the digest of the layer is that
//! of the download. It comes from the user, from the state, or from the registry, whose answers are held to the digest of the image where that is known.

use super::CcmConfig;
use super::config::Config;
use crate::ports::World;
use crate::resources::on_hosts::Declared;
use crate::resources::on_hosts::node_group::config::Texts;
use bundle::{Binary, Digest};
use credentials::Url;
use render::cloud_controller::image::{self, Manifest};
use render::cloud_controller::{MEMBER, releases};
use render::spec::{Architecture, Hosts, is_below_a_path};
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const ATTRIBUTE: &str = "program_sha256";
const WAYS_OUT: &str =
    "Make the registry reachable from here, name a mirror of it in registry_mirrors, or give the digests in program_sha256.";

/// What hosts download.
pub struct Program {
    registry: Registry,
    digests: BTreeMap<Architecture, Result<Digest, String>>,
}

/// Where an image is read.
struct Registry {
    url: String,
    /// A mirror is told whose images are meant, as containerd does.
    query: String,
    /// Where a path of a mirror is the whole one of the API, nothing.
    api: &'static str,
}

impl Registry {
    fn of(mirror: Option<&str>) -> Registry {
        match mirror {
            Some(mirror) => {
                let api = if is_below_a_path(mirror) { "" } else { "/v2" };
                Registry { url: mirror.trim_end_matches('/').to_string(), query: format!("?ns={}", releases::REGISTRY), api }
            }
            None => Registry { url: format!("https://{}", releases::REGISTRY), query: String::new(), api: "/v2" },
        }
    }

    /// `kind` is `manifests` or `blobs`.
    fn at(&self, kind: &str, reference: &str) -> String {
        let Registry { url, query, api } = self;
        format!("{url}{api}/{}/{kind}/{reference}{query}", releases::REPOSITORY)
    }

    /// The digest of the layer with the program.
    async fn look_up(&self, world: &dyn World, version: &str, architecture: Architecture) -> Result<Digest, String> {
        let mut known = releases::digest_of(version);
        // An index, and the manifest to which it leads.
        for _ in 0..2 {
            let reference = known.as_ref().map_or_else(|| format!("v{version}"), |digest| format!("sha256:{digest}"));
            let url = self.at("manifests", &reference);
            let text = world.fetch_manifest(&url).await.map_err(|reason| format!("{url}: {reason}"))?;
            if known.as_ref().is_some_and(|digest| Digest::of(text.as_bytes()) != *digest) {
                return Err(format!("{url}: the answer has another digest than it was asked for"));
            }
            match image::read(&text, architecture).map_err(|unfit| format!("{url}: {unfit}"))? {
                Manifest::Image(layer) => return Ok(layer),
                Manifest::Index(of_architecture) => known = Some(of_architecture),
            }
        }
        Err(format!("version {version} of the image has an index that leads to another one"))
    }
}

/// `None` while something is unknown on which it depends.
///
/// # Errors
/// When a digest is no SHA-256, or `program_sha256` leaves out an architecture that a host has.
pub async fn find(declared: &Declared<'_, CcmConfig>, version: &str, hosts: &Hosts) -> Result<Option<Program>, Diagnostic> {
    let Config { registry_mirrors, program_sha256, .. } = declared.with_secrets;
    let Some(mirrors) = registry_mirrors.settle_values(|url| Some(url.clone())) else { return Ok(None) };
    let registry = Registry::of(mirrors.get(releases::REGISTRY).map(String::as_str));
    if program_sha256.is_unknown() {
        return Ok(None);
    }
    let architectures: BTreeSet<Architecture> = hosts.values().map(|host| host.architecture).collect();
    let mut digests = BTreeMap::new();
    for architecture in architectures {
        let found = match given(program_sha256, architecture)? {
            Given::Unknown => return Ok(None),
            Given::Digest(digest) => Ok(digest),
            Given::Nothing => match pinned(declared.state, version, architecture) {
                Some(digest) => Ok(digest),
                None => registry.look_up(declared.shared.world.as_ref(), version, architecture).await,
            },
        };
        digests.insert(architecture, found);
    }
    Ok(Some(Program { registry, digests }))
}

enum Given {
    Nothing,
    Unknown,
    Digest(Digest),
}

fn given(all: &Field<Texts>, architecture: Architecture) -> Result<Given, Diagnostic> {
    let Some(all) = all.known() else { return Ok(Given::Nothing) };
    let name = architecture.as_str();
    let text = match all.get(name) {
        Some(Field::Unknown) => return Ok(Given::Unknown),
        given => given.and_then(|text| text.known().cloned()),
    };
    let path = AttributePath::attribute(ATTRIBUTE);
    let Some(text) = text else {
        let detail =
            "Give the digest of every architecture that a host has, or leave program_sha256 out: then they are looked up.";
        return Err(Diagnostic::error(format!("{ATTRIBUTE} has none for {name}")).detail(detail).at(path));
    };
    Digest::parse(text).map(Given::Digest).map_err(|error| {
        Diagnostic::error(format!("the digest for {name} is not SHA-256")).detail(error.to_string()).at(path.key(name))
    })
}

/// Of the same version, as a plan or a state has it.
fn pinned(state: Option<&Value>, version: &str, architecture: Architecture) -> Option<Digest> {
    let state = state.filter(|state| state.get("version").as_str() == Some(version))?;
    Digest::parse(state.get(ATTRIBUTE).get(architecture.as_str()).as_str()?).ok()
}

impl Program {
    /// Only what does not exist may be planned without digests: of hosts that run, it would not be known what restarts.
    pub fn warnings(&self, declared: &Declared<'_, CcmConfig>) -> Result<Diagnostics, Diagnostic> {
        let reasons: BTreeSet<&str> =
            self.digests.values().filter_map(|found| found.as_ref().err()).map(String::as_str).collect();
        if reasons.is_empty() {
            return Ok(Diagnostics::default());
        }
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("\n");
        if declared.actions.is_some() || declared.prior.is_some() {
            return Err(Diagnostic::error("the digest of the controller's program is not known")
                .detail(format!("{reasons}\n\nSo it is not known what changes on hosts. {WAYS_OUT} Nothing was changed.")));
        }
        Ok(Diagnostic::warning("the digest of the controller's program is not known yet")
            .detail(format!("{reasons}\n\nApply looks it up again, and changes nothing on any host while it cannot. {WAYS_OUT}"))
            .into())
    }

    /// What plan and state show where nobody gives them; unknown for those that apply still has to look up.
    pub fn looked_up(&self) -> Value {
        let shown = |(architecture, found): (&Architecture, &Result<Digest, String>)| {
            (architecture.as_str().to_string(), found.as_ref().map_or(Value::Unknown, |digest| digest.as_str().into()))
        };
        Value::Map(self.digests.iter().map(shown).collect())
    }

    pub fn binary(&self, architecture: Architecture) -> Binary {
        let sha256 = self.digests.get(&architecture).and_then(|found| found.as_ref().ok()).cloned();
        let reference = sha256.as_ref().map_or_else(String::new, |digest| format!("sha256:{digest}"));
        Binary { url: Url::new(self.registry.at("blobs", &reference)), sha256, member: Some(MEMBER.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_with_a_path_is_the_whole_api() {
        let at = |mirror| Registry::of(mirror).at("blobs", "sha256:0");
        assert_eq!(at(None), "https://registry.k8s.io/v2/provider-aws/cloud-controller-manager/blobs/sha256:0");
        let below = "provider-aws/cloud-controller-manager/blobs/sha256:0?ns=registry.k8s.io";
        assert_eq!(at(Some("http://10.77.0.1:8080/")), format!("http://10.77.0.1:8080/v2/{below}"));
        assert_eq!(at(Some("https://harbor.example.net/v2/k8s")), format!("https://harbor.example.net/v2/k8s/{below}"));
    }
}
