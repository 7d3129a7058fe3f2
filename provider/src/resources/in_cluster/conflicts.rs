//! Fields of an object that somebody else manages: which of them a plan has shown, and what is said of the others. Pure.

use objects::{ObjectKey, Taken};
use schema::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Whether every field in conflict is one of these, which a plan has shown as changed by others.
pub fn were_planned(conflicts: &[(String, String)], planned: &BTreeSet<String>) -> bool {
    let planned: Vec<Vec<Step>> = planned.iter().filter(|path| !path.is_empty()).map(|path| steps(path)).collect();
    // A part of one, or the whole of several.
    let is_one = |field: &[Step], path: &[Step]| field.iter().zip(path).all(|(one, other)| one.fits(other));
    conflicts.iter().all(|(field, _)| planned.iter().any(|path| is_one(&steps(field), path)))
}

/// Whether a field in conflict is this one, or a part of it.
pub fn is_part(conflict: &str, path: &str) -> bool {
    let (field, whole) = (steps(conflict), steps(path));
    field.len() >= whole.len() && field.iter().zip(&whole).all(|(one, other)| one.fits(other))
}

/// The API server writes `.metadata.labels.example.com/team` and `.ports[containerPort=80,protocol="TCP"]`; plans write
/// `.metadata.labels["example.com/team"]` and `.ports[name="http"]` or `.ports[0]`.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Named(String),
    /// An item that is known by something else.
    Item,
}

impl Step {
    fn fits(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Item, Step::Item | Step::Named(_)) | (Step::Named(_), Step::Item) => true,
            (one, other) => one == other,
        }
    }
}

fn steps(path: &str) -> Vec<Step> {
    let (mut found, mut rest) = (Vec::new(), path);
    loop {
        let (before, bracketed) = rest.split_once('[').map_or((rest, None), |(before, bracketed)| (before, Some(bracketed)));
        found.extend(before.split('.').filter(|key| !key.is_empty()).map(|key| Step::Key(key.to_string())));
        let Some(bracketed) = bracketed else { return found };
        let end = end_of_bracket(bracketed);
        let inside = &bracketed[..end];
        let quoted = |text: &str| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_string);
        match (quoted(inside), inside.strip_prefix("name=").and_then(quoted)) {
            // The API server does not quote a key with dots.
            (Some(key), _) => found.extend(key.split('.').map(|key| Step::Key(key.to_string()))),
            (None, Some(name)) if !name.contains('"') => found.push(Step::Named(name)),
            (None, _) => found.push(Step::Item),
        }
        rest = bracketed.get(end + 1..).unwrap_or_default();
    }
}

/// A bracket inside of a quoted text does not count.
fn end_of_bracket(text: &str) -> usize {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            ']' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

pub fn conflict(key: &ObjectKey, conflicts: &[(String, String)]) -> Diagnostic {
    let lines: Vec<String> = conflicts.iter().map(|(field, by)| format!("{field}: {by}")).collect();
    Diagnostic::error(format!("{key}: others manage fields that are declared here")).detail(format!(
        "{}\n\nNothing of this object was applied. Leave these fields out, so that they stay as they are, or name them in ignore_fields; or set force_conflicts = true, which takes them over.",
        lines.join("\n")
    ))
}

pub const IS_GONE: &str = "it is not there";

/// What a refresh shows of an object as a whole.
pub fn whole(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(String::new(), text.to_string())])
}

/// What a refresh shows of a field.
pub fn shown(taken: &Taken) -> String {
    let by = taken.by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
    match &taken.live {
        Some(live) => format!("{live}{by}"),
        None => format!("(changed or removed{by})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_field_is_told_from_what_it_is_a_part_of() {
        assert!(is_part(".data.a", ".data") && is_part(".data", ".data"));
        assert!(!is_part(".data", ".data.a") && !is_part(".database", ".data"));
    }

    #[test]
    fn only_what_a_plan_has_shown_is_taken_back() {
        let planned = BTreeSet::from([".spec.replicas".to_string(), ".metadata.labels[\"example.com/team\"]".to_string()]);
        let conflict = |field: &str| (field.to_string(), "conflict with \"kubectl\"".to_string());
        assert!(were_planned(&[conflict(".spec.replicas"), conflict(".metadata.labels.example.com/team")], &planned));
        assert!(!were_planned(&[conflict(".spec.replicas"), conflict(".spec.paused")], &planned));
        assert!(!were_planned(&[conflict(".spec.replicasOfOthers")], &planned));
        let of_ports = BTreeSet::from([".spec.ports[name=\"http\"].targetPort".to_string(), ".data[\"a]b.c\"]".to_string()]);
        assert!(were_planned(
            &[conflict(".spec.ports[port=80,protocol=\"TCP\"].targetPort"), conflict(".data.a]b.c")],
            &of_ports
        ));
        assert!(!were_planned(&[conflict(".spec.ports[port=80,protocol=\"TCP\"].name")], &of_ports));
        let of_one = BTreeSet::from([".spec.containers[name=\"a\"].image".to_string()]);
        assert!(!were_planned(&[conflict(".spec.containers[name=\"b\"].image")], &of_one));
        assert!(!were_planned(&[conflict(".spec.replicas")], &BTreeSet::from([String::new()])));
    }
}
