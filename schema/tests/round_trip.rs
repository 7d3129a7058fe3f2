//! Whatever value a schema allows comes back from msgpack, and from JSON when it is known, as it went in.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use schema::{Field, Number, Type, Value, decode, encode};
use serde::{Deserialize, Serialize};

fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::String), Just(Type::Number), Just(Type::Bool), Just(Type::Dynamic)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            btree_map("[a-z_]{1,8}", inner.clone(), 0..4).prop_map(Type::Object),
            vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", |float| Number::try_from(float).ok()),
        any::<f64>().prop_filter_map("finite", |float| Number::from_exact_f64(float).ok()),
        "-?[0-9]{1,60}(\\.[0-9]{1,60})?(e-?[0-9]{1,2})?".prop_map(|text| Number::parse(&text).unwrap()),
    ]
}

/// A share of unknown values as high as that of null ones, or none at all.
#[derive(Clone, Copy)]
enum Unknowns {
    Some,
    None,
}

fn values(ty: &Type, unknowns: Unknowns) -> BoxedStrategy<Value> {
    let known = known_values(ty, unknowns);
    let absent = match unknowns {
        Unknowns::Some => prop_oneof![Just(Value::Null), Just(Value::Unknown)].boxed(),
        Unknowns::None => Just(Value::Null).boxed(),
    };
    prop_oneof![5 => known, 1 => absent].boxed()
}

fn known_values(ty: &Type, unknowns: Unknowns) -> BoxedStrategy<Value> {
    match ty {
        Type::String => any::<String>().prop_map(Value::from).boxed(),
        Type::Number => numbers().prop_map(Value::from).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::Dynamic => dynamic_values(unknowns),
        Type::List(element) | Type::Set(element) => vec(values(element, unknowns), 0..4).prop_map(Value::from).boxed(),
        Type::Map(element) => btree_map(any::<String>(), values(element, unknowns), 0..4).prop_map(Value::Map).boxed(),
        Type::Tuple(types) => {
            let items: Vec<_> = types.iter().map(|ty| values(ty, unknowns)).collect();
            items.prop_map(Value::List).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.keys().cloned().collect();
            let items: Vec<_> = attributes.values().map(|ty| values(ty, unknowns)).collect();
            items.prop_map(move |items| Value::Map(names.iter().cloned().zip(items).collect())).boxed()
        }
    }
}

fn dynamic_values(unknowns: Unknowns) -> BoxedStrategy<Value> {
    let types = prop_oneof![
        Just(Type::String),
        Just(Type::Tuple(vec![Type::Number, Type::String])),
        Just(Type::list(Type::Number)),
        Just(Type::set(Type::Bool)),
        Just(Type::object([("a", Type::map(Type::String)), ("b", Type::Dynamic)])),
    ];
    types
        .prop_flat_map(move |ty| {
            let value = match ty {
                Type::Object(_) => values(&Type::map(Type::String), unknowns)
                    .prop_map(|map| Value::object([("a", map), ("b", Value::from(true))]))
                    .boxed(),
                _ => values(&ty, unknowns),
            };
            value.prop_map(move |value| value.typed(ty.clone()))
        })
        .boxed()
}

fn typed_values(unknowns: Unknowns) -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(move |ty| values(&ty, unknowns).prop_map(move |value| (ty.clone(), value)))
}

/// Sets in one order and without doubles, so that `==` compares them.
fn canonical(value: &Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Typed(ty, value), _) => Value::Typed(ty.clone(), Box::new(canonical(value, ty))),
        (Value::List(items), Type::List(element)) => items.iter().map(|item| canonical(item, element)).collect(),
        (Value::List(items), Type::Set(element)) => {
            let mut items: Vec<_> = items.iter().map(|item| canonical(item, element)).collect();
            items.sort_by_key(|item| format!("{item:?}"));
            items.dedup_by(|left, right| left == right && left.is_wholly_known());
            Value::List(items)
        }
        (Value::List(items), Type::Tuple(types)) => items.iter().zip(types).map(|(item, ty)| canonical(item, ty)).collect(),
        (Value::Map(entries), Type::Map(element)) => {
            Value::Map(entries.iter().map(|(key, value)| (key.clone(), canonical(value, element))).collect())
        }
        (Value::Map(entries), Type::Object(types)) => {
            Value::Map(entries.iter().map(|(name, value)| (name.clone(), canonical(value, &types[name]))).collect())
        }
        (value, _) => value.clone(),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    name: Field<String>,
    ports: Field<Vec<Field<u16>>>,
    hosts: BTreeMap<String, Field<Host>>,
    weight: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Host {
    address: Field<String>,
    labels: Field<BTreeMap<String, Field<String>>>,
    offset: Option<i64>,
}

fn fields<T: Clone + std::fmt::Debug + 'static>(known: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Field<T>> {
    prop_oneof![3 => known.prop_map(Field::Known), 1 => Just(Field::Null), 1 => Just(Field::Unknown)].boxed()
}

fn hosts() -> impl Strategy<Value = Host> {
    let labels = btree_map(any::<String>(), fields(any::<String>()), 0..3);
    (fields(any::<String>()), fields(labels), any::<Option<i64>>()).prop_map(|(address, labels, offset)| Host {
        address,
        labels,
        offset,
    })
}

fn samples() -> impl Strategy<Value = Sample> {
    let ports = vec(fields(any::<u16>()), 0..4);
    let weight = proptest::option::of(any::<f64>().prop_filter("finite", |float| float.is_finite()));
    (fields(any::<String>()), fields(ports), btree_map(any::<String>(), fields(hosts()), 0..3), weight)
        .prop_map(|(name, ports, hosts, weight)| Sample { name, ports, hosts, weight })
}

proptest! {
    #[test]
    fn a_type_comes_back_from_json(ty in types()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()), Ok(ty));
    }

    #[test]
    fn a_number_comes_back_from_its_text(number in numbers()) {
        prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
    }

    #[test]
    fn a_value_comes_back_from_msgpack((ty, value) in typed_values(Unknowns::Some)) {
        let bytes = value.to_msgpack(&ty).unwrap();
        let decoded = Value::from_msgpack(&bytes, &ty).unwrap();
        prop_assert_eq!(canonical(&decoded, &ty), canonical(&value, &ty));
        prop_assert_eq!(decoded.to_msgpack(&ty).unwrap(), bytes);
    }

    #[test]
    fn a_known_value_comes_back_from_json((ty, value) in typed_values(Unknowns::None)) {
        let decoded = Value::from_json(&value.to_json(&ty).unwrap(), &ty).unwrap();
        prop_assert_eq!(canonical(&decoded, &ty), canonical(&value, &ty));
    }

    #[test]
    fn a_value_equals_itself_in_any_order_of_its_sets((ty, value) in typed_values(Unknowns::Some)) {
        prop_assert!(value.equal(&canonical(&value, &ty), &ty));
    }

    #[test]
    fn a_typed_struct_comes_back_from_its_value(sample in samples()) {
        prop_assert_eq!(decode::<Sample>(&encode(&sample)), Ok(sample));
    }

    #[test]
    fn foreign_bytes_are_an_error_and_no_panic(bytes in vec(any::<u8>(), 0..64), ty in types()) {
        let _ = Value::from_msgpack(&bytes, &ty).and_then(|value| value.to_msgpack(&ty));
    }
}

/// Strings that look like what the codecs use inside stay strings.
#[test]
fn no_string_of_a_user_is_taken_for_unknown() {
    for text in ["schema::Field::Unknown", "unknown", "\0", "\u{d4}\0\0", "74D93920-ED26-11E3-AC10-0800200C9A66"] {
        let sample: HashMap<String, Field<String>> = decode(&Value::object([("a", Value::from(text))])).unwrap();
        assert_eq!(sample["a"], Field::Known(text.to_owned()));
        assert_eq!(encode(&sample).get("a"), &Value::from(text));
    }
}
