//! Public keys in OpenSSH's form, and what is wrong with a text that should be one. A private key is recognised, so that nobody
//! repeats it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why a text is not a usable public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMistake {
    /// What was given is a private key: do not show it.
    Private,
    SeveralLines,
    /// Another type than those asked for.
    Type(String),
    /// Neither type and base64, or base64 of something else.
    Malformed,
}

/// What EC2 imports: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html>
pub const IMPORTED: [&str; 2] = ["ssh-ed25519", "ssh-rsa"];
/// What OpenSSH accepts in `authorized_keys` by default.
pub const AUTHORIZED: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Checks one line in OpenSSH format, of one of these types.
pub fn check_public_key(text: &str, types: &[&str]) -> Result<(), KeyMistake> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        return Err(KeyMistake::Private);
    }
    if text.lines().count() > 1 {
        return Err(KeyMistake::SeveralLines);
    }
    let mut words = text.split_whitespace();
    let (Some(name), Some(encoded)) = (words.next(), words.next()) else { return Err(KeyMistake::Malformed) };
    let blob = STANDARD.decode(encoded).map_err(|_| KeyMistake::Malformed)?;
    if embedded_type(&blob) != Some(name.as_bytes()) {
        return Err(KeyMistake::Malformed);
    }
    if types.contains(&name) { Ok(()) } else { Err(KeyMistake::Type(name.to_owned())) }
}

/// A key repeats its type in front, with its length in four bytes (RFC 4253, section 6.6).
fn embedded_type(blob: &[u8]) -> Option<&[u8]> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=";

    #[track_caller]
    fn check(text: &str, expect: Result<(), KeyMistake>) {
        assert_eq!(check_public_key(text, &IMPORTED), expect);
    }

    #[test]
    fn what_is_no_public_key_is_told_apart() {
        check(ED25519, Ok(()));
        check(&format!("{ED25519} me@example.net\n"), Ok(()));
        check("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", Err(KeyMistake::Private));
        check("PuTTY-User-Key-File-3: ssh-ed25519", Err(KeyMistake::Private));
        check(&format!("{ED25519}\n{ED25519}"), Err(KeyMistake::SeveralLines));
        check(ECDSA, Err(KeyMistake::Type("ecdsa-sha2-nistp256".into())));
        check("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA", Err(KeyMistake::Malformed));
        for bad in ["", "ssh-ed25519", "~/.ssh/id_ed25519.pub", "ssh-ed25519 ????", "ssh-ed25519 AAAA"] {
            check(bad, Err(KeyMistake::Malformed));
        }
        assert_eq!(check_public_key(ECDSA, &AUTHORIZED), Ok(()));
    }
}
