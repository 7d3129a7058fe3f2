//! Components on AWS: a spec becomes a graph of objects (`docs/aws-objects.md` has their settings), one file per component.

pub mod bastion;
pub mod egress_proxy;
pub mod endpoints;
pub mod images;
pub mod instance;
mod keys;
mod network_addon;
pub mod nlb;
pub mod public_key;
pub mod security_groups;
pub mod squid;
pub mod subnets;
pub mod user_data;
pub mod vpc;
pub mod vpc_cidrs;
mod vpc_spec;
