//! What the API server says of one node, and whether that is the word of the kubelet that runs now.

use super::known_node::taints_of;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;

/// Times are microseconds since 1970 by the clock of the node's host, which stamps both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Why it is not Ready; `None` when it is.
    pub not_ready: Option<String>,
    /// That nothing connects its pods is the only reason.
    pub lacks_network: bool,
    /// No cloud controller manager has initialised it. Source: `TaintExternalCloudProvider` in cloud-provider/api of Kubernetes.
    pub is_uninitialized: bool,
    /// When its kubelet computed the Ready condition that was reported last. The API has whole seconds: the kubelet said so at this time or less
    /// than a second later. `None` before the first report.
    pub reported: Option<i64>,
    /// When its kubelet last renewed the node's lease, to the microsecond.
    pub renewed: Option<i64>,
    /// `v1.36.3`, as its kubelet said with the condition.
    pub kubelet_version: Option<String>,
}

pub const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

const SECOND: i64 = 1_000_000;
/// A restarted kubelet reports within a second, a few tenths after its lease. All units have to stay up for this long anyway.
const FIRST_REPORT: i64 = 2 * SECOND;

pub(super) fn kubelet_version(node: &Node) -> Option<String> {
    Some(node.status.as_ref()?.node_info.as_ref()?.kubelet_version.clone())
}

impl NodeReport {
    pub(super) fn of(node: &Node, lease: Option<&Lease>) -> NodeReport {
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
        let not_ready = match ready {
            None => Some("it has not reported its condition".to_string()),
            Some(ready) if ready.status != "True" => Some(ready.message.clone().unwrap_or_else(|| "NotReady".into())),
            Some(_) => None,
        };
        // Source: `networkErrors` in pkg/kubelet/runtime.go and `ReadyCondition` in pkg/kubelet/nodestatus/setters.go; several reasons stand in brackets.
        let is_of_network = |reason: &String| reason.starts_with("container runtime network not ready:");
        let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref());
        NodeReport {
            lacks_network: not_ready.as_ref().is_some_and(is_of_network),
            not_ready,
            is_uninitialized: taints_of(node).iter().any(|taint| taint.key == UNINITIALIZED),
            reported: ready.and_then(|ready| ready.last_heartbeat_time.as_ref()).map(|at| at.0.as_microsecond()),
            renewed: renewed.map(|at| at.0.as_microsecond()),
            kubelet_version: kubelet_version(node),
        }
    }

    /// Why the node is not Ready by the word of a kubelet that was started at `started` and ran at `seen`; `None` when it is. Sources:
    /// `Run` in pkg/kubelet/kubelet.go of Kubernetes, and `sync` in component-helpers/apimachinery/lease/controller.go.
    ///
    /// A kubelet reports the condition as soon as it has asked the container runtime. A report of a later second than the start is its
    /// own. One of the same second may be the last of the kubelet before; then the lease must be its own, and it must have had the time
    /// to replace that report. The lease is renewed at the start too, but for a kubelet that registers its node only then: it finds no
    /// node, and tries again after ten seconds.
    pub fn lacks_since(&self, started: i64, seen: i64) -> Option<String> {
        if self.not_ready.is_some() {
            return self.not_ready.clone();
        }
        let second_of_start = started - started.rem_euclid(SECOND);
        let has_reported = match self.reported {
            Some(reported) if reported == second_of_start => {
                self.renewed.is_some_and(|renewed| renewed > started) && seen - started >= FIRST_REPORT
            }
            reported => reported.is_some_and(|reported| reported > second_of_start),
        };
        (!has_reported).then(|| "its kubelet has not reported since it was started".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// 2026-11-28 16:00:00.400
    const STARTED: i64 = 1_795_881_600_400_000;

    fn node(status: &str, reported: &str) -> Node {
        let condition = json!({ "type": "Ready", "status": status, "message": "no CNI", "lastHeartbeatTime": reported });
        serde_json::from_value(json!({ "metadata": {}, "status": { "conditions": [condition] } })).unwrap()
    }

    fn lease(renewed: &str) -> Lease {
        serde_json::from_value(json!({ "metadata": {}, "spec": { "renewTime": renewed } })).unwrap()
    }

    #[track_caller]
    fn check(node: &Node, renewed: Option<&str>, expect: Option<&str>) {
        let report = NodeReport::of(node, renewed.map(lease).as_ref());
        assert_eq!(report.lacks_since(STARTED, STARTED + FIRST_REPORT).as_deref(), expect, "{report:?}");
    }

    const OLD: Option<&str> = Some("its kubelet has not reported since it was started");

    #[test]
    fn a_report_of_a_later_second_is_enough() {
        check(&node("True", "2026-11-28T16:00:01Z"), None, None);
        check(&node("True", "2026-11-28T16:00:01Z"), Some("2026-11-28T15:59:59.000000Z"), None);
        check(&node("False", "2026-11-28T16:00:05Z"), Some("2026-11-28T16:00:05.000000Z"), Some("no CNI"));
        check(&serde_json::from_value(json!({ "metadata": {} })).unwrap(), None, Some("it has not reported its condition"));
    }

    #[test]
    fn of_a_report_in_the_second_of_the_start_the_lease_tells_whose_it_is() {
        let same = node("True", "2026-11-28T16:00:00Z");
        check(&same, Some("2026-11-28T16:00:00.400001Z"), None);
        check(&same, Some("2026-11-28T16:00:00.400000Z"), OLD);
        check(&same, Some("2026-11-28T16:00:00.100000Z"), OLD);
        check(&same, None, OLD);
        let early = NodeReport::of(&same, Some(&lease("2026-11-28T16:00:00.800000Z")));
        assert_eq!(early.lacks_since(STARTED, STARTED + FIRST_REPORT - 1).as_deref(), OLD);
    }

    #[test]
    fn a_kubelet_that_renews_its_lease_and_reports_nothing_is_not_taken() {
        let old = node("True", "2026-11-28T15:59:59Z");
        check(&old, Some("2026-11-28T16:00:09.000000Z"), OLD);
        check(&old, None, OLD);
    }
}
