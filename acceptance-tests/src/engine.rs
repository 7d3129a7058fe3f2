//! The engines that the promises hold for, and the provider that they load.

use crate::command::run;
use crate::{build_folder, source_folder};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub name: &'static str,
    pub program: PathBuf,
}

impl Engine {
    /// Terraform where there is one, and OpenTofu.
    pub fn all() -> Vec<Engine> {
        let paths = run(Command::new(source_folder().join("lab/engines/build.sh")).stderr(std::process::Stdio::inherit()))
            .success()
            .stdout;
        let engine =
            |path: &str| Engine { name: if path.ends_with("tofu") { "OpenTofu" } else { "Terraform" }, program: path.into() };
        paths.lines().map(engine).collect()
    }

    /// The engine that builds the clusters: the first, or the one that `ENGINE` names.
    pub fn main() -> Engine {
        let wanted = std::env::var("ENGINE").unwrap_or_default().to_lowercase();
        let all = Engine::all();
        let names = all.iter().map(|engine| engine.name).collect::<Vec<_>>().join(", ");
        all.into_iter()
            .find(|engine| engine.name.to_lowercase().starts_with(&wanted))
            .unwrap_or_else(|| panic!("there is no engine {wanted:?}; there are: {names}"))
    }
}

/// The provider of this source tree, built when it is not up to date (the development build: it is there in seconds), or the one
/// that `PROVIDER` names.
pub fn provider() -> PathBuf {
    static PROVIDER: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        if let Some(provider) = std::env::var_os("PROVIDER") {
            return provider.into();
        }
        run(Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "terraform-provider-k8s"])).success();
        build_folder().join("terraform-provider-k8s")
    };
    PROVIDER.get_or_init(build).clone()
}
