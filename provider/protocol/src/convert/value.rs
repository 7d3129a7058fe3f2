//! Values and the wire: msgpack, and the JSON of a state file.

use schema::{Diagnostic, Diagnostics, Type, Value};

use crate::bug::bug;
use crate::wire::tfplugin6 as wire;

/// Absent is null. `what` is `configuration of k8s_pki`.
pub(crate) fn value_from_wire(value: Option<wire::DynamicValue>, ty: &Type, what: &str) -> Result<Value, Diagnostics> {
    let value = value.unwrap_or_default();
    let decoded = if !value.msgpack.is_empty() {
        Value::from_msgpack(&value.msgpack, ty)
    } else if !value.json.is_empty() {
        return json_from_wire(&value.json, what).and_then(|json| {
            Value::from_json(&json, ty).map_err(|error| bug(&format!("cannot read the {what}"), &error.to_string()).into())
        });
    } else {
        Ok(Value::Null)
    };
    decoded.map_err(|error| bug(&format!("cannot read the {what}"), &error.to_string()).into())
}

/// Whole objects arrive as null when there are none: before create and after destroy.
pub(crate) fn object_from_wire(value: Option<wire::DynamicValue>, ty: &Type, what: &str) -> Result<Option<Value>, Diagnostics> {
    Ok(Some(value_from_wire(value, ty, what)?).filter(|value| !value.is_null()))
}

pub(crate) fn value_to_wire(value: &Value, ty: &Type, what: &str) -> Result<wire::DynamicValue, Diagnostics> {
    match value.to_msgpack(ty) {
        Ok(msgpack) => Ok(wire::DynamicValue { msgpack, json: Vec::new() }),
        Err(error) => Err(bug(&format!("the {what} does not fit the schema"), &error.to_string()).into()),
    }
}

/// JSON of a state file.
pub(crate) fn json_from_wire(json: &[u8], what: &str) -> Result<serde_json::Value, Diagnostics> {
    serde_json::from_slice(json).map_err(|error| {
        // Only the place: serde's message can quote the value.
        let place = format!("It is not JSON: line {}, column {}.", error.line(), error.column());
        Diagnostic::error(format!("cannot read the {what}")).detail(place).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_is_null_and_json_is_read_as_well() {
        assert_eq!(value_from_wire(None, &Type::String, "value"), Ok(Value::Null));
        let json = wire::DynamicValue { msgpack: Vec::new(), json: b"\"a\"".to_vec() };
        assert_eq!(value_from_wire(Some(json), &Type::String, "value"), Ok(Value::from("a")));
    }

    #[test]
    fn broken_json_is_told_without_its_text() {
        let error = json_from_wire(b"{\"token\": canary}", "state").unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("canary"), "{error}");
    }
}
