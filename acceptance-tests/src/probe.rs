//! A client that asks without a pause, in the lab's network, and what it saw. The asking itself is done by the program
//! `acceptance-probe`, because only whole processes change their network.

use crate::build_folder;
use crate::lab::Lab;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// From the beginning of one question to that of the next, when answers are quicker than that.
pub const INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_SECONDS: u32 = 1200;

pub struct Probe {
    pub url: String,
    child: Child,
    output: JoinHandle<String>,
}

/// One question: milliseconds since the epoch, how long it took, and the error if it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub begun: u64,
    pub took: u64,
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct Answers {
    pub url: String,
    pub all: Vec<Answer>,
}

impl Probe {
    /// `patience`: how long the client waits for one answer. `authority`: the file of the certificate authority, for HTTPS.
    pub fn start(lab: &Lab, url: &str, patience: Duration, authority: Option<&Path>) -> Probe {
        let mut command = lab.command(LONGEST_SECONDS, build_folder().join("acceptance-probe"));
        command.arg(url).arg(INTERVAL.as_millis().to_string()).arg(patience.as_millis().to_string()).args(authority);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run acceptance-probe: {error}"));
        let mut stdout = child.stdout.take();
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.as_mut().map(|stdout| stdout.read_to_string(&mut text));
            text
        });
        Probe { url: url.to_string(), child, output }
    }

    /// Ends the asking: the program ends with its standard input.
    #[track_caller]
    pub fn finish(mut self) -> Answers {
        drop(self.child.stdin.take());
        self.child.wait().unwrap_or_else(|error| panic!("acceptance-probe: {error}"));
        let text = self.output.join().unwrap_or_default();
        let answers = Answers { url: self.url, all: text.lines().filter_map(Answer::parse).collect() };
        assert!(!answers.all.is_empty(), "{} was asked nothing", answers.url);
        answers
    }
}

impl Answer {
    /// `<begun> <took> ok` or `<begun> <took> <error>`.
    fn parse(line: &str) -> Option<Answer> {
        let mut words = line.splitn(3, ' ');
        let (begun, took) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let error = words.next().filter(|word| *word != "ok").map(str::to_string);
        Some(Answer { begun, took, error })
    }
}

impl Answers {
    /// The longest time between two answers, which is what a client notices of an outage.
    pub fn longest_gap(&self) -> Duration {
        let good: Vec<u64> =
            self.all.iter().filter(|answer| answer.error.is_none()).map(|answer| answer.begun + answer.took).collect();
        let last = self.all.last().map(|answer| answer.begun + answer.took);
        let ends = good.iter().skip(1).copied().chain(last);
        Duration::from_millis(good.iter().zip(ends).map(|(from, to)| to.saturating_sub(*from)).max().unwrap_or(u64::MAX))
    }

    #[track_caller]
    pub fn all_good(&self) {
        let failures: Vec<&Answer> = self.all.iter().filter(|answer| answer.error.is_some()).collect();
        let first = &failures[..failures.len().min(5)];
        assert!(failures.is_empty(), "{}: {} of {} questions failed: {first:?}", self.url, failures.len(), self.all.len());
    }
}

pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lasts_from_answer_to_answer() {
        let text = "1000 5 ok\n1020 5 ok\n1040 250 timed out\n1290 250 timed out\n1540 10 ok\n1560 5 ok";
        let answers = Answers { url: String::new(), all: text.lines().filter_map(Answer::parse).collect() };
        assert_eq!(answers.all.len(), 6);
        assert_eq!(answers.longest_gap(), Duration::from_millis(1550 - 1025));
    }

    #[test]
    fn an_outage_that_does_not_end_counts_to_the_end() {
        let answers = Answers {
            url: String::new(),
            all: ["1000 5 ok", "1020 800 refused"].iter().filter_map(|line| Answer::parse(line)).collect(),
        };
        assert_eq!(answers.longest_gap(), Duration::from_millis(1820 - 1005));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3, 1, 2].map(Duration::from_secs).to_vec()), Duration::from_secs(2));
    }
}
