//! Words for faults of the provider itself: what they look like to the person who meets one.

use schema::Diagnostic;

/// An error whose cause is in this program. `found` is one sentence that holds no value from the configuration or the state,
/// unless the schema says that it is no secret.
pub(crate) fn bug(what: &str, found: &str) -> Diagnostic {
    Diagnostic::error(format!("provider bug: {what}")).detail(format!(
        "{found}\n\nThis is no fault of the configuration. Please report it together with this message; provider version {}.",
        env!("CARGO_PKG_VERSION")
    ))
}
