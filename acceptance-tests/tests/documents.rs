//! What people copy: every block of HCL in the guides and in the README is part of a configuration that the engines accept, and the
//! pages are what the registry takes, by the tool of its publisher. And what the renderer says of programs is what they do. Needs no hosts.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::command::run;
use acceptance_tests::suite::{Shared, main as run_all};
use acceptance_tests::{Engine, Workspace, lab, scenarios, source_folder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const FENCE: &str = "```hcl";
const HEAD: &str = "terraform {\n  required_providers {\n    k8s = { source = \"k8s-hardway/k8s\" }\n  }\n}\n";
/// The README shows the middle of a configuration.
const README_LOCALS: &str = r#"
locals {
  load_balancers = {
    lb-1 = { address = "192.0.2.2", secondary_address = "2001:db8::2" }
    lb-2 = { address = "192.0.2.3", secondary_address = "2001:db8::3" }
  }
  control_plane = { cp-1 = { address = "192.0.2.11", secondary_address = "2001:db8::11" } }
  workers       = { w-1 = { address = "192.0.2.21", secondary_address = "2001:db8::21" } }
}
"#;

struct Documents {
    root: PathBuf,
}

impl Shared for Documents {
    fn begin() -> Self {
        Documents { root: source_folder().join("..") }
    }
}

fn main() -> ExitCode {
    run_all::<Documents>(
        None,
        &scenarios![
            every_configuration_in_the_guides_is_valid_for_every_engine,
            the_configuration_in_the_readme_is_valid,
            the_pages_are_what_the_registry_takes,
            programs_take_what_is_rendered_and_refuse_what_is_wrong,
        ],
    )
}

fn every_configuration_in_the_guides_is_valid_for_every_engine(documents: &mut Documents) {
    let guides = std::fs::read_dir(documents.root.join("docs/guides")).unwrap().map(|entry| entry.unwrap().path());
    let guides: Vec<PathBuf> = guides.collect();
    assert!(!guides.is_empty());
    for engine in Engine::all() {
        for guide in &guides {
            let files = configuration(&std::fs::read_to_string(guide).unwrap());
            assert!(!files.is_empty(), "{} shows no configuration", guide.display());
            assert_eq!(faults(&engine, &files), Vec::<String>::new(), "{} with {}", guide.display(), engine.name);
        }
    }
}

fn the_configuration_in_the_readme_is_valid(documents: &mut Documents) {
    let mut files = configuration(&std::fs::read_to_string(documents.root.join("README.md")).unwrap());
    assert!(!files.is_empty());
    files.insert("locals.tf".into(), format!("{HEAD}{README_LOCALS}"));
    assert_eq!(faults(&Engine::first(), &files), Vec::<String>::new());
}

fn the_pages_are_what_the_registry_takes(documents: &mut Documents) {
    let tool = run(Command::new(source_folder().join("lab/engines/build.sh")).arg("tfplugindocs")).success().stdout;
    let workspace = workspace(&Engine::first(), &BTreeMap::from([("main.tf".to_string(), HEAD.to_string())]));
    let schemas = run(workspace.command(None, "providers").args(["schema", "-json"])).json();
    let ours = schemas["provider_schemas"].as_object().unwrap().values().next().unwrap();
    // The tool looks for a provider of its own publisher.
    let expected = serde_json::json!({
        "format_version": schemas["format_version"],
        "provider_schemas": { "registry.terraform.io/hashicorp/k8s": ours },
    });
    workspace.write("schema.json", &expected.to_string());
    let mut validate = Command::new(tool.trim());
    validate.args(["validate", "--provider-name", "terraform-provider-k8s", "--provider-dir"]).arg(&documents.root);
    validate.arg("--providers-schema").arg(workspace.folder.join("schema.json"));
    validate.args(["--allowed-resource-subcategories", "Hosts,AWS,Certificates,Objects"]);
    run(&mut validate).success();
    workspace.remove();
}

/// The tests of crate `render` that need the programs of a release, which the lab has.
fn programs_take_what_is_rendered_and_refuse_what_is_wrong(documents: &mut Documents) {
    const UNPACK: &str = r#"
        rm -rf "$2" && mkdir -p "$2" && cd "$1"
        find . -path '*linux/amd64/kube*' -type f ! -name '*.sha256' -exec install -m 755 {} "$2" \;
        find . -name 'etcd-v*linux-amd64.tar.gz' -exec tar -xzf {} --strip-components=1 -C "$2" \;
        find . -name 'containerd-*linux-amd64.tar.gz' -exec tar -xzf {} --strip-components=1 -C "$2" \;"#;
    let build = source_folder().join("lab/mirror/build.sh");
    let folders = run(Command::new(build).args(["etcd", "containerd", "kubernetes"])).success().stdout;
    let programs = lab::folder().join("programs");
    run(Command::new("sh").args(["-euc", UNPACK, "sh", folders.lines().next().unwrap()]).arg(&programs)).success();
    let mut tests = Command::new(env!("CARGO"));
    tests.current_dir(&documents.root).args(["test", "-q", "-p", "render", "--test", "dry_runs"]);
    let output = run(tests.env("PROGRAMS", &programs)).success();
    assert!(output.stdout.contains("4 passed"), "{}", output.stdout);
}

/// The blocks of a document by file: `main.tf`, or the one that a comment on the first line names.
fn configuration(document: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for part in document.split(FENCE).skip(1) {
        let block = part.split("\n```").next().unwrap_or_default().trim_start();
        let named = block.lines().next().and_then(|line| line.strip_prefix("# ")).filter(|name| name.ends_with(".tf"));
        let file = files.entry(named.unwrap_or("main.tf").to_string()).or_default();
        *file += &format!("{block}\n\n");
    }
    files
}

/// A folder with these files, initialised.
fn workspace(engine: &Engine, files: &BTreeMap<String, String>) -> Workspace {
    let source = lab::folder().join("documents-source");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("main.tf"), HEAD).unwrap();
    let workspace = Workspace::new(engine, &source, "documents");
    for (name, text) in files {
        let file = workspace.folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(file, text).unwrap();
    }
    if !files.contains_key("main.tf") {
        std::fs::remove_file(workspace.folder.join("main.tf")).unwrap();
    }
    run(workspace.command(None, "init").args(["-input=false", "-no-color"])).success();
    workspace
}

/// Errors and warnings of `validate`.
fn faults(engine: &Engine, files: &BTreeMap<String, String>) -> Vec<String> {
    let workspace = workspace(engine, files);
    let answer = run(workspace.command(None, "validate").arg("-json"));
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    workspace.remove();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let fault = |one: &Value| {
        let place = format!("{}:{}", text(&one["range"]["filename"]), one["range"]["start"]["line"]);
        format!("{place}: {}: {}", text(&one["summary"]), text(&one["detail"]))
    };
    answer["diagnostics"].as_array().unwrap().iter().map(fault).collect()
}
