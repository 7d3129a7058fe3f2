//! Brings the objects of a cluster to what is declared: looks at all of them first and refuses what is not ours, notes down what it is about to create,
//! applies phase by phase, waits, and takes away what is declared no more.

use super::errors::{
    end_unseen, failed, has_more, left_to_others, nodes_not_ready, not_ready, of_another_state, taken_over, unanswered,
};
use super::ignored::Ignored;
use super::ownership::{FIELD_MANAGER, Keys, Owner, Ownership, Versions, listed, refs, uid};
use super::pruning::Pruning;
use super::record::Record;
use super::waits::{Reach, Waited, until_nodes_are_ready, until_ready};
use crate::kubernetes::{Conflicting, KubernetesError};
use crate::ports::Instant;
use crate::progress::Progress;
use addons::Pins;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use objects::{Declared, ObjectKey, phase};
use schema::{Diagnostic, Diagnostics};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const APPLIES_AT_A_TIME: usize = 16;
/// So long what was not there counts as not there: objects that wait for others hold back the rest of their phase.
const FRESH: Duration = Duration::from_secs(1);

/// What an apply is for.
pub struct Inventory<'a> {
    pub reach: Reach<'a>,
    pub owner: Owner,
    /// The digests by which applied objects name images.
    pub pins: Pins,
    /// With the values of secrets.
    pub declared: BTreeMap<ObjectKey, Declared>,
    /// What the state has; `None` where it has nothing and this is a create.
    pub before: Option<Versions>,
    /// Fields that others have changed, as the plan has shown.
    pub drift: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Objects that are applied whatever is known of them: their secrets were given again, or their images have a digest now.
    pub again: Keys,
    /// Jobs that go away by themselves once they are done.
    pub vanishing: Keys,
    /// Those of them that have, as far as anybody knows.
    pub finished: Keys,
    /// What the plan waits for.
    pub waited: Keys,
    /// ... and after that, until all nodes are Ready.
    pub awaits_nodes: bool,
    pub adopt: Keys,
    pub may_replace: Keys,
    /// What the values of secrets are of.
    pub secrets_version: String,
    pub ignored: Ignored,
    pub conflicting: Conflicting,
    pub destroys_contents: bool,
    pub limit: Duration,
    pub progress: &'a Progress,
}

/// What there is after an apply, whether it came to its end or not.
#[derive(Default)]
pub struct Done {
    /// Something was written.
    pub has_begun: bool,
    /// A create found what was there before it: what an earlier one has left, or what it adopts.
    pub goes_on: bool,
    pub applied: Keys,
    pub gone: Keys,
    pub ready: Keys,
    pub not_ready: BTreeMap<ObjectKey, String>,
    pub diagnostics: Diagnostics,
}

/// What was found before anything is changed.
pub struct Found {
    live: BTreeMap<ObjectKey, Value>,
    /// Of all that is known: in the state, in the record of the cluster, declared.
    versions: Versions,
    /// Declared no more.
    pruned: Keys,
    /// A create goes on with what was there before it.
    goes_on: bool,
    /// ... which another entry of a state has, or had.
    takes_over: bool,
    /// In the record of the cluster.
    recorded: Versions,
}

/// Of what was not there at first: whether it is when its phase begins.
struct Since {
    begin: Instant,
    found: Option<BTreeMap<ObjectKey, Value>>,
}

impl Inventory<'_> {
    pub async fn apply(&self) -> Done {
        let mut done = Done::default();
        if let Err(error) = self.run(&mut done).await {
            done.diagnostics.push(error);
        }
        if done.diagnostics.has_errors() && done.has_begun {
            // The next plan waits for what this apply did not come to.
            for key in self.waited.iter().filter(|key| !done.ready.contains(*key)) {
                done.not_ready.entry(key.clone()).or_insert_with(|| "it was not waited for".to_string());
            }
        }
        done
    }

    async fn run(&self, done: &mut Done) -> Result<(), Diagnostic> {
        let found = self.look().await?;
        let pruning = Pruning {
            reach: self.reach,
            owner: &self.owner,
            live: &found.live,
            versions: &found.versions,
            with_contents: self.destroys_contents,
            limit: self.limit,
        };
        pruning.refuse(&found.pruned).await?;
        if found.takes_over {
            done.diagnostics.push(taken_over(&self.owner));
        }
        (done.has_begun, done.goes_on) = (true, found.goes_on);
        self.note(&found.recorded, found.versions.clone()).await?;
        let mut alike: Vec<&Declared> = self.declared.values().collect();
        alike.sort_by_key(|declared| phase(&declared.key));
        for alike in alike.chunk_by(|one, other| phase(&one.key) == phase(&other.key)) {
            self.apply_alike(alike, &found, done).await;
            if done.diagnostics.has_errors() {
                return Ok(());
            }
            // Without these, custom resources have no kind.
            self.wait(ObjectKey::is_definition, alike, done).await?;
        }
        let all: Vec<&Declared> = self.declared.values().collect();
        self.wait(|key| self.waited.contains(key), &all, done).await?;
        if self.awaits_nodes {
            self.wait_for_nodes(done).await?;
        }
        let pruned = pruning.delete(&found.pruned).await.map_err(failed)?;
        // One that another resource had before this apply began has moved there.
        let theirs = pruned.others.iter().filter(|key| !pruning.was_another_ones(key)).cloned().collect();
        done.diagnostics.extend(left_to_others(&theirs));
        if let Some(error) = pruned.error {
            done.gone.extend(pruned.gone);
            done.diagnostics.push(error);
            return Ok(());
        }
        let declared = self.declared.values().map(|declared| (declared.key.clone(), declared.api_version.clone()));
        self.note(&found.versions, declared.collect()).await?;
        done.gone.extend(found.versions.into_keys().filter(|key| !self.declared.contains_key(key)));
        Ok(())
    }

    async fn note(&self, noted: &Versions, objects: Versions) -> Result<(), Diagnostic> {
        if *noted == objects && !objects.is_empty() {
            return Ok(());
        }
        Record { holder: self.owner.holder.clone(), objects }.write(self.reach, &self.owner).await
    }

    // --- before anything is changed

    pub async fn look(&self) -> Result<Found, Diagnostic> {
        let read = Record::read(self.reach.api, &self.owner).await.map_err(unanswered)?;
        let is_noted = self.before.is_none() && read.is_some();
        let takes_over = is_noted && read.as_ref().is_some_and(|record| record.holder != self.owner.holder);
        if self.before.is_some() && read.as_ref().is_some_and(|record| record.holder != self.owner.holder) {
            return Err(of_another_state(&self.owner));
        }
        let recorded = read.map(|record| record.objects).unwrap_or_default();
        let mut versions = recorded.clone();
        versions.extend(self.before.clone().unwrap_or_default());
        versions.extend(self.declared.values().map(|declared| (declared.key.clone(), declared.api_version.clone())));
        let live = self.find(&versions).await.map_err(unanswered)?;
        let declared_uids: BTreeSet<&str> = self.declared.keys().filter_map(|key| live.get(key)).map(uid).collect();
        // One object may have had another key.
        let is_another = |key: &&ObjectKey| live.get(*key).is_none_or(|live| !declared_uids.contains(uid(live)));
        let left = versions.keys().filter(|key| !self.declared.contains_key(*key));
        let pruned: Keys = left.filter(is_another).cloned().collect();
        if takes_over {
            let theirs: Keys = pruned.iter().filter(|key| live.contains_key(*key)).cloned().collect();
            if !theirs.is_empty() {
                return Err(has_more(&self.owner, &theirs));
            }
        }
        self.refuse_strangers(&live, is_noted)?;
        let adopts = |key: &ObjectKey| self.adopt.contains(key) && live.contains_key(key);
        let goes_on = is_noted || (self.before.is_none() && self.declared.keys().any(adopts));
        // A record of another holder is written anew.
        let recorded = if takes_over { Versions::new() } else { recorded };
        Ok(Found { live, versions, pruned, goes_on, takes_over, recorded })
    }

    /// Whose an object is that has a declared name; `None` where it may be changed.
    pub(super) fn stranger(&self, key: &ObjectKey, found: &Value, goes_on: bool) -> Option<Ownership> {
        let is_before = || self.before.as_ref().is_some_and(|before| before.contains_key(key));
        match self.owner.of(found) {
            _ if self.adopt.contains(key) => None,
            Ownership::Ours => None,
            Ownership::OfAnotherState if goes_on => None,
            // Somebody has taken the annotation away, and what was applied is there.
            Ownership::None if is_before() && is_managed(found) => None,
            stranger => Some(stranger),
        }
    }

    /// Objects of the declared names that somebody else has made.
    fn refuse_strangers(&self, live: &BTreeMap<ObjectKey, Value>, goes_on: bool) -> Result<(), Diagnostic> {
        let (mut nobodys, mut others) = (Keys::new(), BTreeMap::new());
        for key in self.declared.keys() {
            match live.get(key).and_then(|found| self.stranger(key, found, goes_on)) {
                None | Some(Ownership::Ours) => {}
                Some(Ownership::None) => drop(nobodys.insert(key.clone())),
                Some(Ownership::OfAnotherState) => drop(others.insert(key.clone(), self.owner.to_string())),
                Some(Ownership::Other(name)) => drop(others.insert(key.clone(), name)),
            }
        }
        if let Some((key, name)) = others.first_key_value() {
            return Err(Diagnostic::error(format!("{key} belongs to {name} of another state or configuration"))
                .detail(format!("{} of the declared objects do. Declare each object once. Nothing was changed.", others.len())));
        }
        if nobodys.is_empty() {
            return Ok(());
        }
        let quoted: Vec<String> = nobodys.iter().map(|key| format!("{:?}", key.to_string())).collect();
        Err(Diagnostic::error("objects of the declared names are in the cluster already").detail(format!(
            "They were not created by this resource: {}. Nothing was changed. To take them over, with a later destroy, set adopt = [{}].",
            listed(&nobodys),
            quoted.join(", ")
        )))
    }

    // --- what is declared

    async fn apply_alike(&self, alike: &[&Declared], found: &Found, done: &mut Done) {
        // Another set may have created one of them since the first look.
        let absent = alike.iter().filter(|declared| !found.live.contains_key(&declared.key));
        let absent: Versions = absent.map(|declared| (declared.key.clone(), declared.api_version.clone())).collect();
        let since = Since { begin: self.reach.waiter.clock.instant(), found: self.find(&absent).await.ok() };
        let applies = alike.iter().map(|declared| {
            let applied = async {
                let live = self.seen(declared, found, &since).await?;
                self.apply_one(declared, live, found.goes_on).await
            };
            applied.map(|result| (declared.key.clone(), result)).boxed()
        });
        let applies: Vec<BoxFuture<'_, (ObjectKey, Result<(), Diagnostic>)>> = applies.collect();
        let mut applied: Vec<(ObjectKey, Result<(), Diagnostic>)> =
            stream::iter(applies).buffer_unordered(APPLIES_AT_A_TIME).collect().await;
        applied.sort_by(|one, other| one.0.cmp(&other.0));
        for (key, result) in applied {
            match result {
                Ok(()) => drop(done.applied.insert(key)),
                Err(error) => done.diagnostics.push(error),
            }
        }
    }

    /// What there is of an object when its turn comes.
    async fn seen(&self, declared: &Declared, first: &Found, since: &Since) -> Result<Option<Value>, Diagnostic> {
        self.refuse_when_stopped(&declared.key)?;
        if let Some(live) = first.live.get(&declared.key) {
            return Ok(Some(live.clone()));
        }
        let is_fresh = self.reach.waiter.clock.instant().saturating_duration_since(since.begin) < FRESH;
        let Some(found) = since.found.as_ref().filter(|_| is_fresh) else {
            return self.look_until_answered(declared, first.goes_on).await;
        };
        let live = found.get(&declared.key);
        live.map_or(Ok(()), |live| self.refuse_meanwhile(declared, live, first.goes_on))?;
        Ok(live.cloned())
    }

    pub(super) async fn find(&self, versions: &Versions) -> Result<BTreeMap<ObjectKey, Value>, KubernetesError> {
        let mut live = self.reach.api.find_objects(&refs(versions)).await?;
        live.values_mut().for_each(|live| self.pins.take(live));
        Ok(live)
    }

    async fn wait(
        &self,
        is_waited_for: impl Fn(&ObjectKey) -> bool,
        all: &[&Declared],
        done: &mut Done,
    ) -> Result<(), Diagnostic> {
        let waited = all.iter().filter(|declared| is_waited_for(&declared.key));
        let waited: Versions = waited.map(|declared| (declared.key.clone(), declared.api_version.clone())).collect();
        let Waited { lacking, unseen } = match until_ready(self.reach, (&waited, &self.vanishing), self.limit).await {
            Ok(waited) => waited,
            Err(error) => {
                let open = |key: ObjectKey| (key, "it was not waited for to the end".to_string());
                done.not_ready.extend(waited.keys().cloned().map(open));
                return Err(failed(error));
            }
        };
        done.ready.extend(waited.into_keys().filter(|key| !lacking.contains_key(key)));
        done.diagnostics.extend(end_unseen(&unseen));
        if lacking.is_empty() {
            return Ok(());
        }
        done.not_ready.extend(lacking.clone());
        Err(not_ready(&lacking, self.limit))
    }

    async fn wait_for_nodes(&self, done: &mut Done) -> Result<(), Diagnostic> {
        let lacking = match until_nodes_are_ready(self.reach, self.limit).await {
            Ok(lacking) => lacking,
            Err(error) => {
                // The next plan waits for what has to be there for it, and so for nodes.
                done.not_ready
                    .extend(self.waited.iter().map(|key| (key.clone(), "nodes were not waited for to the end".to_string())));
                return Err(failed(error));
            }
        };
        if lacking.is_empty() {
            return Ok(());
        }
        done.not_ready.extend(lacking.clone());
        Err(nodes_not_ready(&lacking, self.limit))
    }
}

/// Whether anything of it was applied by this provider.
fn is_managed(live: &Value) -> bool {
    objects::managed_fields(live).any(|entry| entry["manager"] == FIELD_MANAGER)
}
