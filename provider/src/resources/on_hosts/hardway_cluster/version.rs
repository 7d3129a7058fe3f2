//! Which steps between Kubernetes versions a running cluster may take. Pure.

use schema::{AttributePath, Diagnostic};

/// The API server may be newer than what it replaces by one minor version at most, and never older: its storage cannot go back.
/// <https://kubernetes.io/releases/version-skew-policy/>
pub fn check_step(from: Option<&str>, to: Option<&str>) -> Result<(), Diagnostic> {
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
