//! What an egress proxy is beyond its instance: Squid, and the environment of its clients. Pure.

use crate::resources::on_cloud::aws_instance::config::{networks, texts};
use crate::resources::on_cloud::aws_instance::{Config, Role, check_size};
use render::aws::egress_proxy::{self, NoProxy};
use render::aws::instance::{DnsAddress, FirstBoot, InstanceSpec};
use render::aws::squid::SquidSpec;
use schema::{Diagnostic, Field};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct ProxyConfig {
    pub port: Field<u16>,
    pub allowed_domains: Field<Vec<Field<String>>>,
    pub allowed_cidrs: Field<Vec<Field<String>>>,
    pub client_cidrs: Field<Vec<Field<String>>>,
    pub no_proxy: Field<NoProxyConfig>,
}

#[derive(Default, Deserialize)]
pub struct NoProxyConfig {
    pub service_cidrs: Field<Vec<Field<String>>>,
    pub pod_cidrs: Field<Vec<Field<String>>>,
    pub vpc_cidrs: Field<Vec<Field<String>>>,
    pub endpoints: Field<Vec<Field<String>>>,
    pub region: Field<String>,
    pub api_endpoint: Field<String>,
    pub cluster_domain: Field<String>,
    pub extra: Field<Vec<Field<String>>>,
}

/// `None` while it is not known which objects there are.
pub fn spec(config: &Config, proxy: &ProxyConfig) -> Result<Option<InstanceSpec>, Diagnostic> {
    let squid = proxy.squid(config);
    let packages = config.packages()?;
    let user_data = match (&squid, config.more_keys(), &packages) {
        _ if proxy.was_imported() => FirstBoot::Untold,
        (None, ..) | (_, None, _) | (.., Field::Unknown) => FirstBoot::Unknown,
        (Some(squid), Some(keys), packages) => {
            let text = egress_proxy::user_data(squid, &keys, packages.known().copied());
            check_size(&text, "allowed_domains")?;
            FirstBoot::Known(text)
        }
    };
    let known = squid.zip(config.ssh_networks()).zip(config.has_ipv6());
    let rules = known.map(|((squid, ssh), ipv6)| egress_proxy::rules(&squid, &ssh, ipv6));
    Ok(config.spec(Role { description: egress_proxy::DESCRIPTION, rules, user_data, address: DnsAddress::Private }))
}

impl ProxyConfig {
    /// No configuration comes without an allow list, but a state that was imported does.
    fn was_imported(&self) -> bool {
        self.allowed_domains.is_null() && self.allowed_cidrs.is_null()
    }

    /// `None` while something is not known.
    fn squid(&self, config: &Config) -> Option<SquidSpec> {
        Some(SquidSpec {
            name: config.name.known()?.clone(),
            port: *self.port.known()?,
            client_cidrs: networks(&self.client_cidrs)?,
            allowed_domains: texts(&self.allowed_domains)?,
            allowed_cidrs: networks(&self.allowed_cidrs)?,
        })
    }

    /// The value of `NO_PROXY`; `None` while something of it is not known.
    pub fn no_proxy(&self) -> Option<String> {
        let declared = match &self.no_proxy {
            Field::Unknown => return None,
            Field::Null => &NoProxyConfig::default(),
            Field::Known(declared) => declared,
        };
        let text = |field: &Field<String>| if field.is_unknown() { None } else { Some(field.known().cloned()) };
        Some(egress_proxy::no_proxy(&NoProxy {
            service_cidrs: texts(&declared.service_cidrs)?,
            pod_cidrs: texts(&declared.pod_cidrs)?,
            vpc_cidrs: texts(&declared.vpc_cidrs)?,
            endpoints: texts(&declared.endpoints)?,
            region: text(&declared.region)?,
            api_endpoint: text(&declared.api_endpoint)?,
            cluster_domain: text(&declared.cluster_domain)?,
            extra: texts(&declared.extra)?,
        }))
    }
}
