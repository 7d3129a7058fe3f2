//! No code takes apart a sentence that is written for a reader: what is read back is a type.

use crate::tree::{code, nothing, read, sources};

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
const READ_SENTENCES: [(&str, &str, &str); 16] = [
    ("bundle/src/contents.rs", ": ", "the one reader of the keys that `fold` writes"),
    ("bundle/src/difference.rs", ": ", "the one FromStr of a difference"),
    ("bundle/src/difference.rs", " instead of ", "the one FromStr of a difference"),
    ("bundle/src/difference.rs", ", not running", "the one FromStr of a difference"),
    ("machines/src/machine.rs", "No space left on device", "of the C library"),
    ("machines/src/machine.rs", "Disk quota exceeded", "of the C library"),
    ("render/src/aws/public_key.rs", "PRIVATE KEY", "of the PEM format"),
    ("aws/src/objects/instance/mod.rs", "not in a valid state", "of AWS"),
    ("aws/src/objects/dns_record/mod.rs", "was not found", "of AWS"),
    ("aws/src/objects/dns_record/mod.rs", "already exists", "of AWS"),
    ("aws/src/objects/route_table.rs", "no route defined", "of AWS"),
    ("machines/src/connection.rs", "System is booting up", "of systemd, in /run/nologin"),
    ("machines/src/error.rs", "must have a tty", "of sudo"),
    ("aws/src/reach.rs", "dns error", "of the HTTP client"),
    ("aws/src/reach.rs", "connect timeout", "of the HTTP client"),
    ("on_cloud/vpc/infer/groups.rs", "ingress tcp ", "the key of a setting, whose rules are not types yet"),
];

/// The literals that the code of a file passes to what takes text apart.
fn literals_read(code: &str) -> Vec<String> {
    let calls = TAKE_APART.iter().flat_map(|call| code.match_indices(call).map(|(at, call)| &code[at + call.len()..]));
    let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    literals.map(str::to_string).collect()
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
    for path in sources() {
        let name = path.display().to_string();
        if in_tests.iter().any(|part| name.contains(part)) {
            continue;
        }
        let read = literals_read(code(&read(&path))).into_iter().filter(|text| is_sentence(text));
        let is_argued = |text: &String| READ_SENTENCES.iter().any(|(file, known, _)| name.ends_with(file) && text == known);
        let found = read.filter(|text| !is_argued(text));
        faults.extend(found.map(|text| format!("{name} takes apart {text:?}: make it a type with one Display and one FromStr")));
    }
    nothing(faults);
}

#[test]
fn a_sentence_taken_apart_is_found() {
    let old = r#"let item = sentence.split(": ").next(); if sentence.contains(
            "older configuration") {} text.split_once(','); name.strip_prefix("module ");"#;
    let found: Vec<String> = literals_read(old).into_iter().filter(|text| is_sentence(text)).collect();
    assert_eq!(found, [": ", "older configuration"]);
}
