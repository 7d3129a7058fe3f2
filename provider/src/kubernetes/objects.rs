//! Server-side apply of plain objects under this provider's field manager.

use super::{KubernetesApi, KubernetesError};
use backon::{ExponentialBuilder, Retryable};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::Value;
use std::time::Duration;

pub const FIELD_MANAGER: &str = "k8s-hardway";

impl KubernetesApi {
    /// Applies each object in order. An API server that has just started may still refuse for a moment: bounded retries.
    pub async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError> {
        let retry = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(15);
        for object in objects {
            (|| self.apply_one(object)).retry(retry).when(is_passing).await?;
        }
        Ok(())
    }

    async fn apply_one(&self, object: &Value) -> Result<(), KubernetesError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string();
        let (api_version, kind, name, namespace) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let api: Api<DynamicObject> = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &namespace, &resource)
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&name, &params, &Patch::Apply(object)).await.map_err(self.refused(format!("apply {kind} {name}")))?;
        Ok(())
    }
}

/// Errors that go away by themselves: no connection yet, overload, roles or namespaces of a new cluster not yet made.
pub(super) fn is_passing(error: &KubernetesError) -> bool {
    let KubernetesError::Api { source, .. } = error else { return false };
    match source.as_ref() {
        kube::Error::Api(status) => matches!(status.code, 403 | 404 | 409 | 429 | 500..=599),
        _ => true,
    }
}
