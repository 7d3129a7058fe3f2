//! Networks as reviewed: `tests/golden_aws/vpc-<case>.txt`, a line for each setting. `UPDATE=1` rewrites them and fails once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cloud::{Direction, Graph, Kind, Object, Ports, Protocol, Setting};
use render::aws::endpoints::{EndpointOptions, Endpoints};
use render::aws::security_groups::{AdditionalRule, NetworkAddon, Role, SecurityGroupOptions};
use render::aws::vpc::{self, DhcpOptions, FlowLogs, Ipv6Source, Nat, NatMode, Reach, Tier, VpcSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn tier(reach: Reach) -> Tier {
    Tier { reach, netmask: None, cidrs: vec![], ipv6_only: false, dns64: false, tags: BTreeMap::new() }
}

/// Two zones, public and private subnets, as the resource has it by default.
fn spec() -> VpcSpec {
    VpcSpec {
        name: "demo".into(),
        region: "us-east-1".into(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        secondary_cidrs: BTreeSet::new(),
        ipv6: None,
        zones: [(1, "us-east-1a".into()), (2, "us-east-1b".into())].into(),
        tiers: [("private".into(), tier(Reach::Private)), ("public".into(), tier(Reach::Public))].into(),
        subnet_cidrs: BTreeMap::new(),
        subnet_ipv6_indexes: BTreeMap::new(),
        nat: Nat { mode: NatMode::PerZone, tier: None, elastic_ip_ids: vec![] },
        dhcp_options: None,
        endpoints: Endpoints::default(),
        security_groups: SecurityGroupOptions {
            network_addon: NetworkAddon::None,
            wireguard: false,
            api_port: 6443,
            proxy_port: 3128,
            vrrp: false,
            pod_cidrs: BTreeSet::new(),
            node_port_cidrs: BTreeSet::new(),
            admin_cidrs: BTreeSet::new(),
            load_balancer_cidrs: BTreeSet::new(),
            additional_rules: BTreeMap::new(),
            exclusive_rules: false,
        },
        flow_logs: None,
        exclusive: false,
    }
}

fn dual_stack() -> VpcSpec {
    let mut spec = spec();
    spec.ipv6 = Some(Ipv6Source::Amazon);
    spec.nat.elastic_ip_ids = vec!["eipalloc-0123456789abcdef0".into()];
    spec.secondary_cidrs = ["100.64.0.0/16".parse().unwrap()].into();
    spec.tiers.insert("data".into(), tier(Reach::Isolated));
    spec.security_groups.network_addon = NetworkAddon::Cilium;
    spec.security_groups.wireguard = true;
    spec.security_groups.vrrp = true;
    spec.security_groups.admin_cidrs = ["192.0.2.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()].into();
    spec.security_groups.node_port_cidrs = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()].into();
    spec.security_groups.load_balancer_cidrs = ["192.0.2.0/24".parse().unwrap()].into();
    let rule = cloud::Rule::new(Direction::Ingress, Protocol::Tcp, Ports::One(9100), Role::Node.peer());
    let rule = AdditionalRule { role: Role::Node, rule };
    spec.security_groups.additional_rules = [("Prometheus node exporter".to_string(), rule)].into();
    let logs = |destination: &str| FlowLogs {
        destination_type: "s3".into(),
        destination: destination.into(),
        traffic: "ALL".into(),
        interval_seconds: 600,
        role: None,
    };
    spec.flow_logs = Some(logs("arn:aws:s3:::demo-flow-logs"));
    spec
}

fn ipv6_only() -> VpcSpec {
    let mut spec = spec();
    spec.ipv6 = Some(Ipv6Source::Ipam { pool_id: "ipam-pool-0123456789abcdef0".into(), netmask_length: 52 });
    spec.nat.mode = NatMode::Single;
    let nodes = Tier { ipv6_only: true, dns64: true, ..tier(Reach::Private) };
    spec.tiers = [("nodes".into(), nodes), ("public".into(), tier(Reach::Public))].into();
    spec.endpoints.interface = [("sts".to_string(), EndpointOptions { private_dns: true, ..EndpointOptions::default() })].into();
    spec
}

/// One public subnet for the proxy, two private ones that reach AWS only by endpoints. Nobody else may add anything.
fn private_proxy() -> VpcSpec {
    let mut spec = spec();
    spec.region = "cn-northwest-1".into();
    spec.cidr = "192.168.0.0/16".parse().unwrap();
    spec.zones = [(1, "cn-northwest-1a".into()), (2, "cn-northwest-1b".into())].into();
    spec.nat.mode = NatMode::None;
    spec.dhcp_options =
        Some(DhcpOptions { domain_name: None, domain_name_servers: vec!["AmazonProvidedDNS".into()], ntp_servers: vec![] });
    let with_dns = || EndpointOptions { private_dns: true, ..EndpointOptions::default() };
    spec.endpoints.interface = ["ec2", "sts", "ecr.api", "ecr.dkr"].map(|service| (service.to_string(), with_dns())).into();
    spec.endpoints.gateway = [("s3".to_string(), EndpointOptions::default())].into();
    (spec.exclusive, spec.security_groups.exclusive_rules) = (true, true);
    spec
}

fn planned(mut spec: VpcSpec) -> VpcSpec {
    spec.plan_addresses().unwrap();
    spec
}

fn graph(spec: VpcSpec) -> Graph {
    vpc::graph(&planned(spec))
}

fn cases() -> [(&'static str, VpcSpec); 4] {
    [("ipv4", spec()), ("dual-stack", dual_stack()), ("ipv6-only", ipv6_only()), ("private-proxy", private_proxy())]
}

fn text(graph: &Graph) -> String {
    let mut lines = String::new();
    for object in graph.iter() {
        for (key, setting) in &object.settings {
            let value = setting.known().unwrap_or("(known after apply)");
            lines.push_str(format!("{} {key} = {value}", object.key).trim_end());
            lines.push('\n');
        }
        if object.settings.is_empty() {
            lines.push_str(&format!("{}\n", object.key));
        }
    }
    lines
}

#[test]
fn networks_are_as_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_aws");
    let mut differing = Vec::new();
    for (name, spec) in cases() {
        let rendered = text(&graph(spec));
        let path = folder.join(format!("vpc-{name}.txt"));
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&rendered) {
            if std::env::var_os("UPDATE").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &rendered).unwrap();
            }
            differing.push(format!("{}:\n{rendered}", path.display()));
        }
    }
    assert!(differing.is_empty(), "not as reviewed; UPDATE=1 rewrites them:\n{}", differing.join("\n"));
}

#[test]
fn graphs_are_whole_and_always_the_same() {
    for (name, spec) in cases() {
        let one = graph(spec.clone());
        assert_eq!(one.check(), Ok(()), "{name}");
        assert_eq!(one, graph(spec), "{name}");
    }
}

fn get<'a>(graph: &'a Graph, kind: Kind, name: &str) -> &'a Object {
    graph.get(&cloud::ObjectKey::new(kind, name)).unwrap_or_else(|| panic!("no {kind}/{name}"))
}

#[test]
fn zones_that_are_chosen_later_hide_zones_alone() {
    let mut later = dual_stack();
    later.zones.values_mut().for_each(|zone| *zone = Setting::Unknown);
    let (now, later) = (graph(dual_stack()), graph(later));
    assert_eq!(now.len(), later.len());
    for object in later.iter() {
        let unknown: Vec<&String> =
            object.settings.iter().filter(|(_, value)| value.known().is_none()).map(|(key, _)| key).collect();
        let expect: &[&str] = if object.key.kind == Kind::Subnet { &["zone"] } else { &[] };
        assert_eq!(unknown, expect, "{}", object.key);
    }
}

#[test]
fn a_zone_more_changes_nothing_but_what_lists_zones() {
    let before = planned(dual_stack());
    let mut after = before.clone();
    after.zones.insert(3, "us-east-1c".into());
    let after = graph(after);
    for object in vpc::graph(&before).iter() {
        let new = after.get(&object.key).unwrap();
        for (key, value) in &object.settings {
            assert_eq!(new.settings.get(key), Some(value), "{} {key}", object.key);
        }
        let may_grow = matches!(object.key.name.as_str(), "data" | "public");
        assert!(may_grow || new.settings.len() == object.settings.len(), "{}", object.key);
    }
}

#[test]
fn going_from_one_nat_gateway_to_one_per_zone_changes_routes_alone() {
    let mut single = spec();
    single.nat.mode = NatMode::Single;
    let (single, per_zone) = (graph(single), graph(spec()));
    for object in single.iter() {
        let changed: Vec<&String> = {
            let new = get(&per_zone, object.key.kind, &object.key.name);
            object.settings.iter().filter(|(key, value)| new.settings.get(*key) != Some(value)).map(|(key, _)| key).collect()
        };
        let expect: &[&str] =
            if object.key.name == "private-2" && object.key.kind == Kind::RouteTable { &["route 0.0.0.0/0"] } else { &[] };
        assert_eq!(changed, expect, "{}", object.key);
    }
    assert_eq!(per_zone.len(), single.len() + 2, "an address and a gateway");
}

#[test]
fn the_nat64_prefix_is_routed_exactly_where_dns64_is_on() {
    let mut spec = dual_stack();
    spec.tiers.insert("edge".into(), Tier { dns64: true, ipv6_only: true, ..tier(Reach::Public) });
    spec.tiers.insert("nodes".into(), Tier { dns64: true, ..tier(Reach::Private) });
    let spec = planned(spec);
    let graph = vpc::graph(&spec);
    for subnet in spec.subnets() {
        let table = get(&graph, Kind::RouteTable, &vpc::route_table_name(&subnet));
        let expect = subnet.tier.dns64.then(|| format!("@nat_gateway/nat-{}", subnet.number));
        assert_eq!(table.get("route 64:ff9b::/96"), expect.as_deref(), "{}", subnet.name);
    }
}

#[test]
fn descriptions_are_what_aws_takes() {
    for addon in NetworkAddon::ALL {
        let mut spec = dual_stack();
        spec.security_groups.network_addon = addon;
        spec.security_groups.pod_cidrs = ["172.18.0.0/16".parse().unwrap()].into();
        let graph = graph(spec);
        for object in graph.of_kind(Kind::SecurityGroup) {
            let is_rule = |key: &&String| key.starts_with("ingress ") || key.starts_with("egress ") || *key == "description";
            for key in object.settings.keys().filter(is_rule) {
                let text = object.get(key).unwrap();
                let takes = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
                assert!(!text.is_empty() && text.len() <= 255 && text.chars().all(takes), "{key}: {text}");
            }
            let rules = |word: &str| object.settings.keys().filter(|key| key.starts_with(word)).count();
            assert!(rules("ingress ") <= 60 && rules("egress ") <= 60, "AWS takes 60 rules in each direction");
        }
    }
}

/// As metrics-server needs it, which runs on any node.
#[test]
fn kubelets_are_reached_from_every_host_and_from_pods_with_addresses_of_their_own() {
    let mut spec = dual_stack();
    spec.security_groups.pod_cidrs = ["172.18.0.0/16".parse().unwrap()].into();
    let graph = graph(spec);
    let all = |from: &[&str]| from.iter().map(|from| format!("ingress tcp 10250 {from}")).collect::<Vec<_>>();
    let groups = ["@security_group/control-plane", "@security_group/node"];
    // Nodes take everything from such pods.
    for (to, expect) in [("control-plane", all(&["172.18.0.0/16", groups[0], groups[1]])), ("node", all(&groups))] {
        let settings = &get(&graph, Kind::SecurityGroup, to).settings;
        let found: Vec<&String> = settings.keys().filter(|key| key.starts_with("ingress tcp 10250 ")).collect();
        assert_eq!(found, expect.iter().collect::<Vec<_>>(), "{to}");
    }
}

/// A connection needs a rule in at both ends.
#[test]
fn what_may_come_in_from_a_group_may_go_out_of_it() {
    for (name, spec) in cases() {
        let graph = graph(spec);
        for object in graph.of_kind(Kind::SecurityGroup) {
            for key in object.settings.keys() {
                let Some((protocol_and_ports, peer)) = key.strip_prefix("ingress ").and_then(|rule| rule.rsplit_once(' ')) else {
                    continue;
                };
                let Some(peer) = peer.strip_prefix("@security_group/") else { continue };
                let from = get(&graph, Kind::SecurityGroup, peer);
                let out = [
                    "egress all all 0.0.0.0/0".to_string(),
                    format!("egress {protocol_and_ports} 0.0.0.0/0"),
                    format!("egress {protocol_and_ports} {}", object.reference()),
                ];
                assert!(out.iter().any(|rule| from.get(rule).is_some()), "{name}: {key} of {}", object.key);
            }
        }
    }
}

#[test]
fn a_network_without_ipv6_has_no_rule_or_route_for_it() {
    let text = text(&graph(spec()));
    assert!(!text.contains("::/0") && !text.contains("icmpv6"), "{text}");
}

#[test]
fn nat_gateways_use_given_addresses_first() {
    let graph = graph(dual_stack());
    assert_eq!(get(&graph, Kind::NatGateway, "nat-1").get("allocation"), Some("eipalloc-0123456789abcdef0"));
    assert_eq!(get(&graph, Kind::NatGateway, "nat-2").get("allocation"), Some("@elastic_ip/nat-2"));
    assert_eq!(graph.of_kind(Kind::ElasticIp).count(), 1);
}
