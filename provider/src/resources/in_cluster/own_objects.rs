//! The objects that a cluster begins with: what a refresh finds of them, and an apply of those that are not as they are declared. What others have
//! changed is taken back where a plan has shown it, and otherwise left and named.

use super::conflicts::{IS_GONE, shown, were_planned, whole};
use super::ignored::Ignored;
use super::ownership::{DECLARED, Versions, digest, is_being_deleted, refs};
use super::pruning::delete_as_seen;
use super::waits::{CHANGED, Reach, WaitError};
use crate::kubernetes::{Applied, Conflicting, FIELD_MANAGER, KubernetesError, ObjectRef, TheirField, take_out};
use crate::ports::Kubernetes;
use crate::resources::on_hosts::execute::StepError;
use crate::wait::Pace;
use objects::{Declared, ObjectKey, Taken, annotation_by, managed_fields};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An API server that has just started may still refuse for a moment.
const LIMIT: Duration = Duration::from_secs(30);
const PACE: Pace = Pace::doubling(Duration::from_millis(200), Duration::from_secs(2));

/// The digest of what was declared of one of these objects when it was last applied. Another resource that adopts it has an annotation of its own.
const OWN_DECLARED: &str = "k8s-hardway/own-sha256";

/// Paths of fields by object that are not as they were applied, as a plan has shown them; an empty path is the object as a whole.
pub type Shown = BTreeMap<ObjectKey, BTreeSet<String>>;

pub struct OwnObjects {
    /// In the order in which they can be applied.
    pub declared: Vec<Declared>,
    pub ignored: Ignored,
}

/// What a refresh finds.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    /// By object, what was declared of it when it was last applied. Those that are not there are not in it.
    pub digests: BTreeMap<ObjectKey, String>,
    /// By object and path, what is there and who has set it.
    pub drift: BTreeMap<ObjectKey, BTreeMap<String, String>>,
}

impl OwnObjects {
    /// What is declared of each, as a state has it once it is applied.
    pub fn digests(&self) -> BTreeMap<ObjectKey, String> {
        self.declared.iter().map(|declared| (declared.key.clone(), digest(declared))).collect()
    }

    pub async fn look(&self, api: &dyn Kubernetes) -> Result<Seen, KubernetesError> {
        let (live, mut seen) = (self.find(api).await?, Seen::default());
        for declared in &self.declared {
            let key = || declared.key.clone();
            let Some(live) = live.get(&declared.key) else {
                seen.drift.insert(key(), whole(IS_GONE));
                continue;
            };
            let Some(applied) = applied_digest(live) else { continue };
            // Of another version of the declaration nobody knows which fields it had.
            if applied == digest(declared) {
                let taken = self.ignored.taken(declared, live);
                let fields: BTreeMap<String, String> =
                    taken.into_iter().map(|taken| (taken.path.clone(), shown(&without_data(taken, &declared.key)))).collect();
                if !fields.is_empty() {
                    seen.drift.insert(key(), fields);
                }
            }
            seen.digests.insert(key(), applied.to_string());
        }
        Ok(seen)
    }

    /// Applies each object that is missing, of which something else is declared than when it was last applied, or of which a plan has shown that others
    /// have changed it. Other fields that others manage stay as they are, and come back.
    pub async fn apply(&self, reach: Reach<'_>, planned: &Shown) -> Result<Vec<TheirField>, StepError> {
        let mut wait = reach.waiter.until("the API server shows the cluster's own objects", LIMIT, PACE);
        let live = loop {
            match self.find(reach.api).await {
                Err(error) if error.is_passing() => wait.pause().await?,
                found => break found?,
            }
        };
        let mut theirs = Vec::new();
        for declared in &self.declared {
            let (live, planned) = (live.get(&declared.key), planned.get(&declared.key));
            let is_as_applied = live.and_then(applied_digest) == Some(digest(declared).as_str());
            if !is_as_applied || planned.is_some() {
                theirs.extend(self.apply_one(reach, declared, live, planned.unwrap_or(&BTreeSet::new())).await?);
            }
        }
        Ok(theirs)
    }

    /// Takes away those that say that they were applied by this provider, in the opposite order.
    pub async fn remove(&self, reach: Reach<'_>) -> Result<(), WaitError> {
        let mut live = self.find(reach.api).await?;
        let is_ours = |live: &Value| applied_digest(live).is_some();
        for declared in self.declared.iter().rev() {
            if let Some(live) = live.remove(&declared.key).filter(is_ours) {
                let wanted = ObjectRef { key: declared.key.clone(), api_version: declared.api_version.clone() };
                delete_as_seen(reach, &wanted, live, &is_ours).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, api: &dyn Kubernetes) -> Result<BTreeMap<ObjectKey, Value>, KubernetesError> {
        let versions: Versions = self.declared.iter().map(|one| (one.key.clone(), one.api_version.clone())).collect();
        let mut found = api.find_objects(&refs(&versions)).await?;
        found.retain(|_, live| !is_being_deleted(live));
        Ok(found)
    }

    /// Each round takes out at least one field that is somebody else's, or takes back what was planned.
    async fn apply_one(
        &self,
        reach: Reach<'_>,
        declared: &Declared,
        live: Option<&Value>,
        planned: &BTreeSet<String>,
    ) -> Result<Vec<TheirField>, StepError> {
        let key = &declared.key;
        let part = live.map(|live| self.ignored.leave(declared, live));
        let mut object = with_digest(declared, part.as_ref().unwrap_or(declared));
        let (mut theirs, mut conflicting): (Vec<TheirField>, _) = (Vec::new(), Conflicting::Kept);
        let mut wait = reach.waiter.until(format!("{key} is applied"), LIMIT, PACE);
        loop {
            let reason = match reach.api.apply_object(&object, FIELD_MANAGER, conflicting).await {
                Ok(Applied::Done { .. }) => return Ok(theirs),
                Ok(Applied::Changed) => CHANGED.to_string(),
                Ok(Applied::Conflicts(found)) if self.ignored.leave_in_conflict(key, &found, &mut object) => continue,
                Ok(Applied::Conflicts(found)) => {
                    let is_planned = |conflict: &(String, String)| were_planned(std::slice::from_ref(conflict), planned);
                    let unplanned: Vec<(String, String)> = found.into_iter().filter(|found| !is_planned(found)).collect();
                    if unplanned.is_empty() && conflicting == Conflicting::Kept {
                        conflicting = Conflicting::Taken;
                    } else if !leave(key, unplanned, &mut object, &mut theirs) {
                        return Ok(theirs);
                    }
                    continue;
                }
                Ok(Applied::Invalid { message, .. }) if live.is_some_and(is_shared) => {
                    theirs.push(TheirField::unfit(key.to_string(), message));
                    return Ok(theirs);
                }
                Ok(Applied::Invalid { message, .. }) => return Err(refused(key, message)),
                Ok(Applied::NotYet(reason)) => reason,
                Err(error) if error.is_passing() => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            if wait.pause().await.is_err() {
                return Err(refused(key, reason));
            }
        }
    }
}

/// `None` for what is no object.
pub fn declared(object: Value) -> Option<Declared> {
    let ObjectRef { key, api_version } = ObjectRef::of(&object)?;
    Some(Declared { key, api_version, object })
}

fn with_digest(declared: &Declared, part: &Declared) -> Value {
    let mut object = part.object.clone();
    object["metadata"]["annotations"][OWN_DECLARED] = json!(digest(declared));
    object
}

/// Earlier versions had the annotation that other resources have; it is theirs where they have adopted the object.
fn applied_digest(live: &Value) -> Option<&str> {
    let of_earlier = || annotation_by(live, FIELD_MANAGER, DECLARED);
    live["metadata"]["annotations"][OWN_DECLARED].as_str().or_else(of_earlier)
}

/// Takes fields out of what is applied, so that their managers keep them. Whether any was found there.
fn leave(key: &ObjectKey, conflicts: Vec<(String, String)>, object: &mut Value, theirs: &mut Vec<TheirField>) -> bool {
    let taken = conflicts.into_iter().map(|(field, conflict)| {
        let declared = take_out(object, &field);
        TheirField { object: key.to_string(), field, conflict, declared }
    });
    let taken: Vec<TheirField> = taken.collect();
    let has_found_one = taken.iter().any(|field| field.declared.is_some());
    // A field that could not be taken out conflicts in each round.
    theirs.retain(|field| !taken.contains(field));
    theirs.extend(taken);
    has_found_one
}

/// A whole file in a ConfigMap is no value to show, and may have addresses that are marked as sensitive.
fn without_data(taken: Taken, key: &ObjectKey) -> Taken {
    let live = taken.live.filter(|_| !key.is("", "ConfigMap"));
    Taken { live, ..taken }
}

/// Whether others have set fields of it, but for the status that controllers write.
fn is_shared(live: &Value) -> bool {
    let is_other = |entry: &Value| {
        entry["manager"] != FIELD_MANAGER && entry["subresource"].as_str().is_none_or(|of| of.is_empty() || of == "scale")
    };
    managed_fields(live).any(is_other)
}

fn refused(key: &ObjectKey, reason: String) -> StepError {
    StepError::Gate { summary: format!("cannot apply {key}"), detail: format!("{reason}\n\nRunning apply again is safe.") }
}
