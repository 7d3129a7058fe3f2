//! What went wrong on a host, in the planner or in the renderer, as the user reads it.

use machines::MachineError;
use rollout::Refusal;
use schema::Diagnostic;

/// The operation, the object and the host come first in every error of a machine; what follows the colon is the detail.
pub fn machine_error(error: &MachineError) -> Diagnostic {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((summary, detail)) => Diagnostic::error(summary).detail(detail),
        None => Diagnostic::error(text),
    }
}

pub fn refused(refusal: &Refusal) -> Diagnostic {
    let text = refusal.to_string();
    match text.split_once(": ") {
        Some((summary, detail)) => Diagnostic::error(summary).detail(detail),
        None => Diagnostic::error(text),
    }
}

pub fn render_error(error: render::RenderError) -> Diagnostic {
    Diagnostic::error("the bundle of a host cannot be rendered").detail(error.to_string())
}

pub fn unknown_at_apply() -> Diagnostic {
    Diagnostic::error("provider bug: apply was called with unknown values")
        .detail("Please report this with the versions of the provider and the engine.")
}
