//! The tests' fake provider as a plugin of its own, to try this crate under a real engine. `--debug` waits for one.

#![allow(clippy::unwrap_used)]

use std::process::ExitCode;
use std::sync::Arc;

#[path = "../tests/engine/fake.rs"]
mod fake;

fn main() -> ExitCode {
    let provider = Arc::new(fake::FakeProvider::default());
    let result = match std::env::args().nth(1).as_deref() {
        Some("--debug") => protocol::serve_for_debugging(provider, "registry.terraform.io/example/fake"),
        _ => protocol::serve(provider),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
