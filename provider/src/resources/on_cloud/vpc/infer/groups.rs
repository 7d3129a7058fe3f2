//! Options of the security groups from their rules.

use super::{Observed, Settings};
use cloud::Kind;
use ipnet::IpNet;
use render::aws::security_groups::{
    FOR_ADMINISTRATORS, FOR_CLIENTS_OF_API, FOR_CLIENTS_OF_NODE_PORTS, FOR_PODS, NODE_PORTS, NetworkAddon, Role, VRRP_PROTOCOL,
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
    let port = |role: Role, peer: Role| {
        let peer = format!(" @security_group/{}", peer.as_str());
        let ports =
            group(role).keys().filter_map(|key| key.strip_prefix("ingress tcp ")?.strip_suffix(&peer)?.parse::<u16>().ok());
        ports.collect::<Vec<_>>()
    };
    // The control plane lets load balancers in by one port, the proxy nodes.
    let api_port = port(Role::ControlPlane, Role::LoadBalancer).first().copied();
    let proxy_port = port(Role::Proxy, Role::Node).first().copied();
    [("api_port", api_port), ("proxy_port", proxy_port)]
        .into_iter()
        .filter_map(|(name, port)| Some((name, port?)))
        .for_each(|(name, port)| options.set(name, port.into()));
    let vrrp = format!("ingress {VRRP_PROTOCOL} all @security_group/load-balancer");
    options.set("vrrp", group(Role::LoadBalancer).contains_key(&vrrp).into());
    let cidrs = |role: Role, rule: &str, why: &str| -> Value {
        let described = group(role).iter().filter(|(_, description)| *description == why);
        let peers = described.filter_map(|(key, _)| key.strip_prefix(rule)?.strip_prefix(' '));
        peers.filter(|peer| peer.parse::<IpNet>().is_ok()).collect()
    };
    let api_port = options.get("api_port").as_i64().unwrap_or(6443);
    options.set("pod_cidrs", cidrs(Role::Node, "ingress all all", FOR_PODS));
    options.set("node_port_cidrs", cidrs(Role::Node, &format!("ingress tcp {NODE_PORTS}"), FOR_CLIENTS_OF_NODE_PORTS));
    options.set("admin_cidrs", cidrs(Role::Bastion, "ingress tcp 22", FOR_ADMINISTRATORS));
    options.set("load_balancer_cidrs", cidrs(Role::LoadBalancer, &format!("ingress tcp {api_port}"), FOR_CLIENTS_OF_API));
    let (addon, wireguard) = network_addon(group(Role::Node), spec);
    options.set("network_addon", addon.as_str().into());
    options.set("wireguard", wireguard.into());
    options
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
    keys.filter(|key| key.starts_with("ingress ") && key.ends_with(" @security_group/node")).cloned().collect()
}

/// What the options do not explain was declared as additional rules.
pub fn add_others(observed: &Observed, spec: &VpcSpec, value: &mut Value) {
    let graph = vpc::graph(spec);
    let mut others = BTreeMap::new();
    for role in Role::ALL {
        let declared = graph.get(&vpc::key(Kind::SecurityGroup, role.as_str()));
        let found = observed.get(Kind::SecurityGroup, role.as_str()).into_iter().flatten();
        for (key, description) in found.filter(|(key, _)| declared.is_none_or(|object| !object.settings.contains_key(*key))) {
            let words: Vec<&str> = key.split(' ').collect();
            let [direction @ ("ingress" | "egress"), protocol, ports, peer] = words[..] else { continue };
            let peer = peer.strip_prefix("@security_group/").unwrap_or(peer);
            let rule =
                [("role", role.as_str()), ("direction", direction), ("protocol", protocol), ("ports", ports), ("peer", peer)];
            let name = if description.is_empty() { key.replace('@', "") } else { description.clone() };
            others.insert(name, Value::object(rule.map(|(name, text)| (name, text.into()))));
        }
    }
    let mut options = value.get("security_groups").clone();
    options.set("additional_rules", Value::Map(others));
    value.set("security_groups", options);
}
