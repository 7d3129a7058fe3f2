//! One SSH connection: host key check, jump host. Logging in is in `login`. What runs over it is in `script`, `machine` and `forward`.

use crate::known_hosts::{Entries, Verdict, fingerprint, parse_known_hosts};
use crate::link::Session;
use crate::login::log_in;
use crate::{JumpHosts, MachineError, ShownKey, Target};
use backon::{ExponentialBuilder, Retryable};
use russh::client::{self, Handle, Msg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Preferred};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;

/// OpenSSH's MaxSessions is 10 for one connection; two are left for others.
const SESSIONS: usize = 8;
/// A dead host is noticed after three of these.
const KEEPALIVE: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    handle: Handle<Client>,
    sessions: Arc<Semaphore>,
    /// Held because this connection runs inside it.
    _jump: Option<Arc<Connection>>,
}

impl Connection {
    /// A server that many ask at once hangs up on some of them before they have logged in: they ask again a few times.
    pub async fn open(target: &Target, jump_hosts: &JumpHosts) -> Result<Connection, MachineError> {
        let jump = match &target.jump {
            Some(jump) => Some(jump_hosts.connection(jump).await?),
            None => None,
        };
        let attempt = || async {
            match tokio::time::timeout(target.connect_timeout, open_handle(target, jump.as_deref())).await {
                Ok(opened) => opened,
                Err(_) => {
                    let (host, seconds) = (target.to_string(), target.connect_timeout.as_secs());
                    Err(MachineError::ConnectTimeout { host, seconds }.into())
                }
            }
        };
        let handle =
            attempt.retry(after_hang_ups()).when(|not_opened| not_opened.hung_up).await.map_err(|not_opened| not_opened.error)?;
        Ok(Connection { handle, sessions: Arc::new(Semaphore::new(SESSIONS)), _jump: jump })
    }

    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// The server may still count a session that ended just now, so a refusal is tried again.
    pub async fn open_session(&self) -> Result<Session, russh::Error> {
        let counted = self.sessions.clone().acquire_owned().await.map_err(|_| russh::Error::Disconnect)?;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.handle.channel_open_session().await {
                Err(russh::Error::ChannelOpenFailure(_)) if pause < Duration::from_secs(3) => tokio::time::sleep(pause).await,
                opened => return opened.map(|channel| Session { channel, counted }),
            }
            pause *= 2;
        }
    }

    pub async fn direct_tcpip(&self, host: &str, port: u16) -> Result<Channel<Msg>, russh::Error> {
        self.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await
    }
}

struct NotOpened {
    error: MachineError,
    /// The other side ended it, before anybody had logged in.
    hung_up: bool,
}

impl From<MachineError> for NotOpened {
    fn from(error: MachineError) -> Self {
        NotOpened { error, hung_up: false }
    }
}

/// Some three seconds in all.
fn after_hang_ups() -> ExponentialBuilder {
    ExponentialBuilder::default().with_jitter().with_min_delay(Duration::from_millis(200)).with_max_times(4)
}

async fn open_handle(target: &Target, jump: Option<&Connection>) -> Result<Handle<Client>, NotOpened> {
    let known_hosts = target.known_hosts.text().map_err(|error| MachineError::KnownHosts {
        host: target.to_string(),
        place: target.known_hosts.place(),
        reason: error.to_string(),
    })?;
    let entries = parse_known_hosts(&known_hosts, &target.address, target.port);
    let config = Arc::new(config(&entries));
    let banner = Banner::default();
    let client = Client { entries, host: target.to_string(), place: target.known_hosts.place(), banner: banner.clone() };
    let connected = match jump {
        None => client::connect(config, (target.address.as_str(), target.port), client).await,
        Some(jump) => {
            let channel = jump.direct_tcpip(&target.address, target.port).await.map_err(|error| unreachable(target, error))?;
            client::connect_stream(config, channel.into_stream(), client).await
        }
    };
    let mut handle = connected.map_err(|failure| match failure {
        Failure::HostKey(error) => error.into(),
        Failure::Ssh(error) => unreachable(target, error),
    })?;
    match log_in(&mut handle, target).await {
        Ok(()) => Ok(handle),
        Err(error) => Err(banner.still_boots(target).unwrap_or(error).into()),
    }
}

fn unreachable(target: &Target, error: russh::Error) -> NotOpened {
    let through = target.jump.as_ref().map(|jump| format!(" through {jump}")).unwrap_or_default();
    let may_pass = may_pass(&error);
    let hung_up = hung_up(&error);
    NotOpened {
        error: MachineError::Connect { host: format!("{target}{through}"), reason: error.to_string(), may_pass },
        hung_up,
    }
}

fn hung_up(error: &russh::Error) -> bool {
    match error {
        russh::Error::IO(error) => {
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            )
        }
        russh::Error::Disconnect | russh::Error::HUP => true,
        _ => false,
    }
}

/// Nobody listens yet, or whoever does is not ready. A name that no server knows, or an address that is none, stays so.
fn may_pass(error: &russh::Error) -> bool {
    match error {
        error if hung_up(error) => true,
        russh::Error::IO(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::TimedOut
        ),
        russh::Error::ChannelOpenFailure(reason) => matches!(reason, ChannelOpenFailure::ConnectFailed),
        _ => false,
    }
}

fn config(entries: &Entries) -> client::Config {
    let algorithms: Cow<'static, [_]> = entries.preferred_algorithms(&Preferred::DEFAULT.key).into();
    client::Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred {
            // A server that is asked for a certificate shows its bare key no more, if it has one.
            host_key_certificates: if entries.has_authority() { algorithms.clone() } else { (&[]).into() },
            key: algorithms,
            compression: (&[russh::compression::NONE]).into(),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    }
}

/// Checks the host key; everything else of the protocol is russh's default.
pub(crate) struct Client {
    entries: Entries,
    host: String,
    place: String,
    banner: Banner,
}

/// What the server says before somebody is logged in.
#[derive(Clone, Default)]
struct Banner(Arc<Mutex<String>>);

impl Banner {
    /// The text is the one of systemd's /run/nologin (tmpfiles.d/systemd-nologin.conf), which pam_nologin(8) shows until the boot is over to
    /// everybody but root.
    fn still_boots(&self, target: &Target) -> Option<MachineError> {
        let banner = self.0.lock().ok()?;
        let reason = banner.lines().find(|line| line.contains("System is booting up"))?;
        Some(MachineError::Booting { host: target.to_string(), reason: reason.trim().trim_end_matches('.').into() })
    }
}

/// With what a host says who it is.
enum Shown {
    BareKey,
    /// And why that does not count, if it does not.
    Certificate(Option<&'static str>),
}

impl Shown {
    fn fault(&self) -> Option<&'static str> {
        match self {
            Shown::BareKey => None,
            Shown::Certificate(fault) => *fault,
        }
    }
}

pub(crate) enum Failure {
    HostKey(MachineError),
    Ssh(russh::Error),
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::HostKey(error) => write!(f, "{error}"),
            Failure::Ssh(error) => write!(f, "{error}"),
        }
    }
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        Failure::Ssh(error)
    }
}

impl client::Handler for Client {
    type Error = Failure;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let shown = match key.certificate() {
            Some(certificate) => Shown::Certificate(self.entries.fault_of(certificate, now)),
            None => Shown::BareKey,
        };
        self.verdict(&key.public_key(), &shown).map(|()| true).map_err(Failure::HostKey)
    }

    async fn auth_banner(&mut self, banner: &str, _session: &mut client::Session) -> Result<(), Failure> {
        if let Ok(mut said) = self.banner.0.lock() {
            said.push_str(banner);
        }
        Ok(())
    }
}

impl Client {
    /// A certificate that does not count leaves its key, which may be known.
    fn verdict(&self, key: &PublicKey, with: &Shown) -> Result<(), MachineError> {
        let host = self.host.clone();
        let shown = || {
            Box::new(ShownKey {
                algorithm: key.algorithm().to_string(),
                fingerprint: fingerprint(key),
                place: self.place.clone(),
                line: self.entries.line_to_add(key),
                certificate_fault: with.fault(),
            })
        };
        match self.entries.check(key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown | Verdict::Changed { .. } if matches!(with, Shown::Certificate(None)) => Ok(()),
            Verdict::Unknown => Err(MachineError::UnknownHostKey { host, shown: shown() }),
            Verdict::Changed { line } => Err(MachineError::ChangedHostKey { host, known_line: line, shown: shown() }),
            Verdict::Revoked { line } => Err(MachineError::RevokedHostKey { host, known_line: line, shown: shown() }),
        }
    }
}
