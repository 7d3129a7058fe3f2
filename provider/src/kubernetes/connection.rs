//! A client for the API server of one control-plane host: its admin kubeconfig is read over SSH, and the connection runs
//! through the same SSH session.

use super::KubernetesError;
use bundle::HostPath;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use machines::{LocalForward, Machine};
use render::control_plane::ADMIN_KUBECONFIG;
use std::time::Duration;

const API_SERVER_PORT: u16 = 6443;
/// The serving certificate of every API server carries this name, whatever address the tunnel has.
const SERVER_NAME: &str = "kubernetes";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(30);

pub struct KubernetesApi {
    pub(super) client: Client,
    pub(super) host: String,
    _forward: LocalForward,
}

impl KubernetesApi {
    /// Connects to the API server on the machine itself, whatever the load balancer does.
    pub async fn connect(machine: &Machine) -> Result<KubernetesApi, KubernetesError> {
        let host = machine.target().name.to_string();
        let unreadable =
            |reason: &str| KubernetesError::Kubeconfig { host: host.clone(), path: ADMIN_KUBECONFIG, reason: reason.into() };
        let bytes = machine.read_file(&HostPath::literal(ADMIN_KUBECONFIG)).await?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not text"))?;
        // The reasons of the parsers are left out: they may quote the file.
        let mut kubeconfig = Kubeconfig::from_yaml(&text).map_err(|_| unreadable("it is not a kubeconfig"))?;
        let forward = machine.forward("localhost", API_SERVER_PORT).await?;
        let cluster = kubeconfig
            .clusters
            .first_mut()
            .and_then(|named| named.cluster.as_mut())
            .ok_or_else(|| unreadable("it names no cluster"))?;
        cluster.server = Some(format!("https://127.0.0.1:{}", forward.port()));
        cluster.tls_server_name = Some(SERVER_NAME.into());
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(|_| unreadable("its credentials cannot be used"))?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        config.read_timeout = Some(READ_LIMIT);
        let client = Client::try_from(config).map_err(|source| KubernetesError::Api {
            host: host.clone(),
            operation: "open a connection".into(),
            source: Box::new(source),
        })?;
        Ok(KubernetesApi { client, host, _forward: forward })
    }

    /// One cheap request, so that a host whose API server is down is passed over at once.
    pub async fn probe(&self) -> Result<(), KubernetesError> {
        self.client.apiserver_version().await.map(drop).map_err(self.refused("answer"))
    }

    pub(super) fn refused(&self, operation: impl Into<String>) -> impl FnOnce(kube::Error) -> KubernetesError {
        let (host, operation) = (self.host.clone(), operation.into());
        move |source| KubernetesError::Api { host, operation, source: Box::new(source) }
    }
}
