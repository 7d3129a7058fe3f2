//! Which cloud controller manager leads.

use crate::kubernetes::ObjectRef;
use crate::ports::Kubernetes;

/// By this they elect their leader, as their options have it (cloud-provider/options of Kubernetes).
const LEASE: &str = "Lease.coordination.k8s.io/kube-system/cloud-controller-manager";
/// `leaderElect.leaseDuration` of component-base: whoever leads renews it several times in so long.
const LEASE_SECONDS: u64 = 15;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A host's own name and a random part.
    pub holder: String,
    pub renewed: String,
    pub seconds: u64,
}

/// `None` where none leads.
pub async fn lease(api: &dyn Kubernetes) -> Result<Option<Lease>, String> {
    let key = LEASE.parse().map_err(|_| "provider bug: the lease has no key".to_string())?;
    let wanted = ObjectRef { key, api_version: "coordination.k8s.io/v1".into() };
    let found = api.find_objects(std::slice::from_ref(&wanted)).await.map_err(|error| error.to_string())?;
    let text = |spec: &serde_json::Value, field: &str| spec[field].as_str().unwrap_or_default().to_string();
    let lease = found.values().map(|lease| &lease["spec"]).map(|spec| Lease {
        holder: text(spec, "holderIdentity"),
        renewed: text(spec, "renewTime"),
        seconds: spec["leaseDurationSeconds"].as_u64().unwrap_or(LEASE_SECONDS),
    });
    Ok(lease.into_iter().find(|lease| !lease.holder.is_empty()))
}
