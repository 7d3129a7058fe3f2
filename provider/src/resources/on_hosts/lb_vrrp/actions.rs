//! What the planner's steps and gates mean for a load balancer: who holds the virtual addresses, and handing them over.

use crate::ports::Host;
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use async_trait::async_trait;
use bundle::{HostName, UnitName};
use ipnet::IpNet;
use rollout::Gate;
use std::time::{Duration, Instant};

pub struct VrrpActions {
    /// The unit that carries the addresses.
    pub keepalived: UnitName,
    pub virtual_addresses: Vec<IpNet>,
}

const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);

#[async_trait]
impl Actions for VrrpActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::VirtualAddressServed => self.wait_until_held(fleet, None).await,
            _ => Ok(()),
        }
    }

    async fn hand_over(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
        if fleet.machines.len() < 2 || !self.holds(machine.as_ref()).await? {
            return Ok(());
        }
        let keepalived = &self.keepalived;
        machine.run(&format!("systemctl stop {keepalived}")).await?;
        self.wait_until_held(fleet, Some(host)).await?;
        // It comes back as a backup (`nopreempt`); what follows may restart other units only.
        machine.run(&format!("systemctl start {keepalived}")).await?;
        Ok(())
    }
}

impl VrrpActions {
    /// The host that has the addresses now, as far as one answers and has them.
    pub async fn holder(&self, fleet: &Fleet) -> Option<HostName> {
        for (host, machine) in &fleet.machines {
            if self.holds(machine.as_ref()).await.is_ok_and(|holds| holds) {
                return Some(host.clone());
            }
        }
        None
    }

    async fn holds(&self, machine: &dyn Host) -> Result<bool, StepError> {
        let output = machine.run("ip -o addr show").await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(!self.virtual_addresses.is_empty()
            && self.virtual_addresses.iter().all(|address| text.contains(&format!(" {address} "))))
    }

    /// Exactly as a client needs it: some host other than `besides` has every address.
    async fn wait_until_held(&self, fleet: &Fleet, besides: Option<&HostName>) -> Result<(), StepError> {
        let began = Instant::now();
        while began.elapsed() < HAND_OVER_LIMIT {
            for (host, machine) in &fleet.machines {
                if Some(host) != besides && self.holds(machine.as_ref()).await? {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let addresses: Vec<String> = self.virtual_addresses.iter().map(|address| address.addr().to_string()).collect();
        Err(StepError::Gate {
            summary: format!(
                "no host holds the virtual addresses {} after {} s",
                addresses.join(", "),
                HAND_OVER_LIMIT.as_secs()
            ),
            detail: format!(
                "Look at `journalctl -u {}` on the load-balancer hosts: is VRRP (IP protocol 112) allowed between them, and virtual_router_id unique? Running apply again is safe.",
                self.keepalived
            ),
        })
    }
}
