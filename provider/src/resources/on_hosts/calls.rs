//! What an apply and a destroy of a resource on hosts do: ask each host whose and which it is, refuse what is not this resource's, and
//! only then change anything.

use super::absence::Why;
use super::apply::Apply;
use super::connect::Way;
use super::fleet::Fleet;
use super::recorded::{self, Recorded};
use super::{Declared, HostResource, OnHosts, Place, connect, errors, keeping_stamps, lives, outdated, ownership, steps};
use crate::hosts;
use bundle::{Bundle, HostName, Manifest};
use machines::{Incarnation, Inventory, Question, Uid};
use protocol::{ApplyRequest, ApplyResponse, Call, DeleteResponse};
use schema::{Diagnostic, Value, decode};
use std::collections::BTreeMap;

impl<R: HostResource> OnHosts<R> {
    pub(super) async fn apply_hosts(&self, call: &Call, mut request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let config: R::Config = decode(&request.planned)?;
        let with_secrets: R::Config = decode(&request.config)?;
        let place: Place = decode(&request.planned)?;
        let recorded = Recorded::of(request.prior.as_ref())?.manifests()?;
        let addresses = self.addresses(request.prior.as_ref(), &recorded, &request.planned)?;
        addresses.refuse(self.resource.moves())?;
        self.refuse_another(&request)?;
        let all = recorded::all_hosts(place.hosts.known(), request.prior.as_ref())?;
        let was_empty = |prior: &Value| prior.get("hosts").as_map().is_none_or(BTreeMap::is_empty);
        if all.is_empty() && request.prior.as_ref().is_none_or(was_empty) {
            return self.apply_to_no_host(&config, &with_secrets, request).await;
        }
        let actions = self.resource.actions(&self.shared, &config, call).await?;
        let (mut planned, desired) = self.desired_at_apply(&config, &with_secrets, &request, &recorded, &actions).await?;
        let owner = self.incarnation(request.prior.as_ref(), &planned)?;
        let new = desired.keys().filter(|host| !recorded.contains_key(*host)).cloned().collect();
        let way = Way { hosts: &all, ssh: &place.ssh, new };
        let mut fleet = connect::connect(&self.shared, owner, &way, call).await?;
        let questions = ownership::questions(&desired, &recorded);
        let inventories = identify(&mut fleet, questions, request.prior.as_ref()).await?;
        self.set_ids(&mut planned, &fleet.owner);
        addresses.refuse_other_machines(&fleet, &inventories).await?;
        let refused = ownership::refuse_other_hosts(&fleet, desired.keys());
        if refused.has_errors() {
            return Ok(ApplyResponse { state: request.prior, diagnostics: refused });
        }
        let leaving = recorded.iter().filter(|(host, _)| !desired.contains_key(*host));
        let leaving = leaving.map(|(host, manifest)| (host.clone(), manifest.clone())).collect();
        for (host, why) in ownership::refuse_other_clusters(&fleet.owner.name, &leaving, &inventories) {
            fleet.leave_alone(&host, &why);
        }
        let prior = request.prior.clone();
        let facts = self.resource.observe(&actions, &fleet, prior.as_ref()).await?;
        request.planned = planned;
        let apply = Apply {
            hosts: &place.hosts.known().and_then(hosts::resolve).unwrap_or_default(),
            desired: &desired,
            inventories: &inventories,
            rollout: &self.resource.rollout(&config, &facts),
            actions: &actions,
            moves: self.resource.moves(),
        };
        let mut response = apply.run(fleet, request).await?;
        self.resource.settle(&actions, call, prior.as_ref(), &mut response).await;
        Ok(response)
    }

    /// The planned values with what each host should have, and that: all of it is known now, and as it was planned.
    async fn desired_at_apply(
        &self,
        config: &R::Config,
        with_secrets: &R::Config,
        request: &ApplyRequest,
        recorded: &BTreeMap<HostName, Manifest>,
        actions: &R::Actions,
    ) -> Result<(Value, BTreeMap<HostName, Bundle>), Diagnostic> {
        let mut planned = request.planned.clone();
        let (state, prior, written) = (Some(&request.planned), request.prior.as_ref(), &request.config);
        let actions = Some(actions);
        let declared = Declared { shared: &self.shared, config, with_secrets, written, state, prior, recorded, actions };
        let desired = self.resource.desired(&declared, &mut planned).await?.bundles.ok_or_else(errors::unknown_at_apply)?;
        let desired = keeping_stamps(desired, recorded);
        if desired.values().any(|bundle| bundle.unknown_files().next().is_some()) {
            return Err(errors::unknown_at_apply());
        }
        recorded::set_desired(&mut planned, &desired)?;
        outdated::refuse(&request.planned, &planned)?;
        Ok((planned, desired))
    }

    /// There is nobody to ask, and what a resource needs for its steps, such as the API of a cluster, need not be there.
    async fn apply_to_no_host(
        &self,
        config: &R::Config,
        with_secrets: &R::Config,
        request: ApplyRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let mut planned = request.planned.clone();
        let state = Some(&request.planned);
        let (prior, written) = (request.prior.as_ref(), &request.config);
        let recorded = &BTreeMap::new();
        let declared = Declared { shared: &self.shared, config, with_secrets, written, state, prior, recorded, actions: None };
        self.resource.desired(&declared, &mut planned).await?;
        let owner = self.incarnation(prior, &planned)?;
        self.set_ids(&mut planned, &owner);
        planned.set(recorded::HOST_CONTENTS, Value::object([]));
        ["rollout", steps::STEPS].into_iter().for_each(|name| planned.set(name, Value::List(Vec::new())));
        Ok(ApplyResponse { state: Some(planned), ..ApplyResponse::default() })
    }

    pub(super) async fn delete_hosts(&self, call: &Call, prior: &Value) -> Result<DeleteResponse, Diagnostic> {
        let config: R::Config = decode(prior)?;
        let recorded = Recorded::of(Some(prior))?.manifests()?;
        let mut fleet = self.connect_to_recorded(call, prior).await?;
        let inventories = identify(&mut fleet, ownership::questions(&BTreeMap::new(), &recorded), Some(prior)).await?;
        if let Some(taken) = fleet.absent_of(recorded.keys()).taken_over(&fleet.owner) {
            // An engine that created before it destroys is rid of the old object only by a destroy that succeeds.
            let is_taken = |host: &&HostName| fleet.absent.get(*host).is_some_and(|absence| absence.why == Why::TakenOver);
            let rest: Vec<&HostName> = recorded.keys().filter(|host| !is_taken(host)).collect();
            let warning = lives::nothing_removed(&fleet.owner.name, taken, &rest);
            return Ok(DeleteResponse { left_behind: None, diagnostics: warning.into() });
        }
        let mut refused = ownership::refuse_other_hosts(&fleet, recorded.keys());
        refused.extend(ownership::refuse_other_clusters(&fleet.owner.name, &recorded, &inventories).into_values());
        if refused.has_errors() {
            return Ok(DeleteResponse { left_behind: Some(prior.clone()), diagnostics: refused });
        }
        let mut diagnostics = self.resource.leave(&self.shared, &config, call).await?;
        let is_left = diagnostics.has_errors();
        let first = self.resource.stopped_first();
        if !first.is_empty() {
            fleet.stop_everywhere(&first).await;
        }
        let (left, found) = fleet.remove(&recorded).await;
        diagnostics.extend(found);
        let left_behind = recorded::left_behind(prior.clone(), &left)?;
        let left_behind = left_behind.or_else(|| is_left.then(|| recorded::with_clean_hosts(prior.clone())));
        Ok(DeleteResponse { left_behind, diagnostics })
    }

    /// As which hosts are worked on: what exists by its state, what is created under a uid and for a holder of its own.
    pub(super) fn incarnation(&self, prior: Option<&Value>, values: &Value) -> Result<Incarnation, Diagnostic> {
        let id = |attribute| match prior {
            Some(prior) => lives::of(prior, attribute),
            None => Uid::of_random(self.shared.world.random()),
        };
        Ok(Incarnation { name: self.owner(values)?, uid: id(lives::UID), holder: id(lives::HOLDER) })
    }

    fn set_ids(&self, planned: &mut Value, owner: &Incarnation) {
        planned.set(lives::UID, owner.uid.as_str().into());
        planned.set(lives::HOLDER, owner.holder.as_str().into());
        self.resource.show_uid(planned);
    }

    /// What was unknown when it was planned may have made another object of it.
    fn refuse_another(&self, request: &ApplyRequest) -> Result<(), Diagnostic> {
        let Some(prior) = &request.prior else { return Ok(()) };
        match self.replaced_by(prior, &request.planned).into_iter().next() {
            None => Ok(()),
            Some(path) => Err(Diagnostic::error(format!("{path} is another one now, which needs a replacement"))
                .detail("It was not known when this was planned. Nothing was changed on any host. Plan again, then apply.")
                .at(path)),
        }
    }
}

/// Whose each host is that answers. What is created goes on with the life that it finds; what exists leaves other lives alone.
async fn identify(
    fleet: &mut Fleet,
    questions: BTreeMap<HostName, Question>,
    prior: Option<&Value>,
) -> Result<BTreeMap<HostName, Inventory>, Diagnostic> {
    let mut inventories = fleet.take_inventories(questions).await;
    match prior {
        Some(_) => fleet.leave_other_lives(&mut inventories),
        None => {
            if let Some(uid) = lives::adopted(&fleet.owner.name, &inventories)? {
                fleet.owner.uid = uid;
            }
        }
    }
    Ok(inventories)
}
