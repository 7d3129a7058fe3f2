//! Kubernetes objects as data: what somebody has declared, what of it changes, in which order, and what others have changed of it since. Reaches
//! nothing.

mod changes;
mod copied;
mod declared;
mod excluded;
mod fields;
mod immutable;
mod key;
mod managers;
mod owned;
mod phase;
mod readiness;

pub use changes::{Change, Immutable, Inventories, plan, swept_away};
pub use declared::{
    Declared, Mistake, Read, UNKNOWN, complete, documents, is_known, is_unknown, read, with_secrets, without_nulls,
};
pub use excluded::{Excluded, excluded_by};
pub use fields::{Fields, hidden, is_within, take_out};
pub use key::ObjectKey;
pub use managers::{annotation_by, managed_fields};
pub use owned::{Taken, taken};
pub use phase::{Phase, is_built_in, is_namespaced, phase};
pub use readiness::{Readiness, is_waited_for, readiness, stalled_since, vanishes};
