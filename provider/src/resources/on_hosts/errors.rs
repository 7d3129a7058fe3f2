//! What went wrong on a host, in the planner or in the renderer, as the user reads it.

use machines::MachineError;
use rollout::Refusal;
use schema::Diagnostic;

pub fn machine_error(error: &MachineError) -> Diagnostic {
    Diagnostic::error(error.summary()).detail(error.detail())
}

pub fn refused(refusal: &Refusal) -> Diagnostic {
    Diagnostic::error(refusal.summary()).detail(refusal.detail())
}

pub fn render_error(error: render::RenderError) -> Diagnostic {
    Diagnostic::error("the bundle of a host cannot be rendered").detail(error.to_string())
}

pub fn unknown_at_apply() -> Diagnostic {
    Diagnostic::error("provider bug: apply was called with unknown values")
        .detail("Please report this with the versions of the provider and the engine.")
}
