//! What the user declares of a node group, and the renderer's spec that it makes once everything is known.

use super::node::{self, NodeHost, Taint};
use crate::hosts;
use crate::resources::control_plane::Way;
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::hardway_cluster::config::{cloud_provider, pod_network};
use crate::ssh::Ssh;
use bundle::Content;
use render::spec::{NodeGroupSpec, ProxyMode};
use rollout::nodes::Bounds;
use schema::Field;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

pub type Texts = BTreeMap<String, Field<String>>;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster: Field<Join>,
    pub hosts: Field<BTreeMap<String, Field<NodeHost>>>,
    pub labels: Field<Texts>,
    pub annotations: Field<Texts>,
    pub taints: Field<Vec<Field<Taint>>>,
    pub proxy_mode: Field<String>,
    pub registry_mirrors: Field<Texts>,
    pub kubelet_config: Field<String>,
    pub kubelet_flags: Field<Texts>,
    pub kube_proxy_config: Field<String>,
    pub max_unavailable: Field<u64>,
    pub drain_timeout_seconds: Field<u64>,
    pub mirror: Field<String>,
    pub checksums: Field<Texts>,
    pub ssh: Field<Ssh>,
}

impl Config {
    pub fn way(&self) -> Way<'_> {
        Way { join: &self.cluster, ssh: &self.ssh }
    }

    pub fn id(&self) -> Option<String> {
        Some(format!("{}.{}", self.cluster.known()?.cluster_name.known()?, self.name.known()?))
    }

    pub fn bounds(&self) -> Bounds {
        let max_unavailable = self.max_unavailable.known().and_then(|count| usize::try_from(*count).ok());
        Bounds { max_unavailable: max_unavailable.unwrap_or(1), ..Bounds::default() }
    }

    pub fn drain_limit(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_seconds.known().copied().unwrap_or(300))
    }

    /// `1.36.3`; `None` while it is unknown.
    pub fn kubernetes_version(&self) -> Option<String> {
        self.cluster.known()?.kubernetes_version.known().cloned()
    }

    /// `None` while something of what every host has is unknown.
    pub fn resolved_hosts(&self) -> Option<render::Hosts> {
        node::each(self, |_, host| hosts::resolve_one(&host.address, &host.secondary_address, &host.architecture))
    }

    /// `None` while something is unknown.
    pub fn spec(&self, kube_proxy_kubeconfig: Content) -> Option<NodeGroupSpec> {
        let join = self.cluster.known()?;
        Some(NodeGroupSpec {
            cluster_name: join.cluster_name.known()?.clone(),
            kubernetes_version: join.kubernetes_version.known()?.clone(),
            endpoint: join.endpoint()?,
            network: join.network()?,
            hosts: self.resolved_hosts()?,
            nodes: node::specs(self)?,
            apiserver_authority: join.apiserver_authority.known().cloned().into(),
            kubelet_client_authority: join.kubelet_client_authority.known().cloned().into(),
            kube_proxy_kubeconfig,
            proxy_mode: match self.proxy_mode.known()?.as_str() {
                "iptables" => ProxyMode::Iptables,
                "ipvs" => ProxyMode::Ipvs,
                "none" => ProxyMode::None,
                _ => ProxyMode::Nftables,
            },
            registry_mirrors: self.registry_mirrors.settle_values(|url| Some(url.clone()))?,
            pod_network: pod_network(&join.pod_network)?,
            cloud_provider: cloud_provider(&join.cloud_provider)?,
            kube_proxy_config: json(&self.kube_proxy_config)?,
        })
    }
}

fn json(field: &Field<String>) -> Option<serde_json::Value> {
    Some(field.settle(|text| serde_json::from_str(text).ok())?.unwrap_or_else(|| serde_json::json!({})))
}
