//! The API of the cluster whose objects a fake world remembers, as one control-plane host serves it.

use super::memory::Cluster;
use super::{FakeWorld, units};
use crate::kubernetes::{BootstrapToken, KubernetesError};
use crate::ports::Kubernetes;
use async_trait::async_trait;
use bundle::HostName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

pub(super) struct FakeKubernetes {
    pub host: HostName,
    pub world: FakeWorld,
}

fn refused(what: impl Into<String>, last: &str) -> KubernetesError {
    KubernetesError::TimedOut { what: what.into(), seconds: 1, last: last.into() }
}

impl FakeKubernetes {
    fn serves(&self) -> Result<(), KubernetesError> {
        let serves = self.world.change(|memory| memory.host(&self.host).answers && memory.serves_api(&self.host));
        if serves && !self.world.is_dead() { Ok(()) } else { Err(refused("the API server did not answer", "connection refused")) }
    }

    async fn mutate<T>(&self, what: String, effect: impl FnOnce(&mut Cluster) -> T) -> Result<T, KubernetesError> {
        self.serves()?;
        let done = self.world.mutate(format!("cluster: {what}"), |memory, _| effect(&mut memory.cluster)).await;
        done.ok_or_else(|| refused(what, "the connection was cut"))
    }
}

#[async_trait]
impl Kubernetes for FakeKubernetes {
    async fn probe(&self) -> Result<(), KubernetesError> {
        self.serves()
    }

    async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError> {
        self.mutate("apply objects".into(), |cluster| {
            for object in objects {
                let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let key = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
                cluster.objects.insert(key, object.clone());
            }
        })
        .await
    }

    async fn create_token(&self, token: &BootstrapToken, _now: OffsetDateTime) -> Result<(), KubernetesError> {
        self.mutate("create a token".into(), |cluster| {
            cluster.tokens.insert(token.text().reveal().to_string());
            cluster.tokens_made.push(token.text().reveal().to_string());
        })
        .await
    }

    async fn delete_token(&self, token: &BootstrapToken) -> Result<(), KubernetesError> {
        self.mutate("delete a token".into(), |cluster| cluster.tokens.remove(token.text().reveal())).await.map(drop)
    }

    async fn declare_nodes(&self, nodes: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        self.mutate("declare nodes".into(), |cluster| {
            for (name, text) in nodes {
                match text {
                    Some(text) => drop(cluster.declared.insert(name.clone(), text.clone())),
                    None => drop(cluster.declared.remove(name)),
                }
            }
        })
        .await
    }

    async fn has_other_nodes(&self, nodes: &BTreeSet<String>) -> Result<bool, KubernetesError> {
        self.serves()?;
        Ok(self.world.change(|memory| memory.cluster.nodes.keys().any(|name| !nodes.contains(name))))
    }

    /// Nothing changes here by itself, so that what is not so at once never will be.
    async fn wait_until_ready(
        &self,
        node: &str,
        since: Option<i64>,
        _limit: Duration,
        cancelled: &CancellationToken,
    ) -> Result<(), KubernetesError> {
        self.serves()?;
        match self.world.change(|memory| units::is_ready(memory, node, since)) {
            true => Ok(()),
            false if cancelled.is_cancelled() => Err(KubernetesError::Cancelled(format!("node {node}"))),
            false => Err(refused(format!("node {node} is not Ready"), "NotReady")),
        }
    }

    async fn set_labels(&self, node: &str, labels: &BTreeMap<String, Option<String>>) -> Result<(), KubernetesError> {
        let found = self.mutate(format!("label {node}"), |cluster| {
            let node = cluster.nodes.get_mut(node)?;
            for (key, value) in labels {
                match value {
                    Some(value) => drop(node.labels.insert(key.clone(), value.clone())),
                    None => drop(node.labels.remove(key)),
                }
            }
            Some(())
        });
        found.await?.ok_or_else(|| refused(format!("there is no node {node}"), "404"))
    }

    async fn drain(&self, node: &str, _limit: Duration, _cancelled: &CancellationToken) -> Result<(), KubernetesError> {
        self.mutate(format!("drain {node}"), |cluster| {
            if let Some(node) = cluster.nodes.get_mut(node) {
                node.unschedulable = true;
            }
        })
        .await
    }

    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.mutate(format!("uncordon {node}"), |cluster| {
            if let Some(node) = cluster.nodes.get_mut(node) {
                node.unschedulable = false;
            }
        })
        .await
    }

    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        self.mutate(format!("delete node {node}"), |cluster| drop(cluster.nodes.remove(node))).await?;
        self.declare_nodes(&BTreeMap::from([(node.to_string(), None)])).await
    }
}
