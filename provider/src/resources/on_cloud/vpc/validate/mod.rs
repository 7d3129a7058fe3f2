//! What is wrong with a network, said at plan with the attribute and a value that would do. Pure: no call is made.

mod addresses;
mod options;
mod subnets;
#[cfg(test)]
mod tests;

use crate::resources::attributes;
use schema::{AttributePath, Diagnostic, Diagnostics, Value, ValueAt};

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    attributes::validate_cluster_name(&config.get("name"), found);
    options::validate_tags(config, found);
    let config = config.value();
    let mut report = Report { diagnostics: found };
    if config.get("name").as_str().is_some_and(|name| name.starts_with("sg-")) {
        let at = AttributePath::attribute("name");
        report.error(
            at,
            "name begins with \"sg-\"",
            "AWS takes no such name of a security group, and groups are called <name>-<role>. Choose another, such as \"demo\".",
        );
    }
    addresses::validate(config, &mut report);
    subnets::validate(config, &mut report);
    options::validate(config, &mut report);
}

struct Report<'a> {
    diagnostics: &'a mut Diagnostics,
}

impl Report<'_> {
    fn error(&mut self, at: AttributePath, summary: impl Into<String>, detail: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(summary).detail(detail).at(at));
    }

    fn warning(&mut self, at: AttributePath, summary: impl Into<String>, detail: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(summary).detail(detail).at(at));
    }
}

/// Known texts of a list or set, with their paths.
fn texts<'a>(value: &'a Value, at: &AttributePath) -> Vec<(&'a str, AttributePath)> {
    let items = value.as_list().unwrap_or_default().iter().enumerate();
    items.filter_map(|(index, item)| Some((item.as_str()?, at.clone().index(index)))).collect()
}

/// The elements of a set have no path of their own.
fn set_texts<'a>(value: &'a Value, at: &AttributePath) -> Vec<(&'a str, AttributePath)> {
    texts(value, at).into_iter().map(|(text, _)| (text, at.clone())).collect()
}

/// How many zones there are, where that is known.
fn zone_count(config: &Value) -> Option<usize> {
    let zones = config.get("zones");
    let all_known = |zones: &&[Value]| !zones.iter().any(Value::is_unknown);
    match zones.as_list() {
        Some(zones) => Some(zones).filter(all_known).map(<[Value]>::len),
        None if zones.is_null() => usize::try_from(config.get("zone_count").as_i64()?).ok(),
        None => None,
    }
}

/// An AWS id: `eipalloc-0123456789abcdef0`.
fn is_id(text: &str, prefix: &str) -> bool {
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix(prefix).is_some_and(|rest| [8, 17].contains(&rest.len()) && rest.chars().all(hexadecimal))
}
