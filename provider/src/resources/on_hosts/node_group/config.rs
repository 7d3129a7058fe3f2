//! What the user declares of a node group, and the renderer's spec that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::ssh::Ssh;
use bundle::{Content, NodeObject, TaintKey};
use render::spec::{NodeGroupSpec, PodNetwork, ProxyMode};
use rollout::nodes::Bounds;
use schema::Field;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster: Field<Join>,
    pub hosts: Field<HostConfigs>,
    pub labels: Field<BTreeMap<String, Field<String>>>,
    pub taints: Field<Vec<Field<Taint>>>,
    pub proxy_mode: Field<String>,
    pub registry_mirrors: Field<BTreeMap<String, Field<String>>>,
    pub kubelet_config: Field<String>,
    pub kube_proxy_config: Field<String>,
    pub max_unavailable: Field<u64>,
    pub drain_timeout_seconds: Field<u64>,
    pub mirror: Field<String>,
    pub checksums: Field<BTreeMap<String, Field<String>>>,
    pub ssh: Field<Ssh>,
}

#[derive(Deserialize)]
pub struct Taint {
    pub key: Field<String>,
    pub value: Field<String>,
    pub effect: Field<String>,
    pub startup: Field<bool>,
}

impl Config {
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

    pub fn known_labels(&self) -> Option<BTreeMap<String, String>> {
        self.labels.settle_values(|value| Some(value.clone()))
    }

    /// What node objects are to have, whoever registered them; `None` while something of it is unknown. Startup taints are not
    /// among it: something in the cluster takes them away.
    pub fn node_object(&self) -> Option<NodeObject> {
        let taints: Vec<_> = self.taints.settle_each(|taint| Some((taint.startup.settled_or(false)?, taint.known()?)))?;
        let lasting = taints.into_iter().filter(|(is_startup, _)| !is_startup).map(|(_, taint)| taint);
        Some(NodeObject { labels: self.known_labels()?, taints: lasting.collect() })
    }

    /// Taints for registration only.
    pub fn startup_taints(&self) -> BTreeSet<TaintKey> {
        let startup = |taint: &Taint| if taint.startup.settled_or(false)? { Some(taint.known()?.0) } else { None };
        self.taints.known().into_iter().flatten().filter_map(|taint| startup(taint.known()?)).collect()
    }

    /// `1.36.3`; `None` while it is unknown.
    pub fn kubernetes_version(&self) -> Option<String> {
        self.cluster.known()?.kubernetes_version.known().cloned()
    }

    /// `None` while something is unknown.
    pub fn spec(&self, kube_proxy_kubeconfig: Content) -> Option<NodeGroupSpec> {
        let join = self.cluster.known()?;
        Some(NodeGroupSpec {
            cluster_name: join.cluster_name.known()?.clone(),
            kubernetes_version: join.kubernetes_version.known()?.clone(),
            endpoint: join.endpoint()?,
            network: join.network()?,
            hosts: hosts::resolve(self.hosts.known()?)?,
            labels: self.known_labels()?,
            taints: self.taints.settle_each(Taint::flag)?,
            apiserver_authority: join.apiserver_authority.known().cloned().into(),
            kubelet_client_authority: join.kubelet_client_authority.known().cloned().into(),
            kube_proxy_kubeconfig,
            proxy_mode: match self.proxy_mode.known()?.as_str() {
                "iptables" => ProxyMode::Iptables,
                "ipvs" => ProxyMode::Ipvs,
                _ => ProxyMode::Nftables,
            },
            registry_mirrors: self.registry_mirrors.settle_values(|url| Some(url.clone()))?,
            kubelet_flags: BTreeMap::new(),
            pod_network: PodNetwork::default(),
            kubelet_config: json(&self.kubelet_config)?,
            kube_proxy_config: json(&self.kube_proxy_config)?,
        })
    }
}

impl Taint {
    /// As `--register-with-taints` of kubelet takes it.
    fn flag(&self) -> Option<String> {
        let (TaintKey { key, effect }, value) = self.known()?;
        Some(format!("{key}={value}:{effect}"))
    }

    fn known(&self) -> Option<(TaintKey, String)> {
        let key = TaintKey { key: self.key.known()?.clone(), effect: self.effect.known()?.clone() };
        Some((key, self.value.settled_or(String::new())?))
    }
}

fn json(field: &Field<String>) -> Option<serde_json::Value> {
    Some(field.settle(|text| serde_json::from_str(text).ok())?.unwrap_or_else(|| serde_json::json!({})))
}
