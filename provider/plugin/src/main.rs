//! The plugin binary. An engine launches it; run by hand it says what it is and how to install it.

use protocol::ServeError;
use provider::K8s;
use std::process::ExitCode;
use std::sync::Arc;

const ABOUT: &str = concat!(
    "terraform-provider-k8s ",
    env!("CARGO_PKG_VERSION"),
    ": builds Kubernetes the hard way, declared in HCL.\n\n",
    "This is a plugin: Terraform and OpenTofu (1.11 or newer) launch it. To install it, put this file into a mirror folder as\n",
    "  <mirror>/registry.terraform.io/k8s-hardway/k8s/",
    env!("CARGO_PKG_VERSION"),
    "/<os>_<arch>/terraform-provider-k8s_v",
    env!("CARGO_PKG_VERSION"),
    "\n(registry.opentofu.org for OpenTofu), name the folder in the engine's configuration file,\n",
    "  provider_installation { filesystem_mirror { path = \"<mirror>\" } }\n",
    "and ask for it: required_providers { k8s = { source = \"k8s-hardway/k8s\" } }, then `terraform init`.\n\n",
    "terraform-provider-k8s --debug serves one engine run after the other for a debugger.",
);

const ADDRESS: &str = "registry.terraform.io/k8s-hardway/k8s";

fn main() -> ExitCode {
    let provider = Arc::new(K8s::new(Arc::new(aws::Aws)));
    let served = match std::env::args().nth(1).as_deref() {
        Some("--debug") => protocol::serve_for_debugging(provider, ADDRESS),
        _ => protocol::serve(provider),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(ServeError::NotLaunchedByEngine) => {
            println!("{ABOUT}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
