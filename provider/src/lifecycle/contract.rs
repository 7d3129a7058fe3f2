//! The engine's side of the contract, written down again rather than taken from crate `protocol`, which is tested as well.
//! The rules are Terraform's `objchange` (`ProposedNew`, `AssertPlanValid`, `AssertObjectCompatible`).

use schema::{Attribute, AttributePath, Kind, Nesting, Schema, Type, Value};
use std::collections::{BTreeMap, BTreeSet};

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

/// What was planned is what there is; only what was unknown may be anything. What was sure to change has changed.
#[track_caller]
pub fn check_applied(schema: &Schema, prior: &Value, planned: &Value, state: &Value) {
    assert_eq!(planned.is_null(), state.is_null());
    let found = broken_promises(schema, planned, state);
    assert!(found.is_empty(), "planned otherwise than it is:\n{}", found.join("\n"));
    let mut unchanged = Vec::new();
    unkept_changes(prior, planned, state, &AttributePath::root(), &mut unchanged);
    assert!(unchanged.is_empty(), "planned as sure to change, and did not: {unchanged:?}");
}

fn unkept_changes(prior: &Value, planned: &Value, state: &Value, at: &AttributePath, found: &mut Vec<String>) {
    match planned {
        Value::Changing(_) if state == prior => found.push(at.to_string()),
        Value::Map(entries) => {
            for (name, planned) in entries {
                unkept_changes(prior.get(name), planned, state.get(name), &at.clone().then(name), found);
            }
        }
        _ => {}
    }
}

/// What `before` knows and is otherwise in `after`: in the plan that an engine asks for again once the rest is known, or in the state.
/// Engines stop with "Provider produced inconsistent final plan", or "inconsistent result after apply", for each of these.
pub fn broken_promises(schema: &Schema, before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in &schema.attributes {
        let (path, name) = (AttributePath::attribute(attribute.name), attribute.name);
        if attribute.never_null && after.is_set() && after.get(name).is_null() {
            found.push(format!("{path} is null"));
        }
        compare(before.get(name), after.get(name), &attribute.value_type(), &path, &mut found);
    }
    found
}

fn compare(before: &Value, after: &Value, ty: &Type, at: &AttributePath, found: &mut Vec<String>) {
    match (before, after, ty) {
        _ if before.is_unknown() => {}
        (Value::Map(one), Value::Map(other), Type::Object(types)) => {
            let names = one.keys().chain(other.keys()).collect::<BTreeSet<_>>();
            for (name, ty) in names.into_iter().filter_map(|name| Some((name, types.get(name)?))) {
                compare(before.get(name), after.get(name), ty, &at.clone().then(name), found);
            }
        }
        (Value::Map(one), Value::Map(other), Type::Map(ty)) if one.keys().eq(other.keys()) => {
            for name in one.keys() {
                compare(before.get(name), after.get(name), ty, &at.clone().key(name), found);
            }
        }
        // Elements of a set have no place by which one would be known again: each has to have a counterpart.
        (Value::List(items), Value::List(others), Type::Set(ty)) => {
            let fits = |item: &Value, other: &Value| {
                let mut found = Vec::new();
                compare(item, other, ty, at, &mut found);
                found.is_empty()
            };
            let lost = items.iter().filter(|item| !others.iter().any(|other| fits(item, other)));
            found.extend(lost.map(|item| format!("{at} had {item:?}")));
            let new = others.iter().filter(|other| !items.iter().any(|item| fits(item, other)));
            found.extend(new.map(|other| format!("{at} gets {other:?}")));
            if others.len() > items.len() {
                found.push(format!("{at} grows from {} to {}", items.len(), others.len()));
            }
        }
        (Value::List(items), Value::List(others), Type::List(ty)) if items.len() == others.len() => {
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                compare(item, other, ty, &at.clone().index(index), found);
            }
        }
        _ if before.equal(after, ty) => {}
        _ => found.push(format!("{at} was {before:?}, becomes {after:?}").chars().take(600).collect()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_what_was_known_is_found() {
        let schema = Schema::new("")
            .attribute(Attribute::string("a").computed())
            .attribute(Attribute::string("b").computed().never_null())
            .attribute(Attribute::of("set", Type::set(Type::String)).computed());
        let value = |a: Value, b: Value, set: Value| Value::object([("a", a), ("b", b), ("set", set)]);
        let planned = value("x".into(), Value::Unknown, Value::List(vec!["m".into(), Value::Unknown]));
        let check = |a: Value, b: Value, set: Value, expect: &[&str]| {
            assert_eq!(broken_promises(&schema, &planned, &value(a, b, set)), expect);
        };
        let set = || Value::from(vec!["l", "m"]);
        check("x".into(), "y".into(), set(), &[]);
        check("x".into(), Value::Changing(""), vec!["m"].into(), &[]);
        check("z".into(), "y".into(), set(), &["a was String(\"x\"), becomes String(\"z\")"]);
        check(Value::Unknown, "y".into(), set(), &["a was String(\"x\"), becomes Unknown"]);
        check(Value::Null, "y".into(), set(), &["a was String(\"x\"), becomes Null"]);
        check("x".into(), Value::Null, set(), &["b is null"]);
        check("x".into(), "y".into(), vec!["l", "n", "m"].into(), &["set grows from 2 to 3"]);
        check("x".into(), "y".into(), vec!["l", "n"].into(), &["set had String(\"m\")"]);
        assert!(!keeps(&"x".into(), &Value::Unknown));
    }

    #[test]
    #[should_panic = "sure to change"]
    fn a_change_that_was_promised_and_did_not_come_is_found() {
        let value = |a: Value| Value::object([("a", a)]);
        let schema = Schema::new("").attribute(Attribute::string("a").computed());
        check_applied(&schema, &value("x".into()), &value(Value::Changing("")), &value("x".into()));
    }
}
