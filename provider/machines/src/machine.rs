//! A connected host.

use crate::JumpHosts;
use crate::download::default_folder;
use crate::link::Link;
use crate::said::lines_that_matter;
use crate::script::{self, Script, last_lines};
use crate::{Incarnation, MachineError, Target};
use bundle::HostPath;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;

/// For commands that the caller brings; the crate's own operations have their own.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);
const FILE_TIMEOUT: Duration = Duration::from_secs(60);

/// A host that answered, whose key was checked, and that let us in. Cheap to clone; all clones share one connection, which is opened
/// again after it was lost.
#[derive(Clone)]
pub struct Machine {
    pub(crate) link: Arc<Link>,
    pub(crate) target: Arc<Target>,
    pub(crate) downloads: Arc<Path>,
}

/// What a command left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    pub status: u32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    pub fn is_success(&self) -> bool {
        self.status == 0
    }
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Whose things they are: `k8s_hardway_cluster.demo`. Names the record's folder on the host, `/var/lib/k8s-hardway/<owner>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("owner {0:?} is not a name of letters, digits and ._- that begins with a letter or digit, at most 128")]
pub struct OwnerError(String);

/// Kinds of which a host takes one: their files stand at the same paths whatever their name is. Scripts look for the others again, under
/// the host's lock: `other_of_kind` in common.sh.
const ONE_PER_HOST: [&str; 3] = ["k8s_hardway_cluster", "k8s_node_group", "k8s_ccm_config"];

impl Owner {
    pub fn parse(value: impl Into<String>) -> Result<Self, OwnerError> {
        let value = value.into();
        let begins_well = value.starts_with(|c: char| c.is_ascii_alphanumeric());
        let ok = begins_well && value.len() <= 128 && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if ok { Ok(Owner(value)) } else { Err(OwnerError(value)) }
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `k8s_hardway_cluster`.
    pub fn kind(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(kind, _)| kind)
    }

    /// Whether a host takes one of its kind.
    pub fn is_one_per_host(&self) -> bool {
        ONE_PER_HOST.contains(&self.kind())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Machine {
    /// With a connection to the jump host of its own; [`JumpHosts::connect`] shares one.
    pub async fn connect(target: &Target) -> Result<Machine, MachineError> {
        Machine::open(target, &JumpHosts::default()).await
    }

    pub(crate) async fn open(target: &Target, jump_hosts: &JumpHosts) -> Result<Machine, MachineError> {
        let target = Arc::new(target.clone());
        let link = Link::open(target.clone(), jump_hosts).await?;
        tracing::debug!(host = %target, "connected");
        Ok(Machine { link: Arc::new(link), target, downloads: default_folder().into() })
    }

    /// Where downloads for hosts without a way out are kept; else in the user's cache folder.
    pub fn keeping_downloads_in(self, folder: &Path) -> Machine {
        Machine { downloads: folder.into(), ..self }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs a POSIX shell script as root. Its text is visible in the host's process list: what is secret belongs in `stdin`.
    /// A script that fails is no error here; look at `status`.
    pub async fn run(&self, script: &str, stdin: Option<&[u8]>) -> Result<Output, MachineError> {
        let script = Script { operation: "a command", text: script.to_string(), timeout: RUN_TIMEOUT, on_line: None };
        script::run(&self.link, &self.target, &script, stdin.unwrap_or_default()).await
    }

    pub async fn read_file(&self, path: &HostPath) -> Result<Vec<u8>, MachineError> {
        let script = Script::new(
            "reading a file",
            "[ -e \"$1\" ] || fail no-file \"$1\"\ncat -- \"$1\" || fail file \"$1\"",
            &[path.as_str()],
            FILE_TIMEOUT,
        );
        Ok(self.ask(&script, &[]).await?.stdout)
    }

    /// Writes beside the destination and renames. The record does not know of it: `remove` leaves it there.
    pub async fn write_file(&self, path: &HostPath, mode: u32, owner: &str, content: &[u8]) -> Result<(), MachineError> {
        let mode = format!("{mode:04o}");
        let size = content.len().to_string();
        let arguments = [path.as_str(), &mode, owner, &size];
        let script = Script::new("writing a file", include_str!("scripts/write_file.sh"), &arguments, FILE_TIMEOUT);
        self.succeed(&script, content).await.map(drop)
    }

    /// The host that this machine should be.
    pub(crate) fn name(&self) -> &str {
        self.target.name.as_str()
    }

    /// What each script of an owner begins with: for whom it works, and on which host.
    pub(crate) fn arguments<'a>(&'a self, owner: &'a Incarnation) -> [&'a str; 4] {
        [owner.name.as_str(), self.name(), owner.uid.as_str(), owner.holder.as_str()]
    }

    /// Runs one of the crate's scripts, and turns what it reports into an error.
    pub(crate) async fn succeed(
        &self,
        script: &Script<'_>,
        input: impl AsyncRead + Unpin + Send,
    ) -> Result<Output, MachineError> {
        let output = script::run(&self.link, &self.target, script, input).await?;
        if output.is_success() { Ok(output) } else { Err(self.failure(script.operation, &output)) }
    }

    /// The same for a script that changes nothing: once more when the connection was lost meanwhile.
    pub(crate) async fn ask(&self, script: &Script<'_>, input: &[u8]) -> Result<Output, MachineError> {
        match self.succeed(script, input).await {
            Err(MachineError::Lost { .. }) => self.succeed(script, input).await,
            answer => answer,
        }
    }

    /// Scripts report a failure as `error<tab>kind<tab>object` on standard output, and why on standard error.
    fn failure(&self, operation: &str, output: &Output) -> MachineError {
        let (host, reason) = (self.target.to_string(), in_short(&output.stderr));
        let answer = output.stdout_text();
        let report = answer.lines().rev().find_map(|line| line.strip_prefix("error\t")).unwrap_or("\t");
        let (kind, object) = report.split_once('\t').unwrap_or((report, ""));
        let (operation, object) = (operation.to_string(), object.to_string());
        let reason = if reason.is_empty() { "it gave no reason".to_string() } else { reason };
        let said = String::from_utf8_lossy(&output.stderr);
        let no_room = said.lines().rev().find(|line| NO_ROOM.iter().any(|sign| line.contains(sign)));
        if let Some(line) = no_room {
            return MachineError::DiskFull { host, operation, object, reason: line.trim().to_string() };
        }
        match kind {
            "module" => MachineError::Module { host, module: object, reason },
            "sysctl" => MachineError::Sysctl { host, key: object, reason },
            "package" => MachineError::Package { host, package: object, reason },
            "owner" => MachineError::UnknownUser { host, owner: object, reason },
            "no-file" => MachineError::NoFile { host, path: object },
            "file" => MachineError::File { host, path: object, reason },
            "other-host" => MachineError::OtherHost { host, found: object },
            "other-uid" => MachineError::other_uid(host, &object),
            "taken-over" => MachineError::TakenOver { host, owner: object },
            "taken" => MachineError::Taken { host, found: object },
            "removed" => MachineError::Removed { host, owner: object },
            "elsewhere" => MachineError::elsewhere(host, &object),
            "unrecorded" => MachineError::Unrecorded { host, path: object },
            "cut-off" => MachineError::Lost { host, operation, reason: format!("{object}: {reason}") },
            "filled" => MachineError::Filled { host, path: object, reason },
            "locked" => MachineError::Locked { host, lock: object },
            "remove" => MachineError::Remove { host, object, reason },
            "binary" => MachineError::Binary { host, path: object, url: "".into(), reason },
            "settings" => self.settings_refused(&object, &answer),
            "unit" => self.unit_failure(&object, &answer, reason),
            _ => MachineError::Script { host, operation, status: output.status, reason },
        }
    }
}

/// What programs say on a full disk.
const NO_ROOM: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// All of what was said, or what matters of it.
fn in_short(said: &[u8]) -> String {
    const FEW: usize = 5;
    let all = last_lines(said, FEW + 1);
    if all.lines().count() > FEW { lines_that_matter(&String::from_utf8_lossy(said)) } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_the_provider_know_the_same_kinds_of_which_a_host_takes_one() {
        let patterns: Vec<String> = ONE_PER_HOST.iter().map(|kind| format!("{kind}.*")).collect();
        assert!(script::COMMON.contains(&format!("  case $owner in\n  {}) ;;\n", patterns.join(" | "))));
        let is_one = |owner: &str| Owner::parse(owner).unwrap().is_one_per_host();
        assert_eq!(["k8s_node_group.demo.gpu", "k8s_node_group", "k8s_lb_vrrp.api"].map(is_one), [true, true, false]);
    }

    #[test]
    fn an_owner_is_a_plain_folder_name() {
        assert!(Owner::parse("k8s_hardway_cluster.demo").is_ok());
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", "-a", "a;b"] {
            assert!(Owner::parse(bad).is_err(), "{bad}");
        }
    }
}
