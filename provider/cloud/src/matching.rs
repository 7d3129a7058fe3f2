//! Which found object is which declared one. Ids of the state come first; what a run that was cut off left is known by its tag.

use crate::{Found, Graph, Kind, Object, ObjectKey, Readiness, Resolver, differences};
use std::collections::BTreeMap;

/// The tag by which an object is known: owner and key of the object in its graph.
pub const OBJECT_TAG: &str = "k8s-hardway/object";

/// The tag that distinguishes the objects of a cluster from all others.
pub const CLUSTER_TAG: &str = "k8s-hardway/cluster";

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
            let mut all = candidates.remove(&key).unwrap_or_default();
            // The one of the state, then the oldest id: always the same one.
            all.sort_by_key(|found| (ids.get(&key) != Some(&found.id), found.id.clone()));
            let resolver = Resolver::new(&matching.matched);
            let pick = graph.get(&key).and_then(|object| all.iter().position(|found| is_it(object, found, &resolver)));
            for (position, found) in all.into_iter().enumerate() {
                if found.readiness == Readiness::Leaving {
                    matching.leaving.push((key.clone(), found.clone()));
                } else if Some(position) == pick {
                    chosen.insert(key.clone(), found.clone());
                } else {
                    matching.superseded.push((key.clone(), found.clone()));
                }
            }
        }
        matching.matched.extend(chosen);
    }
    matching
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
        check(&twice, None, Some("subnet-1"), &["subnet-2"]);
        check(&twice, Some("subnet-2"), Some("subnet-2"), &["subnet-1"]);
        check(&[subnet("subnet-1", "10.9.0.0/24", true)], Some("subnet-1"), None, &["subnet-1"]);
    }
}
