//! What was found in this run. All resources of a provider ask here, so that a refresh costs one paged call per kind however
//! many objects there are. An answer counts until something of its kind, or of a kind that shows in it, changes.

use crate::clients::Clients;
use crate::objects;
use cloud::{CloudError, Found, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(crate) struct Cache {
    slots: BTreeMap<Kind, Slot>,
}

#[derive(Default)]
struct Slot {
    /// Held while the cloud is asked: who comes meanwhile waits for the same answer.
    answers: tokio::sync::Mutex<Answers>,
    changed: Mutex<Option<Instant>>,
}

/// When each name was asked for, [`REGION`] being the name of all, and what there was.
#[derive(Default)]
struct Answers {
    asked: BTreeMap<String, Instant>,
    found: Vec<Found>,
}

const REGION: &str = "";

impl Default for Cache {
    fn default() -> Self {
        Cache { slots: Kind::all().map(|kind| (kind, Slot::default())).collect() }
    }
}

impl Cache {
    pub(crate) async fn find(
        &self,
        clients: &Clients,
        kind: Kind,
        mut names: BTreeSet<String>,
        fresh: bool,
    ) -> Result<Vec<Found>, CloudError> {
        let question = Instant::now();
        if !kind.is_listed_by_name() {
            names.insert(REGION.to_owned());
        }
        let Some(slot) = self.slots.get(&kind) else { return Ok(Vec::new()) };
        let mut answers = slot.answers.lock().await;
        let not_before = slot.changed().max(fresh.then_some(question));
        let asked = answers.missing(kind, &names, not_before);
        if !asked.is_empty() {
            let at = Instant::now();
            let of_names = asked.iter().filter(|name| *name != REGION).cloned().collect();
            let found = objects::of(kind).list(clients, &of_names).await?;
            answers.put(kind, &asked, at, found);
        }
        Ok(answers.get(kind, &names))
    }

    /// Until the guard is dropped, and what was asked meanwhile too, nothing that is known about the kind counts.
    pub(crate) fn changing(&self, kind: Kind) -> Changing<'_> {
        Changing { cache: self, kinds: std::iter::once(kind).chain(kind.shows_in().iter().copied()).collect() }
    }

    /// Kubernetes' objects are of kinds that are ours as well.
    pub(crate) fn changing_leftover(&self) -> Changing<'_> {
        Changing { cache: self, kinds: Kind::all().filter(|kind| kind.is_created_by_kubernetes()).collect() }
    }
}

/// Its end is what counts, even when the call is given up: what was asked before it may not show the change.
pub(crate) struct Changing<'a> {
    cache: &'a Cache,
    kinds: Vec<Kind>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        for slot in self.kinds.iter().filter_map(|kind| self.cache.slots.get(kind)) {
            *slot.changed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

impl Slot {
    fn changed(&self) -> Option<Instant> {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// What has to be asked for. All of a region is one answer, so that it is asked again with all names that it ever had.
    fn missing(&self, kind: Kind, names: &BTreeSet<String>, not_before: Option<Instant>) -> BTreeSet<String> {
        let counts = |name: &String| self.asked.get(name).is_some_and(|at| not_before.is_none_or(|limit| *at >= limit));
        let missing: BTreeSet<String> = names.iter().filter(|name| !counts(name)).cloned().collect();
        match missing.is_empty() || kind.is_listed_by_name() {
            true => missing,
            false => self.asked.keys().chain(names).cloned().collect(),
        }
    }

    fn put(&mut self, kind: Kind, asked: &BTreeSet<String>, at: Instant, found: Vec<Found>) {
        match kind.is_listed_by_name() {
            true => self.found.retain(|known| !asked.contains(listing_name(known))),
            false => self.found.clear(),
        }
        self.found.extend(found);
        self.asked.extend(asked.iter().map(|name| (name.clone(), at)));
    }

    fn get(&self, kind: Kind, names: &BTreeSet<String>) -> Vec<Found> {
        let is_wanted = |found: &&Found| !kind.is_listed_by_name() || names.contains(listing_name(found));
        self.found.iter().filter(is_wanted).cloned().collect()
    }
}

/// The name by which an object was asked for.
fn listing_name(found: &Found) -> &str {
    found.kind.listing_name(&found.id).unwrap_or(&found.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn balancer(name: &str) -> Found {
        Found::new(
            Kind::LoadBalancer,
            format!("arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/net/{name}/50dc6c495c0c9188"),
        )
    }

    #[test]
    fn a_region_is_asked_once_until_something_changes() {
        let (mut answers, start) = (Answers::default(), Instant::now());
        let later = start + Duration::from_secs(1);
        assert_eq!(answers.missing(Kind::Subnet, &names(&[""]), None), names(&[""]));
        answers.put(Kind::Subnet, &names(&[""]), start, vec![Found::new(Kind::Subnet, "subnet-1")]);
        assert_eq!(answers.missing(Kind::Subnet, &names(&[""]), None), names(&[]));
        assert_eq!(answers.missing(Kind::Subnet, &names(&[""]), Some(start)), names(&[]));
        assert_eq!(answers.missing(Kind::Subnet, &names(&[""]), Some(later)), names(&[""]));
        answers.put(Kind::Subnet, &names(&[""]), later, Vec::new());
        assert!(answers.get(Kind::Subnet, &names(&[""])).is_empty());
    }

    #[test]
    fn a_region_keeps_the_names_that_it_was_asked_with() {
        let (mut answers, start) = (Answers::default(), Instant::now());
        answers.put(Kind::Vpc, &names(&["", "vpc-1"]), start, Vec::new());
        assert_eq!(answers.missing(Kind::Vpc, &names(&[""]), None), names(&[]));
        assert_eq!(answers.missing(Kind::Vpc, &names(&["", "vpc-2"]), None), names(&["", "vpc-1", "vpc-2"]));
    }

    #[test]
    fn names_are_asked_for_each_on_its_own() {
        let (mut answers, start) = (Answers::default(), Instant::now());
        answers.put(Kind::LoadBalancer, &names(&["a", "none"]), start, vec![balancer("a")]);
        assert_eq!(answers.missing(Kind::LoadBalancer, &names(&["a", "b", "none"]), None), names(&["b"]));
        answers.put(Kind::LoadBalancer, &names(&["b"]), start, vec![balancer("b")]);
        assert_eq!(answers.get(Kind::LoadBalancer, &names(&["a"])), [balancer("a")]);
        answers.put(Kind::LoadBalancer, &names(&["a"]), start, Vec::new());
        assert_eq!(answers.get(Kind::LoadBalancer, &names(&["a", "b"])), [balancer("b")]);
    }

    #[test]
    fn a_change_shows_in_other_kinds() {
        let cache = Cache::default();
        drop(cache.changing(Kind::NatGateway));
        let changed: Vec<Kind> = Kind::all().filter(|kind| cache.slots[kind].changed().is_some()).collect();
        assert_eq!(changed, [Kind::ElasticIp, Kind::NatGateway, Kind::RouteTable]);
    }
}
