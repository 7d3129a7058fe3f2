//! Rules of health checks, beyond the ranges that the schema knows.

use super::or_default;
use schema::{Diagnostics, ValueAt};

/// Codes that AWS takes in a matcher of a Network Load Balancer.
const CODES: std::ops::RangeInclusive<u16> = 200..=599;

pub fn validate(check: &ValueAt<'_>, found: &mut Diagnostics) {
    let [path, matcher, port] = ["path", "matcher", "port"].map(|name| check.get(name));
    let is_tcp = or_default(&check.get("protocol"), "TCP") == Some("TCP");
    for (name, part) in [("path", &path), ("matcher", &matcher)] {
        if is_tcp && part.is_set() {
            let detail = "Set protocol to \"HTTPS\" or \"HTTP\", or leave it out.";
            found.push(part.error(format!("{name} has no meaning for a TCP health check"), detail));
        }
    }
    if path.as_str().is_some_and(|text| !is_path(text)) {
        found.push(path.error("not a path", "Give the path of a request, such as \"/readyz\", at most 1024 characters."));
    }
    if matcher.as_str().is_some_and(|text| !is_matcher(text)) {
        let detail = "Give codes from 200 to 599 or ranges of them, such as \"200\" or \"200-299,301\".";
        found.push(matcher.error("not a list of HTTP codes", detail));
    }
    if port.as_str().is_some_and(|text| text != "traffic-port" && text.parse::<u16>().unwrap_or(0) == 0) {
        found.push(port.error("not a port", "Give a port such as \"6443\", or \"traffic-port\"."));
    }
    let timeout = check.get("timeout_seconds");
    let seconds = |part: &ValueAt<'_>, default: i64| if part.is_null() { Some(default) } else { part.as_i64() };
    if let (Some(limit), Some(interval)) = (seconds(&timeout, 6), seconds(&check.get("interval_seconds"), 10))
        && limit > interval
    {
        found.push(timeout.error(
            format!("a check that may take {limit} s does not fit into an interval of {interval} s"),
            format!("Set timeout_seconds to {interval} at most, or a longer interval_seconds."),
        ));
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
