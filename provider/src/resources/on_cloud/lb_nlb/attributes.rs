//! What can be declared of a Network Load Balancer, with its registry page.

use crate::spelling;
use schema::{Attribute, Nesting, Schema, Type, Value, between, one_of, port};

pub const PROTOCOLS: [&str; 4] = ["TCP", "TLS", "UDP", "TCP_UDP"];

pub fn schema() -> Schema {
    Schema::new(
        "A Network Load Balancer with target groups, listeners and alias records in Route 53.\n\n\
         A target group whose port, protocol, type or family changes is replaced: the new one is created first, then the listener moves \
         over to it.\n\n\
         A target that connects to its own load balancer (an API server whose kubelet uses the load balancer) gets no answer while client \
         addresses are preserved, because it would see its own address as the client's. Therefore `preserve_client_ip` is off by \
         default.",
    )
    .attribute(text("name").required().requires_replace().describe("Name, unique in region and account: at most 32 letters, digits and `-`."))
    .attribute(text("cluster_name").required().describe("Name of the cluster, for tags."))
    .attribute(text("vpc_id").required().requires_replace().unknown_is_another().describe("VPC of the subnets and targets."))
    .attribute(
        text("scheme")
            .default("internal".into())
            .requires_replace()
            .validator(one_of(&["internal", "internet-facing"]))
            .describe("`internal`: its addresses are private; `internet-facing`: they are public."),
    )
    .attribute(
        text("ip_address_type")
            .default("ipv4".into())
            .validator(one_of(&["ipv4", "dualstack"]))
            .describe("Families of its addresses: `ipv4` or `dualstack`, which needs an IPv6 block in each subnet. UDP listeners then need IPv6 targets: the first of them turns on source NAT from an IPv6 prefix of each subnet, which AWS requires and which stays on until you return to `ipv4`."),
    )
    .attribute(Attribute::set("subnet_ids", Type::String).optional().describe("Subnets, one per zone; AWS chooses the addresses. Exactly one of `subnet_ids` and `subnets` must be set."))
    .attribute(Attribute::nested("subnets", Nesting::Set, subnet()).optional().describe("Subnets with fixed addresses. Exactly one of `subnet_ids` and `subnets` must be set."))
    .attribute(
        Attribute::set("security_group_ids", Type::String)
            .optional()
            .describe("Security groups. None can be added later to a load balancer that was created without any."),
    )
    .attribute(switch("cross_zone", true).describe("Whether each zone's address forwards to targets in all zones, so that a zone without a healthy target still answers."))
    .attribute(switch("deletion_protection", false).describe("Whether AWS refuses to delete the load balancer."))
    .attribute(
        text("client_routing_policy")
            .default("any_availability_zone".into())
            .validator(one_of(&["any_availability_zone", "partial_availability_zone_affinity", "availability_zone_affinity"]))
            .describe("Which address clients in the VPC get from DNS: that of any zone, mostly or only that of their own zone."),
    )
    .attribute(Attribute::nested("listeners", Nesting::Map, listener()).required().describe("Listeners by name, each with its target group."))
    .attribute(Attribute::nested("dns", Nesting::Single, dns()).optional().describe("Alias records for the load balancer: A, and AAAA with `dualstack`."))
    .attribute(switch("wait_for_healthy_targets", false).describe("Whether apply waits until all targets are healthy, for at most ten minutes. Leave it off until the targets are set up."))
    .attribute(Attribute::map("tags", Type::String).optional().null_means_absent().describe("Tags of every object."))
    .attribute(text("arn").computed().describe("ARN of the load balancer."))
    .attribute(text("dns_name").computed().describe("DNS name, as assigned by AWS."))
    .attribute(text("dns_zone_id").computed().describe("Hosted zone of `dns_name`, for alias records of your own."))
    .attribute(Attribute::map("target_group_arns", Type::String).computed().describe("ARN of the target group by listener."))
    .attribute(text("endpoint").computed().describe("Name for clients: that in `dns`, or else `dns_name`."))
    .attribute(Attribute::list("endpoint_names", Type::String).computed().describe("All names for clients, in the form of `k8s_pki.endpoints`."))
}

fn subnet() -> Vec<Attribute> {
    vec![
        text("subnet_id").required().describe("Id of the subnet."),
        text("allocation_id").optional().describe("Allocation id of an Elastic IP, for an internet-facing load balancer."),
        text("private_ipv4_address")
            .optional()
            .canonical(spelling::of_network)
            .describe("IPv4 address from the subnet, for an internal load balancer."),
        text("ipv6_address")
            .optional()
            .canonical(spelling::of_network)
            .describe("IPv6 address from the subnet, with `dualstack`."),
    ]
}

fn listener() -> Vec<Attribute> {
    vec![
        Attribute::number("port").required().validator(port()).describe("Port of the load balancer."),
        text("protocol")
            .default("TCP".into())
            .validator(one_of(&PROTOCOLS))
            .describe("Protocol. `TLS` is terminated at the load balancer; `TCP` passes TLS through, which API servers need."),
        text("certificate_arn").optional().describe("ARN of a certificate in ACM or IAM, with `TLS`."),
        text("ssl_policy")
            .optional()
            .describe("Security policy, with `TLS`.")
            .defaults_to("`ELBSecurityPolicy-TLS13-1-2-Res-2021-06`"),
        text("alpn_policy")
            .optional()
            .validator(one_of(&["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]))
            .describe("ALPN policy, with `TLS`."),
        Attribute::nested("target", Nesting::Single, target()).required().describe("Where connections are forwarded to."),
        Attribute::nested("health_check", Nesting::Single, health_check()).optional().describe(
            "How the health of targets is checked. By default, a target is healthy while its port accepts connections.",
        ),
    ]
}

fn target() -> Vec<Attribute> {
    vec![
        text("type").default("ip".into()).validator(one_of(&["ip", "instance"])).describe("What `targets` holds: `ip` addresses, or ids with `instance`."),
        text("group_name").optional().describe("Name of the target group.").defaults_to("a name derived from load balancer, listener and what AWS cannot change in place"),
        Attribute::number("port").optional().validator(port()).describe("Port of the targets.").defaults_to("the port of the listener"),
        text("protocol").optional().validator(one_of(&PROTOCOLS)).describe("Protocol towards the targets. `TLS` does not verify their certificates.").defaults_to("the protocol of the listener"),
        text("address_family").default("ipv4".into()).validator(one_of(&["ipv4", "ipv6"])).describe("Family of the targets' addresses. `ipv6` needs `dualstack` and type `ip`."),
        Attribute::set("targets", Type::String).optional().canonical(spelling::of_network).describe("Addresses, or instance ids with type `instance`. Targets that others register stay, unless `exclusive_targets` is set."),
        Attribute::set("autoscaling_group_names", Type::String).optional().describe(
            "With type `instance`: Auto Scaling groups to attach, in addition to `targets`. They register and deregister their instances \
             themselves, which is no drift. Groups that others attach stay, unless `exclusive_targets` is set. The groups are kept when this \
             resource is destroyed.",
        ),
        Attribute::bool("exclusive_targets").optional().defaults_to("`false`").describe(
            "Whether targets and Auto Scaling groups that are not declared here are drift, and are removed by apply. By default, others may \
             add theirs: controllers of Kubernetes, hosts that register themselves, another configuration.",
        ),
        switch("outside_vpc", false).describe("Whether the addresses are outside the VPC, reached by peering, VPN or Direct Connect."),
        Attribute::bool("preserve_client_ip").optional().describe("Whether targets see the clients' addresses. A target that connects to itself through the load balancer then times out.").defaults_to("`true` with UDP, where AWS offers no choice, and `false` otherwise"),
        switch("proxy_protocol", false).describe("Whether connections begin with a PROXY protocol header (version 2). API servers do not understand it."),
        Attribute::bool("connection_termination").optional().describe("Whether connections are closed once their target is deregistered and the delay has passed.").defaults_to("`true` with UDP, and `false` otherwise"),
        Attribute::number("deregistration_delay_seconds")
            .default(300.into())
            .validator(between(0, 3600))
            .describe("How long connections to a deregistered target may continue."),
    ]
}

fn health_check() -> Vec<Attribute> {
    let number = |name, default: i64| Attribute::number(name).default(Value::from(default));
    vec![
        text("protocol")
            .default("TCP".into())
            .validator(one_of(&["TCP", "HTTP", "HTTPS"]))
            .describe("Protocol of the check. `HTTPS` does not verify the targets' certificates."),
        text("port").default("traffic-port".into()).describe("Port of the check, or `traffic-port` for the port of the target."),
        text("path")
            .optional()
            .describe("Path of the request with HTTP and HTTPS, such as `/readyz` of an API server.")
            .defaults_to("`/`"),
        text("matcher")
            .optional()
            .describe("Status codes of a healthy answer, from 200 to 599, such as `200` or `200-299,301`.")
            .defaults_to("`200-399`"),
        number("interval_seconds", 10).validator(between(5, 300)).describe("Time between two checks of a target."),
        number("timeout_seconds", 6)
            .validator(between(2, 120))
            .describe("Time without an answer after which a check fails; at most `interval_seconds`."),
        number("healthy_threshold", 2)
            .validator(between(2, 10))
            .describe("Successful checks in a row that make a target healthy."),
        number("unhealthy_threshold", 2)
            .validator(between(2, 10))
            .describe("Failed checks in a row that make a target unhealthy."),
    ]
}

fn dns() -> Vec<Attribute> {
    vec![
        text("zone_id").required().describe("Hosted zone of Route 53, public or private."),
        text("name").required().describe("Name of the records, within the zone."),
        switch("evaluate_target_health", true)
            .describe("Whether Route 53 stops answering with a load balancer that has no healthy target."),
    ]
}

fn text(name: &'static str) -> Attribute {
    Attribute::string(name)
}

fn switch(name: &'static str, default: bool) -> Attribute {
    Attribute::bool(name).default(default.into())
}
