//! The registry of managed resources, one file or folder each, and what those on hosts, those on AWS and those in a cluster share.

pub(crate) mod attributes;
pub(crate) mod control_plane;
pub(crate) mod in_cluster;
#[cfg(test)]
mod names;
pub(crate) mod on_cloud;
pub mod on_hosts;
pub mod pki;

use crate::configuration::Shared;
use in_cluster::InCluster;
use in_cluster::addon::Addon;
use in_cluster::manifests::Manifests;
use on_cloud::{OnCloud, bastion, egress_proxy, lb_nlb, vpc};
use on_hosts::{OnHosts, ccm_config, hardway_cluster, lb_vrrp, node_group};
use protocol::Resource;

pub fn all(shared: &Shared) -> Vec<Box<dyn Resource>> {
    vec![
        Box::new(pki::Pki { shared: shared.clone() }),
        Box::new(OnHosts::new(lb_vrrp::LbVrrp, shared)),
        Box::new(OnHosts::new(hardway_cluster::HardwayCluster, shared)),
        Box::new(OnHosts::new(node_group::NodeGroup, shared)),
        Box::new(OnHosts::new(ccm_config::CcmConfig, shared)),
        Box::new(OnCloud::new(vpc::Vpc, shared)),
        Box::new(OnCloud::new(lb_nlb::LbNlb, shared)),
        Box::new(OnCloud::new(bastion::Bastion, shared)),
        Box::new(OnCloud::new(egress_proxy::EgressProxy, shared)),
        Box::new(InCluster::new(Manifests, shared)),
        Box::new(InCluster::new(Addon, shared)),
    ]
}
