//! Waits until enough other nodes of the group are Ready for this one to restart: those that are down for another reason count among the
//! unavailable ones, as in a Deployment.

use crate::kubernetes::{KnownNode, KubernetesError};
use crate::resources::on_hosts::execute::StepError;
use crate::wait::{Pace, Waiter};
use bundle::HostName;
use rollout::may_restart;
use std::collections::BTreeMap;
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
    /// `nodes` is asked again and again. An API server that does not answer may be one that is about to.
    pub async fn wait<F>(&self, waiter: Waiter<'_>, nodes: impl Fn() -> F) -> Result<(), StepError>
    where
        F: Future<Output = Result<Nodes, KubernetesError>>,
    {
        let wait = waiter.until(format!("enough nodes are Ready for {} to restart", self.host), LIMIT, PACE);
        let nodes = &nodes;
        let lacks = || async move {
            Ok::<_, StepError>(match nodes().await {
                Ok(nodes) => self.lacks(&nodes),
                Err(error) => Some(Lacking { hosts: Vec::new(), reasons: error.to_string() }),
            })
        };
        match wait.until_nothing_lacks(lacks).await? {
            None => Ok(()),
            Some(lacking) => Err(self.refused(&lacking)),
        }
    }

    fn lacks(&self, nodes: &BTreeMap<String, KnownNode>) -> Option<Lacking> {
        let others = self.group.iter().filter(|name| **name != self.host);
        let others = others.filter_map(|name| Some((*name, nodes.get(name.as_str())?.not_ready.as_ref())));
        let (down, up): (Vec<_>, Vec<_>) = others.partition(|(_, not_ready)| not_ready.is_some());
        if may_restart(self.restarting, self.max_unavailable, up.len(), down.len()) {
            return None;
        }
        let reason = |(name, reason): &(&HostName, Option<&String>)| format!("{name}: {}", reason.map_or("", String::as_str));
        Some(Lacking {
            hosts: down.iter().map(|(name, _)| name.to_string()).collect(),
            reasons: down.iter().map(reason).collect::<Vec<_>>().join("\n"),
        })
    }

    fn refused(&self, lacking: &Lacking) -> StepError {
        let (host, count) = (self.host, self.max_unavailable);
        let summary = match lacking.hosts.as_slice() {
            [] => format!("nothing is restarted on {host}, for the API server does not say which nodes are Ready"),
            [one] => format!("nothing is restarted on {host} while node {one} is not Ready"),
            many => format!("nothing is restarted on {host} while nodes {} are not Ready", many.join(", ")),
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
    hosts: Vec<String>,
    reasons: String,
}
