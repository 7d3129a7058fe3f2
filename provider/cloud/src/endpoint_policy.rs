//! Policies of VPC endpoints: the one that an endpoint has when nobody gave it one, and one spelling for all.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a policy lets everybody do everything: what AWS gives an endpoint that is made without, whose text differs from one type
/// of endpoint to the other.
pub fn is_full_access(policy: &str) -> bool {
    let all = json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" });
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    policy["Statement"] == json!([all]) || policy["Statement"] == all
}

/// One text for all policies that mean the same: without white space, keys in order, and a list of one text as that text. AWS gives
/// a policy back in its own layout. What is no JSON stays as it is.
pub fn canonical_policy(policy: &str) -> String {
    serde_json::from_str(policy).map_or_else(|_| policy.to_owned(), |policy| canonical(policy).to_string())
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => Value::String(text.clone()),
            _ => Value::Array(items.into_iter().map(canonical).collect()),
        },
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_mean_the_same_are_the_same_text() {
        let ours = r#"{"Statement":[{"Effect":"Allow","Action":["s3:Get*"],"Resource":["a","b"],"Sid":"x \" y"}]}"#;
        let theirs = "{\n \"Statement\" : [ {\"Action\":\"s3:Get*\", \"Effect\":\"Allow\", \"Resource\":[\"a\", \"b\"], \"Sid\":\"x \\\" y\"} ] }";
        assert_eq!(canonical_policy(ours), canonical_policy(theirs));
        assert_ne!(canonical_policy(ours), canonical_policy(&ours.replace("Allow", "Deny")));
        assert_eq!(canonical_policy("no JSON "), "no JSON ");
    }

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
