//! What went wrong on a host, in the planner or in the renderer, as the user reads it.

use machines::MachineError;
use rollout::Refusal;
use schema::{AttributePath, Diagnostic};

pub fn machine_error(error: &MachineError) -> Diagnostic {
    Diagnostic::error(error.summary()).detail(error.detail())
}

pub fn refused(refusal: &Refusal) -> Diagnostic {
    Diagnostic::error(refusal.summary()).detail(refusal.detail())
}

pub fn render_error(error: render::RenderError) -> Diagnostic {
    use render::RenderError::{MissingCertificate, MissingEncryptionKey, MissingPrivateKey, MissingPublicKey};
    let is_of_pki = matches!(error, MissingCertificate(_) | MissingEncryptionKey | MissingPrivateKey(_) | MissingPublicKey(_));
    let detail = error.to_string();
    if is_of_pki {
        let summary = "pki lacks credentials that this cluster needs";
        return Diagnostic::error(summary).detail(detail).at(AttributePath::attribute("pki"));
    }
    Diagnostic::error("the bundle of a host cannot be rendered").detail(detail)
}

/// By Ctrl-C: an error, or a warning where an engine takes no state with an error.
pub fn stopped(severity: fn(&'static str) -> Diagnostic, detail: &'static str) -> Diagnostic {
    severity("stopped on request").detail(detail)
}

/// Of a create that failed half-way.
pub fn tainted() -> Diagnostic {
    Diagnostic::warning("what was done so far is kept, and the resource is marked as tainted").detail(
        "An apply would destroy it and start over. To continue from here instead, run `terraform untaint` (or `tofu untaint`) with \
         the address of this resource, then apply.",
    )
}

pub fn unknown_at_apply() -> Diagnostic {
    Diagnostic::error("provider bug: apply was called with unknown values")
        .detail("Please report this with the versions of the provider and the engine.")
}
