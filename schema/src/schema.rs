//! The schema of a resource, data source or provider, and what the protocol's service does by it.

use std::borrow::Cow;

use crate::attribute::object_type;
use crate::{Attribute, AttributePath, CodecError, Diagnostics, Type, Value, change, msgpack, nested, nulls};

/// The schema of a resource, data source or provider block.
#[derive(Clone, Debug)]
pub struct Schema {
    pub version: i64,
    /// Markdown.
    pub description: Cow<'static, str>,
    pub attributes: Vec<Attribute>,
    /// Says what to use instead.
    pub deprecated: Option<Cow<'static, str>>,
}

impl Schema {
    /// A schema of version 0 without attributes. The first paragraph of the description is the summary of its page.
    pub fn new(description: impl Into<Cow<'static, str>>) -> Self {
        Schema { version: 0, description: description.into(), attributes: Vec::new(), deprecated: None }
    }

    /// The version that states are stored with. A higher one needs an upgrade for states of lower ones.
    pub fn version(self, version: i64) -> Self {
        Schema { version, ..self }
    }

    /// Says what to use instead; engines warn where it is used.
    pub fn deprecated(self, text: impl Into<Cow<'static, str>>) -> Self {
        Schema { deprecated: Some(text.into()), ..self }
    }

    /// Adds an attribute.
    pub fn attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Adds several attributes.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// A top-level attribute by its name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The object type of its values on the wire.
    pub fn value_type(&self) -> Type {
        object_type(&self.attributes)
    }

    /// Fills in defaults where the configuration is null, in nested attributes too. Null stays null as a whole.
    pub fn with_defaults(&self, proposed: Value, config: &Value) -> Value {
        nested::with_defaults(&self.attributes, proposed, config)
    }

    /// For the plan of a create: a computed attribute without a default that neither the configuration nor the proposed value
    /// sets is unknown. Call it after `with_defaults`.
    pub fn unknown_computed(&self, proposed: Value, config: &Value) -> Value {
        nested::unknown_computed(&self.attributes, proposed, config)
    }

    /// Write-only attributes become null, as the engine demands of plans and states.
    pub fn without_write_only(&self, value: Value) -> Value {
        nested::without_write_only(&self.attributes, value)
    }

    /// What differs in its meaning among the attributes that require replacement. Nothing where either is null: create and destroy. What
    /// is not known yet does not differ while it may turn out to be what it was.
    pub fn replace_paths(&self, prior: &Value, planned: &Value) -> Vec<AttributePath> {
        let mut paths = Vec::new();
        if !prior.is_null() && !planned.is_null() {
            change::replace_paths(&self.attributes, (prior, planned), &AttributePath::root(), &mut paths);
        }
        paths
    }

    /// The values of the state where those that are proposed are another spelling of the same.
    pub fn keep_spelling(&self, prior: &Value, proposed: Value) -> Value {
        change::keep_spelling(&self.attributes, prior, proposed)
    }

    /// The attributes that require replacement and are not known yet, but may turn out to be what they were. None where another one is
    /// certain to replace the object. Each with what it is while nothing is replaced.
    pub fn undecided(&self, prior: &Value, proposed: &Value) -> Vec<(AttributePath, Value)> {
        let mut found = Vec::new();
        if !prior.is_null() && !proposed.is_null() && self.replace_paths(prior, proposed).is_empty() {
            change::undecided(&self.attributes, (prior, proposed), &mut found);
        }
        found
    }

    /// What resources see of a configuration, plan or state: without the null elements that mean "not there".
    pub fn without_absent(&self, value: Value) -> Value {
        nulls::without_absent(&self.attributes, value)
    }

    /// The other way round: puts the null elements of `origin` back into what a resource made of it.
    pub fn with_absent(&self, value: Value, origin: &Value) -> Value {
        nulls::with_absent(&self.attributes, value, origin)
    }

    /// A planned value for the engine: unknown values of attributes that are never null carry that refinement.
    pub fn planned_to_msgpack(&self, planned: &Value) -> Result<Vec<u8>, CodecError> {
        msgpack::planned_to_bytes(&self.attributes, planned, &self.value_type())
    }

    /// Attributes that are null although they are declared never to be. For states.
    pub fn wrongly_null(&self, state: &Value) -> Vec<AttributePath> {
        let mut paths = Vec::new();
        nulls::wrongly_null(&self.attributes, state, &AttributePath::root(), &mut paths);
        paths
    }

    /// Finds what is null and must not be, and runs the attributes' validators on what is set and known.
    pub fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        nulls::check(&self.attributes, config, &AttributePath::root(), &mut diagnostics);
        nested::validate(&self.attributes, config, &AttributePath::root(), &mut diagnostics);
        diagnostics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Nesting, Number, Validator, one_of, port};

    fn listener() -> Vec<Attribute> {
        vec![
            Attribute::number("port").required().validator(port()),
            Attribute::string("protocol").default("tcp".into()).validator(one_of(&["tcp", "udp"])),
            Attribute::string("address").computed().requires_replace(),
            Attribute::string("token").optional().write_only().validator(one_of(&["t"])),
        ]
    }

    fn sample() -> Schema {
        let short = Validator::new("At most 2 letters.", |value| match value.as_str() {
            Some(text) if text.len() > 2 => Err((format!("{text} is too long"), "Shorten it.".to_owned())),
            _ => Ok(()),
        });
        Schema::new("A sample.")
            .attribute(Attribute::string("name").required().requires_replace())
            .attribute(Attribute::list("zones", Type::String).optional().validator(short.each()))
            .attribute(Attribute::nested("one", Nesting::Single, listener()).default(Value::object([("port", 1.into())])))
            .attribute(Attribute::nested("list", Nesting::List, listener()).optional())
            .attribute(Attribute::nested("set", Nesting::Set, listener()).optional())
            .attribute(Attribute::nested("map", Nesting::Map, listener()).optional_computed())
    }

    /// A whole object of the sample's schema.
    fn object<const N: usize>(attributes: [(&str, Value); N]) -> Value {
        let mut object = Value::object(["name", "zones", "one", "list", "set", "map"].map(|name| (name, Value::Null)));
        for (name, value) in attributes {
            object.set(name, value);
        }
        object
    }

    fn element(port: i64, protocol: impl Into<Value>, address: impl Into<Value>, token: impl Into<Value>) -> Value {
        Value::object([
            ("port", port.into()),
            ("protocol", protocol.into()),
            ("address", address.into()),
            ("token", token.into()),
        ])
    }

    const NULL: Value = Value::Null;

    #[track_caller]
    fn check_value(actual: Value, expect: Value) {
        assert!(actual.equal(&expect, &sample().value_type()), "{actual:#?}\nis not {expect:#?}");
    }

    #[test]
    fn a_schema_has_the_type_of_its_attributes() {
        let schema = Schema::new("").attribute(Attribute::nested("map", Nesting::Map, listener()));
        let text = Type::String;
        let element =
            Type::object([("port", Type::Number), ("protocol", text.clone()), ("address", text.clone()), ("token", text)]);
        assert_eq!(schema.value_type(), Type::object([("map", Type::map(element))]));
    }

    #[test]
    fn defaults_fill_in_what_the_configuration_leaves_out_at_any_depth() {
        let bare = || element(80, NULL, NULL, NULL);
        let config = object([("list", vec![bare()].into()), ("map", Value::object([("a", bare())]))]);
        let full = || element(80, "tcp", NULL, NULL);
        let one = element(1, "tcp", NULL, NULL);
        let expect = object([("one", one), ("list", vec![full()].into()), ("map", Value::object([("a", full())]))]);
        check_value(sample().with_defaults(config.clone(), &config), expect);
    }

    #[test]
    fn a_default_takes_the_place_of_the_prior_value_that_the_engine_proposes() {
        let config = object([("one", element(80, NULL, NULL, NULL))]);
        let proposed = object([("one", element(80, "udp", "a", NULL))]);
        check_value(sample().with_defaults(proposed, &config), object([("one", element(80, "tcp", "a", NULL))]));
    }

    #[test]
    fn what_is_configured_or_unknown_has_no_default() {
        let config = object([("one", element(80, Value::Unknown, NULL, NULL)), ("map", Value::Unknown)]);
        check_value(sample().with_defaults(config.clone(), &config), config);
    }

    #[test]
    fn what_the_provider_filled_in_has_no_default() {
        let proposed = object([("one", NULL), ("map", Value::object([("a", element(80, "udp", "x", NULL))]))]);
        let expect =
            object([("one", element(1, "tcp", NULL, NULL)), ("map", Value::object([("a", element(80, "udp", "x", NULL))]))]);
        check_value(sample().with_defaults(proposed, &object([])), expect);
    }

    #[test]
    fn an_element_of_a_set_is_found_again_in_the_configuration() {
        let config = vec![element(443, "udp", NULL, NULL), element(80, NULL, NULL, NULL)];
        let proposed = vec![element(80, "udp", "a", NULL), element(443, "udp", "b", NULL)];
        let expect = vec![element(80, "tcp", "a", NULL), element(443, "udp", "b", NULL)];
        let one = element(1, "tcp", NULL, NULL);
        let actual = sample().with_defaults(object([("set", proposed.into())]), &object([("set", config.into())]));
        check_value(actual, object([("one", one), ("set", expect.into())]));
    }

    #[test]
    fn an_element_of_a_set_that_is_not_in_the_configuration_keeps_what_it_has() {
        let proposed = object([("set", vec![element(80, "udp", NULL, NULL), element(443, NULL, NULL, NULL)].into())]);
        let config = object([("one", Value::Unknown), ("set", vec![element(1, NULL, NULL, NULL)].into())]);
        let expect = object([("set", vec![element(80, "udp", NULL, NULL), element(443, "tcp", NULL, NULL)].into())]);
        check_value(sample().with_defaults(proposed, &config), expect);
    }

    #[test]
    fn what_nobody_sets_is_unknown_on_create() {
        let config = object([("name", "a".into()), ("list", vec![element(80, NULL, NULL, NULL)].into())]);
        let proposed = sample().with_defaults(config.clone(), &config);
        let expect = object([
            ("name", "a".into()),
            ("one", element(1, "tcp", Value::Unknown, NULL)),
            ("list", vec![element(80, "tcp", Value::Unknown, NULL)].into()),
            ("map", Value::Unknown),
        ]);
        check_value(sample().unknown_computed(proposed, &config), expect);
    }

    #[test]
    fn write_only_values_are_taken_out_at_any_depth() {
        let secret = || element(80, "tcp", "a", "canary");
        let clean = || element(80, "tcp", "a", NULL);
        let value = object([
            ("one", secret()),
            ("list", vec![secret()].into()),
            ("set", vec![secret()].into()),
            ("map", Value::object([("a", secret())])),
        ]);
        let expect = object([
            ("one", clean()),
            ("list", vec![clean()].into()),
            ("set", vec![clean()].into()),
            ("map", Value::object([("a", clean())])),
        ]);
        check_value(sample().without_write_only(value), expect);
        assert_eq!(sample().without_write_only(NULL), NULL);
    }

    #[track_caller]
    fn check_replace(prior: Value, planned: Value, expect: &[&str]) {
        let paths = sample().replace_paths(&prior, &planned);
        assert_eq!(paths.iter().map(AttributePath::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_change_of_an_attribute_that_requires_replacement_is_found_at_its_path() {
        let at = |address: &str| element(80, "tcp", address, NULL);
        let by_key = |key: &str, address| Value::object([(key, at(address))]);
        check_replace(object([("name", "a".into())]), object([("name", "a".into())]), &[]);
        check_replace(object([("name", "a".into())]), object([("name", "b".into())]), &["name"]);
        check_replace(object([("name", "a".into())]), object([("name", Value::Unknown)]), &[]);
        check_replace(object([("one", at("a"))]), object([("one", at("b"))]), &["one.address"]);
        check_replace(object([("list", vec![at("a")].into())]), object([("list", vec![at("b")].into())]), &["list[0].address"]);
        check_replace(object([("set", vec![at("a")].into())]), object([("set", vec![at("b")].into())]), &["set"]);
        check_replace(object([("map", by_key("k", "a"))]), object([("map", by_key("k", "b"))]), &["map[\"k\"].address"]);
    }

    #[test]
    fn new_elements_and_create_and_destroy_replace_nothing() {
        let at = |address: &str| element(80, "tcp", address, NULL);
        check_replace(object([("list", vec![at("a")].into())]), object([("list", vec![at("a"), at("b")].into())]), &[]);
        let (prior, planned) = (Value::object([("a", at("a"))]), Value::object([("b", at("a"))]));
        check_replace(object([("map", prior)]), object([("map", planned)]), &[]);
        check_replace(object([("name", "a".into())]), NULL, &[]);
        check_replace(NULL, object([("name", "a".into())]), &[]);
    }

    #[track_caller]
    fn check_valid(config: Value, expect: &[&str]) {
        let mut config = config;
        config.set("name", "a".into());
        let found: Vec<_> = sample().validate(&config).iter().map(|diagnostic| diagnostic.to_string()).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn validators_see_what_is_set_and_known() {
        check_valid(object([("one", element(80, "udp", NULL, "t"))]), &[]);
        check_valid(object([("one", Value::Unknown), ("map", NULL), ("zones", vec![Value::Unknown].into())]), &[]);
        let mut unknown = element(80, Value::Unknown, NULL, NULL);
        unknown.set("port", Value::Unknown);
        check_valid(object([("list", vec![unknown].into())]), &[]);
    }

    #[test]
    fn what_a_validator_finds_stands_at_its_path() {
        let port = "error: 65536 is out of range (at list[0].port)\nA whole number from 1 to 65535.";
        check_valid(object([("list", vec![element(65536, "tcp", NULL, NULL)].into())]), &[port]);
        let choice = "error: \"sctp\" is not one of the allowed values (at map[\"a\"].protocol)\nOne of `tcp`, `udp`.";
        check_valid(object([("map", Value::object([("a", element(80, "sctp", NULL, NULL))]))]), &[choice]);
        let port = "error: 0 is out of range (at set.port)\nA whole number from 1 to 65535.";
        check_valid(object([("set", vec![element(0, "tcp", NULL, NULL)].into())]), &[port]);
        let each = "error: abc is too long (at zones[1])\nShorten it.";
        check_valid(object([("zones", vec!["ab", "abc"].into())]), &[each]);
        let fraction = Value::object([("port", Number::parse("1.5").unwrap().into())]);
        let fraction = object([("name", "a".into()), ("one", fraction)]);
        assert_eq!(sample().validate(&fraction).len(), 1);
    }

    #[test]
    fn an_error_about_a_secret_does_not_show_it() {
        let found = "error: the value of `token` is not valid (at one.token)\nOne of `t`.";
        check_valid(object([("one", element(80, "tcp", NULL, "canary"))]), &[found]);

        let quoting = || Validator::new("Never.", |value| Err((format!("{value:?}"), String::new())));
        let part = |attribute: Attribute| vec![attribute.optional().validator(quoting())];
        let whole = Attribute::nested("a", Nesting::Single, part(Attribute::string("b"))).sensitive().validator(quoting());
        let parent = Attribute::nested("c", Nesting::Single, part(Attribute::string("d").sensitive())).validator(quoting());
        let config =
            Value::object([("a", Value::object([("b", "canary".into())])), ("c", Value::object([("d", "canary".into())]))]);
        let diagnostics = Schema::new("").attribute(whole).attribute(parent).validate(&config);
        assert_eq!(diagnostics.len(), 4);
        assert!(!diagnostics.to_string().contains("canary"), "{diagnostics}");
    }
}
