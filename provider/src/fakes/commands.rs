//! The commands that resources run on hosts, answered from memory. One that is not here is a mistake of the test, and panics.

use super::memory::Memory;
use super::units;
use bundle::{HostName, HostPath, UnitName};
use ipnet::IpNet;
use machines::Output;
use render::component::ETCD;

pub(super) fn is_mutating(script: &str) -> bool {
    ["rm -f ", "systemctl stop ", "systemctl start "].iter().any(|verb| script.starts_with(verb))
}

pub(super) fn run(memory: &mut Memory, name: &HostName, script: &str) -> Output {
    let words: Vec<&str> = script.split(' ').collect();
    match words.as_slice() {
        ["systemctl", "is-active", named @ ..] => is_active(memory, name, named),
        ["systemctl", "stop", unit] => {
            units::stop(memory, name, &UnitName::literal(unit));
            answer(true, "")
        }
        ["systemctl", "start", unit] => answer(units::start_again(memory, name, &UnitName::literal(unit)).is_ok(), ""),
        ["rm", "-f", path] => {
            memory.host(name).files.remove(&HostPath::literal(path));
            answer(true, "")
        }
        ["test", "-s", path] => {
            let file = memory.host(name).files.get(&HostPath::literal(path));
            answer(file.is_some_and(|file| !file.content.is_empty()), "")
        }
        ["ip", "-o", "addr", "show"] => answer(true, &addresses(memory, name)),
        ["journalctl", ..] => answer(true, ""),
        ["etcdctl", .., "endpoint", "health"] => answer(memory.is_up(name, ETCD.unit().as_str()) && memory.etcd_has_quorum(), ""),
        ["kubectl", .., "get", "--raw=/readyz"] => answer(memory.serves_api(name), ""),
        _ => panic!("the fake host does not know this command: {script}"),
    }
}

fn is_active(memory: &Memory, name: &HostName, named: &[&str]) -> Output {
    let states: Vec<&str> = named.iter().map(|unit| if memory.is_up(name, unit) { "active" } else { "inactive" }).collect();
    answer(states.iter().all(|state| *state == "active"), &states.join("\n"))
}

fn answer(is_good: bool, text: &str) -> Output {
    Output { status: if is_good { 0 } else { 3 }, stdout: text.as_bytes().to_vec(), stderr: Vec::new() }
}

/// As `nopreempt` has it: who holds the virtual addresses keeps them while its keepalived runs.
fn addresses(memory: &mut Memory, name: &HostName) -> String {
    let runs = |memory: &Memory, name: &HostName| !configured(memory, name).is_empty();
    let holder = memory.holder.clone().filter(|holder| runs(memory, holder));
    memory.holder = holder.or_else(|| memory.hosts.keys().find(|name| runs(memory, name)).cloned());
    if memory.holder.as_ref() != Some(name) {
        return "2: eth0    inet 192.0.2.1/24 scope global eth0\n".into();
    }
    configured(memory, name).iter().map(|address| format!("2: eth0    inet {address} scope global eth0\n")).collect()
}

/// The virtual addresses that a keepalived of this host was started with.
fn configured(memory: &Memory, name: &HostName) -> Vec<IpNet> {
    let units = memory.hosts.get(name).into_iter().flat_map(|host| host.units.values());
    units.filter(|unit| unit.active_state == "active").flat_map(|unit| unit.addresses.clone()).collect()
}
