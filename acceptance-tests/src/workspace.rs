//! A folder in which an engine works: the copy of an example, its state, and an engine configuration that knows no provider but
//! the one under test. Every run leaves what it printed, and a trace log, in `logs/`.

use crate::command::{Output, run};
use crate::engine::{self, Engine};
use crate::lab::{self, Lab};
use crate::plan::Plan;
use crate::source_folder;
use serde_json::Value;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIMIT_SECONDS: u32 = 900;

pub struct Workspace {
    pub engine: Engine,
    source: PathBuf,
    pub folder: PathBuf,
    /// For every run of the engine.
    pub environment: Vec<(String, String)>,
    runs: Cell<usize>,
}

impl Workspace {
    /// A new workspace with a copy of `examples/<example>`, initialised. A kept one is used as it is.
    pub fn of_example(engine: &Engine, example: &str, name: &str) -> Workspace {
        let source = source_folder().join("../examples").join(example);
        Workspace::new(engine, &source, name)
    }

    pub fn new(engine: &Engine, source: &Path, name: &str) -> Workspace {
        let workspace = Workspace {
            engine: engine.clone(),
            source: source.to_path_buf(),
            folder: lab::folder().join(name),
            environment: Vec::new(),
            runs: Cell::new(0),
        };
        if !(lab::kept() && workspace.folder.exists()) {
            workspace.remove();
        }
        workspace.use_provider(&engine::provider());
        workspace
    }

    /// From now on, as after an `init -upgrade`.
    pub fn use_provider(&self, provider: &Path) {
        let script = source_folder().join("lab/workspace.sh");
        run(Command::new(script).arg(provider).arg(&self.source).arg(&self.folder).env("LAB_DIR", lab::folder())).success();
        std::fs::create_dir_all(self.folder.join("logs")).unwrap_or_else(|error| panic!("{error}"));
        run(self.command(None, "init").args(["-input=false", "-no-color"])).success();
    }

    /// The same state and configuration under another engine.
    pub fn copy_for(&self, engine: &Engine, name: &str) -> Workspace {
        let copy = Workspace::new(engine, &self.folder, name);
        for file in ["terraform.tfstate", "lab.auto.tfvars.json"] {
            std::fs::copy(self.folder.join(file), copy.folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        copy
    }

    /// Gives a variable of the configuration another value.
    pub fn set(&self, variable: &str, value: Value) {
        let path = self.folder.join("lab.auto.tfvars.json");
        let mut variables: Value =
            serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        variables[variable] = value;
        write(&path, &variables.to_string());
    }

    pub fn write(&self, file: &str, text: &str) {
        write(&self.folder.join(file), text);
    }

    pub fn read(&self, file: &str) -> String {
        read(&self.folder.join(file))
    }

    #[track_caller]
    pub fn apply<'a>(&self, lab: impl Into<Option<&'a Lab>>) -> Output {
        self.try_apply(lab).success()
    }

    pub fn try_apply<'a>(&self, lab: impl Into<Option<&'a Lab>>) -> Output {
        self.logged(self.command(lab.into(), "apply").args(["-auto-approve", "-input=false", "-no-color"]), "apply")
    }

    #[track_caller]
    pub fn destroy<'a>(&self, lab: impl Into<Option<&'a Lab>>) -> Output {
        self.try_destroy(lab).success()
    }

    pub fn try_destroy<'a>(&self, lab: impl Into<Option<&'a Lab>>) -> Output {
        self.logged(self.command(lab.into(), "destroy").args(["-auto-approve", "-input=false", "-no-color"]), "destroy")
    }

    /// Refreshes and plans.
    #[track_caller]
    pub fn plan(&self, lab: Option<&Lab>) -> Plan {
        let planned =
            self.logged(self.command(lab, "plan").args(["-out=plan.bin", "-input=false", "-no-color"]), "plan").success();
        let json = run(self.command(None, "show").args(["-json", "plan.bin"])).json();
        Plan::new(json, planned.stdout + &planned.stderr)
    }

    /// The state with all its secrets.
    #[track_caller]
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.read("terraform.tfstate")).unwrap_or_else(|error| panic!("the state is not JSON: {error}"))
    }

    /// An attribute of the only instance of a resource in the state.
    #[track_caller]
    pub fn attribute(&self, address: &str, attribute: &str) -> Value {
        let state = self.state();
        let is_it = |resource: &&Value| format!("{}.{}", text(&resource["type"]), text(&resource["name"])) == address;
        let resource = state["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .find(is_it)
            .unwrap_or_else(|| panic!("{address} is not in the state"));
        resource["instances"][0]["attributes"][attribute].clone()
    }

    #[track_caller]
    pub fn output(&self, name: &str) -> Value {
        run(self.command(None, "output").args(["-json", name])).json()
    }

    /// The engine with a subcommand, in the lab's network when it must reach hosts.
    pub fn command(&self, lab: Option<&Lab>, subcommand: &str) -> Command {
        let mut command = match lab {
            Some(lab) => lab.command(LIMIT_SECONDS, &self.engine.program),
            None => Command::new(&self.engine.program),
        };
        command.arg(format!("-chdir={}", self.folder.display())).arg(subcommand);
        command.env("TF_CLI_CONFIG_FILE", self.folder.join(".engine/terraform.rc"));
        command.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1").env_remove("TF_LOG");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it with a trace log; both stay in `logs/`.
    pub fn logged(&self, command: &mut Command, name: &str) -> Output {
        self.traced(command, name);
        let output = run(command);
        self.write(&format!("logs/{:02}-{name}.out", self.runs.get()), &format!("{}{}", output.stdout, output.stderr));
        output
    }

    /// Has the command write a trace log.
    pub fn traced(&self, command: &mut Command, name: &str) {
        self.runs.set(self.runs.get() + 1);
        let log = self.folder.join(format!("logs/{:02}-{name}.trace", self.runs.get()));
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", log);
    }

    /// False when there is none.
    pub fn kill_provider(&self) -> bool {
        kill_programs_in(&self.folder)
    }

    pub fn remove(&self) {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()));
        }
    }
}

/// `kill -9` for every process whose program lies below the folder: in a workspace, the provider.
pub fn kill_programs_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |process: &PathBuf| std::fs::read_link(process.join("exe")).is_ok_and(|program| program.starts_with(folder));
    let number = |process: PathBuf| Some(process.file_name()?.to_string_lossy().into_owned());
    signal("-KILL", &processes.filter(is_ours).filter_map(number).collect::<Vec<_>>())
}

/// False when there is no process, or one of them is gone.
pub fn signal(name: &str, processes: &[String]) -> bool {
    !processes.is_empty() && run(Command::new("kill").arg(name).args(processes)).is_success()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[track_caller]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
