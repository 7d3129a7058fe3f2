//! Which entry of a state has a resource on AWS: a tag on its main object says it, as `holder` in the records of hosts does. Why stands in
//! docs/adr/0058-who-has-what-is-on-aws.md. Pure, but for what a run remembers of its own creates.

use crate::lock::locked;
use cloud::{Change, Found, HOLDER_TAG, Matching, ObjectKey};
use schema::{Attribute, AttributePath, Diagnostic, Value};
use std::collections::BTreeMap;
use std::sync::Mutex;

pub const HOLDER: &str = "holder";

pub fn attribute() -> Attribute {
    Attribute::string(HOLDER).computed().describe(format!(
        "Drawn by each create, also by one that adopts what exists, and kept in the tag `{HOLDER_TAG}` of the main object: a state that had it \
         before changes and removes nothing any more. Null in states from before there were any."
    ))
}

/// Of a state.
pub fn of(state: &Value) -> Option<&str> {
    state.get(HOLDER).as_str()
}

/// Of which resource, and for whom.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// `k8s_vpc/demo`.
    pub owner: &'a str,
    pub main: &'a ObjectKey,
    /// Of a state. `None` in those from before there were any.
    pub id: Option<&'a str>,
}

/// What the main object has for this holder.
pub fn setting(id: &str) -> (String, String) {
    (format!("tag {HOLDER_TAG}"), id.to_owned())
}

/// Who has which resource since a create of this run. AWS may still show a tag as it was, and an engine destroys the old object right after.
#[derive(Default)]
pub struct Held(Mutex<BTreeMap<String, String>>);

impl Held {
    pub fn note(&self, owner: &str, id: &str) {
        locked(&self.0).insert(owner.to_owned(), id.to_owned());
    }

    /// Another run begins.
    pub fn forget(&self) {
        locked(&self.0).clear();
    }

    fn of(&self, owner: &str) -> Option<String> {
        locked(&self.0).get(owner).cloned()
    }
}

impl Holder<'_> {
    /// What makes this holder the one who has the object. `None` where it is already.
    pub fn take_over(&self, main: &Found) -> Option<Change> {
        let (key, id) = setting(self.id?);
        let from = main.tag(HOLDER_TAG).map(str::to_owned);
        (from.as_ref() != Some(&id)).then_some(Change { key, from, to: Some(id) })
    }

    /// All that are the main object or were to become it, but for what goes already.
    fn mains<'a>(&self, matching: &'a Matching) -> impl Iterator<Item = &'a Found> {
        let others = matching.superseded.iter().chain(&matching.undecided);
        let all = matching.matched.iter().chain(others.map(|(key, found)| (key, found)));
        all.filter(|(key, _)| *key == self.main).map(|(_, found)| found)
    }

    /// Where another entry of a state has the resource since: summary and detail. One that a run made twice is ours while another is.
    pub fn taken_over(&self, matching: &Matching, held: &Held) -> Option<(String, String)> {
        let mains: Vec<&Found> = self.mains(matching).collect();
        let now = held.of(self.owner).filter(|_| !mains.is_empty());
        let by = match now {
            Some(now) if self.id == Some(now.as_str()) => return None,
            Some(now) => now,
            None if mains.iter().any(|main| main.tag(HOLDER_TAG) == self.id) => return None,
            None => mains.iter().find_map(|main| main.tag(HOLDER_TAG))?.to_owned(),
        };
        let summary = format!("{} was taken over from this state", self.owner);
        let ids: Vec<&str> = mains.iter().map(|main| main.id.as_str()).collect();
        let detail = format!(
            "{} is of holder {by} (tag {HOLDER_TAG}), this state of {}: a create adopted what it found, as after a lost state, or in a replacement \
             with create_before_destroy, where an engine creates the new object while the old one is there.",
            ids.join(", "),
            self.id.unwrap_or("none")
        );
        Some((summary, detail))
    }

    /// The tag of what is imported.
    pub fn found<'m>(&self, matching: &'m Matching) -> Option<&'m str> {
        self.mains(matching).find_map(|main| main.tag(HOLDER_TAG))
    }
}

/// Where no state has it: a run that was killed, or could not save its state.
const NO_STATE: &str = "If no state has it, take the resource out of this one and import it: an import has what it finds.";

/// Of a refresh.
pub fn warning((summary, detail): (String, String)) -> Diagnostic {
    Diagnostic::warning(summary).detail(format!(
        "{detail} An apply of this one is refused; a destroy takes it out of this state and removes nothing. {NO_STATE}"
    ))
}

/// Of an apply.
pub fn refusal((summary, detail): (String, String)) -> Diagnostic {
    Diagnostic::error(summary)
        .detail(format!(
            "{detail} Nothing was changed.\n\nIf the other state is to keep it, take the resource out of this one (`terraform state rm` or \
             `tofu state rm`). If this one is to have it, take it out of both, and import it here."
        ))
        .at(AttributePath::attribute(HOLDER))
}

/// Of a destroy, which is done with that: what this entry of a state had is another's.
pub fn nothing_removed((summary, detail): (String, String)) -> Diagnostic {
    Diagnostic::warning(format!("nothing was removed: {summary}")).detail(format!(
        "{detail} It stays with all that belongs to it, costs what it did, and is gone from this state only. To destroy it, use the state that has \
         it. {NO_STATE} Then destroy it. To replace it, take create_before_destroy off it and off what depends on it, and replace again: the \
         old one is destroyed first then."
    ))
}
