//! Data sources. One file each.

mod aws_identity;
mod aws_image;
mod aws_instance_types;
mod aws_zones;
mod kubeconfig;

use crate::configuration::Shared;
use protocol::DataSource;

pub fn all(shared: &Shared) -> Vec<Box<dyn DataSource>> {
    vec![
        Box::new(aws_identity::IdentitySource::new(shared)),
        Box::new(aws_image::ImageSource::new(shared)),
        Box::new(aws_instance_types::InstanceTypesSource::new(shared)),
        Box::new(aws_zones::ZonesSource::new(shared)),
        Box::new(kubeconfig::KubeconfigSource),
    ]
}
