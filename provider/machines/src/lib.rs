//! Reaches hosts over SSH: pushes bundles, reads back what they have, fetches binaries.
//! What a host should have is crate `bundle`; in which order hosts are changed is crate `rollout`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod archive;
mod binaries;
mod check;
mod connection;
mod download;
mod error;
mod facts;
mod forward;
mod incarnation;
mod inventory;
mod jump_hosts;
mod known_hosts;
mod link;
mod login;
mod machine;
mod push;
mod read;
mod remove;
mod said;
mod script;
mod shown_key;
mod take_over;
mod target;
mod units;

pub use download::with_causes;
pub use error::{MachineError, Moved};
pub use facts::{Facts, FoundUnit, Listener, Wanted};
pub use forward::LocalForward;
pub use incarnation::{Incarnation, Uid, UidError};
pub use inventory::{Inventory, Question, Record};
pub use jump_hosts::JumpHosts;
pub use known_hosts::KnownHosts;
pub use machine::{Machine, Output, Owner, OwnerError};
pub use push::{Progress, RECORD_VERSION};
pub use remove::REMOVE_PROGRAM;
pub use said::lines_that_matter;
pub use shown_key::ShownKey;
pub use target::{Authentication, Target};
