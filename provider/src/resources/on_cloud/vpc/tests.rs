//! From HCL to objects and back: what is planned, what stays, what an import infers.

use super::*;
use cloud::{Found, OBJECT_TAG, Resolver, object_tag};
use schema::Requirement;
use std::collections::BTreeMap;

fn with_defaults(config: &Value) -> Value {
    Vpc.schema().with_defaults(config.clone(), config)
}

fn plan(prior: Option<&Value>, config: &Value) -> Value {
    let mut planned = with_defaults(config);
    keep(prior, &mut planned);
    // An error is the spec's to report.
    record(spec(&planned).ok().flatten().as_ref(), &mut planned);
    planned
}

fn base() -> Value {
    Value::object([("name", "demo".into()), ("cidr", "10.0.0.0/16".into()), ("zones", vec!["us-east-1a", "us-east-1b"].into())])
}

fn with<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let mut config = base();
    attributes.into_iter().for_each(|(name, value)| config.set(name, value));
    config
}

fn list(items: &[&str]) -> Value {
    items.to_vec().into()
}

fn of(attributes: &[(&str, Value)]) -> Value {
    Value::Map(attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
}

fn graph(planned: &Value) -> Graph {
    vpc::graph(&spec(planned).unwrap().unwrap())
}

/// What AWS would show of the objects, with the tags that all have.
fn world(planned: &Value) -> Vec<Found> {
    let graph = graph(planned);
    let mut found: BTreeMap<ObjectKey, Found> = BTreeMap::new();
    for (index, object) in graph.iter().enumerate() {
        let mut one = Found::new(object.key.kind, format!("{}-{index:x}", object.key.kind));
        let block = if planned.get("ipv6").get("source").as_str() == Some("ipam") {
            "2001:db8:1000::/52"
        } else {
            "2001:db8:12:3400::/56"
        };
        if object.key.kind == Kind::Vpc && !planned.get("ipv6").is_null() {
            one.outputs.insert("ipv6_cidr".into(), block.into());
        }
        found.insert(object.key.clone(), one);
    }
    let before = found.clone();
    let resolver = Resolver::new(&before);
    for object in graph.iter() {
        let one = found.get_mut(&object.key).unwrap();
        let mut set =
            |key: &str, value: &str| one.settings.insert(resolver.resolve(key).unwrap(), resolver.resolve(value).unwrap());
        for (key, setting) in &object.settings {
            set(key, setting.known().unwrap());
        }
        let tags = planned.get("tags").as_map().unwrap().iter();
        for (key, value) in tags.filter(|(key, _)| !object.settings.contains_key(&format!("tag {key}"))) {
            set(&format!("tag {key}"), value.as_str().unwrap());
        }
        set(&format!("tag {OBJECT_TAG}"), &object_tag("k8s_vpc/demo", &object.key));
        set("tag k8s-hardway/cluster", "demo");
        set("tag Name", "demo");
    }
    found.into_values().collect()
}

fn configurations() -> Vec<Value> {
    let tier = |reach: &str| of(&[("type", reach.into())]);
    let dual_stack = with([
        ("ipv6", of(&[])),
        ("secondary_cidrs", list(&["100.64.0.0/16"])),
        ("nat", of(&[("mode", "single".into()), ("elastic_ip_ids", list(&["eipalloc-0123456789abcdef0"]))])),
        (
            "subnets",
            of(&[
                ("data", of(&[("type", "isolated".into()), ("cidrs", list(&["10.0.250.0/24", "10.0.251.0/24"]))])),
                ("edge", of(&[("type", "public".into()), ("tags", of(&[("team", "edge".into())]))])),
                ("private", of(&[("type", "private".into()), ("netmask", 21.into())])),
                ("public", tier("public")),
            ]),
        ),
        ("flow_logs", of(&[("destination", "arn:aws:s3:::demo".into()), ("interval_seconds", 60.into())])),
        ("tags", of(&[("team", "infrastructure".into())])),
        (
            "security_groups",
            of(&[
                ("network_addon", "cilium".into()),
                ("wireguard", true.into()),
                ("api_port", 443.into()),
                ("vrrp", true.into()),
                ("admin_cidrs", list(&["192.0.2.0/24", "2001:db8:1::/48"])),
                ("node_port_cidrs", list(&["0.0.0.0/0"])),
                ("load_balancer_cidrs", list(&["192.0.2.0/24"])),
                ("pod_cidrs", list(&["172.18.0.0/16"])),
                (
                    "additional_rules",
                    of(&[
                        ("node exporter", of(&[("role", "node".into()), ("ports", "9100".into()), ("peer", "node".into())])),
                        (
                            "web",
                            of(&[("role", "load-balancer".into()), ("ports", "443".into()), ("peer", "198.51.100.0/24".into())]),
                        ),
                    ]),
                ),
            ]),
        ),
    ]);
    let ipv6_only = with([
        (
            "ipv6",
            of(&[("source", "ipam".into()), ("pool_id", "ipam-pool-0123456789abcdef0".into()), ("netmask_length", 52.into())]),
        ),
        (
            "subnets",
            of(&[
                ("nodes", of(&[("type", "private".into()), ("ipv6_only", true.into()), ("dns64", true.into())])),
                ("public", tier("public")),
            ]),
        ),
        (
            "endpoints",
            of(&[
                ("subnets", "public".into()),
                ("interface", list(&["ec2", "sts"])),
                ("overrides", of(&[("sts", of(&[("ip_address_type", "ipv4".into()), ("private_dns", false.into())]))])),
            ]),
        ),
        ("security_groups", of(&[("network_addon", "calico".into())])),
    ]);
    let private_proxy = with([
        ("nat", of(&[("mode", "none".into())])),
        ("dhcp_options", of(&[])),
        ("endpoints", of(&[("gateway", list(&["s3"])), ("interface", list(&["ec2", "ecr.api", "ecr.dkr", "sts"]))])),
    ]);
    let isolated = with([
        ("zones", list(&["us-east-1c"])),
        ("subnets", of(&[("inner", tier("isolated"))])),
        (
            "dhcp_options",
            of(&[
                ("domain_name", "demo.internal".into()),
                ("domain_name_servers", list(&["10.0.0.2"])),
                ("ntp_servers", list(&["10.0.0.3"])),
            ]),
        ),
        ("endpoints", of(&[("interface", list(&["ec2"])), ("private_dns", false.into())])),
    ]);
    vec![base(), dual_stack, ipv6_only, private_proxy, isolated]
}

#[test]
fn what_is_tested_is_right() {
    for config in configurations() {
        let mut found = Diagnostics::default();
        validate::validate(&ValueAt::of(&config), &mut found);
        assert!(!found.has_errors(), "{found}");
    }
}

#[test]
fn an_import_has_the_same_configuration_and_an_empty_plan() {
    for config in configurations() {
        let planned = plan(None, &config);
        let imported = infer::configuration("demo", &world(&planned), "us-east-1").unwrap();
        for attribute in Vpc.schema().attributes.iter().filter(|attribute| attribute.requirement != Requirement::Computed) {
            let (found, expect) = (imported.get(attribute.name), planned.get(attribute.name));
            assert!(found.equal(expect, &attribute.value_type()), "{}: {found:#?}\nis not {expect:#?}", attribute.name);
        }
        let again = plan(Some(&imported), &config);
        assert_eq!(graph(&again), graph(&planned));
        for name in ["region", NUMBERED_ZONES, "subnet_cidrs", "subnet_ipv6_indexes"] {
            assert_eq!(again.get(name), planned.get(name), "{name}");
        }
        assert_eq!(imported.get("ids").as_map().unwrap().len(), graph(&planned).len());
    }
}

#[test]
fn addresses_are_planned_before_zones_are_chosen() {
    let counted = with([("zones", Value::Null), ("zone_count", 2.into())]);
    let mut planned = plan(None, &counted);
    assert!(planned.get("region").is_unknown());
    assert_eq!(planned.get("subnet_cidrs").get("private-2").as_str(), Some("10.0.16.0/20"));
    assert!(graph(&planned).get(&vpc::key(Kind::Subnet, "private-2")).unwrap().get("zone").is_none());
    let addresses = planned.get("subnet_cidrs").clone();
    planned.set("region", "us-east-1".into());
    zones::choose(&mut planned, &["us-east-1a".to_owned(), "us-east-1b".to_owned()]).unwrap();
    assert_eq!(graph(&planned).get(&vpc::key(Kind::Subnet, "private-2")).unwrap().get("zone"), Some("us-east-1b"));
    assert_eq!(plan(Some(&planned), &counted).get("subnet_cidrs"), &addresses);
    assert_eq!(graph(&plan(Some(&planned), &counted)), graph(&planned), "the second plan is empty");
}

#[test]
fn what_comes_later_moves_nothing() {
    let before = plan(None, &with([("ipv6", of(&[]))]));
    let tier = |reach: &str| of(&[("type", reach.into())]);
    let more = with([
        ("ipv6", of(&[])),
        ("zones", list(&["us-east-1a", "us-east-1b", "us-east-1c"])),
        ("secondary_cidrs", list(&["100.64.0.0/16"])),
        ("subnets", of(&[("a", tier("isolated")), ("private", tier("private")), ("public", tier("public"))])),
    ]);
    let after = plan(Some(&before), &more);
    for name in ADDRESSES {
        for (subnet, address) in before.get(name).as_map().unwrap() {
            assert_eq!(after.get(name).get(subnet), address, "{subnet}");
        }
        assert_eq!(after.get(name).as_map().unwrap().len(), 9);
    }
    let fewer = plan(Some(&after), &with([("ipv6", of(&[])), ("zones", list(&["us-east-1b"]))]));
    let left: Vec<&String> = fewer.get("subnet_cidrs").as_map().unwrap().keys().collect();
    assert_eq!(left, ["private-2", "public-2"]);
}

#[test]
fn ipv6_can_be_added() {
    let before = plan(None, &base());
    let after = plan(Some(&before), &with([("ipv6", of(&[]))]));
    assert_eq!(after.get("subnet_cidrs"), before.get("subnet_cidrs"));
    let (before, after) = (graph(&before), graph(&after));
    for object in before.iter() {
        let new = after.get(&object.key).unwrap();
        let changed = object.settings.iter().filter(|(key, value)| new.settings.get(*key) != Some(value));
        assert!(changed.into_iter().all(|(key, _)| !object.key.kind.is_immutable(key)), "{}", object.key);
    }
}

#[test]
fn nothing_is_planned_while_it_is_unknown_what_there_is() {
    for name in ["name", "cidr", "zones", "subnets", "ipv6", "endpoints", "security_groups"] {
        let planned = plan(None, &with([(name, Value::Unknown)]));
        assert_eq!(spec(&planned).unwrap(), None, "{name}");
    }
    let later = of(&[("destination", Value::Unknown)]);
    assert!(spec(&plan(None, &with([("flow_logs", later)]))).unwrap().is_some());
}

#[test]
fn a_region_that_is_not_the_provider_s_is_an_error() {
    let planned = plan(None, &base());
    let error = check_region(&planned, "eu-west-1").unwrap_err();
    assert_eq!(error.summary, "the network is in us-east-1, but the provider works in eu-west-1");
}

#[test]
fn a_tier_without_room_is_an_error_with_its_path() {
    let tiers = of(&[
        ("private", of(&[("type", "private".into()), ("netmask", 16.into())])),
        ("public", of(&[("type", "public".into())])),
    ]);
    let error = spec(&plan(None, &with([("subnets", tiers)]))).unwrap_err();
    assert_eq!(error.path.unwrap().to_string(), "subnets[\"private\"].netmask");
}

#[test]
fn the_schema_is_sound_and_names_what_the_renderer_takes() {
    assert_eq!(Vpc.schema().mistakes(), Vec::<String>::new());
    let addons = render::aws::security_groups::NetworkAddon::ALL.map(render::aws::security_groups::NetworkAddon::as_str);
    assert_eq!(addons, attributes::NETWORK_ADDONS);
    let roles = render::aws::security_groups::Role::ALL.map(render::aws::security_groups::Role::as_str);
    assert_eq!(roles, attributes::ROLES);
    for reach in attributes::REACHES {
        assert_eq!(vpc::Reach::parse(reach).unwrap().as_str(), reach);
    }
    for mode in attributes::NAT_MODES {
        assert_eq!(vpc::NatMode::parse(mode).unwrap().as_str(), mode);
    }
}
