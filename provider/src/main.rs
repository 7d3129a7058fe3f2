//! The plugin binary. An engine launches it; run by hand it says what it is and how to install it.

use std::process::ExitCode;
use std::sync::Arc;
use terraform_provider_k8s::K8s;

fn main() -> ExitCode {
    match protocol::serve(Arc::new(K8s::default())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
