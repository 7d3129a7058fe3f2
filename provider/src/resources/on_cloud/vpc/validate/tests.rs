//! Each mistake with its path and summary.

use super::*;

/// The least that is right, with some attributes otherwise.
fn config<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let mut config = Value::object([
        ("name", "demo".into()),
        ("cidr", "10.0.0.0/16".into()),
        ("zones", vec!["us-east-1a", "us-east-1b"].into()),
    ]);
    attributes.into_iter().for_each(|(name, value)| config.set(name, value));
    config
}

#[track_caller]
fn check<const N: usize>(attributes: [(&str, Value); N], expect: &[(&str, &str)]) {
    let (config, mut found) = (config(attributes), Diagnostics::default());
    validate(&ValueAt::of(&config), &mut found);
    let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
    let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
    let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    assert_eq!(said, expect);
    for diagnostic in &found {
        assert!(diagnostic.detail.ends_with('.') && !diagnostic.summary.ends_with('.'), "{diagnostic}");
    }
}

fn list(items: &[&str]) -> Value {
    items.to_vec().into()
}

/// One private tier with these attributes.
fn tier<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let mut tier = Value::object([("type", "private".into())]);
    attributes.into_iter().for_each(|(name, value)| tier.set(name, value));
    Value::object([("private", tier), ("public", Value::object([("type", "public".into())]))])
}

fn ipv6() -> Value {
    Value::object([("source", "amazon".into())])
}

#[test]
fn what_is_right_or_not_known_is_passed() {
    check([], &[]);
    check([("zones", Value::Null), ("zone_count", 3.into())], &[]);
    for name in [
        "name",
        "cidr",
        "secondary_cidrs",
        "ipv6",
        "zones",
        "subnets",
        "nat",
        "dhcp_options",
        "endpoints",
        "security_groups",
        "flow_logs",
        "tags",
    ] {
        check([(name, Value::Unknown)], &[]);
    }
    check(
        [
            (
                "ipv6",
                Value::object([
                    ("source", "ipam".into()),
                    ("pool_id", "ipam-pool-0123456789abcdef0".into()),
                    ("netmask_length", 52.into()),
                ]),
            ),
            ("subnets", tier([("netmask", 22.into()), ("ipv6_only", false.into()), ("dns64", true.into())])),
            ("nat", Value::object([("mode", "single".into()), ("elastic_ip_ids", list(&["eipalloc-0123456789abcdef0"]))])),
            (
                "endpoints",
                Value::object([
                    ("gateway", list(&["s3"])),
                    ("interface", list(&["ec2", "ecr.api", "com.amazonaws.us-east-1.sts"])),
                ]),
            ),
        ],
        &[],
    );
}

#[test]
fn names() {
    check([("name", "Demo".into())], &[("name", "\"Demo\" is not a usable name")]);
    check([("name", "sg-demo".into())], &[("name", "name begins with \"sg-\"")]);
}

#[test]
fn cidrs() {
    let at = "cidr";
    check([(at, "10.0.0.0".into())], &[(at, "\"10.0.0.0\" is not a CIDR")]);
    check([(at, "10.0.0.1/16".into())], &[(at, "10.0.0.1/16 has host bits set")]);
    check([(at, "fd00::/56".into())], &[(at, "fd00::/56 is IPv6")]);
    check([(at, "10.0.0.0/8".into())], &[(at, "10.0.0.0/8 has a prefix length that AWS does not accept")]);
    check([(at, "10.0.0.0/29".into())], &[(at, "10.0.0.0/29 has a prefix length that AWS does not accept")]);
    check([(at, "169.254.0.0/16".into())], &[(at, "169.254.0.0/16 lies in 169.254.0.0/16, which no VPC can have")]);
    check([(at, "172.17.0.0/20".into())], &[(at, "172.17.0.0/20 overlaps 172.17.0.0/16")]);
}

#[test]
fn secondary_cidrs() {
    let at = "secondary_cidrs";
    check([(at, list(&["100.64.0.0/16", "10.1.0.0/16"]))], &[]);
    check([(at, list(&["10.0.128.0/17"]))], &[(at, "10.0.128.0/17 overlaps 10.0.0.0/16")]);
    check([(at, list(&["100.64.0.0/16", "100.64.1.0/24"]))], &[(at, "100.64.1.0/24 overlaps 100.64.0.0/16")]);
    check([(at, list(&["192.168.0.0/16"]))], &[(at, "192.168.0.0/16 cannot be added to a VPC of 10.0.0.0/16")]);
    check([(at, list(&["198.19.0.0/16"]))], &[(at, "198.19.0.0/16 cannot be added to a VPC of 10.0.0.0/16")]);
    check(
        [("cidr", "100.64.0.0/16".into()), (at, list(&["10.0.0.0/16"]))],
        &[(at, "10.0.0.0/16 cannot be added to a VPC of 100.64.0.0/16")],
    );
    check(
        [("cidr", "172.18.0.0/16".into()), (at, list(&["172.31.0.0/16"]))],
        &[(at, "172.31.0.0/16 cannot be added to a VPC of 172.18.0.0/16")],
    );
    check(
        [(at, list(&["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"]))],
        &[(at, "secondary_cidrs has too many CIDRs")],
    );
    check([(at, list(&["fd00::/56"]))], &[(at, "fd00::/56 is IPv6")]);
}

#[test]
fn ipv6_sources() {
    let of = |attributes: &[(&str, Value)]| {
        Value::Map(attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    };
    check([("ipv6", of(&[]))], &[]);
    check([("ipv6", of(&[("source", "ipam".into())]))], &[("ipv6.pool_id", "source \"ipam\" needs pool_id")]);
    check(
        [("ipv6", of(&[("source", "pool".into()), ("pool_id", "ipv6pool-ec2-0123456789abcdef0".into())]))],
        &[("ipv6.cidr", "source \"pool\" needs cidr")],
    );
    check([("ipv6", of(&[("cidr", "2001:db8::/56".into())]))], &[("ipv6.cidr", "cidr does not belong to source \"amazon\"")]);
    check(
        [("ipv6", of(&[("source", "ipam".into()), ("pool_id", "pool-1".into())]))],
        &[("ipv6.pool_id", "\"pool-1\" is not the id of such a pool")],
    );
    let ipam = |length: i64| {
        of(&[("source", "ipam".into()), ("pool_id", "ipam-pool-0123456789abcdef0".into()), ("netmask_length", length.into())])
    };
    check([("ipv6", ipam(55))], &[("ipv6.netmask_length", "55 is not a prefix length that AWS accepts")]);
    let own = |cidr: &str| {
        of(&[("source", "pool".into()), ("pool_id", "ipv6pool-ec2-0123456789abcdef0".into()), ("cidr", cidr.into())])
    };
    check([("ipv6", own("2001:db8::/56"))], &[]);
    check([("ipv6", own("2001:db8::/64"))], &[("ipv6.cidr", "2001:db8::/64 has a prefix length that AWS does not accept")]);
    check([("ipv6", own("10.0.0.0/16"))], &[("ipv6.cidr", "10.0.0.0/16 is IPv4")]);
    check([("ipv6", own("2001:db8::1/56"))], &[("ipv6.cidr", "2001:db8::1/56 has host bits set")]);
}

#[test]
fn zones() {
    check([("zones", Value::Null)], &[("zones", "neither zones nor zone_count is given")]);
    check([("zone_count", 2.into())], &[("zone_count", "both zones and zone_count are given")]);
    check([("zones", list(&[]))], &[("zones", "zones is empty")]);
    check([("zones", list(&["use1-az1"]))], &[("zones", "\"use1-az1\" is not the name of an availability zone")]);
    check([("zones", list(&["us-east-1a", "us-east-1a"]))], &[("zones", "zone us-east-1a is given twice")]);
    check([("zones", list(&["us-east-1a", "eu-west-1a"]))], &[("zones", "zones are of several regions: eu-west-1, us-east-1")]);
}

#[test]
fn tiers() {
    let named = |name: &str| Value::object([(name, Value::object([("type", "isolated".into())]))]);
    check([("subnets", Value::object([]))], &[("subnets", "subnets is empty")]);
    for name in ["Private", "1st", "private-1", "a_b", ""] {
        check([("subnets", named(name))], &[(&format!("subnets[{name:?}]"), &format!("{name:?} cannot be the name of a tier"))]);
    }
    check(
        [("subnets", tier([("ipv6_only", true.into())]))],
        &[("subnets[\"private\"].ipv6_only", "ipv6_only needs a VPC with IPv6")],
    );
    check(
        [("ipv6", ipv6()), ("subnets", tier([("ipv6_only", true.into()), ("netmask", 24.into())]))],
        &[("subnets[\"private\"].netmask", "netmask does not belong to an IPv6-only tier")],
    );
    let dns64 = || tier([("dns64", true.into())]);
    check([("subnets", dns64())], &[("subnets[\"private\"].dns64", "dns64 needs a VPC with IPv6")]);
    check(
        [("ipv6", ipv6()), ("subnets", dns64()), ("nat", Value::object([("mode", "none".into())]))],
        &[("subnets[\"private\"].dns64", "dns64 needs a NAT gateway")],
    );
    check(
        [("ipv6", ipv6()), ("subnets", tier([("dns64", true.into()), ("type", "isolated".into())]))],
        &[("subnets[\"private\"].dns64", "dns64 leads nowhere from an isolated tier")],
    );
}

#[test]
fn given_cidrs_of_tiers() {
    let given = |cidrs: &[&str]| tier([("cidrs", list(cidrs))]);
    let at = "subnets[\"private\"].cidrs";
    check([("subnets", given(&["10.0.0.0/24", "10.0.1.0/24"]))], &[]);
    check([("subnets", given(&["10.0.0.0/24"]))], &[(at, "cidrs has 1 CIDRs for 2 zones")]);
    let second = format!("{at}[1]");
    check([("subnets", given(&["10.0.0.0/24", "10.0.1.0"]))], &[(&second, "\"10.0.1.0\" is not a CIDR")]);
    check([("subnets", given(&["10.0.0.0/24", "10.1.0.0/24"]))], &[(&second, "10.1.0.0/24 lies outside the VPC")]);
    check(
        [("subnets", given(&["10.0.0.0/24", "10.0.0.128/25"]))],
        &[(&second, "10.0.0.128/25 overlaps 10.0.0.0/24 of subnets[\"private\"].cidrs[0]")],
    );
    check(
        [("subnets", given(&["10.0.0.0/24", "10.0.1.0/30"]))],
        &[(&second, "10.0.1.0/30 has a prefix length that AWS does not accept")],
    );
    let both = tier([("cidrs", list(&["10.0.0.0/24", "10.0.1.0/24"])), ("netmask", 24.into())]);
    check([("subnets", both)], &[("subnets[\"private\"].netmask", "both netmask and cidrs are given")]);
    check(
        [("subnets", tier([("netmask", 16.into())]))],
        &[("subnets[\"private\"].netmask", "tier private has no room for its subnets")],
    );
    check(
        [("cidr", "10.0.0.0/20".into()), ("subnets", tier([("netmask", 18.into())]))],
        &[("subnets[\"private\"].netmask", "/18 is larger than the VPC")],
    );
    check([("cidr", "10.0.0.0/28".into())], &[]);
    let small = Value::object([
        ("private", Value::object([("type", "private".into())])),
        ("public", Value::object([("type", "public".into())])),
    ]);
    check(
        [("cidr", "10.0.0.0/28".into()), ("subnets", small)],
        &[("subnets[\"private\"].netmask", "tier private has no room for its subnets")],
    );
}

#[test]
fn nat() {
    let private = || Value::object([("private", Value::object([("type", "private".into())]))]);
    check([("subnets", private())], &[("nat.mode", "NAT gateways need a public tier with IPv4")]);
    check([("subnets", private()), ("nat", Value::object([("mode", "none".into())]))], &[]);
    check(
        [("nat", Value::object([("subnets", "private".into())]))],
        &[("nat.subnets", "\"private\" is not a public tier with IPv4")],
    );
    let addresses = |mode: &str, ids: &[&str]| Value::object([("mode", mode.into()), ("elastic_ip_ids", list(ids))]);
    check(
        [("nat", addresses("per_zone", &["192.0.2.1"]))],
        &[("nat.elastic_ip_ids[0]", "\"192.0.2.1\" is not the allocation id of an Elastic IP")],
    );
    let twice = ["eipalloc-0123456789abcdef0", "eipalloc-0123456789abcdef0"];
    check([("nat", addresses("per_zone", &twice))], &[("nat.elastic_ip_ids[1]", "eipalloc-0123456789abcdef0 is given twice")]);
    check(
        [("nat", addresses("none", &twice[..1]))],
        &[("nat.elastic_ip_ids", "elastic_ip_ids are given, but no NAT gateway is created")],
    );
}

#[test]
fn dhcp_options() {
    let of = |name: &str, value: Value| [("dhcp_options", Value::object([(name, value)]))];
    check(of("domain_name", "demo.internal".into()), &[]);
    check(of("domain_name", "https://demo".into()), &[("dhcp_options.domain_name", "\"https://demo\" is not a domain name")]);
    check(of("domain_name_servers", list(&["10.0.0.2", "AmazonProvidedDNS", "fd00:ec2::253"])), &[]);
    check(
        of("domain_name_servers", list(&["dns.demo"])),
        &[("dhcp_options.domain_name_servers[0]", "\"dns.demo\" is not an address")],
    );
    check(of("domain_name_servers", list(&[])), &[("dhcp_options.domain_name_servers", "domain_name_servers is empty")]);
    check(
        of("ntp_servers", list(&["AmazonProvidedDNS"])),
        &[("dhcp_options.ntp_servers[0]", "\"AmazonProvidedDNS\" is not an address")],
    );
    let five = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
    check(of("ntp_servers", list(&five)), &[("dhcp_options.ntp_servers", "ntp_servers has more than four servers")]);
}

#[test]
fn endpoints() {
    let of = |name: &str, value: Value| [("endpoints", Value::object([(name, value)]))];
    for bad in ["ECR", "ecr..api", "com.amazonaws.us-east-1.", "ec2.us-east-1.amazonaws.com", ""] {
        check(of("interface", list(&[bad])), &[("endpoints.interface", &format!("{bad:?} is not the name of a service"))]);
    }
    check(of("gateway", list(&["ec2"])), &[("endpoints.gateway", "ec2 has no gateway endpoint")]);
    check(of("subnets", "inner".into()), &[("endpoints.subnets", "there is no tier \"inner\"")]);
    let specific = |name: &str, value: Value| {
        let overrides = Value::object([("ec2", Value::object([(name, value)]))]);
        [("endpoints", Value::object([("interface", list(&["ec2"])), ("overrides", overrides)]))]
    };
    check(specific("ip_address_type", "ipv4".into()), &[]);
    check(
        specific("ip_address_type", "dualstack".into()),
        &[("endpoints.overrides[\"ec2\"].ip_address_type", "\"dualstack\" needs a VPC with IPv6")],
    );
    check(
        specific("policy", "allow".into()),
        &[("endpoints.overrides[\"ec2\"].policy", "the policy is not an IAM policy in JSON")],
    );
    let mut ipv4 = config(specific("ip_address_type", "ipv4".into()));
    ipv4.set("ipv6", ipv6());
    ipv4.set("subnets", tier([("ipv6_only", true.into())]));
    let mut said = Diagnostics::default();
    validate(&ValueAt::of(&ipv4), &mut said);
    assert_eq!(said.iter().map(|one| one.summary.as_str()).collect::<Vec<_>>(), ["\"ipv4\" needs subnets with IPv4"]);
    check(
        of("overrides", Value::object([("sts", Value::object([]))])),
        &[("endpoints.overrides[\"sts\"]", "sts has overrides, but no endpoint")],
    );
}

#[test]
fn security_groups() {
    let of = |name: &str, value: Value| [("security_groups", Value::object([(name, value)]))];
    check(of("wireguard", true.into()), &[("security_groups.wireguard", "wireguard belongs to a network add-on")]);
    check(of("api_port", 30_000.into()), &[("security_groups.api_port", "port 30000 is a node port")]);
    check(of("admin_cidrs", list(&["192.0.2.1"])), &[("security_groups.admin_cidrs", "\"192.0.2.1\" is not a CIDR")]);
    check(
        of("admin_cidrs", list(&["0.0.0.0/0"])),
        &[("security_groups.admin_cidrs", "admin_cidrs lets 0.0.0.0/0 reach the bastion by SSH")],
    );
    check(
        of("node_port_cidrs", list(&["2001:db8::/32"])),
        &[("security_groups.node_port_cidrs", "2001:db8::/32 reaches nothing")],
    );
    let rule = |name: &str, attribute: &str, value: &str| {
        let mut rule = Value::object([("role", "node".into()), ("peer", "node".into()), ("ports", "9100".into())]);
        rule.set(attribute, value.into());
        Value::object([("additional_rules", Value::object([(name, rule)]))])
    };
    let at = |attribute: &str| format!("security_groups.additional_rules[\"x\"].{attribute}");
    for (attribute, value, summary) in [
        ("protocol", "sctp", "\"sctp\" is not a protocol"),
        ("protocol", "icmp", "protocol icmp has no ports"),
        ("ports", "9100-9000", "\"9100-9000\" are not ports"),
        ("ports", "0", "\"0\" are not ports"),
        ("peer", "10.0.0.1/8", "\"10.0.0.1/8\" is not a peer"),
        ("peer", "nodes", "\"nodes\" is not a peer"),
    ] {
        let path = if summary.ends_with("no ports") { at("ports") } else { at(attribute) };
        check([("security_groups", rule("x", attribute, value))], &[(&path, summary)]);
    }
    check(
        [("security_groups", rule("it's", "ports", "1"))],
        &[("security_groups.additional_rules[\"it's\"]", "\"it's\" cannot describe a rule")],
    );
    let one = Value::object([("role", "node".into()), ("peer", "node".into()), ("ports", "9100".into())]);
    let twice = Value::object([("a", one.clone()), ("b", one)]);
    check(of("additional_rules", twice), &[("security_groups.additional_rules[\"b\"]", "rules \"a\" and \"b\" are the same")]);
}

#[test]
fn flow_logs() {
    let of = |kind: &str, destination: &str, role: Value| {
        let logs = [("destination_type", kind.into()), ("destination", destination.into()), ("role_arn", role)];
        [("flow_logs", Value::object(logs))]
    };
    check(of("s3", "arn:aws-cn:s3:::demo/prefix", Value::Null), &[]);
    check(of("s3", "s3://demo", Value::Null), &[("flow_logs.destination", "\"s3://demo\" is not the ARN of such a destination")]);
    let group = "arn:aws:logs:us-east-1:123456789012:log-group:demo";
    check(of("cloud-watch-logs", group, "arn:aws:iam::123456789012:role/logs".into()), &[]);
    check(of("cloud-watch-logs", group, Value::Null), &[("flow_logs.role_arn", "flow logs to CloudWatch need role_arn")]);
    check(of("cloud-watch-logs", group, "logs".into()), &[("flow_logs.role_arn", "\"logs\" is not the ARN of a role")]);
    check(
        of("s3", "arn:aws:s3:::demo", "arn:aws:iam::123456789012:role/logs".into()),
        &[("flow_logs.role_arn", "flow logs to S3 take no role")],
    );
    let interval = Value::object([("destination", "arn:aws:s3:::demo".into()), ("interval_seconds", 300.into())]);
    check([("flow_logs", interval)], &[("flow_logs.interval_seconds", "300 is not an interval that AWS accepts")]);
}

#[test]
fn tags() {
    let of = |key: &str, value: &str| [("tags", Value::object([(key, value.into())]))];
    check(of("team", "infrastructure"), &[]);
    for (key, prefix) in
        [("AWS:x", "aws:"), ("kubernetes.io/cluster/demo", "kubernetes.io/cluster/"), ("k8s-hardway/object", "k8s-hardway/")]
    {
        check(of(key, "x"), &[(&format!("tags[{key:?}]"), &format!("tag {key:?} begins with {prefix:?}"))]);
    }
    let long = "x".repeat(129);
    check(of(&long, "x"), &[(&format!("tags[{long:?}]"), "the key of a tag is empty or too long")]);
    check(of("team", &"x".repeat(257)), &[("tags[\"team\"]", "the value of tag \"team\" is too long")]);
    let many = (0..46).map(|index| (format!("k{index}"), Value::from("x"))).collect();
    check([("tags", Value::Map(many))], &[("tags", "46 tags are too many")]);
    check(
        [("subnets", tier([("tags", Value::object([("aws:x", "x".into())]))]))],
        &[("subnets[\"private\"].tags[\"aws:x\"]", "tag \"aws:x\" begins with \"aws:\"")],
    );
}
