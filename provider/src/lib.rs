//! The provider: resources, data sources and functions, and what they share. The plugin binary is crate `terraform-provider-k8s`.
//!
//! ```text
//! resources ──► fleet ──► machines (SSH)          render, rollout, pki: pure, in crates of their own
//!     │            └────► execute (steps) ──► kubernetes (API through SSH)
//!     └──► downloads (digests)
//! ```

mod aws;
mod configuration;
mod data_sources;
mod downloads;
mod execute;
#[cfg(test)]
mod fakes;
mod fleet;
mod functions;
mod hosts;
mod kubernetes;
#[cfg(test)]
mod lifecycle;
mod network;
mod ports;
mod preflight;
mod progress;
mod provider;
mod resources;
mod ssh;
mod tags;

pub use provider::K8s;
