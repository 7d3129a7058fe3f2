//! What is applied before what, and which kinds belong to no namespace. Sources: `kubectl api-resources` of Kubernetes 1.36 and the order in which
//! Helm installs (`pkg/release/util/kind_sorter.go`).

use crate::ObjectKey;

/// Objects of one phase are applied at the same time, after those of the phase before. They are deleted in the opposite order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Namespaces and definitions of custom resources, without which others are not accepted. Definitions are waited for.
    Foundation,
    /// What workloads read or are bound by: accounts, roles, settings, volumes, services.
    Settings,
    Workloads,
    /// What the API server asks from then on: webhooks, admission policies, aggregated APIs.
    Registrations,
    Custom,
}

pub(crate) const CUSTOM_RESOURCE_DEFINITION: (&str, &str) = ("apiextensions.k8s.io", "CustomResourceDefinition");
pub(crate) const NAMESPACE: (&str, &str) = ("", "Namespace");

/// Groups that every API server has.
const BUILT_IN: [&str; 22] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

const WORKLOADS: [(&str, &str); 9] = [
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob"),
    ("batch", "Job"),
];

/// Of the groups above, but for those of which every kind is cluster-wide.
const CLUSTER_WIDE: [(&str, &str); 21] = [
    NAMESPACE,
    ("", "Node"),
    ("", "PersistentVolume"),
    CUSTOM_RESOURCE_DEFINITION,
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "DeviceTaintRule"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];
const CLUSTER_WIDE_GROUPS: [&str; 4] =
    ["admissionregistration.k8s.io", "apiregistration.k8s.io", "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io"];

pub fn phase(key: &ObjectKey) -> Phase {
    let kind = (key.group.as_str(), key.kind.as_str());
    if key.is_namespace() || key.is_definition() {
        Phase::Foundation
    } else if WORKLOADS.contains(&kind) {
        Phase::Workloads
    } else if ["admissionregistration.k8s.io", "apiregistration.k8s.io"].contains(&kind.0) {
        Phase::Registrations
    } else if is_built_in(key) {
        Phase::Settings
    } else {
        Phase::Custom
    }
}

pub fn is_built_in(key: &ObjectKey) -> bool {
    BUILT_IN.contains(&key.group.as_str())
}

/// Of a built-in kind, whether its objects belong to a namespace. What another kind's do is known to its definition only.
pub fn is_namespaced(key: &ObjectKey) -> Option<bool> {
    let is_cluster_wide =
        CLUSTER_WIDE_GROUPS.contains(&key.group.as_str()) || CLUSTER_WIDE.iter().any(|(group, kind)| key.is(group, kind));
    is_built_in(key).then_some(!is_cluster_wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_after_those_that_they_need() {
        let phase = |key: &str| phase(&key.parse().unwrap());
        assert_eq!(phase("Namespace/shop"), Phase::Foundation);
        assert_eq!(phase("CustomResourceDefinition.apiextensions.k8s.io/teams.example.com"), Phase::Foundation);
        assert_eq!(phase("ConfigMap/shop/settings"), Phase::Settings);
        assert_eq!(phase("Deployment.apps/shop/web"), Phase::Workloads);
        assert_eq!(phase("APIService.apiregistration.k8s.io/v1beta1.metrics.k8s.io"), Phase::Registrations);
        assert_eq!(phase("Team.example.com/shop/a"), Phase::Custom);
        // A kind of the same name in a group of somebody's own.
        assert_eq!(phase("Deployment.example.com/shop/a"), Phase::Custom);
    }

    #[test]
    fn built_in_kinds_are_known_to_belong_to_a_namespace_or_not() {
        let is_namespaced = |key: &str| is_namespaced(&key.parse().unwrap());
        assert_eq!(is_namespaced("Secret/a"), Some(true));
        assert_eq!(is_namespaced("ClusterRole.rbac.authorization.k8s.io/a"), Some(false));
        assert_eq!(is_namespaced("PriorityClass.scheduling.k8s.io/a"), Some(false));
        assert_eq!(is_namespaced("PodGroup.scheduling.k8s.io/a"), Some(true));
        assert_eq!(is_namespaced("Team.example.com/a"), None);
    }
}
