//! DHCP options, endpoints, security groups, flow logs and tags.

use super::{Report, is_id, set_texts, texts};
use crate::network::parse_cidr;
use crate::resources::attributes::is_dns_name;
use crate::resources::on_cloud::tags;
use crate::resources::on_cloud::vpc::attributes::{AMAZON_DNS, ROLES};
use crate::resources::on_cloud::vpc::config;
use cloud::{Protocol, Rule};
use ipnet::IpNet;
use render::aws::endpoints::{GATEWAY_SERVICES, is_full_name};
use schema::{AttributePath, Diagnostics, Value, ValueAt};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub fn validate(config: &Value, report: &mut Report<'_>) {
    validate_dhcp(config.get("dhcp_options"), report);
    validate_endpoints(config, report);
    validate_groups(config, report);
    validate_flow_logs(config.get("flow_logs"), report);
}

pub fn validate_tags(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let tags = config.get("tags");
    tags::validate(&tags, &Value::Null, found);
    for (_, tier) in config.get("subnets").entries() {
        tags::validate(&tier.get("tags"), tags.value(), found);
    }
}

fn validate_dhcp(options: &Value, report: &mut Report<'_>) {
    let path = |name: &str| AttributePath::attribute("dhcp_options").then(name);
    if let Some(domain) = options.get("domain_name").as_str().filter(|domain| !domain.split(' ').all(is_dns_name)) {
        report.error(
            path("domain_name"),
            format!("{domain:?} is not a domain name"),
            "Give one such as \"demo.internal\", or leave it out for AWS's own.",
        );
    }
    for (name, example) in [("domain_name_servers", "10.0.0.2"), ("ntp_servers", "169.254.169.123")] {
        let (list, at) = (options.get(name), path(name));
        let is_dns = name == "domain_name_servers";
        let count = list.as_list().map_or(0, <[Value]>::len);
        if count > 4 {
            report.error(
                at.clone(),
                format!("{name} has more than four servers"),
                "DHCP options of AWS accept four. Name the nearest ones.",
            );
        }
        if is_dns && list.as_list().is_some_and(<[Value]>::is_empty) {
            report.error(
                at.clone(),
                "domain_name_servers is empty",
                format!("Hosts would have no name servers. Give [\"{AMAZON_DNS}\"]."),
            );
        }
        for (text, at) in texts(list, &at) {
            if text.parse::<IpAddr>().is_err() && !(is_dns && text == AMAZON_DNS) {
                let besides = if is_dns { format!(", or \"{AMAZON_DNS}\"") } else { String::new() };
                report.error(
                    at,
                    format!("{text:?} is not an address"),
                    format!("Give an address, such as \"{example}\"{besides}."),
                );
            }
        }
    }
}

fn validate_endpoints(config: &Value, report: &mut Report<'_>) {
    let endpoints = config.get("endpoints");
    let path = |name: &str| AttributePath::attribute("endpoints").then(name);
    let services = validate_services(endpoints, &path, report);
    let all_known = ["gateway", "interface"].iter().all(|name| endpoints.get(name).is_wholly_known());
    for (service, specific) in endpoints.get("overrides").as_map().into_iter().flatten() {
        let at = path("overrides").key(service.as_str());
        if all_known && !services.contains(service.as_str()) {
            report.error(at.clone(), format!("{service} has overrides, but no endpoint"), "Name it in gateway or interface too.");
        }
        validate_override(config, service, specific, &at, report);
    }
    let tiers = config.get("subnets");
    if let Some(tier) = endpoints.get("subnets").as_str() {
        let is_there = if tiers.is_null() { ["public", "private"].contains(&tier) } else { !tiers.get(tier).is_null() };
        if !is_there {
            report.error(path("subnets"), format!("there is no tier {tier:?}"), "Name one of subnets, such as \"private\".");
        }
    }
}

/// Those that are known.
fn validate_services<'a>(
    endpoints: &'a Value,
    path: &impl Fn(&str) -> AttributePath,
    report: &mut Report<'_>,
) -> BTreeSet<&'a str> {
    let mut services = BTreeSet::new();
    for name in ["gateway", "interface"] {
        for (service, at) in set_texts(endpoints.get(name), &path(name)) {
            services.insert(service);
            if !is_service(service) {
                report.error(
                    at,
                    format!("{service:?} is not the name of a service"),
                    "Give what follows the region in its full name: \"ecr.api\" of com.amazonaws.us-east-1.ecr.api.",
                );
            } else if name == "gateway" && !GATEWAY_SERVICES.contains(&service) && !is_full_name(service) {
                report.error(
                    at,
                    format!("{service} has no gateway endpoint"),
                    "Only s3 and dynamodb have one. Name it in interface.",
                );
            }
        }
    }
    services
}

fn validate_override(config: &Value, service: &str, specific: &Value, at: &AttributePath, report: &mut Report<'_>) {
    let kind = specific.get("ip_address_type").as_str();
    if let Some(kind) = kind.filter(|kind| *kind != "ipv4" && config.get("ipv6").is_null()) {
        report.error(
            at.clone().then("ip_address_type"),
            format!("{kind:?} needs a VPC with IPv6"),
            "Use \"ipv4\", or add ipv6 = {} to the VPC.",
        );
    }
    let is_interface = !GATEWAY_SERVICES.contains(&service);
    if let Some(kind) = kind.filter(|kind| *kind != "ipv6" && is_interface && tier_is_ipv6_only(config)) {
        report.error(
            at.clone().then("ip_address_type"),
            format!("{kind:?} needs subnets with IPv4"),
            "The tier of the endpoints is IPv6-only. Name another in endpoints.subnets, such as \"public\".",
        );
    }
    let has_statements = |json: serde_json::Value| json.get("Statement").is_some();
    if specific.get("policy").as_str().is_some_and(|policy| !serde_json::from_str(policy).is_ok_and(has_statements)) {
        report.error(at.clone().then("policy"), "the policy is not an IAM policy in JSON", "Use jsonencode({ Statement = [{ Effect = \"Allow\", Principal = \"*\", Action = \"*\", Resource = \"*\" }] }) and narrow it.");
    }
}

/// Of the tier with the interfaces: the named one, else the one that the renderer takes.
fn tier_is_ipv6_only(config: &Value) -> bool {
    let (tiers, named) = (config.get("subnets"), config.get("endpoints").get("subnets"));
    let is_ipv6_only = |tier: &Value| tier.get("ipv6_only").as_bool() == Some(true);
    if let Some(name) = named.as_str() {
        return is_ipv6_only(tiers.get(name));
    }
    let of_type = |reach: &'static str| {
        let all = tiers.as_map().into_iter().flatten().filter(move |(_, tier)| tier.get("type").as_str() == Some(reach));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(name, _)| name.as_str() != reach);
        all.first().map(|(_, tier)| *tier)
    };
    named.is_null() && ["private", "isolated", "public"].into_iter().find_map(of_type).is_some_and(is_ipv6_only)
}

/// Lower-case words joined by dots and hyphens.
fn is_service(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    text.split('.').all(is_word) && (is_full_name(text) || !text.contains("amazonaws"))
}

fn validate_groups(config: &Value, report: &mut Report<'_>) {
    let groups = config.get("security_groups");
    let path = |name: &str| AttributePath::attribute("security_groups").then(name);
    let addon = groups.get("network_addon");
    if groups.get("wireguard").as_bool() == Some(true) && (addon.is_null() || addon.as_str() == Some("none")) {
        report.error(path("wireguard"), "wireguard belongs to a network add-on", "Set network_addon, such as \"cilium\".");
    }
    let same = groups.get("api_port").as_i64().filter(|port| (30_000..=32_767).contains(port));
    if let Some(port) = same {
        report.error(
            path("api_port"),
            format!("port {port} is a node port"),
            "Kubernetes assigns 30000 to 32767 to services. Use 6443 or 443.",
        );
    }
    for name in ["pod_cidrs", "node_port_cidrs", "admin_cidrs", "load_balancer_cidrs"] {
        for (text, at) in set_texts(groups.get(name), &path(name)) {
            match parse_cidr(text, &at) {
                Err(diagnostic) => report.diagnostics.push(diagnostic),
                Ok(network) if name == "admin_cidrs" && network.prefix_len() == 0 => {
                    report.warning(
                        at,
                        format!("admin_cidrs lets {network} reach the bastion by SSH"),
                        "That is the whole internet. Name the networks of administrators.",
                    );
                }
                Ok(IpNet::V6(network)) if config.get("ipv6").is_null() => {
                    report.warning(
                        at,
                        format!("{network} reaches nothing"),
                        "The VPC has no IPv6. Add ipv6 = {} to it, or leave this CIDR out.",
                    );
                }
                Ok(_) => {}
            }
        }
    }
    let mut seen: BTreeMap<(&str, Rule), &str> = BTreeMap::new();
    for (name, rule) in groups.get("additional_rules").as_map().into_iter().flatten() {
        let at = path("additional_rules").key(name.as_str());
        validate_rule(name, rule, &at, report);
        if rule.is_wholly_known()
            && let (Some(role), Some(parsed)) = (rule.get("role").as_str(), parsed_rule(rule))
            && let Some(other) = seen.insert((role, parsed), name)
        {
            report.error(at, format!("rules {other:?} and {name:?} are the same"), "Declare it once.");
        }
    }
}

/// With the schema's defaults; `None` for what is no rule.
fn parsed_rule(rule: &Value) -> Option<Rule> {
    let or = |key: &str, default: &'static str| rule.get(key).as_str().unwrap_or(default);
    Some(Rule {
        direction: or("direction", "ingress").parse().ok()?,
        protocol: or("protocol", "tcp").parse().ok()?,
        ports: or("ports", "all").parse().ok()?,
        peer: config::peer(or("peer", ""))?,
    })
}

fn validate_rule(name: &str, rule: &Value, at: &AttributePath, report: &mut Report<'_>) {
    let takes = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if name.is_empty() || name.len() > 255 || !name.chars().all(takes) {
        report.error(
            at.clone(),
            format!("{name:?} cannot describe a rule"),
            "AWS accepts letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, at most 255, such as \"Prometheus node exporter\".",
        );
    }
    let text = rule.get("protocol").as_str().unwrap_or("tcp");
    let protocol = text.parse::<Protocol>();
    if protocol.is_err() {
        report.error(
            at.clone().then("protocol"),
            format!("{text:?} is not a protocol"),
            "Use tcp, udp, icmp, icmpv6, all, or the number of another, such as \"112\".",
        );
    }
    let ports = rule.get("ports").as_str().unwrap_or("all");
    if !is_ports(ports) {
        report.error(
            at.clone().then("ports"),
            format!("{ports:?} are not ports"),
            "Give one, a range or all: \"9100\", \"9000-9100\", \"all\".",
        );
    } else if ports != "all"
        && let Some(protocol) = protocol.ok().filter(|protocol| !protocol.has_ports())
    {
        report.error(
            at.clone().then("ports"),
            format!("protocol {protocol} has no ports"),
            "Use ports = \"all\", or protocol tcp or udp.",
        );
    }
    if let Some(peer) = rule.get("peer").as_str() {
        let is_network = peer.parse::<IpNet>().is_ok_and(|network| network.addr() == network.network());
        if !is_network && !ROLES.contains(&peer) && !is_id(peer, "sg-") && !is_id(peer, "pl-") {
            report.error(
                at.clone().then("peer"),
                format!("{peer:?} is not a peer"),
                "Give a CIDR such as \"10.0.0.0/8\", a role such as \"node\", or the id of a security group or prefix list.",
            );
        }
    }
}

fn is_ports(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0 && !text.starts_with(['0', '+']));
    match text.split_once('-') {
        None => text == "all" || port(text).is_some(),
        Some((first, last)) => matches!((port(first), port(last)), (Some(first), Some(last)) if first < last),
    }
}

fn validate_flow_logs(logs: &Value, report: &mut Report<'_>) {
    let path = |name: &str| AttributePath::attribute("flow_logs").then(name);
    if logs.is_null() {
        return;
    }
    let to_cloudwatch = logs.get("destination_type").as_str() == Some("cloud-watch-logs");
    if let Some(arn) = logs.get("destination").as_str() {
        let (service, example) = if to_cloudwatch {
            ("logs", "arn:aws:logs:us-east-1:123456789012:log-group:demo")
        } else {
            ("s3", "arn:aws:s3:::demo-flow-logs")
        };
        if !is_arn(arn, service) {
            report.error(
                path("destination"),
                format!("{arn:?} is not the ARN of such a destination"),
                format!("Give one such as \"{example}\"."),
            );
        }
    }
    let role = logs.get("role_arn");
    if to_cloudwatch && role.is_null() {
        report.error(
            path("role_arn"),
            "flow logs to CloudWatch need role_arn",
            "Give the ARN of a role that vpc-flow-logs.amazonaws.com may assume and that may write to the log group.",
        );
    }
    if !to_cloudwatch && role.is_set() && !logs.get("destination_type").is_unknown() {
        report.error(path("role_arn"), "flow logs to S3 take no role", "Leave role_arn out: the policy of the bucket decides.");
    }
    if let Some(arn) = role.as_str().filter(|arn| !is_arn(arn, "iam")) {
        report.error(
            path("role_arn"),
            format!("{arn:?} is not the ARN of a role"),
            "Give one such as \"arn:aws:iam::123456789012:role/flow-logs\".",
        );
    }
    if let Some(seconds) = logs.get("interval_seconds").as_i64().filter(|seconds| ![60, 600].contains(seconds)) {
        report.error(path("interval_seconds"), format!("{seconds} is not an interval that AWS accepts"), "It takes 60 and 600.");
    }
}

fn is_arn(text: &str, service: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, of, _, _, resource] if partition.starts_with("aws") && of == service && !resource.is_empty())
}
