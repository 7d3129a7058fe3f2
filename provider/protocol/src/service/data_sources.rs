//! Data sources: validate and read.

use ::schema::{Diagnostics, Value};

use super::Service;
use super::catalogue::{Catalogue, Entry, unknown_name};
use crate::check::{Planned, is_wholly_known, planned_keeps_config};
use crate::convert::{diagnostics_to_wire, value_from_wire, value_to_wire};
use crate::panic;
use crate::provider::DataSource;
use crate::wire::tfplugin6::*;

type Source = Entry<std::sync::Arc<dyn DataSource>>;

impl Service {
    pub(super) fn validate_data_source(
        &self,
        request: validate_data_resource_config::Request,
    ) -> Result<validate_data_resource_config::Response, Diagnostics> {
        let entry = find(self.catalogue()?, &request.type_name)?;
        let name = request.type_name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let mut diagnostics = entry.schema.validate(&config);
        diagnostics
            .extend(panic::catch(&format!("validation of {name}"), || entry.it.validate(&entry.schema.without_absent(config)))?);
        Ok(validate_data_resource_config::Response { diagnostics: diagnostics_to_wire(diagnostics) })
    }

    pub(super) async fn read_data(&self, request: read_data_source::Request) -> Result<read_data_source::Response, Diagnostics> {
        let entry = find(self.catalogue()?, &request.type_name)?;
        let name = request.type_name;
        let config = value_from_wire(request.config, &entry.value_type, &format!("configuration of {name}"))?;
        let (source, seen) = (entry.it.clone(), entry.schema.without_absent(config.clone()));
        let filled = entry.schema.with_defaults(seen.clone(), &seen);
        let read = |call| async move { source.read(&call, filled).await };
        let operation = format!("read of {name}");
        let state = entry.schema.with_absent(self.calls.run(operation.clone(), read).await??, &config);

        let mut diagnostics = is_wholly_known(&operation, &entry.schema, &state);
        let objects = Planned { prior: &Value::Null, config: &config, planned: &state };
        diagnostics.extend(planned_keeps_config(&name, &entry.schema, objects));
        let state = (!diagnostics.has_errors()).then(|| value_to_wire(&state, &entry.value_type, &format!("state of {name}")));
        Ok(read_data_source::Response { state: state.transpose()?, diagnostics: diagnostics_to_wire(diagnostics) })
    }
}

fn find<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Source, Diagnostics> {
    catalogue.data_sources.get(name).ok_or_else(|| unknown_name("data source", name))
}
