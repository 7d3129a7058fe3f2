//! The engine's side of the contract, written down again rather than taken from crate `protocol`, which is tested as well.
//! The rules are Terraform's `objchange` (`ProposedNew`, `AssertPlanValid`, `AssertObjectCompatible`).

use schema::{Attribute, AttributePath, Kind, Nesting, Schema, Value};
use std::collections::BTreeMap;

/// The configuration, and prior values of what is computed and not configured.
pub fn propose(attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    if !matches!(config, Value::Map(_)) {
        return config.clone();
    }
    let values = attributes.iter().map(|attribute| {
        let (prior, config) = (prior.get(attribute.name), config.get(attribute.name));
        let value = match &attribute.kind {
            _ if config.is_null() && attribute.is_computed() => prior.clone(),
            Kind::Nested(nesting, below) => propose_nested(*nesting, below, prior, config),
            _ => config.clone(),
        };
        (attribute.name.to_string(), value)
    });
    Value::Map(values.collect())
}

fn propose_nested(nesting: Nesting, below: &[Attribute], prior: &Value, config: &Value) -> Value {
    match (nesting, config) {
        (Nesting::Single, Value::Map(_)) => propose(below, prior, config),
        (Nesting::Map, Value::Map(entries)) => {
            let proposed = entries.iter().map(|(key, value)| (key.clone(), propose(below, prior.get(key), value)));
            Value::Map(proposed.collect::<BTreeMap<_, _>>())
        }
        (Nesting::List, Value::List(items)) => {
            let at = |index: usize| prior.at(&AttributePath::root().index(index)).clone();
            Value::List(items.iter().enumerate().map(|(index, item)| propose(below, &at(index), item)).collect())
        }
        (Nesting::Set, Value::List(_)) => panic!("sets of nested objects are not proposed here; no resource has one"),
        _ => config.clone(),
    }
}

/// What is configured is planned as configured (or as it was before); what is neither configured nor computed is null.
#[track_caller]
pub fn check_planned(schema: &Schema, prior: &Value, config: &Value, planned: &Value) {
    for attribute in &schema.attributes {
        let name = attribute.name;
        let (before, wanted, found) = (prior.get(name), config.get(name), planned.get(name));
        if attribute.write_only {
            assert!(found.is_null(), "the plan keeps the write-only {name}");
        } else if !wanted.is_null() {
            let is_same = found.equal(wanted, &attribute.value_type());
            assert!(is_same || found == before || keeps(wanted, found), "the plan changes {name}");
        } else if !attribute.is_computed() {
            assert!(found.is_null(), "the plan sets {name}, which is not configured");
        }
    }
}

/// What was planned is what there is; only what was unknown may be anything.
#[track_caller]
pub fn check_applied(schema: &Schema, planned: &Value, state: &Value) {
    assert_eq!(planned.is_null(), state.is_null());
    for attribute in &schema.attributes {
        let (wanted, found) = (planned.get(attribute.name), state.get(attribute.name));
        assert!(is_result_of(wanted, found), "{} was planned otherwise than it is", attribute.name);
    }
}

/// Null in a nested object may have become a computed value.
fn keeps(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Null, _) => true,
        (Value::Map(wanted), Value::Map(_)) => wanted.iter().all(|(key, value)| keeps(value, found.get(key))),
        (Value::List(wanted), Value::List(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| keeps(wanted, found))
        }
        _ => wanted == found,
    }
}

fn is_result_of(planned: &Value, found: &Value) -> bool {
    match (planned, found) {
        (Value::Unknown, _) => true,
        (Value::Map(planned), Value::Map(entries)) => {
            planned.keys().eq(entries.keys()) && planned.iter().all(|(key, value)| is_result_of(value, found.get(key)))
        }
        (Value::List(planned), Value::List(found)) => {
            planned.len() == found.len() && planned.iter().zip(found).all(|(planned, found)| is_result_of(planned, found))
        }
        _ => planned == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_differs_from_its_plan_is_found() {
        let planned = Value::object([("a", "x".into()), ("b", Value::Unknown)]);
        assert!(is_result_of(&planned, &Value::object([("a", "x".into()), ("b", "y".into())])));
        assert!(!is_result_of(&planned, &Value::object([("a", "z".into()), ("b", "y".into())])));
        assert!(!is_result_of(&planned, &Value::object([("a", Value::Null), ("b", "y".into())])));
        assert!(!keeps(&"x".into(), &Value::Unknown));
    }
}
