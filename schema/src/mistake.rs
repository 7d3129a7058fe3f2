//! What the engine would refuse in a schema, found before an engine sees it: for one test over the registry of resources.

use crate::{Attribute, AttributePath, Kind, Nesting, NullElements, Requirement, Schema, Type};

/// Meta-arguments of the language: the engine takes them before the provider sees them.
const RESERVED: [&str; 7] = ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

impl Schema {
    /// One sentence each; none in a sound schema. The rules are those of Terraform's `configschema.InternalValidate` and of its
    /// registry, and that everything is described.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.description.is_empty() {
            mistakes.push("the schema has no description".to_owned());
        }
        for attribute in self.attributes.iter().filter(|attribute| RESERVED.contains(&attribute.name)) {
            mistakes.push(format!("{} is a word of the language", attribute.name));
        }
        find_mistakes(&self.attributes, &AttributePath::root(), &mut mistakes);
        mistakes
    }
}

fn find_mistakes(attributes: &[Attribute], parent: &AttributePath, mistakes: &mut Vec<String>) {
    for (position, attribute) in attributes.iter().enumerate() {
        let path = parent.clone().then(attribute.name);
        let twice = attributes.iter().take(position).any(|earlier| earlier.name == attribute.name);
        mistakes.extend(twice.then(|| format!("{path} is there twice")));
        mistakes.extend(attribute_mistakes(attribute).into_iter().map(|mistake| format!("{path} {mistake}")));
        if let Kind::Nested(_, attributes) = &attribute.kind {
            find_mistakes(attributes, &path, mistakes);
        }
    }
}

fn attribute_mistakes(attribute: &Attribute) -> Vec<&'static str> {
    let ty = attribute.value_type();
    let default_fits = attribute.default.as_ref().is_none_or(|default| default.to_msgpack(&ty).is_ok());
    let defaulted_wrongly = attribute.default.is_some() && attribute.requirement != Requirement::OptionalComputed;
    let rules = [
        (is_name(attribute.name), "is no name: lower-case letters, digits and underscores, a letter first"),
        (!attribute.description.is_empty(), "has no description"),
        (!defaulted_wrongly, "has a default, but is not optional and computed"),
        (default_fits, "has a default of another type"),
        (!(attribute.write_only && attribute.is_computed()), "is write-only, but computed"),
        (
            attribute.null_elements == NullElements::Refused || is_map(attribute),
            "leaves null elements out, but is no map of values",
        ),
        (!attribute.never_null || attribute.requirement == Requirement::Computed, "is never null, but not computed only"),
        (!holds_write_only_in_set(attribute), "is a set with something write-only in it"),
        (!holds_dynamic_in_collection(&ty), "has a collection with something dynamic in it"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, mistake)| mistake).collect()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
}

/// Without an element, those of a list or set would have other positions. A null element of a nested map ends OpenTofu (1.12.6) in a
/// crash when the provider plans anything that is not configured: `assertPlannedObjectValid` reads attributes of the null, which
/// Terraform does not do since hashicorp/terraform#35090.
fn is_map(attribute: &Attribute) -> bool {
    matches!(attribute.kind, Kind::Value(Type::Map(_)))
}

fn holds_write_only_in_set(attribute: &Attribute) -> bool {
    matches!(&attribute.kind, Kind::Nested(Nesting::Set, attributes) if attributes.iter().any(holds_write_only))
}

fn holds_write_only(attribute: &Attribute) -> bool {
    let below = matches!(&attribute.kind, Kind::Nested(_, attributes) if attributes.iter().any(holds_write_only));
    attribute.write_only || below
}

fn holds_dynamic_in_collection(ty: &Type) -> bool {
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => holds_dynamic(element),
        Type::Object(attributes) => attributes.values().any(holds_dynamic_in_collection),
        Type::Tuple(types) => types.iter().any(holds_dynamic_in_collection),
        _ => false,
    }
}

fn holds_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Dynamic => true,
        Type::List(element) | Type::Set(element) | Type::Map(element) => holds_dynamic(element),
        Type::Object(attributes) => attributes.values().any(holds_dynamic),
        Type::Tuple(types) => types.iter().any(holds_dynamic),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn attribute(name: &'static str) -> Attribute {
        Attribute::string(name).describe("A sample.")
    }

    #[track_caller]
    fn check(attribute: Attribute, expect: &[&str]) {
        assert_eq!(Schema::new("A sample.").attribute(attribute).mistakes(), expect);
    }

    #[test]
    fn a_sound_schema_has_no_mistakes() {
        check(attribute("a_1").required().requires_replace(), &[]);
        check(attribute("a").default("x".into()), &[]);
        check(attribute("a").optional().write_only(), &[]);
        check(Attribute::of("a", Type::object([("b", Type::Dynamic)])).describe("A sample."), &[]);
    }

    #[test]
    fn mistakes_are_told_by_path() {
        check(Attribute::string("a"), &["a has no description"]);
        check(attribute("count"), &["count is a word of the language"]);
        check(attribute("2"), &["2 is no name: lower-case letters, digits and underscores, a letter first"]);
        check(attribute("a").default("x".into()).computed(), &["a has a default, but is not optional and computed"]);
        check(attribute("a").default(1.into()), &["a has a default of another type"]);
        check(attribute("a").optional_computed().write_only(), &["a is write-only, but computed"]);
        check(attribute("a").never_null(), &["a is never null, but not computed only"]);
        let list = Attribute::list("a", Type::String).describe("A sample.").null_means_absent();
        check(list, &["a leaves null elements out, but is no map of values"]);
        let nested = Attribute::nested("a", Nesting::Map, vec![attribute("b")]).describe("A sample.").null_means_absent();
        check(nested, &["a leaves null elements out, but is no map of values"]);
        let dynamic = Attribute::list("a", Type::Dynamic).describe("A sample.");
        check(dynamic, &["a has a collection with something dynamic in it"]);
        let secret = || vec![attribute("b").write_only()];
        let set = Attribute::nested("a", Nesting::Set, secret()).describe("A sample.");
        check(set, &["a is a set with something write-only in it"]);
        let twice = Attribute::nested("a", Nesting::Map, [secret(), secret()].concat()).describe("A sample.");
        check(twice, &["a.b is there twice"]);
        assert_eq!(Schema::new("").mistakes(), ["the schema has no description"]);
    }

    #[test]
    fn an_unknown_default_is_of_every_type() {
        check(attribute("a").default(Value::Unknown), &[]);
    }
}
