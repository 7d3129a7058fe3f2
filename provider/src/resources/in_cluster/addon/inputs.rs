//! From the configuration to an add-on of the catalogue, and what is wrong with it. Pure.

use crate::resources::in_cluster::config::Config;
use crate::resources::in_cluster::json::json;
use crate::resources::in_cluster::{Declaration, validate};
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::hardway_cluster::config::DEFAULT_POD_NETWORK;
use addons::{Addon, Choice, Facts, Fault, Ready, Refusal, Rendered, Subject, Version};
use objects::UNKNOWN;
use schema::{AttributePath, Diagnostic, Diagnostics, Field, Severity, Value, ValueAt, decode};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Of a catalogue that does not fit itself.
const BUG: &str = "This is a bug of the provider: please report it.";

pub fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    let declared = declared(config, &mut found);
    validate::validate(config, declared.as_ref(), &mut found);
    found
}

/// `None` while it is not known which objects there are, and where something is wrong.
pub fn declared(values: &Value, found: &mut Diagnostics) -> Option<Declaration> {
    let mut wrong = Diagnostics::default();
    let declared = render(values, &mut wrong);
    let is_wrong = wrong.has_errors();
    found.extend(wrong);
    declared.filter(|_| !is_wrong)
}

fn render(values: &Value, wrong: &mut Diagnostics) -> Option<Declaration> {
    let at = ValueAt::of(values);
    let facts = facts(values, wrong);
    let settings = settings(values.get("settings"), wrong);
    let patches = patches(&at.get("patches"), wrong);
    let addon = addon(&at.get("name"), wrong)?;
    let version = version(&addon, &at.get("version"), wrong)?;
    let overrides = overrides(values);
    let images = match overrides.as_ref().map(|overrides| addons::images(version, overrides)) {
        Some(Ok(images)) => images,
        Some(Err(faults)) => {
            wrong.extend(faults.into_iter().map(diagnostic));
            return None;
        }
        None => version.images.keys().map(|name| (name.clone(), Json::from(UNKNOWN))).collect(),
    };
    let (settings, patches, facts) = (settings?, patches?, facts?);
    wrong.extend(addons::advice(&addon, &facts).map(warning));
    let choice = Choice { addon: &addon, version, settings: &settings, images: &images, patches: &patches, facts: &facts };
    match addons::render(&choice) {
        Ok(Rendered::Known(objects)) => Some(objects),
        Ok(Rendered::Open) => None,
        Err(Refusal::Faults(faults)) => {
            wrong.extend(faults.into_iter().map(diagnostic));
            None
        }
        Err(Refusal::Catalogue(error)) => {
            wrong.push(at.get("name").error(error.to_string(), BUG));
            None
        }
    }
}

/// The reference of each image, as far as it is known.
pub fn images(values: &Value) -> Value {
    let at = ValueAt::of(values);
    let mut unsaid = Diagnostics::default();
    let addon = addon(&at.get("name"), &mut unsaid);
    let version = addon.as_ref().and_then(|addon| version(addon, &at.get("version"), &mut unsaid));
    let Some((version, overrides)) = version.zip(overrides(values)) else { return Value::Unknown };
    let shown = |reference: &Json| match reference.as_str() {
        Some(text) if text != UNKNOWN => text.into(),
        _ => Value::Unknown,
    };
    let images = addons::images(version, &overrides).unwrap_or_default();
    Value::Map(images.iter().map(|(name, reference)| (name.clone(), shown(reference))).collect())
}

pub fn ready(values: &Value) -> Ready {
    let addon = addon(&ValueAt::of(values).get("name"), &mut Diagnostics::default());
    addon.map(|addon| addon.ready).unwrap_or_default()
}

fn addon(name: &ValueAt<'_>, wrong: &mut Diagnostics) -> Option<Addon> {
    let text = name.as_str()?;
    match addons::addon(text) {
        Ok(Some(addon)) => return Some(addon),
        Ok(None) => {
            let known = addons::names().join(", ");
            wrong.push(name.error(
                format!("the catalogue has no add-on {text:?}"),
                format!("It has {known}. Anything else is applied with `k8s_manifests`."),
            ));
        }
        Err(error) => wrong.push(name.error(error.to_string(), BUG)),
    }
    None
}

fn version<'a>(addon: &'a Addon, version: &ValueAt<'_>, wrong: &mut Diagnostics) -> Option<&'a Version> {
    let text = version.as_str()?;
    let found = addon.versions.get(text);
    if found.is_none() {
        let known = addon.known_versions().join(", ");
        let detail = format!("The catalogue of this version of the provider has {known}.");
        wrong.push(version.error(format!("the catalogue has no version {text:?} of {}", addon.name), detail));
    }
    found
}

/// `None` while it is not known which there are.
fn settings(settings: &Value, wrong: &mut Diagnostics) -> Option<Map<String, Json>> {
    if settings.is_unknown() {
        return None;
    }
    match json(settings) {
        Json::Null => Some(Map::new()),
        Json::Object(mut entries) => {
            // Modules have them whose variables have optional parts.
            entries.values_mut().for_each(objects::without_nulls);
            Some(entries)
        }
        _ => {
            let detail = "Write them by name, such as { replicas = 2 }.";
            wrong.push(Diagnostic::error("settings is no object").detail(detail).at(AttributePath::attribute("settings")));
            None
        }
    }
}

/// By object, [`UNKNOWN`] where one is not known yet; `None` while it is not known which there are.
fn patches(patches: &ValueAt<'_>, wrong: &mut Diagnostics) -> Option<BTreeMap<String, Json>> {
    let mut found = BTreeMap::new();
    for (key, patch) in patches.entries().filter(|(_, patch)| !patch.is_null()) {
        let Some(text) = patch.as_str() else {
            found.insert(key.to_string(), Json::from(UNKNOWN));
            continue;
        };
        let one = objects::documents(text).map(<[Json; 1]>::try_from);
        match one {
            Ok(Ok([document])) => drop(found.insert(key.to_string(), document)),
            Ok(Err(_)) => {
                wrong.push(patch.error(
                    "the text is not one document",
                    "Write one patch for each object, such as \"spec: { replicas: 3 }\".",
                ));
            }
            Err(mistake) => wrong.push(patch.error(format!("the text {}", mistake.rule), mistake.remedy)),
        }
    }
    (!patches.is_unknown()).then_some(found)
}

/// `None` while it is not known which there are.
fn overrides(values: &Value) -> Option<BTreeMap<String, Json>> {
    let overrides = values.get("image_overrides");
    let entries = overrides.as_map().into_iter().flatten().filter(|(_, reference)| !reference.is_null());
    (!overrides.is_unknown()).then(|| entries.map(|(name, reference)| (name.clone(), json(reference))).collect())
}

/// What the cluster says of itself. `None` where it lacks something, which is then said.
fn facts(values: &Value, wrong: &mut Diagnostics) -> Option<Facts> {
    let config: Config = match decode(values) {
        Ok(config) => config,
        Err(error) => {
            wrong.push(error);
            return None;
        }
    };
    let Some(join) = config.cluster.known() else { return Some(Facts::default()) };
    for (name, is_missing) in [
        ("kubernetes_version", join.kubernetes_version.is_null()),
        ("pod_cidrs", join.pod_cidrs.is_null()),
        ("service_cidrs", join.service_cidrs.is_null()),
        ("cluster_domain", join.cluster_domain.is_null()),
    ] {
        if is_missing {
            let detail = "Give the `join` of a `k8s_hardway_cluster`, and apply that one first.";
            let path = AttributePath::attribute("cluster").then(name);
            wrong.push(Diagnostic::error(format!("the cluster has no {name}")).detail(detail).at(path));
        }
    }
    Some(facts_of(join))
}

fn facts_of(join: &Join) -> Facts {
    let text = |field: &Field<String>| field.known().cloned();
    let texts = |field: &Field<Vec<Field<String>>>| field.settle_each(|text| Some(text.clone()));
    Facts {
        kubernetes_version: text(&join.kubernetes_version),
        // Clusters of earlier versions have the routed network.
        pod_network: join.pod_network.settled_or(DEFAULT_POD_NETWORK.into()),
        pod_cidrs: texts(&join.pod_cidrs),
        service_cidrs: texts(&join.service_cidrs),
        cluster_domain: text(&join.cluster_domain),
    }
}

fn warning(fault: Fault) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..diagnostic(fault) }
}

fn diagnostic(Fault { subject, rule, remedy }: Fault) -> Diagnostic {
    let path = match subject {
        Subject::Cluster => AttributePath::attribute("cluster"),
        Subject::Setting(name) => AttributePath::attribute("settings").then(name),
        Subject::Patch(object) => AttributePath::attribute("patches").key(object),
        Subject::Image(name) => AttributePath::attribute("image_overrides").key(name),
    };
    Diagnostic::error(rule).detail(remedy).at(path)
}
