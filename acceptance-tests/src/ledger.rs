//! A client that writes without a pause through the virtual address, and what became of what it wrote. The writing is done by the
//! program `acceptance-ledger`, because only whole processes change their network.

use crate::build_folder;
use crate::lab::Lab;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_SECONDS: u32 = 4 * 3600;

pub struct Ledger {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

/// One write: milliseconds since the epoch when it was begun and when its answer came, and the error if it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub begun: u64,
    pub ended: u64,
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct Written {
    pub writes: Vec<Write>,
    /// Acknowledged, and not there at the end.
    pub lost: Vec<String>,
}

impl Ledger {
    #[track_caller]
    pub fn start(lab: &Lab, kubeconfig: &Path) -> Ledger {
        let mut command = lab.command(LONGEST_SECONDS, build_folder().join("acceptance-ledger"));
        command.arg(kubeconfig).args([INTERVAL, PATIENCE].map(|time| time.as_millis().to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run acceptance-ledger: {error}"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (into, stdout) = (lines.clone(), child.stdout.take());
        let reader = std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok) {
                into.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(line);
            }
        });
        Ledger { child, lines, reader }
    }

    /// What was written so far; more follows.
    pub fn so_far(&self) -> Written {
        Written::of(&self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Ends the writing (the program ends with its standard input) and reads everything back.
    #[track_caller]
    pub fn finish(mut self) -> Written {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap_or_else(|error| panic!("acceptance-ledger: {error}"));
        assert!(self.reader.join().is_ok() && status.success(), "acceptance-ledger could not read back what it wrote: {status}");
        let lines = self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        assert_eq!(lines.last().map(String::as_str), Some("end"), "acceptance-ledger did not read back what it wrote");
        Written::of(&lines)
    }
}

impl Write {
    /// `<begun> <took> <number> ok` or `<begun> <took> <number> <error>`.
    fn parse(line: &str) -> Option<Write> {
        let mut words = line.splitn(4, ' ');
        let begun: u64 = words.next()?.parse().ok()?;
        let took: u64 = words.next()?.parse().ok()?;
        let error = words.nth(1).filter(|word| *word != "ok").map(str::to_string);
        Some(Write { begun, ended: begun + took, error })
    }
}

impl Written {
    fn of(lines: &[String]) -> Written {
        let lost = lines.iter().filter_map(|line| line.strip_prefix("lost ")).map(str::to_string).collect();
        Written { writes: lines.iter().filter_map(|line| Write::parse(line)).collect(), lost }
    }

    pub fn acknowledged(&self) -> usize {
        self.writes.iter().filter(|write| write.error.is_none()).count()
    }

    /// The longest time without an acknowledged write, of the time since `from` (milliseconds since the epoch).
    pub fn longest_gap_since(&self, from: u64) -> Duration {
        let recent: Vec<&Write> = self.writes.iter().filter(|write| write.ended >= from).collect();
        let good = recent.iter().filter(|write| write.error.is_none()).map(|write| write.ended);
        let moments: Vec<u64> = std::iter::once(from).chain(good).chain(recent.last().map(|write| write.ended)).collect();
        Duration::from_millis(moments.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Written {
        Written::of(&text.lines().map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_gap_lasts_from_acknowledgement_to_acknowledgement() {
        let written = written("1000 10 1 ok\n1250 5000 2 timed out\n6300 20 3 ok\n6550 10 4 ok");
        assert_eq!(written.acknowledged(), 3);
        assert_eq!(written.longest_gap_since(900), Duration::from_millis(6320 - 1010));
        assert_eq!(written.longest_gap_since(6320), Duration::from_millis(6560 - 6320));
    }

    #[test]
    fn an_outage_that_does_not_end_counts_to_the_end() {
        assert_eq!(written("1000 10 1 ok\n1250 800 2 refused").longest_gap_since(1000), Duration::from_millis(2050 - 1010));
    }

    #[test]
    fn what_was_lost_is_known_by_its_number() {
        let written = written("1000 10 17 ok\nlost 17\nend");
        assert_eq!((written.acknowledged(), written.lost), (1, vec!["17".to_string()]));
    }
}
