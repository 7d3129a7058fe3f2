//! An attribute has one name: in the schema, and in the typed configuration that reads it.

use super::in_cluster;
use super::on_cloud::{aws_instance, egress_proxy, lb_nlb, vpc};
use super::on_hosts::{ccm_config, hardway_cluster, lb_vrrp, node_group};
use super::pki;
use crate::fakes::FakeWorld;
use crate::provider::K8s;
use protocol::Provider;
use schema::{Schema, fields_without_attribute};
use std::sync::Arc;

type Fields = fn(&Schema) -> Vec<String>;

/// What each resource decodes.
const READERS: &[(&str, &[Fields])] = &[
    ("k8s_pki", &[fields_without_attribute::<pki::config::Config>]),
    ("k8s_lb_vrrp", &[fields_without_attribute::<lb_vrrp::config::Config>]),
    ("k8s_hardway_cluster", &[fields_without_attribute::<hardway_cluster::config::Config>]),
    ("k8s_node_group", &[fields_without_attribute::<node_group::config::Config>]),
    ("k8s_ccm_config", &[fields_without_attribute::<ccm_config::config::Config>]),
    ("k8s_manifests", &[fields_without_attribute::<in_cluster::config::Config>]),
    ("k8s_addon", &[fields_without_attribute::<in_cluster::config::Config>]),
    ("k8s_vpc", &[fields_without_attribute::<vpc::config::Config>]),
    ("k8s_lb_nlb", &[fields_without_attribute::<lb_nlb::config::Config>]),
    ("k8s_bastion", &[fields_without_attribute::<aws_instance::Config>]),
    (
        "k8s_egress_proxy",
        &[fields_without_attribute::<aws_instance::Config>, fields_without_attribute::<egress_proxy::config::ProxyConfig>],
    ),
];

#[test]
fn every_field_that_a_resource_decodes_is_an_attribute_of_its_schema() {
    let (world, _stops) = FakeWorld::new();
    let mut faults = Vec::new();
    for resource in K8s::of_world(Arc::new(world)).resources() {
        let name = resource.name();
        let Some((_, readers)) = READERS.iter().find(|(other, _)| *other == name) else {
            faults.push(format!("{name} is not in READERS"));
            continue;
        };
        let schema = resource.schema();
        faults.extend(readers.iter().flat_map(|fields| fields(&schema)).map(|field| format!("{name} has no {field}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
