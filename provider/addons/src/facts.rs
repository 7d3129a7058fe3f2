//! What a cluster says of itself, as far as it is known, and the names under which the catalogue asks for it.

use objects::UNKNOWN;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;

/// `None` is not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `1.36.3`
    pub kubernetes_version: Option<String>,
    /// `routed` or `none`
    pub pod_network: Option<String>,
    /// At most one of each family.
    pub pod_cidrs: Option<Vec<String>>,
    pub service_cidrs: Option<Vec<String>>,
    pub cluster_domain: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Whether pods have addresses of the family.
    HasIpv4,
    HasIpv6,
    PodCidrIpv4,
    PodCidrIpv6,
    ServiceCidrIpv4,
    ServiceCidrIpv6,
    ClusterDomain,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Facts {
    /// [`UNKNOWN`] where it is not known, `None` where the cluster does not have it.
    pub(crate) fn value(&self, fact: Fact) -> Option<Value> {
        let of = |cidrs: &Option<Vec<String>>, family| match cidrs {
            None => Some(Value::from(UNKNOWN)),
            Some(all) => all.iter().find(|cidr| is_of(cidr, family)).map(|cidr| json!(cidr)),
        };
        let has = |family| match &self.pod_cidrs {
            None => Some(Value::from(UNKNOWN)),
            Some(all) => Some(json!(all.iter().any(|cidr| is_of(cidr, family)))),
        };
        match fact {
            Fact::HasIpv4 => has(Family::Ipv4),
            Fact::HasIpv6 => has(Family::Ipv6),
            Fact::PodCidrIpv4 => of(&self.pod_cidrs, Family::Ipv4),
            Fact::PodCidrIpv6 => of(&self.pod_cidrs, Family::Ipv6),
            Fact::ServiceCidrIpv4 => of(&self.service_cidrs, Family::Ipv4),
            Fact::ServiceCidrIpv6 => of(&self.service_cidrs, Family::Ipv6),
            Fact::ClusterDomain => Some(self.cluster_domain.as_deref().unwrap_or(UNKNOWN).into()),
        }
    }
}

fn is_of(cidr: &str, family: Family) -> bool {
    let address = cidr.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    address.is_some_and(|address| address.is_ipv6() == (family == Family::Ipv6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_there_not_there_or_not_known() {
        let facts = Facts { pod_cidrs: Some(vec!["fd00:18::/56".into()]), ..Facts::default() };
        assert_eq!(facts.value(Fact::HasIpv4), Some(json!(false)));
        assert_eq!(facts.value(Fact::PodCidrIpv4), None);
        assert_eq!(facts.value(Fact::PodCidrIpv6), Some(json!("fd00:18::/56")));
        assert_eq!(facts.value(Fact::ServiceCidrIpv4), Some(json!(UNKNOWN)));
        assert_eq!(Facts::default().value(Fact::HasIpv6), Some(json!(UNKNOWN)));
    }
}
