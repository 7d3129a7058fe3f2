//! The programs that keep pods of different nodes connected, run with stand-ins for kubectl, ip and nft: the one that publishes who has which
//! share of the pod network, and the one that gives a host its routes.

use crate::scripts::{executable, first_lines};
use std::fs;
use std::path::Path;
use std::process::Command;

const POD_SHARES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_plane/pod-shares.sh");
const POD_NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/pod-network.sh");
const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/shares.awk");
const PODS: &str = "172.18.0.0/16=24,fd00:18::/56=64";

fn lines(folder: &Path, file: &str) -> Vec<String> {
    fs::read_to_string(folder.join(file)).unwrap_or_default().lines().map(String::from).collect()
}

// --- what is published

/// The publisher on these nodes ("CREATED NAME CIDR,…"), declared with these words ("NODE NAME ADDRESS…"), until it has said `count` lines;
/// what it said, and the routes that it published, without their end mark.
fn published(folder: &Path, nodes: &str, declared: &str, count: usize) -> (Vec<String>, Vec<String>) {
    let nodes = nodes.lines().map(|line| {
        let [created, name, cidrs] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        format!("{created} {name} cidrs:{}\n", cidrs.replace(':', "%3A").replace('/', "%2F"))
    });
    fs::write(folder.join("nodes"), nodes.collect::<String>() + "end").unwrap();
    let declared = declared.lines().map(|line| format!("declared {line}\n"));
    fs::write(folder.join("declared"), declared.collect::<String>() + "end").unwrap();
    let said = first_lines(&mut publisher(folder), count);
    let patch = fs::read_to_string(folder.join("published")).unwrap_or_default();
    let routes = patch.split_once("\"routes\":\"").map_or("", |(_, rest)| rest).trim_end().trim_end_matches("\"}}");
    assert!(patch.is_empty() || routes.ends_with("end\\n"), "{patch}");
    assert!(patch.is_empty() || patch.starts_with(r#"{"metadata":{"resourceVersion":"41"}"#), "{patch}");
    (said, routes.split("\\n").filter(|line| !line.is_empty() && *line != "end").map(String::from).collect())
}

fn publisher(folder: &Path) -> Command {
    let kubectl = r#"case "$*" in
*" --watch "*) echo uid-1; exec sleep 60 ;;
*" get configmap k8s-hardway-routes "*) echo 41; [ ! -e before ] || cat before ;;
*" get configmap k8s-hardway-nodes "*) cat declared ;;
*" get nodes "*) cat nodes ;;
*" patch "*) for last; do :; done; cp "${last#--patch-file=}" published; echo >>patches ;;
esac"#;
    executable(folder, "kubectl", kubectl);
    // Where it has nothing more to say, it is ended after ten seconds.
    let mut script = Command::new("timeout");
    script
        .args(["10", "sh", POD_SHARES, "./kubectl", "kubeconfig", PODS, FUNCTIONS])
        .current_dir(folder)
        .env("RUNTIME_DIRECTORY", folder);
    script
}

#[test]
fn a_route_goes_by_way_of_the_declared_address_of_each_family() {
    let nodes = "2026-11-28T10 b 172.18.1.0/24,fd00:18::/64,\n2026-11-28T11 c 172.18.2.0/24,fd00:18:0:1::/64,\n";
    let folder = tempfile::tempdir().unwrap();
    let (said, routes) = published(folder.path(), nodes, "b b 10.77.0.12 fd77::12\nc c fd77::13 10.77.0.13\n", 1);
    assert_eq!(said, ["published 4 routes"]);
    let expected = [
        "b 172.18.1.0/24 via 10.77.0.12",
        "b fd00:18::/64 via fd77::12",
        "c 172.18.2.0/24 via 10.77.0.13",
        "c fd00:18:0:1::/64 via fd77::13",
    ];
    assert_eq!(routes, expected);
}

/// What a node may write into its own object.
#[test]
fn only_a_share_of_the_pod_network_is_published() {
    let bad = [
        "0.0.0.0/0",
        "10.96.0.1/32",
        "192.0.2.11/32",
        "172.18.1.0/25",
        "172.18.1.0/024",
        "fd00:18::/064",
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
    let good = [
        ("172.18.255.0/24", "172.18.255.0/24"),
        ("fd00:18:0:ff::/64", "fd00:18:0:ff::/64"),
        ("fd00:18:0:1:0:0:0:0/64", "fd00:18:0:1::/64"),
        ("fd00:0018:0::/64", "fd00:18::/64"),
    ];
    let (mut nodes, mut declared) = (String::new(), String::new());
    for (number, cidr) in bad.iter().chain(good.iter().map(|(cidr, _)| cidr)).enumerate() {
        nodes += &format!("2026-11-{:02} n{number} {cidr},\n", number + 1);
        declared += &format!("n{number} n{number} 10.77.0.{number} fd77::{number}\n");
    }
    let folder = tempfile::tempdir().unwrap();
    let (said, routes) = published(folder.path(), &nodes, &declared, bad.len() + 1);
    for (number, cidr) in bad.iter().enumerate() {
        assert_eq!(said[number], format!("node n{number} has {cidr}, which is no share of {PODS}: no route to it"));
    }
    let routes: Vec<&str> = routes.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(routes, good.map(|(_, share)| share));
}

/// In whatever notation, and whatever the order of their names.
#[test]
fn a_share_is_that_of_the_oldest_node_that_has_it() {
    let nodes = "2026-11-29T10 a fd00:18:0:0:0:0:0:0/64,\n2026-11-28T10 b fd00:18::/64,\n2026-11-29T11 c 172.18.1.0/24,\n";
    let folder = tempfile::tempdir().unwrap();
    let (said, routes) = published(folder.path(), nodes, "a a fd77::a\nb b fd77::b\nc c fd77::c\n", 3);
    let expected = [
        "node a has fd00:18::/64, which node b had first: no route to it",
        "node c is declared with no address for 172.18.1.0/24: no route to it",
        "published 1 routes",
    ];
    assert_eq!(said, expected);
    assert_eq!(routes, ["b fd00:18::/64 via fd77::b"]);
}

#[test]
fn nothing_is_published_that_does_not_follow_from_whole_lists() {
    for cut_off in ["nodes", "declared", "sort", ""] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let nodes = "2026-11-28T10 b cidrs:172.18.1.0%2F24,\n2026-11-28T11 c cidrs:172.18.2.0%2F24,\n";
        for (file, text) in [("nodes", nodes), ("declared", "declared b b 10.77.0.12\ndeclared c c 10.77.0.13\n")] {
            fs::write(folder.join(file), format!("{text}{}", if file == cut_off { "" } else { "end" })).unwrap();
        }
        let mut script = publisher(folder);
        if cut_off == "sort" {
            // As if it were killed.
            executable(folder, "sort", "head -n 1");
            script.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
        }
        let said = first_lines(&mut script, 1);
        let failed = "cannot publish routes, trying again: a list was cut off";
        assert_eq!(said, [if cut_off.is_empty() { "published 2 routes" } else { failed }], "{cut_off}");
        assert_eq!(folder.join("published").exists(), cut_off.is_empty(), "{cut_off}");
    }
}

/// Three hosts publish, and each of them again every few minutes.
#[test]
fn what_is_published_already_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("before"), "b 172.18.1.0/24 via 10.77.0.12\nend\n").unwrap();
    let nodes = "2026-11-28T10 b 172.18.1.0/24,\n2026-11-28T10 c 172.18.1.0/24,\n";
    let (said, routes) = published(folder, nodes, "b b 10.77.0.12\nc c 10.77.0.13\n", 2);
    assert_eq!(said, ["node c has 172.18.1.0/24, which node b had first: no route to it"]);
    assert_eq!((routes.len(), lines(folder, "patches").len()), (0, 0));
}

// --- what a host makes of it

/// What the pod network of node `a` says first, and the commands that it gave to ip.
fn host(versions: &[&str], shown: &str, count: usize) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let said = first_lines(&mut host_of(folder.path(), versions, shown), count);
    (said, lines(folder.path(), "commands"))
}

/// The pod network of node `a`, where a watch brings one of `versions` after the other. `shown` are routes that the kernel has at first.
fn host_of(folder: &Path, versions: &[&str], shown: &str) -> Command {
    fs::write(folder.join("shown"), shown).unwrap();
    for (number, version) in versions.iter().enumerate() {
        fs::write(folder.join(format!("version.{number}")), version).unwrap();
    }
    executable(
        folder,
        "kubectl",
        "echo >>asked; for version in version.*; do cat \"$version\"; /bin/sleep 0.5; done; exec /bin/sleep 60",
    );
    let show = r#"case "$*" in
"-4 route show "*) grep -v : shown ;;
"-6 route show "*) grep : shown ;;
*) echo "ip $*" >>commands
  if [ "$3" = del ]; then grep -v "^$4 $5 $6 " shown >left; else grep -v "^$4 .* metric 7700 " shown >left; fi
  mv left shown
  [ "$3" = del ] || echo "$4 $5 $6 dev eth0 metric ${10-} " >>shown ;;
esac; true"#;
    executable(folder, "ip", show);
    executable(folder, "nft", r#"echo "nft $*" >>commands"#);
    // A minute, and the wait for another try.
    executable(folder, "sleep", "exec /bin/sleep 0.3");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut script = Command::new("sh");
    // Without the arguments of a node: it would write the CNI configuration of the machine that runs this.
    script.args([POD_NETWORK, "a", "./kubectl", "kubeconfig", PODS, FUNCTIONS]);
    script.current_dir(folder).env("RUNTIME_DIRECTORY", folder).env("PATH", path);
    script
}

#[test]
fn routes_follow_what_is_published_in_both_families() {
    let first = "a 172.18.0.0/24 via 10.77.0.11\nb 172.18.1.0/24 via 10.77.0.12\nb fd00:18::/64 via fd77::12\nend\n";
    let moved = "b 172.18.1.0/24 via 10.77.0.13\nb fd00:18::/64 via fd77::12\nend\n";
    let (said, commands) = host(&[first, moved, "c 172.18.2.0/24 via 10.77.0.14\nend\n"], "", 6);
    let expected = [
        "route replace 172.18.1.0/24 via 10.77.0.12",
        "route replace fd00:18::/64 via fd77::12",
        "route replace 172.18.1.0/24 via 10.77.0.13",
        "route replace 172.18.2.0/24 via 10.77.0.14",
        "route del 172.18.1.0/24 via 10.77.0.13",
        "route del fd00:18::/64 via fd77::12",
    ];
    assert_eq!(said, expected);
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let (family, metric) =
                (if line.contains("fd00") { "-6" } else { "-4" }, if line.contains("replace") { " metric 7700" } else { "" });
            format!("ip {family} {line} proto 77{metric}")
        })
        .collect();
    assert_eq!(commands, expected);
}

/// Those have no metric, and win.
#[test]
fn routes_of_an_earlier_version_go_once_the_same_are_there_with_a_metric() {
    let kernel = "172.18.1.0/24 via 10.77.0.12 dev eth0 \n172.18.2.0/24 via 10.77.0.13 dev eth0 \n";
    let (said, _) = host(&["b 172.18.1.0/24 via 10.77.0.12\nc 172.18.2.0/24 via 10.77.0.14\nend\n"], kernel, 4);
    let expected = [
        "route replace 172.18.1.0/24 via 10.77.0.12",
        "route replace 172.18.2.0/24 via 10.77.0.14",
        "route del 172.18.1.0/24 via 10.77.0.12",
        "route del 172.18.2.0/24 via 10.77.0.13",
    ];
    assert_eq!(said, expected);
}

#[test]
fn routes_go_when_a_whole_list_lacks_them_and_not_because_nothing_came() {
    let kernel = "172.18.1.0/24 via 10.77.0.12 dev eth0 metric 7700 \n172.18.9.0/24 via 10.77.0.99 dev eth0 metric 7700 \n";
    let cut_off = "b 172.18.1.0/24 via 10.77.0.12\nc 172.18.2.0/24 via 10.77\n";
    let whole =
        format!("{}e 172.18.5.0/24 via 10.77.0.15\nend\n", kernel.replace("172", "b 172").replace(" dev eth0 metric 7700 ", ""));
    for nothing in ["", cut_off] {
        let (said, _) = host(&[nothing, "", &whole], kernel, 2);
        assert!(said[0].starts_with("no routes are published so far"), "{said:?}");
        assert_eq!(said[1], "route replace 172.18.5.0/24 via 10.77.0.15", "after {nothing:?}");
    }
    let (said, _) = host(&["d 172.18.4.0/24 via 10.77.0.14\nend\n", "d 172.18.4.0/24 via 10.77.0.15\nend\n"], kernel, 4);
    let deleted = ["route del 172.18.1.0/24 via 10.77.0.12", "route del 172.18.9.0/24 via 10.77.0.99"];
    assert_eq!(said[0], "route replace 172.18.4.0/24 via 10.77.0.14");
    assert_eq!(said[1..3], deleted);
    assert_eq!(said[3], "route replace 172.18.4.0/24 via 10.77.0.15");
}

#[test]
fn what_is_published_gets_a_route_only_where_it_is_a_share() {
    let bad = "b 0.0.0.0/0 via 10.77.0.66\nb 10.96.0.1/32 via 10.77.0.66\nb 172.18.1.0/24 via fd77::66\nb 172.18.1.0/24 dev eth0\n\
               b fd00:18:0:0:0:0:0:0/64 via fd77::66\nb 172.18.1.0/24 via 10.77.0.12 metric\nb 172.18.1.0/24 via ;reboot\n";
    let (said, commands) = host(&[&format!("{bad}c 172.18.2.0/24 via 10.77.0.14\nend\n")], "", 1);
    assert_eq!(said, ["route replace 172.18.2.0/24 via 10.77.0.14"]);
    assert_eq!(commands.len(), 1, "{commands:?}");
}

/// At the next look of the host, and the API server is not asked.
#[test]
fn a_route_that_somebody_else_changed_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The kernel forgets every route at once.
    let mut script = host_of(folder, &["b 172.18.1.0/24 via 10.77.0.12\nend\n"], "");
    executable(folder, "ip", "true");
    assert_eq!(first_lines(&mut script, 3), ["route replace 172.18.1.0/24 via 10.77.0.12"; 3]);
    assert_eq!(lines(folder, "asked").len(), 1);
}

/// Whoever installed one beside an earlier version of the provider has it connect pods, and said nothing of it.
#[test]
fn an_add_on_that_connects_pods_already_goes_on_doing_so() {
    let former = "10-k8s-hardway.conflist";
    for (others, ours) in [("05-cilium.conflist", former), ("87-podman.conflist", "00-k8s-hardway.conflist")] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        host_of(folder, &["a 172.18.0.0/24 via 10.77.0.11\nend\n"], "");
        let directory = folder.join("net.d");
        fs::create_dir(&directory).unwrap();
        [others, former].iter().for_each(|name| fs::write(directory.join(name), "").unwrap());
        start_with(folder, &directory);
        let mut names: Vec<String> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let mut expected = [others, ours];
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(fs::read_to_string(directory.join(ours)).unwrap().contains("172.18.0.0/24"));
    }
}

/// Until it has written where pods of this node get their addresses from.
fn start_with(folder: &Path, directory: &Path) {
    let script = fs::read_to_string(POD_NETWORK).unwrap().replace("/etc/cni/net.d", directory.to_str().unwrap());
    fs::write(folder.join("pod-network"), script).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut node = Command::new("sh");
    node.args(["pod-network", "a", "./kubectl", "kubeconfig", PODS, FUNCTIONS, "nft-file", "nftables"]).current_dir(folder);
    let said = first_lines(node.env("PATH", path).env("RUNTIME_DIRECTORY", folder), 1);
    assert!(said[0].starts_with("pods of this node get addresses of 172.18.0.0/24"), "{said:?}");
}

/// Pods that install another network may write where the configuration stands.
#[test]
fn the_configuration_of_a_node_is_not_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    host_of(folder, &["a 172.18.0.0/24 via 10.77.0.11\nend\n"], "");
    let (directory, precious) = (folder.join("net.d"), folder.join("precious"));
    fs::create_dir(&directory).unwrap();
    fs::write(&precious, "theirs").unwrap();
    for name in ["00-k8s-hardway.conflist", "00-k8s-hardway.conflist.unfinished"] {
        std::os::unix::fs::symlink(&precious, directory.join(name)).unwrap();
    }
    start_with(folder, &directory);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "theirs");
    let configuration = directory.join("00-k8s-hardway.conflist");
    assert!(!configuration.is_symlink() && fs::read_to_string(configuration).unwrap().contains("172.18.0.0/24"));
}
