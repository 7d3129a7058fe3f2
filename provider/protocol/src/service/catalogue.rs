//! Everything the provider has, by the names that requests use, with what follows from each schema worked out once.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::schema::{Diagnostic, Diagnostics, Schema, Type};

use crate::bug::bug;
use crate::identity::Identity;
use crate::provider::{DataSource, Function, Provider, Resource};

pub(super) struct Catalogue {
    pub(super) provider: Entry<()>,
    pub(super) resources: BTreeMap<&'static str, Arc<ManagedResource>>,
    pub(super) data_sources: BTreeMap<&'static str, Entry<Arc<dyn DataSource>>>,
    pub(super) functions: BTreeMap<&'static str, Box<dyn Function>>,
}

/// One that has a schema.
pub(super) struct Entry<T> {
    pub(super) it: T,
    pub(super) schema: Schema,
    pub(super) value_type: Type,
}

impl<T> Entry<T> {
    fn new(it: T, schema: Schema) -> Entry<T> {
        Entry { it, value_type: schema.value_type(), schema }
    }
}

pub(super) struct ManagedResource {
    pub(super) name: &'static str,
    pub(super) resource: Box<dyn Resource>,
    pub(super) schema: Schema,
    pub(super) value_type: Type,
    pub(super) identity: Identity,
}

impl Catalogue {
    pub(super) fn new(provider: &dyn Provider) -> Result<Catalogue, Diagnostic> {
        let resources = provider.resources().into_iter().map(|resource| {
            let (name, schema) = (resource.name(), resource.schema());
            let identity = Identity::new(name, resource.identity(), &schema)?;
            let value_type = schema.value_type();
            Ok((name, Arc::new(ManagedResource { name, resource, schema, value_type, identity })))
        });
        let data_sources = provider.data_sources().into_iter().map(|source| {
            let (name, schema) = (source.name(), source.schema());
            (name, Entry::new(Arc::from(source), schema))
        });
        Ok(Catalogue {
            provider: Entry::new((), provider.schema()),
            resources: resources.collect::<Result<_, Diagnostic>>()?,
            data_sources: data_sources.collect(),
            functions: provider.functions().into_iter().map(|function| (function.name(), function)).collect(),
        })
    }

    pub(super) fn resource(&self, name: &str) -> Result<&Arc<ManagedResource>, Diagnostics> {
        self.resources.get(name).ok_or_else(|| unknown_name("resource", name))
    }
}

/// Engines refuse unknown names by themselves, so this means that two versions of the provider are mixed up.
pub(super) fn unknown_name(kind: &str, name: &str) -> Diagnostics {
    bug(&format!("asked for a {kind} {name}"), "This version of the provider does not have it.").into()
}
