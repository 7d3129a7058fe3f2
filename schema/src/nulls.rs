//! Null in a configuration: where a value has to be, and elements that are null because they are left out. What is unknown may
//! still be null and is passed over; engines validate again once it is known.

use std::collections::BTreeMap;

use crate::nested::{change_attributes, change_nested, elements};
use crate::{Attribute, AttributePath, Diagnostic, Diagnostics, Kind, Nesting, NullElements, Type, Value};

/// A required argument that is null, at any depth, and a null element of a collection that does not take any. Engines check
/// only that an argument is written (hashicorp/terraform#30669).
pub(crate) fn check(attributes: &[Attribute], object: &Value, parent: &AttributePath, found: &mut Diagnostics) {
    let Some(entries) = object.as_map() else { return };
    for attribute in attributes {
        let value = entries.get(attribute.name).unwrap_or(&Value::Null);
        let path = parent.clone().then(attribute.name);
        if value.is_null() {
            found.extend(attribute.is_required().then(|| missing(path)));
            continue;
        }
        match &attribute.kind {
            Kind::Nested(Nesting::Single, below) => check(below, value, &path, found),
            Kind::Nested(nesting, below) => {
                for (item, path) in items(value, &path, *nesting == Nesting::Set) {
                    match item.is_null() {
                        true => found.extend(null_element(attribute.null_elements, path)),
                        false => check(below, item, &path, found),
                    }
                }
            }
            Kind::Value(ty) => check_elements(ty, attribute.null_elements, value, &path, found),
        }
    }
}

/// Attributes of an object type are all optional: what one that is null means is the resource's matter.
fn check_elements(ty: &Type, outermost: NullElements, value: &Value, path: &AttributePath, found: &mut Diagnostics) {
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => {
            for (item, path) in items(value, path, matches!(ty, Type::Set(_))) {
                match item.is_null() {
                    true => found.extend(null_element(outermost, path)),
                    false => check_elements(element, NullElements::Refused, item, &path, found),
                }
            }
        }
        Type::Object(types) => {
            for (name, ty) in types {
                check_elements(ty, NullElements::Refused, value.get(name), &path.clone().then(name), found);
            }
        }
        _ => {}
    }
}

fn items<'a>(value: &'a Value, path: &AttributePath, is_set: bool) -> Vec<(&'a Value, AttributePath)> {
    let items = elements(value, path.clone());
    // The elements of a set have no path of their own.
    if is_set { items.into_iter().map(|(item, _)| (item, path.clone())).collect() } else { items }
}

fn missing(path: AttributePath) -> Diagnostic {
    Diagnostic::error(format!("`{path}` is required, but null"))
        .detail("An expression that gives null is the same as no argument at all. Give it a value.")
        .at(path)
}

fn null_element(convention: NullElements, path: AttributePath) -> Option<Diagnostic> {
    let refused = || {
        Diagnostic::error(format!("`{path}` is null"))
            .detail("An element has to have a value. Leave it out: `[for item in items : item if item != null]`, or the same with `{ for key, item in items : key => item if item != null }`.")
            .at(path)
    };
    (convention == NullElements::Refused).then(refused)
}

/// Takes the null elements out of maps in which they mean that the key is not there.
pub(crate) fn without_absent(attributes: &[Attribute], object: Value) -> Value {
    change_attributes(attributes, object, |attribute, value| {
        let value = match value {
            Value::Map(mut entries) if attribute.null_elements == NullElements::Absent => {
                entries.retain(|_, element| !element.is_null());
                Value::Map(entries)
            }
            value => value,
        };
        change_nested(attribute, value, &Value::Null, |attributes, object, _| without_absent(attributes, object))
    })
}

/// Puts them back where `origin` has them: an engine wants to see in plan and state what is configured.
pub(crate) fn with_absent(attributes: &[Attribute], object: Value, origin: &Value) -> Value {
    change_attributes(attributes, object, |attribute, value| {
        let origin = origin.get(attribute.name);
        let value = change_nested(attribute, value, origin, with_absent);
        match (value, origin.as_map()) {
            (Value::Map(entries), Some(origin)) if attribute.null_elements == NullElements::Absent => {
                Value::Map(put_back(entries, origin))
            }
            (value, _) => value,
        }
    })
}

fn put_back(mut entries: BTreeMap<String, Value>, origin: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for (key, _) in origin.iter().filter(|(_, element)| element.is_null()) {
        entries.entry(key.clone()).or_insert(Value::Null);
    }
    entries
}

pub(crate) fn wrongly_null(attributes: &[Attribute], object: &Value, parent: &AttributePath, paths: &mut Vec<AttributePath>) {
    let Some(entries) = object.as_map() else { return };
    for attribute in attributes {
        let value = entries.get(attribute.name).unwrap_or(&Value::Null);
        let path = parent.clone().then(attribute.name);
        match &attribute.kind {
            _ if value.is_null() => paths.extend(attribute.never_null.then_some(path)),
            Kind::Nested(Nesting::Single, below) => wrongly_null(below, value, &path, paths),
            Kind::Nested(nesting, below) => {
                for (item, path) in items(value, &path, *nesting == Nesting::Set) {
                    wrongly_null(below, item, &path, paths);
                }
            }
            Kind::Value(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    fn schema() -> Schema {
        let tier = vec![Attribute::string("type").required(), Attribute::map("tags", Type::String).null_means_absent()];
        let join = Type::object([("name", Type::String), ("cidrs", Type::list(Type::String))]);
        Schema::new("")
            .attribute(Attribute::string("name").required().write_only())
            .attribute(Attribute::list("cidrs", Type::String).required())
            .attribute(Attribute::of("join", join))
            .attribute(Attribute::map("tags", Type::String).null_means_absent())
            .attribute(Attribute::nested("tiers", Nesting::Map, tier.clone()))
            .attribute(Attribute::nested("hosts", Nesting::Map, tier.clone()))
            .attribute(Attribute::nested("set", Nesting::Set, tier.clone()))
            .attribute(Attribute::nested("nat", Nesting::Single, tier))
    }

    fn config<const N: usize>(changes: [(&str, Value); N]) -> Value {
        let mut config = Value::object([("name", "a".into()), ("cidrs", vec!["b"].into())]);
        changes.into_iter().for_each(|(name, value)| config.set(name, value));
        config
    }

    #[track_caller]
    fn check_nulls<const N: usize>(changes: [(&str, Value); N], expect: &[&str]) {
        let mut found = Diagnostics::default();
        check(&schema().attributes, &config(changes), &AttributePath::root(), &mut found);
        let said: Vec<String> = found.iter().map(|found| found.summary.clone()).collect();
        assert_eq!(said, expect);
        assert!(found.iter().all(|found| found.summary.contains(&found.path.as_ref().unwrap().to_string())));
    }

    fn one(key: &str, value: Value) -> Value {
        Value::object([(key, value)])
    }

    #[test]
    fn a_required_argument_that_is_null_is_found_at_any_depth() {
        check_nulls([], &[]);
        check_nulls([("name", Value::Null)], &["`name` is required, but null"]);
        check_nulls([("nat", one("type", Value::Null))], &["`nat.type` is required, but null"]);
        check_nulls([("hosts", one("a", Value::object([])))], &["`hosts[\"a\"].type` is required, but null"]);
        check_nulls([("set", Value::List(vec![Value::object([])]))], &["`set.type` is required, but null"]);
    }

    #[test]
    fn a_null_element_is_found_unless_it_means_that_the_key_is_absent() {
        check_nulls([("cidrs", Value::List(vec!["a".into(), Value::Null]))], &["`cidrs[1]` is null"]);
        check_nulls([("hosts", one("a", Value::Null))], &["`hosts[\"a\"]` is null"]);
        check_nulls([("tags", one("a", Value::Null))], &[]);
        let join = one("cidrs", Value::List(vec![Value::Null]));
        check_nulls([("join", join)], &["`join.cidrs[0]` is null"]);
    }

    #[test]
    fn what_is_unknown_may_still_have_a_value() {
        check_nulls([("name", Value::Unknown), ("cidrs", Value::List(vec![Value::Unknown])), ("nat", Value::Unknown)], &[]);
        check_nulls([("hosts", one("a", Value::Unknown)), ("join", Value::Unknown)], &[]);
    }

    #[test]
    fn absent_elements_are_taken_out_and_put_back() {
        let tier = |tags: Value| Value::object([("type", "x".into()), ("tags", tags)]);
        let both = || one("set", "s".into());
        let with_null = Value::object([("set", "s".into()), ("null", Value::Null)]);
        let full =
            config([("tags", with_null.clone()), ("tiers", one("a", tier(with_null.clone()))), ("hosts", one("a", Value::Null))]);
        let seen = schema().without_absent(full.clone());
        assert_eq!(seen.get("tags"), &both());
        assert_eq!(seen.get("tiers").get("a").get("tags"), &both());
        assert_eq!(seen.get("hosts"), &one("a", Value::Null));
        assert!(schema().with_absent(seen, &full).equal(&full, &schema().value_type()));
        let unknown = config([("tags", Value::Unknown)]);
        assert_eq!(schema().with_absent(unknown.clone(), &full).get("tags"), &Value::Unknown);
    }
}
