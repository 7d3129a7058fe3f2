//! Taking objects away: only those that say themselves whose they are, in the opposite order, each phase gone before the next; and no namespace and no
//! definition with what others have in it.

use super::errors::{not_gone, unanswered};
use super::ownership::{Keys, Owner, Ownership, Versions, is_being_deleted, listed, refs, uid};
use super::waits::{Reach, WaitError, until_gone};
use crate::kubernetes::{Deleted, KubernetesError, ObjectRef};
use crate::wait::Pace;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use objects::{ObjectKey, phase};
use schema::Diagnostic;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DELETES_AT_A_TIME: usize = 16;

/// An object that others change all the time is tried for so long.
const CHANGES_LIMIT: Duration = Duration::from_secs(30);
const PACE: Pace = Pace::doubling(Duration::from_millis(50), Duration::from_secs(1));

/// What was found before anything is taken away.
pub struct Pruning<'a> {
    pub reach: Reach<'a>,
    pub owner: &'a Owner,
    pub live: &'a BTreeMap<ObjectKey, Value>,
    pub versions: &'a Versions,
    /// What others have in namespaces and under definitions goes too.
    pub with_contents: bool,
    pub limit: Duration,
}

/// What became of it.
#[derive(Default)]
pub struct Pruned {
    /// There no more, or somebody else's by now.
    pub gone: Keys,
    /// Those of them that are somebody else's.
    pub others: Keys,
    /// Why the rest is still there.
    pub error: Option<Diagnostic>,
}

impl Pruning<'_> {
    fn is_ours(&self, live: &Value) -> bool {
        self.owner.of(live) == Ownership::Ours
    }

    pub fn was_ours(&self, key: &ObjectKey) -> bool {
        self.live.get(key).is_some_and(|live| self.is_ours(live))
    }

    pub fn was_another_ones(&self, key: &ObjectKey) -> bool {
        let is_another_ones = |live| matches!(self.owner.of(live), Ownership::Other(_) | Ownership::OfAnotherState);
        self.live.get(key).is_some_and(is_another_ones)
    }

    /// Before anything is changed.
    pub async fn refuse(&self, keys: &Keys) -> Result<(), Diagnostic> {
        let ours = keys.iter().filter(|key| self.was_ours(key)).collect();
        let refusal = self.refusal(ours, keys, false).await.map_err(unanswered)?;
        refusal.map_or(Ok(()), Err)
    }

    /// What others have in one of `ours`; what is in `with` goes too, and has by now where they are emptied.
    async fn refusal(&self, ours: Vec<&ObjectKey>, with: &Keys, is_emptied: bool) -> Result<Option<Diagnostic>, KubernetesError> {
        if self.with_contents {
            return Ok(None);
        }
        // Aggregated APIs that go with the rest may never have come up.
        let own_apis: BTreeSet<String> = with.iter().filter(|key| self.was_ours(key)).filter_map(aggregated_version).collect();
        let consequence = if is_emptied { "It was left, with what is in it." } else { "Nothing was changed." };
        for key in ours {
            let within = self.reach.api.objects_within(key, &own_apis, is_emptied).await?;
            let others: Keys = within.into_iter().filter(|inner| !(with.contains(inner) && self.was_ours(inner))).collect();
            if !others.is_empty() {
                let detail = format!(
                    "With it these would go: {}. {consequence} Delete them first, or set destroy_contents = true and apply that before.",
                    listed(&others)
                );
                return Ok(Some(Diagnostic::error(format!("{key} is not deleted: others have objects in it")).detail(detail)));
            }
        }
        Ok(None)
    }

    /// What others have taken over, and what they have put into it, since the first look counts until the moment of a deletion.
    pub async fn delete(&self, keys: &Keys) -> Result<Pruned, WaitError> {
        let mut pruned = Pruned::default();
        let mut all: Vec<&ObjectKey> = keys.iter().collect();
        all.sort_by_key(|key| std::cmp::Reverse(phase(key)));
        for alike in all.chunk_by(|one, other| phase(one) == phase(other)) {
            if !self.delete_alike(alike, keys, &mut pruned).await? {
                break;
            }
        }
        Ok(pruned)
    }

    /// Whether all of them are gone.
    async fn delete_alike(&self, alike: &[&ObjectKey], keys: &Keys, pruned: &mut Pruned) -> Result<bool, WaitError> {
        let versions: Versions =
            alike.iter().filter_map(|key| Some(((*key).clone(), self.versions.get(*key)?.clone()))).collect();
        let (ours, others): (BTreeMap<ObjectKey, Value>, BTreeMap<ObjectKey, Value>) =
            self.reach.api.find_objects(&refs(&versions)).await?.into_iter().partition(|(_, live)| self.is_ours(live));
        pruned.gone.extend(alike.iter().filter(|key| !ours.contains_key(**key)).map(|key| (*key).clone()));
        pruned.others.extend(others.into_keys());
        let with: Keys = keys.difference(&pruned.others).cloned().collect();
        pruned.error = self.refusal(ours.keys().collect(), &with, true).await?;
        if pruned.error.is_some() {
            return Ok(false);
        }
        let deletes = ours.into_iter().map(|(key, live)| {
            let wanted = ObjectRef { api_version: versions[&key].clone(), key };
            async move {
                let deleted = delete_as_seen(self.reach, &wanted, live, &|live| self.is_ours(live)).await?;
                Ok::<_, WaitError>((wanted, deleted))
            }
            .boxed()
        });
        let deletes: Vec<BoxFuture<'_, _>> = deletes.collect();
        let deleted: Vec<(ObjectRef, Fate)> = stream::iter(deletes).buffer_unordered(DELETES_AT_A_TIME).try_collect().await?;
        let mut waited = BTreeMap::new();
        for (ObjectRef { key, api_version }, fate) in deleted {
            match fate {
                Fate::Goes(uid) => drop(waited.insert(key, (api_version, uid))),
                Fate::Gone => drop(pruned.gone.insert(key)),
                Fate::Theirs => {
                    pruned.others.insert(key.clone());
                    pruned.gone.insert(key);
                }
            }
        }
        let left = until_gone(self.reach, &waited, self.limit).await?;
        pruned.gone.extend(waited.into_keys().filter(|key| !left.contains_key(key)));
        pruned.error = (!left.is_empty()).then(|| not_gone(&left, self.limit));
        Ok(left.is_empty())
    }
}

/// What becomes of an object that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With its uid.
    Goes(String),
    Gone,
    /// Somebody else has it by now.
    Theirs,
}

/// Deletes an object as it was seen. One that has changed since is looked at again, and left where it is not ours any more.
pub async fn delete_as_seen(
    Reach { api, waiter }: Reach<'_>,
    wanted: &ObjectRef,
    mut live: Value,
    is_ours: &(dyn Fn(&Value) -> bool + Sync),
) -> Result<Fate, WaitError> {
    let mut wait = waiter.until(format!("{} is deleted", wanted.key), CHANGES_LIMIT, PACE);
    loop {
        let deleted = api.delete_object(wanted, uid(&live), live["metadata"]["resourceVersion"].as_str()).await?;
        if deleted == Deleted::Done || is_being_deleted(&live) {
            return Ok(Fate::Goes(uid(&live).to_string()));
        }
        match api.find_objects(std::slice::from_ref(wanted)).await?.remove(&wanted.key) {
            Some(now) if is_ours(&now) => live = now,
            Some(_) => return Ok(Fate::Theirs),
            None => return Ok(Fate::Gone),
        }
        wait.pause().await?;
    }
}

/// Of an APIService, which is named `<version>.<group>`: `<group>/<version>`.
fn aggregated_version(key: &ObjectKey) -> Option<String> {
    let (version, group) = key.name.split_once('.').filter(|_| key.is("apiregistration.k8s.io", "APIService"))?;
    Some(format!("{group}/{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregated_api_is_known_by_the_name_of_its_object() {
        let of = |key: &str| aggregated_version(&key.parse().unwrap());
        let api = "APIService.apiregistration.k8s.io/v1beta1.external.metrics.k8s.io";
        assert_eq!(of(api).as_deref(), Some("external.metrics.k8s.io/v1beta1"));
        assert_eq!(of("ConfigMap/a/v1.b"), None);
    }
}
