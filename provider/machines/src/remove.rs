//! Takes away what was pushed: everything on destroy, or just what is declared no more.

use crate::script::{COMMON, END, Script};
use crate::{Incarnation, Machine, MachineError, Progress};
use bundle::{Bundle, Digest, Manifest};
use std::fmt::Write as _;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(900);
const SCRIPT: &str = concat!(include_str!("scripts/remove_packages.sh"), "\n", include_str!("scripts/remove.sh"));
/// What every push leaves on its host, and what a refusal names to who wants to clean a host without its state: `remove OWNER`. It goes
/// with the last owner there.
pub const REMOVE_PROGRAM: &str = "/var/lib/k8s-hardway/remove";

/// The content of `REMOVE_PROGRAM`.
pub(crate) fn for_root() -> String {
    format!("#!/bin/sh\n{COMMON}\n{}\n{SCRIPT}", include_str!("scripts/remove_here.sh"))
}

impl Machine {
    /// Stops and disables the units, runs the cleanup commands, deletes files, programs and data directories, gives back the files and
    /// sysctls that were there before, removes packages and empty directories that were made for them, then the record. What another
    /// owner on the host also declares stays. A second run finds nothing and is fine.
    pub async fn remove(&self, owner: &Incarnation, manifest: &Manifest, progress: &Progress<'_>) -> Result<(), MachineError> {
        self.run_removal(owner, "all", "removing everything", render_names(manifest), progress).await
    }

    /// Takes away what an earlier push brought and `keep` does not name: files, programs, units, sysctls, and what the units did whose
    /// cleanup it retires with them. Data directories, packages and cleanup commands stay until `remove`; units that another owner has too stay.
    pub async fn prune(&self, owner: &Incarnation, keep: &Bundle, progress: &Progress<'_>) -> Result<(), MachineError> {
        let retired: String = keep.retired.iter().map(|(of, unit)| format!("cleanup {of} {unit}\n")).collect();
        let names = retired + &render_names(&keep.manifest());
        self.run_removal(owner, "rest", "removing what is no longer declared", names, progress).await
    }

    async fn run_removal(
        &self,
        owner: &Incarnation,
        mode: &'static str,
        operation: &'static str,
        names: String,
        progress: &Progress<'_>,
    ) -> Result<(), MachineError> {
        let told = |line: &str| {
            if let Some(sentence) = line.strip_prefix("progress\t") {
                progress(sentence);
            }
        };
        let arguments = [&self.arguments(owner)[..], &[mode]].concat();
        let script = Script::new(operation, SCRIPT, &arguments, TIMEOUT).on_line(&told);
        self.succeed(&script, names.as_bytes()).await.map(drop)
    }
}

fn render_names(manifest: &Manifest) -> String {
    let mut text = String::new();
    for unit in manifest.units.keys() {
        let _ = writeln!(text, "unit {unit}");
    }
    for (path, file) in &manifest.files {
        let digest = file.sha256.as_ref().map_or("", Digest::as_str);
        let _ = writeln!(text, "file {path} {digest}");
    }
    for path in manifest.binaries.keys() {
        let _ = writeln!(text, "binary {path}");
    }
    for key in manifest.sysctls.keys() {
        let _ = writeln!(text, "sysctl {key}");
    }
    text + END
}
