//! What the API server writes to its audit log, unless the user says otherwise.

use crate::spec::ClusterSpec;
use bundle::File;

pub(super) const PATH: &str = "/etc/kubernetes/audit-policy.yaml";

/// Who did what to which object, and never the object of a secret; without what components say to each other every second.
const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
- RequestReceived
rules:
# Health checks, discovery and the heartbeats of components.
- level: None
  nonResourceURLs:
  - /healthz*
  - /livez*
  - /readyz*
  - /version
  - /openapi*
  - /api
  - /api/*
  - /apis
  - /apis/*
- level: None
  resources:
  - group: ""
    resources: [events]
  - group: events.k8s.io
    resources: [events]
- level: None
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
  verbs: [get, list, watch]
- level: None
  users: ["system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:apiserver"]
  verbs: [get, list, watch]
- level: None
  verbs: [get, list, watch, update, patch]
  resources:
  - group: coordination.k8s.io
    resources: [leases]
- level: None
  userGroups: ["system:nodes"]
  verbs: [update, patch]
  resources:
  - group: ""
    resources: [nodes/status, pods/status]
# Never the content of these.
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, configmaps, serviceaccounts/token]
  - group: authentication.k8s.io
    resources: [tokenreviews]
# Who may do what is worth the whole request.
- level: Request
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: rbac.authorization.k8s.io
  - group: certificates.k8s.io
- level: Metadata
"#;

pub(super) fn file(spec: &ClusterSpec) -> File {
    File::public(spec.audit_policy.as_deref().unwrap_or(POLICY))
}
