//! What the network of a cluster is made of: everything known that decides which objects there are; the rest may be unknown at plan.

use super::endpoints::Endpoints;
use super::security_groups::SecurityGroupOptions;
use super::vpc_cidrs::{self, PlanError, TierCidrs, subnet_name};
use cloud::Setting;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};

/// A network as declared; names of zones and ids of pools may be unknown at plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcSpec {
    /// Name of the cluster.
    pub name: String,
    pub region: Setting,
    pub cidr: Ipv4Net,
    pub secondary_cidrs: BTreeSet<Ipv4Net>,
    pub ipv6: Option<Ipv6Source>,
    /// By number. A number stands in the names of objects and is never given to another zone.
    pub zones: BTreeMap<u32, Setting>,
    pub tiers: BTreeMap<String, Tier>,
    /// By name of subnet; those of IPv6-only tiers have none.
    pub subnet_cidrs: BTreeMap<String, Ipv4Net>,
    /// Which /64 of the VPC's block each subnet has; empty without IPv6.
    pub subnet_ipv6_indexes: BTreeMap<String, u32>,
    pub nat: Nat,
    /// AWS's own where there are none.
    pub dhcp_options: Option<DhcpOptions>,
    pub endpoints: Endpoints,
    pub security_groups: SecurityGroupOptions,
    pub flow_logs: Option<FlowLogs>,
    /// Whether routes, subnets in route tables, address blocks and route tables of endpoints that others add go.
    pub exclusive: bool,
}

/// Where the IPv6 block of the VPC comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ipv6Source {
    Amazon,
    Ipam { pool_id: Setting, netmask_length: u8 },
    Pool { pool_id: Setting, cidr: Setting },
}

/// One subnet for each zone, all alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    pub reach: Reach,
    /// When not given, by the size of the VPC.
    pub netmask: Option<u8>,
    /// By zone number, from 1 on.
    pub cidrs: Vec<Ipv4Net>,
    pub ipv6_only: bool,
    pub dns64: bool,
    pub tags: BTreeMap<String, Setting>,
}

/// What subnets of a tier reach, and from where they are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By an internet gateway, in both directions.
    Public,
    /// Only out: NAT gateways and an egress-only gateway.
    Private,
    /// Only within the VPC.
    Isolated,
}

/// The NAT gateways of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    pub mode: NatMode,
    /// The tier with the gateways, when given.
    pub tier: Option<String>,
    /// Allocation ids, by zone number from 1 on; an address is made where there is none.
    pub elastic_ip_ids: Vec<Setting>,
}

/// How many NAT gateways there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatMode {
    PerZone,
    Single,
    None,
}

/// What DHCP gives to instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpOptions {
    /// AWS's name for the region when not given: nodes need one to find each other by name.
    pub domain_name: Option<Setting>,
    pub domain_name_servers: Vec<String>,
    pub ntp_servers: Vec<String>,
}

/// Where flow logs go, and what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLogs {
    pub destination_type: String,
    pub destination: Setting,
    pub traffic: String,
    pub interval_seconds: u64,
    pub role: Option<Setting>,
}

/// One subnet: its tier, zone and number.
pub struct Subnet<'a> {
    pub name: String,
    pub tier_name: &'a str,
    pub tier: &'a Tier,
    pub number: u32,
}

impl VpcSpec {
    /// By tier, then by zone number.
    pub fn subnets(&self) -> impl Iterator<Item = Subnet<'_>> {
        self.tiers.iter().flat_map(|(tier_name, tier)| {
            self.zones.keys().map(move |number| Subnet {
                name: subnet_name(tier_name, *number),
                tier_name,
                tier,
                number: *number,
            })
        })
    }

    /// Whether the VPC has an IPv6 block.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6.is_some()
    }

    /// Whether there is a tier with this reach.
    pub fn has(&self, reach: Reach) -> bool {
        self.tiers.values().any(|tier| tier.reach == reach)
    }

    /// Whether anything leaves by a NAT gateway: IPv4 of private subnets, and what DNS64 leads to IPv4.
    pub fn uses_nat(&self) -> bool {
        self.nat.mode != NatMode::None && self.tiers.values().any(|tier| tier.uses_nat())
    }

    /// The tier whose subnets NAT gateways stand in: they need an IPv4 address and the internet gateway.
    pub fn nat_tier(&self) -> Option<&str> {
        match &self.nat.tier {
            Some(tier) => self.tiers.get_key_value(tier).map(|(name, _)| name.as_str()),
            None => self.first_tier(Reach::Public, |tier| !tier.ipv6_only),
        }
    }

    /// The tier that is called as it reaches, else the first by name: another tier beside `public` then changes nothing.
    pub fn first_tier(&self, reach: Reach, is_fit: impl Fn(&Tier) -> bool) -> Option<&str> {
        let fits = |(_, tier): &(&String, &Tier)| tier.reach == reach && is_fit(tier);
        let named = self.tiers.get_key_value(reach.as_str()).filter(fits);
        named.or_else(|| self.tiers.iter().find(fits)).map(|(name, _)| name.as_str())
    }

    /// Numbers of the zones that have a NAT gateway.
    pub fn nat_numbers(&self) -> Vec<u32> {
        let count = match self.nat.mode {
            _ if !self.uses_nat() || self.nat_tier().is_none() => 0,
            NatMode::Single => 1,
            _ => self.zones.len(),
        };
        self.zones.keys().take(count).copied().collect()
    }

    /// The NAT gateway that a zone's subnets use.
    pub fn nat_of(&self, number: u32) -> Option<u32> {
        let numbers = self.nat_numbers();
        if numbers.contains(&number) { Some(number) } else { numbers.first().copied() }
    }

    /// Every IPv4 CIDR of the VPC, the first one first.
    pub fn networks(&self) -> Vec<Ipv4Net> {
        std::iter::once(self.cidr).chain(self.secondary_cidrs.iter().copied()).collect()
    }

    /// The numbers of the zones in use.
    pub fn numbers(&self) -> BTreeSet<u32> {
        self.zones.keys().copied().collect()
    }

    /// Fills in the plan of addresses. What the spec has already is kept.
    pub fn plan_addresses(&mut self) -> Result<(), PlanError> {
        let tiers =
            self.tiers.iter().filter(|(_, tier)| !tier.ipv6_only).map(|(name, tier)| (name.clone(), self.tier_cidrs(tier)));
        let tiers: BTreeMap<String, TierCidrs> = tiers.collect();
        self.subnet_cidrs = vpc_cidrs::plan_cidrs(&self.networks(), &tiers, &self.numbers(), &self.subnet_cidrs)?;
        let prefix = self.ipv6.as_ref().map(Ipv6Source::prefix);
        self.subnet_ipv6_indexes = match prefix {
            None => BTreeMap::new(),
            Some(prefix) => {
                let tiers = self.tiers.keys().cloned().collect();
                vpc_cidrs::plan_ipv6_indexes(prefix, &tiers, &self.numbers(), &self.subnet_ipv6_indexes)?
            }
        };
        Ok(())
    }

    fn tier_cidrs(&self, tier: &Tier) -> TierCidrs {
        let default = || vpc_cidrs::default_netmask(self.cidr, tier.reach == Reach::Private);
        TierCidrs { netmask: tier.netmask.unwrap_or_else(default), given: tier.cidrs.clone() }
    }
}

impl Tier {
    /// Its subnets do not share a route table: each has the gateway of its own zone.
    pub fn has_table_per_zone(&self) -> bool {
        self.reach == Reach::Private || self.dns64
    }

    fn uses_nat(&self) -> bool {
        self.dns64 || (self.reach == Reach::Private && !self.ipv6_only)
    }
}

impl Ipv6Source {
    /// As `docs/aws-objects.md` writes it.
    pub fn setting(&self) -> Setting {
        match self {
            Ipv6Source::Amazon => "amazon".into(),
            Ipv6Source::Ipam { pool_id, netmask_length } => {
                joined(&["ipam".into(), pool_id.clone(), netmask_length.to_string().into()])
            }
            Ipv6Source::Pool { pool_id, cidr } => joined(&["pool".into(), pool_id.clone(), cidr.clone()]),
        }
    }

    fn prefix(&self) -> u8 {
        match self {
            Ipv6Source::Amazon => 56,
            Ipv6Source::Ipam { netmask_length, .. } => *netmask_length,
            Ipv6Source::Pool { cidr, .. } => cidr.known().and_then(|cidr| cidr.rsplit_once('/')?.1.parse().ok()).unwrap_or(56),
        }
    }
}

impl Reach {
    /// The name in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Reach::Public => "public",
            Reach::Private => "private",
            Reach::Isolated => "isolated",
        }
    }

    /// Reads the name in HCL; `None` for any other text.
    pub fn parse(text: &str) -> Option<Reach> {
        [Reach::Public, Reach::Private, Reach::Isolated].into_iter().find(|reach| reach.as_str() == text)
    }
}

impl NatMode {
    /// The name in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            NatMode::PerZone => "per_zone",
            NatMode::Single => "single",
            NatMode::None => "none",
        }
    }

    /// Reads the name in HCL; `None` for any other text.
    pub fn parse(text: &str) -> Option<NatMode> {
        [NatMode::PerZone, NatMode::Single, NatMode::None].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// AWS's domain for private names of instances.
pub fn default_domain(region: &str) -> String {
    match region {
        "us-east-1" => "ec2.internal".to_owned(),
        region => format!("{region}.compute.internal"),
    }
}

/// Words with a space between them; unknown when one of them is.
fn joined(words: &[Setting]) -> Setting {
    let known: Option<Vec<&str>> = words.iter().map(Setting::known).collect();
    known.map_or(Setting::Unknown, |words| words.join(" ").into())
}

/// Route tables of the network with the subnets that they serve, by name. A private subnet has one of its own even where all of
/// them lead to one NAT gateway: going from one gateway to one per zone then changes only routes.
pub fn route_table_name(subnet: &Subnet<'_>) -> String {
    if subnet.tier.has_table_per_zone() { subnet.name.clone() } else { subnet.tier_name.to_owned() }
}
