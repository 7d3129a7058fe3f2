//! What a preflight wants to know of a host. One question and one answer; the question and the answer's parser are pure.

use crate::read::module_words;
use crate::script::{END, Script};
use crate::{Machine, MachineError};
use bundle::{HostPath, UnitName};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What pushing, and Kubernetes on the host, use.
const PROGRAMS: &[&str] = &[
    "tar",
    "gzip",
    "sha256sum",
    "stat",
    "sed",
    "grep",
    "flock",
    "systemctl",
    "journalctl",
    "modprobe",
    "mount",
    "umount",
    "ip",
    "iptables",
    "nft",
    "conntrack",
    "ipset",
    "socat",
    "ethtool",
    "curl",
    "wget",
];

/// What to look for beside what every host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub units: BTreeSet<UnitName>,
    pub modules: BTreeSet<String>,
    pub directories: BTreeSet<HostPath>,
    /// Where a connection through SSH has to be possible, whether anybody listens there or not.
    pub tunnel: Option<SocketAddr>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// As Kubernetes names it: `amd64`, `arm64`; another machine's name as the kernel has it.
    pub architecture: String,
    /// `debian`, `ubuntu`, `rocky` …, as ID in /etc/os-release.
    pub os: String,
    pub os_version: String,
    pub kernel: String,
    /// Of /etc/machine-id, which machines made of one image may share.
    pub machine_id: Option<String>,
    /// The kernel draws another one at each boot: no two machines share it.
    pub boot_id: Option<String>,
    pub cgroup_version: u8,
    /// `None` when systemd does not run the host.
    pub systemd_version: Option<u32>,
    pub swap_on: bool,
    pub processors: u32,
    pub memory_bytes: u64,
    /// How far the host's clock is ahead of this one's at least, in seconds; 0 when the difference is less than what asking takes.
    pub time_offset_seconds: f64,
    /// Free space of the file system of /var.
    pub var_free_bytes: u64,
    pub default_interface_ipv4: Option<String>,
    pub default_interface_ipv6: Option<String>,
    pub addresses: BTreeMap<IpAddr, String>,
    /// Networks that are reached without a gateway.
    pub links: BTreeSet<IpNet>,
    pub listeners: Vec<Listener>,
    /// Those of [`Wanted`] that are there.
    pub units: BTreeMap<UnitName, FoundUnit>,
    /// Drop-ins for units of [`Wanted`], there or not, that say what the unit runs.
    pub drop_ins: BTreeMap<UnitName, BTreeSet<HostPath>>,
    /// What is in the directories of [`Wanted`].
    pub entries: BTreeSet<HostPath>,
    /// Those of [`Wanted`] that are neither loaded, built in nor loadable.
    pub missing_modules: BTreeSet<String>,
    /// `firewalld`, `ufw`: those that filter now.
    pub firewalls: BTreeSet<String>,
    pub selinux_enforcing: bool,
    /// The SSH server opens no connection to the tunnel's address, whoever listens there.
    pub refuses_tunnel: bool,
    /// Of those that pushing, and Kubernetes on the host, may use.
    pub missing_programs: BTreeSet<String>,
}

/// A TCP socket that takes connections. `::` also stands for a socket that takes IPv4 and IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    /// That of the process, where systemd started it.
    pub unit: Option<UnitName>,
    pub program: Option<String>,
}

/// A unit that systemd knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUnit {
    /// `active`, `activating` …: it runs, or is about to.
    pub is_running: bool,
    /// It is started at boot.
    pub is_enabled: bool,
    /// Where its file is; `None` for one that was made at run time.
    pub file: Option<HostPath>,
}

impl Facts {
    /// The interface that holds this address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address).map(String::as_str)
    }

    /// Major and minor version of the kernel: 6 and 1 of `6.1.0-30-amd64`.
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl Machine {
    pub async fn facts(&self, wanted: &Wanted) -> Result<Facts, MachineError> {
        let script = Script::new("looking at the host", include_str!("scripts/facts.sh"), &[], TIMEOUT);
        let begin = now();
        // The host looks at its clock first thing; so it did that before its first line arrived. Asked once: a second answer would come after
        // the time at which the first one had begun.
        let arrived = Mutex::new(None);
        let on_line = |_: &str| drop(arrived.lock().map(|mut time| time.get_or_insert_with(now).to_owned()));
        let script = script.on_line(&on_line);
        let question = render_question(wanted);
        let (output, refuses_tunnel) = tokio::join!(self.succeed(&script, question.as_bytes()), self.refuses(wanted.tunnel));
        let output = output?;
        let end = arrived.lock().ok().and_then(|time| *time).unwrap_or_else(now);
        let facts = parse_facts(&output.stdout_text(), begin..=end).map_err(|answer| MachineError::Answer {
            host: self.target.to_string(),
            operation: script.operation.into(),
            answer,
        })?;
        Ok(Facts { refuses_tunnel, ..facts })
    }

    async fn refuses(&self, tunnel: Option<SocketAddr>) -> bool {
        match tunnel {
            Some(address) => self.refuses_to_forward(&address.ip().to_string(), address.port()).await,
            None => false,
        }
    }
}

fn render_question(wanted: &Wanted) -> String {
    let mut text = String::new();
    for unit in &wanted.units {
        let _ = writeln!(text, "unit {unit}");
    }
    for module in &wanted.modules {
        let _ = writeln!(text, "module {}", module_words(module));
    }
    for directory in &wanted.directories {
        let _ = writeln!(text, "directory {directory}");
    }
    for program in PROGRAMS {
        let _ = writeln!(text, "program {program}");
    }
    text + END
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// At some time in `local`, in seconds, the host looked at its clock. Each `Err` is the line that does not fit.
fn parse_facts(answer: &str, local: RangeInclusive<f64>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut runs_systemd = false;
    for line in answer.lines() {
        match line {
            "end" => {
                facts.systemd_version = facts.systemd_version.filter(|_| runs_systemd);
                return Ok(facts);
            }
            "systemd-runs yes" => runs_systemd = true,
            _ => take(&mut facts, line, &local).ok_or(line)?,
        }
    }
    Err("no end".into())
}

/// What is looked at on the host in its own words, such as a name of a unit, and cannot be told apart, is left out.
fn take(facts: &mut Facts, line: &str, local: &RangeInclusive<f64>) -> Option<()> {
    let (name, value) = line.split_once(' ')?;
    match name {
        "time" => facts.time_offset_seconds = offset(value.parse().ok()?, local),
        "architecture" => facts.architecture = kubernetes_architecture(value).into(),
        "kernel" => facts.kernel = value.into(),
        "machine" => facts.machine_id = Some(value.into()),
        "boot" => facts.boot_id = Some(value.into()),
        "os" => {
            (facts.os, facts.os_version) =
                value.split_once(' ').map(|(a, b)| (a.into(), b.into())).unwrap_or((value.into(), String::new()))
        }
        "cgroup" => facts.cgroup_version = value.parse().ok()?,
        "systemd" => facts.systemd_version = Some(value.parse().ok()?),
        "swap" => facts.swap_on = value == "on",
        "processors" => facts.processors = value.parse().ok()?,
        "memory" => facts.memory_bytes = value.parse::<u64>().ok()? * 1024,
        "free" => facts.var_free_bytes = value.parse::<u64>().ok()? * 1024,
        "missing" => drop(facts.missing_programs.insert(value.into())),
        "no-module" => drop(facts.missing_modules.insert(value.into())),
        "firewall" => drop(facts.firewalls.insert(value.into())),
        "selinux" => facts.selinux_enforcing = value == "enforcing",
        "unit" => facts.units.extend(found_unit(value)),
        "drop-in" => {
            let (unit, path) = value.split_once(' ')?;
            let (Ok(unit), Ok(path)) = (UnitName::parse(unit), HostPath::parse(path)) else { return Some(()) };
            facts.drop_ins.entry(unit).or_default().insert(path);
        }
        "entry" => facts.entries.extend(HostPath::parse(value)),
        _ => return take_of_network(facts, name, value),
    }
    Some(())
}

fn take_of_network(facts: &mut Facts, name: &str, value: &str) -> Option<()> {
    match name {
        "route4" => facts.default_interface_ipv4 = Some(value.into()),
        "route6" => facts.default_interface_ipv6 = Some(value.into()),
        "address" => {
            let (interface, address) = value.split_once(' ')?;
            // `ip` shows the other end of a veth pair as eth0@if5.
            let interface = interface.split('@').next()?.trim_end_matches(':');
            facts.addresses.insert(address.parse().ok()?, interface.into());
        }
        // A route to one address has no prefix length.
        "link" => facts.links.extend(value.parse().ok().or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from))),
        "listens" => facts.listeners.extend(listener(value)),
        _ => return None,
    }
    Some(())
}

/// `containerd.service active enabled /lib/systemd/system/containerd.service`
fn found_unit(value: &str) -> Option<(UnitName, FoundUnit)> {
    let [name, state, enabled, file] = value.split(' ').collect::<Vec<_>>()[..] else { return None };
    let is_running = !["inactive", "failed"].contains(&state);
    // `generated` from a script in /etc/init.d; see systemctl(1), is-enabled.
    let is_enabled = ["enabled", "enabled-runtime", "generated"].contains(&enabled);
    Some((UnitName::parse(name).ok()?, FoundUnit { is_running, is_enabled, file: HostPath::parse(file).ok() }))
}

/// `*:6443 kube-apiserver.service kube-apiserver`. `None` where there is no port that a component could want.
fn listener(value: &str) -> Option<Listener> {
    let [address, unit, program] = value.splitn(3, ' ').collect::<Vec<_>>()[..] else { return None };
    let (host, port) = address.rsplit_once(':')?;
    let host = host.split('%').next()?.trim_matches(['[', ']']);
    let ip = if host == "*" { Ipv6Addr::UNSPECIFIED.into() } else { host.parse::<IpAddr>().ok()?.to_canonical() };
    let program = Some(program).filter(|program| *program != "-").map(str::to_string);
    Some(Listener { address: SocketAddr::new(ip, port.parse().ok()?), unit: UnitName::parse(unit).ok(), program })
}

/// What is certain of it: nothing while the host's time is within the question's.
fn offset(host: f64, local: &RangeInclusive<f64>) -> f64 {
    host - host.clamp(*local.start(), *local.end())
}

fn kubernetes_architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_facts() {
        let answer = "time 1000.500000000\narchitecture x86_64\nkernel 6.1.0-30-amd64\nos debian 12\ncgroup 2\nsystemd 252\n\
                      systemd-runs yes\nswap on\nprocessors 2\nmemory 2048\nfree 1024\nroute4 eth0\naddress lo 127.0.0.1\n\
                      address eth0 10.77.0.11\naddress eth0 fd77:0:0:1::11\nmissing ipset\nmachine 0123\nboot 4-5\nend\n";
        let facts = parse_facts(answer, 997.5..=998.0).unwrap();
        assert_eq!((facts.architecture.as_str(), facts.os.as_str(), facts.os_version.as_str()), ("amd64", "debian", "12"));
        assert_eq!((facts.cgroup_version, facts.systemd_version, facts.swap_on), (2, Some(252), true));
        assert_eq!((facts.time_offset_seconds, facts.var_free_bytes, facts.memory_bytes), (2.5, 1 << 20, 2 << 20));
        assert_eq!(facts.default_interface_ipv4.as_deref(), Some("eth0"));
        assert_eq!(facts.interface_of("fd77:0:0:1::11".parse().unwrap()), Some("eth0"));
        assert_eq!(facts.missing_programs, BTreeSet::from(["ipset".to_string()]));
        assert_eq!((facts.machine_id.as_deref(), facts.boot_id.as_deref()), (Some("0123"), Some("4-5")));
        assert_eq!(facts.kernel_version(), Some((6, 1)));
    }

    #[test]
    fn surroundings_become_facts() {
        let answer = "link 192.0.2.0/24\nlink 198.51.100.1\nlink fd00::/64\nlistens *:6443 k3s.service k3s-server\n\
                      listens 127.0.0.53%lo:53 systemd-resolved.service systemd-resolve\nlistens [::1]:2379 - -\n\
                      listens 0.0.0.0:* - -\nlistens odd\nlink odd\nunit containerd.service active enabled /lib/systemd/system/containerd.service\n\
                      unit docker.service failed disabled -\nunit odd one\nlistens [::ffff:192.0.2.9]:80 - -\nentry /etc/cni/net.d/a.conf\nentry /etc/cni/net.d/odd name\n\
                      drop-in kubelet.service /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf\nno-module ip_vs\nfirewall ufw\nselinux enforcing\nend\n";
        let facts = parse_facts(answer, 0.0..=1.0).unwrap();
        let links: Vec<String> = facts.links.iter().map(ToString::to_string).collect();
        assert_eq!(links, ["192.0.2.0/24", "198.51.100.1/32", "fd00::/64"]);
        let shown = |listener: &Listener| {
            let unit = listener.unit.as_ref().map_or("-", UnitName::as_str);
            format!("{} {unit} {}", listener.address, listener.program.as_deref().unwrap_or("-"))
        };
        let listeners: Vec<String> = facts.listeners.iter().map(shown).collect();
        let resolved = "127.0.0.53:53 systemd-resolved.service systemd-resolve";
        assert_eq!(listeners, ["[::]:6443 k3s.service k3s-server", resolved, "[::1]:2379 - -", "192.0.2.9:80 - -"]);
        let containerd = &facts.units[&UnitName::literal("containerd.service")];
        assert!(containerd.is_running && containerd.is_enabled && containerd.file.is_some());
        assert_eq!(
            facts.units[&UnitName::literal("docker.service")],
            FoundUnit { is_running: false, is_enabled: false, file: None }
        );
        assert_eq!(facts.entries, [HostPath::literal("/etc/cni/net.d/a.conf")].into());
        assert_eq!((facts.missing_modules, facts.firewalls), (["ip_vs".into()].into(), ["ufw".into()].into()));
        let kubeadm = HostPath::literal("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf");
        assert_eq!(facts.drop_ins, [(UnitName::literal("kubelet.service"), [kubeadm].into())].into());
        assert!(facts.selinux_enforcing);
    }

    #[test]
    fn the_question_names_what_is_wanted_and_ends() {
        let wanted = Wanted {
            units: [UnitName::literal("a.service")].into(),
            modules: ["nf-x".into()].into(),
            directories: [HostPath::literal("/d")].into(),
            tunnel: None,
        };
        let text = render_question(&wanted);
        assert!(text.starts_with("unit a.service\nmodule nf-x nf_x nf[-_]x -\ndirectory /d\nprogram tar\n"), "{text}");
        assert!(text.ends_with("program wget\nend\n"), "{text}");
    }

    #[test]
    fn a_clock_is_off_only_by_what_asking_cannot_explain() {
        for (host, expect) in [(10.0, 0.0), (12.0, 0.0), (13.5, 1.5), (8.0, -2.0)] {
            assert_eq!(offset(host, &(10.0..=12.0)), expect);
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_is_refused() {
        assert_eq!(parse_facts("swap on\n", 0.0..=1.0), Err("no end".into()));
        assert_eq!(parse_facts("what\nend\n", 0.0..=1.0), Err("what".into()));
    }
}
