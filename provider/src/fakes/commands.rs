//! The commands that resources run on hosts, answered from memory. One that is not here is a mistake of the test, and panics.

use super::memory::{Memory, Vrrp};
use super::units;
use bundle::{Digest, HostName, HostPath, UnitName};
use ipnet::IpNet;
use machines::Output;
use render::component::POD_NETWORK;
use render::control_plane::KUBECTL;
use render::node;
use std::net::IpAddr;

pub(super) fn is_mutating(script: &str) -> bool {
    ["rm -f ", "systemctl stop ", "systemctl start "].iter().any(|verb| script.starts_with(verb))
}

pub(super) fn run(memory: &mut Memory, name: &HostName, script: &str) -> Output {
    if script.contains("# who-answers ") {
        return answer(true, &who_answers(memory, name, script));
    }
    if script.starts_with(node::RECONNECT_PODS) {
        return answer(true, "");
    }
    if script.contains("/selfsubjectaccessreviews") {
        return answer(memory.serves_api(name), "");
    }
    let words: Vec<&str> = script.split(' ').collect();
    match words.as_slice() {
        ["systemctl", "show", "--timestamp=us+utc", "-p", _, "--", .., "date", "-u", "+%s%6N"] => show(memory, name, script),
        ["systemctl", "is-system-running"] => {
            let startings = &mut memory.host(name).startings;
            let state = if *startings == 0 { "running\n" } else { "starting\n" };
            *startings = startings.saturating_sub(1);
            answer(state == "running\n", state)
        }
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
        ["openssl", "x509", "-noout", "-sha256", "-fingerprint", "-in", path, "timeout", "5", "openssl", "s_client", ..] => {
            answer(true, &fingerprints(memory, name, &HostPath::literal(path.trim_end_matches(';'))))
        }
        ["sed", "-n", .., "2>/dev/null;", "date", "-u", "+%s"] => {
            let held = memory.host(name).files.get(&HostPath::literal(node::CLIENT_CERTIFICATE)).map(|file| file.content.clone());
            answer(true, &format!("{}{}\n", String::from_utf8_lossy(&held.unwrap_or_default()), memory.now()))
        }
        ["ls", node::CNI_CONFIGURATIONS] => {
            let mut paths = memory.host(name).content_of(&HostPath::literal(node::CNI_CONFIGURATIONS));
            // Written by the unit when it starts.
            let has_own = memory.host(name).is_up(POD_NETWORK.unit().as_str());
            paths.extend(has_own.then(|| HostPath::literal(node::CNI_CONFIGURATION)));
            let name = |path: &HostPath| format!("{}\n", path.as_str().rsplit('/').next().unwrap());
            answer(true, &paths.iter().map(name).collect::<String>())
        }
        ["ip", "-o", "addr", "show"] => answer(true, &addresses(memory, name)),
        ["journalctl", ..] => answer(true, "I1129 09:15:02.0 1 a.go:1] it runs\nError: it cannot bear --deadly-flag\n"),
        [KUBECTL, .., "get", "--raw=/readyz"] => answer(memory.serves_api(name), ""),
        [KUBECTL | node::KUBECTL, .., "get", "--raw=/healthz" | "--raw=/livez"] => answer(true, ""),
        _ => panic!("the fake host does not know this command: {script}"),
    }
}

/// As `systemctl show` and `date`: paragraphs, and a time at which what runs has run for long.
fn show(memory: &Memory, name: &HostName, script: &str) -> Output {
    let units = script.split(" -- ").nth(1).and_then(|rest| rest.split(" 2>").next()).unwrap_or_default();
    let paragraphs = units.split(' ').map(|unit| {
        let state = memory.hosts.get(name).and_then(|host| host.units.get(&UnitName::literal(unit))).cloned().unwrap_or_default();
        let restarts = if state.crash_loops { 12 } else { 0 };
        let (active_state, since) = (&state.active_state, timestamp(state.since));
        format!("Id={unit}\nActiveState={active_state}\nNRestarts={restarts}\nActiveEnterTimestamp={since}\n")
    });
    let text = paragraphs.collect::<Vec<_>>().join("\n");
    answer(true, &format!("{text}{}000000\n", memory.now() + 60))
}

/// Of the file, and of what the running unit that reads it again by itself shows.
fn fingerprints(memory: &Memory, name: &HostName, path: &HostPath) -> String {
    let line = |content: &Vec<u8>| format!("sha256 Fingerprint={}\n", Digest::of(content));
    let Some(host) = memory.hosts.get(name) else { return String::new() };
    let file = host.files.get(path).map(|file| line(&file.content)).unwrap_or_default();
    let running = host.units.values().filter(|unit| unit.active_state == "active");
    let served = running.filter_map(|unit| unit.holds.get(path)).map(line).next().unwrap_or_default();
    format!("{file}{served}")
}

fn timestamp(seconds: i64) -> String {
    let form = time::macros::format_description!("[weekday repr:short] [year]-[month]-[day] [hour]:[minute]:[second].000000 UTC");
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(form).unwrap()
}

fn answer(is_good: bool, text: &str) -> Output {
    Output { status: if is_good { 0 } else { 3 }, stdout: text.as_bytes().to_vec(), stderr: Vec::new() }
}

/// As `nopreempt` has it: who holds the virtual addresses keeps them while its keepalived runs.
fn holds(memory: &mut Memory, name: &HostName) -> bool {
    let runs = |memory: &Memory, name: &HostName| !configured(memory, name).is_empty();
    let all: Vec<HostName> = memory.hosts.keys().filter(|name| runs(memory, name)).cloned().collect();
    let holder = memory.holder.take().filter(|holder| all.contains(holder)).or_else(|| all.first().cloned());
    let is_holder = holder.as_ref() == Some(name);
    let moves = memory.vrrp == Vrrp::GetsLost && all.last() == Some(name);
    memory.holder = if moves { all.iter().find(|host| holder.as_ref() != Some(*host)).cloned() } else { holder };
    is_holder || (memory.vrrp == Vrrp::Filtered && runs(memory, name))
}

fn addresses(memory: &mut Memory, name: &HostName) -> String {
    if !holds(memory, name) {
        return "2: eth0    inet 192.0.2.1/24 scope global eth0\n".into();
    }
    configured(memory, name).iter().map(|address| format!("2: eth0    inet {address} scope global eth0\n")).collect()
}

/// As `who-answers` of the load balancer does; its arguments stand in the first line.
fn who_answers(memory: &mut Memory, name: &HostName, script: &str) -> String {
    let pairs = script.lines().next().unwrap_or_default().split(' ').filter_map(|word| word.split_once('='));
    let mut text = String::new();
    for address in pairs.filter_map(|(address, _)| address.parse::<IpAddr>().ok()) {
        let hosts: Vec<HostName> = memory.hosts.keys().cloned().collect();
        let carries = |memory: &mut Memory, host: &HostName| {
            let is_configured = configured(memory, host).iter().any(|net| net.addr() == address);
            memory.host(host).addresses.contains(&address) || (is_configured && holds(memory, host))
        };
        if carries(memory, name) {
            text += &format!("here {address} eth0\n");
        } else if let Some(mac) = memory.strangers.get(&address) {
            text += &format!("answers {address} {mac} eth0\n");
        } else if hosts.iter().any(|host| carries(memory, host)) {
            text += &format!("answers {address} 02:00:00:00:00:02 eth0\n");
        }
    }
    text + "end\n"
}

/// The virtual addresses that a keepalived of this host was started with.
fn configured(memory: &Memory, name: &HostName) -> Vec<IpNet> {
    let units = memory.hosts.get(name).into_iter().flat_map(|host| host.units.values());
    units.filter(|unit| unit.active_state == "active").flat_map(|unit| unit.addresses.clone()).collect()
}
