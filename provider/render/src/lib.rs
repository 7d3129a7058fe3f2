//! Pure: turns what the user declared into one bundle per host. One file per component; the only output is the bundle.
//! No clock, no randomness, no environment, no file system.

pub mod aws;
pub mod catalogue;
pub mod cloud_controller;
pub mod component;
pub mod control_plane;
mod dry_run;
pub mod kubeconfig;
pub mod load_balancer;
pub mod node;
pub mod objects;
pub mod spec;
mod systemd;
mod yaml;

pub use spec::{ClusterSpec, Endpoint, Host, Hosts, Listener, LoadBalancerSpec, Network, NodeGroupSpec, NodeSpec, RenderError};
