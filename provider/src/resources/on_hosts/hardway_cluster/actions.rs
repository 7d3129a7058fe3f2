//! What the planner's steps and gates mean for a control plane.

use crate::etcd::{Cluster, EtcdError, Snapshot, SnapshotPlace};
use crate::ports::Host;
use crate::resources::in_cluster::own_apply::OwnApply;
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::health::last_words;
use crate::wait::Pace;
use async_trait::async_trait;
use bundle::HostName;
use machines::lines_that_matter;
use render::component::{API_SERVER, Component, ETCD};
use render::control_plane::{ADMIN_KUBECONFIG, Endpoints, KUBECTL};
use rollout::{Gate, Membership};
use schema::Field;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub struct ControlPlaneActions {
    /// Where each host reaches its own etcd member and API server.
    pub endpoints: BTreeMap<HostName, Endpoints>,
    pub own: OwnApply,
    pub snapshots: SnapshotPlace,
    pub snapshot_trigger: Field<String>,
}

/// A database of 8 GiB, the most that is allowed, on a slow disk.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(300);
/// A member that starts answers within this.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(120);
/// For a question that an apply can do without.
const MEMBERS_LIMIT: Duration = Duration::from_secs(3);
const PACE: Pace = Pace::every(Duration::from_millis(200));

/// What is waited for, on which host, and whose journal tells more.
struct Condition<'a> {
    host: Option<&'a HostName>,
    what: String,
    component: &'static Component,
}

#[async_trait]
impl Actions for ControlPlaneActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::EtcdQuorum => self.wait_for_quorum(fleet, None).await,
            Gate::QuorumWithout { host } => self.wait_for_quorum(fleet, Some(host)).await,
            Gate::EtcdMemberHealthy { host } => self.wait_for_member(fleet, host).await,
            Gate::ApiServerReady { host } => self.wait_for_api_server(fleet, host).await,
            Gate::OthersReady { .. } => Ok(()),
            Gate::UnitsHealthy { .. }
            | Gate::CertificatesServed { .. }
            | Gate::NodeReady { .. }
            | Gate::VirtualAddressServed
            | Gate::ControllerLeads { .. } => Ok(()),
        }
    }

    async fn apply_objects(&self, fleet: &Fleet) -> Result<(), StepError> {
        self.own.apply(fleet).await
    }

    /// By the first host, in the order of their names, whose member has a vote, knows the leader and all entries, and gives one.
    async fn snapshot_etcd(&self, fleet: &Fleet) -> Result<(), StepError> {
        let mut reasons = Vec::new();
        for (host, machine) in self.healthy_members(fleet).await? {
            let member = machine.etcd(&self.endpoints(host)?.etcd);
            match fleet.waiter().within(SNAPSHOT_LIMIT, member.snapshot(&self.snapshots)).await {
                Some(Ok(snapshot)) => {
                    fleet.progress.line(&taken(host, &snapshot));
                    return Ok(());
                }
                Some(Err(error)) => reasons.push(error.to_string()),
                None if fleet.waiter().cancelled.is_cancelled() => {
                    return Err(StepError::Cancelled("a snapshot of etcd is taken".into()));
                }
                None => reasons.push(format!("{host}: it took longer than {} s", SNAPSHOT_LIMIT.as_secs())),
            }
        }
        Err(self.no_snapshot(&reasons.join("\n")))
    }
}

fn taken(host: &HostName, snapshot: &Snapshot) -> String {
    let Snapshot { path, revision, keys, bytes } = snapshot;
    format!("{host}: snapshot of etcd in {path}: revision {revision}, {keys} keys, {} KiB", bytes >> 10)
}

impl ControlPlaneActions {
    /// Hosts whose members have what a quorum has. An apply that was cut off may have started them just now: they are waited for.
    async fn healthy_members<'a>(&self, fleet: &'a Fleet) -> Result<Vec<(&'a HostName, &'a Arc<dyn Host>)>, StepError> {
        let healthy = |cluster: Cluster| {
            let is_healthy = |host: &HostName| cluster.healthy_voters().any(|member| member.name == host.as_str());
            let found: Vec<_> = fleet.machines.iter().filter(|(host, _)| is_healthy(host)).collect();
            if found.is_empty() { Err("no member on a host that answers has caught up".to_string()) } else { Ok(found) }
        };
        let question = async || Ok::<_, StepError>(self.cluster(fleet).await?.and_then(healthy));
        let wait = fleet.waiter().until("a member of etcd is healthy", ANSWER_LIMIT, PACE);
        wait.until_answered(question).await?.map_err(|reason| self.no_snapshot(&reason))
    }

    fn no_snapshot(&self, reasons: &str) -> StepError {
        let folder = &self.snapshots.folder;
        StepError::Gate {
            summary: "no snapshot of etcd was taken".into(),
            detail: format!(
                "{reasons}\n\nSnapshots are written to {folder} of the first healthy member. To go on without one, set etcd.snapshots_kept = 0, and \
                 etcd.snapshot_trigger back to what it was."
            ),
        }
    }

    /// Without the named host's member, whether that runs or not.
    async fn wait_for_quorum(&self, fleet: &Fleet, without: Option<&HostName>) -> Result<(), StepError> {
        let what = without.map(|host| format!(" without {host}")).unwrap_or_default();
        let condition = Condition { host: None, what: format!("etcd has a quorum of healthy members{what}"), component: &ETCD };
        let lacks = async || match self.cluster(fleet).await? {
            Ok(cluster) => Ok(cluster.lacks_quorum_without(without.map(HostName::as_str))),
            Err(reason) => Ok(Some(reason)),
        };
        until(fleet, &condition, lacks).await
    }

    /// As the first member that answers and has a quorum behind it knows it; else what each said. An error when no host is reached.
    async fn cluster(&self, fleet: &Fleet) -> Result<Result<Cluster, String>, StepError> {
        let (mut reasons, mut lost) = (Vec::new(), None);
        for (host, machine) in &fleet.machines {
            let Some(endpoints) = self.endpoints.get(host) else { continue };
            match machine.etcd(&endpoints.etcd).cluster().await {
                Ok(cluster) => return Ok(Ok(cluster)),
                Err(EtcdError::Machine(error)) => lost = Some(error),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        match lost {
            Some(error) if reasons.is_empty() => Err(error.into()),
            _ => Ok(Err(reasons.join("\n"))),
        }
    }

    /// What the first member that answers soon says of all of them. A gate does not depend on it; the order of a roll does, and what is
    /// refused before anything is written.
    pub async fn members(&self, fleet: &Fleet) -> BTreeMap<HostName, Membership> {
        let Some(cluster) = self.first_answer(fleet).await else { return BTreeMap::new() };
        let membership =
            |(host, endpoints): (&HostName, &Endpoints)| (host.clone(), cluster.membership(host, &endpoints.etcd_peer));
        self.endpoints.iter().map(membership).collect()
    }

    async fn first_answer(&self, fleet: &Fleet) -> Option<Cluster> {
        let members = fleet.machines.iter().filter_map(|(host, machine)| Some(machine.etcd(&self.endpoints.get(host)?.etcd)));
        let questions: Vec<_> = members.map(|member| Box::pin(async move { member.members().await })).collect();
        if questions.is_empty() {
            return None;
        }
        let (cluster, _) = fleet.waiter().within(MEMBERS_LIMIT, futures::future::select_ok(questions)).await?.ok()?;
        Some(cluster)
    }

    async fn wait_for_member(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let (machine, endpoints) = (fleet.machine(host)?, self.endpoints(host)?);
        let etcd = machine.etcd(&endpoints.etcd);
        let condition = Condition { host: Some(host), what: "its etcd member is healthy".into(), component: &ETCD };
        let lacks = async || match etcd.status().await {
            Ok(status) => Ok(status.leader.is_none().then(|| "it knows no leader".to_string())),
            Err(EtcdError::Machine(error)) => Err(error.into()),
            Err(error) => Ok(Some(error.to_string())),
        };
        until(fleet, &condition, lacks).await
    }

    async fn wait_for_api_server(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let (machine, endpoints) = (fleet.machine(host)?, self.endpoints(host)?);
        // As the host itself sees its API server, whatever the load balancer does. Every serving certificate has the name.
        let command = format!(
            "{KUBECTL} --kubeconfig={ADMIN_KUBECONFIG} --server={} --tls-server-name=kubernetes --request-timeout=5s get --raw={}",
            endpoints.api_server, API_SERVER.health_path
        );
        let condition = Condition { host: Some(host), what: "its API server is ready".into(), component: &API_SERVER };
        let lacks = async || {
            let answer = machine.run(&command).await?;
            Ok((!answer.is_success()).then(|| lines_that_matter(&answer.stderr_text())))
        };
        until(fleet, &condition, lacks).await
    }

    fn endpoints(&self, host: &HostName) -> Result<&Endpoints, StepError> {
        self.endpoints.get(host).ok_or_else(|| StepError::Gate {
            summary: format!("provider bug: a gate waits for {host}, which is not one of the cluster's hosts"),
            detail: "Please report this with the versions of the provider and the engine.".into(),
        })
    }
}

/// Asks until nothing is lacking any more; what is lacking is the reason of the error.
async fn until<F: Future<Output = Result<Option<String>, StepError>>>(
    fleet: &Fleet,
    condition: &Condition<'_>,
    lacks: impl Fn() -> F,
) -> Result<(), StepError> {
    let place = condition.host.map(|host| format!(" on {host}")).unwrap_or_default();
    let wait = fleet.waiter().until(format!("{}{place}", condition.what), LIMIT, PACE);
    match wait.until_nothing_lacks(lacks).await? {
        None => Ok(()),
        Some(lacking) => Err(late(fleet, condition, &lacking).await?),
    }
}

async fn late(fleet: &Fleet, condition: &Condition<'_>, lacking: &str) -> Result<StepError, StepError> {
    let (place, words) = match condition.host {
        Some(host) => (format!(" on {host}"), last_words(fleet.machine(host)?, &condition.component.unit()).await),
        None => Default::default(),
    };
    Ok(StepError::Gate {
        summary: format!("timed out after {} s{place}, waiting until {}", LIMIT.as_secs(), condition.what),
        detail: format!("The last answer was:\n{lacking}\n{words}"),
    })
}
