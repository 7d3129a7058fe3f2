//! Managed resources outside of a change: validate, upgrade, import, move, read.

use std::sync::Arc;

use ::schema::{Diagnostic, Diagnostics, Value};

use super::Service;
use super::catalogue::ManagedResource;
use crate::bug::bug;
use crate::check::{configured_write_only, is_wholly_known};
use crate::convert::{diagnostics_to_wire, json_from_wire, object_from_wire, value_from_wire, value_to_wire};
use crate::panic;
use crate::wire::tfplugin6::import_resource_state::ImportedResource;
use crate::wire::tfplugin6::*;

impl Service {
    pub(super) fn validate_resource(
        &self,
        request: validate_resource_config::Request,
    ) -> Result<validate_resource_config::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?;
        let name = entry.name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let mut diagnostics = entry.schema.validate(&config);
        let seen = entry.schema.without_absent(config.clone());
        if !request.client_capabilities.unwrap_or_default().write_only_attributes_allowed {
            diagnostics.extend(configured_write_only(&entry.schema, &config).into_iter().map(|path| {
                Diagnostic::error(format!("this engine cannot take the write-only attribute {path}"))
                    .detail("It would be stored in the state. Use Terraform 1.11, OpenTofu 1.11 or newer.")
                    .at(path)
            }));
        }
        diagnostics.extend(panic::catch(&format!("validation of {name}"), || entry.resource.validate(&seen))?);
        Ok(validate_resource_config::Response { diagnostics: diagnostics_to_wire(diagnostics) })
    }

    pub(super) fn upgrade_state(
        &self,
        request: upgrade_resource_state::Request,
    ) -> Result<upgrade_resource_state::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?;
        let state = entry.state_from_json(request.raw_state, request.version)?;
        Ok(upgrade_resource_state::Response { upgraded_state: Some(entry.to_wire(&state)?), diagnostics: Vec::new() })
    }

    pub(super) fn upgrade_identity(
        &self,
        request: upgrade_resource_identity::Request,
    ) -> Result<upgrade_resource_identity::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?;
        let json = json_from_wire(&request.raw_identity.unwrap_or_default().json, "identity")?;
        let identity = entry.identity.parse_stored(&json, request.version)?;
        let upgraded_identity = Some(entry.identity.to_wire(&identity)?);
        Ok(upgrade_resource_identity::Response { upgraded_identity, diagnostics: Vec::new() })
    }

    pub(super) async fn import_state(
        &self,
        request: import_resource_state::Request,
    ) -> Result<import_resource_state::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?.clone();
        let name = entry.name;
        let identity = entry.identity.parse_import(request.identity.clone())?;
        let resource = entry.clone();
        let import = |call| async move {
            match identity {
                Some(identity) => resource.resource.import_by_identity(&call, &identity).await,
                None => resource.resource.import(&call, &request.id).await,
            }
        };
        let state = self.calls.run(format!("import of {name}"), import).await??;
        let state = entry.schema.without_write_only(state);
        let unknown = is_wholly_known(&format!("import of {name}"), &entry.schema, &state);
        if unknown.has_errors() {
            return Err(unknown);
        }
        let imported = ImportedResource {
            type_name: name.to_owned(),
            state: Some(entry.to_wire(&state)?),
            private: Vec::new(),
            identity: entry.identity.beside(Some(&state), request.identity)?,
        };
        Ok(import_resource_state::Response { imported_resources: vec![imported], diagnostics: Vec::new() })
    }

    /// `moved` from another type: no type of this provider ever had another name.
    pub(super) fn move_state(&self, request: move_resource_state::Request) -> Result<move_resource_state::Response, Diagnostics> {
        let (source, target) = (&request.source_type_name, &request.target_type_name);
        let refused = Diagnostic::error(format!("cannot move {source} to {target}"));
        Err(refused
            .detail(format!("Nothing can be moved to {target}. Import the object instead, or remove the moved block."))
            .into())
    }

    pub(super) async fn read_state(&self, request: read_resource::Request) -> Result<read_resource::Response, Diagnostics> {
        let entry = self.catalogue()?.resource(&request.type_name)?.clone();
        let Some(prior) = object_from_wire(request.current_state.clone(), &entry.value_type, &entry.state())? else {
            return Ok(read_resource::Response { new_state: request.current_state, ..Default::default() });
        };
        let (resource, seen) = (entry.clone(), entry.schema.without_absent(prior.clone()));
        let operation = format!("read of {}", entry.name);
        let read = |call| async move { resource.resource.read(&call, seen).await };
        let response = self.calls.run(operation.clone(), read).await?;

        let mut diagnostics = response.diagnostics;
        let state = response.state.map(|state| entry.schema.with_absent(entry.schema.without_write_only(state), &prior));
        if let Some(state) = &state {
            diagnostics.extend(is_wholly_known(&operation, &entry.schema, state));
        }
        if diagnostics.has_errors() {
            // The engine keeps what it had.
            return Err(diagnostics);
        }
        Ok(read_resource::Response {
            new_state: Some(entry.to_wire(state.as_ref().unwrap_or(&Value::Null))?),
            new_identity: state
                .as_ref()
                .map(|state| entry.identity.beside(Some(state), request.current_identity))
                .transpose()?
                .flatten(),
            private: request.private,
            diagnostics: diagnostics_to_wire(diagnostics),
        })
    }
}

impl ManagedResource {
    /// For messages: `state of k8s_pki`.
    pub(super) fn state(&self) -> String {
        format!("state of {}", self.name)
    }

    pub(super) fn to_wire(&self, state: &Value) -> Result<DynamicValue, Diagnostics> {
        value_to_wire(state, &self.value_type, &self.state())
    }

    pub(super) fn plan_to_wire(&self, planned: &Value) -> Result<DynamicValue, Diagnostics> {
        match self.schema.planned_to_msgpack(planned) {
            Ok(msgpack) => Ok(DynamicValue { msgpack, json: Vec::new() }),
            Err(error) => Err(bug(&format!("the plan of {} does not fit the schema", self.name), &error.to_string()).into()),
        }
    }

    /// A state as a state file has it, brought to the current schema version.
    fn state_from_json(self: &Arc<Self>, raw: Option<RawState>, version: i64) -> Result<Value, Diagnostics> {
        let what = self.state();
        let mut json = json_from_wire(&raw.unwrap_or_default().json, &what)?;
        if version > self.schema.version {
            let detail = format!(
                "The {what} has version {version}, this provider knows versions up to {}. Install the provider version that wrote it, or a newer one.",
                self.schema.version
            );
            return Err(Diagnostic::error("a newer version of this provider wrote the state").detail(detail).into());
        }
        if version < self.schema.version {
            json = panic::catch(&format!("upgrade of the {what}"), || self.resource.upgrade(version, json))??;
        }
        let state = Value::from_json(&json, &self.value_type)
            .map_err(|error| bug(&format!("cannot read the {what} of version {version}"), &error.to_string()))?;
        Ok(self.schema.without_write_only(state))
    }
}
