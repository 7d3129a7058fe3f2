//! Compares a manifest with what a host has. The sentences are what a user reads as drift.

use crate::manifest::ManifestFile;
use crate::{Manifest, Observed, ObservedFile};
use std::fmt;

/// One item that is not as declared: `item` names it, `what` says how it differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub item: String,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item, self.what)
    }
}

/// What differs, in a stable order. Empty exactly when the host has everything that the manifest names.
pub fn differences(manifest: &Manifest, observed: &Observed) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut add = |item: String, what: String| all.push(Difference { item, what });
    for (path, file) in &manifest.files {
        if let Some(what) = file_difference(file, observed.files.get(path)) {
            add(path.to_string(), what);
        }
    }
    for (path, identity) in &manifest.binaries {
        match observed.binaries.get(path) {
            None => add(path.to_string(), "missing".into()),
            Some(binary) if binary.identity.as_ref() != Some(identity) => {
                add(path.to_string(), "not the program that was installed".into())
            }
            Some(_) => {}
        }
    }
    for (name, stamp) in &manifest.units {
        match observed.units.get(name) {
            None => add(name.to_string(), "unknown to systemd".into()),
            Some(unit) if !unit.is_running() => add(name.to_string(), format!("{}, not running", unit.active_state)),
            Some(unit) if !unit.enabled => add(name.to_string(), "not enabled at boot".into()),
            Some(unit) if unit.stamp.as_ref() != Some(stamp) => add(name.to_string(), "runs with an older configuration".into()),
            Some(_) => {}
        }
    }
    for module in manifest.modules.difference(&observed.modules) {
        add(format!("module {module}"), "not loaded".into());
    }
    for (key, value) in &manifest.sysctls {
        match observed.sysctls.get(key) {
            None => add(format!("sysctl {key}"), "missing".into()),
            Some(actual) if actual != value => add(format!("sysctl {key}"), format!("{actual} instead of {value}")),
            Some(_) => {}
        }
    }
    all.sort();
    all
}

fn file_difference(file: &ManifestFile, observed: Option<&ObservedFile>) -> Option<String> {
    let Some(observed) = observed else { return Some("missing".into()) };
    let mut parts = Vec::new();
    if observed.sha256 != file.sha256 {
        parts.push("content differs".to_string());
    }
    if observed.mode != file.mode {
        parts.push(format!("mode {:04o} instead of {:04o}", observed.mode, file.mode));
    }
    if observed.owner != file.owner {
        parts.push(format!("owner {} instead of {}", observed.owner, file.owner));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, HostPath, ObservedBinary, ObservedUnit, Sysctl, UnitName};

    fn manifest() -> Manifest {
        let lines = [
            ("/etc/a", format!("0644 root:root sha256:{}", Digest::of(b"a"))),
            ("/usr/local/bin/p", format!("binary sha256:{}", Digest::of(b"p"))),
            ("p.service", format!("running sha256:{}", Digest::of(b"s"))),
            ("module overlay", "loaded".to_string()),
            ("sysctl net.ipv4.ip_forward", "1".to_string()),
        ];
        let lines: std::collections::BTreeMap<_, _> = lines.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        Manifest::from_lines(&lines).unwrap()
    }

    fn as_declared() -> Observed {
        let mut observed = Observed::default();
        let file = ObservedFile { mode: 0o644, owner: "root:root".into(), sha256: Digest::of(b"a") };
        observed.files.insert(HostPath::literal("/etc/a"), file);
        observed.binaries.insert(HostPath::literal("/usr/local/bin/p"), ObservedBinary { identity: Some(Digest::of(b"p")) });
        let unit = ObservedUnit { active_state: "active".into(), enabled: true, stamp: Some(Digest::of(b"s")) };
        observed.units.insert(UnitName::literal("p.service"), unit);
        observed.modules.insert("overlay".into());
        observed.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
        observed
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Observed), expect: &[&str]) {
        let mut observed = as_declared();
        change(&mut observed);
        let actual: Vec<String> = differences(&manifest(), &observed).iter().map(ToString::to_string).collect();
        assert_eq!(actual, expect);
    }

    #[test]
    fn each_kind_of_drift_is_one_sentence() {
        check(|_| {}, &[]);
        check(|o| o.files.clear(), &["/etc/a: missing"]);
        check(|o| o.files.values_mut().for_each(|f| f.sha256 = Digest::of(b"b")), &["/etc/a: content differs"]);
        check(
            |o| o.files.values_mut().for_each(|f| (f.mode, f.owner) = (0o600, "nobody:root".into())),
            &["/etc/a: mode 0600 instead of 0644, owner nobody:root instead of root:root"],
        );
        check(
            |o| o.binaries.values_mut().for_each(|b| b.identity = None),
            &["/usr/local/bin/p: not the program that was installed"],
        );
        check(|o| o.binaries.clear(), &["/usr/local/bin/p: missing"]);
        check(|o| o.units.values_mut().for_each(|u| u.active_state = "failed".into()), &["p.service: failed, not running"]);
        check(|o| o.units.values_mut().for_each(|u| u.enabled = false), &["p.service: not enabled at boot"]);
        check(|o| o.units.values_mut().for_each(|u| u.stamp = None), &["p.service: runs with an older configuration"]);
        check(|o| o.modules.clear(), &["module overlay: not loaded"]);
        check(|o| o.sysctls.values_mut().for_each(|v| *v = "0".into()), &["sysctl net.ipv4.ip_forward: 0 instead of 1"]);
        check(
            |o| *o = Observed::default(),
            &[
                "/etc/a: missing",
                "/usr/local/bin/p: missing",
                "module overlay: not loaded",
                "p.service: unknown to systemd",
                "sysctl net.ipv4.ip_forward: missing",
            ],
        );
    }
}
