//! The kinds of objects, and what is true of all objects of a kind: the questions to the table in `kind/rows.rs`.

mod rows;

use rows::Waits::{BeforeChanges, BeforeOthers};
use rows::{ALL, Listing, Row};
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

/// First word of the key of a setting that says of an object that nobody else may add settings of a word: `exclusive route`.
pub const EXCLUSIVE: &str = "exclusive";

/// How descriptions of rules begin that the cloud controller makes. An adapter gives it to a rule without a description whose source
/// is a group of Kubernetes, as for a classic load balancer.
pub const KUBERNETES_RULE: &str = "kubernetes.io/rule/";
/// The same of the load balancer controller.
const TARGET_GROUP_BINDING: &str = "elbv2.k8s.aws/targetGroupBinding=";

impl Kind {
    /// Every kind, in the order in which objects are created.
    pub fn all() -> impl Iterator<Item = Kind> {
        ALL.iter().map(|row| row.kind)
    }

    /// The name in object keys, such as `security_group`.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// What ids of the kind begin with, before a hyphen; empty where they are ARNs or names.
    pub fn id_prefix(self) -> &'static str {
        self.row().id_prefix
    }

    /// What is replaced when a setting changes that AWS cannot change in place.
    pub fn replacement(self) -> Replacement {
        self.row().replacement
    }

    /// Whether AWS cannot change this setting of an existing object.
    pub fn is_immutable(self, key: &str) -> bool {
        self.row().immutable.contains(&first_word(key))
    }

    /// Keys, or their first words, of settings that only a new object can have otherwise.
    pub fn immutable(self) -> &'static [&'static str] {
        self.row().immutable
    }

    /// First words of keys of which nobody else may add any.
    pub fn exclusive(self) -> &'static [&'static str] {
        self.row().exclusive
    }

    /// Whether a setting of this key that nobody declared is a difference.
    pub fn is_exclusive(self, key: &str) -> bool {
        self.row().exclusive.contains(&first_word(key))
    }

    /// First words of keys of which others may add their own.
    pub fn shared(self) -> &'static [&'static str] {
        self.row().shared
    }

    /// Whether others may add settings of this key.
    pub fn is_shared(self, key: &str) -> bool {
        self.row().shared.contains(&first_word(key))
    }

    /// Whether AWS makes this setting together with an object.
    pub fn is_made_by_aws(self, key: &str, value: &str) -> bool {
        value.is_empty() && self.row().made_by_aws.contains(&key)
    }

    /// Whether the setting is never read back: it serves only to create, or says how others are treated.
    pub fn is_unread(self, key: &str) -> bool {
        self.row().unread.contains(&key) || first_word(key) == EXCLUSIVE
    }

    /// Whether others can be created upon an object only when it is ready.
    pub fn is_awaited(self) -> bool {
        matches!(self.row().waits, BeforeOthers | BeforeChanges)
    }

    /// Whether an object refuses changes, or does not show yet what has to be changed, until it is ready.
    pub fn is_changed_when_ready(self) -> bool {
        self.row().waits == BeforeChanges
    }

    /// Whether an object that was created may end by itself.
    pub fn ends(self) -> bool {
        self.row().ends
    }

    /// Whether others create copies of objects of the kind, tags and all.
    pub fn is_copied(self) -> bool {
        self.row().is_copied
    }

    /// Whether Kubernetes creates objects of the kind too.
    pub fn is_created_by_kubernetes(self) -> bool {
        self.row().of_kubernetes
    }

    /// The kinds in whose objects a change of one of this kind shows.
    pub fn shows_in(self) -> &'static [Kind] {
        self.row().shows_in
    }

    /// Whether only named objects of the kind are listed: see [`Kind::listing_name`].
    pub fn is_listed_by_name(self) -> bool {
        !matches!(self.row().listing, Listing::Region | Listing::RegionAndIds)
    }

    /// The name in the id of an object by which it is listed. A listener is listed by that of its load balancer; a record's id is its
    /// name.
    pub fn listing_name(self, id: &str) -> Option<&str> {
        match self.row().listing {
            Listing::Region | Listing::RegionAndIds => None,
            Listing::Name { word, .. } | Listing::NameOf { word, .. } => id.rsplit('/').nth(word),
            Listing::Settings(_) => Some(id),
        }
    }

    /// What has to be named so that an object that exists is found, with all its settings: itself, and what is listed by its name.
    pub fn names_of_id(self, id: &str) -> Vec<(Kind, String)> {
        match self.row().listing {
            Listing::Region => Vec::new(),
            Listing::RegionAndIds => vec![(self, id.to_owned())],
            _ => self.listing_name(id).map(|name| self.named(name)).unwrap_or_default(),
        }
    }

    /// The same of an object that is declared, as far as its settings are known.
    pub fn names_of_settings<'a>(self, get: impl Fn(&str) -> Option<&'a str>) -> Vec<(Kind, String)> {
        match self.row().listing {
            Listing::Region | Listing::RegionAndIds | Listing::NameOf { .. } => Vec::new(),
            Listing::Name { setting, .. } => get(setting).map(|name| self.named(name)).unwrap_or_default(),
            Listing::Settings(settings) => {
                let words: Option<Vec<&str>> = settings.iter().map(|setting| get(setting)).collect();
                words.map(|words| self.named(&words.join(" "))).unwrap_or_default()
            }
        }
    }

    fn named(self, name: &str) -> Vec<(Kind, String)> {
        let is_of = |row: &&Row| matches!(row.listing, Listing::NameOf { kind, .. } if kind == self);
        let below = ALL.iter().filter(is_of).map(|row| row.kind);
        std::iter::once(self).chain(below).map(|kind| (kind, name.to_owned())).collect()
    }

    /// Whether a setting that nobody declared is Kubernetes' own: its cloud controller and its load balancer controller manage rules
    /// of the nodes' group, and say so in their descriptions.
    pub fn is_kubernetes(self, key: &str, value: &str) -> bool {
        self.row()
            .kubernetes_settings
            .is_some_and(|(word, makers)| first_word(key) == word && makers.iter().any(|maker| value.starts_with(maker)))
    }

    /// What an object of the kind offers besides its id. Fixed, so that a plan knows of what it will know more.
    pub fn outputs(self) -> impl Iterator<Item = &'static str> {
        self.row().outputs.iter().map(|output| output.name)
    }

    /// Whether AWS gives objects of this kind an output of this name.
    pub fn has_output(self, name: &str) -> bool {
        self.outputs().any(|output| output == name)
    }

    /// Whether an output may be another one after a setting was changed in place.
    pub fn renews(self, output: &str, key: &str) -> bool {
        self.row().outputs.iter().any(|row| row.name == output && row.follows.contains(&first_word(key)))
    }

    /// Outputs with the settings that ask for them: an object with such a setting is ready when it has the output.
    pub fn asked_outputs(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.row().outputs.iter().filter_map(|output| Some((output.asked_by?, output.name)))
    }

    /// Outputs of objects of other kinds that objects of this kind change, each with the setting that says of which.
    pub fn gives(self) -> &'static [(&'static str, Kind, &'static str)] {
        self.row().gives
    }

    /// What has no tags (records) is known by its settings: its name and type.
    pub fn has_tags(self) -> bool {
        self.row().has_tags
    }

    /// Whether a setting says where a record points.
    pub fn is_target(self, key: &str) -> bool {
        self.row().targets.contains(&first_word(key))
    }

    fn row(self) -> &'static Row {
        &ALL[self as usize]
    }
}

pub(crate) fn first_word(key: &str) -> &str {
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
    fn outputs_follow_settings() {
        assert!(Kind::Vpc.renews("ipv6_cidr", "ipv6"));
        assert!(!Kind::Vpc.renews("ipv6_cidr", "tag Name"));
        for kind in Kind::all() {
            assert!(kind.gives().iter().all(|(_, other, output)| other.has_output(output)), "{kind}");
        }
    }

    #[test]
    fn what_is_listed_by_name_is_named_by_settings_and_by_id() {
        let settings = |key: &str| (key == "load_balancer_name").then_some("api");
        let expect = [(Kind::LoadBalancer, "api".to_owned()), (Kind::Listener, "api".to_owned())];
        assert_eq!(Kind::LoadBalancer.names_of_settings(settings), expect);
        assert_eq!(Kind::LoadBalancer.names_of_id("arn:x:loadbalancer/net/api/1"), expect);
        assert_eq!(Kind::Listener.names_of_id("arn:x:listener/net/api/1/2"), expect[1..]);
        assert_eq!(Kind::Vpc.names_of_id("vpc-1"), [(Kind::Vpc, "vpc-1".to_owned())]);
        assert_eq!(Kind::Subnet.names_of_id("subnet-1"), []);
        assert_eq!(Kind::DnsRecord.names_of_settings(settings), []);
        let record = |key: &str| (key != "type").then_some("x").or(Some("A"));
        assert_eq!(Kind::DnsRecord.names_of_settings(record), [(Kind::DnsRecord, "x x A".to_owned())]);
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
        assert!(Kind::RouteTable.is_shared("route 0.0.0.0/0") && Kind::DnsRecord.is_exclusive("value 192.0.2.1"));
        assert!(!Kind::RouteTable.is_shared("tag Name") && !Kind::RouteTable.is_exclusive("route 0.0.0.0/0"));
        assert!(Kind::RouteTable.is_unread("exclusive route"));
        assert!(Kind::Subnet.is_immutable("cidr"));
        assert!(!Kind::Subnet.is_immutable("dns64"));
    }
}
