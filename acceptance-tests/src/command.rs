//! Running other programs to their end.

use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const LINES: usize = 40;

/// What a program printed and how it ended.
pub struct Output {
    pub command: String,
    /// `None`: by a signal.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let line = line(command);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { command: line, status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

impl Output {
    pub fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    #[track_caller]
    pub fn success(self) -> Output {
        assert!(self.is_success(), "{} ended with {:?}:\n{}", self.command, self.status, self.end());
        self
    }

    /// The last lines, where programs say what went wrong.
    fn end(&self) -> String {
        let lines: Vec<&str> = self.stdout.lines().chain(self.stderr.lines()).collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let output = self.success();
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("{} printed no JSON: {error}\n{}", output.command, output.stdout))
    }
}

/// Becomes true when the standard input of this program ends: that is how its caller asks it to end.
pub fn end_of_input() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = ended.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::Relaxed);
    });
    ended
}
