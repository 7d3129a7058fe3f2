//! What is wrong with a load balancer, said at plan with the attribute and a value that would do. Pure.

use crate::resources::attributes;
use ipnet::IpNet;
use schema::{Diagnostics, ValueAt};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub fn validate_virtual_addresses(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let addresses = config.get("virtual_addresses");
    if addresses.is_empty() {
        found.push(addresses.error("virtual_addresses is empty", "Give at least one, such as \"192.0.2.100/24\"."));
    }
    let hosts = addresses_of_hosts(&config.get("hosts"));
    let mut seen = Vec::new();
    for part in addresses.items() {
        let Some(text) = part.as_str() else { continue };
        let Ok(virtual_address) = text.parse::<IpNet>() else {
            found.push(part.error(
                format!("{text:?} is not an address with a prefix length"),
                "Give the address and the prefix length of the hosts' network, such as \"192.0.2.100/24\" or \"2001:db8::100/64\".",
            ));
            continue;
        };
        let address = virtual_address.addr();
        if seen.contains(&address) {
            found.push(part.error(format!("virtual address {address} is given twice"), "Give each address once."));
        }
        seen.push(address);
        validate_among_hosts(&part, virtual_address, &hosts, found);
    }
}

fn addresses_of_hosts<'a>(hosts: &ValueAt<'a>) -> Vec<(&'a str, IpAddr)> {
    let both = |(name, host): (&'a str, ValueAt<'a>)| {
        let parts = ["address", "secondary_address"].map(|attribute| host.get(attribute));
        parts.into_iter().filter_map(move |part| Some((name, part.as_str()?.parse().ok()?)))
    };
    hosts.entries().flat_map(both).collect()
}

/// In the network of the hosts, and none of theirs.
fn validate_among_hosts(part: &ValueAt<'_>, virtual_address: IpNet, hosts: &[(&str, IpAddr)], found: &mut Diagnostics) {
    let address = virtual_address.addr();
    if let Some((name, _)) = hosts.iter().find(|(_, host)| *host == address) {
        found.push(part.error(
            format!("virtual address {address} is the address of host {name}"),
            "A virtual address moves between hosts: choose one that no host has.",
        ));
    }
    let mut family = hosts.iter().filter(|(_, host)| host.is_ipv4() == address.is_ipv4()).peekable();
    if family.peek().is_none() && !hosts.is_empty() {
        found.push(part.error(
            format!("no host has an address of the family of {address}"),
            "Give each host a secondary_address of that family, or leave this virtual address out.",
        ));
    } else if let Some((name, host)) = family.find(|(_, host)| !virtual_address.contains(host)) {
        found.push(part.error(
            format!("virtual address {virtual_address} is outside the network of host {name} ({host})"),
            format!(
                "Neighbours find it by ARP or neighbour discovery only in their own network: choose one in the network of {host}."
            ),
        ));
    }
}

/// VRRP version 3 counts hundredths of a second (RFC 5798, 5.2.7).
pub fn validate_interval(interval: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(milliseconds) = interval.as_i64().filter(|milliseconds| milliseconds % 10 != 0) else { return };
    let below = (milliseconds / 10 * 10).max(10);
    found.push(interval.error(
        format!("{milliseconds} ms is not a multiple of 10 ms"),
        format!("VRRP counts hundredths of a second. Give {below} or {}.", below + 10),
    ));
}

pub fn validate_listeners(listeners: &ValueAt<'_>, found: &mut Diagnostics) {
    if listeners.is_empty() {
        found.push(
            listeners
                .error("listeners is empty", "Give at least one, such as { apiserver = { port = 6443, backends = [...] } }."),
        );
    }
    let mut ports = BTreeMap::new();
    for (name, listener) in listeners.entries() {
        validate_listener_name(name, &listener, found);
        let port = listener.get("port");
        if let Some(other) = port.as_i64().and_then(|number| ports.insert(number, name)) {
            let summary = format!("listeners {other} and {name} both take port {}", port.as_i64().unwrap_or_default());
            found.push(port.error(summary, "A port belongs to one listener. Choose another port for one of them."));
        }
        validate_backends(name, &listener.get("backends"), found);
        validate_path(&listener.get("health_check").get("https_path"), found);
    }
}

/// A connection to a listener's port on a host of the load balancer, or on a virtual address, comes back to that listener.
pub fn validate_loops(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let own = own_addresses(config);
    for (name, listener) in config.get("listeners").entries() {
        let port = listener.get("port").as_i64();
        for part in listener.get("backends").items() {
            let Some(Ok(backend)) = part.as_str().map(str::parse::<SocketAddr>) else { continue };
            let Some((_, owner)) = own.iter().find(|(address, _)| *address == backend.ip()) else { continue };
            if port == Some(i64::from(backend.port())) {
                found.push(part.error(
                    format!("backend {backend} is listener {name} itself, on {owner}"),
                    format!(
                        "The load balancer listens on port {} of every address of its hosts, so nothing else can have that port there. \
                         Give the listener another port than its backends have, such as {}, or run the load balancer on other hosts.",
                        backend.port(),
                        if backend.port() == 8443 { 6443 } else { 8443 },
                    ),
                ));
            }
        }
    }
}

/// Addresses that are known, each with what has it.
fn own_addresses(config: &ValueAt<'_>) -> Vec<(IpAddr, String)> {
    let hosts = addresses_of_hosts(&config.get("hosts")).into_iter().map(|(name, address)| (address, format!("host {name}")));
    let virtual_addresses = config.get("virtual_addresses").items().filter_map(|item| {
        let network: IpNet = item.as_str()?.parse().ok()?;
        Some((network.addr(), "a virtual address".to_string()))
    });
    hosts.chain(virtual_addresses).collect()
}

fn validate_listener_name(name: &str, listener: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_good = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    if !is_good {
        found.push(listener.error(
            format!("{name:?} cannot be the name of a listener"),
            "Use lower-case letters, digits, '-' and '_', such as \"apiserver\".",
        ));
    }
}

fn validate_backends(name: &str, backends: &ValueAt<'_>, found: &mut Diagnostics) {
    if backends.is_empty() {
        found.push(backends.error(format!("listener {name} has no backends"), "Give at least one, such as \"192.0.2.11:6443\"."));
    }
    for backend in backends.items() {
        let Some(text) = backend.as_str().filter(|text| !is_backend(text)) else { continue };
        found.push(backend.error(
            format!("{text:?} is not a backend"),
            "Give address and port, such as \"192.0.2.11:6443\", \"[2001:db8::11]:6443\" or \"cp-1.example.net:6443\".",
        ));
    }
}

fn validate_path(path: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_path = |text: &str| text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.?=&".contains(c));
    let Some(text) = path.as_str().filter(|text| !is_path(text)) else { return };
    found.push(path.error(format!("{text:?} is not a path"), "Give the path of an HTTPS request, such as \"/readyz\"."));
}

fn is_backend(text: &str) -> bool {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return true;
    }
    text.rsplit_once(':')
        .is_some_and(|(host, port)| attributes::is_dns_name(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Diagnostic, Value};

    fn hosts() -> Value {
        let host = |address: &str| Value::object([("address", address.into())]);
        Value::object([("lb-1", host("192.0.2.2")), ("lb-2", host("192.0.2.3"))])
    }

    fn listener(port: i64, backends: &[&str]) -> Value {
        Value::object([("port", port.into()), ("backends", backends.to_vec().into())])
    }

    #[track_caller]
    fn compare(found: &Diagnostics, expect: &[(&str, &str)]) {
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[track_caller]
    fn check_addresses(addresses: &[&str], expect: &[(&str, &str)]) {
        let config = Value::object([("hosts", hosts()), ("virtual_addresses", addresses.to_vec().into())]);
        let mut found = Diagnostics::default();
        validate_virtual_addresses(&ValueAt::of(&config), &mut found);
        compare(&found, expect);
    }

    #[track_caller]
    fn check_listeners(listeners: &[(&str, Value)], expect: &[(&str, &str)]) {
        let listeners = Value::Map(listeners.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
        let mut found = Diagnostics::default();
        let config = Value::object([("listeners", listeners)]);
        validate_listeners(&ValueAt::of(&config).get("listeners"), &mut found);
        compare(&found, expect);
    }

    #[test]
    fn virtual_addresses() {
        let at = "virtual_addresses[0]";
        check_addresses(&["192.0.2.100/24"], &[]);
        check_addresses(&[], &[("virtual_addresses", "virtual_addresses is empty")]);
        check_addresses(&["192.0.2.100"], &[(at, "\"192.0.2.100\" is not an address with a prefix length")]);
        check_addresses(&["192.0.2.2/24"], &[(at, "virtual address 192.0.2.2 is the address of host lb-1")]);
        check_addresses(
            &["198.51.100.1/24"],
            &[(at, "virtual address 198.51.100.1/24 is outside the network of host lb-1 (192.0.2.2)")],
        );
        check_addresses(&["2001:db8::100/64"], &[(at, "no host has an address of the family of 2001:db8::100")]);
        check_addresses(
            &["192.0.2.100/24", "192.0.2.100/24"],
            &[("virtual_addresses[1]", "virtual address 192.0.2.100 is given twice")],
        );
    }

    #[test]
    fn advertisements_are_counted_in_hundredths_of_a_second() {
        let check = |milliseconds: Value, expect: &[(&str, &str)]| {
            let (config, mut found) = (Value::object([("advertisement_interval_ms", milliseconds)]), Diagnostics::default());
            validate_interval(&ValueAt::of(&config).get("advertisement_interval_ms"), &mut found);
            compare(&found, expect);
        };
        check(200.into(), &[]);
        check(Value::Unknown, &[]);
        check(205.into(), &[("advertisement_interval_ms", "205 ms is not a multiple of 10 ms")]);
    }

    #[test]
    fn listeners() {
        let good = || listener(6443, &["192.0.2.11:6443", "[2001:db8::11]:6443", "cp-1.example.net:6443"]);
        check_listeners(&[("apiserver", good())], &[]);
        check_listeners(&[], &[("listeners", "listeners is empty")]);
        check_listeners(&[("API", good())], &[("listeners[\"API\"]", "\"API\" cannot be the name of a listener")]);
        check_listeners(&[("a", good()), ("b", good())], &[("listeners[\"b\"].port", "listeners a and b both take port 6443")]);
        check_listeners(&[("a", listener(1, &[]))], &[("listeners[\"a\"].backends", "listener a has no backends")]);
        for bad in ["192.0.2.11", "2001:db8::11:6443", "cp-1:0", "https://cp-1:1"] {
            let expect = format!("{bad:?} is not a backend");
            check_listeners(&[("a", listener(1, &[bad]))], &[("listeners[\"a\"].backends[0]", &expect)]);
        }
        let mut checked = good();
        checked.set("health_check", Value::object([("https_path", "readyz".into())]));
        check_listeners(&[("a", checked)], &[("listeners[\"a\"].health_check.https_path", "\"readyz\" is not a path")]);
    }

    #[test]
    fn a_listener_is_not_its_own_backend() {
        let check = |listeners: &[(&str, Value)], expect: &[(&str, &str)]| {
            let listeners = Value::Map(listeners.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
            let addresses: Value = vec!["192.0.2.100/24"].into();
            let config = Value::object([("hosts", hosts()), ("virtual_addresses", addresses), ("listeners", listeners)]);
            let mut found = Diagnostics::default();
            validate_loops(&ValueAt::of(&config), &mut found);
            compare(&found, expect);
        };
        let at = "listeners[\"a\"].backends[1]";
        let own = "backend 192.0.2.3:6443 is listener a itself, on host lb-2";
        check(&[("a", listener(6443, &["192.0.2.11:6443", "192.0.2.3:6443"]))], &[(at, own)]);
        let virtual_address = "backend 192.0.2.100:6443 is listener a itself, on a virtual address";
        check(&[("a", listener(6443, &["192.0.2.11:6443", "192.0.2.100:6443"]))], &[(at, virtual_address)]);
        check(&[("a", listener(8443, &["192.0.2.2:6443", "192.0.2.3:6443"]))], &[]);
        check(&[("a", listener(8443, &["192.0.2.2:6443"])), ("b", listener(6443, &["192.0.2.11:6443"]))], &[]);
    }
}
