//! What the engine's contract demands of plans and states, checked here so that a fault is reported at the attribute and in words
//! that lead to the fault (the engine's own message blames the provider and shows the value). The rules are the engine's
//! `AssertPlanValid` and `AssertObjectCompatible`.

use schema::{Attribute, AttributePath, Diagnostics, Kind, Nesting, Schema, Step, Type, Value};

use crate::bug::bug;

/// A plan keeps every configured value, or the prior one where it means the same; it sets what the configuration leaves out
/// only where the attribute is computed.
pub(crate) fn planned_keeps_config(resource: &str, schema: &Schema, objects: Planned<'_>) -> Diagnostics {
    let mut findings = Vec::new();
    walk_planned(&schema.attributes, objects, &AttributePath::root(), &mut findings);
    let what = format!("plan of {resource} changed the configuration");
    findings.into_iter().map(|finding| finding.into_bug(&what, schema)).collect()
}

#[derive(Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) prior: &'a Value,
    pub(crate) config: &'a Value,
    pub(crate) planned: &'a Value,
}

impl<'a> Planned<'a> {
    fn map(self, part: impl Fn(&'a Value) -> &'a Value) -> Planned<'a> {
        Planned { prior: part(self.prior), config: part(self.config), planned: part(self.planned) }
    }
}

/// An applied state has every value that the plan knew, and nothing unknown.
pub(crate) fn applied_keeps_planned(resource: &str, schema: &Schema, planned: &Value, state: &Value) -> Diagnostics {
    let mut findings = Vec::new();
    walk_applied(&schema.value_type(), planned, state, &AttributePath::root(), &mut findings);
    let what = format!("apply of {resource} changed a planned value");
    findings.into_iter().map(|finding| finding.into_bug(&what, schema)).collect()
}

/// What is declared never to be null is not: the engine was told so at plan.
pub(crate) fn never_null(resource: &str, schema: &Schema, state: &Value) -> Diagnostics {
    let what = format!("apply of {resource} left a value null");
    let paths = schema.wrongly_null(state).into_iter();
    paths.map(|path| bug(&what, &format!("`{path}` is declared never to be null.")).at(path)).collect()
}

/// A state holds nothing unknown.
pub(crate) fn is_wholly_known(operation: &str, schema: &Schema, state: &Value) -> Diagnostics {
    let mut findings = Vec::new();
    walk_unknown(state, &AttributePath::root(), &mut findings);
    let what = format!("{operation} left a value unknown");
    findings.into_iter().map(|finding| finding.into_bug(&what, schema)).collect()
}

/// Write-only attributes that the configuration sets.
pub(crate) fn configured_write_only(schema: &Schema, config: &Value) -> Vec<AttributePath> {
    let mut paths = Vec::new();
    walk_write_only(&schema.attributes, config, &AttributePath::root(), &mut paths);
    paths
}

struct Finding {
    path: AttributePath,
    wanted: Shown,
    found: Shown,
}

impl Finding {
    fn new(path: &AttributePath, wanted: &Value, found: &Value) -> Finding {
        Finding { path: path.clone(), wanted: Shown::of(wanted), found: Shown::of(found) }
    }

    fn into_bug(self, what: &str, schema: &Schema) -> schema::Diagnostic {
        let Finding { path, wanted, found } = self;
        if is_secret(&schema.attributes, path.steps()) {
            return bug(what, &format!("The value of `{path}` differs; it is sensitive and not shown.")).at(path);
        }
        bug(what, &format!("`{path}` was to be {}, it is {}.", wanted.0, found.0)).at(path)
    }
}

/// A value as a message has it: enough to see what is wrong, never a whole object (a part of it can be secret).
struct Shown(String);

impl Shown {
    const LONGEST: usize = 60;

    fn of(value: &Value) -> Shown {
        Shown(match value.untyped() {
            Value::Null | Value::Typed(..) => "null".to_owned(),
            Value::Unknown | Value::Changing(_) => "unknown".to_owned(),
            Value::Bool(bool) => bool.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.chars().count() > Shown::LONGEST => {
                format!("{:?}… ({} bytes)", text.chars().take(Shown::LONGEST).collect::<String>(), text.len())
            }
            Value::String(text) => format!("{text:?}"),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(entries) => format!("an object or map of {}", entries.len()),
        })
    }
}

fn is_secret(attributes: &[Attribute], steps: &[Step]) -> bool {
    let Some((first, rest)) = steps.split_first() else { return false };
    let Step::Attribute(name) = first else { return is_secret(attributes, rest) };
    let Some(attribute) = attributes.iter().find(|attribute| attribute.name == name) else { return false };
    let below = match &attribute.kind {
        Kind::Value(_) => false,
        Kind::Nested(_, attributes) if rest.is_empty() => attributes.iter().any(|attribute| attribute.sensitive),
        Kind::Nested(_, attributes) => is_secret(attributes, rest),
    };
    attribute.sensitive || attribute.write_only || below
}

fn walk_planned(attributes: &[Attribute], objects: Planned<'_>, path: &AttributePath, findings: &mut Vec<Finding>) {
    for attribute in attributes.iter().filter(|attribute| !attribute.write_only) {
        let path = path.clone().then(attribute.name);
        walk_planned_attribute(attribute, objects.map(|object| object.get(attribute.name)), &path, findings);
    }
}

fn walk_planned_attribute(attribute: &Attribute, values: Planned<'_>, path: &AttributePath, findings: &mut Vec<Finding>) {
    let Planned { prior, config, planned } = values;
    let ty = attribute.value_type();
    let is_configured = !config.is_null();
    let means_the_same = is_configured && !prior.is_null() && planned.equal(prior, &ty);
    if planned.equal(config, &ty) || means_the_same || (!is_configured && attribute.is_computed()) {
        return;
    }
    match &attribute.kind {
        Kind::Nested(nesting, attributes) if is_configured => {
            walk_planned_nested((*nesting, attributes), values, path, findings);
        }
        _ => findings.push(Finding::new(path, config, planned)),
    }
}

fn walk_planned_nested(
    (nesting, attributes): (Nesting, &[Attribute]),
    values: Planned<'_>,
    path: &AttributePath,
    findings: &mut Vec<Finding>,
) {
    match (nesting, values.config.untyped(), values.planned.untyped()) {
        (Nesting::Single, Value::Map(_), Value::Map(_)) => walk_planned(attributes, values, path, findings),
        (Nesting::List, Value::List(config), Value::List(planned)) if config.len() == planned.len() => {
            for position in 0..planned.len() {
                let step = AttributePath::root().index(position);
                walk_planned(attributes, values.map(|value| value.at(&step)), &path.clone().index(position), findings);
            }
        }
        // Nothing links an element of a set to the one it was configured as; the engine compares only what it can as well.
        (Nesting::Set, Value::List(config), Value::List(planned)) if config.len() == planned.len() => {}
        (Nesting::Map, Value::Map(config), Value::Map(planned)) if config.keys().eq(planned.keys()) => {
            for key in planned.keys() {
                walk_planned(attributes, values.map(|value| value.get(key)), &path.clone().key(key), findings);
            }
        }
        (_, config, planned) => findings.push(Finding::new(path, config, planned)),
    }
}

fn walk_applied(ty: &Type, planned: &Value, state: &Value, path: &AttributePath, findings: &mut Vec<Finding>) {
    if planned.is_unknown() {
        return walk_unknown(state, path, findings);
    }
    match (ty, planned.untyped(), state.untyped()) {
        (Type::Object(attributes), Value::Map(_), Value::Map(_)) => {
            for (name, ty) in attributes {
                walk_applied(ty, planned.get(name), state.get(name), &path.clone().then(name), findings);
            }
        }
        (Type::Map(element), Value::Map(planned), Value::Map(state)) if planned.keys().eq(state.keys()) => {
            for ((key, planned), state) in planned.iter().zip(state.values()) {
                walk_applied(element, planned, state, &path.clone().key(key), findings);
            }
        }
        (Type::List(element), Value::List(planned), Value::List(state)) if planned.len() == state.len() => {
            for (position, (planned, state)) in planned.iter().zip(state).enumerate() {
                walk_applied(element, planned, state, &path.clone().index(position), findings);
            }
        }
        // What is unknown in a set can become equal to another element, so not even the length is known.
        (Type::Set(_), Value::List(_), Value::List(_)) if !planned.is_wholly_known() => {
            walk_unknown(state, path, findings);
        }
        _ if planned.equal(state, ty) => {}
        _ => findings.push(Finding::new(path, planned, state)),
    }
}

fn walk_unknown(value: &Value, path: &AttributePath, findings: &mut Vec<Finding>) {
    match value.untyped() {
        Value::Unknown => {
            findings.push(Finding { path: path.clone(), wanted: Shown("known".to_owned()), found: Shown::of(value) })
        }
        Value::List(items) => {
            for (position, item) in items.iter().enumerate() {
                walk_unknown(item, &path.clone().index(position), findings);
            }
        }
        Value::Map(entries) => {
            for (name, value) in entries {
                // Whether this is a map or an object only changes how the path is written.
                walk_unknown(value, &path.clone().then(name), findings);
            }
        }
        _ => {}
    }
}

fn walk_write_only(attributes: &[Attribute], object: &Value, path: &AttributePath, paths: &mut Vec<AttributePath>) {
    for attribute in attributes {
        let value = object.get(attribute.name);
        let path = path.clone().then(attribute.name);
        if attribute.write_only {
            paths.extend((!value.is_null()).then_some(path));
            continue;
        }
        let Kind::Nested(nesting, attributes) = &attribute.kind else { continue };
        match (nesting, value.untyped()) {
            (Nesting::Single, value) => walk_write_only(attributes, value, &path, paths),
            (_, Value::List(items)) => {
                for (position, item) in items.iter().enumerate() {
                    walk_write_only(attributes, item, &path.clone().index(position), paths);
                }
            }
            (_, Value::Map(entries)) => {
                for (key, value) in entries {
                    walk_write_only(attributes, value, &path.clone().key(key), paths);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let host = vec![Attribute::string("address").required(), Attribute::string("machine_id").computed()];
        Schema::new("")
            .attribute(Attribute::string("name").required())
            .attribute(Attribute::string("token").optional().sensitive())
            .attribute(Attribute::string("uid").computed())
            .attribute(Attribute::set("cidrs", Type::String).optional())
            .attribute(Attribute::nested("hosts", Nesting::Map, host).optional())
    }

    fn object<const N: usize>(attributes: [(&str, Value); N]) -> Value {
        Value::object(attributes)
    }

    fn host(address: &str, machine_id: impl Into<Value>) -> Value {
        object([("address", address.into()), ("machine_id", machine_id.into())])
    }

    fn details(diagnostics: Diagnostics) -> Vec<String> {
        diagnostics.iter().map(|diagnostic| diagnostic.detail.lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[track_caller]
    fn check_planned(prior: Value, config: Value, planned: Value, expect: &[&str]) {
        let objects = Planned { prior: &prior, config: &config, planned: &planned };
        assert_eq!(details(planned_keeps_config("k8s_node", &schema(), objects)), expect);
    }

    #[track_caller]
    fn check_applied(planned: Value, state: Value, expect: &[&str]) {
        assert_eq!(details(applied_keeps_planned("k8s_node", &schema(), &planned, &state)), expect);
    }

    #[test]
    fn a_plan_may_fill_in_what_is_computed() {
        let config = object([("name", "a".into()), ("hosts", object([("x", host("10.0.0.1", Value::Null))]))]);
        let hosts = object([("x", host("10.0.0.1", Value::Unknown))]);
        let planned = object([("name", "a".into()), ("uid", Value::Unknown), ("hosts", hosts)]);
        check_planned(Value::Null, config, planned, &[]);
    }

    #[test]
    fn a_plan_may_keep_the_prior_value_that_means_the_same() {
        check_planned(object([("name", "A".into())]), object([("name", "a".into())]), object([("name", "A".into())]), &[]);
    }

    #[test]
    fn a_plan_may_not_change_or_invent_what_is_configured() {
        check_planned(
            Value::Null,
            object([("name", "a".into())]),
            object([("name", "b".into())]),
            &["`name` was to be \"a\", it is \"b\"."],
        );
        check_planned(
            Value::Null,
            object([("name", Value::Unknown)]),
            object([("name", "b".into())]),
            &["`name` was to be unknown, it is \"b\"."],
        );
        check_planned(
            Value::Null,
            object([("name", "a".into())]),
            object([("name", "a".into()), ("cidrs", vec!["10.0.0.0/8"].into())]),
            &["`cidrs` was to be null, it is a list of 1."],
        );
    }

    #[test]
    fn a_fault_in_a_nested_attribute_is_told_by_its_path() {
        let config = object([("hosts", object([("x", host("10.0.0.1", Value::Null))]))]);
        let planned = object([("hosts", object([("x", host("10.0.0.2", Value::Unknown))]))]);
        check_planned(
            Value::Null,
            config.clone(),
            planned,
            &["`hosts[\"x\"].address` was to be \"10.0.0.1\", it is \"10.0.0.2\"."],
        );
        let planned = object([("hosts", object([]))]);
        check_planned(Value::Null, config, planned, &["`hosts` was to be an object or map of 1, it is an object or map of 0."]);
    }

    #[test]
    fn the_order_of_a_set_does_not_count() {
        let config = object([("cidrs", vec!["a", "b"].into())]);
        check_planned(Value::Null, config, object([("cidrs", vec!["b", "a"].into())]), &[]);
    }

    #[test]
    fn an_apply_fills_in_what_was_unknown_and_keeps_the_rest() {
        let planned = object([("name", "a".into()), ("uid", Value::Unknown)]);
        check_applied(planned.clone(), object([("name", "a".into()), ("uid", "1".into())]), &[]);
        check_applied(planned.clone(), object([("name", "a".into()), ("uid", Value::Null)]), &[]);
        check_applied(planned.clone(), planned.clone(), &["`uid` was to be known, it is unknown."]);
        check_applied(planned, object([("name", Value::Null)]), &["`name` was to be \"a\", it is null."]);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let planned = object([("token", "canary".into())]);
        check_applied(planned, Value::object([]), &["The value of `token` differs; it is sensitive and not shown."]);
    }

    #[test]
    fn a_set_with_something_unknown_is_compared_after_apply_only() {
        let planned = object([("cidrs", Value::List(vec!["a".into(), Value::Unknown]))]);
        check_applied(planned, object([("cidrs", vec!["a"].into())]), &[]);
    }

    #[test]
    fn write_only_attributes_are_found_wherever_they_are() {
        let host = vec![Attribute::string("password").optional().write_only()];
        let schema = Schema::new("").attribute(Attribute::nested("hosts", Nesting::List, host));
        let config = object([("hosts", Value::List(vec![object([]), object([("password", Value::Unknown)])]))]);
        let paths: Vec<_> = configured_write_only(&schema, &config).iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["hosts[1].password"]);
    }
}
