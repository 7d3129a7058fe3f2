//! One apply of a resource on hosts to the objects that it keeps in the cluster: whether it came to them, and what it left as others have changed it.

use super::own_objects::{OwnObjects, Shown};
use super::own_state;
use super::waits::Reach;
use crate::kubernetes::{KubernetesError, TheirField};
use crate::ports::Kubernetes;
use crate::resources::on_hosts::execute::StepError;
use crate::resources::on_hosts::fleet::Fleet;
use protocol::ApplyResponse;
use rollout::control_plane::Objects;
use schema::{Diagnostic, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

pub struct OwnApply {
    own: OwnObjects,
    /// `the cluster's`
    whose: &'static str,
    /// What the plan has shown as changed by others.
    planned: OnceLock<Shown>,
    /// Once they are applied: what was left as others have changed it.
    applied: Mutex<Option<Vec<TheirField>>>,
}

impl OwnApply {
    pub fn new(own: OwnObjects, whose: &'static str) -> OwnApply {
        OwnApply { own, whose, planned: OnceLock::new(), applied: Mutex::default() }
    }

    /// Whether there is anything to do, from the state.
    pub fn begin(&self, prior: Option<&Value>) -> Objects {
        self.planned.get_or_init(|| own_state::planned(&self.own, prior));
        own_state::due(&self.own, prior)
    }

    /// By the first API server that answers, in the order of their hosts.
    pub async fn apply(&self, fleet: &Fleet) -> Result<(), StepError> {
        let Some(api) = first_api_server(fleet).await? else {
            return Err(StepError::Gate { summary: self.not_applied(), detail: NO_HOST.into() });
        };
        let reach = Reach { api: &*api, waiter: fleet.waiter() };
        let theirs = self.own.apply(reach, self.planned.get().unwrap_or(&Shown::new())).await?;
        theirs.iter().for_each(|field| fleet.progress.line(&format!("{field}, and stays as it is")));
        if let Ok(mut applied) = self.applied.lock() {
            *applied = Some(theirs);
        }
        Ok(())
    }

    fn not_applied(&self) -> String {
        format!("{} own objects were not applied", self.whose)
    }

    /// After the steps: what was left, and what of it the state may say.
    pub fn settle(&self, prior: Option<&Value>, response: &mut ApplyResponse) {
        response.diagnostics.extend(self.left_to_others());
        if self.applied.lock().is_ok_and(|applied| applied.is_some()) {
            return;
        }
        let are_due = prior.is_some() && own_state::due(&self.own, prior) == Objects::Due;
        if are_due && !response.diagnostics.has_errors() {
            response.diagnostics.push(Diagnostic::error(self.not_applied()).detail(NO_HOST));
        }
        if response.diagnostics.has_errors()
            && let Some(state) = response.state.as_mut()
        {
            own_state::keep(prior, state);
        }
    }

    /// What others have changed, where something else is declared now, and no plan has shown it.
    fn left_to_others(&self) -> Option<Diagnostic> {
        let applied = self.applied.lock().ok()?;
        let theirs = applied.as_ref().filter(|theirs| !theirs.is_empty())?;
        let left_whole = theirs.iter().filter(|field| field.declared.is_none()).map(|field| field.object.as_str());
        let left_whole: BTreeSet<&str> = left_whole.collect();
        let mut detail: String = theirs.iter().map(|field| format!("{field}\n")).collect();
        if theirs.iter().any(|field| !left_whole.contains(field.object.as_str())) {
            detail += "\nAll else of objects of which a declared value is named was applied. The next plan shows these fields as drift, and its apply sets \
                       them; name those in ignore_fields that others are to keep.\n";
        }
        if !left_whole.is_empty() {
            let names: Vec<&str> = left_whole.into_iter().collect();
            let again = "Delete it, or put back what was changed, and apply again.";
            detail += &format!("\nNothing was applied of {}. {again}\n", names.join(", "));
        }
        let summary = format!("what others have changed of {} own objects was left as it is", self.whose);
        Some(Diagnostic::warning(summary).detail(detail.trim_end()))
    }
}

const NO_HOST: &str = "No control-plane host of this state answers. Running apply again is safe.";

/// `None` where there is no host; an error is what the last one said.
pub async fn first_api_server(fleet: &Fleet) -> Result<Option<Arc<dyn Kubernetes>>, StepError> {
    let mut lost = None;
    for machine in fleet.machines.values() {
        let asked = async {
            let api = machine.kubernetes().await?;
            api.version().await?;
            Ok::<_, KubernetesError>(api)
        };
        match asked.await {
            Ok(api) => return Ok(Some(api)),
            Err(error) => lost = Some(error),
        }
    }
    lost.map_or(Ok(None), |error| Err(error.into()))
}
