//! The objects of an add-on with its defaults as one List in JSON, for a dry run by a real API server:
//! `cargo run -p addons --example objects -- calico 3.32.1 172.18.0.0/16 fd00:18::/56 | kubectl apply --server-side --dry-run=server -f -`.
//! Custom resources are refused by one that has not their definitions: apply those before.

use addons::{Choice, Facts, Rendered, addon, images, render};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match objects(&arguments) {
        Ok(objects) => {
            println!("{}", json!({ "apiVersion": "v1", "kind": "List", "items": objects }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn objects(arguments: &[String]) -> Result<Vec<Value>, String> {
    let [name, version, pod_cidrs @ ..] = arguments else { return Err("objects <add-on> <version> [<pod network>...]".into()) };
    let addon = addon(name).map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no add-on {name}"))?;
    let version = addon.versions.get(version).ok_or_else(|| format!("{name} has {}", addon.known_versions().join(", ")))?;
    let images = images(version, &BTreeMap::new()).map_err(|faults| format!("{faults:?}"))?;
    let facts = Facts {
        pod_cidrs: Some(pod_cidrs.to_vec()),
        service_cidrs: Some(Vec::new()),
        cluster_domain: Some("cluster.local".into()),
        ..Facts::default()
    };
    let (settings, patches) = (Map::new(), BTreeMap::new());
    let choice = Choice { addon: &addon, version, settings: &settings, images: &images, patches: &patches, facts: &facts };
    match render(&choice).map_err(|refusal| format!("{refusal:?}"))? {
        Rendered::Known(objects) => Ok(objects.into_values().map(|declared| declared.object).collect()),
        Rendered::Open => Err("it is not known which objects there are".into()),
    }
}
