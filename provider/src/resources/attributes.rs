//! Attributes and rules that several resources share.

use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Value};

pub fn id() -> Attribute {
    Attribute::string("id").computed().never_null().describe("Identifier of the resource.")
}

/// Names of clusters and load balancers stand in paths, unit names and certificate subjects.
pub fn validate_cluster_name(value: &Value, attribute: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if let Some(name) = value.as_str()
        && (name.len() > 63 || !is_label(name))
    {
        diagnostics.push(
            Diagnostic::error(format!("{name:?} is not a usable name"))
                .detail("Use lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit, such as \"demo\".")
                .at(AttributePath::attribute(attribute)),
        );
    }
    diagnostics
}

pub fn is_dns_name(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| label.len() <= 63 && is_label(&label.to_ascii_lowercase()))
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dns_names() {
        for good in ["demo", "a", "prod-1"] {
            assert!(validate_cluster_name(&good.into(), "name").is_empty(), "{good}");
        }
        for bad in ["", "Demo", "-a", "a_b", "a b", &"x".repeat(64)] {
            assert!(validate_cluster_name(&bad.into(), "name").has_errors(), "{bad}");
        }
        for good in ["api.demo.internal", "*.demo.internal", "API"] {
            assert!(is_dns_name(good), "{good}");
        }
        for bad in ["https://api", "api:6443", "a..b", ""] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }
}
