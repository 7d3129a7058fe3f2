//! The words of a step: what is written, set or waited for, and why, of each three at most.

use crate::{Cause, Gate};
use bundle::{Difference, Item, UnitName};

pub(crate) fn condition(gate: &Gate) -> String {
    match gate {
        Gate::UnitsHealthy { units, .. } => format!("{} {} healthy", joined(units), if units.len() == 1 { "is" } else { "are" }),
        Gate::CertificatesServed { units, .. } if units.len() == 1 => format!("{} serves its new certificate", joined(units)),
        Gate::CertificatesServed { units, .. } => format!("{} serve their new certificates", joined(units)),
        Gate::EtcdQuorum => "etcd has a quorum".into(),
        Gate::EtcdMemberHealthy { .. } => "the etcd member is healthy".into(),
        Gate::QuorumWithout { .. } => "etcd has a quorum of healthy members without it".into(),
        Gate::ApiServerReady { .. } => "the API server is ready".into(),
        Gate::NodeReady { .. } => "the node is Ready".into(),
        Gate::OthersReady { restarting, max_unavailable, .. } => match max_unavailable.saturating_sub(*restarting) {
            0 => "all other nodes are Ready".into(),
            may_be_down => format!("all other nodes but {may_be_down} are Ready"),
        },
        Gate::VirtualAddressServed => "one host serves every virtual address".into(),
        Gate::ControllerLeads { .. } => "a controller leads".into(),
    }
}

pub(crate) fn push_text(differences: &[Difference]) -> String {
    let (retired, written): (Vec<&Difference>, Vec<_>) = differences.iter().partition(|difference| difference.retires_a_unit());
    let text = |verb: &str, all: Vec<&Difference>| {
        let items = all.iter().map(|difference| format!("{} ({})", difference.item, difference.what));
        (!all.is_empty()).then(|| format!("{verb} {}", in_short(items)))
    };
    [text("write", written), text("remove", retired)].into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

pub(crate) fn node_text(differences: &[Difference]) -> String {
    let any = |kind: fn(&Item) -> bool| differences.iter().any(|difference| kind(&difference.item));
    let kinds = [
        (any(|item| matches!(item, Item::Label(_))), "labels"),
        (any(|item| matches!(item, Item::Annotation(_))), "annotations"),
        (any(|item| matches!(item, Item::Taint(_))), "taints"),
        (any(|item| matches!(item, Item::ProviderId)), "provider id"),
    ];
    let found: Vec<&str> = kinds.into_iter().filter_map(|(is_there, kind)| is_there.then_some(kind)).collect();
    match found.as_slice() {
        [] => "set labels, annotations and taints of the node".into(),
        [kinds @ .., last] => {
            let what = if kinds.is_empty() { last.to_string() } else { format!("{} and {last}", kinds.join(", ")) };
            format!("set {what} of the node ({})", in_short(differences.iter().map(ToString::to_string)))
        }
    }
}

pub(crate) fn unit_text(verb: &str, units: &[UnitName], because: &[Cause]) -> String {
    match because.is_empty() {
        true => format!("{verb} {}", joined(units)),
        false => format!("{verb} {} ({})", joined(units), in_short(because.iter().map(ToString::to_string))),
    }
}

fn joined(units: &[UnitName]) -> String {
    units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(", ")
}

fn in_short(items: impl Iterator<Item = String>) -> String {
    match shortened(items.collect()) {
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Three at most, and how many more: a new host has dozens of files, and the manifest of the plan lists them all.
fn shortened(mut items: Vec<String>) -> (Vec<String>, usize) {
    let count = items.len();
    items.truncate(if count == 4 { 4 } else { 3 });
    let more = count - items.len();
    (items, more)
}
