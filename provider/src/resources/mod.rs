//! The registry of managed resources, one file or folder each, and what host-based resources share.

mod attributes;
pub mod hardway_cluster;
pub(crate) mod host_state;
mod lb_vrrp;
mod node_group;
mod on_hosts;
pub mod pki;

use crate::configuration::Shared;
use protocol::Resource;

pub fn all(shared: &Shared) -> Vec<Box<dyn Resource>> {
    vec![
        Box::new(pki::Pki { shared: shared.clone() }),
        Box::new(lb_vrrp::LbVrrp { shared: shared.clone() }),
        Box::new(hardway_cluster::HardwayCluster { shared: shared.clone() }),
        Box::new(node_group::NodeGroup { shared: shared.clone() }),
    ]
}
