//! The lab as the tests see it: a thin cover of the script `lab/lab`, with a folder of its own so that a demo's hosts are never
//! taken for the tests'.

use crate::command::{Output, run};
use crate::source_folder;
use std::path::PathBuf;
use std::process::Command;

pub const LOAD_BALANCERS: [&str; 2] = ["lb-1", "lb-2"];
pub const CONTROL_PLANE: [&str; 3] = ["cp-1", "cp-2", "cp-3"];
/// The hosts of the quick start.
pub const HOSTS: [&str; 5] = ["lb-1", "lb-2", "cp-1", "cp-2", "cp-3"];
pub const WORKER: &str = "worker-1";
pub const WORKER_ADDRESSES: [&str; 2] = ["10.77.0.16", "fd77:0:0:1::16"];
/// In another network: a router lies between it and the others.
pub const FAR_WORKER: &str = "worker-2";
pub const FAR_WORKER_ADDRESSES: [&str; 2] = ["10.77.1.17", "fd77:0:0:2::17"];
/// The virtual addresses of the quick start, as they stand in a URL.
pub const VIRTUAL_ADDRESSES: [&str; 2] = ["10.77.0.100", "[fd77:0:0:1::100]"];

const FOLDER: &str = "/var/tmp/terraform-provider-k8s-tests";

/// Ends with the value, unless `LAB_KEEP` is set.
pub struct Lab;

impl Lab {
    /// Every host on, with a new disk; as it is when it was kept.
    pub fn up() -> Lab {
        let arguments: &[&str] = if kept() { &["up"] } else { &["up", "--fresh"] };
        run(script().args(arguments)).success();
        Lab
    }

    /// A command in the client's network, ended after `seconds`.
    pub fn command(&self, seconds: u32, program: impl Into<PathBuf>) -> Command {
        let script = script();
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--kill-after=20"]).arg(seconds.to_string());
        command.arg(script.get_program()).arg("exec").arg(program.into()).env("LAB_DIR", folder());
        command
    }

    pub fn variable(&self, name: &str) -> String {
        run(self.command(10, "printenv").arg(name)).success().stdout.trim().to_string()
    }

    pub fn ssh(&self, host: &str, command: &str) -> Output {
        run(script().args(["ssh", host, command]))
    }

    /// Cuts a host's power.
    pub fn kill(&self, host: &str) {
        run(script().args(["kill", host])).success();
    }

    pub fn boot(&self, host: &str) {
        run(script().args(["boot", host])).success();
    }

    /// Pulls a host's cable.
    pub fn unplug(&self, host: &str) {
        run(script().args(["unplug", host])).success();
    }

    /// Lets no more through to a host than this, such as `512kbit`.
    pub fn slow(&self, host: &str, rate: &str) {
        run(script().args(["slow", host, rate])).success();
    }

    /// The cable is in again, and as quick as before.
    pub fn plug(&self, host: &str) {
        run(script().args(["plug", host])).success();
    }

    /// The state of a host, one thing a line.
    pub fn snapshot(&self, host: &str) -> Vec<String> {
        run(script().args(["snapshot", host])).success().stdout.lines().map(str::to_string).collect()
    }

    /// The body of an HTTP answer, or why there is none.
    pub fn fetch(&self, url: &str) -> Result<String, String> {
        let output = run(self.command(15, "curl").args(["-sS", "--fail", "--max-time", "5", url]));
        if output.is_success() { Ok(output.stdout) } else { Err(output.stderr) }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !kept() {
            let output = run(script().arg("down"));
            if !output.is_success() {
                eprintln!("the lab did not end: {}", output.stderr);
            }
        }
    }
}

/// For working on a test: what was brought up stays, and is used again by the next run.
pub fn kept() -> bool {
    std::env::var_os("LAB_KEEP").is_some()
}

fn script() -> Command {
    let mut command = Command::new(source_folder().join("lab/lab"));
    command.env("LAB_DIR", folder());
    command
}

/// The folder in which workspaces lie: private, because states hold keys. `LAB_DIR` names another one, for tests that run beside others.
pub fn folder() -> PathBuf {
    std::env::var_os("LAB_DIR").map_or_else(|| PathBuf::from(FOLDER), PathBuf::from)
}
