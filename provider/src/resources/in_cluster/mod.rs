//! Resources that are objects in a cluster, which is reached through SSH to its control-plane hosts: so that one plan creates the cluster and what
//! runs in it, and no provider has to be configured from values that are not known yet.

pub(crate) mod conflicts;
pub(crate) mod errors;
pub(crate) mod ignored;
pub(crate) mod inventory;
pub(crate) mod manifests;
pub(crate) mod own_objects;
pub(crate) mod ownership;
pub(crate) mod pruning;
pub(crate) mod record;
pub(crate) mod waits;
