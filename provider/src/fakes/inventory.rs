//! Who uses a fake host, as `inventory.sh` of crate `machines` tells it.

use super::memory::{HostMemory, Record as Remembered};
use bundle::HostPath;
use machines::{Inventory, Question, Record};

/// `now` is in seconds since 1970.
pub(super) fn take(host: &HostMemory, question: &Question, now: i64) -> Inventory {
    let is_filled = |path: &&HostPath| {
        !host.content_of(path).is_empty() || host.files.get(*path).is_some_and(|file| !file.content.is_empty())
    };
    let certificates = |path: &HostPath| Some((path.clone(), certificates(&host.files.get(path)?.content)));
    let expires_in = |path: &HostPath| Some((path.clone(), expiry(&host.files.get(path)?.content)? - now));
    Inventory {
        machine_id: host.machine_id.clone(),
        records: host.records.iter().map(|(owner, record)| (owner.clone(), recorded(record))).collect(),
        filled: question.filled.iter().filter(is_filled).cloned().collect(),
        certificates: question.certificates.iter().filter_map(certificates).filter(|(_, text)| !text.is_empty()).collect(),
        expires_in: question.expiring.iter().filter_map(expires_in).collect(),
    }
}

/// Of the first certificate in a file.
pub(super) fn expiry(content: &[u8]) -> Option<i64> {
    pki::expiry(std::str::from_utf8(content).ok()?).ok().map(time::OffsetDateTime::unix_timestamp)
}

pub(super) fn recorded(record: &Remembered) -> Record {
    let started = record.units.iter().filter(|(_, stamp)| stamp.is_some());
    Record {
        since: None,
        directories: record.directories.clone(),
        kept: record.kept.keys().cloned().collect(),
        started: started.map(|(unit, _)| unit).chain(&record.started).cloned().collect(),
        holders: record.holders.clone(),
        superseded: record.superseded.clone(),
        identity: record.identity.clone(),
    }
}

fn certificates(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content).into_owned();
    let mut inside = false;
    let is_part = |line: &&str| {
        inside |= line.starts_with("-----BEGIN CERTIFICATE-----");
        let part = inside;
        inside &= !line.starts_with("-----END CERTIFICATE-----");
        part
    };
    text.lines().filter(is_part).map(|line| format!("{line}\n")).collect()
}
