//! Newtypes for what must not be swapped: paths, unit names, host names, sysctl keys, digests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A text that is not a name of the wanted kind, and the rule that it breaks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} {value:?} {rule}")]
pub struct NameError {
    what: &'static str,
    value: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text. The error has the rule.
            pub fn parse(value: impl Into<String>) -> Result<Self, NameError> {
                let value = value.into();
                let ok: fn(&str) -> bool = $ok;
                if ok(&value) { Ok($name(value)) } else { Err(NameError { what: $what, value, rule: $rule }) }
            }
            /// For names written in the code itself.
            ///
            /// # Panics
            /// When the literal breaks the rule: a mistake of the programmer that the first test finds.
            #[track_caller]
            pub fn literal(value: &str) -> Self {
                match Self::parse(value) {
                    Ok(name) => name,
                    Err(error) => panic!("{error}"),
                }
            }
            /// The text that was checked.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                Self::parse(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

fn no_shell_specials(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "._-:@/+%".contains(c))
}

name!(
    /// An absolute path on a host, without `..`, white space or characters that a shell would interpret.
    HostPath, "path", "is not an absolute path of letters, digits and ._-:@/+%",
    |v| v.starts_with('/') && v.len() > 1 && !v.split('/').any(|part| part == "..") && no_shell_specials(v)
);
name!(
    /// `kube-apiserver.service`, with its suffix.
    UnitName, "unit name", "is not a systemd unit name with a suffix",
    |v| no_shell_specials(v) && !v.contains('/')
        && [".service", ".timer", ".target", ".socket", ".path", ".mount"].iter().any(|s| v.ends_with(s) && v.len() > s.len())
);
name!(
    /// The key of a host in a `hosts` map, which is also the name of its node: an RFC 1123 subdomain.
    HostName, "host name", "is not a lower-case RFC 1123 name (letters, digits, '-' and '.', at most 253)",
    |v| !v.is_empty() && v.len() <= 253
        && v.split('.').all(|label| !label.is_empty() && label.len() <= 63
            && !label.starts_with('-') && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
);
name!(
    /// `net.ipv4.ip_forward`.
    Sysctl, "sysctl", "is not a dotted sysctl key",
    |v| v.contains('.') && v.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
);

impl UnitName {
    /// The unit file, `/etc/systemd/system/<name>`.
    pub fn path(&self) -> HostPath {
        HostPath(format!("/etc/systemd/system/{}", self.0))
    }
}

/// A SHA-256 digest, lower-case hexadecimal without a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// SHA-256 of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
    /// Checks the text. The error has the rule.
    pub fn parse(value: impl Into<String>) -> Result<Self, NameError> {
        let value = value.into();
        let hex = value.strip_prefix("sha256:").unwrap_or(&value).to_ascii_lowercase();
        if hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()) {
            Ok(Digest(hex))
        } else {
            Err(NameError { what: "digest", value, rule: "is not a SHA-256 digest of 64 hexadecimal digits" })
        }
    }
    /// 64 hexadecimal digits in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = NameError;
    fn try_from(value: String) -> Result<Self, NameError> {
        Self::parse(value)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules() {
        assert!(HostPath::parse("/etc/kubernetes/kubelet.yaml").is_ok());
        for bad in ["etc/x", "/", "/etc/../x", "/etc/a b", "/etc/$(id)", "/etc/'x'"] {
            assert!(HostPath::parse(bad).is_err(), "{bad}");
        }
        assert!(UnitName::parse("etcd.service").is_ok());
        for bad in ["etcd", ".service", "a/b.service", "a;b.service"] {
            assert!(UnitName::parse(bad).is_err(), "{bad}");
        }
        assert!(HostName::parse("cp-1.example").is_ok());
        for bad in ["", "CP-1", "-a", "a-", "a..b", "a_b"] {
            assert!(HostName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digest_takes_a_prefix_and_upper_case() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(format!("sha256:{}", digest.as_str().to_uppercase())), Ok(digest));
        assert!(Digest::parse("sha256:12").is_err());
    }
}
