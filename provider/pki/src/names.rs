//! Pure: the rules for names that stand in certificates, for whoever validates a configuration and for whoever issues.

/// What remains of a common name (RFC 5280: 64 characters) beside a blank and the longest authority name,
/// `controller-manager-ca`.
pub const MAX_CLUSTER_NAME_LENGTH: usize = 42;
/// RFC 5280, appendix A.1: `ub-common-name` and `ub-organization-name`.
pub const MAX_SUBJECT_LENGTH: usize = 64;

/// A label of DNS in lower case (RFC 1123).
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A DNS name in the form that a certificate carries, which is lower case: load balancers are given names with capitals. It may
/// begin with `*.`. `None` for what is none.
pub fn dns_name(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let labels: Vec<&str> = name.strip_prefix("*.").unwrap_or(&name).split('.').collect();
    // A name that ends in a number is a mistyped IPv4 address, and resolvers treat it as one.
    let ends_in_number = labels.last().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = name.len() <= 253 && labels.iter().all(|label| is_label(label)) && !ends_in_number;
    is_name.then_some(name)
}

/// What may stand in the subject of a certificate.
pub fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT_LENGTH).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names_are_taken_in_lower_case() {
        for (given, expect) in [
            ("api.demo.internal", Some("api.demo.internal")),
            ("Demo-API-0123.elb.us-east-1.amazonaws.com", Some("demo-api-0123.elb.us-east-1.amazonaws.com")),
            ("*.Demo.internal", Some("*.demo.internal")),
            ("API", Some("api")),
            ("", None),
            ("a..b", None),
            ("a.*.b", None),
            ("api:6443", None),
            ("https://api", None),
            ("a_b", None),
            ("-a", None),
            ("a.", None),
            ("192.0.2.300", None),
            (&format!("{}.b", "a".repeat(64)), None),
        ] {
            assert_eq!(dns_name(given).as_deref(), expect, "{given}");
        }
    }
}
