//! Certificates, keys and kubeconfigs of a control-plane host as files of its bundle.

use super::{ADMIN_KUBECONFIG, Context, KUBE_PROXY_KUBECONFIG};
use crate::component::Component;
use crate::kubeconfig::{Authority, Identity, Kubeconfig, render_kubeconfig};
use crate::spec::{ClusterSpec, Credentials, RenderError};
use bundle::{Bundle, File, HostPath};

pub(super) const ETCD_PKI: &str = "/etc/etcd/pki";
pub(super) const KUBERNETES_PKI: &str = "/etc/kubernetes/pki";

/// Adds files to a bundle and remembers them as what one unit reads.
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    bundle: &'a mut Bundle,
    pub reads: Vec<HostPath>,
}

impl<'a> Reader<'a> {
    /// Writes into this bundle.
    pub fn new(context: &'a Context<'a>, bundle: &'a mut Bundle) -> Self {
        Reader { context, bundle, reads: Vec::new() }
    }

    /// A program that the unit starts.
    pub fn program(&mut self, path: &str) -> String {
        self.reads.push(HostPath::literal(path));
        path.to_string()
    }

    /// Adds a file and returns its path, for the flag that names it.
    pub fn file(&mut self, path: &str, file: File) -> String {
        let host_path = HostPath::literal(path);
        self.bundle.files.insert(host_path.clone(), file);
        self.reads.push(host_path);
        path.to_string()
    }

    /// Adds a certificate of the credentials by name. Fails when there is none.
    pub fn certificate(&mut self, folder: &str, file_name: &str, name: &str) -> Result<String, RenderError> {
        let pem = certificate(self.context.credentials, name)?;
        Ok(self.file(&format!("{folder}/{file_name}.crt"), File::public(pem)))
    }

    /// Adds a private key of the credentials by name. Fails when there is none.
    pub fn private_key(&mut self, folder: &str, file_name: &str, name: &str) -> Result<String, RenderError> {
        let pem = private_key(self.context.credentials, name)?;
        Ok(self.file(&format!("{folder}/{file_name}.key"), File::private(pem)))
    }

    /// A kubeconfig with the client certificate of the component towards the API server of this host.
    pub fn local_kubeconfig(&mut self, component: &Component) -> Result<String, RenderError> {
        let (spec, credentials) = (self.context.spec, self.context.credentials);
        let text = client_kubeconfig(spec, credentials, component.kubeconfig_user, &self.context.local_server())?;
        Ok(self.file(&component.kubeconfig(), File::private(text)))
    }
}

/// `None` of this and of what is made of it: known after apply.
pub(super) fn certificate<'a>(credentials: &'a Credentials, name: &str) -> Result<Option<&'a str>, RenderError> {
    credentials.certificates.get(name).ok_or_else(|| RenderError::MissingCertificate(name.to_string()))
}

pub(super) fn private_key<'a>(credentials: &'a Credentials, name: &str) -> Result<Option<&'a str>, RenderError> {
    credentials.private_keys.get(name).ok_or_else(|| RenderError::MissingPrivateKey(name.to_string()))
}

/// While an authority is rotated its text holds the old and the new certificate; the first one is the one that signs.
pub(super) fn signing_certificate<'a>(credentials: &'a Credentials, name: &str) -> Result<Option<&'a str>, RenderError> {
    const END: &str = "-----END CERTIFICATE-----";
    let first = |pem: &'a str| pem.find(END).and_then(|at| pem.get(..at + END.len())).unwrap_or(pem);
    Ok(certificate(credentials, name)?.map(first))
}

/// The kubeconfig of an administrator, towards the cluster's endpoint.
///
/// # Errors
/// When the certificate or key `admin`, or the certificate of the API server's authority, is missing.
pub fn admin_kubeconfig(spec: &ClusterSpec, credentials: &Credentials) -> Result<Option<String>, RenderError> {
    client_kubeconfig(spec, credentials, "admin", &spec.endpoint.url())
}

/// The kubeconfig of kube-proxy, which nodes fetch from a control-plane host; plans need its digest only.
///
/// # Errors
/// When the certificate or key `kube-proxy`, or the certificate of the API server's authority, is missing.
pub fn kube_proxy_kubeconfig(spec: &ClusterSpec, credentials: &Credentials) -> Result<Option<String>, RenderError> {
    client_kubeconfig(spec, credentials, "kube-proxy", &spec.endpoint.url())
}

pub(super) fn add_client_kubeconfigs(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let admin = admin_kubeconfig(context.spec, context.credentials)?;
    let kube_proxy = kube_proxy_kubeconfig(context.spec, context.credentials)?;
    bundle.files.insert(HostPath::literal(ADMIN_KUBECONFIG), File::private(admin));
    bundle.files.insert(HostPath::literal(KUBE_PROXY_KUBECONFIG), File::private(kube_proxy));
    Ok(())
}

fn client_kubeconfig(
    spec: &ClusterSpec,
    credentials: &Credentials,
    name: &str,
    server: &str,
) -> Result<Option<String>, RenderError> {
    let parts = (certificate(credentials, "apiserver-ca")?, certificate(credentials, name)?, private_key(credentials, name)?);
    let (Some(pem), Some(certificate), Some(private_key)) = parts else { return Ok(None) };
    Ok(Some(render_kubeconfig(&Kubeconfig {
        cluster_name: &spec.name,
        server,
        authority: Authority::Embedded { pem },
        user: name,
        identity: Identity::ClientCertificate { certificate, private_key },
    })))
}
