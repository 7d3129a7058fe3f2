//! A change of a managed resource: plan and apply, of create, update and destroy.

use std::sync::Arc;

use ::schema::{AttributePath, Diagnostic, Diagnostics, Value};

use super::Service;
use super::catalogue::ManagedResource;
use super::proposed::Proposal;
use crate::bug::bug;
use crate::check::{Planned, applied_keeps_planned, never_null, planned_keeps_config};
use crate::convert::{diagnostics_to_wire, object_from_wire, path_to_wire, value_from_wire};
use crate::provider::{ApplyRequest, PlanRequest};
use crate::wire::tfplugin6::*;

impl Service {
    pub(super) async fn plan_change(
        &self,
        request: plan_resource_change::Request,
    ) -> Result<plan_resource_change::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?.clone();
        let prior = object_from_wire(request.prior_state.clone(), &entry.value_type, &entry.state())?;
        let what = format!("proposed {}", entry.state());
        match (object_from_wire(request.proposed_new_state.clone(), &entry.value_type, &what)?, prior) {
            (Some(proposed), prior) => self.plan_object(entry, request, prior, proposed).await,
            (None, Some(prior)) => self.plan_destroy(entry, request, prior).await,
            (None, None) => Ok(plan_resource_change::Response {
                planned_state: request.proposed_new_state,
                ..plan_resource_change::Response::default()
            }),
        }
    }

    async fn plan_destroy(
        &self,
        entry: Arc<ManagedResource>,
        request: plan_resource_change::Request,
        prior: Value,
    ) -> Result<plan_resource_change::Response, Diagnostics> {
        let prior = entry.schema.without_absent(prior);
        let plan = |call| async move { entry.resource.plan_destroy(&call, prior).await };
        let diagnostics = self.calls.run(format!("plan to destroy {}", request.type_name), plan).await?;
        Ok(plan_resource_change::Response {
            planned_state: request.proposed_new_state,
            planned_private: request.prior_private,
            planned_identity: request.prior_identity,
            diagnostics: diagnostics_to_wire(diagnostics),
            requires_replace: Vec::new(),
        })
    }

    async fn plan_object(
        &self,
        entry: Arc<ManagedResource>,
        request: plan_resource_change::Request,
        prior: Option<Value>,
        proposed: Value,
    ) -> Result<plan_resource_change::Response, Diagnostics> {
        let name = entry.name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let seen = |value: Value| entry.schema.without_absent(value);
        let (prior_seen, config_seen) = (prior.clone().map(seen), seen(config.clone()));
        let proposal = Proposal::of(&entry.schema, prior_seen.as_ref(), &config_seen, seen(proposed));
        let plan_request = PlanRequest { prior: prior_seen, config: config_seen, proposed: proposal.assumed() };
        let resource = entry.clone();
        let plan = |call| async move { resource.resource.plan(&call, plan_request).await };
        let mut response = self.calls.run(format!("plan of {name}"), plan).await?;

        let mut diagnostics = response.diagnostics;
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        proposal.restore(&mut response.planned);
        if response.requires_replace.is_empty() {
            diagnostics.extend(proposal.warnings(name, &response.undecided));
        }
        let planned = entry.schema.with_absent(entry.schema.without_write_only(response.planned), &config);
        let before = prior.as_ref().unwrap_or(&Value::Null);
        diagnostics.extend(planned_keeps_config(
            name,
            &entry.schema,
            Planned { prior: before, config: &config, planned: &planned },
        ));
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let requires_replace =
            merge_paths(entry.schema.replace_paths(before, &planned), response.requires_replace, prior.is_some());
        // A replacement is another object: what the old one was called says nothing.
        let identity_before = request.prior_identity.filter(|_| requires_replace.is_empty());
        Ok(plan_resource_change::Response {
            planned_state: Some(entry.plan_to_wire(&planned)?),
            planned_identity: entry.identity.beside(Some(&planned), identity_before)?,
            requires_replace: requires_replace.iter().map(path_to_wire).collect(),
            planned_private: request.prior_private,
            diagnostics: diagnostics_to_wire(diagnostics),
        })
    }

    /// Whatever goes wrong, the answer holds what exists, as far as anybody knows.
    pub(super) async fn apply_change(&self, request: apply_resource_change::Request) -> apply_resource_change::Response {
        let untouched = apply_resource_change::Response {
            new_state: request.prior_state.clone(),
            private: request.planned_private.clone(),
            ..apply_resource_change::Response::default()
        };
        self.try_apply_change(request).await.unwrap_or_else(|diagnostics| apply_resource_change::Response {
            diagnostics: diagnostics_to_wire(diagnostics),
            ..untouched
        })
    }

    /// An error means that nothing was touched.
    async fn try_apply_change(
        &self,
        request: apply_resource_change::Request,
    ) -> Result<apply_resource_change::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?.clone();
        let prior = object_from_wire(request.prior_state, &entry.value_type, &entry.state())?;
        let planned = object_from_wire(request.planned_state, &entry.value_type, &format!("plan of {}", entry.name))?;
        let what = format!("configuration of {}", entry.name);
        let config = value_from_wire(request.config, &entry.value_type, &what)?;
        let applied = match (planned, prior) {
            (Some(planned), prior) => self.apply_object(&entry, ApplyRequest { prior, planned, config }).await,
            (None, Some(prior)) => self.delete_object(&entry, prior).await,
            (None, None) => Applied::default(),
        };
        entry.answer_applied(applied, request.planned_private, request.planned_identity)
    }

    async fn apply_object(&self, entry: &Arc<ManagedResource>, request: ApplyRequest) -> Applied {
        let (prior, planned) = (request.prior.clone(), request.planned.clone());
        let seen = |value: Value| entry.schema.without_absent(value);
        let request =
            ApplyRequest { prior: request.prior.map(seen), planned: seen(request.planned), config: seen(request.config) };
        let resource = entry.clone();
        let apply = |call| async move { resource.resource.apply(&call, request).await };
        match self.calls.run(format!("apply of {}", entry.name), apply).await {
            Ok(response) => {
                entry.judge_applied(prior, &planned, Applied { state: response.state, diagnostics: response.diagnostics })
            }
            // Nobody knows how far it came. A create may have made something: keeping the plan as a (tainted) state lets the
            // next run find and delete it. An update keeps what was known before.
            Err(panic) => Applied { state: prior.or(Some(known_part(planned))), diagnostics: panic.into() },
        }
    }

    async fn delete_object(&self, entry: &Arc<ManagedResource>, prior: Value) -> Applied {
        let (resource, before) = (entry.clone(), entry.schema.without_absent(prior.clone()));
        let delete = |call| async move { resource.resource.delete(&call, before).await };
        match self.calls.run(format!("delete of {}", entry.name), delete).await {
            Ok(response) => {
                let mut diagnostics = response.diagnostics;
                if response.left_behind.is_some() && !diagnostics.has_errors() {
                    let found = "It left something behind and reported no error.";
                    diagnostics.push(bug(&format!("delete of {} is incomplete", entry.name), found));
                }
                Applied {
                    state: response.left_behind.map(|left| entry.schema.with_absent(known_part(left), &prior)),
                    diagnostics,
                }
            }
            Err(panic) => Applied { state: Some(prior), diagnostics: panic.into() },
        }
    }
}

/// What exists after an apply, and what there is to say about it.
#[derive(Default)]
struct Applied {
    state: Option<Value>,
    diagnostics: Diagnostics,
}

impl ManagedResource {
    fn judge_applied(&self, prior: Option<Value>, planned: &Value, applied: Applied) -> Applied {
        let Applied { state, mut diagnostics } = applied;
        let Some(state) = state else {
            if !diagnostics.has_errors() {
                diagnostics.push(no_state(self.name));
            }
            // An update that failed before it began has nothing new to tell: the object is still there.
            return Applied { state: prior, diagnostics };
        };
        let state = self.schema.with_absent(self.schema.without_write_only(state), planned);
        if !diagnostics.has_errors() {
            diagnostics.extend(never_null(self.name, &self.schema, &state));
            diagnostics.extend(applied_keeps_planned(self.name, &self.schema, planned, &state));
        }
        let state = known_part(state);
        match self.to_wire(&state) {
            Ok(_) => Applied { state: Some(state), diagnostics },
            // Something exists that cannot be read: the plan is nearer to it than nothing.
            Err(misfit) => {
                diagnostics.extend(misfit);
                Applied { state: prior.or(Some(known_part(planned.clone()))), diagnostics }
            }
        }
    }

    fn answer_applied(
        &self,
        applied: Applied,
        private: Vec<u8>,
        planned_identity: Option<ResourceIdentityData>,
    ) -> Result<apply_resource_change::Response, Diagnostics> {
        let new_identity = match &applied.state {
            Some(state) => self.identity.beside(Some(state), planned_identity)?,
            None => None,
        };
        Ok(apply_resource_change::Response {
            new_state: Some(self.to_wire(applied.state.as_ref().unwrap_or(&Value::Null))?),
            new_identity,
            private,
            diagnostics: diagnostics_to_wire(applied.diagnostics),
        })
    }
}

fn no_state(name: &str) -> Diagnostic {
    bug(&format!("apply of {name} returned no state"), "It reported no error either.")
}

/// A state cannot hold unknown values; after a failure they are what never came to be.
fn known_part(value: Value) -> Value {
    match value {
        Value::Unknown | Value::Changing(_) => Value::Null,
        Value::List(items) => Value::List(items.into_iter().map(known_part).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, value)| (name, known_part(value))).collect()),
        Value::Typed(ty, value) => Value::Typed(ty, Box::new(known_part(*value))),
        value => value,
    }
}

/// Only an object that exists can be replaced.
fn merge_paths(mut paths: Vec<AttributePath>, more: Vec<AttributePath>, exists: bool) -> Vec<AttributePath> {
    if !exists {
        return Vec::new();
    }
    for path in more {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}
