//! Values of HCL as JSON.

use objects::UNKNOWN;
use schema::Value;
use serde_json::Value as Json;

/// With [`UNKNOWN`] for what is not known yet.
pub fn json(value: &Value) -> Json {
    if value.is_unknown() {
        return UNKNOWN.into();
    }
    if let Some(items) = value.as_list() {
        return items.iter().map(json).collect();
    }
    if let Some(entries) = value.as_map() {
        return entries.iter().map(|(key, value)| (key.clone(), json(value))).collect::<serde_json::Map<_, _>>().into();
    }
    match value {
        Value::Typed(_, inner) => json(inner),
        Value::Bool(bool) => (*bool).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(integer)) => integer.into(),
            (None, None) => number.as_f64().into(),
        },
        _ => Json::Null,
    }
}
