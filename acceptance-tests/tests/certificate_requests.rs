//! The approver of serving certificates against the signer: no mutated request may be approved that the signer refuses, or in which it
//! reads another subject, name or address than the approver says it approves. The script is the one of hosts, with a stand-in for kubectl;
//! what the signer reads is said by Go's own parser (lab/engines/go/certificate-requests). Needs no hosts.
//!
//! `make fuzz-approver` is the long form: FUZZ_REQUESTS of them (10000), with the mutations of FUZZ_SEED, which is printed.

#![allow(clippy::unwrap_used)] // a test may panic

use acceptance_tests::command::run;
use acceptance_tests::suite::{Shared, main as run_all};
use acceptance_tests::{scenarios, source_folder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

const SCRIPTS: &str = "../provider/render/src/control_plane";
/// Seed and number of what runs with all other tests.
const SHORT: (u64, usize) = (1, 400);

/// Checks of the approver and what stands in their place when they are taken out. Each must make a difference that the test finds.
const CHECKS: &[(&str, &str)] = &[
    // The subject is the requester's.
    (r#"if (substr(der, at, length(digits)) == digits)"#, "digits = substr(der, at, 4 + 2 * byte(at + 2)); if (1)"),
    // Each name is declared.
    (r#"if (!(name in known)) refuse("the node was not declared with " name, 3)"#, ""),
    // Nothing stands behind what is read.
    (r#"if (enter(tag, limit) != limit) refuse(other_form)"#, "enter(tag, limit)"),
];

struct Requests {
    program: PathBuf,
}

impl Shared for Requests {
    fn begin() -> Self {
        let build = source_folder().join("lab/engines/build.sh");
        Requests { program: run(Command::new(build).arg("certificate-requests")).success().stdout.trim().into() }
    }
}

fn main() -> ExitCode {
    run_all::<Requests>(
        None,
        &scenarios![nothing_is_approved_that_the_signer_reads_in_another_way, a_check_that_is_missing_makes_a_difference],
    )
}

fn nothing_is_approved_that_the_signer_reads_in_another_way(requests: &mut Requests) {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seed, count) = (number("FUZZ_SEED", SHORT.0), usize::try_from(number("FUZZ_REQUESTS", SHORT.1 as u64)).unwrap());
    println!("{count} requests with the mutations of FUZZ_SEED={seed}");
    let requests = requests.mutated(seed, count);
    let verdicts = judge(&requests, |reader| reader);
    assert_eq!(differences(&requests, &verdicts), Vec::<String>::new());
    let is_plain = |request: &&Request| request.mutations == "null";
    let refused = requests.iter().filter(is_plain).filter(|request| verdicts[&request.name].is_none());
    assert_eq!(
        refused.map(|request| &request.name).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "requests as kubelets write them"
    );
    let readable = requests.iter().filter(|request| request.read.is_some()).count();
    let approved = verdicts.values().flatten().count();
    println!("{readable} are readable for the signer, {approved} were approved");
    assert!(approved * 20 > count, "a test of approvals in which {approved} of {count} are approved shows nothing");
}

/// The same test on approvers without one of their checks.
fn a_check_that_is_missing_makes_a_difference(requests: &mut Requests) {
    let requests = requests.mutated(SHORT.0, SHORT.1 / 2);
    for (check, replacement) in CHECKS {
        let without = |reader: String| {
            assert!(reader.contains(check), "the approver has no check {check}");
            reader.replace(check, replacement)
        };
        let found = differences(&requests, &judge(&requests, without));
        assert!(!found.is_empty(), "without {check}, nothing is approved that should not be");
        println!("without {check}: {} differences, such as: {}", found.len(), found[0]);
    }
}

struct Request {
    name: String,
    node: String,
    declared: String,
    mutations: String,
    /// Base64 of the PEM.
    request: String,
    /// What the signer reads; `None` when it refuses.
    read: Option<Value>,
}

impl Requests {
    fn mutated(&self, seed: u64, count: usize) -> Vec<Request> {
        let output = run(Command::new(&self.program).args([seed.to_string(), count.to_string()])).success().stdout;
        let request = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| line[field].as_str().unwrap().to_string();
            Request {
                name: text("name"),
                node: text("node"),
                declared: text("declared"),
                mutations: line["mutations"].to_string(),
                request: text("request"),
                read: (!line["read"].is_null()).then(|| line["read"].clone()),
            }
        };
        output.lines().map(request).collect()
    }
}

/// By the name of the request: the names and addresses for which it was approved; `None` when it was left pending.
type Verdicts = BTreeMap<String, Option<Vec<String>>>;

/// Runs the approver on these requests until it has said something of each. `change` changes what it reads requests with.
fn judge(requests: &[Request], change: impl Fn(String) -> String) -> Verdicts {
    let folder = Folder::new();
    let reader = std::fs::read_to_string(source_folder().join(SCRIPTS).join("certificate-request.awk")).unwrap();
    std::fs::write(folder.0.join("reader"), change(reader)).unwrap();
    folder.serve(requests);
    let mut approver = Command::new("timeout");
    approver.args(["--signal=KILL", &format!("{}", 60 + requests.len() / 2), "sh"]);
    approver.arg(source_folder().join(SCRIPTS).join("csr-approver.sh")).args(["./kubectl", "kubeconfig", "reader"]);
    approver.current_dir(&folder.0).env("RUNTIME_DIRECTORY", &folder.0).stdout(Stdio::piped()).process_group(0);
    let mut approver = Approver(approver.spawn().unwrap());
    let mut verdicts = Verdicts::new();
    for line in BufReader::new(approver.0.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((what, rest)) = line.split_once(": ") else { panic!("the approver says {line}") };
        let (name, rest) = rest.split_once(" of ").unwrap_or_else(|| panic!("the approver says {line}"));
        let approved_for = |rest: &str| rest.split_once(" for ").unwrap().1.split(' ').map(String::from).collect();
        verdicts.insert(name.to_string(), (what == "approved").then(|| approved_for(rest)));
        if verdicts.len() == requests.len() {
            return verdicts;
        }
    }
    panic!("the approver has said nothing of {} requests", requests.len() - verdicts.len())
}

/// What was approved and should not have been, with the mutations.
fn differences(requests: &[Request], verdicts: &Verdicts) -> Vec<String> {
    let difference = |request: &Request| {
        let approved = verdicts[&request.name].as_ref()?;
        let why = match &request.read {
            None => "the signer refuses it".to_string(),
            Some(read) => unlike(request, read, approved)?,
        };
        Some(format!("{} ({}) was approved for {approved:?}: {why}", request.name, request.mutations))
    };
    requests.iter().filter_map(difference).collect()
}

/// What the signer reads, if it is not what was approved.
fn unlike(request: &Request, read: &Value, approved: &[String]) -> Option<String> {
    let list = |field: &str| -> Vec<String> {
        read[field].as_array().into_iter().flatten().map(|value| value.as_str().unwrap().to_string()).collect()
    };
    let (addresses, names): (Vec<String>, Vec<String>) =
        approved.iter().cloned().partition(|word| word.parse::<IpAddr>().is_ok());
    let parsed = |addresses: &[String]| addresses.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let is_the_same = list("organization") == ["system:nodes"]
        && read["common_name"] == format!("system:node:{}", request.node).as_str()
        && read["parts"] == 2
        && list("dns_names") == names
        && parsed(&list("ip_addresses")) == parsed(&addresses)
        && list("email_addresses").is_empty()
        && list("uris").is_empty()
        && approved.iter().all(|word| request.declared.split(' ').any(|declared| declared == word));
    (!is_the_same).then(|| format!("the signer reads {read}"))
}

/// Ended with all that it has started.
struct Approver(Child);

impl Drop for Approver {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]));
        let _ = self.0.wait();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let folder = run(Command::new("mktemp").args(["-d", "--tmpdir", "certificate-requests.XXXXXX"])).success().stdout;
        Folder(folder.trim().into())
    }

    /// A stand-in for kubectl that knows these requests. What was approved is not pending any more.
    fn serve(&self, requests: &[Request]) {
        let answers = self.0.join("answers");
        std::fs::create_dir(&answers).unwrap();
        let mut rows = String::new();
        for request in requests {
            let Request { name, node, declared, request, .. } = request;
            rows += &format!("ADDED {name} 1s kubernetes.io/kubelet-serving system:node:{node} <none> Pending\n");
            let asks = format!("system%3Anode%3A{node} groups:system%3Anodes, usages:digital+signature,server+auth, {request}");
            std::fs::write(answers.join(name), format!("{asks}\n{declared}\n")).unwrap();
        }
        std::fs::write(self.0.join("rows"), rows).unwrap();
        std::fs::write(self.0.join("approved"), "").unwrap();
        executable(
            &self.0.join("kubectl"),
            r#"#!/bin/sh
case "$*" in
  *" --watch "*) grep -vwFf approved rows && exec sleep 600 ;;
  *" certificate approve "*) echo "$5" >>approved ;;
  *) exec cat "answers/${4#*/}" ;;
esac
"#,
        );
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
