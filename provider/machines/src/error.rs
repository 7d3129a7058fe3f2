//! What can go wrong with a host. Every message names the operation, the host, the object and the way out.

use std::fmt;

/// A host key that was shown and is not trusted.
#[derive(Debug)]
pub struct ShownKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// Where the known host keys come from.
    pub place: String,
    /// What would make it known there.
    pub line: String,
}

impl ShownKey {
    fn key_file(&self) -> String {
        let kind = self.algorithm.trim_start_matches("ssh-").split('-').next().unwrap_or_default();
        format!("/etc/ssh/ssh_host_{kind}_key.pub")
    }
}

impl fmt::Display for ShownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error(
        "cannot connect to {host}: {reason}. Check that it is up, that its address and port are right, and that a firewall lets SSH through"
    )]
    Connect { host: String, reason: String },

    #[error(
        "{host} did not answer within {seconds} s while connecting to it. Check that it is up and that a firewall lets SSH through, or raise the connect timeout"
    )]
    ConnectTimeout { host: String, seconds: u64 },

    #[error(
        "the host key of {host} is not known: {shown}. Compare this fingerprint with the host's own (there: ssh-keygen -lf {}), then add this line to {}:\n{}", shown.key_file(), shown.place, shown.line
    )]
    UnknownHostKey { host: String, shown: Box<ShownKey> },

    #[error(
        "THE HOST KEY OF {host} HAS CHANGED. Someone may be listening in, or the host was reinstalled. It shows {shown}; line {known_line} of {} has another key. Nothing was sent to it. Only when you know why it changed: replace that line by\n{}", shown.place, shown.line
    )]
    ChangedHostKey { host: String, known_line: usize, shown: Box<ShownKey> },

    #[error(
        "the host key of {host} is revoked by line {known_line} of {}: {shown}. Nothing was sent to it. Give the host a new key", shown.place
    )]
    RevokedHostKey { host: String, known_line: usize, shown: Box<ShownKey> },

    #[error("cannot read known hosts for {host} from {place}: {reason}. Name a file that the provider may read")]
    KnownHosts { host: String, place: String, reason: String },

    #[error("cannot use {source_name} to log in to {host}: {reason}")]
    Key { host: String, source_name: String, reason: String },

    #[error(
        "{host} refuses to log in user {user} (tried {tried}; it offers {offered}). Put the public key into ~{user}/.ssh/authorized_keys there, or name another user or key"
    )]
    Authentication { host: String, user: String, tried: String, offered: String },

    #[error(
        "user {user} on {host} may not run commands as root: {reason}. Allow it with a line `{user} ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d, or log in as root"
    )]
    Sudo { host: String, user: String, reason: String },

    #[error(
        "the connection to {host} was lost during {operation}: {reason}. Running apply again is safe and continues from what it finds"
    )]
    Lost { host: String, operation: String, reason: String },

    #[error("{operation} on {host} did not end within {seconds} s. Look for what hangs there; running apply again is safe")]
    Timeout { host: String, operation: String, seconds: u64 },

    #[error("{operation} failed on {host} (exit status {status}): {reason}")]
    Script { host: String, operation: String, status: u32, reason: String },

    #[error(
        "no space is left on {host} during {operation} of {object}: {reason}. Nothing half-written is in place. Free some space there, then apply again"
    )]
    DiskFull { host: String, operation: String, object: String, reason: String },

    #[error(
        "cannot load kernel module {module} on {host}: it is neither loadable nor built in ({reason}). Install the kernel's modules package there, or boot a kernel that has it"
    )]
    Module { host: String, module: String, reason: String },

    #[error(
        "cannot set sysctl {key} on {host}: {reason}. Check that the kernel has it (a module may be missing) and that it is writable there"
    )]
    Sysctl { host: String, key: String, reason: String },

    #[error(
        "cannot install package {package} on {host}: {reason}. Install it there by hand, or give the host a package source, then apply again"
    )]
    Package { host: String, package: String, reason: String },

    #[error("cannot give a file to {owner} on {host}: {reason}. Create that user and group there first")]
    UnknownUser { host: String, owner: String, reason: String },

    #[error("cannot write {path} on {host}: {reason}. Nothing half-written is in place; running apply again is safe")]
    File { host: String, path: String, reason: String },

    #[error("cannot install {path} on {host}: its content is not at hand. Provider bug: please report")]
    NoContent { host: String, path: String },

    #[error(
        "the download {url} for {host} has the wrong digest: expected sha256 {expected}, got {actual}. Check the version and its checksum, or the mirror; nothing was installed"
    )]
    Digest { host: String, url: String, expected: String, actual: String },

    #[error(
        "cannot download {url} for {host}: the host says {host_reason}; the provider says {own_reason}. Give either of them a way to it, or name a mirror"
    )]
    Download { host: String, url: String, host_reason: String, own_reason: String },

    #[error("cannot install {path} on {host} from {url}: {reason}")]
    Binary { host: String, path: String, url: String, reason: String },

    #[error("cannot {verb} {unit} on {host}: {reason}\nRunning apply again is safe. The last lines of its journal:\n{journal}")]
    Unit { host: String, verb: String, unit: String, reason: String, journal: String },

    #[error(
        "another run of this provider works on {host} for the same resource (it holds {lock}). Wait for it to end, then apply again"
    )]
    Locked { host: String, lock: String },

    #[error(
        "cannot remove {object} from {host}: {reason}. The record of what is left is kept there; running destroy again is safe"
    )]
    Remove { host: String, object: String, reason: String },

    #[error("cannot reach {destination} through {host}: {reason}")]
    Forward { host: String, destination: String, reason: String },

    #[error("provider bug: {operation} on {host} answered {answer:?}. Please report")]
    Answer { host: String, operation: String, answer: String },
}

impl MachineError {
    /// Whether the host could not be reached or logged in to at all, as opposed to something failing on it.
    pub fn is_unreachable(&self) -> bool {
        use MachineError as E;
        matches!(
            self,
            E::Connect { .. }
                | E::ConnectTimeout { .. }
                | E::UnknownHostKey { .. }
                | E::ChangedHostKey { .. }
                | E::RevokedHostKey { .. }
                | E::KnownHosts { .. }
                | E::Key { .. }
                | E::Authentication { .. }
                | E::Lost { .. }
        )
    }
}
