//! Each fault by itself makes its finding and no other; a good host makes none.

use super::*;
use bundle::{Kernel, Needs, OnChange};
use machines::{FoundUnit, Listener, Owner, Record};
use render::component::{API_SERVER, CONTAINERD, ETCD, KUBELET};
use render::spec::Architecture;
use std::collections::BTreeSet;

const GIB: u64 = 1 << 30;

/// A control-plane host that is a node as well.
struct Host {
    host: render::Host,
    bundle: Bundle,
    facts: Facts,
    found: Inventory,
}

impl Host {
    /// Nothing is wrong with it.
    fn good(number: u8) -> Host {
        let host = render::Host {
            address: format!("192.0.2.{number}").parse().unwrap(),
            secondary_address: Some(format!("2001:db8::{number}").parse().unwrap()),
            architecture: Architecture::Amd64,
        };
        let addresses = host.addresses().into_iter().map(|address| (address, "eth0".to_string())).collect();
        let facts = Facts {
            architecture: "amd64".into(),
            kernel: "6.1.0-30-amd64".into(),
            machine_id: Some(format!("machine-{number}")),
            boot_id: Some(format!("boot-{number}")),
            cgroup_version: 2,
            systemd_version: Some(252),
            processors: 2,
            memory_bytes: 2 * GIB,
            var_free_bytes: 20 * GIB,
            addresses,
            links: ["192.0.2.0/24", "2001:db8::/64"].map(|link| link.parse().unwrap()).into(),
            ..Facts::default()
        };
        Host { host, bundle: bundle(), facts, found: Inventory::default() }
    }
}

fn bundle() -> Bundle {
    let mut needs = Needs {
        kernel: Some(Kernel { major: 5, minor: 13, wanted_by: "kube-proxy in nftables mode".into() }),
        routed: ["172.18.0.0/16", "fd00:18::/56"].map(|network| network.parse().unwrap()).into(),
        runs_containers: true,
        tunnel: "127.0.0.1:6443".parse().ok(),
        processors: 2,
        memory_bytes: 1700 << 20,
        ..Needs::default()
    };
    needs.listen(&API_SERVER.unit(), "[::]:6443".parse().ok());
    needs.listen(&ETCD.unit(), "127.0.0.1:2379".parse().ok());
    needs.receives.insert("everything from and to 172.18.0.0/16".into());
    let units = [API_SERVER.unit(), ETCD.unit(), CONTAINERD.unit(), KUBELET.unit()];
    Bundle { units: units.map(|unit| (unit.clone(), KUBELET.describe([], OnChange::Restart))).into(), needs, ..Bundle::default() }
}

fn name(number: usize) -> HostName {
    HostName::parse(format!("cp-{number}")).unwrap()
}

fn findings(hosts: &[Host]) -> Diagnostics {
    let names: Vec<HostName> = (1..=hosts.len()).map(name).collect();
    let all: render::Hosts = names.iter().cloned().zip(hosts.iter().map(|host| host.host.clone())).collect();
    let newcomers = names.iter().zip(hosts).map(|(name, it)| Newcomer {
        name,
        host: &it.host,
        bundle: &it.bundle,
        facts: &it.facts,
        found: &it.found,
    });
    check(&Look { newcomers: newcomers.collect(), hosts: &all })
}

fn said(diagnostics: &Diagnostics) -> Vec<String> {
    let kind = |diagnostic: &Diagnostic| if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    diagnostics.iter().map(|diagnostic| format!("{}: {}", kind(diagnostic), diagnostic.summary)).collect()
}

/// What is said of three good hosts of which one was changed.
#[track_caller]
fn check_fault(change: impl Fn(&mut Host), expect: &[&str]) -> Diagnostics {
    let mut hosts = [1, 2, 3].map(Host::good);
    change(&mut hosts[0]);
    let found = findings(&hosts);
    assert_eq!(said(&found), expect);
    found
}

fn unit(name: &str, is_running: bool) -> (UnitName, FoundUnit) {
    let file = HostPath::parse(format!("/lib/systemd/system/{name}")).ok();
    (UnitName::literal(name), FoundUnit { is_running, is_enabled: is_running, file })
}

fn listener(address: &str, unit: Option<&str>, program: Option<&str>) -> Listener {
    let unit = unit.map(UnitName::literal);
    Listener { address: address.parse().unwrap(), unit, program: program.map(str::to_string) }
}

#[test]
fn nothing_is_said_of_good_hosts() {
    check_fault(|_| {}, &[]);
}

#[test]
fn each_fault_of_a_machine_is_one_finding() {
    check_fault(|host| host.facts.architecture = "arm64".into(), &["error: the architecture is arm64, not amd64, on cp-1"]);
    check_fault(|host| host.facts.systemd_version = None, &["error: systemd does not run on cp-1"]);
    check_fault(|host| host.facts.systemd_version = Some(219), &["error: systemd 219 is too old on cp-1"]);
    check_fault(|host| host.facts.time_offset_seconds = -301.4, &["error: the clock is 301 s behind on cp-1"]);
    let missing = "error: no interface has the address 2001:db8::1 on cp-1";
    check_fault(|host| host.facts.addresses.retain(|address, _| address.is_ipv4()), &[missing]);
    check_fault(|host| host.facts.var_free_bytes = 300 << 20, &["error: 300 MiB are left for /var on cp-1"]);
    let programs = ["tar", "conntrack"].map(String::from);
    check_fault(|host| host.facts.missing_programs = programs.clone().into(), &["error: no tar on cp-1"]);
    check_fault(|host| host.facts.processors = 1, &["warning: only 1 processor on cp-1"]);
    check_fault(|host| host.facts.memory_bytes = GIB, &["warning: only 1024 MiB of memory on cp-1"]);
    check_fault(|host| host.facts.machine_id = Some("machine-2".into()), &["warning: the machine id is the same on cp-1, cp-2"]);
    let twice = |host: &mut Host| {
        host.facts.boot_id = Some("boot-2".into());
        host.facts.machine_id = Some("machine-2".into());
    };
    check_fault(twice, &["error: the same machine answers on cp-1, cp-2"]);
}

#[test]
fn each_thing_of_others_is_one_finding() {
    let found = |name, is_running| move |host: &mut Host| host.facts.units.extend([unit(name, is_running)]);
    check_fault(found("containerd.service", true), &["error: containerd.service of somebody else runs on cp-1"]);
    check_fault(found("containerd.service", false), &["warning: containerd.service of somebody else is installed on cp-1"]);
    check_fault(found("kubelet.service", true), &["error: kubelet.service of somebody else runs on cp-1"]);
    for (unit, name) in
        [("k3s-agent.service", "k3s"), ("snap.microk8s.daemon-kubelite.service", "MicroK8s"), ("docker.service", "Docker")]
    {
        check_fault(found(unit, true), &[&format!("error: {name} runs on cp-1")]);
        check_fault(found(unit, false), &[&format!("warning: {name} is installed on cp-1")]);
    }
    let drop_in = |host: &mut Host| {
        let path = HostPath::literal("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf");
        host.facts.drop_ins = [(KUBELET.unit(), [path].into())].into();
    };
    check_fault(drop_in, &["error: a drop-in of somebody else for kubelet.service on cp-1"]);
    let entry = |path| move |host: &mut Host| host.facts.entries = [HostPath::literal(path)].into();
    check_fault(
        entry("/etc/cni/net.d/00-cilium.conflist"),
        &["error: /etc/cni/net.d/00-cilium.conflist of another pod network on cp-1"],
    );
    let idle = "warning: /etc/cni/net.d/87-podman.conflist of another pod network on cp-1";
    check_fault(entry("/etc/cni/net.d/87-podman.conflist"), &[idle]);
    check_fault(entry("/etc/cni/net.d/README"), &[]);
    check_fault(entry(render::node::CNI_CONFIGURATION), &[]);
}

/// Docker may run where no containers of ours do; other clusters may not.
#[test]
fn a_runtime_disturbs_nodes_only() {
    let of_control_plane = |found: &'static str| {
        move |host: &mut Host| {
            host.bundle.needs.runs_containers = false;
            host.facts.units.extend([unit(found, true)]);
        }
    };
    check_fault(of_control_plane("docker.service"), &[]);
    check_fault(of_control_plane("rke2-server.service"), &["error: RKE2 runs on cp-1"]);
}

/// A clone of a host has our record, and our units run there.
#[test]
fn what_our_record_names_is_not_of_others() {
    let own = |host: &mut Host| {
        let started: BTreeSet<UnitName> = [API_SERVER.unit(), CONTAINERD.unit()].into();
        host.found.records.insert(Owner::parse("k8s_node_group.a").unwrap(), Record { started, ..Record::default() });
        host.facts.units.extend([unit("containerd.service", true)]);
        host.facts.listeners.push(listener("[::]:6443", Some("kube-apiserver.service"), Some("kube-apiserver")));
    };
    check_fault(own, &[]);
}

/// On hosts of a load balancer.
#[test]
fn a_keepalived_of_somebody_else_is_not_stopped_and_its_ports_are_not_guessed() {
    let found = |name: &'static str, is_running: bool, is_enabled: bool, entry: Option<&'static str>| {
        move |host: &mut Host| {
            host.bundle.needs.speaks_vrrp = true;
            host.facts.units.extend([(UnitName::literal(name), FoundUnit { is_running, is_enabled, file: None })]);
            host.facts.entries.extend(entry.map(HostPath::literal));
        }
    };
    let configured = Some("/etc/keepalived/keepalived.conf");
    let keepalived = "keepalived.service";
    check_fault(found(keepalived, true, false, None), &["error: keepalived.service of somebody else runs on cp-1"]);
    check_fault(found(keepalived, true, true, configured), &["error: keepalived.service of somebody else runs on cp-1"]);
    let starts = "error: keepalived.service of somebody else starts at the next boot on cp-1";
    check_fault(found(keepalived, false, true, configured), &[starts]);
    // As Debian installs it, and switched off.
    check_fault(found(keepalived, false, true, Some("/etc/keepalived/keepalived.conf.sample")), &[]);
    check_fault(found(keepalived, false, false, configured), &[]);
    for unit in ["nginx.service", "haproxy.service"] {
        let idle = format!("error: {unit} of somebody else is enabled and does not run on cp-1");
        check_fault(found(unit, false, true, None), &[&idle]);
        check_fault(found(unit, true, true, None), &[]);
        check_fault(found(unit, false, false, None), &[]);
    }
    let elsewhere = |host: &mut Host| {
        found(keepalived, true, true, configured)(host);
        host.bundle.needs.speaks_vrrp = false;
    };
    check_fault(elsewhere, &[]);
}

#[test]
fn each_port_that_is_taken_is_one_finding_with_its_holder() {
    let taken = |found: Listener| move |host: &mut Host| host.facts.listeners.push(found.clone());
    let haproxy = "error: port 6443 is in use by haproxy (haproxy.service) on cp-1";
    check_fault(taken(listener("192.0.2.1:6443", Some("haproxy.service"), Some("haproxy"))), &[haproxy]);
    check_fault(taken(listener("[::]:2379", None, Some("etcd"))), &["error: port 2379 is in use by etcd on cp-1"]);
    check_fault(
        taken(listener("0.0.0.0:2379", None, None)),
        &["error: port 2379 is in use by a process that is not shown on cp-1"],
    );
    check_fault(taken(listener("192.0.2.1:2379", None, Some("etcd"))), &[]);
    check_fault(taken(listener("0.0.0.0:22", None, Some("sshd"))), &[]);
    // Ours of another owner, such as a load balancer: the ports are taken all the same.
    let ours = "error: port 6443 is in use by nginx (k8s-lb-api-nginx.service) on cp-1";
    check_fault(taken(listener("0.0.0.0:6443", Some("k8s-lb-api-nginx.service"), Some("nginx"))), &[ours]);
}

#[test]
fn each_fault_of_the_network_is_one_finding() {
    let firewall = check_fault(
        |host| host.facts.firewalls = ["ufw".to_string()].into(),
        &["warning: the firewall ufw filters packets on cp-1"],
    );
    let detail = firewall.iter().map(|found| found.detail.as_str()).collect::<String>();
    assert!(detail.contains("TCP 6443; everything from and to 172.18.0.0/16"), "{detail}");
    let far = check_fault(
        |host| host.facts.links = ["192.0.2.1/32", "2001:db8::/64"].map(|link| link.parse().unwrap()).into(),
        &["error: no link to every other node on cp-1"],
    );
    assert!(far.iter().all(|found| found.detail.contains("cp-1 reaches cp-2 (192.0.2.2) through a gateway only")));
    let other_family = |host: &mut Host| {
        host.facts.links = ["192.0.2.0/24"].map(|link| link.parse().unwrap()).into();
        host.bundle.needs.routed = ["172.18.0.0/16"].map(|network| network.parse().unwrap()).into();
    };
    check_fault(other_family, &[]);
    check_fault(|host| host.facts.refuses_tunnel = true, &["error: the SSH server forwards nothing on cp-1"]);
}

#[test]
fn each_fault_of_the_kernel_is_one_finding() {
    check_fault(|host| host.facts.kernel = "5.4.0-42-generic".into(), &["error: kernel 5.4.0-42-generic is too old on cp-1"]);
    let modules = ["ip_vs", "overlay"].map(String::from);
    check_fault(|host| host.facts.missing_modules = modules.clone().into(), &["error: no kernel module ip_vs, overlay on cp-1"]);
    check_fault(|host| host.facts.swap_on = true, &["warning: swap is switched on on cp-1"]);
    let swap = |kernel: &'static str, no_swap| {
        move |host: &mut Host| {
            (host.facts.swap_on, host.facts.kernel) = (true, kernel.into());
            host.bundle.needs.no_swap = no_swap;
        }
    };
    check_fault(swap("6.8.0", false), &[]);
    check_fault(swap("6.8.0", true), &["error: swap is switched on on cp-1"]);
    check_fault(swap("6.1.0", true), &["error: swap is switched on on cp-1"]);
    check_fault(|host| host.facts.cgroup_version = 1, &[]);
    let refused = |host: &mut Host| (host.facts.cgroup_version, host.bundle.needs.cgroup_v2) = (1, true);
    check_fault(refused, &["error: control groups of version 1 on cp-1"]);
    check_fault(|host| host.facts.selinux_enforcing = true, &["warning: SELinux is enforcing on cp-1"]);
}

#[test]
fn what_is_the_same_on_several_hosts_is_said_once() {
    let mut hosts = [1, 2, 3, 4, 5].map(Host::good);
    for host in &mut hosts {
        host.facts.firewalls = ["firewalld".to_string()].into();
    }
    hosts[1].facts.swap_on = true;
    hosts[1].facts.systemd_version = None;
    let found = findings(&hosts);
    let expect = [
        "error: systemd does not run on cp-2",
        "warning: the firewall firewalld filters packets on cp-[1-5]",
        "warning: swap is switched on on cp-2",
    ];
    assert_eq!(said(&found), expect);
    let paths: Vec<String> = found.iter().map(|found| found.path.as_ref().unwrap().to_string()).collect();
    assert_eq!(paths, ["hosts[\"cp-2\"]", "hosts", "hosts[\"cp-2\"]"]);
    assert!(
        found
            .iter()
            .all(|found| (found.severity == Severity::Error) == found.detail.ends_with("Nothing was changed on any host."))
    );
}

#[test]
fn a_host_is_new_without_a_record_and_on_another_machine() {
    let owner = Owner::parse("k8s_node_group.a").unwrap();
    let found = |recorded: Option<&str>, now: Option<&str>| {
        let identity = recorded.map(|id| ("machine-id".to_string(), id.to_string())).into_iter().collect();
        let records = [(owner.clone(), Record { identity, ..Record::default() })].into();
        Inventory { records, machine_id: now.map(str::to_string), ..Inventory::default() }
    };
    assert!(is_new(&owner, &Inventory::default()));
    assert!(is_new(&Owner::parse("k8s_node_group.b").unwrap(), &found(Some("1"), Some("1"))));
    for (recorded, now, expect) in
        [(Some("1"), Some("1"), false), (Some("1"), Some("2"), true), (None, Some("2"), false), (Some("1"), None, false)]
    {
        assert_eq!(is_new(&owner, &found(recorded, now)), expect, "{recorded:?} {now:?}");
    }
}
