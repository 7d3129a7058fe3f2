//! What a preflight wants to know of a host.

use crate::script::Script;
use crate::{Machine, MachineError};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
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

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// As Kubernetes names it: `amd64`, `arm64`; another machine's name as the kernel has it.
    pub architecture: String,
    /// `debian`, `ubuntu`, `rocky` …, as ID in /etc/os-release.
    pub os: String,
    pub os_version: String,
    pub kernel: String,
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
    /// Of those that pushing, and Kubernetes on the host, may use.
    pub missing_programs: BTreeSet<String>,
}

impl Facts {
    /// The interface that holds this address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address).map(String::as_str)
    }
}

impl Machine {
    pub async fn facts(&self) -> Result<Facts, MachineError> {
        let script = Script::new("looking at the host", include_str!("scripts/facts.sh"), PROGRAMS, TIMEOUT);
        let begin = now();
        // The host looks at its clock first thing; so it did that before its first line arrived.
        let arrived = Mutex::new(None);
        let on_line = |_: &str| drop(arrived.lock().map(|mut time| time.get_or_insert_with(now).to_owned()));
        let script = script.on_line(&on_line);
        let output = self.succeed(&script, [].as_slice()).await?;
        let end = arrived.lock().ok().and_then(|time| *time).unwrap_or_else(now);
        parse_facts(&output.stdout_text(), begin..=end).map_err(|answer| MachineError::Answer {
            host: self.target.to_string(),
            operation: script.operation.into(),
            answer,
        })
    }
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

fn take(facts: &mut Facts, line: &str, local: &RangeInclusive<f64>) -> Option<()> {
    let (name, value) = line.split_once(' ')?;
    match name {
        "time" => facts.time_offset_seconds = offset(value.parse().ok()?, local),
        "architecture" => facts.architecture = kubernetes_architecture(value).into(),
        "kernel" => facts.kernel = value.into(),
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
        "route4" => facts.default_interface_ipv4 = Some(value.into()),
        "route6" => facts.default_interface_ipv6 = Some(value.into()),
        "address" => {
            let (interface, address) = value.split_once(' ')?;
            // `ip` shows the other end of a veth pair as eth0@if5.
            let interface = interface.split('@').next()?.trim_end_matches(':');
            facts.addresses.insert(address.parse().ok()?, interface.into());
        }
        "missing" => drop(facts.missing_programs.insert(value.into())),
        _ => return None,
    }
    Some(())
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
                      address eth0 10.77.0.11\naddress eth0 fd77:0:0:1::11\nmissing ipset\nend\n";
        let facts = parse_facts(answer, 997.5..=998.0).unwrap();
        assert_eq!((facts.architecture.as_str(), facts.os.as_str(), facts.os_version.as_str()), ("amd64", "debian", "12"));
        assert_eq!((facts.cgroup_version, facts.systemd_version, facts.swap_on), (2, Some(252), true));
        assert_eq!((facts.time_offset_seconds, facts.var_free_bytes, facts.memory_bytes), (2.5, 1 << 20, 2 << 20));
        assert_eq!(facts.default_interface_ipv4.as_deref(), Some("eth0"));
        assert_eq!(facts.interface_of("fd77:0:0:1::11".parse().unwrap()), Some("eth0"));
        assert_eq!(facts.missing_programs, BTreeSet::from(["ipset".to_string()]));
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
