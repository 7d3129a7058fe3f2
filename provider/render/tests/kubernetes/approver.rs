//! The approver of serving certificates, run with a stand-in for kubectl, and the real openssl and awk. What Go reads in mutated requests
//! is compared with it in the acceptance tests.

use crate::scripts::{executable, first_lines, short_timeout};
use base64::Engine;
use std::fs;
use std::path::Path;
use std::process::Command;

const APPROVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_plane/csr-approver.sh");
const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_plane/certificate-request.awk");
const NODES: &str = "groups:system%3Anodes,system%3Aauthenticated,";
const SERVER: &str = "usages:digital+signature,server+auth,";

/// What is pending: a row of the table, and what the API server answers to the question for it.
struct Pending {
    name: String,
    requester: String,
    groups: &'static str,
    usages: &'static str,
    pem: String,
    declared: String,
}

impl Pending {
    /// Made by this node as a kubelet makes it.
    fn of(name: &str, node: &str, pem: String, declared: &str) -> Pending {
        let requester = format!("system:node:{node}");
        Pending { name: name.into(), requester, groups: NODES, usages: SERVER, pem, declared: declared.into() }
    }

    fn row(&self) -> String {
        format!("ADDED {} 1s kubernetes.io/kubelet-serving {} <none> Pending\n", self.name, self.requester)
    }

    fn answer(&self, folder: &Path) {
        let requester = self.requester.replace(':', "%3A");
        let request = base64::prelude::BASE64_STANDARD.encode(&self.pem);
        let answer = format!("{requester} {} {} {request}\n{}\n", self.groups, self.usages, self.declared);
        fs::write(folder.join(format!("answer.{}", self.name)), answer).unwrap();
    }
}

/// The approver with a kubectl that shows `rows`, answers as the files say, and writes down what it was asked for.
fn approver(folder: &Path, rows: &str) -> Command {
    fs::write(folder.join("rows"), rows).unwrap();
    let kubectl = r#"case "$*" in
*" --watch "*) cat rows && exec sleep 60 ;;
*" certificate approve "*) echo "$5" >>approved ;;
*) echo "${4#*/}" >>asked; cat "answer.${4#*/}" ;;
esac"#;
    executable(folder, "kubectl", kubectl);
    let path = short_timeout(folder);
    let mut approver = Command::new("sh");
    approver.args([APPROVER, "./kubectl", "kubeconfig", READER]).current_dir(folder);
    approver.env("RUNTIME_DIRECTORY", folder).env("PATH", path);
    approver
}

fn lines(folder: &Path, file: &str) -> Vec<String> {
    fs::read_to_string(folder.join(file)).unwrap_or_default().lines().map(String::from).collect()
}

#[test]
fn a_request_is_approved_for_what_its_node_was_declared_with_and_nothing_else() {
    const NEWLINE: &str = "DER:30:10:82:0e:77:6f:72:6b:65:72:0a:65:76:69:6c:2e:78:79";
    let all = "DNS:NODE,IP:10.77.0.16,IP:fd77:0:0:1::16";
    let rsa = "usages:key+encipherment,digital+signature,server+auth,";
    let own = "/O=system:nodes/CN=system:node:NODE";
    let node = "system:node:NODE";
    #[rustfmt::skip]
    let table = [
        ("good", node, NODES, SERVER, own, all, Ok("good 10.77.0.16 fd77:0:0:1::16")),
        ("rsa", node, NODES, rsa, own, "IP:10.77.0.16", Ok("10.77.0.16")),
        ("notation", node, NODES, SERVER, own, "IP:fd77::1:0:0:0:16", Ok("fd77:0:0:1::16")),
        ("name", node, NODES, SERVER, own, "DNS:name,DNS:worker-2", Err("the node was not declared with dns worker-2")),
        ("address", node, NODES, SERVER, own, "IP:10.77.0.1", Err("the node was not declared with ip 0A4D0001")),
        ("uri", node, NODES, SERVER, own, "DNS:uri,URI:spiffe://x", Err("it asks for something else than DNS names and addresses")),
        ("newline", node, NODES, SERVER, own, NEWLINE, Err("a DNS name of it holds a character that no name of a host has")),
        ("subject", node, NODES, SERVER, "/O=system:nodes/CN=system:node:good", all, Err("its subject is not that of node subject")),
        ("masters", node, NODES, SERVER, "/O=system:nodes/O=system:masters/CN=system:node:NODE", all, Err("its subject is not that of node masters")),
        ("user", "admin", NODES, SERVER, own, all, Err("the requester is not a node")),
        ("upper", "system:node:UPPER", NODES, SERVER, own, all, Err("the requester has no name that a node can have")),
        ("group", node, "groups:system%3Aauthenticated,", SERVER, own, all, Err("the requester is not in group system:nodes")),
        ("client", node, NODES, "usages:server+auth,client+auth,", own, all, Err("usage 'client auth' is not one of a server")),
        ("usage", node, NODES, "usages:digital+signature,", own, all, Err("usage 'server auth' is missing")),
        ("stranger", node, NODES, SERVER, own, "DNS:stranger", Err("node stranger is not declared")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut rows = String::new();
    let mut expected = Vec::new();
    for (name, requester, groups, usages, subject, names, verdict) in table {
        let [requester, subject, names] = [requester, subject, names].map(|text| text.replace("NODE", name));
        let declared = if name == "stranger" { String::new() } else { format!("{name} 10.77.0.16 fd77:0:0:1::16") };
        let pem = request(folder, &subject, &names);
        let pending = Pending { name: name.into(), requester: requester.clone(), groups, usages, pem, declared };
        pending.answer(folder);
        rows += &pending.row();
        expected.push(match verdict {
            Ok(names) => format!("approved: {name} of {requester} for {names}"),
            Err(why) => format!("left pending: {name} of {requester}: {why}"),
        });
    }
    let said = first_lines(&mut approver(folder, &rows), table.len());
    assert_eq!(said, expected);
    assert_eq!(lines(folder, "approved"), ["good", "rsa", "notation"]);
}

/// What a node may send that one parser reads in another way than the next: whoever signs a request must read what was approved.
#[test]
fn no_request_is_approved_that_can_be_read_in_two_ways() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    request(folder, "/CN=makes-the-key", "DNS:x");
    let asks_for = |name: &str| extension_request(&[list(name)]);
    let decoy = |inside: Vec<u8>| attribute(&[0x2a, 0x03, 0x04], &[inside]);
    let plain = |node: &str| signed(folder, node, &[asks_for(node)]);
    type Make<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let with = |attributes: fn(&str) -> Vec<Vec<u8>>| -> Make { Box::new(move |node| signed(folder, node, &attributes(node))) };
    let text = |change: fn(String) -> String| -> Make { Box::new(move |node| change(plain(node))) };
    let table: Vec<(&str, Make)> = vec![
        ("evil", Box::new(|node| signed(folder, node, &[asks_for("cp-1")]))),
        ("decoy-first", Box::new(|node| signed(folder, node, &[decoy(list(node)), asks_for("cp-1")]))),
        ("decoy-last", Box::new(|node| signed(folder, node, &[asks_for("cp-1"), decoy(list(node))]))),
        (
            "decoy-cut-off",
            Box::new(|node| signed(folder, node, &[decoy([list(node), vec![0x30, 0x7f, 0x01]].concat()), asks_for("cp-1")])),
        ),
        ("two-requests", Box::new(|node| signed(folder, node, &[asks_for(node), asks_for("cp-1")]))),
        ("two-lists", with(|node| vec![extension_request(&[list(node), list("cp-1")])])),
        ("two-names", with(|node| vec![extension_request(&[extensions(&[names(&[node]), names(&["cp-1"])])])])),
        ("nested", with(|node| vec![extension_request(&[extensions(&[tlv(0x30, &names(&[node]))])])])),
        ("no-attribute", with(|_| vec![])),
        ("two-blocks", text(|one| format!("{one}{one}"))),
        ("text-before", text(|one| format!("hello\n{one}"))),
        ("text-behind", text(|one| format!("{one}hello\n"))),
        ("header", text(|one| one.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1))),
        ("carriage-returns", text(|one| one.replace('\n', "\r\n"))),
        ("signature", Box::new(|node| signed_by(folder, node, &[asks_for(node)], "another text"))),
        ("plain", Box::new(plain)),
    ];
    let mut rows = String::new();
    for (name, make) in &table {
        let pending = Pending::of(name, name, make(name), name);
        pending.answer(folder);
        rows += &pending.row();
    }
    let said = first_lines(&mut approver(folder, &rows), table.len());
    for ((name, _), line) in table.iter().zip(&said) {
        let begin = if *name == "plain" { "approved" } else { "left pending" };
        assert!(line.starts_with(&format!("{begin}: {name} of ")), "{name}: {line}");
    }
    assert!(said[0].ends_with("the node was not declared with dns cp-1"), "{}", said[0]);
    assert!(said[14].ends_with("its signature is not that of its key"), "{}", said[14]);
    assert_eq!(lines(folder, "approved"), ["plain"]);
}

/// A row is what the requester makes of it: only those of nodes that wait for this signer are worth a question.
#[test]
fn a_row_that_is_not_a_pending_request_of_a_node_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = "ADDED approved 1s kubernetes.io/kubelet-serving system:node:w <none> Approved,Issued
ADDED other 1s kubernetes.io/kube-apiserver-client-kubelet system:node:w <none> Pending
ADDED spaces 1s kubernetes.io/kubelet-serving system:node:w x y <none> Pending
ADDED more 1s kubernetes.io/kubelet-serving system:node:w <none> Pending x
ADDED ../name 1s kubernetes.io/kubelet-serving system:node:w <none> Pending
DELETED gone 1s kubernetes.io/kubelet-serving system:node:w <none> Pending
ADDED admin 1s kubernetes.io/kubelet-serving admin <none> Pending
";
    let said = first_lines(&mut approver(folder, rows), 1);
    assert_eq!(said, ["left pending: admin of admin: the requester is not a node"]);
    assert_eq!(lines(folder, "asked"), Vec::<String>::new());
}

#[test]
fn a_node_with_a_thousand_requests_delays_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bad = request(folder, "/O=system:nodes/CN=system:node:noisy", "DNS:cp-1");
    let mut rows = String::new();
    for number in 0..1000 {
        let pending = Pending::of(&format!("bad-{number}"), "noisy", bad.clone(), "noisy");
        pending.answer(folder);
        rows += &pending.row();
    }
    let good = Pending::of("good", "w", request(folder, "/O=system:nodes/CN=system:node:w", "DNS:w"), "w");
    good.answer(folder);
    rows += &good.row();
    let said = first_lines(&mut approver(folder, &rows), 7);
    assert_eq!(said[5], "system:node:noisy has more than 5 requests: the others wait");
    assert_eq!(said[6], "approved: good of system:node:w for w");
    assert_eq!(lines(folder, "asked"), ["bad-0", "bad-1", "bad-2", "bad-3", "bad-4", "good"]);
}

/// What is wrong with a request stays wrong; what is declared may change, and an API server that does not answer says nothing.
#[test]
fn a_request_is_judged_again_only_when_the_answer_may_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let subject = |node: &str| format!("/O=system:nodes/CN=system:node:{node}");
    let wrong = Pending::of("wrong", "a", request(folder, &subject("x"), "DNS:a"), "a");
    let early = Pending::of("early", "b", request(folder, &subject("b"), "DNS:b"), "");
    let unanswered = Pending::of("unanswered", "c", request(folder, &subject("c"), "DNS:c"), "c");
    let rows = [&wrong, &early, &unanswered].map(Pending::row).concat();
    wrong.answer(folder);
    early.answer(folder);
    let mut script = approver(folder, &rows);
    let kubectl = fs::read_to_string(folder.join("kubectl")).unwrap();
    // At the second look, b is declared and the API server knows about c.
    let later = "*\" --watch \"*) [ ! -e looked ] || { cp later/* .; }; : >looked; cat";
    executable(folder, "kubectl", &kubectl.replace("*\" --watch \"*) cat", later));
    fs::create_dir(folder.join("later")).unwrap();
    unanswered.answer(&folder.join("later"));
    Pending { declared: "b".into(), ..early }.answer(&folder.join("later"));
    let said = first_lines(&mut script, 4);
    let expected = [
        "left pending: wrong of system:node:a: its subject is not that of node a",
        "left pending: early of system:node:b: node b is not declared",
        "approved: early of system:node:b for b",
        "approved: unanswered of system:node:c for c",
    ];
    assert_eq!(said, expected);
    assert_eq!(lines(folder, "asked"), ["wrong", "early", "unanswered", "early", "unanswered"]);
}

/// A certificate request as a kubelet makes it, in PEM.
fn request(folder: &Path, subject: &str, names: &str) -> String {
    let key = folder.join("key");
    if !key.exists() {
        let output =
            Command::new("openssl").args(["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out"]).arg(&key).output();
        assert!(output.unwrap().status.success());
    }
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-subj", subject, "-addext", &format!("subjectAltName={names}"), "-key"]).arg(&key);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{names}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut all = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    all.extend(content);
    all
}

/// One extension: subject alternative names.
fn names(names: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|name| tlv(0x82, name.as_bytes())).collect();
    tlv(0x30, &[tlv(0x06, &[0x55, 0x1d, 0x11]), tlv(0x04, &tlv(0x30, &names))].concat())
}

/// One list of extensions, with this name.
fn list(name: &str) -> Vec<u8> {
    extensions(&[names(&[name])])
}

fn extensions(all: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &all.concat())
}

fn attribute(oid: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x06, oid), tlv(0x31, &values.concat())].concat())
}

fn extension_request(lists: &[Vec<u8>]) -> Vec<u8> {
    attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e], lists)
}

/// A request of this node in PEM, with a signature that holds.
fn signed(folder: &Path, node: &str, attributes: &[Vec<u8>]) -> String {
    signed_by(folder, node, attributes, "")
}

/// `other` is signed instead, unless it is empty.
fn signed_by(folder: &Path, node: &str, attributes: &[Vec<u8>], other: &str) -> String {
    let part = |oid: u8, text: &str| tlv(0x31, &tlv(0x30, &[tlv(0x06, &[0x55, 0x04, oid]), tlv(0x0c, text.as_bytes())].concat()));
    let subject = tlv(0x30, &[part(10, "system:nodes"), part(3, &format!("system:node:{node}"))].concat());
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let key = openssl(&["pkey", "-in", "key", "-pubout", "-outform", "DER"]);
    let info = tlv(0x30, &[vec![2, 1, 0], subject, key, tlv(0xa0, &attributes.concat())].concat());
    fs::write(folder.join("info"), if other.is_empty() { &info } else { other.as_bytes() }).unwrap();
    let signature = [vec![0], openssl(&["dgst", "-sha256", "-sign", "key", "info"])].concat();
    let algorithm = tlv(0x30, &tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
    let text = base64::prelude::BASE64_STANDARD.encode(tlv(0x30, &[info, algorithm, tlv(0x03, &signature)].concat()));
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", lines.join("\n"))
}
