//! Images by digest: a tag may lead to another image tomorrow, and to one image on one node and to another on the next. Objects that are applied
//! name each image with the digest that its tag had first; what plans show is the reference alone.

use crate::place::find;
use objects::Declared;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Between a reference and the digest of what it leads to.
const AT: char = '@';

/// Digests by reference, such as `sha256:2c26b4…` by `registry.k8s.io/pause:3.10`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeMap<String, String>);

impl Pins {
    #[must_use]
    pub fn of(digests: BTreeMap<String, String>) -> Pins {
        Pins(digests)
    }

    /// References that have no digest any more in `now`.
    pub fn lost<'a>(&'a self, now: &Pins) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter(|reference| !now.0.contains_key(*reference)).map(String::as_str)
    }

    /// For an object that is applied.
    pub fn put(&self, object: &mut Value) {
        for image in images_of(object) {
            let Some(reference) = image.as_str() else { continue };
            if let Some(digest) = self.0.get(reference) {
                *image = format!("{reference}{AT}{digest}").into();
            }
        }
    }

    /// Whether an object that was read ([`Pins::take`]) does not name an image that is declared by the digest that it should have.
    #[must_use]
    pub fn lacks(&self, declared: &Value, live: &Value) -> bool {
        let is_there = |image: &str| named_in(live).any(|there| there == image);
        named_in(declared).any(|image| self.0.contains_key(image) && !is_there(image))
    }

    /// For an object that was read: as it is declared where it has the digest, so that it differs where somebody has taken it away.
    pub fn take(&self, live: &mut Value) {
        for image in images_of(live) {
            let Some(text) = image.as_str() else { continue };
            let (reference, digest) = text.split_once(AT).map_or((text, None), |(reference, digest)| (reference, Some(digest)));
            match self.0.get(reference) {
                Some(pinned) if digest == Some(pinned) => *image = reference.into(),
                Some(_) if digest.is_none() => *image = format!("{reference} without its digest").into(),
                _ => {}
            }
        }
    }
}

/// Whether a reference names its image by digest.
#[must_use]
pub fn is_by_digest(reference: &str) -> bool {
    reference.contains(AT)
}

/// Those of the declared objects that name one of these images.
pub fn naming<'a>(declared: impl IntoIterator<Item = &'a Declared>, references: &BTreeSet<&str>) -> Vec<&'a Declared> {
    let names_one = |declared: &&Declared| named_in(&declared.object).any(|image| references.contains(image));
    declared.into_iter().filter(names_one).collect()
}

/// The images of the containers of a workload.
fn named_in(object: &Value) -> impl Iterator<Item = &str> {
    let pod = &object["spec"]["template"]["spec"];
    let containers = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array()).flatten();
    containers.filter_map(|container| container["image"].as_str())
}

/// The same, to be changed.
pub(crate) fn images_of(object: &mut Value) -> Vec<&mut Value> {
    let Some(pod) = find(object, ".spec.template.spec").and_then(Value::as_object_mut) else { return Vec::new() };
    let lists = pod.iter_mut().filter(|(key, _)| ["initContainers", "containers"].contains(&key.as_str()));
    let containers = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    containers.filter_map(|container| container.get_mut("image")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(first: &str, second: &str) -> Value {
        json!({ "spec": { "template": { "spec": {
            "initContainers": [{ "name": "a", "image": first }],
            "containers": [{ "name": "b", "image": second }, { "name": "c" }],
        } } } })
    }

    fn pins() -> Pins {
        Pins::of(BTreeMap::from([("r.example/a:1".to_string(), "sha256:aa".to_string())]))
    }

    #[test]
    fn an_image_gets_its_digest_and_is_read_without_it() {
        let declared = workload("r.example/a:1", "r.example/b:1");
        let mut object = declared.clone();
        pins().put(&mut object);
        assert_eq!(object, workload("r.example/a:1@sha256:aa", "r.example/b:1"));
        pins().take(&mut object);
        assert_eq!((pins().lacks(&declared, &object), &object), (false, &declared));
    }

    #[test]
    fn what_somebody_has_changed_differs_from_what_is_declared() {
        for (live, read) in [
            ("r.example/a:1", "r.example/a:1 without its digest"),
            ("r.example/a:1@sha256:bb", "r.example/a:1@sha256:bb"),
            ("r.example/a:2", "r.example/a:2"),
        ] {
            let mut object = workload(live, "r.example/b:1");
            pins().take(&mut object);
            assert_eq!(object, workload(read, "r.example/b:1"));
            assert!(pins().lacks(&workload("r.example/a:1", "r.example/b:1"), &object));
        }
    }

    #[test]
    fn what_has_no_containers_stays() {
        let mut object = json!({ "spec": { "replicas": 1 } });
        pins().put(&mut object);
        pins().take(&mut object);
        assert_eq!(object, json!({ "spec": { "replicas": 1 } }));
    }
}
