//! What an object has that was copied from a cluster, and nobody has declared.

use serde_json::Value;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// With this the annotations begin that this provider sets.
const OURS: &str = "k8s-hardway/";
/// Of an object that exists: whoever declares them has copied it from a cluster.
const OF_THE_SERVER: [&str; 6] = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];

/// The first field of its metadata that the API server has set.
pub(crate) fn of_the_server(object: &Value) -> Option<&'static str> {
    OF_THE_SERVER.into_iter().find(|field| !object["metadata"][*field].is_null())
}

/// Takes away what `kubectl apply` and this provider keep of the object on the object itself: of a Secret `kubectl` keeps its values.
pub(crate) fn without_notes(object: &mut Value) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else { return };
    let before = annotations.len();
    annotations.retain(|name, _| name != LAST_APPLIED && !name.starts_with(OURS));
    if annotations.is_empty() && before > 0 {
        metadata.remove("annotations");
    }
}
