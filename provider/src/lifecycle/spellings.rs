//! What is written in another way, and a default that is written out, is no change: of no resource, and least of all a replacement.

use super::rows::{ROWS, row};
use super::{Stage, complete};
use crate::fakes::FakeWorld;
use crate::provider::K8s;
use protocol::Provider;
use schema::{Attribute, AttributePath, Kind, Schema, Type, Value};
use std::net::IpAddr;
use std::sync::Arc;

fn schemas() -> Vec<(&'static str, Schema)> {
    let (world, _stops) = FakeWorld::new();
    let provider = K8s::of_world(Arc::new(world));
    provider.resources().iter().map(|resource| (resource.name(), resource.schema())).collect()
}

/// Every attribute of every resource, at every depth.
fn attributes() -> Vec<(String, AttributePath, Attribute)> {
    fn walk(attributes: &[Attribute], at: &AttributePath, found: &mut Vec<(AttributePath, Attribute)>) {
        for attribute in attributes {
            let path = at.clone().then(attribute.name);
            if let Kind::Nested(_, below) = &attribute.kind {
                walk(below, &path, found);
            }
            found.push((path, attribute.clone()));
        }
    }
    let of_schema = |(name, schema): (&str, Schema)| {
        let mut found = Vec::new();
        walk(&schema.attributes, &AttributePath::root(), &mut found);
        found.into_iter().map(|(path, attribute)| (format!("{name}: {path}"), path, attribute)).collect::<Vec<_>>()
    };
    schemas().into_iter().flat_map(of_schema).collect()
}

/// Last words of the names of attributes that hold networks, addresses and names of hosts.
const OF_NETWORKS: [&str; 9] = ["cidr", "cidrs", "address", "addresses", "domain", "domains", "backends", "targets", "endpoints"];
/// A choice.
const OF_SOMETHING_ELSE: [&str; 2] = ["k8s_bastion: dns.address", "k8s_egress_proxy: dns.address"];

#[test]
fn every_attribute_for_networks_addresses_and_names_says_what_its_spellings_have_in_common() {
    let holds_text = |ty: &Type| match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => **element == Type::String,
        ty => *ty == Type::String,
    };
    let is_of_network = |attribute: &Attribute| {
        let is_text = matches!(&attribute.kind, Kind::Value(ty) if holds_text(ty));
        is_text && attribute.name.rsplit('_').next().is_some_and(|word| OF_NETWORKS.contains(&word))
    };
    let all = attributes().into_iter().filter(|(_, _, attribute)| attribute.is_required() || attribute.is_optional());
    let of_networks: Vec<_> = all.filter(|(_, _, attribute)| is_of_network(attribute)).collect();
    assert!(of_networks.len() > 30, "{}", of_networks.len());
    let without = of_networks.iter().filter(|(what, _, attribute)| attribute.canonical.is_none() && !is_else(what));
    assert_eq!(without.map(|(what, ..)| what).collect::<Vec<_>>(), Vec::<&String>::new());
}

fn is_else(what: &str) -> bool {
    OF_SOMETHING_ELSE.contains(&what)
}

#[test]
fn neither_a_default_that_is_written_out_nor_another_spelling_replaces_anything() {
    let mut seen = 0;
    for (what, path, attribute) in attributes().into_iter().filter(|(_, _, attribute)| attribute.requires_replace) {
        let name = what.split(':').next().unwrap();
        let schema = schemas().into_iter().find(|(other, _)| *other == name).unwrap().1;
        let object = |value: &Value| {
            let steps = path.steps().iter().rev();
            steps.fold(value.clone(), |value, step| match step {
                schema::Step::Attribute(name) => Value::object([(name.as_str(), value)]),
                step => panic!("{step:?} of {what}"),
            })
        };
        let replaces = |before: &Value, after: &Value| schema.replace_paths(&object(before), &object(after)).len();
        let sample = |text: &str| match attribute.value_type() {
            Type::String => Value::from(text),
            _ => Value::from(vec![text]),
        };
        if let Some(default) = &attribute.default {
            assert_eq!((replaces(&Value::Null, default), replaces(default, &Value::Null)), (0, 0), "{what}");
            seen += 1;
        }
        if attribute.canonical.is_some() {
            assert_eq!(replaces(&sample("fd00:96::/112"), &sample("FD00:0096:0::/112")), 0, "{what}");
            seen += 1;
        }
        assert_eq!(replaces(&sample("fd00:96::/112"), &sample("fd00:97::/112")), 1, "{what}");
    }
    assert!(seen > 6, "{seen}");
}

/// IPv6 in all its digits and in capitals, names of hosts in capitals.
fn respelled(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.rsplit_once('/').map_or((text.as_str(), None), |(net, length)| (net, Some(length))) {
            (address, length) if address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) => {
                let IpAddr::V6(address) = address.parse().unwrap() else { unreachable!() };
                let long = address.segments().map(|segment| format!("{segment:04X}")).join(":");
                Value::from(length.map_or(long.clone(), |length| format!("{long}/{length}")))
            }
            _ => value.clone(),
        },
        Value::List(items) => items.iter().map(respelled).collect(),
        Value::Map(entries) => Value::Map(entries.iter().map(|(name, value)| (name.clone(), respelled(value))).collect()),
        value => value.clone(),
    }
}

const HOSTS: [(&str, &str, &str); 3] =
    [("cp-1", "192.0.2.11", "2001:db8::b"), ("cp-2", "192.0.2.12", "2001:db8::c"), ("cp-3", "192.0.2.13", "2001:db8::d")];

fn hosts() -> Value {
    let host = |(name, address, secondary): (&str, &str, &str)| {
        (name.to_owned(), Value::object([("address", address.into()), ("secondary_address", secondary.into())]))
    };
    Value::Map(HOSTS.map(host).into_iter().collect())
}

/// What a row declares, with IPv6 wherever it can have it.
fn dual_stack(stage: &Stage, pki: &Value) -> Value {
    let mut config = stage.config.clone();
    let services = || Value::from(vec!["10.96.0.0/16", "fd00:96::/112"]);
    match stage.row.name {
        "k8s_pki" => {
            config.set("hosts", hosts());
            config.set("service_cidrs", services());
            config.set("endpoints", vec!["api.demo.internal", "192.0.2.100", "2001:db8::64"].into());
        }
        "k8s_lb_vrrp" => config.set("virtual_addresses", vec!["192.0.2.100/24", "2001:db8::64/64"].into()),
        "k8s_hardway_cluster" => {
            config.set("hosts", hosts());
            config.set("pki", pki.get("bundle").clone());
            let pods = Value::from(vec!["172.18.0.0/16", "fd00:18::/56"]);
            config.set("network", Value::object([("pod_cidrs", pods), ("service_cidrs", services())]));
        }
        "k8s_vpc" => config.set("security_groups", Value::object([("admin_cidrs", vec!["2001:db8:1::/48"].into())])),
        "k8s_egress_proxy" => config.set("client_cidrs", vec!["10.0.0.0/16", "2001:db8:1::/48"].into()),
        _ => {}
    }
    complete(stage.engine.schema(stage.row.name), &config)
}

#[tokio::test]
async fn the_plan_of_what_is_only_spelled_in_another_way_is_empty() {
    let mut pki = Value::Null;
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let config = dual_stack(&stage, &pki);
        // No fake host has a second address.
        let state = match stage.is_on_hosts() {
            true => super::as_applied(&stage.engine.plan(row.name, &Value::Null, &config).await.planned),
            false => stage.apply(&Value::Null, &config).await,
        };
        if row.name == "k8s_pki" {
            pki = state.clone();
        }
        let again = respelled(&config);
        let has_ipv6 = ["k8s_pki", "k8s_lb_vrrp", "k8s_hardway_cluster", "k8s_vpc", "k8s_egress_proxy"].contains(&row.name);
        assert_eq!(again != config, has_ipv6, "{}", row.name);
        let plan = stage.engine.plan(row.name, &state, &again).await;
        assert!(plan.is_empty, "{}: {:?} {:#?}", row.name, plan.replaces, super::difference(&state, &plan.planned));
    }
}

/// All defaults that the schemas have, written out.
#[tokio::test]
async fn the_plan_of_defaults_that_are_written_out_is_empty() {
    for row in ROWS {
        let mut stage = Stage::of(row).await;
        let (state, config) = (stage.create().await, stage.config.clone());
        let schema = stage.engine.schema(row.name).clone();
        let written = schema.with_defaults(config.clone(), &config);
        assert!(written != config || row.name == "k8s_egress_proxy", "{} has no default", row.name);
        stage.settled(&super::without_steps(&state), &written, "with its defaults written out").await;
    }
}

#[tokio::test]
async fn a_name_in_capitals_is_the_same_name() {
    let mut stage = Stage::of(row("k8s_hardway_cluster")).await;
    let state = stage.create().await;
    let mut config = stage.config.clone();
    config.set("endpoint", "https://API.demo.internal".into());
    let plan = stage.engine.plan("k8s_hardway_cluster", &super::without_steps(&state), &config).await;
    assert!(plan.is_empty, "{:?}", super::difference(&state, &plan.planned));
}
