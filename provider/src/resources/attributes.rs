//! Attributes and rules that several resources share.

use schema::{Attribute, Diagnostics, ValueAt};

pub fn id() -> Attribute {
    Attribute::string("id").computed().never_null().describe("Identifier of the resource.")
}

/// Names of clusters and load balancers stand in paths, unit names and certificate subjects.
pub fn validate_cluster_name(name: &ValueAt<'_>, found: &mut Diagnostics) {
    if let Some(text) = name.as_str()
        && !pki::names::is_label(text)
    {
        found.push(name.error(
            format!("{text:?} is not a usable name"),
            "Use lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit, such as \"demo\".",
        ));
    }
}

/// A base URL that can stand in files as it is: no white space, quotes or other characters that a URL does not have.
pub fn is_http_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_of_url = |c: char| c.is_ascii_graphic() && !"'\"<>\\^`{|}".contains(c);
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_of_url))
}

/// In any case of letters; it may begin with `*.`.
pub fn is_dns_name(text: &str) -> bool {
    pki::names::dns_name(text).is_some()
}

/// A flag of a program of Kubernetes or etcd, by how it is written.
pub fn validate_flag(name: &str, flag: &ValueAt<'_>, found: &mut Diagnostics) {
    if name.starts_with('-') {
        let bare = name.trim_start_matches('-');
        found.push(flag.error(format!("flag {name:?} is written with its dashes"), format!("Write {bare:?}.")));
    } else if name.contains('_') {
        // Kubernetes' programs take either (`WordSepNormalizeFunc` of component-base), so that one flag would have two names here.
        found.push(
            flag.error(format!("flag {name:?} is written with underscores"), format!("Write {:?}.", name.replace('_', "-"))),
        );
    } else if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
        found.push(flag.error(
            format!("{name:?} is not the name of a flag"),
            "Write it as the program's --help does, without dashes in front, such as \"v\".",
        ));
    }
    if flag.as_str().is_some_and(|text| text.contains(['\n', '\r'])) {
        let detail = "A flag is one line of a systemd unit.";
        found.push(flag.error(format!("the value of flag {name:?} has a line break"), detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(name: &str) -> bool {
        let mut found = Diagnostics::default();
        validate_cluster_name(&ValueAt::of(&name.into()), &mut found);
        found.has_errors()
    }

    #[test]
    fn urls() {
        for good in ["http://10.77.0.1:8080", "https://user:password@mirror.example.net/kubernetes", "https://[2001:db8::1]/x"] {
            assert!(is_http_url(good), "{good}");
        }
        for bad in [
            "mirror.example.net",
            "https://",
            "https://a\n",
            "https://q'example.net",
            "https://x']\n  skip_verify = true",
            "ftp://a",
        ] {
            assert!(!is_http_url(bad), "{bad}");
        }
    }

    #[test]
    fn names() {
        for good in ["demo", "a", "prod-1", &"x".repeat(63)] {
            assert!(!is_refused(good), "{good}");
        }
        for bad in ["", "Demo", "-a", "a_b", "a b", &"x".repeat(64)] {
            assert!(is_refused(bad), "{bad}");
        }
    }
}
