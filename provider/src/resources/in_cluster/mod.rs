//! Resources that are objects in a cluster, which is reached through SSH to its control-plane hosts: so that one plan creates the cluster and what
//! runs in it, and no provider has to be configured from values that are not known yet. A resource says which objects it declares; what a plan, a
//! refresh, an apply and a destroy do with them is here.

pub(crate) mod addon;
mod apply;
pub(crate) mod attributes;
pub(crate) mod config;
pub(crate) mod conflicts;
mod digests;
pub(crate) mod errors;
pub(crate) mod ignored;
pub(crate) mod inventory;
pub(crate) mod json;
mod losses;
pub(crate) mod manifests;
mod one_object;
pub(crate) mod own_apply;
pub(crate) mod own_objects;
pub(crate) mod own_state;
pub(crate) mod ownership;
mod plan;
pub(crate) mod pruning;
mod pull;
mod read;
pub(crate) mod record;
mod secrets;
pub(crate) mod state;
pub(crate) mod validate;
pub(crate) mod waits;

use crate::configuration::Shared;
use addons::Ready;
use async_trait::async_trait;
use objects::{Declared, ObjectKey};
use ownership::Kind;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Diagnostic, Diagnostics, Schema, Value};
use secrets::Secrets;
use std::collections::BTreeMap;

pub type Declaration = BTreeMap<ObjectKey, Declared>;

/// A resource whose objects are in a cluster. Its schema has what [`attributes::all`] and [`state::attributes`] give.
pub trait ObjectsResource: Send + Sync + 'static {
    /// What its record in the cluster and the annotations of its objects say of it.
    fn kind(&self) -> Kind;

    fn schema(&self) -> Schema;

    fn identity(&self) -> IdentityAttribute;

    /// Pure; sees unknown values.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// The objects that a configuration, a plan or a state declares, without the values of secrets. `None` while it is not known which there are,
    /// and where something is wrong, which is then said. Pure.
    fn declared(&self, values: &Value, found: &mut Diagnostics) -> Option<Declaration>;

    /// Computed attributes of its own, which `declared` may read, as far as they are known. Pure.
    fn settle(&self, _planned: &mut Value, _prior: Option<&Value>) {}

    /// When it does what it is there for, beside what its objects say. Pure.
    fn ready(&self, _values: &Value) -> Ready {
        Ready::Objects
    }

    /// Values of secrets, which stand in the configuration alone; `None` while some are not known. Pure.
    fn secrets(&self, _config: &Value) -> Option<Secrets> {
        Some(Secrets::new())
    }

    /// What to do where somebody would import.
    fn instead_of_import(&self) -> &'static str;
}

pub struct InCluster<R> {
    resource: R,
    shared: Shared,
}

impl<R: ObjectsResource> InCluster<R> {
    pub fn new(resource: R, shared: &Shared) -> Self {
        InCluster { resource, shared: shared.clone() }
    }
}

#[async_trait]
impl<R: ObjectsResource> Resource for InCluster<R> {
    fn name(&self) -> &'static str {
        self.resource.kind().resource()
    }

    fn schema(&self) -> Schema {
        self.resource.schema()
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![self.resource.identity()]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        self.resource.validate(config)
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.planned(&request).unwrap_or_else(|diagnostics| PlanResponse {
            planned: request.proposed,
            diagnostics,
            ..PlanResponse::default()
        })
    }

    async fn plan_destroy(&self, _call: &Call, prior: Value) -> Diagnostics {
        self.losses_of_all(&prior)
    }

    async fn read(&self, call: &Call, prior: Value) -> ReadResponse {
        self.look(call, prior).await
    }

    async fn apply(&self, call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        self.apply_objects(call, request)
            .await
            .unwrap_or_else(|diagnostic| ApplyResponse { state: left_behind, diagnostics: diagnostic.into() })
    }

    async fn delete(&self, call: &Call, prior: Value) -> DeleteResponse {
        match self.delete_objects(call, &prior).await {
            Ok(diagnostics) if !diagnostics.has_errors() => DeleteResponse { left_behind: None, diagnostics },
            Ok(diagnostics) => DeleteResponse { left_behind: Some(prior), diagnostics },
            Err(error) => DeleteResponse { left_behind: Some(prior), diagnostics: error.into() },
        }
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error(format!("{} cannot be imported", self.name())).detail(self.resource.instead_of_import()).into())
    }
}
