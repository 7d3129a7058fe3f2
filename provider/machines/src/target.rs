//! Where a host is and how to log in to it.

use crate::KnownHosts;
use bundle::HostName;
use credentials::Secret;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub name: HostName,
    /// An IP address or a DNS name.
    pub address: String,
    pub port: u16,
    /// Anyone but `root` works through `sudo -n`.
    pub user: String,
    /// Tried in this order.
    pub authentication: Vec<Authentication>,
    pub known_hosts: KnownHosts,
    /// The host that reaches this one; it is checked and logged in to like any other.
    pub jump: Option<Box<Target>>,
    /// For the connection with key exchange and login, each hop on its own.
    pub connect_timeout: Duration,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// In PEM or OpenSSH form.
    PrivateKey(Secret),
    PrivateKeyFile(PathBuf),
    /// The agent at `SSH_AUTH_SOCK`.
    Agent,
    /// An agent at another socket, as ssh's IdentityAgent.
    AgentSocket(PathBuf),
}

impl Target {
    /// Port 22, no jump host, ten seconds to connect.
    pub fn new(name: HostName, address: impl Into<String>, user: impl Into<String>, known_hosts: KnownHosts) -> Self {
        Target {
            name,
            address: address.into(),
            port: 22,
            user: user.into(),
            authentication: Vec::new(),
            known_hosts,
            jump: None,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
        }
    }

    /// Whether commands need `sudo`.
    pub fn sudo(&self) -> bool {
        self.user != "root"
    }
}

/// `cp-1 (10.0.1.4)`: how errors name a host.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            22 => write!(f, "{} ({})", self.name, self.address),
            port => write!(f, "{} ({} port {port})", self.name, self.address),
        }
    }
}

/// `~/x` as the user who runs the provider means it.
pub(crate) fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_path_buf(),
    }
}
