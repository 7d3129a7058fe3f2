//! How large a node's share of the pod network is. A cluster that exists keeps that: nodes keep the share that they have, and hosts route to
//! shares of the declared size only, so that every node would lose its pods' network. Pure.

use crate::network::is_ipv4;
use ipnet::IpNet;
use schema::{AttributePath, Diagnostic, Value};

/// `prior` is the state of a cluster that stays.
pub fn refuse_change(prior: &Value, planned: &Value) -> Result<(), Diagnostic> {
    let pods = prior.get("network").get("pod_cidrs").as_list().unwrap_or_default();
    let pods: Vec<IpNet> = pods.iter().filter_map(|cidr| cidr.as_str()?.parse().ok()).collect();
    for (name, of_ipv4) in [("node_mask_ipv4", true), ("node_mask_ipv6", false)] {
        // Nodes have no share in a family that pods do not have.
        if !pods.is_empty() && pods.iter().all(|cidr| is_ipv4(cidr) != of_ipv4) {
            continue;
        }
        let path = AttributePath::attribute("network").then(name);
        if let (Some(before), Some(after)) = (prior.at(&path).as_i64(), planned.at(&path).as_i64())
            && before != after
        {
            return Err(Diagnostic::error(format!("network.{name} of a cluster that exists does not change"))
                .detail(format!(
                    "Nodes keep the share of the pod network that they have, which is a /{before}, and hosts route only to shares of the declared \
                     size. Set {name} to {before}. Another size needs another cluster."
                ))
                .at(path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mask: Value) -> Value {
        Value::object([("network", Value::object([("node_mask_ipv4", mask)]))])
    }

    #[test]
    fn a_cluster_that_exists_keeps_the_size_of_a_node_s_share() {
        let refused = refuse_change(&with(24.into()), &with(25.into())).unwrap_err();
        assert_eq!(refused.summary, "network.node_mask_ipv4 of a cluster that exists does not change");
        assert_eq!(refused.path.unwrap().to_string(), "network.node_mask_ipv4");
        for same in [24.into(), Value::Unknown, Value::Null] {
            refuse_change(&with(24.into()), &with(same)).unwrap();
        }
        refuse_change(&Value::object([]), &with(25.into())).unwrap();
        let of_ipv6 = Value::object([("node_mask_ipv4", 24.into()), ("pod_cidrs", vec!["fd00:18::/56"].into())]);
        refuse_change(&Value::object([("network", of_ipv6)]), &with(25.into())).unwrap();
    }
}
