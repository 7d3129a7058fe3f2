//! Issues the certificates and keys of a cluster from one table (`table.rs`).
//! Nothing here knows where credentials are stored or how they reach a host.
//!
//! ```text
//! Request ──certificate_specs──► specs ──plan_issue──► reasons ──issue──► Credentials
//! ```
//!
//! `certificate_specs` and `plan_issue` are pure. `issue` draws keys and serial numbers from the system's
//! generator; the time always comes in as an argument.

mod certificate;
mod error;
pub mod fit;
mod issue;
mod keys;
pub mod names;
mod plan;
mod request;
mod signer;
mod specs;
mod subject;
pub mod table;
pub mod validate;

pub use certificate::{expiry, fingerprint, validity};
pub use error::PkiError;
pub use issue::issue;
pub use plan::{AUTHORITY_NOTICE, Plan, Reason, due, plan_issue};
pub use request::{KeyAlgorithm, LeafSpec, Request, Usage};
pub use specs::{CertificateSpec, Undecided, certificate_specs, host_leaf};
pub use table::{SECRETS_ENCRYPTION, SERVICE_ACCOUNT};
