//! What is wrong with a load balancer, said at plan with the attribute and a value that would do. Pure.

use crate::resources::attributes;
use ipnet::IpNet;
use schema::{AttributePath, Diagnostic, Diagnostics, Value};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub fn validate_virtual_addresses(config: &Value, diagnostics: &mut Diagnostics) {
    let list = config.get("virtual_addresses").as_list().unwrap_or_default();
    let path = AttributePath::attribute("virtual_addresses");
    if config.get("virtual_addresses").as_list().is_some_and(<[_]>::is_empty) {
        diagnostics.push(
            Diagnostic::error("virtual_addresses is empty")
                .detail("Give at least one, such as \"192.0.2.100/24\".")
                .at(path.clone()),
        );
    }
    let hosts: Vec<(&String, std::net::IpAddr)> = config
        .get("hosts")
        .as_map()
        .into_iter()
        .flatten()
        .flat_map(|(name, host)| ["address", "secondary_address"].map(|attribute| (name, host.get(attribute))))
        .filter_map(|(name, value)| Some((name, value.as_str()?.parse().ok()?)))
        .collect();
    let mut seen = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(text) = item.as_str() else { continue };
        let at = path.clone().index(index);
        let Ok(virtual_address) = text.parse::<IpNet>() else {
            diagnostics.push(
                Diagnostic::error(format!("{text:?} is not an address with a prefix length"))
                    .detail("Give the address and the prefix length of the hosts' network, such as \"192.0.2.100/24\" or \"2001:db8::100/64\".")
                    .at(at),
            );
            continue;
        };
        let address = virtual_address.addr();
        if seen.contains(&address) {
            diagnostics.push(
                Diagnostic::error(format!("virtual address {address} is given twice"))
                    .detail("Give each address once.")
                    .at(at.clone()),
            );
        }
        seen.push(address);
        if let Some((name, _)) = hosts.iter().find(|(_, host)| *host == address) {
            diagnostics.push(
                Diagnostic::error(format!("virtual address {address} is the address of host {name}"))
                    .detail("A virtual address moves between hosts: choose one that no host has.")
                    .at(at.clone()),
            );
        }
        let family: Vec<&(&String, std::net::IpAddr)> =
            hosts.iter().filter(|(_, host)| host.is_ipv4() == address.is_ipv4()).collect();
        if let Some((name, host)) = family.iter().find(|(_, host)| !virtual_address.contains(host)) {
            diagnostics.push(
                Diagnostic::error(format!("virtual address {virtual_address} is outside the network of host {name} ({host})"))
                    .detail(format!("Neighbours find it by ARP or neighbour discovery only in their own network: choose one in the network of {host}."))
                    .at(at),
            );
        } else if family.is_empty() && !hosts.is_empty() {
            diagnostics.push(
                Diagnostic::error(format!("no host has an address of the family of {address}"))
                    .detail("Give each host a secondary_address of that family, or leave this virtual address out.")
                    .at(at),
            );
        }
    }
}

pub fn validate_listeners(listeners: &Value, diagnostics: &mut Diagnostics) {
    let path = AttributePath::attribute("listeners");
    let mut ports: BTreeMap<i64, &String> = BTreeMap::new();
    if listeners.as_map().is_some_and(BTreeMap::is_empty) {
        diagnostics.push(
            Diagnostic::error("listeners is empty")
                .detail("Give at least one, such as { apiserver = { port = 6443, backends = [...] } }.")
                .at(path.clone()),
        );
    }
    for (name, listener) in listeners.as_map().into_iter().flatten() {
        let at = path.clone().key(name.as_str());
        diagnostics.extend(listener_name(name, &at));
        if let Some(port) = listener.get("port").as_i64()
            && let Some(other) = ports.insert(port, name)
        {
            diagnostics.push(
                Diagnostic::error(format!("listeners {other} and {name} both take port {port}"))
                    .detail("A port belongs to one listener. Choose another port for one of them.")
                    .at(at.clone().then("port")),
            );
        }
        let backends = listener.get("backends").as_list().unwrap_or_default();
        if listener.get("backends").as_list().is_some_and(<[_]>::is_empty) {
            diagnostics.push(
                Diagnostic::error(format!("listener {name} has no backends"))
                    .detail("Give at least one, such as \"192.0.2.11:6443\".")
                    .at(at.clone().then("backends")),
            );
        }
        for (index, backend) in backends.iter().enumerate() {
            if backend.as_str().is_some_and(|text| !is_backend(text)) {
                diagnostics.push(
                    Diagnostic::error(format!("{:?} is not a backend", backend.as_str().unwrap_or_default()))
                        .detail("Give address and port, such as \"192.0.2.11:6443\", \"[2001:db8::11]:6443\" or \"cp-1.example.net:6443\".")
                        .at(at.clone().then("backends").index(index)),
                );
            }
        }
        if let Some(text) = listener.get("health_check").get("https_path").as_str()
            && !(text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.?=&".contains(c)))
        {
            diagnostics.push(
                Diagnostic::error(format!("{text:?} is not a path"))
                    .detail("Give the path of an HTTPS request, such as \"/readyz\".")
                    .at(at.then("health_check").then("https_path")),
            );
        }
    }
}

/// A connection to a listener's port on a host of the load balancer, or on a virtual address, comes back to that listener.
pub fn validate_loops(config: &Value, diagnostics: &mut Diagnostics) {
    let own = own_addresses(config);
    for (name, listener) in config.get("listeners").as_map().into_iter().flatten() {
        let port = listener.get("port").as_i64();
        for (index, backend) in listener.get("backends").as_list().into_iter().flatten().enumerate() {
            let Some(Ok(backend)) = backend.as_str().map(str::parse::<SocketAddr>) else { continue };
            let Some((_, owner)) = own.iter().find(|(address, _)| *address == backend.ip()) else { continue };
            if port == Some(i64::from(backend.port())) {
                let at = AttributePath::attribute("listeners").key(name.as_str()).then("backends").index(index);
                diagnostics.push(
                    Diagnostic::error(format!("backend {backend} is listener {name} itself, on {owner}"))
                        .detail(format!(
                            "The load balancer listens on port {} of every address of its hosts, so nothing else can have that port there. \
                             Give the listener another port than its backends have, such as {}, or run the load balancer on other hosts.",
                            backend.port(),
                            if backend.port() == 8443 { 6443 } else { 8443 },
                        ))
                        .at(at),
                );
            }
        }
    }
}

/// Addresses that are known, each with what has it.
fn own_addresses(config: &Value) -> Vec<(IpAddr, String)> {
    let hosts = config.get("hosts").as_map().into_iter().flatten().flat_map(|(name, host)| {
        ["address", "secondary_address"]
            .map(|attribute| Some((host.get(attribute).as_str()?.parse().ok()?, format!("host {name}"))))
    });
    let virtual_addresses = config.get("virtual_addresses").as_list().into_iter().flatten().map(|item| {
        let network: IpNet = item.as_str()?.parse().ok()?;
        Some((network.addr(), "a virtual address".to_string()))
    });
    hosts.chain(virtual_addresses).flatten().collect()
}

fn listener_name(name: &str, at: &AttributePath) -> Option<Diagnostic> {
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    (!good).then(|| {
        Diagnostic::error(format!("{name:?} cannot be the name of a listener"))
            .detail("Use lower-case letters, digits, '-' and '_', such as \"apiserver\".")
            .at(at.clone())
    })
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
        validate_virtual_addresses(&config, &mut found);
        compare(&found, expect);
    }

    #[track_caller]
    fn check_listeners(listeners: &[(&str, Value)], expect: &[(&str, &str)]) {
        let listeners = Value::Map(listeners.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
        let mut found = Diagnostics::default();
        validate_listeners(&listeners, &mut found);
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
            validate_loops(&config, &mut found);
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
