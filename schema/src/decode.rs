//! From a value to a typed struct: a serde deserializer that knows unknown values and where it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::codec::index;
use crate::{AttributePath, Diagnostic, Number, Step, Value};

/// Null and absent are the same: `Field` and `Option` take it, `#[serde(default)]` fills it, anything else refuses it.
/// An unknown value needs a `Field` around it, or around something that it is part of. Neither `#[serde(flatten)]` nor
/// untagged enums can hold one: they are errors there.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, Diagnostic> {
    T::deserialize(ValueDeserializer(value)).map_err(DecodeError::into_diagnostic)
}

const UNKNOWN_DETAIL: &str = "Its value is needed at this point, but comes from something that is created during apply. \
     Use a value that is known at plan, or apply what it comes from first.";

/// Holds no value, for values can be secret, but for what a type's own `Deserialize` says of it (`custom`).
#[derive(Debug)]
struct DecodeError {
    path: AttributePath,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unknown,
    Null,
    Other(String),
}

impl DecodeError {
    fn new(problem: Problem) -> Self {
        DecodeError { path: AttributePath::root(), problem }
    }

    fn under(self, step: Step) -> Self {
        DecodeError { path: self.path.under(AttributePath::root().step(step)), problem: self.problem }
    }

    fn into_diagnostic(self) -> Diagnostic {
        let subject = if self.path.is_root() { "the object".to_owned() } else { format!("`{}`", self.path) };
        let diagnostic = match self.problem {
            Problem::Unknown => Diagnostic::error(format!("{subject} is not known yet")).detail(UNKNOWN_DETAIL),
            Problem::Null => Diagnostic::error(format!("{subject} has no value"))
                .detail("A value is required here. Set it, or leave out the object that it is part of."),
            Problem::Other(text) => Diagnostic::error(format!("{subject} is {text}")),
        };
        diagnostic.at(self.path)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Unknown => formatter.write_str("not known yet"),
            Problem::Null => formatter.write_str("null"),
            Problem::Other(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The texts of serde show the value found; these do not.
impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        DecodeError::new(Problem::Other(format!("not valid: {message}")))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            // How an unknown value is shown to an option: see `deserialize_option`.
            Unexpected::NewtypeStruct => DecodeError::new(Problem::Unknown),
            Unexpected::Option => DecodeError::new(Problem::Null),
            _ => DecodeError::new(Problem::Other(format!("{}, expected {}", found(unexpected), wanted(expected)))),
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        DecodeError::new(Problem::Other(format!("{} out of range, expected {}", found(unexpected), wanted(expected))))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        DecodeError::new(Problem::Other(format!("none of {}", expected.join(", "))))
    }

    fn missing_field(field: &'static str) -> Self {
        DecodeError::new(Problem::Null).under(Step::Attribute(field.to_owned()))
    }
}

fn found(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
        Unexpected::Float(_) => "a fraction or a very large number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "a value of another kind",
    }
}

fn wanted(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number of 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        text => text.to_owned(),
    }
}

#[derive(Clone, Copy)]
struct ValueDeserializer<'a>(&'a Value);

impl<'de> de::Deserializer<'de> for ValueDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.untyped() {
            Value::Unknown | Value::Changing(_) => Err(DecodeError::new(Problem::Unknown)),
            Value::Null => visitor.visit_none(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries.iter(), Step::Key)),
            Value::Typed(_, value) => ValueDeserializer(value).deserialize_any(visitor),
        }
    }

    /// An unknown value is visited as a newtype: `Field` takes that for unknown, any option refuses it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.untyped() {
            Value::Null => visitor.visit_none(),
            Value::Unknown => visitor.visit_newtype_struct(self),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0.untyped() {
            Value::Map(entries) => visitor.visit_map(set_attributes(entries)),
            _ => self.deserialize_any(visitor),
        }
    }

    /// A name, or an object in which one attribute is set.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0.untyped() {
            Value::String(name) => visitor.visit_enum(StrDeserializer::new(name)),
            Value::Map(entries) => visitor.visit_enum(MapAccessDeserializer::new(set_attributes(entries))),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, DecodeError> {
    if let Some(integer) = number.as_u64() {
        return visitor.visit_u64(integer);
    }
    match number.as_i64() {
        Some(integer) => visitor.visit_i64(integer),
        None => visitor.visit_f64(number.as_f64()),
    }
}

struct Items<I>(I);

impl<'de, 'a, I: Iterator<Item = (usize, &'a Value)>> SeqAccess<'de> for Items<I> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DecodeError> {
        let Some((position, value)) = self.0.next() else { return Ok(None) };
        let element = seed.deserialize(ValueDeserializer(value));
        element.map(Some).map_err(|error| error.under(index(position)))
    }
}

/// What of an object is not null: serde treats the rest as absent.
fn set_attributes(entries: &BTreeMap<String, Value>) -> Entries<'_, impl Iterator<Item = (&String, &Value)>> {
    Entries::new(entries.iter().filter(|(_, value)| !value.is_null()), Step::Attribute)
}

struct Entries<'a, I> {
    entries: I,
    step: fn(String) -> Step,
    current: Option<(&'a String, &'a Value)>,
}

impl<'a, I: Iterator<Item = (&'a String, &'a Value)>> Entries<'a, I> {
    fn new(entries: I, step: fn(String) -> Step) -> Self {
        Entries { entries, step, current: None }
    }
}

impl<'de, 'a, I: Iterator<Item = (&'a String, &'a Value)>> MapAccess<'de> for Entries<'a, I> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, DecodeError> {
        self.current = self.entries.next();
        let Some((name, _)) = self.current else { return Ok(None) };
        let key = seed.deserialize(StrDeserializer::new(name));
        key.map(Some).map_err(|error: DecodeError| error.under((self.step)(name.clone())))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let (name, value) = self.current.ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(ValueDeserializer(value)).map_err(|error| error.under((self.step)(name.clone())))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Field;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Sample {
        #[serde(default)]
        port: u16,
        weight: Option<f64>,
        name: Field<String>,
        hosts: Field<BTreeMap<String, Host>>,
        mode: Field<Mode>,
        #[serde(default)]
        taints: Vec<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Host {
        address: String,
        offset: Field<i64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Auto,
        Fixed(u32),
    }

    #[track_caller]
    fn check<const N: usize>(attributes: [(&str, Value); N], expect: Sample) {
        assert_eq!(decode(&Value::object(attributes)), Ok(expect));
    }

    #[track_caller]
    fn check_error<const N: usize>(attributes: [(&str, Value); N], path: &str, summary: &str) {
        let error = decode::<Sample>(&Value::object(attributes)).unwrap_err();
        assert_eq!((error.path.unwrap().to_string().as_str(), error.summary.as_str()), (path, summary));
    }

    fn host<const N: usize>(attributes: [(&str, Value); N]) -> Value {
        Value::object([("cp-1", Value::object(attributes))])
    }

    #[test]
    fn absent_and_null_are_the_same() {
        check([], Sample::default());
        check([("port", Value::Null), ("name", Value::Null), ("taints", Value::Null)], Sample::default());
    }

    #[test]
    fn unknown_fields_are_known_as_such_at_any_depth() {
        check([("name", Value::Unknown)], Sample { name: Field::Unknown, ..Sample::default() });
        let hosts = BTreeMap::from([("cp-1".to_owned(), Host { address: "a".to_owned(), offset: Field::Unknown })]);
        let value = host([("address", "a".into()), ("offset", Value::Unknown)]);
        check([("hosts", value)], Sample { hosts: Field::Known(hosts), ..Sample::default() });
    }

    #[test]
    fn numbers_fit_their_type() {
        check([("port", 65535.into())], Sample { port: 65535, ..Sample::default() });
        check([("weight", 2.into())], Sample { weight: Some(2.0), ..Sample::default() });
        let half = Number::parse("0.5").unwrap();
        check([("weight", half.clone().into())], Sample { weight: Some(0.5), ..Sample::default() });
        let wanted = "expected a whole number from 0 to 65535";
        check_error([("port", 65536.into())], "port", &format!("`port` is a number out of range, {wanted}"));
        check_error([("port", half.into())], "port", &format!("`port` is a fraction or a very large number, {wanted}"));
        check_error([("port", "1".into())], "port", &format!("`port` is a string, {wanted}"));
    }

    #[test]
    fn an_enum_is_a_name_or_the_one_attribute_that_is_set() {
        check([("mode", "auto".into())], Sample { mode: Field::Known(Mode::Auto), ..Sample::default() });
        let fixed = Value::object([("auto", Value::Null), ("fixed", 3.into())]);
        check([("mode", fixed)], Sample { mode: Field::Known(Mode::Fixed(3)), ..Sample::default() });
        check_error([("mode", "canary".into())], "mode", "`mode` is none of auto, fixed");
    }

    #[test]
    fn a_dynamic_value_is_decoded_like_any_other() {
        let value = Value::from(vec!["a"]).typed(crate::Type::list(crate::Type::String));
        check([("taints", value)], Sample { taints: vec!["a".to_owned()], ..Sample::default() });
        let number = Value::from(vec![1]).typed(crate::Type::list(crate::Type::Number));
        assert_eq!(decode::<serde_json::Value>(&number), Ok(serde_json::json!([1])));
    }

    #[test]
    fn what_must_be_known_and_is_not_is_an_error_with_its_path() {
        check_error([("port", Value::Unknown)], "port", "`port` is not known yet");
        check_error([("weight", Value::Unknown)], "weight", "`weight` is not known yet");
        check_error([("taints", Value::List(vec![Value::Unknown]))], "taints[0]", "`taints[0]` is not known yet");
        let path = "hosts[\"cp-1\"].address";
        let summary = format!("`{path}` is not known yet");
        check_error([("hosts", host([("address", Value::Unknown)]))], path, &summary);
    }

    #[test]
    fn what_must_be_set_and_is_not_is_an_error_with_its_path() {
        let path = "hosts[\"cp-1\"].address";
        check_error([("hosts", host([]))], path, &format!("`{path}` has no value"));
        check_error([("taints", Value::List(vec![Value::Null]))], "taints[0]", "`taints[0]` has no value");
        assert_eq!(decode::<Host>(&Value::Null).unwrap_err().summary, "the object has no value");
    }

    #[test]
    fn a_flattened_struct_refuses_unknown_values_instead_of_losing_them() {
        #[derive(Debug, Deserialize)]
        struct Outer {
            #[serde(flatten)]
            _host: Host,
        }
        let value = Value::object([("address", "a".into()), ("offset", Value::Unknown)]);
        assert_eq!(decode::<Outer>(&value).unwrap_err().summary, "`[\"offset\"]` is not known yet");
    }
}
