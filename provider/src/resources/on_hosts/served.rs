//! Whether units serve the certificates that their files hold. A program that reads a certificate again by itself says nothing when it
//! has; a TLS handshake from its own host shows it.

use super::execute::StepError;
use super::fleet::Fleet;
use crate::ports::Host;
use crate::wait::Pace;
use bundle::{Bundle, HostName, HostPath, UnitName};
use std::time::Duration;

/// Twice the minute within which an API server that cannot watch its files looks at them (`DynamicCertKeyPairContent`, see the table of
/// components).
const LIMIT: Duration = Duration::from_secs(120);
const PACE: Pace = Pace::doubling(Duration::from_millis(200), Duration::from_secs(2));
/// Prints the SHA-256 of a certificate on one line.
const FINGERPRINT: &str = "openssl x509 -noout -sha256 -fingerprint";

/// Why a wait ended without seeing the new certificates.
pub enum NotServed {
    /// The unit had the time.
    Late {
        unit: UnitName,
        error: StepError,
    },
    Other(StepError),
}

/// A certificate that is not the one that is served.
struct Stale<'a> {
    unit: &'a UnitName,
    path: &'a HostPath,
    reason: String,
}

/// Waits until each of them serves what is in its files.
pub async fn wait_until_served(fleet: &Fleet, bundle: &Bundle, host: &HostName, units: &[UnitName]) -> Result<(), NotServed> {
    let machine = fleet.machine(host).map_err(NotServed::Other)?;
    let names = units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(", ");
    let wait = fleet.waiter().until(format!("{host}: {names} serves its new certificate"), LIMIT, PACE);
    match wait.until_nothing_lacks(|| look(machine, bundle, units)).await.map_err(NotServed::Other)? {
        None => Ok(()),
        Some(stale) => Err(late(host, &stale)),
    }
}

/// The first certificate that is not served.
async fn look<'a>(machine: &dyn Host, bundle: &'a Bundle, units: &'a [UnitName]) -> Result<Option<Stale<'a>>, StepError> {
    for unit in units {
        let Some(described) = bundle.units.get(unit) else { continue };
        for (path, shown) in &described.serves {
            let output = machine.run(&command(path, shown)).await?;
            if let Some(reason) = difference(&output.stdout_text()) {
                return Ok(Some(Stale { unit, path, reason }));
            }
        }
    }
    Ok(None)
}

/// Prints what the file holds, then what is served.
fn command(path: &HostPath, shown: &str) -> String {
    format!("{FINGERPRINT} -in {path}; {shown} </dev/null 2>/dev/null | {FINGERPRINT}")
}

/// `None` when both are there and the same.
fn difference(answer: &str) -> Option<String> {
    let mut fingerprints = answer.lines().filter_map(|line| line.split_once('=')).map(|(_, fingerprint)| fingerprint);
    match (fingerprints.next(), fingerprints.next()) {
        (Some(file), Some(served)) if file == served => None,
        (Some(_), Some(_)) => Some("it still serves another one".into()),
        _ => Some("no TLS handshake shows one".into()),
    }
}

fn late(host: &HostName, stale: &Stale<'_>) -> NotServed {
    let Stale { unit, path, reason } = stale;
    let error = StepError::Gate {
        summary: format!("{unit} on {host} does not serve its new certificate after {} s", LIMIT.as_secs()),
        detail: format!(
            "{path} is in place, and {reason}. The program should have read it by itself; the next plan restarts it. \
             Look at `journalctl -u {unit}` there."
        ),
    };
    NotServed::Late { unit: (*unit).clone(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Command, Stdio};

    #[test]
    fn both_certificates_must_be_there_and_the_same() {
        let [one, other] = ["sha256 Fingerprint=AA:BB\n", "sha256 Fingerprint=AA:BC\n"];
        assert_eq!(difference(&format!("{one}{one}")), None);
        assert_eq!(difference(&format!("{one}{other}")).as_deref(), Some("it still serves another one"));
        for answer in ["", one] {
            assert_eq!(difference(answer).as_deref(), Some("no TLS handshake shows one"), "{answer}");
        }
    }

    fn openssl(folder: &Path, arguments: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// As a host runs it, against a server that is real.
    #[test]
    fn the_command_tells_whether_a_server_shows_what_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let key = format!("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key");
            let made = openssl(folder.path(), &format!("req -x509 {key} -subj /CN={name} -days 1 -out {name}.crt")).status();
            assert!(made.unwrap().success());
        };
        make("served");
        make("other");
        let mut server = openssl(folder.path(), "s_server -accept 127.0.0.1:0 -cert served.crt -key served.key");
        let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| Some(line.strip_prefix("ACCEPT 127.0.0.1:")?.to_string())).unwrap();
        let look = |name: &str| {
            let path = HostPath::literal(folder.path().join(name).to_str().unwrap());
            let command = command(&path, &format!("timeout 5 openssl s_client -connect 127.0.0.1:{port}"));
            difference(&String::from_utf8(Command::new("sh").args(["-c", &command]).output().unwrap().stdout).unwrap())
        };
        let begin = std::time::Instant::now();
        while look("served.crt").is_some() && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let seen = (look("served.crt"), look("other.crt"));
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(seen, (None, Some("it still serves another one".into())));
        assert_eq!(look("served.crt").as_deref(), Some("no TLS handshake shows one"));
    }
}
