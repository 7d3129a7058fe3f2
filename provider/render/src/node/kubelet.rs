//! The kubelet: joins by TLS bootstrap, rotates its client and serving certificates, trusts the API server by file.

use super::containerd::SOCKET;
use super::{
    API_SERVER_AUTHORITY, Context, ENVIRONMENT, LIBRARY, NODE_ADDRESS, NODE_ADDRESSES, NODE_LABELS, NODE_NAME, NODE_PROVIDER_ID,
    NODE_TAINTS, REGISTRATION, add_file, health_check,
};
use crate::component::KUBELET;
use crate::kubeconfig::{Identity, Kubeconfig, Trust, render_kubeconfig};
use crate::spec::{NodeGroupSpec, PodNetwork, ProxyMode};
use crate::systemd::Flags;
use crate::yaml::{merged, to_yaml};
use bundle::{Bundle, Directory, File, HostPath};
use credentials::Secret;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Set by the cluster for all kubelets, and by the user for one that is not in the cloud.
pub const CLOUD_PROVIDER_FLAG: &str = "cloud-provider";

/// Written at join with a token of minutes, deleted once `KUBELET_KUBECONFIG` is there.
pub const BOOTSTRAP_KUBECONFIG: &str = "/etc/kubernetes/bootstrap-kubelet.kubeconfig";
/// Written by the kubelet itself after its first certificate.
pub const KUBELET_KUBECONFIG: &str = "/var/lib/kubelet/kubelet.kubeconfig";

/// The certificate with which the kubelet identifies itself, and its key: a link in its `--cert-dir` that moves with each rotation.
pub const CLIENT_CERTIFICATE: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";

const CONFIGURATION: &str = "/etc/kubernetes/node/kubelet.yaml";
pub(super) const CLIENT_AUTHORITY: &str = "/etc/kubernetes/node/kubelet-client-ca.crt";
/// `KubeletPort` of Kubernetes (pkg/cluster/ports/ports.go).
const SERVING_PORT: u16 = 10250;
const RESOLV_CONF_SCRIPT: &str = include_str!("resolv-conf.sh");
const RESOLV_CONF: &str = "/run/k8s-kubelet/resolv.conf";

/// What a kubelet without a certificate identifies itself with: `token` is `<id>.<secret>`.
pub fn bootstrap_kubeconfig(spec: &NodeGroupSpec, token: &Secret) -> Secret {
    render_kubeconfig(&Kubeconfig {
        cluster_name: &spec.cluster_name,
        server: &spec.endpoint.url(),
        trust: Trust::File { path: API_SERVER_AUTHORITY },
        user: "kubelet-bootstrap",
        identity: Identity::Token(token),
    })
}

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    let spec = context.spec;
    let script = format!("{LIBRARY}/kubelet-resolv-conf");
    let configuration = configuration(context);
    let reads = [
        HostPath::literal(KUBELET.program),
        HostPath::literal(ENVIRONMENT),
        add_file(bundle, CONFIGURATION, File::public(to_yaml(&configuration))),
        add_file(bundle, CLIENT_AUTHORITY, File::public(spec.kubelet_client_authority.clone())),
        add_file(bundle, API_SERVER_AUTHORITY, File::public(spec.apiserver_authority.clone())),
        add_file(bundle, &script, File::executable(RESOLV_CONF_SCRIPT)),
    ];
    let before_start = format!("{script} ${{{NODE_ADDRESS}}} {RESOLV_CONF}");
    let flags = flags(context);
    let checks = (check_of(&configuration, &flags), KUBELET.check(&flags, &[ENVIRONMENT, REGISTRATION]));
    add_needs(context, &configuration, &flags, bundle);
    let unit_file = unit_file(spec.pod_network, &before_start, &flags.command_line(KUBELET.program));
    KUBELET.add_with_checks(bundle, unit_file, reads, checks);
    bundle.packages.insert("mount".into(), "mount".into());
    bundle.data_directories.insert(HostPath::literal("/var/lib/kubelet"), Directory::data(0o750));
    for path in ["/var/log/pods", "/var/log/containers"] {
        bundle.data_directories.insert(HostPath::literal(path), Directory::shared(0o755));
    }
}

fn flags(context: &Context) -> Flags {
    let flags = Flags::new()
        .set("config", CONFIGURATION)
        .set("bootstrap-kubeconfig", BOOTSTRAP_KUBECONFIG)
        .set("kubeconfig", KUBELET_KUBECONFIG)
        .set_from("hostname-override", NODE_NAME)
        .set_from("node-ip", NODE_ADDRESSES)
        // Empty values are none (`MapStringString` in component-base/cli/flag, `RegisterWithTaintsVar` in pkg/util/flag).
        .set_from("node-labels", NODE_LABELS)
        .set_from("register-with-taints", NODE_TAINTS);
    let has_id = context.node.registration.provider_id.is_some();
    let flags = if has_id { flags.set_from("provider-id", NODE_PROVIDER_ID) } else { flags };
    flags.set_if(CLOUD_PROVIDER_FLAG, context.spec.cloud_provider.flag()).overridden_by(&context.node.kubelet_flags)
}

fn configuration(context: &Context) -> Value {
    let spec = context.spec;
    let dns: Vec<String> = spec.network.dns_addresses.iter().map(ToString::to_string).collect();
    let mut ours = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": CLIENT_AUTHORITY },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "systemd",
        "clusterDNS": dns,
        "clusterDomain": spec.network.cluster_domain,
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        // Version 1 still is what some hosts have; since 1.35 the kubelet refuses it by default.
        "failCgroupV1": false,
        // Pods do not get swap (memorySwap.swapBehavior: NoSwap); that the host has some is no reason not to start.
        "failSwapOn": false,
        "resolvConf": RESOLV_CONF,
        "rotateCertificates": true,
        "serverTLSBootstrap": true,
        "shutdownGracePeriod": "30s",
        "shutdownGracePeriodCriticalPods": "10s",
        // The default is below /usr.
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    });
    if spec.proxy_mode == ProxyMode::Nftables {
        ours = merged(ours, &json!({ "makeIPTablesUtilChains": false }));
    }
    context.node.kubelet_config.iter().fold(ours, |ours, user| merged(ours, &without_identity(user)))
}

/// Source: KubeletConfiguration (https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/) and the defaults in
/// pkg/kubelet/apis/config/v1beta1/defaults.go: `failSwapOn` and, since 1.35, `failCgroupV1` are true where nobody says otherwise.
fn add_needs(context: &Context, configuration: &Value, flags: &Flags, bundle: &mut Bundle) {
    let is_on = |field: &str, flag: &str| match flags.get(flag) {
        Some(text) => text == "true",
        None => configuration.get(field).and_then(Value::as_bool).unwrap_or(true),
    };
    let address = address_of(configuration, flags, [("address", "address"), ("port", "port")], ("0.0.0.0", SERVING_PORT));
    let pods: Vec<String> = context.spec.network.pod_cidrs.iter().map(ToString::to_string).collect();
    let needs = &mut bundle.needs;
    needs.listen(&KUBELET.unit(), address);
    needs.listen(&KUBELET.unit(), health_address(configuration, flags));
    needs.no_swap = is_on("failSwapOn", "fail-swap-on");
    needs.cgroup_v2 = is_on("failCgroupV1", "fail-cgroupv1");
    needs.runs_containers = true;
    needs.receives.insert(format!("everything from and to {}", pods.join(" and ")));
}

/// Source: `healthzPort` and `healthzBindAddress` of KubeletConfiguration.
fn health_address(configuration: &Value, flags: &Flags) -> Option<SocketAddr> {
    let fields = [("healthzBindAddress", "healthz-bind-address"), ("healthzPort", "healthz-port")];
    address_of(configuration, flags, fields, ("127.0.0.1", KUBELET.port))
}

/// Address and port by their fields in the configuration, and the flags that win over them.
fn address_of(
    configuration: &Value,
    flags: &Flags,
    [address, port]: [(&str, &str); 2],
    (default_address, default_port): (&str, u16),
) -> Option<SocketAddr> {
    let field = |name: &str| configuration.get(name).filter(|value| !value.is_null());
    let port = match flags.get(port.1) {
        Some(text) => text.parse().ok()?,
        None => field(port.0).map_or(Some(default_port), |port| u16::try_from(port.as_u64()?).ok())?,
    };
    let address = flags.get(address.1).or(field(address.0).and_then(Value::as_str)).unwrap_or(default_address);
    Some(SocketAddr::new(address.parse().ok()?, port))
}

/// `None` when the user switched the endpoint off.
fn check_of(configuration: &Value, flags: &Flags) -> Option<String> {
    health_check(&KUBELET, health_address(configuration, flags)?)
}

/// The user may set every field but those that say what the file is.
pub(super) fn without_identity(user: &Value) -> Value {
    let mut user = user.clone();
    if let Some(fields) = user.as_object_mut() {
        fields.shift_remove("apiVersion");
        fields.shift_remove("kind");
    }
    user
}

/// Whose network connects pods is said in it, so that a change restarts the kubelet: then its node is Ready by the new one.
fn unit_file(pod_network: PodNetwork, before_start: &str, command_line: &str) -> String {
    let network = if pod_network == PodNetwork::None { "# Something in the cluster connects pods.\n" } else { "" };
    format!(
        "{network}[Unit]
Description=Kubernetes node agent
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
After=network-online.target containerd.service
Wants=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile={ENVIRONMENT}
EnvironmentFile={REGISTRATION}
ExecStartPre={before_start}
ExecStart={command_line}
Restart=always
RestartSec=2
RuntimeDirectory=k8s-kubelet
RuntimeDirectoryPreserve=yes
LimitNOFILE=1048576
LimitCORE=0
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"
    )
}
