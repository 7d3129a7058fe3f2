//! Text of kubeconfigs: one file that works anywhere, with the client's certificate and key, or a token, in it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use credentials::Secret;

/// What a kubeconfig names: one cluster, one user, one context.
pub struct Kubeconfig<'a> {
    pub cluster_name: &'a str,
    /// URL of the API server.
    pub server: &'a str,
    pub trust: Trust<'a>,
    /// Name of the entry only: the API server takes the user from the certificate or token.
    pub user: &'a str,
    pub identity: Identity<'a>,
}

/// How the client verifies the API server.
pub enum Trust<'a> {
    /// The certificates that are trusted, in PEM.
    Embedded { pem: &'a str },
    /// A path on the host, for a kubeconfig that outlives a change of the authority.
    File { path: &'a str },
}

/// How the user of a kubeconfig authenticates.
pub enum Identity<'a> {
    ClientCertificate { certificate: &'a str, private_key: &'a Secret },
    Token(&'a Secret),
}

/// The kubeconfig in YAML; the same for the same input.
pub fn render_kubeconfig(kubeconfig: &Kubeconfig) -> Secret {
    let cluster = quoted(kubeconfig.cluster_name);
    let user = quoted(kubeconfig.user);
    let context = quoted(&format!("{}@{}", kubeconfig.user, kubeconfig.cluster_name));
    let server = quoted(kubeconfig.server);
    let authority = match kubeconfig.trust {
        Trust::Embedded { pem } => format!("certificate-authority-data: {}", BASE64_STANDARD.encode(pem)),
        Trust::File { path } => format!("certificate-authority: {}", quoted(path)),
    };
    let identity = match kubeconfig.identity {
        Identity::ClientCertificate { certificate, private_key } => format!(
            "client-certificate-data: {}\n    client-key-data: {}",
            BASE64_STANDARD.encode(certificate),
            BASE64_STANDARD.encode(private_key.reveal())
        ),
        Identity::Token(token) => format!("token: {}", quoted(token.reveal())),
    };
    Secret::new(format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    {authority}
users:
- name: {user}
  user:
    {identity}
contexts:
- name: {context}
  context:
    cluster: {cluster}
    user: {user}
current-context: {context}
preferences: {{}}
"
    ))
}

/// A string of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
