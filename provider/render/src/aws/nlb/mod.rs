//! A Network Load Balancer as objects: the balancer, a target group and a listener for each service, alias records. Where a key of a
//! setting is not known yet (a subnet, a target), the object has the setting `*`: all of it is unknown.

mod spec;

pub use spec::{Addresses, Dns, IpAddressType, NlbListener, NlbSpec, Reach, Target, TargetHealthCheck, is_datagram};

use cloud::{AUTOSCALING_GROUP, Graph, Kind, Object, Registration, Setting, TargetKey, UNKNOWN_KEYS};
use sha2::{Digest, Sha256};

/// AWS takes no longer name of a load balancer or a target group.
pub const MAX_NAME: usize = 32;

/// The objects of a Network Load Balancer: balancer, listeners, target groups, alias records.
pub fn graph(spec: &NlbSpec) -> Graph {
    let balancer = load_balancer(spec);
    let mut objects: Vec<Object> = spec
        .listeners
        .iter()
        .flat_map(|(name, listener)| {
            let group = target_group(spec, name, listener);
            let forward = group.reference();
            [group, listener_object(&balancer, name, listener, forward)]
        })
        .collect();
    objects.extend(spec.dns.iter().flat_map(|dns| records(spec, &balancer, dns)));
    objects.into_iter().chain([balancer]).collect()
}

/// What is derived from everything that AWS cannot change in place, so that a group with another port is made beside the old one
/// under a name of its own. `None` while something of it is not known.
pub fn target_group_name(balancer: &str, listener: &str, target: &Target) -> Option<String> {
    let parts = [target.protocol.known()?, target.port.known()?, target.target_type.known()?, target.address_family.known()?];
    let digest = Sha256::digest([&[balancer, listener][..], &parts].concat().join("\n"));
    let suffix: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let readable: String = format!("{balancer}-{listener}").chars().take(MAX_NAME - suffix.len() - 1).collect();
    Some(format!("{}-{suffix}", readable.trim_end_matches('-')))
}

fn load_balancer(spec: &NlbSpec) -> Object {
    let ip_address_type = match spec.ip_address_type {
        IpAddressType::Ipv4 => "ipv4",
        IpAddressType::Dualstack => "dualstack",
    };
    let mut object = Object::new(Kind::LoadBalancer, &spec.name)
        .with("load_balancer_name", spec.name.as_str())
        .with("type", "network")
        .with("scheme", spec.scheme.clone())
        .with("ip_address_type", ip_address_type)
        .with("cross_zone", spec.cross_zone.clone())
        .with("deletion_protection", spec.deletion_protection.clone())
        .with("dns_record_client_routing_policy", spec.client_routing_policy.clone());
    for (subnet, addresses) in spec.subnets.iter().flatten() {
        object = object.with(format!("subnet {subnet}"), addresses.setting());
    }
    for group in spec.security_groups.iter().flatten() {
        object = object.with(format!("security_group {group}"), "");
    }
    let source_nat = ipv6_source_nat(spec);
    let is_open = spec.subnets.is_none() || spec.security_groups.is_none() || source_nat == Some(Setting::Unknown);
    object = object.with_some("ipv6_source_nat_prefix", source_nat.filter(|setting| *setting != Setting::Unknown));
    if is_open { object.with(UNKNOWN_KEYS, Setting::Unknown) } else { object }
}

/// Where AWS wants it: a dual-stack balancer takes datagrams only while it has a prefix of each subnet for source NAT. It is never
/// turned off: listeners go after their balancer was changed, and until then it is needed. Unknown while a protocol is.
fn ipv6_source_nat(spec: &NlbSpec) -> Option<Setting> {
    if spec.ip_address_type == IpAddressType::Ipv4 {
        return None;
    }
    let protocols = || spec.listeners.values().map(|listener| listener.protocol.known());
    match protocols().any(|protocol| protocol.is_some_and(is_datagram)) {
        true => Some("on".into()),
        false => protocols().any(|protocol| protocol.is_none()).then_some(Setting::Unknown),
    }
}

fn target_group(spec: &NlbSpec, name: &str, listener: &NlbListener) -> Object {
    let target = &listener.target;
    let derived = || target_group_name(&spec.name, name, target).map_or(Setting::Unknown, Setting::Known);
    let mut object = Object::new(Kind::TargetGroup, name)
        .with("target_group_name", target.group_name.clone().unwrap_or_else(derived))
        .with("vpc", spec.vpc_id.clone())
        .with("protocol", target.protocol.clone())
        .with("port", target.port.clone())
        .with("target_type", target.target_type.clone())
        .with("address_family", target.address_family.clone())
        .with("preserve_client_ip", target.preserve_client_ip.clone())
        .with("proxy_protocol_v2", target.proxy_protocol_v2.clone())
        .with("connection_termination", target.connection_termination.clone())
        .with("deregistration_delay_seconds", target.deregistration_delay_seconds.clone());
    for id in target.targets.iter().flatten() {
        object = object.with(TargetKey::new(id).to_string(), target.registration());
    }
    for name in target.autoscaling_groups.iter().flatten() {
        object = object.with(format!("{AUTOSCALING_GROUP} {name}"), "");
    }
    if target.exclusive == Some(true) {
        object = object.exclusive(&["target", AUTOSCALING_GROUP]);
    }
    match &listener.health_check {
        Some(check) => object = check.declare(object),
        None => return object.with(UNKNOWN_KEYS, Setting::Unknown),
    }
    let is_open = target.targets.is_none() || target.autoscaling_groups.is_none() || target.exclusive.is_none();
    if is_open { object.with(UNKNOWN_KEYS, Setting::Unknown) } else { object }
}

fn listener_object(balancer: &Object, name: &str, listener: &NlbListener, forward: String) -> Object {
    // Whether it has these at all is not known then; TLS needs a certificate.
    let may_have = |setting: &Option<Setting>| *setting == Some(Setting::Unknown);
    let is_tls = listener.protocol.known() == Some("TLS");
    let is_open = may_have(&listener.alpn_policy) || (may_have(&listener.certificate) && !is_tls);
    let object = Object::new(Kind::Listener, name)
        .with("load_balancer", balancer.reference())
        .with("port", listener.port.clone())
        .with("protocol", listener.protocol.clone())
        .with("target_group", forward)
        .with_some("certificate", listener.certificate.clone())
        .with_some("ssl_policy", listener.ssl_policy.clone())
        .with_some("alpn_policy", listener.alpn_policy.clone());
    if is_open { object.with(UNKNOWN_KEYS, Setting::Unknown) } else { object }
}

/// One for each family that the balancer has addresses of. Their keys are the types: the name may not be known yet.
fn records(spec: &NlbSpec, balancer: &Object, dns: &Dns) -> Vec<Object> {
    let types: &[&str] = match spec.ip_address_type {
        IpAddressType::Ipv4 => &["A"],
        IpAddressType::Dualstack => &["A", "AAAA"],
    };
    let record = |record_type: &&str| {
        Object::new(Kind::DnsRecord, *record_type)
            .with("zone", dns.zone_id.clone())
            .with("record_name", dns.name.clone())
            .with("type", *record_type)
            .with("alias", balancer.key.output("dns_name"))
            .with("alias_zone", balancer.key.output("zone_id"))
            .with("evaluate_target_health", dns.evaluate_target_health.clone())
    };
    types.iter().map(record).collect()
}

impl Addresses {
    fn setting(&self) -> Setting {
        let given = [("allocation", &self.allocation_id), ("ipv4", &self.ipv4), ("ipv6", &self.ipv6)];
        let texts: Option<Vec<String>> = given
            .into_iter()
            .filter_map(|(word, setting)| Some((word, setting.as_ref()?)))
            .map(|(word, setting)| Some(format!("{word}={}", setting.known()?)))
            .collect();
        texts.map_or(Setting::Unknown, |texts| Setting::Known(texts.join(",")))
    }
}

impl Target {
    fn registration(&self) -> Setting {
        let (Some(port), Some(reach)) = (self.port.known(), self.reach) else { return Setting::Unknown };
        match port.parse() {
            Ok(port) => Registration { port: Some(port), all_zones: reach == Reach::OutsideVpc }.to_string().into(),
            // What is no port was refused before.
            Err(_) => Setting::Unknown,
        }
    }
}

impl TargetHealthCheck {
    fn declare(&self, object: Object) -> Object {
        object
            .with("health_check_protocol", self.protocol.clone())
            .with("health_check_port", self.port.clone())
            .with_some("health_check_path", self.path.clone())
            .with_some("health_check_matcher", self.matcher.clone())
            .with("health_check_interval_seconds", self.interval_seconds.clone())
            .with("health_check_timeout_seconds", self.timeout_seconds.clone())
            .with("healthy_threshold", self.healthy_threshold.clone())
            .with("unhealthy_threshold", self.unhealthy_threshold.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn target(targets: &[&str]) -> Target {
        Target {
            group_name: None,
            port: 6443.into(),
            protocol: "TCP".into(),
            target_type: "ip".into(),
            address_family: "ipv4".into(),
            targets: Some(targets.iter().map(ToString::to_string).collect()),
            autoscaling_groups: Some(BTreeSet::new()),
            exclusive: Some(false),
            reach: Some(Reach::InVpc),
            preserve_client_ip: false.into(),
            proxy_protocol_v2: false.into(),
            connection_termination: false.into(),
            deregistration_delay_seconds: 300.into(),
        }
    }

    fn spec() -> NlbSpec {
        let health_check = TargetHealthCheck {
            protocol: "HTTPS".into(),
            port: "traffic-port".into(),
            path: Some("/readyz".into()),
            matcher: Some("200".into()),
            interval_seconds: 10.into(),
            timeout_seconds: 6.into(),
            healthy_threshold: 2.into(),
            unhealthy_threshold: 2.into(),
        };
        let listener = NlbListener {
            port: 443.into(),
            protocol: "TCP".into(),
            certificate: None,
            ssl_policy: None,
            alpn_policy: None,
            target: target(&["10.0.1.4"]),
            health_check: Some(health_check),
        };
        NlbSpec {
            name: "demo-api".into(),
            vpc_id: "vpc-1".into(),
            scheme: "internal".into(),
            ip_address_type: IpAddressType::Dualstack,
            subnets: Some(BTreeMap::from([("subnet-1".to_owned(), Addresses::default())])),
            security_groups: Some(BTreeSet::from(["sg-1".to_owned()])),
            cross_zone: true.into(),
            deletion_protection: false.into(),
            client_routing_policy: "any_availability_zone".into(),
            listeners: BTreeMap::from([("apiserver".to_owned(), listener)]),
            dns: Some(Dns { zone_id: "Z1".into(), name: "api.example.net".into(), evaluate_target_health: true.into() }),
        }
    }

    /// The settings of one object, a line each, of those that begin with one of the words.
    #[track_caller]
    fn check(spec: &NlbSpec, key: &str, words: &[&str], expect: &[&str]) {
        let graph = graph(spec);
        graph.check().unwrap();
        let object = graph.get(&key.parse().unwrap()).unwrap_or_else(|| panic!("no {key}"));
        let lines: Vec<String> = object
            .settings
            .iter()
            .filter(|(key, _)| words.iter().any(|word| key.starts_with(word)))
            .map(|(key, setting)| format!("{key} = {}", setting.known().unwrap_or("?")))
            .collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn a_listener_forwards_to_a_group_of_its_own() {
        let spec = spec();
        check(
            &spec,
            "listener/apiserver",
            &[""],
            &[
                "load_balancer = @load_balancer/demo-api",
                "port = 443",
                "protocol = TCP",
                "target_group = @target_group/apiserver",
            ],
        );
        check(
            &spec,
            "target_group/apiserver",
            &["health_check_p", "port", "target", "vpc"],
            &[
                "health_check_path = /readyz",
                "health_check_port = traffic-port",
                "health_check_protocol = HTTPS",
                "port = 6443",
                "target 10.0.1.4 = 6443",
                "target_group_name = demo-api-apiserver-bcf04738",
                "target_type = ip",
                "vpc = vpc-1",
            ],
        );
        check(&spec, "load_balancer/demo-api", &["subnet", "security_group"], &["security_group sg-1 = ", "subnet subnet-1 = "]);
    }

    #[test]
    fn only_a_dual_stack_balancer_has_a_record_for_ipv6() {
        let mut spec = spec();
        let alias = &["alias", "record"];
        let expect = [
            "alias = @load_balancer/demo-api.dns_name",
            "alias_zone = @load_balancer/demo-api.zone_id",
            "record_name = api.example.net",
        ];
        check(&spec, "dns_record/A", alias, &expect);
        check(&spec, "dns_record/AAAA", alias, &expect);
        spec.ip_address_type = IpAddressType::Ipv4;
        assert_eq!(graph(&spec).of_kind(Kind::DnsRecord).count(), 1);
        spec.dns = None;
        assert_eq!(graph(&spec).of_kind(Kind::DnsRecord).count(), 0);
    }

    #[test]
    fn fixed_addresses_stand_with_their_subnet() {
        let mut spec = spec();
        let addresses = Addresses { ipv4: Some("10.0.1.9".into()), ipv6: Some("2001:db8::9".into()), ..Addresses::default() };
        spec.subnets = Some(BTreeMap::from([("subnet-1".to_owned(), addresses)]));
        check(&spec, "load_balancer/demo-api", &["subnet"], &["subnet subnet-1 = ipv4=10.0.1.9,ipv6=2001:db8::9"]);
        let later = Addresses { allocation_id: Some(Setting::Unknown), ..Addresses::default() };
        spec.subnets = Some(BTreeMap::from([("subnet-1".to_owned(), later)]));
        check(&spec, "load_balancer/demo-api", &["subnet"], &["subnet subnet-1 = ?"]);
    }

    #[test]
    fn an_object_with_keys_that_are_not_known_says_so() {
        let mut spec = spec();
        spec.subnets = None;
        check(&spec, "load_balancer/demo-api", &["*", "subnet"], &["* = ?"]);
        let listener = spec.listeners.get_mut("apiserver").unwrap();
        listener.target.targets = None;
        check(&spec, "target_group/apiserver", &["*", "target "], &["* = ?"]);
    }

    #[test]
    fn datagrams_over_two_families_need_source_nat() {
        let key = "load_balancer/demo-api";
        let with = |protocol: Setting| {
            let mut spec = spec();
            spec.listeners.insert("dns".into(), NlbListener { protocol, ..spec.listeners["apiserver"].clone() });
            spec
        };
        for protocol in ["UDP", "TCP_UDP"] {
            check(&with(protocol.into()), key, &["*", "ipv6_source"], &["ipv6_source_nat_prefix = on"]);
            let ipv4 = NlbSpec { ip_address_type: IpAddressType::Ipv4, ..with(protocol.into()) };
            check(&ipv4, key, &["*", "ipv6_source"], &[]);
        }
        check(&with("TLS".into()), key, &["*", "ipv6_source"], &[]);
        check(&with(Setting::Unknown), key, &["*", "ipv6_source"], &["* = ?"]);
    }

    #[test]
    fn groups_stand_beside_targets() {
        let mut spec = spec();
        let target = &mut spec.listeners.get_mut("apiserver").unwrap().target;
        target.autoscaling_groups = Some(BTreeSet::from(["nodes".to_owned()]));
        let expect = ["autoscaling_group nodes = ", "target 10.0.1.4 = 6443"];
        check(&spec, "target_group/apiserver", &["*", "autoscaling", "target "], &expect);
        spec.listeners.get_mut("apiserver").unwrap().target.autoscaling_groups = None;
        check(&spec, "target_group/apiserver", &["*", "autoscaling"], &["* = ?"]);
    }

    #[test]
    fn targets_outside_the_vpc_are_served_from_every_zone() {
        let mut spec = spec();
        spec.listeners.get_mut("apiserver").unwrap().target.reach = Some(Reach::OutsideVpc);
        check(&spec, "target_group/apiserver", &["target "], &["target 10.0.1.4 = 6443 all"]);
        spec.listeners.get_mut("apiserver").unwrap().target.reach = None;
        check(&spec, "target_group/apiserver", &["target "], &["target 10.0.1.4 = ?"]);
    }

    #[test]
    fn what_cannot_change_in_place_gives_a_group_another_name() {
        let name = |change: fn(&mut Target)| {
            let mut target = target(&[]);
            change(&mut target);
            target_group_name("demo-api", "apiserver", &target)
        };
        let first = name(|_| ());
        assert_eq!(first, name(|target| target.preserve_client_ip = true.into()));
        assert_ne!(first, name(|target| target.port = 7443.into()));
        assert_ne!(first, name(|target| target.protocol = "TLS".into()));
        assert_ne!(first, name(|target| target.target_type = "instance".into()));
        assert_ne!(first, name(|target| target.address_family = "ipv6".into()));
        assert_eq!(name(|target| target.port = Setting::Unknown), None);
    }

    #[test]
    fn names_keep_within_what_aws_takes() {
        for (balancer, listener) in
            [("a", "b"), (&"x".repeat(32), "apiserver"), ("a-balancer-that-is-long", "-"), ("demo", &"y".repeat(60))]
        {
            let name = target_group_name(balancer, listener, &target(&[])).unwrap();
            assert!(name.len() <= MAX_NAME && !name.contains("--"), "{name}");
        }
        let (one, two) = ("a-very-long-name-of-a-balancer-1", "a-very-long-name-of-a-balancer-2");
        assert_ne!(target_group_name(one, "api", &target(&[])), target_group_name(two, "api", &target(&[])));
    }
}
