//! The provider: resources, data sources and functions, and what they share. The plugin binary is crate `terraform-provider-k8s`.
//!
//! ```text
//! resources ──► on_hosts: fleet ──► machines (SSH)          render, rollout, pki: pure, in crates of their own
//!     │                     └────► execute (steps) ──► kubernetes (API through SSH)
//!     └───────► on_cloud: reconcile ──► ports::World::cloud (AWS, by crate `aws`)
//! ```

mod aws;
mod configuration;
mod data_sources;
mod etcd;
#[cfg(test)]
mod fakes;
mod functions;
mod hosts;
mod kubeconfig;
mod kubernetes;
#[cfg(test)]
mod lifecycle;
mod lock;
mod network;
mod ports;
mod progress;
mod provider;
mod resources;
mod spelling;
mod ssh;
mod tokens;
mod turns;
mod wait;

pub use provider::K8s;
pub use resources::on_hosts::preflight::table as first_look;
