//! The kinds of objects, each with what is true of all objects of the kind: order, what can change in place, what only we may add.

use std::fmt;
use std::str::FromStr;

/// In the order in which objects are made; they are deleted in the opposite one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    DhcpOptions,
    Vpc,
    KeyPair,
    InternetGateway,
    EgressOnlyInternetGateway,
    SecurityGroup,
    Subnet,
    ElasticIp,
    NatGateway,
    RouteTable,
    VpcEndpoint,
    FlowLog,
    Instance,
    LoadBalancer,
    TargetGroup,
    Listener,
    DnsRecord,
}

/// What becomes of an object when a setting changes that AWS cannot change in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A new one is made beside it; the old one goes when nothing refers to it any more.
    CreateFirst,
    /// It goes first: two of it cannot be at the same time.
    DeleteFirst,
    /// Too much hangs on it: the whole resource is replaced, and the plan says so.
    Resource,
}

struct Traits {
    kind: Kind,
    name: &'static str,
    replacement: Replacement,
    /// Keys of settings that only a new object can have otherwise. A key is compared by its first word.
    immutable: &'static [&'static str],
    /// First words of keys of which nobody else may add any: an additional route or rule is a difference.
    exclusive: &'static [&'static str],
    /// What others can refer to besides the id.
    outputs: &'static [&'static str],
}

use Replacement::{CreateFirst, DeleteFirst, Resource};

#[rustfmt::skip] // a table: one kind, one row
const ALL: &[Traits] = &[
    Traits { kind: Kind::DhcpOptions, name: "dhcp_options", replacement: CreateFirst, immutable: &["domain_name", "domain_name_servers", "ntp_servers"], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::Vpc, name: "vpc", replacement: Resource, immutable: &["cidr", "tenancy"], exclusive: &["secondary_cidr"], outputs: &["ipv6_cidr"] },
    Traits { kind: Kind::KeyPair, name: "key_pair", replacement: CreateFirst, immutable: &["key_name", "public_key"], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::InternetGateway, name: "internet_gateway", replacement: DeleteFirst, immutable: &[], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::EgressOnlyInternetGateway, name: "egress_only_internet_gateway", replacement: DeleteFirst, immutable: &["vpc"], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::SecurityGroup, name: "security_group", replacement: Resource, immutable: &["vpc", "group_name", "description"], exclusive: &["ingress", "egress"], outputs: &[] },
    Traits { kind: Kind::Subnet, name: "subnet", replacement: Resource, immutable: &["vpc", "zone", "cidr", "ipv6_native"], exclusive: &[], outputs: &["ipv6_cidr"] },
    Traits { kind: Kind::ElasticIp, name: "elastic_ip", replacement: DeleteFirst, immutable: &[], exclusive: &[], outputs: &["public_ip"] },
    Traits { kind: Kind::NatGateway, name: "nat_gateway", replacement: DeleteFirst, immutable: &["subnet", "allocation", "connectivity"], exclusive: &[], outputs: &["public_ip"] },
    Traits { kind: Kind::RouteTable, name: "route_table", replacement: CreateFirst, immutable: &["vpc"], exclusive: &["route", "subnet"], outputs: &[] },
    Traits { kind: Kind::VpcEndpoint, name: "vpc_endpoint", replacement: DeleteFirst, immutable: &["vpc", "service", "type"], exclusive: &["subnet", "security_group", "route_table", "policy"], outputs: &[] },
    Traits { kind: Kind::FlowLog, name: "flow_log", replacement: DeleteFirst, immutable: &["resource", "traffic", "destination", "destination_type", "role", "interval_seconds"], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::Instance, name: "instance", replacement: DeleteFirst, immutable: &["image", "type", "subnet", "key_name", "user_data_digest", "volume_gib", "volume_type", "volume_encrypted", "profile"], exclusive: &["security_group"], outputs: &["ipv6_address", "private_ip", "public_ip"] },
    Traits { kind: Kind::LoadBalancer, name: "load_balancer", replacement: Resource, immutable: &["load_balancer_name", "scheme", "type"], exclusive: &["security_group", "subnet"], outputs: &["dns_name", "zone_id"] },
    Traits { kind: Kind::TargetGroup, name: "target_group", replacement: CreateFirst, immutable: &["target_group_name", "vpc", "protocol", "port", "target_type", "address_family"], exclusive: &["autoscaling_group", "target"], outputs: &[] },
    Traits { kind: Kind::Listener, name: "listener", replacement: DeleteFirst, immutable: &["load_balancer"], exclusive: &[], outputs: &[] },
    Traits { kind: Kind::DnsRecord, name: "dns_record", replacement: CreateFirst, immutable: &["zone", "record_name", "type"], exclusive: &["value"], outputs: &[] },
];

/// How descriptions of rules begin that the cloud controller makes. An adapter gives it to a rule without a description whose source
/// is a group of Kubernetes, as for a classic load balancer.
pub const KUBERNETES_RULE: &str = "kubernetes.io/rule/";
/// The same of the load balancer controller.
const TARGET_GROUP_BINDING: &str = "elbv2.k8s.aws/targetGroupBinding=";

/// Outputs with the settings that they follow. All others stay as long as their object does.
const RENEWED: [(Kind, &str, &str); 5] = [
    (Kind::Vpc, "ipv6_cidr", "ipv6"),
    (Kind::Subnet, "ipv6_cidr", "ipv6_cidr"),
    (Kind::Instance, "ipv6_address", "ipv6_addresses"),
    (Kind::Instance, "public_ip", "elastic_ip"),
    (Kind::Instance, "public_ip", "state"),
];

impl Kind {
    /// Every kind, in the order in which objects are created.
    pub fn all() -> impl Iterator<Item = Kind> {
        ALL.iter().map(|traits| traits.kind)
    }

    /// The name in object keys, such as `security_group`.
    pub fn as_str(self) -> &'static str {
        self.traits().name
    }

    /// What is replaced when a setting changes that AWS cannot change in place.
    pub fn replacement(self) -> Replacement {
        self.traits().replacement
    }

    /// Whether AWS cannot change this setting of an existing object.
    pub fn is_immutable(self, key: &str) -> bool {
        self.traits().immutable.contains(&first_word(key))
    }

    /// Whether a setting of this key that nobody declared is a difference.
    pub fn is_exclusive(self, key: &str) -> bool {
        self.traits().exclusive.contains(&first_word(key))
    }

    /// Whether the setting is only used to create and never read back: another one shows its effect.
    pub fn is_unread(self, key: &str) -> bool {
        self == Kind::Instance && key == "user_data"
    }

    /// The name in the id of an object that is listed by its name. A listener is listed by that of its load balancer; a record's id
    /// is its name.
    pub fn listing_name(self, id: &str) -> Option<&str> {
        match self {
            // arn:…:loadbalancer/net/<name>/<number>, arn:…:targetgroup/<name>/<number>
            Kind::LoadBalancer | Kind::TargetGroup => id.rsplit('/').nth(1),
            // arn:…:listener/net/<name>/<number>/<number>
            Kind::Listener => id.rsplit('/').nth(2),
            Kind::DnsRecord => Some(id),
            _ => None,
        }
    }

    /// Whether a setting that nobody declared is Kubernetes' own: its cloud controller and its load balancer controller manage rules
    /// of the nodes' group, and say so in their descriptions.
    pub fn is_kubernetes(self, key: &str, value: &str) -> bool {
        self == Kind::SecurityGroup
            && first_word(key) == "ingress"
            && [KUBERNETES_RULE, TARGET_GROUP_BINDING].iter().any(|maker| value.starts_with(maker))
    }

    /// What an object of the kind offers besides its id. Fixed, so that a plan knows of what it will know more.
    pub fn outputs(self) -> &'static [&'static str] {
        self.traits().outputs
    }

    /// Whether an output may be another one after a setting was changed in place.
    pub fn renews(self, output: &str, key: &str) -> bool {
        RENEWED.contains(&(self, output, first_word(key)))
    }

    /// Records have no tags: what they are is their name and type.
    pub fn has_tags(self) -> bool {
        self != Kind::DnsRecord
    }

    fn traits(self) -> &'static Traits {
        &ALL[self as usize]
    }
}

fn first_word(key: &str) -> &str {
    key.split(' ').next().unwrap_or(key)
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Kind::all().find(|kind| kind.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (index, kind) in Kind::all().enumerate() {
            assert_eq!(kind as usize, index, "{kind}");
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn outputs_that_follow_a_setting_are_those_of_the_table() {
        for (kind, output, _) in RENEWED {
            assert!(kind.outputs().contains(&output), "{kind}.{output}");
        }
        assert!(Kind::Vpc.renews("ipv6_cidr", "ipv6"));
        assert!(!Kind::Vpc.renews("ipv6_cidr", "tag Name"));
    }

    #[test]
    fn what_cannot_be_there_twice_goes_first() {
        // AWS refuses a second flow log of the same traffic to the same destination, whatever its interval.
        for kind in [Kind::InternetGateway, Kind::FlowLog, Kind::VpcEndpoint] {
            assert_eq!(kind.replacement(), Replacement::DeleteFirst, "{kind}");
        }
    }

    #[test]
    fn keys_are_compared_by_their_first_word() {
        assert!(Kind::RouteTable.is_exclusive("route 0.0.0.0/0"));
        assert!(!Kind::RouteTable.is_exclusive("tag Name"));
        assert!(Kind::Subnet.is_immutable("cidr"));
        assert!(!Kind::Subnet.is_immutable("dns64"));
    }
}
