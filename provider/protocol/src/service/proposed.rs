//! What a resource is asked to plan: the engine's proposal with defaults filled in, and unknown what nobody has set so far.

use ::schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Kind, Nesting, Schema, Value};

/// From what a resource plans.
pub(super) struct Proposal {
    completed: Value,
    /// As `completed`, with the prior values of `undecided`.
    assumed: Value,
    undecided: Vec<AttributePath>,
}

impl Proposal {
    pub(super) fn of(schema: &Schema, prior: Option<&Value>, config: &Value, proposed: Value) -> Proposal {
        let completed = complete_proposal(schema, prior, config, proposed);
        let undecided = prior.map(|prior| schema.undecided(prior, &completed)).unwrap_or_default();
        let mut assumed = completed.clone();
        undecided.iter().for_each(|(path, value)| assumed.set_at(path, value.clone()));
        let undecided = undecided.into_iter().map(|(path, _)| path).collect();
        Proposal { completed, assumed, undecided }
    }

    /// An attribute that forces replacement and is not known yet is taken to stay what it is.
    pub(super) fn assumed(&self) -> Value {
        self.assumed.clone()
    }

    /// A plan says of what is not known yet that it is unknown.
    pub(super) fn restore(&self, planned: &mut Value) {
        self.undecided.iter().for_each(|path| planned.set_at(path, self.completed.at(path).clone()));
    }

    /// An engine ends an apply with "inconsistent final plan", and blames the provider, when an update becomes a replacement. `more` are
    /// paths of which only the resource knows.
    pub(super) fn warnings(&self, resource: &str, more: &[AttributePath]) -> Diagnostics {
        let warning = |path: &AttributePath| {
            Diagnostic::warning(format!("{path} of {resource} is not known yet, and another value would need a replacement"))
                .detail(
                    "It is planned to stay what it is. If it turns out to be another value, the apply ends here with \"Provider produced \
                     inconsistent final plan\", before anything of this object is changed. What that message calls a bug of the provider is \
                     this: an apply may not destroy what its plan did not. The next plan then shows the replacement. To decide now, \
                     apply what the value comes from first, for example with -target.",
                )
                .at(path.clone())
        };
        let more = more.iter().filter(|path| !self.undecided.contains(path));
        self.undecided.iter().chain(more).map(warning).collect()
    }
}

/// The engine proposes null for what is computed and new. Defaults come first; the rest of it is unknown: the whole object's
/// on create, that of new nested objects on update. What is only spelled in another way stays as it was.
fn complete_proposal(schema: &Schema, prior: Option<&Value>, config: &Value, proposed: Value) -> Value {
    let proposed = schema.with_defaults(proposed, config);
    let all_unknown = schema.unknown_computed(proposed.clone(), config);
    match prior {
        None => all_unknown,
        Some(prior) => schema.keep_spelling(prior, new_objects_from(&schema.attributes, prior, proposed, &all_unknown)),
    }
}

/// Takes over from `unknown` each nested object that `prior` does not have. Where both come from the same proposal, elements
/// stand in the same order.
fn new_objects_from(attributes: &[Attribute], prior: &Value, mut proposed: Value, unknown: &Value) -> Value {
    for attribute in attributes {
        let Kind::Nested(nesting, below) = &attribute.kind else { continue };
        let value = proposed.get(attribute.name).clone();
        let merge = Merge { nesting: *nesting, attributes: below };
        proposed.set(attribute.name, merge.value(prior.get(attribute.name), value, unknown.get(attribute.name)));
    }
    proposed
}

struct Merge<'a> {
    nesting: Nesting,
    attributes: &'a [Attribute],
}

impl Merge<'_> {
    fn value(&self, prior: &Value, proposed: Value, unknown: &Value) -> Value {
        match (self.nesting, proposed) {
            (Nesting::Single, proposed) => self.object(prior, proposed, unknown),
            (Nesting::Map, Value::Map(entries)) => {
                let merged = entries.into_iter().map(|(key, value)| {
                    let value = self.object(prior.get(&key), value, unknown.get(&key));
                    (key, value)
                });
                Value::Map(merged.collect())
            }
            (Nesting::List, Value::List(items)) => {
                let merged = items.into_iter().enumerate().map(|(position, item)| {
                    let at = AttributePath::root().index(position);
                    self.object(prior.at(&at), item, unknown.at(&at))
                });
                Value::List(merged.collect())
            }
            // Only what is equal is known to be the same element.
            (Nesting::Set, Value::List(items)) => {
                let before = prior.as_list().unwrap_or_default();
                let merged = items.into_iter().enumerate().map(|(position, item)| {
                    let is_old = before.contains(&item);
                    if is_old { item } else { unknown.at(&AttributePath::root().index(position)).clone() }
                });
                Value::List(merged.collect())
            }
            (_, proposed) => proposed,
        }
    }

    fn object(&self, prior: &Value, proposed: Value, unknown: &Value) -> Value {
        match (prior.untyped(), &proposed) {
            (Value::Map(_), Value::Map(_)) => new_objects_from(self.attributes, prior, proposed, unknown),
            (_, Value::Map(_)) => unknown.clone(),
            _ => proposed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let host = vec![
            Attribute::string("address").required(),
            Attribute::number("port").default(Value::from(22)),
            Attribute::string("machine_id").computed(),
        ];
        Schema::new("").attribute(Attribute::nested("hosts", Nesting::Map, host)).attribute(Attribute::string("uid").computed())
    }

    fn host(address: &str, port: impl Into<Value>, machine_id: impl Into<Value>) -> Value {
        Value::object([("address", address.into()), ("port", port.into()), ("machine_id", machine_id.into())])
    }

    fn cluster<const N: usize>(hosts: [(&str, Value); N], uid: impl Into<Value>) -> Value {
        Value::object([("hosts", Value::object(hosts)), ("uid", uid.into())])
    }

    #[test]
    fn on_create_everything_computed_is_unknown_or_has_its_default() {
        let config = cluster([("a", host("10.0.0.1", Value::Null, Value::Null))], Value::Null);
        let proposal = complete_proposal(&schema(), None, &config, config.clone());
        assert_eq!(proposal, cluster([("a", host("10.0.0.1", 22, Value::Unknown))], Value::Unknown));
    }

    #[test]
    fn on_update_only_new_objects_have_unknown_attributes() {
        let prior = cluster([("a", host("10.0.0.1", 22, "id-a"))], "uid");
        let config =
            cluster([("a", host("10.0.0.9", Value::Null, Value::Null)), ("b", host("10.0.0.2", 2222, Value::Null))], Value::Null);
        let proposed = cluster([("a", host("10.0.0.9", 22, "id-a")), ("b", host("10.0.0.2", 2222, Value::Null))], "uid");
        let proposal = complete_proposal(&schema(), Some(&prior), &config, proposed);
        let expect = cluster([("a", host("10.0.0.9", 22, "id-a")), ("b", host("10.0.0.2", 2222, Value::Unknown))], "uid");
        assert_eq!(proposal, expect);
    }

    #[test]
    fn what_forces_replacement_and_is_not_known_yet_is_assumed_to_stay() {
        let schema = schema().attribute(Attribute::list("cidrs", ::schema::Type::String).required().requires_replace());
        let with = |cidrs: Vec<Value>| {
            let mut values = cluster([], "uid");
            values.set("cidrs", Value::List(cidrs));
            values
        };
        let prior = with(vec!["a".into(), "b".into()]);
        let config = with(vec![Value::Unknown, "b".into()]);
        let proposal = Proposal::of(&schema, Some(&prior), &config, config.clone());
        assert_eq!(proposal.assumed(), prior);
        let mut planned = proposal.assumed();
        proposal.restore(&mut planned);
        assert_eq!(planned, config);
        assert_eq!(proposal.warnings("x", &[]).len(), 1);
        let more = [AttributePath::attribute("cidrs"), AttributePath::attribute("hosts")];
        let said: Vec<_> = proposal.warnings("x", &more).into_iter().filter_map(|warning| warning.path).collect();
        assert_eq!(said, more);

        let other = with(vec![Value::Unknown, "c".into()]);
        let replaced = Proposal::of(&schema, Some(&prior), &other, other.clone());
        assert_eq!((replaced.assumed(), replaced.warnings("x", &[]).len()), (other, 0));
    }

    #[test]
    fn on_update_a_computed_attribute_that_was_null_stays_null() {
        let prior = cluster([], Value::Null);
        let proposal = complete_proposal(&schema(), Some(&prior), &cluster([], Value::Null), prior.clone());
        assert_eq!(proposal, prior);
    }
}
