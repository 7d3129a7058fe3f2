//! What is wrong with a pki, said at plan with the attribute and a value that would do. Pure.

use crate::resources::attributes;
use pki::Usage;
use schema::{AttributePath, Diagnostic, Diagnostics, Value};
use std::net::IpAddr;

pub fn validate_endpoints(endpoints: &Value, diagnostics: &mut Diagnostics) {
    for (index, item) in endpoints.as_list().unwrap_or_default().iter().enumerate() {
        let Some(text) = item.as_str() else { continue };
        if text.parse::<IpAddr>().is_err() && !attributes::is_dns_name(text) {
            diagnostics.push(
                Diagnostic::error(format!("{text:?} is neither a DNS name nor an IP address"))
                    .detail("Give what goes into the certificate, without scheme, port or prefix length: \"api.demo.internal\" or \"192.0.2.100\".")
                    .at(AttributePath::attribute("endpoints").index(index)),
            );
        }
    }
}

pub fn validate_hours(config: &Value, diagnostics: &mut Diagnostics) {
    let value = |name: &str, default: i64| match config.get(name) {
        Value::Null => Some(default),
        other => other.as_i64(),
    };
    for name in ["authority_validity_hours", "certificate_validity_hours"] {
        if value(name, 1).is_some_and(|hours| !(1..=876_000).contains(&hours)) {
            diagnostics.push(
                Diagnostic::error(format!("{name} is out of range"))
                    .detail("Give a whole number from 1 to 876000 (a hundred years), such as 8760.")
                    .at(AttributePath::attribute(name)),
            );
        }
    }
    if let (Some(renew), Some(validity)) = (value("renew_before_hours", 720), value("certificate_validity_hours", 8_760))
        && (renew < 0 || renew >= validity)
    {
        diagnostics.push(
            Diagnostic::error("renew_before_hours is not shorter than certificate_validity_hours")
                .detail(format!(
                    "Every plan would renew every certificate. A third of the validity, {}, would do.",
                    (validity / 3).max(0)
                ))
                .at(AttributePath::attribute("renew_before_hours")),
        );
    }
}

pub fn validate_additional(map: &Value, diagnostics: &mut Diagnostics) {
    for (name, leaf) in map.as_map().into_iter().flatten() {
        let at = AttributePath::attribute("additional_certificates").key(name.as_str());
        if is_reserved(name) {
            diagnostics.push(
                Diagnostic::error(format!("{name:?} is a certificate of the cluster itself"))
                    .detail("Choose a name of your own, such as \"monitoring\".")
                    .at(at.clone()),
            );
        }
        for (index, usage) in leaf.get("usages").as_list().unwrap_or_default().iter().enumerate() {
            if usage.as_str().is_some_and(|usage| usage.parse::<Usage>().is_err()) {
                diagnostics.push(
                    Diagnostic::error("not a usage of certificates here")
                        .detail("Give \"client_auth\", \"server_auth\" or both.")
                        .at(at.clone().then("usages").index(index)),
                );
            }
        }
        for (index, address) in leaf.get("addresses").as_list().unwrap_or_default().iter().enumerate() {
            if address.as_str().is_some_and(|text| text.parse::<IpAddr>().is_err()) {
                diagnostics.push(
                    Diagnostic::error("not an IP address")
                        .detail("Give an address such as 192.0.2.11.")
                        .at(at.clone().then("addresses").index(index)),
                );
            }
        }
    }
}

/// Names of the table, and those of its leaves for single hosts.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('/').next().unwrap_or(name);
    pki::table::AUTHORITIES.iter().any(|authority| authority.name == stem)
        || pki::table::LEAVES.iter().any(|leaf| leaf.name == stem)
        || [pki::SERVICE_ACCOUNT, pki::SECRETS_ENCRYPTION].contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(validate: impl Fn(&mut Diagnostics), expect: &[(&str, &str)]) {
        let mut found = Diagnostics::default();
        validate(&mut found);
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn endpoints() {
        let of = |text: &str| Value::from(vec!["api.demo.internal", text]);
        check(|found| validate_endpoints(&of("192.0.2.100"), found), &[]);
        check(|found| validate_endpoints(&Value::Unknown, found), &[]);
        for bad in ["https://api", "192.0.2.100/24", "a b"] {
            let expect = format!("{bad:?} is neither a DNS name nor an IP address");
            check(|found| validate_endpoints(&of(bad), found), &[("endpoints[1]", &expect)]);
        }
    }

    #[test]
    fn hours() {
        let of = |name: &str, hours: i64| Value::object([(name, hours.into())]);
        let late = "renew_before_hours is not shorter than certificate_validity_hours";
        check(|found| validate_hours(&of("renew_before_hours", 24), found), &[]);
        check(|found| validate_hours(&of("renew_before_hours", 8_760), found), &[("renew_before_hours", late)]);
        check(|found| validate_hours(&of("renew_before_hours", -1), found), &[("renew_before_hours", late)]);
        check(|found| validate_hours(&of("certificate_validity_hours", 720), found), &[("renew_before_hours", late)]);
        let name = "authority_validity_hours";
        check(|found| validate_hours(&of(name, 0), found), &[(name, "authority_validity_hours is out of range")]);
        check(|found| validate_hours(&of(name, 876_001), found), &[(name, "authority_validity_hours is out of range")]);
    }

    #[test]
    fn additional_certificates() {
        let of =
            |name: &str, attribute: &str, value: &str| Value::object([(name, Value::object([(attribute, vec![value].into())]))]);
        check(|found| validate_additional(&of("monitoring", "usages", "client_auth"), found), &[]);
        check(
            |found| validate_additional(&of("monitoring", "usages", "both"), found),
            &[("additional_certificates[\"monitoring\"].usages[0]", "not a usage of certificates here")],
        );
        check(
            |found| validate_additional(&of("monitoring", "addresses", "x"), found),
            &[("additional_certificates[\"monitoring\"].addresses[0]", "not an IP address")],
        );
        for name in ["admin", "cluster-ca", "apiserver/cp-9", "service-account"] {
            let (at, summary) =
                (format!("additional_certificates[{name:?}]"), format!("{name:?} is a certificate of the cluster itself"));
            check(|found| validate_additional(&of(name, "usages", "client_auth"), found), &[(&at, &summary)]);
        }
    }

    #[test]
    fn the_schema_names_what_the_crate_takes() {
        let authorities: Vec<&str> = pki::table::AUTHORITIES.iter().map(|authority| authority.name).collect();
        assert_eq!(authorities, super::super::AUTHORITIES);
        for algorithm in super::super::KEY_ALGORITHMS {
            assert!(algorithm.parse::<pki::KeyAlgorithm>().is_ok(), "{algorithm}");
        }
    }
}
