//! What the planner's steps and gates mean for a load balancer: who holds the virtual addresses, and handing them over.

use crate::ports::Host;
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::wait::Pace;
use async_trait::async_trait;
use bundle::{HostName, UnitName};
use ipnet::IpNet;
use rollout::Gate;
use std::time::Duration;

pub struct VrrpActions {
    /// The unit that carries the addresses.
    pub keepalived: UnitName,
    pub virtual_addresses: Vec<IpNet>,
}

const HAND_OVER_LIMIT: Duration = Duration::from_secs(15);
const PACE: Pace = Pace::every(Duration::from_millis(100));

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
        let held = self.wait_until_held(fleet, Some(host)).await;
        // It comes back as a backup (`nopreempt`); what follows may restart other units only. Also when nobody took the addresses, or the
        // user wants to stop: no host is left without its keepalived.
        let started = machine.run(&format!("systemctl start {keepalived}")).await;
        held?;
        started?;
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
        let addresses: Vec<String> = self.virtual_addresses.iter().map(|address| address.addr().to_string()).collect();
        let addresses = addresses.join(", ");
        let wait = fleet.waiter().until(format!("a host holds the virtual addresses {addresses}"), HAND_OVER_LIMIT, PACE);
        let lacks = async || Ok::<_, StepError>((!self.is_held(fleet, besides).await?).then_some(()));
        match wait.until_nothing_lacks(lacks).await? {
            None => Ok(()),
            Some(()) => Err(self.not_held(&addresses)),
        }
    }

    async fn is_held(&self, fleet: &Fleet, besides: Option<&HostName>) -> Result<bool, StepError> {
        for (host, machine) in &fleet.machines {
            if Some(host) != besides && self.holds(machine.as_ref()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn not_held(&self, addresses: &str) -> StepError {
        StepError::Gate {
            summary: format!("no host holds the virtual addresses {addresses} after {} s", HAND_OVER_LIMIT.as_secs()),
            detail: format!(
                "Look at `journalctl -u {}` on the load-balancer hosts: is VRRP (IP protocol 112) allowed between them, and virtual_router_id unique? Running apply again is safe.",
                self.keepalived
            ),
        }
    }
}
