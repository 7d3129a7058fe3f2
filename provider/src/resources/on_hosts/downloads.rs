//! Which binaries a host needs, and the digest of each: from the user, from the state, from the catalogue, or looked up in the
//! origin's (or the mirror's) checksum file at plan, then shown and pinned in the state. None is ever invented.

mod keys;

use super::{Declared, HostResource};
use crate::ports::World;
use bundle::{Binary, HostPath};
use credentials::Url;
use render::Hosts;
use render::catalogue::{self, Download, Release, Role};
use render::spec::{Architecture, Checksums, RenderError};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Type, Value, ValueAt, encode};
use std::collections::{BTreeMap, BTreeSet};

const LOOKED_UP: &str = "looked_up_checksums";

pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::map("checksums", Type::String).optional_computed().null_means_absent().describe(
            "SHA-256 of each download by its URL at the origin, whatever mirror it comes from; its URL below the mirror is understood too. \
             When this is not set, each digest is looked up in the checksum file of the origin or of the mirror at the first plan, shown \
             there, and pinned in the state. When only some digests are given, the others are looked up once as well, and pinned in \
             `looked_up_checksums`.",
        ),
        Attribute::map(LOOKED_UP, Type::String).computed().describe(
            "SHA-256 of each download that `checksums` leaves out, by its URL at the origin: looked up once and kept for as long as the \
             version and the URL are the same. Null where `checksums` gives all of them, or is not set and shows them itself.",
        ),
    ]
}

/// The resource's mirror, or else the provider's. Nested: unknown is not the same as absent.
fn mirror<'a>(resource: &'a Field<String>, provider: &'a Field<String>) -> Field<&'a str> {
    match (resource, provider) {
        (Field::Null, provider) => provider.as_ref().map(String::as_str),
        (resource, _) => resource.as_ref().map(String::as_str),
    }
}

const WAYS_OUT: &str = "Make the checksum files reachable from here, set mirror, or give the digests in checksums.";

/// The downloads of one role for the architectures in use, with the digests that are known.
pub struct Resolved {
    release: Release,
    role: Role,
    mirror: Option<String>,
    downloads: Vec<Download>,
    checksums: Checksums,
    /// Origins of the downloads of which the configuration gives the digest.
    given: BTreeSet<String>,
    /// Why a digest is missing, by the URL at the origin.
    missing: BTreeMap<String, String>,
    unused_keys: Diagnostics,
}

impl Resolved {
    /// What a plan says of them. Only what does not exist may be planned without digests: of hosts that run, it would not be known
    /// what restarts.
    pub fn warnings<R: HostResource>(&self, declared: &Declared<'_, R>) -> Result<Diagnostics, Diagnostic> {
        let mut warnings = self.unused_keys.clone();
        if self.missing.is_empty() {
            return Ok(warnings);
        }
        let reasons: BTreeSet<&str> = self.missing.values().map(String::as_str).collect();
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("\n");
        if declared.actions.is_some() || declared.prior.is_some() {
            return Err(Diagnostic::error("the digests of some downloads are not known").detail(format!(
                "{reasons}\n\nSo it is not known what changes on hosts, nor what restarts. {WAYS_OUT} Nothing was changed."
            )));
        }
        warnings.push(Diagnostic::warning("the digests of some downloads are not known yet").detail(format!(
            "{reasons}\n\nSo this plan shows no digests of these programs. Apply looks them up again, and changes nothing on any host while it cannot. \
             {WAYS_OUT}"
        )));
        Ok(warnings)
    }

    pub fn value(&self) -> Value {
        encode(&self.checksums.iter().map(|(url, digest)| (url.clone(), digest.to_string())).collect::<BTreeMap<_, _>>())
    }

    /// Of the downloads of which the configuration gives no digest; unknown for those that apply still has to look up.
    fn looked_up(&self) -> Value {
        let known = self.checksums.iter().map(|(url, digest)| (url.clone(), Value::from(digest.to_string())));
        let all = known.chain(self.missing.keys().map(|url| (url.clone(), Value::Unknown)));
        let looked_up: BTreeMap<String, Value> = all.filter(|(url, _)| !self.given.contains(url)).collect();
        if looked_up.is_empty() { Value::Null } else { Value::Map(looked_up) }
    }

    pub fn binaries(&self, architecture: Architecture) -> Result<BTreeMap<HostPath, Binary>, Diagnostic> {
        catalogue::binaries(&self.release, self.role, architecture, self.mirror.as_deref(), &self.checksums)
            .map_err(|error| Diagnostic::error("the binaries of a host cannot be determined").detail(error.to_string()))
    }
}

/// Writes down what plan and state show.
pub fn show(planned: &mut Value, resolved: Option<&Resolved>, configured: &Given, state: Option<&Value>) {
    planned.set("checksums", self::planned(resolved, configured, state));
    let looked_up = if configured.is_null() { Value::Null } else { resolved.map_or(Value::Unknown, Resolved::looked_up) };
    planned.set(LOOKED_UP, looked_up);
}

/// In `checksums`: digests as they are configured, for an engine takes no others beside them; or else those that are
/// known, unknown for those that apply still has to look up. What is recorded under the URLs of a mirror stays while it says the same.
fn planned(resolved: Option<&Resolved>, configured: &Given, state: Option<&Value>) -> Value {
    if !configured.is_null() {
        return encode(configured);
    }
    let Some(resolved) = resolved else { return Value::Unknown };
    let recorded = state.map(|state| state.get("checksums").clone()).unwrap_or_default();
    if resolved.is_recorded(&recorded) {
        return recorded;
    }
    let mut value = resolved.value();
    resolved.missing.keys().for_each(|url| value.set(url, Value::Unknown));
    value
}

/// Digests of the configuration, by URL.
pub type Given = Field<BTreeMap<String, Field<String>>>;

/// What a resource declares of its downloads.
pub struct Wanted<'a> {
    pub version: &'a str,
    pub role: Role,
    pub hosts: Hosts,
    pub mirror: &'a Field<String>,
    /// Of the configuration itself: in a plan, what is computed and not there yet is unknown.
    pub checksums: &'a Given,
}

/// `None` while the mirror or a given digest is unknown. Reaches the network only for digests that neither the configuration, the
/// state nor the catalogue has.
pub async fn resolve<R: HostResource>(declared: &Declared<'_, R>, wanted: Wanted<'_>) -> Result<Option<Resolved>, Diagnostic> {
    let configuration = declared.shared.configuration();
    let mirror = mirror(wanted.mirror, &configuration.mirror);
    let (Some(mirror), Some(given)) = (mirror.settled(), wanted.checksums.settled()) else { return Ok(None) };
    let release = catalogue::release(wanted.version).map_err(refused)?;
    let architectures: BTreeSet<Architecture> = wanted.hosts.values().map(|host| host.architecture).collect();
    let mut downloads = Vec::new();
    for architecture in architectures {
        downloads.extend(release.downloads(wanted.role, architecture, mirror).map_err(refused)?);
    }
    let unused_keys =
        given.as_ref().map(|given| keys::check(given, &release, mirror, &downloads)).transpose()?.unwrap_or_default();
    let pinned = |download| {
        let of = |attribute| pinned_digest(declared.state?.get(attribute), download);
        of("checksums").or_else(|| of(LOOKED_UP))
    };
    let mut resolved = Resolved {
        release,
        role: wanted.role,
        mirror: mirror.map(str::to_string),
        downloads,
        checksums: Checksums::new(),
        given: BTreeSet::new(),
        missing: BTreeMap::new(),
        unused_keys,
    };
    let given_for = |download: &Download| given_digest(given.as_ref()?, download);
    if resolved.downloads.iter().filter_map(given_for).any(Field::is_unknown) {
        return Ok(None);
    }
    for download in &resolved.downloads {
        let url = &download.origin_url;
        let given = given_for(download).and_then(|digest| digest.known().cloned());
        resolved.given.extend(given.is_some().then(|| url.clone()));
        match given.or_else(|| pinned(download)).map(bundle::Digest::parse).transpose() {
            Ok(Some(digest)) => drop(resolved.checksums.insert(url.clone(), digest)),
            Ok(None) => drop(resolved.missing.insert(url.clone(), "not looked up yet".into())),
            Err(error) => {
                return Err(Diagnostic::error(format!("the digest of {url} is not usable"))
                    .detail(error.to_string())
                    .at(AttributePath::attribute("checksums")));
            }
        }
    }
    resolved.look_up(declared.shared.world.as_ref()).await;
    Ok(Some(resolved))
}

fn refused(error: RenderError) -> Diagnostic {
    Diagnostic::error(error.to_string())
}

/// Under the URL that is downloaded, with or without what it hides, or that of the origin, whatever mirror it comes from.
fn given_digest<'a>(given: &'a BTreeMap<String, Field<String>>, download: &Download) -> Option<&'a Field<String>> {
    keys::of(download).into_iter().find_map(|key| given.get(&key))
}

/// Earlier versions pinned digests under the URLs of the mirror of that time.
fn pinned_digest(pinned: &Value, download: &Download) -> Option<String> {
    let below_mirror = download.origin_url.replacen("https:/", "", 1);
    let is_its = |key: &str| key == download.origin_url || key.ends_with(&below_mirror);
    let (_, digest) = pinned.as_map()?.iter().find(|(key, _)| is_its(key))?;
    digest.as_str().map(str::to_string)
}

impl Resolved {
    /// Whether this value of `checksums` has the digest of each download, no other one, and no password of a mirror in its keys.
    fn is_recorded(&self, value: &Value) -> bool {
        let Some(recorded) = value.as_map() else { return false };
        let is_same = |download: &Download| {
            let digest = self.checksums.get(&download.origin_url).map(ToString::to_string);
            digest.is_some() && digest == pinned_digest(value, download)
        };
        recorded.len() == self.checksums.len()
            && recorded.keys().all(|key| !Url::new(key.as_str()).has_secrets())
            && self.downloads.iter().all(is_same)
    }

    async fn look_up(&mut self, world: &dyn World) {
        let files: BTreeSet<Url> = self
            .downloads
            .iter()
            .filter(|download| self.missing.contains_key(&download.origin_url))
            .map(|download| download.checksum_url.clone())
            .collect();
        let fetch = async |url: Url| {
            let text = world.fetch_text(url.reveal()).await.map_err(|reason| format!("{url}: {}", url.hide_in(&reason)));
            (url, text)
        };
        let fetches = files.into_iter().map(fetch);
        let texts: BTreeMap<Url, Result<String, String>> = futures::future::join_all(fetches).await.into_iter().collect();
        for download in &self.downloads {
            let url = &download.origin_url;
            if !self.missing.contains_key(url) {
                continue;
            }
            let found = match texts.get(&download.checksum_url) {
                Some(Ok(text)) => catalogue::parse_checksum_file(text, &download.checksum_name)
                    .ok_or_else(|| format!("{}: does not list {}", download.checksum_url, download.checksum_name)),
                Some(Err(reason)) => Err(reason.clone()),
                None => Err("no checksum file".to_string()),
            };
            match found {
                Ok(digest) => {
                    self.missing.remove(url);
                    self.checksums.insert(url.clone(), digest);
                }
                Err(reason) => drop(self.missing.insert(url.clone(), reason)),
            }
        }
    }
}

pub fn validate(checksums: &ValueAt<'_>, found: &mut Diagnostics) {
    for (url, digest) in checksums.entries() {
        let Some(Err(error)) = digest.as_str().map(bundle::Digest::parse) else { continue };
        found.push(digest.error(
            format!("the digest of {} is not SHA-256", Url::new(url)),
            format!("{error}. It comes from the checksum file beside the download."),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(digest: Value, expect: Option<&str>) {
        let mut found = Diagnostics::default();
        let config = Value::object([("checksums", Value::object([("https://dl.example/x", digest)]))]);
        validate(&ValueAt::of(&config).get("checksums"), &mut found);
        let said: Vec<(String, String)> =
            found.iter().map(|d| (d.path.as_ref().map(ToString::to_string).unwrap_or_default(), d.summary.clone())).collect();
        let expect: Vec<(String, String)> =
            expect.into_iter().map(|text| ("checksums[\"https://dl.example/x\"]".to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn digests() {
        let wrong = Some("the digest of https://dl.example/x is not SHA-256");
        check("0".repeat(64).into(), None);
        check(format!("sha256:{}", "0".repeat(64)).into(), None);
        check(Value::Unknown, None);
        check("0".repeat(40).into(), wrong);
        check("x".repeat(64).into(), wrong);
    }

    #[test]
    fn the_mirror_of_the_resource_wins_and_unknown_is_not_absent() {
        let known = |text: &str| Field::Known(text.to_string());
        assert_eq!(mirror(&known("a"), &known("b")).known(), Some(&"a"));
        assert_eq!(mirror(&Field::Null, &known("b")).known(), Some(&"b"));
        assert!(mirror(&Field::Unknown, &known("b")).is_unknown());
        assert!(mirror(&Field::Null, &Field::Unknown).is_unknown());
    }

    #[test]
    fn a_digest_that_is_given_for_the_origin_holds_for_a_mirror() {
        let release = catalogue::release("1.36.3").unwrap();
        let download = &release.downloads(Role::Node, Architecture::Amd64, Some("https://mirror.example.net")).unwrap()[0];
        let given = |url: &str| BTreeMap::from([(url.to_owned(), Field::Known("0".repeat(64)))]);
        assert_ne!(download.url.reveal(), download.origin_url);
        for url in [download.url.reveal(), &download.origin_url] {
            assert_eq!(given_digest(&given(url), download), Some(&Field::Known("0".repeat(64))));
        }
        assert_eq!(given_digest(&given("https://dl.example/other"), download), None);
    }

    #[test]
    fn digests_are_planned_as_they_are_given() {
        let given = Field::Known(BTreeMap::from([("https://dl.example/x".to_owned(), Field::Known("0".repeat(64)))]));
        let expect = Value::object([("https://dl.example/x", "0".repeat(64).into())]);
        assert_eq!(planned(None, &given, None), expect);
        assert_eq!(planned(None, &Field::Null, None), Value::Unknown);
    }
}
