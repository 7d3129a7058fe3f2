//! What is known of the node of a host, beside what is on the host.

use crate::{Cause, HostState};
use bundle::{Difference, Health, Instead, UnitName};

/// Where nobody asked, as in a plan that reaches no host, nothing of it is known, and a node counts as one that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// What the API server says.
    pub status: Option<NodeStatus>,
    /// `Some`: it runs pods, and gets no new ones.
    pub cordoned_by: Option<CordonedBy>,
    /// Its kubelet runs, and is of another minor version than the declared one.
    pub other_minor: Option<Instead>,
    /// Its pods are connected by another network than the declared one.
    pub other_network: bool,
    /// The certificate with which its kubelet identifies itself is no longer valid.
    pub has_expired: bool,
    /// What of its labels, annotations and taints is not as declared. Of a node that is not registered: what its kubelet will not
    /// give it.
    pub differences: Vec<Difference>,
}

/// Whether a node serves, by the word of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStatus {
    /// The API server does not know it. A kubelet registers its node only when it starts.
    NotRegistered,
    NotReady,
    Ready,
}

/// Who took a node out of scheduling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CordonedBy {
    /// An apply of the provider, which ended before it let pods be scheduled again.
    Provider,
    SomebodyElse,
}

impl HostState {
    /// The same with what is known of its node.
    pub fn with_node(self, node: NodeFacts) -> Self {
        HostState { node, ..self }
    }

    /// Its node runs no pods that anyone could miss.
    pub(crate) fn has_node_down(&self) -> bool {
        self.node.status.is_some_and(|status| status != NodeStatus::Ready)
    }

    /// Why a kubelet that runs with what it should read has to start again.
    pub(crate) fn why_kubelet_restarts(&self, kubelet: &UnitName) -> Option<Cause> {
        if !self.runs(kubelet) {
            return None;
        }
        let is_not_registered = self.node.status == Some(NodeStatus::NotRegistered);
        let is_expired = self.node.has_expired.then_some(Cause::CertificateExpired);
        let of_node = is_expired.or_else(|| is_not_registered.then_some(Cause::NotRegistered));
        of_node.or_else(|| self.node.other_minor.clone().map(Cause::OtherMinor))
    }

    /// Its pods move elsewhere before a kubelet of another minor version takes over:
    /// <https://kubernetes.io/releases/version-skew-policy/#kubelet-1>; and before another network connects pods, for those that run keep theirs.
    /// A kubelet that does not serve ends no pod, however it is asked to.
    pub(crate) fn why_drained(&self) -> Option<Cause> {
        if self.has_node_down() || !self.units_with(Health::Node).any(|kubelet| self.runs(kubelet)) {
            return None;
        }
        let other_network = self.node.other_network.then_some(Cause::OtherPodNetwork);
        other_network.or_else(|| self.node.other_minor.clone().map(Cause::OtherMinor))
    }
}
