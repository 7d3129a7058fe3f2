//! The attributes of `k8s_vpc`, with the texts of its page.

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
         IPv4 or dual stack. Addresses come from a plan that the engine shows before anything is made; a zone or a tier more moves \
         no subnet.",
    )
    .attribute(
        Attribute::string("name")
            .required()
            .requires_replace()
            .describe("Name of the cluster. It stands in names and tags of all objects, and in the tag `kubernetes.io/cluster/<name>`. One network of a \
                 name in a region: objects are found by it, and another configuration with the same name is refused."),
    )
    .attribute(Attribute::string("cidr").required().requires_replace().describe("IPv4 CIDR of the VPC, from `/16` to `/28`, such as `10.0.0.0/16`."))
    .attribute(strings("secondary_cidrs", "More IPv4 CIDRs. Tiers that find no room in `cidr` get their subnets from these."))
    .attribute(ipv6())
    .attribute(Attribute::set("zones", Type::String).optional().describe("Availability zones by name. Either this or `zone_count`."))
    .attribute(
        Attribute::number("zone_count")
            .optional()
            .validator(between(1, 8))
            .describe("How many zones; the first available ones by name are chosen at apply and kept."),
    )
    .attribute(subnets())
    .attribute(nat())
    .attribute(dhcp_options())
    .attribute(endpoints())
    .attribute(security_groups())
    .attribute(flow_logs())
    .attribute(
        Attribute::bool("destroy_leftovers").default(false.into()).describe(
            "Whether a destroy also deletes what Kubernetes or GuardDuty has made in this VPC: load balancers, target groups, endpoints, \
             security groups, interfaces and volumes **with their data**. Without it, the error names each of them.",
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
        texts("numbered_zones", "Zones by number. A number stands in the names of subnets and is never given to another zone."),
        numbers("zone_numbers", "The same the other way round."),
        list("zone_names", "Zones in use, by number."),
        texts("subnet_cidrs", "IPv4 CIDR of each subnet, by its name `<tier>-<zone number>`; known at plan."),
        numbers("subnet_ipv6_indexes", "Which /64 of the VPC's IPv6 block each subnet has, counted from 0; known at plan."),
        texts("subnet_ids", "Ids of the subnets by name."),
        list("public_subnet_ids", "Ids of the public subnets, by tier and zone number."),
        list("private_subnet_ids", "Ids of the private subnets, by tier and zone number."),
        list("isolated_subnet_ids", "Ids of the isolated subnets, by tier and zone number."),
        text("ipv6_cidr", "IPv6 block of the VPC."),
        texts("subnet_ipv6_cidrs", "IPv6 CIDR of each subnet by name."),
        texts(
            "security_group_ids",
            "Ids of the security groups by role: `control-plane`, `node`, `load-balancer`, `bastion`, `proxy`, `endpoint`.",
        ),
        texts("route_table_ids", "Ids of the route tables by name: one per public or isolated tier, one per private subnet."),
        list("nat_public_ips", "Addresses that the NAT gateways show to the internet, by zone number."),
        texts("endpoint_ids", "Ids of the endpoints by service; those of gateway endpoints by `<service>-gateway`."),
        list("endpoint_services", "Services with an endpoint by short name, as `k8s_egress_proxy` takes them."),
    ]
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
                "Where the block comes from: Amazon's addresses (a `/56`), a pool of IPAM, or an own block that was brought to AWS.",
            ),
            Attribute::string("pool_id").optional().describe("Id of the IPAM pool (`ipam-pool-…`) or address pool (`ipv6pool-ec2-…`)."),
            Attribute::number("netmask_length").optional().describe("For `ipam`: prefix length of the block, `44` to `60` in steps of 4; `56` when not given."),
            Attribute::string("cidr").optional().describe("For `pool`: the block, such as `2001:db8:1234:1a00::/56`."),
        ],
    )
    .optional()
    .describe("IPv6 beside IPv4. It can be added to a VPC that has none.")
}

fn subnets() -> Attribute {
    let tier = |reach: &str| Value::object([("type", reach.into())]);
    Attribute::nested(
        "subnets",
        Nesting::Map,
        vec![
            Attribute::string("type").required().validator(one_of(&REACHES)).describe(
                "`public`: to and from the internet; `private`: out alone, by NAT gateways and an egress-only gateway; `isolated`: within the VPC.",
            ),
            Attribute::number("netmask")
                .optional()
                .validator(between(16, 28))
                .describe("Prefix length of each subnet. When not given, the VPC's and 4 more for private subnets, 8 more for others, `28` at most."),
            Attribute::list("cidrs", Type::String)
                .optional()
                .describe("The IPv4 CIDRs themselves: the first is that of zone number 1. They win over the plan."),
            Attribute::bool("ipv6_only").default(false.into()).describe("Subnets without IPv4."),
            Attribute::bool("dns64").default(false.into()).describe(
                "Names that have IPv4 addresses alone are answered with addresses of `64:ff9b::/96`, which are routed to a NAT gateway.",
            ),
            Attribute::map("tags", Type::String).default(Value::object([])).null_means_absent().describe("Tags of these subnets."),
        ],
    )
    .default(Value::object([("private", tier("private")), ("public", tier("public"))]))
    .null_means_absent()
    .describe("Tiers of subnets: each has one subnet per zone. A tier keeps room for eight zones, or as many as fit.")
}

fn nat() -> Attribute {
    Attribute::nested(
        "nat",
        Nesting::Single,
        vec![
            Attribute::string("mode").default("per_zone".into()).validator(one_of(&NAT_MODES)).describe("How many NAT gateways."),
            Attribute::string("subnets")
                .optional()
                .describe("Public tier that they stand in: `public` when not given, else the first by name."),
            Attribute::list("elastic_ip_ids", Type::String).default(Value::List(Vec::new())).describe(
                "Allocation ids of Elastic IPs to keep, the first for zone number 1. Where there is none, one is made.",
            ),
        ],
    )
    .default(Value::object([]))
    .describe("NAT gateways, for IPv4 of private subnets and for DNS64.")
}

fn dhcp_options() -> Attribute {
    Attribute::nested(
        "dhcp_options",
        Nesting::Single,
        vec![
            Attribute::string("domain_name")
                .optional()
                .describe("Domain of the instances; AWS's for the region when not given. Nodes need one to join."),
            Attribute::list("domain_name_servers", Type::String)
                .default(vec![AMAZON_DNS].into())
                .describe("Addresses of up to four name servers, or `AmazonProvidedDNS`."),
            Attribute::list("ntp_servers", Type::String)
                .default(Value::List(Vec::new()))
                .describe("Addresses of up to four time servers."),
        ],
    )
    .optional()
    .describe("DHCP options of the VPC's own; AWS's when not given.")
}

fn endpoints() -> Attribute {
    Attribute::nested(
        "endpoints",
        Nesting::Single,
        vec![
            strings("gateway", "Services with a gateway endpoint in every route table: `s3`, `dynamodb`."),
            strings("interface", "Services with an interface endpoint, by short name, such as `ec2`, `sts`, `ecr.api`, `ecr.dkr`; or by full name."),
            Attribute::string("subnets").optional().describe("Tier with the interfaces: `private` when not given, else the first private one by name."),
            Attribute::bool("private_dns").default(true.into()).describe("Whether the services' public names lead to the interfaces."),
            Attribute::nested(
                "overrides",
                Nesting::Map,
                vec![
                    Attribute::string("ip_address_type")
                        .optional()
                        .validator(one_of(&["ipv4", "dualstack", "ipv6"]))
                        .describe("`dualstack` when not given and the VPC has IPv6, which not every service supports."),
                    Attribute::bool("private_dns").optional().describe("Like `private_dns` of all."),
                    Attribute::string("policy").optional().describe("Policy in JSON; full access when not given."),
                ],
            )
            .default(Value::object([]))
            .null_means_absent()
            .describe("What is otherwise for single services."),
        ],
    )
    .optional()
    .describe("Endpoints, through which AWS is reached without the internet.")
}

fn security_groups() -> Attribute {
    Attribute::nested(
        "security_groups",
        Nesting::Single,
        vec![
            Attribute::string("network_addon")
                .default("none".into())
                .validator(one_of(&NETWORK_ADDONS))
                .describe("The network add-on whose ports are opened between hosts with pods. `calico` is BGP with IP-in-IP; `cilium` and `flannel` are VXLAN."),
            Attribute::bool("wireguard").default(false.into()).describe("Whether the network add-on encrypts with WireGuard."),
            Attribute::number("api_port").default(6443.into()).validator(port()).describe("Port of API servers and their load balancer."),
            Attribute::number("proxy_port").default(3128.into()).validator(port()).describe("Port of the egress proxy."),
            Attribute::bool("vrrp").default(false.into()).describe("Whether load balancers are hosts with keepalived: VRRP between them, SSH from the bastion."),
            strings("pod_cidrs", "CIDRs of pods whose packets reach other hosts in no tunnel."),
            strings("node_port_cidrs", "From where node ports are reached directly."),
            strings("admin_cidrs", "From where the bastion is reached by SSH."),
            strings("load_balancer_cidrs", "From where the load balancer of the API servers is reached, beside the cluster and the bastion."),
            Attribute::nested(
                "additional_rules",
                Nesting::Map,
                vec![
                    Attribute::string("role").required().validator(one_of(&ROLES)).describe("The group that gets the rule."),
                    Attribute::string("direction").default("ingress".into()).validator(one_of(&["ingress", "egress"])).describe("Direction."),
                    Attribute::string("protocol").default("tcp".into()).describe("`tcp`, `udp`, `icmp`, `icmpv6`, a protocol number or `all`."),
                    Attribute::string("ports").default("all".into()).describe("`9100`, `9000-9100` or `all`."),
                    Attribute::string("peer").required().describe("A CIDR, a role, or the id of a security group or prefix list."),
                ],
            )
            .default(Value::object([]))
            .null_means_absent()
            .describe("Rules by description. A rule that is not declared here or made for a role is drift, and is removed."),
        ],
    )
    .default(Value::object([]))
    .describe("Security groups by role, with every port that Kubernetes, etcd and the network add-on need and no other.")
}

fn flow_logs() -> Attribute {
    Attribute::nested(
        "flow_logs",
        Nesting::Single,
        vec![
            Attribute::string("destination_type")
                .default("s3".into())
                .validator(one_of(&["s3", "cloud-watch-logs"]))
                .describe("Where to."),
            Attribute::string("destination")
                .required()
                .describe("ARN of the bucket, with a prefix if there is one, or of the log group."),
            Attribute::string("traffic")
                .default("ALL".into())
                .validator(one_of(&["ALL", "ACCEPT", "REJECT"]))
                .describe("Which traffic."),
            Attribute::number("interval_seconds").default(600.into()).describe("Seconds that are summed up: `60` or `600`."),
            Attribute::string("role_arn").optional().describe("For CloudWatch: ARN of the role that writes."),
        ],
    )
    .optional()
    .describe("Flow logs of the VPC.")
}
