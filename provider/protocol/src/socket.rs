//! The Unix socket that the engine connects to: a random name in a directory that only this user can enter, and the stream of
//! connections that were let in. Knows nothing of gRPC.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// The kernel takes paths of 107 bytes (Linux) or 103 (macOS).
const LONGEST_PATH: usize = 103;
/// A peer that does not finish its handshake in this time is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that wait to be served; an engine opens one.
const BACKLOG: usize = 16;

/// A bound socket; the directory goes away with it.
pub(crate) struct Socket {
    listener: StdUnixListener,
    directory: TempDir,
}

impl Socket {
    /// Binds at once, so that the engine can connect before anything else has started.
    pub(crate) fn bind(parent: &Path) -> io::Result<Socket> {
        let directory = private_directory(parent)?;
        let listener = StdUnixListener::bind(socket_path(&directory))?;
        listener.set_nonblocking(true)?;
        Ok(Socket { listener, directory })
    }

    pub(crate) fn path(&self) -> PathBuf {
        socket_path(&self.directory)
    }

    /// Connections, after TLS when there is a configuration for it. A peer that fails TLS costs nobody else anything.
    /// The directory is returned to be removed when serving is over.
    pub(crate) fn into_connections(
        self,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<(ReceiverStream<io::Result<Connection>>, TempDir)> {
        let listener = UnixListener::from_std(self.listener)?;
        let acceptor = tls.map(TlsAcceptor::from);
        let (accepted, connections) = mpsc::channel(BACKLOG);
        tokio::spawn(accept(listener, acceptor, accepted));
        Ok((ReceiverStream::new(connections), self.directory))
    }
}

fn socket_path(directory: &TempDir) -> PathBuf {
    directory.path().join("plugin")
}

fn private_directory(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("tfk8s-").permissions(Permissions::from_mode(0o700));
    let directory = builder.tempdir_in(parent)?;
    if socket_path(&directory).as_os_str().len() <= LONGEST_PATH {
        return Ok(directory);
    }
    builder.tempdir_in("/tmp")
}

async fn accept(listener: UnixListener, acceptor: Option<TlsAcceptor>, accepted: mpsc::Sender<io::Result<Connection>>) {
    loop {
        let stream = tokio::select! {
            stream = listener.accept() => stream,
            () = accepted.closed() => return,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        tokio::spawn(let_in(stream, acceptor.clone(), accepted.clone()));
    }
}

async fn let_in(stream: UnixStream, acceptor: Option<TlsAcceptor>, accepted: mpsc::Sender<io::Result<Connection>>) {
    let connection = match acceptor {
        None => Connection::Plain(stream),
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Connection::Tls(Box::new(stream)),
            Ok(Err(error)) => return tracing::warn!(%error, "refused a connection to the plugin socket"),
            Err(_) => return tracing::warn!("a connection to the plugin socket never finished its TLS handshake"),
        },
    };
    // A server that has ended takes no more connections.
    let _ended = accepted.send(Ok(connection)).await;
}

/// A peer that may call.
pub(crate) enum Connection {
    Plain(UnixStream),
    Tls(Box<TlsStream<UnixStream>>),
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, buffer),
            Connection::Tls(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_can_enter_the_socket_directory_and_it_goes_away() {
        let parent = tempfile::tempdir().unwrap();
        let socket = Socket::bind(parent.path()).unwrap();
        let directory = socket.path().parent().unwrap().to_owned();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!directory.exists());
    }

    #[test]
    fn a_socket_left_behind_is_in_nobodys_way() {
        let parent = tempfile::tempdir().unwrap();
        std::mem::forget(Socket::bind(parent.path()).unwrap());
        assert!(Socket::bind(parent.path()).is_ok());
    }

    #[test]
    fn a_temporary_directory_with_a_long_path_is_left_aside() {
        let parent = tempfile::tempdir().unwrap();
        let long = parent.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let socket = Socket::bind(&long).unwrap();
        assert!(socket.path().starts_with("/tmp"));
    }
}
