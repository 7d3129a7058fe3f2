//! What the planner's steps and gates mean for the controller.

use crate::resources::in_cluster::own_apply::{OwnApply, first_api_server};
use crate::resources::on_hosts::cloud_lease::{Lease, lease};
use crate::resources::on_hosts::execute::{Actions, StepError};
use crate::resources::on_hosts::fleet::Fleet;
use crate::resources::on_hosts::hardway_cluster::Join;
use crate::resources::on_hosts::health::last_words;
use crate::resources::on_hosts::node_group::whose;
use crate::wait::Pace;
use async_trait::async_trait;
use bundle::HostName;
use machines::Inventory;
use render::component::CLOUD_CONTROLLER;
use rollout::Gate;
use schema::{Diagnostics, Field, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

pub struct ControllerActions {
    pub join: Field<Join>,
    pub own: OwnApply,
}

/// A lease is not let go of: what led before may be gone for its whole time.
const LIMIT: Duration = Duration::from_secs(60);
const PACE: Pace = Pace::every(Duration::from_millis(500));

#[async_trait]
impl Actions for ControllerActions {
    async fn gate(&self, fleet: &Fleet, gate: &Gate) -> Result<(), StepError> {
        match gate {
            Gate::ControllerLeads { .. } => wait_until_one_leads(fleet).await,
            _ => Ok(()),
        }
    }

    /// Hosts are those of the cluster that `cluster` names.
    async fn look(&self, fleet: &Fleet, _prior: Option<&Value>, _inventories: &BTreeMap<HostName, Inventory>) -> Diagnostics {
        let asked = fleet.machines.values().map(|machine| whose::refuse_another_cluster(&**machine, &self.join));
        fleet.on_each(asked).await.into_iter().filter_map(Result::err).collect()
    }

    async fn apply_objects(&self, fleet: &Fleet) -> Result<(), StepError> {
        self.own.apply(fleet).await
    }
}

/// How often one is seen to renew the lease that leads: it does so every two seconds, and one that ends when it begins to lead does it once.
const RENEWALS: usize = 2;

/// A holder, and how it renews its lease.
#[derive(Default)]
struct Seen {
    holder: String,
    renewed: BTreeSet<String>,
}

impl Seen {
    /// Whether it leads by now. Another holder begins anew.
    fn leads(&mut self, Lease { holder, renewed, .. }: Lease) -> bool {
        if self.holder != holder {
            *self = Seen { holder, ..Seen::default() };
        }
        self.renewed.insert(renewed);
        self.renewed.len() > RENEWALS
    }
}

async fn wait_until_one_leads(fleet: &Fleet) -> Result<(), StepError> {
    let Some(api) = first_api_server(fleet).await? else { return Ok(()) };
    let seen = Mutex::new(Seen::default());
    let lacks = async || {
        let reason = match lease(&*api).await {
            Ok(None) => "None holds the lease.".to_string(),
            Ok(Some(lease)) => {
                let reason = format!("{} holds the lease, and does not go on renewing it.", lease.holder);
                if seen.lock().is_ok_and(|mut seen| seen.leads(lease)) {
                    return Ok::<_, StepError>(None);
                }
                reason
            }
            Err(error) => error,
        };
        Ok(Some(reason))
    };
    let Some(reason) = fleet.waiter().until("a controller leads", LIMIT, PACE).until_nothing_lacks(lacks).await? else {
        return Ok(());
    };
    let mut detail = reason;
    for machine in fleet.machines.values() {
        detail += &format!("\n{}:{}", machine.name(), last_words(&**machine, &CLOUD_CONTROLLER.unit()).await);
    }
    Err(StepError::Gate {
        summary: format!("no cloud controller manager leads after {} s", LIMIT.as_secs()),
        detail: format!("{detail}\n\nRunning apply again is safe."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_ends_whenever_it_begins_to_lead_does_not_lead() {
        let lease = |holder: &str, renewed: &str| Lease { holder: holder.into(), renewed: renewed.into(), seconds: 15 };
        let mut seen = Seen::default();
        let crashing = [("cp-1_a", "1"), ("cp-1_a", "1"), ("cp-2_b", "17"), ("cp-1_c", "33"), ("cp-1_c", "33")];
        assert!(crashing.iter().all(|(holder, renewed)| !seen.leads(lease(holder, renewed))));
        assert_eq!(["35", "35", "37"].map(|renewed| seen.leads(lease("cp-1_c", renewed))), [false, false, true]);
    }
}
