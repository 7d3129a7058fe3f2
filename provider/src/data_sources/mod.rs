//! Data sources. One file each.

mod kubeconfig;

use crate::configuration::Shared;
use protocol::DataSource;

pub fn all(_shared: &Shared) -> Vec<Box<dyn DataSource>> {
    vec![Box::new(kubeconfig::KubeconfigSource)]
}
