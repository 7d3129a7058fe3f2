//! What can be declared of a Network Load Balancer, with its registry page.

use schema::{Attribute, Nesting, Schema, Type, Value, between, one_of, port};

pub const PROTOCOLS: [&str; 4] = ["TCP", "TLS", "UDP", "TCP_UDP"];

pub fn schema() -> Schema {
    Schema::new(
        "A Network Load Balancer with target groups, listeners and alias records in Route 53. A target group whose port, protocol, \
         type or family changes is made anew beside the old one, and the listener moves over. A target that connects to its own \
         balancer (an API server whose kubelet goes by the balancer) gets no answer while client addresses are preserved, because \
         it would see its own address as the client's: `preserve_client_ip` is off unless you set it.",
    )
    .attribute(text("name").required().requires_replace().describe("Name, unique in region and account: letters, digits and `-`, at most 32."))
    .attribute(text("cluster_name").required().describe("Name of the cluster, for tags."))
    .attribute(text("vpc_id").required().requires_replace().describe("VPC of subnets and targets."))
    .attribute(
        text("scheme")
            .default("internal".into())
            .requires_replace()
            .validator(one_of(&["internal", "internet-facing"]))
            .describe("Whether its addresses are private or public."),
    )
    .attribute(
        text("ip_address_type")
            .default("ipv4".into())
            .validator(one_of(&["ipv4", "dualstack"]))
            .describe("Families of its addresses. `dualstack` needs an IPv6 block in each subnet. Listeners with UDP then need IPv6 targets; with the first of them, source NAT from an IPv6 prefix of each subnet is turned on, which AWS asks for, and stays on until `ipv4`."),
    )
    .attribute(Attribute::set("subnet_ids", Type::String).optional().describe("Subnets, one per zone. AWS chooses the addresses."))
    .attribute(Attribute::nested("subnets", Nesting::Set, subnet()).optional().describe("Instead of `subnet_ids`: subnets with fixed addresses."))
    .attribute(
        Attribute::set("security_group_ids", Type::String)
            .optional()
            .describe("Security groups. AWS adds none later to a balancer that was made without."),
    )
    .attribute(switch("cross_zone", true).describe("Whether targets in all zones get connections from each zone's address. On unless you set it: a zone without a healthy target then still answers."))
    .attribute(switch("deletion_protection", false).describe("Whether AWS refuses to delete it."))
    .attribute(
        text("client_routing_policy")
            .default("any_availability_zone".into())
            .validator(one_of(&["any_availability_zone", "partial_availability_zone_affinity", "availability_zone_affinity"]))
            .describe("Which zone's address clients in the VPC get from DNS: any, mostly or only that of their own."),
    )
    .attribute(Attribute::nested("listeners", Nesting::Map, listener()).required().null_means_absent().describe("Listeners by name, each with its target group."))
    .attribute(Attribute::nested("dns", Nesting::Single, dns()).optional().describe("Alias records for the balancer: A, and AAAA with `dualstack`."))
    .attribute(switch("wait_for_healthy_targets", false).describe("Whether apply waits until all targets are healthy, at most ten minutes. Leave it off while the targets are still to be set up."))
    .attribute(Attribute::map("tags", Type::String).optional().null_means_absent().describe("Tags of every object."))
    .attribute(text("arn").computed().describe("ARN of the load balancer."))
    .attribute(text("dns_name").computed().describe("DNS name that AWS gave it."))
    .attribute(text("dns_zone_id").computed().describe("Hosted zone of that name, for alias records of your own."))
    .attribute(Attribute::map("target_group_arns", Type::String).computed().describe("ARN of each listener's target group."))
    .attribute(text("endpoint").computed().describe("The name for clients: that of `dns`, else `dns_name`."))
    .attribute(Attribute::list("endpoint_names", Type::String).computed().describe("All names for clients, such as `k8s_pki.endpoints` takes them."))
}

fn subnet() -> Vec<Attribute> {
    vec![
        text("subnet_id").required().describe("Subnet."),
        text("allocation_id").optional().describe("Elastic IP address, for an internet-facing balancer."),
        text("private_ipv4_address").optional().describe("IPv4 address from the subnet, for an internal balancer."),
        text("ipv6_address").optional().describe("IPv6 address from the subnet, with `dualstack`."),
    ]
}

fn listener() -> Vec<Attribute> {
    vec![
        Attribute::number("port").required().validator(port()).describe("Port of the balancer."),
        text("protocol")
            .default("TCP".into())
            .validator(one_of(&PROTOCOLS))
            .describe("Protocol. `TLS` ends at the balancer; `TCP` passes TLS through, as API servers need it."),
        text("certificate_arn").optional().describe("Certificate of ACM or IAM, with `TLS`."),
        text("ssl_policy")
            .optional()
            .describe("Security policy, with `TLS`. When not given, `ELBSecurityPolicy-TLS13-1-2-Res-2021-06`."),
        text("alpn_policy")
            .optional()
            .validator(one_of(&["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]))
            .describe("What is negotiated by ALPN, with `TLS`."),
        Attribute::nested("target", Nesting::Single, target()).required().describe("Where connections go."),
        Attribute::nested("health_check", Nesting::Single, health_check())
            .optional()
            .describe("How targets are checked. When not given, a target is healthy while its port takes connections."),
    ]
}

fn target() -> Vec<Attribute> {
    vec![
        text("type").default("ip".into()).validator(one_of(&["ip", "instance"])).describe("Whether targets are addresses or instance ids."),
        text("group_name").optional().describe("Name of the target group. When not given, it is derived from balancer, listener and what AWS cannot change in place."),
        Attribute::number("port").optional().validator(port()).describe("Port of the targets. When not given, that of the listener."),
        text("protocol").optional().validator(one_of(&PROTOCOLS)).describe("Protocol towards the targets. When not given, that of the listener. `TLS` does not check the targets' certificates."),
        text("address_family").default("ipv4".into()).validator(one_of(&["ipv4", "ipv6"])).describe("Family of the targets' addresses. `ipv6` needs `dualstack` and type `ip`."),
        Attribute::set("targets", Type::String).optional().describe("Addresses, or instance ids with type `instance`. Others that are registered are removed."),
        Attribute::set("autoscaling_group_names", Type::String).optional().describe(
            "With type `instance`: Auto Scaling groups that are attached, beside `targets`. They register and deregister their instances \
             themselves, which is no change here. Others that are attached are detached: leave the target groups out of the groups' own \
             configuration. The groups stay when this resource goes.",
        ),
        switch("outside_vpc", false).describe("Whether the addresses are outside the VPC: reached by peering, VPN or Direct Connect."),
        Attribute::bool("preserve_client_ip").optional().describe("Whether targets see the clients' addresses. When not given, only with UDP, where AWS has no choice. A target that connects to itself through the balancer then times out."),
        switch("proxy_protocol", false).describe("Whether connections begin with a proxy protocol header (version 2). API servers do not understand it."),
        Attribute::bool("connection_termination").optional().describe("Whether connections end when their target was deregistered and the delay is over. When not given, only with UDP."),
        Attribute::number("deregistration_delay_seconds")
            .default(300.into())
            .validator(between(0, 3600))
            .describe("How long connections to a deregistered target may go on."),
    ]
}

fn health_check() -> Vec<Attribute> {
    let number = |name, default: i64| Attribute::number(name).default(Value::from(default));
    vec![
        text("protocol")
            .default("TCP".into())
            .validator(one_of(&["TCP", "HTTP", "HTTPS"]))
            .describe("`HTTPS` does not check the targets' certificates."),
        text("port").default("traffic-port".into()).describe("A port, or `traffic-port` for that of the target."),
        text("path")
            .optional()
            .describe("Path of the request with HTTP and HTTPS, such as `/readyz` of an API server. When not given, `/`."),
        text("matcher")
            .optional()
            .describe("Codes of a healthy answer, 200 to 599, such as `200` or `200-299,301`. When not given, `200-399`."),
        number("interval_seconds", 10).validator(between(5, 300)).describe("Time between checks of a target."),
        number("timeout_seconds", 6)
            .validator(between(2, 120))
            .describe("Time without an answer after which a check has failed; at most the interval."),
        number("healthy_threshold", 2).validator(between(2, 10)).describe("Checks in a row that make a target healthy."),
        number("unhealthy_threshold", 2).validator(between(2, 10)).describe("Failed checks in a row that make it unhealthy."),
    ]
}

fn dns() -> Vec<Attribute> {
    vec![
        text("zone_id").required().describe("Hosted zone, public or private."),
        text("name").required().describe("Name of the records, within the zone."),
        switch("evaluate_target_health", true).describe("Whether Route 53 leaves out a balancer without healthy targets."),
    ]
}

fn text(name: &'static str) -> Attribute {
    Attribute::string(name)
}

fn switch(name: &'static str, default: bool) -> Attribute {
    Attribute::bool(name).default(default.into())
}
