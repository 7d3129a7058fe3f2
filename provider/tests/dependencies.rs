//! What may be depended upon: licences that go with Apache-2.0, no source but crates.io, one implementation of cryptography. Known
//! vulnerabilities are not looked for here: that needs the network, and a list that changes without a commit.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Each goes with Apache-2.0.
const LICENCES: [&str; 8] =
    ["Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause", "CDLA-Permissive-2.0", "ISC", "MIT", "Unicode-3.0", "Zlib"];
/// With reasons.
const BANNED: [(&str, &str); 3] = [
    ("openssl", "one implementation of cryptography: aws-lc-rs"),
    ("openssl-sys", "one implementation of cryptography: aws-lc-rs"),
    ("native-tls", "one implementation of cryptography: aws-lc-rs"),
];
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn nothing(faults: Vec<String>) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Name and source of every package that the lock file has, on all platforms. Packages of this project have no source.
fn locked() -> Vec<(String, Option<String>)> {
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    lock["package"].as_array().unwrap().iter().map(|package| (text(package, "name").unwrap(), text(package, "source"))).collect()
}

/// Whether an SPDX expression can be met: `MIT OR (Apache-2.0 AND ISC)`. AND binds closer than OR; older packages write `/` for OR.
fn is_allowed(licence: &str) -> bool {
    let licence = licence.trim().replace('/', " OR ");
    let (alternatives, parts) = (split(&licence, " OR "), split(&licence, " AND "));
    if alternatives.len() > 1 {
        alternatives.into_iter().any(is_allowed)
    } else if parts.len() > 1 {
        parts.into_iter().all(is_allowed)
    } else if let Some(inner) = licence.strip_prefix('(').and_then(|licence| licence.strip_suffix(')')) {
        is_allowed(inner)
    } else {
        LICENCES.contains(&licence.as_str())
    }
}

/// At an operator that stands in no parentheses.
fn split<'a>(licence: &'a str, operator: &str) -> Vec<&'a str> {
    let is_outside = |at: usize| licence[..at].matches('(').count() == licence[..at].matches(')').count();
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in licence.match_indices(operator).filter(|(at, _)| is_outside(*at)) {
        parts.push(&licence[begin..at]);
        begin = at + operator.len();
    }
    parts.push(&licence[begin..]);
    parts
}

#[test]
fn everything_comes_from_crates_io_and_nothing_is_banned() {
    let mut faults = Vec::new();
    for (name, source) in locked() {
        if let Some(source) = source.filter(|source| source != CRATES_IO) {
            faults.push(format!("{name} comes from {source}"));
        }
        faults
            .extend(BANNED.iter().filter(|(banned, _)| *banned == name).map(|(_, reason)| format!("{name} is banned: {reason}")));
    }
    nothing(faults);
}

#[test]
fn every_licence_goes_with_apache() {
    let arguments = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", PLATFORM];
    let answer = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let refused = packages.iter().filter(|package| !package["license"].as_str().is_some_and(is_allowed));
    nothing(refused.map(|package| format!("{} has the licence {}", package["name"], package["license"])).collect());
}

#[test]
fn an_expression_is_allowed_by_one_whole_alternative() {
    for (licence, expect) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("Apache-2.0 AND ISC", true),
        ("Apache-2.0 AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("MIT OR (GPL-3.0 AND ISC)", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0", false),
    ] {
        assert_eq!(is_allowed(licence), expect, "{licence}");
    }
}
