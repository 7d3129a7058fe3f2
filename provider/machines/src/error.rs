//! What can go wrong with a host. Every message names the operation, the host, the object and the way out.

use crate::{ShownKey, Uid};
use credentials::Url;
use std::fmt;

/// Every error has a summary (the operation, the object and the host) and a detail (why, and the way out). A connection `may_pass` that
/// nobody took, or that broke off, as while a host boots; `Stopped` is one that the user did not want to wait for any longer.
/// `Authentication` names in `tried` also the sources of keys that were passed over; after `TooManyKeys` of one source the host hung up.
/// `Removed` is what another run did while this one waited for it; `Unrecorded` are files that a state names, with another content and without a record.
/// `Taken`: `found` is the owner that came first, where a host takes one of a kind.
#[derive(Clone, Debug)]
pub enum MachineError {
    Connect { host: String, reason: String, may_pass: bool },
    Booting { host: String, reason: String },
    Stopped { host: String },
    ConnectTimeout { host: String, seconds: u64 },
    UnknownHostKey { host: String, shown: Box<ShownKey> },
    ChangedHostKey { host: String, known_line: usize, shown: Box<ShownKey> },
    RevokedHostKey { host: String, known_line: usize, shown: Box<ShownKey> },
    KnownHosts { host: String, place: String, reason: String },
    Key { host: String, source_name: String, reason: String },
    Authentication { host: String, user: String, tried: String, offered: String },
    TooManyKeys { host: String, user: String, source_name: String, keys: usize },
    Sudo { host: String, user: String, reason: String },
    OtherHost { host: String, found: String },
    OtherUid { host: String, owner: String, found: Uid },
    TakenOver { host: String, owner: String },
    Lost { host: String, operation: String, reason: String },
    Timeout { host: String, operation: String, seconds: u64 },
    Script { host: String, operation: String, status: u32, reason: String },
    DiskFull { host: String, operation: String, object: String, reason: String },
    Module { host: String, module: String, reason: String },
    Sysctl { host: String, key: String, reason: String },
    Package { host: String, package: String, reason: String },
    UnknownUser { host: String, owner: String, reason: String },
    File { host: String, path: String, reason: String },
    NoContent { host: String, path: String },
    Digest { host: String, url: Url, expected: String, actual: String },
    Download { host: String, url: Url, host_reason: String, own_reason: String },
    Binary { host: String, path: String, url: Url, reason: String },
    Unit { host: String, verb: String, unit: String, reason: String, journal: String },
    Settings { host: String, unit: String, said: String },
    Locked { host: String, lock: String },
    Filled { host: String, path: String, reason: String },
    Remove { host: String, object: String, reason: String },
    Removed { host: String, owner: String },
    Taken { host: String, found: String },
    Unrecorded { host: String, path: String },
    Elsewhere { host: String, moved: Moved },
    Forward { host: String, destination: String, reason: String },
    NoFile { host: String, path: String },
    NobodyListens { host: String, destination: String },
    Answer { host: String, operation: String, answer: String },
}

/// A directory that is a link now, or below one, and leads elsewhere than it was.
#[derive(Clone, Debug)]
pub struct Moved {
    pub directory: String,
    pub was: String,
    pub is: String,
}

impl MachineError {
    /// `object` is the owner and the uid in its record, as scripts report them.
    pub(crate) fn other_uid(host: String, object: &str) -> MachineError {
        let (owner, uid) = object.split_once(' ').unwrap_or((object, Uid::NIL));
        MachineError::OtherUid { host, owner: owner.into(), found: Uid::parse(uid).unwrap_or_default() }
    }

    /// `object` is the directory, where it was and where it leads, as scripts report them.
    pub(crate) fn elsewhere(host: String, object: &str) -> MachineError {
        let mut parts = object.split('\t').map(str::to_string);
        let mut part = || parts.next().unwrap_or_default();
        MachineError::Elsewhere { host, moved: Moved { directory: part(), was: part(), is: part() } }
    }

    /// The operation, the object and the host, in one line without a full stop.
    pub fn summary(&self) -> String {
        use MachineError as E;
        match self {
            E::Connect { host, .. } => format!("cannot connect to {host}"),
            E::Booting { host, .. } => format!("{host} is still booting"),
            E::Stopped { host } => format!("stopped on request while {host} was waited for"),
            E::ConnectTimeout { host, seconds } => format!("{host} did not answer within {seconds} s while connecting to it"),
            E::UnknownHostKey { host, .. } => format!("the host key of {host} is not known"),
            E::ChangedHostKey { host, .. } => format!("THE HOST KEY OF {host} HAS CHANGED"),
            E::RevokedHostKey { host, .. } => format!("the host key of {host} is revoked"),
            E::KnownHosts { host, place, .. } => format!("cannot read known hosts for {host} from {place}"),
            E::Key { host, source_name, .. } => format!("cannot use {source_name} to log in to {host}"),
            E::Authentication { host, user, .. } | E::TooManyKeys { host, user, .. } => {
                format!("{host} refuses to log in user {user}")
            }
            E::Sudo { host, user, .. } => format!("user {user} on {host} may not run commands as root"),
            E::OtherHost { host, found } => format!("SSH to {host} reaches the machine of {found}"),
            E::OtherUid { host, owner, .. } => format!("{host} carries another {owner} than this state knows"),
            E::TakenOver { host, owner } => format!("{owner} on {host} was taken over from this state"),
            E::Lost { host, operation, .. } => format!("the connection to {host} was lost during {operation}"),
            E::Timeout { host, operation, seconds } => format!("{operation} on {host} did not end within {seconds} s"),
            E::Script { host, operation, status, .. } => format!("{operation} failed on {host} (exit status {status})"),
            E::DiskFull { host, operation, object, .. } => {
                format!("no space is left on {host} during {operation} of {object}")
            }
            E::Module { host, module, .. } => format!("cannot load kernel module {module} on {host}"),
            E::Sysctl { host, key, .. } => format!("cannot set sysctl {key} on {host}"),
            E::Package { host, package, .. } => format!("cannot install package {package} on {host}"),
            E::UnknownUser { host, owner, .. } => format!("cannot give a file to {owner} on {host}"),
            E::File { host, path, .. } => format!("cannot read or write {path} on {host}"),
            E::NoFile { host, path } => format!("there is no file {path} on {host}"),
            E::NoContent { host, path } => format!("cannot write {path} on {host}"),
            E::Digest { host, url, .. } => format!("the download {url} for {host} has the wrong digest"),
            E::Download { host, url, .. } => format!("cannot download {url} for {host}"),
            E::Binary { host, path, url, .. } => format!("cannot install {path} on {host} from {url}"),
            E::Unit { host, verb, unit, .. } => format!("cannot {verb} {unit} on {host}"),
            E::Settings { host, unit, .. } => format!("{unit} on {host} would not start with its new settings"),
            E::Locked { host, .. } => format!("another run of this provider works on {host} for the same resource"),
            E::Filled { host, path, .. } => format!("{path} on {host} has content that is not this provider's"),
            E::Remove { host, object, .. } => format!("cannot remove {object} from {host}"),
            E::Removed { host, owner } => format!("{owner} was removed from {host} while this run waited for that"),
            E::Taken { host, found } => format!("{host} belongs to {found}"),
            E::Unrecorded { host, .. } => format!("nothing on {host} is known to be of this resource"),
            E::Elsewhere { host, moved } => format!("{} on {host} leads to {} now", moved.directory, moved.is),
            E::Forward { host, destination, .. } => format!("cannot reach {destination} through {host}"),
            E::NobodyListens { host, destination } => format!("nobody listens at {destination} on {host}"),
            E::Answer { host, operation, .. } => {
                format!("provider bug: {operation} on {host} gave an answer that cannot be read")
            }
        }
    }

    /// Whether a host that boots may answer like this.
    pub fn may_be_booting(&self) -> bool {
        use MachineError as E;
        matches!(self, E::Connect { may_pass: true, .. } | E::ConnectTimeout { .. } | E::Booting { .. } | E::Lost { .. })
    }

    /// Why, and the way out.
    pub fn detail(&self) -> String {
        use MachineError as E;
        match self {
            E::Connect { .. }
            | E::Booting { .. }
            | E::ConnectTimeout { .. }
            | E::UnknownHostKey { .. }
            | E::ChangedHostKey { .. }
            | E::RevokedHostKey { .. }
            | E::KnownHosts { .. }
            | E::Key { .. }
            | E::Authentication { .. }
            | E::TooManyKeys { .. }
            | E::Sudo { .. }
            | E::Forward { .. } => self.detail_of_connection(),
            E::Digest { .. } | E::Download { .. } | E::Binary { .. } | E::Package { .. } => self.detail_of_installation(),
            E::OtherHost { .. }
            | E::OtherUid { .. }
            | E::Removed { .. }
            | E::Taken { .. }
            | E::Unrecorded { .. }
            | E::Elsewhere { .. } => self.detail_of_refusal(),
            _ => self.detail_of_operation(),
        }
    }

    fn detail_of_connection(&self) -> String {
        use MachineError as E;
        match self {
            E::Connect { reason, .. } => format!(
                "{reason}. Check that it is up, that its address and port are right, and that a firewall lets SSH through"
            ),
            E::Booting { reason, .. } => format!("It says: {reason}. Apply again once it is up"),
            E::ConnectTimeout { .. } => {
                "Check that it is up and that a firewall lets SSH through, or raise the connect timeout".into()
            }
            E::UnknownHostKey { shown, .. } => format!(
                "{shown}. Compare this fingerprint with the host's own (there: ssh-keygen -lf {}), then add this line to {}:\n{}",
                shown.key_file(),
                shown.place,
                shown.line
            ),
            E::ChangedHostKey { known_line, shown, .. } => format!(
                "Someone may be listening in, or the host was reinstalled. It shows {shown}; line {known_line} of {} has another \
                 key. Nothing was sent to it. Only when you know why it changed: replace that line by\n{}",
                shown.place, shown.line
            ),
            E::RevokedHostKey { known_line, shown, .. } => {
                format!("Line {known_line} of {} revokes {shown}. Nothing was sent to it. Give the host a new key", shown.place)
            }
            E::KnownHosts { reason, .. } => format!("{reason}. Name a file that the provider may read"),
            E::Authentication { user, tried, offered, .. } => format!(
                "Tried {tried}; it offers {offered}. Put the public key into ~{user}/.ssh/authorized_keys there, or name another user or key"
            ),
            E::TooManyKeys { source_name, keys, .. } => format!(
                "It hung up after {keys} key{} of {source_name}: sshd takes six at most (MaxAuthTries). Name the key that it takes in `private_key_file`, \
                 by its private or its public half: the agent then shows that one first",
                if *keys == 1 { "" } else { "s" }
            ),
            E::Sudo { user, reason, .. } => {
                let line = if reason.contains("must have a tty") {
                    format!("Defaults:{user} !requiretty")
                } else {
                    format!("{user} ALL=(ALL) NOPASSWD: ALL")
                };
                format!("{reason}. Allow it with a line `{line}` in /etc/sudoers.d, or log in as root")
            }
            E::Key { reason, .. } | E::Forward { reason, .. } => reason.clone(),
            _ => String::new(),
        }
    }

    fn detail_of_installation(&self) -> String {
        use MachineError as E;
        match self {
            E::Digest { expected, actual, .. } => format!(
                "Expected sha256 {expected}, got {actual}. Check the version and its checksum, or the mirror; nothing was installed"
            ),
            E::Download { host_reason, own_reason, .. } => format!(
                "The host says {host_reason}; the provider says {own_reason}. Give either of them a way to it, or name a mirror"
            ),
            E::Package { reason, .. } => {
                format!("{reason}. Install it there by hand, or give the host a package source, then apply again")
            }
            E::Binary { reason, .. } => reason.clone(),
            _ => String::new(),
        }
    }

    fn detail_of_refusal(&self) -> String {
        use MachineError as E;
        match self {
            E::OtherHost { host, found } => format!(
                "The record there says that the machine was set up as {found}. Nothing was taken from it or changed on it. Give {host} the \
                 address, the ssh.address or ssh.port, or the jump host, that leads to its own machine"
            ),
            E::TakenOver { .. } => {
                "Another entry of a state has it: a create went on with what was there. Nothing was read there, changed or \
                                    removed"
                    .into()
            }
            E::OtherUid { found, .. } => format!(
                "The record there names uid {found}: it was created after this state was written, or from another state. Nothing was read \
                 from it or changed on it. Use the state that has this uid, or take the resource out of this one"
            ),
            E::Removed { .. } => {
                "Another run destroyed it. Nothing was changed on this host. If it is to be there, apply again".into()
            }
            E::Taken { found, .. } => format!(
                "It was set up since this run looked at it, and a host takes one resource of this kind. Nothing was changed on it. Take the host out \
                 of this configuration or out of that of {found}, and apply again"
            ),
            E::Elsewhere { moved, .. } => format!(
                "It was {} when files were written there first. What is behind the link may be somebody else's, so nothing was written there. Let \
                 it lead to {} again, or put a directory or a mount in the place of the link",
                moved.was, moved.was
            ),
            E::Unrecorded { path, .. } => format!(
                "The record there is lost, and of the files that the state names none has the content that was written: {path} has another. \
                 Nothing was removed. A destroy that was cut off after it had cleaned this host leaves it so, with what was there before: then, \
                 and if what is there now is somebody else's, take the resource out of the state (`terraform state rm` or `tofu state rm`). \
                 If it is of this resource after all and nobody needs it, delete it there and run this again"
            ),
            _ => String::new(),
        }
    }

    fn detail_of_operation(&self) -> String {
        use MachineError as E;
        match self {
            E::Lost { reason, .. } => format!("{reason}. Running the same again is safe and continues from what it finds"),
            E::Timeout { .. } => "Look for what hangs there; running the same again is safe".into(),
            E::Script { reason, .. } => reason.clone(),
            E::DiskFull { reason, .. } => {
                format!("{reason}. Nothing half-written is in place. Free some space there, then apply again")
            }
            E::Module { reason, .. } => format!(
                "It is neither loadable nor built in ({reason}). Install the kernel's modules package there, or boot a kernel that has it"
            ),
            E::Sysctl { reason, .. } => {
                format!("{reason}. Check that the kernel has it (a module may be missing) and that it is writable there")
            }
            E::UnknownUser { reason, .. } => format!("{reason}. Create that user and group there first"),
            E::File { reason, .. } => format!("{reason}. Nothing half-written is in place; running apply again is safe"),
            E::Unit { reason, journal, .. } => {
                format!(
                    "Its journal ends with:\n{journal}\nsystemd says: {reason}\nRunning apply again is safe: it begins with this unit"
                )
            }
            E::Settings { said, .. } => format!(
                "Its program says:\n{said}\nThe unit was not touched: what ran goes on running, and the files that it reads are as they were. Correct \
                 what the program names, then apply again"
            ),
            E::Locked { lock, .. } => format!("It holds {lock}. Wait for it to end, then apply again"),
            E::Filled { path, reason, .. } => format!(
                "{reason}. Nothing was changed on this host. If nobody needs it, move it away there (mv {path} {path}.before), then apply \
                 again; else declare another host"
            ),
            E::Remove { reason, .. } => {
                format!("{reason}. The record of what is left is kept there; running destroy again is safe")
            }
            E::NoContent { .. } => {
                "Its content is not at hand: it is made of what the configuration gives, such as pki, which ignore_changes \
                                   takes away. Apply once without ignore_changes"
                    .into()
            }
            E::Answer { answer, .. } => format!("It was {answer:?}. Please report"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl std::error::Error for MachineError {}
