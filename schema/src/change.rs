//! Which attributes of an object that exists change: by what their values mean, not by how they are written, and with what is not
//! known yet told apart from what differs.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Attribute, AttributePath, Canonical, Kind, Nesting, Type, Value};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    None,
    /// It is unknown, or unknown in part, and may turn out to mean the same.
    Perhaps,
    Certain,
}

pub(crate) fn replace_paths(
    attributes: &[Attribute],
    pair: (&Value, &Value),
    parent: &AttributePath,
    paths: &mut Vec<AttributePath>,
) {
    walk(attributes, pair, parent, &mut |attribute, change, path| {
        let replaces = change == Change::Certain || change == Change::Perhaps && attribute.unknown_is_another;
        paths.extend(replaces.then_some(path));
    });
}

pub(crate) fn undecided(attributes: &[Attribute], (prior, planned): (&Value, &Value), found: &mut Vec<(AttributePath, Value)>) {
    walk(attributes, (prior, planned), &AttributePath::root(), &mut |attribute, change, path| {
        if change == Change::Perhaps && !attribute.unknown_is_another {
            let assumed = assumed(attribute, prior.at(&path));
            found.push((path, assumed));
        }
    });
}

/// Of an object that is unknown as a whole, only what forces replacement is taken to stay.
fn assumed(attribute: &Attribute, prior: &Value) -> Value {
    let Kind::Nested(Nesting::Single, below) = &attribute.kind else { return prior.clone() };
    let part = |part: &Attribute| match prior.get(part.name) {
        prior if part.requires_replace => prior.clone(),
        prior if requires_replace_below(part) => assumed(part, prior),
        _ => Value::Unknown,
    };
    if attribute.requires_replace || prior.is_null() {
        return prior.clone();
    }
    Value::Map(below.iter().map(|attribute| (attribute.name.to_owned(), part(attribute))).collect())
}

/// Takes over the prior value of each attribute of which another spelling is proposed.
pub(crate) fn keep_spelling(attributes: &[Attribute], prior: &Value, proposed: Value) -> Value {
    let Value::Map(mut entries) = proposed else { return proposed };
    for attribute in attributes {
        let Some(value) = entries.remove(attribute.name) else { continue };
        entries.insert(attribute.name.to_owned(), spelled_as(attribute, prior.get(attribute.name), value));
    }
    Value::Map(entries)
}

fn spelled_as(attribute: &Attribute, prior: &Value, value: Value) -> Value {
    match (&attribute.kind, value) {
        (Kind::Value(_), value) if attribute.canonical.is_some() && !prior.is_null() && !value.is_null() => {
            if change_of(attribute, prior, &value) == Change::None { prior.clone() } else { value }
        }
        (Kind::Nested(Nesting::Single, below), value) => keep_spelling(below, prior, value),
        (Kind::Nested(Nesting::Map, below), Value::Map(entries)) => {
            let kept = entries.into_iter().map(|(key, value)| {
                let value = keep_spelling(below, prior.get(&key), value);
                (key, value)
            });
            Value::Map(kept.collect())
        }
        (Kind::Nested(Nesting::List, below), Value::List(items)) => {
            let at = |position: usize| prior.at(&AttributePath::root().index(position));
            Value::List(items.into_iter().enumerate().map(|(position, item)| keep_spelling(below, at(position), item)).collect())
        }
        // Nothing links the elements of two sets.
        (_, value) => value,
    }
}

/// Visits the attributes that require replacement and change or may change.
fn walk(
    attributes: &[Attribute],
    (prior, planned): (&Value, &Value),
    parent: &AttributePath,
    found: &mut dyn FnMut(&Attribute, Change, AttributePath),
) {
    for attribute in attributes {
        let pair = (prior.get(attribute.name), planned.get(attribute.name));
        let path = parent.clone().then(attribute.name);
        if !attribute.requires_replace {
            walk_below(attribute, pair, path, found);
            continue;
        }
        match change_of(attribute, pair.0, pair.1) {
            Change::None => {}
            change => found(attribute, change, path),
        }
    }
}

/// Elements that are new or gone are a change of the collection, not of an attribute in it. What is unknown as a whole says nothing.
fn walk_below(
    attribute: &Attribute,
    (prior, planned): (&Value, &Value),
    path: AttributePath,
    found: &mut dyn FnMut(&Attribute, Change, AttributePath),
) {
    let Kind::Nested(nesting, attributes) = &attribute.kind else { return };
    match (nesting, prior, planned) {
        (Nesting::Single, Value::Map(_), _) if planned.is_unknown() && requires_replace_below(attribute) => {
            found(attribute, Change::Perhaps, path);
        }
        (Nesting::Single, _, _) => walk(attributes, (prior, planned), &path, found),
        (Nesting::List, Value::List(prior), Value::List(planned)) => {
            for (position, pair) in prior.iter().zip(planned).enumerate() {
                walk(attributes, pair, &path.clone().index(position), found);
            }
        }
        (Nesting::Map, Value::Map(prior), Value::Map(planned)) => {
            for (key, pair) in pairs(prior, planned) {
                walk(attributes, pair, &path.clone().key(key), found);
            }
        }
        // Nothing links the elements of two sets, so the whole set stands for each of them.
        (Nesting::Set, _, _) if requires_replace_below(attribute) => match change_of(attribute, prior, planned) {
            Change::None => {}
            change => found(attribute, change, path),
        },
        _ => {}
    }
}

fn pairs<'a>(
    prior: &'a BTreeMap<String, Value>,
    planned: &'a BTreeMap<String, Value>,
) -> impl Iterator<Item = (&'a String, (&'a Value, &'a Value))> {
    prior.iter().filter_map(|(key, value)| planned.get(key).map(|planned| (key, (value, planned))))
}

fn requires_replace_below(attribute: &Attribute) -> bool {
    let Kind::Nested(_, attributes) = &attribute.kind else { return false };
    attributes.iter().any(|attribute| attribute.requires_replace || requires_replace_below(attribute))
}

/// Null means the default, on either side.
fn change_of(attribute: &Attribute, prior: &Value, planned: &Value) -> Change {
    let or_default = |value: &Value| match &attribute.default {
        Some(default) if value.is_null() => default.clone(),
        _ => value.clone(),
    };
    change(&attribute.value_type(), (&or_default(prior), &or_default(planned)), attribute.canonical)
}

fn change(ty: &Type, (prior, planned): (&Value, &Value), canonical: Option<Canonical>) -> Change {
    let most = |changes: &mut dyn Iterator<Item = Change>| changes.max().unwrap_or(Change::None);
    match (ty, prior.untyped(), planned.untyped()) {
        (_, _, Value::Unknown) => Change::Perhaps,
        (Type::List(element), Value::List(before), Value::List(after)) if before.len() == after.len() => {
            most(&mut before.iter().zip(after).map(|pair| change(element, pair, canonical)))
        }
        (Type::Set(_), Value::List(before), Value::List(after)) => change_of_set(before, after, canonical),
        (Type::Map(element), Value::Map(before), Value::Map(after)) if before.keys().eq(after.keys()) => {
            most(&mut before.values().zip(after.values()).map(|pair| change(element, pair, canonical)))
        }
        (Type::Object(types), Value::Map(_), Value::Map(_)) => {
            most(&mut types.iter().map(|(name, ty)| change(ty, (prior.get(name), planned.get(name)), canonical)))
        }
        (_, before, after) if spelling(before, canonical) == spelling(after, canonical) => Change::None,
        (ty, before, after) if before.equal(after, ty) => Change::None,
        _ => Change::Certain,
    }
}

/// What is unknown of a set may turn out to be any of its elements, or several of them one.
fn change_of_set(before: &[Value], after: &[Value], canonical: Option<Canonical>) -> Change {
    let spelled = |items: &[Value]| -> BTreeSet<String> {
        let known = items.iter().filter(|item| item.is_wholly_known());
        known.map(|item| format!("{:?}", spelling(item, canonical))).collect()
    };
    let (was, is) = (spelled(before), spelled(after));
    let unknown = after.iter().filter(|item| !item.is_wholly_known()).count();
    match unknown {
        0 if was == is => Change::None,
        0 => Change::Certain,
        _ if is.is_subset(&was) && was.len() <= is.len() + unknown => Change::Perhaps,
        _ => Change::Certain,
    }
}

fn spelling(value: &Value, canonical: Option<Canonical>) -> Value {
    let form = value.as_str().zip(canonical).and_then(|(text, form)| form(text));
    form.map_or_else(|| value.untyped().clone(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    fn lower(text: &str) -> Option<String> {
        Some(text.to_lowercase())
    }

    fn sample() -> Schema {
        let network = vec![
            Attribute::list("cidrs", Type::String).required().requires_replace().canonical(lower),
            Attribute::string("domain").default("local".into()).requires_replace(),
        ];
        let host = vec![Attribute::string("address").required().canonical(lower)];
        Schema::new("A sample.")
            .attribute(Attribute::string("inside").optional().requires_replace().unknown_is_another())
            .attribute(Attribute::set("zones", Type::String).optional().requires_replace().canonical(lower))
            .attribute(Attribute::nested("network", Nesting::Single, network).required())
            .attribute(Attribute::nested("hosts", Nesting::Map, host).optional())
    }

    fn texts(items: &[&str]) -> Value {
        Value::List(items.iter().map(|text| if *text == "?" { Value::Unknown } else { (*text).into() }).collect())
    }

    fn object(cidrs: &[&str], domain: impl Into<Value>) -> Value {
        let network = Value::object([("cidrs", texts(cidrs)), ("domain", domain.into())]);
        Value::object([("network", network), ("inside", "vpc-1".into()), ("zones", texts(&["a", "b"]))])
    }

    fn with(name: &str, value: Value) -> Value {
        let mut object = object(&["a", "b"], "local");
        object.set(name, value);
        object
    }

    /// From `object(&["a", "b"], "local")`: what replaces it, and what is undecided.
    #[track_caller]
    fn check(planned: Value, replaces: &[&str], undecided: &[&str]) {
        let prior = object(&["a", "b"], "local");
        let texts = |paths: Vec<AttributePath>| paths.iter().map(AttributePath::to_string).collect::<Vec<_>>();
        assert_eq!(texts(sample().replace_paths(&prior, &planned)), replaces);
        let found = sample().undecided(&prior, &planned);
        assert_eq!(texts(found.into_iter().map(|(path, _)| path).collect()), undecided);
    }

    #[test]
    fn of_a_whole_object_only_what_forces_replacement_is_taken_to_stay() {
        let part = |name: &'static str| Attribute::string(name).required();
        let schema = Schema::new("").attribute(
            Attribute::nested("network", Nesting::Single, vec![part("domain").requires_replace(), part("size")]).required(),
        );
        let network = Value::object([("domain", "local".into()), ("size", "24".into())]);
        let found = schema.undecided(&Value::object([("network", network)]), &Value::object([("network", Value::Unknown)]));
        let assumed = Value::object([("domain", "local".into()), ("size", Value::Unknown)]);
        assert_eq!(found, [(AttributePath::attribute("network"), assumed)]);
    }

    #[test]
    fn another_spelling_is_no_change() {
        check(object(&["A", "b"], "local"), &[], &[]);
        check(object(&["A", "c"], "local"), &["network.cidrs"], &[]);
        check(object(&["b", "a"], "local"), &["network.cidrs"], &[]);
        check(with("zones", texts(&["B", "a"])), &[], &[]);
    }

    #[test]
    fn null_means_the_default() {
        check(object(&["a", "b"], Value::Null), &[], &[]);
        check(object(&["a", "b"], "other"), &["network.domain"], &[]);
        assert_eq!(sample().replace_paths(&object(&["a"], Value::Null), &object(&["a"], "local")), []);
    }

    #[test]
    fn what_is_unknown_may_turn_out_to_be_what_it_was() {
        check(object(&["?", "B"], "local"), &[], &["network.cidrs"]);
        check(object(&["a", "b"], Value::Unknown), &[], &["network.domain"]);
        check(with("network", Value::Unknown), &[], &["network"]);
        check(with("zones", texts(&["?", "b"])), &[], &["zones"]);
        check(with("zones", texts(&["?", "b", "?"])), &[], &["zones"]);
    }

    #[test]
    fn what_is_known_beside_it_may_settle_it() {
        check(object(&["?", "c"], "local"), &["network.cidrs"], &[]);
        check(object(&["?"], "local"), &["network.cidrs"], &[]);
        check(object(&["?", "b"], "other"), &["network.domain"], &[]);
        check(with("zones", texts(&["?", "c"])), &["zones"], &[]);
        check(with("zones", texts(&["?"])), &["zones"], &[]);
    }

    #[test]
    fn the_id_of_what_it_lives_in_is_another_one_while_it_is_unknown() {
        check(with("inside", Value::Unknown), &["inside"], &[]);
    }

    #[test]
    fn a_spelling_stays_where_all_of_a_value_means_the_same() {
        let prior = object(&["a", "b"], "local");
        let kept = |proposed: Value| sample().keep_spelling(&prior, proposed);
        assert_eq!(kept(object(&["A", "b"], "LOCAL")), object(&["a", "b"], "LOCAL"));
        assert_eq!(kept(object(&["A", "c"], "local")), object(&["A", "c"], "local"));
        assert_eq!(kept(object(&["?", "B"], "local")), object(&["?", "B"], "local"));
        let hosts = |address: &str| Value::object([("cp-1", Value::object([("address", address.into())]))]);
        let mut with_hosts = prior.clone();
        with_hosts.set("hosts", hosts("fd00::1"));
        let mut again = prior.clone();
        again.set("hosts", hosts("FD00::1"));
        assert_eq!(sample().keep_spelling(&with_hosts, again), with_hosts);
        assert_eq!(sample().keep_spelling(&Value::Null, prior.clone()), prior);
    }
}
