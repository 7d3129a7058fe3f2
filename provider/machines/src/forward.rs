//! A local port that leads to where the host can connect to.

use crate::link::Link;
use crate::{Machine, MachineError};
use russh::ChannelOpenFailure;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Listens on 127.0.0.1 until it is dropped; then its connections end too.
pub struct LocalForward {
    port: u16,
    task: AbortHandle,
}

impl LocalForward {
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for LocalForward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Machine {
    /// `host` and `port` as the SSH host sees them. The first connection is tried at once, so that an error is known here.
    pub async fn forward(&self, host: &str, port: u16) -> Result<LocalForward, MachineError> {
        let destination = format!("{host} port {port}");
        let here = self.target.to_string();
        let error = |reason: String| MachineError::Forward { host: here.clone(), destination: destination.clone(), reason };
        let connection = self.link.connection().await?;
        let trial = connection.direct_tcpip(host, port).await.map_err(|reason| match reason {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
                MachineError::NobodyListens { host: here.clone(), destination: destination.clone() }
            }
            reason => error(why_not(&reason)),
        })?;
        let _ = trial.close().await;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        let listener = listener.map_err(|reason| error(reason.to_string()))?;
        let local = listener.local_addr().map_err(|reason| error(reason.to_string()))?;
        let task = tokio::spawn(accept(listener, self.link.clone(), host.to_string(), port)).abort_handle();
        Ok(LocalForward { port: local.port(), task })
    }
}

fn why_not(error: &russh::Error) -> String {
    if is_refusal(error) {
        return "its SSH server forwards no connection there. Set `AllowTcpForwarding local` in its sshd_config, and no PermitOpen or \
                DisableForwarding that keeps this from it"
            .into();
    }
    error.to_string()
}

/// Code 1 of RFC 4254, section 5.1, which OpenSSH answers where its configuration forbids it.
fn is_refusal(error: &russh::Error) -> bool {
    matches!(error, russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))
}

impl Machine {
    /// Whether the SSH server refuses to connect there, as with `AllowTcpForwarding no`. That nobody listens is no refusal.
    pub(crate) async fn refuses_to_forward(&self, host: &str, port: u16) -> bool {
        let Ok(connection) = self.link.connection().await else { return false };
        match connection.direct_tcpip(host, port).await {
            Ok(channel) => {
                let _ = channel.close().await;
                false
            }
            Err(error) => is_refusal(&error),
        }
    }
}

/// The connections belong to this task: they end with it.
async fn accept(listener: TcpListener, link: Arc<Link>, host: String, port: u16) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(carried.spawn(carry(stream, link.clone(), host.clone(), port))),
                Err(error) => tracing::debug!(%error, "a forwarded port did not accept a connection"),
            },
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(mut stream: TcpStream, link: Arc<Link>, host: String, port: u16) {
    let _ = stream.set_nodelay(true);
    let connection = match link.connection().await {
        Ok(connection) => connection,
        Err(error) => return tracing::debug!(%error, host, port, "a forwarded connection has no way"),
    };
    match connection.direct_tcpip(&host, port).await {
        Ok(channel) => drop(tokio::io::copy_bidirectional(&mut stream, &mut channel.into_stream()).await),
        Err(error) => tracing::debug!(%error, host, port, "a forwarded connection was refused"),
    }
}
