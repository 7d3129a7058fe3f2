//! The attributes of `k8s_vpc`, with the texts of its page.

use crate::spelling;
use schema::{Attribute, Nesting, Schema, Type, Value, between, one_of, port};

pub const REACHES: [&str; 3] = ["public", "private", "isolated"];
pub const NAT_MODES: [&str; 3] = ["per_zone", "single", "none"];
pub const IPV6_SOURCES: [&str; 3] = ["amazon", "ipam", "pool"];
/// As the renderer writes them; a test holds both lists together.
pub const NETWORK_ADDONS: [&str; 6] = ["none", "calico", "calico-vxlan", "cilium", "cilium-geneve", "flannel"];
pub const ROLES: [&str; 6] = ["control-plane", "node", "load-balancer", "bastion", "proxy", "endpoint"];
pub const AMAZON_DNS: &str = "AmazonProvidedDNS";

pub fn schema() -> Schema {
    Schema::new(
        "The network of a cluster on AWS: a VPC with subnets in each zone, gateways, route tables, endpoints and security groups, in \
         IPv4 or dual stack.\n\n\
         The plan shows every address before anything is created. Adding a zone or a tier moves no existing subnet.",
    )
    .attribute(
        Attribute::string("name")
            .required()
            .requires_replace()
            .describe("Name of the cluster. It is part of the names and tags of all objects, and of the tag `kubernetes.io/cluster/<name>`. It must be \
                 unique in the region: objects are found by it, and a second configuration with the same name is refused."),
    )
    .attribute(Attribute::string("cidr").required().requires_replace().canonical(spelling::of_network).describe("IPv4 CIDR of the VPC, from `/16` to `/28`, such as `10.0.0.0/16`."))
    .attribute(networks("secondary_cidrs", "More IPv4 CIDRs. Tiers for which `cidr` has no room get their subnets from these."))
    .attribute(ipv6())
    .attribute(Attribute::set("zones", Type::String).optional().describe("Availability zones by name. Exactly one of `zones` and `zone_count` must be set."))
    .attribute(
        Attribute::number("zone_count")
            .optional()
            .validator(between(1, 8))
            .describe("How many zones. The first available ones by name are chosen at apply and kept. Exactly one of `zones` and `zone_count` must be set."),
    )
    .attribute(subnets())
    .attribute(nat())
    .attribute(dhcp_options())
    .attribute(endpoints())
    .attribute(security_groups())
    .attribute(flow_logs())
    .attribute(
        Attribute::bool("exclusive").optional().defaults_to("`false`").describe(
            "Whether routes, subnets in route tables, CIDRs of the VPC and route tables of gateway endpoints that are not declared here are \
             drift, and are removed by apply. By default, others may add theirs: routes to a transit gateway, a peering connection, a \
             firewall or pods, with subnets of their own.",
        ),
    )
    .attribute(
        Attribute::bool("destroy_leftovers").default(false.into()).describe(
            "Whether a destroy also deletes what Kubernetes or GuardDuty created in this VPC: load balancers, target groups, endpoints, \
             security groups and interfaces. Otherwise the destroy fails and names each of them. Whatever else is in the VPC or attached \
             to it stops a destroy before anything is deleted.",
        ),
    )
    .attribute(
        Attribute::bool("destroy_volumes").optional().defaults_to("`false`").describe(
            "Whether a destroy also deletes, **with their data**, the region's detached volumes with the tag `kubernetes.io/cluster/<name>`. \
             A volume is in no VPC: that no other cluster of this name is in the region is yours to know, and if one uses such volumes, the \
             destroy fails. Otherwise volumes stay, and a warning names them.",
        ),
    )
    .attribute(Attribute::map("tags", Type::String).default(Value::object([])).null_means_absent().describe("Tags of all objects."))
    .attributes(computed())
}

fn computed() -> Vec<Attribute> {
    let text = |name, description: &'static str| Attribute::string(name).computed().describe(description);
    let texts = |name, description: &'static str| Attribute::map(name, Type::String).computed().describe(description);
    let list = |name, description: &'static str| Attribute::list(name, Type::String).computed().describe(description);
    let numbers = |name, description: &'static str| Attribute::map(name, Type::Number).computed().describe(description);
    vec![
        text("region", "Region of the VPC."),
        text("vpc_id", "Id of the VPC."),
        texts(
            "numbered_zones",
            "Zone name by zone number. Numbers are part of the names of subnets; a number is never reused for another zone.",
        ),
        numbers("zone_numbers", "Zone number by zone name."),
        list("zone_names", "Zones in use, by number."),
        texts("subnet_cidrs", "IPv4 CIDR of each subnet, by its name `<tier>-<zone number>`; known at plan."),
        numbers("subnet_ipv6_indexes", "Which /64 of the VPC's IPv6 block each subnet has, counted from 0; known at plan."),
        texts("subnet_ids", "Id of each subnet by its name."),
        list("public_subnet_ids", "Ids of the public subnets, by tier and zone number."),
        list("private_subnet_ids", "Ids of the private subnets, by tier and zone number."),
        list("isolated_subnet_ids", "Ids of the isolated subnets, by tier and zone number."),
        text("ipv6_cidr", "IPv6 block of the VPC."),
        texts("subnet_ipv6_cidrs", "IPv6 CIDR of each subnet by its name."),
        texts(
            "security_group_ids",
            "Ids of the security groups by role: `control-plane`, `node`, `load-balancer`, `bastion`, `proxy`, `endpoint`.",
        ),
        texts("route_table_ids", "Ids of the route tables by name: one per public or isolated tier, one per private subnet."),
        list("nat_public_ips", "Public addresses of the NAT gateways, by zone number."),
        texts("endpoint_ids", "Ids of the endpoints by service; those of gateway endpoints by `<service>-gateway`."),
        list(
            "endpoint_services",
            "Short names of the services with an endpoint, in the form of `k8s_egress_proxy.no_proxy.endpoints`.",
        ),
    ]
}

fn networks(name: &'static str, description: &'static str) -> Attribute {
    strings(name, description).canonical(spelling::of_network)
}

fn strings(name: &'static str, description: &'static str) -> Attribute {
    Attribute::set(name, Type::String).default(Value::List(Vec::new())).describe(description)
}

fn ipv6() -> Attribute {
    Attribute::nested(
        "ipv6",
        Nesting::Single,
        vec![
            Attribute::string("source").default("amazon".into()).validator(one_of(&IPV6_SOURCES)).describe(
                "Where the block comes from: `amazon` is a `/56` of Amazon's addresses, `ipam` a block from an IPAM pool, `pool` your own block that was brought to AWS.",
            ),
            Attribute::string("pool_id").optional().describe("Id of the IPAM pool (`ipam-pool-…`) or address pool (`ipv6pool-ec2-…`)."),
            Attribute::number("netmask_length").optional().describe("For `ipam`: prefix length of the block, from `44` to `60` in steps of 4.").defaults_to("`56`"),
            Attribute::string("cidr").optional().canonical(spelling::of_network).describe("For `pool`: the block, such as `2001:db8:1234:1a00::/56`."),
        ],
    )
    .optional()
    .describe("IPv6 in addition to IPv4. It can be added to an existing VPC.")
}

fn subnets() -> Attribute {
    let tier = |reach: &str| Value::object([("type", reach.into())]);
    Attribute::nested(
        "subnets",
        Nesting::Map,
        vec![
            Attribute::string("type").required().validator(one_of(&REACHES)).describe(
                "`public`: to and from the internet; `private`: only out, through NAT gateways and an egress-only internet gateway; `isolated`: only within the VPC.",
            ),
            Attribute::number("netmask")
                .optional()
                .validator(between(16, 28))
                .describe("Prefix length of each subnet.")
                .defaults_to("the VPC's prefix length plus 4 for private and 8 for other subnets, at most `28`"),
            Attribute::list("cidrs", Type::String)
                .optional()
                .canonical(spelling::of_network)
                .describe("IPv4 CIDRs of the subnets in the order of zone numbers, instead of calculated ones."),
            Attribute::bool("ipv6_only").default(false.into()).describe("Whether the subnets have no IPv4."),
            Attribute::bool("dns64").default(false.into()).describe(
                "Whether names with only IPv4 addresses resolve to addresses in `64:ff9b::/96`, which are routed to a NAT gateway.",
            ),
            Attribute::map("tags", Type::String).default(Value::object([])).null_means_absent().describe("Tags of these subnets."),
        ],
    )
    .default(Value::object([("private", tier("private")), ("public", tier("public"))]))
    .describe("Tiers of subnets. Each has one subnet per zone, and reserves room for eight zones, or as many as fit.")
}

fn nat() -> Attribute {
    Attribute::nested(
        "nat",
        Nesting::Single,
        vec![
            Attribute::string("mode")
                .default("per_zone".into())
                .validator(one_of(&NAT_MODES))
                .describe("How many NAT gateways there are: one `per_zone`, a `single` one, or `none`."),
            Attribute::string("subnets")
                .optional()
                .describe("Public tier in which the NAT gateways are placed.")
                .defaults_to("`public`, or else the first public tier by name"),
            Attribute::list("elastic_ip_ids", Type::String)
                .default(Value::List(Vec::new()))
                .describe("Allocation ids of existing Elastic IPs, in the order of zone numbers. Missing ones are created."),
        ],
    )
    .default(Value::object([]))
    .describe("NAT gateways for IPv4 from private subnets, and for DNS64.")
}

fn dhcp_options() -> Attribute {
    Attribute::nested(
        "dhcp_options",
        Nesting::Single,
        vec![
            Attribute::string("domain_name")
                .optional()
                .describe("Domain of the instances. Nodes need one to join.")
                .defaults_to("AWS's domain for the region"),
            Attribute::list("domain_name_servers", Type::String)
                .default(vec![AMAZON_DNS].into())
                .canonical(spelling::of_network)
                .describe("Addresses of up to four name servers, or `AmazonProvidedDNS`."),
            Attribute::list("ntp_servers", Type::String)
                .default(Value::List(Vec::new()))
                .canonical(spelling::of_network)
                .describe("Addresses of up to four time servers."),
        ],
    )
    .optional()
    .describe("DHCP options of this VPC.")
    .defaults_to("the DHCP options that AWS has for the region")
}

fn endpoints() -> Attribute {
    Attribute::nested(
        "endpoints",
        Nesting::Single,
        vec![
            strings("gateway", "Services with a gateway endpoint in every route table: `s3`, `dynamodb`."),
            strings("interface", "Services with an interface endpoint, by short name, such as `ec2`, `sts`, `ecr.api`, `ecr.dkr`; or by full name."),
            Attribute::string("subnets").optional().describe("Tier in which the interfaces are placed.").defaults_to("`private`, or else the first private tier by name"),
            Attribute::bool("private_dns").default(true.into()).describe("Whether the services' public names resolve to the interfaces."),
            Attribute::nested(
                "overrides",
                Nesting::Map,
                vec![
                    Attribute::string("ip_address_type")
                        .optional()
                        .validator(one_of(&["ipv4", "dualstack", "ipv6"]))
                        .describe("Families of the interfaces. Not every service supports `dualstack`.")
                        .defaults_to("`dualstack` if the VPC has IPv6, and `ipv4` otherwise"),
                    Attribute::bool("private_dns").optional().describe("Whether the service's public name resolves to the interfaces.").defaults_to("`private_dns` of all endpoints"),
                    Attribute::string("policy").optional().describe("Policy in JSON.").defaults_to("full access"),
                ],
            )
            .default(Value::object([]))
            .describe("Settings that override these for individual services."),
        ],
    )
    .optional()
    .describe("VPC endpoints, through which AWS services are reached without the internet.")
}

fn security_groups() -> Attribute {
    Attribute::nested(
        "security_groups",
        Nesting::Single,
        vec![
            Attribute::string("network_addon")
                .default("none".into())
                .validator(one_of(&NETWORK_ADDONS))
                .describe("Network add-on whose ports are opened between hosts with pods. `calico` uses BGP with IP-in-IP; `calico-vxlan` is for `k8s_addon` Calico; `cilium` and `flannel` use VXLAN."),
            Attribute::bool("wireguard").default(false.into()).describe("Whether the network add-on encrypts with WireGuard."),
            Attribute::number("api_port").default(6443.into()).validator(port()).describe("Port of the API servers and of their load balancer."),
            Attribute::number("proxy_port").default(3128.into()).validator(port()).describe("Port of the egress proxy."),
            Attribute::bool("vrrp").default(false.into()).describe("Whether load balancers are hosts with keepalived: allows VRRP between them, and SSH from the bastion."),
            networks("pod_cidrs", "CIDRs of pods whose packets reach other hosts without a tunnel."),
            networks("node_port_cidrs", "Networks from which node ports are reached directly."),
            networks("admin_cidrs", "Networks from which the bastion is reached by SSH."),
            networks("load_balancer_cidrs", "Networks from which the load balancer of the API servers is reached, in addition to the cluster and the bastion."),
            Attribute::nested(
                "additional_rules",
                Nesting::Map,
                vec![
                    Attribute::string("role").required().validator(one_of(&ROLES)).describe("Role whose security group gets the rule."),
                    Attribute::string("direction").default("ingress".into()).validator(one_of(&["ingress", "egress"])).describe("Direction of the traffic that the rule allows."),
                    Attribute::string("protocol").default("tcp".into()).describe("Protocol: `tcp`, `udp`, `icmp`, `icmpv6`, a protocol number or `all`."),
                    Attribute::string("ports").default("all".into()).describe("Ports, such as `9100` or `9000-9100`, or `all`."),
                    Attribute::string("peer").required().canonical(spelling::of_network).describe("The other side: a CIDR, a role, or the id of a security group or prefix list."),
                ],
            )
            .default(Value::object([]))
            .describe("More rules, by description."),
            Attribute::bool("exclusive_rules").optional().defaults_to("`false`").describe(
                "Whether a rule that is neither declared here nor created for a role is drift, and is removed by apply. By default, others may \
                 add theirs. Those of Kubernetes' controllers stay in either case, and the rule by which AWS lets everything out of a new \
                 group goes.",
            ),
        ],
    )
    .default(Value::object([]))
    .describe("Security groups by role. They open exactly the ports that Kubernetes, etcd and the network add-on need.")
}

fn flow_logs() -> Attribute {
    Attribute::nested(
        "flow_logs",
        Nesting::Single,
        vec![
            Attribute::string("destination_type")
                .default("s3".into())
                .validator(one_of(&["s3", "cloud-watch-logs"]))
                .describe("Kind of the destination."),
            Attribute::string("destination")
                .required()
                .describe("ARN of the bucket, optionally with a prefix, or of the log group."),
            Attribute::string("traffic")
                .default("ALL".into())
                .validator(one_of(&["ALL", "ACCEPT", "REJECT"]))
                .describe("Which traffic is logged."),
            Attribute::number("interval_seconds").default(600.into()).describe("Aggregation interval: `60` or `600`."),
            Attribute::string("role_arn").optional().describe("For `cloud-watch-logs`: ARN of the role that writes the logs."),
        ],
    )
    .optional()
    .describe("Flow logs of the VPC.")
}
