//! What the user declares of a Network Load Balancer, and the renderer's spec that it makes. Pure.

use cloud::Setting;
use render::aws::nlb::{Addresses, Dns, IpAddressType, NlbListener, NlbSpec, Reach, Target, TargetHealthCheck, is_datagram};
use schema::Field;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What AWS's console proposes; its API would take one that still allows TLS 1.0.
pub const SSL_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06";
pub const MATCHER: &str = "200-399";
/// Numbers of a health check: attribute, setting and what it is where nothing is given.
pub const HEALTH_CHECK: [(&str, &str, i64); 4] = [
    ("interval_seconds", "health_check_interval_seconds", 10),
    ("timeout_seconds", "health_check_timeout_seconds", 6),
    ("healthy_threshold", "healthy_threshold", 2),
    ("unhealthy_threshold", "unhealthy_threshold", 2),
];

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub vpc_id: Field<String>,
    pub scheme: Field<String>,
    pub ip_address_type: Field<String>,
    pub subnet_ids: Field<Vec<Field<String>>>,
    pub subnets: Field<Vec<Field<SubnetConfig>>>,
    pub security_group_ids: Field<Vec<Field<String>>>,
    pub cross_zone: Field<bool>,
    pub deletion_protection: Field<bool>,
    pub client_routing_policy: Field<String>,
    pub listeners: Field<BTreeMap<String, Field<ListenerConfig>>>,
    pub dns: Field<DnsConfig>,
    pub wait_for_healthy_targets: Field<bool>,
}

#[derive(Deserialize)]
pub struct SubnetConfig {
    pub subnet_id: Field<String>,
    pub allocation_id: Field<String>,
    pub private_ipv4_address: Field<String>,
    pub ipv6_address: Field<String>,
}

#[derive(Deserialize)]
pub struct ListenerConfig {
    pub port: Field<u16>,
    pub protocol: Field<String>,
    pub certificate_arn: Field<String>,
    pub ssl_policy: Field<String>,
    pub alpn_policy: Field<String>,
    pub target: Field<TargetConfig>,
    pub health_check: Field<HealthCheckConfig>,
}

#[derive(Deserialize)]
pub struct TargetConfig {
    pub r#type: Field<String>,
    pub group_name: Field<String>,
    pub port: Field<u16>,
    pub protocol: Field<String>,
    pub address_family: Field<String>,
    pub targets: Field<Vec<Field<String>>>,
    pub autoscaling_group_names: Field<Vec<Field<String>>>,
    pub exclusive_targets: Field<bool>,
    pub outside_vpc: Field<bool>,
    pub preserve_client_ip: Field<bool>,
    pub proxy_protocol: Field<bool>,
    pub connection_termination: Field<bool>,
    pub deregistration_delay_seconds: Field<u64>,
}

#[derive(Default, Deserialize)]
pub struct HealthCheckConfig {
    pub protocol: Field<String>,
    pub port: Field<String>,
    pub path: Field<String>,
    pub matcher: Field<String>,
    pub interval_seconds: Field<u64>,
    pub timeout_seconds: Field<u64>,
    pub healthy_threshold: Field<u64>,
    pub unhealthy_threshold: Field<u64>,
}

#[derive(Deserialize)]
pub struct DnsConfig {
    pub zone_id: Field<String>,
    pub name: Field<String>,
    pub evaluate_target_health: Field<bool>,
}

impl Config {
    /// `None` while it is not known which objects there are: the balancer's name, its listeners, its families.
    pub fn spec(&self) -> Option<NlbSpec> {
        let ip_address_type = match self.ip_address_type.known()?.as_str() {
            "dualstack" => IpAddressType::Dualstack,
            _ => IpAddressType::Ipv4,
        };
        let dns = match &self.dns {
            Field::Unknown => return None,
            Field::Null => None,
            Field::Known(dns) => Some(dns.spec()),
        };
        let listener = |(name, listener): (&String, &Field<ListenerConfig>)| Some((name.clone(), listener.known()?.spec()?));
        Some(NlbSpec {
            name: self.name.known()?.clone(),
            vpc_id: text(&self.vpc_id),
            scheme: text(&self.scheme),
            ip_address_type,
            subnets: self.subnets(),
            security_groups: texts(&self.security_group_ids),
            cross_zone: or(&self.cross_zone, true),
            deletion_protection: or(&self.deletion_protection, false),
            client_routing_policy: text_or(&self.client_routing_policy, "any_availability_zone"),
            listeners: self.listeners.known()?.iter().map(listener).collect::<Option<_>>()?,
            dns,
        })
    }

    fn subnets(&self) -> Option<BTreeMap<String, Addresses>> {
        let plain = texts(&self.subnet_ids)?.into_iter().map(|id| (id, Addresses::default()));
        let mapped = match &self.subnets {
            Field::Unknown => return None,
            Field::Null => Vec::new(),
            Field::Known(subnets) => subnets.iter().map(|subnet| subnet.known()?.spec()).collect::<Option<_>>()?,
        };
        Some(plain.chain(mapped).collect())
    }
}

impl SubnetConfig {
    fn spec(&self) -> Option<(String, Addresses)> {
        let addresses = Addresses {
            allocation_id: given(&self.allocation_id),
            ipv4: given(&self.private_ipv4_address),
            ipv6: self.ipv6_address.known().map(|text| normal(text).into()).or_else(|| given(&self.ipv6_address)),
        };
        Some((self.subnet_id.known()?.clone(), addresses))
    }
}

impl ListenerConfig {
    fn spec(&self) -> Option<NlbListener> {
        let ssl_policy = match (&self.certificate_arn, &self.ssl_policy) {
            (Field::Null, _) => None,
            (_, Field::Null) => Some(SSL_POLICY.into()),
            (_, policy) => given(policy),
        };
        Some(NlbListener {
            port: number(self.port.as_ref().map(|port| u64::from(*port))),
            protocol: text(&self.protocol),
            certificate: given(&self.certificate_arn),
            ssl_policy,
            alpn_policy: given(&self.alpn_policy),
            target: self.target.known()?.spec(self),
            health_check: match &self.health_check {
                Field::Unknown => None,
                Field::Null => HealthCheckConfig::default().spec(),
                Field::Known(check) => check.spec(),
            },
        })
    }
}

impl TargetConfig {
    fn reach(&self) -> Option<Reach> {
        match self.outside_vpc {
            Field::Unknown => None,
            Field::Known(true) => Some(Reach::OutsideVpc),
            Field::Known(false) | Field::Null => Some(Reach::InVpc),
        }
    }

    fn spec(&self, listener: &ListenerConfig) -> Target {
        let protocol = if self.protocol.is_null() { text(&listener.protocol) } else { text(&self.protocol) };
        let port = if self.port.is_null() { &listener.port } else { &self.port };
        Target {
            group_name: given(&self.group_name),
            port: number(port.as_ref().map(|port| u64::from(*port))),
            target_type: text(&self.r#type),
            address_family: text_or(&self.address_family, "ipv4"),
            targets: texts(&self.targets).map(|targets| targets.iter().map(|target| normal(target)).collect()),
            autoscaling_groups: texts(&self.autoscaling_group_names),
            exclusive: if self.exclusive_targets.is_unknown() {
                None
            } else {
                Some(self.exclusive_targets.known() == Some(&true))
            },
            reach: self.reach(),
            preserve_client_ip: or_of_datagrams(&self.preserve_client_ip, &protocol),
            proxy_protocol_v2: or(&self.proxy_protocol, false),
            connection_termination: or_of_datagrams(&self.connection_termination, &protocol),
            deregistration_delay_seconds: number(self.deregistration_delay_seconds.known_or(300)),
            protocol,
        }
    }
}

impl HealthCheckConfig {
    /// `None` while the protocol is not known.
    fn spec(&self) -> Option<TargetHealthCheck> {
        let protocol = match &self.protocol {
            Field::Unknown => return None,
            Field::Null => "TCP",
            Field::Known(protocol) => protocol,
        };
        let over_http = |field: &Field<String>, default: &str| (protocol != "TCP").then(|| text_or(field, default));
        Some(TargetHealthCheck {
            protocol: protocol.into(),
            port: text_or(&self.port, "traffic-port"),
            path: over_http(&self.path, "/"),
            matcher: over_http(&self.matcher, MATCHER),
            interval_seconds: number(self.interval_seconds.known_or(10)),
            timeout_seconds: number(self.timeout_seconds.known_or(6)),
            healthy_threshold: number(self.healthy_threshold.known_or(2)),
            unhealthy_threshold: number(self.unhealthy_threshold.known_or(2)),
        })
    }
}

impl DnsConfig {
    fn spec(&self) -> Dns {
        let name = self.name.known().map_or(Setting::Unknown, |name| name.to_ascii_lowercase().into());
        let zone_id = self.zone_id.known().map_or(Setting::Unknown, |id| id.trim_start_matches("/hostedzone/").into());
        Dns { zone_id, name, evaluate_target_health: or(&self.evaluate_target_health, true) }
    }
}

/// An IPv6 address has many spellings: as AWS is shown to have it. Anything else stays.
fn normal(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}

/// The field, or what only holds for datagrams: clients' addresses are always kept there, and flows end with their target.
fn or_of_datagrams(field: &Field<bool>, protocol: &Setting) -> Setting {
    match (field, protocol) {
        (Field::Known(value), _) => (*value).into(),
        (Field::Null, Setting::Known(protocol)) => is_datagram(protocol).into(),
        _ => Setting::Unknown,
    }
}

/// Where there has to be a value.
fn text(field: &Field<String>) -> Setting {
    field.known().map_or(Setting::Unknown, |text| text.as_str().into())
}

fn text_or(field: &Field<String>, default: &str) -> Setting {
    if field.is_null() { default.into() } else { text(field) }
}

/// Where there may be none.
fn given(field: &Field<String>) -> Option<Setting> {
    (!field.is_null()).then(|| text(field))
}

fn or(field: &Field<bool>, default: bool) -> Setting {
    match field {
        Field::Unknown => Setting::Unknown,
        Field::Null => default.into(),
        Field::Known(value) => (*value).into(),
    }
}

fn number(field: Field<u64>) -> Setting {
    field.into_known().map_or(Setting::Unknown, Setting::from)
}

/// `None` while one of them is not known.
fn texts(list: &Field<Vec<Field<String>>>) -> Option<BTreeSet<String>> {
    match list {
        Field::Unknown => None,
        Field::Null => Some(BTreeSet::new()),
        Field::Known(items) => items.iter().map(|item| item.known().cloned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::ObjectKey;
    use schema::{Value, decode};

    fn spec(changes: &[(&str, Value)]) -> Option<NlbSpec> {
        let listener = Value::object([("port", 6443.into()), ("protocol", "TCP".into()), ("target", Value::object([]))]);
        let mut config = Value::object([
            ("name", "api".into()),
            ("ip_address_type", "ipv4".into()),
            ("subnet_ids", vec!["subnet-1"].into()),
            ("listeners", Value::object([("api", listener)])),
        ]);
        changes.iter().for_each(|(name, value)| config.set(name, value.clone()));
        decode::<Config>(&config).unwrap().spec()
    }

    #[track_caller]
    fn check(listener: Value, key: &str, expect: Option<&str>) {
        let graph = render::aws::nlb::graph(&spec(&[("listeners", Value::object([("api", listener)]))]).unwrap());
        let group = graph.get(&ObjectKey::new(cloud::Kind::TargetGroup, "api")).unwrap();
        assert_eq!(group.settings.get(key).map(|setting| setting.known().unwrap_or("?")), expect, "{key}");
    }

    #[test]
    fn without_names_there_is_no_graph() {
        assert!(spec(&[]).is_some());
        for name in ["name", "ip_address_type", "listeners", "dns"] {
            assert!(spec(&[(name, Value::Unknown)]).is_none(), "{name}");
        }
        for name in ["subnet_ids", "security_group_ids", "vpc_id", "scheme", "cross_zone"] {
            assert!(spec(&[(name, Value::Unknown)]).is_some(), "{name}");
        }
        let half_known = Value::List(vec!["subnet-1".into(), Value::Unknown]);
        assert_eq!(spec(&[("subnet_ids", half_known)]).unwrap().subnets, None);
    }

    #[test]
    fn what_is_not_given_follows_from_the_listener() {
        let listener = |protocol: &str, target: Value| {
            Value::object([("port", 53.into()), ("protocol", protocol.into()), ("target", target)])
        };
        check(listener("TCP", Value::object([])), "port", Some("53"));
        check(listener("TCP", Value::object([("port", 5353.into())])), "port", Some("5353"));
        check(listener("TCP", Value::object([("port", Value::Unknown)])), "target_group_name", Some("?"));
        check(listener("TCP", Value::object([])), "preserve_client_ip", Some("false"));
        check(listener("UDP", Value::object([])), "preserve_client_ip", Some("true"));
        check(listener("TCP", Value::object([("preserve_client_ip", true.into())])), "preserve_client_ip", Some("true"));
        check(listener("TCP", Value::object([])), "health_check_path", None);
        let spelled = Value::object([("targets", vec!["2001:DB8:0::4"].into())]);
        check(listener("TCP", spelled), "target 2001:db8::4", Some("53"));
        let attached = |names: Value| Value::object([("type", "instance".into()), ("autoscaling_group_names", names)]);
        check(listener("TCP", attached(vec!["nodes"].into())), "autoscaling_group nodes", Some(""));
        check(listener("TCP", attached(Value::List(vec![Value::Unknown]))), "*", Some("?"));
        let exclusive = |value: Value| listener("TCP", Value::object([("exclusive_targets", value)]));
        check(exclusive(true.into()), "exclusive target", Some(""));
        check(exclusive(false.into()), "exclusive target", None);
        check(exclusive(Value::Unknown), "*", Some("?"));
        let mut checked = listener("TCP", Value::object([]));
        checked.set("health_check", Value::object([("protocol", "HTTPS".into())]));
        check(checked.clone(), "health_check_path", Some("/"));
        check(checked, "health_check_matcher", Some(MATCHER));
    }
}
