//! Between the project's types and the wire: diagnostics and paths. Schemas stand in [`schema`], values in [`value`].

pub(crate) mod schema;
pub(crate) mod value;

pub(crate) use value::{json_from_wire, object_from_wire, value_from_wire, value_to_wire};

use ::schema::{AttributePath, Diagnostic, Diagnostics, Severity, Step};

use crate::wire::tfplugin6 as wire;
use crate::wire::tfplugin6::attribute_path::step::Selector;

pub(crate) fn diagnostics_to_wire(diagnostics: Diagnostics) -> Vec<wire::Diagnostic> {
    diagnostics.into_iter().map(diagnostic_to_wire).collect()
}

fn diagnostic_to_wire(diagnostic: Diagnostic) -> wire::Diagnostic {
    let severity = match diagnostic.severity {
        Severity::Error => wire::diagnostic::Severity::Error,
        Severity::Warning => wire::diagnostic::Severity::Warning,
    };
    let path = diagnostic.path.filter(|path| !path.is_root());
    let shown = path.as_ref().map(locatable);
    let mut detail = diagnostic.detail;
    if let (Some(path), Some(shown)) = (&path, &shown)
        && path != shown
    {
        detail = format!("{detail}\n\nAt {path}.");
    }
    let attribute = shown.as_ref().map(path_to_wire);
    wire::Diagnostic { severity: severity.into(), summary: capitalised(diagnostic.summary), detail, attribute }
}

/// Engines find the line of an attribute, or of one element of it; for a deeper path they show the head of the whole block.
/// So they get the part that they can find, and the detail names the rest.
fn locatable(path: &AttributePath) -> AttributePath {
    let elements = path.steps().iter().skip(1).take(1).filter(|step| matches!(step, Step::Index(_)));
    path.steps().iter().take(1).chain(elements).fold(AttributePath::root(), |shown, step| shown.step(step.clone()))
}

/// Engines print the summary as a heading. A name at the start (`k8s_pki`, `pod_cidrs`) stays as it is written in HCL.
fn capitalised(summary: String) -> String {
    let first_word = summary.split(' ').next().unwrap_or_default();
    if !first_word.chars().all(|letter| letter.is_ascii_lowercase()) {
        return summary;
    }
    let (head, tail) = summary.split_at(summary.len().min(1));
    format!("{}{tail}", head.to_ascii_uppercase())
}

pub(crate) fn path_to_wire(path: &AttributePath) -> wire::AttributePath {
    let steps = path.steps().iter().map(|step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        };
        wire::attribute_path::Step { selector: Some(selector) }
    });
    wire::AttributePath { steps: steps.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_summary(summary: &str, expect: &str) {
        assert_eq!(diagnostic_to_wire(Diagnostic::error(summary)).summary, expect);
    }

    #[test]
    fn a_summary_is_a_heading_unless_it_begins_with_a_name() {
        check_summary("cannot start etcd.service on cp-1", "Cannot start etcd.service on cp-1");
        check_summary("provider bug: plan panicked", "Provider bug: plan panicked");
        check_summary("pod_cidrs overlap service_cidrs", "pod_cidrs overlap service_cidrs");
        check_summary("hosts[0] has no address", "hosts[0] has no address");
        check_summary("", "");
    }

    #[test]
    fn a_diagnostic_about_the_whole_object_has_no_path() {
        assert_eq!(diagnostic_to_wire(Diagnostic::error("x").at(AttributePath::root())).attribute, None);
        let path = AttributePath::attribute("hosts").key("cp-1").then("address");
        assert_eq!(path_to_wire(&path).steps.len(), 3);
    }

    #[test]
    fn a_deep_path_is_cut_to_what_engines_find_and_named_in_the_detail() {
        let path = AttributePath::attribute("hosts").key("cp-1").then("address");
        let wire = diagnostic_to_wire(Diagnostic::error("x").detail("Rule.").at(path));
        assert_eq!(wire.detail, "Rule.\n\nAt hosts[\"cp-1\"].address.");
        assert_eq!(wire.attribute.map(|path| path.steps.len()), Some(1));
        let element =
            diagnostic_to_wire(Diagnostic::error("x").detail("Rule.").at(AttributePath::attribute("endpoints").index(1)));
        assert_eq!((element.detail.as_str(), element.attribute.map(|path| path.steps.len())), ("Rule.", Some(2)));
    }
}
