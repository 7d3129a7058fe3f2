//! What the acceptance tests are made of: a lab of real hosts, real engines, and questions to both. The promises themselves stand
//! in `tests/`, the lab in `lab/`. Everything here panics with what a program printed when that program fails: a test reads as
//! what should happen.

pub mod activity;
pub mod aws;
pub mod catalogue;
pub mod cluster;
pub mod command;
pub mod engine;
pub mod kubectl;
pub mod lab;
pub mod ledger;
pub mod plan;
pub mod pods;
pub mod probe;
pub mod secrets;
pub mod suite;
pub mod workspace;

pub use activity::Activity;
pub use cluster::Cluster;
pub use engine::Engine;
pub use lab::Lab;
pub use ledger::Ledger;
pub use plan::Plan;
pub use probe::Probe;
pub use workspace::Workspace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folder of this crate, with the lab, the manifests and, one level up, the examples.
pub fn source_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Cargo puts what it builds: this program runs from `<folder>/deps`.
pub fn build_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("where is this program? {error}"));
    program
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .unwrap_or_else(|| panic!("{} lies in no folder of Cargo", program.display()))
}

/// Asks until there is an answer.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < limit, "timed out after {} s, waiting until {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Two snapshots must be the same; what is gone and what is left over is named.
#[track_caller]
pub fn assert_same(after: &[String], before: &[String]) {
    let (now, then): (BTreeSet<&String>, BTreeSet<&String>) = (after.iter().collect(), before.iter().collect());
    let gone = then.difference(&now).map(|line| format!("- {line}"));
    let left = now.difference(&then).map(|line| format!("+ {line}"));
    let differences: Vec<String> = gone.chain(left).collect();
    assert!(differences.is_empty(), "not everything is as it was:\n{}", differences.join("\n"));
}
