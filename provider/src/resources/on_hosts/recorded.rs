//! The attributes of a resource on hosts as the state keeps them: what each host should have (`host_contents`), what differs there
//! (`drift`, `differences`), who did not answer (`unreachable`), and the steps of the last change (`rollout`, `steps`). Pure.

use super::differences::{self, DIFFERENCES, Drift};
use super::steps::{self, STEPS};
use crate::hosts::HostConfigs;
use bundle::{Bundle, Digest, HostName, HostPath, Manifest};
use schema::{Attribute, Diagnostic, Field, Type, Value, decode, encode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The attributes as the state keeps them, and the hosts that they are about.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Recorded {
    pub host_contents: Option<BTreeMap<String, String>>,
    /// Written for people; what it says is read from `differences`.
    drift: Option<BTreeMap<String, Vec<String>>>,
    differences: Option<Vec<differences::Row>>,
    pub unreachable: Option<BTreeMap<String, String>>,
    pub rollout: Option<Vec<String>>,
    #[serde(skip)]
    hosts: BTreeSet<HostName>,
}

pub const HOST_CONTENTS: &str = "host_contents";

pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::map(HOST_CONTENTS, Type::String).computed().never_null().describe(
            "What each host should have, item by item: files with mode, owner, digest and the units that restart for them, programs, systemd \
             units, kernel modules and sysctls. What all hosts have stands once; `worker-1: /etc/…` is one host's own, and \
             `worker-[4-9]: /etc/…` that of several. The diff of a plan names what changes, and \
             where: an added or removed line is an item that comes or goes, a changed one shows another digest or mode, and after `read by` \
             stand the units that restart for it. It shows no contents, for they may be secret. The digest after `binary` is not that of the file: it says from which download \
             the program is installed, as the SHA-256 of the download's own SHA-256 (in `checksums` or `looked_up_checksums`), a space, and \
             the path inside the archive, which is empty for a plain file. In which order hosts are changed, and what is \
             down meanwhile, stands in `rollout`.",
        ),
        Attribute::of("drift", Type::map(Type::list(Type::String)))
            .computed()
            .never_null()
            .describe("Differences that the last refresh found, host by host. A plan sets it to empty; apply repairs them. The lines are for people: a policy reads `differences`."),
        differences::attribute(),
        Attribute::map("unreachable", Type::String).computed().never_null().describe("Hosts that did not answer the last refresh, or whose machine turned out to be another host, with the reason."),
        Attribute::list("rollout", Type::String).computed().never_null().describe("The steps of a change in their order, in words; equal steps on several hosts are one line. A refresh empties it, so that a plan shows the steps of its own change only."),
        steps::attribute(),
    ]
}

impl Recorded {
    pub fn of(state: Option<&Value>) -> Result<Recorded, Diagnostic> {
        let Some(state) = state else { return Ok(Recorded::default()) };
        Ok(Recorded { hosts: hosts_of(state)?, ..decode(state)? })
    }

    /// What each host should have. The only way to read `host_contents`.
    pub fn manifests(&self) -> Result<BTreeMap<HostName, Manifest>, Diagnostic> {
        let nothing = BTreeMap::new();
        let folded = self.host_contents.as_ref().unwrap_or(&nothing);
        let hosts = bundle::unfold(&self.hosts, folded).map_err(|error| damaged(&error))?;
        let read = |(host, lines)| Ok((host, Manifest::from_lines(lines).map_err(|error| damaged(&error))?));
        hosts.into_iter().map(read).collect()
    }

    /// What the last refresh found; nothing where that cannot be known.
    pub fn differences(&self) -> Result<Drift, Diagnostic> {
        let rows = self.differences.as_deref().unwrap_or_default();
        differences::from_rows(rows).ok_or_else(|| damaged(&"cannot read what differs on hosts"))
    }

    /// Whether an earlier version found something, of which it wrote down only the lines for people.
    pub fn is_drift_unknown(&self) -> bool {
        self.differences.is_none() && self.drift.as_ref().is_some_and(|lines| !lines.is_empty())
    }
}

/// Gives undecided contents of files what the state records of them, where these stay.
pub fn recall(
    recorded: &BTreeMap<HostName, Manifest>,
    bundles: &mut BTreeMap<HostName, Bundle>,
    stays: impl Fn(&HostPath) -> bool + Copy,
) {
    for (host, bundle) in bundles {
        recorded.get(host).into_iter().for_each(|recorded| bundle.recall(recorded, stays));
    }
}

fn host_name(name: &str) -> Result<HostName, Diagnostic> {
    HostName::parse(name).map_err(|error| damaged(&error))
}

pub fn damaged(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error("the state of this resource is damaged").detail(format!("{error}. Restore the state from a backup."))
}

/// The hosts of a plan or state by their names.
fn hosts_of(value: &Value) -> Result<BTreeSet<HostName>, Diagnostic> {
    value.get("hosts").as_map().into_iter().flatten().map(|(name, _)| host_name(name)).collect()
}

/// Writes down in `planned` what each host should have: exactly the lines of unknown contents are unknown.
pub fn set_desired(planned: &mut Value, desired: &BTreeMap<HostName, Bundle>) -> Result<(), Diagnostic> {
    let manifests = desired.iter().map(|(host, bundle)| (host.clone(), bundle.manifest())).collect();
    set_manifests(planned, &manifests, desired)
}

/// Writes down what is on the hosts of a state. `desired` says which files are a host's own.
pub fn set_manifests(
    value: &mut Value,
    manifests: &BTreeMap<HostName, Manifest>,
    desired: &BTreeMap<HostName, Bundle>,
) -> Result<(), Diagnostic> {
    let own = desired.values().flat_map(|bundle| &bundle.own).map(ToString::to_string).collect();
    let lines = |host: &HostName, manifest: &Manifest| lines_of(manifest, desired.get(host));
    let lines = manifests.iter().map(|(host, manifest)| (host.clone(), lines(host, manifest))).collect();
    let folded = bundle::fold(&hosts_of(value)?, &lines, &own).into_iter();
    let line = |line: Line| if let Line::Known(text) = line { text.into() } else { Value::Unknown };
    value.set(HOST_CONTENTS, Value::Map(folded.map(|(key, text)| (key, line(text))).collect()));
    Ok(())
}

/// What an item should be. Of a program that is not known yet, where it comes from: hosts of another architecture have another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Known(String),
    Unknown { download: Option<Digest> },
}

fn lines_of(manifest: &Manifest, bundle: Option<&Bundle>) -> BTreeMap<String, Line> {
    let download = |item: &str| {
        let binary = bundle?.binaries.get(&HostPath::parse(item).ok()?)?;
        Some(Digest::of(binary.url.reveal().as_bytes()))
    };
    let line = |(item, text): (String, Option<String>)| {
        let line = text.map_or_else(|| Line::Unknown { download: download(&item) }, Line::Known);
        (item, line)
    };
    manifest.to_lines().into_iter().map(line).collect()
}

/// The state after a read: drift and unreachable hosts, no steps, everything else as it was.
pub fn after_read(mut state: Value, drift: &Drift, unreachable: &BTreeMap<HostName, String>) -> Value {
    let unreachable: BTreeMap<String, String> =
        unreachable.iter().map(|(host, reason)| (host.to_string(), reason.clone())).collect();
    // Those of a change that is over: the next plan shows its own steps only.
    if !state.get("rollout").is_null() {
        state.set("rollout", Value::List(Vec::new()));
        state.set(STEPS, Value::List(Vec::new()));
    }
    set_drift(&mut state, drift);
    state.set("unreachable", encode(&unreachable));
    state
}

/// The state with more drift of hosts than it has.
pub fn add_drift(state: &mut Value, more: &Drift) {
    let Some(mut drift) = decode::<Recorded>(state).ok().and_then(|recorded| recorded.differences().ok()) else { return };
    more.iter().for_each(|(host, differences)| drift.entry(host.clone()).or_default().extend(differences.iter().cloned()));
    set_drift(state, &drift);
}

/// For people and as data; without hosts on which nothing differs.
pub fn set_drift(values: &mut Value, drift: &Drift) {
    let differing = drift.iter().filter(|(_, differences)| !differences.is_empty());
    let lines: BTreeMap<String, Vec<String>> =
        differing.map(|(host, all)| (host.to_string(), all.iter().map(ToString::to_string).collect())).collect();
    values.set("drift", encode(&lines));
    values.set(DIFFERENCES, differences::to_value(drift));
}

/// The state that still names what could not be removed; `None` when nothing is left.
pub fn left_behind(mut prior: Value, left: &BTreeMap<HostName, Manifest>) -> Result<Option<Value>, Diagnostic> {
    if left.is_empty() {
        return Ok(None);
    }
    set_manifests(&mut prior, left, &BTreeMap::new())?;
    Ok(Some(prior))
}

/// The state of a resource whose hosts are clean and of which something else is left.
pub fn with_clean_hosts(mut prior: Value) -> Value {
    prior.set(HOST_CONTENTS, Value::object([]));
    prior
}

/// The hosts of the plan, and those of the prior state that the plan no longer names but that still have something.
pub fn all_hosts(planned: Option<&HostConfigs>, prior: Option<&Value>) -> Result<HostConfigs, Diagnostic> {
    #[derive(Deserialize)]
    struct Hosts {
        hosts: Field<HostConfigs>,
    }
    let mut hosts = match prior {
        Some(prior) => decode::<Hosts>(prior)?.hosts.into_known().unwrap_or_default(),
        None => HostConfigs::new(),
    };
    if let Some(prior) = prior {
        let recorded = Recorded::of(Some(prior))?.manifests()?;
        let recorded: BTreeSet<&str> = recorded.keys().map(HostName::as_str).collect();
        hosts.retain(|name, _| recorded.contains(name.as_str()));
    }
    hosts.extend(planned.cloned().unwrap_or_default());
    Ok(hosts)
}

/// The hosts of the plan, and those that were to leave and still have something: the next apply must find them.
pub fn hosts_left(planned: &Value, prior: Option<&Value>, manifests: &BTreeMap<HostName, Manifest>) -> Value {
    let mut hosts = planned.get("hosts").clone();
    for name in manifests.keys().filter(|name| hosts.get(name.as_str()).is_null()).cloned().collect::<Vec<_>>() {
        if let Some(prior) = prior {
            hosts.set(name.as_str(), prior.get("hosts").get(name.as_str()).clone());
        }
    }
    hosts
}
