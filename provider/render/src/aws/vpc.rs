//! The network of a cluster as objects: VPC, gateways, route tables, DHCP options and flow logs. Subnets, security groups and
//! endpoints have files of their own.

use super::keys::{ANY_IPV4, ANY_IPV6};
pub use super::keys::{MAIN, key, reference};
pub use super::vpc_spec::*;
use super::{endpoints, security_groups, subnets};
use cloud::{Graph, Kind, Object, ObjectKey, Route, RouteTarget, Setting};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// The prefix that DNS64 answers with (RFC 6052), which NAT gateways translate.
const NAT64_NETWORK: IpNet = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), 96);

/// Every object of a network.
pub fn graph(spec: &VpcSpec) -> Graph {
    let mut graph = Graph::default();
    if let Some(options) = &spec.dhcp_options {
        graph.add(dhcp_options(spec, options));
    }
    graph.add(vpc(spec));
    if spec.has(Reach::Public) {
        graph.add(Object::new(Kind::InternetGateway, MAIN).with("vpc", reference(Kind::Vpc, MAIN)));
    }
    if spec.has_ipv6() && spec.has(Reach::Private) {
        graph.add(Object::new(Kind::EgressOnlyInternetGateway, MAIN).with("vpc", reference(Kind::Vpc, MAIN)));
    }
    security_groups::add(spec, &mut graph);
    subnets::add(spec, &mut graph);
    add_nat_gateways(spec, &mut graph);
    add_route_tables(spec, &mut graph);
    endpoints::add(spec, &mut graph);
    if let Some(logs) = &spec.flow_logs {
        graph.add(flow_log(logs));
    }
    graph
}

/// `nat-1`: the name of a zone's NAT gateway and of its address.
pub fn nat_name(number: u32) -> String {
    format!("nat-{number}")
}

fn vpc(spec: &VpcSpec) -> Object {
    let options = spec.dhcp_options.as_ref().map_or_else(|| "default".to_owned(), |_| reference(Kind::DhcpOptions, MAIN));
    let vpc = Object::new(Kind::Vpc, MAIN)
        .with("cidr", spec.cidr.to_string())
        .with_some("ipv6", spec.ipv6.as_ref().map(Ipv6Source::setting))
        .with("dns_support", true)
        .with("dns_hostnames", true)
        .with("dhcp_options", options)
        .exclusive(if spec.exclusive { &["secondary_cidr"] } else { &[] });
    spec.secondary_cidrs.iter().fold(vpc, |vpc, cidr| vpc.with(format!("secondary_cidr {cidr}"), ""))
}

fn dhcp_options(spec: &VpcSpec, options: &DhcpOptions) -> Object {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
    let default = || spec.region.known().map_or(Setting::Unknown, |region| default_domain(region).into());
    Object::new(Kind::DhcpOptions, MAIN)
        .with("domain_name", options.domain_name.clone().unwrap_or_else(default))
        .with_some("domain_name_servers", list(&options.domain_name_servers))
        .with_some("ntp_servers", list(&options.ntp_servers))
}

fn add_nat_gateways(spec: &VpcSpec, graph: &mut Graph) {
    let Some(tier) = spec.nat_tier() else { return };
    for number in spec.nat_numbers() {
        let name = nat_name(number);
        let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let allocation = spec
            .nat
            .elastic_ip_ids
            .get(index)
            .cloned()
            .unwrap_or_else(|| graph.add(Object::new(Kind::ElasticIp, &name)).reference().into());
        graph.add(
            Object::new(Kind::NatGateway, name)
                .with("subnet", reference(Kind::Subnet, super::vpc_cidrs::subnet_name(tier, number)))
                .with("allocation", allocation)
                .with("connectivity", "public"),
        );
    }
}

fn add_route_tables(spec: &VpcSpec, graph: &mut Graph) {
    for subnet in spec.subnets() {
        let key = key(Kind::RouteTable, route_table_name(&subnet));
        let table = graph.remove(&key).unwrap_or_else(|| route_table(spec, &subnet, key));
        graph.add(table.with(format!("subnet {}", reference(Kind::Subnet, &subnet.name)), ""));
    }
}

fn route_table(spec: &VpcSpec, subnet: &Subnet<'_>, key: ObjectKey) -> Object {
    let tier = subnet.tier;
    let through = |kind: Kind, name: String| RouteTarget::Declared(ObjectKey::new(kind, name)).to_string();
    let nat = spec.nat_of(subnet.number).map(|number| through(Kind::NatGateway, nat_name(number)));
    let to = |kind: Kind, is_there: bool| is_there.then(|| through(kind, MAIN.to_owned()));
    let (ipv4, ipv6) = match tier.reach {
        Reach::Public => (to(Kind::InternetGateway, true), to(Kind::InternetGateway, spec.has_ipv6())),
        Reach::Private => (nat.clone().filter(|_| !tier.ipv6_only), to(Kind::EgressOnlyInternetGateway, spec.has_ipv6())),
        Reach::Isolated => (None, None),
    };
    let route = |destination: IpNet| Route { destination }.to_string();
    Object::of(key)
        .exclusive(if spec.exclusive { &["route", "subnet"] } else { &[] })
        .with("vpc", reference(Kind::Vpc, MAIN))
        .with_some(route(ANY_IPV4), ipv4)
        .with_some(route(ANY_IPV6), ipv6)
        .with_some(route(NAT64_NETWORK), nat.filter(|_| tier.dns64))
}

fn flow_log(logs: &FlowLogs) -> Object {
    Object::new(Kind::FlowLog, MAIN)
        .with("resource", reference(Kind::Vpc, MAIN))
        .with("traffic", logs.traffic.as_str())
        .with("interval_seconds", logs.interval_seconds)
        .with("destination_type", logs.destination_type.as_str())
        .with("destination", logs.destination.clone())
        .with_some("role", logs.role.clone())
}
