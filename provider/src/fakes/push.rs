//! What a push, a prune and a removal do to a host, in the order of the scripts of crate `machines`: the record first.

use super::FakeFile;
use super::faults::Extent;
use super::memory::HostMemory;
use bundle::{Bundle, Digest, Directory, HostName, HostPath, IfFilled, Manifest, Observed, OnChange, UnitName};
use machines::{Incarnation, MachineError, Owner};
use std::collections::{BTreeMap, BTreeSet};

/// Writes what `observed` says is missing, never what is missing without being observed so: a push with a wrong observation is wrong.
pub(super) fn push(
    host: &mut HostMemory,
    name: &HostName,
    owner: &Incarnation,
    (bundle, observed): (&Bundle, &Observed),
    extent: Extent,
) -> Result<(), MachineError> {
    let doomed: Vec<(&HostPath, &bundle::File)> =
        bundle.files.iter().filter(|(path, file)| !is_as_declared(path, file, observed)).collect();
    if let Some((path, _)) = doomed.iter().find(|(_, file)| file.content.bytes().is_none()) {
        return Err(MachineError::NoContent { host: name.to_string(), path: path.to_string() });
    }
    if let Some(found) = taken_by(host, &owner.name) {
        return Err(MachineError::Taken { host: name.to_string(), found: found.to_string() });
    }
    if let Some(path) = bundle.data_directories.iter().find_map(|(path, new)| refused(host, path, new)) {
        return Err(MachineError::Filled { host: name.to_string(), path: path.to_string(), reason: "it holds something".into() });
    }
    note(host, name, owner, bundle);
    mark_unread(host, &owner.name, &doomed);
    keep_replaced(host, &owner.name, bundle);
    host.modules.extend(bundle.modules.iter().cloned());
    for (key, value) in &bundle.sysctls {
        if observed.sysctls.get(key) != Some(value) {
            host.set_sysctl(key, value);
        }
    }
    for (path, file) in &doomed[..extent.of(doomed.len())] {
        let content = file.content.bytes().unwrap_or_default().to_vec();
        host.files.insert((*path).clone(), FakeFile { mode: file.mode, owner: file.owner.clone(), content });
    }
    host.notice_files();
    if extent == Extent::Half {
        return Ok(());
    }
    for (path, binary) in &bundle.binaries {
        // Without a digest nothing can be verified.
        let Some(identity) = binary.identity() else { continue };
        if !observed.has_program(path, binary) {
            host.programs.insert(path.clone(), identity.clone());
            if path.as_str().ends_with("/kubelet") {
                host.kubelet_version = binary.url.reveal().split('/').find(|part| part.starts_with("v1.")).map(str::to_string);
            }
            host.records.entry(owner.name.clone()).or_default().installed.insert(path.clone(), identity);
        }
    }
    Ok(())
}

/// Also what is not replaced: it is the same then.
fn keep_replaced(host: &mut HostMemory, owner: &Owner, bundle: &Bundle) {
    let checked = bundle.units.values().filter(|unit| unit.check.is_some());
    for path in checked.flat_map(bundle::Unit::stamped) {
        let there = (host.files.get(path).cloned(), host.programs.get(path).cloned());
        host.records.entry(owner.clone()).or_default().replaced.entry(path.clone()).or_insert(there);
    }
}

/// What was kept goes; where a program does not take its settings, it is put back first.
pub(super) fn end_check(host: &mut HostMemory, owner: &Owner, is_good: bool) {
    let record = host.records.entry(owner.clone()).or_default();
    let replaced = std::mem::take(&mut record.replaced);
    for (path, (file, program)) in replaced.into_iter().filter(|_| !is_good) {
        match &program {
            Some(program) => drop(record.installed.insert(path.clone(), program.clone())),
            None => drop(record.installed.remove(&path)),
        }
        put_back(&mut host.files, &path, file);
        put_back(&mut host.programs, &path, program);
    }
    host.notice_files();
}

fn put_back<T>(map: &mut BTreeMap<HostPath, T>, path: &HostPath, value: Option<T>) {
    match value {
        Some(value) => drop(map.insert(path.clone(), value)),
        None => drop(map.remove(path)),
    }
}

/// Units with a stamp that read again by themselves what is about to be written.
fn mark_unread(host: &mut HostMemory, owner: &Owner, doomed: &[(&HostPath, &bundle::File)]) {
    let record = host.records.entry(owner.clone()).or_default();
    let is_read_again = |unit: &UnitName| {
        let reads = record.reads.get(unit);
        reads.is_some_and(|reads| doomed.iter().any(|(path, _)| reads.get(*path) == Some(&OnChange::ReadAgain)))
    };
    let stamped = record.units.iter().filter(|(unit, stamp)| stamp.is_some() && is_read_again(unit));
    let unread: Vec<UnitName> = stamped.map(|(unit, _)| unit.clone()).collect();
    record.unread.extend(unread);
}

fn is_as_declared(path: &HostPath, file: &bundle::File, observed: &Observed) -> bool {
    observed
        .files
        .get(path)
        .is_some_and(|found| found.mode == file.mode && found.owner == file.owner && Some(&found.sha256) == file.content.digest())
}

/// Who came first where a host takes one of a kind.
fn taken_by<'a>(host: &'a HostMemory, owner: &Owner) -> Option<&'a Owner> {
    let is_free = !owner.is_one_per_host() || host.records.contains_key(owner);
    host.records.keys().find(|other| !is_free && other.kind() == owner.kind())
}

/// A directory with content that is in no record.
fn refused(host: &HostMemory, path: &HostPath, directory: &Directory) -> Option<HostPath> {
    let is_covered = host.records.values().any(|record| record.directories.contains(path));
    (directory.if_filled == IfFilled::Refuse && !is_covered && !host.content_of(path).is_empty()).then(|| path.clone())
}

fn note(host: &mut HostMemory, name: &HostName, Incarnation { name: owner, uid, holder }: &Incarnation, bundle: &Bundle) {
    let before: Vec<_> = bundle.sysctls.keys().map(|key| (key.clone(), host.sysctl(key))).collect();
    let seen_by_others: Vec<_> =
        host.records.iter().filter(|(other, _)| *other != owner).flat_map(|(_, record)| record.sysctls.clone()).collect();
    let mut filled: BTreeMap<HostPath, BTreeSet<HostPath>> =
        bundle.data_directories.keys().map(|path| (path.clone(), host.content_of(path))).collect();
    let is_filled = |path: &HostPath| !host.content_of(path).is_empty();
    let has_data = host.records.get(owner).is_some_and(|record| record.directories.iter().any(is_filled));
    let record = host.records.entry(owner.clone()).or_default();
    if has_data && !super::inventory::recorded(record).knows_what_started() {
        record.started.extend(record.units.keys().cloned());
    }
    record.files.extend(bundle.files.keys().chain(bundle.binaries.keys()).cloned());
    for (key, value) in before {
        let first = seen_by_others.iter().find(|(other, _)| *other == key).map_or(value, |(_, value)| value.clone());
        record.sysctls.entry(key).or_insert(first);
    }
    for (unit, declared) in &bundle.units {
        record.units.entry(unit.clone()).or_default();
        record.reads.insert(unit.clone(), declared.reads.clone());
    }
    for (path, directory) in &bundle.data_directories {
        let is_new = !record.directories.contains(path) && !record.kept.contains_key(path);
        match (filled.remove(path), directory.if_filled) {
            (Some(content), IfFilled::Keep) if is_new && !content.is_empty() => drop(record.kept.insert(path.clone(), content)),
            _ if record.kept.contains_key(path) => {}
            _ => drop(record.directories.insert(path.clone())),
        }
    }
    if !holder.is_nil() {
        record.holders.insert(holder.clone());
    }
    record.identity = bundle.identity.clone();
    let version = machines::RECORD_VERSION.to_string();
    record.identity.extend(
        [("version", version), ("host", name.to_string()), ("uid", uid.to_string())].map(|(key, value)| (key.into(), value)),
    );
    record.cleanup.extend(bundle.cleanup.iter().map(|cleanup| (cleanup.of, cleanup.command.clone())));
}

/// Every other holder is superseded, and the nil one.
pub(super) fn take_over(host: &mut HostMemory, owner: &Incarnation) {
    let Some(record) = host.records.get_mut(&owner.name) else { return };
    let others = record.holders.iter().filter(|holder| **holder != owner.holder).cloned();
    record.superseded.extend(others.chain([machines::Uid::default()]));
    record.holders.insert(owner.holder.clone());
}

/// Takes away what the record names and `keep` does not.
pub(super) fn prune(host: &mut HostMemory, owner: &Owner, keep: &Bundle, extent: Extent) {
    let (retired, keep) = (&keep.retired, keep.manifest());
    let Some(record) = host.records.get(owner).cloned() else { return };
    let units: Vec<UnitName> = record.units.keys().filter(|unit| !keep.units.contains_key(unit)).cloned().collect();
    let is_kept = |path: &&HostPath| keep.files.contains_key(path) || keep.binaries.contains_key(path);
    let files: Vec<HostPath> = record.files.iter().filter(|path| !is_kept(path)).cloned().collect();
    stop_for_good(host, &units);
    let retires = |of: &str| retired.get(of).is_some_and(|unit| record.units.contains_key(unit));
    record.cleanup.iter().filter(|(of, _)| retires(of)).for_each(|(of, command)| {
        host.retired.insert(of);
        clean_up(host, command);
    });
    delete(host, owner, &files[..extent.of(files.len())]);
    if extent == Extent::Half {
        return;
    }
    for (key, value) in record.sysctls.iter().filter(|(key, _)| !keep.sysctls.contains_key(key)) {
        host.set_sysctl(key, value);
    }
    let record = host.records.entry(owner.clone()).or_default();
    record.units.retain(|unit, _| keep.units.contains_key(unit));
    record.reads.retain(|unit, _| keep.units.contains_key(unit));
    record.unread.retain(|unit| keep.units.contains_key(unit));
    record.files.retain(|path| is_kept(&&path.clone()));
    record.installed.retain(|path, _| keep.binaries.contains_key(path));
    record.sysctls.retain(|key, _| keep.sysctls.contains_key(key));
}

pub(super) fn remove(host: &mut HostMemory, owner: &Owner, manifest: &Manifest, extent: Extent) {
    let recorded = host.records.get(owner).cloned();
    let is_unchanged = |host: &HostMemory, path: &HostPath| {
        let declared = manifest.files.get(path).and_then(|file| file.sha256.as_ref());
        declared.is_some() && host.files.get(path).map(|file| Digest::of(&file.content)).as_ref() == declared
    };
    let mut units: BTreeSet<UnitName> = recorded.iter().flat_map(|record| record.units.keys().cloned()).collect();
    units.extend(manifest.units.keys().filter(|unit| recorded.is_none() && is_unchanged(host, &unit.path())).cloned());
    let files: Vec<HostPath> = match &recorded {
        Some(record) => record.files.iter().cloned().collect(),
        None => manifest.files.keys().filter(|path| is_unchanged(host, path)).cloned().collect(),
    };
    stop_for_good(host, &units.into_iter().collect::<Vec<_>>());
    let record = recorded.unwrap_or_default();
    record.cleanup.values().for_each(|command| clean_up(host, command));
    delete(host, owner, &files[..extent.of(files.len())]);
    if extent == Extent::Half {
        return;
    }
    record.sysctls.iter().for_each(|(key, value)| host.set_sysctl(key, value));
    for directory in &record.directories {
        host.files.retain(|path, _| !path.as_str().starts_with(&format!("{directory}/")));
    }
    for (directory, before) in &record.kept {
        for path in host.content_of(directory).difference(before) {
            host.files.remove(path);
        }
    }
    host.records.remove(owner);
}

fn stop_for_good(host: &mut HostMemory, units: &[UnitName]) {
    units.iter().for_each(|unit| drop(host.units.remove(unit)));
}

fn delete(host: &mut HostMemory, owner: &Owner, paths: &[HostPath]) {
    for path in paths {
        if !host.is_elsewhere(owner, path) {
            host.files.remove(path);
            host.programs.remove(path);
        }
    }
}

/// Of the cleanup commands only deletions matter to what is remembered here.
fn clean_up(host: &mut HostMemory, command: &str) {
    if let Some(path) = command.strip_prefix("rm -f ") {
        host.files.retain(|other, _| other.as_str() != path);
    }
}
