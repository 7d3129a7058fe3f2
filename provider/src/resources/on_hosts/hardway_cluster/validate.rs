//! What is wrong with a cluster, said at plan with the attribute and a value that would do. Pure.

use super::config::{DEFAULT_NODE_MASK_IPV4, DEFAULT_NODE_MASK_IPV6, NODE_MASKS_IPV4, NODE_MASKS_IPV6, parse_endpoint};
use super::{coredns, flags, objects};
use crate::configuration;
use crate::hosts;
use crate::network;
use crate::resources::attributes;
use crate::resources::on_hosts::downloads;
use crate::ssh;
use credentials::Url;
use ipnet::IpNet;
use schema::{AttributePath, Diagnostics, Value, ValueAt};
use std::net::IpAddr;

/// kube-controller-manager keeps a bit map of at most 2^16 node networks per family.
const MAX_NODE_BITS: i64 = 16;

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let hosts = config.get("hosts");
    hosts::require_one(&hosts, found);
    hosts::validate(&hosts, found);
    attributes::validate_cluster_name(&config.get("name"), found);
    validate_version(&config.get("kubernetes_version"), found);
    validate_endpoint(&config.get("endpoint"), found);
    validate_members(&hosts, found);
    validate_network(config, found);
    flags::validate(config, found);
    coredns::validate(config, found);
    objects::validate(config, found);
    validate_audit_policy(&config.get("api_server").get("audit_policy"), found);
    configuration::validate_mirror(&config.get("mirror"), found);
    downloads::validate(&config.get("checksums"), found);
    ssh::validate(&config.get("ssh"), found);
}

fn validate_version(version: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(text) = version.as_str().filter(|text| render::catalogue::release(text).is_err()) else { return };
    let newest = render::catalogue::versions().unwrap_or_default().pop().unwrap_or_default();
    found.push(match text.strip_prefix('v') {
        Some(bare) => version.error("kubernetes_version is written without a leading v", format!("Write {bare:?}.")),
        None => version.error(
            format!("unknown Kubernetes version {text:?}"),
            format!("The catalogue knows {}. For example {newest:?}.", render::catalogue::known().unwrap_or_default()),
        ),
    });
}

fn validate_endpoint(endpoint: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(text) = endpoint.as_str().filter(|text| parse_endpoint(text).is_none()) else { return };
    let url = Url::new(text);
    let summary = match url.has_secrets() {
        true => "endpoint has a user, a password, a query or a fragment".to_string(),
        false => format!("{url:?} is not the URL of an API endpoint"),
    };
    found.push(endpoint.error(
        summary,
        "Give https://, a name or address and, unless it is 6443, the port, without user, password, path and query: \
         https://api.demo.internal:6443 or https://[2001:db8::100]:6443.",
    ));
}

fn validate_members(hosts: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(count) = hosts.len().filter(|count| *count > 0 && count.is_multiple_of(2)) else { return };
    found.push(hosts.error(
        format!("{count} control-plane hosts make an even number of etcd members"),
        format!(
            "{count} members survive the loss of {}, no more than {} do, and are more likely to lose one. Use {} or {} hosts; a cluster that exists \
             keeps the hosts that it was created with.",
            (count - 1) / 2,
            count - 1,
            count - 1,
            count + 1
        ),
    ));
}

fn validate_network(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let network = config.get("network");
    let (pod_cidrs, service_cidrs) = (network.get("pod_cidrs"), network.get("service_cidrs"));
    let pods = network::validate_cidrs(&pod_cidrs, found);
    let services = network::validate_cidrs(&service_cidrs, found);
    network::validate_services(&services, service_cidrs.path(), found);
    let numbered = |part: &ValueAt<'_>, networks: &[IpNet]| -> Vec<(AttributePath, IpNet)> {
        networks.iter().enumerate().map(|(index, network)| (part.path().clone().index(index), *network)).collect()
    };
    let all = [numbered(&pod_cidrs, &pods), numbered(&service_cidrs, &services)].concat();
    network::validate_disjoint(&all, found);
    let families = |networks: &[IpNet]| networks.iter().map(network::is_ipv4).collect::<Vec<bool>>();
    let is_known = !pods.is_empty() && !services.is_empty() && network.value().is_wholly_known();
    if is_known && families(&pods) != families(&services) {
        found.push(service_cidrs.error(
            "pod_cidrs and service_cidrs are not of the same families in the same order",
            "Pods and services share their families, and the first one is the primary one: pods [\"172.18.0.0/16\", \"fd00:18::/56\"] go with services [\"10.96.0.0/16\", \"fd00:96::/112\"].",
        ));
    }
    validate_endpoint_outside(&config.get("endpoint"), &all, found);
    validate_node_masks(&network, &pods, config.get("hosts").len(), found);
    for (name, host) in config.get("hosts").entries() {
        for attribute in ["address", "secondary_address"] {
            network::validate_outside(&host.get(attribute), &format!("host {name}"), &all, found);
        }
        let way_out = "Give it a secondary_address of that family, or take the CIDR out of pod_cidrs and service_cidrs.";
        hosts::validate_families(name, &host, &pods, way_out, found);
    }
    if is_known {
        validate_primary_family(config, &services, found);
    }
}

/// The endpoint is an address of hosts, or a virtual one.
fn validate_endpoint_outside(endpoint: &ValueAt<'_>, networks: &[(AttributePath, IpNet)], found: &mut Diagnostics) {
    let Some(address) = endpoint.as_str().and_then(parse_endpoint) else { return };
    let config = Value::from(address.host.as_str());
    network::validate_outside(&ValueAt::of(&config).at(endpoint.path().clone()), "the endpoint", networks, found);
}

/// The API server does not start otherwise: `validatePublicIPServiceClusterIPRangeIPFamilies` in cmd/kube-apiserver/app/options/validation.go,
/// which compares `advertise-address` with the first CIDR of services.
fn validate_primary_family(config: &ValueAt<'_>, services: &[IpNet], found: &mut Diagnostics) {
    let flags = config.get("api_server").get("flags");
    let is_changed = ["advertise-address", "endpoint-reconciler-type", "service-cluster-ip-range"]
        .map(|flag| flags.get(flag).value().is_set());
    let Some(first) = services.first().filter(|_| !flags.value().is_unknown() && !is_changed.contains(&true)) else { return };
    for (name, host) in config.get("hosts").entries() {
        let address = host.get("address");
        let Some(given) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        if given.is_ipv4() != network::is_ipv4(first) {
            found.push(address.error(
                format!("host {name} has an {} primary address, but services begin with {first}", network::family(given)),
                "The API server starts only where both are of one family. Give the address of the other family as address and this one as \
                 secondary_address, or change the order of service_cidrs and pod_cidrs.",
            ));
        }
    }
}

fn validate_node_masks(network: &ValueAt<'_>, pods: &[IpNet], hosts: Option<usize>, found: &mut Diagnostics) {
    for pod_cidr in pods {
        let (attribute, default, (shortest, longest)) = if network::is_ipv4(pod_cidr) {
            ("node_mask_ipv4", DEFAULT_NODE_MASK_IPV4, NODE_MASKS_IPV4)
        } else {
            ("node_mask_ipv6", DEFAULT_NODE_MASK_IPV6, NODE_MASKS_IPV6)
        };
        let part = network.get(attribute);
        let Some(mask) = part.as_i64().or(part.value().is_null().then_some(default.into())) else { continue };
        let prefix = i64::from(pod_cidr.prefix_len());
        let fault = match mask - prefix {
            ..0 => Some(format!("a node's /{mask} is larger than the whole of {pod_cidr}")),
            bits if bits > MAX_NODE_BITS => Some(format!("{pod_cidr} would be cut into more than 65536 networks of /{mask}")),
            _ => None,
        };
        if let Some(fault) = fault {
            found.push(part.error(fault, fitting_masks(prefix.max(shortest), (prefix + MAX_NODE_BITS).min(longest))));
        } else if let (Some(hosts), Some(nodes)) = (hosts, network::node_networks(pod_cidr, mask))
            && hosts as u64 > nodes
        {
            found.push(network.get("pod_cidrs").warning(
                format!("{pod_cidr} has room for fewer nodes than there are control-plane hosts"),
                format!(
                    "It has {nodes} networks of /{mask}, and each node takes one, control-plane hosts that are nodes as well. It cannot be \
                     changed later. Choose a larger network, or a greater {attribute}."
                ),
            ));
        }
    }
}

fn fitting_masks(shortest: i64, longest: i64) -> String {
    if shortest > longest {
        return format!(
            "No prefix length would do, for it would have to be from {shortest} to {longest}. Choose another network for pods, such as \
             172.18.0.0/16 or fd00:18::/56."
        );
    }
    let middling = if shortest + 8 <= longest { shortest + 8 } else { i64::midpoint(shortest, longest) };
    format!("Choose a prefix length from {shortest} to {longest}, such as {middling}.")
}

fn validate_audit_policy(policy: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(text) = policy.as_str() else { return };
    let parsed: Option<serde_json::Value> = serde_saphyr::from_str(text).ok();
    if parsed.as_ref().and_then(|policy| policy.get("kind")).and_then(|kind| kind.as_str()) != Some("Policy") {
        found.push(policy.error(
            "audit_policy is not an audit policy in YAML",
            "It begins with apiVersion: audit.k8s.io/v1 and kind: Policy, followed by rules.",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(all: &[(&str, &str)]) -> Value {
        let host = |address: &str| Value::object([("address", address.into())]);
        Value::Map(all.iter().map(|(name, address)| (name.to_string(), host(address))).collect())
    }

    fn network(pods: &[&str], services: &[&str]) -> Value {
        Value::object([("pod_cidrs", pods.to_vec().into()), ("service_cidrs", services.to_vec().into())])
    }

    fn flags(name: &str, value: &str) -> Value {
        Value::object([("flags", Value::object([(name, value.into())]))])
    }

    /// What is said of a good cluster with one attribute changed.
    #[track_caller]
    fn check(attribute: &str, value: Value, expect: &[(&str, &str)]) {
        let mut config = Value::object([
            ("name", "demo".into()),
            ("kubernetes_version", "1.36.3".into()),
            ("endpoint", "https://api.demo.internal:6443".into()),
            ("hosts", hosts(&[("cp-1", "192.0.2.11")])),
            ("network", network(&["172.18.0.0/16"], &["10.96.0.0/16"])),
        ]);
        config.set(attribute, value);
        let mut found = Diagnostics::default();
        validate(&ValueAt::of(&config), &mut found);
        let said: Vec<(String, &str)> =
            found.iter().map(|d| (d.path.as_ref().map(ToString::to_string).unwrap_or_default(), d.summary.as_str())).collect();
        let said: Vec<(&str, &str)> = said.iter().map(|(path, summary)| (path.as_str(), *summary)).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn names_versions_and_endpoints() {
        check("name", "demo".into(), &[]);
        check("name", "Demo".into(), &[("name", "\"Demo\" is not a usable name")]);
        check(
            "kubernetes_version",
            "v1.36.3".into(),
            &[("kubernetes_version", "kubernetes_version is written without a leading v")],
        );
        check("kubernetes_version", "1.99.0".into(), &[("kubernetes_version", "unknown Kubernetes version \"1.99.0\"")]);
        check("kubernetes_version", Value::Unknown, &[]);
        check("endpoint", "api:6443".into(), &[("endpoint", "\"api:6443\" is not the URL of an API endpoint")]);
        let said = "endpoint has a user, a password, a query or a fragment";
        check("endpoint", "https://user:canary@api:6443".into(), &[("endpoint", said)]);
        let inside = "the endpoint 172.18.0.9 lies inside network.pod_cidrs[0] 172.18.0.0/16";
        check("endpoint", "https://172.18.0.9:6443".into(), &[("endpoint", inside)]);
        check("endpoint", "https://api/x".into(), &[("endpoint", "\"https://api/x\" is not the URL of an API endpoint")]);
    }

    #[test]
    fn members_of_etcd() {
        check("hosts", hosts(&[]), &[("hosts", "hosts is empty")]);
        let even = "2 control-plane hosts make an even number of etcd members";
        check("hosts", hosts(&[("cp-1", "192.0.2.11"), ("cp-2", "192.0.2.12")]), &[("hosts", even)]);
        check("hosts", hosts(&[("cp-1", "192.0.2.11"), ("cp-2", "192.0.2.12"), ("cp-3", "192.0.2.13")]), &[]);
        check("hosts", hosts(&[("cp_1", "192.0.2.11")]), &[("hosts[\"cp_1\"]", "\"cp_1\" cannot be the name of a node")]);
    }

    #[test]
    fn networks() {
        let at = |name: &str| format!("network.{name}");
        check("network", network(&[], &["10.96.0.0/16"]), &[(&at("pod_cidrs"), "network.pod_cidrs is empty")]);
        check("network", network(&["172.18.0.0"], &["10.96.0.0/16"]), &[(&at("pod_cidrs[0]"), "\"172.18.0.0\" is not a CIDR")]);
        check(
            "network",
            network(&["172.18.0.1/16"], &["10.96.0.0/16"]),
            &[(&at("pod_cidrs[0]"), "172.18.0.1/16 has host bits set")],
        );
        check(
            "network",
            network(&["172.18.0.0/16", "172.19.0.0/16"], &["10.96.0.0/16"]),
            &[(&at("pod_cidrs[1]"), "network.pod_cidrs has two CIDRs of one family")],
        );
        check(
            "network",
            network(&["172.18.0.0/16"], &["10.0.0.0/8"]),
            &[(&at("service_cidrs[0]"), "service CIDR 10.0.0.0/8 is too large")],
        );
        check(
            "network",
            network(&["172.18.0.0/16"], &["10.96.0.0/29"]),
            &[(&at("service_cidrs[0]"), "service CIDR 10.96.0.0/29 is too small")],
        );
        check(
            "network",
            network(&["10.96.0.0/14"], &["10.96.0.0/16"]),
            &[(&at("service_cidrs[0]"), "network.service_cidrs[0] 10.96.0.0/16 overlaps network.pod_cidrs[0] 10.96.0.0/14")],
        );
        check(
            "network",
            network(&["192.0.2.0/24"], &["10.96.0.0/16"]),
            &[("hosts[\"cp-1\"].address", "host cp-1 192.0.2.11 lies inside network.pod_cidrs[0] 192.0.2.0/24")],
        );
        check(
            "network",
            network(&["172.18.0.0/16", "fd00:18::/56"], &["10.96.0.0/16"]),
            &[
                (&at("service_cidrs"), "pod_cidrs and service_cidrs are not of the same families in the same order"),
                ("hosts[\"cp-1\"].secondary_address", "host cp-1 has no IPv6 address, but pods have fd00:18::/56"),
            ],
        );
    }

    #[test]
    fn the_primary_family_is_that_of_services() {
        let of = |host: Value, flags: Value| {
            let mut network = network(&["fd00:18::/56", "172.18.0.0/16"], &["fd00:96::/112", "10.96.0.0/16"]);
            network.set("node_mask_ipv6", Value::Null);
            let hosts = Value::object([("cp-1", host)]);
            let api_server = Value::object([("flags", flags)]);
            let config = Value::object([("hosts", hosts), ("network", network), ("api_server", api_server)]);
            let mut found = Diagnostics::default();
            validate_network(&ValueAt::of(&config), &mut found);
            found.iter().map(|said| (said.path.as_ref().map(ToString::to_string), said.summary.clone())).collect::<Vec<_>>()
        };
        let host = |one: Value, other: &str| Value::object([("address", one), ("secondary_address", other.into())]);
        let refused = "host cp-1 has an IPv4 primary address, but services begin with fd00:96::/112";
        let ipv4_first = host("192.0.2.11".into(), "2001:db8::11");
        assert_eq!(of(ipv4_first.clone(), Value::Null), [(Some("hosts[\"cp-1\"].address".into()), refused.into())]);
        assert_eq!(of(host("2001:db8::11".into(), "192.0.2.11"), Value::Null), []);
        assert_eq!(of(host(Value::Unknown, "2001:db8::11"), Value::Null), []);
        assert_eq!(of(ipv4_first.clone(), Value::object([("advertise-address", "2001:db8::11".into())])), []);
        assert_eq!(of(ipv4_first, Value::Unknown), []);
    }

    #[test]
    fn shares_of_nodes() {
        let with_mask = |mask: i64| {
            let mut network = network(&["172.18.0.0/16"], &["10.96.0.0/16"]);
            network.set("node_mask_ipv4", mask.into());
            network
        };
        check("network", with_mask(24), &[]);
        check("network", with_mask(12), &[("network.node_mask_ipv4", "a node's /12 is larger than the whole of 172.18.0.0/16")]);
        let mut wide = network(&["172.0.0.0/9"], &["10.96.0.0/16"]);
        wide.set("node_mask_ipv4", 28.into());
        let cut = "172.0.0.0/9 would be cut into more than 65536 networks of /28";
        check("network", wide, &[("network.node_mask_ipv4", cut)]);
        assert_eq!(fitting_masks(12, 28), "Choose a prefix length from 12 to 28, such as 20.");
        assert_eq!(fitting_masks(25, 30), "Choose a prefix length from 25 to 30, such as 27.");
        assert!(fitting_masks(31, 30).starts_with("No prefix length would do"));
    }

    #[test]
    fn room_for_the_nodes_among_control_plane_hosts() {
        let of = |pods: &str, mask: Value| {
            let hosts = hosts(&[("cp-1", "192.0.2.11"), ("cp-2", "192.0.2.12"), ("cp-3", "192.0.2.13")]);
            let mut network = network(&[pods], &["10.96.0.0/16"]);
            network.set("node_mask_ipv4", mask);
            let (config, mut found) = (Value::object([("hosts", hosts), ("network", network)]), Diagnostics::default());
            validate_network(&ValueAt::of(&config), &mut found);
            found.iter().map(|said| (said.path.as_ref().map(ToString::to_string), said.summary.clone())).collect::<Vec<_>>()
        };
        let warning = "172.18.0.0/23 has room for fewer nodes than there are control-plane hosts";
        assert_eq!(of("172.18.0.0/23", Value::Null), [(Some("network.pod_cidrs".into()), warning.into())]);
        assert_eq!(of("172.18.0.0/23", 25.into()), []);
        assert_eq!(of("172.18.0.0/23", Value::Unknown), []);
        assert_eq!(of("172.18.0.0/22", Value::Null), []);
    }

    #[test]
    fn flags_and_policies() {
        check("api_server", flags("v", "4"), &[]);
        check("api_server", flags("--v", "4"), &[("api_server.flags[\"--v\"]", "flag \"--v\" is written with its dashes")]);
        let policy = Value::object([("audit_policy", "kind: Pod".into())]);
        check("api_server", policy, &[("api_server.audit_policy", "audit_policy is not an audit policy in YAML")]);
    }
}
