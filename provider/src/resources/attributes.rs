//! Attributes and rules that several resources share.

use schema::{Attribute, Diagnostics, ValueAt};

pub fn id() -> Attribute {
    Attribute::string("id").computed().never_null().describe("Identifier of the resource.")
}

/// Names of clusters and load balancers stand in paths, unit names and certificate subjects.
pub fn validate_cluster_name(name: &ValueAt<'_>, found: &mut Diagnostics) {
    if let Some(text) = name.as_str()
        && !pki::names::is_label(text)
    {
        found.push(name.error(
            format!("{text:?} is not a usable name"),
            "Use lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit, such as \"demo\".",
        ));
    }
}

/// In any case of letters; it may begin with `*.`.
pub fn is_dns_name(text: &str) -> bool {
    pki::names::dns_name(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(name: &str) -> bool {
        let mut found = Diagnostics::default();
        validate_cluster_name(&ValueAt::of(&name.into()), &mut found);
        found.has_errors()
    }

    #[test]
    fn names() {
        for good in ["demo", "a", "prod-1", &"x".repeat(63)] {
            assert!(!is_refused(good), "{good}");
        }
        for bad in ["", "Demo", "-a", "a_b", "a b", &"x".repeat(64)] {
            assert!(is_refused(bad), "{bad}");
        }
    }
}
