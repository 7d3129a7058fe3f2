//! Subnets: one per tier and zone, with the tags by which Kubernetes finds those for its load balancers.

use super::keys::{MAIN, key, reference};
use super::vpc_spec::{Reach, Subnet, VpcSpec};
use cloud::{Graph, Kind, Object, Setting};

/// As AWS's cloud controller manager and load balancer controller look for them ("Subnet auto-discovery").
pub const PUBLIC_ROLE_TAG: &str = "kubernetes.io/role/elb";
/// Marks subnets for internal load balancers (AWS Load Balancer Controller, cloud controller manager).
pub const PRIVATE_ROLE_TAG: &str = "kubernetes.io/role/internal-elb";

/// The cluster may use what has this tag.
pub fn cluster_tag(cluster: &str) -> String {
    format!("kubernetes.io/cluster/{cluster}")
}

/// Not `owned`: that is for what the cluster itself makes and may delete.
pub const CLUSTER_TAG_VALUE: &str = "shared";

/// Adds subnets and their route tables to the graph.
pub fn add(spec: &VpcSpec, graph: &mut Graph) {
    for subnet in spec.subnets() {
        graph.add(object(spec, &subnet));
    }
}

fn object(spec: &VpcSpec, subnet: &Subnet<'_>) -> Object {
    let tier = subnet.tier;
    let zone = spec.zones.get(&subnet.number).cloned().unwrap_or(Setting::Unknown);
    let index = spec.subnet_ipv6_indexes.get(&subnet.name);
    let ipv6_cidr = index.map(|index| format!("{}[{index}]", key(Kind::Vpc, MAIN).output("ipv6_cidr")));
    // A subnet without IPv4 has no addresses to name its instances by. Elsewhere nodes are called as the cloud controller manager
    // expects: by their private DNS name.
    let hostname_type = if tier.ipv6_only { "resource-name" } else { "ip-name" };
    let object = Object::new(Kind::Subnet, &subnet.name)
        .with("vpc", reference(Kind::Vpc, MAIN))
        .with("zone", zone)
        .with_some("cidr", spec.subnet_cidrs.get(&subnet.name).filter(|_| !tier.ipv6_only).map(ToString::to_string))
        .with("assign_ipv6", ipv6_cidr.is_some())
        .with_some("ipv6_cidr", ipv6_cidr)
        .with_some("ipv6_native", tier.ipv6_only.then_some(true))
        .with("map_public_ip", tier.reach == Reach::Public && !tier.ipv6_only)
        .with("dns64", tier.dns64)
        .with("hostname_type", hostname_type)
        .with("resource_name_a_record", false)
        .with("resource_name_aaaa_record", tier.ipv6_only)
        .with(format!("tag {}", cluster_tag(&spec.name)), CLUSTER_TAG_VALUE)
        .with_some(format!("tag {}", role_tag(tier.reach).unwrap_or_default()), role_tag(tier.reach).map(|_| "1"));
    tier.tags.iter().fold(object, |object, (key, value)| object.with(format!("tag {key}"), value.clone()))
}

/// The tag by which controllers find subnets for load balancers; isolated subnets have none.
pub fn role_tag(reach: Reach) -> Option<&'static str> {
    match reach {
        Reach::Public => Some(PUBLIC_ROLE_TAG),
        Reach::Private => Some(PRIVATE_ROLE_TAG),
        Reach::Isolated => None,
    }
}
