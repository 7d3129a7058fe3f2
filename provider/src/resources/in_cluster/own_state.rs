//! Objects that a resource on hosts keeps in the cluster, as its attributes: what is declared of each, and what others have changed.

use super::own_objects::{OwnObjects, Seen, Shown};
use super::state;
use crate::configuration::Shared;
use crate::resources::control_plane::{ControlPlane, NoControlPlane, Way};
use crate::resources::on_hosts::Looked;
use crate::wait::Waiter;
use objects::ObjectKey;
use protocol::Call;
use rollout::control_plane::Objects;
use schema::{Attribute, Diagnostic, Type, Value};
use std::collections::BTreeMap;
use std::time::Duration;

pub const OWN_OBJECTS: &str = "own_objects";
pub const OWN_OBJECTS_DRIFT: &str = "own_objects_drift";
/// A refresh asks the API server for so long: each control-plane host that does not answer takes ten seconds.
const LOOK_LIMIT: Duration = Duration::from_secs(40);

/// `what` they are, as a beginning of a sentence; `ignored` ends one, where some fields are left to others.
pub fn attributes(what: &str, ignored: &str) -> Vec<Attribute> {
    vec![
        Attribute::map(OWN_OBJECTS, Type::String).computed().never_null().describe(format!(
            "{what}, each with the SHA-256 of what is declared of it. A plan names by it those that it \
             applies, and a refresh leaves out those that are not there."
        )),
        Attribute::map(OWN_OBJECTS_DRIFT, Type::map(Type::String)).computed().never_null().describe(format!(
            "Fields of these objects that others have changed since they were applied, with the value and its field manager, by object and path, as the last refresh found them. A plan sets it to empty; apply \
             restores them.{ignored}"
        )),
    ]
}

/// Writes down what a plan knows of them; `None` where that is not known yet.
pub fn show(own: Option<&OwnObjects>, planned: &mut Value) {
    planned.set(OWN_OBJECTS_DRIFT, Value::object([]));
    planned.set(OWN_OBJECTS, own.map_or(Value::Unknown, |own| shown(own.digests())));
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

/// At a refresh. Why no API server answers is said by what differs on hosts, where anything does. `whose` they are, in words.
pub async fn look(shared: &Shared, own: &OwnObjects, whose: &str, way: Way<'_>, call: &Call) -> Result<Looked, Diagnostic> {
    let clock = shared.world.clock();
    let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
    let asked = waiter.within(LOOK_LIMIT, async {
        let cluster = ControlPlane::connect(shared, way).await?;
        cluster.refuse_another_cluster(way.join).await?;
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
    let warning = Diagnostic::warning(format!("{whose} own objects were not looked at"))
        .detail(format!("{reason}\n\nWhat was last known of them is kept. The next refresh asks again."));
    Ok(Looked { unless_hosts_differ: warning.into(), ..Looked::default() })
}

fn found(Seen { digests, drift }: Seen) -> Vec<(&'static str, Value)> {
    let drift = drift.into_iter().map(|(key, fields)| (key.to_string(), state::texts(&fields)));
    vec![(OWN_OBJECTS, shown(digests)), (OWN_OBJECTS_DRIFT, Value::Map(drift.collect()))]
}
