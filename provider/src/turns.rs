//! Node groups of one cluster that drain nodes in the same run: one after the other, each from its first drain until the nodes take pods
//! again or are gone; and which of their nodes go for good. Why stands in docs/adr/0056-node-groups-drain-in-turn.md.

use crate::lock::locked;
use bundle::HostName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

/// Of one provider block: whose turn it is, cluster by cluster. Who waits gets it in the order of asking.
#[derive(Default)]
pub struct Turns {
    clusters: Mutex<BTreeMap<String, Arc<Cluster>>>,
}

#[derive(Default)]
struct Cluster {
    turn: Arc<Lock<()>>,
    /// Nodes of any group that are about to go.
    leaving: Mutex<BTreeSet<HostName>>,
}

impl Turns {
    pub fn in_cluster(&self, cluster: &str) -> Turn {
        let mut clusters = locked(&self.clusters);
        let cluster = clusters.entry(cluster.to_string()).or_default().clone();
        Turn { cluster, taken: Lock::default(), leaving: Mutex::default() }
    }
}

/// That of one apply or destroy. It ends with this value at the latest.
pub struct Turn {
    cluster: Arc<Cluster>,
    taken: Lock<Option<Taken>>,
    /// Those of `Cluster::leaving` that this one added.
    leaving: Mutex<Vec<HostName>>,
}

struct Taken {
    nodes: BTreeSet<HostName>,
    _guard: OwnedMutexGuard<()>,
}

/// The user wants to stop.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

impl Turn {
    /// Before a node is drained. `waits` is called when it is another's turn. Nodes of one apply share a turn.
    pub async fn begin(&self, node: &HostName, cancelled: &CancellationToken, waits: impl Fn()) -> Result<(), Stopped> {
        let mut taken = self.taken.lock().await;
        if let Some(taken) = &mut *taken {
            taken.nodes.insert(node.clone());
            return Ok(());
        }
        if self.cluster.turn.try_lock().is_err() {
            waits();
        }
        let guard = tokio::select! {
            biased;
            () = cancelled.cancelled() => return Err(Stopped),
            guard = self.cluster.turn.clone().lock_owned() => guard,
        };
        *taken = Some(Taken { nodes: [node.clone()].into(), _guard: guard });
        Ok(())
    }

    /// Nodes that go for good in this apply or destroy: no group waits for one of them to take pods.
    pub fn leave<'a>(&self, nodes: impl Iterator<Item = &'a HostName>) {
        let nodes: Vec<HostName> = nodes.cloned().collect();
        locked(&self.cluster.leaving).extend(nodes.iter().cloned());
        locked(&self.leaving).extend(nodes);
    }

    pub fn is_leaving(&self, node: &str) -> bool {
        locked(&self.cluster.leaving).iter().any(|leaving| leaving.as_str() == node)
    }

    /// Whether this turn lasts for that node.
    pub async fn has(&self, node: &HostName) -> bool {
        self.taken.lock().await.as_ref().is_some_and(|taken| taken.nodes.contains(node))
    }

    /// A node takes pods again, or is gone.
    pub async fn end(&self, node: &HostName) {
        let mut taken = self.taken.lock().await;
        if let Some(nodes) = taken.as_mut().map(|taken| &mut taken.nodes) {
            nodes.remove(node);
            if nodes.is_empty() {
                *taken = None;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let own = locked(&self.leaving);
        locked(&self.cluster.leaving).retain(|node| !own.contains(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(5);

    fn node(name: &str) -> HostName {
        HostName::literal(name)
    }

    #[tokio::test]
    async fn groups_of_one_cluster_have_their_turns_one_after_the_other() {
        let (turns, cancelled) = (Turns::default(), CancellationToken::new());
        let [one, other, elsewhere] = ["demo", "demo", "prod"].map(|cluster| turns.in_cluster(cluster));
        for name in ["a-1", "a-2"] {
            one.begin(&node(name), &cancelled, || panic!("it waits for itself")).await.unwrap();
        }
        elsewhere.begin(&node("c-1"), &cancelled, || panic!("it waits for another cluster")).await.unwrap();
        let waited = AtomicUsize::new(0);
        let b_1 = node("b-1");
        let mut second = Box::pin(other.begin(&b_1, &cancelled, || {
            waited.fetch_add(1, Ordering::Relaxed);
        }));
        one.end(&node("a-1")).await;
        assert!(futures::poll!(second.as_mut()).is_pending(), "two groups drain at once");
        assert_eq!(waited.load(Ordering::Relaxed), 1);
        one.end(&node("a-2")).await;
        // Who asks again meanwhile waits for who has waited already.
        let a_3 = node("a-3");
        let mut third = Box::pin(one.begin(&a_3, &cancelled, || {}));
        assert!(futures::poll!(third.as_mut()).is_pending(), "it overtook who had waited");
        tokio::time::timeout(LIMIT, second).await.unwrap().unwrap();
        assert!(futures::poll!(third.as_mut()).is_pending(), "two groups drain at once");
        drop(other);
        assert!(futures::poll!(third.as_mut()).is_ready(), "an apply that ended keeps its turn");
    }

    #[tokio::test]
    async fn nodes_that_go_are_known_to_all_groups_until_the_apply_ends() {
        let turns = Turns::default();
        let [one, other, elsewhere] = ["demo", "demo", "prod"].map(|cluster| turns.in_cluster(cluster));
        one.leave([node("a-1")].iter());
        assert_eq!([&one, &other, &elsewhere].map(|turn| turn.is_leaving("a-1")), [true, true, false]);
        drop(one);
        assert!(!other.is_leaving("a-1"));
    }

    #[tokio::test]
    async fn who_waits_hears_that_the_user_wants_to_stop() {
        let (turns, cancelled) = (Turns::default(), CancellationToken::new());
        let [one, other] = ["demo", "demo"].map(|cluster| turns.in_cluster(cluster));
        one.begin(&node("a-1"), &cancelled, || {}).await.unwrap();
        cancelled.cancel();
        assert_eq!(tokio::time::timeout(LIMIT, other.begin(&node("b-1"), &cancelled, || {})).await.unwrap(), Err(Stopped));
    }
}
