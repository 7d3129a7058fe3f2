//! What is wrong with a pki, reported at validation with the path of the value. The rules are those of crate `pki`, which issues by
//! them; here they meet values of which some are not known yet. Pure.

use pki::{PkiError, Usage, validate as rules};
use schema::{AttributePath, Diagnostic, Diagnostics, ValueAt};
use std::net::IpAddr;

pub fn validate_names(config: &ValueAt<'_>, found: &mut Diagnostics) {
    judge(&config.get("cluster_name"), rules::cluster_name, found);
    judge(&config.get("cluster_domain"), rules::cluster_domain, found);
    judge_each(&config.get("endpoints"), rules::endpoint, found);
    for (name, host) in config.get("hosts").entries() {
        // What no host may be called is reported with the hosts.
        if bundle::HostName::parse(name).is_ok() {
            found.extend(fault(rules::host(name), &host));
        }
    }
}

pub fn validate_hours(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let hours = |name: &str, default: i64| match config.get(name) {
        part if part.value().is_null() => Some(default),
        part => part.as_i64(),
    };
    let validities = [("authority_validity_hours", 87_600), ("certificate_validity_hours", 8_760)];
    let [authority, certificate] = validities.map(|(name, default)| {
        let hours = u64::try_from(hours(name, default)?).unwrap_or_default();
        let fault = hours_fault(rules::validity(name, hours), name);
        let is_good = fault.is_none();
        found.extend(fault);
        is_good.then_some(hours)
    });
    if let (Some(authority), Some(certificate)) = (authority, certificate) {
        found.extend(hours_fault(rules::outlived(certificate, authority), "certificate_validity_hours"));
    }
    if let (Some(renew), Some(validity)) = (hours("renew_before_hours", 720), hours("certificate_validity_hours", 8_760)) {
        let at = config.get("renew_before_hours");
        let advice = |cause| format!("{cause} A third of the validity, {}, would do.", (validity / 3).max(0));
        let fault = renewal_fault(renew, validity).map(|(fault, cause)| at.error(fault, advice(cause)));
        found.extend(fault.or_else(|| beyond_half_of_life(&at, renew, validity)));
    }
}

/// A certificate is never renewed in the first half of its life.
fn beyond_half_of_life(at: &ValueAt<'_>, renew: i64, validity: i64) -> Option<Diagnostic> {
    (renew > validity / 2).then(|| {
        Diagnostic::warning("renew_before_hours is more than half of certificate_validity_hours")
            .detail(format!(
                "No certificate is renewed in the first half of its life, so that {renew} hours mean {}, half of the validity. A third of it, {}, \
                 would do.",
                validity / 2,
                validity / 3
            ))
            .at(at.path().clone())
    })
}

fn renewal_fault(renew: i64, validity: i64) -> Option<(&'static str, &'static str)> {
    match renew {
        ..0 => Some(("renew_before_hours is negative", "No certificate would be renewed before it has expired.")),
        _ if renew >= validity => Some((
            "renew_before_hours is not shorter than certificate_validity_hours",
            "Every plan would renew every certificate.",
        )),
        _ => None,
    }
}

pub fn validate_additional(certificates: &ValueAt<'_>, found: &mut Diagnostics) {
    for (name, leaf) in certificates.entries().filter(|(_, leaf)| leaf.is_set()) {
        found.extend(fault(rules::additional_name(name), &leaf));
        validate_purpose(name, &leaf, found);
        judge(&leaf.get("common_name"), rules::subject, found);
        judge_each(&leaf.get("organizations"), rules::subject, found);
        judge_each(&leaf.get("dns_names"), rules::additional_dns_name, found);
        judge_each(&leaf.get("usages"), |text| text.parse::<Usage>().map(drop), found);
        for address in leaf.get("addresses").items() {
            if address.as_str().is_some_and(|text| text.parse::<IpAddr>().is_err()) {
                found.push(address.error("not an IP address", "Give an address such as 192.0.2.11."));
            }
        }
    }
}

/// Judged once everything that it depends on is known.
fn validate_purpose(name: &str, leaf: &ValueAt<'_>, found: &mut Diagnostics) {
    let parts = ["usages", "dns_names", "addresses"].map(|attribute| leaf.get(attribute).value());
    if parts.iter().any(|part| !part.is_wholly_known()) {
        return;
    }
    let [usages, dns_names, addresses] = parts.map(|part| part.as_list().unwrap_or_default());
    let is_for_server = usages.iter().any(|usage| usage.as_str() == Some(Usage::ServerAuth.as_str()));
    let has_names = !dns_names.is_empty() || !addresses.is_empty();
    found.extend(fault(rules::purpose(name, !usages.is_empty(), is_for_server, has_names), &leaf.get("usages")));
}

type Rule = fn(&str) -> Result<(), PkiError>;

fn judge(text: &ValueAt<'_>, rule: Rule, found: &mut Diagnostics) {
    found.extend(text.as_str().and_then(|known| fault(rule(known), text)));
}

fn judge_each(texts: &ValueAt<'_>, rule: Rule, found: &mut Diagnostics) {
    texts.items().for_each(|text| judge(&text, rule, found));
}

fn fault(judged: Result<(), PkiError>, at: &ValueAt<'_>) -> Option<Diagnostic> {
    judged.err().map(|error| declared_wrong(&error).at(at.path().clone()))
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
    use schema::Value;

    #[track_caller]
    fn check(validate: fn(&ValueAt<'_>, &mut Diagnostics), config: Value, expect: &[(&str, &str)]) {
        let mut found = Diagnostics::default();
        validate(&ValueAt::of(&config), &mut found);
        let path = |diagnostic: &Diagnostic| diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let said: Vec<(String, String)> = found.iter().map(|diagnostic| (path(diagnostic), diagnostic.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn endpoints() {
        let of = |text: &str| Value::object([("endpoints", vec!["api.demo.internal", text].into())]);
        for good in ["192.0.2.100", "2001:db8::1", "*.demo.internal", "Demo-API-0123456789.elb.us-east-1.amazonaws.com"] {
            check(validate_names, of(good), &[]);
        }
        check(validate_names, Value::object([("endpoints", Value::Unknown)]), &[]);
        for bad in ["https://api", "192.0.2.100/24", "a b", "192.0.2.300", "api.demo.internal."] {
            let expect = format!("{bad:?} is neither a DNS name nor an IP address");
            check(validate_names, of(bad), &[("endpoints[1]", &expect)]);
        }
    }

    #[test]
    fn names_of_cluster_domain_and_hosts() {
        let of = |name: &str, text: &str| Value::object([(name, text.into())]);
        check(validate_names, of("cluster_name", &"a".repeat(42)), &[]);
        let long = "a".repeat(43);
        let expect = format!("{long:?} is not a usable name");
        check(validate_names, of("cluster_name", &long), &[("cluster_name", &expect)]);
        let expect = "\"Cluster.Local\" is not a DNS name in lower case";
        check(validate_names, of("cluster_domain", "Cluster.Local"), &[("cluster_domain", expect)]);
        let hosts = |name: &str| Value::object([("hosts", Value::object([(name, Value::object([]))]))]);
        check(validate_names, hosts("cp-1"), &[]);
        let expect = "\"1.2\" is not a DNS name in lower case of at most 64 characters";
        check(validate_names, hosts("1.2"), &[("hosts[\"1.2\"]", expect)]);
    }

    #[test]
    fn hours() {
        let of = |name: &str, hours: i64| Value::object([(name, hours.into())]);
        let late = "renew_before_hours is not shorter than certificate_validity_hours";
        check(validate_hours, of("renew_before_hours", 24), &[]);
        check(validate_hours, of("renew_before_hours", 8_760), &[("renew_before_hours", late)]);
        check(validate_hours, of("renew_before_hours", -1), &[("renew_before_hours", "renew_before_hours is negative")]);
        check(validate_hours, of("certificate_validity_hours", 720), &[("renew_before_hours", late)]);
        let name = "authority_validity_hours";
        check(validate_hours, of(name, 0), &[(name, "authority_validity_hours is out of range")]);
        check(validate_hours, of(name, 876_000), &[]);
        check(validate_hours, of(name, 876_001), &[(name, "authority_validity_hours is out of range")]);
        let outlives = "certificate_validity_hours exceeds authority_validity_hours, and no certificate outlives its authority";
        check(validate_hours, of(name, 8_759), &[("certificate_validity_hours", outlives)]);
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
            let config = Value::object([("additional_certificates", Value::object([(name, leaf)]))]);
            check(|config, found| validate_additional(&config.get("additional_certificates"), found), config, expect);
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
