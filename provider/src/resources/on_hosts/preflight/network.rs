//! How the host is connected: ports, firewalls, the link between nodes, and the provider's own way to the API.

use super::{Finding, Look, Newcomer, Rule, each, each_of};
use bundle::{UnitName, collide};
use machines::Listener;
use schema::Severity::{Error, Warning};
use std::net::IpAddr;

pub static RULES: [Rule; 4] = [
    Rule { says: "Nothing else listens on a port that a component listens on.", hosts: "all", severity: Error, check: ports },
    Rule { says: "No firewalld or ufw filters packets.", hosts: "all", severity: Warning, check: firewalls },
    Rule {
        says: "With the routed pod network, no router stands between the hosts of the group.",
        hosts: "nodes",
        severity: Error,
        check: links,
    },
    Rule {
        says: "The SSH server lets the provider connect to the API server through it (`AllowTcpForwarding`).",
        hosts: "control plane",
        severity: Error,
        check: tunnels,
    },
];

/// As `PortOpenCheck` of kubeadm asks, for every address that a component of the bundle listens on.
/// Source: https://github.com/kubernetes/kubernetes/blob/v1.36.3/cmd/kubeadm/app/preflight/checks.go
fn ports(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let is_other = |listener: &Listener| {
            let is_of_bundle = |unit: &UnitName| new.bundle.units.contains_key(unit) && new.is_ours(unit);
            !listener.unit.as_ref().is_some_and(is_of_bundle)
        };
        let taken = new.bundle.needs.listens.iter().filter_map(|(address, unit)| {
            let by = new.facts.listeners.iter().filter(|listener| is_other(listener));
            Some((address, unit, by.into_iter().find(|listener| collide(listener.address, *address))?))
        });
        let mut said: Vec<(String, String)> = taken.map(|(address, unit, by)| taken_port(address.port(), unit, by)).collect();
        said.dedup_by(|one, other| one.0 == other.0);
        said
    })
}

fn taken_port(port: u16, unit: &UnitName, by: &Listener) -> (String, String) {
    let holder = match (&by.program, &by.unit) {
        (Some(program), Some(unit)) => format!("{program} ({unit})"),
        (Some(program), None) => program.clone(),
        (None, Some(unit)) => unit.to_string(),
        (None, None) => "a process that is not shown".into(),
    };
    let detail =
        format!("It listens at {}, and {unit} is to listen there. Stop it, or give one of the two another port.", by.address);
    (format!("port {port} is in use by {holder}"), detail)
}

/// kubeadm warns of firewalld too (`FirewalldCheck` in its preflight). Ports:
/// https://kubernetes.io/docs/reference/networking/ports-and-protocols/
fn firewalls(look: &Look) -> Vec<Finding> {
    each_of(look, |new| {
        let needs = &new.bundle.needs;
        let ports: Vec<String> = needs.open_ports().iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { None } else { Some(format!("TCP {}", ports.join(", "))) };
        let all: Vec<String> = ports.into_iter().chain(needs.receives.iter().cloned()).collect();
        let said = new.facts.firewalls.iter().map(|firewall| {
            let detail = format!("Let these through, from the other hosts of the cluster and its clients: {}.", all.join("; "));
            (format!("the firewall {firewall} filters packets"), detail)
        });
        said.collect()
    })
}

/// The kernel takes only a gateway that it reaches without another one (`fib_check_nh` for IPv4, `ip6_route_check_nh` for IPv6).
fn links(look: &Look) -> Vec<Finding> {
    let apart = |new: &&Newcomer| first_apart(look, new).is_some();
    let hosts: Vec<_> = look.newcomers.iter().filter(apart).collect();
    let Some((new, (other, address))) = hosts.first().and_then(|new| Some((new, first_apart(look, new)?))) else {
        return Vec::new();
    };
    let detail = format!(
        "{} reaches {other} ({address}) through a gateway only. The routed pod network has one route for each node, by way of that node's \
         address, and the kernel takes no gateway behind a gateway: pods there would not reach each other. Connect the hosts of \
         a group to one network.",
        new.name
    );
    let hosts = hosts.iter().map(|new| new.name.clone()).collect();
    vec![Finding { hosts, what: "no link to every other node".into(), detail }]
}

/// A host to which routes of pods would have to go, and cannot.
fn first_apart<'a>(look: &'a Look, new: &Newcomer) -> Option<(&'a bundle::HostName, IpAddr)> {
    let is_known = !new.facts.links.is_empty();
    let routed = |address: &IpAddr| new.bundle.needs.routed.iter().any(|network| network.addr().is_ipv4() == address.is_ipv4());
    let is_near = |address: &IpAddr| new.facts.links.iter().any(|link| link.contains(address));
    let others = look.hosts.iter().filter(|(name, _)| is_known && *name != new.name);
    let mut addresses = others.flat_map(|(name, host)| host.addresses().into_iter().map(move |address| (name, address)));
    addresses.find(|(_, address)| routed(address) && !is_near(address))
}

/// The API server is asked on its own host, through SSH (`kubernetes/connection.rs`).
fn tunnels(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let address = new.bundle.needs.tunnel.filter(|_| new.facts.refuses_tunnel)?;
        let detail = format!(
            "This provider reaches the API server at {address} through SSH, and the SSH server there refuses it. Set `AllowTcpForwarding \
             local` in its sshd_config (or in a Match block for the user of this provider), without a PermitOpen or DisableForwarding that \
             keeps it from {address}."
        );
        Some(("the SSH server forwards nothing".into(), detail))
    })
}
