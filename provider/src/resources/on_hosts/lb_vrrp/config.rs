//! What the user declares of a load balancer, and the renderer's spec that it makes once everything is known.

use crate::hosts::{self, HostConfigs};
use crate::resources::on_hosts::errors::render_error;
use bundle::{Bundle, HostName};
use ipnet::IpNet;
use render::spec::{HealthCheck, Listener, LoadBalancerSpec};
use schema::{Diagnostic, Field};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub hosts: Field<HostConfigs>,
    pub virtual_addresses: Field<Vec<Field<String>>>,
    pub listeners: Field<BTreeMap<String, ListenerConfig>>,
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
        let virtual_addresses: Vec<IpNet> =
            self.virtual_addresses.known()?.iter().map(|text| text.known()?.parse().ok()).collect::<Option<_>>()?;
        let listeners = self
            .listeners
            .known()?
            .iter()
            .map(|(name, listener)| Some((name.clone(), listener.spec()?)))
            .collect::<Option<_>>()?;
        if self.interface.is_unknown() {
            return None;
        }
        Some(LoadBalancerSpec {
            name: self.name.known()?.clone(),
            hosts: hosts::resolve(self.hosts.known()?)?,
            virtual_addresses,
            listeners,
            virtual_router_id: *self.virtual_router_id.known()?,
            advertisement_interval_centiseconds: u16::try_from(self.advertisement_interval_ms.known()? / 10).ok()?,
            interface: self.interface.known().cloned(),
        })
    }
}

impl ListenerConfig {
    pub fn spec(&self) -> Option<Listener> {
        let health_check = match &self.health_check {
            Field::Unknown => return None,
            Field::Null => HealthCheck::Tcp,
            Field::Known(check) => HealthCheck::Https { path: check.https_path.known()?.clone() },
        };
        Some(Listener {
            port: *self.port.known()?,
            backends: self.backends.known()?.iter().map(|text| text.known().cloned()).collect::<Option<_>>()?,
            health_check,
        })
    }
}
