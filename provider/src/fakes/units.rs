//! What systemd does on a fake host, and what the programs that matter here do once they run: etcd, API server, kubelet, keepalived.

use super::certificates::{CLIENT_CERTIFICATE_EXPIRES, CLIENT_CERTIFICATE_PEM, SECOND_CLIENT_CERTIFICATE_PEM};
use super::memory::{Cluster, FakeUnit, Memory, Node};
use super::{FakeFile, memory::HostMemory};
use crate::kubernetes::{NodeReport, UNINITIALIZED};
use bundle::{HostName, HostPath, NodeObject, OnChange, TaintKey, UnitName};
use ipnet::IpNet;
use machines::{MachineError, Owner};
use render::component::{API_SERVER, CONTAINERD, ETCD, KUBELET};
use render::node::{BOOTSTRAP_KUBECONFIG, CLIENT_CERTIFICATE, KUBELET_KUBECONFIG};
use std::collections::BTreeMap;

/// A flag and a field that no program takes, of which a check tells.
const NO_SUCH_SETTINGS: [&str; 2] = ["--no-such-flag=", "noSuchField"];
/// A flag and a field that a program takes, with which it ends when it runs.
const DEADLY_SETTINGS: [&str; 2] = ["--deadly-flag=", "deadlyField"];
const REGISTRATION: &str = "/etc/kubernetes/node/registration.env";
/// What a member makes at its first start.
pub const ETCD_LOG: &str = "/var/lib/etcd/member/wal/0.wal";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Restart,
    Reload,
    Stop,
}

pub(super) fn joined(units: &[UnitName]) -> String {
    units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(" ")
}

/// What was down or is to read something new loses its stamp; the first unit that does not come up is the error.
pub(super) fn act(
    memory: &mut Memory,
    name: &HostName,
    verb: Verb,
    owner: &Owner,
    units: &[UnitName],
) -> Result<(), MachineError> {
    for unit in units {
        if verb == Verb::Stop {
            stop(memory, name, unit);
            continue;
        }
        if verb != Verb::Start || !memory.is_up(name, unit.as_str()) {
            memory.host(name).records.entry(owner.clone()).or_default().withdraw(unit);
        }
        let reason = start(memory, name, verb, owner, unit).err();
        let record = memory.host(name).records.entry(owner.clone()).or_default();
        match reason {
            None => drop(record.started.insert(unit.clone())),
            Some(reason) => {
                memory.host(name).units.entry(unit.clone()).or_default().active_state = "failed".into();
                let (host, verb, unit) = (name.to_string(), format!("{verb:?}").to_lowercase(), unit.to_string());
                return Err(MachineError::Unit { host, verb, unit, reason: reason.into(), journal: "(it has none)".into() });
            }
        }
    }
    Ok(())
}

fn start(memory: &mut Memory, name: &HostName, verb: Verb, owner: &Owner, unit: &UnitName) -> Result<(), &'static str> {
    let host = memory.host(name);
    if !host.files.contains_key(&unit.path()) {
        return Err("systemd does not know it: its unit file is missing");
    }
    let reads = host.records.get(owner).and_then(|record| record.reads.get(unit)).cloned().unwrap_or_default();
    let was_running = host.is_up(unit.as_str());
    if verb == Verb::Restart || !was_running {
        stop(memory, name, unit);
        memory.ticks += 1;
        come_up(memory, name, unit)?;
    }
    let now = memory.now();
    let host = memory.host(name);
    let reads_again = verb != Verb::Start || !was_running;
    let mut state = host.units.get(unit).cloned().unwrap_or_default();
    if reads_again {
        state.runs_with = Some(host.stamp_of(&reads));
        state.holds = host.read_again(&reads);
        state.addresses = addresses(host, &reads);
        state.crash_loops = refuses_its_settings(host, &reads);
    }
    if verb == Verb::Restart || !was_running {
        state.since = now;
    }
    host.units.insert(unit.clone(), FakeUnit { active_state: "active".into(), enabled: true, ..state });
    Ok(())
}

/// A program of `Type=simple`: systemd takes it for active when it is forked, and then starts it again and again.
fn refuses_its_settings(host: &HostMemory, reads: &BTreeMap<HostPath, OnChange>) -> bool {
    has_any(host, reads, &NO_SUCH_SETTINGS) || has_any(host, reads, &DEADLY_SETTINGS)
}

pub(super) fn refuses_in_a_check(host: &HostMemory, owner: &Owner, unit: &UnitName) -> bool {
    let reads = host.records.get(owner).and_then(|record| record.reads.get(unit));
    reads.is_some_and(|reads| has_any(host, reads, &NO_SUCH_SETTINGS))
}

fn has_any(host: &HostMemory, reads: &BTreeMap<HostPath, OnChange>, settings: &[&str]) -> bool {
    let texts = reads.keys().filter_map(|path| host.files.get(path)).map(|file| String::from_utf8_lossy(&file.content));
    texts.into_iter().any(|text| settings.iter().any(|setting| text.contains(setting)))
}

/// What keepalived takes from its configuration: the words with a prefix length are the virtual addresses.
fn addresses(host: &HostMemory, reads: &BTreeMap<HostPath, OnChange>) -> Vec<IpNet> {
    let configurations = reads.keys().filter(|path| path.as_str().ends_with("/keepalived.conf"));
    let text = |path: &HostPath| host.files.get(path).map(|file| String::from_utf8_lossy(&file.content).into_owned());
    let words = configurations.filter_map(text).collect::<String>();
    words.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// By a command rather than with a stamp.
pub(super) fn start_again(memory: &mut Memory, name: &HostName, unit: &UnitName) -> Result<(), &'static str> {
    let owner =
        memory.host(name).records.iter().find(|(_, record)| record.units.contains_key(unit)).map(|(owner, _)| owner.clone());
    start(memory, name, Verb::Start, &owner.ok_or("nobody pushed it")?, unit)
}

pub(super) fn stop(memory: &mut Memory, name: &HostName, unit: &UnitName) {
    if let Some(unit) = memory.host(name).units.get_mut(unit) {
        unit.active_state = "inactive".into();
    }
}

/// What each program needs to come up.
fn come_up(memory: &mut Memory, name: &HostName, unit: &UnitName) -> Result<(), &'static str> {
    match unit.as_str() {
        unit if unit == ETCD.unit().as_str() => {
            let file = FakeFile { mode: 0o600, owner: "root:root".into(), content: b"entries".to_vec() };
            memory.host(name).files.entry(HostPath::literal(ETCD_LOG)).or_insert(file);
            Ok(())
        }
        unit if unit == API_SERVER.unit().as_str() && !memory.etcd_has_quorum() => Err("etcd has no quorum"),
        unit if unit == KUBELET.unit().as_str() => join(memory, name),
        _ => Ok(()),
    }
}

/// TLS bootstrap: a kubelet without valid credentials needs a token that the cluster knows. Only a kubelet that starts registers its node.
fn join(memory: &mut Memory, name: &HostName) -> Result<(), &'static str> {
    let (serves, now) = (memory.any_api_serves(), memory.now());
    let tokens = memory.cluster.tokens.clone();
    let host = memory.host(name);
    if !host.files.contains_key(&HostPath::literal(KUBELET_KUBECONFIG)) || has_expired(host, now) {
        let bootstrap =
            host.files.get(&HostPath::literal(BOOTSTRAP_KUBECONFIG)).ok_or("it has neither credentials nor a token")?;
        let text = String::from_utf8_lossy(&bootstrap.content).into_owned();
        if !serves || !tokens.iter().any(|(token, end)| now < *end && text.contains(token.as_str())) {
            return Err("the cluster does not know its token");
        }
        let pem = if now < CLIENT_CERTIFICATE_EXPIRES { CLIENT_CERTIFICATE_PEM } else { SECOND_CLIENT_CERTIFICATE_PEM };
        let contents = [(KUBELET_KUBECONFIG, format!("credentials of {name}")), (CLIENT_CERTIFICATE, pem.to_string())];
        for (path, content) in contents {
            let file = FakeFile { mode: 0o600, owner: "root:root".into(), content: content.into_bytes() };
            host.files.insert(HostPath::literal(path), file);
        }
    }
    let registration = host.files.get(&HostPath::literal(REGISTRATION));
    let mut object = registration.map(|file| registered(&String::from_utf8_lossy(&file.content))).unwrap_or_default();
    let unit = host.files.get(&KUBELET.unit().path()).map(|file| String::from_utf8_lossy(&file.content).into_owned());
    if unit.is_some_and(|unit| unit.contains("--cloud-provider=external")) {
        object.taints.insert(TaintKey { key: UNINITIALIZED.into(), effect: "NoSchedule".into() }, "true".into());
    }
    let (is_mute, version) = (host.is_mute, host.kubelet_version.clone());
    if serves {
        let node = memory.cluster.nodes.entry(name.to_string()).or_insert_with(|| Node { object, ..Node::default() });
        node.kubelet_version = version;
        // The tick after the one in which it was started.
        node.heartbeat = if is_mute { node.heartbeat } else { now + 1 };
    }
    Ok(())
}

fn has_expired(host: &HostMemory, now: i64) -> bool {
    let held = host.files.get(&HostPath::literal(CLIENT_CERTIFICATE)).map(|file| file.content.as_slice());
    held == Some(CLIENT_CERTIFICATE_PEM.as_bytes()) && now >= CLIENT_CERTIFICATE_EXPIRES
}

/// Labels and taints with which a kubelet registers: `key=value` and `key=value:effect` in the file that the flags of its unit name.
fn registered(environment: &str) -> NodeObject {
    let variable =
        |name: &str| environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let labels = variable("NODE_LABELS").split(',').filter_map(|pair| pair.split_once('='));
    let taints = variable("NODE_TAINTS").split(',').filter_map(|text| {
        let (key, rest) = text.split_once('=')?;
        let (value, effect) = rest.split_once(':')?;
        Some((TaintKey { key: key.into(), effect: effect.into() }, value.to_string()))
    });
    NodeObject {
        labels: labels.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        annotations: BTreeMap::new(),
        taints: taints.collect(),
        provider_id: Some(variable("NODE_PROVIDER_ID").to_string()).filter(|id| !id.is_empty()),
    }
}

/// What its kubelet has reported, which would report at once what changes.
pub(super) fn report(memory: &Memory, node: &str) -> Option<NodeReport> {
    let known = memory.cluster.nodes.get(node)?;
    let heartbeat = known.heartbeat * 1_000_000;
    let host = memory.hosts.iter().find(|(name, _)| name.as_str() == node).map(|(_, host)| host);
    let is_ready = !known.is_sick && host.is_some_and(|host| runs_pods(host) && !has_expired(host, memory.now()));
    let lacks_network = is_ready && memory.lacks_pod_network && !known.has_network;
    let not_ready = (!is_ready || lacks_network).then(|| "NotReady".to_string());
    let kubelet_version = known.kubelet_version.clone();
    let is_uninitialized = known.object.taints.keys().any(|taint| taint.key == UNINITIALIZED);
    let heartbeat = Some(heartbeat);
    Some(NodeReport { not_ready, lacks_network, is_uninitialized, reported: heartbeat, renewed: heartbeat, kubelet_version })
}

fn runs_pods(host: &HostMemory) -> bool {
    host.runs(&KUBELET) && host.runs(&CONTAINERD)
}

pub(super) fn forget_cluster_without_etcd(memory: &mut Memory) {
    let etcd = ETCD.unit().path();
    if memory.hosts.values().all(|host| !host.files.contains_key(&etcd)) {
        let tokens_made = std::mem::take(&mut memory.cluster.tokens_made);
        memory.cluster = Cluster { tokens_made, ..Cluster::default() };
    }
}
