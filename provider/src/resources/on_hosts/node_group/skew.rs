//! Which kubelets an API server works with. Pure.

use bundle::Instead;
use schema::{AttributePath, Diagnostic};

/// <https://kubernetes.io/releases/version-skew-policy/>: since 1.25, and never newer than the API server.
const OLDEST: u64 = 3;

/// `kubelet` as declared (`1.36.3`), `api_server` as it says itself (`v1.36.3`). What cannot be read is let pass.
pub fn check(kubelet: &str, api_server: &str) -> Result<(), Diagnostic> {
    let (Some(ours), Some(theirs)) = (minor(kubelet), minor(api_server)) else { return Ok(()) };
    if ours <= theirs && ours + OLDEST >= theirs {
        return Ok(());
    }
    let (is, way_out) = match ours > theirs {
        true => ("newer than", format!("Upgrade the control plane first, or give the nodes a version of 1.{theirs} or older.")),
        false => {
            ("too old for", format!("Upgrade the nodes to 1.{} or newer, one minor version after the other.", theirs - OLDEST))
        }
    };
    Err(Diagnostic::error(format!("kubelet {kubelet} is {is} the API server, which is {api_server}"))
        .detail(format!(
            "A kubelet must not be newer than its API server, and not older by more than {OLDEST} minor versions. Nothing was changed on any \
             host. {way_out}"
        ))
        .at(AttributePath::attribute("cluster").then("kubernetes_version")))
}

/// What a kubelet that runs (`v1.35.8`) is instead of the declared one (`1.36.3`), where its minor version is another. The difference
/// between two patches needs no drain.
pub fn other_minor(kubelet: Option<&str>, declared: Option<&str>) -> Option<Instead> {
    let (found, declared) = (kubelet?.trim_start_matches('v'), declared?);
    (minor(found)? != minor(declared)?).then(|| Instead { found: found.into(), declared: declared.into() })
}

fn minor(version: &str) -> Option<u64> {
    let mut parts = version.trim_start_matches('v').split('.');
    (parts.next()? == "1").then(|| parts.next()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_minor(kubelet: &str, api_server: &str, expect: Option<&str>) {
        assert_eq!(check(kubelet, api_server).err().map(|error| error.summary).as_deref(), expect);
    }

    #[test]
    fn a_kubelet_is_never_newer_and_three_minor_versions_older_at_most() {
        check_minor("1.36.3", "v1.36.1", None);
        check_minor("1.33.9", "v1.36.1", None);
        check_minor("1.36.0", "v1.35.4", Some("kubelet 1.36.0 is newer than the API server, which is v1.35.4"));
        check_minor("1.32.9", "v1.36.1", Some("kubelet 1.32.9 is too old for the API server, which is v1.36.1"));
        check_minor("1.36.0", "something else", None);
    }

    #[test]
    fn another_patch_is_the_same_minor_version() {
        let other = |kubelet, declared| other_minor(kubelet, declared).map(|instead| instead.to_string());
        assert_eq!(other(Some("v1.36.1"), Some("1.36.3")), None);
        assert_eq!(other(Some("v1.35.8"), Some("1.36.3")).as_deref(), Some("1.35.8 instead of 1.36.3"));
        assert_eq!(other(Some("v1.36.3"), Some("1.35.8")).as_deref(), Some("1.36.3 instead of 1.35.8"));
        assert_eq!((other(None, Some("1.36.3")), other(Some("v0.0.0-master"), Some("1.36.3"))), (None, None));
    }
}
