//! What is wrong with a pki, reported at validation with the path of the value. The rules are those of crate `pki`, which issues by
//! them; here they meet values of which some are not known yet. Pure.

use pki::{PkiError, Usage, validate as rules};
use schema::{AttributePath, Diagnostic, Diagnostics, Value};
use std::net::IpAddr;

pub fn validate_names(config: &Value, diagnostics: &mut Diagnostics) {
    let text = |name: &str| config.get(name).as_str();
    let at = |name: &str| AttributePath::attribute(name);
    diagnostics.extend(text("cluster_name").and_then(|name| fault(rules::cluster_name(name), at("cluster_name"))));
    diagnostics.extend(text("cluster_domain").and_then(|name| fault(rules::cluster_domain(name), at("cluster_domain"))));
    diagnostics.extend(each(config.get("endpoints"), &at("endpoints"), rules::endpoint));
    for name in config.get("hosts").as_map().into_iter().flat_map(|hosts| hosts.keys()) {
        // What no host may be called is reported with the hosts.
        if bundle::HostName::parse(name.as_str()).is_ok() {
            diagnostics.extend(fault(rules::host(name), at("hosts").key(name.as_str())));
        }
    }
}

pub fn validate_hours(config: &Value, diagnostics: &mut Diagnostics) {
    let value = |name: &str, default: i64| match config.get(name) {
        Value::Null => Some(default),
        other => other.as_i64(),
    };
    let validities = [("authority_validity_hours", 87_600), ("certificate_validity_hours", 8_760)];
    let [authority, certificate] = validities.map(|(name, default)| {
        let hours = u64::try_from(value(name, default)?).unwrap_or_default();
        let found = hours_fault(rules::validity(name, hours), name);
        let is_good = found.is_none();
        diagnostics.extend(found);
        is_good.then_some(hours)
    });
    if let (Some(authority), Some(certificate)) = (authority, certificate) {
        diagnostics.extend(hours_fault(rules::outlived(certificate, authority), "certificate_validity_hours"));
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
    for (name, leaf) in map.as_map().into_iter().flatten().filter(|(_, leaf)| leaf.is_set()) {
        let at = AttributePath::attribute("additional_certificates").key(name.as_str());
        diagnostics.extend(fault(rules::additional_name(name), at.clone()));
        diagnostics.extend(validate_purpose(name, leaf, &at));
        let common_name = leaf.get("common_name").as_str();
        diagnostics.extend(common_name.and_then(|text| fault(rules::subject(text), at.clone().then("common_name"))));
        let list = |attribute: &str, rule: fn(&str) -> Result<(), PkiError>| {
            each(leaf.get(attribute), &at.clone().then(attribute), rule)
        };
        diagnostics.extend(list("organizations", rules::subject));
        diagnostics.extend(list("dns_names", rules::additional_dns_name));
        diagnostics.extend(list("usages", |text| text.parse::<Usage>().map(drop)));
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

/// Judged once everything that it depends on is known.
fn validate_purpose(name: &str, leaf: &Value, at: &AttributePath) -> Option<Diagnostic> {
    let parts = ["usages", "dns_names", "addresses"].map(|attribute| leaf.get(attribute));
    if parts.iter().any(|part| !part.is_wholly_known()) {
        return None;
    }
    let [usages, dns_names, addresses] = parts.map(|part| part.as_list().unwrap_or_default());
    let is_for_server = usages.iter().any(|usage| usage.as_str() == Some(Usage::ServerAuth.as_str()));
    let has_names = !dns_names.is_empty() || !addresses.is_empty();
    fault(rules::purpose(name, !usages.is_empty(), is_for_server, has_names), at.clone().then("usages"))
}

fn each(list: &Value, at: &AttributePath, rule: fn(&str) -> Result<(), PkiError>) -> Vec<Diagnostic> {
    let items = list.as_list().unwrap_or_default().iter().enumerate();
    items.filter_map(|(index, item)| fault(rule(item.as_str()?), at.clone().index(index))).collect()
}

fn fault(judged: Result<(), PkiError>, at: AttributePath) -> Option<Diagnostic> {
    judged.err().map(|error| declared_wrong(&error).at(at))
}

/// Hours are named by their attribute.
fn hours_fault(judged: Result<(), PkiError>, name: &str) -> Option<Diagnostic> {
    let Err(PkiError::Invalid { rule, way_out, .. }) = judged else { return None };
    let diagnostic = Diagnostic::error(format!("{name} {rule}")).detail(format!("{way_out}."));
    Some(diagnostic.at(AttributePath::attribute(name)))
}

/// A rule that a declaration breaks, at the attribute that it is about.
pub fn declared_wrong(error: &PkiError) -> Diagnostic {
    match error {
        PkiError::Invalid { attribute, value, rule, way_out } => {
            Diagnostic::error(format!("{value:?} {rule}")).detail(format!("{way_out}.")).at(AttributePath::attribute(*attribute))
        }
        other => Diagnostic::error("the certificates that this declares cannot be issued").detail(other.to_string()),
    }
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
        let of = |text: &str| Value::object([("endpoints", vec!["api.demo.internal", text].into())]);
        for good in ["192.0.2.100", "2001:db8::1", "*.demo.internal", "Demo-API-0123456789.elb.us-east-1.amazonaws.com"] {
            check(|found| validate_names(&of(good), found), &[]);
        }
        check(|found| validate_names(&Value::object([("endpoints", Value::Unknown)]), found), &[]);
        for bad in ["https://api", "192.0.2.100/24", "a b", "192.0.2.300", "api.demo.internal."] {
            let expect = format!("{bad:?} is neither a DNS name nor an IP address");
            check(|found| validate_names(&of(bad), found), &[("endpoints[1]", &expect)]);
        }
    }

    #[test]
    fn names_of_cluster_domain_and_hosts() {
        let of = |name: &str, text: &str| Value::object([(name, text.into())]);
        check(|found| validate_names(&of("cluster_name", &"a".repeat(42)), found), &[]);
        let long = "a".repeat(43);
        let expect = format!("{long:?} is not a usable name");
        check(|found| validate_names(&of("cluster_name", &long), found), &[("cluster_name", &expect)]);
        let expect = "\"Cluster.Local\" is not a DNS name in lower case";
        check(|found| validate_names(&of("cluster_domain", "Cluster.Local"), found), &[("cluster_domain", expect)]);
        let hosts = |name: &str| Value::object([("hosts", Value::object([(name, Value::object([]))]))]);
        check(|found| validate_names(&hosts("cp-1"), found), &[]);
        let expect = "\"1.2\" is not a DNS name in lower case of at most 64 characters";
        check(|found| validate_names(&hosts("1.2"), found), &[("hosts[\"1.2\"]", expect)]);
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
        check(|found| validate_hours(&of(name, 876_000), found), &[]);
        check(|found| validate_hours(&of(name, 876_001), found), &[(name, "authority_validity_hours is out of range")]);
        let outlives = "certificate_validity_hours exceeds authority_validity_hours, and no certificate outlives its authority";
        check(|found| validate_hours(&of(name, 8_759), found), &[("certificate_validity_hours", outlives)]);
    }

    #[test]
    fn additional_certificates() {
        let leaf = |attribute: &str, value: &str| {
            let mut leaf = Value::object([("usages", vec!["client_auth"].into()), ("common_name", "x".into())]);
            let value: Value = if attribute == "common_name" { value.into() } else { vec![value].into() };
            leaf.set(attribute, value);
            leaf
        };
        let check = |name: &str, leaf: Value, expect: &[(&str, &str)]| {
            check(|found| validate_additional(&Value::object([(name, leaf.clone())]), found), expect);
        };
        check("monitoring", leaf("usages", "client_auth"), &[]);
        check("monitoring", leaf("dns_names", "*.Demo.internal"), &[]);
        let at = |attribute: &str| format!("additional_certificates[\"monitoring\"].{attribute}");
        let usage = "\"both\" is not a usage of certificates here";
        check("monitoring", leaf("usages", "both"), &[(&at("usages[0]"), usage)]);
        check("monitoring", leaf("addresses", "x"), &[(&at("addresses[0]"), "not an IP address")]);
        check("monitoring", leaf("dns_names", "a b"), &[(&at("dns_names[0]"), "\"a b\" is not a DNS name")]);
        let subject = "\"\" cannot stand in the subject of a certificate";
        check("monitoring", leaf("common_name", ""), &[(&at("common_name"), subject)]);
        let server = "\"monitoring\" is for a server but has neither DNS names nor addresses";
        check("monitoring", leaf("usages", "server_auth"), &[(&at("usages"), server)]);
        check("a_b", leaf("usages", "client_auth"), &[("additional_certificates[\"a_b\"]", "\"a_b\" is not a usable name")]);
        for name in ["admin", "cluster-ca", "apiserver/cp-9", "service-account"] {
            let (path, summary) =
                (format!("additional_certificates[{name:?}]"), format!("{name:?} is a certificate of the cluster itself"));
            check(name, leaf("usages", "client_auth"), &[(&path, &summary)]);
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
