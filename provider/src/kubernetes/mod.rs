//! The Kubernetes API of one cluster, reached through SSH to a control-plane host with the credentials that stand there,
//! so that neither a route to the cluster network nor a secret in the state is needed.

mod connection;
mod contents;
mod drain;
mod known_node;
mod node_report;
mod nodes;
mod objects;
mod pod_troubles;
mod their_fields;
mod token;

pub use connection::KubernetesApi;
pub use drain::MovablePod;
pub use known_node::{KnownNode, NodeChange};
pub use node_report::{NodeReport, UNINITIALIZED};
pub use objects::{Applied, Conflicting, Deleted, ObjectRef, Reason};
pub use their_fields::{TheirField, take_out};
pub use token::{BootstrapToken, TOKEN_VALIDITY};

use kube::api::PatchParams;
use machines::MachineError;

/// Under it nodes and the cluster's own objects are changed.
pub const FIELD_MANAGER: &str = "k8s-hardway";

/// Of a merge patch, under that name.
fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("cannot read {path} on {host}: {reason}")]
    Kubeconfig { host: String, path: String, reason: String },
    #[error("the API server of {host} refused to {operation}: {source}")]
    Api { host: String, operation: String, source: Box<kube::Error> },
}

impl KubernetesError {
    /// It may go away by itself: no connection for a moment, an API server that starts or has too much to do.
    pub fn is_passing(&self) -> bool {
        let KubernetesError::Api { source, .. } = self else { return false };
        match source.as_ref() {
            kube::Error::Api(status) => matches!(status.code, 429 | 500..=599),
            _ => true,
        }
    }
}
