//! What is asked of AWS besides objects: who we are, what the region offers, what Kubernetes has left, what the account may do.

mod denied;
mod identity;
mod images;
mod instance_types;
mod leftovers;
mod occupants;
mod quotas;
mod zones;

pub(crate) use denied::denied;
pub(crate) use identity::identity;
pub(crate) use images::images;
pub(crate) use instance_types::instance_types;
pub(crate) use leftovers::{delete_leftover, delete_volume, leftovers, volumes};
pub(crate) use occupants::occupants;
pub(crate) use quotas::quotas;
pub(crate) use zones::zones;
