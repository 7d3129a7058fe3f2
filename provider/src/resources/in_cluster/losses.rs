//! What a plan warns of: what is lost with objects that go, and what the API server puts in the place of a field that is declared no more. Pure.

use super::ownership::{Keys, Owner, listed};
use objects::{Fields, ObjectKey};
use schema::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds with which more goes than the object.
const HOLD_MORE: [(&str, &str, &str); 4] = [
    ("", "Namespace", "A namespace goes with everything in it, which an apply refuses while others have objects there."),
    ("", "PersistentVolumeClaim", "The data of a claim goes with it where the reclaim policy of its class is Delete."),
    ("", "PersistentVolume", "The data of a volume goes with it where its reclaim policy is Delete."),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "A definition goes with every object of its kind, which an apply refuses while others have some.",
    ),
];

/// Of the objects that are deleted those with which more goes.
pub fn losses<'a>(owner: &Owner, deleted: impl IntoIterator<Item = &'a ObjectKey>) -> Option<Diagnostic> {
    let (mut keys, mut reasons) = (Keys::new(), Vec::new());
    for key in deleted {
        if let Some((.., reason)) = HOLD_MORE.iter().find(|(group, kind, _)| key.is(group, kind)) {
            keys.insert(key.clone());
            if !reasons.contains(reason) {
                reasons.push(*reason);
            }
        }
    }
    let warning = || Diagnostic::warning(format!("{owner} deletes {}", listed(&keys))).detail(reasons.join(" "));
    (!keys.is_empty()).then(warning)
}

/// While its cluster is created, nobody knows whether that goes on with one that is there.
pub fn with_cluster(owner: &Owner) -> Diagnostic {
    Diagnostic::warning(format!("{owner} is replaced with its cluster: its objects are deleted first")).detail(
        "Where the cluster is on its hosts already, as after its state was lost, creating it changes nothing there, and these objects would be deleted in \
         it all the same. Create the cluster by itself then, with -target: its uid stays, and so do they. With create_before_destroy on the cluster \
         nothing of it is replaced either.",
    )
}

/// Where a network of pods goes.
pub fn network(owner: &Owner) -> Diagnostic {
    Diagnostic::warning(format!("{owner} connects the pods of the cluster, and is deleted")).detail(
        "Pods that it has connected reach each other no more, or only until their nodes restart, and new ones wait for a network. Drain nodes before, and see \
         the guide \"A pod network of your own choice\" for what stays on them.",
    )
}

const REPLICAS: &str = ".spec.replicas";

/// Workloads whose number of pods is declared no more, and that nobody else was seen to set: the API server makes it one.
pub fn released(
    before: &BTreeMap<ObjectKey, Fields>,
    declared: &BTreeMap<ObjectKey, Option<Fields>>,
    drift: &BTreeMap<ObjectKey, BTreeSet<String>>,
    is_left: impl Fn(&ObjectKey, &str) -> bool,
) -> Option<Diagnostic> {
    let is_released = |(key, now): &(&ObjectKey, &Option<Fields>)| {
        let had = before.get(*key).is_some_and(|fields| fields.contains_key(REPLICAS));
        let has = now.as_ref().is_none_or(|fields| fields.contains_key(REPLICAS));
        let is_theirs = drift.get(*key).is_some_and(|paths| paths.contains(REPLICAS));
        key.group == "apps" && had && !has && !is_theirs && !is_left(key, REPLICAS)
    };
    let keys: Keys = declared.iter().filter(is_released).map(|(key, _)| key.clone()).collect();
    let warning = || {
        Diagnostic::warning(format!("{REPLICAS} is declared no more: {}", listed(&keys))).detail(
            "The API server sets it to 1 where nobody else manages it. Where an autoscaler is to take it over, name the field in ignore_fields first, and leave \
             it out once the autoscaler has set it.",
        )
    };
    (!keys.is_empty()).then(warning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::in_cluster::ownership::Kind;

    #[test]
    fn only_kinds_with_which_more_goes_are_named() {
        let owner = Owner { kind: Kind::Manifests, name: "shop".into(), holder: "a".into() };
        let keys: Vec<ObjectKey> =
            ["ConfigMap/a/b", "PersistentVolumeClaim/a/data", "Namespace/a"].iter().map(|key| key.parse().unwrap()).collect();
        let said = losses(&owner, &keys).unwrap();
        assert_eq!(said.summary, "k8s_manifests.shop deletes Namespace/a, PersistentVolumeClaim/a/data");
        assert!(losses(&owner, &keys[..1]).is_none());
    }

    fn now(fields: Option<Fields>) -> BTreeMap<ObjectKey, Option<Fields>> {
        BTreeMap::from([("Deployment.apps/a/web".parse().unwrap(), fields)])
    }

    #[test]
    fn a_number_of_pods_that_nobody_sets_any_more_is_named() {
        let key = |text: &str| text.parse::<ObjectKey>().unwrap();
        let with = Fields::from([(REPLICAS.to_string(), "5".to_string())]);
        let before = BTreeMap::from([(key("Deployment.apps/a/web"), with.clone())]);
        let (none, theirs) =
            (BTreeMap::new(), BTreeMap::from([(key("Deployment.apps/a/web"), BTreeSet::from([REPLICAS.to_string()]))]));
        let released = |now: Option<Fields>, drift, is_left| released(&before, &self::tests::now(now), drift, |_, _| is_left);
        assert!(released(Some(Fields::new()), &none, false).is_some());
        assert!(released(Some(with), &none, false).is_none());
        assert!(released(None, &none, false).is_none());
        assert!(released(Some(Fields::new()), &theirs, false).is_none());
        assert!(released(Some(Fields::new()), &none, true).is_none());
    }
}
