//! Who manages which field of an object, as the API server keeps record of it.

use serde_json::Value;

/// The API server's record of an object: an entry for each field manager.
pub fn managed_fields(live: &Value) -> impl Iterator<Item = &Value> {
    live["metadata"]["managedFields"].as_array().into_iter().flatten()
}

/// The value of an annotation, where this manager has set it: others may have copied it from another object.
pub fn annotation_by<'a>(live: &'a Value, manager: &str, name: &str) -> Option<&'a str> {
    let is_its = |entry: &Value| {
        entry["manager"] == manager && !entry["fieldsV1"]["f:metadata"]["f:annotations"][format!("f:{name}")].is_null()
    };
    live["metadata"]["annotations"][name].as_str().filter(|_| managed_fields(live).any(is_its))
}
