//! Pure: what a host should have (`Bundle`), what it has (`Observed`), and what differs (`differences`).
//! Nothing here knows how a bundle is rendered (crate `render`) or how it reaches a host (crate `machines`).

mod content;
mod contents;
mod difference;
mod host_list;
mod manifest;
mod names;
mod needs;
mod node;
mod observed;
mod unit;

pub use content::Content;
pub use contents::{ContentsError, Lines, fold, unfold};
pub use difference::{Difference, Finding, Instead, Item, What, differences};
pub use host_list::{HostList, HostListError};
pub use manifest::{Manifest, ManifestError, ManifestFile};
pub use names::{Digest, HostName, HostPath, NameError, Sysctl, UnitName};
pub use needs::{Kernel, Needs, collide};
pub use node::{NodeObject, TaintKey, TaintKeyError};
pub use observed::{Observed, ObservedBinary, ObservedFile, ObservedUnit};
pub use unit::{Check, Disruption, Health, OnChange, Unit, UnitTraits};

use credentials::Url;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that one owner (`k8s_lb_vrrp.api`, a cluster, a node group) declares on one host.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    pub files: BTreeMap<HostPath, File>,
    /// Files that no other host has with the same content, known or not.
    pub own: BTreeSet<HostPath>,
    pub units: BTreeMap<UnitName, Unit>,
    /// Kernel modules that must be loaded, or built in.
    pub modules: BTreeSet<String>,
    pub sysctls: BTreeMap<Sysctl, String>,
    pub binaries: BTreeMap<HostPath, Binary>,
    /// Programs of the host's own distribution that must be there: program name to Debian package name.
    pub packages: BTreeMap<String, String>,
    /// Directories that the components fill themselves; made before units start, removed with all that came into them on destroy.
    pub data_directories: BTreeMap<HostPath, Directory>,
    /// Stamps that stand as they are recorded: see `keep_stamps`.
    pub kept_stamps: BTreeMap<UnitName, Digest>,
    /// Units of which it is unknown whether their stamps stand as they are recorded, because something that they read is unknown.
    pub undecided_stamps: BTreeSet<UnitName>,
    /// What undoes what the components did to the kernel (links, rules, mounts), run in this order on destroy after units stopped.
    pub cleanup: Vec<Cleanup>,
    /// Of these commands, by what they undo, those that are run without a destroy too: once this unit, which is declared no more, has
    /// stopped, with `K8S_HARDWAY_RETIRING` set.
    pub retired: BTreeMap<&'static str, UnitName>,
    /// What tells the owner from another of the same name, such as the hosts that it works with; the record keeps it. One line each.
    pub identity: BTreeMap<String, String>,
    /// What its components need of the host around them.
    pub needs: Needs,
}

/// A shell command of a destroy. On a host it takes the place of the one that was declared there before of the same; one that is
/// declared no more stays until the destroy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// What it undoes, in words of lower-case letters joined by dashes; one bundle has it once.
    pub of: &'static str,
    pub command: String,
}

/// A file with its content. Content may hold secrets: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    pub mode: u32,
    /// `user:group`, as chown takes it.
    pub owner: String,
    pub content: Content,
}

impl File {
    /// A file that anyone on the host may read: mode 0644, `root:root`.
    pub fn public(content: impl Into<Content>) -> Self {
        File { mode: 0o644, owner: "root:root".into(), content: content.into() }
    }
    /// A file that only root may read: mode 0600, `root:root`.
    pub fn private(content: impl Into<Content>) -> Self {
        File { mode: 0o600, owner: "root:root".into(), content: content.into() }
    }
    /// A program or script: mode 0755, `root:root`.
    pub fn executable(content: impl Into<Content>) -> Self {
        File { mode: 0o755, owner: "root:root".into(), content: content.into() }
    }
}

/// A directory that components fill themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    pub mode: u32,
    /// `user:group`, as chown takes it.
    pub owner: String,
    pub if_filled: IfFilled,
}

/// What becomes of a directory that has content before its first push, while no record says that it is one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfFilled {
    /// Somebody's data may be in it: the host is left alone.
    Refuse,
    /// Many write there, such as logs: mode, owner and content stay, and a removal takes only what came later.
    Keep,
}

impl Directory {
    /// Of root, for data of one component.
    pub fn data(mode: u32) -> Self {
        Directory { mode, owner: "root:root".into(), if_filled: IfFilled::Refuse }
    }

    /// Of root, where others may write too.
    pub fn shared(mode: u32) -> Self {
        Directory { if_filled: IfFilled::Keep, ..Directory::data(mode) }
    }
}

/// A program that is downloaded, checked and installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    pub url: Url,
    /// SHA-256 of what the URL serves. `None` in a plan for which nobody could say it yet.
    pub sha256: Option<Digest>,
    /// Path inside the archive; `None` when the download is the program itself.
    pub member: Option<String>,
}

impl Bundle {
    /// Adds a command that undoes `of` on destroy.
    pub fn clean_up(&mut self, of: &'static str, command: impl Into<String>) {
        self.cleanup.push(Cleanup { of, command: command.into() });
    }

    /// Adds a unit with its unit file, which is added to what the unit reads.
    pub fn add_unit(&mut self, name: UnitName, unit_file: String, mut unit: Unit) {
        let path = name.path();
        unit.reads.insert(path.clone(), OnChange::Restart);
        self.files.insert(path, File::public(unit_file));
        self.units.insert(name, unit);
    }

    /// Digest over everything that a unit reads, in path order, but for what it reads again by itself. It is stored on the host when
    /// the unit was (re)started with it, so that an apply that was cut off between writing a file and restarting its unit is still
    /// seen. `None` while the content of one of the files is unknown, and for a unit that the bundle does not have.
    pub fn unit_stamp(&self, name: &UnitName) -> Option<Digest> {
        let unit = self.units.get(name)?;
        self.kept_stamps.get(name).cloned().or_else(|| manifest::stamp_of(unit.stamped(), |path| self.digest(path)))
    }

    /// Whether the stamp of this unit follows from the files and programs that the bundle has.
    pub(crate) fn has_derived_stamp(&self, name: &UnitName, unit: &Unit) -> bool {
        let has = |path: &HostPath| self.files.contains_key(path) || self.binaries.contains_key(path);
        let derived = || manifest::stamp_of(unit.stamped(), |path| self.digest(path));
        unit.stamped().all(has) && self.kept_stamps.get(name).is_none_or(|kept| derived().as_ref() == Some(kept))
    }

    /// Keeps the recorded stamp of each unit of which nothing changes that its stamp is made of. Earlier versions counted what a
    /// unit reads again by itself as well: their clusters must not restart because the count is another one.
    pub fn keep_stamps(&mut self, recorded: &Manifest) {
        let is_same = |path: &HostPath| self.digest(path).map(|own| own == recorded.digest(path));
        let (mut kept, mut undecided) = (BTreeMap::new(), BTreeSet::new());
        for (name, unit) in &self.units {
            let Some(stamp) = recorded.units.get(name).cloned().flatten() else { continue };
            let same: Vec<Option<bool>> = unit.stamped().map(is_same).collect();
            if same.iter().all(|same| *same == Some(true)) {
                kept.insert(name.clone(), stamp);
            } else if !recorded.reads.contains_key(name) && !same.contains(&Some(false)) {
                undecided.insert(name.clone());
            }
        }
        (self.kept_stamps, self.undecided_stamps) = (kept, undecided);
    }

    /// `None` while it is unknown. What the bundle does not bring counts as empty.
    fn digest(&self, path: &HostPath) -> Option<Digest> {
        match (self.files.get(path), self.binaries.get(path)) {
            (Some(file), _) => file.content.digest().cloned(),
            (None, Some(binary)) => binary.identity(),
            (None, None) => Some(Digest::of(b"")),
        }
    }

    /// The other bundle's entries join this one's. Both must not declare the same path differently.
    pub fn merge(&mut self, other: Bundle) {
        self.files.extend(other.files);
        self.own.extend(other.own);
        self.units.extend(other.units);
        self.modules.extend(other.modules);
        self.sysctls.extend(other.sysctls);
        self.binaries.extend(other.binaries);
        self.packages.extend(other.packages);
        self.data_directories.extend(other.data_directories);
        self.kept_stamps.extend(other.kept_stamps);
        self.undecided_stamps.extend(other.undecided_stamps);
        self.cleanup.extend(other.cleanup);
        self.retired.extend(other.retired);
        self.identity.extend(other.identity);
        self.needs.merge(other.needs);
    }

    /// Gives undecided contents the digests that a manifest of the same host records, where what they are made of stays as it is.
    /// Content of which nothing is recorded stays unknown.
    pub fn recall(&mut self, recorded: &Manifest, stays: impl Fn(&HostPath) -> bool) {
        for (path, file) in self.files.iter_mut().filter(|(path, file)| file.content.is_undecided() && stays(path)) {
            if let Some(digest) = recorded.files.get(path).and_then(|recorded| recorded.sha256.clone()) {
                file.content = Content::by_digest(digest);
            }
        }
    }

    /// Unknown contents of these files are sure to be others than the host has.
    pub fn mark_changing<'a>(&mut self, paths: impl IntoIterator<Item = &'a HostPath>) {
        for path in paths {
            let undecided = self.files.get_mut(path).filter(|file| file.content.is_undecided());
            undecided.into_iter().for_each(|file| file.content = Content::changing());
        }
    }

    /// Whether a file may turn out to be what the host has, which a manifest records.
    pub fn is_undecided(&self, recorded: &Manifest) -> bool {
        self.files.iter().any(|(path, file)| file.content.is_undecided() && recorded.files.contains_key(path))
    }

    /// Files and programs whose content is known after apply.
    pub fn unknown_files(&self) -> impl Iterator<Item = &HostPath> {
        let files = self.files.iter().filter(|(_, file)| file.content.digest().is_none()).map(|(path, _)| path);
        files.chain(self.binaries.iter().filter(|(_, binary)| binary.sha256.is_none()).map(|(path, _)| path))
    }

    /// The bundle without content: what the state holds, and what a host is compared with.
    pub fn manifest(&self) -> Manifest {
        Manifest::of(self)
    }
}

impl Binary {
    /// What distinguishes one installed program from another: the download's digest and the member taken out of it. `None` while the
    /// digest is.
    pub fn identity(&self) -> Option<Digest> {
        let sha256 = self.sha256.as_ref()?;
        Some(Digest::of(format!("{sha256} {}", self.member.as_deref().unwrap_or("")).as_bytes()))
    }

    /// Whether this is the program that was found.
    pub fn is(&self, found: &ObservedBinary) -> bool {
        found.identity.is_some() && found.identity == self.identity()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As the pages say, so that a reviewer can compute it: `printf '%s %s' DIGEST MEMBER | sha256sum`.
    #[test]
    fn what_identifies_a_program_can_be_computed_from_its_download() {
        let of = |member: Option<&str>| {
            let sha256 = Some(Digest::parse("0".repeat(64)).unwrap());
            let binary = Binary { url: Url::new("https://dl.example/x"), sha256, member: member.map(str::to_string) };
            binary.identity().unwrap().to_string()
        };
        assert_eq!(of(None), "f704d566f677f8b1e77bfc1f7d9034252db032c009e89c820b99013c74ac5447");
        assert_eq!(of(Some("bin/runc")), "6b8021a0bb415dee565d30ce2fd015e1303fa773c3fb3e0003f7d9f2d5e5b8ce");
    }
}
