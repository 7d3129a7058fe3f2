//! Read, apply and destroy of a resource on AWS.

use super::drift::Drift;
use super::holder::{self, Holder};
use super::reconcile::{self, Reconciled, Reconciler};
use super::removal::{Reason, Removal};
use super::repointed::Targets;
use super::state::{self, Known};
use super::{CloudResource, Declared, OnCloud, adoption, failed};
use crate::progress::Progress;
use crate::wait::Waiter;
use cloud::{Cloud, Found, Graph, Matching, Object, ObjectKey, Ours, Resolver, ours};
use machines::Uid;
use protocol::{ApplyRequest, ApplyResponse, Call, DeleteResponse};
use schema::{Diagnostic, Diagnostics, Value};
use std::collections::BTreeMap;

impl<R: CloudResource> OnCloud<R> {
    /// Warnings where others have made copies of its objects, and where another entry of a state has them.
    pub(super) async fn read_objects(&self, prior: &Value) -> Result<(Option<Value>, Diagnostics), Diagnostic> {
        let cloud = self.shared.cloud()?;
        let owner = self.owner(prior).unwrap_or_default();
        let mut state = prior.clone();
        let declared = self.declared(&mut prior.clone());
        let is_import = prior.get("objects").is_null();
        if is_import {
            // An import: the configuration is there, what follows from it is not.
            let graph =
                declared.as_ref().map_err(Clone::clone)?.as_ref().map(|declared| declared.graph.clone()).unwrap_or_default();
            state.set("objects", state::to_value(&graph));
            self.set_missing_cost(&mut state, &graph)?;
        }
        // What a state declared that cannot be read any more has outputs that are not known.
        let spec = declared.ok().flatten().map(|declared| declared.spec);
        let (graph, ids) = (state::to_graph(state.get("objects")), state::to_ids(state.get("ids")));
        let matching = observe(&*cloud, &owner, &graph, &ids, false).await?;
        let mut warnings: Diagnostics = adoption::copies(&owner, &matching).into_iter().collect();
        let others = [&matching.superseded, &matching.leaving, &matching.undecided];
        if matching.matched.is_empty() && others.iter().all(|others| others.is_empty()) {
            return Ok((None, warnings));
        }
        let main = self.resource.main_object(prior);
        let mut holder = Holder { owner: &owner, main: &main, id: holder::of(prior) };
        if is_import {
            holder.id = holder.found(&matching);
            state.set(holder::HOLDER, holder.id.map_or(Value::Null, Value::from));
        }
        warnings.extend(holder.taken_over(&matching, &self.shared.held).map(holder::warning));
        self.set_found(&mut state, spec.as_ref(), &graph, &matching.matched);
        add_left(&mut state, &matching.superseded);
        Drift::of(&graph, &matching).set(&mut state);
        Ok((Some(state), warnings))
    }

    pub(super) async fn apply_objects(&self, call: &Call, request: ApplyRequest) -> Result<ApplyResponse, Diagnostic> {
        let cloud = self.shared.cloud()?;
        let mut planned = request.planned;
        // What was unknown at plan may be known now.
        self.resource.keep(request.prior.as_ref(), &mut planned);
        self.resource.choose(&*cloud, &mut planned).await?;
        let unknown = || {
            Diagnostic::error(format!("provider bug: {} was applied with unknown values", self.resource.name()))
                .detail("Please report this with the configuration.")
        };
        let declared = self.declared(&mut planned)?.ok_or_else(unknown)?;
        let graph = &declared.graph;
        let owner = self.owner(&planned).ok_or_else(unknown)?;
        let ids = request.prior.as_ref().map(|prior| state::to_ids(prior.get("ids"))).unwrap_or_default();
        let before = Before::of(request.prior.as_ref());
        let holder = match &request.prior {
            Some(prior) => prior.get(holder::HOLDER).clone(),
            None => Uid::of_random(self.shared.world.random()).as_str().into(),
        };
        planned.set(holder::HOLDER, holder.clone());
        let main = self.resource.main_object(&planned);
        let progress = self.progress(&planned);
        let clock = self.shared.world.clock();
        let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
        let reconciler = Reconciler {
            cloud: &*cloud,
            holder: Holder { owner: &owner, main: &main, id: holder.as_str() },
            graph,
            ids: &ids,
            before: &before,
            is_new: request.prior.is_none(),
            progress: &progress,
            waiter,
            tokens: &self.shared.tokens,
            held: &self.shared.held,
        };
        let mut done = reconciler.run().await;
        if !done.diagnostics.has_errors()
            && !done.cancelled
            && let Err(diagnostic) = self.resource.settle(&*cloud, &declared.spec, &planned, waiter).await
        {
            done.diagnostics.push(diagnostic);
        }
        done.cancelled |= call.cancelled.is_cancelled();
        Ok(self.after_apply(planned, &declared, request.prior, &before, done))
    }

    /// At plan, where the provider block asks for it: of a resource that is about to be created.
    pub(super) async fn already_there(&self, cloud: &dyn Cloud, planned: &Value) -> Option<Diagnostic> {
        let (owner, graph) = (self.owner(planned)?, state::to_graph(planned.get("objects")));
        match observe(cloud, &owner, &graph, &BTreeMap::new(), false).await {
            Ok(matching) => adoption::check(&owner, &graph, &matching).unwrap_or_else(Some),
            Err(diagnostic) => Some(diagnostic),
        }
    }

    fn after_apply(
        &self,
        planned: Value,
        declared: &Declared<R::Spec>,
        prior: Option<Value>,
        before: &Before,
        mut done: Reconciled,
    ) -> ApplyResponse {
        let graph = &declared.graph;
        let has_failed = done.diagnostics.has_errors();
        if done.found.is_empty() && done.left.is_empty() && (has_failed || done.cancelled) {
            if done.cancelled && !has_failed {
                done.diagnostics.push(stopped(Diagnostic::error));
            }
            return ApplyResponse { state: prior, diagnostics: done.diagnostics };
        }
        let mut state = planned;
        state.set("objects", state::to_value(graph));
        if let Err(diagnostic) = self.set_missing_cost(&mut state, graph) {
            done.diagnostics.push(diagnostic);
        }
        self.set_found(&mut state, Some(&declared.spec), graph, &done.found);
        Drift::default().set(&mut state);
        if has_failed || (done.cancelled && prior.is_some()) {
            // What there is now, so that the next plan goes on from there even without a refresh: it has to know what is still to go.
            state.set("objects", state::to_value(&before.still_ours(graph, &done.found, &done.left)));
            let matching = Matching { matched: done.found, superseded: done.left, ..Matching::default() };
            Drift::of(graph, &matching).set(&mut state);
            add_left(&mut state, &matching.superseded);
        }
        if done.cancelled && !has_failed {
            // An engine takes no state of a create but the planned one without an error, and an error would taint.
            done.diagnostics.push(stopped(if prior.is_some() { Diagnostic::error } else { Diagnostic::warning }));
        }
        if has_failed && prior.is_none() {
            done.diagnostics.push(Diagnostic::warning("what was done so far is kept, and the resource is marked as tainted").detail(
                "An apply would destroy it and start over. To continue from here instead, run `terraform untaint` (or `tofu untaint`) with \
                 the address of this resource, then apply.",
            ));
        }
        ApplyResponse { state: Some(without_unknown(state)), diagnostics: done.diagnostics }
    }

    pub(super) async fn delete_objects(&self, call: &Call, prior: &Value) -> Result<DeleteResponse, Diagnostic> {
        let cloud = self.shared.cloud()?;
        let owner = self.owner(prior).unwrap_or_default();
        let (graph, ids) = (state::to_graph(prior.get("objects")), state::to_ids(prior.get("ids")));
        let mut matching = observe(&*cloud, &owner, &graph, &ids, true).await?;
        let holder = Holder { owner: &owner, main: &self.resource.main_object(prior), id: holder::of(prior) };
        if let Some(taken) = holder.taken_over(&matching, &self.shared.held) {
            // An engine that created before it destroys is rid of the old object only by a destroy that succeeds.
            return Ok(DeleteResponse { left_behind: None, diagnostics: holder::nothing_removed(taken).into() });
        }
        let mut targets = Targets::of(&graph, &state::to_found(prior.get("ids")));
        targets.and_of(&graph, &matching);
        let mut going: Vec<(ObjectKey, Found)> = std::mem::take(&mut matching.matched).into_iter().collect();
        // What has no tags and is not in the state is somebody else's.
        going.retain(|(key, _)| key.kind.has_tags() || ids.contains_key(key));
        // Whichever of them it is, all are ours: but for what others copy.
        let (kept, undecided): (Vec<_>, Vec<_>) =
            std::mem::take(&mut matching.undecided).into_iter().partition(|(key, _)| key.kind.is_copied());
        matching.copies.extend(kept);
        let copies = adoption::copies(&owner, &matching);
        going.extend(undecided);
        going.extend(matching.superseded);
        going.extend(matching.leaving);
        let clock = self.shared.world.clock();
        let waiter = Waiter { clock: &*clock, cancelled: &call.cancelled };
        let mut diagnostics: Diagnostics = copies.into_iter().chain(targets.keep_repointed(&mut going)).collect();
        if !going.is_empty() {
            diagnostics.extend(self.resource.before_delete(&*cloud, prior, &going, waiter).await?);
        }
        let progress = self.progress(prior);
        let removal = Removal { cloud: &*cloud, progress: &progress, waiter, reason: Reason::Destroy };
        let removed = removal.run(going).await;
        diagnostics.extend(removed.diagnostics);
        if removed.left.is_empty() {
            return Ok(DeleteResponse { left_behind: None, diagnostics });
        }
        if call.cancelled.is_cancelled() && !diagnostics.has_errors() {
            diagnostics.push(stopped(Diagnostic::error));
        }
        let mut state = prior.clone();
        let left: BTreeMap<ObjectKey, Found> = removed.left.into_iter().collect();
        let rest: Graph = graph.iter().filter(|object| left.contains_key(&object.key)).cloned().collect();
        state.set("objects", state::to_value(&rest));
        state.set("ids", state::ids_of(left.keys(), &left));
        Ok(DeleteResponse { left_behind: Some(state), diagnostics })
    }

    fn progress(&self, values: &Value) -> Progress {
        let name = self.resource.owner_name(values).unwrap_or_default();
        self.shared.configuration().progress(format!("{}.{name}", self.resource.name()))
    }

    fn set_found(&self, state: &mut Value, spec: Option<&R::Spec>, graph: &Graph, found: &BTreeMap<ObjectKey, Found>) {
        let ids = state::ids_of(graph.iter().map(|object| &object.key), found);
        let known = Known { ids: &ids };
        self.set_outputs(state, spec, &known);
        state.set("ids", ids);
    }
}

/// What a state knows of what was declared and what it became.
pub struct Before {
    pub graph: Graph,
    pub found: BTreeMap<ObjectKey, Found>,
    /// Of settings that others may add to as well.
    pub ours: BTreeMap<ObjectKey, Ours>,
}

impl Before {
    pub fn of(prior: Option<&Value>) -> Before {
        let graph = prior.map(|prior| state::to_graph(prior.get("objects"))).unwrap_or_default();
        let found = prior.map(|prior| state::to_found(prior.get("ids"))).unwrap_or_default();
        Before { ours: ours(&graph, &Resolver::new(&found)), graph, found }
    }

    /// The graph with what was declared before, is not any more and is still there: others may add such settings too, and only the state
    /// knows whose these are. And records that are to go: what they pointed to shows whose they are.
    fn still_ours(&self, graph: &Graph, found: &BTreeMap<ObjectKey, Found>, left: &[(ObjectKey, Found)]) -> Graph {
        let resolver = Resolver::new(&self.found);
        let mut graph = graph.clone();
        for before in self.graph.iter() {
            let is_going = graph.get(&before.key).is_none() && left.iter().any(|(key, _)| *key == before.key);
            if is_going && !before.key.kind.has_tags() {
                graph.add(before.clone());
                continue;
            }
            let (Some(object), Some(found)) = (graph.get(&before.key).cloned(), found.get(&before.key)) else { continue };
            let is_there = |key: &str| resolver.resolve(key).is_some_and(|key| found.settings.contains_key(&key));
            let may_be_others = |key: &str| before.key.kind.is_shared(key) || before.key.kind.is_target(key);
            let rest = before.settings.iter().filter(|(key, _)| may_be_others(key) && is_there(key));
            let settings = rest.map(|(key, value)| (key.clone(), value.clone())).chain(object.settings).collect();
            graph.add(Object { key: before.key.clone(), settings });
        }
        graph
    }
}

async fn observe(
    cloud: &dyn Cloud,
    owner: &str,
    graph: &Graph,
    ids: &BTreeMap<ObjectKey, String>,
    fresh: bool,
) -> Result<Matching, Diagnostic> {
    let matching = reconcile::observe(cloud, owner, graph, ids, fresh).await;
    matching.map_err(|error| failed("cannot find out what exists on AWS", &error))
}

/// What is no longer declared and still there stays in `ids`: the next apply finds it even where its tag is lost.
fn add_left(state: &mut Value, left: &[(ObjectKey, Found)]) {
    let mut ids = state.get("ids").clone();
    for (key, found) in left {
        let is_taken = state.get("ids").get(&key.to_string()).as_str().is_some_and(|id| !id.is_empty());
        // What takes its place has its key already: kinds that are listed by name are found again only by that.
        let key = if is_taken {
            format!("{}/{}", key.kind, found.kind.listing_name(&found.id).unwrap_or(&found.id))
        } else {
            key.to_string()
        };
        ids.set(&key, found.id.as_str().into());
    }
    state.set("ids", ids);
}

pub(super) fn stopped(severity: fn(&'static str) -> Diagnostic) -> Diagnostic {
    severity("stopped on request").detail("What was done is kept. Running apply again continues from here.")
}

/// What did not come to exist is null.
fn without_unknown(value: Value) -> Value {
    match value {
        Value::Unknown | Value::Changing(_) => Value::Null,
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(key, value)| (key, without_unknown(value))).collect()),
        Value::List(items) => Value::List(items.into_iter().map(without_unknown).collect()),
        value => value,
    }
}
