//! What must hold on a host before it gets anything for the first time. Pure: the facts come in.

use machines::Facts;
use render::Host;
use schema::{Diagnostic, Diagnostics};

/// Units use directives of this version.
const OLDEST_SYSTEMD: u32 = 245;
/// Certificates are valid from five minutes before they are issued on.
const MOST_CLOCK_OFFSET_SECONDS: f64 = 120.0;
const GIB: u64 = 1 << 30;
/// Downloads, programs and a little room.
const LEAST_FREE_BYTES: u64 = GIB;
/// Without these nothing can be pushed.
const PROGRAMS: [&str; 7] = ["tar", "gzip", "sha256sum", "stat", "systemctl", "journalctl", "ip"];

/// Errors name what to change; nothing has been done to the host yet.
pub fn check(name: &str, host: &Host, facts: &Facts) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut fault = |summary: String, detail: String| {
        diagnostics.push(Diagnostic::error(summary).detail(format!("{detail} Nothing was changed on it.")))
    };
    if facts.architecture != host.architecture.as_str() {
        fault(
            format!("{name} is {}, not {}", facts.architecture, host.architecture.as_str()),
            format!("Set architecture = {:?} at this host; amd64 and arm64 are known.", facts.architecture),
        );
    }
    match facts.systemd_version {
        None => {
            fault(format!("systemd does not run {name}"), "Components are systemd units: use a distribution with systemd.".into())
        }
        Some(version) if version < OLDEST_SYSTEMD => {
            fault(
                format!("systemd {version} of {name} is too old"),
                format!("Use a distribution with systemd {OLDEST_SYSTEMD} or newer."),
            );
        }
        Some(_) => {}
    }
    if facts.time_offset_seconds.abs() > MOST_CLOCK_OFFSET_SECONDS {
        fault(
            format!("the clock of {name} is {:.0} s away from the one here", facts.time_offset_seconds),
            "Certificates would not be valid there, and etcd needs clocks that agree: set up time synchronisation.".into(),
        );
    }
    for address in host.addresses() {
        if facts.interface_of(address).is_none() {
            fault(
                format!("no interface of {name} has the address {address}"),
                "Components listen on it and other hosts connect to it: give the address that the host itself has, and ssh.address where SSH takes another way.".into(),
            );
        }
    }
    if facts.var_free_bytes < LEAST_FREE_BYTES {
        fault(
            format!("{name} has {} MiB left for /var", facts.var_free_bytes >> 20),
            format!("Programs and data need {} MiB at least: free some space.", LEAST_FREE_BYTES >> 20),
        );
    }
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| facts.missing_programs.contains(*program)).collect();
    if !missing.is_empty() {
        fault(
            format!("{name} lacks {}", missing.join(", ")),
            "Install them with the package manager of its distribution.".into(),
        );
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;
    use render::spec::Architecture;

    fn host() -> Host {
        Host {
            address: "192.0.2.1".parse().unwrap(),
            secondary_address: Some("2001:db8::1".parse().unwrap()),
            architecture: Architecture::Amd64,
        }
    }

    fn good() -> Facts {
        let addresses = host().addresses().into_iter().map(|address| (address, "eth0".to_string())).collect();
        Facts {
            architecture: "amd64".into(),
            systemd_version: Some(252),
            var_free_bytes: 20 * GIB,
            addresses,
            ..Facts::default()
        }
    }

    #[track_caller]
    fn check_fault(change: impl Fn(&mut Facts), expect: &[&str]) {
        let mut facts = good();
        change(&mut facts);
        let found: Vec<String> = check("cp-1", &host(), &facts).iter().map(|diagnostic| diagnostic.summary.clone()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn each_fault_of_a_host_is_one_error() {
        check_fault(|_| {}, &[]);
        check_fault(|facts| facts.architecture = "arm64".into(), &["cp-1 is arm64, not amd64"]);
        check_fault(|facts| facts.systemd_version = None, &["systemd does not run cp-1"]);
        check_fault(|facts| facts.systemd_version = Some(219), &["systemd 219 of cp-1 is too old"]);
        check_fault(|facts| facts.time_offset_seconds = -301.4, &["the clock of cp-1 is -301 s away from the one here"]);
        check_fault(
            |facts| facts.addresses.retain(|address, _| address.is_ipv4()),
            &["no interface of cp-1 has the address 2001:db8::1"],
        );
        check_fault(|facts| facts.var_free_bytes = 300 << 20, &["cp-1 has 300 MiB left for /var"]);
        check_fault(|facts| facts.missing_programs = ["tar", "conntrack"].map(String::from).into(), &["cp-1 lacks tar"]);
    }
}
