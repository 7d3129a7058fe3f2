//! Tiers of subnets, and the NAT gateways that they need.

use super::addresses::{networks, parse_ipv4};
use super::{Report, is_id, texts, zone_count};
use ipnet::Ipv4Net;
use render::aws::vpc_cidrs::{PlanError, TierCidrs, default_netmask, plan_cidrs, tier_and_number};
use schema::{AttributePath, Value};
use std::collections::{BTreeMap, BTreeSet};

const LONGEST_NAME: usize = 32;

pub fn validate(config: &Value, report: &mut Report<'_>) {
    let tiers = config.get("subnets");
    let at = AttributePath::attribute("subnets");
    if tiers.as_map().is_some_and(BTreeMap::is_empty) {
        report.error(at.clone(), "subnets is empty", "Declare at least one tier, such as { private = { type = \"private\" } }.");
    }
    for (name, tier) in tiers.as_map().into_iter().flatten() {
        let at = at.clone().key(name.as_str());
        validate_name(name, &at, report);
        validate_families(config, tier, &at, report);
        validate_given(config, tier, &at, report);
    }
    validate_nat(config, report);
    let disjoint = validate_disjoint(config, report);
    if disjoint && !report.diagnostics.has_errors() {
        validate_room(config, report);
    }
}

/// They stand in names of subnets and route tables, where a number is that of a zone.
fn validate_name(name: &str, at: &AttributePath, report: &mut Report<'_>) {
    let is_made_of = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_made_of) && !name.ends_with('-');
    if !good || name.len() > LONGEST_NAME || tier_and_number(name).is_some() {
        report.error(
            at.clone(),
            format!("{name:?} cannot be the name of a tier"),
            "Use lower-case letters, digits and '-', a letter first, at most 32, and no number after the last '-', such as \"private\".",
        );
    }
}

fn validate_families(config: &Value, tier: &Value, at: &AttributePath, report: &mut Report<'_>) {
    let is = |name: &str| tier.get(name).as_bool() == Some(true);
    let has_ipv6 = !config.get("ipv6").is_null();
    if is("ipv6_only") && !has_ipv6 {
        report.error(at.clone().then("ipv6_only"), "ipv6_only needs a VPC with IPv6", "Add ipv6 = {} to the VPC.");
    }
    if is("ipv6_only") {
        for name in ["netmask", "cidrs"].into_iter().filter(|name| !tier.get(name).is_null()) {
            report.error(
                at.clone().then(name),
                format!("{name} does not belong to an IPv6-only tier"),
                format!("Leave {name} out: these subnets have no IPv4."),
            );
        }
    }
    if !is("dns64") {
        return;
    }
    let at = at.clone().then("dns64");
    if !has_ipv6 {
        report.error(at, "dns64 needs a VPC with IPv6", "Add ipv6 = {} to the VPC, or leave dns64 out.");
    } else if tier.get("type").as_str() == Some("isolated") {
        report.error(
            at,
            "dns64 leads nowhere from an isolated tier",
            "What it answers is reached by a NAT gateway. Use type = \"private\".",
        );
    } else if config.get("nat").get("mode").as_str() == Some("none") {
        report.error(at, "dns64 needs a NAT gateway", "Set nat = { mode = \"single\" } or \"per_zone\", or leave dns64 out.");
    }
}

fn validate_given(config: &Value, tier: &Value, at: &AttributePath, report: &mut Report<'_>) {
    if let (Some(netmask), Some(vpc)) = (tier.get("netmask").as_i64(), networks(config).iter().map(Ipv4Net::prefix_len).min())
        && netmask < i64::from(vpc)
    {
        report.error(
            at.clone().then("netmask"),
            format!("/{netmask} is larger than the VPC"),
            format!("A subnet is a part of the VPC: give {vpc} to 28, such as {}.", (vpc + 8).min(28)),
        );
    }
    let cidrs = tier.get("cidrs");
    let Some(list) = cidrs.as_list() else { return };
    let at = at.clone();
    if tier.get("netmask").is_set() {
        report.error(at.clone().then("netmask"), "both netmask and cidrs are given", "Leave netmask out: the CIDRs say it.");
    }
    let at = at.then("cidrs");
    if let Some(count) = zone_count(config).filter(|count| list.len() < *count) {
        report.error(
            at.clone(),
            format!("cidrs has {} CIDRs for {count} zones", list.len()),
            "Give one for each zone, in the order of their numbers; more are kept for zones to come.",
        );
    }
    for (text, at) in texts(cidrs, &at) {
        let Some(network) = parse_ipv4(text, &at, report) else { continue };
        let vpc = networks(config);
        if !vpc.is_empty() && !vpc.iter().any(|vpc| vpc.contains(&network)) {
            let vpc: Vec<String> = vpc.iter().map(ToString::to_string).collect();
            report.error(
                at,
                format!("{network} lies outside the VPC"),
                format!("Choose one within {}, or add its network to secondary_cidrs.", vpc.join(", ")),
            );
        }
    }
}

/// Given CIDRs against each other.
fn validate_disjoint(config: &Value, report: &mut Report<'_>) -> bool {
    let mut seen: Vec<(AttributePath, Ipv4Net)> = Vec::new();
    let before = report.diagnostics.len();
    for (name, tier) in config.get("subnets").as_map().into_iter().flatten() {
        let at = AttributePath::attribute("subnets").key(name.as_str()).then("cidrs");
        for (text, at) in texts(tier.get("cidrs"), &at) {
            let Ok(network) = text.parse::<Ipv4Net>() else { continue };
            if let Some((other_at, other)) = seen.iter().find(|(_, other)| other.contains(&network) || network.contains(other)) {
                report.error(
                    at.clone(),
                    format!("{network} overlaps {other} of {other_at}"),
                    "Subnets share no addresses. Choose another.",
                );
            }
            seen.push((at, network));
        }
    }
    report.diagnostics.len() == before
}

fn validate_nat(config: &Value, report: &mut Report<'_>) {
    let (nat, at) = (config.get("nat"), AttributePath::attribute("nat"));
    let mode = nat.get("mode").as_str().unwrap_or("per_zone");
    let tiers = config.get("subnets");
    let all_known = tiers.as_map().is_none_or(|tiers| tiers.values().all(|tier| tier.get("type").as_str().is_some()));
    let is_public = |tier: &Value| tier.get("type").as_str() == Some("public") && tier.get("ipv6_only").as_bool() != Some(true);
    let needs = |tier: &Value| {
        let is = |name: &str| tier.get(name).as_bool() == Some(true);
        is("dns64") || (tier.get("type").as_str() == Some("private") && !is("ipv6_only"))
    };
    // Where subnets are not given, there are a public and a private tier.
    let given: Vec<&Value> = tiers.as_map().into_iter().flatten().map(|(_, tier)| tier).collect();
    let has_public = tiers.is_null() || given.iter().any(|tier| is_public(tier));
    if mode != "none"
        && !nat.get("mode").is_unknown()
        && !tiers.is_unknown()
        && all_known
        && !has_public
        && given.iter().any(|tier| needs(tier))
    {
        report.error(
            at.clone().then("mode"),
            "NAT gateways need a public tier with IPv4",
            "Add a tier, such as public = { type = \"public\" }, or set nat = { mode = \"none\" }.",
        );
    }
    if let Some(name) = nat.get("subnets").as_str() {
        let tier = if tiers.is_null() { None } else { Some(tiers.get(name)).filter(|tier| !tier.is_unknown()) };
        let is_default = tiers.is_null() && name == "public";
        if !is_default
            && tier.is_none_or(|tier| tier.get("type").as_str().is_none_or(|_| !is_public(tier)))
            && !tiers.is_unknown()
        {
            report.error(
                at.clone().then("subnets"),
                format!("{name:?} is not a public tier with IPv4"),
                "NAT gateways are placed in public subnets. Name a tier of type \"public\", or leave it out.",
            );
        }
    }
    validate_addresses(config, mode, &at.then("elastic_ip_ids"), report);
}

fn validate_addresses(config: &Value, mode: &str, at: &AttributePath, report: &mut Report<'_>) {
    let list = config.get("nat").get("elastic_ip_ids");
    let mut seen = BTreeSet::new();
    for (id, at) in texts(list, at) {
        if !is_id(id, "eipalloc-") {
            report.error(
                at.clone(),
                format!("{id:?} is not the allocation id of an Elastic IP"),
                "Give one such as \"eipalloc-0123456789abcdef0\": the id, not the address.",
            );
        }
        if !seen.insert(id) {
            report.error(at, format!("{id} is given twice"), "An Elastic IP belongs to one NAT gateway. Give each once.");
        }
    }
    let given = list.as_list().map_or(0, <[Value]>::len);
    if mode == "none" && given > 0 {
        report.error(
            at.clone(),
            "elastic_ip_ids are given, but no NAT gateway is created",
            "Leave them out, or set nat.mode to \"single\" or \"per_zone\".",
        );
    }
}

/// Only where everything is known: the plan of addresses itself.
fn validate_room(config: &Value, report: &mut Report<'_>) {
    let (Some(vpc), Some(count), Some(tiers)) =
        (networks(config).first().copied(), zone_count(config), config.get("subnets").as_map())
    else {
        return;
    };
    if !config.get("subnets").is_wholly_known() || config.get("secondary_cidrs").is_unknown() {
        return;
    }
    let wanted = tiers.iter().filter(|(_, tier)| tier.get("ipv6_only").as_bool() != Some(true)).map(|(name, tier)| {
        let is_private = tier.get("type").as_str() == Some("private");
        let netmask = tier.get("netmask").as_i64().and_then(|netmask| u8::try_from(netmask).ok());
        let given =
            texts(tier.get("cidrs"), &AttributePath::root()).into_iter().filter_map(|(text, _)| text.parse().ok()).collect();
        (name.clone(), TierCidrs { netmask: netmask.unwrap_or_else(|| default_netmask(vpc, is_private)), given })
    });
    let numbers = (1..=u32::try_from(count).unwrap_or(8)).collect();
    if let Err(error @ PlanError::NoRoom { .. }) = plan_cidrs(&networks(config), &wanted.collect(), &numbers, &BTreeMap::new()) {
        report.diagnostics.push(crate::resources::on_cloud::vpc::no_room(&error));
    }
}
