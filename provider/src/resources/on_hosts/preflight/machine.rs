//! The machine itself: what it is, what it has, and whether it is one of its own.

use super::{Finding, Look, Rule, each};
use bundle::HostName;
use schema::Severity::{Error, Warning};
use std::collections::BTreeMap;

/// Units use directives of this version.
const OLDEST_SYSTEMD: u32 = 245;
/// Certificates are valid from five minutes before they are issued on.
const MOST_CLOCK_OFFSET_SECONDS: f64 = 120.0;
/// Downloads, programs and a little room.
const LEAST_FREE_BYTES: u64 = 1 << 30;
/// Without these nothing can be pushed.
const PROGRAMS: [&str; 7] = ["tar", "gzip", "sha256sum", "stat", "systemctl", "journalctl", "ip"];

pub static RULES: [Rule; 10] = [
    Rule { says: "The processor architecture is the declared one.", hosts: "all", severity: Error, check: architecture },
    Rule { says: "systemd 245 or newer runs the host.", hosts: "all", severity: Error, check: systemd },
    Rule {
        says: "The clock is at most two minutes away from the one of the machine that runs the engine.",
        hosts: "all",
        severity: Error,
        check: clock,
    },
    Rule { says: "An interface has each declared address.", hosts: "all", severity: Error, check: addresses },
    Rule { says: "1 GiB is free for `/var`.", hosts: "all", severity: Error, check: space },
    Rule {
        says: "tar, gzip, sha256sum, stat, systemctl, journalctl and ip are there.",
        hosts: "all",
        severity: Error,
        check: programs,
    },
    Rule { says: "No two hosts are the same machine.", hosts: "all", severity: Error, check: same_machine },
    Rule { says: "No two machines have the same machine id.", hosts: "all", severity: Warning, check: cloned },
    Rule { says: "There are 2 processors.", hosts: "control plane", severity: Warning, check: processors },
    Rule { says: "There are 1700 MiB of memory.", hosts: "control plane", severity: Warning, check: memory },
];

fn architecture(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let (declared, found) = (new.host.architecture.as_str(), &new.facts.architecture);
        let detail = format!("Set architecture = {found:?} at this host; amd64 and arm64 are known.");
        (found != declared).then(|| (format!("the architecture is {found}, not {declared},"), detail))
    })
}

fn systemd(look: &Look) -> Vec<Finding> {
    each(look, |new| match new.facts.systemd_version {
        None => {
            let detail = "Components are systemd units: use a distribution with systemd.";
            Some(("systemd does not run".into(), detail.into()))
        }
        Some(version) if version < OLDEST_SYSTEMD => {
            let detail = format!("Use a distribution with systemd {OLDEST_SYSTEMD} or newer.");
            Some((format!("systemd {version} is too old"), detail))
        }
        Some(_) => None,
    })
}

fn clock(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let offset = new.facts.time_offset_seconds;
        let direction = if offset > 0.0 { "ahead" } else { "behind" };
        let detail = "Compared with the clock of the machine that runs this provider. Certificates would not be valid there, and etcd needs \
                      clocks that agree: set up time synchronisation.";
        (offset.abs() > MOST_CLOCK_OFFSET_SECONDS)
            .then(|| (format!("the clock is {:.0} s {direction}", offset.abs()), detail.into()))
    })
}

fn addresses(look: &Look) -> Vec<Finding> {
    super::each_of(look, |new| {
        let missing = new.host.addresses().into_iter().filter(|address| new.facts.interface_of(*address).is_none());
        let detail = "Components listen on it and other hosts connect to it: give the address that the host itself has, and ssh.address \
                      where SSH takes another way.";
        missing.map(|address| (format!("no interface has the address {address}"), detail.into())).collect()
    })
}

fn space(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let free = new.facts.var_free_bytes;
        let detail = format!("Programs and data need {} MiB at least: free some space.", LEAST_FREE_BYTES >> 20);
        (free < LEAST_FREE_BYTES).then(|| (format!("{} MiB are left for /var", free >> 20), detail))
    })
}

fn programs(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let missing = PROGRAMS.into_iter().filter(|program| new.facts.missing_programs.contains(*program));
        let missing = missing.collect::<Vec<_>>().join(", ");
        let detail = "Install them with the package manager of its distribution.";
        (!missing.is_empty()).then(|| (format!("no {missing}"), detail.into()))
    })
}

/// By what a host tells of its machine, those that share it.
fn alike<'a>(look: &'a Look, of: impl Fn(&super::Newcomer<'a>) -> Option<String>) -> Vec<Vec<HostName>> {
    let mut all: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
    for new in &look.newcomers {
        of(new).into_iter().for_each(|key| all.entry(key).or_default().push(new.name.clone()));
    }
    all.into_values().filter(|hosts| hosts.len() > 1).collect()
}

/// Each boot has an id of its own (https://docs.kernel.org/admin-guide/sysctl/kernel.html, random).
fn same_machine(look: &Look) -> Vec<Finding> {
    let found = alike(look, |new| new.facts.boot_id.clone()).into_iter();
    let detail = "SSH to each of them reaches one machine, and one host would be written over the other. Give each host the address, or the \
                  ssh.address and ssh.port, of its own machine.";
    found.map(|hosts| Finding { hosts, what: "the same machine answers".into(), detail: detail.into() }).collect()
}

/// Unique by machine-id(5); https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/ asks for unique machines.
fn cloned(look: &Look) -> Vec<Finding> {
    let id = |new: &super::Newcomer| {
        new.facts.boot_id.as_ref()?;
        new.facts.machine_id.clone()
    };
    let boots = |hosts: &[HostName]| {
        let of = look.newcomers.iter().filter(|new| hosts.contains(new.name)).filter_map(|new| new.facts.boot_id.as_deref());
        of.collect::<std::collections::BTreeSet<_>>().len()
    };
    let found = alike(look, id).into_iter().filter(|hosts| boots(hosts) == hosts.len());
    let detail = "They were made of one image. DHCP servers may give them one address, and monitoring may take them for one node. As root \
                  there: rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; then reboot.";
    found.map(|hosts| Finding { hosts, what: "the machine id is the same".into(), detail: detail.into() }).collect()
}

/// Sources of both stand at what a control plane needs, in crate `render`.
fn processors(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let (found, wanted) = (new.facts.processors, new.bundle.needs.processors);
        let detail =
            format!("A control plane works better with {wanted} and more: etcd and the API servers wait for each other.");
        (found < wanted).then(|| (format!("only {found} processor"), detail))
    })
}

fn memory(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let [found, wanted] = [new.facts.memory_bytes, new.bundle.needs.memory_bytes].map(|bytes| bytes >> 20);
        let detail = format!(
            "A control plane wants {wanted} MiB at least, and more for each hundred pods: with less, the kernel may end etcd."
        );
        (found < wanted).then(|| (format!("only {found} MiB of memory"), detail))
    })
}
