//! What the provider is: its lists, its schemas, its own configuration.

use ::schema::Diagnostics;

use super::Service;
use super::catalogue::Catalogue;
use crate::convert::schema::{function_to_wire, identity_to_wire, schema_to_wire};
use crate::convert::{diagnostics_to_wire, value_from_wire};
use crate::panic;
use crate::wire::tfplugin6::*;

const CONFIGURATION: &str = "configuration of the provider";

fn server_capabilities() -> ServerCapabilities {
    ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: false,
    }
}

impl Service {
    pub(super) fn metadata(&self) -> Result<get_metadata::Response, Diagnostics> {
        let catalogue = self.catalogue()?;
        let type_name = |name: &&str| get_metadata::TypeName { type_name: name.to_string() };
        let functions = catalogue.functions.keys().map(|name| get_metadata::FunctionName { name: name.to_string() });
        Ok(get_metadata::Response {
            server_capabilities: Some(server_capabilities()),
            resources: catalogue.resources.keys().map(type_name).collect(),
            data_sources: catalogue.data_sources.keys().map(type_name).collect(),
            functions: functions.collect(),
            ..Default::default()
        })
    }

    pub(super) fn provider_schema(&self) -> Result<get_provider_schema::Response, Diagnostics> {
        let catalogue = self.catalogue()?;
        let resources = catalogue.resources.iter().map(|(name, entry)| (name.to_string(), schema_to_wire(&entry.schema)));
        let data_sources = catalogue.data_sources.iter().map(|(name, entry)| (name.to_string(), schema_to_wire(&entry.schema)));
        Ok(get_provider_schema::Response {
            provider: Some(schema_to_wire(&catalogue.provider.schema)),
            resource_schemas: resources.collect(),
            data_source_schemas: data_sources.collect(),
            functions: functions_to_wire(catalogue),
            server_capabilities: Some(server_capabilities()),
            ..Default::default()
        })
    }

    pub(super) fn identity_schemas(&self) -> Result<get_resource_identity_schemas::Response, Diagnostics> {
        let resources = self.catalogue()?.resources.iter();
        // A resource without identity attributes has no identity schema at all.
        let identities = resources.filter(|(_, entry)| entry.identity.names().next().is_some());
        Ok(get_resource_identity_schemas::Response {
            identity_schemas: identities.map(|(name, entry)| (name.to_string(), identity_to_wire(&entry.identity))).collect(),
            diagnostics: Vec::new(),
        })
    }

    pub(super) fn functions(&self) -> Result<get_functions::Response, Diagnostics> {
        Ok(get_functions::Response { functions: functions_to_wire(self.catalogue()?), diagnostics: Vec::new() })
    }

    pub(super) fn validate_provider(
        &self,
        request: validate_provider_config::Request,
    ) -> Result<validate_provider_config::Response, Diagnostics> {
        let entry = &self.catalogue()?.provider;
        let config = value_from_wire(request.config, &entry.value_type, CONFIGURATION)?;
        let mut diagnostics = entry.schema.validate(&config);
        diagnostics
            .extend(panic::catch("validation of the provider", || self.provider.validate(&entry.schema.without_absent(config)))?);
        Ok(validate_provider_config::Response { diagnostics: diagnostics_to_wire(diagnostics) })
    }

    pub(super) async fn configure(
        &self,
        request: configure_provider::Request,
    ) -> Result<configure_provider::Response, Diagnostics> {
        let entry = &self.catalogue()?.provider;
        let config = value_from_wire(request.config, &entry.value_type, CONFIGURATION)?;
        let config = entry.schema.without_absent(config);
        self.calls.begin();
        let (provider, version) = (self.provider.clone(), request.terraform_version);
        let configure = |_call| async move { provider.configure(config, &version).await };
        let diagnostics = self.calls.run("configuration of the provider".to_owned(), configure).await?;
        Ok(configure_provider::Response { diagnostics: diagnostics_to_wire(diagnostics) })
    }
}

fn functions_to_wire(catalogue: &Catalogue) -> std::collections::HashMap<String, Function> {
    catalogue.functions.iter().map(|(name, function)| (name.to_string(), function_to_wire(function.as_ref()))).collect()
}
