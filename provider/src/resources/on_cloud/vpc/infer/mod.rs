//! The configuration of a network from what exists, so that the same HCL has an empty plan. Pure.
//!
//! It cannot tell: `zone_count` from `zones` (it answers `zones`), `tags` from the provider's default tags, `cidrs` from a plan that
//! gives the same, a private tier without any route from an isolated one by anything but its route tables, and `destroy_leftovers`.

mod endpoints;
mod groups;

use super::{ADDRESSES, config, zones};
use cloud::{Found, Kind, ObjectKey, Readiness, Resolver};
use ipnet::{Ipv4Net, Ipv6Net};
use render::aws::subnets::{cluster_tag, role_tag};
use render::aws::vpc::{MAIN, Reach, VpcSpec, default_domain, key, nat_name};
use render::aws::vpc_cidrs::{TierCidrs, default_netmask, plan_cidrs, subnet_name, tier_and_number};
use schema::{Diagnostic, Value};
use std::collections::{BTreeMap, BTreeSet};

type Settings = BTreeMap<String, String>;

/// What exists, with references in the place of ids.
struct Observed {
    name: String,
    region: String,
    objects: BTreeMap<ObjectKey, Settings>,
    ipv6_block: Option<Ipv6Net>,
}

pub fn configuration(name: &str, found: &[Found], region: &str) -> Result<Value, Diagnostic> {
    let own = own(name, found);
    let resolver = Resolver::new(&own);
    let named = |found: &Found| found.settings.iter().map(|(key, value)| (resolver.name(key), resolver.name(value))).collect();
    let vpc = own.get(&key(Kind::Vpc, MAIN)).ok_or_else(|| gone(name))?;
    let observed = Observed {
        name: name.to_owned(),
        region: region.to_owned(),
        objects: own.iter().map(|(key, found)| (key.clone(), named(found))).collect(),
        ipv6_block: vpc.outputs.get("ipv6_cidr").and_then(|block| block.parse().ok()),
    };
    let mut value = observed.value()?;
    let ids = own.iter().map(|(key, found)| (key.to_string(), found.id.as_str().into()));
    value.set("ids", Value::Map(ids.collect()));
    value.set("id", vpc.id.as_str().into());
    Ok(value)
}

fn own(name: &str, found: &[Found]) -> BTreeMap<ObjectKey, Found> {
    let owner = format!("{}/{name}", super::NAME);
    let key = |found: &Found| {
        let (tagged, key) = found.owned()?;
        (tagged == owner && found.readiness != Readiness::Leaving).then_some(key)
    };
    let mut own = BTreeMap::new();
    let mut sorted: Vec<&Found> = found.iter().collect();
    sorted.sort_by_key(|found| &found.id);
    for found in sorted {
        if let Some(key) = key(found) {
            own.entry(key).or_insert_with(|| found.clone());
        }
    }
    own
}

fn gone(name: &str) -> Diagnostic {
    Diagnostic::error(format!("the VPC of k8s_vpc {name:?} is gone"))
        .detail("Declare it and apply: what is left of it is found and used.")
}

impl Observed {
    fn value(&self) -> Result<Value, Diagnostic> {
        let vpc = self.get(Kind::Vpc, MAIN).ok_or_else(|| gone(&self.name))?;
        let secondary: Value = rest(vpc, "secondary_cidr").map(|(cidr, _)| cidr).collect();
        let numbered: BTreeMap<u32, &String> = self
            .of_kind(Kind::Subnet)
            .filter_map(|(name, settings)| Some((tier_and_number(name)?.1, settings.get("zone")?)))
            .collect();
        let zone_names: BTreeSet<&String> = numbered.values().copied().collect();
        let numbers = numbered.iter().map(|(number, zone)| (number.to_string(), zone.as_str().into()));
        let mut value = Value::object([
            ("name", self.name.as_str().into()),
            ("region", self.region.as_str().into()),
            ("cidr", text(vpc, "cidr")),
            ("secondary_cidrs", secondary),
            ("ipv6", ipv6(vpc.get("ipv6"))),
            ("zones", zone_names.into_iter().map(String::as_str).collect()),
            (zones::NUMBERED_ZONES, Value::Map(numbers.collect())),
            ("subnets", self.tiers()),
            ("nat", Value::object([("mode", "none".into()), ("elastic_ip_ids", Value::List(Vec::new()))])),
            ("security_groups", groups::defaults()),
            ("dhcp_options", self.dhcp_options(vpc)),
            ("flow_logs", self.get(Kind::FlowLog, MAIN).map_or(Value::Null, flow_logs)),
            ("destroy_leftovers", false.into()),
            ("tags", self.tags()),
        ]);
        for (name, addresses) in ADDRESSES.into_iter().zip(self.addresses()) {
            value.set(name, addresses);
        }
        let spec = config::spec(&value)?.ok_or_else(|| unreadable(&self.name))?;
        value.set("nat", self.nat(&spec));
        value.set("endpoints", endpoints::infer(self, &spec));
        value.set("security_groups", groups::infer(self, &spec));
        let spec = config::spec(&value)?.ok_or_else(|| unreadable(&self.name))?;
        groups::add_others(self, &spec, &mut value);
        Ok(value)
    }

    fn get(&self, kind: Kind, name: &str) -> Option<&Settings> {
        self.objects.get(&key(kind, name))
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&str, &Settings)> {
        self.objects.iter().filter(move |(key, _)| key.kind == kind).map(|(key, settings)| (key.name.as_str(), settings))
    }

    fn tiers(&self) -> Value {
        let mut tiers: BTreeMap<&str, Vec<(u32, &Settings)>> = BTreeMap::new();
        for (name, settings) in self.of_kind(Kind::Subnet) {
            if let Some((tier, number)) = tier_and_number(name) {
                tiers.entry(tier).or_default().push((number, settings));
            }
        }
        let given = self.given_tiers(&tiers);
        let tier = |(name, mut subnets): (&str, Vec<(u32, &Settings)>)| {
            subnets.sort_by_key(|(number, _)| *number);
            (name.to_owned(), self.tier(name, &subnets, given.contains(name)))
        };
        Value::Map(tiers.into_iter().map(tier).collect())
    }

    fn tier(&self, name: &str, subnets: &[(u32, &Settings)], is_given: bool) -> Value {
        let Some((number, first)) = subnets.first() else { return Value::Null };
        let reach = self.reach(&subnet_name(name, *number));
        let cidrs: Vec<Value> = subnets.iter().map(|(_, settings)| text(settings, "cidr")).collect();
        let is = |key: &str| first.get(key).is_some_and(|value| value == "true");
        Value::object([
            ("type", reach.as_str().into()),
            ("netmask", if is_given { Value::Null } else { self.netmask(first, reach).into() }),
            ("cidrs", if is_given { Value::List(cidrs) } else { Value::Null }),
            ("ipv6_only", is("ipv6_native").into()),
            ("dns64", is("dns64").into()),
            ("tags", self.tier_tags(first, reach)),
        ])
    }

    /// By the routes of its table, and by whether only this subnet uses it, as is the case for private ones.
    fn reach(&self, subnet: &str) -> Reach {
        let association = format!("subnet {}", key(Kind::Subnet, subnet).reference());
        let table = self.of_kind(Kind::RouteTable).find(|(_, table)| table.contains_key(&association));
        match table {
            Some((_, table)) if table.values().any(|target| target.starts_with("@internet_gateway/")) => Reach::Public,
            Some((name, _)) if name == subnet => Reach::Private,
            _ => Reach::Isolated,
        }
    }

    /// Where it is not the one that the plan takes by itself.
    fn netmask(&self, subnet: &Settings, reach: Reach) -> Option<u32> {
        let cidr: Ipv4Net = subnet.get("cidr")?.parse().ok()?;
        (cidr.prefix_len() != self.default_netmask(reach)?).then(|| cidr.prefix_len().into())
    }

    fn default_netmask(&self, reach: Reach) -> Option<u8> {
        let vpc: Ipv4Net = self.get(Kind::Vpc, MAIN)?.get("cidr")?.parse().ok()?;
        Some(default_netmask(vpc, reach == Reach::Private))
    }

    /// The fewest tiers whose CIDRs have to be given so that the plan comes to what is there.
    fn given_tiers(&self, tiers: &BTreeMap<&str, Vec<(u32, &Settings)>>) -> BTreeSet<String> {
        let vpc = self.get(Kind::Vpc, MAIN);
        let networks: Vec<Ipv4Net> = vpc
            .into_iter()
            .flat_map(|vpc| {
                vpc.get("cidr").map(String::as_str).into_iter().chain(rest(vpc, "secondary_cidr").map(|(cidr, _)| cidr))
            })
            .filter_map(|text| text.parse().ok())
            .collect();
        let cidr = |settings: &Settings| settings.get("cidr")?.parse::<Ipv4Net>().ok();
        let there: BTreeMap<&str, BTreeMap<u32, Ipv4Net>> = tiers
            .iter()
            .map(|(tier, subnets)| {
                (*tier, subnets.iter().filter_map(|(number, settings)| Some((*number, cidr(settings)?))).collect())
            })
            .filter(|(_, cidrs): &(&str, BTreeMap<u32, Ipv4Net>)| !cidrs.is_empty())
            .collect();
        let numbers: BTreeSet<u32> = there.values().flat_map(BTreeMap::keys).copied().collect();
        let expect =
            there.iter().flat_map(|(tier, cidrs)| cidrs.iter().map(|(number, cidr)| (subnet_name(tier, *number), *cidr)));
        let expect: BTreeMap<String, Ipv4Net> = expect.collect();
        let names: Vec<&str> = there.keys().copied().take(8).collect();
        let mut subsets: Vec<u32> = (0..1 << names.len()).collect();
        subsets.sort_by_key(|subset| (subset.count_ones(), *subset));
        let chosen = subsets.into_iter().find(|subset| {
            let is_given = |tier: &str| names.iter().position(|name| *name == tier).is_some_and(|bit| subset & (1 << bit) != 0);
            let wanted = there.iter().map(|(tier, cidrs)| {
                let netmask = cidrs.values().next().map_or(28, Ipv4Net::prefix_len);
                let given = if is_given(tier) { cidrs.values().copied().collect() } else { Vec::new() };
                ((*tier).to_owned(), TierCidrs { netmask, given })
            });
            plan_cidrs(&networks, &wanted.collect(), &numbers, &BTreeMap::new()).is_ok_and(|plan| plan == expect)
        });
        let subset = chosen.unwrap_or(0);
        names.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0).map(|(_, name)| (*name).to_owned()).collect()
    }

    /// As `subnet_cidrs` and `subnet_ipv6_indexes` have them.
    fn addresses(&self) -> [Value; 2] {
        let cidrs = self
            .of_kind(Kind::Subnet)
            .filter_map(|(name, settings)| Some((name.to_owned(), settings.get("cidr")?.as_str().into())));
        let index = |settings: &Settings| {
            let subnet: Ipv6Net = settings.get("ipv6_cidr")?.parse().ok()?;
            let offset = subnet.network().to_bits().checked_sub(self.ipv6_block?.network().to_bits())? >> 64;
            u32::try_from(offset).ok()
        };
        let indexes = self.of_kind(Kind::Subnet).filter_map(|(name, settings)| Some((name.to_owned(), index(settings)?.into())));
        [Value::Map(cidrs.collect()), Value::Map(indexes.collect())]
    }

    fn nat(&self, spec: &VpcSpec) -> Value {
        let gateways: BTreeMap<&str, &Settings> = self.of_kind(Kind::NatGateway).collect();
        let needs_some = spec.tiers.values().any(|tier| tier.reach == Reach::Private && !tier.ipv6_only);
        let mode = match gateways.len() {
            0 if needs_some => "none",
            1 if spec.zones.len() > 1 => "single",
            _ => "per_zone",
        };
        let tier = gateways.values().find_map(|gateway| {
            let subnet = gateway.get("subnet")?.strip_prefix("@subnet/")?;
            Some(tier_and_number(subnet)?.0.to_owned())
        });
        let default = spec.first_tier(Reach::Public, |tier| !tier.ipv6_only);
        let allocation = |number: &u32| gateways.get(nat_name(*number).as_str()).and_then(|gateway| gateway.get("allocation"));
        let last = spec.zones.keys().last().copied().unwrap_or(0);
        let given = (1..=last).map_while(|number| allocation(&number).filter(|id| !id.starts_with('@')));
        Value::object([
            ("mode", mode.into()),
            ("subnets", tier.filter(|tier| Some(tier.as_str()) != default).into()),
            ("elastic_ip_ids", given.map(String::as_str).collect()),
        ])
    }

    fn dhcp_options(&self, vpc: &Settings) -> Value {
        let is_own = vpc.get("dhcp_options").is_some_and(|options| *options == key(Kind::DhcpOptions, MAIN).reference());
        let Some(options) = self.get(Kind::DhcpOptions, MAIN).filter(|_| is_own) else { return Value::Null };
        let list = |name: &str| options.get(name).into_iter().flat_map(|text| text.split(',')).collect::<Value>();
        let default = default_domain(&self.region);
        let domain = options.get("domain_name").filter(|domain| **domain != default);
        Value::object([
            ("domain_name", domain.map(String::as_str).into()),
            ("domain_name_servers", list("domain_name_servers")),
            ("ntp_servers", list("ntp_servers")),
        ])
    }

    /// Those of the VPC that are the user's.
    fn user_tags(&self) -> BTreeMap<&str, &str> {
        let vpc = self.get(Kind::Vpc, MAIN);
        vpc.into_iter().flat_map(|vpc| rest(vpc, "tag")).filter(|(key, _)| !is_ours(key)).collect()
    }

    fn tags(&self) -> Value {
        Value::Map(self.user_tags().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
    }

    fn tier_tags(&self, subnet: &Settings, reach: Reach) -> Value {
        let (common, cluster) = (self.user_tags(), cluster_tag(&self.name));
        let is_given = |(key, value): &(&str, &str)| {
            let is_role = role_tag(reach) == Some(*key) && *value == "1";
            !is_ours(key) && *key != cluster && !is_role && common.get(key) != Some(value)
        };
        Value::Map(rest(subnet, "tag").filter(is_given).map(|(key, value)| (key.to_owned(), value.into())).collect())
    }
}

fn is_ours(tag: &str) -> bool {
    tag == "Name" || tag.starts_with("k8s-hardway/") || tag.starts_with("aws:")
}

/// What follows a first word.
fn rest<'a>(settings: &'a Settings, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    settings.iter().filter_map(move |(key, value)| Some((key.strip_prefix(word)?.strip_prefix(' ')?, value.as_str())))
}

fn text(settings: &Settings, key: &str) -> Value {
    settings.get(key).map(String::as_str).into()
}

fn ipv6(setting: Option<&String>) -> Value {
    let Some(setting) = setting else { return Value::Null };
    let words: Vec<&str> = setting.split(' ').collect();
    let source = words.first().copied().unwrap_or_default();
    let length = || words.get(2).and_then(|length| length.parse::<u32>().ok()).filter(|length| *length != 56);
    Value::object([
        ("source", source.into()),
        ("pool_id", words.get(1).copied().into()),
        ("netmask_length", if source == "ipam" { length().into() } else { Value::Null }),
        ("cidr", if source == "pool" { words.get(2).copied().into() } else { Value::Null }),
    ])
}

fn flow_logs(settings: &Settings) -> Value {
    Value::object([
        ("destination_type", text(settings, "destination_type")),
        ("destination", text(settings, "destination")),
        ("traffic", text(settings, "traffic")),
        ("interval_seconds", settings.get("interval_seconds").and_then(|seconds| seconds.parse::<u64>().ok()).into()),
        ("role_arn", text(settings, "role")),
    ])
}

fn unreadable(name: &str) -> Diagnostic {
    Diagnostic::error(format!("what exists of k8s_vpc {name:?} cannot be read as a configuration"))
        .detail("Something essential of it is missing. Declare it and apply: what is left of it is found and used.")
}
