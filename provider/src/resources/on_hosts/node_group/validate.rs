//! What is wrong with a node group, said at plan with the attribute and a value that would do. Pure.

use super::node_rules;
use crate::configuration;
use crate::hosts;
use crate::network;
use crate::resources::attributes;
use crate::resources::on_hosts::downloads;
use crate::resources::on_hosts::hardway_cluster::join;
use crate::ssh;
use credentials::Url;
use ipnet::IpNet;
use schema::{Diagnostics, ValueAt};
use std::collections::BTreeMap;
use std::net::IpAddr;

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    join::validate(&config.get("cluster"), found);
    hosts::validate(&config.get("hosts"), found);
    validate_room(config, found);
    validate_identities(config, found);
    validate_families(config, found);
    attributes::validate_cluster_name(&config.get("name"), found);
    node_rules::validate(config, found);
    let mut owners = BTreeMap::new();
    for (name, host) in config.get("hosts").entries() {
        node_rules::validate(&host, found);
        node_rules::validate_size(&config.get("annotations"), &host.get("annotations"), found);
        node_rules::validate_certificate_names(&host.get("certificate_names"), found);
        let id = host.get("provider_id");
        node_rules::validate_provider_id(&id, found);
        if let Some(other) = id.as_str().and_then(|text| owners.insert(text.to_string(), name)) {
            let detail = "A cloud knows each machine by its own, and a node keeps the one that it has.";
            found.push(id.error(format!("hosts {other} and {name} have the same provider id"), detail));
        }
    }
    node_rules::validate_json("kube_proxy_config", &config.get("kube_proxy_config"), found);
    validate_proxy(config, found);
    validate_mirrors(&config.get("registry_mirrors"), found);
    configuration::validate_mirror(&config.get("mirror"), found);
    downloads::validate(&config.get("checksums"), found);
    ssh::validate(&config.get("ssh"), found);
}

/// Each node takes one of the networks into which kube-controller-manager cuts the pods' network.
fn validate_room(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let (cluster, hosts) = (config.get("cluster"), config.get("hosts"));
    let Some(count) = hosts.len() else { return };
    for part in cluster.get("pod_cidrs").items() {
        let Some(Ok(pods)) = part.as_str().map(str::parse::<IpNet>) else { continue };
        let attribute = if network::is_ipv4(&pods) { "node_mask_ipv4" } else { "node_mask_ipv6" };
        let Some(mask) = cluster.get(attribute).as_i64() else { continue };
        if let Some(nodes) = network::node_networks(&pods, mask).filter(|nodes| count as u64 > *nodes) {
            found.push(hosts.error(
                format!("{count} hosts are more nodes than the pods' network {pods} has room for"),
                format!(
                    "It has {nodes} networks of /{mask}, and each node of the cluster takes one: a node without one never becomes Ready. \
                     Declare at most {nodes} hosts, or create the cluster with larger pod_cidrs or a greater {attribute}."
                ),
            ));
        }
    }
}

/// The cluster's networks are what they are. A kubelet reports its primary address first, and sorts the addresses of its pods by its
/// family (`sortPodIPs` in pkg/kubelet/kubelet_pods.go).
fn validate_families(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let pods: Vec<IpNet> =
        config.get("cluster").get("pod_cidrs").items().filter_map(|part| part.as_str()?.parse().ok()).collect();
    for (name, host) in config.get("hosts").entries() {
        let way_out = "Pods on it would have no way to others in that family. Give it a secondary_address of that family, or declare another \
                       host: the networks of a cluster cannot be changed.";
        hosts::validate_families(name, &host, &pods, way_out, found);
        let address = host.get("address");
        let primary = address.as_str().and_then(|text| text.parse::<IpAddr>().ok());
        if let Some((given, first)) = primary.zip(pods.first())
            && given.is_ipv4() != network::is_ipv4(first)
            && pods.len() > 1
        {
            let summary = format!(
                "host {name} has an {} primary address in a cluster of which {first} comes first",
                network::family(given)
            );
            let detail = "Pods on it show another address first than pods on other nodes. Give the address of the other family as address, and \
                          this one as secondary_address.";
            found.push(address.warning(summary, detail));
        }
    }
}

/// A machine has one name. The address of a control-plane host under another name is another node on the same machine.
fn validate_identities(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let address = |part: ValueAt<'_>| part.as_str()?.parse::<IpAddr>().ok();
    let control_plane = config.get("cluster").get("control_plane");
    let members = control_plane.items().filter_map(|host| Some((address(host.get("address"))?, host.get("name").as_str()?)));
    let members: BTreeMap<IpAddr, &str> = members.collect();
    for (name, host) in config.get("hosts").entries() {
        for part in ["address", "secondary_address"].map(|attribute| host.get(attribute)) {
            let Some(member) = address(part.clone()).and_then(|address| members.get(&address)).filter(|member| **member != name)
            else {
                continue;
            };
            found.push(part.error(
                format!("host {name} has the address of control-plane host {member}"),
                format!(
                    "A machine has one name in its cluster. Call the host {member:?} here as well if that machine is to be a node, or give \
                     {name} its own address."
                ),
            ));
        }
    }
}

/// IPVS: <https://github.com/kubernetes/enhancements/issues/5495>.
fn validate_proxy(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let (mode, settings) = (config.get("proxy_mode"), config.get("kube_proxy_config"));
    match mode.as_str() {
        Some("none") if settings.as_str().is_some() => {
            let detail = "With proxy_mode = \"none\" there is no kube-proxy. Leave one of the two out.";
            found.push(settings.error("kube_proxy_config has no effect", detail));
        }
        Some("ipvs") => {
            let detail = "Kubernetes has deprecated it in 1.35, and has it behind the feature gate KubeProxyIPVS from 1.37 on. Use \"nftables\".";
            found.push(mode.warning("IPVS mode of kube-proxy goes away", detail));
        }
        _ => {}
    }
}

pub fn validate_mirrors(mirrors: &ValueAt<'_>, found: &mut Diagnostics) {
    for (registry, url) in mirrors.entries() {
        let is_host = registry.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_[]".contains(c));
        if !is_host || registry.is_empty() {
            found.push(url.error(
                format!("{registry:?} is not the host of a registry"),
                "Give the host alone, such as \"registry.k8s.io\".",
            ));
        }
        let Some(text) = url.as_str() else { continue };
        if !attributes::is_http_url(text) {
            found.push(url.error("a registry mirror is not an HTTP URL", "Give a URL such as https://mirror.example.net."));
        } else if Url::new(text).has_secrets() {
            found.push(url.error(
                "a registry mirror has a user, a password, a query or a fragment",
                "containerd takes scheme, host, port and path of the URL and leaves out the rest (parseHostConfig in \
                 core/remotes/docker/config/hosts.go), and everyone on a host can read the file that has it. Give the URL without them, such as \
                 https://mirror.example.net/v2/hub. For a mirror that wants a password, leave the registry out here and give the hosts a hosts.toml \
                 with that header yourself.",
            ));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use schema::{Diagnostic, Value};

    /// Path and summary of each.
    fn said(found: &Diagnostics) -> Vec<(String, String)> {
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect()
    }

    /// What is said of a configuration with this attribute alone.
    #[track_caller]
    pub fn check(attribute: &str, value: Value, expect: &[(&str, &str)]) {
        let mut found = Diagnostics::default();
        validate(&ValueAt::of(&Value::object([(attribute, value)])), &mut found);
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said(&found), expect);
    }

    /// What is said of hosts in a cluster with two networks for nodes and the control-plane host cp-1.
    #[track_caller]
    fn check_hosts(hosts: &[(&str, &str)], mask: Value, expect: &[(&str, &str)]) {
        let host = |address: &str| Value::object([("address", address.into())]);
        let cluster = Value::object([
            ("control_plane", Value::List(vec![Value::object([("name", "cp-1".into()), ("address", "192.0.2.11".into())])])),
            ("pod_cidrs", vec!["172.18.0.0/23"].into()),
            ("node_mask_ipv4", mask),
        ]);
        let hosts = Value::Map(hosts.iter().map(|(name, address)| (name.to_string(), host(address))).collect());
        let (config, mut found) = (Value::object([("cluster", cluster), ("hosts", hosts)]), Diagnostics::default());
        validate_room(&ValueAt::of(&config), &mut found);
        validate_identities(&ValueAt::of(&config), &mut found);
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said(&found), expect);
    }

    #[test]
    fn nodes_have_room_and_one_name_each() {
        let three = [("cp-1", "192.0.2.11"), ("worker-1", "192.0.2.21"), ("worker-2", "192.0.2.22")];
        let many = [("hosts", "3 hosts are more nodes than the pods' network 172.18.0.0/23 has room for")];
        check_hosts(&three, 24.into(), &many);
        check_hosts(&three[..2], 24.into(), &[]);
        check_hosts(&three, 25.into(), &[]);
        check_hosts(&three, Value::Unknown, &[]);
        let same = [("hosts[\"worker-1\"].address", "host worker-1 has the address of control-plane host cp-1")];
        check_hosts(&[("worker-1", "192.0.2.11")], 24.into(), &same);
    }

    #[test]
    fn nodes_have_the_families_of_the_pods_in_their_order() {
        let of = |pods: &[&str], host: &[(&str, Value)]| {
            let cluster = Value::object([("pod_cidrs", pods.to_vec().into())]);
            let host = Value::Map(host.iter().map(|(name, value)| (name.to_string(), value.clone())).collect());
            let (config, mut found) =
                (Value::object([("cluster", cluster), ("hosts", Value::object([("w-1", host)]))]), Diagnostics::default());
            validate_families(&ValueAt::of(&config), &mut found);
            said(&found)
        };
        let (ipv4, ipv6) = (("address", Value::from("192.0.2.21")), ("address", Value::from("2001:db8::21")));
        let second = |address: &str| ("secondary_address", Value::from(address));
        let dual = ["172.18.0.0/16", "fd00:18::/56"];
        assert_eq!(of(&dual, &[ipv4.clone(), second("2001:db8::21")]), []);
        assert_eq!(of(&dual[..1], std::slice::from_ref(&ipv4)), []);
        assert_eq!(of(&dual, &[ipv4.clone(), ("secondary_address", Value::Unknown)]), []);
        let at = |attribute: &str| format!("hosts[\"w-1\"].{attribute}");
        let missing = "host w-1 has no IPv6 address, but pods have fd00:18::/56";
        assert_eq!(of(&dual, &[ipv4]), [(at("secondary_address"), missing.into())]);
        let turned = "host w-1 has an IPv6 primary address in a cluster of which 172.18.0.0/16 comes first";
        assert_eq!(of(&dual, &[ipv6, second("192.0.2.21")]), [(at("address"), turned.into())]);
    }

    #[test]
    fn configurations_and_mirrors() {
        check("kube_proxy_config", "[]".into(), &[("kube_proxy_config", "kube_proxy_config is not a JSON object")]);
        let mirror = |registry: &str, url: &str| Value::object([(registry, url.into())]);
        check("registry_mirrors", mirror("registry.k8s.io", "https://mirror.example.net"), &[]);
        check(
            "registry_mirrors",
            mirror("registry.k8s.io/x", "https://mirror.example.net"),
            &[("registry_mirrors[\"registry.k8s.io/x\"]", "\"registry.k8s.io/x\" is not the host of a registry")],
        );
        check(
            "registry_mirrors",
            mirror("registry.k8s.io", "mirror.example.net"),
            &[("registry_mirrors[\"registry.k8s.io\"]", "a registry mirror is not an HTTP URL")],
        );
    }

    #[test]
    fn a_password_in_the_url_of_a_registry_mirror_is_refused_and_not_printed() {
        for url in
            ["https://user:canary@mirror.example.net/v2/hub", "https://canary@m", "https://m/?key=canary", "http://m#canary"]
        {
            let config = Value::object([("registry_mirrors", Value::object([("docker.io", url.into())]))]);
            let mut found = Diagnostics::default();
            validate(&ValueAt::of(&config), &mut found);
            let said: Vec<String> = found.iter().map(|found| format!("{found:?}")).collect();
            assert!(said.len() == 1 && said[0].contains("has a user, a password, a query or a fragment"), "{url}: {said:?}");
            assert!(!said[0].contains("canary") && said[0].contains("registry_mirrors"), "{said:?}");
        }
    }
}
