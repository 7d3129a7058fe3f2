//! What the planner's steps and gates mean for a load balancer: who holds the virtual addresses, and handing them over.

use super::holders;
use super::link;
use crate::ports::Host;
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use async_trait::async_trait;
use bundle::{HostName, UnitName};
use ipnet::IpNet;
use machines::Inventory;
use render::LoadBalancerSpec;
use rollout::Gate;
use schema::{Diagnostics, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub struct VrrpActions {
    /// The unit that carries the addresses.
    pub keepalived: UnitName,
    pub virtual_addresses: Vec<IpNet>,
    pub advertisement_interval: Duration,
    /// Addresses of all hosts.
    pub peers: Vec<IpAddr>,
    /// `None` in a test that asks no link.
    pub spec: Option<LoadBalancerSpec>,
}

#[async_trait]
impl Actions for VrrpActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::VirtualAddressServed => holders::wait_until_held(fleet, self, None, holders::steady(self)).await,
            _ => Ok(()),
        }
    }

    async fn look(&self, fleet: &Fleet, prior: Option<&Value>, inventories: &BTreeMap<HostName, Inventory>) -> Diagnostics {
        match &self.spec {
            Some(spec) => link::check(fleet, spec, prior, inventories).await,
            None => Diagnostics::default(),
        }
    }

    async fn hand_over(&self, fleet: &Fleet, host: &HostName) -> Result<(), StepError> {
        let Some(machine) = fleet.machines.get(host) else { return Ok(()) };
        if fleet.machines.len() < 2 || !self.holds(machine.as_ref()).await? {
            return Ok(());
        }
        let stopped = self.keepalived(machine.as_ref(), "stop").await;
        let held = match &stopped {
            Ok(()) => holders::wait_until_held(fleet, self, Some(host), Duration::ZERO).await,
            Err(_) => Ok(()),
        };
        // It comes back as a backup (`nopreempt`); what follows may restart other units only. Also when nobody took the addresses, or the
        // user wants to stop: no host is left without its keepalived.
        let started = self.keepalived(machine.as_ref(), "start").await;
        match (stopped.and(held), started) {
            (Err(StepError::Gate { summary, detail }), Err(also)) => Err(StepError::Gate {
                summary,
                detail: format!("{detail}\n\nWhat is more, {}: {}", also.summary(), also.detail()),
            }),
            (first, second) => first.and(second),
        }
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
        let found = holders::of(machine, &self.virtual_addresses).await?;
        Ok(!found.is_empty() && found.len() == self.virtual_addresses.len())
    }

    /// Starts or stops it.
    async fn keepalived(&self, machine: &dyn Host, verb: &str) -> Result<(), StepError> {
        let (host, unit) = (machine.name(), &self.keepalived);
        let output = machine.run(&format!("systemctl {verb} {unit}")).await?;
        if output.is_success() {
            return Ok(());
        }
        let detail =
            format!("{}\n\nLook at `journalctl -u {unit}` there. Running apply again is safe.", output.stderr_text().trim());
        Err(StepError::Gate { summary: format!("systemctl {verb} {unit} failed on {host}"), detail })
    }
}
