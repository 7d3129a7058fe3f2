//! The table of kinds: one kind, one row, with everything that is true of all its objects. What a row does not say is as in [`PLAIN`].

use super::Replacement::{self, CreateFirst, DeleteFirst, Resource};
use super::{KUBERNETES_RULE, Kind, TARGET_GROUP_BINDING};

/// When an object of the kind has to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Only at the end: others can be created upon it before.
    AtTheEnd,
    /// Before others are created upon it.
    BeforeOthers,
    /// Also before it is changed: a subnet that assigns IPv6 addresses has to have its block; a group shows AWS' own rule only then.
    BeforeChanges,
}

/// How objects of the kind are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// All of the region.
    Region,
    /// All of the region; some attributes only of those that are named by their ids.
    RegionAndIds,
    /// Those that are named: by this setting, and by this word of the id, counted from its end and separated by `/`.
    Name { setting: &'static str, word: usize },
    /// Those of what is named so, an object of this kind: the name is the word of the id.
    NameOf { kind: Kind, word: usize },
    /// Those whose ids, these settings in one text, are named.
    Settings(&'static [&'static str]),
}

/// What an object offers to others besides its id.
pub(super) struct Output {
    pub(super) name: &'static str,
    /// First words of the settings that it follows: it may be another one after one of them was changed in place.
    pub(super) follows: &'static [&'static str],
    /// The setting that asks for it: with that, an object without the output is not ready yet, whatever AWS says.
    pub(super) asked_by: Option<&'static str>,
}

pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// What ids begin with; empty where they are ARNs or names.
    pub(super) id_prefix: &'static str,
    pub(super) replacement: Replacement,
    /// Keys of settings that only a new object can have otherwise. A key is compared by its first word.
    pub(super) immutable: &'static [&'static str],
    /// First words of keys of which nobody else may add any: an additional one is a difference.
    pub(super) exclusive: &'static [&'static str],
    /// First words of keys of which others may add their own: routes, rules, targets. An additional one is a difference only where it was
    /// declared before, or where the object says `exclusive <word>`.
    pub(super) shared: &'static [&'static str],
    /// Keys of such settings that AWS makes together with an object, with an empty value: nobody's, and a difference where not declared.
    pub(super) made_by_aws: &'static [&'static str],
    /// Keys that serve only to create and are never read back: another setting shows what they lead to.
    pub(super) unread: &'static [&'static str],
    pub(super) outputs: &'static [Output],
    /// Outputs of objects of other kinds that change when this setting of an object of this kind does, or when one comes or goes.
    pub(super) gives: &'static [(&'static str, Kind, &'static str)],
    pub(super) waits: Waits,
    pub(super) listing: Listing,
    /// Kinds in whose objects a change of one of this kind shows.
    pub(super) shows_in: &'static [Kind],
    /// What is known by a tag, which the call that creates it sets. Otherwise by its settings alone.
    pub(super) has_tags: bool,
    /// First words of the settings that say where it points: of what has no tags.
    pub(super) targets: &'static [&'static str],
    /// Services and people create copies of it, tags and all: what has our tag need not be ours.
    pub(super) is_copied: bool,
    /// It may end by itself after it was created, and AWS says why.
    pub(super) ends: bool,
    /// Kubernetes creates objects of the kind too, and its leftovers are deleted with a network.
    pub(super) of_kubernetes: bool,
    /// First word of settings that controllers of Kubernetes add, by how their descriptions begin.
    pub(super) kubernetes_settings: Option<(&'static str, &'static [&'static str])>,
}

use Waits::{AtTheEnd, BeforeChanges, BeforeOthers};

/// What is true of most kinds.
const PLAIN: Row = Row {
    kind: Kind::Vpc,
    name: "",
    id_prefix: "",
    replacement: CreateFirst,
    immutable: &[],
    exclusive: &[],
    shared: &[],
    made_by_aws: &[],
    unread: &[],
    outputs: &[],
    gives: &[],
    waits: AtTheEnd,
    listing: Listing::Region,
    shows_in: &[],
    has_tags: true,
    targets: &[],
    is_copied: false,
    ends: false,
    of_kubernetes: false,
    kubernetes_settings: None,
};

/// One that stays as long as its object does.
const fn fixed(name: &'static str) -> Output {
    Output { name, follows: &[], asked_by: None }
}

const fn following(name: &'static str, follows: &'static [&'static str]) -> Output {
    Output { name, follows, asked_by: None }
}

pub(super) const ALL: &[Row] = &[
    Row {
        kind: Kind::DhcpOptions,
        name: "dhcp_options",
        id_prefix: "dopt",
        immutable: &["domain_name", "domain_name_servers", "ntp_servers"],
        ..PLAIN
    },
    Row {
        kind: Kind::Vpc,
        name: "vpc",
        id_prefix: "vpc",
        replacement: Resource,
        immutable: &["cidr", "tenancy"],
        shared: &["secondary_cidr"],
        outputs: &[Output { name: "ipv6_cidr", follows: &["ipv6"], asked_by: Some("ipv6") }],
        waits: BeforeChanges,
        listing: Listing::RegionAndIds,
        shows_in: &[Kind::InternetGateway, Kind::SecurityGroup, Kind::RouteTable],
        ..PLAIN
    },
    Row {
        kind: Kind::KeyPair,
        name: "key_pair",
        id_prefix: "key",
        immutable: &["key_name", "public_key"],
        waits: BeforeOthers,
        ..PLAIN
    },
    Row { kind: Kind::InternetGateway, name: "internet_gateway", id_prefix: "igw", replacement: DeleteFirst, ..PLAIN },
    Row {
        kind: Kind::EgressOnlyInternetGateway,
        name: "egress_only_internet_gateway",
        id_prefix: "eigw",
        replacement: DeleteFirst,
        immutable: &["vpc"],
        ..PLAIN
    },
    Row {
        kind: Kind::SecurityGroup,
        name: "security_group",
        id_prefix: "sg",
        replacement: Resource,
        immutable: &["vpc", "group_name", "description"],
        shared: &["ingress", "egress"],
        made_by_aws: &["egress all all 0.0.0.0/0", "egress all all ::/0"],
        waits: BeforeChanges,
        shows_in: &[Kind::Instance, Kind::VpcEndpoint],
        of_kubernetes: true,
        kubernetes_settings: Some(("ingress", &[KUBERNETES_RULE, TARGET_GROUP_BINDING])),
        ..PLAIN
    },
    Row {
        kind: Kind::Subnet,
        name: "subnet",
        id_prefix: "subnet",
        replacement: Resource,
        immutable: &["vpc", "zone", "cidr", "ipv6_native"],
        outputs: &[Output { name: "ipv6_cidr", follows: &["ipv6_cidr"], asked_by: Some("ipv6_cidr") }],
        waits: BeforeChanges,
        shows_in: &[Kind::RouteTable, Kind::VpcEndpoint],
        ..PLAIN
    },
    Row {
        kind: Kind::ElasticIp,
        name: "elastic_ip",
        id_prefix: "eipalloc",
        replacement: DeleteFirst,
        outputs: &[fixed("public_ip")],
        gives: &[("instance", Kind::Instance, "public_ip")],
        shows_in: &[Kind::Instance, Kind::NatGateway],
        ..PLAIN
    },
    Row {
        kind: Kind::NatGateway,
        name: "nat_gateway",
        id_prefix: "nat",
        replacement: DeleteFirst,
        immutable: &["subnet", "allocation", "connectivity"],
        outputs: &[fixed("public_ip")],
        waits: BeforeOthers,
        shows_in: &[Kind::ElasticIp, Kind::RouteTable],
        ..PLAIN
    },
    Row {
        kind: Kind::RouteTable,
        name: "route_table",
        id_prefix: "rtb",
        immutable: &["vpc"],
        shared: &["route", "subnet"],
        shows_in: &[Kind::VpcEndpoint],
        ..PLAIN
    },
    Row {
        kind: Kind::VpcEndpoint,
        name: "vpc_endpoint",
        id_prefix: "vpce",
        replacement: DeleteFirst,
        immutable: &["vpc", "service", "type"],
        exclusive: &["subnet", "security_group", "policy"],
        shared: &["route_table"],
        shows_in: &[Kind::RouteTable],
        of_kubernetes: true,
        ..PLAIN
    },
    Row {
        kind: Kind::FlowLog,
        name: "flow_log",
        id_prefix: "fl",
        replacement: DeleteFirst,
        immutable: &["resource", "traffic", "destination", "destination_type", "role", "interval_seconds"],
        ..PLAIN
    },
    Row {
        kind: Kind::Instance,
        name: "instance",
        id_prefix: "i",
        replacement: DeleteFirst,
        immutable: &[
            "image",
            "type",
            "subnet",
            "key_name",
            "user_data_digest",
            "volume_gib",
            "volume_type",
            "volume_encrypted",
            "profile",
        ],
        exclusive: &["security_group"],
        unread: &["user_data"],
        outputs: &[
            following("ipv6_address", &["ipv6_addresses"]),
            fixed("private_ip"),
            following("public_ip", &["elastic_ip", "state"]),
        ],
        waits: BeforeOthers,
        shows_in: &[Kind::ElasticIp, Kind::TargetGroup],
        is_copied: true,
        ends: true,
        ..PLAIN
    },
    Row {
        kind: Kind::LoadBalancer,
        name: "load_balancer",
        replacement: Resource,
        immutable: &["load_balancer_name", "scheme", "type"],
        exclusive: &["security_group", "subnet"],
        outputs: &[fixed("dns_name"), fixed("zone_id")],
        // arn:…:loadbalancer/net/<name>/<number>
        listing: Listing::Name { setting: "load_balancer_name", word: 1 },
        shows_in: &[Kind::Listener, Kind::TargetGroup],
        of_kubernetes: true,
        ..PLAIN
    },
    Row {
        kind: Kind::TargetGroup,
        name: "target_group",
        immutable: &["target_group_name", "vpc", "protocol", "port", "target_type", "address_family"],
        shared: &["autoscaling_group", "target"],
        // arn:…:targetgroup/<name>/<number>
        listing: Listing::Name { setting: "target_group_name", word: 1 },
        shows_in: &[Kind::Listener],
        of_kubernetes: true,
        ..PLAIN
    },
    Row {
        kind: Kind::Listener,
        name: "listener",
        replacement: DeleteFirst,
        immutable: &["load_balancer"],
        // arn:…:listener/net/<name>/<number>/<number>
        listing: Listing::NameOf { kind: Kind::LoadBalancer, word: 2 },
        shows_in: &[Kind::TargetGroup],
        of_kubernetes: true,
        ..PLAIN
    },
    Row {
        kind: Kind::DnsRecord,
        name: "dns_record",
        immutable: &["zone", "record_name", "type"],
        exclusive: &["value"],
        listing: Listing::Settings(&["zone", "record_name", "type"]),
        has_tags: false,
        targets: &["alias", "value"],
        ..PLAIN
    },
];
