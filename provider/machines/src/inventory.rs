//! Who uses a host: the records that this provider left on it, and what of given paths is there. One question and one answer; the
//! question and the answer's parser are pure.

use crate::push::RECORD_VERSION;
use crate::script::{END, Script};
use crate::{Machine, MachineError, Owner, Uid};
use bundle::{HostPath, UnitName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What to look for beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Directories that may have content, or files.
    pub filled: BTreeSet<HostPath>,
    /// Files that may hold certificates.
    pub certificates: BTreeSet<HostPath>,
    /// Files that may hold certificates of which only the end matters.
    pub expiring: BTreeSet<HostPath>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Of /etc/machine-id. Machines made of one image may share it; one that is set up again has another.
    pub machine_id: Option<String>,
    pub records: BTreeMap<Owner, Record>,
    /// Of the paths that were asked for: directories with more in them than `lost+found`, and files with content.
    pub filled: BTreeSet<HostPath>,
    /// The certificates in those files, as PEM; nothing else that they hold leaves the host.
    pub certificates: BTreeMap<HostPath, String>,
    /// Seconds until the first certificate in each file expires, by the clock of the host; negative when it has. A file without one, or
    /// of a host without `openssl`, is missing.
    pub expires_in: BTreeMap<HostPath, i64>,
}

/// What an owner's record says. Those of every version of this provider can be read: what is missing was not recorded then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `None` where the file system does not tell.
    pub since: Option<SystemTime>,
    /// Data directories that a push made, or found empty.
    pub directories: BTreeSet<HostPath>,
    /// Directories that had content before the first push, and keep it.
    pub kept: BTreeSet<HostPath>,
    /// Units that came up at least once, whatever became of their stamps; by their stamps alone in a record of an older version.
    pub started: BTreeSet<UnitName>,
    /// The states that have written to it, and those of them that may not any more.
    pub holders: BTreeSet<Uid>,
    pub superseded: BTreeSet<Uid>,
    /// `Bundle::identity` at the last push, with `version`, `host`, `uid` and `machine-id`.
    pub identity: BTreeMap<String, String>,
}

/// In `identity`: under which name in `hosts` the machine was written, and of which life of the owner the record is.
pub(crate) const HOST: &str = "host";
pub(crate) const UID: &str = "uid";
const MACHINE_ID: &str = "machine-id";
/// The first version whose lists say of every unit that came up that it did.
const VERSION_WITH_STARTED: u32 = 2;

impl Record {
    /// Under which name in `hosts` the machine was written. `None` in a record of an older version, until the next push.
    pub fn host(&self) -> Option<&str> {
        self.identity.get(HOST).map(String::as_str)
    }

    /// Of which life of its owner it is. Nil in a record of an older version, which knew only one.
    pub fn uid(&self) -> Uid {
        self.identity.get(UID).and_then(|text| Uid::parse(text.as_str()).ok()).unwrap_or_default()
    }

    /// Whether it was written on another machine than this one: the disk was cloned. A record that does not tell was written on this one.
    pub fn is_of_another_machine(&self, machine_id: Option<&str>) -> bool {
        self.identity.get(MACHINE_ID).zip(machine_id).is_some_and(|(recorded, now)| recorded != now)
    }

    /// Written by a version of this provider that would write more now.
    pub fn is_older(&self) -> bool {
        self.version() < RECORD_VERSION
    }

    /// Whether a unit that is not in `started` is known never to have come up: older versions had but the stamps, which are withdrawn
    /// where a unit turns out not to be healthy.
    pub fn knows_what_started(&self) -> bool {
        self.version() >= VERSION_WITH_STARTED
    }

    fn version(&self) -> u32 {
        self.identity.get("version").and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

impl Machine {
    pub async fn inventory(&self, question: &Question) -> Result<Inventory, MachineError> {
        let script = Script::new("looking at who uses the host", include_str!("scripts/inventory.sh"), &[], TIMEOUT);
        let output = self.ask(&script, render_question(question).as_bytes()).await?;
        parse_inventory(&output.stdout_text()).map_err(|answer| MachineError::Answer {
            host: self.target.to_string(),
            operation: script.operation.into(),
            answer,
        })
    }
}

fn render_question(question: &Question) -> String {
    let mut text = String::new();
    for path in &question.filled {
        let _ = writeln!(text, "filled {path}");
    }
    for path in &question.certificates {
        let _ = writeln!(text, "certificates {path}");
    }
    for path in &question.expiring {
        let _ = writeln!(text, "expiring {path}");
    }
    text + END
}

/// Each `Err` is the line that does not fit.
fn parse_inventory(answer: &str) -> Result<Inventory, String> {
    let mut inventory = Inventory::default();
    for line in answer.lines() {
        if line == "end" {
            return Ok(inventory);
        }
        take(&mut inventory, line).ok_or(line)?;
    }
    Err("no end".into())
}

fn take(inventory: &mut Inventory, line: &str) -> Option<()> {
    let (kind, rest) = line.split_once('\t')?;
    match kind {
        "machine" => inventory.machine_id = Some(rest.into()),
        "filled" => drop(inventory.filled.insert(HostPath::parse(rest).ok()?)),
        "expires" => {
            let (path, seconds) = rest.split_once('\t')?;
            inventory.expires_in.insert(HostPath::parse(path).ok()?, seconds.parse().ok()?);
        }
        "certificate" => {
            let (path, line) = rest.split_once('\t')?;
            let text = inventory.certificates.entry(HostPath::parse(path).ok()?).or_default();
            let _ = writeln!(text, "{line}");
        }
        _ => {
            let (owner, value) = rest.split_once('\t')?;
            // A folder with another name is nobody's record.
            let Ok(owner) = Owner::parse(owner) else { return Some(()) };
            return take_of_record(inventory.records.entry(owner).or_default(), kind, value);
        }
    }
    Some(())
}

fn take_of_record(record: &mut Record, kind: &str, value: &str) -> Option<()> {
    match kind {
        // 0, - or nothing: the file system does not tell.
        "record" => {
            let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
            record.since = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        }
        "directories" => drop(record.directories.insert(HostPath::parse(value).ok()?)),
        "kept" => drop(record.kept.insert(HostPath::parse(value).ok()?)),
        "started" => drop(record.started.insert(UnitName::parse(value).ok()?)),
        "holders" => drop(record.holders.insert(Uid::parse(value).ok()?)),
        "superseded" => drop(record.superseded.insert(Uid::parse(value).ok()?)),
        "identity" => {
            let (key, value) = value.split_once(' ')?;
            record.identity.insert(key.into(), value.into());
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> HostPath {
        HostPath::literal(text)
    }

    #[test]
    fn the_question_names_paths_and_ends() {
        let question = Question {
            filled: [path("/var/lib/etcd")].into(),
            certificates: [path("/etc/etcd/pki/ca.crt")].into(),
            expiring: [path("/a.crt")].into(),
        };
        let text = "filled /var/lib/etcd\ncertificates /etc/etcd/pki/ca.crt\nexpiring /a.crt\nend\n";
        assert_eq!(render_question(&question), text);
    }

    #[test]
    fn an_answer_becomes_an_inventory() {
        let answer = "machine\tm1\nidentity\tk8s_a.b\tmachine-id m2\nrecord\tk8s_a.b\t1700000000\ndirectories\tk8s_a.b\t/var/lib/etcd\nkept\tk8s_a.b\t/var/log/pods\n\
                      identity\tk8s_a.b\tversion 4\nsuperseded\tk8s_a.b\t00000000-0000-0000-0000-000000000000\nidentity\tk8s_a.b\tuid 1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b\nidentity\tk8s_a.b\thost h1\nidentity\tk8s_a.b\thosts a=1, b=2\nstarted\tk8s_a.b\tetcd.service\n\
                      record\tk8s_a.old\t0\nrecord\t.odd\t0\nfilled\t/var/lib/etcd\n\
                      certificate\t/a.crt\t-----BEGIN\ncertificate\t/a.crt\tx\nexpires\t/a.crt\t-5\nexpires\t/b.crt\t60\nend\n";
        let inventory = parse_inventory(answer).unwrap();
        let [first, second] = inventory.records.values().collect::<Vec<_>>()[..] else { panic!("two records") };
        assert_eq!(first.since, Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
        assert_eq!((&first.directories, &first.kept), (&[path("/var/lib/etcd")].into(), &[path("/var/log/pods")].into()));
        assert_eq!((first.identity["hosts"].as_str(), first.host(), second.host()), ("a=1, b=2", Some("h1"), None));
        assert_eq!(first.started, [UnitName::literal("etcd.service")].into());
        assert_eq!(first.uid().as_str(), "1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b");
        assert_eq!((&first.superseded, &second.superseded), (&[Uid::default()].into(), &BTreeSet::new()));
        assert_eq!((first.is_older(), first.knows_what_started()), (false, true));
        assert_eq!((second.uid(), second.is_older(), second.knows_what_started()), (Uid::default(), true, false));
        assert_eq!(inventory.machine_id.as_deref(), Some("m1"));
        let is_foreign = |record: &Record, id| record.is_of_another_machine(id);
        assert_eq!([Some("m1"), Some("m2"), None].map(|id| is_foreign(first, id)), [true, false, false]);
        assert!(!is_foreign(second, Some("m1")));
        assert_eq!(*second, Record::default());
        assert_eq!(inventory.filled, [path("/var/lib/etcd")].into());
        assert_eq!(inventory.certificates[&path("/a.crt")], "-----BEGIN\nx\n");
        assert_eq!(inventory.expires_in, [(path("/a.crt"), -5), (path("/b.crt"), 60)].into());
    }

    #[test]
    fn an_answer_that_was_cut_off_or_is_not_one_is_refused() {
        assert_eq!(parse_inventory("filled\t/a\n"), Err("no end".into()));
        assert_eq!(parse_inventory("nonsense\nend\n"), Err("nonsense".into()));
        assert_eq!(parse_inventory("other\tk8s_a.b\tx\nend\n"), Err("other\tk8s_a.b\tx".into()));
    }
}
