//! A refresh: which objects are gone or somebody else's, and which fields others have changed. A cluster that does not answer is a
//! warning.

use super::config::Config;
use super::conflicts::{IS_GONE, shown, whole};
use super::errors::unanswered;
use super::ignored::Ignored;
use super::one_object::is_excluding;
use super::ownership::{DECLARED, Owner, Ownership, Versions, is_being_deleted, refs};
use super::plan::is_node;
use super::record::Record;
use super::secrets::{add_secret_keys, has_others};
use super::state::{self, DRIFT, NOT_READY, ROLLOUT};
use super::waits::not_ready;
use super::{Declaration, InCluster, ObjectsResource, digests};
use crate::ports::Kubernetes;
use crate::resources::control_plane::ControlPlane;
use crate::wait::Waiter;
use addons::Pins;
use objects::{Declared, Fields, ObjectKey, Readiness, Taken, readiness, vanishes};
use protocol::{Call, ReadResponse};
use schema::{Diagnostic, Diagnostics, Value, decode};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// A refresh asks the API server for so long: each control-plane host that does not answer takes ten seconds.
const LIMIT: Duration = Duration::from_secs(60);

impl<R: ObjectsResource> InCluster<R> {
    pub(super) async fn look(&self, call: &Call, prior: Value) -> ReadResponse {
        let clock = self.shared.world.clock();
        let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
        let unseen = |prior: Value, error| {
            let warning = unseen(&state::owner(self.resource.kind(), &prior), error);
            ReadResponse { state: Some(prior), diagnostics: warning.into() }
        };
        match waiter.within(LIMIT, self.refreshed(&prior)).await {
            Some(Ok(state)) => ReadResponse { state: Some(state), diagnostics: Diagnostics::default() },
            Some(Err(error)) => unseen(prior, error),
            None => unseen(prior, Diagnostic::error("no answer in time")),
        }
    }

    async fn refreshed(&self, prior: &Value) -> Result<Value, Diagnostic> {
        let config: Config = decode(prior)?;
        let cluster = ControlPlane::connect(&self.shared, config.way()).await.map_err(Diagnostic::from)?;
        cluster.refuse_another_cluster(&config.cluster).await?;
        let mut state = prior.clone();
        let applied = state::fields(prior);
        let mut declared = self.resource.declared(prior, &mut Diagnostics::default()).unwrap_or_default();
        add_secret_keys(&mut declared, &state::secret_keys(prior));
        let owner = state::owner(self.resource.kind(), prior);
        let recorded = Record::read(&*cluster.api, &owner).await.map_err(unanswered)?;
        let noted = recorded.filter(|record| record.holder == owner.holder).map(|record| record.objects).unwrap_or_default();
        let mut found = find(&*cluster.api, &applied, &noted).await?;
        let pins = digests::pins(prior);
        found.values_mut().for_each(|live| pins.take(live));
        let look = Look {
            owner: &owner,
            declared: &declared,
            ignored: config.ignored(),
            is_sensitive: state::is_sensitive(prior),
            pins,
            prior,
        };
        let mut drift: BTreeMap<ObjectKey, BTreeMap<String, String>> =
            applied.iter().map(|(key, fields)| (key.clone(), look.differences(key, fields, found.get(key)))).collect();
        drift.retain(|_, found| !found.is_empty());
        // Of an apply that was cut off: no state knows it.
        let is_left = |key: &&ObjectKey| {
            !applied.contains_key(*key) && found.get(*key).is_some_and(|live| owner.of(live) == Ownership::Ours)
        };
        let left = noted.keys().filter(is_left);
        drift.extend(left.map(|key| (key.clone(), whole("an apply that was cut off has left it"))));
        state.set(DRIFT, Value::Map(drift.iter().map(|(key, found)| (key.to_string(), state::texts(found))).collect()));
        let mut waited = state::not_ready(prior);
        let nodes = if waited.keys().any(is_node) { cluster.api.nodes().await.map_err(unanswered)? } else { BTreeMap::new() };
        let nodes = not_ready(nodes);
        waited.retain(|key, _| match is_node(key) {
            true => nodes.contains_key(key),
            false => found.get(key).is_none_or(|live| readiness(key, live) != Readiness::Ready),
        });
        state.set(NOT_READY, state::show_not_ready(&waited));
        state.set(ROLLOUT, Value::List(Vec::new()));
        Ok(state)
    }
}

/// Where an object says what was declared when it was last applied.
fn another_declaration() -> String {
    format!(".metadata.annotations[{DECLARED:?}]")
}

const ANOTHER_DECLARATION: &str =
    "something else was applied last, by an apply that was cut off or from another copy of the state";

const OTHER_VALUES: &str =
    "values of another secrets_version were applied last, by an apply that was cut off or from another copy of the state";

fn unseen(owner: &Owner, error: Diagnostic) -> Diagnostic {
    let why = [error.summary, error.detail].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
    Diagnostic::warning(format!("the objects of {owner} were not looked at"))
        .detail(format!("{why}\n\nThe plan goes by the state."))
}

async fn find(
    api: &dyn Kubernetes,
    applied: &BTreeMap<ObjectKey, Fields>,
    noted: &Versions,
) -> Result<BTreeMap<ObjectKey, Json>, Diagnostic> {
    let mut versions = noted.clone();
    versions.extend(state::versions(applied));
    api.find_objects(&refs(&versions)).await.map_err(unanswered)
}

struct Look<'a> {
    owner: &'a Owner,
    declared: &'a Declaration,
    ignored: Ignored,
    is_sensitive: bool,
    pins: Pins,
    prior: &'a Value,
}

impl Look<'_> {
    /// An object that an apply did not come to has other fields in the state than are declared, and the next plan changes it anyway.
    fn differences(&self, key: &ObjectKey, applied: &Fields, live: Option<&Json>) -> BTreeMap<String, String> {
        let declared = self.declared.get(key);
        let Some(live) = live else {
            // It is done, as far as it was waited for.
            let is_done = |declared: &Declared| vanishes(key, &declared.object) && self.is_as_applied(declared, applied);
            let is_over = !state::not_ready(self.prior).contains_key(key) && declared.is_some_and(is_done);
            return if is_over { BTreeMap::new() } else { whole(IS_GONE) };
        };
        if is_being_deleted(live) {
            return whole("it is being deleted");
        }
        match self.owner.of(live) {
            Ownership::Ours => {}
            Ownership::None => return whole("it was created again by somebody else, or its annotations were taken away"),
            Ownership::OfAnotherState | Ownership::Other(_) => return whole("it belongs to another state or configuration"),
        }
        let Some(declared) = declared.filter(|declared| self.is_as_applied(declared, applied)) else { return BTreeMap::new() };
        let shown = |taken: &Taken| if self.is_sensitive { "(sensitive)".to_string() } else { shown(taken) };
        let taken = self.ignored.taken(declared, live).into_iter().map(|taken| (taken.path.clone(), shown(&taken)));
        let by_tag = digests::lacks_one(&self.pins, self.ignored.manager, declared, live)
            .then(|| (".spec.template.spec".to_string(), "an image is named without its digest".to_string()));
        // Fields that are ours are as they were applied last, which may have been something else.
        let another = (!self.owner.has_applied(declared, live)).then(|| (another_declaration(), ANOTHER_DECLARATION.to_string()));
        let begun =
            is_excluding(live).then(|| (".spec".to_string(), "an apply that was cut off has begun to change it".to_string()));
        let has_others = has_others(declared, &state::secrets_version(self.prior), live);
        let other_values = has_others.then(|| (".data".to_string(), OTHER_VALUES.to_string()));
        taken.chain(by_tag).chain(another).chain(other_values).chain(begun).collect()
    }

    fn is_as_applied(&self, declared: &Declared, applied: &Fields) -> bool {
        state::fields_of_one(&declared.without_values(), self.is_sensitive).as_ref() == Some(applied)
    }
}
