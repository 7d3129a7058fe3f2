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
