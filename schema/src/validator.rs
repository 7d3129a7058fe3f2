//! Rules for single attributes: each has a sentence for the registry page and a check.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::Value;

type Check = dyn Fn(&Value) -> Result<(), (String, String)> + Send + Sync;

/// One rule about a single attribute, with its sentence on the registry page.
#[derive(Clone)]
pub struct Validator {
    /// Shown on the registry page after the attribute's description: `One of \`a\`, \`b\`.`
    pub rule: Cow<'static, str>,
    /// The values of `one_of`; empty for every other rule.
    pub(crate) choices: &'static [&'static str],
    pub(crate) scope: Scope,
    check: Arc<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Whole,
    Elements,
}

impl Validator {
    /// `check` sees neither null nor anything unknown, and returns summary and detail of the error.
    pub fn new(
        rule: impl Into<Cow<'static, str>>,
        check: impl Fn(&Value) -> Result<(), (String, String)> + Send + Sync + 'static,
    ) -> Self {
        Validator { rule: rule.into(), choices: &[], scope: Scope::Whole, check: Arc::new(check) }
    }

    /// Checks each element of a list, set or map instead of the whole.
    pub fn each(self) -> Self {
        Validator { scope: Scope::Elements, ..self }
    }

    /// Checks a value that is known and not null. The error is a summary and a detail.
    pub fn check(&self, value: &Value) -> Result<(), (String, String)> {
        (self.check)(value)
    }

    /// The rule as a sentence about the attribute. `None` where the description explains each choice already.
    pub(crate) fn page_rule(&self, description: &str) -> Option<String> {
        let is_explained = |choice: &&str| description.contains(&format!("`{choice}`"));
        if !self.choices.is_empty() && self.choices.iter().all(is_explained) {
            return None;
        }
        let mut letters = self.rule.chars();
        Some(match (self.scope, letters.next()) {
            (Scope::Elements, Some(first)) => format!("Each element: {}{}", first.to_lowercase(), letters.as_str()),
            _ => self.rule.to_string(),
        })
    }
}

/// Only these strings are allowed.
pub fn one_of(choices: &'static [&'static str]) -> Validator {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let rule = format!("One of {}.", quoted.join(", "));
    let detail = rule.clone();
    let check = Validator::new(rule, move |value| match value.as_str() {
        Some(text) if choices.contains(&text) => Ok(()),
        Some(text) => Err((format!("{text:?} is not one of the allowed values"), detail.clone())),
        None => Err(("no such choice".to_owned(), detail.clone())),
    });
    Validator { choices, ..check }
}

/// A whole number, both ends included.
pub fn between(least: i64, most: i64) -> Validator {
    let rule = format!("A whole number from {least} to {most}.");
    let detail = rule.clone();
    Validator::new(rule, move |value| match value.as_i64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        Some(number) => Err((format!("{number} is out of range"), detail.clone())),
        None => Err(("not a whole number".to_owned(), detail.clone())),
    })
}

/// Text that says something: an empty string is often an output of a module that has nothing to give.
pub fn not_empty() -> Validator {
    let detail = "Give it a value, or null where there is none.";
    Validator::new("Not an empty string.", move |value| match value.as_str() {
        Some("") => Err(("an empty string is no value here".to_owned(), detail.to_owned())),
        _ => Ok(()),
    })
}

/// A port number, from 1 to 65535.
pub fn port() -> Validator {
    between(1, 65535)
}

impl fmt::Debug for Validator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Validator({})", self.rule)
    }
}
