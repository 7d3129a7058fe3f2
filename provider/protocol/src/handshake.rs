//! What an engine puts into the environment of a plugin, and the line that a plugin answers with. Wire facts are go-plugin's
//! (`server.go`, `client.go`); nothing here opens a socket.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Says "an engine started this", no more: it is neither secret nor authentication. The value is Terraform's and OpenTofu's alike.
const MAGIC_COOKIE: (&str, &str) = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// Versions of the provider protocol that the engine can speak, separated by commas.
const PROTOCOL_VERSIONS: &str = "PLUGIN_PROTOCOL_VERSIONS";
/// The engine's certificate as PEM; absent when the socket shall be plain.
const CLIENT_CERTIFICATE: &str = "PLUGIN_CLIENT_CERT";
/// Where the engine wants sockets to be (set when it runs plugins in containers).
const SOCKET_DIRECTORY: &str = "PLUGIN_UNIX_SOCKET_DIR";

/// go-plugin's own protocol, which frames the provider protocol.
const CORE_PROTOCOL: u32 = 1;
pub(crate) const PROVIDER_PROTOCOL: u32 = 6;

/// Why serving did not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Someone ran the binary by hand; `main` says what it is and how it is installed.
    #[error("this program is a provider: Terraform or OpenTofu starts it")]
    NotLaunchedByEngine,
    #[error(
        "the engine offers plugin protocols {offered:?}, this provider speaks 6: use Terraform 1.11 or OpenTofu 1.11 or newer"
    )]
    ProtocolNotOffered { offered: String },
    #[error("cannot listen on a Unix socket in {}: {source}", directory.display())]
    Socket { directory: PathBuf, source: std::io::Error },
    #[error("cannot prepare mutual TLS with the engine: {0}")]
    Tls(String),
    #[error("cannot write the handshake to standard output: {0}")]
    Handshake(std::io::Error),
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error("the plugin server stopped: {0}")]
    Serve(String),
}

/// What the engine asked for when it started this process.
pub struct Launch {
    /// PEM of the only certificate that may connect.
    pub client_certificate: Option<String>,
    /// The socket's own private directory is made in here.
    pub socket_directory: PathBuf,
}

impl Launch {
    pub fn from_environment() -> Result<Launch, ServeError> {
        parse_launch(|name| std::env::var(name).ok())
    }
}

fn parse_launch(variable: impl Fn(&str) -> Option<String>) -> Result<Launch, ServeError> {
    let (cookie_name, cookie_value) = MAGIC_COOKIE;
    if variable(cookie_name).as_deref() != Some(cookie_value) {
        return Err(ServeError::NotLaunchedByEngine);
    }
    let offered = variable(PROTOCOL_VERSIONS).unwrap_or_default();
    if !offered.split(',').any(|version| version.trim().parse() == Ok(PROVIDER_PROTOCOL)) {
        return Err(ServeError::ProtocolNotOffered { offered });
    }
    let filled = |name| variable(name).filter(|value| !value.is_empty());
    Ok(Launch {
        client_certificate: filled(CLIENT_CERTIFICATE),
        socket_directory: filled(SOCKET_DIRECTORY).map_or_else(std::env::temp_dir, PathBuf::from),
    })
}

/// `1|6|unix|<path>|grpc|<certificate>`, the certificate as unpadded base64 of its DER, empty when the socket is plain.
pub(crate) fn render_handshake_line(socket: &Path, certificate_der: Option<&[u8]>) -> String {
    let certificate = certificate_der.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    format!("{CORE_PROTOCOL}|{PROVIDER_PROTOCOL}|unix|{}|grpc|{certificate}", socket.display())
}

/// The value of `TF_REATTACH_PROVIDERS` that makes an engine use this process. `Test` keeps the engine from ending it.
pub(crate) fn render_reattach(address: &str, socket: &Path, process_id: u32) -> String {
    let reattach = serde_json::json!({
        address: {
            "Protocol": "grpc",
            "ProtocolVersion": PROVIDER_PROTOCOL,
            "Pid": process_id,
            "Test": true,
            "Addr": { "Network": "unix", "String": socket.to_string_lossy() },
        }
    });
    reattach.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Result<Launch, ServeError> {
        parse_launch(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn a_start_by_hand_is_told_from_a_start_by_the_engine() {
        assert!(matches!(launch(&[]), Err(ServeError::NotLaunchedByEngine)));
        assert!(matches!(launch(&[(MAGIC_COOKIE.0, "something else")]), Err(ServeError::NotLaunchedByEngine)));
    }

    #[test]
    fn only_protocol_6_is_taken() {
        for offered in ["", "5", "16", "4,5"] {
            let result = launch(&[MAGIC_COOKIE, (PROTOCOL_VERSIONS, offered)]);
            assert!(matches!(result, Err(ServeError::ProtocolNotOffered { .. })), "{offered}");
        }
        for offered in ["6", "5,6", "6,7"] {
            assert!(launch(&[MAGIC_COOKIE, (PROTOCOL_VERSIONS, offered)]).is_ok(), "{offered}");
        }
    }

    #[test]
    fn an_empty_certificate_means_a_plain_socket() {
        let launch = launch(&[MAGIC_COOKIE, (PROTOCOL_VERSIONS, "6"), (CLIENT_CERTIFICATE, "")]).unwrap();
        assert_eq!(launch.client_certificate, None);
    }

    #[test]
    fn the_handshake_line_has_six_fields_and_no_padding() {
        assert_eq!(render_handshake_line(Path::new("/run/s"), Some(b"a")), "1|6|unix|/run/s|grpc|YQ");
        assert_eq!(render_handshake_line(Path::new("/run/s"), None), "1|6|unix|/run/s|grpc|");
    }
}
