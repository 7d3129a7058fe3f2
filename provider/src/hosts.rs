//! The `hosts` attribute that every host-based resource shares: its schema, its typed form, and what is wrong with it.

use crate::network;
use crate::spelling;
use crate::ssh::{self, HostSsh};
use bundle::HostName;
use ipnet::IpNet;
use render::spec::Architecture;
use schema::{Attribute, Diagnostics, Field, Nesting, ValueAt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct HostConfig {
    pub address: Field<String>,
    pub secondary_address: Field<String>,
    pub architecture: Field<String>,
    pub ssh: Field<HostSsh>,
}

/// A host can be unknown as a whole: one that another resource makes in the same apply.
pub type HostConfigs = BTreeMap<String, Field<HostConfig>>;

pub fn attribute(describe: &'static str) -> Attribute {
    attribute_with(Vec::new(), describe)
}

/// With what a resource takes of each host besides.
pub fn attribute_with(own: Vec<Attribute>, describe: &'static str) -> Attribute {
    let all = host_attributes().into_iter().chain(own).collect();
    Attribute::nested("hosts", Nesting::Map, all).required().describe(describe)
}

fn host_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("address").required().canonical(spelling::of_network).describe(
            "Primary address of the host, IPv4 or IPv6. Its family comes first wherever Kubernetes takes a dual-stack pair. \
             SSH uses it unless `ssh.address` is set.",
        ),
        Attribute::string("secondary_address")
            .optional()
            .canonical(spelling::of_network)
            .describe("Address of the host in the other family."),
        Attribute::string("architecture")
            .optional()
            .validator(schema::one_of(&["amd64", "arm64"]))
            .describe("Processor architecture of the binaries.")
            .defaults_to("`amd64`"),
        crate::ssh::host_attribute(),
    ]
}

/// For resources that are nothing without a host.
pub fn require_one(hosts: &ValueAt<'_>, found: &mut Diagnostics) {
    if hosts.is_empty() {
        found.push(
            hosts.error("hosts is empty", "Name at least one host, for example { \"cp-1\" = { address = \"192.0.2.11\" } }."),
        );
    }
}

/// Rules that need no other attribute: names, addresses, families, and two hosts with one address.
pub fn validate(hosts: &ValueAt<'_>, found: &mut Diagnostics) {
    let mut owners = BTreeMap::new();
    for (name, host) in hosts.entries() {
        if let Err(error) = HostName::parse(name) {
            let detail = format!("{error}. A name such as \"cp-1\" would do.");
            found.push(host.error(format!("{name:?} cannot be the name of a node"), detail));
        }
        ssh::validate_address(&host.get("ssh").get("address"), found);
        let primary = validate_address(name, &host.get("address"), &mut owners, found);
        let secondary = validate_address(name, &host.get("secondary_address"), &mut owners, found);
        if primary.zip(secondary).is_some_and(|(one, other)| one.is_ipv4() == other.is_ipv4()) {
            found.push(host.get("secondary_address").error(
                format!("both addresses of host {name} are of one family"),
                "secondary_address takes the address of the other family: IPv6 beside an IPv4 address, and the other way round.",
            ));
        }
    }
}

/// A node has an address in each family of the pods: routes to pods lead over it.
pub fn validate_families(name: &str, host: &ValueAt<'_>, pods: &[IpNet], way_out: &str, found: &mut Diagnostics) {
    let given = ["address", "secondary_address"].map(|attribute| host.get(attribute));
    if given.iter().any(|part| part.value().is_unknown()) {
        return;
    }
    let addresses: Vec<IpAddr> = given.iter().filter_map(|part| part.as_str()?.parse().ok()).collect();
    for network in pods {
        if !addresses.is_empty() && !addresses.iter().any(|address| address.is_ipv4() == network::is_ipv4(network)) {
            let family = network::family(network.addr());
            let summary = format!("host {name} has no {family} address, but pods have {network}");
            found.push(host.get("secondary_address").error(summary, way_out));
        }
    }
}

/// `None` where there is no address that would do.
fn validate_address<'a>(
    name: &'a str,
    part: &ValueAt<'_>,
    owners: &mut BTreeMap<IpAddr, &'a str>,
    found: &mut Diagnostics,
) -> Option<IpAddr> {
    let text = part.as_str()?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let detail = "Give an address without a prefix length, such as 192.0.2.11 or 2001:db8::11.";
        found.push(part.error(format!("{text:?} is not an IP address"), detail));
        return None;
    };
    if !is_usable(address) {
        found.push(part.error(
            format!("{text} cannot be the address of a host"),
            "Loopback, unspecified, multicast and link-local addresses cannot be reached by other nodes. Give the address that other hosts use.",
        ));
        return None;
    }
    if let Some(other) = owners.insert(address, name) {
        let summary = if other == name {
            format!("host {name} has the address {address} twice")
        } else {
            format!("hosts {other} and {name} have the same address {address}")
        };
        found.push(part.error(summary, "Every address belongs to one host. Give each host its own."));
    }
    Some(address)
}

fn is_usable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0) == 0xfe80,
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

/// The typed hosts, once all of them are known; `None` while something is unknown.
pub fn resolve(hosts: &HostConfigs) -> Option<render::Hosts> {
    let one = |host: &HostConfig| resolve_one(&host.address, &host.secondary_address, &host.architecture);
    hosts.iter().map(|(name, host)| Some((HostName::parse(name.as_str()).ok()?, one(host.known()?)?))).collect()
}

/// Of what each host has, whatever else a resource takes of it.
pub fn resolve_one(
    address: &Field<String>,
    secondary_address: &Field<String>,
    architecture: &Field<String>,
) -> Option<render::Host> {
    Some(render::Host {
        address: address.known()?.parse().ok()?,
        secondary_address: secondary_address.settle(|text| text.parse().ok())?,
        architecture: match architecture.settled()?.as_deref() {
            Some("arm64") => Architecture::Arm64,
            _ => Architecture::Amd64,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::Value;

    fn host(address: &str, secondary: Option<&str>) -> Value {
        let mut value = Value::Map(BTreeMap::new());
        value.set("address", address.into());
        value.set("secondary_address", secondary.map_or(Value::Null, Value::from));
        value
    }

    #[track_caller]
    fn check(hosts: &[(&str, Value)], expect: &[(&str, &str)]) {
        let hosts = Value::Map(hosts.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
        let (config, mut found) = (Value::object([("hosts", hosts)]), Diagnostics::default());
        require_one(&ValueAt::of(&config).get("hosts"), &mut found);
        validate(&ValueAt::of(&config).get("hosts"), &mut found);
        let actual: Vec<(String, String)> =
            found.iter().map(|d| (d.path.as_ref().map(ToString::to_string).unwrap_or_default(), d.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(p, s)| (p.to_string(), s.to_string())).collect();
        assert_eq!(actual, expect);
    }

    #[test]
    fn what_is_wrong_with_hosts_is_said_with_its_path() {
        check(&[("cp-1", host("192.0.2.1", Some("2001:db8::1")))], &[]);
        check(&[], &[("hosts", "hosts is empty")]);
        check(&[("CP_1", host("192.0.2.1", None))], &[("hosts[\"CP_1\"]", "\"CP_1\" cannot be the name of a node")]);
        check(&[("a", host("192.0.2.1/24", None))], &[("hosts[\"a\"].address", "\"192.0.2.1/24\" is not an IP address")]);
        check(&[("a", host("127.0.0.1", None))], &[("hosts[\"a\"].address", "127.0.0.1 cannot be the address of a host")]);
        check(
            &[("a", host("192.0.2.1", None)), ("b", host("192.0.2.1", None))],
            &[("hosts[\"b\"].address", "hosts a and b have the same address 192.0.2.1")],
        );
        check(
            &[("a", host("192.0.2.1", Some("192.0.2.2")))],
            &[("hosts[\"a\"].secondary_address", "both addresses of host a are of one family")],
        );
    }

    #[test]
    fn unknown_addresses_are_carried() {
        let mut unknown = host("192.0.2.1", None);
        unknown.set("address", Value::Unknown);
        check(&[("a", unknown)], &[]);
        check(&[("a", Value::Unknown)], &[]);
    }
}
