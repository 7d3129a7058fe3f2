//! What the engine shows its user: errors and warnings with the attribute that they are about.

use std::fmt;

use crate::AttributePath;

/// Errors stop the operation; warnings do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One error or warning for the user: a summary, a detail with the way out, and the attribute that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One line, lower case, no full stop: what is wrong with which object.
    pub summary: String,
    /// Why, and the way out.
    pub detail: String,
    pub path: Option<AttributePath>,
}

impl Diagnostic {
    /// An error with this summary: what failed, on which object. No final dot.
    pub fn error(summary: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, summary: summary.into(), detail: String::new(), path: None }
    }

    /// A warning with this summary. No final dot.
    pub fn warning(summary: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(summary) }
    }

    /// Why, and the way out, in full sentences.
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Diagnostic { detail: detail.into(), ..self }
    }

    /// The attribute that the user has to change; engines point at its line.
    pub fn at(self, path: AttributePath) -> Self {
        Diagnostic { path: Some(path), ..self }
    }

    /// The same finding about a part, seen from the whole: what `decode` says of `config.get("ssh")`, under `ssh`.
    pub fn under(self, prefix: AttributePath) -> Self {
        let path = self.path.unwrap_or_default().under(prefix);
        Diagnostic { path: Some(path), ..self }
    }
}

/// For tests and logs; the engine lays out diagnostics itself.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, "{severity}: {}", self.summary)?;
        if let Some(path) = self.path.as_ref().filter(|path| !path.is_root()) {
            write!(formatter, " (at {path})")?;
        }
        if !self.detail.is_empty() {
            write!(formatter, "\n{}", self.detail)?;
        }
        Ok(())
    }
}

/// Errors and warnings in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Appends one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether the operation has failed.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether nothing was found, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many errors and warnings they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n\n" };
            write!(formatter, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        Diagnostics(diagnostics.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_as_text() {
        let error = Diagnostic::error("port is taken").detail("Choose another.").at(AttributePath::attribute("port"));
        let error = error.under(AttributePath::attribute("ssh"));
        let warning = Diagnostic::warning("cp-1 does not answer").at(AttributePath::root());
        let text = Diagnostics::from_iter([error, warning]).to_string();
        assert_eq!(text, "error: port is taken (at ssh.port)\nChoose another.\n\nwarning: cp-1 does not answer");
    }

    #[test]
    fn warnings_are_no_errors() {
        let mut diagnostics = Diagnostics::from(Diagnostic::warning("a"));
        assert!(!diagnostics.has_errors());
        diagnostics.extend(Diagnostics::from(Diagnostic::error("b")));
        assert!(diagnostics.has_errors());
        assert_eq!(diagnostics.len(), 2);
    }
}
