//! The scripts that run on hosts, run here: with a stand-in for kubectl (and for ip and nft), and the real openssl and awk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const APPROVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_plane/csr-approver.sh");
const POD_NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/pod-network.sh");
const RESOLV_CONF: &str = include_str!("../../src/node/resolv-conf.sh");

fn executable(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts the script in a process group of its own and returns the first `count` lines that it says; then it is ended.
fn first_lines(command: &mut Command, count: usize) -> Vec<String> {
    use std::os::unix::process::CommandExt;
    let mut child: Child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(count).map(Result::unwrap).collect();
    let ended = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status().unwrap();
    assert!(ended.success());
    child.wait().unwrap();
    lines
}

/// A certificate request as a kubelet makes it, in the base64 of its PEM.
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
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(output.stdout)
}

#[test]
fn the_approver_approves_what_a_node_was_declared_with_and_nothing_else() {
    const SUBJECT: &str = "/O=system:nodes/CN=system:node:worker-1";
    const NODES: &str = "groups:system%3Anodes,system%3Aauthenticated,";
    const SERVER: &str = "usages:digital+signature,server+auth,";
    const NEWLINE: &str = "DER:30:19:82:09:77:6f:72:6b:65:72:2d:31:0a:82:0c:65:76:69:6c:2e:65:78:61:6d:70:6c:65";
    let all = "DNS:worker-1,IP:10.77.0.16,IP:fd77:0:0:1::16";
    #[rustfmt::skip]
    let table = [
        ("good", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, all, None),
        ("rsa", "system%3Anode%3Aworker-1", NODES, "usages:key+encipherment,digital+signature,server+auth,", SUBJECT, "IP:10.77.0.16", None),
        ("notation", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, "IP:fd77::1:0:0:0:16", None),
        ("name", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, "DNS:worker-1,DNS:worker-2", Some("the node was not declared with dns worker-2")),
        ("address", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, "IP:10.77.0.1", Some("the node was not declared with ip 0A4D0001")),
        ("uri", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, "DNS:worker-1,URI:spiffe://x", Some("it asks for something else than DNS names and addresses")),
        ("newline", "system%3Anode%3Aworker-1", NODES, SERVER, SUBJECT, NEWLINE, Some("a DNS name of the request holds a character that no name has")),
        ("subject", "system%3Anode%3Aworker-1", NODES, SERVER, "/O=system:nodes/CN=system:node:worker-2", all, Some("its subject is not that of node worker-1")),
        ("masters", "system%3Anode%3Aworker-1", NODES, SERVER, "/O=system:nodes/O=system:masters/CN=system:node:worker-1", all, Some("its subject is not that of node worker-1")),
        ("user", "admin", NODES, SERVER, SUBJECT, all, Some("the requester is not a node")),
        ("group", "system%3Anode%3Aworker-1", "groups:system%3Aauthenticated,", SERVER, SUBJECT, all, Some("the requester is not in group system:nodes")),
        ("client", "system%3Anode%3Aworker-1", NODES, "usages:server+auth,client+auth,", SUBJECT, all, Some("usage 'client auth' is not one of a server")),
        ("usage", "system%3Anode%3Aworker-1", NODES, "usages:digital+signature,", SUBJECT, all, Some("usage 'server auth' is missing")),
        ("stranger", "system%3Anode%3Aworker-9", NODES, SERVER, "/O=system:nodes/CN=system:node:worker-9", "DNS:worker-9", Some("node worker-9 is not declared. ")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let events: String = table
        .iter()
        .map(|(name, user, groups, usages, subject, names, _)| {
            format!("{name} {user} {groups} {usages} {}\n", request(folder, subject, names))
        })
        .collect();
    fs::write(folder.join("events"), events).unwrap();
    let kubectl = r#"case "$*" in
*"get certificatesigningrequests"*) cat events && exec sleep 60 ;;
*"get configmap"*worker-1*) echo "worker-1 10.77.0.16 fd77:0:0:1::16" ;;
*"certificate approve"*) for name; do :; done; echo "$name" >>approved ;;
esac"#;
    executable(folder, "kubectl", kubectl);
    let mut approver = Command::new("sh");
    approver.args([APPROVER, "./kubectl", "kubeconfig"]).current_dir(folder).env("RUNTIME_DIRECTORY", folder);
    let said = first_lines(&mut approver, table.len());
    let expected: Vec<String> = table
        .iter()
        .map(|(name, user, .., objection)| {
            let user = user.replace("%3A", ":");
            match objection {
                Some(why) => format!("left pending: {name} of {user}: {why}"),
                None => format!("approved: {name} of {user}"),
            }
        })
        .collect();
    assert_eq!(said, expected);
    assert_eq!(fs::read_to_string(folder.join("approved")).unwrap(), "good\nrsa\nnotation\n");
}

/// Runs the pod network of node `a` on the given events and returns the commands that it gave to ip and nft.
fn pod_network(events: &str, lines: usize) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("events"), events).unwrap();
    executable(folder, "kubectl", "cat events && exec sleep 60");
    executable(folder, "ip", r#"case "$*" in *" show "*) ;; *) echo "ip $*" >>commands ;; esac"#);
    executable(folder, "nft", r#"echo "nft $*" >>commands"#);
    let mut script = Command::new("sh");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    script.args([POD_NETWORK, "a", "./kubectl", "kubeconfig", "rules.nft", "nftables"]);
    script.current_dir(folder).env("RUNTIME_DIRECTORY", folder).env("PATH", path);
    let said = first_lines(&mut script, lines);
    let commands = fs::read_to_string(folder.join("commands")).unwrap();
    (said, commands.lines().map(String::from).collect())
}

#[test]
fn routes_follow_the_nodes_in_both_families() {
    let events = "ADDED b addresses:10.77.0.12,fd77%3A%3A12, cidrs:172.18.1.0%2F24,fd00%3A18%3A%3A%2F64,
MODIFIED b addresses:10.77.0.12,fd77%3A%3A12, cidrs:172.18.1.0%2F24,fd00%3A18%3A%3A%2F64,
MODIFIED b addresses:10.77.0.13,fd77%3A%3A12, cidrs:172.18.1.0%2F24,fd00%3A18%3A%3A%2F64,
ADDED c addresses:10.77.0.14, cidrs:172.18.2.0%2F24,fd00%3A19%3A%3A%2F64,
DELETED b addresses: cidrs:
";
    let (said, commands) = pod_network(events, 4);
    let expected = [
        "routes to b: 172.18.1.0/24 via 10.77.0.12 fd00:18::/64 via fd77::12",
        "routes to b: 172.18.1.0/24 via 10.77.0.13 fd00:18::/64 via fd77::12",
        "routes to c: 172.18.2.0/24 via 10.77.0.14",
        "routes to b: none",
    ];
    assert_eq!(said, expected);
    let expected = [
        "nft -f rules.nft",
        "ip -4 route replace 172.18.1.0/24 via 10.77.0.12 proto 77",
        "ip -6 route replace fd00:18::/64 via fd77::12 proto 77",
        "ip -4 route replace 172.18.1.0/24 via 10.77.0.13 proto 77",
        "ip -4 route replace 172.18.2.0/24 via 10.77.0.14 proto 77",
        "ip -4 route del 172.18.1.0/24 via 10.77.0.13 proto 77",
        "ip -6 route del fd00:18::/64 via fd77::12 proto 77",
    ];
    assert_eq!(commands, expected);
}

#[test]
fn a_node_cannot_speak_for_another() {
    // An address with a line break and an event of another node in it, as urlquery gives it.
    let events = "ADDED b addresses:10.77.0.12%0AADDED+c+addresses%3A10.77.0.12%2C, cidrs:172.18.1.0%2F24,
ADDED d addresses:10.77.0.14, cidrs:172.18.3.0%2F24,
";
    let (said, commands) = pod_network(events, 2);
    assert_eq!(said, ["node b reports addresses that are none", "routes to d: 172.18.3.0/24 via 10.77.0.14"]);
    assert_eq!(commands, ["nft -f rules.nft", "ip -4 route replace 172.18.3.0/24 via 10.77.0.14 proto 77"]);
}

#[test]
fn pods_always_get_a_name_server() {
    #[track_caller]
    fn check(host: Option<&str>, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("host");
        if let Some(text) = host {
            fs::write(&source, text).unwrap();
        }
        let script = RESOLV_CONF
            .replace("/run/systemd/resolve/resolv.conf", "/nowhere")
            .replace("/etc/resolv.conf", source.to_str().unwrap());
        let output = folder.path().join("out");
        let status = Command::new("sh").args(["-c", &script, "kubelet-resolv-conf", "10.0.0.1"]).arg(&output).status().unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(output).unwrap(), expect, "{host:?}");
    }
    check(None, "nameserver fe80::1\n");
    check(Some(""), "nameserver fe80::1\n");
    check(Some("# nothing\nsearch example\n"), "nameserver fe80::1\n");
    check(Some("nameserver 127.0.0.53\noptions edns0\n"), "nameserver 10.0.0.1\n");
    check(Some("nameserver ::1\n"), "nameserver 10.0.0.1\n");
    check(Some("nameserver 192.0.2.1\n"), "nameserver 192.0.2.1\n");
    check(Some("# c\nnameserver 127.0.0.1\nnameserver ::12\nsearch a b\n"), "nameserver ::12\nsearch a b\n");
}
