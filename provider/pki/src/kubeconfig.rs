//! Pure: renders a kubeconfig with everything embedded, so that it is one file that works anywhere.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::{PrivatePem, Secret};

/// What a kubeconfig names: one cluster, one user, one context.
pub struct Kubeconfig<'a> {
    pub cluster_name: &'a str,
    /// URL of the API server.
    pub server: &'a str,
    /// The authority of API server certificates; several during a rotation.
    pub certificate_authority_pem: &'a str,
    /// Name of the entry only: the API server takes the user from the certificate or token.
    pub user: &'a str,
    pub credentials: KubeconfigCredentials<'a>,
}

/// How the user of a kubeconfig authenticates.
pub enum KubeconfigCredentials<'a> {
    Client { certificate_pem: &'a str, key_pem: &'a PrivatePem },
    Token(&'a Secret),
}

/// The kubeconfig as YAML. The text is secret; it is the same for the same input.
pub fn kubeconfig(kubeconfig: &Kubeconfig<'_>) -> String {
    let cluster = quoted(kubeconfig.cluster_name);
    let user = quoted(kubeconfig.user);
    let context = quoted(&format!("{}@{}", kubeconfig.user, kubeconfig.cluster_name));
    let server = quoted(kubeconfig.server);
    let authority = BASE64_STANDARD.encode(kubeconfig.certificate_authority_pem);
    let credentials = match &kubeconfig.credentials {
        KubeconfigCredentials::Client { certificate_pem, key_pem } => format!(
            "client-certificate-data: {}\n    client-key-data: {}",
            BASE64_STANDARD.encode(certificate_pem),
            BASE64_STANDARD.encode(key_pem.expose())
        ),
        KubeconfigCredentials::Token(token) => format!("token: {}", quoted(token.expose())),
    };
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {user}
  user:
    {credentials}
contexts:
- name: {context}
  context:
    cluster: {cluster}
    user: {user}
current-context: {context}
preferences: {{}}
"
    )
}

/// A string of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
