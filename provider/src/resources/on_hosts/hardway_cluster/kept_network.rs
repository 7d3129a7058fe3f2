//! What of its network a cluster that exists keeps: the size of a node's share. Nodes keep the share that they have, and hosts route to shares of the
//! declared size only, so that every node would lose its pods' network. And what it changes only node by node: who connects pods. Pure.

use super::config::DEFAULT_POD_NETWORK;
use crate::network::is_ipv4;
use ipnet::IpNet;
use schema::{AttributePath, Diagnostic, Diagnostics, Value};

/// What a change of who connects pods does, before it is made. A state from before there was a choice has the default.
pub fn warn_of_another_pod_network(prior: &Value, planned: &Value) -> Diagnostics {
    let path = AttributePath::attribute("network").then("pod_network");
    let (before, after) = (prior.at(&path).as_str().unwrap_or(DEFAULT_POD_NETWORK), planned.at(&path));
    let Some(after) = after.as_str().filter(|after| *after != before) else { return Diagnostics::default() };
    let add_on = if after == DEFAULT_POD_NETWORK {
        "Remove the add-on that connects pods now first, with what it left on hosts: its routes to the same pods would win. Nodes are not Ready until \
         their turn, and their pods are made again then."
    } else {
        "Install the add-on that is to connect pods first: node groups change no node on which it has no CNI configuration yet. Control-plane hosts that are no \
         nodes lose their routes to pods with this apply, and with them webhooks and aggregated API servers that run in pods."
    };
    let detail = format!(
        "Each node group drains its nodes that are Ready, max_unavailable at a time, gives them the other network, and lets pods be scheduled there again. \
         Until all have it, pods on nodes that have changed may not reach those on nodes that have not. {add_on}"
    );
    let summary = format!("pods get another network, node by node: pod_network was {before:?} and is {after:?}");
    Diagnostic::warning(summary).detail(detail).at(path).into()
}

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
    fn a_change_of_who_connects_pods_is_warned_of() {
        let with = |network: Value| Value::object([("network", Value::object([("pod_network", network)]))]);
        let said = |before: Value, after: &str| {
            let found = warn_of_another_pod_network(&with(before), &with(after.into()));
            found.iter().map(|warning| warning.detail.contains("Install the add-on")).collect::<Vec<_>>()
        };
        for before in ["routed".into(), Value::Null] {
            assert_eq!(said(before, "none"), [true]);
        }
        assert_eq!(said("none".into(), "routed"), [false]);
        assert_eq!(said(Value::Null, "routed"), Vec::<bool>::new());
        assert_eq!(said("none".into(), "none"), Vec::<bool>::new());
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
