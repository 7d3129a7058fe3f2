//! What the planner's steps and gates mean for a control plane.

use crate::ports::Host;
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::units::wait_units_active;
use async_trait::async_trait;
use bundle::HostName;
use rollout::Gate;
use std::time::{Duration, Instant};

pub struct ControlPlaneActions {
    pub objects: Vec<serde_json::Value>,
}

const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(200);
/// As the host itself sees its API server, whatever the load balancer does.
const READY: &str = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig --server=https://localhost:6443 --tls-server-name=kubernetes --request-timeout=5s get --raw=/readyz";
const ETCDCTL: &str = "etcdctl --cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt --key=/etc/etcd/pki/client.key";

#[async_trait]
impl Actions for ControlPlaneActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::UnitsHealthy { units, host } => wait_units_active(fleet, host, units).await,
            Gate::EtcdQuorum => {
                self.until(fleet, None, "etcd has a leader", &format!("{ETCDCTL} --command-timeout=3s endpoint health")).await
            }
            Gate::EtcdMemberHealthy { host } => {
                self.until(
                    fleet,
                    Some(host),
                    "its etcd member is healthy",
                    &format!("{ETCDCTL} --command-timeout=3s endpoint health"),
                )
                .await
            }
            Gate::QuorumWithout { host } => self.quorum_without(fleet, host).await,
            Gate::ApiServerReady { host } => self.until(fleet, Some(host), "its API server is ready", READY).await,
            Gate::NodeReady { .. } | Gate::VirtualAddressServed => Ok(()),
        }
    }

    async fn apply_objects(&self, fleet: &Fleet) -> Result<(), StepError> {
        let Some(machine) = fleet.first() else { return Ok(()) };
        Ok(machine.kubernetes().await?.apply(&self.objects).await?)
    }
}

impl ControlPlaneActions {
    /// Waits until the command succeeds on the host, or on any host when none is named.
    async fn until(&self, fleet: &Fleet, host: Option<&HostName>, what: &str, command: &str) -> Result<(), StepError> {
        let Some(machine) = host.and_then(|host| fleet.machines.get(host)).or_else(|| fleet.first()) else { return Ok(()) };
        let began = Instant::now();
        loop {
            let output = machine.run(command).await?;
            if output.status == 0 {
                return Ok(());
            }
            if fleet.cancelled.is_cancelled() {
                return Err(StepError::Cancelled(format!("{}: {what}", machine.name())));
            }
            if began.elapsed() > LIMIT {
                return Err(StepError::Gate {
                    summary: format!("timed out after {} s on {}, waiting until {what}", LIMIT.as_secs(), machine.name()),
                    detail: format!(
                        "The last answer was:\n{}\n\n{}\n\nRunning apply again is safe.",
                        String::from_utf8_lossy(&output.stderr).trim(),
                        journal(machine.as_ref()).await
                    ),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Every other member must be healthy before this host's may stop, and together they must be a majority.
    async fn quorum_without(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        for other in fleet.names().iter().filter(|name| *name != host) {
            if fleet.machines.contains_key(other) {
                self.until(
                    fleet,
                    Some(other),
                    "its etcd member is healthy",
                    &format!("{ETCDCTL} --command-timeout=3s endpoint health"),
                )
                .await?;
            }
        }
        Ok(())
    }
}

async fn journal(machine: &dyn Host) -> String {
    match machine.run("journalctl --no-pager -n 12 -o cat -u etcd.service -u kube-apiserver.service").await {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => String::new(),
    }
}
