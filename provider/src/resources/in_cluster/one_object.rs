//! One declared object: applied to the one that was seen and to no other, tried again while it cannot be yet, replaced where that was said.

use super::conflicts::{conflict, were_planned};
use super::digests;
use super::errors::{created_meanwhile, failed, not_applied, not_gone, refused, taken_meanwhile, unanswered};
use super::inventory::Inventory;
use super::ownership::{FIELD_MANAGER, Ownership, Versions, is_being_deleted, uid};
use super::pruning::{Fate, delete_as_seen};
use super::secrets::{GIVEN, given, has_others};
use super::waits::{CHANGED, until_gone};
use crate::kubernetes::{Applied, Conflicting, ObjectRef, Reason};
use crate::wait::{Pace, Waiter};
use objects::{Declared, Excluded, ObjectKey, excluded_by, managed_fields};
use schema::Diagnostic;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What cannot be applied yet is tried again.
const PACE: Pace = Pace::doubling(Duration::from_millis(100), Duration::from_secs(2));
/// Of what is let go, at most: a user who wants to stop waits no longer.
const LET_GO_LIMIT: Duration = Duration::from_secs(2);
/// Has for a moment what the API server has filled in, so that it can be taken away.
const EXCLUDING: &str = "k8s-hardway-excluding";

/// One request for an object.
struct Attempt {
    /// What is there, if anything.
    seen: Option<Value>,
    object: Value,
    conflicting: Conflicting,
    /// It was deleted once, to be created again.
    is_replaced: bool,
    /// What the API server had filled in was taken away.
    has_excluded: bool,
    /// ... by a field manager that has something of the object still, from this apply or from one that was killed.
    excludes: bool,
}

/// Whether an apply that was cut off has left the helper's part.
pub fn is_excluding(live: &Value) -> bool {
    managed_fields(live).any(|entry| entry["manager"] == EXCLUDING)
}

/// What an answer leads to.
enum Next {
    Done,
    /// Sent again as it is by now.
    Again,
    /// What was sent may have arrived, and others go on too: it is looked at again after a pause.
    Look(String),
}

impl Inventory<'_> {
    pub(super) async fn apply_one(&self, declared: &Declared, live: Option<Value>, goes_on: bool) -> Result<(), Diagnostic> {
        let key = &declared.key;
        if self.is_as_applied(declared, live.as_ref()) {
            return Ok(());
        }
        self.refuse_when_stopped(key)?;
        let mut attempt = self.attempt(declared, live, goes_on).await?;
        let applied = self.until_applied(declared, &mut attempt, goes_on).await;
        if attempt.excludes {
            // After an error the API server fills in again what it had.
            let released = self.apply_excluding(declared, json!({}), Conflicting::Kept).await;
            return applied.and(released);
        }
        applied
    }

    async fn until_applied(&self, declared: &Declared, attempt: &mut Attempt, goes_on: bool) -> Result<(), Diagnostic> {
        let key = &declared.key;
        let mut wait = self.reach.waiter.until(format!("{key} is applied"), self.limit, PACE);
        loop {
            let reason = match self.step(declared, attempt, goes_on).await? {
                Next::Done => {
                    self.progress.line(&format!("{key}: applied"));
                    return Ok(());
                }
                Next::Again => continue,
                Next::Look(reason) => reason,
            };
            wait.pause().await.map_err(|ended| not_applied(key, &ended, &reason))?;
            let live = self.look_until_answered(declared, goes_on).await?;
            let again = self.attempt(declared, live, goes_on).await?;
            *attempt = Attempt {
                is_replaced: attempt.is_replaced,
                has_excluded: attempt.has_excluded,
                excludes: attempt.excludes || again.excludes,
                ..again
            };
        }
    }

    pub(super) fn refuse_when_stopped(&self, key: &ObjectKey) -> Result<(), Diagnostic> {
        let stopped = || Diagnostic::error("stopped on request").detail(format!("{key} was not applied any more."));
        if self.reach.waiter.cancelled.is_cancelled() { Err(stopped()) } else { Ok(()) }
    }

    /// What there is by now, which others may have come to.
    pub(super) async fn look_until_answered(&self, declared: &Declared, goes_on: bool) -> Result<Option<Value>, Diagnostic> {
        let live = self.find_one(declared).await?;
        live.as_ref().map_or(Ok(()), |live| self.refuse_meanwhile(declared, live, goes_on))?;
        Ok(live)
    }

    async fn find_one(&self, Declared { key, api_version, .. }: &Declared) -> Result<Option<Value>, Diagnostic> {
        let mut wait = self.reach.waiter.until(format!("{key} is looked at"), self.limit, PACE);
        loop {
            let versions = Versions::from([(key.clone(), api_version.clone())]);
            let found = wait.ask(self.find(&versions)).await;
            let error = match found.map_err(|ended| not_applied(key, &ended, "it was not looked at"))? {
                Ok(mut found) => return Ok(found.remove(key)),
                Err(error) if error.is_passing() => error.to_string(),
                Err(error) => return Err(unanswered(error)),
            };
            wait.pause().await.map_err(|ended| not_applied(key, &ended, &error))?;
        }
    }

    async fn step(&self, declared: &Declared, attempt: &mut Attempt, goes_on: bool) -> Result<Next, Diagnostic> {
        let key = &declared.key;
        Ok(match self.reach.api.apply_object(&attempt.object, FIELD_MANAGER, attempt.conflicting).await {
            Ok(Applied::Done { is_new }) if attempt.seen.is_none() && !is_new && !self.adopt.contains(key) => {
                let left = self.let_go(declared, attempt).await.err();
                return Err(created_meanwhile(key, left.as_deref()));
            }
            Ok(Applied::Done { .. }) => Next::Done,
            Ok(Applied::Conflicts(found)) if self.ignored.leave_in_conflict(key, &found, &mut attempt.object) => Next::Again,
            Ok(Applied::Conflicts(found)) => {
                let planned = self.drift.get(key).is_some_and(|planned| were_planned(&found, planned));
                let is_own = found.iter().all(|(_, by)| by.contains(EXCLUDING));
                if !(planned || is_own) || attempt.conflicting == Conflicting::Taken {
                    return Err(conflict(key, &found));
                }
                attempt.conflicting = Conflicting::Taken;
                Next::Again
            }
            Ok(Applied::Invalid { message, reason }) => {
                let Some(live) = attempt.seen.take() else { return Err(refused(key, &message, false)) };
                let excluded = excluded_by(&declared.object, &live).filter(|_| !attempt.has_excluded);
                if let Some(excluded) = excluded {
                    (attempt.has_excluded, attempt.excludes) = (true, true);
                    self.exclude(declared, excluded).await?;
                    return Ok(Next::Look(message));
                }
                if reason != Reason::Immutable || attempt.is_replaced || !self.may_replace.contains(key) {
                    return Err(refused(key, &message, true));
                }
                let seen = self.make_room(declared, live, goes_on).await?;
                *attempt = Attempt { is_replaced: true, ..self.attempt(declared, seen, goes_on).await? };
                Next::Again
            }
            Ok(Applied::NotYet(reason)) => Next::Look(reason),
            Ok(Applied::Changed) => Next::Look(CHANGED.to_string()),
            Err(error) if error.is_passing() => Next::Look(error.to_string()),
            Err(error) => return Err(Diagnostic::error(format!("cannot apply {key}")).detail(error.to_string())),
        })
    }

    /// Of what somebody else has created at the same moment: it is nobody's, so that nothing of ours deletes it, and whoever had it restores it.
    async fn let_go(&self, declared: &Declared, attempt: &Attempt) -> Result<(), String> {
        let Declared { key, api_version, .. } = declared;
        let versions = Versions::from([(key.clone(), api_version.clone())]);
        // Also where the user wants to stop.
        let goes_on = CancellationToken::new();
        let waiter = Waiter { clock: self.reach.waiter.clock, cancelled: &goes_on };
        let mut wait = waiter.until(format!("{key} is let go"), LET_GO_LIMIT, PACE);
        loop {
            let found = self.find(&versions).await.map_err(|error| error.to_string())?.remove(key);
            let Some(live) = found.filter(|live| self.owner.of(live) == Ownership::Ours) else { return Ok(()) };
            let mut object = self.owner.unmarked(&attempt.object);
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
            let reason = match self.reach.api.apply_object(&object, FIELD_MANAGER, attempt.conflicting).await {
                Ok(Applied::Done { .. }) => return Ok(()),
                Ok(Applied::Changed) => CHANGED.to_string(),
                Ok(Applied::NotYet(reason) | Applied::Invalid { message: reason, .. }) => reason,
                Ok(Applied::Conflicts(_)) => "others manage fields of it".to_string(),
                Err(error) => error.to_string(),
            };
            wait.pause().await.map_err(|_| reason)?;
        }
    }

    /// Takes away what the API server has filled in and does not take beside what is declared: it goes with the field manager that has it last.
    async fn exclude(&self, declared: &Declared, Excluded { filled_in, instead }: Excluded) -> Result<(), Diagnostic> {
        self.apply_excluding(declared, filled_in, Conflicting::Kept).await?;
        self.apply_excluding(declared, instead, Conflicting::Taken).await
    }

    async fn apply_excluding(&self, declared: &Declared, part: Value, conflicting: Conflicting) -> Result<(), Diagnostic> {
        let Declared { key, object, .. } = declared;
        let mut sent = json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": { "name": key.name } });
        if let Some(namespace) = &key.namespace {
            sent["metadata"]["namespace"] = json!(namespace);
        }
        if let (Some(sent), Value::Object(part)) = (sent.as_object_mut(), part) {
            sent.extend(part);
        }
        let wrong = |reason: String| Diagnostic::error(format!("cannot apply {key}")).detail(reason);
        match self.reach.api.apply_object(&sent, EXCLUDING, conflicting).await {
            Ok(Applied::Invalid { message, .. }) => Err(refused(key, &message, true)),
            Ok(Applied::Conflicts(found)) => Err(conflict(key, &found)),
            Ok(Applied::NotYet(reason)) => Err(wrong(reason)),
            Ok(Applied::Done { .. } | Applied::Changed) => Ok(()),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// What is sent for the object that is there, and only to that one.
    async fn attempt(&self, declared: &Declared, mut seen: Option<Value>, goes_on: bool) -> Result<Attempt, Diagnostic> {
        if let Some(live) = seen.take_if(|live| is_being_deleted(live)) {
            seen = self.once_gone(declared, uid(&live), goes_on).await?;
        }
        let shared = seen.as_ref().map(|live| self.ignored.leave(declared, live));
        let mut object = self.owner.mark(declared, shared.as_ref().unwrap_or(declared));
        self.pins.put(&mut object);
        if let Some(given) = given(declared, &self.secrets_version) {
            object["metadata"]["annotations"][GIVEN] = given.into();
        }
        if let Some(live) = &seen {
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        }
        let is_strange = |live: &Value| self.owner.of(live) != Ownership::Ours && self.adopt.contains(&declared.key);
        let conflicting = if seen.as_ref().is_some_and(is_strange) { Conflicting::Taken } else { self.conflicting };
        let excludes = seen.as_ref().is_some_and(is_excluding);
        Ok(Attempt { seen, object, conflicting, is_replaced: false, has_excluded: false, excludes })
    }

    /// What has come, or come to somebody else, since the first look.
    pub(super) fn refuse_meanwhile(&self, declared: &Declared, live: &Value, goes_on: bool) -> Result<(), Diagnostic> {
        let stranger = self.stranger(&declared.key, live, goes_on);
        stranger.map_or(Ok(()), |stranger| Err(taken_meanwhile(&declared.key, &stranger)))
    }

    fn is_as_applied(&self, declared: &Declared, live: Option<&Value>) -> bool {
        let key = &declared.key;
        let Some(live) = live else { return self.finished.contains(key) };
        let has_secrets = self.again.contains(key) || (key.is("", "Secret") && declared.object.get("data").is_some());
        let is_as_declared = self.owner.has_applied(declared, live) && self.ignored.taken(declared, live).is_empty();
        let has_others = has_others(declared, &self.secrets_version, live);
        let is_changing = is_being_deleted(live) || is_excluding(live);
        let lacks_digest = digests::lacks_one(&self.pins, FIELD_MANAGER, declared, live);
        is_as_declared && !has_secrets && !has_others && !is_changing && !lacks_digest
    }

    /// For the declared object, which the one that is there cannot become. What is there then.
    async fn make_room(&self, declared: &Declared, live: Value, goes_on: bool) -> Result<Option<Value>, Diagnostic> {
        let Declared { key, api_version, .. } = declared;
        let wanted = ObjectRef { key: key.clone(), api_version: api_version.clone() };
        self.progress.line(&format!("{key}: deleted, to be created again"));
        let is_ours = |live: &Value| self.stranger(key, live, goes_on).is_none();
        let deleted = delete_as_seen(self.reach, &wanted, live, &is_ours).await;
        match deleted.map_err(|error| Diagnostic::error(format!("cannot replace {key}")).detail(error.to_string()))? {
            Fate::Goes(uid) => self.once_gone(declared, &uid, goes_on).await,
            Fate::Gone => self.look_until_answered(declared, goes_on).await,
            Fate::Theirs => Err(taken_meanwhile(key, &Ownership::None)),
        }
    }

    /// What is there once the object with this uid is not any more.
    async fn once_gone(&self, declared: &Declared, uid: &str, goes_on: bool) -> Result<Option<Value>, Diagnostic> {
        let gone = BTreeMap::from([(declared.key.clone(), (declared.api_version.clone(), uid.to_string()))]);
        let left = until_gone(self.reach, &gone, self.limit).await.map_err(failed)?;
        if !left.is_empty() {
            return Err(not_gone(&left, self.limit));
        }
        self.look_until_answered(declared, goes_on).await
    }
}
