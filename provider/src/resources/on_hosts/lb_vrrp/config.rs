//! What the user declares of a load balancer, and the renderer's spec that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use crate::resources::on_hosts::errors::render_error;
use bundle::{Bundle, HostName};
use render::spec::{HealthCheck, Listener, LoadBalancerSpec};
use schema::{Diagnostic, Field};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub hosts: Field<HostConfigs>,
    pub virtual_addresses: Field<Vec<Field<String>>>,
    pub listeners: Field<BTreeMap<String, Field<ListenerConfig>>>,
    pub virtual_router_id: Field<u8>,
    pub advertisement_interval_ms: Field<u32>,
    pub interface: Field<String>,
}

#[derive(Deserialize)]
pub struct ListenerConfig {
    pub port: Field<u16>,
    pub backends: Field<Vec<Field<String>>>,
    pub health_check: Field<HealthCheckConfig>,
}

#[derive(Deserialize)]
pub struct HealthCheckConfig {
    pub https_path: Field<String>,
}

impl Config {
    pub fn desired(&self) -> Result<Option<BTreeMap<HostName, Bundle>>, Diagnostic> {
        let Some(spec) = self.spec() else { return Ok(None) };
        spec.hosts
            .keys()
            .map(|host| Ok((host.clone(), render::load_balancer::render(&spec, host).map_err(render_error)?)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// `None` while something is unknown.
    pub fn spec(&self) -> Option<LoadBalancerSpec> {
        Some(LoadBalancerSpec {
            name: self.name.known()?.clone(),
            hosts: hosts::resolve(self.hosts.known()?)?,
            virtual_addresses: self.virtual_addresses.settle_each(|text| text.parse().ok())?,
            listeners: self.listeners.settle_values(ListenerConfig::spec)?,
            virtual_router_id: *self.virtual_router_id.known()?,
            advertisement_interval_centiseconds: u16::try_from(self.advertisement_interval_ms.known()? / 10).ok()?,
            interface: self.interface.settled()?,
        })
    }
}

impl ListenerConfig {
    pub fn spec(&self) -> Option<Listener> {
        let health_check = self.health_check.settle(|check| Some(HealthCheck::Https { path: check.https_path.known()?.clone() }));
        Some(Listener {
            port: *self.port.known()?,
            backends: self.backends.settle_each(|text| Some(text.clone()))?,
            health_check: health_check?.unwrap_or(HealthCheck::Tcp),
        })
    }
}
