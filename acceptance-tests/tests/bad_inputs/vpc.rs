//! Rows of `k8s_vpc`.

use super::{Row, Section, bad};

pub const SECTION: Section = Section { rows: ROWS, complete: COMPLETE };

const VPC: &str = "resource \"k8s_vpc\"";

const COMPLETE: &[(&str, &[&str])] =
    &[(VPC, &[r#"name = "demo""#, r#"cidr = "10.0.0.0/16""#, r#"zones = ["us-east-1a", "us-east-1b"]"#])];

const ROWS: &[Row] = &[
    // names, addresses, zones
    bad(VPC, r#"name = "sg-demo""#, "name", r#"name begins with "sg-""#),
    bad(VPC, r#"cidr = "10.0.0.0/8""#, "cidr", "10.0.0.0/8 has a prefix length that AWS does not accept"),
    bad(VPC, r#"cidr = "fd00::/56""#, "cidr", "fd00::/56 is IPv6"),
    bad(VPC, r#"cidr = "10.0.1.0/16""#, "cidr", "10.0.1.0/16 has host bits set"),
    bad(VPC, r#"cidr = "224.0.0.0/16""#, "cidr", "224.0.0.0/16 lies in 224.0.0.0/4, which no VPC can have"),
    bad(VPC, r#"secondary_cidrs = ["10.0.128.0/20"]"#, "secondary_cidrs", "10.0.128.0/20 overlaps 10.0.0.0/16"),
    bad(
        VPC,
        r#"secondary_cidrs = ["192.168.0.0/16"]"#,
        "secondary_cidrs",
        "192.168.0.0/16 cannot be added to a VPC of 10.0.0.0/16",
    ),
    bad(VPC, r#"ipv6 = { source = "own" }"#, "ipv6.source", r#""own" is not one of the allowed values"#),
    bad(VPC, r#"ipv6 = { source = "ipam" }"#, "ipv6.pool_id", r#"source "ipam" needs pool_id"#),
    bad(VPC, r#"ipv6 = { cidr = "2001:db8:1234::/56" }"#, "ipv6.cidr", r#"cidr does not belong to source "amazon""#),
    bad(
        VPC,
        r#"ipv6 = { source = "ipam", pool_id = "ipam-pool-0123456789abcdef0", netmask_length = 50 }"#,
        "ipv6.netmask_length",
        "50 is not a prefix length that AWS accepts",
    ),
    bad(
        VPC,
        r#"ipv6 = { source = "pool", pool_id = "vpc-0123456789abcdef0", cidr = "2001:db8:1234::/56" }"#,
        "ipv6.pool_id",
        r#""vpc-0123456789abcdef0" is not the id of such a pool"#,
    ),
    bad(VPC, "zones = null", "zones", "neither zones nor zone_count is given"),
    bad(VPC, "zones = []", "zones", "zones is empty"),
    bad(VPC, r#"zones = ["use1-az1"]"#, "zones", r#""use1-az1" is not the name of an availability zone"#),
    bad(VPC, r#"zones = ["us-east-1a", "eu-central-1a"]"#, "zones", "zones are of several regions: eu-central-1, us-east-1"),
    bad(VPC, "zone_count = 3", "zone_count", "both zones and zone_count are given"),
    bad(VPC, "zones = null\nzone_count = 9", "zone_count", "9 is out of range"),
    // tiers of subnets and NAT gateways
    bad(VPC, "subnets = {}", "subnets", "subnets is empty"),
    bad(
        VPC,
        r#"subnets = { data-1 = { type = "isolated" } }"#,
        r#"subnets["data-1"]"#,
        r#""data-1" cannot be the name of a tier"#,
    ),
    bad(
        VPC,
        r#"subnets = { dmz = { type = "outside" } }"#,
        r#"subnets["dmz"].type"#,
        r#""outside" is not one of the allowed values"#,
    ),
    bad(
        VPC,
        "cidr = \"10.0.0.0/20\"\nsubnets = { data = { type = \"isolated\", netmask = 18 } }",
        r#"subnets["data"].netmask"#,
        "/18 is larger than the VPC",
    ),
    bad(
        VPC,
        "cidr = \"10.0.0.0/26\"\nsubnets = { data = { type = \"isolated\", netmask = 26 } }",
        r#"subnets["data"].netmask"#,
        "no room",
    ),
    bad(
        VPC,
        r#"subnets = { data = { type = "isolated", cidrs = ["10.0.0.0/24"] } }"#,
        r#"subnets["data"].cidrs"#,
        "cidrs has 1 CIDRs for 2 zones",
    ),
    bad(
        VPC,
        r#"subnets = { data = { type = "isolated", cidrs = ["10.0.0.0/24", "10.1.0.0/24"] } }"#,
        r#"subnets["data"].cidrs[1]"#,
        "10.1.0.0/24 lies outside the VPC",
    ),
    bad(
        VPC,
        r#"subnets = { data = { type = "isolated", cidrs = ["10.0.0.0/24", "10.0.0.128/25"] } }"#,
        r#"subnets["data"].cidrs[1]"#,
        "10.0.0.128/25 overlaps 10.0.0.0/24",
    ),
    bad(
        VPC,
        r#"subnets = { data = { type = "isolated", ipv6_only = true } }"#,
        r#"subnets["data"].ipv6_only"#,
        "ipv6_only needs a VPC with IPv6",
    ),
    bad(
        VPC,
        "ipv6 = {}\nsubnets = { data = { type = \"isolated\", dns64 = true } }",
        r#"subnets["data"].dns64"#,
        "dns64 leads nowhere from an isolated tier",
    ),
    bad(VPC, r#"nat = { mode = "many" }"#, "nat.mode", r#""many" is not one of the allowed values"#),
    bad(VPC, r#"nat = { subnets = "private" }"#, "nat.subnets", r#""private" is not a public tier with IPv4"#),
    bad(
        VPC,
        "nat = { mode = \"single\" }\nsubnets = { private = { type = \"private\" } }",
        "nat.mode",
        "NAT gateways need a public tier with IPv4",
    ),
    bad(
        VPC,
        r#"nat = { elastic_ip_ids = ["198.51.100.7"] }"#,
        "nat.elastic_ip_ids[0]",
        r#""198.51.100.7" is not the allocation id of an Elastic IP"#,
    ),
    // what stands beside them
    bad(VPC, "dhcp_options = { domain_name_servers = [] }", "dhcp_options.domain_name_servers", "domain_name_servers is empty"),
    bad(VPC, r#"dhcp_options = { ntp_servers = ["time"] }"#, "dhcp_options.ntp_servers[0]", r#""time" is not an address"#),
    bad(VPC, r#"endpoints = { gateway = ["ec2"] }"#, "endpoints.gateway", "ec2 has no gateway endpoint"),
    bad(VPC, r#"endpoints = { interface = ["EC2"] }"#, "endpoints.interface", r#""EC2" is not the name of a service"#),
    bad(
        VPC,
        r#"endpoints = { interface = ["ec2"], overrides = { sts = {} } }"#,
        r#"endpoints.overrides["sts"]"#,
        "sts has overrides, but no endpoint",
    ),
    bad(
        VPC,
        r#"endpoints = { interface = ["ec2"], overrides = { ec2 = { policy = "Allow" } } }"#,
        r#"endpoints.overrides["ec2"].policy"#,
        "the policy is not an IAM policy in JSON",
    ),
    bad(
        VPC,
        r#"security_groups = { network_addon = "weave" }"#,
        "security_groups.network_addon",
        r#""weave" is not one of the allowed values"#,
    ),
    bad(VPC, "security_groups = { wireguard = true }", "security_groups.wireguard", "wireguard belongs to a network add-on"),
    bad(VPC, "security_groups = { api_port = 30443 }", "security_groups.api_port", "port 30443 is a node port"),
    bad(
        VPC,
        r#"security_groups = { admin_cidrs = ["198.51.100.7/24"] }"#,
        "security_groups.admin_cidrs",
        "198.51.100.7/24 has host bits set",
    ),
    bad(
        VPC,
        r#"security_groups = { additional_rules = { x = { role = "node", ports = "9100-9000", peer = "node" } } }"#,
        r#"security_groups.additional_rules["x"].ports"#,
        r#""9100-9000" are not ports"#,
    ),
    bad(
        VPC,
        r#"security_groups = { additional_rules = { x = { role = "node", ports = "9100", peer = "nodes" } } }"#,
        r#"security_groups.additional_rules["x"].peer"#,
        r#""nodes" is not a peer"#,
    ),
    bad(
        VPC,
        r#"flow_logs = { destination = "demo-logs" }"#,
        "flow_logs.destination",
        r#""demo-logs" is not the ARN of such a destination"#,
    ),
    bad(
        VPC,
        r#"flow_logs = { destination = "arn:aws:logs:us-east-1:123456789012:log-group:demo", destination_type = "cloud-watch-logs" }"#,
        "flow_logs.role_arn",
        "flow logs to CloudWatch need role_arn",
    ),
    bad(
        VPC,
        r#"flow_logs = { destination = "arn:aws:s3:::demo", interval_seconds = 300 }"#,
        "flow_logs.interval_seconds",
        "300 is not an interval that AWS accepts",
    ),
    bad(VPC, r#"tags = { "aws:team" = "x" }"#, r#"tags["aws:team"]"#, r#"tag "aws:team" begins with "aws:""#),
];
