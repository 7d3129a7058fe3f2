//! The AWS cloud controller manager on control-plane hosts: a systemd unit with a client certificate of its own, beside the API server, and what it may do
//! in the cluster. Nothing here shares a path with `control_plane` or `node`.

pub mod cloud_conf;
pub mod image;
mod objects;
pub mod releases;

pub use objects::objects;

use crate::component::{API_SERVER, CLOUD_CONTROLLER};
use crate::control_plane::{KUBECTL, binds, client_kubeconfig, health_check, kubeconfig_file, loopback, url};
use crate::spec::{Host, Hosts, RenderError};
use crate::systemd::{Flags, controller_unit};
use bundle::{Binary, Bundle, Content, File, HostName, HostPath};
use credentials::{Credentials, Secret};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// The user of its client certificate, as `k8s_pki` issues it: what it may do is bound to this one.
pub const USER: &str = "system:cloud-controller-manager";
/// Where the program stands in its image (`Dockerfile` of kubernetes/cloud-provider-aws): the last layer has it alone.
pub const MEMBER: &str = "bin/aws-cloud-controller-manager";
/// What it reads, beside its kubeconfig.
const FOLDER: &str = "/etc/kubernetes/cloud-controller-manager";
/// What it trusts, by their names among the credentials.
const AUTHORITIES: [&str; 2] = ["cluster-ca", "front-proxy-ca"];

/// Why something does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What its hosts run.
#[derive(Clone)]
pub struct CloudControllerSpec {
    pub cluster_name: String,
    pub hosts: Hosts,
    /// URL of the API server that it asks; where there is none, the one of its own host.
    pub api_server: Option<String>,
    /// `None` while it is unknown.
    pub cloud_conf: Option<String>,
    /// Variables of its environment. Of `None`, something is unknown.
    pub environment: Option<BTreeMap<String, Secret>>,
    /// Flags without the leading dashes; they win over the renderer's own.
    pub flags: BTreeMap<String, String>,
}

/// # Errors
/// When the host is none of the spec's, or a certificate or key is missing.
pub fn render(
    spec: &CloudControllerSpec,
    credentials: &Credentials,
    program: Binary,
    host: &HostName,
) -> Result<Bundle, RenderError> {
    let host = spec.hosts.get(host).ok_or_else(|| RenderError::UnknownHost(host.clone()))?;
    let mut bundle = Bundle::default();
    let program_path = HostPath::literal(CLOUD_CONTROLLER.program);
    bundle.binaries.insert(program_path.clone(), program);
    let mut add = |path: &str, file: File| {
        bundle.files.insert(HostPath::literal(path), file);
    };
    for name in AUTHORITIES {
        let pem = credentials.certificate(name).ok_or_else(|| RenderError::MissingCertificate(name.to_string()))?;
        add(&format!("{FOLDER}/{name}.crt"), File::public(pem.known()));
    }
    let server = spec.api_server.clone().unwrap_or_else(|| local_server(host));
    let kubeconfig = client_kubeconfig(&spec.cluster_name, credentials, CLOUD_CONTROLLER.kubeconfig_user, &server)?;
    add(&CLOUD_CONTROLLER.kubeconfig(), kubeconfig_file(kubeconfig));
    add(&format!("{FOLDER}/cloud.conf"), File::public(spec.cloud_conf.clone()));
    let environment = spec.environment.as_ref().map(|all| Content::new(environment(all)));
    add(&format!("{FOLDER}/environment"), File::private(environment));
    let mut reads: Vec<HostPath> = bundle.files.keys().cloned().collect();
    reads.push(program_path);
    if spec.api_server.is_none() && spec.hosts.values().any(|other| local_server(other) != server) {
        bundle.own.insert(HostPath::literal(&CLOUD_CONTROLLER.kubeconfig()));
    }
    let flags = flags(spec, host);
    if spec.hosts.values().any(|other| loopback(other) != loopback(host)) {
        bundle.own.insert(CLOUD_CONTROLLER.unit().path());
    }
    let health_check = [health_check(&CLOUD_CONTROLLER, &flags), Some(may_lead(&flags))].into_iter().flatten();
    let checks = (Some(health_check.collect::<Vec<_>>().join(" && ")), CLOUD_CONTROLLER.check(&flags, &[]));
    bundle.needs.listen(&CLOUD_CONTROLLER.unit(), binds(&CLOUD_CONTROLLER, &flags));
    let command_line = flags.command_line(CLOUD_CONTROLLER.program);
    let unit_file = controller_unit(
        "AWS cloud controller manager",
        "https://cloud-provider-aws.sigs.k8s.io/",
        &format!("EnvironmentFile={FOLDER}/environment\nExecStart={command_line}\nRestart=always\nRestartSec=5"),
    );
    CLOUD_CONTROLLER.add_with_checks(&mut bundle, unit_file, reads, checks);
    Ok(bundle)
}

/// Whether a file of its bundle is made of credentials.
pub fn is_of_credentials(path: &HostPath) -> bool {
    let path = path.as_str();
    path == CLOUD_CONTROLLER.kubeconfig() || AUTHORITIES.iter().any(|name| path == format!("{FOLDER}/{name}.crt"))
}

/// The API server's port, unless its flags say otherwise.
fn local_server(host: &Host) -> String {
    url("https", loopback(host), API_SERVER.port)
}

fn flags(spec: &CloudControllerSpec, host: &Host) -> Flags {
    let kubeconfig = CLOUD_CONTROLLER.kubeconfig();
    Flags::new()
        .set("cloud-provider", "aws")
        .set("cloud-config", format!("{FOLDER}/cloud.conf"))
        .set("cluster-name", &spec.cluster_name)
        .set("kubeconfig", &kubeconfig)
        .set("authentication-kubeconfig", &kubeconfig)
        .set("authorization-kubeconfig", &kubeconfig)
        .set("bind-address", loopback(host).to_string())
        // Without these two it looks the authorities up in the cluster, for which it would need one more permission.
        .set("client-ca-file", format!("{FOLDER}/cluster-ca.crt"))
        .set("requestheader-client-ca-file", format!("{FOLDER}/front-proxy-ca.crt"))
        .set("requestheader-allowed-names", "front-proxy-client")
        .set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .set("requestheader-group-headers", "X-Remote-Group")
        .set("requestheader-username-headers", "X-Remote-User")
        // Pods' networks are handed out by kube-controller-manager; routes of a VPC are IPv4 alone.
        .set("allocate-node-cidrs", "false")
        .set("configure-cloud-routes", "false")
        .set("leader-elect", "true")
        // One identity: its own certificate, and no permission to make tokens.
        .set("use-service-account-credentials", "false")
        .set("profiling", "false")
        .set("v", "2")
        .overridden_by(&spec.flags)
}

/// Asks the API server that it asks, as whom it asks, whether that one may lead: a controller whose lease is refused, or whose API server does not answer, stays
/// up and is healthy by its own account. Source: SelfSubjectAccessReview of the Kubernetes API.
fn may_lead(flags: &Flags) -> String {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "group": "coordination.k8s.io", "resource": "leases", "namespace": "kube-system", "verb": "update" } },
    });
    let kubeconfig = flags.get("kubeconfig").unwrap_or_default();
    format!(
        "answer=$(printf %s '{review}' | {KUBECTL} --kubeconfig='{kubeconfig}' --request-timeout=3s create --raw=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews -f -) && \
         {{ printf %s \"$answer\" | grep -q '\"allowed\":true' || {{ echo 'its user may not update leases in kube-system' >&2; false; }}; }}"
    )
}

/// Source of the quoting: systemd.exec(5), `EnvironmentFile=`.
fn environment(all: &BTreeMap<String, Secret>) -> String {
    let escaped = |value: &Secret| {
        let mut text = String::new();
        for c in value.reveal().chars() {
            if "\"\\`$".contains(c) {
                text.push('\\');
            }
            text.push(c);
        }
        text
    };
    all.iter().map(|(name, value)| format!("{name}=\"{}\"\n", escaped(value))).collect()
}
