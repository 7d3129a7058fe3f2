//! From what was applied to what is declared: which objects are created, changed, replaced and deleted, in which order.

use crate::ObjectKey;
use crate::fields::{Fields, differing};
use crate::immutable::immutable_change;
use crate::phase::phase;
use crate::readiness::is_waited_for;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const TIME_TO_LIVE: &str = ".spec.ttlSecondsAfterFinished";
/// So many fields are named in one line.
const NAMED: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Create(ObjectKey),
    /// The same, or somebody else's that is there already becomes ours.
    TakeOver(ObjectKey),
    /// With the fields that differ; none where they are not known yet.
    Update(ObjectKey, Vec<String>),
    /// Of fields that others have changed.
    Restore(ObjectKey, Vec<String>),
    /// Deleted and created again, because of this field.
    Replace(ObjectKey, String),
    Delete(ObjectKey),
    Wait(ObjectKey),
}

/// A field that would have to change and cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutable {
    pub key: ObjectKey,
    pub field: String,
}

/// What there is, and what there is to be.
pub struct Inventories<'a> {
    /// Of the last apply.
    pub before: &'a BTreeMap<ObjectKey, Fields>,
    /// `None` where some of it is not known yet.
    pub declared: &'a BTreeMap<ObjectKey, Option<Fields>>,
    /// Fields that are not as they were applied. An empty path: the whole object; also of one that an apply which was cut off has left.
    pub drift: &'a BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Objects that are applied whatever is known of them: their secrets changed.
    pub again: &'a BTreeSet<ObjectKey>,
    /// Those that are taken over where they are there already.
    pub adopt: &'a BTreeSet<ObjectKey>,
    pub may_replace: &'a BTreeSet<ObjectKey>,
    pub waits: bool,
}

pub fn plan(inventories: &Inventories) -> Result<Vec<Change>, Vec<Immutable>> {
    let Inventories { before, declared, drift, may_replace, waits, .. } = *inventories;
    let (mut changes, mut immutable) = (Vec::new(), Vec::new());
    for (key, fields) in declared {
        // One that is not there is created as it is declared; a Job may have gone away by itself.
        let is_gone = inventories.is_gone(key);
        let may_be_gone = before.get(key).is_some_and(|fields| key.is("batch", "Job") && fields.contains_key(TIME_TO_LIVE));
        let changed = before.get(key).zip(fields.as_ref()).filter(|_| !is_gone && !may_be_gone);
        let sealed = changed.and_then(|(before, now)| immutable_change(key, before, now));
        match sealed {
            Some(field) if may_replace.contains(key) => changes.push(Change::Replace(key.clone(), field)),
            Some(field) => immutable.push(Immutable { key: key.clone(), field }),
            None => changes.extend(change(inventories, key, fields.as_ref())),
        }
    }
    changes.sort_by_key(|change| phase(change.key()));
    let waited: Vec<ObjectKey> = changes.iter().map(Change::key).filter(|key| waits && is_waited_for(key)).cloned().collect();
    changes.extend(waited.into_iter().map(Change::Wait));
    let is_left = |key: &&ObjectKey| !declared.contains_key(*key);
    let mut deleted: Vec<&ObjectKey> = before.keys().filter(is_left).collect();
    deleted.extend(drift.keys().filter(is_left).filter(|key| !before.contains_key(*key)));
    deleted.sort_by_key(|key| std::cmp::Reverse(phase(key)));
    changes.extend(deleted.into_iter().cloned().map(Change::Delete));
    if immutable.is_empty() { Ok(changes) } else { Err(immutable) }
}

fn change(inventories: &Inventories, key: &ObjectKey, fields: Option<&Fields>) -> Option<Change> {
    let create = || if inventories.adopt.contains(key) { Change::TakeOver(key.clone()) } else { Change::Create(key.clone()) };
    let Some(before) = inventories.before.get(key).filter(|_| !inventories.is_gone(key)) else { return Some(create()) };
    let changed: Vec<String> = fields.map(|fields| differing(before, fields)).unwrap_or_default();
    if !changed.is_empty() || fields.is_none() || inventories.again.contains(key) {
        return Some(Change::Update(key.clone(), changed));
    }
    let drift = inventories.drift.get(key).filter(|fields| !fields.is_empty());
    drift.map(|fields| Change::Restore(key.clone(), fields.iter().cloned().collect()))
}

/// Declared objects that would go with a namespace, or with the definition of their kind, which is declared no more.
pub fn swept_away(inventories: &Inventories) -> Vec<(ObjectKey, ObjectKey)> {
    let Inventories { before, declared, drift, .. } = *inventories;
    let known: BTreeSet<&ObjectKey> = before.keys().chain(drift.keys()).collect();
    let gone = known.into_iter().filter(|key| !declared.contains_key(*key));
    let within = |outer: &ObjectKey| {
        let fields = before.get(outer);
        let text = |path: &str| fields.and_then(|fields| fields.get(path)).map(String::as_str);
        let is_within = |inner: &&ObjectKey| {
            (outer.is_namespace() && inner.namespace.as_ref() == Some(&outer.name))
                || (outer.is_definition()
                    && text(".spec.group") == Some(&inner.group)
                    && text(".spec.names.kind") == Some(&inner.kind))
        };
        declared.keys().find(is_within).cloned()
    };
    gone.filter_map(|outer| Some((outer.clone(), within(outer)?))).collect()
}

impl Inventories<'_> {
    /// The refresh has not found it, or found something else in its place.
    fn is_gone(&self, key: &ObjectKey) -> bool {
        self.drift.get(key).is_some_and(|paths| paths.contains(""))
    }
}

impl Change {
    pub fn key(&self) -> &ObjectKey {
        match self {
            Change::Create(key)
            | Change::TakeOver(key)
            | Change::Update(key, _)
            | Change::Restore(key, _)
            | Change::Replace(key, _)
            | Change::Delete(key)
            | Change::Wait(key) => key,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create(key) => write!(f, "create {key}"),
            Change::TakeOver(key) => write!(f, "create {key}, or take it over"),
            Change::Update(key, fields) => write!(f, "update {key}{}", Named(fields)),
            Change::Restore(key, fields) => write!(f, "restore {key}{}", Named(fields)),
            Change::Replace(key, field) => write!(f, "delete {key} and create it again ({field} cannot be changed)"),
            Change::Delete(key) => write!(f, "delete {key}"),
            Change::Wait(key) => write!(f, "wait until {key} is ready"),
        }
    }
}

struct Named<'a>(&'a [String]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = &self.0[..self.0.len().min(NAMED)];
        match self.0.len() - named.len() {
            0 if named.is_empty() => Ok(()),
            0 => write!(f, " ({})", named.join(", ")),
            more => write!(f, " ({} and {more} more)", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Inventory = BTreeMap<ObjectKey, Fields>;

    fn key(text: &str) -> ObjectKey {
        text.parse().unwrap()
    }

    fn inventory(objects: &[(&str, &[(&str, &str)])]) -> Inventory {
        let fields = |all: &[(&str, &str)]| all.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        objects.iter().map(|(name, all)| (key(name), fields(all))).collect()
    }

    #[derive(Default)]
    struct Also {
        drift: BTreeMap<ObjectKey, BTreeSet<String>>,
        adopt: BTreeSet<ObjectKey>,
        may_replace: BTreeSet<ObjectKey>,
    }

    fn lines(before: &Inventory, now: &Inventory, also: Also) -> Result<Vec<String>, Vec<Immutable>> {
        let declared: BTreeMap<ObjectKey, Option<Fields>> =
            now.iter().map(|(key, fields)| (key.clone(), Some(fields.clone()))).collect();
        let inventories = Inventories {
            before,
            declared: &declared,
            drift: &also.drift,
            again: &BTreeSet::new(),
            adopt: &also.adopt,
            may_replace: &also.may_replace,
            waits: true,
        };
        plan(&inventories).map(|changes| changes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_may_be_there_already_is_said_to_be_taken_over() {
        let now = inventory(&[("ConfigMap/a/b", &[]), ("ConfigMap/a/c", &[])]);
        let also = Also { adopt: [key("ConfigMap/a/b")].into(), ..Also::default() };
        assert_eq!(
            lines(&Inventory::new(), &now, also).unwrap(),
            ["create ConfigMap/a/b, or take it over", "create ConfigMap/a/c"]
        );
    }

    const CRD: &str = "CustomResourceDefinition.apiextensions.k8s.io/teams.example.com";

    #[test]
    fn what_others_need_is_created_first_and_deleted_last() {
        let all = inventory(&[
            ("Team.example.com/shop/a", &[]),
            (CRD, &[]),
            ("Deployment.apps/shop/web", &[]),
            ("ConfigMap/shop/c", &[]),
            ("Namespace/shop", &[]),
        ]);
        let created = [
            &format!("create {CRD}"),
            "create Namespace/shop",
            "create ConfigMap/shop/c",
            "create Deployment.apps/shop/web",
            "create Team.example.com/shop/a",
            &format!("wait until {CRD} is ready"),
            "wait until Deployment.apps/shop/web is ready",
        ];
        assert_eq!(lines(&Inventory::new(), &all, Also::default()).unwrap(), created);
        let deleted = lines(&all, &Inventory::new(), Also::default()).unwrap();
        assert_eq!(deleted[0], "delete Team.example.com/shop/a");
        assert_eq!(deleted[1], "delete Deployment.apps/shop/web");
        assert!(deleted.len() == 5 && deleted[4].starts_with("delete Namespace/"), "{deleted:?}");
    }

    #[test]
    fn a_change_names_its_fields() {
        let before =
            inventory(&[("ConfigMap/a/b", &[(".data.x", "1"), (".data.y", "1")]), ("ConfigMap/a/c", &[(".data.x", "1")])]);
        let now = inventory(&[("ConfigMap/a/b", &[(".data.x", "2")]), ("ConfigMap/a/c", &[(".data.x", "1")])]);
        assert_eq!(lines(&before, &now, Also::default()).unwrap(), ["update ConfigMap/a/b (.data.x, .data.y)"]);
        assert_eq!(lines(&before, &before, Also::default()).unwrap(), [""; 0]);
        let drift = [(key("ConfigMap/a/b"), [".data.y".to_string()].into()), (key("ConfigMap/a/c"), [String::new()].into())];
        let drifted = lines(&before, &before, Also { drift: drift.into(), ..Also::default() }).unwrap();
        assert_eq!(drifted, ["restore ConfigMap/a/b (.data.y)", "create ConfigMap/a/c"]);
    }

    #[test]
    fn what_would_go_with_a_namespace_or_a_definition_is_found() {
        let before = inventory(&[
            ("Namespace/shop", &[]),
            (CRD, &[(".spec.group", "example.com"), (".spec.names.kind", "Team")]),
            ("ConfigMap/a/b", &[]),
        ]);
        let declared: BTreeMap<ObjectKey, Option<Fields>> =
            ["Secret/shop/a", "Team.example.com/b/c"].map(|text| (key(text), None)).into();
        let found = |declared: &BTreeMap<ObjectKey, Option<Fields>>| {
            let (drift, again, may_replace) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
            let inventories = Inventories {
                before: &before,
                declared,
                drift: &drift,
                again: &again,
                adopt: &BTreeSet::new(),
                may_replace: &may_replace,
                waits: true,
            };
            swept_away(&inventories).iter().map(|(outer, inner)| format!("{outer} {inner}")).collect::<Vec<_>>()
        };
        assert_eq!(found(&declared), [format!("{CRD} Team.example.com/b/c"), "Namespace/shop Secret/shop/a".to_string()]);
        assert_eq!(found(&BTreeMap::new()), Vec::<String>::new());
    }

    #[test]
    fn an_object_is_replaced_only_where_that_was_said() {
        let job = |image: &'static str| inventory(&[("Job.batch/a/b", &[(".spec.template.spec.x", image)])]);
        let refused = lines(&job("1"), &job("2"), Also::default()).unwrap_err();
        assert_eq!(refused, [Immutable { key: key("Job.batch/a/b"), field: ".spec.template.spec.x".into() }]);
        let also = Also { may_replace: [key("Job.batch/a/b")].into(), ..Also::default() };
        let replaced = lines(&job("1"), &job("2"), also).unwrap();
        let expect = [
            "delete Job.batch/a/b and create it again (.spec.template.spec.x cannot be changed)",
            "wait until Job.batch/a/b is ready",
        ];
        assert_eq!(replaced, expect);
    }

    proptest::proptest! {
        #[test]
        fn what_was_applied_changes_nothing(names in proptest::collection::btree_set("[a-c]{1,3}", 0..9)) {
            let all: Inventory = names.iter().map(|name| (key(&format!("ConfigMap/x/{name}")), Fields::new())).collect();
            proptest::prop_assert_eq!(lines(&all, &all, Also::default()).unwrap(), Vec::<String>::new());
        }
    }
}
