//! The objects that a cluster begins with: what is declared of each, and what is left to others.

use super::config::Config;
use super::join::Join;
use crate::configuration::Shared;
use crate::kubernetes::FIELD_MANAGER;
use crate::resources::control_plane::Way;
use crate::resources::in_cluster::ignored::Ignored;
use crate::resources::in_cluster::own_objects::{OwnObjects, declared};
use crate::resources::in_cluster::own_state;
use crate::resources::in_cluster::validate::validate_fields;
use crate::resources::on_hosts::Looked;
use crate::resources::on_hosts::errors::render_error;
use crate::ssh::Ssh;
use objects::ObjectKey;
use protocol::Call;
use render::objects::bootstrap_objects;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Type, Value, ValueAt, decode};
use serde::Deserialize;

const IGNORE_FIELDS: &str = "ignore_fields";

pub fn attributes() -> Vec<Attribute> {
    let ignore = Attribute::map(IGNORE_FIELDS, Type::set(Type::String)).optional().describe(
        "Fields of the cluster's own objects that others may take over, by object and path, such as \
         `{ \"Deployment.apps/kube-system/coredns\" = [\".spec.replicas\"] }`. They are applied as they are declared until somebody else changes them, and are no drift from then on.",
    );
    let what = "The objects that the cluster begins with, roles for TLS bootstrap and CoreDNS";
    [ignore].into_iter().chain(own_state::attributes(what, " What is in `ignore_fields` is not in it.")).collect()
}

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    for (key, fields) in config.get(IGNORE_FIELDS).entries() {
        if key.parse::<ObjectKey>().is_err() {
            found.push(fields.error(
                format!("{key:?} names no object"),
                "Write its kind with the group of its API, its namespace and its name, as `own_objects` has it: \"Deployment.apps/kube-system/coredns\".",
            ));
        }
        validate_fields(&fields, found);
    }
}

/// `None` while something is unknown that they are made of.
pub fn own(config: &Config) -> Option<Result<OwnObjects, Diagnostic>> {
    let spec = config.objects_spec()?;
    // Of each object all is known, or nothing follows from it.
    config.ignore_fields.settle_values(|paths| paths.iter().all(|path| path.known().is_some()).then_some(()))?;
    Some(bootstrap_objects(&spec).map_err(render_error).map(|objects| OwnObjects {
        declared: objects.into_iter().filter_map(declared).collect(),
        ignored: Ignored::of(FIELD_MANAGER, &config.ignore_fields),
    }))
}

/// Writes down what a plan knows of them.
pub fn show(config: &Config, planned: &mut Value) -> Result<(), Diagnostic> {
    let own = own(config).transpose()?;
    own_state::show(own.as_ref(), planned);
    let Some(own) = own else { return Ok(()) };
    let digests = own.digests();
    if let Some(stranger) = own.ignored.paths.keys().find(|key| !digests.contains_key(*key)) {
        return Err(Diagnostic::error(format!("{stranger} is none of the cluster's own objects"))
            .detail(format!("They are {}.", digests.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
            .at(AttributePath::attribute(IGNORE_FIELDS)));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Reached {
    join: Field<Join>,
    ssh: Field<Ssh>,
}

/// At a refresh.
pub async fn look(shared: &Shared, config: &Config, call: &Call, prior: &Value) -> Result<Looked, Diagnostic> {
    // A version that the catalogue does not have any more is no reason to see nothing of the hosts.
    let Some(Ok(own)) = own(config) else { return Ok(Looked::default()) };
    let reached: Reached = decode(prior)?;
    own_state::look(shared, &own, "the cluster's", Way { join: &reached.join, ssh: &reached.ssh }, call).await
}
