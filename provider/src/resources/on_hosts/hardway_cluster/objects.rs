//! The objects that a cluster begins with, as attributes: what is declared of each, what others have changed, and what is left to them.

use super::config::Config;
use super::join::Join;
use crate::configuration::Shared;
use crate::kubernetes::{FIELD_MANAGER, ObjectRef};
use crate::resources::control_plane::{ControlPlane, NoControlPlane, Way};
use crate::resources::in_cluster::ignored::Ignored;
use crate::resources::in_cluster::own_objects::{OwnObjects, Seen, Shown};
use crate::resources::in_cluster::state;
use crate::resources::in_cluster::validate::validate_fields;
use crate::resources::on_hosts::Looked;
use crate::resources::on_hosts::errors::render_error;
use crate::ssh::Ssh;
use crate::wait::Waiter;
use objects::{Declared, ObjectKey};
use protocol::Call;
use render::objects::bootstrap_objects;
use rollout::control_plane::Objects;
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Type, Value, ValueAt, decode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

const OWN_OBJECTS: &str = "own_objects";
const OWN_OBJECTS_DRIFT: &str = "own_objects_drift";
const IGNORE_FIELDS: &str = "ignore_fields";
/// A refresh asks the API server for so long: each control-plane host that does not answer takes ten seconds.
const LOOK_LIMIT: Duration = Duration::from_secs(40);

pub fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::map(IGNORE_FIELDS, Type::set(Type::String)).optional().describe(
            "Fields of the cluster's own objects that others may take over, by object and path, such as \
             `{ \"Deployment.apps/kube-system/coredns\" = [\".spec.replicas\"] }`. They are applied as they are declared until somebody else changes them, and are no drift from then on.",
        ),
        Attribute::map(OWN_OBJECTS, Type::String).computed().never_null().describe(
            "The objects that the cluster begins with, roles for TLS bootstrap and CoreDNS, each with the SHA-256 of what is declared of it. A plan names by it those that it \
             applies, and a refresh leaves out those that are not there.",
        ),
        Attribute::map(OWN_OBJECTS_DRIFT, Type::map(Type::String)).computed().never_null().describe(
            "Fields of these objects that others have changed since they were applied, with the value and its field manager, by object and path, as the last refresh found them. A plan sets it to empty; apply \
             restores them. What is in `ignore_fields` is not in it.",
        ),
    ]
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

fn declared(object: serde_json::Value) -> Option<Declared> {
    let ObjectRef { key, api_version } = ObjectRef::of(&object)?;
    Some(Declared { key, api_version, object })
}

/// Writes down what a plan knows of them.
pub fn show(config: &Config, planned: &mut Value) -> Result<(), Diagnostic> {
    planned.set(OWN_OBJECTS_DRIFT, Value::object([]));
    let Some(own) = own(config) else {
        planned.set(OWN_OBJECTS, Value::Unknown);
        return Ok(());
    };
    let own = own?;
    let digests = own.digests();
    if let Some(stranger) = own.ignored.paths.keys().find(|key| !digests.contains_key(*key)) {
        return Err(Diagnostic::error(format!("{stranger} is none of the cluster's own objects"))
            .detail(format!("They are {}.", digests.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
            .at(AttributePath::attribute(IGNORE_FIELDS)));
    }
    planned.set(OWN_OBJECTS, shown(digests));
    Ok(())
}

fn shown(digests: BTreeMap<ObjectKey, String>) -> Value {
    Value::Map(digests.into_iter().map(|(key, digest)| (key.to_string(), digest.into())).collect())
}

/// Whether an apply has anything to do with them.
pub fn due(own: &OwnObjects, prior: Option<&Value>) -> Objects {
    let is_as_declared = |prior: &Value| *prior.get(OWN_OBJECTS) == shown(own.digests()) && planned(own, Some(prior)).is_empty();
    if prior.is_some_and(is_as_declared) { Objects::AsDeclared } else { Objects::Due }
}

/// What the last refresh has found, as far as it is not left to others by now.
pub fn planned(own: &OwnObjects, prior: Option<&Value>) -> Shown {
    own.ignored.without(prior.map(|prior| state::paths(prior.get(OWN_OBJECTS_DRIFT))).unwrap_or_default())
}

/// Keeps of the state before what an apply that failed has not come to.
pub fn keep(prior: Option<&Value>, state: &mut Value) {
    for name in [OWN_OBJECTS, OWN_OBJECTS_DRIFT] {
        let before = prior.map(|prior| prior.get(name).clone()).filter(|before| !before.is_null());
        state.set(name, before.unwrap_or_else(|| Value::object([])));
    }
}

#[derive(Deserialize)]
struct Reached {
    join: Field<Join>,
    ssh: Field<Ssh>,
}

/// At a refresh. Why no API server answers is said by what differs on hosts, where anything does.
pub async fn look(shared: &Shared, config: &Config, call: &Call, prior: &Value) -> Result<Looked, Diagnostic> {
    // A version that the catalogue does not have any more is no reason to see nothing of the hosts.
    let Some(Ok(own)) = own(config) else { return Ok(Looked::default()) };
    let reached: Reached = decode(prior)?;
    let clock = shared.world.clock();
    let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
    let asked = waiter.within(LOOK_LIMIT, async {
        let cluster = ControlPlane::connect(shared, Way { join: &reached.join, ssh: &reached.ssh }).await?;
        cluster.refuse_another_cluster(&reached.join).await?;
        let seen = own.look(&*cluster.api).await;
        seen.map_err(|error| NoControlPlane { may_be_there: true, ..Diagnostic::error(error.to_string()).into() })
    });
    let reason = match asked.await {
        Some(Ok(seen)) => return Ok(Looked { attributes: found(seen), ..Looked::default() }),
        // No host has credentials for an API server.
        Some(Err(none)) if none.is_gone => return Ok(Looked { attributes: found(Seen::default()), ..Looked::default() }),
        Some(Err(none)) if !none.may_be_there => return Ok(Looked::default()),
        Some(Err(none)) => format!("{}: {}", none.error.summary, none.error.detail),
        None => format!("no answer within {} s", LOOK_LIMIT.as_secs()),
    };
    let warning = Diagnostic::warning("the cluster's own objects were not looked at")
        .detail(format!("{reason}\n\nWhat was last known of them is kept. The next refresh asks again."));
    Ok(Looked { unless_hosts_differ: warning.into(), ..Looked::default() })
}

fn found(Seen { digests, drift }: Seen) -> Vec<(&'static str, Value)> {
    let drift = drift.into_iter().map(|(key, fields)| (key.to_string(), state::texts(&fields)));
    vec![(OWN_OBJECTS, shown(digests)), (OWN_OBJECTS_DRIFT, Value::Map(drift.collect()))]
}
