//! Makes what is declared exist. Everything is found first; then, kind by kind, what is missing is made and what differs is changed, and
//! what is no longer declared goes last. Nothing is remembered for the next run, which continues one that was cut off anywhere.

use super::apply::Before;
use super::holder::{self, Held, Holder};
use super::removal::{Reason, Removal};
use super::repointed::Targets;
use super::retry::{PACE, Tries};
use super::{adoption, failed, wanted};
use crate::progress::Progress;
use crate::tokens::Tokens;
use crate::wait::Waiter;
use cloud::{
    Change, Cloud, CloudError, Difference, ErrorClass, Found, Graph, Kind, Matching, Object, ObjectKey, Origin, Ours, Readiness,
    Replacement, Resolved, Resolver, differences, differences_since, match_objects,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use schema::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many objects are worked on at once.
const CONCURRENT: usize = 8;
/// How long a create of which no answer came is looked for before it is tried again.
const LOOK_LIMIT: Duration = Duration::from_secs(4);
/// How long a create or a change that AWS refuses for what passes is tried again.
const TRY_LIMIT: Duration = Duration::from_secs(60);
const ATTEMPTS: usize = 3;

pub struct Reconciler<'a> {
    pub cloud: &'a dyn Cloud,
    pub holder: Holder<'a>,
    pub graph: &'a Graph,
    pub ids: &'a BTreeMap<ObjectKey, String>,
    pub before: &'a Before,
    /// No state knows the resource.
    pub is_new: bool,
    pub progress: &'a Progress,
    pub waiter: Waiter<'a>,
    pub tokens: &'a Tokens,
    pub held: &'a Held,
}

/// The result of a reconciliation.
#[derive(Default)]
pub struct Reconciled {
    pub found: BTreeMap<ObjectKey, Found>,
    /// No longer declared, and still there.
    pub left: Vec<(ObjectKey, Found)>,
    pub diagnostics: Diagnostics,
    pub cancelled: bool,
}

impl Reconciler<'_> {
    pub async fn run(&self) -> Reconciled {
        let mut matching = match observe(self.cloud, self.holder.owner, self.graph, self.ids, true).await {
            Ok(matching) => matching,
            Err(error) => {
                let diagnostics = failed("cannot find out what exists on AWS", &error).into();
                return Reconciled { diagnostics, ..Reconciled::default() };
            }
        };
        let mut diagnostics = Diagnostics::default();
        if let Err(diagnostic) = adoption::decided(&matching) {
            return Reconciled { diagnostics: diagnostic.into(), ..Reconciled::default() };
        }
        if self.is_new {
            diagnostics.extend(adoption::copies(self.holder.owner, &matching));
            match adoption::check(self.holder.owner, self.graph, &matching) {
                Ok(warning) => diagnostics.extend(warning),
                Err(diagnostic) => return Reconciled { diagnostics: diagnostic.into(), ..Reconciled::default() },
            }
        }
        if self.is_cancelled() {
            return Reconciled { diagnostics, cancelled: true, ..Reconciled::default() };
        }
        if let Err(diagnostic) = self.hold(&mut matching).await {
            return Reconciled { diagnostics: diagnostic.into(), ..Reconciled::default() };
        }
        diagnostics.extend(self.targets(&matching).keep_repointed(&mut matching.superseded));
        for kind in Kind::all().filter(|kind| self.graph.of_kind(*kind).next().is_some()) {
            if self.is_cancelled() || diagnostics.has_errors() {
                break;
            }
            diagnostics.extend(self.bring_about(kind, &mut matching).await);
        }
        // References between objects of one kind, and to later kinds, can be set now.
        if !diagnostics.has_errors() {
            diagnostics.extend(self.change(None, &mut matching).await);
        }
        if !diagnostics.has_errors() {
            diagnostics.extend(self.wait_ready(&Kind::all().collect(), &mut matching).await);
        }
        let mut left = std::mem::take(&mut matching.superseded);
        left.append(&mut matching.leaving);
        if !diagnostics.has_errors() && !self.is_cancelled() {
            let removed = self.removal(Reason::Undeclared).run(left).await;
            left = removed.left;
            diagnostics.extend(removed.diagnostics);
        }
        Reconciled { found: matching.matched, left, diagnostics, cancelled: self.is_cancelled() }
    }

    /// Before anything is changed: from now on no other entry of a state changes or removes what is adopted. If that fails, nothing of it is
    /// in this one.
    async fn hold(&self, matching: &mut Matching) -> Result<(), Diagnostic> {
        if !self.is_new {
            return self.holder.taken_over(matching, self.held).map_or(Ok(()), |taken| Err(holder::refusal(taken)));
        }
        let mains = matching.matched.iter_mut().chain(matching.superseded.iter_mut().map(|(key, found)| (&*key, found)));
        for (key, main) in mains.filter(|(key, _)| *key == self.holder.main) {
            let changes: Vec<Change> = self.holder.take_over(main).into_iter().collect();
            if !changes.is_empty() {
                self.update(key, main, &changes, cloud::HOLDER_TAG).await?;
                note(main, &changes);
            }
        }
        self.holder.id.into_iter().for_each(|id| self.held.note(self.holder.owner, id));
        Ok(())
    }

    fn targets(&self, matching: &Matching) -> Targets {
        let mut targets = Targets::of(&self.before.graph, &self.before.found);
        targets.and_of(&self.before.graph, matching);
        targets.and_of(self.graph, matching);
        targets
    }

    async fn bring_about(&self, kind: Kind, matching: &mut Matching) -> Diagnostics {
        let missing: Vec<&Object> =
            self.graph.of_kind(kind).filter(|object| !matching.matched.contains_key(&object.key)).collect();
        let mut diagnostics = self.clear_places(kind, &missing, matching).await;
        if diagnostics.has_errors() {
            return diagnostics;
        }
        let resolver = Resolver::new(&matching.matched);
        let mut making: Vec<BoxFuture<'_, _>> = Vec::new();
        for object in missing {
            making.push(Box::pin(async { (object.key.clone(), self.make(object, &resolver).await) }));
        }
        let made: Vec<_> = futures::stream::iter(making).buffer_unordered(CONCURRENT).collect().await;
        for (key, outcome) in made {
            match outcome {
                Ok(Some(found)) => {
                    matching.matched.insert(key, found);
                }
                Ok(None) => {}
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        if !diagnostics.has_errors() && kind.is_changed_when_ready() {
            diagnostics.extend(self.wait_ready(&BTreeSet::from([kind]), matching).await);
        }
        if !diagnostics.has_errors() {
            diagnostics.extend(self.change(Some(kind), matching).await);
        }
        if !diagnostics.has_errors() && kind.is_awaited() {
            diagnostics.extend(self.wait_ready(&BTreeSet::from([kind]), matching).await);
        }
        diagnostics
    }

    /// Two of some kinds cannot be at the same time: the old one goes before the new one is made.
    async fn clear_places(&self, kind: Kind, missing: &[&Object], matching: &mut Matching) -> Diagnostics {
        if kind.replacement() == Replacement::CreateFirst {
            return Diagnostics::default();
        }
        let is_in_the_way = |key: &ObjectKey| missing.iter().any(|object| object.key == *key);
        let (in_the_way, others) = std::mem::take(&mut matching.superseded).into_iter().partition(|(key, _)| is_in_the_way(key));
        matching.superseded = others;
        let (leaving, others) = std::mem::take(&mut matching.leaving).into_iter().partition(|(key, _)| is_in_the_way(key));
        matching.leaving = others;
        let mut going: Vec<(ObjectKey, Found)> = in_the_way;
        going.extend::<Vec<_>>(leaving);
        let removed = self.removal(Reason::Replacement).run(going).await;
        matching.superseded.extend(removed.left);
        removed.diagnostics
    }

    fn removal(&self, reason: Reason) -> Removal<'_> {
        Removal { cloud: self.cloud, progress: self.progress, waiter: self.waiter, reason }
    }

    fn is_cancelled(&self) -> bool {
        self.waiter.cancelled.is_cancelled()
    }

    /// `None` when the user wants to stop.
    async fn make(&self, object: &Object, resolver: &Resolver<'_>) -> Result<Option<Found>, Diagnostic> {
        let token = self.tokens.next(&cloud::object_tag(self.holder.owner, &object.key));
        let mut resolved = resolve(object, resolver, token);
        if object.key == *self.holder.main {
            resolved.settings.extend(self.holder.id.map(holder::setting));
        }
        let phase = self.progress.phase(format!("create {}", object.key));
        let made = self.make_once(&resolved).await;
        match phase.finish(made) {
            Ok(found) => Ok(found),
            Err(error) => Err(failed(format!("cannot create {}", object.key), &error)),
        }
    }

    async fn make_once(&self, object: &Resolved) -> Result<Option<Found>, CloudError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            if self.is_cancelled() {
                return Ok(None);
            }
            let error = match self.make_waiting(object).await {
                Ok(found) => return Ok(Some(found)),
                Err(error) => error,
            };
            // It may be there although no good answer came: then it has our tag.
            if !matches!(error.class, ErrorClass::Ambiguous | ErrorClass::Exists) {
                return Err(error);
            }
            if let Some(found) = self.look_for(object).await? {
                return Ok(Some(found));
            }
            let may_try_again = error.class == ErrorClass::Ambiguous;
            last = Some(error);
            if !may_try_again {
                break;
            }
        }
        last.map_or(Ok(None), Err)
    }

    /// What it refers to may not be seen everywhere yet, or still be taken.
    async fn make_waiting(&self, object: &Resolved) -> Result<Found, CloudError> {
        let mut tries = Tries::within(self.waiter, TRY_LIMIT);
        loop {
            let error = match self.cloud.create(object).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let waits = matches!(error.class, ErrorClass::NotFound | ErrorClass::Dependency | ErrorClass::Throttled);
            if !waits || tries.again(&error).await.is_err() {
                return Err(error);
            }
        }
    }

    async fn look_for(&self, object: &Resolved) -> Result<Option<Found>, CloudError> {
        let tag = cloud::object_tag(self.holder.owner, &object.key);
        let mut wait = self.waiter.until(format!("{} is seen", object.key), LOOK_LIMIT, PACE);
        loop {
            let mut wanted = wanted(self.graph, self.ids, true);
            wanted.kinds = BTreeSet::from([object.key.kind]);
            let found = self.cloud.find(&wanted).await?;
            let is_it = |found: &&Found| {
                // One whose place it takes has the same tag.
                let is_tagged = found.tag(cloud::OBJECT_TAG) == Some(tag.as_str()) && found.origin != Origin::Copied;
                let by_tag = is_tagged && is_as_made(object, found);
                let by_settings = !object.key.kind.has_tags() && found.settings == object.settings;
                found.readiness != Readiness::Leaving && (by_tag || by_settings)
            };
            if let Some(found) = found.iter().find(is_it) {
                return Ok(Some(found.clone()));
            }
            if wait.pause().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Changes what differs, of one kind or of all.
    async fn change(&self, kind: Option<Kind>, matching: &mut Matching) -> Diagnostics {
        let resolver = Resolver::new(&matching.matched);
        let of_kind = self.graph.iter().filter(|object| kind.is_none_or(|kind| object.key.kind == kind));
        let work: Vec<(&ObjectKey, &Found, Vec<Difference>)> = of_kind
            .filter_map(|object| {
                let found = matching.matched.get(&object.key)?;
                let none = Ours::new();
                let all = differences_since(self.before.ours.get(&object.key).unwrap_or(&none), object, found, &resolver);
                let now: Vec<Difference> =
                    all.into_iter().filter(|difference| difference.is_resolved() && !difference.immutable).collect();
                (!now.is_empty()).then_some((&object.key, found, now))
            })
            .collect();
        let mut changing: Vec<BoxFuture<'_, _>> = Vec::new();
        for (key, found, differences) in work {
            changing.push(Box::pin(async move { (key.clone(), self.change_one(key, found, &differences).await) }));
        }
        let changed: Vec<_> = futures::stream::iter(changing).buffer_unordered(CONCURRENT).collect().await;
        let mut diagnostics = Diagnostics::default();
        for (key, outcome) in changed {
            match outcome {
                Ok(changes) => {
                    if let Some(found) = matching.matched.get_mut(&key) {
                        note(found, &changes);
                    }
                }
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        diagnostics
    }

    /// The changes that were made: none when the user wants to stop.
    async fn change_one(&self, key: &ObjectKey, found: &Found, differences: &[Difference]) -> Result<Vec<Change>, Diagnostic> {
        if self.is_cancelled() {
            return Ok(Vec::new());
        }
        let changes: Vec<Change> = differences.iter().map(|difference| difference.change.clone()).collect();
        let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
        self.update(key, found, &changes, &words.join(", ")).await.map(|()| changes)
    }

    async fn update(&self, key: &ObjectKey, found: &Found, changes: &[Change], words: &str) -> Result<(), Diagnostic> {
        let phase = self.progress.phase(format!("change {key} ({words})"));
        let mut tries = Tries::within(self.waiter, TRY_LIMIT);
        let outcome = loop {
            match self.cloud.update(found, changes).await {
                Ok(()) => break Ok(()),
                Err(error) => {
                    if tries.again(&error).await.is_err() {
                        break Err(error);
                    }
                }
            }
        };
        phase.finish(outcome).map_err(|error| failed(format!("cannot change {key}"), &error))
    }
}

/// Which found object is which declared one. Without `fresh`, what was asked before in this run may do.
pub async fn observe(
    cloud: &dyn Cloud,
    owner: &str,
    graph: &Graph,
    ids: &BTreeMap<ObjectKey, String>,
    fresh: bool,
) -> Result<Matching, CloudError> {
    let found = cloud.find(&wanted(graph, ids, fresh)).await?;
    let mut matching = match_objects(graph, &found, owner, ids);
    // What has no tags and is as declared is ours, created by a run that could not say so any more.
    for record in graph.iter().filter(|object| !object.key.kind.has_tags()) {
        if matching.matched.contains_key(&record.key) {
            continue;
        }
        let resolver = Resolver::new(&matching.matched);
        let is_it = |found: &&Found| found.kind == record.key.kind && differences(record, found, &resolver).is_empty();
        let same = found.iter().find(is_it).cloned();
        if let Some(found) = same {
            matching.matched.insert(record.key.clone(), found);
        }
    }
    Ok(matching)
}

/// What an object is now, after changes that were made.
fn note(found: &mut Found, changes: &[Change]) {
    for change in changes {
        match &change.to {
            Some(to) => found.settings.insert(change.key.clone(), to.clone()),
            None => found.settings.remove(&change.key),
        };
    }
    // What it gives to others may have changed with it: an IPv6 block is there a moment after it was asked for.
    let is_told = changes.iter().any(|change| !change.key.starts_with("tag "));
    if is_told && found.readiness == Readiness::Ready && found.kind.outputs().next().is_some() {
        found.readiness = Readiness::Pending;
    }
}

fn resolve(object: &Object, resolver: &Resolver<'_>, token: String) -> Resolved {
    let settings =
        object.settings.iter().filter_map(|(key, setting)| Some((resolver.resolve(key)?, resolver.resolve(setting.known()?)?)));
    let settings: BTreeMap<String, String> = settings.collect();
    Resolved { key: object.key.clone(), settings, token }
}

/// Whether it has what only a create can give it.
fn is_as_made(object: &Resolved, found: &Found) -> bool {
    let fixed = object.settings.iter().filter(|(key, _)| found.kind.is_immutable(key));
    fixed.into_iter().all(|(key, value)| found.settings.get(key) == Some(value))
}
