//! Goldens of every address family, and the verdict of the real programs on each of them.

use super::*;
use crate::spec::{Architecture, HealthCheck};
use crate::{Host, Listener};
use bundle::OnChange;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CASES: [(&str, &[&str], &[&str]); 5] = [
    ("ipv4", &["10.77.0.11", "10.77.0.12"], &["10.77.0.100/24"]),
    ("ipv6", &["fd77::11", "fd77::12"], &["fd77::100/64"]),
    ("dual-stack", &["10.77.0.11 fd77::11", "10.77.0.12 fd77::12"], &["10.77.0.100/24", "fd77::100/64"]),
    ("one-host", &["10.77.0.11"], &["10.77.0.100/24"]),
    ("dual-stack-on-ipv4-hosts", &["10.77.0.11", "10.77.0.12", "10.77.0.13"], &["10.77.0.100/24", "fd77::100/64"]),
];

fn spec(addresses: &[&str], virtual_addresses: &[&str]) -> LoadBalancerSpec {
    let host = |(index, addresses): (usize, &&str)| {
        let mut addresses = addresses.split(' ').map(|address| address.parse().unwrap());
        let host =
            Host { address: addresses.next().unwrap(), secondary_address: addresses.next(), architecture: Architecture::Amd64 };
        (HostName::parse(format!("lb-{}", index + 1)).unwrap(), host)
    };
    let listener = |port, backends: &[&str], health_check| Listener {
        port,
        backends: backends.iter().map(ToString::to_string).collect(),
        health_check,
    };
    let readyz = HealthCheck::Https { path: "/readyz".into() };
    LoadBalancerSpec {
        name: "api".into(),
        hosts: addresses.iter().enumerate().map(host).collect(),
        virtual_addresses: virtual_addresses.iter().map(|net| net.parse().unwrap()).collect(),
        listeners: BTreeMap::from([
            ("apiserver".into(), listener(6443, &["10.77.0.13:6443", "10.77.0.14:6443", "[fd77::15]:6443"], readyz)),
            ("https".into(), listener(443, &["10.77.0.16:30443", "localhost:30443"], HealthCheck::Tcp)),
            ("later".into(), listener(8443, &[], HealthCheck::Tcp)),
        ]),
        virtual_router_id: 51,
        advertisement_interval_centiseconds: 20,
        interface: None,
    }
}

fn dual_stack() -> LoadBalancerSpec {
    spec(CASES[2].1, CASES[2].2)
}

fn lb(number: u8) -> HostName {
    HostName::parse(format!("lb-{number}")).unwrap()
}

fn text(bundle: &Bundle, path: &str) -> String {
    String::from_utf8(bundle.files[&HostPath::literal(path)].content.bytes().unwrap().to_vec()).unwrap()
}

/// Every file with its content, but for the scripts, which are files of this folder.
fn describe(bundle: &Bundle) -> String {
    let mut all = String::new();
    for (path, file) in &bundle.files {
        let content = String::from_utf8(file.content.bytes().unwrap().to_vec()).unwrap();
        let content = if content.starts_with("#!") { "(a script)\n".to_string() } else { content };
        all += &format!("==> {path} {:04o} {}\n{content}", file.mode, file.owner);
    }
    for (name, unit) in &bundle.units {
        for on_change in [OnChange::ReadAgain, OnChange::Reload, OnChange::Restart] {
            let reads = unit.reads.iter().filter(|(_, needs)| **needs == on_change).map(|(path, _)| path.as_str());
            let reads: Vec<_> = reads.collect();
            if !reads.is_empty() {
                all += &format!("==> {name} {on_change:?} when one of these changes: {}\n", reads.join(" "));
            }
        }
    }
    all += &format!("==> packages {:?}\n", bundle.packages);
    all += &format!("==> data directories {:?}\n", bundle.data_directories.keys().map(HostPath::as_str).collect::<Vec<_>>());
    all += &format!("==> listens {:?}, receives {:?}\n", bundle.needs.listens.keys(), bundle.needs.receives);
    all + &format!(
        "==> cleanup\n{}\n",
        bundle.cleanup.iter().map(|cleanup| cleanup.command.as_str()).collect::<Vec<_>>().join("\n")
    )
}

/// Compares with `tests/golden_lb/<name>`. `UPDATE=1` rewrites it and fails, so that a rewrite never passes unseen.
fn check_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_lb").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        panic!("{} rewritten: read its diff, then run the test without UPDATE", path.display());
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, actual, "{} differs; UPDATE=1 rewrites it", path.display());
}

#[test]
fn every_family_renders_as_its_golden() {
    let rendered: Vec<(String, String)> = CASES
        .iter()
        .map(|(case, addresses, virtual_addresses)| {
            (format!("{case}.txt"), describe(&render(&spec(addresses, virtual_addresses), &lb(1)).unwrap()))
        })
        .collect();
    let failures = rendered.iter().filter(|(name, actual)| std::panic::catch_unwind(|| check_golden(name, actual)).is_err());
    assert_eq!(failures.count(), 0);
}

#[test]
fn rendering_twice_gives_the_same() {
    assert!(render(&dual_stack(), &lb(1)).unwrap() == render(&dual_stack(), &lb(1)).unwrap());
}

#[test]
fn a_host_of_another_load_balancer_is_an_error() {
    assert_eq!(render(&dual_stack(), &lb(9)).err(), Some(RenderError::UnknownHost(lb(9))));
}

#[test]
fn priorities_are_distinct_in_the_order_of_names() {
    let addresses: Vec<String> = (1..=40).map(|n| format!("10.77.0.{n}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let spec = spec(&addresses, &["10.77.0.100/24"]);
    let priority = |host: &HostName| -> u8 {
        let config = text(&render(&spec, host).unwrap(), "/etc/k8s-lb/api/keepalived.conf");
        config.split("    priority ").nth(1).unwrap().lines().next().unwrap().parse().unwrap()
    };
    let priorities: Vec<u8> = spec.hosts.keys().map(priority).collect();
    assert!(priorities.is_sorted_by(|a, b| a > b) && priorities.iter().all(|p| (1..=254).contains(p)), "{priorities:?}");
}

#[test]
fn only_a_changed_unit_file_restarts_the_proxy() {
    let before = render(&dual_stack(), &lb(1)).unwrap();
    let mut changed = dual_stack();
    changed.listeners.get_mut("apiserver").unwrap().backends.pop();
    let after = render(&changed, &lb(1)).unwrap();
    let differing: Vec<_> = after.files.keys().filter(|path| before.files.get(path) != after.files.get(path)).collect();
    assert_eq!(differing, [&HostPath::literal("/etc/k8s-lb/api/backends")]);
    let needs: Vec<_> = after.units.values().map(|unit| unit.reads.get(differing[0]).copied()).collect();
    assert_eq!(needs, [Some(OnChange::Restart), None, Some(OnChange::Reload)], "health, keepalived, nginx");
    for (name, unit) in &after.units {
        assert_eq!(unit.reads[&name.path()], OnChange::Restart);
    }
}

#[test]
fn nothing_a_user_writes_ends_a_line_or_a_statement() {
    #[track_caller]
    fn check(change: impl Fn(&mut LoadBalancerSpec)) {
        let mut spec = dual_stack();
        change(&mut spec);
        assert!(matches!(render(&spec, &lb(1)), Err(RenderError::Name(_))));
    }
    let set_path = |spec: &mut LoadBalancerSpec, path: &str| {
        spec.listeners.get_mut("apiserver").unwrap().health_check = HealthCheck::Https { path: path.into() };
    };
    check(|spec| spec.name = "../api".into());
    check(|spec| spec.interface = Some("eth0\n}".into()));
    check(|spec| spec.listeners.get_mut("https").unwrap().backends[0] = "a:1; }".into());
    check(|spec| spec.listeners.extend([("a b".into(), spec.listeners["https"].clone())]));
    check(|spec| set_path(spec, "/x\noutput = \"/etc/passwd\""));
    let mut fine = dual_stack();
    set_path(&mut fine, "/");
    set_path(&mut fine, "/readyz?verbose");
    assert!(render(&fine, &lb(1)).is_ok());
}

#[test]
fn a_virtual_address_that_no_host_can_advertise_is_an_error() {
    let error = render(&spec(&["10.77.0.11", "10.77.0.12"], &["fd77::100/64"]), &lb(1)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "no virtual address of load balancer api has a family in which every host has an address: \
         give each of lb-1, lb-2 an address of IPv6 too"
    );
}

#[test]
fn a_host_without_ipv6_gets_no_ipv6_listener() {
    let config = |case: usize| text(&render(&spec(CASES[case].1, CASES[case].2), &lb(1)).unwrap(), "/etc/k8s-lb/api/nginx.conf");
    assert!(!config(0).contains("[::]") && config(1).contains("listen [::]:6443") && config(2).contains("listen 6443"));
}

// -- the real programs

/// The bundle's files below a folder of its own, with paths that point there, as on a host whose root that folder is.
fn write_below(folder: &Path, bundle: &Bundle) {
    use std::os::unix::fs::PermissionsExt;
    for (path, file) in &bundle.files {
        let target = below(folder, path.as_str());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let content = String::from_utf8(file.content.bytes().unwrap().to_vec()).unwrap();
        let root = folder.to_str().unwrap();
        let content = content
            .replace("/etc/k8s-lb/", &format!("{root}/etc/k8s-lb/"))
            .replace("/run/k8s-lb/", &format!("{root}/run/k8s-lb/"));
        std::fs::write(&target, content).unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(file.mode)).unwrap();
    }
    std::fs::create_dir_all(below(folder, "/run/k8s-lb/api")).unwrap();
}

fn below(folder: &Path, path: &str) -> PathBuf {
    folder.join(path.trim_start_matches('/'))
}

#[track_caller]
fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    match Command::new(program).args(arguments).env_remove("NOTIFY_SOCKET").output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {program}: {error}; this test needs it: apt-get install {package}"),
    }
}

#[track_caller]
fn check_success(program: &str, package: &str, arguments: &[&str]) {
    let output = run(program, package, arguments);
    let said = String::from_utf8_lossy(&output.stdout).to_string() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
}

fn for_every_case(check: impl Fn(&Path, &Bundle)) {
    for (_, addresses, virtual_addresses) in CASES {
        // Not below /tmp: keepalived runs no script on whose path others may write.
        let folder = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
        let bundle = render(&spec(addresses, virtual_addresses), &lb(1)).unwrap();
        write_below(folder.path(), &bundle);
        check(folder.path(), &bundle);
    }
}

#[test]
fn keepalived_takes_the_configuration() {
    for_every_case(|folder, _| {
        // What find-interface writes on a host.
        let interface = an_interface();
        let definitions = format!("$INTERFACE_IPV4={interface}\n$INTERFACE_IPV6={interface}\n");
        std::fs::write(below(folder, "/run/k8s-lb/api/interface.conf"), definitions).unwrap();
        let config = below(folder, "/etc/k8s-lb/api/keepalived.conf");
        check_success("keepalived", "keepalived", &["--config-test", "--use-file", config.to_str().unwrap()]);
    });
}

/// keepalived wants one that exists and is not the loopback.
fn an_interface() -> String {
    let mut names: Vec<String> =
        std::fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let is_usable = |name: &String| name != "lo" && std::fs::read_to_string(format!("/sys/class/net/{name}/carrier")).is_ok();
    names.into_iter().find(is_usable).unwrap_or_else(|| panic!("no network interface that is up: keepalived cannot be asked"))
}

#[test]
fn nginx_takes_the_configuration() {
    for_every_case(|folder, _| {
        let (config, run) = (below(folder, "/etc/k8s-lb/api"), below(folder, "/run/k8s-lb/api"));
        let prepare = config.join("prepare-nginx");
        let package = "nginx-light libnginx-mod-stream";
        check_success(prepare.to_str().unwrap(), package, &[config.to_str().unwrap(), run.to_str().unwrap()]);
        check_success("/usr/sbin/nginx", package, &["-t", "-c", config.join("nginx.conf").to_str().unwrap()]);
    });
}

#[test]
fn systemd_takes_the_units() {
    for_every_case(|folder, bundle| {
        let paths: Vec<String> =
            bundle.units.keys().map(|unit| below(folder, unit.path().as_str()).display().to_string()).collect();
        let arguments: Vec<&str> = ["verify", "--man=no"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        let output = run("systemd-analyze", "systemd", &arguments);
        let said = String::from_utf8_lossy(&output.stderr).to_string();
        let ours: Vec<_> = said.lines().filter(|line| line.contains("k8s-lb")).collect();
        assert!(output.status.success() && ours.is_empty(), "{said}");
    });
}

#[test]
fn shellcheck_takes_the_scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/load_balancer");
    let all = [
        "check-nginx.sh",
        "check-ports.sh",
        "find-interface.sh",
        "health.sh",
        "prepare-nginx.sh",
        "release-addresses.sh",
        "reload-nginx.sh",
        "who-answers.sh",
    ];
    for name in all {
        check_success("shellcheck", "shellcheck", &[folder.join(name).to_str().unwrap()]);
    }
}
