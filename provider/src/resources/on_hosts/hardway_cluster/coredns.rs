//! `coredns` of a cluster: how its DNS serves. Schema, typed configuration and what is wrong with it. Pure.

use crate::network;
use crate::resources::attributes::is_dns_name;
use ipnet::IpNet;
use render::objects::Coredns;
use schema::{Attribute, Diagnostics, Field, Nesting, Type, ValueAt};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

pub const COREDNS: &str = "coredns";
const MOST_REPLICAS: i64 = 100;
/// The most that the plugin `cache` keeps an answer by default: <https://coredns.io/plugins/cache/>.
const LONGEST_CACHE: i64 = 3600;
/// As many as the plugin `forward` takes: <https://coredns.io/plugins/forward/>.
const MOST_SERVERS: usize = 15;

pub fn attribute() -> Attribute {
    let servers = "addresses of name servers, each perhaps with a port, such as `[\"192.0.2.53\", \"[2001:db8::53]:5353\"]`";
    let quantities = |name: &'static str, describe: String| {
        let quantity =
            |name, what: &str| Attribute::string(name).optional().describe(format!("{what}, such as `{}`.", example(name)));
        let attributes = vec![quantity("cpu", "Processor time"), quantity("memory", "Memory")];
        Attribute::nested(name, Nesting::Single, attributes).optional().describe(describe)
    };
    let default = Coredns::default();
    let attributes = vec![
        Attribute::number("replicas")
            .optional()
            .validator(schema::between(1, MOST_REPLICAS))
            .describe("How many pods, on different nodes where there are several. For an autoscaler, name `.spec.replicas` in `ignore_fields`.")
            .defaults_to(format!("`{}`", default.replicas)),
        Attribute::list("forward", Type::String)
            .optional()
            .describe(format!("Who is asked for names outside of the cluster: {servers}, at most {MOST_SERVERS}."))
            .defaults_to("the name servers of the node, from the file that its kubelet gives to pods"),
        Attribute::number("cache_seconds")
            .optional()
            .validator(schema::between(0, LONGEST_CACHE))
            .describe("For how long an answer from outside is kept at most, in seconds. With 0, none is kept.")
            .defaults_to(format!("`{}`", default.cache_seconds)),
        Attribute::map("zones", Type::list(Type::String)).optional().describe(format!(
            "Zones with name servers of their own, such as `{{ \"corp.example\" = [\"10.1.0.53\"] }}`: {servers}. A reverse zone takes the addresses of pods and services in it too."
        )),
        Attribute::nested(
            "resources",
            Nesting::Single,
            vec![
                quantities("requests", format!("What a node has to have left for a pod. Without it, processor time of `{}` and memory of `{}`.", default.requests["cpu"], default.requests["memory"])),
                quantities("limits", format!("What a pod gets at most. Without it, memory of `{}`. Processor time is not limited by default.", default.limits["memory"])),
            ],
        )
        .optional()
        .describe("Resources of each pod, as Kubernetes writes quantities. What is not given keeps its default."),
    ];
    Attribute::nested(COREDNS, Nesting::Single, attributes).optional().describe(
        "Settings of CoreDNS, the DNS of the cluster. A change touches no host: CoreDNS reads its configuration again within two minutes, and other \
         resources make a rolling update. An apply does not wait for either.",
    )
}

fn example(resource: &str) -> &'static str {
    if resource == "cpu" { "250m" } else { "128Mi" }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Config {
    replicas: Field<u32>,
    forward: Field<Vec<Field<String>>>,
    cache_seconds: Field<u32>,
    zones: Field<BTreeMap<String, Field<Vec<Field<String>>>>>,
    resources: Field<Resources>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: Field<Quantities>,
    limits: Field<Quantities>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantities {
    cpu: Field<String>,
    memory: Field<String>,
}

/// `None` while something of it is unknown.
pub fn settled(config: &Field<Config>) -> Option<Coredns> {
    config.settle(Config::coredns)?.map_or_else(|| Some(Coredns::default()), Some)
}

impl Config {
    fn coredns(&self) -> Option<Coredns> {
        let default = Coredns::default();
        let forward: Vec<String> = self.forward.settle_each(|server| Some(server.clone()))?;
        let zones = match &self.zones {
            Field::Unknown => return None,
            Field::Null => BTreeMap::new(),
            Field::Known(zones) => {
                let zone = |(zone, servers): (&String, &Field<Vec<Field<String>>>)| {
                    Some((zone.to_lowercase(), servers.settle_each(|server| Some(server.clone()))?))
                };
                zones.iter().map(zone).collect::<Option<_>>()?
            }
        };
        let resources = self.resources.settle(|resources| {
            Some((merged(default.requests.clone(), &resources.requests)?, merged(default.limits.clone(), &resources.limits)?))
        })?;
        let (requests, limits) = resources.unwrap_or_else(|| (default.requests.clone(), default.limits.clone()));
        Some(Coredns {
            replicas: self.replicas.settled_or(default.replicas)?,
            forward: if forward.is_empty() { default.forward } else { forward },
            cache_seconds: self.cache_seconds.settled_or(default.cache_seconds)?,
            zones,
            requests,
            limits,
        })
    }
}

/// What is given takes the place of the default.
fn merged(mut all: BTreeMap<String, String>, given: &Field<Quantities>) -> Option<BTreeMap<String, String>> {
    let given = given.settle(|given| Some([("cpu", given.cpu.settled()?), ("memory", given.memory.settled()?)]))?;
    for (name, quantity) in given.into_iter().flatten() {
        all.extend(quantity.map(|quantity| (name.to_string(), quantity)));
    }
    Some(all)
}

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let coredns = config.get(COREDNS);
    let own = own_addresses(config);
    let forward = coredns.get("forward");
    if forward.len() == Some(0) {
        found.push(
            forward.error("coredns.forward has no name servers", "Name at least one, such as \"192.0.2.53\", or leave it out."),
        );
    }
    validate_servers(&forward, &own, found);
    let domain = config.get("network").get("cluster_domain");
    let domain = match domain.value().is_unknown() {
        true => None,
        false => Some(domain.as_str().unwrap_or(super::config::DEFAULT_CLUSTER_DOMAIN).to_lowercase()),
    };
    let mut seen = BTreeSet::new();
    for (name, servers) in coredns.get("zones").entries() {
        let zone = name.trim_end_matches('.').to_lowercase();
        if zone.is_empty() {
            found.push(
                servers.error("the root is no zone of its own", "Name servers for all other names go into coredns.forward."),
            );
        } else if !is_dns_name(name) || name.contains('*') {
            found.push(
                servers
                    .error(format!("{name:?} is not a DNS zone"), "Write it without a star and without a dot at the end, such as \"corp.example\": all names below it belong to it."),
            );
        } else if domain.as_ref().is_some_and(|domain| is_within(domain, &zone) || is_within(&zone, domain)) {
            found.push(servers.error(
                format!("zone {name:?} has the names of the cluster in it"),
                "Services and pods have their names below network.cluster_domain, and CoreDNS would ask others for them. Name a zone beside it.",
            ));
        }
        if servers.len() == Some(0) {
            found.push(servers.error(format!("zone {name:?} has no name servers"), "Name at least one, such as \"10.1.0.53\"."));
        }
        if !seen.insert(zone) {
            found.push(
                servers
                    .error(format!("zone {name:?} is there twice"), "Upper and lower case are the same in DNS. Write it once."),
            );
        }
        validate_servers(&servers, &own, found);
    }
    validate_resources(&coredns.get("resources"), found);
}

/// Whether a name is the zone or below it.
fn is_within(name: &str, zone: &str) -> bool {
    name == zone || name.ends_with(&format!(".{zone}"))
}

/// Of the Service of CoreDNS, where they are known.
fn own_addresses(config: &ValueAt<'_>) -> Vec<IpAddr> {
    let cidrs = config.get("network").get("service_cidrs");
    let known: Vec<IpNet> = cidrs.items().filter_map(|cidr| cidr.as_str()?.parse().ok()).collect();
    network::dns_addresses(&known)
}

fn validate_servers(servers: &ValueAt<'_>, own: &[IpAddr], found: &mut Diagnostics) {
    if let Some(count) = servers.len().filter(|count| *count > MOST_SERVERS) {
        found.push(servers.error(
            format!("{count} name servers are more than CoreDNS forwards to"),
            format!("It takes at most {MOST_SERVERS}; two or three are enough."),
        ));
    }
    for server in servers.items() {
        let Some(text) = server.as_str() else { continue };
        let with_port = text.parse::<SocketAddr>().ok().filter(|address| address.port() > 0).map(|address| address.ip());
        let address = text.parse::<IpAddr>().ok().or(with_port);
        if address.is_some_and(|address| own.contains(&address) || is_the_pod_itself(address)) {
            found.push(server.error(
                format!("{text} is CoreDNS itself"),
                "It would ask itself, find the loop and end. Of a host whose resolv.conf names 127.0.0.53, take the name servers that `resolvectl status` shows.",
            ));
        }
        if address.is_none() {
            found.push(server.error(
                format!("{text:?} is not the address of a name server"),
                "Give an IPv4 or IPv6 address, perhaps with a port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353.",
            ));
        }
    }
}

/// In a pod, whatever it is on a host; and what nobody can be asked at.
fn is_the_pod_itself(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || address.is_multicast()
}

fn validate_resources(resources: &ValueAt<'_>, found: &mut Diagnostics) {
    for kind in ["requests", "limits"] {
        for name in ["cpu", "memory"] {
            let quantity = resources.get(kind).get(name);
            let Some(text) = quantity.as_str().filter(|text| parse_quantity(text).is_none_or(|value| value <= 0.0)) else {
                continue;
            };
            found.push(quantity.error(
                format!("{text:?} is not a quantity of {name}"),
                format!("Write it as Kubernetes does, a number with a unit such as m, Ki, Mi or Gi: {:?}.", example(name)),
            ));
        }
    }
    let default = Coredns::default();
    for name in ["cpu", "memory"] {
        let given = |kind: &str, default: &BTreeMap<String, String>| {
            let quantity = resources.get(kind).get(name);
            if quantity.value().is_unknown() {
                None
            } else {
                quantity.as_str().map(str::to_string).or_else(|| default.get(name).cloned())
            }
        };
        let (request, limit) = (given("requests", &default.requests), given("limits", &default.limits));
        let (Some(request), Some(limit)) = (request, limit) else { continue };
        if parse_quantity(&request).zip(parse_quantity(&limit)).is_some_and(|(request, limit)| request > limit) {
            found.push(resources.error(
                format!("a pod would request {name} of {request}, more than its limit of {limit}"),
                format!("Raise resources.limits.{name}, or lower resources.requests.{name}."),
            ));
        }
    }
}

/// `k8s.io/apimachinery/pkg/api/resource`: a decimal number with a suffix of powers of 1000 or 1024.
fn parse_quantity(text: &str) -> Option<f64> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(at);
    if number.is_empty() || number.starts_with('.') || number.ends_with('.') {
        return None;
    }
    let factor = match suffix {
        "m" => 0.001,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Value, decode};

    fn config(coredns: Value) -> Value {
        Value::object([(COREDNS, coredns)])
    }

    #[track_caller]
    fn check(coredns: Value, expect: &[&str]) {
        let (config, mut found) = (config(coredns), Diagnostics::default());
        validate(&ValueAt::of(&config), &mut found);
        let said: Vec<&str> = found.iter().map(|diagnostic| diagnostic.summary.as_str()).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn what_coredns_would_not_take_is_refused() {
        let servers = |all: &[&str]| Value::object([("forward", all.to_vec().into())]);
        check(servers(&["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"]), &[]);
        check(servers(&["dns.example"]), &["\"dns.example\" is not the address of a name server"]);
        check(servers(&["192.0.2.53:0"]), &["\"192.0.2.53:0\" is not the address of a name server"]);
        check(servers(&["192.0.2.53"; 16]), &["16 name servers are more than CoreDNS forwards to"]);
        let zone = |name: &str, all: &[&str]| Value::object([("zones", Value::object([(name, Value::from(all.to_vec()))]))]);
        check(zone("corp.example", &["10.1.0.53"]), &[]);
        check(zone("cluster.local", &["10.1.0.53"]), &["zone \"cluster.local\" has the names of the cluster in it"]);
        check(zone("Local", &["10.1.0.53"]), &["zone \"Local\" has the names of the cluster in it"]);
        check(zone("svc.cluster.local", &["10.1.0.53"]), &["zone \"svc.cluster.local\" has the names of the cluster in it"]);
        check(zone("*.corp.example", &["10.1.0.53"]), &["\"*.corp.example\" is not a DNS zone"]);
        let both = [("Corp.example", Value::from(vec!["10.1.0.53"])), ("corp.example", Value::from(vec!["10.1.0.54"]))];
        check(Value::object([("zones", Value::object(both))]), &["zone \"corp.example\" is there twice"]);
        for itself in ["127.0.0.53", "[::1]:53", "0.0.0.0", "::ffff:127.0.0.1"] {
            check(servers(&[itself]), &[&format!("{itself} is CoreDNS itself")]);
        }
        check(servers(&[]), &["coredns.forward has no name servers"]);
        check(zone(".", &["10.1.0.53"]), &["the root is no zone of its own"]);
        check(zone("corp example {", &["10.1.0.53"]), &["\"corp example {\" is not a DNS zone"]);
        check(zone("corp.example", &[]), &["zone \"corp.example\" has no name servers"]);
        let resources = |kind: &str, name: &str, text: &str| {
            Value::object([("resources", Value::object([(kind, Value::object([(name, text.into())]))]))])
        };
        check(resources("limits", "memory", "300Mi"), &[]);
        check(resources("limits", "memory", "300 Mi"), &["\"300 Mi\" is not a quantity of memory"]);
        check(
            resources("limits", "cpu", "0"),
            &["\"0\" is not a quantity of cpu", "a pod would request cpu of 100m, more than its limit of 0"],
        );
        check(resources("requests", "memory", "1Gi"), &["a pod would request memory of 1Gi, more than its limit of 170Mi"]);
    }

    #[test]
    fn what_is_not_given_keeps_its_default_and_what_is_unknown_is_open() {
        let of = |coredns: Value| settled(&decode::<Field<Config>>(&coredns).unwrap());
        assert_eq!(of(Value::Null), Some(Coredns::default()));
        let memory = |text: Value| Value::object([("resources", Value::object([("limits", Value::object([("memory", text)]))]))]);
        let given = of(memory("1Gi".into())).unwrap();
        assert_eq!((given.limits["memory"].as_str(), given.requests), ("1Gi", Coredns::default().requests));
        assert_eq!(of(memory(Value::Unknown)), None);
        assert_eq!(of(Value::Unknown), None);
    }
}
