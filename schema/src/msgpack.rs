//! Values as the protocol carries them: cty's msgpack (docs/msgpack.md of zclconf/go-cty).

use std::collections::BTreeMap;

use rmpv::Value as Msgpack;

use crate::codec::index;
use crate::{Attribute, CodecError, Kind, Nesting, Number, PEM, Step, Type, Value};

impl Value {
    /// The same bytes for the same value: names are sorted, sets too, and each number has one form.
    pub fn to_msgpack(&self, ty: &Type) -> Result<Vec<u8>, CodecError> {
        to_bytes(&encode(self, ty)?)
    }

    /// Attributes that are absent are null; attributes that the type does not have are an error.
    pub fn from_msgpack(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
        let mut rest = bytes;
        let msgpack = rmpv::decode::read_value(&mut rest).map_err(|error| CodecError::new(format!("not msgpack: {error}")))?;
        if !rest.is_empty() {
            return Err(CodecError::new("bytes after the end of the value"));
        }
        decode(&msgpack, ty)
    }
}

pub(crate) fn planned_to_bytes(attributes: &[Attribute], planned: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let mut msgpack = encode(planned, ty)?;
    refine(attributes, &mut msgpack);
    to_bytes(&msgpack)
}

fn refine(attributes: &[Attribute], object: &mut Msgpack) {
    let Msgpack::Map(entries) = object else { return };
    for (name, value) in entries {
        let Some(attribute) = attributes.iter().find(|attribute| name.as_str() == Some(attribute.name)) else { continue };
        match (&attribute.kind, value) {
            (_, value @ Msgpack::Ext(..)) if attribute.never_null => *value = unknown_but_not_null(),
            (Kind::Nested(Nesting::Single, below), value) => refine(below, value),
            (Kind::Nested(_, below), Msgpack::Array(items)) => items.iter_mut().for_each(|item| refine(below, item)),
            (Kind::Nested(_, below), Msgpack::Map(items)) => items.iter_mut().for_each(|(_, item)| refine(below, item)),
            _ => {}
        }
    }
}

/// Extension 12 holds a map of refinements, in which 1 says whether the value is null, and 2 what a string begins with
/// (cty/msgpack/unknown.go of zclconf/go-cty).
fn unknown_but_not_null() -> Msgpack {
    Msgpack::Ext(12, vec![0x81, 0x01, 0xc2])
}

/// Not null, and with what it begins with.
fn changing(beginning: &str) -> Result<Msgpack, CodecError> {
    if beginning.is_empty() {
        return Ok(unknown_but_not_null());
    }
    let refinements = vec![(Msgpack::from(1), Msgpack::from(false)), (Msgpack::from(2), Msgpack::from(beginning))];
    Ok(Msgpack::Ext(12, to_bytes(&Msgpack::Map(refinements))?))
}

/// Of a string; `None` of one that is unknown in another way.
fn as_changing(unknown: &Msgpack) -> Option<Value> {
    let Msgpack::Ext(12, refinements) = unknown else { return None };
    let refinements = rmpv::decode::read_value(&mut refinements.as_slice()).ok()?;
    let at = |key: u64| refinements.as_map()?.iter().find(|(name, _)| name.as_u64() == Some(key)).map(|(_, value)| value);
    if at(1)?.as_bool()? {
        return None;
    }
    // Engines cut off the end of a beginning where the next character could be drawn together with it.
    match at(2) {
        None => Some(Value::Changing("")),
        Some(beginning) => beginning.as_str()?.starts_with("-----B").then_some(Value::Changing(PEM)),
    }
}

fn to_bytes(msgpack: &Msgpack) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, msgpack).map_err(|error| CodecError::new(error.to_string()))?;
    Ok(bytes)
}

fn encode(value: &Value, ty: &Type) -> Result<Msgpack, CodecError> {
    if *ty == Type::Dynamic {
        return encode_dynamic(value);
    }
    if let Value::Changing(beginning) = value {
        return if *ty == Type::String { changing(beginning) } else { Ok(unknown_but_not_null()) };
    }
    match (value.untyped(), ty) {
        (Value::Null, _) => Ok(Msgpack::Nil),
        (Value::Unknown, _) => Ok(unknown()),
        (Value::Bool(bool), Type::Bool) => Ok(Msgpack::Boolean(*bool)),
        (Value::Number(number), Type::Number) => Ok(encode_number(number)),
        (Value::String(text), Type::String) => Ok(Msgpack::from(text.as_str())),
        (Value::List(items), Type::List(element)) => encode_items(items.iter().map(|item| (item, &**element))),
        (Value::List(items), Type::Set(element)) => encode_set(items, element),
        (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => encode_items(items.iter().zip(types)),
        (Value::Map(entries), Type::Map(element)) => encode_map(entries, element),
        (Value::Map(entries), Type::Object(attributes)) => encode_object(entries, attributes),
        (found, wanted) => Err(CodecError::mismatch(wanted, found)),
    }
}

/// What cty itself writes for an unknown value without refinements.
fn unknown() -> Msgpack {
    Msgpack::Ext(0, vec![0])
}

/// An integer, a float when it is the very number, else the decimal text.
fn encode_number(number: &Number) -> Msgpack {
    if let Some(integer) = number.as_i64() {
        return Msgpack::from(integer);
    }
    if let Some(integer) = number.as_u64() {
        return Msgpack::from(integer);
    }
    match number.as_exact_f64() {
        Some(float) => Msgpack::F64(float),
        None => Msgpack::from(number.to_string()),
    }
}

fn encode_items<'a>(items: impl Iterator<Item = (&'a Value, &'a Type)>) -> Result<Msgpack, CodecError> {
    let items = items.enumerate().map(|(position, (item, ty))| encode(item, ty).map_err(|error| error.under(index(position))));
    Ok(Msgpack::Array(items.collect::<Result<_, _>>()?))
}

/// In the order of the encoded bytes. Equal elements are one, but for those with something unknown, which may yet differ.
fn encode_set(items: &[Value], element: &Type) -> Result<Msgpack, CodecError> {
    let mut encoded = Vec::new();
    for item in items {
        let msgpack = encode(item, element)?;
        encoded.push((to_bytes(&msgpack)?, item.is_wholly_known(), msgpack));
    }
    encoded.sort_by(|(left, ..), (right, ..)| left.cmp(right));
    encoded.dedup_by(|(left, known, _), (right, ..)| *known && left == right);
    Ok(Msgpack::Array(encoded.into_iter().map(|(_, _, msgpack)| msgpack).collect()))
}

fn encode_map(entries: &BTreeMap<String, Value>, element: &Type) -> Result<Msgpack, CodecError> {
    let entries = entries.iter().map(|(key, value)| {
        let value = encode(value, element).map_err(|error| error.under(Step::Key(key.clone())))?;
        Ok((Msgpack::from(key.as_str()), value))
    });
    Ok(Msgpack::Map(entries.collect::<Result<_, CodecError>>()?))
}

fn encode_object(entries: &BTreeMap<String, Value>, attributes: &BTreeMap<String, Type>) -> Result<Msgpack, CodecError> {
    if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
        return Err(CodecError::new("the schema has no such attribute").under(Step::Attribute(name.clone())));
    }
    let attributes = attributes.iter().map(|(name, ty)| {
        let value = entries.get(name).unwrap_or(&Value::Null);
        let value = encode(value, ty).map_err(|error| error.under(Step::Attribute(name.clone())))?;
        Ok((Msgpack::from(name.as_str()), value))
    });
    Ok(Msgpack::Map(attributes.collect::<Result<_, CodecError>>()?))
}

fn encode_dynamic(value: &Value) -> Result<Msgpack, CodecError> {
    let ty = Type::of(value);
    match value {
        Value::Null => Ok(Msgpack::Nil),
        Value::Unknown | Value::Changing(_) => Ok(unknown()),
        Value::Typed(_, inner) => encode_with_type(inner, &ty),
        _ => encode_with_type(value, &ty),
    }
}

fn encode_with_type(value: &Value, ty: &Type) -> Result<Msgpack, CodecError> {
    let json = ty.to_json().to_string().into_bytes();
    Ok(Msgpack::Array(vec![Msgpack::Binary(json), encode(value, ty)?]))
}

fn decode(msgpack: &Msgpack, ty: &Type) -> Result<Value, CodecError> {
    match (msgpack, ty) {
        (Msgpack::Nil, _) => Ok(Value::Null),
        // Of strings only: collections and objects are never null where the schema says so, whether they change or not.
        (unknown @ Msgpack::Ext(..), Type::String) => Ok(as_changing(unknown).unwrap_or(Value::Unknown)),
        // Type 0 is plain, 12 carries refinements; a later one would be unknown as well.
        (Msgpack::Ext(..), _) => Ok(Value::Unknown),
        (Msgpack::Array(parts), Type::Dynamic) => decode_dynamic(parts),
        (Msgpack::Boolean(bool), Type::Bool) => Ok(Value::Bool(*bool)),
        (Msgpack::Integer(_) | Msgpack::F32(_) | Msgpack::F64(_) | Msgpack::String(_), Type::Number) => {
            decode_number(msgpack).map(Value::Number)
        }
        (Msgpack::String(_), Type::String) => decode_text(msgpack).map(Value::from),
        (Msgpack::Array(items), Type::List(element) | Type::Set(element)) => {
            decode_items(items.iter().map(|item| (item, &**element)))
        }
        (Msgpack::Array(items), Type::Tuple(types)) if items.len() == types.len() => decode_items(items.iter().zip(types)),
        (Msgpack::Map(entries), Type::Map(element)) => decode_map(entries, element),
        (Msgpack::Map(entries), Type::Object(attributes)) => decode_object(entries, attributes),
        (_, wanted) => Err(CodecError::new(format!("the schema has {wanted} here, the msgpack something else"))),
    }
}

fn decode_number(msgpack: &Msgpack) -> Result<Number, CodecError> {
    let number = match msgpack {
        Msgpack::Integer(integer) => match (integer.as_i64(), integer.as_u64()) {
            (Some(integer), _) => Ok(Number::from(integer)),
            (None, integer) => Ok(Number::from(integer.unwrap_or_default())),
        },
        Msgpack::F32(float) => Number::from_exact_f64(f64::from(*float)),
        Msgpack::F64(float) => Number::from_exact_f64(*float),
        _ => Number::parse(decode_text(msgpack)?),
    };
    number.map_err(|error| CodecError::new(error.to_string()))
}

fn decode_text(msgpack: &Msgpack) -> Result<&str, CodecError> {
    msgpack.as_str().ok_or_else(|| CodecError::new("not a string of UTF-8"))
}

fn decode_items<'a>(items: impl Iterator<Item = (&'a Msgpack, &'a Type)>) -> Result<Value, CodecError> {
    let items = items.enumerate().map(|(position, (item, ty))| decode(item, ty).map_err(|error| error.under(index(position))));
    Ok(Value::List(items.collect::<Result<_, _>>()?))
}

fn decode_map(entries: &[(Msgpack, Msgpack)], element: &Type) -> Result<Value, CodecError> {
    let entries = entries.iter().map(|(key, value)| {
        let key = decode_text(key)?.to_owned();
        let value = decode(value, element).map_err(|error| error.under(Step::Key(key.clone())))?;
        Ok((key, value))
    });
    Ok(Value::Map(entries.collect::<Result<_, CodecError>>()?))
}

fn decode_object(entries: &[(Msgpack, Msgpack)], attributes: &BTreeMap<String, Type>) -> Result<Value, CodecError> {
    let mut object: BTreeMap<_, _> = attributes.keys().map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in entries {
        let name = decode_text(name)?.to_owned();
        let step = Step::Attribute(name.clone());
        let value = match attributes.get(&name) {
            Some(ty) => decode(value, ty),
            None => Err(CodecError::new("the schema has no such attribute")),
        };
        object.insert(name, value.map_err(|error| error.under(step))?);
    }
    Ok(Value::Map(object))
}

fn decode_dynamic(parts: &[Msgpack]) -> Result<Value, CodecError> {
    let [Msgpack::Binary(ty), value] = parts else {
        return Err(CodecError::new("a dynamic value is its type and its value"));
    };
    let ty = serde_json::from_slice(ty).map_err(|error| CodecError::new(format!("a type that is no JSON: {error}")))?;
    let ty = Type::from_json(&ty)?;
    let value = decode(value, &ty)?;
    Ok(value.typed(ty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    #[track_caller]
    fn check(value: impl Into<Value>, ty: &Type, expect: &[u8]) {
        let value = value.into();
        assert_eq!(value.to_msgpack(ty).unwrap(), expect);
        assert_eq!(Value::from_msgpack(expect, ty), Ok(value));
    }

    #[track_caller]
    fn check_read(bytes: &[u8], ty: &Type, expect: impl Into<Value>) {
        assert_eq!(Value::from_msgpack(bytes, ty), Ok(expect.into()));
    }

    #[track_caller]
    fn check_error<T: std::fmt::Debug>(result: Result<T, CodecError>, expect: &str) {
        assert_eq!(result.unwrap_err().to_string(), expect);
    }

    fn number(text: &str) -> Value {
        Value::Number(Number::parse(text).unwrap())
    }

    #[test]
    fn values_have_the_bytes_of_cty() {
        check(Value::Null, &Type::String, b"\xc0");
        check(Value::Unknown, &Type::String, b"\xd4\x00\x00");
        check(true, &Type::Bool, b"\xc3");
        check("ab", &Type::String, b"\xa2ab");
        check(Value::from(vec!["a"]), &Type::list(Type::String), b"\x91\xa1a");
        check(Value::object([("k", Value::Null)]), &Type::map(Type::Bool), b"\x81\xa1k\xc0");
        check(Value::List(vec![1.into(), true.into()]), &Type::Tuple(vec![Type::Number, Type::Bool]), b"\x92\x01\xc3");
    }

    #[test]
    fn a_number_is_an_integer_a_float_or_decimal_text() {
        check(-1, &Type::Number, b"\xff");
        check(u64::MAX, &Type::Number, b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
        check(number("0.5"), &Type::Number, b"\xcb\x3f\xe0\0\0\0\0\0\0");
        check(number("0.1"), &Type::Number, b"\xa30.1");
        check_read(b"\xca\x3f\0\0\0", &Type::Number, number("0.5"));
        check_read(b"\xa31e3", &Type::Number, 1000);
    }

    #[test]
    fn a_dynamic_value_brings_its_type() {
        check(Value::Null, &Type::Dynamic, b"\xc0");
        check(Value::Unknown, &Type::Dynamic, b"\xd4\x00\x00");
        check("a", &Type::Dynamic, b"\x92\xc4\x08\"string\"\xa1a");
        let list = Value::from(vec!["a"]).typed(Type::list(Type::String));
        check(list, &Type::Dynamic, b"\x92\xc4\x11[\"list\",\"string\"]\x91\xa1a");
        check(Value::Null.typed(Type::Bool), &Type::Dynamic, b"\x92\xc4\x06\"bool\"\xc0");
    }

    #[test]
    fn a_dynamic_type_around_a_dynamic_value_ends() {
        let odd = Value::Typed(Box::new(Type::Dynamic), Box::new(true.into()));
        let bytes = odd.to_msgpack(&Type::Dynamic).unwrap();
        check_read(&bytes, &Type::Dynamic, true);
    }

    #[test]
    fn refined_unknown_values_are_unknown() {
        check_read(b"\xc7\x03\x0c\x81\x01\xc2", &Type::map(Type::String), Value::Unknown);
        check_read(b"\xc7\x06\x0c\x82\x01\xc2\x02\xa1a", &Type::String, Value::Unknown);
    }

    #[test]
    fn a_value_that_is_sure_to_change_is_unknown_and_not_null() {
        check(Value::Changing(""), &Type::String, b"\xc7\x03\x0c\x81\x01\xc2");
        check(Value::Changing(PEM), &Type::String, b"\xd8\x0c\x82\x01\xc2\x02\xab-----BEGIN ");
        let read = Value::from_msgpack(b"\xc7\x03\x0c\x81\x01\xc2", &Type::String).unwrap();
        assert!(read.is_changing() && read == Value::Unknown);
        assert!(!read.is_changing_pem() && Value::Changing(PEM).is_changing_pem());
        assert!(Value::Changing("").is_unknown() && !Value::Changing("").is_wholly_known());
        // As engines hand it on, and what is no promise of this provider.
        let read = |bytes: &[u8]| Value::from_msgpack(bytes, &Type::String).unwrap();
        assert!(read(b"\xc7\x0f\x0c\x82\x01\xc2\x02\xaa-----BEGIN").is_changing_pem());
        assert!(!read(b"\xc7\x0d\x0c\x81\x02\xaa-----BEGIN").is_changing());
    }

    #[test]
    fn what_is_never_null_is_sent_with_that_refinement() {
        let below = || vec![Attribute::string("id").computed().never_null(), Attribute::string("b").computed()];
        let schema = Schema::new("")
            .attribute(Attribute::string("id").computed().never_null())
            .attribute(Attribute::nested("map", Nesting::Map, below()))
            .attribute(Attribute::nested("list", Nesting::List, below()))
            .attribute(Attribute::nested("one", Nesting::Single, below()).computed().never_null());
        let object = || Value::object([("id", Value::Unknown), ("b", Value::Unknown)]);
        let planned = Value::object([
            ("id", Value::Unknown),
            ("map", Value::object([("k", object())])),
            ("list", Value::List(vec![object()])),
            ("one", Value::Unknown),
        ]);
        let bytes = schema.planned_to_msgpack(&planned).unwrap();
        let refined = bytes.windows(6).filter(|window| *window == b"\xc7\x03\x0c\x81\x01\xc2").count();
        let plain = bytes.windows(3).filter(|window| *window == b"\xd4\0\0").count();
        assert_eq!((refined, plain), (4, 2));
        assert!(Value::from_msgpack(&bytes, &schema.value_type()).unwrap().equal(&planned, &schema.value_type()));
        let known = Value::object([("id", "a".into())]);
        assert_eq!(schema.planned_to_msgpack(&known), known.to_msgpack(&schema.value_type()));
    }

    #[test]
    fn absent_attributes_are_null_both_ways() {
        let ty = Type::object([("a", Type::String), ("b", Type::String)]);
        check_read(b"\x81\xa1b\xa1x", &ty, Value::object([("a", Value::Null), ("b", "x".into())]));
        assert_eq!(Value::object([("b", "x".into())]).to_msgpack(&ty).unwrap(), b"\x82\xa1a\xc0\xa1b\xa1x");
    }

    #[test]
    fn sets_are_sorted_and_only_unknown_elements_are_kept_twice() {
        let set = Value::List(vec!["b".into(), Value::Unknown, "a".into(), "b".into(), Value::Unknown]);
        let bytes = set.to_msgpack(&Type::set(Type::String)).unwrap();
        assert_eq!(bytes, b"\x94\xa1a\xa1b\xd4\0\0\xd4\0\0");
    }

    #[test]
    fn errors_name_the_path_and_never_the_value() {
        let ty = Type::object([("hosts", Type::map(Type::list(Type::Number)))]);
        let secret = Value::from(vec![Value::from("canary")]);
        let value = Value::object([("hosts", Value::object([("cp-1", secret)]))]);
        check_error(value.to_msgpack(&ty), r#"hosts["cp-1"][0]: the schema has Number here, the value is a string"#);
        let value = Value::object([("port", 1.into())]);
        check_error(value.to_msgpack(&ty), "port: the schema has no such attribute");
        check_error(Value::from_msgpack(b"\x81\xa4port\x01", &ty), "port: the schema has no such attribute");
        let bytes = b"\x81\xa5hosts\x81\xa4cp-1\x91\xa6canary";
        check_error(Value::from_msgpack(bytes, &ty), r#"hosts["cp-1"][0]: not a decimal number"#);
        check_error(Value::from_msgpack(b"\xc3", &Type::Number), "the schema has Number here, the msgpack something else");
        check_error(Value::from_msgpack(b"\xc0\xc0", &Type::Number), "bytes after the end of the value");
        check_error(Value::from_msgpack(b"\x91\x01", &Type::Dynamic), "a dynamic value is its type and its value");
    }
}
