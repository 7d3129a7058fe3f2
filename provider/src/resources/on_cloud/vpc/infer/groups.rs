//! Options of the security groups from their rules.

use super::{Observed, Settings};
use cloud::{Direction, Kind, Peer, Ports, Protocol, Rule};
use render::aws::security_groups::{
    FOR_ADMINISTRATORS, FOR_CLIENTS_OF_API, FOR_CLIENTS_OF_NODE_PORTS, FOR_PODS, NODE_PORTS, NetworkAddon, Role, SSH,
    VRRP_PROTOCOL,
};
use render::aws::vpc::{self, VpcSpec};
use schema::Value;
use std::collections::BTreeMap;

/// As the schema has them.
pub fn defaults() -> Value {
    let none = || Value::List(Vec::new());
    Value::object([
        ("network_addon", "none".into()),
        ("wireguard", false.into()),
        ("api_port", 6443.into()),
        ("proxy_port", 3128.into()),
        ("vrrp", false.into()),
        ("pod_cidrs", none()),
        ("node_port_cidrs", none()),
        ("admin_cidrs", none()),
        ("load_balancer_cidrs", none()),
        ("additional_rules", Value::object([])),
    ])
}

pub fn infer(observed: &Observed, spec: &VpcSpec) -> Value {
    let mut options = defaults();
    let empty = Settings::new();
    let group = |role: Role| observed.get(Kind::SecurityGroup, role.as_str()).unwrap_or(&empty);
    let port = |role: Role, from: Role| {
        let mut ports = rules(group(role)).map(|(rule, _)| rule);
        ports.find_map(|rule| match (rule.direction, rule.protocol, rule.ports) {
            (Direction::Ingress, Protocol::Tcp, Ports::One(port)) if rule.peer == from.peer() => Some(port),
            _ => None,
        })
    };
    // The control plane lets load balancers in by one port, the proxy nodes.
    let api_port = port(Role::ControlPlane, Role::LoadBalancer);
    let proxy_port = port(Role::Proxy, Role::Node);
    [("api_port", api_port), ("proxy_port", proxy_port)]
        .into_iter()
        .filter_map(|(name, port)| Some((name, port?)))
        .for_each(|(name, port)| options.set(name, port.into()));
    let vrrp = Rule::new(Direction::Ingress, VRRP_PROTOCOL, Ports::All, Role::LoadBalancer.peer());
    options.set("vrrp", group(Role::LoadBalancer).contains_key(&vrrp.to_string()).into());
    let cidrs = |role: Role, protocol: Protocol, ports: Ports, why: &str| -> Value {
        let is_meant = |rule: &Rule| (rule.direction, rule.protocol, rule.ports) == (Direction::Ingress, protocol, ports);
        let described = rules(group(role)).filter(|(rule, description)| *description == why && is_meant(rule));
        let networks = described.filter_map(|(rule, _)| match rule.peer {
            Peer::Network(network) => Some(network.to_string()),
            _ => None,
        });
        networks.collect::<Vec<_>>().into()
    };
    let api = Ports::One(api_port.unwrap_or(6443));
    options.set("pod_cidrs", cidrs(Role::Node, Protocol::All, Ports::All, FOR_PODS));
    options.set("node_port_cidrs", cidrs(Role::Node, Protocol::Tcp, NODE_PORTS, FOR_CLIENTS_OF_NODE_PORTS));
    options.set("admin_cidrs", cidrs(Role::Bastion, Protocol::Tcp, SSH, FOR_ADMINISTRATORS));
    options.set("load_balancer_cidrs", cidrs(Role::LoadBalancer, Protocol::Tcp, api, FOR_CLIENTS_OF_API));
    let (addon, wireguard) = network_addon(group(Role::Node), spec);
    options.set("network_addon", addon.as_str().into());
    options.set("wireguard", wireguard.into());
    options
}

/// In the order of their keys.
fn rules(group: &Settings) -> impl Iterator<Item = (Rule, &str)> {
    group.iter().filter_map(|(key, description)| Some((key.parse().ok()?, description.as_str())))
}

/// The one that explains the most rules, of those of which none is missing.
fn network_addon(node: &Settings, spec: &VpcSpec) -> (NetworkAddon, bool) {
    let all = NetworkAddon::ALL.into_iter().flat_map(|addon| [(addon, false), (addon, true)]);
    let explained = |(addon, wireguard): &(NetworkAddon, bool)| {
        let mut candidate = spec.clone();
        candidate.security_groups.network_addon = *addon;
        candidate.security_groups.wireguard = *wireguard;
        let rules = between_nodes(&vpc::graph(&candidate));
        rules.iter().all(|rule| node.contains_key(rule)).then_some(rules.len())
    };
    let mut best = (NetworkAddon::None, false, 0);
    for (addon, wireguard) in all {
        if let Some(count) = explained(&(addon, wireguard)).filter(|count| *count > best.2) {
            best = (addon, wireguard, count);
        }
    }
    (best.0, best.1)
}

fn between_nodes(graph: &cloud::Graph) -> Vec<String> {
    let node = graph.get(&vpc::key(Kind::SecurityGroup, Role::Node.as_str()));
    let keys = node.into_iter().flat_map(|node| node.settings.keys());
    let is_between = |rule: &Rule| rule.direction == Direction::Ingress && rule.peer == Role::Node.peer();
    keys.filter(|key| key.parse().is_ok_and(|rule| is_between(&rule))).cloned().collect()
}

/// What the options do not explain was declared as additional rules.
pub fn add_others(observed: &Observed, spec: &VpcSpec, value: &mut Value) {
    let graph = vpc::graph(spec);
    let mut others = BTreeMap::new();
    for role in Role::ALL {
        let declared = graph.get(&vpc::key(Kind::SecurityGroup, role.as_str()));
        let found = observed.get(Kind::SecurityGroup, role.as_str()).into_iter().flatten();
        for (key, description) in found.filter(|(key, _)| declared.is_none_or(|object| !object.settings.contains_key(*key))) {
            let Ok(rule) = key.parse::<Rule>() else { continue };
            let peer = match &rule.peer {
                Peer::Declared(group) => group.name.clone(),
                peer => peer.to_string(),
            };
            let name = if description.is_empty() { key.replace('@', "") } else { description.clone() };
            let rule = [
                ("role", role.as_str().to_owned()),
                ("direction", rule.direction.to_string()),
                ("protocol", rule.protocol.to_string()),
                ("ports", rule.ports.to_string()),
                ("peer", peer),
            ];
            others.insert(name, Value::object(rule.map(|(name, text)| (name, text.into()))));
        }
    }
    let mut options = value.get("security_groups").clone();
    options.set("additional_rules", Value::Map(others));
    value.set("security_groups", options);
}
