//! Values as the state file holds them: cty's JSON (docs/json.md of zclconf/go-cty).

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::codec::index;
use crate::{CodecError, Number, Step, Type, Value};

impl Value {
    /// Unknown values have no JSON form: they are an error.
    pub fn to_json(&self, ty: &Type) -> Result<Json, CodecError> {
        if *ty == Type::Dynamic {
            return encode_dynamic(self);
        }
        match (self.untyped(), ty) {
            (Value::Null, _) => Ok(Json::Null),
            (Value::Bool(bool), Type::Bool) => Ok(Json::Bool(*bool)),
            (Value::Number(number), Type::Number) => Ok(encode_number(number)),
            (Value::String(text), Type::String) => Ok(Json::String(text.clone())),
            (Value::List(items), Type::List(element) | Type::Set(element)) => {
                encode_items(items.iter().map(|item| (item, &**element)))
            }
            (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => encode_items(items.iter().zip(types)),
            (Value::Map(entries), Type::Map(element)) => encode_map(entries, element),
            (Value::Map(entries), Type::Object(attributes)) => encode_object(entries, attributes),
            (found, wanted) => Err(CodecError::mismatch(wanted, found)),
        }
    }

    /// Attributes that are absent are null; attributes that the type does not have are dropped, so that a state which a newer
    /// provider wrote can still be read.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Value, CodecError> {
        match (json, ty) {
            (Json::Null, _) => Ok(Value::Null),
            (Json::Object(parts), Type::Dynamic) => decode_dynamic(parts),
            (Json::Bool(bool), Type::Bool) => Ok(Value::Bool(*bool)),
            (Json::Number(number), Type::Number) => decode_number(&number.to_string()),
            (Json::String(text), Type::Number) => decode_number(text),
            (Json::String(text), Type::String) => Ok(Value::String(text.clone())),
            (Json::Array(items), Type::List(element) | Type::Set(element)) => {
                decode_items(items.iter().map(|item| (item, &**element)))
            }
            (Json::Array(items), Type::Tuple(types)) if items.len() == types.len() => decode_items(items.iter().zip(types)),
            (Json::Object(entries), Type::Map(element)) => decode_map(entries, element),
            (Json::Object(entries), Type::Object(attributes)) => decode_object(entries, attributes),
            (_, wanted) => Err(CodecError::new(format!("the schema has {wanted} here, the JSON something else"))),
        }
    }
}

/// A JSON number as long as it keeps every digit, else the decimal text, which cty reads as well.
fn encode_number(number: &Number) -> Json {
    if let Some(integer) = number.as_i64() {
        return json!(integer);
    }
    if let Some(integer) = number.as_u64() {
        return json!(integer);
    }
    let float = number.as_f64();
    if Number::try_from(float).as_ref() == Ok(number) { json!(float) } else { json!(number.to_string()) }
}

fn encode_items<'a>(items: impl Iterator<Item = (&'a Value, &'a Type)>) -> Result<Json, CodecError> {
    let items = items.enumerate().map(|(position, (item, ty))| item.to_json(ty).map_err(|error| error.under(index(position))));
    Ok(Json::Array(items.collect::<Result<_, _>>()?))
}

fn encode_map(entries: &BTreeMap<String, Value>, element: &Type) -> Result<Json, CodecError> {
    let entries = entries.iter().map(|(key, value)| {
        let value = value.to_json(element).map_err(|error| error.under(Step::Key(key.clone())))?;
        Ok((key.clone(), value))
    });
    Ok(Json::Object(entries.collect::<Result<_, CodecError>>()?))
}

fn encode_object(entries: &BTreeMap<String, Value>, attributes: &BTreeMap<String, Type>) -> Result<Json, CodecError> {
    if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
        return Err(CodecError::new("the schema has no such attribute").under(Step::Attribute(name.clone())));
    }
    let attributes = attributes.iter().map(|(name, ty)| {
        let value = entries.get(name).unwrap_or(&Value::Null);
        let value = value.to_json(ty).map_err(|error| error.under(Step::Attribute(name.clone())))?;
        Ok((name.clone(), value))
    });
    Ok(Json::Object(attributes.collect::<Result<_, CodecError>>()?))
}

fn encode_dynamic(value: &Value) -> Result<Json, CodecError> {
    let ty = Type::of(value);
    match value {
        Value::Null => Ok(Json::Null),
        Value::Unknown | Value::Changing(_) => Err(CodecError::mismatch(&Type::Dynamic, value)),
        Value::Typed(_, inner) => Ok(json!({ "value": inner.to_json(&ty)?, "type": ty.to_json() })),
        _ => Ok(json!({ "value": value.to_json(&ty)?, "type": ty.to_json() })),
    }
}

fn decode_number(text: &str) -> Result<Value, CodecError> {
    Number::parse(text).map(Value::Number).map_err(|error| CodecError::new(error.to_string()))
}

fn decode_items<'a>(items: impl Iterator<Item = (&'a Json, &'a Type)>) -> Result<Value, CodecError> {
    let items =
        items.enumerate().map(|(position, (item, ty))| Value::from_json(item, ty).map_err(|error| error.under(index(position))));
    Ok(Value::List(items.collect::<Result<_, _>>()?))
}

fn decode_map(entries: &serde_json::Map<String, Json>, element: &Type) -> Result<Value, CodecError> {
    let entries = entries.iter().map(|(key, value)| {
        let value = Value::from_json(value, element).map_err(|error| error.under(Step::Key(key.clone())))?;
        Ok((key.clone(), value))
    });
    Ok(Value::Map(entries.collect::<Result<_, CodecError>>()?))
}

fn decode_object(entries: &serde_json::Map<String, Json>, attributes: &BTreeMap<String, Type>) -> Result<Value, CodecError> {
    let attributes = attributes.iter().map(|(name, ty)| {
        let value = entries.get(name).unwrap_or(&Json::Null);
        let value = Value::from_json(value, ty).map_err(|error| error.under(Step::Attribute(name.clone())))?;
        Ok((name.clone(), value))
    });
    Ok(Value::Map(attributes.collect::<Result<_, CodecError>>()?))
}

fn decode_dynamic(parts: &serde_json::Map<String, Json>) -> Result<Value, CodecError> {
    let (Some(ty), Some(value)) = (parts.get("type"), parts.get("value")) else {
        return Err(CodecError::new("a dynamic value is an object of its type and its value"));
    };
    let ty = Type::from_json(ty)?;
    let value = Value::from_json(value, &ty)?;
    Ok(value.typed(ty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: impl Into<Value>, ty: &Type, expect: Json) {
        let value = value.into();
        assert_eq!(value.to_json(ty).unwrap(), expect);
        assert_eq!(Value::from_json(&expect, ty), Ok(value));
    }

    #[track_caller]
    fn check_read(json: Json, ty: &Type, expect: impl Into<Value>) {
        assert_eq!(Value::from_json(&json, ty), Ok(expect.into()));
    }

    #[track_caller]
    fn check_error<T: std::fmt::Debug>(result: Result<T, CodecError>, expect: &str) {
        assert_eq!(result.unwrap_err().to_string(), expect);
    }

    fn number(text: &str) -> Value {
        Value::Number(Number::parse(text).unwrap())
    }

    #[test]
    fn values_have_the_json_of_cty() {
        check(Value::Null, &Type::String, json!(null));
        check("a", &Type::String, json!("a"));
        check(Value::from(vec![true]), &Type::set(Type::Bool), json!([true]));
        check(Value::object([("k", "v".into())]), &Type::map(Type::String), json!({ "k": "v" }));
        check("a", &Type::Dynamic, json!({ "value": "a", "type": "string" }));
        let list = Value::from(vec!["a"]).typed(Type::list(Type::String));
        check(list, &Type::Dynamic, json!({ "value": ["a"], "type": ["list", "string"] }));
    }

    #[test]
    fn numbers_keep_every_digit() {
        check(i64::MIN, &Type::Number, json!(i64::MIN));
        check(u64::MAX, &Type::Number, json!(u64::MAX));
        check(number("0.1"), &Type::Number, json!(0.1));
        check(number("1e30"), &Type::Number, json!(1e30));
        check(number("18446744073709551617"), &Type::Number, json!("18446744073709551617"));
        check_read(json!(2.0), &Type::Number, 2);
    }

    #[test]
    fn a_state_of_another_release_can_be_read() {
        let ty = Type::object([("a", Type::String), ("b", Type::String)]);
        check_read(json!({ "b": "x", "newer": 1 }), &ty, Value::object([("a", Value::Null), ("b", "x".into())]));
    }

    #[test]
    fn errors_name_the_path_and_never_the_value() {
        let ty = Type::object([("ports", Type::list(Type::Number))]);
        let json = json!({ "ports": [1, "canary"] });
        check_error(Value::from_json(&json, &ty), "ports[1]: not a decimal number");
        check_error(
            Value::from_json(&json!({ "ports": true }), &ty),
            "ports: the schema has List of Number here, the JSON something else",
        );
        let value = Value::object([("ports", Value::Unknown)]);
        check_error(value.to_json(&ty), "ports: the schema has List of Number here, the value is not known yet");
        let value = Value::object([("port", 1.into())]);
        check_error(value.to_json(&ty), "port: the schema has no such attribute");
    }
}
