//! What a host shows of itself that makes it known to nobody yet.

use std::fmt;

/// A host key that was shown and is not trusted.
#[derive(Clone, Debug)]
pub struct ShownKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// Where the known host keys come from.
    pub place: String,
    /// What would make it known there.
    pub line: String,
    /// Why the certificate that came with it does not make the host known.
    pub certificate_fault: Option<&'static str>,
}

impl ShownKey {
    pub(crate) fn key_file(&self) -> String {
        let kind = self.algorithm.trim_start_matches("ssh-").split('-').next().unwrap_or_default();
        format!("/etc/ssh/ssh_host_{kind}_key.pub")
    }
}

impl fmt::Display for ShownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint)?;
        self.certificate_fault.map_or(Ok(()), |fault| write!(f, ", with a certificate that does not count: {fault}"))
    }
}
