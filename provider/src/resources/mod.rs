//! The registry of managed resources, one file or folder each, and what those on hosts and those on AWS share.

mod attributes;
mod aws_instance;
mod bastion;
mod egress_proxy;
pub mod hardway_cluster;
pub(crate) mod host_state;
mod lb_nlb;
mod lb_vrrp;
mod node_group;
pub(crate) mod on_cloud;
mod on_hosts;
pub mod pki;
mod vpc;

use crate::configuration::Shared;
use on_cloud::OnCloud;
use protocol::Resource;

pub fn all(shared: &Shared) -> Vec<Box<dyn Resource>> {
    vec![
        Box::new(pki::Pki { shared: shared.clone() }),
        Box::new(lb_vrrp::LbVrrp { shared: shared.clone() }),
        Box::new(hardway_cluster::HardwayCluster { shared: shared.clone() }),
        Box::new(node_group::NodeGroup { shared: shared.clone() }),
        Box::new(OnCloud::new(vpc::Vpc, shared)),
        Box::new(OnCloud::new(lb_nlb::LbNlb, shared)),
        Box::new(OnCloud::new(bastion::Bastion, shared)),
        Box::new(OnCloud::new(egress_proxy::EgressProxy, shared)),
    ]
}
