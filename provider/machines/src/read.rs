//! One question and one answer: which of a manifest's things does the host have? The question and the answer's parser are pure.

use crate::script::{END, Script};
use crate::{Incarnation, Machine, MachineError};
use bundle::{Digest, HostPath, Manifest, Observed, ObservedBinary, ObservedFile, ObservedUnit, Sysctl, UnitName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);

impl Machine {
    /// One round trip. Small files are hashed; a binary counts as unchanged while size, time and inode are those of its installation.
    pub async fn read(&self, owner: &Incarnation, manifest: &Manifest) -> Result<Observed, MachineError> {
        let script = Script::new("reading the state", include_str!("scripts/read.sh"), &self.arguments(owner), TIMEOUT);
        let output = self.ask(&script, render_question(manifest).as_bytes()).await?;
        parse_observed(&output.stdout_text(), manifest).map_err(|answer| MachineError::Answer {
            host: self.target.to_string(),
            operation: script.operation.into(),
            answer,
        })
    }
}

fn render_question(manifest: &Manifest) -> String {
    let mut text = String::new();
    for path in manifest.files.keys() {
        let _ = writeln!(text, "file {path}");
    }
    for path in manifest.binaries.keys() {
        let _ = writeln!(text, "binary {path}");
    }
    for unit in manifest.units.keys() {
        let _ = writeln!(text, "unit {unit}");
    }
    for module in &manifest.modules {
        let _ = writeln!(text, "module {}", module_words(module));
    }
    for key in manifest.sysctls.keys() {
        let _ = writeln!(text, "sysctl {key} {}", sysctl_path(key));
    }
    text + END
}

/// What `module_present` in common.sh wants: the name, its folder in /sys/module, a pattern for lists, what it leaves elsewhere.
pub(crate) fn module_words(module: &str) -> String {
    let trace = match module.replace('-', "_").as_str() {
        "br_netfilter" => "/proc/sys/net/bridge",
        "nf_conntrack" => "/proc/sys/net/netfilter/nf_conntrack_max",
        "ip_vs" => "/proc/net/ip_vs",
        "ip_tables" => "/proc/net/ip_tables_names",
        "ip6_tables" => "/proc/net/ip6_tables_names",
        _ => "-",
    };
    format!("{module} {} {} {trace}", module.replace('-', "_"), module.replace(['-', '_'], "[-_]"))
}

/// `net.ipv4.ip_forward` is `/proc/sys/net/ipv4/ip_forward`.
pub(crate) fn sysctl_path(key: &Sysctl) -> String {
    format!("/proc/sys/{}", key.as_str().replace('.', "/"))
}

/// Words of a sysctl are parted by tabs on the host and by anything in a bundle.
pub(crate) fn sysctl_value(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Each `Err` is the line that does not fit.
fn parse_observed(answer: &str, manifest: &Manifest) -> Result<Observed, String> {
    let mut parts = Parts::default();
    let mut lines = answer.lines();
    for line in lines.by_ref() {
        if line == "end" {
            return parts.finish(manifest);
        }
        parts.take(line).ok_or(line)?;
    }
    Err("no end".into())
}

/// Where an installed program is, and what its file looked like: size, seconds, inode.
type Look = (String, String, String);

/// Who owns a file, by name and by number, each as `user:group`.
type Owners = (String, String);

#[derive(Default)]
struct Parts {
    observed: Observed,
    sums: BTreeMap<HostPath, Digest>,
    files: BTreeMap<HostPath, (u32, Owners)>,
    looks: BTreeMap<HostPath, Look>,
    installed: BTreeMap<HostPath, (Digest, Look)>,
    systemd: Vec<String>,
    stamps: BTreeMap<UnitName, Digest>,
    unread: BTreeSet<UnitName>,
}

impl Parts {
    fn take(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        let mut words = rest.splitn(4, ' ');
        match kind {
            "module" => drop(self.observed.modules.insert(rest.to_string())),
            "sysctl" => {
                let (path, value) = rest.split_once(':')?;
                let key = path.strip_prefix("/proc/sys/")?.replace('/', ".");
                self.observed.sysctls.insert(Sysctl::parse(key).ok()?, sysctl_value(value));
            }
            "file" => {
                let mode = u32::from_str_radix(words.next()?, 8).ok()?;
                let owners = (words.next()?.to_string(), words.next()?.to_string());
                self.files.insert(HostPath::parse(words.next()?).ok()?, (mode, owners));
            }
            "sum" => {
                let digest = Digest::parse(words.next()?).ok()?;
                self.sums.insert(HostPath::parse(words.nth(1)?).ok()?, digest);
            }
            "binary" => {
                let mut fields = rest.split('\t');
                self.looks.insert(HostPath::parse(fields.next()?).ok()?, parse_look(&mut fields)?);
            }
            "installed" => {
                let mut fields = rest.split('\t');
                let (path, identity) = (HostPath::parse(fields.next()?).ok()?, Digest::parse(fields.next()?).ok());
                // A record that a power cut spoilt counts as none.
                if let Some((identity, look)) = identity.zip(parse_look(&mut fields)) {
                    self.installed.insert(path, (identity, look));
                }
            }
            "systemd" => self.systemd.push(rest.to_string()),
            "recorded" => self.observed.recorded.extend(UnitName::parse(rest)),
            "stamp" => {
                let (unit, stamp) = (UnitName::parse(words.next()?).ok()?, Digest::parse(words.next()?).ok());
                self.unread.extend(words.next().filter(|mark| *mark == "unread").map(|_| unit.clone()));
                self.stamps.extend(stamp.map(|stamp| (unit, stamp)));
            }
            _ => return None,
        }
        Some(())
    }

    fn finish(mut self, manifest: &Manifest) -> Result<Observed, String> {
        for (path, (mode, owners)) in self.files {
            // What has no digest is a folder or a broken link: no file.
            if let Some(sha256) = self.sums.remove(&path) {
                let declared = manifest.files.get(&path).map(|file| file.owner.as_str()).unwrap_or_default();
                let owner = as_declared(declared, &owners);
                self.observed.files.insert(path, ObservedFile { mode, owner, sha256 });
            }
        }
        for (path, look) in self.looks {
            let identity = self.installed.remove(&path).filter(|(_, installed)| *installed == look).map(|(identity, _)| identity);
            self.observed.binaries.insert(path, ObservedBinary { identity });
        }
        let paragraphs: Vec<_> = self.systemd.split(String::is_empty).filter(|paragraph| !paragraph.is_empty()).collect();
        if paragraphs.len() != manifest.units.len() {
            return Err(format!("systemctl: {}", self.systemd.join(" ")));
        }
        for (name, paragraph) in manifest.units.keys().zip(paragraphs) {
            if let Some(unit) = parse_unit(paragraph, self.stamps.remove(name)).ok_or_else(|| paragraph.join(" "))? {
                let unit = ObservedUnit { unread: self.unread.contains(name), ..unit };
                self.observed.units.insert(name.clone(), unit);
            }
        }
        Ok(self.observed)
    }
}

/// A user or group that is declared by number is shown by number, any other by name.
fn as_declared(declared: &str, (names, numbers): &Owners) -> String {
    let mut declared = declared.split(':');
    let parts = names.split(':').zip(numbers.split(':'));
    let by_number = |declared: Option<&str>| declared.is_some_and(|name| name.parse::<u32>().is_ok());
    let parts: Vec<&str> = parts.map(|(name, number)| if by_number(declared.next()) { number } else { name }).collect();
    parts.join(":")
}

fn parse_look<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Look> {
    Some((fields.next()?.into(), fields.next()?.into(), fields.next()?.into()))
}

/// `Some(None)` when systemd does not know the unit.
fn parse_unit(paragraph: &[String], stamp: Option<Digest>) -> Option<Option<ObservedUnit>> {
    let property = |key: &str| paragraph.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    if property("LoadState")? == "not-found" {
        return Some(None);
    }
    // A unit without an [Install] section is started by others: it cannot be enabled and need not be.
    let enabled = matches!(property("UnitFileState")?, "enabled" | "static" | "alias" | "generated");
    Some(Some(ObservedUnit { active_state: property("ActiveState")?.to_string(), enabled, stamp, unread: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitName {
        UnitName::literal(name)
    }

    fn asking_for(units: &[&str]) -> Manifest {
        Manifest { units: units.iter().map(|name| (unit(name), Some(Digest::of(b"s")))).collect(), ..Manifest::default() }
    }

    #[test]
    fn an_owner_is_shown_as_it_is_declared() {
        let owners = ("etcd:UNKNOWN".to_string(), "100:200".to_string());
        for (declared, shown) in
            [("etcd:200", "etcd:200"), ("100:200", "100:200"), ("root:root", "etcd:UNKNOWN"), ("", "etcd:UNKNOWN")]
        {
            assert_eq!(as_declared(declared, &owners), shown);
        }
    }

    #[test]
    fn the_question_names_each_thing_once() {
        let mut manifest = Manifest::default();
        manifest.binaries.insert(HostPath::literal("/usr/local/bin/p"), Some(Digest::of(b"p")));
        manifest.units.insert(unit("p.service"), Some(Digest::of(b"s")));
        manifest.modules.extend(["br_netfilter".into(), "nf-x".into()]);
        manifest.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
        assert_eq!(
            render_question(&manifest),
            "binary /usr/local/bin/p\nunit p.service\nmodule br_netfilter br_netfilter br[-_]netfilter /proc/sys/net/bridge\n\
             module nf-x nf_x nf[-_]x -\nsysctl net.ipv4.ip_forward /proc/sys/net/ipv4/ip_forward\nend\n"
        );
    }

    #[test]
    fn an_answer_becomes_what_the_host_has() {
        let (a, p, s) = (Digest::of(b"a"), Digest::of(b"p"), Digest::of(b"s"));
        let answer = format!(
            "module overlay\nsysctl /proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456\n\
             file 644 root:root 0:0 /etc/a\nfile 4755 root:adm 0:4 /etc/folder\nsum {a}  /etc/a\n\
             binary /usr/local/bin/p\t10\t20\t30\nbinary /usr/local/bin/q\t10\t20\t31\nbinary /usr/local/bin/r\t1\t2\t3\n\
             installed /usr/local/bin/p\t{p}\t10\t20\t30\ninstalled /usr/local/bin/q\t{p}\t10\t20\t30\n\
             systemd LoadState=loaded\nsystemd ActiveState=active\nsystemd UnitFileState=enabled\nsystemd \n\
             systemd LoadState=not-found\nsystemd ActiveState=inactive\nsystemd UnitFileState=\nsystemd \n\
             systemd LoadState=loaded\nsystemd ActiveState=failed\nsystemd UnitFileState=disabled\n\
             stamp a.service {s} unread\nend\n"
        );
        let observed = parse_observed(&answer, &asking_for(&["a.service", "b.service", "c.service"])).unwrap();
        let mut expect = Observed::default();
        expect.modules.insert("overlay".into());
        expect.sysctls.insert(Sysctl::literal("net.ipv4.tcp_rmem"), "4096 131072 6291456".into());
        expect.files.insert(HostPath::literal("/etc/a"), ObservedFile { mode: 0o644, owner: "root:root".into(), sha256: a });
        for (path, identity) in [("/usr/local/bin/p", Some(p)), ("/usr/local/bin/q", None), ("/usr/local/bin/r", None)] {
            expect.binaries.insert(HostPath::literal(path), ObservedBinary { identity });
        }
        let state = |active: &str, enabled, stamp: Option<Digest>| {
            let unread = stamp.is_some();
            ObservedUnit { active_state: active.into(), enabled, stamp, unread }
        };
        expect.units.insert(unit("a.service"), state("active", true, Some(s)));
        expect.units.insert(unit("c.service"), state("failed", false, None));
        assert_eq!(observed, expect);
    }

    #[track_caller]
    fn refuse(answer: &str, expect: &str) {
        assert_eq!(parse_observed(answer, &asking_for(&["a.service"])).unwrap_err(), expect);
    }

    #[test]
    fn an_answer_that_was_cut_off_or_is_not_one_is_refused() {
        refuse("", "no end");
        refuse("module x\n", "no end");
        refuse("nonsense\nend\n", "nonsense");
        refuse("file 9 root:root /etc/a\nend\n", "file 9 root:root /etc/a");
        refuse("systemd System has not been booted with systemd\nend\n", "System has not been booted with systemd");
        refuse("end\n", "systemctl: ");
    }
}
