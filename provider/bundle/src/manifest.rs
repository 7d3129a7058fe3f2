//! The bundle without its content: what the state keeps, what a plan shows, what a read asks a host for.

use crate::{Bundle, Digest, HostPath, Observed, ObservedBinary, ObservedFile, ObservedUnit, Sysctl, UnitName};
use std::collections::{BTreeMap, BTreeSet};

/// One line per item, keyed by the item as a reader would name it, so that the diff of a plan names the file or unit:
///
/// ```text
/// /etc/kubernetes/kubelet.yaml   0644 root:root sha256:…
/// /usr/local/bin/kubelet         binary sha256:…
/// kubelet.service                running sha256:…
/// module br_netfilter            loaded
/// sysctl net.ipv4.ip_forward     1
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub files: BTreeMap<HostPath, ManifestFile>,
    pub units: BTreeMap<UnitName, Digest>,
    pub modules: BTreeSet<String>,
    pub sysctls: BTreeMap<Sysctl, String>,
    pub binaries: BTreeMap<HostPath, Digest>,
}

/// A file as a manifest has it: mode, owner and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    pub mode: u32,
    pub owner: String,
    pub sha256: Digest,
}

/// A line of a stored manifest that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot read manifest line {key:?} = {value:?}")]
pub struct ManifestError {
    key: String,
    value: String,
}

impl Manifest {
    pub(crate) fn of(bundle: &Bundle) -> Self {
        Manifest {
            files: bundle
                .files
                .iter()
                .map(|(path, file)| {
                    let line = ManifestFile { mode: file.mode, owner: file.owner.clone(), sha256: file.content.digest() };
                    (path.clone(), line)
                })
                .collect(),
            units: bundle.units.iter().map(|(name, unit)| (name.clone(), bundle.unit_stamp(unit))).collect(),
            modules: bundle.modules.clone(),
            sysctls: bundle.sysctls.clone(),
            binaries: bundle.binaries.iter().map(|(path, binary)| (path.clone(), binary.identity())).collect(),
        }
    }

    /// What a host would report that has all of this: the assumption of a plan that reaches no host.
    pub fn as_observed(&self) -> Observed {
        let unit = |stamp: &Digest| ObservedUnit { active_state: "active".into(), enabled: true, stamp: Some(stamp.clone()) };
        Observed {
            files: self
                .files
                .iter()
                .map(|(path, file)| {
                    let observed = ObservedFile { mode: file.mode, owner: file.owner.clone(), sha256: file.sha256.clone() };
                    (path.clone(), observed)
                })
                .collect(),
            units: self.units.iter().map(|(name, stamp)| (name.clone(), unit(stamp))).collect(),
            modules: self.modules.clone(),
            sysctls: self.sysctls.clone(),
            binaries: self
                .binaries
                .iter()
                .map(|(path, identity)| (path.clone(), ObservedBinary { identity: Some(identity.clone()) }))
                .collect(),
        }
    }

    /// The form in plan and state: item to what it should be.
    pub fn to_lines(&self) -> BTreeMap<String, String> {
        let files = self
            .files
            .iter()
            .map(|(path, file)| (path.to_string(), format!("{:04o} {} sha256:{}", file.mode, file.owner, file.sha256)));
        let units = self.units.iter().map(|(name, stamp)| (name.to_string(), format!("running sha256:{stamp}")));
        let modules = self.modules.iter().map(|name| (format!("module {name}"), "loaded".to_string()));
        let sysctls = self.sysctls.iter().map(|(key, value)| (format!("sysctl {key}"), value.clone()));
        let binaries = self.binaries.iter().map(|(path, identity)| (path.to_string(), format!("binary sha256:{identity}")));
        files.chain(units).chain(modules).chain(sysctls).chain(binaries).collect()
    }

    /// Reads `to_lines` back. Fails at the first line that is not of that form.
    pub fn from_lines<'a>(lines: impl IntoIterator<Item = (&'a String, &'a String)>) -> Result<Self, ManifestError> {
        let mut manifest = Manifest::default();
        for (key, value) in lines {
            manifest.add_line(key, value).ok_or_else(|| ManifestError { key: key.clone(), value: value.clone() })?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, key: &str, value: &str) -> Option<()> {
        if let Some(module) = key.strip_prefix("module ") {
            self.modules.insert(module.to_string());
        } else if let Some(sysctl) = key.strip_prefix("sysctl ") {
            self.sysctls.insert(Sysctl::parse(sysctl).ok()?, value.to_string());
        } else if let Some(stamp) = value.strip_prefix("running ") {
            self.units.insert(UnitName::parse(key).ok()?, Digest::parse(stamp).ok()?);
        } else if let Some(identity) = value.strip_prefix("binary ") {
            self.binaries.insert(HostPath::parse(key).ok()?, Digest::parse(identity).ok()?);
        } else {
            let mut words = value.split(' ');
            let file = ManifestFile {
                mode: u32::from_str_radix(words.next()?, 8).ok()?,
                owner: words.next()?.to_string(),
                sha256: Digest::parse(words.next()?).ok()?,
            };
            self.files.insert(HostPath::parse(key).ok()?, file);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binary, Disruption, File, Health, OnChange, Unit, UnitTraits};

    fn sample() -> Bundle {
        let mut bundle = Bundle::default();
        let config = HostPath::literal("/etc/kubernetes/kubelet.yaml");
        let program = HostPath::literal("/usr/local/bin/kubelet");
        bundle.files.insert(config.clone(), File::public("kind: KubeletConfiguration\n"));
        bundle.files.insert(HostPath::literal("/etc/kubernetes/pki/x.key"), File::private("secret"));
        bundle.binaries.insert(
            program.clone(),
            Binary { url: "https://example.net/kubelet".into(), sha256: Digest::of(b"kubelet"), member: None },
        );
        let traits = UnitTraits { tier: 0, restart: Disruption::RestartsNodeComponent, health: Health::StaysUp };
        let unit = Unit { reads: [config, program].into(), on_change: OnChange::Restart, traits, health_check: None };
        bundle.add_unit(UnitName::literal("kubelet.service"), "[Service]\n".into(), unit);
        bundle.modules.insert("br_netfilter".into());
        bundle.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
        bundle
    }

    #[test]
    fn lines_read_back_as_the_same_manifest() {
        let manifest = sample().manifest();
        assert_eq!(Manifest::from_lines(&manifest.to_lines()), Ok(manifest));
    }

    #[test]
    fn a_host_that_has_all_of_a_manifest_shows_no_difference() {
        let manifest = sample().manifest();
        assert_eq!(crate::differences(&manifest, &manifest.as_observed()), []);
    }

    #[test]
    fn a_line_never_holds_content() {
        let lines = sample().manifest().to_lines();
        assert!(lines.values().all(|value| !value.contains("secret")));
        assert_eq!(lines["/etc/kubernetes/pki/x.key"], format!("0600 root:root sha256:{}", Digest::of(b"secret")));
    }

    #[test]
    fn the_stamp_of_a_unit_changes_with_what_it_reads_and_with_nothing_else() {
        let before = sample();
        let stamp = |bundle: &Bundle| bundle.manifest().units[&UnitName::literal("kubelet.service")].clone();
        let mut unread = before.clone();
        unread.files.insert(HostPath::literal("/etc/other"), File::public("x"));
        assert_eq!(stamp(&unread), stamp(&before));
        let mut read = before.clone();
        read.files.insert(HostPath::literal("/etc/kubernetes/kubelet.yaml"), File::public("changed"));
        assert_ne!(stamp(&read), stamp(&before));
        let mut upgraded = before.clone();
        upgraded.binaries.values_mut().for_each(|binary| binary.sha256 = Digest::of(b"newer"));
        assert_ne!(stamp(&upgraded), stamp(&before));
    }

    #[test]
    fn a_broken_line_is_named() {
        let lines = BTreeMap::from([("/etc/x".to_string(), "0644 root".to_string())]);
        assert_eq!(Manifest::from_lines(&lines).unwrap_err().to_string(), r#"cannot read manifest line "/etc/x" = "0644 root""#);
    }
}
