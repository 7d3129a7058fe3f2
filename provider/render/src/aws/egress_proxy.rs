//! An egress proxy: an instance with Squid, and the environment that lets clients use it where they have to and nowhere else.

use super::bastion;
use super::images::Packages;
use super::instance::DescribedRule;
use super::security_groups::{DNS, HTTP, HTTPS, anywhere};
use super::squid::{self, SquidSpec};
use super::user_data::File;
use cloud::{Direction, Ports, Protocol, Rule};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Description of the security group, which AWS cannot change later.
pub const DESCRIPTION: &str = "HTTP proxy of Kubernetes nodes";
/// Never by way of the proxy, whatever the cluster: this host and the metadata service in both families.
const ALWAYS: [&str; 5] = ["localhost", "127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254"];

/// What clients reach without the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    pub service_cidrs: Vec<String>,
    pub pod_cidrs: Vec<String>,
    pub vpc_cidrs: Vec<String>,
    /// Short names of VPC endpoints: `ec2`, `ecr.api`, `s3`.
    pub endpoints: Vec<String>,
    pub region: Option<String>,
    /// A URL or a name.
    pub api_endpoint: Option<String>,
    pub cluster_domain: Option<String>,
    pub extra: Vec<String>,
}

/// The cloud-init user data: Squid with its configuration, on a host hardened like a bastion.
pub fn user_data(spec: &SquidSpec, authorized_keys: &[String], packages: Option<Packages>) -> String {
    let mut user_data = bastion::hardened(authorized_keys, packages);
    user_data.packages.push("squid".into());
    user_data.files.push(File { path: squid::CONF, content: spec.render_conf() });
    if !spec.allowed_domains.is_empty() {
        user_data.files.push(File { path: squid::DOMAINS, content: spec.render_domains() });
    }
    for action in ["enable", "restart"] {
        user_data.commands.push(["systemctl", action, "squid.service"].map(str::to_owned).to_vec());
    }
    user_data.render()
}

/// The proxy's port from its clients and SSH from those who may; out only what Squid lets through and the names that it looks up.
pub fn rules(spec: &SquidSpec, ssh_cidrs: &[IpNet], ipv6: bool) -> Vec<DescribedRule> {
    let client = |peer: &IpNet| Rule::new(Direction::Ingress, Protocol::Tcp, Ports::One(spec.port), *peer);
    let clients = spec.client_cidrs.iter();
    let mut rules: Vec<DescribedRule> = clients.map(|peer| DescribedRule { rule: client(peer), description: "proxy" }).collect();
    rules.extend(bastion::ssh_rules(ssh_cidrs));
    for peer in anywhere(ipv6) {
        for (protocol, ports, description) in [
            (Protocol::Tcp, HTTP, "HTTP"),
            (Protocol::Tcp, HTTPS, "HTTPS"),
            (Protocol::Tcp, DNS, "DNS"),
            (Protocol::Udp, DNS, "DNS"),
        ] {
            rules.push(DescribedRule { rule: Rule::new(Direction::Egress, protocol, ports, peer), description });
        }
    }
    rules
}

/// The value of `NO_PROXY`, each entry once, in the order of the reasons.
pub fn no_proxy(spec: &NoProxy) -> String {
    let domain = spec.cluster_domain.as_deref().unwrap_or("cluster.local");
    let mut entries: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    entries.extend([".svc".to_owned(), format!(".{domain}")]);
    entries.extend([&spec.service_cidrs, &spec.pod_cidrs, &spec.vpc_cidrs].into_iter().flatten().cloned());
    if let Some(region) = &spec.region {
        entries.extend(spec.endpoints.iter().flat_map(|endpoint| endpoint_names(endpoint, region)));
    }
    entries.extend(spec.api_endpoint.as_deref().map(host_of));
    entries.extend(spec.extra.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
    entries.join(",")
}

/// Both spellings: curl and wget read `http_proxy` only in lower case, others prefer upper case. `None` while it is not known.
pub fn environment(url: Option<&str>, no_proxy: Option<&str>) -> BTreeMap<String, Option<String>> {
    let variables = [("HTTP_PROXY", url), ("HTTPS_PROXY", url), ("NO_PROXY", no_proxy)];
    let spellings =
        |(name, value): (&str, Option<&str>)| [name.to_owned(), name.to_lowercase()].map(|name| (name, value.map(str::to_owned)));
    variables.into_iter().flat_map(spellings).collect()
}

/// `http://10.0.0.5:3128`
pub fn url(host: &str, port: u16) -> String {
    if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
}

/// The names that a client asks an endpoint by, for those that are not `<short name>.<region>.<suffix>`:
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html> and, for buckets in host names,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>.
fn endpoint_names(endpoint: &str, region: &str) -> Vec<String> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let patterns: &[&str] = match endpoint {
        "ecr.api" => &["api.ecr.{region}"],
        "ecr.dkr" => &[".dkr.ecr.{region}"],
        "s3" => &["s3.{region}", ".s3.{region}", "s3.dualstack.{region}", ".s3.dualstack.{region}"],
        _ => &["{endpoint}.{region}"],
    };
    let name = |pattern: &&str| format!("{}.{suffix}", pattern.replace("{region}", region).replace("{endpoint}", endpoint));
    patterns.iter().map(name).collect()
}

/// `api.demo.internal` of `https://api.demo.internal:6443`
fn host_of(endpoint: &str) -> String {
    let text = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let text = text.split('/').next().unwrap_or(text);
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.split(']').next()) {
        return address.to_owned();
    }
    match text.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') => host.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_those_of_the_cluster_and_of_its_endpoints() {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let spec = NoProxy {
            service_cidrs: list(&["10.96.0.0/16", "fd00:96::/112"]),
            pod_cidrs: list(&["172.18.0.0/16"]),
            vpc_cidrs: list(&["10.0.0.0/16"]),
            endpoints: list(&["ec2", "ecr.api", "ecr.dkr", "s3"]),
            region: Some("cn-northwest-1".into()),
            api_endpoint: Some("https://api.demo.internal:6443".into()),
            cluster_domain: None,
            extra: list(&[".corp.example", "localhost"]),
        };
        assert_eq!(
            no_proxy(&spec).split(',').collect::<Vec<_>>(),
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "169.254.169.254",
                "fd00:ec2::254",
                ".svc",
                ".cluster.local",
                "10.96.0.0/16",
                "fd00:96::/112",
                "172.18.0.0/16",
                "10.0.0.0/16",
                "ec2.cn-northwest-1.amazonaws.com.cn",
                "api.ecr.cn-northwest-1.amazonaws.com.cn",
                ".dkr.ecr.cn-northwest-1.amazonaws.com.cn",
                "s3.cn-northwest-1.amazonaws.com.cn",
                ".s3.cn-northwest-1.amazonaws.com.cn",
                "s3.dualstack.cn-northwest-1.amazonaws.com.cn",
                ".s3.dualstack.cn-northwest-1.amazonaws.com.cn",
                "api.demo.internal",
                ".corp.example",
            ]
        );
    }

    #[track_caller]
    fn check_host(endpoint: &str, expect: &str) {
        assert_eq!(host_of(endpoint), expect);
    }

    #[test]
    fn an_api_endpoint_is_a_url_or_a_name() {
        check_host("https://api.demo.internal:6443", "api.demo.internal");
        check_host("api.demo.internal", "api.demo.internal");
        check_host("https://[2001:db8::1]:6443/", "2001:db8::1");
        check_host("2001:db8::1", "2001:db8::1");
        check_host("192.0.2.1:6443", "192.0.2.1");
    }

    #[test]
    fn the_environment_has_both_spellings() {
        let environment = environment(Some(&url("10.0.0.5", 3128)), None);
        assert_eq!(environment["https_proxy"].as_deref(), Some("http://10.0.0.5:3128"));
        assert_eq!(environment["HTTP_PROXY"], environment["http_proxy"]);
        assert_eq!(environment["NO_PROXY"], None);
        assert_eq!(environment.len(), 6);
        assert_eq!(url("2001:db8::1", 3128), "http://[2001:db8::1]:3128");
    }
}
