//! The provider: its block, and the registry of everything that it offers.

use crate::configuration::{self, Shared};
use crate::ports::{RealWorld, World};
use crate::{data_sources, functions, resources};
use async_trait::async_trait;
use cloud::Connector;
use machines::JumpHosts;
use protocol::{DataSource, Function, Provider, Resource};
use schema::{Diagnostics, Schema, Value};
use std::sync::Arc;

pub struct K8s {
    shared: Shared,
}

impl K8s {
    pub fn new(connector: Arc<dyn Connector>) -> Self {
        K8s::of_world(Arc::new(RealWorld { connector, jump_hosts: JumpHosts::default() }))
    }

    pub(crate) fn of_world(world: Arc<dyn World>) -> Self {
        K8s { shared: Shared::new(world) }
    }
}

#[async_trait]
impl Provider for K8s {
    fn schema(&self) -> Schema {
        configuration::schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        configuration::validate(config)
    }

    async fn configure(&self, config: Value, _terraform_version: &str) -> Diagnostics {
        match self.shared.configure(&config) {
            Ok(()) => Diagnostics::default(),
            Err(diagnostic) => diagnostic.into(),
        }
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        resources::all(&self.shared)
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        data_sources::all(&self.shared)
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        functions::all()
    }
}
