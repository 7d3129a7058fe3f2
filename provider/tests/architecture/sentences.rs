//! No code takes apart a sentence that is written for a reader, or compares anything with one: what is read back is data.

use crate::tree::{code, nothing, read, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Ways to take text apart.
const TAKE_APART: [&str; 13] = [
    ".split(",
    ".split_once(",
    ".splitn(",
    ".rsplit(",
    ".rsplit_once(",
    ".strip_prefix(",
    ".strip_suffix(",
    ".trim_start_matches(",
    ".trim_end_matches(",
    ".contains(",
    ".starts_with(",
    ".ends_with(",
    ".find(",
];
/// Sentences that are read all the same: file, text, and why.
const READ_SENTENCES: [(&str, &str, &str); 14] = [
    ("bundle/src/contents.rs", ": ", "the one reader of the keys that `fold` writes"),
    ("bundle/src/manifest.rs", " read by ", "the form of the lines of `host_contents`"),
    ("machines/src/said.rs", "command failed", "of etcdctl"),
    ("render/src/aws/public_key.rs", "PRIVATE KEY", "of the PEM format"),
    ("aws/src/objects/instance/mod.rs", "not in a valid state", "of AWS"),
    ("aws/src/objects/dns_record/mod.rs", "was not found", "of AWS"),
    ("aws/src/objects/dns_record/mod.rs", "already exists", "of AWS"),
    ("aws/src/objects/route_table.rs", "no route defined", "of AWS"),
    ("machines/src/connection.rs", "System is booting up", "of systemd, in /run/nologin"),
    ("machines/src/error.rs", "must have a tty", "of sudo"),
    ("aws/src/reach.rs", "dns error", "of the HTTP client"),
    ("aws/src/reach.rs", "connect timeout", "of the HTTP client"),
    ("kubernetes/objects.rs", "failed to create typed patch object", "of the API server"),
    ("kubernetes/node_report.rs", "container runtime network not ready:", "of the kubelet"),
];

/// Texts by the names of constants.
type Constants = BTreeMap<String, String>;

fn constants(code: &str) -> Constants {
    let declared = code.match_indices("const ").filter_map(|(at, _)| {
        let (name, rest) = code[at + "const ".len()..].split_once(": &str = \"")?;
        Some((name.to_string(), literal(rest)?.to_string()))
    });
    declared.filter(|(name, _)| name.chars().all(|char| char.is_ascii_uppercase() || char == '_')).collect()
}

/// Up to the quote that ends it.
fn literal(text: &str) -> Option<&str> {
    let is_end = |(at, _): &(usize, &str)| !text[..*at].ends_with('\\');
    text.match_indices('"').find(is_end).map(|(at, _)| &text[..at])
}

/// What an expression begins with: a literal, or a constant by its name.
fn text_at(code: &str, known: &Constants) -> Option<String> {
    let code = code.trim_start().trim_start_matches(['*', '&']);
    if let Some(rest) = code.strip_prefix('"') {
        return literal(rest).map(str::to_string);
    }
    let path: &str = code.split(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != ':').next()?;
    known.get(path.rsplit("::").next()?).cloned()
}

/// The texts that code passes to what takes text apart, compares with, or has as a pattern.
fn texts_read(code: &str, known: &Constants) -> Vec<String> {
    let after = |marks: &'static [&'static str]| {
        let all = marks.iter().flat_map(|mark| code.match_indices(mark).map(|(at, mark)| &code[at + mark.len()..]));
        all.filter_map(|rest| text_at(rest, known))
    };
    let pattern = |(at, _): (usize, &str)| {
        let before = &code[..at];
        before.rfind('"').map(|start| before[start + 1..].to_string()).filter(|text| !text.contains(['\n', ',']))
    };
    let patterns = ["\" =>", "\" |", "\" if "].iter().flat_map(|end| code.match_indices(end)).filter_map(pattern);
    after(&TAKE_APART).chain(after(&["== ", "!= "])).chain(patterns).collect()
}

/// Two words in a row, or what stands between the parts of an error or a difference.
fn is_sentence(text: &str) -> bool {
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(char::is_alphabetic);
    let words: Vec<&str> = text.split_whitespace().collect();
    text == ": " || text == " (" || words.windows(2).any(|pair| pair.iter().all(is_word))
}

#[test]
fn no_code_takes_a_sentence_apart() {
    let in_tests = ["/fakes/", "/lifecycle/", "acceptance-tests/", "tests.rs"];
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    let everywhere: Constants = sources().iter().flat_map(|path| constants(code(&read(path)))).collect();
    for path in sources() {
        let name = path.display().to_string();
        if in_tests.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = read(&path);
        let known: Constants = everywhere.clone().into_iter().chain(constants(code(&text))).collect();
        let read = texts_read(code(&text), &known).into_iter().filter(|text| is_sentence(text));
        let found = read.filter(|text| {
            let reason = READ_SENTENCES.iter().position(|(file, known, _)| name.ends_with(file) && text == known);
            used.extend(reason);
            reason.is_none()
        });
        faults.extend(
            found.map(|text| format!("{name} reads {text:?}: keep what it says as data, and write the sentence from that")),
        );
    }
    let unused = READ_SENTENCES.iter().enumerate().filter(|(number, _)| !used.contains(number));
    faults.extend(unused.map(|(_, (file, text, _))| format!("{file} reads {text:?} no more")));
    nothing(faults);
}

#[track_caller]
fn check(code: &str, expect: &[&str]) {
    let found: Vec<String> = texts_read(code, &constants(code)).into_iter().filter(|text| is_sentence(text)).collect();
    assert_eq!(found, expect);
}

#[test]
fn a_sentence_that_is_read_is_found() {
    let old = r#"let item = sentence.split(": ").next(); if sentence.contains(
            "older configuration") {} text.split_once(','); name.strip_prefix("module ");"#;
    check(old, &[": ", "older configuration"]);
    let old = r#"match text { "not enabled at boot" => 1, "missing" => 2, "unknown to systemd" | "x" => 3, _ => 4 };
            (what == "not the \"program\"").then_some(5)"#;
    check(old, &["not the \\\"program\\\"", "not enabled at boot", "unknown to systemd"]);
    let old = r#"pub const REPLACED: &str = " (a new one takes its place)"; const GONE: &str = "is gone"; const OTHER: &str = "x";
            let is_lost = drift.iter().any(|line| *line == state::GONE || line.ends_with(REPLACED) || *line == OTHER);"#;
    check(old, &[" (a new one takes its place)", "is gone"]);
}
