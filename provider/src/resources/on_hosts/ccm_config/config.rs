//! What the user declares of the controller, and the renderer's spec that it makes once enough is known.

use crate::hosts::HostConfigs;
use crate::network::is_ipv4;
use crate::resources::control_plane::Way;
use crate::resources::in_cluster::json::json;
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::node_group::config::Texts;
use crate::resources::pki::Given;
use crate::ssh::Ssh;
use credentials::Secret;
use ipnet::IpNet;
use render::cloud_controller::{CloudControllerSpec, Unfit, cloud_conf, releases};
use render::{Host, Hosts};
use schema::{AttributePath, Diagnostic, Field, Value};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster: Field<Join>,
    pub pki: Field<Given>,
    pub hosts: Field<HostConfigs>,
    pub version: Field<String>,
    pub environment: Field<Texts>,
    pub secret_environment: Field<BTreeMap<String, Field<Secret>>>,
    pub api_server: Field<String>,
    pub flags: Field<Texts>,
    pub registry_mirrors: Field<Texts>,
    pub program_sha256: Field<Texts>,
    pub ssh: Field<Ssh>,
}

impl Config {
    pub fn way(&self) -> Way<'_> {
        Way { join: &self.cluster, ssh: &self.ssh }
    }

    pub fn id(&self) -> Option<String> {
        Some(format!("{}.{}", self.cluster_name()?, self.name.known()?))
    }

    pub fn cluster_name(&self) -> Option<&String> {
        self.cluster.known()?.cluster_name.known()
    }

    pub fn kubernetes_version(&self) -> Option<&String> {
        self.cluster.known()?.kubernetes_version.known()
    }

    /// `None` while something is unknown without which nothing can be said of `hosts`. `secrets` has the write-only values.
    pub fn spec(&self, secrets: &Config, hosts: Hosts, cloud_conf: Option<String>) -> Option<CloudControllerSpec> {
        Some(CloudControllerSpec {
            cluster_name: self.cluster_name()?.clone(),
            api_server: self.api_server.settled()?,
            cloud_conf,
            environment: self.environment(secrets, &hosts),
            hosts,
            flags: self.flags.settle_values(|value| Some(value.clone()))?,
        })
    }

    fn environment(&self, secrets: &Config, hosts: &Hosts) -> Option<BTreeMap<String, Secret>> {
        let mut all = BTreeMap::new();
        // The SDK of AWS asks for the metadata of an instance over IPv4 unless it is told otherwise.
        if !hosts.values().flat_map(Host::addresses).any(|address| address.is_ipv4()) {
            all.insert("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE".to_string(), Secret::new("IPv6"));
        }
        all.extend(self.environment.settle_values(|value| Some(Secret::new(value.as_str())))?);
        all.extend(secrets.secret_environment.settle_values(|value| Some(value.clone()))?);
        Some(all)
    }
}

/// The version that is run: the one that is given, or the catalogue's for the cluster. `None` while that is unknown.
///
/// # Errors
/// When the catalogue has none for the cluster.
pub fn version(given: &Field<String>, kubernetes: Option<&str>) -> Option<Result<String, Diagnostic>> {
    if let Some(text) = given.settled()? {
        return Some(Ok(text));
    }
    let refused = |unfit: Unfit| Diagnostic::error("there is no controller for this cluster").detail(unfit.to_string());
    Some(releases::default_for(kubernetes?).map(str::to_string).map_err(refused))
}

/// What settings that are not given follow from.
pub struct Defaults {
    pub cluster_id: Option<String>,
    pub node_ip_families: Option<Vec<&'static str>>,
}

impl Defaults {
    /// The families of pods come first, then those in which hosts have an address besides: their kubelets name it, and are not initialised where the controller
    /// does not know it (`node.helpers` of k8s.io/cloud-provider).
    pub fn of(join: &Join, hosts: Option<&Hosts>) -> Defaults {
        let networks: Option<Vec<IpNet>> = join.pod_cidrs.settle_each(|text| text.parse().ok());
        let families = networks.zip(hosts).map(|(networks, hosts)| {
            let of_hosts = hosts.values().flat_map(Host::addresses).map(|address| address.is_ipv4());
            let mut families: Vec<&'static str> = Vec::new();
            for is_ipv4 in networks.iter().map(is_ipv4).chain(of_hosts) {
                let family = if is_ipv4 { "ipv4" } else { "ipv6" };
                if !families.contains(&family) {
                    families.push(family);
                }
            }
            families
        });
        Defaults { cluster_id: join.cluster_name.known().cloned(), node_ip_families: families }
    }

    /// Where the cluster is not known: any, so that settings are checked all the same.
    pub fn any() -> Defaults {
        Defaults { cluster_id: Some("cluster".into()), node_ip_families: Some(vec!["ipv4"]) }
    }
}

/// The text of `cloud.conf`. `None` while a part of it is unknown.
///
/// # Errors
/// When the controller would not take a setting, or not heed it.
pub fn cloud_conf(settings: &Value, defaults: &Defaults, version: &str) -> Option<Result<String, Diagnostic>> {
    let mut settings = match settings {
        Value::Null => serde_json::Map::new(),
        settings if settings.is_wholly_known() => json(settings).as_object()?.clone(),
        _ => return None,
    };
    settings.retain(|_, value| !value.is_null());
    if !settings.contains_key("cluster_id") {
        settings.insert("cluster_id".into(), defaults.cluster_id.as_deref()?.into());
    }
    if !settings.contains_key("node_ip_families") {
        settings.insert("node_ip_families".into(), defaults.node_ip_families.clone()?.into());
    }
    let refused = |unfit: Unfit| {
        let path = AttributePath::attribute("cloud_config");
        Diagnostic::error("the controller does not take these settings").detail(unfit.to_string()).at(path)
    };
    Some(cloud_conf::minor_of(version).and_then(|minor| cloud_conf::render(minor, &settings)).map_err(refused))
}
