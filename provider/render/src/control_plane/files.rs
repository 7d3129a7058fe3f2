//! Certificates, keys and kubeconfigs of a control-plane host as files of its bundle.

use super::{ADMIN_KUBECONFIG, Context, KUBE_PROXY_KUBECONFIG};
use crate::component::Component;
use crate::kubeconfig::{Identity, Kubeconfig, Trust, render_kubeconfig};
use crate::spec::{ClusterSpec, RenderError};
use bundle::{Bundle, Content, File, HostPath};
use credentials::{Credentials, Part, Secret};

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
        let path = format!("{folder}/{file_name}.crt");
        self.mark_own(&path, name);
        Ok(self.file(&path, File::public(pem.known())))
    }

    /// The one certificate of an authority that signs, for what does not take all that are trusted.
    pub fn signing_certificate(&mut self, folder: &str, file_name: &str, name: &str) -> Result<String, RenderError> {
        let authority = self.context.credentials.authority(name);
        let authority = authority.ok_or_else(|| RenderError::MissingCertificate(name.to_string()))?;
        let signing = authority.known().map(|authority| format!("{}\n", authority.signing.trim_end()));
        Ok(self.file(&format!("{folder}/{file_name}.crt"), File::public(signing)))
    }

    /// Adds a private key of the credentials by name. Fails when there is none.
    pub fn private_key(&mut self, folder: &str, file_name: &str, name: &str) -> Result<String, RenderError> {
        let pem = private_key(self.context.credentials, name)?.known().map(Secret::reveal);
        let path = format!("{folder}/{file_name}.key");
        self.mark_own(&path, name);
        Ok(self.file(&path, File::private(pem)))
    }

    /// A certificate or key `etcd-peer/cp-1` is that of one host.
    fn mark_own(&mut self, path: &str, name: &str) {
        self.bundle.own.extend(name.contains('/').then(|| HostPath::literal(path)));
    }

    /// Adds a public key of the credentials by name. Fails when there is none.
    pub fn public_key(&mut self, folder: &str, name: &str) -> Result<String, RenderError> {
        let key = self.context.credentials.public_key(name);
        let key = key.ok_or_else(|| RenderError::MissingPublicKey(name.to_string()))?;
        Ok(self.file(&format!("{folder}/{name}.pub"), File::public(key.known())))
    }

    /// A kubeconfig with the client certificate of the component towards the API server of this host.
    pub fn local_kubeconfig(&mut self, component: &Component) -> Result<String, RenderError> {
        let (spec, credentials) = (self.context.spec, self.context.credentials);
        let text = client_kubeconfig(&spec.name, credentials, component.kubeconfig_user, &self.context.local_server())?;
        if !self.context.is_local_server_of_all() {
            self.bundle.own.insert(HostPath::literal(&component.kubeconfig()));
        }
        Ok(self.file(&component.kubeconfig(), kubeconfig_file(text)))
    }
}

pub(crate) fn kubeconfig_file(text: Part<Secret>) -> File {
    File::private(text.known().map(|text| Content::new(text.reveal())))
}

fn certificate(credentials: &Credentials, name: &str) -> Result<Part<String>, RenderError> {
    credentials.certificate(name).ok_or_else(|| RenderError::MissingCertificate(name.to_string()))
}

fn private_key<'a>(credentials: &'a Credentials, name: &str) -> Result<Part<&'a Secret>, RenderError> {
    credentials.private_key(name).ok_or_else(|| RenderError::MissingPrivateKey(name.to_string()))
}

/// The kubeconfig of an administrator, towards the cluster's endpoint; unknown while a part of it is.
///
/// # Errors
/// When the certificate or key `admin`, or the certificate of the API server's authority, is missing.
pub fn admin_kubeconfig(spec: &ClusterSpec, credentials: &Credentials) -> Result<Part<Secret>, RenderError> {
    client_kubeconfig(&spec.name, credentials, "admin", &spec.endpoint.url())
}

/// The kubeconfig of kube-proxy, which nodes fetch from a control-plane host; plans need its digest only.
///
/// # Errors
/// When the certificate or key `kube-proxy`, or the certificate of the API server's authority, is missing.
pub fn kube_proxy_kubeconfig(spec: &ClusterSpec, credentials: &Credentials) -> Result<Part<Secret>, RenderError> {
    client_kubeconfig(&spec.name, credentials, "kube-proxy", &spec.endpoint.url())
}

pub(super) fn add_client_kubeconfigs(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let admin = admin_kubeconfig(context.spec, context.credentials)?;
    let kube_proxy = kube_proxy_kubeconfig(context.spec, context.credentials)?;
    for (path, text) in [(ADMIN_KUBECONFIG, admin), (KUBE_PROXY_KUBECONFIG, kube_proxy)] {
        bundle.files.insert(HostPath::literal(path), kubeconfig_file(text));
    }
    Ok(())
}

pub(crate) fn client_kubeconfig(
    cluster_name: &str,
    credentials: &Credentials,
    name: &str,
    server: &str,
) -> Result<Part<Secret>, RenderError> {
    let parts = certificate(credentials, "apiserver-ca")?.and(certificate(credentials, name)?);
    Ok(parts.and(private_key(credentials, name)?).map(|((authority, certificate), private_key)| {
        render_kubeconfig(&Kubeconfig {
            cluster_name,
            server,
            trust: Trust::Embedded { pem: &authority },
            user: name,
            identity: Identity::ClientCertificate { certificate: &certificate, private_key },
        })
    }))
}
