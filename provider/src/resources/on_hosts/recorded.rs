//! The attributes of a resource on hosts as the state keeps them: what each host should have (`bundles`), what differs there
//! (`drift`), who did not answer (`unreachable`), and the steps of the last change (`rollout`). Pure.

use crate::hosts::HostConfigs;
use bundle::{Difference, HostName, Manifest};
use schema::{Attribute, Diagnostic, Field, Type, Value, decode, encode};
use serde::Deserialize;
use std::collections::BTreeMap;

pub type Lines = BTreeMap<String, BTreeMap<String, String>>;

/// The four attributes as the state keeps them.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Recorded {
    pub bundles: Option<Lines>,
    pub drift: Option<BTreeMap<String, Vec<String>>>,
    pub unreachable: Option<BTreeMap<String, String>>,
    pub rollout: Option<Vec<String>>,
}

pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::of("bundles", Type::map(Type::map(Type::String))).computed().never_null().describe(
            "What each host should have, item by item: files with mode, owner and digest, binaries, systemd units with a digest of \
             what they are restarted for, kernel modules and sysctls. The diff of a plan names the files and units that change.",
        ),
        Attribute::of("drift", Type::map(Type::list(Type::String)))
            .computed()
            .never_null()
            .describe("Differences that the last refresh found, host by host. A plan sets it to empty; apply repairs them."),
        Attribute::map("unreachable", Type::String).computed().never_null().describe("Hosts that did not answer the last refresh, with the reason."),
        Attribute::list("rollout", Type::String).computed().never_null().describe("The steps of a change in their order. A refresh empties it, so that a plan shows the steps of its own change only."),
    ]
}

impl Recorded {
    pub fn of(state: Option<&Value>) -> Result<Recorded, Diagnostic> {
        state.map_or_else(|| Ok(Recorded::default()), decode)
    }

    pub fn manifests(&self) -> Result<BTreeMap<HostName, Manifest>, Diagnostic> {
        let lines = self.bundles.iter().flatten();
        lines.map(|(host, lines)| Ok((host_name(host)?, Manifest::from_lines(lines).map_err(|error| damaged(&error))?))).collect()
    }

    /// What the last refresh found.
    pub fn differences(&self) -> Result<BTreeMap<HostName, Vec<Difference>>, Diagnostic> {
        let read = |text: &String| text.parse().map_err(|error: bundle::DifferenceError| damaged(&error));
        let lines = self.drift.iter().flatten();
        lines.map(|(host, lines)| Ok((host_name(host)?, lines.iter().map(read).collect::<Result<_, _>>()?))).collect()
    }
}

fn host_name(name: &str) -> Result<HostName, Diagnostic> {
    HostName::parse(name).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error("the state of this resource is damaged").detail(format!("{error}. Restore the state from a backup."))
}

/// `bundles`: exactly the lines of unknown contents, and of units that read them, are unknown.
pub fn to_value(manifests: &BTreeMap<HostName, Manifest>) -> Value {
    let value = |line: Option<String>| line.map_or(Value::Unknown, Value::from);
    let lines = |manifest: &Manifest| manifest.to_lines().into_iter().map(|(item, line)| (item, value(line))).collect();
    Value::Map(manifests.iter().map(|(host, manifest)| (host.to_string(), Value::Map(lines(manifest)))).collect())
}

/// The state after a read: drift and unreachable hosts, no steps, everything else as it was.
pub fn after_read(
    mut state: Value,
    drift: &BTreeMap<HostName, Vec<Difference>>,
    unreachable: &BTreeMap<HostName, String>,
) -> Value {
    let drift: BTreeMap<String, Vec<String>> = drift
        .iter()
        .filter(|(_, differences)| !differences.is_empty())
        .map(|(host, differences)| (host.to_string(), differences.iter().map(ToString::to_string).collect()))
        .collect();
    let unreachable: BTreeMap<String, String> =
        unreachable.iter().map(|(host, reason)| (host.to_string(), reason.clone())).collect();
    // Those of a change that is over: the next plan shows its own steps only.
    if !state.get("rollout").is_null() {
        state.set("rollout", encode(&Vec::<String>::new()));
    }
    state.set("drift", encode(&drift));
    state.set("unreachable", encode(&unreachable));
    state
}

/// The state that still names what could not be removed; `None` when nothing is left.
pub fn left_behind(mut prior: Value, left: &BTreeMap<HostName, Manifest>) -> Option<Value> {
    if left.is_empty() {
        return None;
    }
    prior.set("bundles", to_value(left));
    Some(prior)
}

/// The state of a resource whose hosts are clean and of which something else is left.
pub fn with_clean_hosts(mut prior: Value) -> Value {
    prior.set("bundles", encode(&Lines::new()));
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
        let recorded = Recorded::of(Some(prior))?.bundles.unwrap_or_default();
        hosts.retain(|name, _| recorded.contains_key(name));
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
