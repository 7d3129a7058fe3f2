//! Which kubelets an API server works with. Pure.

use crate::resources::control_plane::Versions;
use bundle::Instead;
use schema::{AttributePath, Diagnostic, Diagnostics};

/// <https://kubernetes.io/releases/version-skew-policy/>: since 1.25, and never newer than the API server. Where API servers differ, the
/// oldest and the newest of them bound it.
const OLDEST: u64 = 3;

/// `kubelet` as declared (`1.36.3`), API servers as they say themselves (`v1.36.3`). What cannot be read is let pass.
pub fn check(kubelet: &str, api_servers: &Versions) -> Result<(), Diagnostic> {
    let known = api_servers.of.iter().filter_map(|(host, version)| Some((minor(version)?, host, version)));
    let (oldest, newest) = (known.clone().min_by_key(|known| known.0), known.max_by_key(|known| known.0));
    let (Some(ours), Some(oldest), Some(newest)) = (minor(kubelet), oldest, newest) else { return Ok(()) };
    let (is, (theirs, host, api_server)) = match () {
        () if ours > oldest.0 => ("newer than", oldest),
        () if ours + OLDEST < newest.0 => ("too old for", newest),
        () => return Ok(()),
    };
    let way_out = match ours > theirs {
        true => format!("Upgrade the control plane first, on every host, or give the nodes a version of 1.{theirs} or older."),
        false => format!("Upgrade the nodes to 1.{} or newer, one minor version after the other.", theirs - OLDEST),
    };
    Err(Diagnostic::error(format!("kubelet {kubelet} is {is} the API server of {host}, which is {api_server}"))
        .detail(format!(
            "A kubelet must not be newer than the oldest API server of its cluster, and not older than the newest by more than {OLDEST} minor \
             versions. Nothing was changed on any host. {way_out}"
        ))
        .at(AttributePath::attribute("cluster").then("kubernetes_version")))
}

/// Of control-plane hosts whose API servers did not say what they are.
pub fn unasked(kubelet: &str, api_servers: &Versions) -> Diagnostics {
    let known: Vec<String> = api_servers.of.iter().map(|(host, version)| format!("{host} ({version})")).collect();
    let warning = |(host, reason): (&bundle::HostName, &String)| {
        Diagnostic::warning(format!("{host} did not say which version its API server is")).detail(format!(
            "{reason}\n\nKubelet {kubelet} was compared with {} only, and must not be newer than any API server: if that of {host} is older than \
             1.{}, upgrade it before it serves again.",
            known.join(", "),
            minor(kubelet).unwrap_or_default()
        ))
    };
    api_servers.silent.iter().map(warning).collect()
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
    fn check_minor(kubelet: &str, api_servers: &[&str], expect: Option<&str>) {
        let of = api_servers.iter().enumerate();
        let of = of.map(|(number, version)| (bundle::HostName::literal(&format!("cp-{}", number + 1)), version.to_string()));
        let versions = Versions { of: of.collect(), ..Versions::default() };
        assert_eq!(check(kubelet, &versions).err().map(|error| error.summary).as_deref(), expect);
    }

    #[test]
    fn a_kubelet_is_never_newer_and_three_minor_versions_older_at_most() {
        check_minor("1.36.3", &["v1.36.1"], None);
        check_minor("1.33.9", &["v1.36.1"], None);
        check_minor("1.36.0", &["v1.35.4"], Some("kubelet 1.36.0 is newer than the API server of cp-1, which is v1.35.4"));
        check_minor("1.32.9", &["v1.36.1"], Some("kubelet 1.32.9 is too old for the API server of cp-1, which is v1.36.1"));
        check_minor("1.36.0", &["something else"], None);
    }

    #[test]
    fn where_api_servers_differ_the_oldest_and_the_newest_count() {
        let differ = ["v1.36.3", "v1.35.8", "v1.36.3"];
        check_minor("1.36.3", &differ, Some("kubelet 1.36.3 is newer than the API server of cp-2, which is v1.35.8"));
        check_minor("1.32.9", &differ, Some("kubelet 1.32.9 is too old for the API server of cp-3, which is v1.36.3"));
        check_minor("1.35.8", &differ, None);
        check_minor("1.33.9", &differ, None);
        check_minor("1.36.3", &["v1.36.3", "something else"], None);
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
