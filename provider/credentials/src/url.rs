//! A URL as a user gives it, which may carry a user name and a password, or a signature in its query.

use std::fmt;

/// What is printed of it, also by `Debug`, has neither user information nor query and fragment, so that a mirror's password
/// reaches no plan, log, error or progress line; whoever connects has to say so (`reveal`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(String);

impl Url {
    /// Takes any text: whether it is a URL that can be used is for others to check.
    pub fn new(text: impl Into<String>) -> Self {
        Url(text.into())
    }

    /// The URL with everything in it, for the call that it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether something of it is not printed.
    pub fn has_secrets(&self) -> bool {
        self.to_string() != self.0
    }

    /// `text`, written by a program that was given this URL, without what the URL hides.
    pub fn hide_in(&self, text: &str) -> String {
        let text = text.replace(&self.0, &self.to_string());
        match self.user_information() {
            Some(secret) => text.replace(secret, "…"),
            None => text,
        }
    }

    /// `user:password`, between the scheme and the last `@` before the path.
    fn user_information(&self) -> Option<&str> {
        self.parts().1.rsplit_once('@').map(|(secret, _)| secret).filter(|secret| !secret.is_empty())
    }

    /// Scheme with its `://`, if there is one; authority; path with its slash. A text without a scheme may still be meant as a URL.
    fn parts(&self) -> (&str, &str, &str) {
        let text = self.0.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = text.split_at(text.find("://").map_or(0, |at| at + "://".len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (scheme, authority, path)
    }
}

impl From<&str> for Url {
    fn from(text: &str) -> Self {
        Url::new(text)
    }
}

impl From<String> for Url {
    fn from(text: String) -> Self {
        Url::new(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority, path) = self.parts();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        write!(formatter, "{scheme}{host}{path}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let url = Url::new(text);
        assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_string(), format!("{shown:?}")));
        assert_eq!((url.reveal(), url.has_secrets()), (text, text != shown));
    }

    #[test]
    fn what_is_printed_has_no_secret() {
        check("https://user:canary@h:8443/a/b?X-Signature=canary#f", "https://h:8443/a/b");
        check("https://user:can@ary@h/a@b", "https://h/a@b");
        check("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443");
        check("https://h", "https://h");
        check("user:canary@h/x", "h/x");
        check("file", "file");
        check("", "");
    }

    #[test]
    fn what_a_program_says_of_it_has_no_secret() {
        let url = Url::new("https://user:canary@h/a?key=b");
        assert_eq!(url.hide_in("cannot get https://user:canary@h/a?key=b: 404"), "cannot get https://h/a: 404");
        assert_eq!(url.hide_in("bad address 'user:canary@h'"), "bad address '…@h'");
        assert_eq!(Url::new("https://h/a").hide_in("no way to h"), "no way to h");
    }
}
