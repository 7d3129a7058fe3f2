//! The canary: what must never be seen, and a search for it. Every private key, token and encryption key of a state is looked for as
//! it stands there, and in the base64 in which kubeconfigs and Kubernetes secrets carry it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::Path;

/// Pieces of secrets, each long enough to stand in no innocent text by chance.
pub struct Secrets(Vec<(String, String)>);

const PIECE: usize = 40;

impl Secrets {
    /// From the state of the quick start.
    #[track_caller]
    pub fn of(bundle: &Value) -> Secrets {
        let mut all = Vec::new();
        for group in ["private_keys", "encryption_keys"] {
            let map = bundle[group].as_object().unwrap_or_else(|| panic!("the bundle has no {group}"));
            map.iter()
                .for_each(|(name, secret)| all.extend(pieces(&format!("{group}.{name}"), secret.as_str().unwrap_or_default())));
        }
        assert!(all.len() > 20, "too few secrets to look for: {}", all.len());
        Secrets(all)
    }

    /// The names of the secrets that the text contains.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        let is_in = |(_, piece): &&(String, String)| text.contains(piece.as_str());
        let mut names: Vec<String> = self.0.iter().filter(is_in).map(|(name, _)| name.clone()).collect();
        names.dedup();
        names.extend(bootstrap_tokens(text).map(|token| format!("a bootstrap token ({}…)", &token[..6])));
        names
    }

    /// `<file>: <secret>` for every file below a folder whose name ends as given.
    pub fn found_below(&self, folder: &Path, endings: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
                found.extend(self.found_in(&text).into_iter().map(|secret| format!("{name}: {secret}")));
            }
        }
        found
    }
}

/// A line from the middle of the secret (the first ones of two keys may be alike), and a part of its base64.
fn pieces(name: &str, secret: &str) -> Vec<(String, String)> {
    let body: Vec<&str> = secret.lines().filter(|line| !line.starts_with("-----")).collect();
    let line = body.get(body.len() / 2).copied().unwrap_or_default();
    let encoded = STANDARD.encode(secret);
    let middle = encoded.len() / 2;
    let encoded = encoded.get(middle..(middle + PIECE).min(encoded.len())).unwrap_or_default();
    [line, encoded].into_iter().filter(|piece| piece.len() >= 20).map(|piece| (name.to_string(), piece.to_string())).collect()
}

/// `abcdef.0123456789abcdef`, standing alone.
fn bootstrap_tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_part =
        |word: &str, length: usize| word.len() == length && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    words.filter(move |word| word.split_once('.').is_some_and(|(id, secret)| is_part(id, 6) && is_part(secret, 16)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle() -> Value {
        let body = |n: usize| format!("{}\n{}", "MIGHAgEAMBMGByqGSM49AgEG", format!("{n:04}").repeat(16));
        let key = |n: usize| format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", body(n));
        let keys: serde_json::Map<String, Value> = (0..12).map(|n| (format!("key-{n}"), key(n).into())).collect();
        json!({ "private_keys": keys, "encryption_keys": { "one": STANDARD.encode([7; 32]) } })
    }

    #[test]
    fn a_secret_is_found_as_it_is_and_encoded() {
        let (secrets, bundle) = (Secrets::of(&bundle()), bundle());
        let key = bundle["private_keys"]["key-3"].as_str().unwrap_or_default();
        assert_eq!(secrets.found_in(&format!("log: {key}")), ["private_keys.key-3"]);
        assert_eq!(secrets.found_in(&STANDARD.encode(key)), ["private_keys.key-3"]);
        assert!(secrets.found_in("-----BEGIN PRIVATE KEY----- was not printed").is_empty());
    }

    #[test]
    fn a_bootstrap_token_is_found_and_a_file_name_is_not() {
        let secrets = Secrets::of(&bundle());
        assert_eq!(secrets.found_in("token=abc123.0123456789abcdef;").len(), 1);
        assert!(secrets.found_in("abc123.0123456789abcdef0 release.0123").is_empty());
    }
}
