//! The policy that a VPC endpoint has when nobody gave it one.

use serde_json::{Value, json};

/// Whether a policy lets everybody do everything: what AWS gives an endpoint that is made without, whose text differs from one type
/// of endpoint to the other.
pub fn is_full_access(policy: &str) -> bool {
    let all = json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" });
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    policy["Statement"] == json!([all]) || policy["Statement"] == all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_gives_is_full_access_and_nothing_less() {
        let gateway = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
        let interface = "{\n  \"Statement\": [\n    {\"Action\": \"*\", \"Effect\": \"Allow\", \"Principal\": \"*\", \"Resource\": \"*\"}\n  ]\n}";
        assert!(is_full_access(gateway) && is_full_access(interface));
        assert!(!is_full_access(&gateway.replace("Allow", "Deny")));
        assert!(!is_full_access(&gateway.replace("}]", ",\"Condition\":{}}]")));
        assert!(!is_full_access(""));
    }
}
