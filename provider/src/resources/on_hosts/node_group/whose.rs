//! To which cluster the control-plane hosts belong that `cluster` names: another may have been created on them under its name.

use super::actions::NodeActions;
use crate::resources::on_hosts::errors::machine_error;
use crate::resources::on_hosts::hardway_cluster::Join;
use machines::{Owner, Question, Uid};
use schema::{AttributePath, Diagnostic, Field};

/// In a node group's record: the uid of the cluster that its nodes have joined.
pub const CLUSTER_UID: &str = "cluster-uid";

/// Nil of a cluster from before there were uids.
pub fn uid_of(join: &Join) -> Uid {
    join.cluster_uid.known().and_then(|text| Uid::parse(text.as_str()).ok()).unwrap_or_default()
}

impl NodeActions {
    /// Refuses another cluster than the one of `join`. A control-plane host without a record cannot tell.
    pub async fn refuse_another_cluster(&self, join: &Field<Join>) -> Result<(), Diagnostic> {
        let Some(join) = join.known() else { return Ok(()) };
        let Some(name) = join.cluster_name.known() else { return Ok(()) };
        let owner = Owner::parse(format!("k8s_hardway_cluster.{name}")).map_err(|error| Diagnostic::error(error.to_string()))?;
        let found = self.control_plane.inventory(&Question::default()).await.map_err(|error| machine_error(&error))?;
        let (ours, record) = (uid_of(join), found.records.get(&owner));
        let Some(found) = record.map(|record| record.uid()).filter(|found| *found != ours) else { return Ok(()) };
        let path = AttributePath::attribute("cluster").then("cluster_uid");
        Err(Diagnostic::error(format!("{} carries another cluster {name} than the one of these nodes", self.control_plane.name()))
            .detail(format!(
                "`cluster` says that they belong to the cluster with uid {ours}; the record there names {found}: it was created later under \
                 the same name, or from another state. No node of it was changed. Refresh and apply {owner} by the state that knows the cluster \
                 there, or pass the `join` of it; nodes of another cluster are replaced."
            ))
            .at(path))
    }
}
