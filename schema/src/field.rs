//! One attribute's value in a typed configuration or state: known, null or not known yet.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// The serde name by which `encode` knows an unknown field. Only struct names are compared with it, never a user's string.
pub(crate) const UNKNOWN: &str = "schema::Field::Unknown";

/// A decoded attribute, with null, unknown and known kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    Unknown,
    #[default]
    Null,
    Known(T),
}

impl<T> Field<T> {
    /// The value, or `None` while it is null or unknown.
    pub fn known(&self) -> Option<&T> {
        match self {
            Field::Known(value) => Some(value),
            Field::Unknown | Field::Null => None,
        }
    }

    /// The value, or `None` while it is null or unknown. Do not use it where an unknown value must stay unknown.
    pub fn into_known(self) -> Option<T> {
        match self {
            Field::Known(value) => Some(value),
            Field::Unknown | Field::Null => None,
        }
    }

    /// Whether the value comes from something that is not applied yet.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Field::Unknown)
    }

    /// Whether nobody has set it.
    pub fn is_null(&self) -> bool {
        matches!(self, Field::Null)
    }

    /// Applies a function to a known value; null stays null, unknown stays unknown.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        self.and_then(|value| Field::Known(change(value)))
    }

    /// Takes a part of a known value, or what follows from it; null stays null, unknown stays unknown.
    pub fn and_then<U>(self, part: impl FnOnce(T) -> Field<U>) -> Field<U> {
        match self {
            Field::Known(value) => part(value),
            Field::Null => Field::Null,
            Field::Unknown => Field::Unknown,
        }
    }

    /// The same with a reference to the value.
    pub fn as_ref(&self) -> Field<&T> {
        match self {
            Field::Known(value) => Field::Known(value),
            Field::Null => Field::Null,
            Field::Unknown => Field::Unknown,
        }
    }

    /// The default where the field is null; what is unknown stays unknown.
    pub fn known_or(self, default: T) -> Field<T> {
        match self {
            Field::Null => Field::Known(default),
            field => field,
        }
    }
}

/// What follows from a field waits while the field, or something else that it takes, is unknown: `None`.
impl<T> Field<T> {
    /// `Some(None)` where the field is null, `make` of it where it is known.
    pub fn settle<U>(&self, make: impl FnOnce(&T) -> Option<U>) -> Option<Option<U>> {
        match self {
            Field::Unknown => None,
            Field::Null => Some(None),
            Field::Known(value) => make(value).map(Some),
        }
    }
}

impl<T: Clone> Field<T> {
    /// `Some(None)` where the field is null.
    pub fn settled(&self) -> Option<Option<T>> {
        self.settle(|value| Some(value.clone()))
    }

    /// The default where the field is null.
    pub fn settled_or(&self, default: T) -> Option<T> {
        Some(self.settled()?.unwrap_or(default))
    }
}

impl<T> Field<Vec<Field<T>>> {
    /// `make` of each element; nothing where the list is null. Null elements were refused by the schema.
    pub fn settle_each<U, C: FromIterator<U>>(&self, make: impl Fn(&T) -> Option<U>) -> Option<C> {
        match self {
            Field::Unknown => None,
            Field::Null => Some(std::iter::empty().collect()),
            Field::Known(items) => items.iter().map(|item| make(item.known()?)).collect(),
        }
    }
}

impl<T> Field<BTreeMap<String, Field<T>>> {
    /// `make` of each value by its key; nothing where the map is null. Null elements were refused or left out by the schema.
    pub fn settle_values<U>(&self, make: impl Fn(&T) -> Option<U>) -> Option<BTreeMap<String, U>> {
        match self {
            Field::Unknown => None,
            Field::Null => Some(BTreeMap::new()),
            Field::Known(entries) => entries.iter().map(|(key, value)| Some((key.clone(), make(value.known()?)?))).collect(),
        }
    }
}

/// `None` is null.
impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Null, Field::Known)
    }
}

/// Only `encode` distinguishes unknown fields; any other format sees a unit struct.
impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Unknown => serializer.serialize_unit_struct(UNKNOWN),
            Field::Null => serializer.serialize_none(),
            Field::Known(value) => value.serialize(serializer),
        }
    }
}

/// Read as an option, so that an absent key is null. `decode` visits an unknown value as a newtype, which options never are.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, null or unknown")
    }

    fn visit_none<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Null)
    }

    fn visit_unit<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<T>, D::Error> {
        T::deserialize(deserializer).map(Field::Known)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Field<T>, D::Error> {
        Ok(Field::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_takes_the_place_of_null_alone() {
        assert_eq!(Field::Null.known_or(1), Field::Known(1));
        assert_eq!(Field::Known(2).known_or(1), Field::Known(2));
        assert_eq!(Field::Unknown.known_or(1), Field::Unknown);
    }

    #[test]
    fn a_field_becomes_what_is_known_of_it() {
        assert_eq!(Field::from(Some(1)).map(|number| number + 1).into_known(), Some(2));
        assert_eq!(Field::from(None::<i64>).into_known(), None);
        assert_eq!(Field::<i64>::Unknown.as_ref().map(|number| number + 1), Field::Unknown);
    }

    #[test]
    fn what_follows_waits_for_what_is_unknown_and_takes_null_for_nothing() {
        let double = |number: &i32| Some(number * 2);
        assert_eq!(Field::Known(1).settle(double), Some(Some(2)));
        assert_eq!(Field::Null.settle(double), Some(None));
        assert_eq!(Field::Unknown.settle(double), None);
        assert_eq!((Field::Null.settled_or(3), Field::Unknown.settled_or(3)), (Some(3), None));
        let list = |items: Vec<Field<i32>>| Field::Known(items).settle_each::<_, Vec<_>>(double);
        assert_eq!(list(vec![Field::Known(1), Field::Known(2)]), Some(vec![2, 4]));
        assert_eq!(list(vec![Field::Known(1), Field::Unknown]), None);
        assert_eq!(Field::<Vec<Field<i32>>>::Null.settle_each::<_, Vec<_>>(double), Some(vec![]));
        let map = |value: Field<i32>| Field::Known(BTreeMap::from([("a".to_owned(), value)])).settle_values(double);
        assert_eq!(map(Field::Known(1)), Some(BTreeMap::from([("a".to_owned(), 2)])));
        assert_eq!(map(Field::Unknown), None);
    }

    #[test]
    fn other_formats_read_a_field_as_an_option() {
        assert_eq!(serde_json::from_str::<Field<u16>>("1").unwrap(), Field::Known(1));
        assert_eq!(serde_json::from_str::<Field<u16>>("null").unwrap(), Field::Null);
        assert_eq!(serde_json::to_string(&Field::<u16>::Unknown).unwrap(), "null");
    }
}
