//! The objects of add-ons as the provider's catalogue has them, for an API server to judge.

use addons::{Addon, Choice, Facts, Rendered, Version, addon, images, render};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Of each version, with the settings by default, in a cluster with these pod networks.
#[track_caller]
pub fn objects(name: &str, pod_cidrs: &[&str]) -> Vec<Vec<Value>> {
    let addon = addon(name).ok().flatten().unwrap_or_else(|| panic!("the catalogue has no {name}"));
    addon.versions.values().map(|version| of_version(&addon, version, pod_cidrs)).collect()
}

#[track_caller]
fn of_version(addon: &Addon, version: &Version, pod_cidrs: &[&str]) -> Vec<Value> {
    let images = images(version, &BTreeMap::new()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let facts = Facts {
        pod_cidrs: Some(pod_cidrs.iter().map(ToString::to_string).collect()),
        service_cidrs: Some(Vec::new()),
        cluster_domain: Some("cluster.local".into()),
        ..Facts::default()
    };
    let (settings, patches) = (Map::new(), BTreeMap::new());
    let choice = Choice { addon, version, settings: &settings, images: &images, patches: &patches, facts: &facts };
    match render(&choice) {
        Ok(Rendered::Known(objects)) => objects.into_values().map(|declared| declared.object).collect(),
        Ok(Rendered::Open) => panic!("{}: it is not known which objects there are", addon.name),
        Err(refusal) => panic!("{}: {refusal:?}", addon.name),
    }
}
