//! Rules of listeners, and between a listener, its balancer and its target group.

use super::{Listener, health_check, or_default, target};
use schema::{Diagnostics, ValueAt};
use std::collections::BTreeMap;

/// A quota of Network Load Balancers that AWS does not raise.
const MAX_LISTENERS: usize = 50;

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    let listeners = config.get("listeners");
    if listeners.is_empty() {
        let detail = "Give at least one, such as { apiserver = { port = 6443, target = { targets = [...] } } }.";
        found.push(listeners.error("listeners is empty", detail));
    }
    if let Some(count) = listeners.len().filter(|count| *count > MAX_LISTENERS) {
        let detail = format!("A Network Load Balancer supports {MAX_LISTENERS}: create a second one.");
        found.push(listeners.error(format!("{count} listeners are too many"), detail));
    }
    validate_unique(&listeners, found);
    for (name, declared) in listeners.entries() {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            let detail = "Use lower-case letters, digits and '-', such as \"apiserver\".";
            found.push(declared.error(format!("{name:?} cannot be the name of a listener"), detail));
        }
        let listener = Listener {
            protocol: or_default(&declared.get("protocol"), "TCP"),
            scheme: or_default(&config.get("scheme"), "internal"),
            ip_address_type: or_default(&config.get("ip_address_type"), "ipv4"),
            declared,
        };
        validate_protocol(&listener, found);
        target::validate(&listener, found);
        health_check::validate(&listener.declared.get("health_check"), found);
    }
}

/// Ports, and names of target groups, of which there can be only one each.
fn validate_unique(listeners: &ValueAt<'_>, found: &mut Diagnostics) {
    let mut ports: BTreeMap<i64, &str> = BTreeMap::new();
    let mut groups: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, listener) in listeners.entries() {
        let (port, group) = (listener.get("port"), listener.get("target").get("group_name"));
        if let Some(other) = port.as_i64().and_then(|port| ports.insert(port, name)) {
            found.push(port.error(
                format!("listeners {other} and {name} both take port {}", port.as_i64().unwrap_or_default()),
                "A port belongs to one listener, whatever its protocol: TCP_UDP serves both. Choose another port for one of them.",
            ));
        }
        if let Some(other) = group.as_str().and_then(|group| groups.insert(group, name)) {
            found.push(group.error(
                format!("listeners {other} and {name} have target groups of one name"),
                "Names of target groups are unique. Leave group_name out, and one is derived.",
            ));
        }
    }
}

fn validate_protocol(listener: &Listener<'_>, found: &mut Diagnostics) {
    let Some(protocol) = listener.protocol else { return };
    let certificate = listener.declared.get("certificate_arn");
    if protocol == "TLS" && certificate.is_null() {
        found.push(certificate.error(
            "a TLS listener needs a certificate",
            "Set certificate_arn to a certificate of ACM in the same region, or use TCP to pass TLS through to the targets, as API servers need it.",
        ));
    }
    for name in ["certificate_arn", "ssl_policy", "alpn_policy"] {
        let part = listener.declared.get(name);
        if protocol != "TLS" && part.is_set() {
            let detail = "Set protocol to \"TLS\", or leave it out.";
            found.push(part.error(format!("{name} has no meaning for protocol {protocol}"), detail));
        }
    }
    if certificate.as_str().is_some_and(|arn| !is_certificate(arn)) {
        found.push(certificate.error(
            "not the ARN of a certificate",
            "Give an ARN such as \"arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012\".",
        ));
    }
    let policy = listener.declared.get("ssl_policy");
    if policy.as_str().is_some_and(|policy| !policy.starts_with("ELBSecurityPolicy-")) {
        let detail = "Give one of AWS's, such as \"ELBSecurityPolicy-TLS13-1-2-Res-2021-06\".";
        found.push(policy.error("not the name of a security policy", detail));
    }
}

fn is_certificate(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    parts.len() >= 6
        && parts[0] == "arn"
        && ((parts[2] == "acm" && parts[5].starts_with("certificate/"))
            || (parts[2] == "iam" && parts[5].starts_with("server-certificate/")))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, check};
    use schema::Value;

    const ARN: &str = "arn:aws:acm:eu-central-1:123456789012:certificate/1234";

    #[test]
    fn names_and_ports() {
        check(&[("listeners", Value::object([]))], &[("listeners", "listeners is empty")]);
        let listener = sample::config().get("listeners").get("api").clone();
        check(
            &[("listeners.API_1", listener.clone()), ("listeners.API_1.port", 1.into())],
            &[("listeners[\"API_1\"]", "\"API_1\" cannot be")],
        );
        check(&[("listeners.b", listener.clone())], &[("listeners[\"b\"].port", "listeners api and b both take port 6443")]);
        let many = (0..51).map(|n| {
            let mut listener = listener.clone();
            listener.set("port", (n + 1).into());
            (format!("l{n:02}"), listener)
        });
        check(&[("listeners", Value::Map(many.collect()))], &[("listeners", "51 listeners are too many")]);
    }

    #[test]
    fn target_groups_have_names_of_their_own() {
        let listener = sample::config().get("listeners").get("api").clone();
        check(
            &[
                ("listeners.b", listener),
                ("listeners.b.port", 1.into()),
                ("listeners.b.target.group_name", "x".into()),
                ("listeners.api.target.group_name", "x".into()),
            ],
            &[("listeners[\"b\"].target.group_name", "listeners api and b have target groups of one name")],
        );
    }

    #[test]
    fn tls() {
        let at = |name: &str| format!("listeners[\"api\"].{name}");
        let tls = ("listeners.api.protocol", Value::from("TLS"));
        let certificate = |arn: &str| ("listeners.api.certificate_arn", Value::from(arn));
        check(std::slice::from_ref(&tls), &[(&at("certificate_arn"), "a TLS listener needs a certificate")]);
        check(&[tls.clone(), certificate(ARN)], &[]);
        check(&[tls.clone(), certificate("arn:aws:iam::123456789012:server-certificate/api")], &[]);
        check(&[tls.clone(), certificate("demo.pem")], &[(&at("certificate_arn"), "not the ARN of a certificate")]);
        check(&[certificate(ARN)], &[(&at("certificate_arn"), "certificate_arn has no meaning for protocol TCP")]);
        check(
            &[("listeners.api.ssl_policy", "ELBSecurityPolicy-2016-08".into())],
            &[(&at("ssl_policy"), "ssl_policy has no meaning")],
        );
        check(&[("listeners.api.alpn_policy", "HTTP2Only".into())], &[(&at("alpn_policy"), "alpn_policy has no meaning")]);
        let policy = ("listeners.api.ssl_policy", Value::from("TLS13"));
        check(&[tls, certificate(ARN), policy], &[(&at("ssl_policy"), "not the name of a security policy")]);
    }
}
