//! Runs a shell script on a host over one SSH session. The script travels as the command, data and secrets as its input.

use crate::link::{Link, NoSession, Session};
use crate::{MachineError, Output, Target};
use russh::ChannelMsg;
use std::time::Duration;
use tokio::io::AsyncRead;

/// What every script of this crate begins with.
pub(crate) const COMMON: &str = include_str!("scripts/common.sh");
/// What the login shell says before the script begins, from its start-up files, is not the script's.
const BEGIN: &str = "begin k8s-hardway script";

/// The last line of every list that a script reads. One without it was cut off on its way, and the script does nothing.
pub(crate) const END: &str = "end\n";

pub(crate) struct Script<'a> {
    /// For errors: `reading the state`, `writing files`.
    pub operation: &'static str,
    pub text: String,
    pub timeout: Duration,
    /// Called for each line of standard output as it arrives.
    pub on_line: Option<&'a (dyn Fn(&str) + Send + Sync)>,
}

impl<'a> Script<'a> {
    pub fn new(operation: &'static str, body: &str, arguments: &[&str], timeout: Duration) -> Self {
        let set: String = arguments.iter().map(|argument| format!(" {}", quote(argument))).collect();
        Script { operation, text: format!("set --{set}\n{COMMON}\n{body}"), timeout, on_line: None }
    }

    pub fn on_line(mut self, on_line: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        self.on_line = Some(on_line);
        self
    }
}

/// One word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The login shell may be any; it only has to take single quotes.
fn command_line(target: &Target, script: &str) -> String {
    let prefix = if target.sudo() { "env LC_ALL=C sudo -n -- " } else { "" };
    format!("{prefix}sh -c {}", quote(&format!("echo '{BEGIN}'\n{script}")))
}

pub(crate) async fn run(
    link: &Link,
    target: &Target,
    script: &Script<'_>,
    input: impl AsyncRead + Unpin + Send,
) -> Result<Output, MachineError> {
    let timed_out = || MachineError::Timeout {
        host: target.to_string(),
        operation: script.operation.into(),
        seconds: script.timeout.as_secs(),
    };
    let lost = |error: russh::Error| MachineError::Lost {
        host: target.to_string(),
        operation: script.operation.into(),
        reason: error.to_string(),
    };
    let exchanged = async {
        let session = link.session().await.map_err(|none| match none {
            NoSession::NotConnected(error) => error,
            NoSession::Refused(error) => lost(error),
        })?;
        exchange(session, target, script, input).await.map_err(lost)
    };
    let output = tokio::time::timeout(script.timeout, exchanged).await.map_err(|_| timed_out())??;
    if target.sudo() && is_refusal_of_sudo(&output) {
        let (host, user) = (target.to_string(), target.user.clone());
        return Err(MachineError::Sudo { host, user, reason: last_lines(&output.stderr, 2) });
    }
    Ok(output)
}

/// sudo itself ends with 1, the login shell that does not find it with 127. sudo also warns of what does not stop it, such as a host
/// name that does not resolve.
fn is_refusal_of_sudo(output: &Output) -> bool {
    const REFUSALS: [&str; 5] =
        ["a password is required", "not in the sudoers", "not allowed to", "may not run sudo", "must have a tty"];
    let said = String::from_utf8_lossy(&output.stderr);
    let refused = said.lines().any(|line| REFUSALS.iter().any(|refusal| line.contains(refusal)));
    (output.status == 1 && output.stdout.is_empty() && refused) || (output.status == 127 && said.contains("sudo"))
}

async fn exchange(
    session: Session,
    target: &Target,
    script: &Script<'_>,
    input: impl AsyncRead + Unpin + Send,
) -> Result<Output, russh::Error> {
    let Session { channel, counted: _counted } = session;
    channel.exec(true, command_line(target, &script.text)).await?;
    let (mut reader, writer) = channel.split();
    let write = async {
        writer.data(input).await?;
        writer.eof().await
    };
    let read = async {
        let mut answer = Answer::default();
        while let Some(message) = reader.wait().await {
            answer.take(message, script.on_line);
            if answer.is_too_long() {
                return Err(too_long());
            }
        }
        answer.finish()
    };
    tokio::pin!(write, read);
    // A script may end without reading all its input; then the write never ends, or fails, and only the answer counts.
    tokio::select! {
        answer = &mut read => answer,
        written = &mut write => match read.await {
            Err(russh::Error::Disconnect) => Err(written.err().unwrap_or(russh::Error::Disconnect)),
            answer => answer,
        },
    }
}

/// Of one script, in bytes: far more than any has to say, and what this process can hold of every host at once.
const LONGEST_ANSWER: usize = 16 << 20;

fn too_long() -> russh::Error {
    let said = format!("the host answers with more than {} MiB", LONGEST_ANSWER >> 20);
    russh::Error::IO(std::io::Error::new(std::io::ErrorKind::InvalidData, said))
}

#[derive(Default)]
struct Answer {
    status: Option<u32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    begun: bool,
    /// Up to here lines were handed to `on_line`.
    told: usize,
    refused: bool,
}

impl Answer {
    fn take(&mut self, message: ChannelMsg, on_line: Option<&(dyn Fn(&str) + Send + Sync)>) {
        match message {
            ChannelMsg::Data { data } => {
                self.stdout.extend_from_slice(&data);
                self.drop_what_came_before();
                if let Some(on_line) = on_line.filter(|_| self.begun) {
                    self.tell(on_line);
                }
            }
            ChannelMsg::ExtendedData { data, .. } => self.stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => self.status = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.stderr.extend_from_slice(format!("ended by signal {signal_name:?}\n").as_bytes());
                self.status = Some(128);
            }
            ChannelMsg::Failure => self.refused = true,
            _ => {}
        }
    }

    fn is_too_long(&self) -> bool {
        self.stdout.len() + self.stderr.len() > LONGEST_ANSWER
    }

    fn drop_what_came_before(&mut self) {
        let mark = format!("{BEGIN}\n");
        if !self.begun
            && let Some(at) = self.stdout.windows(mark.len()).position(|part| part == mark.as_bytes())
        {
            self.stdout.drain(..at + mark.len());
            self.begun = true;
        }
    }

    fn tell(&mut self, on_line: &(dyn Fn(&str) + Send + Sync)) {
        while let Some(length) = self.stdout[self.told..].iter().position(|byte| *byte == b'\n') {
            on_line(&String::from_utf8_lossy(&self.stdout[self.told..self.told + length]));
            self.told += length + 1;
        }
    }

    /// A session without an exit status ended because the connection did.
    fn finish(self) -> Result<Output, russh::Error> {
        match self.status {
            Some(status) => Ok(Output { status, stdout: self.stdout, stderr: self.stderr }),
            None if self.refused => Err(russh::Error::RequestDenied),
            None => Err(russh::Error::Disconnect),
        }
    }
}

/// The end of what a program said, for an error.
pub(crate) fn last_lines(text: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_whatever_is_in_it() {
        for word in ["", "a b", "it's", "$(id)", "a\nb", "'", r"\", "\"`!"] {
            let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quote(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn a_refusal_of_sudo_is_told_from_a_script_that_fails_and_from_a_warning() {
        let output = |status, stdout: &str, stderr: &str| Output { status, stdout: stdout.into(), stderr: stderr.into() };
        let warning = "sudo: unable to resolve host h1: Temporary failure in name resolution\n";
        assert!(is_refusal_of_sudo(&output(1, "", &format!("{warning}sudo: a password is required\n"))));
        assert!(is_refusal_of_sudo(&output(1, "", "x is not in the sudoers file.\n")));
        assert!(is_refusal_of_sudo(&output(127, "", "sh: 1: sudo: not found\n")));
        assert!(is_refusal_of_sudo(&output(1, "", "sudo: sorry, you must have a tty to run sudo\n")));
        assert!(!is_refusal_of_sudo(&output(1, "error\tfile\t/etc/x\n", warning)));
        assert!(!is_refusal_of_sudo(&output(1, "", warning)));
    }

    #[test]
    fn the_way_out_of_a_refusal_fits_its_reason() {
        let refused =
            |reason: &str| MachineError::Sudo { host: "h1".into(), user: "admin".into(), reason: reason.into() }.detail();
        assert!(refused("sudo: a password is required").contains("`admin ALL=(ALL) NOPASSWD: ALL`"));
        assert!(refused("sudo: sorry, you must have a tty to run sudo").contains("`Defaults:admin !requiretty`"));
    }

    #[test]
    fn lines_are_told_once_and_whole() {
        let told = std::sync::Mutex::new(Vec::new());
        let on_line = |line: &str| told.lock().unwrap().push(line.to_string());
        let mut answer = Answer::default();
        for part in ["noise\nbegin k8s-har", "dway script\none\ntw", "o\n", "three"] {
            answer.take(ChannelMsg::Data { data: part.as_bytes().to_vec().into() }, Some(&on_line));
        }
        assert_eq!(*told.lock().unwrap(), ["one", "two"]);
        assert_eq!(answer.stdout, b"one\ntwo\nthree");
    }

    #[test]
    fn the_last_lines_leave_out_empty_ones() {
        assert_eq!(last_lines(b"a\n\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines(b"", 2), "");
    }
}
