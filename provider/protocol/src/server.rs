//! The life of the plugin process: bind, answer the handshake, serve, end. What is served stands in [`crate::service`].

use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::calls::Calls;
use crate::controller::Controller;
use crate::handshake::{Launch, ServeError, render_handshake_line, render_reattach};
use crate::log::subscribe_to_standard_error;
use crate::provider::Provider;
use crate::service::Service;
use crate::socket::Socket;
use crate::tls::{ServerTls, server_tls};
use crate::wire::health::health_server::HealthServer;
use crate::wire::plugin::grpc_controller_server::GrpcControllerServer;
use crate::wire::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::wire::tfplugin6::provider_server::ProviderServer;

/// Bundles of a large cluster pass through a state; go-plugin's default of 4 MiB is far too small and the engine sets no limit.
const LONGEST_MESSAGE: usize = 1 << 30;
/// How often to look whether the engine is still there.
const PARENT_INTERVAL: Duration = Duration::from_secs(1);
/// How long work may take to reach a safe point when the engine died. Nobody will take its result.
const ORPHAN_LIMIT: Duration = Duration::from_secs(60);
/// How long connections may take to close once the engine asked for the end; it kills after two seconds.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Work waits for hosts, not for processors.
const MOST_WORKERS: usize = 8;

/// Serves `provider` to the engine that started this process, until the engine ends it or dies. Make nothing heavy in the
/// provider before this: the engine waits for the handshake line.
pub fn serve(provider: Arc<dyn Provider>) -> Result<(), ServeError> {
    // First of all: an engine that ends from now on is noticed.
    let engine = parent_id();
    let launch = Launch::from_environment()?;
    let server = Server::bind(&launch)?;
    block_on(async move {
        let signals = Signals::catch()?;
        print_line(&server.handshake_line())?;
        subscribe_to_standard_error();
        server.run(provider, Until::EngineEnds { engine, signals }).await
    })
}

/// Serves `provider` at `address` (`registry.terraform.io/<namespace>/k8s`) to any engine of this user whose
/// `TF_REATTACH_PROVIDERS` has the printed value, until interrupted. The socket is plain, its directory private.
pub fn serve_for_debugging(provider: Arc<dyn Provider>, address: &str) -> Result<(), ServeError> {
    let launch = Launch { client_certificate: None, socket_directory: std::env::temp_dir() };
    let server = Server::bind(&launch)?;
    block_on(async move {
        let signals = Signals::catch()?;
        let reattach = render_reattach(address, &server.socket_path(), std::process::id());
        print_line(&format!("TF_REATTACH_PROVIDERS='{reattach}'"))?;
        subscribe_to_standard_error();
        server.run(provider, Until::Interrupted(signals)).await
    })
}

fn block_on(serving: impl Future<Output = Result<(), ServeError>>) -> Result<(), ServeError> {
    let runtime = runtime().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(serving);
    // Blocking work (a name look-up, say) must not hold the process.
    runtime.shutdown_background();
    result
}

fn runtime() -> std::io::Result<Runtime> {
    let workers = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, MOST_WORKERS));
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

fn print_line(line: &str) -> Result<(), ServeError> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(ServeError::Handshake)
}

/// A bound socket that an engine can connect to already; [`Server::serve`] answers it.
pub struct Server {
    socket: Socket,
    tls: Option<ServerTls>,
}

impl Server {
    pub fn bind(launch: &Launch) -> Result<Server, ServeError> {
        let tls = launch.client_certificate.as_deref().map(server_tls).transpose()?;
        let socket = Socket::bind(&launch.socket_directory)
            .map_err(|source| ServeError::Socket { directory: launch.socket_directory.clone(), source })?;
        Ok(Server { socket, tls })
    }

    /// The line that the engine reads from standard output.
    pub fn handshake_line(&self) -> String {
        render_handshake_line(&self.socket.path(), self.tls.as_ref().map(|tls| tls.certificate.as_ref()))
    }

    pub fn socket_path(&self) -> PathBuf {
        self.socket.path()
    }

    /// Serves until an engine calls `Shutdown`. Minds neither signals nor the parent process: that is [`serve`]'s.
    pub async fn serve(self, provider: Arc<dyn Provider>) -> Result<(), ServeError> {
        self.run(provider, Until::Shutdown).await
    }

    async fn run(self, provider: Arc<dyn Provider>, until: Until) -> Result<(), ServeError> {
        let calls = Arc::new(Calls::new());
        let controller = Controller { shutdown: CancellationToken::new() };
        let shutdown = controller.shutdown.clone();
        let watch = tokio::spawn(until.watch(calls.clone(), shutdown.clone()));

        let tls = self.tls.map(|tls| tls.config);
        let parent = self.socket.path();
        let (connections, directory) =
            self.socket.into_connections(tls).map_err(|source| ServeError::Socket { directory: parent, source })?;
        let provider = ProviderServer::new(Service::new(provider, calls.clone()))
            .max_decoding_message_size(LONGEST_MESSAGE)
            .max_encoding_message_size(LONGEST_MESSAGE);
        let serving = tonic::transport::Server::builder()
            .add_service(provider)
            .add_service(HealthServer::new(controller.clone()))
            .add_service(GrpcControllerServer::new(controller.clone()))
            .add_service(GrpcStdioServer::new(controller))
            .serve_with_incoming_shutdown(connections, shutdown.clone().cancelled_owned());
        let closed = async {
            shutdown.cancelled().await;
            tokio::time::sleep(CLOSE_LIMIT).await;
        };
        let result = tokio::select! {
            result = serving => result.map_err(|error| ServeError::Serve(error.to_string())),
            () = closed => Ok(()),
        };
        watch.abort();
        // A failure to remove an empty private directory is nobody's concern.
        let _left_behind = directory.close();
        result
    }
}

/// What ends serving, besides the engine's `Shutdown`.
enum Until {
    Shutdown,
    EngineEnds { engine: u32, signals: Signals },
    Interrupted(Signals),
}

impl Until {
    async fn watch(self, calls: Arc<Calls>, shutdown: CancellationToken) {
        match self {
            Until::Shutdown => {}
            Until::EngineEnds { engine, signals } => {
                tokio::select! {
                    () = signals.heed_as_an_engine_would(&calls) => {}
                    () = ended(engine) => tracing::warn!("the engine is gone: work ends at its next safe point"),
                }
                calls.cancel();
                calls.idle(ORPHAN_LIMIT).await;
                shutdown.cancel();
            }
            Until::Interrupted(mut signals) => {
                signals.any().await;
                calls.cancel();
                calls.idle(ORPHAN_LIMIT).await;
                shutdown.cancel();
            }
        }
    }
}

/// An orphan is adopted by another process. Standard input says nothing: it is the engine's own.
async fn ended(parent: u32) {
    while parent_id() == parent {
        tokio::time::sleep(PARENT_INTERVAL).await;
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> Result<Signals, ServeError> {
        let catch = |kind| signal(kind).map_err(ServeError::Runtime);
        Ok(Signals {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// Ctrl-C reaches the whole process group, but it is the engine that decides: it calls `StopProvider`. A SIGTERM sent to
    /// this process alone does the same, so that the engine still gets an answer for what is under way; so does a terminal that closes,
    /// which may leave no engine to decide. Never returns.
    async fn heed_as_an_engine_would(mut self, calls: &Calls) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => tracing::debug!("interrupted: the engine decides"),
                _ = self.terminate.recv() => calls.cancel(),
                _ = self.hang_up.recv() => calls.cancel(),
            }
        }
    }
}
