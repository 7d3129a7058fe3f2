//! What each node of a group is given: by the group, by its host, and by what its host is. What a host has of its own wins, key by key. Pure.

use super::config::{Config, Texts};
use bundle::{HostName, NodeObject, TaintKey};
use render::NodeSpec;
use render::node::CLOUD_PROVIDER_FLAG;
use render::spec::{CloudProvider, NodeGroupSpec};
use schema::Field;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Of a host on which the control plane runs too. Source: `LabelNodeRoleControlPlane` in cmd/kubeadm/app/constants of Kubernetes.
pub const CONTROL_PLANE_ROLE: &str = "node-role.kubernetes.io/control-plane";

/// Taints that a node has only until something in the cluster takes them away, by the name of their host.
pub type StartupTaints = BTreeMap<HostName, BTreeSet<TaintKey>>;

#[derive(Deserialize)]
pub struct Taint {
    pub key: Field<String>,
    pub value: Field<String>,
    pub effect: Field<String>,
    pub startup: Field<bool>,
}

/// A host with what its node has of its own.
#[derive(Deserialize)]
pub struct NodeHost {
    pub address: Field<String>,
    pub secondary_address: Field<String>,
    pub architecture: Field<String>,
    pub labels: Field<Texts>,
    pub annotations: Field<Texts>,
    pub taints: Field<Vec<Field<Taint>>>,
    pub kubelet_config: Field<String>,
    pub kubelet_flags: Field<Texts>,
    pub provider_id: Field<String>,
    pub certificate_names: Field<Vec<Field<String>>>,
}

/// What the group says of its nodes, or one host of its own.
struct Layer<'a> {
    labels: &'a Field<Texts>,
    annotations: &'a Field<Texts>,
    taints: &'a Field<Vec<Field<Taint>>>,
    kubelet_config: &'a Field<String>,
    kubelet_flags: &'a Field<Texts>,
}

/// What the objects of nodes are to have, whoever registered them; `None` while something of one is unknown. Startup taints are not among it:
/// something in the cluster takes them away.
pub fn objects(config: &Config) -> Option<BTreeMap<HostName, NodeObject>> {
    each(config, |name, host| {
        let NodeObject { labels, mut taints, provider_id, .. } = registration(config, host)?;
        let startup = startup_taints_of(config, host)?;
        taints.retain(|key, _| !startup.contains(key));
        let role = is_control_plane(config, name)?.then(|| (CONTROL_PLANE_ROLE.to_string(), String::new()));
        let annotations = texts(config, host, |layer| layer.annotations)?;
        Some(NodeObject { labels: role.into_iter().chain(labels).collect(), annotations, taints, provider_id })
    })
}

/// What the renderer takes of each; `None` while something of one is unknown.
pub fn specs(config: &Config) -> Option<BTreeMap<HostName, NodeSpec>> {
    each(config, |_, host| {
        let configs: Option<Vec<_>> = layers(config, host).iter().map(|layer| settings(layer.kubelet_config)).collect();
        Some(NodeSpec {
            registration: registration(config, host)?,
            kubelet_config: configs?.into_iter().flatten().collect(),
            kubelet_flags: texts(config, host, |layer| layer.kubelet_flags)?,
        })
    })
}

/// What its serving certificate may name beside its name and its addresses; `None` while something of it is unknown.
pub fn certificate_names(config: &Config) -> Option<BTreeMap<HostName, Vec<String>>> {
    each(config, |_, host| host.certificate_names.settle_each(|name| Some(name.clone())))
}

/// A host may be outside of the cloud that the others are in.
pub fn is_in_cloud(spec: &NodeGroupSpec, host: &HostName) -> bool {
    let flag = spec.nodes.get(host).and_then(|node| node.kubelet_flags.get(CLOUD_PROVIDER_FLAG));
    flag.map_or(spec.cloud_provider == CloudProvider::External, |flag| flag == "external")
}

/// None of a host of which something is unknown.
pub fn startup_taints(config: &Config) -> StartupTaints {
    let hosts = config.hosts.known().into_iter().flatten();
    let of_host = |(name, host): (&String, &Field<NodeHost>)| {
        Some((HostName::parse(name.as_str()).ok()?, startup_taints_of(config, host.known()?)?))
    };
    hosts.filter_map(of_host).collect()
}

/// `None` while a host is unknown, or what is made of one.
pub fn each<T>(config: &Config, make: impl Fn(&str, &NodeHost) -> Option<T>) -> Option<BTreeMap<HostName, T>> {
    let hosts = config.hosts.known()?.iter();
    hosts.map(|(name, host)| Some((HostName::parse(name.as_str()).ok()?, make(name, host.known()?)?))).collect()
}

/// What of it a kubelet may be told, and startup taints.
fn registration(config: &Config, host: &NodeHost) -> Option<NodeObject> {
    let mut taints = BTreeMap::new();
    for layer in layers(config, host) {
        taints.extend(layer.taints.settle_each::<_, Vec<_>>(Taint::known)?);
    }
    let labels = texts(config, host, |layer| layer.labels)?;
    Some(NodeObject { labels, taints, provider_id: host.provider_id.settled()?, ..NodeObject::default() })
}

fn startup_taints_of(config: &Config, host: &NodeHost) -> Option<BTreeSet<TaintKey>> {
    let mut startup = BTreeMap::new();
    for layer in layers(config, host) {
        startup
            .extend(layer.taints.settle_each::<_, Vec<_>>(|taint| Some((taint.known()?.0, taint.startup.settled_or(false)?)))?);
    }
    Some(startup.into_iter().filter_map(|(key, is_startup)| is_startup.then_some(key)).collect())
}

/// `None` while that is unknown.
fn is_control_plane(config: &Config, name: &str) -> Option<bool> {
    let is_it: Vec<bool> = config.cluster.known()?.control_plane.settle_each(|host| Some(host.name.known()? == name))?;
    Some(is_it.contains(&true))
}

/// The later one wins.
fn layers<'a>(config: &'a Config, host: &'a NodeHost) -> [Layer<'a>; 2] {
    [config.layer(), host.layer()]
}

/// Those of the group and of the host.
fn texts<'a>(
    config: &'a Config,
    host: &'a NodeHost,
    part: impl Fn(&Layer<'a>) -> &'a Field<Texts>,
) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for layer in layers(config, host) {
        all.extend(part(&layer).settle_values(|text| Some(text.clone()))?);
    }
    Some(all)
}

/// Of settings in JSON; `Some(None)` where there are none.
fn settings(field: &Field<String>) -> Option<Option<serde_json::Value>> {
    field.settle(|text| serde_json::from_str(text).ok())
}

impl Config {
    fn layer(&self) -> Layer<'_> {
        let Config { labels, annotations, taints, kubelet_config, kubelet_flags, .. } = self;
        Layer { labels, annotations, taints, kubelet_config, kubelet_flags }
    }
}

impl NodeHost {
    fn layer(&self) -> Layer<'_> {
        let NodeHost { labels, annotations, taints, kubelet_config, kubelet_flags, .. } = self;
        Layer { labels, annotations, taints, kubelet_config, kubelet_flags }
    }
}

impl Taint {
    fn known(&self) -> Option<(TaintKey, String)> {
        let key = TaintKey { key: self.key.known()?.clone(), effect: self.effect.known()?.clone() };
        Some((key, self.value.settled_or(String::new())?))
    }
}
