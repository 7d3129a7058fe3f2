//! Ephemeral resources: validate and open. Their values are in no state; renewing and closing need nothing.

use std::sync::Arc;

use ::schema::{Diagnostics, Value};

use super::Service;
use super::catalogue::{Catalogue, Entry, unknown_name};
use crate::check::{Planned, is_wholly_known, planned_keeps_config};
use crate::convert::{diagnostics_to_wire, value_from_wire, value_to_wire};
use crate::panic;
use crate::provider::EphemeralResource;
use crate::wire::tfplugin6::*;

impl Service {
    pub(super) fn validate_ephemeral_resource(
        &self,
        request: validate_ephemeral_resource_config::Request,
    ) -> Result<validate_ephemeral_resource_config::Response, Diagnostics> {
        let entry = find(self.catalogue()?, &request.type_name)?;
        let name = request.type_name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let mut diagnostics = entry.schema.validate(&config);
        diagnostics.extend(panic::catch(&format!("validation of {name}"), || entry.it.validate(&config))?);
        Ok(validate_ephemeral_resource_config::Response { diagnostics: diagnostics_to_wire(diagnostics) })
    }

    pub(super) async fn open_ephemeral(
        &self,
        request: open_ephemeral_resource::Request,
    ) -> Result<open_ephemeral_resource::Response, Diagnostics> {
        let entry = find(self.catalogue()?, &request.type_name)?;
        let name = request.type_name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let (resource, filled) = (entry.it.clone(), entry.schema.with_defaults(config.clone(), &config));
        let open = |call| async move { resource.open(&call, filled).await };
        let operation = format!("opening of {name}");
        let result = self.calls.run(operation.clone(), open).await??;

        let mut diagnostics = is_wholly_known(&operation, &entry.schema, &result);
        let objects = Planned { prior: &Value::Null, config: &config, planned: &result };
        diagnostics.extend(planned_keeps_config(&name, &entry.schema, objects));
        let result = (!diagnostics.has_errors()).then(|| value_to_wire(&result, &entry.value_type, &format!("result of {name}")));
        Ok(open_ephemeral_resource::Response {
            result: result.transpose()?,
            diagnostics: diagnostics_to_wire(diagnostics),
            private: None,
        })
    }
}

fn find<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Entry<Arc<dyn EphemeralResource>>, Diagnostics> {
    catalogue.ephemeral_resources.get(name).ok_or_else(|| unknown_name("ephemeral resource", name))
}
