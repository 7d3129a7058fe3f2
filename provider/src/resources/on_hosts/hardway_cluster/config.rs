//! What the user declares of a cluster, and the renderer's spec that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use crate::network;
use crate::resources::pki::Given;
use ipnet::IpNet;
use render::spec::{ClusterSpec, Endpoint, Network};
use schema::Field;
use serde::Deserialize;
use std::collections::BTreeMap;

pub const DEFAULT_CLUSTER_DOMAIN: &str = "cluster.local";
const DEFAULT_NODE_MASK_IPV4: u8 = 24;
const DEFAULT_NODE_MASK_IPV6: u8 = 64;
const DEFAULT_API_PORT: u16 = 6443;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub kubernetes_version: Field<String>,
    pub pki: Field<Given>,
    pub endpoint: Field<String>,
    pub hosts: Field<HostConfigs>,
    pub network: Field<NetworkConfig>,
    pub etcd: Field<Component>,
    pub api_server: Field<Component>,
    pub controller_manager: Field<Component>,
    pub scheduler: Field<Component>,
    pub mirror: Field<String>,
    pub checksums: Field<BTreeMap<String, Field<String>>>,
}

#[derive(Deserialize)]
pub struct NetworkConfig {
    pub pod_cidrs: Field<Vec<Field<String>>>,
    pub service_cidrs: Field<Vec<Field<String>>>,
    pub node_mask_ipv4: Field<u8>,
    pub node_mask_ipv6: Field<u8>,
    pub cluster_domain: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Component {
    pub flags: Field<BTreeMap<String, Field<String>>>,
    pub audit_policy: Field<String>,
}

impl Config {
    /// `None` while something is unknown.
    pub fn spec(&self) -> Option<ClusterSpec> {
        Some(ClusterSpec {
            name: self.name.known()?.clone(),
            kubernetes_version: self.kubernetes_version.known()?.clone(),
            endpoint: parse_endpoint(self.endpoint.known()?)?,
            hosts: hosts::resolve(self.hosts.known()?)?,
            network: self.network.known()?.spec()?,
            etcd_flags: flags(&self.etcd)?,
            api_server_flags: flags(&self.api_server)?,
            controller_manager_flags: flags(&self.controller_manager)?,
            scheduler_flags: flags(&self.scheduler)?,
            audit_policy: match &self.api_server {
                Field::Known(component) if component.audit_policy.is_unknown() => return None,
                Field::Known(component) => component.audit_policy.known().cloned(),
                _ => None,
            },
        })
    }
}

impl NetworkConfig {
    fn spec(&self) -> Option<Network> {
        let parse = |field: &Field<Vec<Field<String>>>| -> Option<Vec<IpNet>> {
            field.known()?.iter().map(|text| text.known()?.parse().ok()).collect()
        };
        if self.node_mask_ipv4.is_unknown() || self.node_mask_ipv6.is_unknown() || self.cluster_domain.is_unknown() {
            return None;
        }
        let service_cidrs = parse(&self.service_cidrs)?;
        Some(Network {
            pod_cidrs: parse(&self.pod_cidrs)?,
            dns_addresses: network::dns_addresses(&service_cidrs),
            service_cidrs,
            node_mask_ipv4: self.node_mask_ipv4.known().copied().unwrap_or(DEFAULT_NODE_MASK_IPV4),
            node_mask_ipv6: self.node_mask_ipv6.known().copied().unwrap_or(DEFAULT_NODE_MASK_IPV6),
            cluster_domain: self.cluster_domain.known().cloned().unwrap_or_else(|| DEFAULT_CLUSTER_DOMAIN.into()),
        })
    }
}

fn flags(component: &Field<Component>) -> Option<BTreeMap<String, String>> {
    let flags = match component {
        Field::Unknown => return None,
        Field::Null => return Some(BTreeMap::new()),
        Field::Known(component) => &component.flags,
    };
    match flags {
        Field::Unknown => None,
        Field::Null => Some(BTreeMap::new()),
        Field::Known(map) => map.iter().map(|(name, value)| Some((name.clone(), value.known()?.clone()))).collect(),
    }
}

/// `https://host[:port]`, without a path.
pub fn parse_endpoint(text: &str) -> Option<Endpoint> {
    let rest = text.strip_prefix("https://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?),
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let port = if port.is_empty() { DEFAULT_API_PORT } else { port.parse().ok().filter(|port| *port > 0)? };
    let good = host.parse::<std::net::IpAddr>().is_ok() || crate::resources::attributes::is_dns_name(host);
    good.then(|| Endpoint { host: host.to_string(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_with_a_host_and_perhaps_a_port() {
        #[track_caller]
        fn check(text: &str, expect: Option<(&str, u16)>) {
            assert_eq!(parse_endpoint(text).map(|e| (e.host, e.port)), expect.map(|(h, p)| (h.to_string(), p)));
        }
        check("https://api.demo.internal:6443", Some(("api.demo.internal", 6443)));
        check("https://api.demo.internal", Some(("api.demo.internal", 6443)));
        check("https://192.0.2.100:443/", Some(("192.0.2.100", 443)));
        check("https://[2001:db8::100]:6443", Some(("2001:db8::100", 6443)));
        check("https://[2001:db8::100]", Some(("2001:db8::100", 6443)));
        for bad in
            ["http://api:6443", "api:6443", "https://", "https://api:0", "https://api:x", "https://api/path", "https://a b"]
        {
            check(bad, None);
        }
    }
}
