//! What AWS knows and the configuration does not: zones, quotas, other networks.

use super::zones;
use crate::resources::on_cloud::{PlannedChange, failed};
use cloud::{Cloud, Direction, Found, Graph, Kind, Object, Peer, Quota, Rule, Wanted, Zone};
use ipnet::{IpNet, Ipv4Net};
use schema::{AttributePath, Diagnostic, Diagnostics, Value};

pub async fn preflight(cloud: &dyn Cloud, change: &PlannedChange<'_>) -> Diagnostics {
    let PlannedChange { planned, prior, before, after } = change;
    let mut diagnostics = Diagnostics::default();
    let region = cloud.region();
    if let Err(diagnostic) = super::check_region(planned, &region) {
        return diagnostic.into();
    }
    match cloud.zones().await {
        Ok(known) => diagnostics.extend(check_zones(planned, &known, &region)),
        Err(error) => diagnostics.push(failed("cannot check the zones", &error)),
    }
    let own_id = prior.and_then(|prior| prior.get("vpc_id").as_str().map(str::to_owned)).unwrap_or_default();
    match cloud.find(&Wanted { kinds: [Kind::Vpc].into(), ..Wanted::default() }).await {
        Ok(found) => diagnostics.extend(check_overlaps(planned, &found, &own_id)),
        Err(error) => diagnostics.push(failed("cannot check for VPCs with the same addresses", &error)),
    }
    match cloud.quotas().await {
        Ok(quotas) => diagnostics.extend(check_quotas(before, after, &quotas)),
        Err(error) => diagnostics.push(failed("cannot check the quotas", &error)),
    }
    diagnostics
}

fn check_zones(planned: &Value, known: &[Zone], region: &str) -> Diagnostics {
    let usable: Vec<&str> = known.iter().filter(|zone| zone.available).map(|zone| zone.name.as_str()).collect();
    let wanted = zones::in_use(planned).unwrap_or_default();
    let missing = wanted.values().filter_map(|zone| zone.known()).filter(|zone| !usable.contains(zone));
    let mut diagnostics: Diagnostics = missing
        .map(|zone| {
            Diagnostic::error(format!("zone {zone} is not open to this account"))
                .detail(format!("These are, in {region}: {}.", usable.join(", ")))
                .at(AttributePath::attribute("zones"))
        })
        .collect();
    if wanted.len() > usable.len() && planned.get("zones").is_null() {
        diagnostics.push(super::too_few_zones(
            region,
            &usable.iter().map(ToString::to_string).collect::<Vec<_>>(),
            wanted.len() - usable.len(),
        ));
    }
    diagnostics
}

/// VPCs of the same addresses can exist, but never be connected.
fn check_overlaps(planned: &Value, found: &[Found], own_id: &str) -> Diagnostics {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<Ipv4Net>().ok());
    let secondary = planned.get("secondary_cidrs").as_list().unwrap_or_default();
    let own: Vec<Ipv4Net> = std::iter::once(planned.get("cidr")).chain(secondary).filter_map(parse).collect();
    let mut diagnostics = Diagnostics::default();
    for vpc in found.iter().filter(|vpc| vpc.id != own_id) {
        let secondary = vpc.settings.keys().filter_map(|key| key.strip_prefix("secondary_cidr "));
        let others = vpc.settings.get("cidr").map(String::as_str).into_iter().chain(secondary);
        for other in others.filter_map(|text| text.parse::<Ipv4Net>().ok()) {
            if let Some(own) = own.iter().find(|own| own.contains(&other) || other.contains(*own)) {
                let name = vpc.tag("Name").map(|name| format!(" ({name})")).unwrap_or_default();
                diagnostics.push(
                    Diagnostic::warning(format!("{own} overlaps {other} of {}{name}", vpc.id))
                        .detail("Both can exist, but AWS routes nothing between them, by peering or transit gateway. Choose another cidr if they are ever to be connected.")
                        .at(AttributePath::attribute("cidr")),
                );
            }
        }
    }
    diagnostics
}

fn check_quotas(before: &Graph, after: &Graph, quotas: &[Quota]) -> Diagnostics {
    let count = |graph: &Graph, kind: Kind| graph.of_kind(kind).count();
    let more = |kind: Kind| count(after, kind).saturating_sub(count(before, kind));
    let needed = |subject: &str| match subject {
        "vpc" => more(Kind::Vpc),
        "internet_gateway" => more(Kind::InternetGateway),
        "egress_only_internet_gateway" => more(Kind::EgressOnlyInternetGateway),
        "elastic_ip" => more(Kind::ElasticIp),
        "security_group" => more(Kind::SecurityGroup),
        // At most one in a zone.
        "nat_gateway_per_zone" => more(Kind::NatGateway).min(1),
        "subnet_per_vpc" => count(after, Kind::Subnet),
        "route_table_per_vpc" => count(after, Kind::RouteTable),
        "rule_per_security_group" => after.of_kind(Kind::SecurityGroup).map(rules_in_one_list).max().unwrap_or(0),
        _ => 0,
    };
    let exceeded = |quota: &Quota| {
        let needed = u64::try_from(needed(&quota.subject)).unwrap_or(u64::MAX);
        (needed > 0 && quota.used.saturating_add(needed) > quota.limit).then(|| {
            Diagnostic::error(format!("the quota {:?} is too small", quota.name)).detail(format!(
                "The account may have {} and has {}; this plan creates {needed} more. Request a higher quota in Service Quotas, or remove some.",
                quota.limit, quota.used
            ))
        })
    };
    quotas.iter().filter_map(exceeded).collect()
}

/// AWS counts the rules of each direction and each family on their own, one that names a group or a prefix list in both families.
fn rules_in_one_list(group: &Object) -> usize {
    let rules: Vec<Rule> = group.settings.keys().filter_map(|key| key.parse().ok()).collect();
    let count = |direction: Direction, other_family: fn(&Peer) -> bool| {
        rules.iter().filter(|rule| rule.direction == direction && !other_family(&rule.peer)).count()
    };
    let is_v4 = |peer: &Peer| matches!(peer, Peer::Network(IpNet::V4(_)));
    let is_v6 = |peer: &Peer| matches!(peer, Peer::Network(IpNet::V6(_)));
    let in_direction = |direction| count(direction, is_v4).max(count(direction, is_v6));
    in_direction(Direction::Ingress).max(in_direction(Direction::Egress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(diagnostics: Diagnostics, expect: &[&str]) {
        assert_eq!(diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn quotas_count_what_is_new() {
        let vpc: Graph = [Object::new(Kind::Vpc, "main")].into_iter().collect();
        let quota = |used| [Quota { subject: "vpc".into(), name: "VPCs per Region".into(), limit: 5, used }];
        check(check_quotas(&Graph::default(), &vpc, &quota(4)), &[]);
        check(check_quotas(&Graph::default(), &vpc, &quota(5)), &["the quota \"VPCs per Region\" is too small"]);
        check(check_quotas(&vpc, &vpc, &quota(5)), &[]);
    }

    #[test]
    fn rules_are_counted_by_direction_and_family() {
        let rules = [
            "ingress tcp 1 10.0.0.0/8",
            "ingress tcp 2 10.0.0.0/8",
            "ingress tcp 1 fd00::/8",
            "ingress tcp 1 sg-1",
            "egress all all ::/0",
        ];
        let group = rules.into_iter().fold(Object::new(Kind::SecurityGroup, "node"), |group, rule| group.with(rule, ""));
        assert_eq!(rules_in_one_list(&group), 3);
    }

    #[test]
    fn zones_have_to_be_open() {
        let zone = |name: &str, available| Zone { name: name.into(), id: String::new(), available };
        let known = [zone("us-east-1a", true), zone("us-east-1b", false)];
        let numbered = Value::object([("1", "us-east-1a".into()), ("2", "us-east-1b".into())]);
        let planned = Value::object([("zones", vec!["us-east-1a", "us-east-1b"].into()), ("numbered_zones", numbered)]);
        check(check_zones(&planned, &known, "us-east-1"), &["zone us-east-1b is not open to this account"]);
        let counted = Value::object([
            ("zone_count", 2.into()),
            ("numbered_zones", Value::object([("1", Value::Unknown), ("2", Value::Unknown)])),
        ]);
        check(check_zones(&counted, &known, "us-east-1"), &["us-east-1 has 1 zones too few for zone_count"]);
    }

    #[test]
    fn other_networks_of_the_same_addresses_are_told() {
        let mut other = Found::new(Kind::Vpc, "vpc-2");
        other.settings.insert("cidr".into(), "10.0.128.0/17".into());
        other.settings.insert("secondary_cidr 10.1.0.0/16".into(), String::new());
        let planned = Value::object([("cidr", "10.0.0.0/16".into())]);
        check(check_overlaps(&planned, &[other.clone()], "vpc-1"), &["10.0.0.0/16 overlaps 10.0.128.0/17 of vpc-2"]);
        check(check_overlaps(&planned, &[other], "vpc-2"), &[]);
    }
}
