//! The steps of a change as data, for policies and other programs; people read the lines of `rollout`. Pure.

use bundle::Disruption;
use rollout::Run;
use schema::{Attribute, Nesting, Type, Value, encode};

pub const STEPS: &str = "steps";

pub fn attribute() -> Attribute {
    let attributes = vec![
        Attribute::number("phase").computed().describe("Steps of one phase are done in their order on the first `at_a_time` hosts, then on the next ones; then the next phase begins."),
        Attribute::string("action").computed().describe("What is done: `write`, `start`, `restart`, `reload`, `stop`, `join`, `cordon`, `drain`, `uncordon`, `delete_node`, `amend_node`, `hand_over` (the virtual addresses), `apply_objects`, `snapshot_etcd`, `remove`, or what is waited for: `wait_for_units`, `wait_for_certificates`, `wait_for_etcd_quorum`, `wait_for_etcd_member`, `wait_for_quorum_without_host`, `wait_for_api_server`, `wait_for_node`, `wait_for_other_nodes`, `wait_for_virtual_addresses`."),
        Attribute::string("hosts").computed().describe("The hosts in the order of their turns, four or more in a row as a range: `cp-1, cp-2, cp-3` or `node-[001-300]`. An apply leaves the host whose etcd member leads for last, and begins with nodes that are not Ready. Null for a step that is about the cluster."),
        Attribute::number("host_count").computed().describe("How many hosts these are."),
        Attribute::number("at_a_time").computed().describe("On how many of these hosts the step runs at the same time. With 1 they take turns, each one healthy before the next; with `host_count` it runs on all of them at once."),
        Attribute::list("units", Type::String).computed().describe("The systemd units that it is about."),
        Attribute::list("causes", Type::String).computed().describe("Why: every file, program, label, annotation or taint that differs, or what is wrong with the unit or its node."),
        Attribute::string("disruption").computed().describe("What it does to those who use the cluster: `reloads_proxy`, `restarts_node_component`, `restarts_control_plane_component`, `moves_virtual_addresses`, `drains_node` or `stops_host`. Null if nothing."),
        Attribute::string("unavailable").computed().describe("What is down while the step runs on the `at_a_time` hosts whose turn it is, such as `kubelet.service on 1 of 300 hosts`. Null if nothing is."),
    ];
    Attribute::nested(STEPS, Nesting::List, attributes).computed().never_null().describe(
        "What the change of this plan does on hosts, as data: one object for each line of `rollout`, in the same order. A policy that reads the plan in JSON need not read sentences: it can refuse, for example, a step whose `disruption` is `restarts_control_plane_component`. What does not apply to a step is null. The next refresh empties it.",
    )
}

/// Writes them down for people and as data. `hosts` is how many the resource has.
pub fn set(values: &mut Value, runs: &[Run], hosts: usize) {
    let lines: Vec<String> = runs.iter().map(ToString::to_string).collect();
    values.set("rollout", encode(&lines));
    values.set(STEPS, Value::List(runs.iter().map(|run| object(run, hosts)).collect()));
}

/// They are known after apply.
pub fn set_unknown(values: &mut Value) {
    ["rollout", STEPS].into_iter().for_each(|name| values.set(name, Value::Unknown));
}

fn object(run: &Run, hosts: usize) -> Value {
    let count = |count: usize| i64::try_from(count).map_or(Value::Null, Value::from);
    let of_hosts = |value: Value| if run.hosts.0.is_empty() { Value::Null } else { value };
    let list = |items: Vec<String>| if items.is_empty() { Value::Null } else { Value::from(items) };
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    Value::object([
        ("phase", count(run.phase)),
        ("action", run.action().into()),
        ("hosts", of_hosts(run.hosts.to_string().into())),
        ("host_count", of_hosts(count(run.hosts.0.len()))),
        ("at_a_time", of_hosts(count(run.at_a_time))),
        ("units", list(run.units().iter().map(ToString::to_string).collect())),
        ("causes", list(run.causes())),
        ("disruption", text(disruption_name(run.disruption()).map(str::to_string))),
        ("unavailable", text(run.unavailable(hosts))),
    ])
}

fn disruption_name(disruption: Disruption) -> Option<&'static str> {
    match disruption {
        Disruption::None => None,
        Disruption::ReloadsProxy => Some("reloads_proxy"),
        Disruption::RestartsNodeComponent => Some("restarts_node_component"),
        Disruption::RestartsControlPlaneComponent => Some("restarts_control_plane_component"),
        Disruption::MovesVirtualAddress => Some("moves_virtual_addresses"),
        Disruption::DrainsNode => Some("drains_node"),
        Disruption::StopsHost => Some("stops_host"),
    }
}
