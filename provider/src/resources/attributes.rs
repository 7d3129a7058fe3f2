//! Attributes and rules that several resources share.

use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Value};

pub fn id() -> Attribute {
    Attribute::string("id").computed().never_null().describe("Identifier of the resource.")
}

/// Names of clusters and load balancers stand in paths and unit names.
pub fn validate_cluster_name(value: &Value, attribute: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if let Some(name) = value.as_str()
        && !pki::names::is_label(name)
    {
        diagnostics.push(
            Diagnostic::error(format!("{name:?} is not a usable name"))
                .detail("Use lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit, such as \"demo\".")
                .at(AttributePath::attribute(attribute)),
        );
    }
    diagnostics
}

/// In any case of letters; it may begin with `*.`.
pub fn is_dns_name(text: &str) -> bool {
    pki::names::dns_name(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["demo", "a", "prod-1", &"x".repeat(63)] {
            assert!(validate_cluster_name(&good.into(), "name").is_empty(), "{good}");
        }
        for bad in ["", "Demo", "-a", "a_b", "a b", &"x".repeat(64)] {
            assert!(validate_cluster_name(&bad.into(), "name").has_errors(), "{bad}");
        }
    }
}
