//! Types of values, as the engine's type system (cty) has them, and their JSON form.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use crate::{CodecError, Value};

/// A type of Terraform's type system, as the protocol transmits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Number,
    Bool,
    /// Each value brings its own type.
    Dynamic,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Object(BTreeMap<String, Type>),
    Tuple(Vec<Type>),
}

impl Type {
    /// A list of elements of this type.
    pub fn list(element: Type) -> Type {
        Type::List(Box::new(element))
    }

    /// A set of elements of this type.
    pub fn set(element: Type) -> Type {
        Type::Set(Box::new(element))
    }

    /// A map with string keys and elements of this type.
    pub fn map(element: Type) -> Type {
        Type::Map(Box::new(element))
    }

    /// An object with these attributes, all of which a value must have.
    pub fn object<const N: usize>(attributes: [(&str, Type); N]) -> Type {
        Type::Object(attributes.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect())
    }

    /// The type of a value by itself, as the engine infers it from a literal: tuples and objects, never lists or maps.
    pub fn of(value: &Value) -> Type {
        match value {
            Value::Null | Value::Unknown | Value::Changing(_) => Type::Dynamic,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::String,
            Value::List(items) => Type::Tuple(items.iter().map(Type::of).collect()),
            Value::Map(entries) => Type::Object(entries.iter().map(|(name, value)| (name.clone(), Type::of(value))).collect()),
            Value::Typed(ty, _) => (**ty).clone(),
        }
    }

    /// `"string"`, `["list","string"]`, `["object",{"port":"number"}]`: what the protocol's schema and dynamic values carry.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Type::String => json!("string"),
            Type::Number => json!("number"),
            Type::Bool => json!("bool"),
            Type::Dynamic => json!("dynamic"),
            Type::List(element) => json!(["list", element.to_json()]),
            Type::Set(element) => json!(["set", element.to_json()]),
            Type::Map(element) => json!(["map", element.to_json()]),
            Type::Object(attributes) => {
                let attributes: serde_json::Map<_, _> =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                json!(["object", attributes])
            }
            Type::Tuple(types) => json!(["tuple", types.iter().map(Type::to_json).collect::<Vec<_>>()]),
        }
    }

    /// Reads the JSON form of the protocol: `"string"`, `["list", "string"]`. An error names what is not a type.
    pub fn from_json(json: &serde_json::Value) -> Result<Type, CodecError> {
        match json {
            serde_json::Value::String(name) => Type::from_name(name),
            serde_json::Value::Array(parts) => Type::from_parts(parts),
            _ => Err(CodecError::new("a type is a name or an array that begins with one")),
        }
    }

    fn from_name(name: &str) -> Result<Type, CodecError> {
        match name {
            "string" => Ok(Type::String),
            "number" => Ok(Type::Number),
            "bool" => Ok(Type::Bool),
            "dynamic" => Ok(Type::Dynamic),
            _ => Err(CodecError::new(format!("there is no type {name:?}"))),
        }
    }

    /// An object may carry the names of its optional attributes as a third part; a value has them all, so they do not matter.
    fn from_parts(parts: &[serde_json::Value]) -> Result<Type, CodecError> {
        match parts {
            [serde_json::Value::String(kind), element] if kind == "list" => Ok(Type::list(Type::from_json(element)?)),
            [serde_json::Value::String(kind), element] if kind == "set" => Ok(Type::set(Type::from_json(element)?)),
            [serde_json::Value::String(kind), element] if kind == "map" => Ok(Type::map(Type::from_json(element)?)),
            [serde_json::Value::String(kind), serde_json::Value::Array(types)] if kind == "tuple" => {
                Ok(Type::Tuple(types.iter().map(Type::from_json).collect::<Result<_, _>>()?))
            }
            [serde_json::Value::String(kind), serde_json::Value::Object(attributes), ..] if kind == "object" => {
                let attributes = attributes.iter().map(|(name, ty)| Ok((name.clone(), Type::from_json(ty)?)));
                Ok(Type::Object(attributes.collect::<Result<_, CodecError>>()?))
            }
            _ => Err(CodecError::new("a collection type is its kind and its element type")),
        }
    }
}

/// As Terraform's documentation names it: `List of String`.
impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::String => formatter.write_str("String"),
            Type::Number => formatter.write_str("Number"),
            Type::Bool => formatter.write_str("Boolean"),
            Type::Dynamic => formatter.write_str("Dynamic"),
            Type::List(element) => write!(formatter, "List of {element}"),
            Type::Set(element) => write!(formatter, "Set of {element}"),
            Type::Map(element) => write!(formatter, "Map of {element}"),
            Type::Object(_) => formatter.write_str("Object"),
            Type::Tuple(_) => formatter.write_str("Tuple"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: Type, expect: &str) {
        assert_eq!(ty.to_json().to_string(), expect);
        assert_eq!(Type::from_json(&serde_json::from_str(expect).unwrap()), Ok(ty));
    }

    #[track_caller]
    fn check_error(json: &str, expect: &str) {
        let error = Type::from_json(&serde_json::from_str(json).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn types_have_the_json_of_cty() {
        check(Type::String, r#""string""#);
        check(Type::Dynamic, r#""dynamic""#);
        check(Type::list(Type::Number), r#"["list","number"]"#);
        check(Type::map(Type::set(Type::Bool)), r#"["map",["set","bool"]]"#);
        check(Type::Tuple(vec![Type::String, Type::Bool]), r#"["tuple",["string","bool"]]"#);
        check(Type::object([("port", Type::Number), ("name", Type::String)]), r#"["object",{"name":"string","port":"number"}]"#);
    }

    #[test]
    fn optional_attributes_of_an_object_type_are_attributes() {
        let json = serde_json::json!(["object", { "a": "string" }, ["a"]]);
        assert_eq!(Type::from_json(&json), Ok(Type::object([("a", Type::String)])));
    }

    #[test]
    fn what_is_no_type_is_an_error() {
        check_error(r#""text""#, "there is no type \"text\"");
        check_error(r#"["list"]"#, "a collection type is its kind and its element type");
        check_error("1", "a type is a name or an array that begins with one");
    }
}
