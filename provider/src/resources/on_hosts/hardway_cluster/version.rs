//! Which steps between Kubernetes versions a running cluster may take. Pure.

use bundle::{HostName, HostPath, Manifest};
use render::component::API_SERVER;
use schema::{AttributePath, Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

/// From what a state says to another version.
pub fn check(prior: &Value, recorded: &BTreeMap<HostName, Manifest>, to: Option<&str>) -> Result<(), Diagnostic> {
    let from = prior.get("kubernetes_version").as_str();
    check_step(from, to)?;
    let minor = |version: Option<&str>| version.and_then(parse).map(|(major, minor, _)| (major, minor));
    if minor(from) < minor(to) && is_under_way(prior, recorded) {
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let detail = format!("API servers may be one minor version apart. Apply {from} until all hosts have it, then {to}.");
        let path = AttributePath::attribute("kubernetes_version");
        return Err(Diagnostic::error(format!("not all hosts have Kubernetes {from} yet")).detail(detail).at(path));
    }
    Ok(())
}

/// Whether an apply that ended early left API servers of two versions, as far as a state knows.
fn is_under_way(prior: &Value, recorded: &BTreeMap<HostName, Manifest>) -> bool {
    let program = HostPath::literal(API_SERVER.program);
    let mut programs: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for (host, manifest) in recorded {
        let architecture = prior.get("hosts").get(host.as_str()).get("architecture").as_str().unwrap_or_default();
        programs.entry(architecture).or_default().extend(manifest.binaries.get(&program).and_then(Option::as_ref));
    }
    programs.values().any(|digests| digests.len() > 1)
}

/// The API server may be newer than what it replaces by one minor version at most, and never older: its storage cannot go back.
/// <https://kubernetes.io/releases/version-skew-policy/>
fn check_step(from: Option<&str>, to: Option<&str>) -> Result<(), Diagnostic> {
    let (Some(from), Some(to)) = (from.and_then(parse), to.and_then(parse)) else { return Ok(()) };
    let refuse = |summary: String, detail: String| {
        Err(Diagnostic::error(summary).detail(detail).at(AttributePath::attribute("kubernetes_version")))
    };
    let text = |(major, minor, patch): (u64, u64, u64)| format!("{major}.{minor}.{patch}");
    if (to.0, to.1) < (from.0, from.1) {
        return refuse(
            format!("Kubernetes cannot go back from {} to {}", text(from), text(to)),
            format!("Objects may be stored in a form that an older API server does not know. Stay with {}.", text(from)),
        );
    }
    if to.0 != from.0 || to.1 > from.1 + 1 {
        return refuse(
            format!("Kubernetes cannot go from {} to {} in one step", text(from), text(to)),
            format!("Minor versions are upgraded one after the other. Apply a version of {}.{} first.", from.0, from.1 + 1),
        );
    }
    Ok(())
}

fn parse(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_go_up_one_minor_at_a_time() {
        #[track_caller]
        fn check(from: &str, to: &str, expect: Option<&str>) {
            assert_eq!(check_step(Some(from), Some(to)).err().map(|error| error.summary).as_deref(), expect);
        }
        check("1.36.3", "1.36.3", None);
        check("1.36.1", "1.36.3", None);
        check("1.36.3", "1.36.1", None);
        check("1.35.4", "1.36.3", None);
        check("1.34.4", "1.36.3", Some("Kubernetes cannot go from 1.34.4 to 1.36.3 in one step"));
        check("1.36.3", "1.35.4", Some("Kubernetes cannot go back from 1.36.3 to 1.35.4"));
        assert!(check_step(None, Some("1.36.3")).is_ok());
    }
}
