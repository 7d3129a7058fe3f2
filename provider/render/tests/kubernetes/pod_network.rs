//! The script that keeps pods of different nodes connected, run with stand-ins for kubectl, ip and nft.

use crate::scripts::{executable, first_lines, short_timeout};
use std::fs;
use std::process::Command;

const POD_NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/pod-network.sh");
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
    executable(
        folder,
        "ip",
        r#"case "$*" in *"-4 route show "*) cat shown 2>/dev/null ;; *" show "*) ;; *) echo "ip $*" >>commands ;; esac"#,
    );
    executable(folder, "nft", r#"echo "nft $*" >>commands"#);
    let mut script = Command::new("sh");
    let path = short_timeout(folder);
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
