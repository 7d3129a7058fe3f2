//! Which attributes a typed configuration asks for: found by decoding it from nothing, field by field. A name that the schema does
//! not have would be null for ever, and nothing else would say so.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::{Attribute, Kind, Nesting, Schema, Type};

/// Fields of `T`, and of the structs in it, that `schema` has no attribute for, such as `hosts[].adress`. For tests.
pub fn fields_without_attribute<T: DeserializeOwned>(schema: &Schema) -> Vec<String> {
    let attributes = schema.attribute_names();
    fields_of::<T>().into_iter().filter(|name| !attributes.contains(name)).collect()
}

fn fields_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let found = RefCell::default();
    let decoded = T::deserialize(Recorder { at: String::new(), found: &found });
    decoded.map_or_else(|error| BTreeSet::from([format!("(not readable: {error})")]), |_| found.into_inner())
}

impl Schema {
    /// Every attribute at every depth, `[]` for an element: `hosts[].address`.
    pub fn attribute_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        add_attributes(&self.attributes, "", &mut names);
        names
    }
}

fn add_attributes(attributes: &[Attribute], at: &str, names: &mut BTreeSet<String>) {
    for attribute in attributes {
        let path = format!("{at}{}", attribute.name);
        match &attribute.kind {
            Kind::Nested(Nesting::Single, below) => add_attributes(below, &format!("{path}."), names),
            Kind::Nested(_, below) => add_attributes(below, &format!("{path}[]."), names),
            Kind::Value(ty) => add_type(ty, &path, names),
        }
        names.insert(path);
    }
}

fn add_type(ty: &Type, at: &str, names: &mut BTreeSet<String>) {
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => add_type(element, &format!("{at}[]"), names),
        Type::Object(types) => {
            for (name, ty) in types {
                let path = format!("{at}.{name}");
                add_type(ty, &path, names);
                names.insert(path);
            }
        }
        _ => {}
    }
}

/// Gives something of each kind, and notes the names that structs ask for.
#[derive(Clone)]
struct Recorder<'a> {
    at: String,
    found: &'a RefCell<BTreeSet<String>>,
}

impl Recorder<'_> {
    fn element(&self) -> Self {
        Recorder { at: format!("{}[]", self.at), found: self.found }
    }

    fn field(&self, name: &str) -> Self {
        let at = if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) };
        Recorder { at, found: self.found }
    }
}

impl<'de> de::Deserializer<'de> for Recorder<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_u8(1)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_u16(1)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_u32(1)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_u64(1)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_f64(1.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_str("")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Once(Some(self.element())))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let entries = vec![("key", self.element())];
        visitor.visit_map(Named { entries: entries.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let entries: Vec<_> = fields.iter().map(|name| (*name, self.field(name))).collect();
        self.found.borrow_mut().extend(entries.iter().map(|(_, field)| field.at.clone()));
        visitor.visit_map(Named { entries: entries.into_iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let first: StrDeserializer<'_, Self::Error> = variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    forward_to_deserialize_any! { i8 i16 i32 i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any }
}

struct Once<'a>(Option<Recorder<'a>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = de::value::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error> {
        self.0.take().map(|element| seed.deserialize(element)).transpose()
    }
}

struct Named<'a, I> {
    entries: I,
    value: Option<Recorder<'a>>,
}

impl<'de, 'a, I: Iterator<Item = (&'static str, Recorder<'a>)>> MapAccess<'de> for Named<'a, I> {
    type Error = de::value::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(value)
    }
}

impl fmt::Debug for Recorder<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::Field;

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Auto,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Host {
        address: Field<String>,
        r#type: Field<u16>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Config {
        hosts: Field<BTreeMap<String, Field<Host>>>,
        taints: Option<Vec<Field<Host>>>,
        mode: Field<Mode>,
        join: Field<Host>,
    }

    fn schema(second: &'static str) -> Schema {
        let host = || vec![Attribute::string("address"), Attribute::number(second)];
        let join = Type::object([("address", Type::String), ("type", Type::Number)]);
        Schema::new("")
            .attribute(Attribute::nested("hosts", Nesting::Map, host()))
            .attribute(Attribute::nested("taints", Nesting::List, host()))
            .attribute(Attribute::string("mode"))
            .attribute(Attribute::of("join", join))
            .attribute(Attribute::string("read_elsewhere"))
    }

    #[test]
    fn a_field_that_no_attribute_is_for_is_found_at_any_depth() {
        assert_eq!(fields_without_attribute::<Config>(&schema("type")), Vec::<String>::new());
        assert_eq!(fields_without_attribute::<Config>(&schema("kind")), ["hosts[].type", "taints[].type"]);
    }
}
