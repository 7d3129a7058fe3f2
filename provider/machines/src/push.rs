//! Puts a bundle on a host: modules, sysctls, packages, directories and files in one session, binaries in another. No unit is touched.

use crate::archive::{self, Archive};
use crate::inventory::{HOST, UID};
use crate::read::{module_words, sysctl_path, sysctl_value};
use crate::script::Script;
use crate::{Incarnation, Machine, MachineError, Uid, remove};
use bundle::{Bundle, Cleanup, Directory, File, HostName, HostPath, IfFilled, Observed, OnChange, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// Long enough for a package that is downloaded over a slow line.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Of the folder `/var/lib/k8s-hardway/<owner>`. Version 1 added `identity`, `found`, `kept` and `kept-entries` to lists without one,
/// version 2 the list `started`, and the `host` and its `machine-id` to `identity`, version 3 the `uid` of the owner there, version 4 the
/// lists `holders` and `superseded`, and the network of a cluster to `identity`. Each path says for itself whether `places` has it.
pub const RECORD_VERSION: u32 = 4;

/// Gets progress, in sentences that hold no secret.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;

impl Machine {
    /// Brings the host from what was observed to what the bundle declares. It can be cut off at any point: the record on the host
    /// is written before anything is changed, each file is either the old or the new one, and the next read and push go on.
    pub async fn push(
        &self,
        owner: &Incarnation,
        bundle: &Bundle,
        observed: &Observed,
        progress: &Progress<'_>,
    ) -> Result<(), MachineError> {
        let host = self.target.to_string();
        let archive = render_archive((&self.target.name, &owner.uid), bundle, observed).map_err(|why| match why {
            Unpackable::NoContent(path) => MachineError::NoContent { host, path: path.to_string() },
            Unpackable::LongName(path) => {
                MachineError::File { host, path: path.to_string(), reason: "its name is too long".into() }
            }
        })?;
        let told = |line: &str| {
            if let Some(sentence) = line.strip_prefix("progress\t") {
                progress(sentence);
            }
        };
        let script =
            Script::new("writing files", include_str!("scripts/push.sh"), &self.arguments(owner), TIMEOUT).on_line(&told);
        self.succeed(&script, archive.as_slice()).await?;
        self.install_binaries(owner, bundle, observed, progress).await
    }
}

/// A file that cannot be put into the archive.
enum Unpackable {
    NoContent(HostPath),
    LongName(HostPath),
}

/// The archive that push.sh unpacks on the host.
fn render_archive((host, uid): (&HostName, &Uid), bundle: &Bundle, observed: &Observed) -> Result<Vec<u8>, Unpackable> {
    let paths = || bundle.files.keys().chain(bundle.binaries.keys());
    let directories: BTreeSet<&str> = paths().map(|path| split(path).0).collect();
    let numbers: BTreeMap<&str, usize> = directories.into_iter().zip(0..).collect();
    let mut archive = Archive::new();
    for (path, file) in bundle.files.iter().filter(|(path, file)| !is_as_declared(path, file, observed)) {
        let (directory, name) = split(path);
        let name = format!("files/{}/{name}", numbers[directory]);
        if name.len() > archive::LONGEST_NAME {
            return Err(Unpackable::LongName(path.clone()));
        }
        let bytes = file.content.bytes().ok_or_else(|| Unpackable::NoContent(path.clone()))?;
        archive.add(&name, file.mode, &file.owner, bytes);
    }
    for (index, Cleanup { of, command }) in bundle.cleanup.iter().enumerate() {
        archive.add(&format!("cleanup/{index:03}-{of}"), 0o600, "root:root", command.as_bytes());
    }
    archive.add("remove", 0o700, "root:root", remove::for_root().as_bytes());
    let mut plan = |name: &str, text: String| archive.add(&format!("plan/{name}"), 0o600, "root:root", text.as_bytes());
    plan("files", paths().map(|path| format!("{path}\n")).collect());
    plan("places", numbers.iter().map(|(directory, number)| format!("{number} {directory}\n")).collect());
    plan("owners", render_owners(bundle));
    plan("replaced", render_replaced(bundle, observed));
    plan("unread", render_unread(bundle, observed));
    plan("units", bundle.units.keys().map(|unit| format!("{unit}\n")).collect());
    plan("packages", bundle.packages.iter().map(|(program, package)| format!("{program} {package}\n")).collect());
    plan("modules", bundle.modules.difference(&observed.modules).map(|module| module_words(module) + "\n").collect());
    plan("sysctls", render_sysctls(bundle, observed));
    let directories = bundle.data_directories.iter();
    plan("directories", directories.map(|(path, new)| render_directory(path, new)).collect());
    plan("identity", render_identity(host, uid, &bundle.identity));
    archive.add("end", 0o600, "root:root", b"");
    Ok(archive.finish())
}

fn render_directory(path: &HostPath, directory: &Directory) -> String {
    let if_filled = match directory.if_filled {
        IfFilled::Refuse => "refuse",
        IfFilled::Keep => "keep",
    };
    format!("{:04o} {} {if_filled} {path}\n", directory.mode, directory.owner)
}

/// The version is that of the record: a reader that meets a later one knows that there may be more than it understands.
fn render_identity(host: &HostName, uid: &Uid, identity: &BTreeMap<String, String>) -> String {
    let lines: String = identity.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
    format!("version {RECORD_VERSION}\n{HOST} {host}\n{UID} {uid}\n{lines}")
}

/// The directory is empty for what stands in the root directory.
fn split(path: &HostPath) -> (&str, &str) {
    path.as_str().rsplit_once('/').unwrap_or_default()
}

fn is_as_declared(path: &HostPath, file: &File, observed: &Observed) -> bool {
    observed
        .files
        .get(path)
        .is_some_and(|found| found.mode == file.mode && found.owner == file.owner && Some(&found.sha256) == file.content.digest())
}

/// Users and groups are tried out before anything is written, because tar takes root for a name that it does not know.
fn render_owners(bundle: &Bundle) -> String {
    let files = bundle.files.values().map(|file| &file.owner);
    let owners: BTreeSet<&String> = files.chain(bundle.data_directories.values().map(|directory| &directory.owner)).collect();
    owners.into_iter().filter(|owner| *owner != "root:root").map(|owner| format!("{owner}\n")).collect()
}

/// Units that read one of the new files again by themselves.
fn render_unread(bundle: &Bundle, observed: &Observed) -> String {
    let is_new = |path: &HostPath| bundle.files.get(path).is_some_and(|file| !is_as_declared(path, file, observed));
    let reads_again = |unit: &Unit| unit.reads.iter().any(|(path, change)| *change == OnChange::ReadAgain && is_new(path));
    bundle.units.iter().filter(|(_, unit)| reads_again(unit)).map(|(name, _)| format!("{name}\n")).collect()
}

/// What is new of all that units with a check read: the host keeps what is there, until they took it.
fn render_replaced(bundle: &Bundle, observed: &Observed) -> String {
    let is_new = |path: &&HostPath| match (bundle.files.get(*path), bundle.binaries.get(*path)) {
        (Some(file), _) => !is_as_declared(path, file, observed),
        (None, Some(binary)) => !observed.has_program(path, binary),
        (None, None) => false,
    };
    let checked = bundle.units.values().filter(|unit| unit.check.is_some());
    let paths: BTreeSet<&HostPath> = checked.flat_map(Unit::stamped).filter(is_new).collect();
    paths.into_iter().map(|path| format!("{path}\n")).collect()
}

fn render_sysctls(bundle: &Bundle, observed: &Observed) -> String {
    let mut text = String::new();
    for (key, value) in &bundle.sysctls {
        let value = sysctl_value(value);
        let what = if observed.sysctls.get(key) == Some(&value) { "keep" } else { "put" };
        let _ = writeln!(text, "{what} {key} {} {value}", sysctl_path(key));
    }
    text
}
