//! The scripts that run on hosts, run here: with a stand-in for kubectl (and for ip and nft), and the real openssl and awk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const APPROVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_plane/csr-approver.sh");
const POD_NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/pod-network.sh");
const RESOLV_CONF: &str = include_str!("../../src/node/resolv-conf.sh");

/// For all the lines that a test waits for.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

fn executable(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts the script in a process group of its own and returns the first `count` lines that it says; then it is ended.
fn first_lines(command: &mut Command, count: usize) -> Vec<String> {
    use std::os::unix::process::CommandExt;
    let mut child: Child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (group, (done, waiting)) = (format!("-{}", child.id()), std::sync::mpsc::channel::<()>());
    let end = move |group: &str| Command::new("kill").args(["-KILL", "--", group]).status().unwrap().success();
    let watched = group.clone();
    let watchdog = std::thread::spawn(move || waiting.recv_timeout(LONGEST).is_err_and(|_| end(&watched)));
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(count).map(Result::unwrap).collect();
    let _ = done.send(());
    let was_late = watchdog.join().unwrap();
    end(&group);
    child.wait().unwrap();
    assert!(!was_late, "after {LONGEST:?} it has said only {lines:#?}");
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

/// What a node may send that one parser reads in another way than the next: whoever signs a request must read what was approved.
#[test]
fn the_approver_approves_no_request_that_can_be_read_in_two_ways() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    request(folder, "/CN=makes-the-key", "DNS:x");
    let (good, evil) = (names(&["worker-1"]), names(&["cp-1"]));
    let [good, evil] = [good, evil].map(|names| extension_request(&[extensions(&[names])]));
    let decoy = |inside: &[u8]| attribute(&[0x2a, 0x03, 0x04], &[inside.to_vec()]);
    let copy = decoy(&extensions(&[names(&["worker-1"])]));
    let cut_off = decoy(&[extensions(&[names(&["worker-1"])]), vec![0x30, 0x7f, 0x01]].concat());
    let both = extension_request(&[extensions(&[names(&["worker-1"])]), extensions(&[names(&["cp-1"])])]);
    let twice = extension_request(&[extensions(&[names(&["worker-1"]), names(&["cp-1"])])]);
    let nested = extension_request(&[extensions(&[tlv(0x30, &names(&["worker-1"]))])]);
    let pem = |attributes: &[Vec<u8>]| signed(folder, attributes);
    let one = pem(&[good.clone()]);
    let header = one.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    let other = "its attributes";
    let table: Vec<(&str, String, Option<&str>)> = vec![
        ("plain", one.clone(), None),
        ("evil", pem(&[evil.clone()]), Some("the node was not declared with dns cp-1")),
        ("decoy-first", pem(&[copy.clone(), evil.clone()]), Some(other)),
        ("decoy-last", pem(&[evil.clone(), copy]), Some(other)),
        ("decoy-cut-off", pem(&[cut_off, evil.clone()]), Some(other)),
        ("two-requests", pem(&[good.clone(), evil]), Some(other)),
        ("two-lists", pem(&[both]), Some(other)),
        ("two-names", pem(&[twice]), Some(other)),
        ("nested", pem(&[nested]), Some(other)),
        ("no-attribute", pem(&[]), Some(other)),
        ("two-blocks", format!("{one}{one}"), Some(other)),
        ("text-before", format!("hello\n{one}"), Some(other)),
        ("text-behind", format!("{one}hello\n"), Some(other)),
        ("header", header, Some(other)),
        ("carriage-returns", one.replace('\n', "\r\n"), Some(other)),
    ];
    use base64::Engine;
    let event = |(name, pem, _): &(&str, String, Option<&str>)| {
        let request = base64::prelude::BASE64_STANDARD.encode(pem);
        format!("{name} system%3Anode%3Aworker-1 groups:system%3Anodes, usages:digital+signature,server+auth, {request}\n")
    };
    fs::write(folder.join("events"), table.iter().map(event).collect::<String>()).unwrap();
    let kubectl = r#"case "$*" in
*"get certificatesigningrequests"*) cat events && exec sleep 60 ;;
*"get configmap"*worker-1*) echo "worker-1" ;;
*"certificate approve"*) for name; do :; done; echo "$name" >>approved ;;
esac"#;
    executable(folder, "kubectl", kubectl);
    let mut approver = Command::new("sh");
    approver.args([APPROVER, "./kubectl", "kubeconfig"]).current_dir(folder).env("RUNTIME_DIRECTORY", folder);
    let said = first_lines(&mut approver, table.len());
    for ((name, _, refused), line) in table.iter().zip(&said) {
        let begin = if refused.is_some() { "left pending" } else { "approved" };
        assert!(line.starts_with(&format!("{begin}: {name} of ")), "{name}: {line}");
        assert!(refused.is_none_or(|why| why == other || line.ends_with(why)), "{name}: {line}");
    }
    assert_eq!(fs::read_to_string(folder.join("approved")).unwrap(), "plain\n");
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

fn extensions(all: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &all.concat())
}

fn attribute(oid: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x06, oid), tlv(0x31, &values.concat())].concat())
}

fn extension_request(lists: &[Vec<u8>]) -> Vec<u8> {
    attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e], lists)
}

/// A request of worker-1 in PEM, with a signature that holds.
fn signed(folder: &Path, attributes: &[Vec<u8>]) -> String {
    let part = |oid: u8, text: &str| tlv(0x31, &tlv(0x30, &[tlv(0x06, &[0x55, 0x04, oid]), tlv(0x0c, text.as_bytes())].concat()));
    let subject = tlv(0x30, &[part(10, "system:nodes"), part(3, "system:node:worker-1")].concat());
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let key = openssl(&["pkey", "-in", "key", "-pubout", "-outform", "DER"]);
    let info = tlv(0x30, &[vec![2, 1, 0], subject, key, tlv(0xa0, &attributes.concat())].concat());
    fs::write(folder.join("info"), &info).unwrap();
    let signature = [vec![0], openssl(&["dgst", "-sha256", "-sign", "key", "info"])].concat();
    let algorithm = tlv(0x30, &tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(tlv(0x30, &[info, algorithm, tlv(0x03, &signature)].concat()));
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", lines.join("\n"))
}

const PODS: &str = "172.18.0.0/16=24,fd00:18::/56=64";

/// Runs the pod network of node `a` on the given events and returns the commands that it gave to ip and nft.
fn pod_network(events: &str, lines: usize) -> (Vec<String>, Vec<String>) {
    pod_network_with(events, "cat events && exec sleep 60", lines)
}

/// A watch ends after two seconds, as if a minute had passed. `shown` are routes that the kernel has.
fn pod_network_with(events: &str, kubectl: &str, lines: usize) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("events"), events).unwrap();
    executable(folder, "kubectl", kubectl);
    let real = Command::new("sh").args(["-c", "command -v timeout"]).output().unwrap().stdout;
    executable(folder, "timeout", &format!("shift; exec {} 2 \"$@\"", String::from_utf8(real).unwrap().trim()));
    executable(
        folder,
        "ip",
        r#"case "$*" in *"-4 route show "*) cat shown 2>/dev/null ;; *" show "*) ;; *) echo "ip $*" >>commands ;; esac"#,
    );
    executable(folder, "nft", r#"echo "nft $*" >>commands"#);
    let mut script = Command::new("sh");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    script.args([POD_NETWORK, "a", "./kubectl", "kubeconfig", PODS]);
    // On a node it would write the CNI configuration of the machine that runs this, when it sees its own node.
    if !events.contains(" a ") {
        script.args(["rules.nft", "nftables"]);
    }
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
ADDED c addresses:10.77.0.14, cidrs:172.18.2.0%2F24,fd00%3A18%3A0%3A1%3A%3A%2F64,
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
fn only_a_share_of_the_pod_network_gets_a_route() {
    let bad = [
        "0.0.0.0/0",
        "10.96.0.1/32",
        "192.0.2.11/32",
        "172.18.1.0/25",
        "172.18.0.0/16",
        "172.19.1.0/24",
        "172.18.1.1/24",
        "172.18.01.0/24",
        "172.18.1/24",
        "172.18.1.0",
        "172.18.1.0/24/24",
        "::/0",
        "fd00:18:0:100::/64",
        "fd00:18::1/64",
        "fd00:18::/65",
        "fd00::18::/64",
        "fd00:18:0:0:0:0:0:0:0/64",
        "fd00:18:00001::/64",
        "fd00:18/64",
        "/24",
        "",
    ];
    let good = ["172.18.255.0/24", "fd00:18:0:ff::/64", "fd00:18:0:1:0:0:0:0/64"];
    let mut events = String::new();
    for (number, cidr) in bad.iter().chain(&good).enumerate() {
        let escaped = cidr.replace('/', "%2F").replace(':', "%3A");
        events += &format!("ADDED n{number} addresses:10.77.0.{number},fd77%3A%3A{number}, cidrs:{escaped},\n");
    }
    let (said, commands) = pod_network(&events, bad.len() + good.len());
    for (number, cidr) in bad.iter().enumerate() {
        assert_eq!(said[number], format!("node n{number} has {cidr}, which is no share of {PODS}: no route to it"));
    }
    let routes: Vec<String> =
        said[bad.len()..].iter().map(|line| line.split(": ").nth(1).unwrap().split(' ').next().unwrap().into()).collect();
    assert_eq!(routes, good);
    assert_eq!(commands.len(), 1 + good.len(), "{commands:?}");
}

/// `b` is older than `d`, whatever the order in which they are seen.
#[test]
fn a_share_goes_to_the_node_that_had_it_first() {
    let kubectl = r#"case "$*" in
*"get nodes "*"--watch"*) cat events && exec sleep 60 ;;
*"get nodes "*) printf '2026-11-28T10:00:00Z b\n2026-11-29T10:00:00Z d\n' ;;
esac"#;
    let (b, d) =
        ("ADDED b addresses:10.77.0.12, cidrs:172.18.1.0%2F24,\n", "ADDED d addresses:10.77.0.66, cidrs:172.18.1.0%2F24,\n");
    let own = "ADDED a addresses:10.77.0.11, cidrs:172.18.0.0%2F24,\nADDED e addresses:10.77.0.67, cidrs:172.18.0.0%2F24,\n";
    let refused = "node d has 172.18.1.0/24, which node b had first: no route to it";
    let (said, _) = pod_network_with(&format!("{b}{d}{d}{own}"), kubectl, 3);
    let of_own = "node e has 172.18.0.0/24, which node a had first: no route to it";
    assert_eq!(said, ["routes to b: 172.18.1.0/24 via 10.77.0.12", refused, of_own]);
    let (said, commands) = pod_network_with(&format!("{d}{b}{d}"), kubectl, 4);
    let routes =
        ["routes to d: 172.18.1.0/24 via 10.77.0.66", "routes to d: none", "routes to b: 172.18.1.0/24 via 10.77.0.12", refused];
    assert_eq!(said, routes);
    assert_eq!(commands.last().unwrap(), "ip -4 route replace 172.18.1.0/24 via 10.77.0.12 proto 77");
}

/// The first watch lists two nodes, the next ones hang without a word.
#[test]
fn routes_go_when_their_node_is_gone_and_not_because_nobody_answers() {
    let events = "ADDED b addresses:10.77.0.12, cidrs:172.18.1.0%2F24,\nADDED c addresses:10.77.0.13, cidrs:172.18.2.0%2F24,\n";
    let with_answers = |answers: &str| {
        format!(
            r#"echo "172.18.9.0/24 via 10.77.0.99 " >shown
case "$*" in
*"--watch"*) [ -e listed ] || cat events; [ ! -e listed ] || echo "cannot see" >&2; : >listed; exec sleep 60 ;;
{answers}
*) exec sleep 60 ;;
esac"#
        )
    };
    // Said at the end of the second watch, when there is nothing else to say.
    let (said, commands) = pod_network_with(events, &with_answers(""), 3);
    assert_eq!(said[2], "cannot watch nodes, trying again: cannot see");
    assert!(!commands.iter().any(|command| command.contains(" del ")), "{commands:?}");
    let whole = r#"*"get nodes "*) echo "b end" ;;
*"get node b "*) echo node/b ;;
*"get node c "*) ;;"#;
    let (said, commands) = pod_network_with(events, &with_answers(whole), 3);
    assert_eq!(said[2], "routes to c: none");
    let deleted: Vec<&String> = commands.iter().filter(|command| command.contains(" del ")).collect();
    let expected =
        ["ip -4 route del 172.18.9.0/24 via 10.77.0.99 proto 77", "ip -4 route del 172.18.2.0/24 via 10.77.0.13 proto 77"];
    assert_eq!(deleted, expected, "that of nobody, when all nodes were seen, and that of the node that is gone");
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
