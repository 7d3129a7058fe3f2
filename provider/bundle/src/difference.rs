//! Compares a manifest with what a host has. A difference is a fact; its `Display` is what a user reads as drift, and its `FromStr`
//! reads that back from a state.

use crate::manifest::ManifestFile;
use crate::{HostPath, Manifest, Observed, ObservedFile, Sysctl, UnitName};
use std::fmt;
use std::str::FromStr;

/// One item that is not as declared: `item` names it, `what` says how it differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    pub item: Item,
    pub what: What,
}

/// What on a host a difference is about, as a user would name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    File(HostPath),
    Binary(HostPath),
    Unit(UnitName),
    Module(String),
    Sysctl(Sysctl),
}

/// How an item differs from what is declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A file or a sysctl that is not there.
    Missing,
    /// A file: at least one of the three.
    File {
        content: bool,
        mode: Option<Instead>,
        owner: Option<Instead>,
    },
    /// A binary that is not there.
    NotInstalled,
    /// A binary that is not the one that was installed.
    Replaced,
    /// systemd does not know the unit.
    UnknownToSystemd,
    /// The unit's `ActiveState`, which is none of a running unit.
    NotRunning(String),
    NotEnabled,
    /// The unit's stamp is not that of what it should read.
    OlderConfiguration,
    /// The unit has no stamp: it was started, and nobody saw it healthy, or read again what it should.
    Unproven,
    /// Something was written that the unit reads again by itself; whether it has is not known.
    Unread,
    /// A kernel module.
    NotLoaded,
    /// A sysctl.
    Value(Instead),
}

/// A value that was found, and the one that is declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instead {
    pub found: String,
    pub declared: String,
}

/// A line that no [`Difference`] is written as.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("cannot read difference {0:?}")]
pub struct DifferenceError(String);

impl Item {
    /// The path of a file or a binary.
    pub fn path(&self) -> Option<&HostPath> {
        match self {
            Item::File(path) | Item::Binary(path) => Some(path),
            Item::Unit(_) | Item::Module(_) | Item::Sysctl(_) => None,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::File(path) | Item::Binary(path) => write!(f, "{path}"),
            Item::Unit(name) => write!(f, "{name}"),
            Item::Module(name) => write!(f, "module {name}"),
            Item::Sysctl(key) => write!(f, "sysctl {key}"),
        }
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {}", self.found, self.declared)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Missing => f.write_str("missing"),
            What::File { content, mode, owner } => {
                let parts = [
                    content.then(|| "content differs".to_string()),
                    mode.as_ref().map(|mode| format!("mode {mode}")),
                    owner.as_ref().map(|owner| format!("owner {owner}")),
                ];
                f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            What::NotInstalled => f.write_str("not installed"),
            What::Replaced => f.write_str("not the program that was installed"),
            What::UnknownToSystemd => f.write_str("unknown to systemd"),
            What::NotRunning(state) => write!(f, "{state}, not running"),
            What::NotEnabled => f.write_str("not enabled at boot"),
            What::OlderConfiguration => f.write_str("runs with an older configuration"),
            What::Unproven => f.write_str("not seen healthy with its configuration"),
            What::Unread => f.write_str("not yet seen to read its new files"),
            What::NotLoaded => f.write_str("not loaded"),
            What::Value(instead) => write!(f, "{instead}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item, self.what)
    }
}

impl FromStr for Difference {
    type Err = DifferenceError;

    fn from_str(text: &str) -> Result<Self, DifferenceError> {
        parse(text).ok_or_else(|| DifferenceError(text.to_string()))
    }
}

fn parse(text: &str) -> Option<Difference> {
    let (item, what) = text.split_once(": ")?;
    let (item, what) = if let Some(module) = item.strip_prefix("module ") {
        (Item::Module(module.into()), (what == "not loaded").then_some(What::NotLoaded)?)
    } else if let Some(key) = item.strip_prefix("sysctl ") {
        let missing = (what == "missing").then_some(What::Missing);
        (Item::Sysctl(Sysctl::parse(key).ok()?), missing.or_else(|| Some(What::Value(Instead::parse(what)?)))?)
    } else if let Ok(path) = HostPath::parse(item) {
        match what {
            "missing" => (Item::File(path), What::Missing),
            "not installed" => (Item::Binary(path), What::NotInstalled),
            "not the program that was installed" => (Item::Binary(path), What::Replaced),
            what => (Item::File(path), parse_of_file(what)?),
        }
    } else {
        (Item::Unit(UnitName::parse(item).ok()?), parse_of_unit(what)?)
    };
    Some(Difference { item, what })
}

fn parse_of_file(text: &str) -> Option<What> {
    let (mut content, mut mode, mut owner) = (false, None, None);
    for part in text.split(", ") {
        if let Some(instead) = part.strip_prefix("mode ") {
            mode = Some(Instead::parse(instead)?);
        } else if let Some(instead) = part.strip_prefix("owner ") {
            owner = Some(Instead::parse(instead)?);
        } else {
            content = (part == "content differs").then_some(true)?;
        }
    }
    Some(What::File { content, mode, owner })
}

fn parse_of_unit(text: &str) -> Option<What> {
    Some(match text {
        "unknown to systemd" => What::UnknownToSystemd,
        "not enabled at boot" => What::NotEnabled,
        "runs with an older configuration" => What::OlderConfiguration,
        "not seen healthy with its configuration" => What::Unproven,
        "not yet seen to read its new files" => What::Unread,
        text => What::NotRunning(text.strip_suffix(", not running")?.into()),
    })
}

impl Instead {
    fn parse(text: &str) -> Option<Instead> {
        let (found, declared) = text.split_once(" instead of ")?;
        Some(Instead { found: found.into(), declared: declared.into() })
    }
}

/// What differs, in the order of the items' names. Empty exactly when the host has everything that the manifest names.
pub fn differences(manifest: &Manifest, observed: &Observed) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut add = |item: Item, what: What| all.push(Difference { item, what });
    for (path, file) in &manifest.files {
        if let Some(what) = file_difference(file, observed.files.get(path)) {
            add(Item::File(path.clone()), what);
        }
    }
    for (path, identity) in &manifest.binaries {
        match observed.binaries.get(path) {
            None => add(Item::Binary(path.clone()), What::NotInstalled),
            Some(binary) if binary.identity.as_ref() != Some(identity) => add(Item::Binary(path.clone()), What::Replaced),
            Some(_) => {}
        }
    }
    for (name, stamp) in &manifest.units {
        let what = match observed.units.get(name) {
            None => What::UnknownToSystemd,
            Some(unit) if !unit.is_running() => What::NotRunning(unit.active_state.clone()),
            Some(unit) if !unit.enabled => What::NotEnabled,
            Some(unit) if stamp.is_some() && unit.stamp.is_none() => What::Unproven,
            Some(unit) if stamp.is_none() || unit.stamp != *stamp => What::OlderConfiguration,
            Some(unit) if unit.unread => What::Unread,
            Some(_) => continue,
        };
        add(Item::Unit(name.clone()), what);
    }
    for module in manifest.modules.difference(&observed.modules) {
        add(Item::Module(module.clone()), What::NotLoaded);
    }
    for (key, value) in &manifest.sysctls {
        match observed.sysctls.get(key) {
            None => add(Item::Sysctl(key.clone()), What::Missing),
            Some(actual) if actual != value => {
                let instead = Instead { found: actual.clone(), declared: value.clone() };
                add(Item::Sysctl(key.clone()), What::Value(instead));
            }
            Some(_) => {}
        }
    }
    all.sort_by_cached_key(|difference| difference.item.to_string());
    all
}

fn file_difference(file: &ManifestFile, observed: Option<&ObservedFile>) -> Option<What> {
    let Some(observed) = observed else { return Some(What::Missing) };
    let instead = |found: String, declared: String| (found != declared).then_some(Instead { found, declared });
    let content = file.sha256.as_ref() != Some(&observed.sha256);
    let mode = instead(format!("{:04o}", observed.mode), format!("{:04o}", file.mode));
    let owner = instead(observed.owner.clone(), file.owner.clone());
    (content || mode.is_some() || owner.is_some()).then_some(What::File { content, mode, owner })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, ObservedBinary, ObservedUnit};
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let lines = [
            ("/etc/a", format!("0644 root:root sha256:{}", Digest::of(b"a"))),
            ("/usr/local/bin/p", format!("binary sha256:{}", Digest::of(b"p"))),
            ("p.service", format!("running sha256:{}", Digest::of(b"s"))),
            ("module overlay", "loaded".to_string()),
            ("sysctl net.ipv4.ip_forward", "1".to_string()),
        ];
        let lines: std::collections::BTreeMap<_, _> = lines.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        Manifest::from_lines(lines).unwrap()
    }

    fn as_declared() -> Observed {
        let mut observed = Observed::default();
        let file = ObservedFile { mode: 0o644, owner: "root:root".into(), sha256: Digest::of(b"a") };
        observed.files.insert(HostPath::literal("/etc/a"), file);
        observed.binaries.insert(HostPath::literal("/usr/local/bin/p"), ObservedBinary { identity: Some(Digest::of(b"p")) });
        let unit = ObservedUnit { active_state: "active".into(), enabled: true, stamp: Some(Digest::of(b"s")), unread: false };
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
        check(|o| o.binaries.clear(), &["/usr/local/bin/p: not installed"]);
        check(|o| o.units.values_mut().for_each(|u| u.active_state = "failed".into()), &["p.service: failed, not running"]);
        check(|o| o.units.values_mut().for_each(|u| u.enabled = false), &["p.service: not enabled at boot"]);
        check(|o| o.units.values_mut().for_each(|u| u.stamp = None), &["p.service: not seen healthy with its configuration"]);
        let older = Digest::of(b"older");
        check(
            |o| o.units.values_mut().for_each(|u| u.stamp = Some(older.clone())),
            &["p.service: runs with an older configuration"],
        );
        check(|o| o.units.values_mut().for_each(|u| u.unread = true), &["p.service: not yet seen to read its new files"]);
        check(|o| o.modules.clear(), &["module overlay: not loaded"]);
        check(|o| o.sysctls.values_mut().for_each(|v| *v = "0".into()), &["sysctl net.ipv4.ip_forward: 0 instead of 1"]);
        check(
            |o| *o = Observed::default(),
            &[
                "/etc/a: missing",
                "/usr/local/bin/p: not installed",
                "module overlay: not loaded",
                "p.service: unknown to systemd",
                "sysctl net.ipv4.ip_forward: missing",
            ],
        );
    }

    #[test]
    fn a_line_that_is_no_difference_is_refused() {
        for text in
            ["", "/etc/a", "/etc/a: eaten", "module overlay: missing", "p.service: missing", "sysctl a.b: 1", "x: missing"]
        {
            assert_eq!(text.parse::<Difference>(), Err(DifferenceError(text.into())));
        }
    }

    fn instead(value: &'static str) -> impl Strategy<Value = Instead> {
        (value, value).prop_map(|(found, declared)| Instead { found, declared })
    }

    fn any_difference() -> impl Strategy<Value = Difference> {
        let path = "(/[a-z0-9._@%+-]{1,8}){1,4}".prop_filter_map("a path", |text| HostPath::parse(text).ok());
        let difference = |(item, what)| Difference { item, what };
        let mode = prop::option::of(instead("0[0-7]{3}"));
        let of_file = (any::<bool>(), mode, prop::option::of(instead("[a-z]{1,8}:[a-z]{1,8}"))).prop_filter_map(
            "nothing differs",
            |(content, mode, owner)| {
                (content || mode.is_some() || owner.is_some()).then_some(What::File { content, mode, owner })
            },
        );
        let of_unit = prop_oneof![
            Just(What::UnknownToSystemd),
            Just(What::NotEnabled),
            Just(What::OlderConfiguration),
            Just(What::Unproven),
            Just(What::Unread),
            "[a-z-]{0,12}".prop_map(What::NotRunning),
        ];
        let of_sysctl = prop_oneof![Just(What::Missing), instead("[0-9]{1,8}(\t[0-9]{1,8}){0,2}").prop_map(What::Value)];
        prop_oneof![
            (path.clone().prop_map(Item::File), prop_oneof![Just(What::Missing), of_file]).prop_map(difference),
            (path.prop_map(Item::Binary), prop_oneof![Just(What::NotInstalled), Just(What::Replaced)]).prop_map(difference),
            ("[a-z0-9@-]{1,12}".prop_map(|name| Item::Unit(UnitName::literal(&format!("{name}.service")))), of_unit)
                .prop_map(difference),
            ("[a-z0-9_]{1,12}".prop_map(Item::Module), Just(What::NotLoaded)).prop_map(difference),
            ("[a-z0-9_]{1,5}[.][a-z0-9_.-]{1,9}".prop_map(|key| Item::Sysctl(Sysctl::literal(&key))), of_sysctl)
                .prop_map(difference),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(difference in any_difference()) {
            prop_assert_eq!(difference.to_string().parse(), Ok(difference));
        }
    }
}
