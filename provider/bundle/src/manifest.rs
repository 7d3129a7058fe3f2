//! The bundle without its content: what the state keeps, what a plan shows, what a read asks a host for.

use crate::{Bundle, Digest, HostPath, Lines, Observed, ObservedBinary, ObservedFile, ObservedUnit, Sysctl, UnitName};
use std::collections::{BTreeMap, BTreeSet};

/// One line per item, keyed by the item as a reader would name it, so that the diff of a plan names the file or program:
///
/// ```text
/// /etc/kubernetes/kubelet.yaml         0644 root:root sha256:… read by kubelet.service
/// /etc/systemd/system/kubelet.service  0644 root:root sha256:…
/// /usr/local/bin/kubelet               binary sha256:… read by kubelet.service
/// kubelet.service                      running
/// module br_netfilter                  loaded
/// sysctl net.ipv4.ip_forward           1
/// ```
///
/// The stamp of a unit follows from what it reads. Manifests that the first version of the state's schema holds do not say that, and
/// have the stamp itself: `running sha256:…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub files: BTreeMap<HostPath, ManifestFile>,
    /// Stamps; `None` where a file that the unit reads is unknown.
    pub units: BTreeMap<UnitName, Option<Digest>>,
    /// What the stamp of each unit is made of, its unit file included; none of a unit of which only the stamp is known.
    pub reads: BTreeMap<UnitName, BTreeSet<HostPath>>,
    /// Units of which it is unknown whether their stamp follows from what they read; of no unit of a state.
    pub undecided: BTreeSet<UnitName>,
    pub modules: BTreeSet<String>,
    pub sysctls: BTreeMap<Sysctl, String>,
    /// `Binary::identity`; `None` while it is unknown, which it never is in a state.
    pub binaries: BTreeMap<HostPath, Option<Digest>>,
}

/// A file as a manifest has it: mode, owner and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    pub mode: u32,
    pub owner: String,
    /// `None` while the content is unknown, which it never is in a state.
    pub sha256: Option<Digest>,
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
                    let line =
                        ManifestFile { mode: file.mode, owner: file.owner.clone(), sha256: file.content.digest().cloned() };
                    (path.clone(), line)
                })
                .collect(),
            units: bundle.units.keys().map(|name| (name.clone(), bundle.unit_stamp(name))).collect(),
            reads: bundle
                .units
                .iter()
                .filter(|(name, unit)| bundle.has_derived_stamp(name, unit))
                .map(|(name, unit)| (name.clone(), unit.stamped().cloned().collect()))
                .collect(),
            undecided: bundle.undecided_stamps.clone(),
            modules: bundle.modules.clone(),
            sysctls: bundle.sysctls.clone(),
            binaries: bundle.binaries.iter().map(|(path, binary)| (path.clone(), binary.identity())).collect(),
        }
    }

    /// What a host would report that has all of this: the assumption of a plan that reaches no host.
    pub fn as_observed(&self) -> Observed {
        let unit = |stamp: &Option<Digest>| ObservedUnit {
            active_state: "active".into(),
            enabled: true,
            stamp: stamp.clone(),
            unread: false,
        };
        Observed {
            files: self
                .files
                .iter()
                .filter_map(|(path, file)| {
                    let sha256 = file.sha256.clone()?;
                    Some((path.clone(), ObservedFile { mode: file.mode, owner: file.owner.clone(), sha256 }))
                })
                .collect(),
            units: self.units.iter().map(|(name, stamp)| (name.clone(), unit(stamp))).collect(),
            modules: self.modules.clone(),
            sysctls: self.sysctls.clone(),
            binaries: self
                .binaries
                .iter()
                .map(|(path, identity)| (path.clone(), ObservedBinary { identity: identity.clone() }))
                .collect(),
            recorded: self.units.keys().cloned().collect(),
        }
    }

    /// Of a file or a binary; what is not recorded counts as empty.
    pub(crate) fn digest(&self, path: &HostPath) -> Digest {
        let file = self.files.get(path).and_then(|file| file.sha256.clone());
        file.or_else(|| self.binaries.get(path).cloned().flatten()).unwrap_or_else(|| Digest::of(b""))
    }

    /// The form in plan and state: item to what it should be; a line with an unknown digest is `None`.
    pub fn to_lines(&self) -> Lines {
        let readers = self.readers();
        // As for readers, that a unit reads its unit file goes without saying.
        let reads = |unit: &UnitName| {
            let (own, paths) = (unit.path(), self.reads.get(unit));
            paths.into_iter().flatten().filter(move |path| **path != own)
        };
        let undecided: BTreeSet<&HostPath> = self.undecided.iter().flat_map(reads).collect();
        let with_readers = |path: &HostPath, line: String| match readers.get(path) {
            _ if undecided.contains(path) => None,
            Some(units) => Some(format!("{line}{READ_BY}{}", units.join(UNIT_SEPARATOR))),
            None => Some(line),
        };
        let file = |path: &HostPath, file: &ManifestFile| {
            with_readers(path, format!("{:04o} {} sha256:{}", file.mode, file.owner, file.sha256.as_ref()?))
        };
        let files = self.files.iter().map(|(path, line)| (path.to_string(), file(path, line)));
        let unit = |name: &UnitName, stamp: &Option<Digest>| match self.reads.contains_key(name) {
            _ if self.undecided.contains(name) => None,
            true => Some(RUNNING.to_string()),
            false => Some(format!("{RUNNING} sha256:{}", stamp.as_ref()?)),
        };
        let units = self.units.iter().map(|(name, stamp)| (name.to_string(), unit(name, stamp)));
        let modules = self.modules.iter().map(|name| (format!("module {name}"), Some("loaded".to_string())));
        let sysctls = self.sysctls.iter().map(|(key, value)| (format!("sysctl {key}"), Some(value.clone())));
        let binary =
            |path: &HostPath, identity: &Option<Digest>| with_readers(path, format!("binary sha256:{}", identity.as_ref()?));
        let binaries = self.binaries.iter().map(|(path, identity)| (path.to_string(), binary(path, identity)));
        files.chain(units).chain(modules).chain(sysctls).chain(binaries).collect()
    }

    /// Who reads each file or program; that a unit reads its unit file goes without saying.
    fn readers(&self) -> BTreeMap<&HostPath, Vec<&str>> {
        let mut readers: BTreeMap<&HostPath, Vec<&str>> = BTreeMap::new();
        for (unit, paths) in &self.reads {
            let own = unit.path();
            paths.iter().filter(|path| **path != own).for_each(|path| readers.entry(path).or_default().push(unit.as_str()));
        }
        readers
    }

    /// Reads `to_lines` back. Fails at the first line that is not of that form.
    pub fn from_lines(lines: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> Result<Self, ManifestError> {
        let mut manifest = Manifest::default();
        let mut reads: BTreeMap<UnitName, BTreeSet<HostPath>> = BTreeMap::new();
        for (key, value) in lines {
            let (key, value) = (key.as_ref(), value.as_ref());
            let error = || ManifestError { key: key.to_string(), value: value.to_string() };
            manifest.add_line(key, value, &mut reads).ok_or_else(error)?;
        }
        for (name, stamp) in manifest.units.iter_mut().filter(|(_, stamp)| stamp.is_none()) {
            let mut paths = reads.remove(name).unwrap_or_default();
            paths.extend(Some(name.path()).filter(|path| manifest.files.contains_key(path)));
            *stamp = stamp_of(&paths, |path| {
                let file = manifest.files.get(path).and_then(|file| file.sha256.clone());
                file.or_else(|| manifest.binaries.get(path).cloned().flatten())
            });
            manifest.reads.insert(name.clone(), paths);
        }
        Ok(manifest)
    }

    fn add_line(&mut self, key: &str, value: &str, reads: &mut BTreeMap<UnitName, BTreeSet<HostPath>>) -> Option<()> {
        if let Some(module) = key.strip_prefix("module ") {
            self.modules.insert(module.to_string());
            return Some(());
        }
        if let Some(sysctl) = key.strip_prefix("sysctl ") {
            self.sysctls.insert(Sysctl::parse(sysctl).ok()?, value.to_string());
            return Some(());
        }
        if let Some(stamp) = value.strip_prefix(RUNNING) {
            let stamp = if stamp.is_empty() { None } else { Some(Digest::parse(stamp.strip_prefix(' ')?).ok()?) };
            self.units.insert(UnitName::parse(key).ok()?, stamp);
            return Some(());
        }
        let path = HostPath::parse(key).ok()?;
        let (what, readers) = value.split_once(READ_BY).unwrap_or((value, ""));
        for unit in readers.split(UNIT_SEPARATOR).filter(|unit| !unit.is_empty()) {
            reads.entry(UnitName::parse(unit).ok()?).or_default().insert(path.clone());
        }
        match what.strip_prefix("binary ") {
            Some(identity) => drop(self.binaries.insert(path, Some(Digest::parse(identity).ok()?))),
            None => drop(self.files.insert(path, ManifestFile::from_words(what)?)),
        }
        Some(())
    }
}

const READ_BY: &str = " read by ";
const UNIT_SEPARATOR: &str = ", ";
const RUNNING: &str = "running";

impl ManifestFile {
    fn from_words(text: &str) -> Option<ManifestFile> {
        let mut words = text.split(' ');
        let mode = u32::from_str_radix(words.next()?, 8).ok()?;
        Some(ManifestFile { mode, owner: words.next()?.to_string(), sha256: Some(Digest::parse(words.next()?).ok()?) })
    }
}

/// Digest over everything that a unit reads, in path order; `None` while one of them is unknown.
pub(crate) fn stamp_of<'a>(
    reads: impl IntoIterator<Item = &'a HostPath>,
    digest: impl Fn(&HostPath) -> Option<Digest>,
) -> Option<Digest> {
    let mut text = String::new();
    for path in reads {
        text.push_str(&format!("{path} {}\n", digest(path)?));
    }
    Some(Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binary, Content, Disruption, File, Health, OnChange, Unit, UnitTraits};

    fn sample() -> Bundle {
        let mut bundle = Bundle::default();
        let config = HostPath::literal("/etc/kubernetes/kubelet.yaml");
        let program = HostPath::literal("/usr/local/bin/kubelet");
        bundle.files.insert(config.clone(), File::public("kind: KubeletConfiguration\n"));
        bundle.files.insert(HostPath::literal("/etc/kubernetes/pki/x.key"), File::private("secret"));
        bundle.binaries.insert(
            program.clone(),
            Binary { url: "https://example.net/kubelet".into(), sha256: Some(Digest::of(b"kubelet")), member: None },
        );
        let traits = UnitTraits { tier: 0, restart: Disruption::RestartsNodeComponent, health: Health::StaysUp };
        let reads = [config, program].map(|path| (path, OnChange::Restart)).into();
        let unit = Unit { reads, traits, serves: BTreeMap::new(), health_check: None, check: None };
        bundle.add_unit(UnitName::literal("kubelet.service"), "[Service]\n".into(), unit);
        bundle.modules.insert("br_netfilter".into());
        bundle.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
        bundle
    }

    #[test]
    fn lines_read_back_as_the_same_manifest() {
        let manifest = sample().manifest();
        assert_eq!(Manifest::from_lines(known(&manifest)), Ok(manifest));
        let mut reads_more = sample();
        reads_more.units.values_mut().for_each(|unit| unit.reads.extend([(HostPath::literal("/etc/hosts"), OnChange::Restart)]));
        let manifest = reads_more.manifest();
        assert!(known(&manifest)["kubelet.service"].starts_with("running sha256:"));
        assert_eq!(Manifest::from_lines(known(&manifest)), Ok(manifest));
    }

    #[test]
    fn a_manifest_of_the_first_version_has_the_stamps_of_its_units() {
        let mut manifest = sample().manifest();
        manifest.reads.clear();
        let lines = known(&manifest);
        let stamp = manifest.units.values().next().unwrap().clone().unwrap();
        assert_eq!(lines["kubelet.service"], format!("running sha256:{stamp}"));
        assert_eq!(Manifest::from_lines(lines), Ok(manifest.clone()));
        assert_eq!(crate::differences(&sample().manifest(), &manifest.as_observed()), []);
    }

    fn known(manifest: &Manifest) -> BTreeMap<String, String> {
        manifest.to_lines().into_iter().map(|(key, line)| (key, line.unwrap())).collect()
    }

    #[test]
    fn a_file_with_unknown_content_is_an_unknown_line_and_nothing_else_is() {
        let mut bundle = sample();
        let other = Unit { reads: [].into(), ..bundle.units[&UnitName::literal("kubelet.service")].clone() };
        bundle.add_unit(UnitName::literal("other.service"), "[Service]\n".into(), other);
        let config = HostPath::literal("/etc/kubernetes/kubelet.yaml");
        bundle.files.insert(config.clone(), File::public(Content::unknown()));
        let manifest = bundle.manifest();
        let unknown: Vec<String> =
            manifest.to_lines().into_iter().filter(|(_, line)| line.is_none()).map(|(key, _)| key).collect();
        assert_eq!(unknown, ["/etc/kubernetes/kubelet.yaml"]);
        let mut known = bundle;
        known.files.insert(config, File::public("before"));
        let found = crate::differences(&manifest, &known.manifest().as_observed());
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/etc/kubernetes/kubelet.yaml: content differs", "kubelet.service: runs with an older configuration"]);
    }

    #[test]
    fn a_host_that_has_all_of_a_manifest_shows_no_difference() {
        let manifest = sample().manifest();
        assert_eq!(crate::differences(&manifest, &manifest.as_observed()), []);
    }

    #[test]
    fn a_line_never_holds_content() {
        let lines = known(&sample().manifest());
        assert!(lines.values().all(|value| !value.contains("secret")));
        assert_eq!(lines["/etc/kubernetes/pki/x.key"], format!("0600 root:root sha256:{}", Digest::of(b"secret")));
    }

    #[test]
    fn the_stamp_of_a_unit_changes_with_what_it_reads_and_with_nothing_else() {
        let before = sample();
        let stamp = |bundle: &Bundle| bundle.manifest().units[&UnitName::literal("kubelet.service")].clone().unwrap();
        let mut unread = before.clone();
        unread.files.insert(HostPath::literal("/etc/other"), File::public("x"));
        assert_eq!(stamp(&unread), stamp(&before));
        let mut read = before.clone();
        read.files.insert(HostPath::literal("/etc/kubernetes/kubelet.yaml"), File::public("changed"));
        assert_ne!(stamp(&read), stamp(&before));
        let mut upgraded = before.clone();
        upgraded.binaries.values_mut().for_each(|binary| binary.sha256 = Some(Digest::of(b"newer")));
        assert_ne!(stamp(&upgraded), stamp(&before));
    }

    /// A unit that also reads a file again by itself, with and without this content.
    fn with_certificate(content: impl Into<Content>) -> Bundle {
        let (mut bundle, certificate) = (sample(), HostPath::literal("/etc/kubernetes/pki/x.crt"));
        bundle.files.insert(certificate.clone(), File::public(content));
        let unit = bundle.units.get_mut(&UnitName::literal("kubelet.service")).unwrap();
        unit.reads.insert(certificate, OnChange::ReadAgain);
        bundle
    }

    #[test]
    fn what_a_unit_reads_again_by_itself_is_not_in_its_stamp() {
        let kubelet = UnitName::literal("kubelet.service");
        let stamp = with_certificate("one").unit_stamp(&kubelet);
        assert!(stamp.is_some());
        assert_eq!(with_certificate("two").unit_stamp(&kubelet), stamp);
        assert_eq!(with_certificate(Content::unknown()).unit_stamp(&kubelet), stamp);
        assert_eq!(sample().unit_stamp(&kubelet), stamp);
    }

    #[test]
    fn a_recorded_stamp_is_kept_until_something_changes_that_counts() {
        let kubelet = UnitName::literal("kubelet.service");
        let mut recorded = with_certificate("one").manifest();
        // As a version did that counted the certificate as well.
        let older = Some(Digest::of(b"over everything"));
        recorded.units.insert(kubelet.clone(), older.clone());
        let stamp = |mut bundle: Bundle| {
            bundle.keep_stamps(&recorded);
            bundle.manifest().units[&kubelet].clone()
        };
        assert_eq!(stamp(with_certificate("one")), older);
        assert_eq!(stamp(with_certificate("two")), older);
        assert_eq!(stamp(with_certificate(Content::unknown())), older);
        let mut changed = with_certificate("one");
        changed.files.insert(HostPath::literal("/etc/kubernetes/kubelet.yaml"), File::public("changed"));
        assert_eq!(stamp(changed.clone()), changed.unit_stamp(&kubelet));
        let mut upgraded = with_certificate("one");
        upgraded.binaries.values_mut().for_each(|binary| binary.sha256 = Some(Digest::of(b"newer")));
        assert_eq!(stamp(upgraded.clone()), upgraded.unit_stamp(&kubelet));
        let mut unknown = with_certificate("one");
        unknown.files.insert(HostPath::literal("/etc/kubernetes/kubelet.yaml"), File::public(Content::unknown()));
        assert_eq!(stamp(unknown), None);
    }

    /// Whether its stamp is kept shows in the lines of the unit and of all that it reads: neither may be known before that is.
    #[test]
    fn what_a_recorded_stamp_that_may_be_kept_decides_is_unknown() {
        let (kubelet, config) = (UnitName::literal("kubelet.service"), HostPath::literal("/etc/kubernetes/kubelet.yaml"));
        let mut recorded = sample().manifest();
        recorded.reads.clear();
        recorded.units.insert(kubelet.clone(), Some(Digest::of(b"over everything")));
        let lines = |content: Content| {
            let mut bundle = sample();
            bundle.files.insert(config.clone(), File::public(content));
            bundle.keep_stamps(&recorded);
            bundle.manifest().to_lines()
        };
        let planned = lines(Content::unknown());
        for content in ["kind: KubeletConfiguration\n", "kind: Other\n"] {
            let applied = lines(Content::new(content));
            let known = planned.iter().filter(|(_, line)| line.is_some());
            assert_eq!(known.clone().filter(|(key, line)| applied[*key] != **line).collect::<Vec<_>>(), []);
            assert!(known.count() >= 4 && applied.values().all(Option::is_some));
        }
        let mut changed = sample();
        changed.files.insert(config.clone(), File::public(Content::unknown()));
        changed.binaries.values_mut().for_each(|binary| binary.sha256 = Some(Digest::of(b"newer")));
        changed.keep_stamps(&recorded);
        assert_eq!(changed.manifest().to_lines().values().filter(|line| line.is_none()).count(), 1, "only the file itself");
    }

    #[test]
    fn a_broken_line_is_named() {
        let lines = BTreeMap::from([("/etc/x".to_string(), "0644 root".to_string())]);
        assert_eq!(Manifest::from_lines(lines).unwrap_err().to_string(), r#"cannot read manifest line "/etc/x" = "0644 root""#);
    }
}
