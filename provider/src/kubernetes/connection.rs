//! A client for the API server of one control-plane host: its admin kubeconfig is read over SSH, and the connection runs
//! through the same SSH session.

use super::KubernetesError;
use super::objects::Kinds;
use bundle::HostPath;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use machines::{LocalForward, Machine};
use render::component::CONTROLLER_MANAGER;
use render::control_plane::ADMIN_KUBECONFIG;
use std::time::Duration;
use tokio::sync::Mutex;

/// The serving certificate of every API server carries this name, whatever address the tunnel has.
const SERVER_NAME: &str = "kubernetes";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(30);

pub struct KubernetesApi {
    pub(super) client: Client,
    pub(super) host: String,
    /// Served by it, as far as it was asked.
    pub(super) kinds: Mutex<Kinds>,
    _forward: LocalForward,
}

impl KubernetesApi {
    /// Connects to the API server on the machine itself, whatever the load balancer does. Where it listens stands in the kubeconfig of
    /// the controller manager, which is a client of the same API server.
    pub async fn connect(machine: &Machine) -> Result<KubernetesApi, KubernetesError> {
        let host = machine.target().name.to_string();
        let local_path = CONTROLLER_MANAGER.kubeconfig();
        let (admin, local) = tokio::try_join!(read(machine, ADMIN_KUBECONFIG), read(machine, &local_path))?;
        let unreadable = |path: &str, reason: &str| unreadable(machine, path, reason);
        let (server, port) = server(local).ok_or_else(|| unreadable(&local_path, "it names no server"))?;
        let forward = machine.forward(&server, port).await?;
        let config = tunnelled(admin, forward.port())
            .await
            .ok_or_else(|| unreadable(ADMIN_KUBECONFIG, "its cluster or its credentials cannot be used"))?;
        let client = Client::try_from(config).map_err(|source| KubernetesError::Api {
            host: host.clone(),
            operation: "open a connection".into(),
            source: Box::new(source),
        })?;
        Ok(KubernetesApi { client, host, kinds: Mutex::default(), _forward: forward })
    }

    /// Its version, such as `v1.36.3`: one cheap request, so that a host whose API server is down is passed over at once.
    pub async fn version(&self) -> Result<String, KubernetesError> {
        self.client.apiserver_version().await.map(|version| version.git_version).map_err(self.refused("answer"))
    }

    pub(super) fn refused(&self, operation: impl Into<String>) -> impl FnOnce(kube::Error) -> KubernetesError {
        let (host, operation) = (self.host.clone(), operation.into());
        move |source| KubernetesError::Api { host, operation, source: Box::new(source) }
    }
}

fn unreadable(machine: &Machine, path: &str, reason: &str) -> KubernetesError {
    KubernetesError::Kubeconfig { host: machine.target().name.to_string(), path: path.into(), reason: reason.into() }
}

/// The reasons of the parsers are left out: they may quote the file.
async fn read(machine: &Machine, path: &str) -> Result<Kubeconfig, KubernetesError> {
    let bytes = machine.read_file(&HostPath::literal(path)).await?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(machine, path, "it is not text"))?;
    Kubeconfig::from_yaml(&text).map_err(|_| unreadable(machine, path, "it is not a kubeconfig"))
}

/// Host and port of the first cluster.
fn server(kubeconfig: Kubeconfig) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(&kubeconfig.clusters.into_iter().next()?.cluster?.server?).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_string();
    Some((host, url.port_or_known_default()?))
}

/// Through a port of this machine. A proxy of the environment would look for that port on its own machine.
async fn tunnelled(mut kubeconfig: Kubeconfig, port: u16) -> Option<kube::Config> {
    let cluster = kubeconfig.clusters.first_mut()?.cluster.as_mut()?;
    cluster.server = Some(format!("https://127.0.0.1:{port}"));
    cluster.tls_server_name = Some(SERVER_NAME.into());
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.ok()?;
    config.proxy_url = None;
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = Some(READ_LIMIT);
    // It would repeat a call for minutes, unheard and after the user has stopped: a refused eviction is asked for again by the drain.
    config.default_retry = false;
    Some(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "kubernetes::connection::tests::no_proxy_of_the_environment_is_asked_for_the_tunnel";

    fn kubeconfig(server: &str) -> Kubeconfig {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        );
        Kubeconfig::from_yaml(&text).unwrap()
    }

    /// The environment of a process is changed for a child only: this test once more.
    #[tokio::test]
    async fn no_proxy_of_the_environment_is_asked_for_the_tunnel() {
        let config = tunnelled(kubeconfig("https://api.demo.internal:6443"), 4321).await.unwrap();
        assert_eq!((config.proxy_url, config.cluster_url.to_string()), (None, "https://127.0.0.1:4321/".to_string()));
        if std::env::var_os("HTTPS_PROXY").is_none() {
            let mut again = std::process::Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", TEST]).env("HTTPS_PROXY", "http://proxy.example:3128");
            let output = again.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
        }
    }

    #[test]
    fn the_port_of_the_api_server_is_the_one_that_its_neighbours_use() {
        assert_eq!(server(kubeconfig("https://127.0.0.1:7443")), Some(("127.0.0.1".into(), 7443)));
        assert_eq!(server(kubeconfig("https://[::1]:6443")), Some(("::1".into(), 6443)));
    }
}
