//! Which found object is which declared one. Ids of the state come first; what a run that was cut off left is known by its tag.

use crate::{Found, Graph, Kind, Object, ObjectKey, Origin, Readiness, Resolver, differences};
use std::collections::BTreeMap;

/// The tag by which an object is known: owner and key of the object in its graph.
pub const OBJECT_TAG: &str = "k8s-hardway/object";

/// The tag that distinguishes the objects of a cluster from all others.
pub const CLUSTER_TAG: &str = "k8s-hardway/cluster";

/// The tag of a resource's main object that names which entry of a state has it.
pub const HOLDER_TAG: &str = "k8s-hardway/holder";

/// The value of [`OBJECT_TAG`].
pub fn object_tag(owner: &str, key: &ObjectKey) -> String {
    format!("{owner} {key}")
}

/// Which found object is which declared one, and which are left over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    pub matched: BTreeMap<ObjectKey, Found>,
    /// Ours, but not (any more) what is declared: another one takes its place, or nothing does, or it was made twice.
    pub superseded: Vec<(ObjectKey, Found)>,
    /// Objects that AWS is still deleting.
    pub leaving: Vec<(ObjectKey, Found)>,
    /// Somebody else's, with our tags: copies of an object. Nothing is done to them.
    pub copies: Vec<(ObjectKey, Found)>,
    /// Several that could be the declared one, and no state says which: nothing is chosen.
    pub undecided: Vec<(ObjectKey, Found)>,
}

/// `ids` are those of the state. The owner is the resource: `k8s_vpc/demo`.
pub fn match_objects(graph: &Graph, found: &[Found], owner: &str, ids: &BTreeMap<ObjectKey, String>) -> Matching {
    let mut matching = Matching::default();
    let mut candidates: BTreeMap<ObjectKey, Vec<&Found>> = BTreeMap::new();
    for found in found {
        if let Some(key) = key_of(found, owner, ids) {
            candidates.entry(key).or_default().push(found);
        }
    }
    for kind in Kind::all() {
        let of_kind: Vec<ObjectKey> = candidates.keys().filter(|key| key.kind == kind).cloned().collect();
        let mut chosen = BTreeMap::new();
        for key in of_kind {
            let all = candidates.remove(&key).unwrap_or_default();
            let (copies, all): (Vec<&Found>, Vec<&Found>) = all.iter().partition(|found| is_copy(found, &all, ids.get(&key)));
            let still_there = copies.into_iter().filter(|found| found.readiness != Readiness::Leaving);
            matching.copies.extend(still_there.map(|found| (key.clone(), found.clone())));
            let resolver = Resolver::new(&matching.matched);
            let picked = pick(graph.get(&key), &all, ids.get(&key), &resolver);
            for found in all {
                let pair = (key.clone(), found.clone());
                match &picked {
                    _ if found.readiness == Readiness::Leaving => matching.leaving.push(pair),
                    Picked::One(id) if *id == found.id => drop(chosen.insert(pair.0, pair.1)),
                    Picked::Several(ids) if ids.contains(&found.id) => matching.undecided.push(pair),
                    _ => matching.superseded.push(pair),
                }
            }
        }
        matching.matched.extend(chosen);
    }
    matching
}

/// Whether it has our tag without being ours. What AWS does not show of it counts for it only where nothing else can be ours.
fn is_copy(found: &Found, all: &[&Found], of_state: Option<&String>) -> bool {
    if !found.kind.is_copied() || of_state == Some(&found.id) {
        return false;
    }
    let is_ours = |other: &&Found| of_state == Some(&other.id) || other.origin == Origin::Ours;
    match found.origin {
        Origin::Ours => false,
        Origin::Copied => true,
        Origin::Untold => all.iter().filter(|other| other.readiness != Readiness::Leaving).any(is_ours),
    }
}

enum Picked {
    None,
    /// By its id.
    One(String),
    Several(Vec<String>),
}

/// The object of the state where it is as declared, or else the only one that is.
fn pick(object: Option<&Object>, all: &[&Found], of_state: Option<&String>, resolver: &Resolver<'_>) -> Picked {
    let Some(object) = object else { return Picked::None };
    let fitting: Vec<&String> = all.iter().filter(|found| is_it(object, found, resolver)).map(|found| &found.id).collect();
    match (fitting.iter().find(|id| of_state == Some(**id)), fitting.as_slice()) {
        (Some(id), _) | (None, [id]) => Picked::One((*id).clone()),
        (None, []) => Picked::None,
        (None, several) => Picked::Several(several.iter().copied().cloned().collect()),
    }
}

fn key_of(found: &Found, owner: &str, ids: &BTreeMap<ObjectKey, String>) -> Option<ObjectKey> {
    let of_state = ids.iter().find(|(key, id)| key.kind == found.kind && **id == found.id).map(|(key, _)| key.clone());
    of_state.or_else(|| {
        let (tagged, key) = found.owned()?;
        (tagged == owner).then_some(key)
    })
}

/// What cannot be changed in place has to be as declared. What failed never becomes it.
fn is_it(object: &Object, found: &Found, resolver: &Resolver<'_>) -> bool {
    !matches!(found.readiness, Readiness::Leaving | Readiness::Failed(_))
        && !differences(object, found, resolver).iter().any(|difference| difference.immutable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, cidr: &str, tagged: bool) -> Found {
        let mut found = Found::new(Kind::Subnet, id);
        found.settings.insert("cidr".into(), cidr.into());
        if tagged {
            found.settings.insert(format!("tag {OBJECT_TAG}"), "k8s_vpc/demo subnet/a".into());
        }
        found
    }

    #[track_caller]
    fn check(found: &[Found], state: Option<&str>, matched: Option<&str>, superseded: &[&str]) {
        let graph: Graph = [Object::new(Kind::Subnet, "a").with("cidr", "10.0.0.0/24")].into_iter().collect();
        let key = ObjectKey::new(Kind::Subnet, "a");
        let ids = state.map(|id| (key.clone(), id.to_owned())).into_iter().collect();
        let matching = match_objects(&graph, found, "k8s_vpc/demo", &ids);
        assert_eq!(matching.matched.get(&key).map(|found| found.id.as_str()), matched);
        assert_eq!(matching.superseded.iter().map(|(_, found)| found.id.as_str()).collect::<Vec<_>>(), superseded);
    }

    #[test]
    fn objects_are_known_by_the_state_and_by_their_tag() {
        check(&[], None, None, &[]);
        check(&[subnet("subnet-1", "10.0.0.0/24", false)], None, None, &[]);
        check(&[subnet("subnet-1", "10.0.0.0/24", true)], None, Some("subnet-1"), &[]);
        check(&[subnet("subnet-1", "10.0.0.0/24", false)], Some("subnet-1"), Some("subnet-1"), &[]);
    }

    #[test]
    fn one_of_two_is_superseded_and_what_cannot_become_it_too() {
        let twice = [subnet("subnet-1", "10.0.0.0/24", true), subnet("subnet-2", "10.0.0.0/24", true)];
        check(&twice, Some("subnet-2"), Some("subnet-2"), &["subnet-1"]);
        check(&[subnet("subnet-1", "10.9.0.0/16", true)], Some("subnet-1"), None, &["subnet-1"]);
        // A run that was cut off had made the other one to take its place.
        let replaced = [subnet("subnet-1", "10.9.0.0/16", true), subnet("subnet-2", "10.0.0.0/24", true)];
        check(&replaced, Some("subnet-1"), Some("subnet-2"), &["subnet-1"]);
    }

    /// Instances with the tag of one that is declared, as `<id> <origin>`; what becomes of them: matched, copies, undecided, superseded.
    #[track_caller]
    fn check_instances(found: &[(&str, Origin)], state: Option<&str>, expect: [&[&str]; 4]) {
        let key = ObjectKey::new(Kind::Instance, "a");
        let instance = |(id, origin): &(&str, Origin)| {
            let mut found = Found::new(Kind::Instance, *id);
            found.origin = *origin;
            found.settings.insert(format!("tag {OBJECT_TAG}"), object_tag("k8s_bastion/a", &key));
            found
        };
        let graph: Graph = [Object::of(key.clone())].into_iter().collect();
        let found: Vec<Found> = found.iter().map(instance).collect();
        let ids = state.map(|id| (key.clone(), id.to_owned())).into_iter().collect();
        let matching = match_objects(&graph, &found, "k8s_bastion/a", &ids);
        let matched: Vec<(ObjectKey, Found)> = matching.matched.into_iter().collect();
        let all = [matched, matching.copies, matching.undecided, matching.superseded];
        let ids = all.each_ref().map(|of| of.iter().map(|(_, found)| found.id.as_str()).collect::<Vec<_>>());
        assert_eq!(ids, expect.map(<[&str]>::to_vec));
    }

    #[test]
    fn a_copy_is_neither_taken_nor_superseded() {
        use Origin::{Copied, Ours, Untold};
        check_instances(&[("i-1", Copied), ("i-2", Ours)], Some("i-2"), [&["i-2"], &["i-1"], &[], &[]]);
        check_instances(&[("i-1", Copied), ("i-2", Ours)], None, [&["i-2"], &["i-1"], &[], &[]]);
        check_instances(&[("i-1", Copied)], None, [&[], &["i-1"], &[], &[]]);
        // Of an earlier version, which left nothing that shows it.
        check_instances(&[("i-1", Untold), ("i-2", Untold)], Some("i-2"), [&["i-2"], &["i-1"], &[], &[]]);
        check_instances(&[("i-1", Untold)], None, [&["i-1"], &[], &[], &[]]);
        // A run that was cut off made it twice.
        check_instances(&[("i-1", Ours), ("i-2", Ours)], Some("i-2"), [&["i-2"], &[], &[], &["i-1"]]);
    }

    #[test]
    fn without_a_state_nothing_is_chosen_among_several() {
        use Origin::{Ours, Untold};
        for origin in [Ours, Untold] {
            check_instances(&[("i-1", origin), ("i-2", origin)], None, [&[], &[], &["i-1", "i-2"], &[]]);
        }
        let twice = [subnet("subnet-1", "10.0.0.0/24", true), subnet("subnet-2", "10.0.0.0/24", true)];
        check(&twice, None, None, &[]);
    }
}
