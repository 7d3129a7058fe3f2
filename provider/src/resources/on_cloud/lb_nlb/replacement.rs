//! What only a new load balancer can have otherwise, beside the attributes that always replace it. Pure.

use schema::{AttributePath, Value};
use std::collections::BTreeMap;

/// AWS adds no first security group to a balancer that was made without one, takes the last one from none, and changes no address
/// in a subnet that stays.
pub fn paths(prior: &Value, planned: &Value) -> Vec<AttributePath> {
    let mut paths = Vec::new();
    if let (Some(before), Some(after)) = (has_groups(prior), has_groups(planned))
        && before != after
    {
        paths.push(AttributePath::attribute("security_group_ids"));
    }
    let (before, after) = (addresses(prior), addresses(planned));
    let moved = |(subnet, addresses): (&String, &Vec<Value>)| after.get(subnet).is_some_and(|other| other != addresses);
    if before.iter().any(moved) {
        paths.push(AttributePath::attribute("subnets"));
    }
    paths
}

/// What is not known yet, and may turn out to be such a change.
pub fn undecided(prior: &Value, planned: &Value) -> Vec<AttributePath> {
    let groups = has_groups(planned).is_none().then_some("security_group_ids");
    let has_fixed = |addresses: &Vec<Value>| addresses.iter().any(Value::is_set);
    let is_open = |name: &&str| {
        let value = planned.get(name);
        let may_be_fixed = *name == "subnets" || addresses(prior).values().any(has_fixed);
        !value.is_wholly_known() && prior.at(&AttributePath::attribute(*name)).is_set() && may_be_fixed
    };
    let subnets = ["subnets", "subnet_ids"].into_iter().filter(is_open);
    groups.into_iter().chain(subnets).map(AttributePath::attribute).collect()
}

/// `None` while it is not known.
fn has_groups(values: &Value) -> Option<bool> {
    match values.get("security_group_ids") {
        Value::Unknown | Value::Changing(_) => None,
        groups => Some(groups.as_list().is_some_and(|groups| !groups.is_empty())),
    }
}

/// Fixed addresses by subnet, as far as all of a subnet is known.
fn addresses(values: &Value) -> BTreeMap<String, Vec<Value>> {
    let list = |name: &str| values.get(name).as_list().unwrap_or_default();
    let none = vec![Value::Null; 3];
    let plain = list("subnet_ids").iter().filter_map(|id| Some((id.as_str()?.to_owned(), none.clone())));
    let with_addresses = list("subnets").iter().filter_map(|subnet| {
        let fixed = ["allocation_id", "private_ipv4_address", "ipv6_address"].map(|name| subnet.get(name).clone());
        fixed.iter().all(Value::is_wholly_known).then_some((subnet.get("subnet_id").as_str()?.to_owned(), fixed.to_vec()))
    });
    plain.chain(with_addresses).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, Value)], after: &[(&str, Value)], expect: &[&str]) {
        let values =
            |all: &[(&str, Value)]| Value::Map(all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
        let paths = paths(&values(before), &values(after));
        assert_eq!(paths, expect.iter().map(|name| AttributePath::attribute(*name)).collect::<Vec<_>>());
    }

    fn groups(ids: &[&str]) -> (&'static str, Value) {
        ("security_group_ids", ids.to_vec().into())
    }

    fn subnet(address: Value) -> (&'static str, Value) {
        let subnet = Value::object([("subnet_id", "subnet-1".into()), ("private_ipv4_address", address)]);
        ("subnets", Value::List(vec![subnet]))
    }

    #[test]
    fn the_first_and_the_last_security_group_make_a_new_balancer() {
        check(&[groups(&[])], &[groups(&["sg-1"])], &["security_group_ids"]);
        check(&[groups(&["sg-1"])], &[groups(&[])], &["security_group_ids"]);
        check(&[groups(&["sg-1"])], &[groups(&["sg-2"])], &[]);
        check(&[groups(&["sg-1"])], &[("security_group_ids", Value::Unknown)], &[]);
    }

    #[test]
    fn another_address_in_a_subnet_that_stays_makes_a_new_balancer() {
        check(&[subnet("10.0.0.9".into())], &[subnet("10.0.0.10".into())], &["subnets"]);
        check(&[("subnet_ids", vec!["subnet-1"].into())], &[subnet("10.0.0.10".into())], &["subnets"]);
        check(&[subnet("10.0.0.9".into())], &[("subnet_ids", vec!["subnet-2"].into())], &[]);
        check(&[subnet("10.0.0.9".into())], &[subnet(Value::Unknown)], &[]);
    }

    #[test]
    fn what_is_not_known_yet_may_make_a_new_balancer() {
        let said = |before: (&str, Value), after: (&str, Value)| {
            let values = |(name, value): (&str, Value)| Value::Map([(name.to_owned(), value)].into());
            undecided(&values(before), &values(after)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(said(groups(&["sg-1"]), ("security_group_ids", Value::Unknown)), ["security_group_ids"]);
        assert_eq!(said(groups(&["sg-1"]), ("security_group_ids", Value::List(vec![Value::Unknown]))), [""; 0]);
        assert_eq!(said(subnet("10.0.0.9".into()), subnet(Value::Unknown)), ["subnets"]);
        assert_eq!(said(subnet("10.0.0.9".into()), subnet("10.0.0.9".into())), [""; 0]);
        let ids = |ids: Value| ("subnet_ids", ids);
        assert_eq!(said(ids(vec!["subnet-1"].into()), ids(Value::Unknown)), [""; 0]);
    }
}
