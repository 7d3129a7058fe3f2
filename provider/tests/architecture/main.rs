//! The invariants of docs/architecture.md that are about the tree itself: what may depend on what, what pure code may name, how code
//! reads, and which names it uses.

#![allow(clippy::unwrap_used)]

mod code;
mod schemas;
mod sentences;
mod situations;
mod tree;
mod waits;

use tree::{code, files, nothing, read, root};

/// Crates that reach nothing.
const PURE: [&str; 8] = [
    "schema",
    "provider/addons",
    "provider/bundle",
    "provider/cloud",
    "provider/credentials",
    "provider/objects",
    "provider/render",
    "provider/rollout",
];
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
const LONGEST_ARCHITECTURE: usize = 200;

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
fn planners_know_no_unit_by_its_name() {
    for path in files(&root().join("provider/rollout/src"), ".rs") {
        let text = read(&path);
        let named: Vec<&str> = text.lines().filter(|line| line.contains(".service") && !line.trim().starts_with("//")).collect();
        assert!(named.is_empty(), "{}: {named:?}", path.display());
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
