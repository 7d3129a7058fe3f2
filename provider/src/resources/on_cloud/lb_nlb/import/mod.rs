//! The configuration of a load balancer that exists already, from what is found of it.

use super::NAME;
use super::config::{HEALTH_CHECK, MATCHER, SSL_POLICY};
use crate::resources::on_cloud::failed;
use cloud::{AUTOSCALING_GROUP, CLUSTER_TAG, Cloud, Found, Kind, ObjectKey, Wanted};
use render::aws::nlb::{self, Reach, Target, is_datagram};
use schema::{Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

/// `<name or ARN>`, or with alias records `<name or ARN>,<hosted zone id>,<record name>`.
pub async fn import(cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostic> {
    let request = Request::parse(id)?;
    let balancer = Wanted {
        kinds: [Kind::LoadBalancer, Kind::Listener].into(),
        names: [(Kind::LoadBalancer, request.name.clone()), (Kind::Listener, request.name.clone())].into(),
        fresh: true,
    };
    let mut found = find(cloud, &balancer).await?;
    let groups = forwarded_to(&found).map(|arn| (Kind::TargetGroup, name_in(arn).to_owned())).collect();
    found.extend(find(cloud, &Wanted { kinds: [Kind::TargetGroup].into(), names: groups, fresh: true }).await?);
    if let Some((zone, name)) = &request.record {
        let names: BTreeSet<_> = ["A", "AAAA"].map(|ty| (Kind::DnsRecord, format!("{zone} {name} {ty}"))).into();
        found.extend(find(cloud, &Wanted { kinds: [Kind::DnsRecord].into(), names, fresh: true }).await?);
    }
    infer(&request, &found)
}

async fn find(cloud: &dyn Cloud, wanted: &Wanted) -> Result<Vec<Found>, Diagnostic> {
    cloud.find(wanted).await.map_err(|error| failed("cannot look for the load balancer to import", &error))
}

struct Request {
    name: String,
    record: Option<(String, String)>,
}

impl Request {
    fn parse(id: &str) -> Result<Request, Diagnostic> {
        let parts: Vec<&str> = id.split(',').map(str::trim).collect();
        let record = match parts[..] {
            [_] => None,
            [_, zone, name] if !zone.is_empty() && !name.is_empty() => Some((zone.to_owned(), name.to_ascii_lowercase())),
            _ => {
                return Err(Diagnostic::error(format!("{id:?} cannot be imported")).detail(format!(
                    "Give the load balancer's name or ARN, such as \"demo-api\"; where {NAME} has a dns block, followed by hosted zone and \
                     name: \"demo-api,Z0123456789ABCDEFGHIJ,api.demo.example.net\"."
                )));
            }
        };
        Ok(Request { name: name_in(parts[0]).to_owned(), record })
    }
}

/// `arn:…:loadbalancer/net/<name>/<number>`, `arn:…:targetgroup/<name>/<number>`, or a name.
fn name_in(arn_or_name: &str) -> &str {
    arn_or_name.rsplit('/').nth(1).unwrap_or(arn_or_name)
}

fn forwarded_to(found: &[Found]) -> impl Iterator<Item = &str> {
    let listeners = found.iter().filter(|found| found.kind == Kind::Listener);
    listeners.filter_map(|listener| listener.settings.get("target_group").map(String::as_str))
}

/// Pure. What is as the defaults would have it is left out.
fn infer(request: &Request, found: &[Found]) -> Result<Value, Diagnostic> {
    let name = &request.name;
    let is_balancer = |found: &&Found| found.kind == Kind::LoadBalancer && found.settings.get("load_balancer_name") == Some(name);
    let balancer = found.iter().find(is_balancer).ok_or_else(|| {
        Diagnostic::error(format!("there is no load balancer {name} in this region"))
            .detail("Look at its name and at the provider's region: a load balancer is imported by its name or its ARN.")
    })?;
    if text(balancer, "type") != "network" {
        return Err(Diagnostic::error(format!("load balancer {name} is of type {}", text(balancer, "type")))
            .detail(format!("{NAME} manages only load balancers of type network.")));
    }
    let mut ids = Value::object([]);
    ids.set(&ObjectKey::new(Kind::LoadBalancer, name).to_string(), balancer.id.as_str().into());
    let mut config = infer_balancer(balancer);
    let mut listeners = BTreeMap::new();
    let mut claimed = BTreeSet::new();
    for listener in found.iter().filter(|found| found.kind == Kind::Listener && text(found, "load_balancer") == balancer.id) {
        let key = listener_name(listener);
        let arn = text(listener, "target_group");
        let group = found.iter().find(|found| found.kind == Kind::TargetGroup && found.id == arn).ok_or_else(|| {
            Diagnostic::error(format!("listener {} of {name} forwards to no single target group", text(listener, "port")))
                .detail(format!("{NAME} manages listeners that forward to one target group each."))
        })?;
        config.set("vpc_id", text(group, "vpc").into());
        ids.set(&ObjectKey::new(Kind::Listener, &key).to_string(), listener.id.as_str().into());
        if claimed.insert(arn) {
            ids.set(&ObjectKey::new(Kind::TargetGroup, &key).to_string(), arn.into());
        }
        listeners.insert(key.clone(), infer_listener(name, &key, listener, group));
    }
    config.set("listeners", Value::Map(listeners));
    if let Some((zone, record)) = &request.record {
        config.set("dns", infer_dns(zone, record, found, &mut ids)?);
    }
    config.set("ids", ids);
    Ok(config)
}

fn infer_balancer(balancer: &Found) -> Value {
    let mut config = Value::object([
        ("name", text(balancer, "load_balancer_name").into()),
        ("cluster_name", balancer.tag(CLUSTER_TAG).map(str::to_owned).into()),
        ("scheme", text(balancer, "scheme").into()),
        ("ip_address_type", text(balancer, "ip_address_type").into()),
        ("cross_zone", is(balancer, "cross_zone").into()),
        ("deletion_protection", is(balancer, "deletion_protection").into()),
        ("client_routing_policy", given(balancer, "dns_record_client_routing_policy").unwrap_or("any_availability_zone").into()),
        ("wait_for_healthy_targets", false.into()),
    ]);
    let groups: Vec<&str> = keyed(balancer, "security_group").map(|(id, _)| id).collect();
    config.set("security_group_ids", if groups.is_empty() { Value::Null } else { groups.into() });
    if keyed(balancer, "subnet").all(|(_, addresses)| addresses.is_empty()) {
        config.set("subnet_ids", keyed(balancer, "subnet").map(|(id, _)| id).collect());
        return config;
    }
    let subnets = keyed(balancer, "subnet").map(|(id, addresses)| {
        let mut subnet = Value::object([("subnet_id", id.into())]);
        for (word, address) in addresses.split(',').filter_map(|address| address.split_once('=')) {
            match word {
                "allocation" => subnet.set("allocation_id", address.into()),
                "ipv4" => subnet.set("private_ipv4_address", address.into()),
                _ => subnet.set("ipv6_address", address.into()),
            }
        }
        subnet
    });
    config.set("subnets", subnets.collect());
    config
}

/// As this provider named it, or after what it listens on.
fn listener_name(listener: &Found) -> String {
    let of_ours = |(owner, key): (&str, ObjectKey)| owner.starts_with(&format!("{NAME}/")).then_some(key.name);
    listener.owned().and_then(of_ours).unwrap_or_else(|| {
        format!("{}-{}", text(listener, "protocol").to_ascii_lowercase().replace('_', "-"), text(listener, "port"))
    })
}

fn infer_listener(balancer: &str, name: &str, listener: &Found, group: &Found) -> Value {
    let of_tls = |setting: &str| given(listener, setting).filter(|_| text(listener, "protocol") == "TLS");
    Value::object([
        ("port", number(listener, "port")),
        ("protocol", text(listener, "protocol").into()),
        ("certificate_arn", of_tls("certificate").map(str::to_owned).into()),
        ("ssl_policy", of_tls("ssl_policy").filter(|policy| *policy != SSL_POLICY).map(str::to_owned).into()),
        ("alpn_policy", of_tls("alpn_policy").map(str::to_owned).into()),
        ("target", infer_target(balancer, name, listener, group)),
        ("health_check", infer_health_check(group)),
    ])
}

fn infer_target(balancer: &str, name: &str, listener: &Found, group: &Found) -> Value {
    let own = |setting: &str| text(group, setting) != text(listener, setting);
    let by_default = is_datagram(text(group, "protocol"));
    let unless_default = |setting: &str| Value::from(Some(is(group, setting)).filter(|value| *value != by_default));
    let is_declared = |(key, value): &(&str, &str)| group.kept(&format!("target {key}"), value).is_none();
    let targets: Vec<&str> = keyed(group, "target").filter(is_declared).map(|(id, _)| id).collect();
    let groups: Vec<&str> = keyed(group, AUTOSCALING_GROUP).map(|(name, _)| name).collect();
    let group_name = text(group, "target_group_name");
    let is_derived = nlb::target_group_name(balancer, name, &target_of(group)).as_deref() == Some(group_name);
    Value::object([
        ("type", text(group, "target_type").into()),
        ("group_name", (!is_derived).then_some(group_name).map(str::to_owned).into()),
        ("port", if own("port") { number(group, "port") } else { Value::Null }),
        ("protocol", if own("protocol") { text(group, "protocol").into() } else { Value::Null }),
        ("address_family", text(group, "address_family").into()),
        ("targets", if targets.is_empty() { Value::Null } else { targets.into() }),
        ("autoscaling_group_names", if groups.is_empty() { Value::Null } else { groups.into() }),
        ("outside_vpc", keyed(group, "target").any(|(_, port)| port.ends_with(" all")).into()),
        ("preserve_client_ip", unless_default("preserve_client_ip")),
        ("proxy_protocol", is(group, "proxy_protocol_v2").into()),
        ("connection_termination", unless_default("connection_termination")),
        ("deregistration_delay_seconds", number(group, "deregistration_delay_seconds")),
    ])
}

fn target_of(group: &Found) -> Target {
    let setting = |name: &str| text(group, name).into();
    Target {
        group_name: None,
        port: setting("port"),
        protocol: setting("protocol"),
        target_type: setting("target_type"),
        address_family: setting("address_family"),
        targets: None,
        autoscaling_groups: None,
        exclusive: None,
        reach: Some(Reach::InVpc),
        preserve_client_ip: setting("preserve_client_ip"),
        proxy_protocol_v2: setting("proxy_protocol_v2"),
        connection_termination: setting("connection_termination"),
        deregistration_delay_seconds: setting("deregistration_delay_seconds"),
    }
}

fn infer_health_check(group: &Found) -> Value {
    let numbers = HEALTH_CHECK.map(|(attribute, setting, default)| (attribute, number(group, setting), Value::from(default)));
    let (protocol, port) = (text(group, "health_check_protocol"), text(group, "health_check_port"));
    if protocol == "TCP" && port == "traffic-port" && numbers.iter().all(|(_, value, default)| value == default) {
        return Value::Null;
    }
    let over_http = |setting: &str, default: &str| {
        let value = given(group, setting).filter(|value| *value != default && protocol != "TCP");
        Value::from(value.map(str::to_owned))
    };
    let mut check = Value::object([
        ("protocol", protocol.into()),
        ("port", port.into()),
        ("path", over_http("health_check_path", "/")),
        ("matcher", over_http("health_check_matcher", MATCHER)),
    ]);
    numbers.into_iter().for_each(|(attribute, value, _)| check.set(attribute, value));
    check
}

fn infer_dns(zone: &str, name: &str, found: &[Found], ids: &mut Value) -> Result<Value, Diagnostic> {
    let mut dns = Value::Null;
    for record in found.iter().filter(|found| found.kind == Kind::DnsRecord && text(found, "record_name") == name) {
        ids.set(&ObjectKey::new(Kind::DnsRecord, text(record, "type")).to_string(), record.id.as_str().into());
        let evaluates = is(record, "evaluate_target_health");
        dns = Value::object([("zone_id", zone.into()), ("name", name.into()), ("evaluate_target_health", evaluates.into())]);
    }
    if dns.is_null() {
        return Err(Diagnostic::error(format!("there is no record {name} in hosted zone {zone}"))
            .detail("Import the load balancer by its name only; the next apply creates the records of its dns block."));
    }
    Ok(dns)
}

fn text<'a>(found: &'a Found, setting: &str) -> &'a str {
    given(found, setting).unwrap_or_default()
}

fn given<'a>(found: &'a Found, setting: &str) -> Option<&'a str> {
    found.settings.get(setting).map(String::as_str).filter(|text| !text.is_empty())
}

fn is(found: &Found, setting: &str) -> bool {
    given(found, setting) == Some("true")
}

fn number(found: &Found, setting: &str) -> Value {
    given(found, setting).and_then(|text| text.parse::<i64>().ok()).into()
}

/// What follows a first word, with its value.
fn keyed<'a>(found: &'a Found, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let rest = move |key: &'a str| key.strip_prefix(word)?.strip_prefix(' ');
    found.settings.iter().filter_map(move |(key, value)| Some((rest(key)?, value.as_str())))
}

#[cfg(test)]
mod tests;
