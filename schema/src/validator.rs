//! Rules for single attributes: each has a sentence for the registry page and a check.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::Value;

type Check = dyn Fn(&Value) -> Result<(), (String, String)> + Send + Sync;

#[derive(Clone)]
pub struct Validator {
    /// Shown on the registry page after the attribute's description: `One of \`a\`, \`b\`.`
    pub rule: Cow<'static, str>,
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
        Validator { rule: rule.into(), scope: Scope::Whole, check: Arc::new(check) }
    }

    /// Checks each element of a list, set or map instead of the whole.
    pub fn each(self) -> Self {
        Validator { scope: Scope::Elements, ..self }
    }

    pub fn check(&self, value: &Value) -> Result<(), (String, String)> {
        (self.check)(value)
    }

    /// The rule as a sentence about the attribute.
    pub(crate) fn page_rule(&self) -> String {
        match self.scope {
            Scope::Whole => self.rule.to_string(),
            Scope::Elements => format!("Each element: {}", self.rule),
        }
    }
}

pub fn one_of(choices: &'static [&'static str]) -> Validator {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let rule = format!("One of {}.", quoted.join(", "));
    let detail = rule.clone();
    Validator::new(rule, move |value| match value.as_str() {
        Some(text) if choices.contains(&text) => Ok(()),
        Some(text) => Err((format!("{text:?} is no choice here"), detail.clone())),
        None => Err(("no such choice".to_owned(), detail.clone())),
    })
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

pub fn port() -> Validator {
    between(1, 65535)
}

impl fmt::Debug for Validator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Validator({})", self.rule)
    }
}
