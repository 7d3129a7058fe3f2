//! The error that both codecs (msgpack and JSON) share. It never holds a value: values can be secret.

use crate::{AttributePath, Step, Type, Value};

/// `problem` stands at `path` of the value that was read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_root() { String::new() } else { format!("{path}: ") })]
pub struct CodecError {
    pub path: AttributePath,
    pub problem: String,
}

impl CodecError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        CodecError { path: AttributePath::root(), problem: problem.into() }
    }

    pub(crate) fn mismatch(wanted: &Type, found: &Value) -> Self {
        CodecError::new(format!("the schema has {wanted} here, the value is {}", found.kind()))
    }

    /// The same error, seen from one step further out.
    pub(crate) fn under(self, step: Step) -> Self {
        CodecError { path: self.path.under(AttributePath::root().step(step)), problem: self.problem }
    }
}

pub(crate) fn index(position: usize) -> Step {
    Step::Index(i64::try_from(position).unwrap_or(i64::MAX))
}
