//! The plan of addresses of a VPC: which IPv4 CIDR and which /64 each subnet has. It never moves a subnet that is there, and
//! without any it depends neither on how many zones there are nor on their order.

use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;

/// What a tier of subnets asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierCidrs {
    /// Prefix length of each of its subnets.
    pub netmask: u8,
    /// Given by the user: the first is that of zone number 1. They win over the netmask.
    pub given: Vec<Ipv4Net>,
}

/// Why subnets cannot be placed in the CIDRs of the VPC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("tier {tier} has no room for its subnets")]
    NoRoom { tier: String },
    #[error("tier {tier} has no CIDR for zone number {number}")]
    NotGiven { tier: String, number: u32 },
}

/// Zones for which each tier keeps room; no region has more.
pub const ZONES_WITH_ROOM: u64 = 8;
/// AWS has no smaller subnet.
pub const LONGEST_NETMASK: u8 = 28;

/// `<tier>-<zone number>`.
pub fn subnet_name(tier: &str, number: u32) -> String {
    format!("{tier}-{number}")
}

/// `private-a`, `1` of `private-a-1`.
pub fn tier_and_number(subnet: &str) -> Option<(&str, u32)> {
    let (tier, number) = subnet.rsplit_once('-')?;
    Some((tier, number.parse().ok()?))
}

/// Nodes and pods are many, load balancers and gateways few.
pub fn default_netmask(vpc: Ipv4Net, is_private: bool) -> u8 {
    let bits = if is_private { 4 } else { 8 };
    (vpc.prefix_len() + bits).min(LONGEST_NETMASK)
}

/// `networks` are the VPC's CIDRs, `numbers` those of its zones, `kept` what subnets have that exist. By name of subnet.
pub fn plan_cidrs(
    networks: &[Ipv4Net],
    tiers: &BTreeMap<String, TierCidrs>,
    numbers: &BTreeSet<u32>,
    kept: &BTreeMap<String, Ipv4Net>,
) -> Result<BTreeMap<String, Ipv4Net>, PlanError> {
    let mut plan = BTreeMap::new();
    let mut taken = Vec::new();
    for (tier, wanted) in tiers.iter().filter(|(_, wanted)| !wanted.given.is_empty()) {
        taken.extend(wanted.given.iter().map(|network| range(*network)));
        for number in numbers {
            let given = wanted.given.get(index(*number)).ok_or(PlanError::NotGiven { tier: tier.clone(), number: *number })?;
            plan.insert(subnet_name(tier, *number), *given);
        }
    }
    let planned: BTreeMap<String, u64> = tiers
        .iter()
        .filter(|(_, wanted)| wanted.given.is_empty())
        .map(|(tier, wanted)| (tier.clone(), 1 << (32 - u32::from(wanted.netmask.min(32)))))
        .collect();
    let is_inside = |network: &Ipv4Net| networks.iter().any(|outer| outer.contains(network));
    let kept = kept.iter().filter_map(|(name, network)| {
        let (tier, number) = tier_and_number(name)?;
        let fits = tiers.get(tier)?.netmask == network.prefix_len() && is_inside(network);
        (fits && !taken.iter().any(|other| overlap(other, &range(*network)))).then(|| (key(tier, number), range(*network).start))
    });
    let kept = kept.collect();
    let mut space = Space { ranges: networks.iter().map(|network| range(*network)).collect(), taken };
    for ((tier, number), start) in space.place(&planned, numbers, &kept)? {
        let netmask = tiers.get(&tier).map_or(LONGEST_NETMASK, |wanted| wanted.netmask);
        let address = Ipv4Addr::from_bits(u32::try_from(start).unwrap_or(u32::MAX));
        plan.insert(subnet_name(&tier, number), Ipv4Net::new_assert(address, netmask.min(32)));
    }
    Ok(plan)
}

/// The /64 that each subnet has of a block, counted from 0. By name of subnet.
pub fn plan_ipv6_indexes(
    prefix: u8,
    tiers: &BTreeSet<String>,
    numbers: &BTreeSet<u32>,
    kept: &BTreeMap<String, u32>,
) -> Result<BTreeMap<String, u32>, PlanError> {
    let count = 1_u64 << 64_u32.saturating_sub(u32::from(prefix)).min(31);
    let mut space = Space { ranges: vec![Range { start: 0, end: count }], taken: Vec::new() };
    let kept = kept.iter().filter_map(|(name, index)| {
        let (tier, number) = tier_and_number(name)?;
        (tiers.contains(tier) && u64::from(*index) < count).then(|| (key(tier, number), u64::from(*index)))
    });
    let sizes = tiers.iter().map(|tier| (tier.clone(), 1)).collect();
    let placed = space.place(&sizes, numbers, &kept.collect())?;
    let name = |((tier, number), start): ((String, u32), u64)| (subnet_name(&tier, number), u32::try_from(start).unwrap_or(0));
    Ok(placed.into_iter().map(name).collect())
}

/// Addresses, or /64s, of which some are taken.
struct Space {
    ranges: Vec<Range<u64>>,
    taken: Vec<Range<u64>>,
}

type Placed = BTreeMap<(String, u32), u64>;

impl Space {
    /// `sizes` are powers of two. A tier's subnets follow each other by number from its base on: what is kept determines the base.
    fn place(&mut self, sizes: &BTreeMap<String, u64>, numbers: &BTreeSet<u32>, kept: &Placed) -> Result<Placed, PlanError> {
        let mut placed = Placed::new();
        let mut reserved: BTreeMap<&String, Range<u64>> = BTreeMap::new();
        for ((tier, number), start) in kept {
            let Some((tier, size)) = sizes.get_key_value(tier) else { continue };
            if let Some(base) = start.checked_sub(u64::from(number.saturating_sub(1)) * size) {
                reserved.entry(tier).or_insert(base..base + ZONES_WITH_ROOM * size);
            }
            if numbers.contains(number) {
                self.taken.push(*start..start + size);
                placed.insert(key(tier, *number), *start);
            }
        }
        let mut elsewhere = Vec::new();
        for (tier, range) in &reserved {
            let size = sizes.get(*tier).copied().unwrap_or(1);
            for number in numbers.iter().filter(|number| !placed.contains_key(&key(tier, **number))).collect::<Vec<_>>() {
                let start = range.start + u64::from(number.saturating_sub(1)) * size;
                let slot = start..start + size;
                let others = reserved.iter().filter(|(other, _)| other != &tier).map(|(_, range)| range);
                if self.has(&slot) && !self.taken.iter().chain(others).any(|other| overlap(other, &slot)) {
                    self.taken.push(slot);
                    placed.insert(key(tier, *number), start);
                } else {
                    elsewhere.push((key(tier, *number), size));
                }
            }
        }
        let new: BTreeMap<&String, u64> =
            sizes.iter().filter(|(tier, _)| !reserved.contains_key(tier)).map(|(tier, size)| (tier, *size)).collect();
        let reserved: Vec<Range<u64>> = reserved.into_values().collect();
        for (tier, base) in self.place_tiers(&new, numbers, &reserved)? {
            let size = sizes.get(&tier).copied().unwrap_or(1);
            for number in numbers {
                let start = base + u64::from(number.saturating_sub(1)) * size;
                self.taken.push(start..start + size);
                placed.insert(key(&tier, *number), start);
            }
        }
        for (subnet, size) in elsewhere {
            let free = self.first_fit(size, size, &reserved).or_else(|| self.first_fit(size, size, &[]));
            let start = free.ok_or_else(|| PlanError::NoRoom { tier: subnet.0.clone() })?;
            self.taken.push(start..start + size);
            placed.insert(subnet, start);
        }
        Ok(placed)
    }

    /// Bases of tiers that have no subnet yet: with room for as many zones as all of them can have, eight at most.
    fn place_tiers(
        &self,
        sizes: &BTreeMap<&String, u64>,
        numbers: &BTreeSet<u32>,
        reserved: &[Range<u64>],
    ) -> Result<Vec<(String, u64)>, PlanError> {
        let least = u64::from(numbers.last().copied().unwrap_or(0)).max(1);
        let mut problem = None;
        for avoided in [reserved, &[]] {
            for room in (least..=least.max(ZONES_WITH_ROOM)).rev() {
                match self.place_tiers_with(sizes, room, avoided) {
                    Ok(bases) => return Ok(bases),
                    Err(error) => problem = Some(error),
                }
            }
        }
        problem.map_or(Ok(Vec::new()), Err)
    }

    fn place_tiers_with(
        &self,
        sizes: &BTreeMap<&String, u64>,
        room: u64,
        avoided: &[Range<u64>],
    ) -> Result<Vec<(String, u64)>, PlanError> {
        // The largest first leaves no gaps, for every size divides it.
        let mut order: Vec<(&String, u64)> = sizes.iter().map(|(tier, size)| (*tier, *size)).collect();
        order.sort_by_key(|(tier, size)| (std::cmp::Reverse(*size), *tier));
        let mut avoided = avoided.to_vec();
        let mut bases = Vec::new();
        for (tier, size) in order {
            let base = self.first_fit(size * room, size, &avoided).ok_or_else(|| PlanError::NoRoom { tier: tier.clone() })?;
            avoided.push(base..base + size * room);
            bases.push((tier.clone(), base));
        }
        Ok(bases)
    }

    fn first_fit(&self, length: u64, alignment: u64, avoided: &[Range<u64>]) -> Option<u64> {
        self.ranges.iter().find_map(|range| {
            let mut start = range.start.next_multiple_of(alignment);
            loop {
                let candidate = start..start + length;
                if candidate.end > range.end {
                    return None;
                }
                match self.taken.iter().chain(avoided).filter(|other| overlap(other, &candidate)).map(|other| other.end).max() {
                    None => return Some(start),
                    Some(end) => start = end.next_multiple_of(alignment),
                }
            }
        })
    }

    fn has(&self, slot: &Range<u64>) -> bool {
        self.ranges.iter().any(|range| range.start <= slot.start && slot.end <= range.end)
    }
}

fn key(tier: &str, number: u32) -> (String, u32) {
    (tier.to_owned(), number)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1)
}

fn range(network: Ipv4Net) -> Range<u64> {
    let start = u64::from(network.network().to_bits());
    start..start + (1 << (32 - u32::from(network.prefix_len())))
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn tiers(wanted: &[(&str, u8)]) -> BTreeMap<String, TierCidrs> {
        wanted.iter().map(|(tier, netmask)| (tier.to_string(), TierCidrs { netmask: *netmask, given: vec![] })).collect()
    }

    fn zones(count: u32) -> BTreeSet<u32> {
        (1..=count).collect()
    }

    fn shown(plan: &BTreeMap<String, Ipv4Net>) -> Vec<String> {
        plan.iter().map(|(name, network)| format!("{name} {network}")).collect()
    }

    #[track_caller]
    fn check(networks: &[&str], wanted: &[(&str, u8)], count: u32, expect: &[&str]) {
        let networks: Vec<Ipv4Net> = networks.iter().map(|text| network(text)).collect();
        let plan = plan_cidrs(&networks, &tiers(wanted), &zones(count), &BTreeMap::new());
        match plan {
            Ok(plan) => assert_eq!(shown(&plan), expect),
            Err(error) => assert_eq!([error.to_string()], expect),
        }
    }

    #[test]
    fn tiers_get_room_for_eight_zones_or_as_many_as_fit() {
        check(
            &["10.0.0.0/16"],
            &[("private", 20), ("public", 24)],
            2,
            &["private-1 10.0.0.0/20", "private-2 10.0.16.0/20", "public-1 10.0.128.0/24", "public-2 10.0.129.0/24"],
        );
        check(&["10.0.0.0/28"], &[("private", 28)], 1, &["private-1 10.0.0.0/28"]);
        check(&["10.0.0.0/28"], &[("private", 28), ("public", 28)], 1, &["tier public has no room for its subnets"]);
        check(
            &["10.0.0.0/16"],
            &[("private", 19), ("public", 24)],
            2,
            &["private-1 10.0.0.0/19", "private-2 10.0.32.0/19", "public-1 10.0.224.0/24", "public-2 10.0.225.0/24"],
        );
        check(&["10.0.0.0/24", "100.64.0.0/16"], &[("pods", 20)], 1, &["pods-1 100.64.0.0/20"]);
    }

    #[test]
    fn given_cidrs_win_and_are_left_out_of_the_plan_of_the_others() {
        let mut wanted = tiers(&[("private", 24), ("public", 24)]);
        wanted.get_mut("public").unwrap().given = vec![network("10.0.0.0/24"), network("10.0.1.0/24")];
        let plan = plan_cidrs(&[network("10.0.0.0/16")], &wanted, &zones(1), &BTreeMap::new()).unwrap();
        assert_eq!(shown(&plan), ["private-1 10.0.2.0/24", "public-1 10.0.0.0/24"]);
        let error = plan_cidrs(&[network("10.0.0.0/16")], &wanted, &zones(3), &BTreeMap::new()).unwrap_err();
        assert_eq!(error, PlanError::NotGiven { tier: "public".into(), number: 3 });
    }

    #[test]
    fn a_tier_that_comes_later_moves_nothing() {
        let vpc = [network("10.0.0.0/16")];
        let before = plan_cidrs(&vpc, &tiers(&[("private", 20)]), &zones(2), &BTreeMap::new()).unwrap();
        let after = plan_cidrs(&vpc, &tiers(&[("data", 18), ("private", 20)]), &zones(2), &before).unwrap();
        assert!(before.iter().all(|(name, network)| after[name] == *network));
        assert_eq!(after["data-1"], network("10.0.128.0/18"));
    }

    #[test]
    fn a_zone_that_is_gone_leaves_its_place_free() {
        let vpc = [network("10.0.0.0/16")];
        let wanted = tiers(&[("private", 20)]);
        let kept = plan_cidrs(&vpc, &wanted, &zones(1), &BTreeMap::new()).unwrap();
        let after = plan_cidrs(&vpc, &wanted, &[1, 3].into(), &kept).unwrap();
        assert_eq!(shown(&after), ["private-1 10.0.0.0/20", "private-3 10.0.32.0/20"]);
    }

    #[test]
    fn ipv6_indexes_have_eight_places_per_tier() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let plan = plan_ipv6_indexes(56, &names(&["private", "public"]), &zones(2), &BTreeMap::new()).unwrap();
        let expect = [("private-1", 0), ("private-2", 1), ("public-1", 8), ("public-2", 9)];
        assert_eq!(plan, expect.map(|(name, index)| (name.to_string(), index)).into());
        let more = plan_ipv6_indexes(56, &names(&["data", "private", "public"]), &zones(2), &plan).unwrap();
        assert_eq!(more["data-1"], 16);
        assert!(plan_ipv6_indexes(64, &names(&["private"]), &zones(2), &BTreeMap::new()).is_err());
    }

    #[test]
    fn names_of_subnets_read_back() {
        assert_eq!(tier_and_number(&subnet_name("my-tier", 12)), Some(("my-tier", 12)));
        assert_eq!(tier_and_number("x"), None);
    }

    fn a_vpc() -> impl Strategy<Value = (u8, Vec<u8>, u32)> {
        (16_u8..=22).prop_flat_map(|prefix| (Just(prefix), proptest::collection::vec(prefix + 2..=28, 1..5), 1_u32..6))
    }

    fn wanted(netmasks: &[u8]) -> BTreeMap<String, TierCidrs> {
        let names = ["private", "public", "data", "edge"];
        let named: Vec<(&str, u8)> = names.into_iter().zip(netmasks.iter().copied()).collect();
        tiers(&named)
    }

    proptest! {
        #[test]
        fn subnets_are_disjoint_and_inside((prefix, netmasks, count) in a_vpc()) {
            let vpc = network(&format!("10.0.0.0/{prefix}"));
            if let Ok(plan) = plan_cidrs(&[vpc], &wanted(&netmasks), &zones(count), &BTreeMap::new()) {
                let all: Vec<&Ipv4Net> = plan.values().collect();
                for (position, one) in all.iter().enumerate() {
                    prop_assert!(vpc.contains(*one));
                    prop_assert_eq!(one.addr(), one.network());
                    prop_assert!(all[..position].iter().all(|other| !one.contains(*other) && !other.contains(*one)));
                }
            }
        }

        #[test]
        fn a_zone_more_moves_nothing((prefix, netmasks, count) in a_vpc(), keep in any::<bool>()) {
            let vpc = [network(&format!("10.0.0.0/{prefix}"))];
            let tiers = wanted(&netmasks);
            if let Ok(before) = plan_cidrs(&vpc, &tiers, &zones(count), &BTreeMap::new()) {
                let kept = if keep { before.clone() } else { BTreeMap::new() };
                if let Ok(after) = plan_cidrs(&vpc, &tiers, &zones(count + 1), &kept) {
                    prop_assert!(before.iter().all(|(name, network)| after[name] == *network));
                }
            }
        }

        #[test]
        fn what_is_kept_is_kept((prefix, netmasks, count) in a_vpc(), later in 20_u8..=28) {
            let vpc = [network(&format!("10.0.0.0/{prefix}"))];
            let mut tiers = wanted(&netmasks);
            if let Ok(before) = plan_cidrs(&vpc, &tiers, &zones(count), &BTreeMap::new()) {
                prop_assert_eq!(&plan_cidrs(&vpc, &tiers, &zones(count), &before).unwrap(), &before);
                tiers.insert("a-later-one".into(), TierCidrs { netmask: later, given: vec![] });
                if let Ok(after) = plan_cidrs(&vpc, &tiers, &zones(count), &before) {
                    prop_assert!(before.iter().all(|(name, network)| after[name] == *network));
                    let new: Vec<&Ipv4Net> = after.iter().filter(|(name, _)| !before.contains_key(*name)).map(|(_, network)| network).collect();
                    prop_assert!(new.iter().all(|new| before.values().all(|old| !new.contains(old) && !old.contains(*new))));
                }
            }
        }

        #[test]
        fn indexes_are_distinct_and_stay(tiers in 1_usize..6, count in 1_u32..6, prefix in 52_u8..=60) {
            let names: BTreeSet<String> = (0..tiers).map(|tier| format!("t{tier}")).collect();
            if let Ok(before) = plan_ipv6_indexes(prefix, &names, &zones(count), &BTreeMap::new()) {
                prop_assert_eq!(before.values().collect::<BTreeSet<_>>().len(), before.len());
                if let Ok(after) = plan_ipv6_indexes(prefix, &names, &zones(count + 1), &BTreeMap::new()) {
                    prop_assert!(before.iter().all(|(name, index)| after[name] == *index));
                }
            }
        }
    }
}
