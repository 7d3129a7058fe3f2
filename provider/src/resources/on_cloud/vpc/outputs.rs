//! The computed attributes of a network, from what is known of its objects. Pure.

use super::zones;
use crate::resources::on_cloud::Known;
use cloud::Kind;
use render::aws::endpoints::{EndpointType, endpoint_name};
use render::aws::security_groups::Role;
use render::aws::vpc::{self, MAIN, Reach, VpcSpec, key};
use schema::Value;
use std::collections::BTreeMap;

const OF_OBJECTS: [&str; 14] = [
    "zone_names",
    "vpc_id",
    "subnet_ids",
    "public_subnet_ids",
    "private_subnet_ids",
    "isolated_subnet_ids",
    "ipv6_cidr",
    "subnet_ipv6_cidrs",
    "security_group_ids",
    "route_table_ids",
    "nat_public_ips",
    "endpoint_ids",
    "endpoint_services",
    "zone_numbers",
];

pub fn outputs(spec: Option<&VpcSpec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)> {
    let Some(spec) = spec else { return OF_OBJECTS.into_iter().map(|name| (name, Value::Unknown)).collect() };
    let ids = |kind: Kind, names: Vec<String>| -> Value {
        Value::Map(names.into_iter().map(|name| (name.clone(), known.id(&key(kind, name)))).collect())
    };
    let of_reach = |reach: Reach| -> Value {
        let subnets = spec.subnets().filter(|subnet| subnet.tier.reach == reach);
        subnets.map(|subnet| known.id(&key(Kind::Subnet, subnet.name))).collect()
    };
    let vpc = key(Kind::Vpc, MAIN);
    let mut tables: Vec<String> = spec.subnets().map(|subnet| vpc::route_table_name(&subnet)).collect();
    tables.dedup();
    let zone_names: Value = spec.zones.values().map(|zone| zone.known().map_or(Value::Unknown, Value::from)).collect();
    vec![
        ("zone_names", zone_names),
        ("zone_numbers", zones::numbers(planned)),
        ("vpc_id", known.id(&vpc)),
        ("subnet_ids", ids(Kind::Subnet, spec.subnets().map(|subnet| subnet.name).collect())),
        ("public_subnet_ids", of_reach(Reach::Public)),
        ("private_subnet_ids", of_reach(Reach::Private)),
        ("isolated_subnet_ids", of_reach(Reach::Isolated)),
        ("ipv6_cidr", if spec.has_ipv6() { known.output(&vpc, "ipv6_cidr") } else { Value::Null }),
        ("subnet_ipv6_cidrs", subnet_ipv6_cidrs(spec, known)),
        ("security_group_ids", ids(Kind::SecurityGroup, Role::ALL.iter().map(|role| role.as_str().to_owned()).collect())),
        ("route_table_ids", ids(Kind::RouteTable, tables)),
        ("nat_public_ips", nat_public_ips(spec, known)),
        ("endpoint_ids", ids(Kind::VpcEndpoint, endpoint_names(spec))),
        ("endpoint_services", endpoint_services(spec)),
    ]
}

fn subnet_ipv6_cidrs(spec: &VpcSpec, known: &Known<'_>) -> Value {
    let subnets = spec.subnets().filter(|_| spec.has_ipv6());
    let cidr = |subnet: vpc::Subnet<'_>| (subnet.name.clone(), known.output(&key(Kind::Subnet, subnet.name), "ipv6_cidr"));
    Value::Map(subnets.map(cidr).collect::<BTreeMap<_, _>>())
}

/// An Elastic IP of the network has its address as output; the address of a given one comes from the gateway.
fn nat_public_ips(spec: &VpcSpec, known: &Known<'_>) -> Value {
    let address = |number: u32| {
        let is_given = usize::try_from(number).is_ok_and(|number| number <= spec.nat.elastic_ip_ids.len());
        let kind = if is_given { Kind::NatGateway } else { Kind::ElasticIp };
        known.output(&key(kind, vpc::nat_name(number)), "public_ip")
    };
    spec.nat_numbers().into_iter().map(address).collect()
}

fn endpoint_names(spec: &VpcSpec) -> Vec<String> {
    let gateway = spec.endpoints.gateway.keys().map(|service| endpoint_name(service, EndpointType::Gateway));
    gateway.chain(spec.endpoints.interface.keys().map(|service| endpoint_name(service, EndpointType::Interface))).collect()
}

fn endpoint_services(spec: &VpcSpec) -> Value {
    let services: std::collections::BTreeSet<&String> =
        spec.endpoints.gateway.keys().chain(spec.endpoints.interface.keys()).collect();
    services.into_iter().map(String::as_str).collect()
}
