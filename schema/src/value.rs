//! Values of the engine: what a configuration, a plan or a state holds, with what is not known yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{AttributePath, Number, Step, Type};

/// `Debug` prints what is in it: keep secrets away from it.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    /// The engine will know it during apply.
    Unknown,
    /// Unknown like that, and sure to be another value than before the change: a promise, which the plan of something else may build on.
    /// Engines carry it along as unknown but not null, and with what its text begins with (empty, or [`PEM`]). Every accessor takes it for
    /// unknown, and it equals `Unknown`.
    Changing(&'static str),
    Bool(bool),
    Number(Number),
    String(String),
    /// A list, set or tuple.
    List(Vec<Value>),
    /// A map or object. An attribute that is absent is null.
    Map(BTreeMap<String, Value>),
    /// Only below a dynamic attribute, and only where the value does not tell its type: a list that is no tuple, a null string.
    /// Without the type the engine would see another value than the configured one. Every accessor sees through it.
    Typed(Box<Type>, Box<Value>),
}

/// What each certificate and key begins with. Functions of HCL make unknown but not null whatever they return, and drop the beginning: where
/// it is there, nobody has touched the value.
pub const PEM: &str = "-----BEGIN ";

const NULL: &Value = &Value::Null;
const UNKNOWN: &Value = &Value::Unknown;

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) | (Value::Unknown | Value::Changing(_), Value::Unknown | Value::Changing(_)) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Number(one), Value::Number(other)) => one == other,
            (Value::String(one), Value::String(other)) => one == other,
            (Value::List(one), Value::List(other)) => one == other,
            (Value::Map(one), Value::Map(other)) => one == other,
            (Value::Typed(one, value), Value::Typed(other, of_other)) => one == other && value == of_other,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// An object with these attributes.
    pub fn object<const N: usize>(attributes: [(&str, Value); N]) -> Value {
        Value::Map(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// An attribute or element by name: null where there is none, unknown where the whole is unknown.
    pub fn get(&self, name: &str) -> &Value {
        match self.untyped() {
            Value::Map(entries) => entries.get(name).unwrap_or(NULL),
            Value::Unknown => self.untyped(),
            _ => NULL,
        }
    }

    /// Sets an attribute or element. What is no map becomes one.
    pub fn set(&mut self, name: &str, value: Value) {
        match self {
            Value::Map(entries) => {
                entries.insert(name.to_owned(), value);
            }
            Value::Typed(_, inner) => inner.set(name, value),
            _ => *self = Value::object([(name, value)]),
        }
    }

    /// Like `get`, along a path.
    pub fn at(&self, path: &AttributePath) -> &Value {
        path.steps().iter().fold(self, |value, step| match step {
            Step::Attribute(name) | Step::Key(name) => value.get(name),
            Step::Index(index) => value.element(*index),
        })
    }

    /// Like `set`, along a path. A path that leads nowhere sets nothing.
    pub fn set_at(&mut self, path: &AttributePath, value: Value) {
        self.set_steps(path.steps(), value);
    }

    fn set_steps(&mut self, steps: &[Step], value: Value) {
        let Some((step, rest)) = steps.split_first() else {
            *self = value;
            return;
        };
        let part = match (step, self) {
            (Step::Attribute(name) | Step::Key(name), Value::Map(entries)) => entries.get_mut(name),
            (Step::Index(index), Value::List(items)) => usize::try_from(*index).ok().and_then(|index| items.get_mut(index)),
            (_, Value::Typed(_, inner)) => return inner.set_steps(steps, value),
            _ => None,
        };
        if let Some(part) = part {
            part.set_steps(rest, value);
        }
    }

    /// Whether it is null, typed or not.
    pub fn is_null(&self) -> bool {
        matches!(self.untyped(), Value::Null)
    }

    /// Neither null nor unknown: only then can a rule say that it must not be there.
    pub fn is_set(&self) -> bool {
        !self.is_null() && !self.is_unknown()
    }

    /// Whether it is unknown as a whole.
    pub fn is_unknown(&self) -> bool {
        matches!(self.untyped(), Value::Unknown)
    }

    /// Unknown, and sure to be another value than before.
    pub fn is_changing(&self) -> bool {
        matches!(self, Value::Changing(_))
    }

    /// A certificate or a key that is sure to be another one than before, as who issues it says.
    pub fn is_changing_pem(&self) -> bool {
        matches!(self, Value::Changing(PEM))
    }

    /// Neither this value nor anything in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self.untyped() {
            Value::Unknown => false,
            Value::List(items) => items.iter().all(Value::is_wholly_known),
            Value::Map(entries) => entries.values().all(Value::is_wholly_known),
            _ => true,
        }
    }

    /// The text, if it is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self.untyped() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a known number.
    pub fn as_number(&self) -> Option<&Number> {
        match self.untyped() {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The number, if it is a known whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The boolean, if it is known.
    pub fn as_bool(&self) -> Option<bool> {
        match self.untyped() {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The elements of a known list or set; each may be unknown.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self.untyped() {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The elements of a known map or object; each may be unknown.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self.untyped() {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether the engine takes both for the same value of this type: the order of a set and absent attributes do not count.
    pub fn equal(&self, other: &Value, ty: &Type) -> bool {
        match (self.without_promises().to_msgpack(ty), other.without_promises().to_msgpack(ty)) {
            (Ok(mine), Ok(theirs)) => mine == theirs,
            _ => self == other,
        }
    }

    /// What is sure to change is unknown, and no more.
    fn without_promises(&self) -> Cow<'_, Value> {
        let owned = |value: &Value| value.without_promises().into_owned();
        Cow::Owned(match self {
            value if value.is_wholly_known() => return Cow::Borrowed(value),
            Value::List(items) => Value::List(items.iter().map(owned).collect()),
            Value::Map(entries) => Value::Map(entries.iter().map(|(name, value)| (name.clone(), owned(value))).collect()),
            Value::Typed(ty, value) => Value::Typed(ty.clone(), Box::new(owned(value))),
            _ => Value::Unknown,
        })
    }

    /// The value without the type that a dynamic attribute carries along, and without the promise of one that is unknown.
    pub fn untyped(&self) -> &Value {
        match self {
            Value::Typed(_, value) => value.untyped(),
            Value::Changing(_) => UNKNOWN,
            value => value,
        }
    }

    /// A value for a dynamic attribute: carries the type along where the value does not tell it.
    pub fn typed(self, ty: Type) -> Value {
        if ty == Type::Dynamic || Type::of(&self) == ty { self } else { Value::Typed(Box::new(ty), Box::new(self)) }
    }

    /// For errors, which must not show the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self.untyped() {
            Value::Null => "null",
            Value::Unknown | Value::Changing(_) => "not known yet",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) | Value::Typed(..) => "an object",
        }
    }

    fn element(&self, index: i64) -> &Value {
        match self.untyped() {
            Value::List(items) => usize::try_from(index).ok().and_then(|index| items.get(index)).unwrap_or(NULL),
            Value::Unknown => self.untyped(),
            _ => NULL,
        }
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Value {
        Value::Bool(bool)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        Value::Number(number)
    }
}

macro_rules! from_integers {
    ($($small:ty => $wide:ty),*) => {
        $(impl From<$small> for Value {
            fn from(integer: $small) -> Value {
                Value::Number(Number::from(<$wide>::from(integer)))
            }
        })*
    };
}

from_integers!(i32 => i64, i64 => i64, u8 => u64, u16 => u64, u32 => u64, u64 => u64);

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        items.into_iter().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

/// `None` is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::object([
            ("hosts", Value::object([("cp-1", Value::object([("address", "10.0.1.4".into())]))])),
            ("ports", Value::from(vec![80, 443])),
            ("later", Value::Unknown),
        ])
    }

    #[track_caller]
    fn check(path: AttributePath, expect: impl Into<Value>) {
        assert_eq!(sample().at(&path), &expect.into());
    }

    #[test]
    fn a_path_leads_to_a_part() {
        check(AttributePath::root(), sample());
        check(AttributePath::attribute("hosts").key("cp-1").then("address"), "10.0.1.4");
        check(AttributePath::attribute("ports").index(1), 443);
        check(AttributePath::attribute("ports").index(2), Value::Null);
        check(AttributePath::attribute("ports").then("x"), Value::Null);
        check(AttributePath::attribute("none").then("x"), Value::Null);
    }

    #[test]
    fn all_below_an_unknown_value_is_unknown() {
        check(AttributePath::attribute("later").key("x").index(0), Value::Unknown);
        assert!(!sample().is_wholly_known());
        assert!(sample().get("hosts").is_wholly_known());
    }

    #[test]
    fn set_puts_an_attribute_in_and_makes_an_object_of_null() {
        let mut value = Value::Null;
        value.set("a", 1.into());
        value.set("a", 2.into());
        assert_eq!(value, Value::object([("a", 2.into())]));
    }

    #[test]
    fn set_at_follows_a_path_as_far_as_it_leads() {
        let mut value = sample();
        let address = AttributePath::attribute("hosts").key("cp-1").then("address");
        value.set_at(&address, "10.0.1.5".into());
        value.set_at(&AttributePath::attribute("ports").index(1), 8443.into());
        assert_eq!((value.at(&address).as_str(), value.get("ports")), (Some("10.0.1.5"), &Value::from(vec![80, 8443])));
        let before = value.clone();
        value.set_at(&AttributePath::attribute("ports").index(7), 1.into());
        value.set_at(&AttributePath::attribute("later").then("x"), 1.into());
        assert_eq!(value, before);
    }

    #[test]
    fn accessors_see_through_the_type_that_a_dynamic_value_carries() {
        let value = Value::from(vec!["a"]).typed(Type::list(Type::String));
        assert!(matches!(value, Value::Typed(..)));
        assert_eq!(value.at(&AttributePath::root().index(0)).as_str(), Some("a"));
        assert_eq!(value.as_list().map(<[_]>::len), Some(1));
        assert!(Value::Null.typed(Type::String).is_null());
        assert_eq!(Value::from("a").typed(Type::String), Value::from("a"));
    }

    #[test]
    fn equality_ignores_the_order_of_sets_and_absent_attributes() {
        let (forth, back) = (Value::from(vec!["a", "b"]), Value::from(vec!["b", "a", "b"]));
        assert!(forth.equal(&back, &Type::set(Type::String)));
        assert!(!forth.equal(&back, &Type::list(Type::String)));
        let ty = Type::object([("a", Type::String)]);
        assert!(Value::object([]).equal(&Value::object([("a", Value::Null)]), &ty));
        assert!(!Value::Unknown.equal(&Value::Null, &ty));
    }
}
