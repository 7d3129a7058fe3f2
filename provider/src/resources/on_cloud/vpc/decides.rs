//! What each attribute of a network decides on, for plans in which it is unknown.

use crate::resources::on_cloud::open::Decides;
use cloud::Kind;

const GROUPS: Kind = Kind::SecurityGroup;
/// What there is besides the VPC and its security groups, one for each role.
pub const REST: [Kind; 9] = [
    Kind::DhcpOptions,
    Kind::InternetGateway,
    Kind::EgressOnlyInternetGateway,
    Kind::Subnet,
    Kind::ElasticIp,
    Kind::NatGateway,
    Kind::RouteTable,
    Kind::VpcEndpoint,
    Kind::FlowLog,
];
const OF_REST: &[&str] = &[
    "subnet_cidrs",
    "subnet_ipv6_indexes",
    "zone_names",
    "zone_numbers",
    "numbered_zones",
    "subnet_ids",
    "public_subnet_ids",
    "private_subnet_ids",
    "isolated_subnet_ids",
    "ipv6_cidr",
    "subnet_ipv6_cidrs",
    "route_table_ids",
    "nat_public_ips",
    "endpoint_ids",
    "endpoint_services",
];

const fn subnets(path: &'static [&'static str]) -> Decides {
    Decides { path, objects: &REST, settings: &[(Kind::Vpc, None), (GROUPS, None)], outputs: OF_REST }
}

const fn settings(path: &'static [&'static str], settings: &'static [(Kind, Option<&'static str>)]) -> Decides {
    Decides { path, objects: &[], settings, outputs: &[] }
}

/// Parts stand before what they are parts of.
pub const ROWS: &[Decides] = &[
    settings(&["security_groups", "admin_cidrs"], &[(GROUPS, Some("bastion"))]),
    settings(&["security_groups", "load_balancer_cidrs"], &[(GROUPS, Some("load-balancer"))]),
    settings(&["security_groups", "node_port_cidrs"], &[(GROUPS, Some("node"))]),
    settings(&["security_groups"], &[(GROUPS, None)]),
    settings(&["exclusive"], &[(Kind::Vpc, None), (Kind::RouteTable, None), (Kind::VpcEndpoint, None)]),
    Decides {
        path: &["endpoints"],
        objects: &[Kind::VpcEndpoint],
        settings: &[],
        outputs: &["endpoint_ids", "endpoint_services"],
    },
    Decides {
        path: &["nat"],
        objects: &[Kind::NatGateway, Kind::ElasticIp],
        settings: &[(Kind::RouteTable, None)],
        outputs: &["nat_public_ips"],
    },
    Decides { path: &["dhcp_options"], objects: &[Kind::DhcpOptions], settings: &[(Kind::Vpc, None)], outputs: &[] },
    Decides { path: &["flow_logs"], objects: &[Kind::FlowLog], settings: &[], outputs: &[] },
    subnets(&["zones"]),
    subnets(&["zone_count"]),
    subnets(&["subnets"]),
    subnets(&["ipv6"]),
    subnets(&["secondary_cidrs"]),
];
