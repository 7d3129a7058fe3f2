//! An apply and a destroy. Whatever happened, the state holds what there is.

use super::config::Config;
use super::errors::{failed, left_to_others, unanswered};
use super::inventory::{Done, Inventory};
use super::ownership::{Keys, Owner, Versions, refs};
use super::plan::Changes;
use super::pruning::Pruning;
use super::pull::{self, Pull};
use super::record::Record;
use super::secrets::add_secrets;
use super::state::{self, DRIFT, FIELDS, HOLDER, NOT_READY, ROLLOUT, SECRET_KEYS};
use super::waits::Reach;
use super::{InCluster, ObjectsResource, digests};
use crate::kubernetes::Conflicting;
use crate::resources::control_plane::{ControlPlane, NoControlPlane, ToLeave};
use crate::resources::on_hosts::errors::{tainted, unknown_at_apply};
use crate::wait::Waiter;
use machines::Uid;
use objects::{Change, Fields, ObjectKey, vanishes};
use protocol::{ApplyRequest, ApplyResponse, Call};
use schema::{Diagnostic, Diagnostics, Value, decode};
use std::collections::BTreeMap;

impl<R: ObjectsResource> InCluster<R> {
    pub(super) async fn apply_objects(&self, call: &Call, request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let shared = &self.shared;
        let ApplyRequest { prior, mut planned, config: written } = request;
        let config: Config = decode(&planned)?;
        let mut wrong = Diagnostics::default();
        self.resource.settle(&mut planned, prior.as_ref());
        let declared = self.resource.declared(&planned, &mut wrong);
        let (Some(name), Some(mut declared)) = (config.name.known(), declared) else {
            return if wrong.has_errors() {
                Ok(ApplyResponse { state: prior, diagnostics: wrong })
            } else {
                Err(unknown_at_apply())
            };
        };
        let secrets = self.resource.secrets(&written).ok_or_else(unknown_at_apply)?;
        state::set_of_secrets(&mut planned, SECRET_KEYS, state::show_secret_keys(&secrets));
        let fields = state::fields_of(&declared, &planned);
        let before = prior.as_ref().map(state::fields).unwrap_or_default();
        let changes = match self.changes(&config, prior.as_ref(), &planned, (&before, &fields, &declared)) {
            Ok(changes) => changes,
            Err(diagnostics) => return Ok(ApplyResponse { state: prior, diagnostics }),
        };
        add_secrets(&mut declared, &secrets);
        let cluster = ControlPlane::connect(shared, config.way()).await.map_err(Diagnostic::from)?;
        cluster.refuse_another_cluster(&config.cluster).await?;
        let owner = self.owner(name, prior.as_ref());
        let progress = shared.configuration().progress(owner.to_string());
        let mut state = begun(planned, &owner, &changes);
        let vanishing = declared.values().filter(|one| vanishes(&one.key, &one.object)).map(|one| one.key.clone()).collect();
        let clock = shared.world.clock();
        let reach = Reach { api: &*cluster.api, waiter: Waiter { clock: &*clock, cancelled: &call.cancelled } };
        let mut inventory = Inventory {
            reach,
            owner,
            pins: digests::pins(&state),
            secrets_version: state::secrets_version(&state),
            finished: finished(&vanishing, &before, &changes.of_objects),
            vanishing,
            declared,
            before: prior.is_some().then(|| state::versions(&before)),
            drift: prior.as_ref().map(state::drift).unwrap_or_default(),
            again: changes.again.clone(),
            waited: changes.waited(),
            awaits_nodes: changes.awaits_nodes,
            adopt: Config::keys(&config.adopt),
            may_replace: Config::keys(&config.may_replace),
            ignored: config.ignored(),
            conflicting: if Config::is(&config.force_conflicts) { Conflicting::Taken } else { Conflicting::Kept },
            destroys_contents: Config::is(&config.destroy_contents),
            limit: config.limit(),
            progress: &progress,
        };
        self.pin_images(&mut inventory, &mut state).await?;
        let done = inventory.apply().await;
        if let Some(prior) = prior.as_ref().filter(|_| done.diagnostics.has_errors()) {
            digests::keep(&mut state, prior);
        }
        Ok(left(prior, state, (&fields, before), (done, &inventory.vanishing), call.cancelled.is_cancelled()))
    }

    /// By a new holder where it is not in the state.
    fn owner(&self, name: &str, prior: Option<&Value>) -> Owner {
        let drawn = || Uid::of_random(self.shared.world.random()).to_string();
        let holder = prior.and_then(|prior| prior.get(HOLDER).as_str()).map_or_else(drawn, str::to_string);
        Owner { kind: self.resource.kind(), name: name.to_string(), holder }
    }

    /// Looks up the digests that are open. Whatever would refuse the apply does so before a pod is made.
    async fn pin_images(&self, inventory: &mut Inventory<'_>, state: &mut Value) -> Result<(), Diagnostic> {
        let Inventory { reach, limit, progress, .. } = *inventory;
        let images = digests::open(state).unwrap_or_default();
        let name = &inventory.owner.name;
        if images.is_empty() {
            // Of an apply that was killed.
            return if inventory.owner.kind.pulls_images() { pull::remove(reach, name).await } else { Ok(()) };
        }
        inventory.look().await?;
        let pull = Pull { addon: name, images: &images, ready: self.resource.ready(state), limit, progress };
        let found = pull::look_up(reach, &pull).await?;
        digests::set(state, found);
        inventory.pins = digests::pins(state);
        Ok(())
    }

    pub(super) async fn delete_objects(&self, call: &Call, prior: &Value) -> Result<Diagnostics, Diagnostic> {
        let config: Config = decode(prior)?;
        let cluster = match ControlPlane::connect_to_leave(&self.shared, config.way()).await {
            Ok(ToLeave::Reached(cluster)) => cluster,
            Ok(ToLeave::Another(other)) => {
                return Ok(Diagnostic::warning("nothing was deleted: the cluster is gone, and its objects with it")
                    .detail(format!("{}: {}", other.summary, other.detail))
                    .into());
            }
            Err(NoControlPlane { is_gone: true, error, .. }) => {
                return Ok(Diagnostic::warning("the cluster is not there any more, and its objects with it")
                    .detail(error.detail)
                    .into());
            }
            Err(NoControlPlane { error, .. }) => {
                let detail = format!("{}\n\n{LET_GO}", error.detail);
                return Err(Diagnostic { detail, ..error });
            }
        };
        let api = &*cluster.api;
        let owner = state::owner(self.resource.kind(), prior);
        let record = Record::read(api, &owner).await.map_err(unanswered)?;
        let is_ours = record.as_ref().is_none_or(|record| record.holder == owner.holder);
        let clock = self.shared.world.clock();
        let reach = Reach { api, waiter: Waiter { clock: &*clock, cancelled: &call.cancelled } };
        if owner.kind.pulls_images() {
            pull::remove(reach, &owner.name).await?;
        }
        let mut versions: Versions = state::versions(&state::fields(prior));
        versions.extend(record.filter(|_| is_ours).map(|record| record.objects).unwrap_or_default());
        let live = api.find_objects(&refs(&versions)).await.map_err(unanswered)?;
        let limit = config.limit();
        let with_contents = Config::is(&config.destroy_contents);
        let pruning = Pruning { reach, owner: &owner, live: &live, versions: &versions, with_contents, limit };
        let keys: Keys = versions.keys().cloned().collect();
        pruning.refuse(&keys).await?;
        let pruned = pruning.delete(&keys).await.map_err(failed)?;
        if let Some(error) = pruned.error {
            return Err(error);
        }
        Record::delete(reach, &owner).await.map_err(failed)?;
        Ok(left_to_others(&pruned.others).into_iter().collect())
    }
}

const LET_GO: &str =
    "Nothing was deleted. If the cluster is gone for good, take this resource out of the state: terraform state rm ADDRESS.";

/// What the state of an apply begins as.
fn begun(planned: Value, owner: &Owner, changes: &Changes) -> Value {
    let mut state = planned;
    state.set(HOLDER, owner.holder.as_str().into());
    if state.get(ROLLOUT).is_unknown() {
        state.set(ROLLOUT, Value::List(changes.lines()));
    }
    state
}

/// Jobs that nothing changes: that they are not there any more is what they were declared to.
fn finished(vanishing: &Keys, before: &BTreeMap<ObjectKey, Fields>, changes: &[Change]) -> Keys {
    let is_unchanged = |key: &&ObjectKey| before.contains_key(*key) && changes.iter().all(|change| change.key() != *key);
    vanishing.iter().filter(is_unchanged).cloned().collect()
}

/// What an apply leaves in the state. Engines delete what a failed create left there, so nothing of one that found objects: the next goes on with them.
fn left(
    prior: Option<Value>,
    mut state: Value,
    (fields, before): (&BTreeMap<ObjectKey, Option<Fields>>, BTreeMap<ObjectKey, Fields>),
    (done, vanishing): (Done, &Keys),
    is_cancelled: bool,
) -> ApplyResponse {
    let Done { has_begun, goes_on, applied, gone, not_ready, mut diagnostics, .. } = done;
    let (has_failed, is_new) = (diagnostics.has_errors(), prior.is_none());
    if has_failed && (!has_begun || (is_new && goes_on)) {
        return ApplyResponse { state: prior, diagnostics };
    }
    // Of Jobs that go away by themselves no refresh tells whether they were ever there.
    if has_failed && is_new && is_cancelled && vanishing.is_subset(&applied) {
        // An error would taint it. The next refresh finds what is missing.
        let said: Vec<String> = diagnostics.iter().map(|error| format!("{}: {}", error.summary, error.detail)).collect();
        state.set(FIELDS, state::show_fields(fields));
        state.set(NOT_READY, state::show_not_ready(&not_ready));
        let detail = format!("What was applied is kept. Another apply continues from here.\n\n{}", said.join("\n"));
        return ApplyResponse {
            state: Some(state),
            diagnostics: Diagnostic::warning("stopped on request").detail(detail).into(),
        };
    }
    let mut there = there(fields, before, (&applied, &gone));
    if has_failed && prior.as_ref().is_some_and(|prior| state::is_sensitive(prior) != state::is_sensitive(&state)) {
        // One form of all of them, whichever this apply came to.
        there = in_digests(there, &applied, state::is_sensitive(&state));
        state.set("sensitive", true.into());
    }
    state.set(FIELDS, state::show_fields(&there));
    state.set(NOT_READY, state::show_not_ready(&not_ready));
    if has_failed {
        let prior = prior.unwrap_or_default();
        // What the refresh found of objects that this apply did not come to.
        let drift = prior.get(DRIFT).as_map().cloned().unwrap_or_default().into_iter();
        let is_left = |key: &str| key.parse::<ObjectKey>().is_ok_and(|key| !applied.contains(&key) && !gone.contains(&key));
        state.set(DRIFT, Value::Map(drift.filter(|(key, _)| is_left(key)).collect()));
        // The next plan gives the values of secrets again.
        state::set_of_secrets(&mut state, "secrets_version", prior.get("secrets_version").clone());
        let keys = prior.get(SECRET_KEYS).clone();
        state::set_of_secrets(&mut state, SECRET_KEYS, if is_new { Value::object([]) } else { keys });
        diagnostics.extend(is_new.then(tainted));
    }
    ApplyResponse { state: Some(state), diagnostics }
}

/// Those that were applied have the form of now, the others that of before; one of the two is digests already.
fn in_digests(
    there: BTreeMap<ObjectKey, Option<Fields>>,
    applied: &Keys,
    is_sensitive: bool,
) -> BTreeMap<ObjectKey, Option<Fields>> {
    let hide = |(key, fields): (ObjectKey, Option<Fields>)| {
        let is_hidden = applied.contains(&key) == is_sensitive;
        let fields = if is_hidden { fields } else { fields.map(objects::hidden) };
        (key, fields)
    };
    there.into_iter().map(hide).collect()
}

/// What is declared where it was applied, else what was there before.
fn there(
    declared: &BTreeMap<ObjectKey, Option<Fields>>,
    before: BTreeMap<ObjectKey, Fields>,
    (applied, gone): (&Keys, &Keys),
) -> BTreeMap<ObjectKey, Option<Fields>> {
    let kept = before.into_iter().filter(|(key, _)| !gone.contains(key) && !applied.contains(key));
    let mut there: BTreeMap<ObjectKey, Option<Fields>> = kept.map(|(key, fields)| (key, Some(fields))).collect();
    there.extend(declared.iter().filter(|(key, _)| applied.contains(*key)).map(|(key, fields)| (key.clone(), fields.clone())));
    there
}
