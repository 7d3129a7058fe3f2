//! A cluster whose `pki` the engine leaves out, as it does with a write-only argument under `ignore_changes`: everything that is made
//! of it stays as the state records it. Pure.

use super::{HardwayCluster, Join};
use crate::resources::on_hosts::{Declared, recorded};
use bundle::{Bundle, HostName};
use schema::{AttributePath, Diagnostic, Value, decode};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Recorded {
    join: Join,
}

/// Contents that are unknown without `pki` become what the state records, whose join is returned.
///
/// # Errors
/// When something cannot stay as it is: a host has no record yet, or the endpoint, which kubeconfigs name, changes.
pub fn recall(
    declared: &Declared<'_, HardwayCluster>,
    bundles: &mut BTreeMap<HostName, Bundle>,
    planned: &Value,
) -> Result<Join, Diagnostic> {
    let prior = declared.prior.ok_or_else(no_pki)?;
    if prior.get("endpoint") != planned.get("endpoint") {
        return Err(needed("the endpoint changes, and kubeconfigs name it"));
    }
    recorded::recall(declared.recorded, bundles, |_| true);
    for (host, bundle) in bundles {
        if let Some(path) = bundle.unknown_files().next() {
            return Err(needed(&format!("{host} needs {path}")));
        }
    }
    recorded_join(prior)
}

pub fn recorded_join(prior: &Value) -> Result<Join, Diagnostic> {
    Ok(decode::<Recorded>(prior)?.join)
}

fn no_pki() -> Diagnostic {
    Diagnostic::error("a new cluster needs pki, which is null")
        .detail("Pass the `bundle` of a k8s_pki.")
        .at(AttributePath::attribute("pki"))
}

fn needed(why: &str) -> Diagnostic {
    Diagnostic::error("this change needs pki, which is left out")
        .detail(format!("Without pki everything that is made of it stays as it is, but {why}. Take pki out of ignore_changes."))
        .at(AttributePath::attribute("pki"))
}
