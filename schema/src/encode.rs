//! From a typed struct to a value: a serde serializer that knows unknown fields.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::ser::{self, Impossible, Serialize};

use crate::field::UNKNOWN;
use crate::{Number, Value};

/// `Field::Unknown` becomes unknown, `None` and `Field::Null` null, structs and maps objects, unit variants their name.
///
/// # Panics
/// On what no Terraform value can hold: bytes, NaN, infinity, a map whose keys are not text.
pub fn encode<T: Serialize>(value: &T) -> Value {
    match value.serialize(ValueSerializer) {
        Ok(value) => value,
        Err(error) => panic!("provider bug: {} cannot become a Terraform value: {error}", std::any::type_name::<T>()),
    }
}

#[derive(Debug)]
struct EncodeError(String);

impl Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        EncodeError(message.to_string())
    }
}

struct ValueSerializer;

impl ser::Serializer for ValueSerializer {
    type Ok = Value;
    type Error = EncodeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Impossible<Value, EncodeError>;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Impossible<Value, EncodeError>;

    fn serialize_bool(self, bool: bool) -> Result<Value, EncodeError> {
        Ok(Value::Bool(bool))
    }

    fn serialize_i8(self, integer: i8) -> Result<Value, EncodeError> {
        self.serialize_i64(i64::from(integer))
    }

    fn serialize_i16(self, integer: i16) -> Result<Value, EncodeError> {
        self.serialize_i64(i64::from(integer))
    }

    fn serialize_i32(self, integer: i32) -> Result<Value, EncodeError> {
        self.serialize_i64(i64::from(integer))
    }

    fn serialize_i64(self, integer: i64) -> Result<Value, EncodeError> {
        Ok(Value::Number(Number::from(integer)))
    }

    fn serialize_u8(self, integer: u8) -> Result<Value, EncodeError> {
        self.serialize_u64(u64::from(integer))
    }

    fn serialize_u16(self, integer: u16) -> Result<Value, EncodeError> {
        self.serialize_u64(u64::from(integer))
    }

    fn serialize_u32(self, integer: u32) -> Result<Value, EncodeError> {
        self.serialize_u64(u64::from(integer))
    }

    fn serialize_u64(self, integer: u64) -> Result<Value, EncodeError> {
        Ok(Value::Number(Number::from(integer)))
    }

    fn serialize_f32(self, float: f32) -> Result<Value, EncodeError> {
        Number::parse(&float.to_string()).map(Value::Number).map_err(ser::Error::custom)
    }

    fn serialize_f64(self, float: f64) -> Result<Value, EncodeError> {
        Number::try_from(float).map(Value::Number).map_err(ser::Error::custom)
    }

    fn serialize_char(self, char: char) -> Result<Value, EncodeError> {
        Ok(Value::String(char.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, EncodeError> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, EncodeError> {
        Err(ser::Error::custom("bytes"))
    }

    fn serialize_none(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Value, EncodeError> {
        Ok(if name == UNKNOWN { Value::Unknown } else { Value::Null })
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, EncodeError> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value, EncodeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, EncodeError> {
        Ok(Value::object([(variant, value.serialize(self)?)]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, EncodeError> {
        Ok(Items::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, EncodeError> {
        Ok(Items::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, EncodeError> {
        Ok(Items::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        Err(ser::Error::custom(format!("tuple variant {variant}: use a struct in it")))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, EncodeError> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, EncodeError> {
        Ok(Entries::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        Err(ser::Error::custom(format!("struct variant {variant}: put a struct in it")))
    }
}

#[derive(Default)]
struct Items(Vec<Value>);

impl Items {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.0.push(value.serialize(ValueSerializer)?);
        Ok(())
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.add(value)
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(Value::List(self.0))
    }
}

impl ser::SerializeTuple for Items {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.add(value)
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(Value::List(self.0))
    }
}

impl ser::SerializeTupleStruct for Items {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.add(value)
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(Value::List(self.0))
    }
}

#[derive(Default)]
struct Entries {
    entries: BTreeMap<String, Value>,
    key: String,
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key = match key.serialize(ValueSerializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(ser::Error::custom("a map whose keys are not text")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.entries.insert(std::mem::take(&mut self.key), value.serialize(ValueSerializer)?);
        Ok(())
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(Value::Map(self.entries))
    }
}

impl ser::SerializeStruct for Entries {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), EncodeError> {
        self.entries.insert(name.to_owned(), value.serialize(ValueSerializer)?);
        Ok(())
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(Value::Map(self.entries))
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as Derived;

    use super::*;
    use crate::Field;

    #[track_caller]
    fn check(value: impl Serialize, expect: impl Into<Value>) {
        assert_eq!(encode(&value), expect.into());
    }

    #[derive(Derived)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        LoadBalancer,
        Static(Field<u16>),
    }

    #[derive(Derived)]
    struct Sample {
        later: Field<Vec<String>>,
        never: Option<bool>,
        modes: (Mode, Mode),
    }

    #[test]
    fn structs_become_objects_and_unknown_fields_unknown() {
        let modes = (Mode::LoadBalancer, Mode::Static(Field::Unknown));
        let unknown = Value::object([("static", Value::Unknown)]);
        let expect = Value::object([
            ("later", Value::Unknown),
            ("never", Value::Null),
            ("modes", Value::List(vec!["load_balancer".into(), unknown])),
        ]);
        check(Sample { later: Field::Unknown, never: None, modes }, expect);
    }

    #[test]
    fn numbers_are_exact() {
        check(u64::MAX, u64::MAX);
        check(i64::MIN, i64::MIN);
        check(0.1_f32, Number::parse("0.1").unwrap());
        check(0.1_f64, Number::parse("0.1").unwrap());
        check(BTreeMap::from([(80_u16, "http")]), Value::object([("80", "http".into())]));
    }

    #[test]
    #[should_panic = "provider bug: f64 cannot become a Terraform value: not a finite number"]
    fn what_is_no_number_is_a_bug() {
        encode(&f64::NAN);
    }
}
