//! The API server: both families, encryption at rest, audit log, aggregation layer; anonymous only for health checks.

use super::files::{ETCD_PKI, KUBERNETES_PKI, Reader};
use super::{Context, audit, binds, encryption, joined, tls_address, url};
use crate::component::{API_SERVER, ETCD, shown_at};
use crate::spec::RenderError;
use crate::systemd::{Flags, SANDBOX};
use bundle::{Bundle, Directory, File, HostPath, Unit};

const LOG_DIRECTORY: &str = "/var/log/kubernetes";
const AUTHENTICATION: &str = "/etc/kubernetes/authentication.yaml";

/// Load balancers ask these without a certificate; nothing else is answered to a stranger.
/// GA since 1.34 (feature gate AnonymousAuthConfigurableEndpoints).
const AUTHENTICATION_CONFIGURATION: &str = "\
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
  - path: /livez
  - path: /readyz
  - path: /healthz
";

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    let flags = server_flags(context);
    let flags = etcd_flags(context, &mut reader, flags)?;
    let flags = serving_flags(context, &mut reader, flags)?;
    let flags = authentication_flags(context, &mut reader, flags)?;
    let flags = aggregation_flags(&mut reader, flags)?;
    let flags = flags
        .set("encryption-provider-config", reader.file(encryption::PATH, encryption::file(context.credentials)?))
        .set("audit-policy-file", reader.file(audit::PATH, audit::file(context.spec)))
        .set("audit-log-path", format!("{LOG_DIRECTORY}/audit.log"))
        .set("audit-log-maxage", "30")
        .set("audit-log-maxbackup", "10")
        .set("audit-log-maxsize", "100")
        .overridden_by(&context.spec.api_server_flags);
    let unit_file = unit_file(&flags.command_line(&reader.program(API_SERVER.program)));
    let reads = reader.reads;
    let shown = tls_address(&context.local_server()).map(|address| shown_at(address, None));
    let unit = API_SERVER.describe_with_flags(reads, &flags, &[("tls-cert-file", shown)]);
    API_SERVER.add_unit(bundle, unit_file, Unit { check: API_SERVER.check(&flags, &[]), ..unit });
    bundle.needs.listen(&API_SERVER.unit(), binds(&API_SERVER, &flags));
    bundle.data_directories.insert(HostPath::literal(LOG_DIRECTORY), Directory::shared(0o700));
    Ok(())
}

fn server_flags(context: &Context) -> Flags {
    let network = &context.spec.network;
    let every_address = if context.has_ipv6() { "::" } else { "0.0.0.0" };
    Flags::new()
        .set("advertise-address", context.host.address.to_string())
        .set("bind-address", every_address)
        .set("secure-port", API_SERVER.port.to_string())
        .set("service-cluster-ip-range", joined(&network.service_cidrs))
        .set("allow-privileged", "true")
        .set("authorization-mode", "Node,RBAC")
        .set("enable-admission-plugins", "NodeRestriction")
        .set("profiling", "false")
        // Stay in the load balancers' pools until they have seen /readyz fail.
        .set("shutdown-delay-duration", "5s")
        // Without it a stop waits 60 s for the watches of kubelets.
        .set("shutdown-watch-termination-grace-period", "2s")
}

fn etcd_flags(context: &Context, reader: &mut Reader, flags: Flags) -> Result<Flags, RenderError> {
    let others = context.spec.hosts.iter().filter(|(name, _)| *name != context.name).map(|(_, host)| host.address);
    let servers = std::iter::once(context.host.address).chain(others).map(|address| url("https", address, ETCD.port));
    Ok(flags
        .set("etcd-servers", joined(servers))
        .set("etcd-cafile", reader.certificate(ETCD_PKI, "ca", "etcd-ca")?)
        .set("etcd-certfile", reader.certificate(KUBERNETES_PKI, "apiserver-etcd-client", "apiserver-etcd-client")?)
        .set("etcd-keyfile", reader.private_key(KUBERNETES_PKI, "apiserver-etcd-client", "apiserver-etcd-client")?))
}

fn serving_flags(context: &Context, reader: &mut Reader, flags: Flags) -> Result<Flags, RenderError> {
    let certificate = format!("apiserver/{}", context.name);
    Ok(flags
        .set("tls-cert-file", reader.certificate(KUBERNETES_PKI, "apiserver", &certificate)?)
        .set("tls-private-key-file", reader.private_key(KUBERNETES_PKI, "apiserver", &certificate)?)
        .set("kubelet-certificate-authority", reader.certificate(KUBERNETES_PKI, "cluster-ca", "cluster-ca")?)
        .set(
            "kubelet-client-certificate",
            reader.certificate(KUBERNETES_PKI, "apiserver-kubelet-client", "apiserver-kubelet-client")?,
        )
        .set("kubelet-client-key", reader.private_key(KUBERNETES_PKI, "apiserver-kubelet-client", "apiserver-kubelet-client")?)
        .set("kubelet-preferred-address-types", "InternalIP,Hostname"))
}

fn authentication_flags(context: &Context, reader: &mut Reader, flags: Flags) -> Result<Flags, RenderError> {
    let spec = context.spec;
    let flags = flags
        .set("client-ca-file", reader.certificate(KUBERNETES_PKI, "cluster-ca", "cluster-ca")?)
        .set("enable-bootstrap-token-auth", "true")
        .set("service-account-issuer", format!("https://kubernetes.default.svc.{}", spec.network.cluster_domain))
        .set("service-account-key-file", reader.public_key(KUBERNETES_PKI, "service-account")?)
        .set("service-account-signing-key-file", reader.private_key(KUBERNETES_PKI, "service-account", "service-account")?);
    // The API server refuses to start with the file and with one of these flags.
    let by_flags = |name: &String| name == "anonymous-auth" || name == "authentication-config" || name.starts_with("oidc-");
    if spec.api_server_flags.keys().any(by_flags) {
        return Ok(flags);
    }
    Ok(flags.set("authentication-config", reader.file(AUTHENTICATION, File::public(AUTHENTICATION_CONFIGURATION))))
}

fn aggregation_flags(reader: &mut Reader, flags: Flags) -> Result<Flags, RenderError> {
    Ok(flags
        .set("requestheader-client-ca-file", reader.certificate(KUBERNETES_PKI, "front-proxy-ca", "front-proxy-ca")?)
        .set("requestheader-allowed-names", "front-proxy-client")
        .set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .set("requestheader-group-headers", "X-Remote-Group")
        .set("requestheader-username-headers", "X-Remote-User")
        .set("proxy-client-cert-file", reader.certificate(KUBERNETES_PKI, "front-proxy-client", "front-proxy-client")?)
        .set("proxy-client-key-file", reader.private_key(KUBERNETES_PKI, "front-proxy-client", "front-proxy-client")?)
        // A control-plane host need not run kube-proxy: aggregated servers and webhooks are called at their pods' addresses.
        .set("enable-aggregator-routing", "true"))
}

fn unit_file(command_line: &str) -> String {
    format!(
        "[Unit]
Description=Kubernetes API server
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/
After=network-online.target etcd.service
Wants=network-online.target etcd.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command_line}
Restart=always
RestartSec=2
TimeoutStartSec=180
# The shutdown delay, then requests that are being answered; without etcd it would wait for them for minutes.
TimeoutStopSec=30
LimitNOFILE=1048576
OOMScoreAdjust=-997
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
ReadWritePaths={LOG_DIRECTORY}
{SANDBOX}
[Install]
WantedBy=multi-user.target
"
    )
}
