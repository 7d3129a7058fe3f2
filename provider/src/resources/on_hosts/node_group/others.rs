//! Waits until enough other nodes of the group are Ready for this one to restart: those that are down for another reason count among the
//! unavailable ones, as in a Deployment.

use crate::kubernetes::{KnownNode, KubernetesError};
use crate::resources::on_hosts::execute::StepError;
use crate::wait::{Pace, Waiter};
use bundle::HostName;
use rollout::may_restart;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A node that restarts by itself is back by then.
const LIMIT: Duration = Duration::from_secs(60);
const PACE: Pace = Pace::every(Duration::from_secs(2));

pub type Nodes = Arc<BTreeMap<String, KnownNode>>;

/// What is about to be disturbed: `host` and as many others as make `restarting`, of the nodes of `group`.
pub struct Disturbance<'a> {
    pub host: &'a HostName,
    pub group: Vec<&'a HostName>,
    pub restarting: usize,
    pub max_unavailable: usize,
}

impl Disturbance<'_> {
    /// `nodes` is asked again and again. An API server that does not answer may be one that is about to. Nodes of which `awaits_its_turn` says so are not
    /// Ready until this change comes to them, whatever becomes of the others.
    pub async fn wait<F, G>(
        &self,
        waiter: Waiter<'_>,
        nodes: impl Fn() -> F,
        awaits_its_turn: impl Fn(HostName) -> G,
    ) -> Result<(), StepError>
    where
        F: Future<Output = Result<Nodes, KubernetesError>>,
        G: Future<Output = bool>,
    {
        let wait = waiter.until(format!("enough nodes are Ready for {} to restart", self.host), LIMIT, PACE);
        let (nodes, awaits_its_turn) = (&nodes, &awaits_its_turn);
        let lacks = || async move {
            let nodes = match nodes().await {
                Ok(nodes) => nodes,
                Err(error) => return Ok::<_, StepError>(Some(Lacking { hosts: Vec::new(), reasons: error.to_string() })),
            };
            let Some(lacking) = self.lacks(&nodes, &BTreeSet::new()) else { return Ok(None) };
            let mut awaiting = BTreeSet::new();
            for host in lacking.hosts {
                if awaits_its_turn(host.clone()).await {
                    awaiting.insert(host);
                }
            }
            Ok(self.lacks(&nodes, &awaiting))
        };
        match wait.until_nothing_lacks(lacks).await? {
            None => Ok(()),
            Some(lacking) => Err(self.refused(&lacking)),
        }
    }

    fn lacks(&self, nodes: &BTreeMap<String, KnownNode>, awaiting: &BTreeSet<HostName>) -> Option<Lacking> {
        let others = self.group.iter().filter(|name| **name != self.host && !awaiting.contains(**name));
        let others = others.filter_map(|name| Some((*name, nodes.get(name.as_str())?.not_ready.as_ref())));
        let (down, up): (Vec<_>, Vec<_>) = others.partition(|(_, not_ready)| not_ready.is_some());
        if may_restart(self.restarting, self.max_unavailable, up.len(), down.len()) {
            return None;
        }
        let reason = |(name, reason): &(&HostName, Option<&String>)| format!("{name}: {}", reason.map_or("", String::as_str));
        Some(Lacking {
            hosts: down.iter().map(|(name, _)| (*name).clone()).collect(),
            reasons: down.iter().map(reason).collect::<Vec<_>>().join("\n"),
        })
    }

    fn refused(&self, lacking: &Lacking) -> StepError {
        let (host, count) = (self.host, self.max_unavailable);
        let summary = match lacking.hosts.as_slice() {
            [] => format!("nothing is restarted on {host}, for the API server does not say which nodes are Ready"),
            [one] => format!("nothing is restarted on {host} while node {one} is not Ready"),
            many => format!(
                "nothing is restarted on {host} while nodes {} are not Ready",
                many.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
            ),
        };
        StepError::Gate {
            summary,
            detail: format!(
                "{}\n\nOf the nodes of this group {count} may be unavailable (max_unavailable), and while one is, another has to stay Ready. \
                 Bring them back, take them out of hosts, or raise max_unavailable. Running apply again is safe.",
                lacking.reasons
            ),
        }
    }
}

/// The nodes that are not Ready, and why.
struct Lacking {
    hosts: Vec<HostName>,
    reasons: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeClock;
    use bundle::NodeObject;
    use tokio_util::sync::CancellationToken;

    /// With one of two nodes down; whether the other may restart.
    async fn may_restart(awaits_its_turn: bool) -> bool {
        let (clock, cancelled) = (FakeClock::default(), CancellationToken::new());
        let (host, down) = (HostName::literal("a"), HostName::literal("b"));
        let disturbance = Disturbance { host: &host, group: vec![&host, &down], restarting: 1, max_unavailable: 1 };
        let node = |not_ready: Option<&str>| KnownNode {
            object: NodeObject::default(),
            not_ready: not_ready.map(str::to_string),
            cordoned_by: None,
            kubelet_version: None,
            addresses: BTreeSet::new(),
        };
        let nodes: Nodes = Arc::new(BTreeMap::from([("a".into(), node(None)), ("b".into(), node(Some("no network")))]));
        let waiter = Waiter { clock: &clock, cancelled: &cancelled };
        let nodes = || async { Ok(nodes.clone()) };
        disturbance.wait(waiter, nodes, |of| async move { awaits_its_turn && of.as_str() == "b" }).await.is_ok()
    }

    /// As when the add-on that connected all pods is gone: kubelets say so one after the other, also after the plan was made.
    #[tokio::test]
    async fn nodes_to_which_the_change_has_yet_to_come_hold_up_none() {
        assert!(may_restart(true).await && !may_restart(false).await);
    }
}
