//! Taking objects away: only those that say themselves whose they are, in the opposite order, each phase gone before the next; and no namespace and no
//! definition with what others have in it.

use super::errors::unanswered;
use super::ownership::{Keys, Owner, Ownership, Versions, listed, uid};
use super::waits::{Reach, WaitError, until_gone};
use crate::kubernetes::{KubernetesError, ObjectRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use objects::{ObjectKey, phase};
use schema::Diagnostic;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DELETES_AT_A_TIME: usize = 16;

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
    pub left: BTreeMap<ObjectKey, String>,
}

impl Pruning<'_> {
    /// Of those that are there and ours.
    fn ours<'k>(&self, keys: impl IntoIterator<Item = &'k ObjectKey>) -> Vec<&'k ObjectKey> {
        keys.into_iter().filter(|key| self.is_ours(key)).collect()
    }

    fn is_ours(&self, key: &ObjectKey) -> bool {
        self.live.get(key).is_some_and(|live| self.owner.of(live) == Ownership::Ours)
    }

    /// Before anything is changed.
    pub async fn refuse(&self, keys: &Keys) -> Result<(), Diagnostic> {
        if self.with_contents {
            return Ok(());
        }
        // Aggregated APIs that go with the rest may never have come up.
        let own_apis: BTreeSet<String> = self.ours(keys).into_iter().filter_map(aggregated_version).collect();
        for key in self.ours(keys) {
            let within = self.reach.api.objects_within(key, &own_apis).await.map_err(unanswered)?;
            let goes_too = |inner: &ObjectKey| keys.contains(inner) && self.is_ours(inner);
            let others: Keys = within.into_iter().filter(|inner| !goes_too(inner)).collect();
            if !others.is_empty() {
                return Err(Diagnostic::error(format!("{key} is not deleted: others have objects in it")).detail(format!(
                    "With it these would go: {}. Nothing was changed. Delete them first, or set destroy_contents = true and apply that before.",
                    listed(&others)
                )));
            }
        }
        Ok(())
    }

    async fn delete_one(&self, key: &ObjectKey) -> Result<(), KubernetesError> {
        let (Some(version), Some(live)) = (self.versions.get(key), self.live.get(key)) else { return Ok(()) };
        self.reach.api.delete_object(&ObjectRef { key: key.clone(), api_version: version.clone() }, uid(live)).await
    }

    pub async fn delete(&self, keys: &Keys) -> Result<Pruned, WaitError> {
        let mut pruned = Pruned::default();
        let mut ours = self.ours(keys);
        pruned.gone.extend(keys.iter().filter(|key| !ours.contains(key)).cloned());
        ours.sort_by_key(|key| std::cmp::Reverse(phase(key)));
        for alike in ours.chunk_by(|one, other| phase(one) == phase(other)) {
            let deletes: Vec<BoxFuture<'_, _>> = alike.iter().map(|key| self.delete_one(key).boxed()).collect();
            stream::iter(deletes).buffer_unordered(DELETES_AT_A_TIME).try_collect::<()>().await?;
            let waited = alike.iter().filter_map(|key| {
                let (version, live) = (self.versions.get(*key)?, self.live.get(*key)?);
                Some(((*key).clone(), (version.clone(), uid(live).to_string())))
            });
            let left = until_gone(self.reach, &waited.collect(), self.limit).await?;
            pruned.gone.extend(alike.iter().filter(|key| !left.contains_key(**key)).map(|key| (*key).clone()));
            if !left.is_empty() {
                pruned.left = left;
                return Ok(pruned);
            }
        }
        Ok(pruned)
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
