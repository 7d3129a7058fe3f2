//! Fields that are applied until somebody else takes them over. Pure.

use super::conflicts::{is_part, were_planned};
use crate::kubernetes::take_out;
use objects::{Declared, ObjectKey, Taken, is_within, taken};
use schema::Field;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub struct Ignored {
    /// Under it the objects are applied.
    pub manager: &'static str,
    /// By object.
    pub paths: BTreeMap<ObjectKey, BTreeSet<String>>,
}

/// As a user writes them.
type Written = Field<BTreeMap<String, Field<Vec<Field<String>>>>>;

impl Ignored {
    /// Those that are known; whoever wrote something else was told so by the validation.
    pub fn of(manager: &'static str, written: &Written) -> Ignored {
        let paths = |paths: &Field<Vec<Field<String>>>| {
            paths.known().into_iter().flatten().filter_map(|path| path.known().cloned()).collect()
        };
        let entries = written.known().into_iter().flatten();
        Ignored { manager, paths: entries.filter_map(|(key, fields)| Some((key.parse().ok()?, paths(fields)))).collect() }
    }

    pub fn has(&self, key: &ObjectKey, path: &str) -> bool {
        self.paths.get(key).into_iter().flatten().any(|ignored| is_within(path, ignored))
    }

    /// What others have changed of what is not ignored.
    pub fn taken(&self, declared: &Declared, live: &Value) -> Vec<Taken> {
        taken(&declared.object, live, self.manager).into_iter().filter(|taken| !self.has(&declared.key, &taken.path)).collect()
    }

    /// Leaves to others what they have taken of what is ignored.
    pub fn leave(&self, declared: &Declared, live: &Value) -> Declared {
        let mut left = declared.clone();
        if self.paths.contains_key(&declared.key) {
            let taken = taken(&declared.object, live, self.manager).into_iter().map(|taken| taken.path);
            objects::take_out(&mut left.object, &taken.filter(|path| self.has(&declared.key, path)).collect());
        }
        left
    }

    /// The same where the API server says what is theirs: a field that is managed as one may be as it was in part. What is ours beside it stays where it
    /// can be told apart. Whether anything was taken out.
    pub fn leave_in_conflict(&self, key: &ObjectKey, conflicts: &[(String, String)], object: &mut Value) -> bool {
        let before = object.clone();
        for path in self.paths.get(key).into_iter().flatten() {
            let whole = BTreeSet::from([path.clone()]);
            for conflict in conflicts.iter().filter(|conflict| were_planned(std::slice::from_ref(*conflict), &whole)) {
                let (field, _) = conflict;
                if !(is_part(field, path) && take_out(object, field).is_some()) {
                    objects::take_out(object, &whole);
                }
            }
        }
        *object != before
    }

    /// What a refresh has found, without what is ignored by now.
    pub fn without(&self, drift: BTreeMap<ObjectKey, BTreeSet<String>>) -> BTreeMap<ObjectKey, BTreeSet<String>> {
        let left = drift.into_iter().map(|(key, mut paths)| {
            paths.retain(|path| !self.has(&key, path));
            (key, paths)
        });
        left.filter(|(_, paths)| !paths.is_empty()).collect()
    }

    /// Objects of which something else is ignored.
    pub fn differing(&self, other: &Ignored) -> BTreeSet<ObjectKey> {
        let keys = self.paths.keys().chain(other.paths.keys());
        keys.filter(|key| self.paths.get(*key) != other.paths.get(*key)).cloned().collect()
    }
}
