//! What a host tells of its surroundings, with stand-ins for what a test may not change.

use crate::host::{Host, run};
use bundle::{HostPath, UnitName};
use machines::{FoundUnit, Wanted};
use std::collections::BTreeSet;

fn unit(name: &str) -> UnitName {
    UnitName::literal(name)
}

#[tokio::test]
async fn units_of_others_are_told_with_their_state_and_file() {
    let host = Host::start();
    host.write("fake/etc/docker.service", "");
    host.write("fake/units/docker.service", "active\n");
    host.write("fake/etc/crio.service", "");
    host.write("fake/units/crio.service.enabled", "");
    let units = ["crio.service", "docker.service", "k3s.service"].map(unit).into();
    let facts = host.connect().await.facts(&Wanted { units, ..Wanted::default() }).await.unwrap();
    let found = |name: &str, is_running| {
        (
            unit(name),
            FoundUnit { is_running, is_enabled: !is_running, file: HostPath::parse(format!("/lib/systemd/system/{name}")).ok() },
        )
    };
    assert_eq!(facts.units, [found("crio.service", false), found("docker.service", true)].into());
}

#[tokio::test]
async fn drop_ins_that_change_what_a_unit_runs_are_told() {
    let host = Host::start();
    host.write("fake/etc/kubelet.service.d/10-kubeadm.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_ARGS\n");
    host.write("fake/etc/containerd.service.d/proxy.conf", "[Service]\nEnvironment=HTTPS_PROXY=http://proxy.example:3128\n");
    let units = ["containerd.service", "kubelet.service"].map(unit).into();
    let facts = host.connect().await.facts(&Wanted { units, ..Wanted::default() }).await.unwrap();
    let found = host.host_path("fake/etc/kubelet.service.d/10-kubeadm.conf");
    assert_eq!((facts.drop_ins, facts.units), ([(unit("kubelet.service"), [found].into())].into(), [].into()));
}

#[tokio::test]
async fn what_listens_is_told_with_its_program() {
    let host = Host::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let facts = host.connect().await.facts(&Wanted::default()).await.unwrap();
    let found = |port: u16| facts.listeners.iter().find(|found| found.address.port() == port).expect("it listens");
    let ours = found(listener.local_addr().unwrap().port());
    assert_eq!((ours.address, ours.program.is_some()), (listener.local_addr().unwrap(), true));
    assert_eq!(found(host.port).program.as_deref(), Some("sshd"));
}

#[tokio::test]
async fn swap_firewalls_selinux_and_leftovers_are_told() {
    let host = Host::start();
    let directories: BTreeSet<HostPath> = [HostPath::literal("/etc/cni/net.d")].into();
    let wanted = Wanted { directories, modules: ["no_such_module".into()].into(), ..Wanted::default() };
    host.write("root/proc/swaps", "Filename Type Size Used Priority\n");
    host.write("root/proc/meminfo", "MemTotal:        2048 kB\n");
    let machine = host.connect().await;
    let clean = machine.facts(&wanted).await.unwrap();
    assert_eq!((clean.swap_on, clean.memory_bytes, clean.selinux_enforcing), (false, 2 << 20, false));
    assert_eq!((clean.firewalls, clean.missing_modules), ([].into(), ["no_such_module".into()].into()));
    host.write("root/proc/swaps", "Filename Type Size Used Priority\n/dev/vdb partition 1 0 -2\n");
    host.write("root/sys/fs/selinux/enforce", "1");
    host.write("root/etc/ufw/ufw.conf", "# /etc/ufw/ufw.conf\nENABLED=yes\nLOGLEVEL=low\n");
    host.write("root/etc/cni/net.d/100-crio-bridge.conflist", "{}");
    host.write("root/etc/cni/net.d/.hidden", "{}");
    host.write("fake/units/firewalld.service", "active\n");
    let found = machine.facts(&wanted).await.unwrap();
    assert!(found.swap_on && found.selinux_enforcing);
    assert_eq!(found.firewalls, ["firewalld", "ufw"].map(String::from).into());
    let entries: Vec<&str> = found.entries.iter().map(HostPath::as_str).collect();
    assert_eq!(entries, ["/etc/cni/net.d/.hidden", "/etc/cni/net.d/100-crio-bridge.conflist"]);
    // Installed and switched off, as on every Ubuntu.
    host.write("root/etc/ufw/ufw.conf", "ENABLED=no\n");
    assert_eq!(machine.facts(&wanted).await.unwrap().firewalls, ["firewalld".to_string()].into());
}

#[tokio::test]
async fn networks_without_a_gateway_are_told() {
    let host = Host::start();
    host.write_program(
        "bin/ip",
        "#!/bin/sh\ncase \"$*\" in\n*-4*show*default*) echo 'default via 192.0.2.1 dev eth0' ;;\n\
         *-4*show) printf '%s\\n' 'default via 192.0.2.1 dev eth0' '192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2' \
         '10.1.0.0/24 via 192.0.2.9 dev eth0 proto 77' 'unreachable 10.9.0.0/16' '198.51.100.1 dev eth1 scope link' ;;\n\
         *-6*show) echo 'fd00::/64 dev eth0 proto kernel metric 256 pref medium' ;;\nesac\n",
    );
    let facts = host.connect().await.facts(&Wanted::default()).await.unwrap();
    let links: Vec<String> = facts.links.iter().map(ToString::to_string).collect();
    assert_eq!(links, ["192.0.2.0/24", "198.51.100.1/32", "fd00::/64"]);
    assert_eq!(facts.default_interface_ipv4.as_deref(), Some("eth0"));
}

#[tokio::test]
async fn a_server_that_forwards_nothing_is_found_out_where_nobody_listens() {
    let tunnel = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().ok();
    let wanted = Wanted { tunnel, ..Wanted::default() };
    let open = Host::start();
    assert!(!open.connect().await.facts(&wanted).await.unwrap().refuses_tunnel);
    let closed = Host::start_configured("AllowTcpForwarding no\n");
    let machine = closed.connect().await;
    assert!(machine.facts(&wanted).await.unwrap().refuses_tunnel);
    assert!(!machine.facts(&Wanted::default()).await.unwrap().refuses_tunnel);
    let error = machine.forward("127.0.0.1", closed.port).await.err().unwrap().to_string();
    assert!(error.contains("AllowTcpForwarding"), "{error}");
    let elsewhere = Host::start_configured("PermitOpen 127.0.0.1:1\n");
    assert!(elsewhere.connect().await.facts(&wanted).await.unwrap().refuses_tunnel);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let host = Host::start();
    let before = run("ls", &["-R", host.path(".").to_str().unwrap()]);
    host.connect().await.facts(&Wanted { units: [unit("a.service")].into(), ..Wanted::default() }).await.unwrap();
    assert_eq!(host.tree(), [""; 0], "{before}");
    assert!(host.systemctl_calls().iter().all(|call| call.starts_with("is-active") || call.starts_with("--version")));
}
