//! CIDRs of pods and services: parsing, and the rules between them. Pure.

use ipnet::IpNet;
use schema::{AttributePath, Diagnostic, Diagnostics, ValueAt};
use std::net::IpAddr;

/// kube-apiserver accepts at most 20 bits of service addresses per family.
const MAX_SERVICE_BITS: u8 = 20;
/// The address of `kube-dns` in each service CIDR, counted from the network address, as kubeadm chooses it.
const DNS_OFFSET: u128 = 10;

pub fn parse_cidr(text: &str, at: &AttributePath) -> Result<IpNet, Diagnostic> {
    let network: IpNet = text.parse().map_err(|_| {
        Diagnostic::error(format!("{text:?} is not a CIDR"))
            .detail("Give a network with its prefix length, such as 10.96.0.0/16 or fd00:96::/112.")
            .at(at.clone())
    })?;
    if network.addr() != network.network() {
        return Err(Diagnostic::error(format!("{text} has host bits set"))
            .detail(format!("The network of this prefix length is {}.", network.trunc()))
            .at(at.clone()));
    }
    Ok(network)
}

/// Reads a list of CIDRs, at most one of each family. Unknown elements are passed over.
pub fn validate_cidrs(list: &ValueAt<'_>, found: &mut Diagnostics) -> Vec<IpNet> {
    let mut networks: Vec<IpNet> = Vec::new();
    if list.is_empty() {
        found.push(list.error(format!("{} is empty", list.path()), "Give one CIDR, or one of each family for dual stack."));
    }
    for item in list.items() {
        let Some(text) = item.as_str() else { continue };
        match parse_cidr(text, item.path()) {
            Err(diagnostic) => found.push(diagnostic),
            Ok(network) if networks.iter().any(|other| is_ipv4(other) == is_ipv4(&network)) => found.push(item.error(
                format!("{} has two CIDRs of one family", list.path()),
                "Kubernetes takes one CIDR of each family: for dual stack, for example [\"10.96.0.0/16\", \"fd00:96::/112\"].",
            )),
            Ok(network) => networks.push(network),
        }
    }
    networks
}

pub fn validate_services(networks: &[IpNet], attribute: &AttributePath, diagnostics: &mut Diagnostics) {
    for (index, network) in networks.iter().enumerate() {
        let at = attribute.clone().index(index);
        let bits = network.max_prefix_len() - network.prefix_len();
        if bits > MAX_SERVICE_BITS {
            let smallest = network.max_prefix_len() - MAX_SERVICE_BITS;
            diagnostics.push(
                Diagnostic::error(format!("service CIDR {network} is too large"))
                    .detail(format!("kube-apiserver accepts at most {MAX_SERVICE_BITS} bits of service addresses: use a prefix length of {smallest} or more, such as /{}.", smallest.max(network.max_prefix_len() - 16)))
                    .at(at),
            );
        } else if bits < 4 {
            diagnostics.push(
                Diagnostic::error(format!("service CIDR {network} is too small"))
                    .detail(
                        "It must hold at least 16 addresses: the first is the API server's, the tenth that of the cluster DNS.",
                    )
                    .at(at),
            );
        }
    }
}

/// Any two networks that share addresses, each with the attribute that it comes from.
pub fn validate_disjoint(networks: &[(AttributePath, IpNet)], diagnostics: &mut Diagnostics) {
    for (index, (path, network)) in networks.iter().enumerate() {
        for (other_path, other) in &networks[..index] {
            if network.contains(other) || other.contains(network) {
                diagnostics.push(
                    Diagnostic::error(format!("{path} {network} overlaps {other_path} {other}"))
                        .detail("Pods, services and hosts need networks of their own. For example pods in 172.18.0.0/16 and fd00:18::/56, services in 10.96.0.0/16 and fd00:96::/112.")
                        .at(path.clone()),
                );
            }
        }
    }
}

/// An address, of a host or a virtual one, must lie outside the networks of pods and services.
pub fn validate_outside(address: &ValueAt<'_>, what: &str, networks: &[(AttributePath, IpNet)], found: &mut Diagnostics) {
    let Some(Ok(ip)) = address.as_str().map(str::parse::<IpAddr>) else { return };
    for (path, network) in networks.iter().filter(|(_, network)| network.contains(&ip)) {
        found.push(address.error(
            format!("{what} {ip} lies inside {path} {network}"),
            "Traffic to it would be taken for traffic to a pod or service. Choose another CIDR, for example from 172.18.0.0/16 or fd00:18::/56.",
        ));
    }
}

/// How many nodes find a network of this prefix length among those of the pods; `None` where it is larger than all of it.
pub fn node_networks(pods: &IpNet, mask: i64) -> Option<u64> {
    let bits = u32::try_from(mask - i64::from(pods.prefix_len())).ok()?;
    1u64.checked_shl(bits)
}

/// `IPv4`
pub fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

pub fn is_ipv4(network: &IpNet) -> bool {
    matches!(network, IpNet::V4(_))
}

/// The address at an offset from the network address; `None` when the network is smaller than that.
pub fn address_at(network: &IpNet, offset: u128) -> Option<IpAddr> {
    let bits = u32::from(network.max_prefix_len() - network.prefix_len());
    if bits < 128 && offset >= 1u128 << bits {
        return None;
    }
    Some(match network.network() {
        IpAddr::V4(v4) => IpAddr::V4(u32::from(v4).checked_add(u32::try_from(offset).ok()?)?.into()),
        IpAddr::V6(v6) => IpAddr::V6(u128::from(v6).checked_add(offset)?.into()),
    })
}

pub fn dns_addresses(service_cidrs: &[IpNet]) -> Vec<IpAddr> {
    service_cidrs.iter().filter_map(|network| address_at(network, DNS_OFFSET)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::Value;

    fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::from(*item)).collect())
    }

    #[track_caller]
    fn check_cidrs(items: &[&str], expect: &[&str]) {
        let mut diagnostics = Diagnostics::default();
        let config = Value::object([("service_cidrs", list(items))]);
        let part = ValueAt::of(&config).get("service_cidrs");
        let networks = validate_cidrs(&part, &mut diagnostics);
        validate_services(&networks, part.path(), &mut diagnostics);
        let actual: Vec<String> = diagnostics.iter().map(|d| d.summary.clone()).collect();
        assert_eq!(actual, expect);
    }

    #[test]
    fn cidrs_that_kubernetes_would_refuse_are_refused_at_plan() {
        check_cidrs(&["10.96.0.0/16", "fd00:96::/112"], &[]);
        check_cidrs(&[], &["service_cidrs is empty"]);
        check_cidrs(&["10.96.0.0"], &["\"10.96.0.0\" is not a CIDR"]);
        check_cidrs(&["10.96.0.1/16"], &["10.96.0.1/16 has host bits set"]);
        check_cidrs(&["10.96.0.0/16", "10.97.0.0/16"], &["service_cidrs has two CIDRs of one family"]);
        check_cidrs(&["fd00:96::/64"], &["service CIDR fd00:96::/64 is too large"]);
        check_cidrs(&["10.96.0.0/30"], &["service CIDR 10.96.0.0/30 is too small"]);
    }

    #[test]
    fn overlaps_are_named_with_both_attributes() {
        let mut diagnostics = Diagnostics::default();
        let networks = [
            (AttributePath::attribute("pod_cidrs").index(0), "10.0.0.0/8".parse().unwrap()),
            (AttributePath::attribute("service_cidrs").index(0), "10.96.0.0/16".parse().unwrap()),
        ];
        validate_disjoint(&networks, &mut diagnostics);
        let summaries: Vec<String> = diagnostics.iter().map(|d| d.summary.clone()).collect();
        assert_eq!(summaries, ["service_cidrs[0] 10.96.0.0/16 overlaps pod_cidrs[0] 10.0.0.0/8"]);
    }

    #[test]
    fn addresses_are_counted_from_the_network_address() {
        #[track_caller]
        fn check(network: &str, offset: u128, expect: Option<&str>) {
            assert_eq!(address_at(&network.parse().unwrap(), offset).map(|a| a.to_string()).as_deref(), expect);
        }
        check("10.96.0.0/16", 1, Some("10.96.0.1"));
        check("10.96.0.0/16", 65_535, Some("10.96.255.255"));
        check("10.96.0.0/16", 65_536, None);
        check("fd00:96::/112", 10, Some("fd00:96::a"));
        check("::/0", u128::MAX, Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    }
}
