//! Walks a value along the attributes of its schema, down into nested ones.

use crate::validator::Scope;
use crate::{Attribute, AttributePath, Diagnostic, Diagnostics, Kind, Nesting, Type, Validator, Value};

pub(crate) fn with_defaults(attributes: &[Attribute], object: Value, config: &Value) -> Value {
    change_attributes(attributes, object, |attribute, value| {
        let configured = config.get(attribute.name);
        let (value, configured) = match &attribute.default {
            Some(default) if configured.is_null() => (default.clone(), default),
            _ => (value, configured),
        };
        // A collection that the provider filled in has no configuration next to it: its values stand.
        if configured.is_null() { value } else { change_nested(attribute, value, configured, with_defaults) }
    })
}

pub(crate) fn unknown_computed(attributes: &[Attribute], object: Value, config: &Value) -> Value {
    change_attributes(attributes, object, |attribute, value| {
        let configured = config.get(attribute.name);
        let computed = attribute.is_computed() && attribute.default.is_none();
        if computed && configured.is_null() && value.is_null() {
            return Value::Unknown;
        }
        change_nested(attribute, value, configured, unknown_computed)
    })
}

pub(crate) fn without_write_only(attributes: &[Attribute], object: Value) -> Value {
    change_attributes(attributes, object, |attribute, value| {
        if attribute.write_only {
            return Value::Null;
        }
        change_nested(attribute, value, &Value::Null, |attributes, object, _| without_write_only(attributes, object))
    })
}

/// Null and unknown objects have no attributes to change.
pub(crate) fn change_attributes(attributes: &[Attribute], object: Value, change: impl Fn(&Attribute, Value) -> Value) -> Value {
    let Value::Map(mut entries) = object else { return object };
    for attribute in attributes {
        let value = entries.remove(attribute.name).unwrap_or_default();
        entries.insert(attribute.name.to_owned(), change(attribute, value));
    }
    Value::Map(entries)
}

/// Changes each nested object, next to the object of the configuration that it comes from.
pub(crate) fn change_nested(
    attribute: &Attribute,
    value: Value,
    config: &Value,
    change: impl Fn(&[Attribute], Value, &Value) -> Value,
) -> Value {
    let Kind::Nested(nesting, attributes) = &attribute.kind else { return value };
    match (nesting, value) {
        (Nesting::Single, value) => change(attributes, value, config),
        (Nesting::List, Value::List(items)) => {
            let changed = items.into_iter().enumerate().map(|(position, item)| {
                let configured = config.as_list().and_then(|items| items.get(position)).unwrap_or(&Value::Null);
                change(attributes, item, configured)
            });
            Value::List(changed.collect())
        }
        (Nesting::Set, Value::List(items)) => {
            let changed = items.into_iter().map(|item| {
                let configured = origin(&item, config).unwrap_or(&item).clone();
                change(attributes, item, &configured)
            });
            Value::List(changed.collect())
        }
        (Nesting::Map, Value::Map(entries)) => {
            let changed = entries.into_iter().map(|(key, value)| {
                let value = change(attributes, value, config.get(&key));
                (key, value)
            });
            Value::Map(changed.collect())
        }
        (_, value) => value,
    }
}

/// The element of the configuration's set that a proposed element comes from: the one whose set attributes it all has. Sets
/// have no other link: the engine fills computed attributes in, and with that changes the order.
fn origin<'a>(element: &Value, config: &'a Value) -> Option<&'a Value> {
    config.as_list()?.iter().find(|configured| covers(element, configured))
}

fn covers(proposed: &Value, configured: &Value) -> bool {
    match (proposed, configured) {
        (_, Value::Null) => true,
        (Value::Map(_), Value::Map(entries)) => entries.iter().all(|(name, value)| covers(proposed.get(name), value)),
        (Value::List(left), Value::List(right)) if left.len() == right.len() => {
            left.iter().zip(right).all(|(left, right)| covers(left, right))
        }
        _ => proposed == configured,
    }
}

pub(crate) fn validate(attributes: &[Attribute], object: &Value, parent: &AttributePath, diagnostics: &mut Diagnostics) {
    for attribute in attributes {
        let value = object.get(attribute.name);
        let path = parent.clone().then(attribute.name);
        for validator in &attribute.validators {
            check(attribute, validator, (value, &path), diagnostics);
        }
        if let Kind::Nested(nesting, attributes) = &attribute.kind {
            let mut below = Diagnostics::default();
            for (value, path) in objects(*nesting, value, path) {
                validate(attributes, value, &path, &mut below);
            }
            diagnostics
                .extend(below.into_iter().map(|diagnostic| if is_secret(attribute) { redact(diagnostic) } else { diagnostic }));
        }
    }
}

fn objects(nesting: Nesting, value: &Value, path: AttributePath) -> Vec<(&Value, AttributePath)> {
    match nesting {
        Nesting::Single => vec![(value, path)],
        Nesting::List | Nesting::Map => elements(value, path),
        // The elements of a set have no path of their own.
        Nesting::Set => value.as_list().into_iter().flatten().map(|item| (item, path.clone())).collect(),
    }
}

pub(crate) fn elements(value: &Value, path: AttributePath) -> Vec<(&Value, AttributePath)> {
    match value.untyped() {
        Value::List(items) => items.iter().enumerate().map(|(position, item)| (item, path.clone().index(position))).collect(),
        Value::Map(entries) => entries.iter().map(|(key, value)| (value, path.clone().key(key))).collect(),
        _ => Vec::new(),
    }
}

fn check(attribute: &Attribute, validator: &Validator, (value, path): (&Value, &AttributePath), diagnostics: &mut Diagnostics) {
    let is_set = matches!(attribute.value_type(), Type::Set(_));
    let subjects = match validator.scope {
        Scope::Whole => vec![(value, path.clone())],
        Scope::Elements if is_set => value.as_list().into_iter().flatten().map(|item| (item, path.clone())).collect(),
        Scope::Elements => elements(value, path.clone()),
    };
    for (subject, path) in subjects {
        if subject.is_null() || !subject.is_wholly_known() {
            continue;
        }
        if let Err((summary, detail)) = validator.check(subject) {
            diagnostics.push(diagnostic(attribute, validator, (summary, detail)).at(path));
        }
    }
}

/// The text of a check may quote the value; that of a secret, or of what a secret is part of, must not be shown.
fn diagnostic(attribute: &Attribute, validator: &Validator, (summary, detail): (String, String)) -> Diagnostic {
    if holds_secret(attribute) {
        return Diagnostic::error(format!("the value of `{}` is not valid", attribute.name)).detail(validator.rule.clone());
    }
    Diagnostic::error(summary).detail(detail)
}

fn redact(diagnostic: Diagnostic) -> Diagnostic {
    let hidden = Diagnostic::error("a part of a sensitive value is not valid").detail("It is sensitive, so it is not shown.");
    Diagnostic { path: diagnostic.path, ..hidden }
}

fn is_secret(attribute: &Attribute) -> bool {
    attribute.sensitive || attribute.write_only
}

fn holds_secret(attribute: &Attribute) -> bool {
    let below = matches!(&attribute.kind, Kind::Nested(_, attributes) if attributes.iter().any(holds_secret));
    is_secret(attribute) || below
}
