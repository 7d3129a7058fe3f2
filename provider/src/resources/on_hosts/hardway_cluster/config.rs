//! What the user declares of a cluster, and the renderer's spec that it makes once everything is known.

use super::coredns;
use crate::hosts::{self, HostConfigs};
use crate::network;
use crate::resources::pki::Given;
use ipnet::IpNet;
use render::objects::ObjectsSpec;
use render::spec::{CloudProvider, ClusterSpec, Endpoint, Network, PodNetwork};
use schema::Field;
use serde::Deserialize;
use std::collections::BTreeMap;

pub const DEFAULT_CLUSTER_DOMAIN: &str = "cluster.local";
pub const DEFAULT_POD_NETWORK: &str = "routed";
pub const DEFAULT_NODE_MASK_IPV4: u8 = 24;
pub const DEFAULT_NODE_MASK_IPV6: u8 = 64;
/// Prefix lengths that a node's network may have: an IPv4 network of /30 has two addresses.
pub const NODE_MASKS_IPV4: (i64, i64) = (9, 30);
pub const NODE_MASKS_IPV6: (i64, i64) = (17, 124);
pub const DEFAULT_SNAPSHOTS_KEPT: usize = 3;
const DEFAULT_API_PORT: u16 = 6443;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub kubernetes_version: Field<String>,
    pub pki: Field<Given>,
    pub endpoint: Field<String>,
    pub hosts: Field<HostConfigs>,
    pub network: Field<NetworkConfig>,
    pub cloud_provider: Field<String>,
    pub etcd: Field<Etcd>,
    pub api_server: Field<ApiServer>,
    pub controller_manager: Field<Component>,
    pub scheduler: Field<Component>,
    pub coredns: Field<coredns::Config>,
    pub ignore_fields: Field<BTreeMap<String, Field<Vec<Field<String>>>>>,
    pub mirror: Field<String>,
    pub checksums: Field<BTreeMap<String, Field<String>>>,
}

#[derive(Deserialize)]
pub struct NetworkConfig {
    pub pod_cidrs: Field<Vec<Field<String>>>,
    pub service_cidrs: Field<Vec<Field<String>>>,
    pub node_mask_ipv4: Field<u8>,
    pub node_mask_ipv6: Field<u8>,
    pub pod_network: Field<String>,
    pub cluster_domain: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Component {
    pub flags: Flags,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Etcd {
    pub flags: Flags,
    pub snapshots_kept: Field<usize>,
    pub snapshot_trigger: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ApiServer {
    pub flags: Flags,
    pub audit_policy: Field<String>,
}

type Flags = Field<BTreeMap<String, Field<String>>>;

impl Config {
    /// Unknown counts as the default: it is only how many stay.
    pub fn snapshots_kept(&self) -> usize {
        let given = self.etcd.known().and_then(|etcd| etcd.snapshots_kept.known());
        given.copied().unwrap_or(DEFAULT_SNAPSHOTS_KEPT)
    }

    /// Whether it is known when snapshots are taken.
    pub fn are_snapshots_known(&self) -> bool {
        match &self.etcd {
            Field::Unknown => false,
            Field::Null => true,
            Field::Known(etcd) => !etcd.snapshots_kept.is_unknown() && !etcd.snapshot_trigger.is_unknown(),
        }
    }

    /// Any other text than before asks for a snapshot.
    pub fn snapshot_trigger(&self) -> Field<String> {
        self.etcd.as_ref().and_then(|etcd| etcd.snapshot_trigger.clone())
    }

    /// `None` while something is unknown.
    pub fn spec(&self) -> Option<ClusterSpec> {
        Some(ClusterSpec {
            name: self.name.known()?.clone(),
            kubernetes_version: self.kubernetes_version.known()?.clone(),
            endpoint: parse_endpoint(self.endpoint.known()?)?,
            hosts: hosts::resolve(self.hosts.known()?)?,
            network: self.network.known()?.spec()?,
            pod_network: pod_network(&self.network.known()?.pod_network)?,
            cloud_provider: cloud_provider(&self.cloud_provider)?,
            etcd_flags: flags(&self.etcd, |etcd| &etcd.flags)?,
            api_server_flags: flags(&self.api_server, |server| &server.flags)?,
            controller_manager_flags: flags(&self.controller_manager, |manager| &manager.flags)?,
            scheduler_flags: flags(&self.scheduler, |scheduler| &scheduler.flags)?,
            audit_policy: self.api_server.settle(|component| component.audit_policy.settled())?.flatten(),
        })
    }
}

impl Config {
    /// What the cluster's own objects are made of. `None` while something of it is unknown.
    pub fn objects_spec(&self) -> Option<ObjectsSpec> {
        let network = self.network.known()?;
        Some(ObjectsSpec {
            kubernetes_version: self.kubernetes_version.known()?.clone(),
            cluster_domain: network.domain()?,
            dns_addresses: network::dns_addresses(&network.services()?),
            coredns: coredns::settled(&self.coredns)?,
        })
    }
}

impl NetworkConfig {
    fn services(&self) -> Option<Vec<IpNet>> {
        self.service_cidrs.settle_each(|text| text.parse().ok())
    }

    fn domain(&self) -> Option<String> {
        self.cluster_domain.settled_or(DEFAULT_CLUSTER_DOMAIN.into())
    }

    fn spec(&self) -> Option<Network> {
        let service_cidrs = self.services()?;
        Some(Network {
            pod_cidrs: self.pod_cidrs.settle_each(|text| text.parse().ok())?,
            dns_addresses: network::dns_addresses(&service_cidrs),
            service_cidrs,
            node_mask_ipv4: self.node_mask_ipv4.settled_or(DEFAULT_NODE_MASK_IPV4)?,
            node_mask_ipv6: self.node_mask_ipv6.settled_or(DEFAULT_NODE_MASK_IPV6)?,
            cluster_domain: self.domain()?,
        })
    }
}

/// `None` while it is unknown.
pub fn pod_network(field: &Field<String>) -> Option<PodNetwork> {
    Some(match field.settled_or(DEFAULT_POD_NETWORK.into())?.as_str() {
        "none" => PodNetwork::None,
        _ => PodNetwork::Routed,
    })
}

/// `None` while it is unknown.
pub fn cloud_provider(field: &Field<String>) -> Option<CloudProvider> {
    Some(if field.settled()?.is_some() { CloudProvider::External } else { CloudProvider::None })
}

fn flags<T>(component: &Field<T>, of: impl Fn(&T) -> &Flags) -> Option<BTreeMap<String, String>> {
    let flags = component.settle(|component| of(component).settle_values(|value| Some(value.clone())));
    Some(flags?.unwrap_or_default())
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

/// What an endpoint is, however it is written: with a port, its host in lower case.
pub fn canonical_endpoint(text: &str) -> Option<String> {
    Some(parse_endpoint(text)?.url().to_lowercase())
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
