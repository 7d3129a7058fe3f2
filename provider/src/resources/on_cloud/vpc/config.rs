//! What the user declares of a network, and the renderer's spec that it makes. Pure.

use super::zones;
use cloud::{Direction, Peer, Protocol, Rule, Setting, canonical_cidr};
use ipnet::{IpNet, Ipv4Net};
use render::aws::endpoints::{EndpointOptions, Endpoints};
use render::aws::security_groups::{AdditionalRule, NetworkAddon, Role, SecurityGroupOptions};
use render::aws::vpc::{DhcpOptions, FlowLogs, Ipv6Source, Nat, NatMode, Reach, Tier, VpcSpec};
use schema::{Diagnostic, Field, Value, decode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

type Texts = Field<Vec<Field<String>>>;

#[derive(Deserialize)]
pub struct Config {
    name: Field<String>,
    region: Field<String>,
    cidr: Field<String>,
    secondary_cidrs: Texts,
    ipv6: Field<Ipv6Config>,
    subnets: Field<BTreeMap<String, Field<TierConfig>>>,
    nat: Field<NatConfig>,
    dhcp_options: Field<DhcpConfig>,
    endpoints: Field<EndpointsConfig>,
    security_groups: Field<SecurityGroupsConfig>,
    flow_logs: Field<FlowLogsConfig>,
    exclusive: Field<bool>,
    subnet_cidrs: Field<BTreeMap<String, Field<String>>>,
    subnet_ipv6_indexes: Field<BTreeMap<String, Field<u32>>>,
}

#[derive(Deserialize)]
struct Ipv6Config {
    source: Field<String>,
    pool_id: Field<String>,
    netmask_length: Field<u8>,
    cidr: Field<String>,
}

#[derive(Deserialize)]
struct TierConfig {
    r#type: Field<String>,
    netmask: Field<u8>,
    cidrs: Texts,
    ipv6_only: Field<bool>,
    dns64: Field<bool>,
    tags: Field<BTreeMap<String, Field<String>>>,
}

#[derive(Deserialize)]
struct NatConfig {
    mode: Field<String>,
    subnets: Field<String>,
    elastic_ip_ids: Texts,
}

#[derive(Deserialize)]
struct DhcpConfig {
    domain_name: Field<String>,
    domain_name_servers: Texts,
    ntp_servers: Texts,
}

#[derive(Deserialize)]
struct EndpointsConfig {
    gateway: Texts,
    interface: Texts,
    subnets: Field<String>,
    private_dns: Field<bool>,
    overrides: Field<BTreeMap<String, Field<OverrideConfig>>>,
}

#[derive(Deserialize)]
struct OverrideConfig {
    ip_address_type: Field<String>,
    private_dns: Field<bool>,
    policy: Field<String>,
}

#[derive(Deserialize)]
struct SecurityGroupsConfig {
    network_addon: Field<String>,
    wireguard: Field<bool>,
    api_port: Field<u16>,
    proxy_port: Field<u16>,
    vrrp: Field<bool>,
    pod_cidrs: Texts,
    node_port_cidrs: Texts,
    admin_cidrs: Texts,
    load_balancer_cidrs: Texts,
    additional_rules: Field<BTreeMap<String, Field<RuleConfig>>>,
    exclusive_rules: Field<bool>,
}

#[derive(Deserialize)]
struct RuleConfig {
    role: Field<String>,
    direction: Field<String>,
    protocol: Field<String>,
    ports: Field<String>,
    peer: Field<String>,
}

#[derive(Deserialize)]
struct FlowLogsConfig {
    destination_type: Field<String>,
    destination: Field<String>,
    traffic: Field<String>,
    interval_seconds: Field<u64>,
    role_arn: Field<String>,
}

/// `None` while it is not known which objects there are. Its addresses are those that `planned` has already.
pub fn spec(planned: &Value) -> Result<Option<VpcSpec>, Diagnostic> {
    let config: Config = decode(planned)?;
    Ok(zones::in_use(planned).and_then(|zones| config.spec(zones)))
}

impl Config {
    fn spec(&self, zones: BTreeMap<u32, Setting>) -> Option<VpcSpec> {
        let tier = |(name, tier): (&String, &Field<TierConfig>)| Some((name.clone(), tier.known()?.spec()?));
        let kept = |text: &Field<String>| text.known()?.parse::<Ipv4Net>().ok();
        let cidrs = self.subnet_cidrs.known().into_iter().flatten();
        let indexes = self.subnet_ipv6_indexes.known().into_iter().flatten();
        Some(VpcSpec {
            name: self.name.known()?.clone(),
            region: given(&self.region).unwrap_or(Setting::Unknown),
            cidr: self.cidr.known()?.parse().ok()?,
            secondary_cidrs: networks(&self.secondary_cidrs)?,
            ipv6: optional(&self.ipv6, Ipv6Config::spec)?,
            zones,
            tiers: self.subnets.known()?.iter().map(tier).collect::<Option<_>>()?,
            subnet_cidrs: cidrs.filter_map(|(name, text)| Some((name.clone(), kept(text)?))).collect(),
            subnet_ipv6_indexes: indexes.filter_map(|(name, index)| Some((name.clone(), *index.known()?))).collect(),
            nat: self.nat.known()?.spec()?,
            dhcp_options: optional(&self.dhcp_options, DhcpConfig::spec)?,
            endpoints: optional(&self.endpoints, EndpointsConfig::spec)?.unwrap_or_default(),
            security_groups: self.security_groups.known()?.spec()?,
            flow_logs: optional(&self.flow_logs, FlowLogsConfig::spec)?,
            exclusive: is(&self.exclusive)?,
        })
    }
}

impl Ipv6Config {
    fn spec(&self) -> Option<Ipv6Source> {
        let pool_id = given(&self.pool_id).unwrap_or(Setting::Unknown);
        match self.source.known()?.as_str() {
            "ipam" if self.netmask_length.is_unknown() => None,
            "ipam" => Some(Ipv6Source::Ipam { pool_id, netmask_length: self.netmask_length.known().copied().unwrap_or(56) }),
            "pool" => Some(Ipv6Source::Pool { pool_id, cidr: self.canonical_cidr() }),
            _ => Some(Ipv6Source::Amazon),
        }
    }

    fn canonical_cidr(&self) -> Setting {
        match given(&self.cidr) {
            Some(Setting::Known(text)) => Setting::Known(canonical_cidr(&text)),
            _ => Setting::Unknown,
        }
    }
}

impl TierConfig {
    fn spec(&self) -> Option<Tier> {
        if self.netmask.is_unknown() {
            return None;
        }
        let tags = match &self.tags {
            Field::Unknown => return None,
            tags => tags.known().into_iter().flatten(),
        };
        Some(Tier {
            reach: Reach::parse(self.r#type.known()?)?,
            netmask: self.netmask.known().copied(),
            cidrs: texts(&self.cidrs)?.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
            ipv6_only: *self.ipv6_only.known()?,
            dns64: *self.dns64.known()?,
            tags: tags.map(|(key, value)| (key.clone(), given(value).unwrap_or(Setting::Unknown))).collect(),
        })
    }
}

impl NatConfig {
    fn spec(&self) -> Option<Nat> {
        let ids = match &self.elastic_ip_ids {
            Field::Unknown => return None,
            ids => ids.known().into_iter().flatten(),
        };
        Some(Nat {
            mode: NatMode::parse(self.mode.known()?)?,
            tier: optional(&self.subnets, |tier| Some(tier.clone()))?,
            elastic_ip_ids: ids.map(|id| given(id).unwrap_or(Setting::Unknown)).collect(),
        })
    }
}

impl DhcpConfig {
    fn spec(&self) -> Option<DhcpOptions> {
        Some(DhcpOptions {
            domain_name: given(&self.domain_name),
            domain_name_servers: texts(&self.domain_name_servers)?,
            ntp_servers: texts(&self.ntp_servers)?,
        })
    }
}

impl EndpointsConfig {
    fn spec(&self) -> Option<Endpoints> {
        let private_dns = *self.private_dns.known()?;
        let overrides = self.overrides.known()?;
        let options = |service: String| {
            let options = match overrides.get(&service) {
                None => EndpointOptions { private_dns, ..EndpointOptions::default() },
                Some(specific) => specific.known()?.spec(private_dns)?,
            };
            Some((service, options))
        };
        let all = |services: &Texts| texts(services)?.into_iter().map(options).collect::<Option<BTreeMap<_, _>>>();
        Some(Endpoints {
            gateway: all(&self.gateway)?,
            interface: all(&self.interface)?,
            tier: optional(&self.subnets, |tier| Some(tier.clone()))?,
        })
    }
}

impl OverrideConfig {
    fn spec(&self, private_dns: bool) -> Option<EndpointOptions> {
        Some(EndpointOptions {
            // Full access is what an endpoint has without a policy.
            policy: given(&self.policy).and_then(|policy| match policy {
                Setting::Known(text) if cloud::is_full_access(&text) => None,
                Setting::Known(text) => Some(Setting::Known(cloud::canonical_policy(&text))),
                Setting::Unknown => Some(Setting::Unknown),
            }),
            private_dns: optional(&self.private_dns, |value| Some(*value))?.unwrap_or(private_dns),
            ip_address_type: optional(&self.ip_address_type, |text| Some(text.clone()))?,
        })
    }
}

impl SecurityGroupsConfig {
    fn spec(&self) -> Option<SecurityGroupOptions> {
        let rule = |(name, rule): (&String, &Field<RuleConfig>)| Some((name.clone(), rule.known()?.spec()?));
        Some(SecurityGroupOptions {
            network_addon: NetworkAddon::parse(self.network_addon.known()?)?,
            wireguard: *self.wireguard.known()?,
            api_port: *self.api_port.known()?,
            proxy_port: *self.proxy_port.known()?,
            vrrp: *self.vrrp.known()?,
            pod_cidrs: networks::<IpNet>(&self.pod_cidrs)?,
            node_port_cidrs: networks(&self.node_port_cidrs)?,
            admin_cidrs: networks(&self.admin_cidrs)?,
            load_balancer_cidrs: networks(&self.load_balancer_cidrs)?,
            additional_rules: self.additional_rules.known()?.iter().map(rule).collect::<Option<_>>()?,
            exclusive_rules: is(&self.exclusive_rules)?,
        })
    }
}

impl RuleConfig {
    fn spec(&self) -> Option<AdditionalRule> {
        Some(AdditionalRule { role: Role::parse(self.role.known()?)?, rule: self.rule()? })
    }

    /// `None` also for what is no rule, which validate has refused.
    fn rule(&self) -> Option<Rule> {
        Some(Rule {
            direction: self.direction.known()?.parse::<Direction>().ok()?,
            protocol: self.protocol.known()?.parse::<Protocol>().ok()?,
            ports: self.ports.known()?.parse().ok()?,
            peer: peer(self.peer.known()?)?,
        })
    }
}

/// A role, or what AWS itself takes.
pub fn peer(text: &str) -> Option<Peer> {
    Role::parse(text).map(Role::peer).or_else(|| text.parse().ok())
}

impl FlowLogsConfig {
    fn spec(&self) -> Option<FlowLogs> {
        Some(FlowLogs {
            destination_type: self.destination_type.known()?.clone(),
            destination: given(&self.destination).unwrap_or(Setting::Unknown),
            traffic: self.traffic.known()?.clone(),
            interval_seconds: *self.interval_seconds.known()?,
            role: given(&self.role_arn),
        })
    }
}

/// Nothing where it is null.
fn given(field: &Field<String>) -> Option<Setting> {
    match field {
        Field::Null => None,
        Field::Unknown => Some(Setting::Unknown),
        Field::Known(text) => Some(text.as_str().into()),
    }
}

/// The outer `None` is unknown, the inner one null.
fn optional<T, U>(field: &Field<T>, spec: impl Fn(&T) -> Option<U>) -> Option<Option<U>> {
    match field {
        Field::Unknown => None,
        Field::Null => Some(None),
        Field::Known(value) => spec(value).map(Some),
    }
}

/// Null is no; `None` while it is unknown.
fn is(field: &Field<bool>) -> Option<bool> {
    if field.is_unknown() { None } else { Some(field.known() == Some(&true)) }
}

/// Null is empty; `None` while one of them is unknown.
fn texts(field: &Texts) -> Option<Vec<String>> {
    match field {
        Field::Unknown => None,
        Field::Null => Some(Vec::new()),
        Field::Known(items) => items.iter().map(|item| item.known().cloned()).collect(),
    }
}

fn networks<T: FromStr + Ord>(field: &Texts) -> Option<BTreeSet<T>> {
    texts(field)?.iter().map(|text| text.parse().ok()).collect()
}
