//! What the planner's steps and gates mean for the controller.

use crate::resources::in_cluster::own_apply::{OwnApply, first_api_server};
use crate::resources::on_hosts::cloud_lease::lease;
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
use std::collections::BTreeMap;
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
            Gate::ControllerLeads => wait_until_one_leads(fleet).await,
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

/// Until the lease is seen renewed: an old one says nothing.
async fn wait_until_one_leads(fleet: &Fleet) -> Result<(), StepError> {
    let Some(api) = first_api_server(fleet).await? else { return Ok(()) };
    let first = Mutex::new(None);
    let lacks = async || {
        let reason = match lease(&*api).await {
            Ok(None) => "None holds the lease.".to_string(),
            Ok(Some(seen)) => {
                let holder = seen.holder.clone();
                let is_renewed = first.lock().is_ok_and(|mut first| *first.get_or_insert_with(|| seen.clone()) != seen);
                if is_renewed {
                    return Ok::<_, StepError>(None);
                }
                format!("{holder} holds the lease, and does not renew it.")
            }
            Err(error) => error,
        };
        Ok(Some(reason))
    };
    let Some(reason) = fleet.waiter().until("the controller on one host leads", LIMIT, PACE).until_nothing_lacks(lacks).await?
    else {
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
