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

    /// The engine that `ENGINE` names, or the first of all.
    pub fn first() -> Engine {
        Engine::choose(|all| all.first())
    }

    /// The engine that `ENGINE` names, or the last of all, so that more than one makes a cluster.
    pub fn last() -> Engine {
        Engine::choose(|all| all.last())
    }

    fn choose(by_default: fn(&[Engine]) -> Option<&Engine>) -> Engine {
        let all = Engine::all();
        let found = match std::env::var("ENGINE") {
            Ok(wanted) => all.iter().find(|engine| engine.name.eq_ignore_ascii_case(&wanted)),
            Err(_) => by_default(&all),
        };
        found.unwrap_or_else(|| panic!("there is no such engine; there are: {all:?}")).clone()
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
