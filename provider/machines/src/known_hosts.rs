//! Which host keys are trusted, in OpenSSH's known_hosts format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use crate::target::expand_home;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, parse_public_key_base64};
use sha1::Sha1;
use std::path::PathBuf;

#[derive(Clone, PartialEq, Eq)]
pub enum KnownHosts {
    File(PathBuf),
    /// The text of such a file.
    Lines(String),
}

impl KnownHosts {
    /// How a message names the place where a line is to be added.
    pub(crate) fn place(&self) -> String {
        match self {
            KnownHosts::File(path) => path.display().to_string(),
            KnownHosts::Lines(_) => "the known_hosts lines of the configuration".into(),
        }
    }

    /// The text; a file that does not exist yet is empty, so that the error names the line to put there.
    pub(crate) fn text(&self) -> std::io::Result<String> {
        match self {
            KnownHosts::Lines(text) => Ok(text.clone()),
            KnownHosts::File(path) => match std::fs::read_to_string(expand_home(path)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
                read => read,
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Known,
    Unknown,
    /// Another key of the same kind stands in this line (counted from 1).
    Changed {
        line: usize,
    },
    Revoked {
        line: usize,
    },
}

/// The entries for one host.
pub(crate) struct Entries {
    /// With its port, where that is not 22.
    host: String,
    /// Without its port, as certificates name it.
    name: String,
    keys: Vec<Entry>,
    /// Keys that sign certificates of this host.
    authorities: Vec<PublicKey>,
}

struct Entry {
    line: usize,
    revoked: bool,
    key: PublicKey,
}

/// Lines that do not parse are passed over, as ssh does.
pub(crate) fn parse_known_hosts(text: &str, address: &str, port: u16) -> Entries {
    let name = address.to_lowercase();
    let host = if port == 22 { name.clone() } else { format!("[{name}]:{port}") };
    let keys = text.lines().enumerate().filter_map(|(index, line)| parse_entry(line, index + 1, &host)).collect();
    let authorities = text.lines().filter_map(|line| parse_authority(line, [&host, &name])).collect();
    Entries { host, name, keys, authorities }
}

/// Marker, patterns and key of a line.
fn split_line(line: &str) -> Option<(Option<&str>, &str, &str)> {
    let mut words = line.split_ascii_whitespace().peekable();
    let marker = words.next_if(|word| word.starts_with('@'));
    let patterns = words.next().filter(|word| !word.starts_with('#'))?;
    let (_kind, key) = (words.next()?, words.next()?);
    Some((marker, patterns, key))
}

fn parse_entry(line: &str, number: usize, host: &str) -> Option<Entry> {
    let (marker, patterns, key) = split_line(line)?;
    if !matches!(marker, None | Some("@revoked")) || !matches_host(patterns, host) {
        return None;
    }
    Some(Entry { line: number, revoked: marker.is_some(), key: parse_public_key_base64(key).ok()? })
}

/// As in ssh, an authority for a name is one for each of its ports.
fn parse_authority(line: &str, names: [&str; 2]) -> Option<PublicKey> {
    let (marker, patterns, key) = split_line(line)?;
    let is_for_it = marker == Some("@cert-authority") && names.iter().any(|name| matches_host(patterns, name));
    is_for_it.then(|| parse_public_key_base64(key).ok())?
}

fn matches_host(patterns: &str, host: &str) -> bool {
    let (negated, plain): (Vec<&str>, Vec<&str>) = patterns.split(',').partition(|pattern| pattern.starts_with('!'));
    plain.iter().any(|pattern| matches_pattern(pattern, host))
        && !negated.iter().any(|pattern| matches_pattern(&pattern[1..], host))
}

fn matches_pattern(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("|1|") {
        Some(hashed) => matches_hash(hashed, host).unwrap_or(false),
        None => matches_wildcard(pattern.to_lowercase().as_bytes(), host.as_bytes()),
    }
}

fn matches_hash(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    Some(mac.chain_update(host).verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

fn matches_wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| matches_wildcard(rest, &text[skip..])),
        (Some((b'?', pattern)), Some((_, text))) => matches_wildcard(pattern, text),
        (Some((want, pattern)), Some((have, text))) => want == have && matches_wildcard(pattern, text),
        _ => false,
    }
}

impl Entries {
    pub fn check(&self, key: &PublicKey) -> Verdict {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        if let Some(entry) = self.keys.iter().filter(|entry| entry.revoked).find(same) {
            return Verdict::Revoked { line: entry.line };
        }
        let mut trusted = self.keys.iter().filter(|entry| !entry.revoked);
        if trusted.clone().any(|entry| same(&entry)) {
            return Verdict::Known;
        }
        match trusted.find(|entry| entry.key.algorithm() == key.algorithm()) {
            Some(entry) => Verdict::Changed { line: entry.line },
            None => Verdict::Unknown,
        }
    }

    /// Whether there is one to whom certificates of the host could be traced.
    pub fn has_authority(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Why a certificate does not make the host known; `None` when it does. `now` in seconds since 1970.
    pub fn fault_of(&self, certificate: &Certificate, now: u64) -> Option<&'static str> {
        let is_revoked = |key: &_| self.keys.iter().any(|entry| entry.revoked && entry.key.key_data() == key);
        let trusted = self.authorities.iter().filter(|key| !is_revoked(key.key_data()));
        let authorities: Vec<_> = trusted.map(|key| key.fingerprint(HashAlg::Sha256)).collect();
        let names_it = |principal: &String| matches_wildcard(principal.to_lowercase().as_bytes(), self.name.as_bytes());
        let signer = certificate.signature_key().fingerprint(HashAlg::Sha256);
        match () {
            () if !authorities.contains(&signer) => Some("no @cert-authority line for this host has the key that signed it"),
            () if certificate.verify_signature().is_err() => Some("its signature is wrong"),
            () if !certificate.cert_type().is_host() => Some("it is one of a user, not of a host"),
            () if !certificate.critical_options().is_empty() => Some("it has critical options"),
            () if !certificate.valid_principals().iter().any(names_it) => Some("it is for other names"),
            () if certificate.validate_at(now, &authorities).is_err() => Some("it is not valid now"),
            () => None,
        }
    }

    /// The host key algorithms to ask the server for: those of known keys first, because a server that has several keys
    /// shows only one of them. None that signs with SHA-1, as OpenSSH since 8.8.
    pub fn preferred_algorithms(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        let is_known = |algorithm: &Algorithm| {
            self.keys.iter().any(|entry| !entry.revoked && entry.key.algorithm().as_base_kind() == algorithm.as_base_kind())
        };
        let safe = all.iter().filter(|algorithm| **algorithm != Algorithm::Rsa { hash: None }).cloned();
        let (known, other): (Vec<_>, Vec<_>) = safe.partition(is_known);
        known.into_iter().chain(other).collect()
    }

    /// The line that would make this key known.
    pub fn line_to_add(&self, key: &PublicKey) -> String {
        let bare = PublicKey::new(key.key_data().clone(), "");
        format!("{} {}", self.host, bare.to_openssh().unwrap_or_default().trim())
    }
}

pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// RSA keys are one kind whatever hash signs with them.
trait BaseKind {
    fn as_base_kind(&self) -> Algorithm;
}

impl BaseKind for Algorithm {
    fn as_base_kind(&self) -> Algorithm {
        match self {
            Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    /// `ssh-keygen -H` of example.com.
    const HASHED: &str = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";

    fn key(line: &str) -> PublicKey {
        parse_public_key_base64(line.split(' ').nth(1).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(text: &str, address: &str, port: u16, expect: Verdict) {
        assert_eq!(parse_known_hosts(text, address, port).check(&key(ED25519)), expect, "{text}");
    }

    #[test]
    fn an_entry_is_for_its_host_and_port_alone() {
        check(&format!("h {ED25519}"), "h", 22, Verdict::Known);
        check(&format!("h {ED25519}"), "H", 22, Verdict::Known);
        check(&format!("h {ED25519}"), "h", 2222, Verdict::Unknown);
        check(&format!("[h]:2222 {ED25519} a comment"), "h", 2222, Verdict::Known);
        check(&format!("fd77::1 {ED25519}"), "fd77::1", 22, Verdict::Known);
        check(&format!("a,h,10.0.0.1\t{ED25519}"), "10.0.0.1", 22, Verdict::Known);
        check(&format!("{HASHED} {ED25519}"), "example.com", 22, Verdict::Known);
        check(&format!("{HASHED} {ED25519}"), "example.org", 22, Verdict::Unknown);
        check("", "h", 22, Verdict::Unknown);
    }

    #[test]
    fn wildcards_and_negations_count_and_comments_and_broken_lines_do_not() {
        check(&format!("*.example.? {ED25519}"), "a.example.x", 22, Verdict::Known);
        check(&format!("*.example,!b.example {ED25519}"), "b.example", 22, Verdict::Unknown);
        check(&format!("#h {ED25519}\nh ssh-ed25519 nonsense\nh"), "h", 22, Verdict::Unknown);
        check(&format!("@cert-authority h {ED25519}"), "h", 22, Verdict::Unknown);
        let has_authority =
            |patterns: &str, port| parse_known_hosts(&format!("@cert-authority {patterns} {ED25519}"), "h", port).has_authority();
        assert!(
            has_authority("h", 22) && has_authority("*", 2222) && has_authority("h", 2222) && has_authority("[h]:2222", 2222)
        );
        assert!(!has_authority("i", 22) && !has_authority("[h]:2222", 22) && !has_authority("*,!h", 22));
    }

    #[test]
    fn another_key_of_the_same_kind_is_a_change_and_a_revoked_one_is_refused() {
        check(&format!("# c\nh {OTHER}"), "h", 22, Verdict::Changed { line: 2 });
        check(&format!("h {OTHER}\nh {ED25519}"), "h", 22, Verdict::Known);
        check(&format!("h {ED25519}\n@revoked * {ED25519}"), "h", 22, Verdict::Revoked { line: 2 });
        check(&format!("@revoked h {OTHER}\nh {ED25519}"), "h", 22, Verdict::Known);
        check(&format!("@revoked h {OTHER}"), "h", 22, Verdict::Unknown);
    }

    #[test]
    fn algorithms_of_known_keys_are_asked_for_first() {
        let all = [Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, Algorithm::Ed25519];
        assert_eq!(parse_known_hosts(&format!("h {ED25519}"), "h", 22).preferred_algorithms(&all)[0], Algorithm::Ed25519);
        assert_eq!(parse_known_hosts("", "h", 22).preferred_algorithms(&all), all);
        assert_eq!(parse_known_hosts("", "h", 22).preferred_algorithms(&[Algorithm::Rsa { hash: None }]), []);
    }

    #[test]
    fn the_line_to_add_makes_the_key_known() {
        for port in [22, 2222] {
            let line = parse_known_hosts("", "h", port).line_to_add(&key(ED25519));
            check(&line, "h", port, Verdict::Known);
        }
    }
}
