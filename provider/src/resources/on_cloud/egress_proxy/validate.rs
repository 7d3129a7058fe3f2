//! What is wrong with an egress proxy, said at plan with the attribute and a value that would do. Pure.

use crate::resources::attributes::is_dns_name;
use crate::resources::on_cloud::aws_instance::validate::{Ssh, networks, validate as validate_instance};
use credentials::Url;
use ipnet::IpNet;
use render::aws::squid::is_forbidden;
use schema::{Diagnostic, Diagnostics, ValueAt};
use std::net::IpAddr;

const SSH_PORT: i64 = 22;

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_instance(config, Ssh::Optional, found);
    let port = config.get("port");
    if port.as_i64() == Some(SSH_PORT) {
        found.push(port.error("port 22 is that of SSH", "Choose another, such as 3128, which Squid has by custom."));
    }
    validate_clients(&config.get("client_cidrs"), found);
    validate_allowed(config, found);
    found.extend(config.get("allowed_domains").items().filter_map(|domain| domain_mistake(&domain)));
    validate_no_proxy(&config.get("no_proxy"), found);
}

fn validate_clients(cidrs: &ValueAt<'_>, found: &mut Diagnostics) {
    if cidrs.is_empty() {
        let detail = "A proxy that nobody may use is of no use. Give the networks of its clients, such as [\"10.0.0.0/16\"].";
        found.push(cidrs.error("client_cidrs is empty", detail));
    }
    for (cidr, network) in networks(cidrs, found) {
        if network.prefix_len() == 0 {
            let detail = "A proxy that is open to everyone is found and abused within hours. Give the networks of its clients, such as 10.0.0.0/16.";
            found.push(cidr.error(format!("{network} lets everyone use the proxy"), detail));
        }
    }
}

fn validate_allowed(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let (domains, cidrs) = (config.get("allowed_domains"), config.get("allowed_cidrs"));
    for (cidr, network) in networks(&cidrs, found) {
        found.extend(destination_mistake(&cidr, &network));
    }
    if [&domains, &cidrs].into_iter().all(|list| list.is_null() || list.is_empty()) {
        let detail = "What no list allows is refused. Give domains, such as allowed_domains = [\"registry.k8s.io\", \".pkg.dev\"], or allowed_cidrs.";
        found.push(domains.error("the proxy would refuse everything", detail));
    }
}

fn destination_mistake(cidr: &ValueAt<'_>, network: &IpNet) -> Option<Diagnostic> {
    if network.prefix_len() == 0 {
        let detail = "A list that allows everything restricts nothing. Give the networks that have to be reached by address, such as 203.0.113.0/24; names belong in allowed_domains.";
        return Some(cidr.error(format!("{network} allows every address"), detail));
    }
    let detail = "This host, link-local addresses, multicast and the metadata service of EC2 are never reached through the proxy. Leave it out.";
    is_forbidden(network).then(|| cidr.error(format!("{network} is never a destination"), detail))
}

fn domain_mistake(domain: &ValueAt<'_>) -> Option<Diagnostic> {
    let text = domain.as_str()?;
    let name = text.strip_prefix('.').unwrap_or(text);
    if name.parse::<IpAddr>().is_ok() || name.parse::<IpNet>().is_ok() {
        let detail = "Addresses belong in allowed_cidrs, such as \"203.0.113.7/32\".";
        return Some(domain.error(format!("{text:?} is an address"), detail));
    }
    if let Some(below) = text.strip_prefix("*.") {
        let detail = format!("Squid writes a domain with all names below it with a dot in front: \".{below}\".");
        return Some(domain.error(format!("{text:?} has a wildcard"), detail));
    }
    (!is_dns_name(name)).then(|| {
        let host = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
        let host = host.trim_end_matches('.');
        let example = if is_dns_name(host) { host } else { ".example.net" };
        let detail = format!("Give a name without scheme, port, path or final dot, such as \"{example}\".");
        domain.error(format!("{text:?} is no domain"), detail)
    })
}

fn validate_no_proxy(no_proxy: &ValueAt<'_>, found: &mut Diagnostics) {
    for name in ["service_cidrs", "pod_cidrs", "vpc_cidrs"] {
        networks(&no_proxy.get(name), found);
    }
    let (endpoints, region, api_endpoint) = (no_proxy.get("endpoints"), no_proxy.get("region"), no_proxy.get("api_endpoint"));
    if endpoints.len().is_some_and(|count| count > 0) && region.is_null() {
        let detail = "It is part of the names of the endpoints. Give the region of the VPC, such as \"eu-central-1\".";
        found.push(region.error("no_proxy.endpoints is given without no_proxy.region", detail));
    }
    found.extend(endpoints.items().filter_map(|endpoint| endpoint_mistake(&endpoint)));
    found.extend(no_proxy.get("extra").items().filter_map(|entry| entry_mistake(&entry)));
    if let Some(text) = api_endpoint.as_str().filter(|text| text.is_empty() || text.contains([' ', ','])) {
        let detail = "Give the URL or the name of the API servers, such as \"https://api.demo.internal:6443\".";
        found.push(api_endpoint.error(format!("{:?} is not an endpoint", Url::new(text)), detail));
    }
}

fn endpoint_mistake(endpoint: &ValueAt<'_>) -> Option<Diagnostic> {
    let text = endpoint.as_str()?;
    let is_short = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c));
    let is_full = text.starts_with("com.amazonaws") || text.starts_with("cn.com.amazonaws") || text.ends_with(".amazonaws.com");
    let detail = "Give what k8s_vpc takes: \"ec2\", \"ecr.api\", \"ecr.dkr\", \"s3\", \"sts\".";
    (!is_short || is_full).then(|| endpoint.error(format!("{text:?} is not the short name of an endpoint"), detail))
}

fn entry_mistake(entry: &ValueAt<'_>) -> Option<Diagnostic> {
    let text = entry.as_str()?;
    let is_entry = !text.is_empty() && !text.contains("://") && !text.contains([' ', ',', '*']);
    let detail = "Give one name, address or CIDR each, without scheme or wildcard, such as \".corp.example\", \"10.1.0.0/16\" or \"registry.corp.example\".";
    (!is_entry).then(|| entry.error(format!("{:?} is not an entry of NO_PROXY", Url::new(text)), detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::on_cloud::CloudResource;
    use crate::resources::on_cloud::egress_proxy::EgressProxy;
    use schema::Value;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA";

    fn list(items: &[&str]) -> Value {
        items.to_vec().into()
    }

    /// A sound proxy with these attributes in place of its own.
    #[track_caller]
    fn check(changes: &[(&str, Value)], expect: &[(&str, &str)]) {
        let mut config = Value::object([
            ("name", "proxy".into()),
            ("cluster_name", "demo".into()),
            ("subnet_id", "subnet-1".into()),
            ("security_group_ids", list(&["sg-1"])),
            ("image", "debian-12".into()),
            ("public_key", KEY.into()),
            ("client_cidrs", list(&["10.0.0.0/16", "fd00:10::/56"])),
            ("allowed_domains", list(&["registry.k8s.io", ".pkg.dev"])),
        ]);
        changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
        let mut diagnostics = EgressProxy.schema().validate(&config);
        validate(&ValueAt::of(&config), &mut diagnostics);
        assert!(diagnostics.iter().all(|diagnostic| !diagnostic.detail.is_empty()));
        let said: Vec<String> =
            diagnostics.iter().map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.summary)).collect();
        let expect: Vec<String> = expect.iter().map(|(path, summary)| format!("{path}: {summary}")).collect();
        assert_eq!(said, expect);
    }

    #[track_caller]
    fn check_no_proxy(attribute: &str, value: Value, expect: &[(&str, &str)]) {
        check(&[("no_proxy", Value::object([("region", "eu-central-1".into()), (attribute, value)]))], expect);
    }

    #[test]
    fn sound_ones_have_no_mistakes() {
        check(&[], &[]);
        check(&[("allowed_domains", Value::Null), ("allowed_cidrs", list(&["203.0.113.0/24"]))], &[]);
        check(&[("allowed_domains", Value::Unknown), ("client_cidrs", Value::Unknown), ("no_proxy", Value::Unknown)], &[]);
        let dns = Value::object([("zone_id", "Z1".into()), ("name", "proxy.demo.internal".into())]);
        check(&[("dns", dns)], &[]);
        check(&[("security_group_ids", Value::Null), ("vpc_id", "vpc-1".into())], &[]);
        check_no_proxy("endpoints", list(&["ec2", "ecr.api", "s3"]), &[]);
    }

    #[test]
    fn ports_and_clients() {
        check(&[("port", 0.into())], &[("port", "0 is out of range")]);
        check(&[("port", 22.into())], &[("port", "port 22 is that of SSH")]);
        check(&[("client_cidrs", list(&[]))], &[("client_cidrs", "client_cidrs is empty")]);
        check(&[("client_cidrs", list(&["::/0"]))], &[("client_cidrs[0]", "::/0 lets everyone use the proxy")]);
        check(&[("client_cidrs", list(&["10.0.0.1/16"]))], &[("client_cidrs[0]", "10.0.0.1/16 has host bits set")]);
    }

    #[test]
    fn allow_lists() {
        check(&[("allowed_domains", list(&[]))], &[("allowed_domains", "the proxy would refuse everything")]);
        check(&[("allowed_cidrs", list(&["0.0.0.0/0"]))], &[("allowed_cidrs[0]", "0.0.0.0/0 allows every address")]);
        check(
            &[("allowed_cidrs", list(&["169.254.169.254/32"]))],
            &[("allowed_cidrs[0]", "169.254.169.254/32 is never a destination")],
        );
        check(
            &[("allowed_cidrs", list(&["fd00:ec2::254/128"]))],
            &[("allowed_cidrs[0]", "fd00:ec2::254/128 is never a destination")],
        );
        check(&[("allowed_cidrs", list(&["registry.k8s.io"]))], &[("allowed_cidrs[0]", "\"registry.k8s.io\" is not a CIDR")]);
    }

    #[test]
    fn domains() {
        for bad in ["https://registry.k8s.io", "registry.k8s.io/v2", "registry.k8s.io:443", "registry.k8s.io.", ".", "", "a b"] {
            check(&[("allowed_domains", list(&[bad]))], &[("allowed_domains[0]", &format!("{bad:?} is no domain"))]);
        }
        check(&[("allowed_domains", list(&["*.pkg.dev"]))], &[("allowed_domains[0]", "\"*.pkg.dev\" has a wildcard")]);
        check(&[("allowed_domains", list(&["203.0.113.7"]))], &[("allowed_domains[0]", "\"203.0.113.7\" is an address")]);
        let told = domain_mistake(&ValueAt::of(&"https://registry.k8s.io/v2".into())).unwrap();
        assert!(told.detail.contains("such as \"registry.k8s.io\""), "{}", told.detail);
    }

    #[test]
    fn exceptions() {
        check_no_proxy("pod_cidrs", list(&["172.18.0.0"]), &[("no_proxy.pod_cidrs[0]", "\"172.18.0.0\" is not a CIDR")]);
        let full = "com.amazonaws.eu-central-1.ec2";
        check_no_proxy(
            "endpoints",
            list(&[full]),
            &[("no_proxy.endpoints[0]", &format!("{full:?} is not the short name of an endpoint"))],
        );
        check_no_proxy(
            "extra",
            list(&["*.corp.example"]),
            &[("no_proxy.extra[0]", "\"*.corp.example\" is not an entry of NO_PROXY")],
        );
        check_no_proxy("api_endpoint", "".into(), &[("no_proxy.api_endpoint", "\"\" is not an endpoint")]);
        let declared = Value::object([("endpoints", list(&["ec2"]))]);
        check(&[("no_proxy", declared)], &[("no_proxy.region", "no_proxy.endpoints is given without no_proxy.region")]);
    }
}
