//! Pure: plans ordered steps with health gates from what each host runs to what it should run. Create, update, repair of drift,
//! resume after a kill and destroy are one function of the same facts; running the steps is the caller's business.

mod cause;
pub mod control_plane;
pub mod controllers;
mod host;
pub mod load_balancer;
mod members;
mod node;
pub mod nodes;
mod proof;
mod refusal;
mod run;
mod step;
mod wording;

pub use bundle::Disruption;
pub use cause::Cause;
pub use host::HostState;
pub use members::{EtcdData, History, Membership, Role};
pub use node::{CordonedBy, NodeFacts, NodeStatus};
pub use proof::Proof;
pub use refusal::Refusal;
pub use run::{Run, runs};
pub use step::{Gate, Step, disruption, may_restart};
