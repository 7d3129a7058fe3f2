//! What only a new cluster can have, as the record on each host keeps it: a create that goes on with what is there has to declare the
//! same. Pure.

use ipnet::IpNet;
use render::spec::Network;

/// By their keys in a record: what they are called in the configuration.
pub const LASTING: [(&str, &str); 3] =
    [("pod-cidrs", "pod_cidrs"), ("service-cidrs", "service_cidrs"), ("cluster-domain", "cluster_domain")];

pub(super) fn of(network: &Network) -> impl Iterator<Item = (String, String)> {
    let joined = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let values = [joined(&network.pod_cidrs), joined(&network.service_cidrs), network.cluster_domain.clone()];
    LASTING.into_iter().map(|(key, _)| key.to_string()).zip(values)
}
