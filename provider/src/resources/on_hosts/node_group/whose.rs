//! To which cluster the control-plane hosts belong that `cluster` names: another may have been created on them since, under its name or
//! under another. And whose the nodes are that have the names of new hosts.

use crate::kubernetes::KnownNode;
use crate::ports::Host;
use crate::resources::on_hosts::errors::machine_error;
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::ownership;
use bundle::{HostName, HostPath};
use machines::{Inventory, Owner, Question, Record, Uid};
use render::control_plane::AUTHORITIES;
use schema::{AttributePath, Diagnostic, Field};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// In a node group's record: the uid of the cluster that its nodes have joined.
pub const CLUSTER_UID: &str = "cluster-uid";
/// That of the API server, which nodes trust and control-plane hosts have.
const AUTHORITY: &str = "apiserver-ca";

/// Nil of a cluster from before there were uids.
pub fn uid_of(join: &Join) -> Uid {
    join.cluster_uid.known().and_then(|text| Uid::parse(text.as_str()).ok()).unwrap_or_default()
}

/// By what clusters differ, also those of one name.
pub fn uid_and_name(join: &Join) -> String {
    format!("{} {}", uid_of(join), join.cluster_name.known().map_or("", String::as_str))
}

/// Refuses another cluster than the one of `join`, by the record on the control-plane host, before anything is asked of its API.
pub async fn refuse_another_cluster(control_plane: &dyn Host, join: &Field<Join>) -> Result<(), Diagnostic> {
    compare(control_plane, join, is_same_cluster).await?.map_or(Ok(()), Err)
}

/// The same before nodes are taken away: what an older version created under one name is told apart by its authorities only. What speaks
/// against it was read on the host; an error is that nothing could be read.
pub async fn another_cluster_to_leave(control_plane: &dyn Host, join: &Field<Join>) -> Result<Option<Diagnostic>, Diagnostic> {
    let is_ours = |join: &Join, record: Option<&Record>, found: &Inventory| {
        let ours = join.apiserver_authority.known().map(String::as_str).unwrap_or_default();
        let theirs = found.certificates.values().next().map(String::as_str).unwrap_or_default();
        is_same_cluster(join, record, found) && !ownership::are_other_authorities(ours, theirs)
    };
    compare(control_plane, join, is_ours).await
}

/// Whether a host without credentials for an API server has the record of the cluster that `join` names all the same. An error is that it could not be read.
pub async fn carries(host: &dyn Host, join: &Field<Join>) -> Result<bool, Diagnostic> {
    Ok(join.known().is_some() && compare(host, join, is_same_cluster).await?.is_none())
}

fn is_same_cluster(join: &Join, record: Option<&Record>, _: &Inventory) -> bool {
    record.is_some_and(|record| record.uid() == uid_of(join))
}

async fn compare(
    control_plane: &dyn Host,
    join: &Field<Join>,
    is_ours: impl Fn(&Join, Option<&Record>, &Inventory) -> bool,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let Some((join, name)) = join.known().and_then(|join| Some((join, join.cluster_name.known()?))) else { return Ok(None) };
    let owner = Owner::parse(format!("k8s_hardway_cluster.{name}")).map_err(|error| Diagnostic::error(error.to_string()))?;
    let authority = AUTHORITIES.iter().find(|(name, _)| *name == AUTHORITY).map(|(_, path)| HostPath::literal(path));
    let question = Question { certificates: authority.into_iter().collect(), ..Question::default() };
    let found = control_plane.inventory(&question).await.map_err(|error| machine_error(&error))?;
    let record = found.records.get(&owner);
    if is_ours(join, record, &found) {
        return Ok(None);
    }
    let there = match record.map(Record::uid) {
        None => format!("there is no record of {owner}"),
        Some(uid) if uid == uid_of(join) => format!("it has another {AUTHORITY} than `cluster` names"),
        Some(uid) => format!("its record names {uid}"),
    };
    let host = control_plane.name();
    let refusal = Diagnostic::error(format!("{host} does not carry the cluster {name}"))
        .detail(format!(
            "`cluster` names the one with uid {}, and on {host} {there}: another one was created on it, or SSH reaches another machine. Nothing was \
             changed there. Refresh and apply {owner} by the state that knows the cluster on {host}, or pass the `join` of that one; what belongs to \
             another cluster is replaced.",
            uid_of(join)
        ))
        .at(AttributePath::attribute("cluster").then("cluster_uid"));
    Ok(Some(refusal))
}

/// A node whose name a new host has is that host's from an earlier life, or another machine's: one that would lose its name, its
/// certificates and its pods.
pub fn refuse_nodes_of_other_machines<'a>(
    new: impl Iterator<Item = (&'a HostName, &'a render::Host)>,
    nodes: &BTreeMap<String, KnownNode>,
) -> Result<(), Diagnostic> {
    for (name, host) in new {
        let Some(node) = nodes.get(name.as_str()).filter(|node| !node.addresses.is_empty()) else { continue };
        if host.addresses().iter().any(|address| node.addresses.contains(address)) {
            continue;
        }
        let detail = format!(
            "The cluster has a node {name} with {}, and this host has {}. Give the host another name. If that node was this host at other \
             addresses, delete it first: kubectl delete node {name}. Nothing was changed on any host.",
            listed(&node.addresses),
            listed(&host.addresses())
        );
        let path = AttributePath::attribute("hosts").key(name.as_str());
        return Err(Diagnostic::error(format!("node {name} of the cluster is another machine")).detail(detail).at(path));
    }
    Ok(())
}

fn listed<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
