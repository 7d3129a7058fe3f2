//! What a long apply is doing: one line per phase with its time, in the log and in the file that the provider block names.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Cheap to clone; every clone writes to the same file.
#[derive(Clone, Default)]
pub struct Progress {
    file: Option<Arc<Mutex<PathBuf>>>,
    subject: String,
}

impl Progress {
    pub fn new(path: Option<PathBuf>) -> Self {
        Progress { file: path.map(|path| Arc::new(Mutex::new(path))), subject: String::new() }
    }

    /// The same file, with every line headed by the resource that it speaks of.
    pub fn of(&self, subject: impl Into<String>) -> Self {
        Progress { file: self.file.clone(), subject: subject.into() }
    }

    /// Text must hold no secret: it is printed as it is.
    pub fn line(&self, text: &str) {
        tracing::info!(resource = %self.subject, "{text}");
        let Some(file) = &self.file else { return };
        let now = time::OffsetDateTime::now_utc();
        let stamp =
            now.format(time::macros::format_description!("[hour]:[minute]:[second].[subsecond digits:3]")).unwrap_or_default();
        let Ok(path) = file.lock() else { return };
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&*path)
            .and_then(|mut open| writeln!(open, "{stamp} {}: {text}", self.subject));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), "cannot write the progress file: {error}");
        }
    }

    /// Logs the beginning now and the end, with the time it took, when the result is passed to `finish`.
    pub fn phase(&self, name: impl Into<String>) -> Phase {
        let name = name.into();
        self.phase_of(name.clone(), name)
    }

    /// The beginning is logged with all particulars; the end needs only as much as tells one phase from another.
    pub fn phase_of(&self, particulars: String, name: String) -> Phase {
        self.line(&particulars);
        Phase { progress: self.clone(), name, began: Instant::now() }
    }
}

pub struct Phase {
    progress: Progress,
    name: String,
    began: Instant,
}

impl Phase {
    pub fn finish<T, E: std::fmt::Display>(self, result: Result<T, E>) -> Result<T, E> {
        let seconds = self.began.elapsed().as_secs_f64();
        match &result {
            Ok(_) => self.progress.line(&format!("{}: done in {seconds:.1} s", self.name)),
            Err(error) => self.progress.line(&format!("{}: failed after {seconds:.1} s: {error}", self.name)),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_leaves_two_lines_with_its_subject_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress.log");
        let progress = Progress::new(Some(path.clone())).of("k8s_hardway_cluster.demo");
        progress.phase("start etcd").finish::<(), String>(Ok(())).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| &line[13..]).collect();
        assert_eq!(lines, ["k8s_hardway_cluster.demo: start etcd", "k8s_hardway_cluster.demo: start etcd: done in 0.0 s"]);
    }
}
