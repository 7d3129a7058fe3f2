//! Rules of health checks, beyond the ranges that the schema knows.

use super::{Findings, or_default};
use schema::{AttributePath, Value};

/// Codes that AWS takes in a matcher of a Network Load Balancer.
const CODES: std::ops::RangeInclusive<u16> = 200..=599;

pub fn validate(check: &Value, path: &AttributePath, findings: &mut Findings) {
    let at = |name: &str| path.clone().then(name);
    let is_tcp = or_default(check.get("protocol"), "TCP") == Some("TCP");
    for name in ["path", "matcher"] {
        if is_tcp && check.get(name).is_set() {
            findings.error(
                &at(name),
                format!("{name} has no meaning for a TCP health check"),
                "Set protocol to \"HTTPS\" or \"HTTP\", or leave it out.",
            );
        }
    }
    if check.get("path").as_str().is_some_and(|text| !is_path(text)) {
        findings.error(&at("path"), "not a path", "Give the path of a request, such as \"/readyz\", at most 1024 characters.");
    }
    if check.get("matcher").as_str().is_some_and(|text| !is_matcher(text)) {
        findings.error(
            &at("matcher"),
            "not a list of HTTP codes",
            "Give codes from 200 to 599 or ranges of them, such as \"200\" or \"200-299,301\".",
        );
    }
    if check.get("port").as_str().is_some_and(|text| text != "traffic-port" && text.parse::<u16>().unwrap_or(0) == 0) {
        findings.error(&at("port"), "not a port", "Give a port such as \"6443\", or \"traffic-port\".");
    }
    let seconds = |name: &str, default: i64| if check.get(name).is_null() { Some(default) } else { check.get(name).as_i64() };
    if let (Some(timeout), Some(interval)) = (seconds("timeout_seconds", 6), seconds("interval_seconds", 10))
        && timeout > interval
    {
        findings.error(
            &at("timeout_seconds"),
            format!("a check that may take {timeout} s does not fit into an interval of {interval} s"),
            format!("Set timeout_seconds to {interval} at most, or a longer interval_seconds."),
        );
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= 1024 && text.chars().all(|c| c.is_ascii_graphic())
}

fn is_matcher(text: &str) -> bool {
    let code = |text: &str| text.parse().ok().filter(|code| CODES.contains(code));
    text.split(',').all(|part| match part.split_once('-') {
        None => code(part).is_some(),
        Some((first, last)) => matches!((code(first), code(last)), (Some(first), Some(last)) if first <= last),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use schema::Value;

    #[track_caller]
    fn check(name: &str, value: impl Into<Value>, expect: Option<&str>) {
        let at = format!("listeners[\"api\"].health_check.{name}");
        let expect: Vec<(&str, &str)> = expect.iter().map(|text| (at.as_str(), *text)).collect();
        sample::check(&[(&format!("listeners.api.health_check.{name}"), value.into())], &expect);
    }

    #[test]
    fn requests() {
        check("path", "readyz", Some("not a path"));
        check("path", "/ready z", Some("not a path"));
        for good in ["200", "200-399", "200,204,301-302"] {
            check("matcher", good, None);
        }
        for bad in ["", "199", "200-600", "399-200", "ok", "200;201"] {
            check("matcher", bad, Some("not a list of HTTP codes"));
        }
        let over_tcp = [("listeners.api.health_check.protocol", "TCP".into())];
        sample::check(&over_tcp, &[("listeners[\"api\"].health_check.path", "path has no meaning for a TCP health check")]);
    }

    #[test]
    fn ports_and_times() {
        check("port", "10256", None);
        for bad in ["https", "0", "65536", "443/tcp"] {
            check("port", bad, Some("not a port"));
        }
        check("timeout_seconds", 11, Some("a check that may take 11 s does not fit into an interval of 10 s"));
        check("timeout_seconds", 10, None);
        let often = [("listeners.api.health_check.interval_seconds", 5.into())];
        sample::check(&often, &[("listeners[\"api\"].health_check.timeout_seconds", "a check that may take 6 s does not fit")]);
    }
}
