//! The invariants of docs/architecture.md that are about the tree itself: what may depend on what, what pure code may name, how
//! files begin and how long they are.

#![allow(clippy::unwrap_used)]

use protocol::Provider;
use provider::K8s;
use schema::Schema;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Crates whose public items are documented, and the share of them that has to be, in percent.
const DOCUMENTED: [&str; 6] =
    ["schema", "provider/bundle", "provider/cloud", "provider/pki", "provider/render", "provider/rollout"];
const DOCUMENTED_PERCENT: usize = 90;
const ITEMS: [&str; 7] = ["fn ", "struct ", "enum ", "trait ", "const ", "static ", "type "];

/// Crates that reach nothing.
const PURE: [&str; 6] =
    ["schema", "provider/bundle", "provider/cloud", "provider/credentials", "provider/render", "provider/rollout"];
const REACHING: [&str; 17] = [
    "aws",
    "aws-lc-rs",
    "getrandom",
    "hyper",
    "hyper-util",
    "kube",
    "machines",
    "protocol",
    "rand",
    "rcgen",
    "reqwest",
    "russh",
    "rustls",
    "tempfile",
    "tokio",
    "tonic",
    "uuid",
];
/// The world, as the standard library has it.
const WORLD: [&str; 8] =
    ["SystemTime", "Instant", "std::env", "std::fs", "std::net::Tcp", "std::process", "std::thread", "rand::"];
/// Written apart, so that this file does not find itself.
const BANNED: [&str; 4] = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore"), concat!("dbg", "!(")];
const LONGEST_FILE: usize = 400;
const LONGEST_ARCHITECTURE: usize = 200;

/// Schemas need none.
struct NoCloud;

impl cloud::Connector for NoCloud {
    fn connect(&self, _settings: &cloud::Connection) -> Arc<dyn cloud::Cloud> {
        unreachable!("no schema reaches a cloud")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files below a folder whose names end like this; what is built is passed over.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// Rust files below `src/` folders.
fn sources() -> Vec<PathBuf> {
    let in_src = |path: &PathBuf| path.strip_prefix(root()).unwrap().components().any(|part| part.as_os_str() == "src");
    files(&root(), ".rs").into_iter().filter(in_src).collect()
}

/// Without the tests at its end.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap()
}

#[track_caller]
fn nothing(faults: Vec<String>) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_crates_depend_on_nothing_that_reaches_the_world() {
    let mut faults = Vec::new();
    for folder in PURE {
        let manifest: toml::Table = read(&root().join(folder).join("Cargo.toml")).parse().unwrap();
        let dependencies = ["dependencies", "build-dependencies"].into_iter().filter_map(|table| manifest.get(table)?.as_table());
        let names = dependencies.flat_map(|table| table.keys());
        faults.extend(names.filter(|name| REACHING.contains(&name.as_str())).map(|name| format!("{folder} depends on {name}")));
    }
    nothing(faults);
}

#[test]
fn only_the_plugin_binary_depends_on_the_aws_sdk() {
    let mut faults = Vec::new();
    for path in files(&root(), "Cargo.toml") {
        let manifest: toml::Table = read(&path).parse().unwrap();
        let Some(package) = manifest.get("package") else { continue };
        let name = package["name"].as_str().unwrap();
        let names = manifest.get("dependencies").and_then(|table| table.as_table()).into_iter().flat_map(|table| table.keys());
        let sdk = names.filter(|other| *other == "aws" || other.starts_with("aws-sdk") || *other == "aws-config");
        if !["aws", "terraform-provider-k8s"].contains(&name) {
            faults.extend(sdk.map(|sdk| format!("{name} depends on {sdk}")));
        }
    }
    nothing(faults);
}

#[test]
fn pure_crates_name_neither_clock_nor_environment_nor_files() {
    let mut faults = Vec::new();
    for folder in PURE {
        for path in files(&root().join(folder).join("src"), ".rs") {
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = read(&path);
            let named = WORLD.iter().filter(|word| code(&text).contains(**word));
            faults.extend(named.map(|word| format!("{} names {word}", path.display())));
        }
    }
    nothing(faults);
}

#[test]
fn every_source_file_says_what_it_is_and_is_short_enough_to_read() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = read(&path);
        if !text.starts_with("//!") {
            faults.push(format!("{} does not begin with //!", path.display()));
        }
        let length = code(&text).lines().count();
        if length > LONGEST_FILE {
            faults.push(format!("{} has {length} lines", path.display()));
        }
    }
    nothing(faults);
}

/// `pub fn`, `pub async fn`, `pub const`: not `pub use`, not fields.
fn is_public_item(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else { return false };
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    ITEMS.iter().any(|item| rest.starts_with(item))
}

#[test]
fn public_items_of_pure_crates_are_documented() {
    for folder in DOCUMENTED {
        let (mut all, mut bare) = (0, Vec::new());
        for file in files(&root().join(folder).join("src"), ".rs") {
            let text = read(&file);
            let mut above = "";
            for line in code(&text).lines() {
                if is_public_item(line) {
                    all += 1;
                    if !above.trim_start().starts_with("///") {
                        bare.push(format!("{}: {}", file.display(), line.trim()));
                    }
                }
                if !line.trim_start().starts_with("#[") {
                    above = line;
                }
            }
        }
        let documented = all - bare.len();
        assert!(
            documented * 100 >= all * DOCUMENTED_PERCENT,
            "{folder}: {documented} of {all} are documented; not:\n{}",
            bare.join("\n")
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    let mut faults = Vec::new();
    for path in files(&root(), ".rs") {
        let text = read(&path);
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = lines.flat_map(|line| BANNED.iter().filter(move |word| line.contains(**word)));
        faults.extend(found.map(|word| format!("{}: {word}", path.display())));
    }
    nothing(faults);
}

#[test]
fn the_architecture_is_short_and_its_map_and_tests_exist() {
    let text = read(&root().join("docs/architecture.md"));
    assert!(text.lines().count() <= LONGEST_ARCHITECTURE);
    let invariants: Vec<&str> = text.lines().filter(|line| line.starts_with("**Invariant:**")).collect();
    assert!(!invariants.is_empty());
    let mut faults = Vec::new();
    for line in invariants {
        let place = line.rsplit_once('(').map_or("", |(_, place)| place);
        let named: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        let exists = |name: &&str| root().join(name).exists() || root().join("provider").join(name).exists();
        if named.is_empty() || !named.iter().all(exists) {
            faults.push(format!("no test is named by: {line}"));
        }
    }
    for folder in text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').nth(2)) {
        if !root().join(folder).is_dir() {
            faults.push(format!("the code map names {folder}, which is no folder"));
        }
    }
    nothing(faults);
}

#[test]
fn decisions_are_numbered_without_gaps_and_have_all_their_parts() {
    let mut records = files(&root().join("docs/adr"), ".md");
    records.sort();
    let mut faults = Vec::new();
    for (index, path) in records.iter().enumerate() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(&format!("{:04}-", index + 1)) {
            faults.push(format!("{name} should be number {}", index + 1));
        }
        let text = read(path);
        if !text.starts_with(&format!("# {}. ", index + 1)) {
            faults.push(format!("the title of {name} does not begin with its number"));
        }
        let parts = ["**Context.**", "**Options.**", "**Decision.**", "**Consequence.**"];
        faults.extend(parts.iter().filter(|part| !text.contains(**part)).map(|part| format!("{name} has no {part}")));
    }
    nothing(faults);
}

#[test]
fn every_schema_is_one_that_an_engine_takes() {
    let provider = K8s::new(Arc::new(NoCloud));
    let resources = provider.resources().into_iter().map(|resource| (resource.name(), resource.schema()));
    let data_sources = provider.data_sources().into_iter().map(|source| (source.name(), source.schema()));
    let all: Vec<(&str, Schema)> =
        resources.chain(data_sources).chain(std::iter::once(("provider", Provider::schema(&provider)))).collect();
    assert!(all.len() > 3);
    nothing(
        all.iter()
            .flat_map(|(name, schema)| schema.mistakes().into_iter().map(move |mistake| format!("{name}: {mistake}")))
            .collect(),
    );
}

#[test]
fn planners_know_no_unit_by_its_name() {
    for path in files(&root().join("provider/rollout/src"), ".rs") {
        let text = read(&path);
        let named: Vec<&str> = text.lines().filter(|line| line.contains(".service") && !line.trim().starts_with("//")).collect();
        assert!(named.is_empty(), "{}: {named:?}", path.display());
    }
}

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
const READ_SENTENCES: [(&str, &str, &str); 13] = [
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
